"""Tiles whose lanes run across the rows of an output, against the interpreter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from akg.base.dtype import dtype_of
from akg.codegen.backend import Module
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var
from akg.ir.stmt import For, Kernel, Param, Stmt, Store, block

Check = Callable[..., Module]
t, x, f = Var("t"), Var("x"), Var("f")


def tile(rows: int, width: int, *stores: Store) -> Stmt:
    """Three tiles of rows along the outputs, lanes across."""
    lanes = For(f, Const(0), Const(width), block(*stores), "vector")
    return For(t, Const(0), Const(3 * rows), For(x, Const(0), Const(rows), lanes, "unroll"), "serial", rows)


def kernel(body: Stmt, *params: Buffer) -> Kernel:
    return Kernel("f", tuple([Param(p, "inout") for p in params]), body)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int8"])
@pytest.mark.parametrize(("rows", "width"), [(14, 32), (7, 16), (20, 17), (2, 3), (16, 40)])
def test_stores_and_operands_are_turned(check: Check, dtype: str, rows: int, width: int) -> None:
    kind = dtype_of(dtype)
    a = Buffer("A", (Const(3 * rows), Const(width)), kind)
    bias = Buffer("B", (Const(width),), kind)
    rest, out = [Buffer(name, (Const(width), Const(3 * rows)), kind) for name in ("R", "Y")]
    value: Expr = Load(a, (t + x, f)) + Load(bias, (f,)) + Load(rest, (f, t + x))
    rng = np.random.default_rng(5)
    arrays = [rng.integers(-9, 9, [int(s) for s in b.shape]).astype(kind.numpy) for b in (a, bias, rest, out)]
    module = check(kernel(tile(rows, width, Store(out, (f, t + x), value, "S")), a, bias, rest, out), *arrays)
    assert "S: Y turned in registers" in str(module.meta["notes"])


def test_an_update_in_place(check: Check) -> None:
    kind = dtype_of("float32")
    a, out = Buffer("A", (Const(42), Const(33)), kind), Buffer("Y", (Const(33), Const(42)), kind)
    store = Store(out, (f, t + x), Load(out, (f, t + x)) + Load(a, (t + x, f)), "S")
    rng = np.random.default_rng(6)
    arrays = [rng.standard_normal([int(s) for s in b.shape], dtype=np.float32) for b in (a, out)]
    assert "turned" in str(check(kernel(tile(14, 33, store), a, out), *arrays).meta["notes"])


def test_rows_that_see_what_others_write_stay_apart(check: Check) -> None:
    kind = dtype_of("float32")
    out = Buffer("Y", (Const(16), Const(13)), kind)
    store = Store(out, (f, t + x + 1), Load(out, (f, t + x)) + 1.0, "S")
    data = np.random.default_rng(7).standard_normal((16, 13), dtype=np.float32)
    assert "turned" not in str(check(kernel(tile(4, 16, store), out), data).meta.get("notes", ()))
