"""Operands along the rows of register tiles, turned before the nest."""

from __future__ import annotations

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import dtype_of
from akg.base.target import Target
from akg.driver import pipeline
from akg.ir import stmt
from akg.ir.lower import lower_te
from akg.poly.strategy import resolve_strategy

SMALL = Target("small", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, cores=2)


def mapped(m: int, n: int, k: int) -> stmt.Kernel:
    x, y = te.placeholder((k, m), "float32", name="A"), te.placeholder((k, n), "float32", name="B")
    kernel = lower_te([ops.matmul(x, y, transpose_a=True)], [x, y])
    state = pipeline.start(kernel, resolve_strategy("auto"), SMALL)
    result = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True).result
    assert result is not None
    return result


def turned(kernel: stmt.Kernel) -> list[stmt.Alloc]:
    return [s for s in stmt.walk(kernel.body) if isinstance(s, stmt.Alloc) and "_turned" in s.buffer.name]


@pytest.mark.parametrize(("m", "dtype"), [(256, "float32"), (261, "float32"), (256, "bfloat16")])
def test_it_is_read_along_its_new_rows(m: int, dtype: str) -> None:
    n, k = 130, 258
    (found,) = turned(mapped(m, n, k))
    assert found.buffer.const_shape == (m, k)
    x, y = te.placeholder((k, m), dtype, name="A"), te.placeholder((k, n), dtype, name="B")
    kernel = akg.build([ops.matmul(x, y, transpose_a=True, out_dtype="float32")], inputs=[x, y])
    rng = np.random.default_rng(3)
    a, b = (rng.integers(-9, 9, s).astype(dtype_of(dtype).numpy) for s in ((k, m), (k, n)))
    np.testing.assert_array_equal(kernel(a, b), a.astype("float32").T @ b.astype("float32"))


@pytest.mark.parametrize("size", [(64, 300, 256), (256, 32, 256)])
def test_small_operands_and_those_of_few_uses_stay(size: tuple[int, int, int]) -> None:
    assert not turned(mapped(*size))
