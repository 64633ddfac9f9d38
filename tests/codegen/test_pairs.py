"""Two steps of a sum of products by one instruction, against the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.base.dtype import dtype_of, float32, int32, tolerance
from akg.base.target import Target
from akg.codegen.backend import Module
from akg.codegen.llvm.backend import emit
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Load, Var, cast
from akg.ir.stmt import Block, For, Kernel, Param, Prefetch, Store
from tests.helpers import assert_close

Check = Callable[..., Module]
i, j, k, n = (Var(name) for name in "ijkn")
ROWS, COLUMNS = 3, 40


def product(a: str, b: str, steps: Expr, is_transposed: bool = False) -> Kernel:
    """C[i, j] += A[i, k] * B[k, j], rows unrolled and columns in lanes; A may be stored transposed."""
    total = float32 if dtype_of(a).is_float else int32
    x = Buffer("A", (steps, Const(ROWS)) if is_transposed else (Const(ROWS), steps), dtype_of(a))
    y, c = Buffer("B", (steps, Const(COLUMNS)), dtype_of(b)), Buffer("C", (Const(ROWS), Const(COLUMNS)), total)
    left = cast(Load(x, (k, i) if is_transposed else (i, k)), total)
    value = Binary("add", Load(c, (i, j)), left * cast(Load(y, (k, j)), total))
    lanes = For(j, Const(0), Const(COLUMNS), Store(c, (i, j), value, "S", "sum"), "vector")
    nest = For(k, Const(0), steps, For(i, Const(0), Const(ROWS), lanes, "unroll"))
    params = [Param(p, "inout") for p in (x, y, c)]
    return Kernel("f", (*params, Param(n, "size")) if steps is n else tuple(params), nest)


def values(shape: tuple[int, ...], dtype: str, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    kind = dtype_of(dtype)
    if kind.is_float:
        return rng.uniform(-2, 2, shape).astype(np.float32).astype(kind.numpy)
    info = np.iinfo(kind.numpy)
    return rng.integers(info.min, info.max, shape, endpoint=True).astype(kind.numpy)


def arrays(a: str, b: str, steps: int, is_transposed: bool = False) -> list[Any]:
    shape = (steps, ROWS) if is_transposed else (ROWS, steps)
    total = "float32" if dtype_of(a).is_float else "int32"
    return [values(shape, a, 1), values((steps, COLUMNS), b, 2), values((ROWS, COLUMNS), total, 3)]


def test_prefetch_in_a_sum(check: Check) -> None:
    kernel = product("bfloat16", "bfloat16", Const(9))
    assert isinstance(kernel.body, For)
    ahead = Prefetch(kernel.buffers[0], (k % Const(3), k))
    kernel = replace(kernel, body=replace(kernel.body, body=Block((ahead, kernel.body.body))))
    check(kernel, *arrays("bfloat16", "bfloat16", 9), rtol=tolerance(float32, 36))


TYPES = [("bfloat16", "bfloat16"), ("int8", "int8"), ("uint8", "int8"), ("int16", "int16"), ("int8", "int16")]


@pytest.mark.parametrize(("a", "b"), TYPES)
@pytest.mark.parametrize("is_transposed", [False, True])
def test_products(check: Check, host: Target, a: str, b: str, is_transposed: bool) -> None:
    for steps in (1, 2, 9, 64):
        rtol = tolerance(float32, 4 * steps) if a == "bfloat16" else 0.0
        given = arrays(a, b, steps, is_transposed)
        module = check(product(a, b, Const(steps), is_transposed), *given, rtol=rtol)
        if steps > 1 and {"avx512bf16", "avx512bw"} <= host.features:
            assert ("dpbf16ps" if a == "bfloat16" else "pmadd") in module.text
            assert module.meta["notes"] == [
                f"S: two steps of k by one {'vdpbf16ps' if a == 'bfloat16' else 'vpmaddwd'}"
            ]
    for steps in (0, 1, 7, 32):
        rtol = tolerance(float32, 4 * steps) if a == "bfloat16" else 0.0
        check(product(a, b, n, is_transposed), *arrays(a, b, steps, is_transposed), steps, rtol=rtol)


@pytest.mark.parametrize("bits", [128, 256])
def test_narrow_vectors(check: Check, host: Target, bits: int) -> None:
    narrow = replace(host, vector_bits=bits)
    for a, b in TYPES[:3]:
        rtol = tolerance(float32, 64) if a == "bfloat16" else 0.0
        check(product(a, b, Const(11)), *arrays(a, b, 11), rtol=rtol, target=narrow)


@pytest.mark.parametrize("special", [np.inf, np.nan, -0.0, 3e38])
def test_special_values(check: Check, special: float) -> None:
    given = arrays("bfloat16", "bfloat16", 6)
    given[0][1, 3] = special
    check(product("bfloat16", "bfloat16", Const(6)), *given, rtol=tolerance(float32, 24))


def test_what_has_no_such_instruction(host: Target) -> None:
    for a, b in (("int32", "int32"), ("float16", "float16")):
        assert not emit(product(a, b, Const(8)), host).meta["notes"]
    other = replace(host, arch="aarch64", features=frozenset({"neon"}), vector_bits=128)
    assert "x86" not in emit(product("bfloat16", "bfloat16", Const(8)), other).text


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
@pytest.mark.parametrize("size", [33, 64])
def test_matmul(dtype: str, size: int) -> None:
    total = "float32" if dtype == "bfloat16" else "int32"
    A, B = te.placeholder((size, size), dtype, name="A"), te.placeholder((size, size), dtype, name="B")
    r = te.reduce_axis(size, name="r")
    C = te.compute(
        (size, size), lambda i, j: te.sum(te.cast(A[i, r], total) * te.cast(B[r, j], total), axis=r), name="C"
    )
    kernel = akg.build([C], inputs=[A, B])
    a, b = values((size, size), dtype, 1), values((size, size), dtype, 2)
    assert_close(kernel(a, b), a.astype(np.float64) @ b.astype(np.float64), total, size)


def inner_product(a: str, b: str, steps: Expr) -> Kernel:
    """C[i] += A[i, k] * B[k] with lanes along k."""
    total = float32 if dtype_of(a).is_float else int32
    x, y = Buffer("A", (Const(ROWS), steps), dtype_of(a)), Buffer("B", (steps,), dtype_of(b))
    c = Buffer("C", (Const(ROWS),), total)
    value = Binary("add", Load(c, (i,)), cast(Load(x, (i, k)), total) * cast(Load(y, (k,)), total))
    nest = For(i, Const(0), Const(ROWS), For(k, Const(0), steps, Store(c, (i,), value, "S", "sum"), "vector"))
    params = [Param(p, "inout") for p in (x, y, c)]
    return Kernel("f", (*params, Param(n, "size")) if steps is n else tuple(params), nest)


@pytest.mark.parametrize(("a", "b"), TYPES)
def test_lanes_along_the_sum(check: Check, host: Target, a: str, b: str) -> None:
    total = "float32" if a == "bfloat16" else "int32"
    for steps in (5, 32, 100, 300):
        rtol = tolerance(float32, 8 * steps) if a == "bfloat16" else 0.0
        given = [values((ROWS, steps), a, 1), values((steps,), b, 2), values((ROWS,), total, 3)]
        module = check(inner_product(a, b, Const(steps)), *[x.copy() for x in given], rtol=rtol)
        if steps == 300 and {"avx512bf16", "avx512bw"} <= host.features:
            assert ("dpbf16ps" if a == "bfloat16" else "pmadd") in module.text
            assert module.meta["notes"][0].startswith("S: neighbours along k by one v")
        check(inner_product(a, b, n), *given, steps, rtol=rtol)


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_matmul_of_rows(dtype: str) -> None:
    total = "float32" if dtype == "bfloat16" else "int32"
    A, B = te.placeholder((21, 130), dtype, name="A"), te.placeholder((19, 130), dtype, name="B")
    r = te.reduce_axis(130, name="r")
    C = te.compute((21, 19), lambda i, j: te.sum(te.cast(A[i, r], total) * te.cast(B[j, r], total), axis=r), name="C")
    kernel = akg.build([C], inputs=[A, B])
    a, b = values((21, 130), dtype, 1), values((19, 130), dtype, 2)
    assert_close(kernel(a, b), a.astype(np.float64) @ b.astype(np.float64).T, total, 130)


@pytest.mark.parametrize("steps", [2, 4])
@pytest.mark.parametrize("columns", [32, 37, 5])
def test_neighbours_stored_by_each_lane(check: Check, steps: int, columns: int) -> None:
    for dtype in ("bfloat16", "int8", "float32"):
        x = Buffer("X", (Const(steps), Const(columns)), dtype_of(dtype))
        y = Buffer("Y", (Const(columns), Const(steps)), dtype_of(dtype))
        each = For(k, Const(0), Const(steps), Store(y, (j, k), Load(x, (k, j)), "S"), "unroll")
        kernel = Kernel("f", (Param(x, "in"), Param(y, "inout")), For(j, Const(0), Const(columns), each, "vector"))
        module = check(kernel, values((steps, columns), dtype, 5), values((columns, steps), dtype, 6))
        assert "scatter" not in module.text
