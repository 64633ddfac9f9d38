"""float16 without instructions for it: the same bits as NumPy."""

import re
from dataclasses import replace

import numpy as np
import pytest

from akg.base.dtype import DType, bfloat16, float16, float32, float64, int16, int32
from akg.base.target import Target, resolve_target
from akg.codegen.llvm.backend import emit
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Load, Var, cast
from akg.ir.stmt import For, Kernel, LoopKind, Param, Store
from akg.runtime.jit import compile_asm

HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16)


@pytest.fixture
def plain(host: Target) -> Target:
    """This machine without the instructions."""
    if host.arch != "x86_64":
        pytest.skip("every processor of this architecture converts")
    return replace(
        resolve_target("x86-64-v2"), features=host.features - {"f16c"} - {x for x in host.features if "avx512" in x}
    )


def conversion(source: DType, result: DType, count: int, kind: LoopKind) -> Kernel:
    x, y, i = Buffer("X", (Const(count),), source), Buffer("Y", (Const(count),), result), Var("i")
    store = Store(y, (i,), cast(Load(x, (i,)), result), "S0")
    return Kernel("convert", (Param(x, "in"), Param(y, "out")), For(i, Const(0), Const(count), store, kind))


def run(jit, kernel: Kernel, target: Target, values: np.ndarray, result: DType) -> np.ndarray:
    module = emit(kernel, target)
    assert not re.search(r"fpext [^,\n]*half|fptrunc [^,\n]*half", module.text)
    out = np.empty(len(values), result.numpy)
    assert jit.load(module, kernel)(values, out) == 0
    return out


@pytest.mark.parametrize("kind", ["serial", "vector"])
@pytest.mark.parametrize("result", [float32, float64, bfloat16, int32])
def test_every_half_widens(jit, plain: Target, kind: LoopKind, result: DType) -> None:
    values = HALVES if result.is_float else HALVES[np.isfinite(HALVES)]
    got = run(jit, conversion(float16, result, len(values), kind), plain, values, result)
    with np.errstate(invalid="ignore"):  # signaling NaNs
        want = values.astype(np.float32).astype(result.numpy)
        np.testing.assert_array_equal(got.astype(np.float64), want.astype(np.float64))
    np.testing.assert_array_equal(np.signbit(got), np.signbit(want))


def floats(dtype: type) -> np.ndarray:
    """Random bits, random magnitudes around those of halves, all halves, and all midpoints between two."""
    rng = np.random.default_rng(11)
    bits = rng.integers(0, 1 << 32, 200_000, dtype=np.uint32).view(np.float32)
    near = rng.standard_normal(200_000) * 2.0 ** rng.integers(-28, 18, 200_000)
    exact = HALVES.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        middle = (exact[:-1] + exact[1:]) / 2
        edges = np.array([65504.0, 65519.99, 65520.0, 65536.0, 2.0**-25, 2.0**-25 * (1 + 2.0**-20), 2.0**-24, 0.0])
        both = [bits, near, exact, middle, np.nextafter(middle.astype(np.float32), np.float32(0)), edges, -edges]
        return np.concatenate([x.astype(dtype) for x in both])


@pytest.mark.parametrize("kind", ["serial", "vector"])
@pytest.mark.parametrize("source", [float32, float64])
def test_floats_round_to_half(jit, plain: Target, kind: LoopKind, source: DType) -> None:
    values = floats(source.numpy.type)
    got = run(jit, conversion(source, float16, len(values), kind), plain, values, float16)
    with np.errstate(over="ignore"):
        want = values.astype(np.float16)
    nan = np.isnan(values)
    np.testing.assert_array_equal(np.isnan(got), nan)
    np.testing.assert_array_equal(got.view(np.uint16)[~nan], want.view(np.uint16)[~nan])


@pytest.mark.parametrize("pair", [(float16, float32), (float32, float16), (float64, float16), (int16, float16)])
def test_no_support_library(pair: tuple[DType, DType]) -> None:
    for kind in ("serial", "vector"):
        module = emit(conversion(*pair, 37, kind), resolve_target("x86-64-v2"))
        text = compile_asm(module.text, resolve_target("x86-64-v2"), module.meta["passes"])
        assert "hf2" not in text and "call" not in text
