"""Reductions, scans along an axis, and positions of extremes."""

from __future__ import annotations

import math

import numpy as np

from akg.base.dtype import bool_, int64
from akg.frontends.onnx.context import Call, shape_of
from akg.frontends.onnx.table import converts
from akg.ir.graph import Value

_REDUCTIONS = {
    "ReduceSum": "sum", "ReduceMean": "mean", "ReduceMax": "max", "ReduceMin": "min", "ReduceProd": "prod",
    "ReduceL1": "sum", "ReduceL2": "sum_of_squares", "ReduceSumSquare": "sum_of_squares", "ReduceLogSum": "sum",
    "ReduceLogSumExp": "logsumexp",
}  # fmt: skip
# What a reduction over no elements gives.
_EMPTY = {"max": -math.inf, "min": math.inf, "logsumexp": -math.inf}


@converts(*_REDUCTIONS, static=(1,))
def reduction(call: Call) -> Value:
    """A reduction over some axes, or over all of them."""
    x, name = call.value(0), call.name
    axes = call.axes(1)
    keepdims = bool(call.attribute("keepdims", 1))
    if not axes:
        if call.attribute("noop_with_empty_axes", 0):
            return _alone(call, x)
        axes = tuple(range(len(x.shape)))
    if x.dtype is bool_ and name in ("ReduceMax", "ReduceMin"):
        return call.apply("any" if name == "ReduceMax" else "all", x, axis=axes, keepdims=keepdims)
    op = _REDUCTIONS[name]
    if op in _EMPTY and any(shape_of(x)[a] == 0 for a in axes):
        return _of_nothing(call, x, axes, keepdims, op)
    if name == "ReduceL1":
        x = call.apply("abs", x)
    narrow = {"dtype": x.dtype} if op in ("sum", "prod") else {}
    result = call.apply(op, x, axis=axes, keepdims=keepdims, **narrow)
    if name == "ReduceL2":
        result = call.apply("sqrt", result)
    elif name == "ReduceLogSum":
        result = call.apply("log", result)
    return call.cast(result, x.dtype)


def _alone(call: Call, x: Value) -> Value:
    """What a reduction over no axes does to each element."""
    ops = {"ReduceL1": ["abs"], "ReduceL2": ["abs"], "ReduceSumSquare": ["square"], "ReduceLogSum": ["log"]}
    for op in ops.get(call.name, []):
        x = call.apply(op, x)
    return x


def _of_nothing(call: Call, x: Value, axes: tuple[int, ...], keepdims: bool, op: str) -> Value:
    rank = len(x.shape)
    gone = {a % rank for a in axes}
    shape = [1 if d in gone else n for d, n in enumerate(shape_of(x)) if keepdims or d not in gone]
    kind = x.dtype.numpy
    if x.dtype.is_float:
        fill = _EMPTY[op]
    else:
        limits = np.iinfo(kind)
        fill = limits.min if op == "max" else limits.max
    return call.builder.constant(np.full(shape, fill, kind))


@converts("ArgMax", "ArgMin")
def arg_extreme(call: Call) -> Value:
    """The position of the extreme along an axis: the first of equals, or the last."""
    x = call.value(0)
    axis = call.attribute("axis", 0) % len(x.shape)
    last = bool(call.attribute("select_last_index", 0))
    op = call.name.lower()
    found = call.apply(op, call.apply("flip", x, axis) if last else x, axis=axis,
                       keepdims=bool(call.attribute("keepdims", 1)))  # fmt: skip
    if last:
        found = call.apply("subtract", shape_of(x)[axis] - 1, found)
    return call.cast(found, int64)


@converts("CumSum", "CumProd", static=(1,))
def cumulative(call: Call) -> Value:
    """Prefix sums and products, exclusive or reversed."""
    x = call.value(0)
    axes = call.integers(1) or (0,)
    op = "cumsum" if call.name == "CumSum" else "cumprod"
    return call.apply(op, x, axes[0] % len(x.shape), dtype=x.dtype, exclusive=bool(call.attribute("exclusive", 0)),
                      reverse=bool(call.attribute("reverse", 0)))  # fmt: skip


@converts("Hardmax")
def hardmax(call: Call) -> Value:
    """1 at the first of the largest elements, 0 elsewhere."""
    x = call.value(0)
    if call.version < 13:
        return flattened(call, x, call.attribute("axis", 1), lambda y: _one_at_largest(call, y, 1))
    return _one_at_largest(call, x, call.attribute("axis", -1) % len(x.shape))


def _one_at_largest(call: Call, x: Value, axis: int) -> Value:
    where = call.apply("argmax", x, axis=axis)
    return call.apply("one_hot", where, shape_of(x)[axis], axis=axis, dtype=x.dtype)


@converts("Softmax", "LogSoftmax")
def softmax(call: Call) -> Value:
    """Softmax along an axis; before version 13, over all axes from one on."""
    x, op = call.value(0), "softmax" if call.name == "Softmax" else "log_softmax"
    if call.version < 13:
        return flattened(call, x, call.attribute("axis", 1), lambda y: call.apply(op, y, axis=1))
    return call.apply(op, x, axis=call.attribute("axis", -1))


def flattened(call: Call, x: Value, axis: int, function: object) -> Value:
    """A function of a matrix, applied to a tensor whose axes before and from `axis` on are joined."""
    assert callable(function)
    shape = shape_of(x)
    axis = axis % len(shape) if axis < 0 else axis
    rows = math.prod(shape[:axis])
    result = function(call.apply("reshape", x, (rows, math.prod(shape[axis:]))))
    assert isinstance(result, Value)
    return call.apply("reshape", result, shape)


@converts("LpNormalization")
def lp_normalization(call: Call) -> Value:
    """Divided by the norm along an axis; 0 where that is 0."""
    x = call.value(0)
    axis, order = call.attribute("axis", -1), call.attribute("p", 2)
    if order == 2:
        norm = call.apply("sqrt", call.apply("sum_of_squares", x, axis=axis, keepdims=True))
    else:
        norm = call.apply("sum", call.apply("abs", x), axis=axis, keepdims=True)
    zero = call.apply("equal", norm, 0)
    safe = call.apply("where", zero, call.scalar(1, x.dtype), norm)
    return call.cast(call.apply("divide", x, safe), x.dtype)
