"""Random loop nests printed as C, compiled, and interpreted; the expansions of functions as C."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from akg.base.dtype import float32, float64
from akg.codegen.legalize import legalize
from akg.ir.buffer import Buffer
from akg.ir.expr import Call, Const, Load, Var
from akg.ir.interp import interpret
from akg.ir.stmt import For, Kernel, Param, Store
from tests.codegen.test_c import compile_and_call, needs_gcc
from tests.codegen.test_llvm_random import LIMITS, SIZE, Generator
from tests.codegen.test_math import samples
from tests.helpers import assert_close


@needs_gcc
@pytest.mark.parametrize("seed", range(40))
def test_random_nest(seed: int, tmp_path: Path) -> None:
    generator = Generator(seed)
    kernel = generator.kernel()
    dtype, rng = generator.dtype, np.random.default_rng(seed)
    x = rng.integers(-3, 4, (SIZE, SIZE)).astype(dtype.numpy)
    p = rng.integers(0, SIZE, SIZE).astype(np.int32)
    n = LIMITS["i"]
    y = np.zeros((n, LIMITS["j"]), dtype.numpy)
    want = y.copy()
    interpret(kernel, x, p, want, n)
    compile_and_call(kernel, [x, p, y, n], tmp_path)
    assert_close(y, want, dtype, 20, f"seed {seed}")


@needs_gcc
def test_expansions(tmp_path: Path) -> None:
    """One function of each family, expanded: bit casts, integer arithmetic and fma in C."""
    i, n = Var("i"), Var("n")
    for dtype in (float32, float64):
        for name in ("exp", "log", "erf", "sin", "atan", "sinh"):
            x, out = Buffer("x", (n,), dtype), Buffer("out", (n,), dtype)
            value = Call(name, (Load(x, (i,)),), dtype)
            kernel = Kernel(
                "k", (Param(x, "in"), Param(out, "out"), Param(n, "size")),
                For(i, Const(0), n, Store(out, (i,), value, "S0")),
            )  # fmt: skip
            points = samples(dtype, 40)
            results = [np.zeros_like(points) for _ in range(2)]
            for form, result in zip((kernel, legalize(kernel)), results):
                text = compile_and_call(form, [points, result, len(points)], tmp_path)
                assert (f" {name}" in text) is (form is kernel)
            ulp = np.spacing(np.abs(np.nan_to_num(results[0], posinf=1, neginf=1)))
            with np.errstate(invalid="ignore"):
                close = np.abs(results[0] - results[1]) <= 3 * ulp
            same = (results[0] == results[1]) | (np.isnan(results[0]) & np.isnan(results[1]))
            assert np.all(close | same), name
