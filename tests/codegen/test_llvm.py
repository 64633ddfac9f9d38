"""The LLVM backend against the interpreter: loops, lanes, masks, reductions, temporaries, threads."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from akg.base.dtype import DType, bool_, dtype_of, float32, float64, index, int32, int64, tolerance
from akg.base.target import Target, resolve_target
from akg.codegen.backend import Module
from akg.codegen.llvm.backend import emit
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Load, Var, binary, call, cast, select
from akg.ir.stmt import Alloc, For, If, Kernel, LoopKind, Param, Stmt, Store, block
from akg.runtime.jit import compile_asm

Check = Callable[..., Module]
i, j, k, n, m = (Var(name) for name in "ijknm")
ZERO = Const(0)


def consts(*values: int) -> tuple[Const, ...]:
    return tuple(Const(v) for v in values)


def loop(var: Var, end: Expr | int, body: Stmt, kind: LoopKind = "serial", begin: Expr | int = 0) -> For:
    wrap: Callable[[Expr | int], Expr] = lambda e: e if isinstance(e, Expr) else Const(e)  # noqa: E731
    return For(var, wrap(begin), wrap(end), body, kind)


def kernel(body: Stmt, *params: Buffer | Var, name: str = "f") -> Kernel:
    roles = [Param(p, "inout" if isinstance(p, Buffer) else "size" if p.dtype is index else "scalar") for p in params]
    return Kernel(name, tuple(roles), body)


def random(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> NDArray[Any]:
    rng = np.random.default_rng(seed)
    kind = dtype_of(dtype)
    if kind.is_float:
        return rng.standard_normal(shape).astype(kind.numpy)
    if kind is bool_:
        return rng.integers(0, 2, shape).astype(bool)
    low = 0 if kind.kind == "uint" else -50
    return rng.integers(low, 50, shape).astype(kind.numpy)


LENGTHS = [0, 1, 2, 3, 15, 16, 17, 31, 64, 100, 257]
KINDS: list[LoopKind] = ["serial", "vector", "parallel"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", LENGTHS)
def test_symbolic_length(check: Check, kind: LoopKind, size: int) -> None:
    x, y = Buffer("X", (n,), float32), Buffer("Y", (n,), float32)
    body = loop(i, n, Store(y, (i,), Load(x, (i,)) * 2.0 + cast(i, float32), "S0"), kind)
    check(kernel(body, x, y, n), random((size,)), np.zeros(size, np.float32), size)


@pytest.mark.parametrize("size", LENGTHS[1:])
def test_constant_length(check: Check, size: int) -> None:
    x, y = Buffer("X", consts(size), float32), Buffer("Y", consts(size), float32)
    body = loop(i, size, Store(y, (i,), Load(x, (i,)) * 2.0 - 1.0, "S0"), "vector")
    check(kernel(body, x, y), random((size,)), np.zeros(size, np.float32))


@pytest.mark.parametrize("stride", [-3, -1, 0, 2, 3, 5])
@pytest.mark.parametrize("size", [16, 37])
def test_strides(check: Check, stride: int, size: int) -> None:
    room = 1 + (size - 1) * abs(stride)
    x, y = Buffer("X", consts(room), float32), Buffer("Y", (n,), float32)
    where = i * stride if stride >= 0 else (n - 1 - i) * -stride
    body = loop(i, n, Store(y, (i,), Load(x, (where,)), "S0"), "vector")
    check(kernel(body, x, y, n), random((room,)), np.zeros(size, np.float32), size)
    if stride:
        back = loop(i, n, Store(x, (where,), Load(y, (i,)) + 1.0, "S0"), "vector")
        check(kernel(back, x, y, n), random((room,)), random((size,), seed=1), size)


@pytest.mark.parametrize("size", [16, 45])
def test_transpose_and_gather(check: Check, size: int) -> None:
    x, y = Buffer("X", (n, n), float32), Buffer("Y", (n, n), float32)
    body = loop(i, n, loop(j, n, Store(y, (i, j), Load(x, (j, i)), "S0"), "vector"))
    check(kernel(body, x, y, n), random((size, size)), np.zeros((size, size), np.float32), size)
    p = Buffer("P", (n,), int32)
    body = loop(i, n, Store(y, (ZERO, i), Load(x, (cast(Load(p, (i,)), index), i // 2)), "S0"), "vector")
    picks = np.random.default_rng(3).integers(0, size, size).astype(np.int32)
    check(kernel(body, x, y, p, n), random((size, size)), np.zeros((size, size), np.float32), picks, size)


def _update(reduction: str, buffer: Buffer, at: tuple[Expr, ...], term: Expr) -> Store:
    op = {"sum": "add", "prod": "mul", "max": "max", "min": "min"}[reduction]
    return Store(buffer, at, Binary(op, Load(buffer, at), term), "U", reduction)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("reduction", ["sum", "max", "min", "prod"])
@pytest.mark.parametrize("size", [1, 5, 16, 63, 64, 200])
def test_reduction_over_lanes(check: Check, reduction: str, size: int, dtype: str) -> None:
    kind = dtype_of(dtype)
    x, y = Buffer("X", (n, m), kind), Buffer("Y", (n,), kind)
    body = loop(i, n, loop(j, m, _update(reduction, y, (i,), Load(x, (i, j))), "vector"))
    source = random((3, size), dtype)
    if reduction == "prod" and kind.is_float:
        source = np.exp(source / 10).astype(kind.numpy)
    check(kernel(body, x, y, n, m), source, random((3,), dtype, 1), 3, size, rtol=8 * tolerance(kind, size))


def test_dot_product_keeps_nan(check: Check) -> None:
    x, y = Buffer("X", consts(100), float32), Buffer("Y", (), float32)
    source = random((100,))
    source[77] = np.nan
    for reduction in ("max", "min"):
        target = np.zeros((), np.float32)
        check(kernel(loop(i, 100, _update(reduction, y, (), Load(x, (i,))), "vector"), x, y), source, target)
        assert np.isnan(target)


def test_reduction_with_inner_loop(check: Check) -> None:
    x, y = Buffer("X", (n, m), float32), Buffer("Y", (n,), float32)
    body = loop(j, m, loop(i, n, _update("sum", y, (i,), Load(x, (i, j)))), "vector")
    check(kernel(body, x, y, n, m), random((5, 37)), random((5,), seed=1), 5, 37, rtol=8 * tolerance(float32, 37))


@pytest.mark.parametrize("size", [7, 40])
def test_condition_by_lane(check: Check, size: int) -> None:
    x, y = Buffer("X", (n,), float32), Buffer("Y", (n,), float32)
    left = Store(y, (i,), Load(x, (i,)) * 2.0, "S0")
    right = Store(y, (n - 1 - i,), Load(x, (i,)) + 3.0, "S1")
    body = loop(i, n, If(binary("lt", i, 5), left, If(i >= n - 1, right)), "vector")
    check(kernel(body, x, y, n), random((size,)), np.zeros(size, np.float32), size)


@pytest.mark.parametrize("kind", ["serial", "vector"])
def test_select_reads_only_what_it_takes(check: Check, kind: LoopKind) -> None:
    # One row past the end of a page that must not be read would crash: offsets far outside the buffer.
    x, y = Buffer("X", (n,), float32), Buffer("Y", (n,), float32)
    far = Const(1 << 40)
    picked = select(i < 9, Load(x, (i,)), Load(x, (i - 9,)))
    body = loop(i, n, Store(y, (i,), select(i >= 0, picked, Load(x, (i + far,))), "S0"), kind)
    check(kernel(body, x, y, n), random((50,)), np.zeros(50, np.float32), 50)
    uniform = loop(j, n, loop(i, n, Store(y, (i,), select(j < n, Load(x, (i,)), Load(x, (i + far,))), "S0"), kind))
    check(kernel(uniform, x, y, n), random((50,)), np.zeros(50, np.float32), 50)


def test_padding(check: Check) -> None:
    x, y = Buffer("X", consts(8, 30), float32), Buffer("Y", consts(10, 32), float32)
    inside = (i >= 1) & (i < 9) & (j >= 1) & (j < 31)
    value = select(inside, Load(x, (i - 1, j - 1)), 0.0)
    body = loop(i, 10, loop(j, 32, Store(y, (i, j), value, "S0"), "vector"), "parallel")
    check(kernel(body, x, y), random((8, 30)), np.ones((10, 32), np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_lane_private_temporary(check: Check, kind: LoopKind) -> None:
    x, y = Buffer("X", (n, m), float32), Buffer("Y", (n,), float32)
    t = Buffer("t", consts(2), float32, "local")
    body = block(
        Store(t, (ZERO,), Const(0.0, float32), "S0"),
        Store(t, (Const(1),), Const(1.0, float32), "S1"),
        loop(j, m, block(_update("sum", t, (ZERO,), Load(x, (i, j))),
                         Store(t, (Const(1),), Load(t, (Const(1),)) * 0.5 + Load(t, (ZERO,)), "S2"))),
        Store(y, (i,), Load(t, (ZERO,)) + Load(t, (Const(1),)), "S3"),
    )  # fmt: skip
    made = kernel(loop(i, n, Alloc(t, body), kind), x, y, n, m)
    check(made, random((35, 9)), np.zeros(35, np.float32), 35, 9, rtol=tolerance(float32, 9))


def register_gemm(mr: int, nr: int, rows: int, columns: int, depth: int, dtype: DType = float32) -> Kernel:
    """A matrix product by register tiles of mr x nr."""
    a, b = Buffer("A", consts(rows, depth), dtype), Buffer("B", consts(depth, columns), dtype)
    c, acc = Buffer("C", consts(rows, columns), dtype), Buffer("acc", consts(mr, nr), dtype.compute, "register")
    it, jt, i1, j1, i2, j2, i3, j3 = (Var(v) for v in ("it", "jt", "i1", "j1", "i2", "j2", "i3", "j3"))
    row, column = it * mr, jt * nr
    zero = Store(acc, (i1, j1), Const(0.0, acc.dtype), "S0")
    product = cast(Load(a, (row + i2, k)), acc.dtype) * cast(Load(b, (k, column + j2)), acc.dtype)
    tile = block(
        loop(i1, mr, loop(j1, nr, zero, "vector"), "unroll"),
        loop(k, depth, loop(i2, mr, loop(j2, nr, _update("sum", acc, (i2, j2), product), "vector"), "unroll")),
        loop(i3, mr, loop(j3, nr, Store(c, (row + i3, column + j3), cast(Load(acc, (i3, j3)), dtype), "S1"),
                          "vector"), "unroll"),
    )  # fmt: skip
    body = loop(it, rows // mr, loop(jt, columns // nr, Alloc(acc, tile)), "parallel")
    return kernel(body, a, b, c, name="gemm")


@pytest.mark.parametrize(("mr", "nr"), [(6, 64), (4, 48), (3, 20), (2, 7), (1, 1)])
def test_register_tile(check: Check, mr: int, nr: int) -> None:
    made = register_gemm(mr, nr, 2 * mr, 2 * nr, 33)
    a, b = random((2 * mr, 33)), random((33, 2 * nr), seed=1)
    check(made, a, b, np.zeros((2 * mr, 2 * nr), np.float32), rtol=tolerance(float32, 33))


def test_register_tile_stays_in_registers(jit: Any, host: Any) -> None:
    if host.vector_bits != 512:
        pytest.skip("the tile is sized for 32 registers of 512 bits")
    text = jit.assembly(emit(register_gemm(6, 64, 12, 128, 64), host))
    lines = text.splitlines()
    assert sum("vfmadd" in line and "zmm" in line for line in lines) == 24
    assert not [line for line in lines if "(%rsp)" in line and "zmm" in line]


@pytest.mark.parametrize("scope", ["global", "local"])
def test_temporaries(check: Check, scope: Any) -> None:
    x, y = Buffer("X", (n, m), float32), Buffer("Y", (n, m), float32)
    t, u = Buffer("t", (n, m), float32, "global"), Buffer("u", (m,), float32, scope)
    first = loop(i, n, loop(j, m, Store(t, (i, j), Load(x, (i, j)) + 1.0, "S0"), "vector"), "parallel")
    i2, j2, j3 = Var("i2"), Var("j2"), Var("j3")
    second = loop(i2, n, Alloc(u, block(
        loop(j2, m, Store(u, (j2,), Load(t, (i2, j2)) * 2.0, "S1"), "vector"),
        loop(j3, m, Store(y, (i2, j3), Load(u, (m - 1 - j3,)), "S2"), "vector"),
    )), "parallel")  # fmt: skip
    made = kernel(Alloc(t, block(first, second)), x, y, n, m)
    check(made, random((40, 700)), np.zeros((40, 700), np.float32), 40, 700)


def test_a_large_temporary_in_a_parallel_loop_of_one_iteration(check: Check) -> None:
    """Which is straight code, or a function with a workspace of its own, but not something between the two."""
    x, y = Buffer("X", consts(3, 40), float32), Buffer("Y", consts(3, 40), float32)
    t = Buffer("T", consts(32768), float32, "local")
    first = loop(k, 40, Store(t, (k,), Load(x, (i, k)) + 1.0, "S0"), "vector")
    second = loop(m, 40, Store(y, (i, m), Load(t, (m,)) * 2.0, "S1"), "vector")
    body = loop(i, 3, loop(j, i + 1, Alloc(t, block(first, second)), "parallel", begin=i))
    check(kernel(body, x, y), random((3, 40)), np.zeros((3, 40), np.float32))


def test_no_memory_is_an_error(jit: Any, host: Any) -> None:
    y, t = Buffer("Y", (n,), float32), Buffer("t", (n, n, n), float32)
    body = Alloc(t, block(Store(t, (ZERO, ZERO, ZERO), Const(1.0, float32), "S0"),
                          Store(y, (ZERO,), Load(t, (ZERO, ZERO, ZERO)), "S1")))  # fmt: skip
    made = kernel(body, y, n)
    run = jit.load(emit(made, host), made)
    target = np.zeros(4, np.float32)
    assert run(target, 4) == 0 and target[0] == 1.0
    assert run(target, 1_000_000) == 1


DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [5, 130])
def test_arithmetic(check: Check, dtype: str, size: int) -> None:
    kind = dtype_of(dtype)
    x, z, y = Buffer("X", (n,), kind), Buffer("Z", (n,), kind), Buffer("Y", (n,), kind)
    a, b = Load(x, (i,)), Load(z, (i,))
    value = binary("max", a * b + a, binary("min", a, b)) - abs(a)
    if not kind.is_float:
        value = value + (a // 7) * (b % 5) + (a // 8) + (b % 16) + a // (binary("max", b, 1))
    body = loop(i, n, Store(y, (i,), cast(value, kind), "S0"), "vector")
    check(kernel(body, x, z, y, n), random((size,), dtype), random((size,), dtype, 1), random((size,), dtype, 2), size)


@pytest.mark.parametrize("source", DTYPES + ["bool"])
@pytest.mark.parametrize("target", DTYPES + ["bool"])
def test_casts(check: Check, source: str, target: str) -> None:
    a, b = dtype_of(source), dtype_of(target)
    x, y = Buffer("X", consts(40), a), Buffer("Y", consts(40), b)
    values = random((40,), source)
    if a.is_float and b.kind == "uint":
        values = np.abs(values)  # the result of other casts is undefined
    if a.is_float:
        values = (values * 9).astype(a.numpy)
    body = loop(i, 40, Store(y, (i,), cast(Load(x, (i,)), b), "S0"), "vector")
    check(kernel(body, x, y), values, np.zeros(40, b.numpy))


def test_rounding_to_16_bits(check: Check) -> None:
    rng = np.random.default_rng(5)
    for source, target in (("float32", "float16"), ("float32", "bfloat16"), ("float64", "float16")):
        a, b = dtype_of(source), dtype_of(target)
        x, y = Buffer("X", consts(4000), a), Buffer("Y", consts(4000), b)
        values = (rng.standard_normal(4000) * 2.0 ** rng.integers(-30, 30, 4000)).astype(a.numpy)
        halves = values.astype(b.numpy).astype(a.numpy)
        values[:2000] = (halves[:2000] + np.nextafter(halves[:2000], a.numpy.type(0))) / 2  # near ties
        values[:3] = np.nan, np.inf, -np.inf
        body = loop(i, 4000, Store(y, (i,), cast(Load(x, (i,)), b), "S0"), "vector")
        with np.errstate(over="ignore"):
            check(kernel(body, x, y), values, np.zeros(4000, b.numpy))


def test_bool_arrays_and_scalars(check: Check) -> None:
    x, y = Buffer("X", (n,), bool_), Buffer("Y", (n,), bool_)
    s, flag = Var("s", float32), Var("flag", bool_)
    value = (Load(x, (i,)) & (cast(i, float32) < s)) | ~flag
    body = loop(i, n, Store(y, (i,), value, "S0"), "vector")
    for size in (3, 99):
        check(kernel(body, x, y, n, s, flag), random((size,), "bool"), np.zeros(size, bool), size, 50.5, True)


def test_float_division_rounds_down(check: Check) -> None:
    x, z, y = (Buffer(name, consts(2, 64), float64) for name in "XZY")
    a, b = Load(x, (ZERO, i)), Load(z, (ZERO, i))
    body = loop(i, 64, block(Store(y, (ZERO, i), a // b, "S0"), Store(y, (Const(1), i), a % b, "S1")), "vector")
    left, right = random((2, 64), "float64") * 10, random((2, 64), "float64", 1)
    check(kernel(body, x, z, y), left, right, np.zeros((2, 64)))


def test_triangle(check: Check) -> None:
    x, y = Buffer("X", (n, n), float64), Buffer("Y", (n, n), float64)
    body = loop(i, n, loop(j, n, Store(y, (i, j), Load(x, (i, j)) * 2.0, "S0"), "vector", begin=i), "parallel")
    check(kernel(body, x, y, n), random((130, 130), "float64"), np.zeros((130, 130)), 130)


@pytest.mark.parametrize(("begin", "end", "in_turns"), [
    (i, Const(130), True), (Const(0), i + 1, True),  # triangles
    (binary("max", i - 3, 0), binary("min", i + 4, 130), False),  # a band, cut off at both ends
    (binary("max", i - 100, 0), binary("min", i + 100, 130), False), (binary("max", i - 60, 0), i + 1, True),
])  # fmt: skip
def test_threads_take_turns_where_their_pieces_would_differ(
    begin: Expr, end: Expr, in_turns: bool, check: Check, host: Target
) -> None:
    x, y = Buffer("X", consts(130, 130), float64), Buffer("Y", consts(130, 130), float64)
    store = Store(y, (i, j), Load(x, (i, j)) * 2.0, "S0")
    body = loop(i, 130, loop(j, end, store, "vector", begin=begin), "parallel")
    check(kernel(body, x, y), random((130, 130), "float64"), np.zeros((130, 130)))
    text = emit(kernel(body, x, y), replace(host, cores=2)).text
    assert ("atomicrmw add" in text) is in_turns


def test_lu_in_place(check: Check) -> None:
    a = Buffer("A", (n, n), float64)
    i2, j2 = Var("i2"), Var("j2")
    scale = loop(i, n, Store(a, (i, k), Load(a, (i, k)) / Load(a, (k, k)), "S0"), begin=k + 1)
    inner = Store(a, (i2, j2), Load(a, (i2, j2)) - Load(a, (i2, k)) * Load(a, (k, j2)), "S1")
    rest = loop(i2, n, loop(j2, n, inner, "vector", begin=k + 1), "parallel", begin=k + 1)
    source = random((60, 60), "float64") + 20 * np.eye(60)
    check(kernel(loop(k, n, block(scale, rest)), a, n), source, 60, rtol=tolerance(float64, 60))


def test_softmax(check: Check) -> None:
    x, y = Buffer("X", (n, m), float32), Buffer("Y", (n, m), float32)
    top, total = Buffer("top", (), float32, "local"), Buffer("total", (), float32, "local")
    j1, j2, j3 = Var("j1"), Var("j2"), Var("j3")
    e = call("exp", Load(x, (i, j2)) - Load(top, ()))
    body = Alloc(top, Alloc(total, block(
        Store(top, (), Const(float("-inf"), float32), "S0"),
        Store(total, (), Const(0.0, float32), "S1"),
        loop(j1, m, _update("max", top, (), Load(x, (i, j1))), "vector"),
        loop(j2, m, block(Store(y, (i, j2), e, "S2"),
                          Store(total, (), Load(total, ()) + Load(y, (i, j2)), "S3", "sum")), "vector"),
        loop(j3, m, Store(y, (i, j3), Load(y, (i, j3)) / Load(total, ()), "S4"), "vector"),
    )))  # fmt: skip
    made = kernel(loop(i, n, body, "parallel"), x, y, n, m)
    check(made, random((33, 77)), np.zeros((33, 77), np.float32), 33, 77, rtol=tolerance(float32, 77))


@pytest.mark.parametrize("fn", ["exp", "tanh", "erf", "log", "sqrt", "rsqrt", "sigmoid", "floor", "round"])
def test_functions(check: Check, fn: str) -> None:
    for dtype in ("float32", "float16"):
        kind = dtype_of(dtype)
        x, y = Buffer("X", consts(77), kind), Buffer("Y", consts(77), kind)
        body = loop(i, 77, Store(y, (i,), call(fn, Load(x, (i,))), "S0"), "vector")
        check(kernel(body, x, y), np.abs(random((77,), dtype)), np.zeros(77, kind.numpy), rtol=tolerance(kind))


def test_integer_division_never_traps(check: Check) -> None:
    x, y = Buffer("X", (n,), int64), Buffer("Y", (n,), int64)
    a = Load(x, (i,))
    value = select(binary("ne", a, 0), Const(100, int64) // a, Const(7, int64))
    body = loop(i, n, Store(y, (i,), value, "S0"), "vector")
    check(kernel(body, x, y, n), np.arange(-5, 8), np.zeros(13, np.int64), 13)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
@pytest.mark.parametrize("kind", KINDS)
def test_product_accumulates_in_registers(check: Check, kind: LoopKind, dtype: str) -> None:
    of = dtype_of(dtype)
    a, b, c = Buffer("A", (n, m), of), Buffer("B", (m, n), of), Buffer("C", (n, n), of)
    update = _update("sum", c, (i, j), Load(a, (i, k)) * Load(b, (k, j)))
    made = kernel(loop(i, n, loop(j, n, loop(k, m, update), kind)), a, b, c, n, m)
    for depth in (0, 7):
        left, right = random((21, depth), dtype), random((depth, 21), dtype, 1)
        rtol = tolerance(of, depth) * (8 if of.bits == 16 else 1)
        check(made, left, right, random((21, 21), dtype, 2), 21, depth, rtol=rtol)


@pytest.mark.parametrize("name", ["x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64-neon"])
def test_other_machines(name: str) -> None:
    target = resolve_target(name)
    x, y = Buffer("X", (n,), dtype_of("float16")), Buffer("Y", (n,), bool_)
    tests = Store(y, (i,), call("exp", Load(x, (i,))) > 0.5, "S0")
    for made in (register_gemm(4, 16, 8, 32, 16), kernel(loop(i, n, tests, "vector"), x, y, n)):
        module = emit(made, target)
        assert compile_asm(module.text, target, module.meta["passes"]).count("\n") > 50


@pytest.mark.parametrize("bits", [128, 256])
def test_narrow_vectors(check: Check, host: Target, bits: int) -> None:
    narrow = replace(host, vector_bits=bits, has_fma=False)
    made = register_gemm(4, 20, 8, 40, 33)
    a, b = random((8, 33)), random((33, 40), seed=1)
    check(made, a, b, np.zeros((8, 40), np.float32), rtol=tolerance(float32, 33), target=narrow)


def test_text_is_the_same_every_time(host: Target) -> None:
    texts = {emit(register_gemm(4, 48, 8, 96, 16), host).text for _ in range(3)}
    assert len(texts) == 1


@pytest.mark.parametrize(("low", "high"), [(0, 20), (3, 23), (16, 48), (50, 60), (59, 60)])
def test_part_of_a_register_tile(check: Check, low: int, high: int) -> None:
    x, y = Buffer("X", consts(3, 60), float32), Buffer("Y", consts(3, 60), float32)
    t = Buffer("t", consts(3, 60), float32, "register")
    j2, j3, i2, i3 = Var("j2"), Var("j3"), Var("i2"), Var("i3")
    body = block(
        loop(i, 3, loop(j, 60, Store(t, (i, j), Load(x, (i, j)), "S0"), "vector"), "unroll"),
        loop(i2, 3, loop(j2, high, Store(t, (i2, j2), Load(t, (i2, j2)) * 2.0 + cast(j2, float32), "S1"), "vector",
                         begin=low), "unroll"),
        loop(i3, 3, loop(j3, 60, Store(y, (i3, j3), Load(t, (i3, j3)), "S2"), "vector"), "unroll"),
    )  # fmt: skip
    check(kernel(Alloc(t, body), x, y), random((3, 60)), np.zeros((3, 60), np.float32))


@pytest.mark.parametrize("name", ["int8", "int32", "bfloat16"])
def test_one_lane_of_a_narrowed_value(check: Check, name: str) -> None:
    """A tail of one element writes that element alone, whatever wider value it was made from."""
    narrow = dtype_of(name)
    wide = float32 if narrow.is_float else int64
    x, y = Buffer("X", consts(2, 17), wide), Buffer("Y", consts(2, 17), narrow)
    body = loop(j, 17, Store(y, (ZERO, j), cast(Load(x, (ZERO, j)), narrow), "S0"), "vector")
    check(kernel(body, x, y), random((2, 17), wide.name), random((2, 17), name))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8"])
@pytest.mark.parametrize("stride", [2, 3, 4, 7, 8, 9])
def test_small_strides_are_vectors_and_shuffles(check: Check, stride: int, dtype: str) -> None:
    kind = dtype_of(dtype)
    for size in (5, 16, 64, 77, 150):
        room = (size - 1) * stride + 1
        x, y = Buffer("X", consts(room), kind), Buffer("Y", consts(size), kind)
        body = loop(i, size, Store(y, (i,), Load(x, (i * stride,)), "S0"), "vector")
        module = check(kernel(body, x, y), random((room,), dtype), np.zeros(size, kind.numpy))
        assert bool(module.meta["notes"]) != ("gather" in module.text)
        assert ("gather" in module.text) == (stride == 9 or (dtype == "float64" and stride == 8)) or size == 5


def test_strided_tail_of_a_temporary(check: Check) -> None:
    x, y, t = Buffer("X", (n,), float32), Buffer("Y", (m,), float32), Buffer("t", (n,), float32, "local")
    i2 = Var("i2")
    first = loop(i, n, Store(t, (i,), Load(x, (i,)) + 1.0, "S0"), "vector")
    second = loop(i2, m, Store(y, (i2,), Load(t, (i2 * 2,)) + Load(t, (i2 * 2 + 1,)), "S1"), "vector")
    made = kernel(Alloc(t, block(first, second)), x, y, n, m)
    for size in (1, 8, 29, 100):
        check(made, random((2 * size,)), np.zeros(size, np.float32), 2 * size, size)


@pytest.mark.parametrize("size", [3, 37, 114])
@pytest.mark.parametrize("is_symbolic", [False, True])
def test_loops_are_cut_where_conditions_change(check: Check, size: int, is_symbolic: bool) -> None:
    extent: Expr = n if is_symbolic else Const(size)
    x, y = Buffer("X", (extent,), float32), Buffer("Y", (extent + 5,), float32)
    inside = (i >= 2) & (i < extent + 2)
    edges = select(binary("le", i, 1), 3.0, select(binary("gt", 4 - i, 5 - extent - 4), 4.0, 5.0))
    body = loop(i, extent + 5, Store(y, (i,), select(inside, Load(x, (i - 2,)), edges), "S0"), "vector")
    sizes = (size,) if is_symbolic else ()
    made = kernel(body, x, y, n) if is_symbolic else kernel(body, x, y)
    module = check(made, random((size,)), np.zeros(size + 5, np.float32), *sizes)
    cut = "S0: i cut at" in " ".join(module.meta["notes"])
    assert cut or size < 114
    assert size < 114 or is_symbolic or re.search(r"= load <\d+ x float>", module.text)


def test_cut_loops_still_reduce(check: Check) -> None:
    x, y = Buffer("X", (n, m), float32), Buffer("Y", (n,), float32)
    term = select(j < 40, Load(x, (i, j)), select(j >= m - 3, Const(-1.0, float32), Const(2.0, float32)))
    body = loop(i, n, loop(j, m, _update("sum", y, (i,), term), "vector"))
    for size in (1, 39, 42, 100):
        check(kernel(body, x, y, n, m), random((3, size)), random((3,), seed=1), 3, size, rtol=2e-5)


def test_short_loops_are_straight_code(check: Check) -> None:
    x, out = Buffer("X", (n + 2, m), float32), Buffer("Y", (n,), float32)
    total = Buffer("t", (), float32, "local")
    body = loop(i, n, Alloc(total, block(
        Store(total, (), Const(0.0, float32), "S0"),
        loop(k, 3, loop(j, 3, _update("sum", total, (), Load(x, (i + k, j))))),
        Store(out, (i,), Load(total, ()), "S1"),
    )))  # fmt: skip
    made = kernel(body, x, out, n, m)
    y = np.zeros(10, np.float32)
    check(made, random((12, 3)), y, 10, 3, rtol=tolerance(float32, 9))


def test_half_a_vector_at_the_end_needs_no_mask(check: Check) -> None:
    a, b = Buffer("A", consts(3, 40), float32), Buffer("B", consts(3, 40), float32)
    body = loop(i, 3, loop(j, 40, Store(b, (i, j), Load(a, (i, j)) * 2.0, "S"), "vector"))
    text = emit(kernel(body, a, b), replace(resolve_target("x86-64-v4"), cores=1)).text
    assert "<16 x float>" in text
    assert "<8 x float>" in text
    assert "masked" not in text
    check(kernel(body, a, b), random((3, 40)), random((3, 40)))
