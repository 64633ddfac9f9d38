"""Legalized kernels compute what they computed before, without 16-bit arithmetic, bool arrays or functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.base.dtype import bool_, dtype_of, float32, tolerance, uint8
from akg.codegen.gates import gate_products
from akg.codegen.legalize import NARROW, PRIMITIVE, legalize
from akg.codegen.math import NATIVE
from akg.ir.buffer import Buffer
from akg.ir.expr import Call, Cast, Const, Expr, Load, Var, call, cast, select
from akg.ir.interp import interpret
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import For, Kernel, Param, Prefetch, Store, expressions, walk

i = Var("i")


def _kernel(value: Expr, *buffers: Buffer) -> Kernel:
    body = For(i, Const(0), Const(64), Store(buffers[-1], (i,), value, "S0"))
    return Kernel("f", tuple(Param(b, "inout") for b in buffers), body)


def _nodes(kernel: Kernel) -> set[Expr]:
    return {n for s in walk(kernel.body) for e in expressions(s) for n in walk_expr(e)}


def _run(kernel: Kernel, *arrays: Any) -> Any:
    copies = [a.copy() for a in arrays]
    interpret(kernel, *copies)
    return copies[-1].astype(np.float64)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_floats_are_storage(dtype: str) -> None:
    kind = dtype_of(dtype)
    x, y = Buffer("X", (Const(64),), kind), Buffer("Y", (Const(64),), kind)
    a = Load(x, (i,))
    value = select(a > 0.1, cast(cast(a * 3.0 + 0.1, kind), float32) - 1.0, cast(abs(a) * a, float32))
    kernel = _kernel(cast(value, kind), x, y)
    lowered = legalize(kernel)
    for node in _nodes(lowered):
        assert node.dtype not in NARROW or isinstance(node, (Load, Cast))
    values = np.random.default_rng(0).standard_normal(64).astype(kind.numpy)
    target = np.zeros(64, kind.numpy)
    np.testing.assert_array_equal(_run(lowered, values, target), _run(kernel, values, target))


def test_bool_arrays_are_bytes() -> None:
    x, y = Buffer("X", (Const(64),), bool_), Buffer("Y", (Const(64),), bool_)
    lowered = legalize(_kernel(~Load(x, (i,)), x, y))
    assert [b.dtype for b in lowered.buffers] == [uint8, uint8]
    values = np.random.default_rng(0).integers(0, 2, 64).astype(np.uint8)
    target = np.zeros(64, np.uint8)
    np.testing.assert_array_equal(_run(lowered, values, target), 1 - values)


def test_prefetches_go_to_the_bytes_of_a_bool_array() -> None:
    x = Buffer("X", (Const(64),), bool_)
    kernel = Kernel("f", (Param(x, "inout"),), For(i, Const(0), Const(64), Prefetch(x, (i,))))
    lowered = legalize(kernel)
    assert [s.buffer for s in walk(lowered.body) if isinstance(s, Prefetch)] == list(lowered.buffers)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("fn", ["exp", "log", "tanh", "erf", "sigmoid", "rsqrt", "pow"])
def test_functions_become_arithmetic(fn: str, dtype: str) -> None:
    kind = dtype_of(dtype)
    x, y = Buffer("X", (Const(64),), kind), Buffer("Y", (Const(64),), kind)
    a = Load(x, (i,))
    kernel = _kernel(call(fn, a, 2.5) if fn == "pow" else call(fn, a), x, y)
    lowered = legalize(kernel)
    assert all(n.fn in PRIMITIVE for n in _nodes(lowered) if isinstance(n, Call))
    values = np.abs(np.random.default_rng(0).standard_normal(64)).astype(kind.numpy) + kind.numpy.type(0.1)
    target = np.zeros(64, kind.numpy)
    expected, actual = _run(kernel, values, target), _run(lowered, values, target)
    np.testing.assert_allclose(actual, expected, rtol=tolerance(kind))


def test_a_plain_kernel_stays_itself() -> None:
    x, y = Buffer("X", (Const(64),), float32), Buffer("Y", (Const(64),), float32)
    kernel = _kernel(Load(x, (i,)) + 1.0, x, y)
    assert legalize(kernel).body is kernel.body


def test_exact_values_are_not_rounded_again() -> None:
    """0 and 1, minima, and products with 0 or 1 have 16 bits already; sums do not."""
    x, y = (te.placeholder((8,), "float16", name=name) for name in "xy")
    exact = te.compute((8,), lambda i: te.maximum(te.cast(x[i] > y[i], "float16") * x[i], -y[i]) + x[i], name="z")
    kernel = legalize(akg.lower([exact], inputs=[x, y]).kernel)
    assert sum(isinstance(n, Cast) and n.dtype in NARROW for n in _nodes(kernel)) == 1
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=8).astype("float16") for _ in "xy")
    got = akg.build([exact], inputs=[x, y])(a, b)
    assert np.array_equal(got, np.maximum((a > b).astype("float16") * a, -b) + a)


@pytest.mark.parametrize(("users", "is_gated"), [(1, True), (2, False)])
def test_a_product_with_the_logistic_function_is_a_division(users: int, is_gated: bool) -> None:
    """Unless the function is needed for something else, too; where the exponential overflows, the product is 0."""
    x, y = Buffer("X", (Const(64),), float32), Buffer("Y", (Const(64),), float32)
    gate = call("sigmoid", Load(x, (i,)))
    kernel = _kernel(Load(x, (i,)) * gate + (gate if users > 1 else 0.0), x, y)
    assert any(isinstance(n, Call) and n.fn == "gated" for n in _nodes(gate_products(kernel))) == is_gated
    values = np.linspace(-20, 20, 64, dtype=np.float32)
    values[:4] = -100, -np.float32(3e38), np.inf, 100
    target = np.zeros(64, np.float32)
    expected, actual = _run(kernel, values, target), _run(legalize(kernel, NATIVE), values, target)
    np.testing.assert_allclose(actual, expected, rtol=tolerance(float32), atol=1e-37)
