"""Exponentials below maxima."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import dtype_of, float32, tolerance
from akg.base.target import resolve_target
from akg.codegen.math import NATIVE, expand
from akg.driver import pipeline
from akg.ir.expr import Call, Var
from akg.ir.interp import interpret
from akg.ir.lower import lower_te
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import Store, expressions, walk
from akg.poly.strategy import resolve_strategy
from tests.codegen.expr_eval import evaluate

Define = Callable[[Any], Any]
SHAPE = (80, 50)


def shifted(x: Any) -> Any:
    """Exponentials that are wanted themselves: a NaN must reach the whole row."""
    return ops.exp(ops.subtract(x, ops.max(x, axis=-1, keepdims=True)))


def below_another(x: Any) -> Any:
    """The maximum is not that of what is shifted."""
    return ops.exp(ops.subtract(ops.multiply(x, 2.0), ops.max(x, axis=-1, keepdims=True)))


def marked(define: Define) -> tuple[bool, bool]:
    """Whether some exponential is known to be below a maximum, and whether the maximum need not care for NaN."""
    x = te.placeholder(SHAPE, "float32", name="x")
    kernel = lower_te([define(x)], [x])
    state = pipeline.start(kernel, resolve_strategy("auto"), resolve_target("cpu"))
    pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert state.result is not None
    stores = [s for s in walk(state.result.body) if isinstance(s, Store)]
    calls = {n.fn for s in stores for e in expressions(s) for n in walk_expr(e) if isinstance(n, Call)}
    return "exp_below" in calls, any(s.reduction == "top" for s in stores)


@pytest.mark.parametrize(("define", "want"), [
    (ops.softmax, (True, True)),
    (ops.softmin, (True, True)),
    (lambda x: ops.softmax(x, axis=0), None),
    (ops.log_softmax, (True, False)),
    (lambda x: ops.logsumexp(x, axis=-1), (False, False)),  # it keeps to 0 where the maximum is infinite
    (shifted, (True, False)),
    (below_another, (False, False)),
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_by_structure(define: Define, want: tuple[bool, bool] | None, dtype: str) -> None:
    if want is not None:
        assert marked(define) == want
    x = te.placeholder(SHAPE, dtype, name="x")
    kernel = akg.build([define(x)], inputs=[x])
    values = np.random.default_rng(3).uniform(-9, 9, SHAPE)
    values[3] *= 10
    values[5, 7] = np.nan
    values[6, 49] = -np.nan
    values[7, 4] = np.inf
    values[8, 4] = -np.inf
    values[9] = -np.inf
    values[10] = 6e4 if dtype == "float16" else 1e30
    values[10, 3:9] *= -1
    values[11, 2] = -65504 if dtype == "float16" else np.finfo(np.float32).min
    array = values.astype(dtype)
    got = kernel(array)
    wide = te.placeholder(SHAPE, "float64", name="x")
    exact = np.zeros(got.shape)
    interpret(lower_te([define(wide)], [wide]), array.astype(np.float64), exact)
    bound = tolerance(dtype_of(dtype), SHAPE[-1])
    with np.errstate(over="ignore"):
        exact = exact.astype(dtype)
    np.testing.assert_allclose(got, exact, rtol=20 * bound, atol=bound)


def test_error_of_exponentials_below() -> None:
    """What is lost beside two bits is little more than what the rounding of the difference itself loses."""
    x = Var("x", float32)
    edges = [0.0, 104.0, 1e6, 1e30, 3.4e38, np.inf, np.nan]
    points = -np.concatenate([np.linspace(0, 87, 100_001), edges]).astype(np.float32).astype(np.float64)
    for native in (NATIVE, frozenset[str]()):
        got = evaluate(expand(Call("exp_below", (x,), float32), native), {x: points.astype(np.float32)})
        want = np.exp(points)
        allowed = want * (1.5e-7 + 8e-8 * np.minimum(-points, 200)) + 1.5e-45
        assert np.all((np.abs(got - want) <= allowed)[:-1]) and np.isnan(got[-1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("large", [1.0, 0.6, 0.5, 1e-3, 1e-30])
def test_rows_at_the_ends_of_the_range(dtype: str, large: float) -> None:
    """Large elements of both signs, alone and beside small ones."""
    top = float(np.finfo(dtype).max) * large
    values = np.zeros((6, 50), dtype)
    values[0], values[1] = top, -top
    values[2, ::7], values[3, ::7] = top, -top
    values[4, ::2], values[4, 1::2] = top, -top
    values[5, ::3], values[5, 1::3] = top, -np.inf
    x = te.placeholder(values.shape, dtype, name="x")
    got = akg.build([ops.softmax(x)], inputs=[x])(values)
    with np.errstate(over="ignore"):
        powers = np.exp(values - values.max(axis=1, keepdims=True))
    np.testing.assert_allclose(got, powers / powers.sum(axis=1, keepdims=True), rtol=1e-5, atol=0)
