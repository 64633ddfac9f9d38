"""Blocks of two vector loops that are turned in registers, against the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import akg
from akg import te
from akg.base.dtype import dtype_of, float32
from akg.base.target import Target, resolve_target
from akg.codegen.backend import Module
from akg.codegen.llvm.backend import emit
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Load, Var, cast, select
from akg.ir.stmt import For, Kernel, Param, Stmt, Store

Check = Callable[..., Module]
i, j, n, m = (Var(name) for name in "ijnm")
DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]


def nest(body: Stmt, rows: Expr, columns: Expr) -> For:
    """Lanes along j, the contiguous dimension of what is stored; blocks with i."""
    return For(i, Const(0), rows, For(j, Const(0), columns, body, "vector"), "vector")


def kernel(body: Stmt, *params: Buffer | Var) -> Kernel:
    return Kernel("f", tuple([Param(p, "inout" if isinstance(p, Buffer) else "size") for p in params]), body)


def transpose(dtype: str, rows: Expr, columns: Expr) -> tuple[For, Buffer, Buffer]:
    kind = dtype_of(dtype)
    x, y = Buffer("X", (columns, rows), kind), Buffer("Y", (rows, columns), kind)
    return nest(Store(y, (i, j), Load(x, (j, i)), "S"), rows, columns), x, y


def values(shape: tuple[int, ...], dtype: str, offset: int = 0) -> NDArray[Any]:
    """Distinct neighbours; the first element lies `offset` elements behind an aligned address."""
    kind = dtype_of(dtype).numpy
    size = int(np.prod(shape))
    room = np.zeros(size + offset + 64, np.dtype(kind))
    start = (-room.ctypes.data % 64) // room.itemsize + offset
    array = room[start : start + size].reshape(shape)
    numbers = np.arange(size) % (2 if dtype == "bool" else 101)
    array[...] = numbers.reshape(shape).astype(kind)
    return array


SIZES = [(dtype, 70, 131) for dtype in DTYPES] + [
    ("float32", *size) for size in ((64, 64), (128, 192), (37, 45), (5, 90), (90, 5), (2, 16), (13, 13), (4, 7))
]


@pytest.mark.parametrize(("dtype", "rows", "columns"), SIZES)
def test_constant_sizes(check: Check, dtype: str, rows: int, columns: int) -> None:
    body, x, y = transpose(dtype, Const(rows), Const(columns))
    check(kernel(body, x, y), values((columns, rows), dtype, 3), values((rows, columns), dtype, 1))


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_symbolic_sizes(check: Check, dtype: str) -> None:
    body, x, y = transpose(dtype, n, m)
    made = kernel(body, x, y, n, m)
    for rows, columns in ((1, 1), (16, 64), (33, 17), (150, 131), (0, 40), (40, 0)):
        check(made, values((columns, rows), dtype), values((rows, columns), dtype), rows, columns)


@pytest.mark.parametrize(("dtype", "rows", "columns", "from_", "to"), [
    ("float64", 192, 256, 1, 0), ("float32", 192, 256, 0, 0), ("float32", 192, 256, 7, 3), ("float16", 192, 256, 0, 5),
    ("int8", 97, 576, 2, 1), ("int8", 64, 587, 0, 0), ("float16", 65, 267, 1, 2), ("float32", 33, 413, 3, 5),
    ("float64", 24, 77, 0, 3), ("bfloat16", 40, 1000, 0, 0), ("float32", 16, 112, 0, 0), ("float32", 17, 111, 0, 0),
])  # fmt: skip
def test_around_the_caches(
    check: Check, host: Target, dtype: str, rows: int, columns: int, from_: int, to: int
) -> None:
    if host.arch != "x86_64":
        pytest.skip("only x86-64 has stores around the caches here")
    body, x, y = transpose(dtype, Const(rows), Const(columns))
    made = Kernel("f", (Param(x, "in"), Param(y, "out")), body)
    small = replace(host, l3_bytes=1 << 10)
    arrays = values((columns, rows), dtype, from_), values((rows, columns), dtype, to)
    module = check(made, *arrays, target=small)
    assert ("!nontemporal" in module.text) == (columns != 111)  # rows of a few lines


def test_long_rows_in_chunks(check: Check) -> None:
    body, x, y = transpose("float32", Const(1100), Const(40))
    check(kernel(body, x, y), values((40, 1100), "float32"), values((1100, 40), "float32"))


def test_elementwise_around_it(check: Check) -> None:
    x, y, z, b = (Buffer(name, shape, float32) for name, shape in (
        ("X", (m, n)), ("Y", (n, m)), ("Z", (n, m)), ("B", (n,))))  # fmt: skip
    value = Load(x, (j, i)) * 2.0 + Load(z, (i, j)) * Load(b, (i,)) - Load(x, (j, i)) * Load(x, (j, i))
    made = kernel(nest(Store(y, (i, j), value, "S"), n, m), x, y, z, b, n, m)
    for rows, columns in ((32, 64), (19, 83)):
        arrays = [values(s, "float32") for s in ((columns, rows), (rows, columns), (rows, columns), (rows,))]
        check(made, *arrays, rows, columns)


def test_two_types(check: Check) -> None:
    x, y = Buffer("X", (m, n), dtype_of("int8")), Buffer("Y", (n, m), float32)
    value = cast(Load(x, (j, i)), float32) * 0.5
    made = kernel(nest(Store(y, (i, j), value, "S"), n, m), x, y, n, m)
    check(made, values((70, 50), "int8"), values((50, 70), "float32"), 50, 70)


def test_guarded_elements_are_not_read_ahead(check: Check) -> None:
    x, y = Buffer("X", (n, n), float32), Buffer("Y", (n, n), float32)
    inside = (j >= 1) & (i >= 1)
    far = Const(1 << 40)
    value = select(inside, Load(x, (j - 1, i - 1)), select(j >= 0, 7.0, Load(x, (j + far, i))))
    made = kernel(nest(Store(y, (i, j), value, "S"), n, n), x, y, n)
    check(made, values((50, 50), "float32"), values((50, 50), "float32"), 50)


def test_updates_in_place(check: Check) -> None:
    a, b = Buffer("A", (n, n), float32), Buffer("B", (n, n), float32)
    value = Binary("add", Load(a, (i, j)), Load(b, (j, i)))
    made = kernel(nest(Store(a, (i, j), value, "S"), n, n), a, b, n)
    check(made, values((45, 45), "float32"), values((45, 45), "float32"), 45)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "float16"])
def test_no_gathers(host: Target, dtype: str) -> None:
    body, x, y = transpose(dtype, Const(256), Const(256))
    assert "gather" not in emit(kernel(body, x, y), host).text


@pytest.mark.parametrize("target", ["x86-64-v3", "x86-64-v4", "aarch64-neon", "riscv64-v"])
def test_other_targets(target: str) -> None:
    X = te.placeholder((100, 260), "float32", name="X")
    Y = te.compute((260, 100), lambda i, j: X[j, i] * 2.0, name="Y")
    kernel = akg.build([Y], inputs=[X], target=target)
    assert "shufflevector" in kernel.source("llvm")
    assert len(kernel.source("asm")) > 1000


@pytest.mark.parametrize("layout", [(0, 2, 1), (2, 0, 1), (0, 2, 3, 1), (0, 3, 1, 2), (1, 0)])
def test_layouts_of_tensor_expressions(layout: tuple[int, ...]) -> None:
    shape = (3, 35, 18, 40)[: len(layout)] if len(layout) > 2 else (70, 45)
    back = [layout.index(k) for k in range(len(layout))]
    X = te.placeholder(shape, "float32", name="X")
    Y = te.compute(tuple([shape[k] for k in layout]), lambda *at: X[tuple([at[k] for k in back])] + 1.0, name="Y")
    kernel = akg.build([Y], inputs=[X], target=resolve_target("cpu"))
    x = values(shape, "float32")
    np.testing.assert_array_equal(kernel(x), x.transpose(layout) + np.float32(1.0))


def test_explained() -> None:
    X = te.placeholder((100, 260), "float32", name="X")
    kernel = akg.build([te.compute((260, 100), lambda i, j: X[j, i], name="Y")], inputs=[X])
    text = str(kernel.report)
    assert "blocks of i and j: an access is contiguous along the former" in text and "X turned in registers" in text


@pytest.mark.parametrize(("dtype", "count"), [("bfloat16", 2), ("int8", 4), ("int8", 2), ("int16", 4)])
@pytest.mark.parametrize(("rows", "columns"), [(32, 64), (37, 45), (5, 90)])
def test_runs_move_as_one_element(check: Check, dtype: str, count: int, rows: int, columns: int) -> None:
    for odd in (0, 1):  # an element more in a row: a run of the next row starts between two units
        x = Buffer("X", (Const(columns), Const(rows * count + odd)), dtype_of(dtype))
        y = Buffer("Y", (Const(rows), Const(columns), Const(count)), dtype_of(dtype))
        run = For(n, Const(0), Const(count), Store(y, (i, j, n), Load(x, (j, i * count + n)), "S"), "unroll")
        body = nest(run, Const(rows), Const(columns))
        given = values((columns, rows * count + odd), dtype), values((rows, columns, count), dtype)
        module = check(kernel(body, x, y), *given)
        assert odd or any("turned in registers" in note for note in module.meta["notes"])
