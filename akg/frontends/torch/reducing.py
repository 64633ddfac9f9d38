"""Reductions, softmax and normalisations of ATen."""

from __future__ import annotations

import math
from typing import Any

from akg.base.dtype import DType, bool_, float32, float64, int64
from akg.frontends.torch.context import Call, bound, dtype_or_refusal, shape_of
from akg.frontends.torch.symbols import sizes_of
from akg.frontends.torch.table import converts, unsupported
from akg.ir.graph import Value


def _axes(call: Call, x: Value, given: Any) -> tuple[int, ...]:
    rank = len(x.shape)
    if given is None or given == []:
        return tuple(range(rank))
    return tuple(d % max(rank, 1) for d in (given if isinstance(given, (list, tuple)) else [given]))


@converts("sum.dim_IntList", "sum.default", "mean.dim", "mean.default", "prod.default", "prod.dim_int")
def total(call: Call) -> Value:
    """Sums, means and products."""
    found, x = bound(call), call.cast(call.value(0), call.dtype)
    if not x.shape:
        return call.apply("positive", x)
    return call.apply(call.name.split(".")[0], x, axis=_axes(call, x, found.get("dim")),
                      keepdims=bool(found.get("keepdim")), dtype=call.dtype)  # fmt: skip


@converts("amax.default", "amin.default", "max.default", "min.default")
def extreme(call: Call) -> Value:
    """Largest and smallest elements."""
    found, x = bound(call), call.value(0)
    if not x.shape:
        return call.apply("positive", x)
    return call.apply("max" if "max" in call.name else "min", x, axis=_axes(call, x, found.get("dim")),
                      keepdims=bool(found.get("keepdim")))  # fmt: skip


@converts("any.default", "any.dim", "any.dims", "all.default", "all.dim", "all.dims")
def truth(call: Call) -> Value:
    """Whether any element is true, or all are."""
    found, x = bound(call), call.cast(call.value(0), bool_)
    return call.apply(call.name.split(".")[0], x, axis=_axes(call, x, found.get("dim")),
                      keepdims=bool(found.get("keepdim")))  # fmt: skip


@converts("argmax.default", "argmin.default")
def arg_extreme(call: Call) -> Value:
    """The position of the first extreme."""
    found, x = bound(call), call.value(0)
    if found["dim"] is None:
        flat = call.apply("reshape", x, (math.prod(shape_of(x)),))
        at = call.apply(call.name.split(".")[0], flat, axis=0)
    else:
        at = call.apply(call.name.split(".")[0], x, axis=found["dim"] % len(x.shape), keepdims=found["keepdim"])
    return call.cast(call.apply("reshape", at, call.shape), int64)


@converts("var.correction", "var_mean.correction")
def variance(call: Call) -> Any:
    """Variances, with means where they are asked for."""
    found, x = bound(call), call.value(0)
    axes, keep = _axes(call, x, found["dim"]), bool(found["keepdim"])
    correction = 1 if found["correction"] is None else found["correction"]
    result = call.apply("var", x, axis=axes, correction=float(correction), keepdims=keep)
    if call.name.startswith("var."):
        return result
    return result, call.apply("mean", x, axis=axes, keepdims=keep)


@converts("cumsum.default", "cumprod.default")
def cumulative(call: Call) -> Value:
    """Running sums and products."""
    x = call.cast(call.value(0), call.dtype)
    return call.apply(call.name.split(".")[0], x, call.args[1] % max(1, len(x.shape)), dtype=call.dtype)


@converts("_softmax.default", "_log_softmax.default")
def softmax(call: Call) -> Value:
    """Softmax along an axis, or its logarithm."""
    x, kind = call.value(0), call.dtype
    op = "softmax" if call.name == "_softmax.default" else "log_softmax"
    return call.cast(call.apply(op, call.cast(x, kind), axis=call.args[1] % max(1, len(x.shape))), kind)


@converts("_softmax_backward_data.default", "_log_softmax_backward_data.default")
def softmax_backward(call: Call) -> Value:
    """The gradient of softmax, from its result."""
    grad, output, axis = call.value(0), call.value(1), call.args[2]
    wide = _wide(grad.dtype)
    g, y = call.cast(grad, wide), call.cast(output, wide)
    axis %= max(1, len(grad.shape))
    if call.name == "_softmax_backward_data.default":
        product = call.apply("multiply", g, y)
        inner = call.apply("sum", product, axis=axis, keepdims=True)
        result = call.apply("subtract", product, call.apply("multiply", y, inner))
    else:
        inner = call.apply("sum", g, axis=axis, keepdims=True)
        result = call.apply("subtract", g, call.apply("multiply", call.apply("exp", y), inner))
    return call.cast(result, call.dtype)


def _wide(kind: DType) -> DType:
    return float64 if kind is float64 else float32


@converts("native_layer_norm.default")
def layer_norm(call: Call) -> Any:
    """Normalised over the last axes; mean and inverse deviation beside."""
    found, x = bound(call), call.value(0)
    axes = tuple(range(len(x.shape) - len(found["normalized_shape"]), len(x.shape)))
    y = call.cast(x, _wide(x.dtype))
    mean = call.apply("mean", y, axis=axes, keepdims=True)
    centred = call.apply("subtract", y, mean)
    square = call.apply("mean", call.apply("square", centred), axis=axes, keepdims=True)
    inverse = call.apply("rsqrt", call.apply("add", square, found["eps"]))
    result = call.apply("multiply", centred, inverse)
    if found["weight"] is not None:
        result = call.apply("multiply", result, call.cast(found["weight"], y.dtype))
    if found["bias"] is not None:
        result = call.apply("add", result, call.cast(found["bias"], y.dtype))
    return call.cast(result, x.dtype), _as_declared(call, mean, 1), _as_declared(call, inverse, 2)


def _as_declared(call: Call, value: Value, position: int) -> Value:
    """A result in the type that torch declares for it."""
    return call.cast(value, dtype_or_refusal(call.result[position].dtype, call.name))


@converts("_native_batch_norm_legit_no_training.default")
def batch_norm(call: Call) -> Any:
    """Normalised by given statistics."""
    found = bound(call)
    x = call.value(0)
    wide = _wide(x.dtype)
    shape = (-1, *(1,) * (len(x.shape) - 2))

    def channels(name: str) -> Value | None:
        value = found[name]
        if value is None:
            return None
        return call.apply("reshape", call.cast(value, wide), (value.shape[0], *shape[1:]))

    mean, var = channels("running_mean"), channels("running_var")
    if mean is None or var is None:
        raise unsupported("batch_norm without statistics", "inference needs them")
    factor = call.apply("rsqrt", call.apply("add", var, found["eps"]))
    weight, bias = channels("weight"), channels("bias")
    if weight is not None:
        factor = call.apply("multiply", factor, weight)
    result = call.apply("multiply", call.apply("subtract", call.cast(x, wide), mean), factor)
    if bias is not None:
        result = call.apply("add", result, bias)
    rest = [call.apply("zeros", sizes_of(r.shape, call.name), dtype=dtype_or_refusal(r.dtype, call.name))
            for r in call.result[1:]]  # fmt: skip
    return call.cast(result, x.dtype), *rest
