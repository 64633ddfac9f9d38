"""Running values in vectors, against the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import dtype_of, float32, tolerance
from akg.codegen.backend import Module
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Load, Var, select
from akg.ir.stmt import Alloc, For, Kernel, Param, Store, block
from tests.helpers import assert_close

Check = Callable[..., Module]
i, n = Var("i"), Var("n")


def running(op: str, dtype: str, extent: Expr, stride: int = 1) -> Kernel:
    """``s = op(s, X[i]); Y[i * stride] = s`` from the first element on; then ``Z[] = s``."""
    kind = dtype_of(dtype)
    x, y, z = (Buffer(name, shape, kind) for name, shape in (("X", (extent,)), ("Y", (extent * stride,)), ("Z", ())))
    s = Buffer("s", (), kind, "local")
    body = block(
        Store(s, (), Binary(op, Load(s, ()), Load(x, (i,))), "S1"),
        Store(y, (i * stride,), Load(s, ()), "S2"),
    )
    loop = For(i, Const(1), extent, body)
    start = Store(s, (), Load(x, (Const(0),)), "S0")
    params = [Param(b, "inout") for b in (x, y, z)]
    if extent is n:
        params.append(Param(n, "size"))
    return Kernel("f", tuple(params), Alloc(s, block(start, loop, Store(z, (), Load(s, ()), "S3"))))


def values(size: int, dtype: str) -> Any:
    rng = np.random.default_rng(size)
    if dtype_of(dtype).is_float:
        return rng.uniform(0.9, 1.1, size).astype(dtype)
    return rng.integers(-3, 4, size).astype(dtype)


def rtol(dtype: str, size: int) -> float:
    kind = dtype_of(dtype)
    return tolerance(kind, size) if kind.is_float else 0.0


@pytest.mark.parametrize("op", ["add", "mul", "min", "max"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32"])
def test_operations(check: Check, op: str, dtype: str) -> None:
    for size in (40, 101):
        given = values(size, dtype), np.zeros(size, dtype), np.zeros((), dtype)
        module = check(running(op, dtype, Const(size)), *given, rtol=rtol(dtype, size))
        assert "running values along i" in module.meta["notes"][0]
    for size in (1, 2, 17, 70):
        given = values(size, dtype), np.zeros(size, dtype), np.zeros((), dtype)
        check(running(op, dtype, n), *given, size, rtol=rtol(dtype, size))


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("op", ["add", "min", "max"])
def test_special_values(check: Check, op: str, special: float) -> None:
    for place in (0, 1, 20, 49):
        x = values(50, "float32")
        x[place] = special
        check(running(op, "float32", Const(50)), x, np.zeros(50, np.float32), np.zeros((), np.float32),
              rtol=tolerance(float32, 50))  # fmt: skip


def test_signed_zeros(check: Check) -> None:
    y = np.ones(40, np.float32)
    check(running("add", "float32", Const(40)), np.full(40, -0.0, np.float32), y, np.zeros((), np.float32))
    assert np.signbit(y[1:]).all()


def test_elements_apart(check: Check) -> None:
    made = running("add", "float32", Const(60), stride=2)
    check(made, values(60, "float32"), np.zeros(120, np.float32), np.zeros((), np.float32), rtol=tolerance(float32, 60))


def test_dependent_loops_stay_in_order(check: Check) -> None:
    x, y, s = Buffer("X", (n,), float32), Buffer("Y", (n,), float32), Buffer("s", (), float32, "local")
    in_place = block(
        Store(s, (), Binary("add", Load(s, ()), Load(x, (i,))), "S1"),
        Store(x, (select(i + 1 < n, i + 1, i),), Load(s, ()), "S2"),
    )
    zero = Store(s, (), Const(0.0, float32), "S0")
    params = (Param(x, "inout"), Param(y, "inout"), Param(n, "size"))
    made = Kernel("f", params, Alloc(s, block(zero, For(i, Const(0), n, in_place))))
    module = check(made, values(50, "float32") * 0.1, np.zeros(50, np.float32), 50, rtol=tolerance(float32, 50))
    assert not module.meta["notes"]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
def test_cumulative_sums(axis: int, dtype: str) -> None:
    X = te.placeholder((37, 129), dtype, name="X")
    kernel = akg.build([ops.cumulative_sum(X, axis=axis)], inputs=[X])
    x = np.random.default_rng(0).integers(-3, 4, (37, 129)).astype(dtype)
    got = kernel(x)
    assert_close(got, np.cumsum(x.astype(np.float64), axis).astype(got.dtype), got.dtype, 129)
