"""Operators of ATen that work element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from akg.base.dtype import bool_, float32
from akg.frontends.torch.context import Call, bound, dtype_or_refusal
from akg.frontends.torch.table import converts, unsupported
from akg.ir.graph import Value

# overload without its last part -> operator of akg.ops on one operand, in the type of the result
_UNARY = {
    "abs": "abs", "acos": "acos", "acosh": "acosh", "asin": "asin", "asinh": "asinh", "atan": "atan",
    "atanh": "atanh", "ceil": "ceil", "cos": "cos", "cosh": "cosh", "erf": "erf", "exp": "exp", "exp2": "exp2",
    "expm1": "expm1", "floor": "floor", "log": "log", "log10": "log10", "log1p": "log1p", "log2": "log2",
    "neg": "negative", "reciprocal": "reciprocal", "relu": "relu", "round": "round", "rsqrt": "rsqrt",
    "sigmoid": "sigmoid", "sign": "sign", "silu": "silu", "sin": "sin", "sinh": "sinh", "sqrt": "sqrt", "tan": "tan",
    "tanh": "tanh", "trunc": "trunc", "bitwise_not": "bitwise_invert", "hardswish": "hardswish",
    "hardsigmoid": "hardsigmoid", "mish": "mish", "log_sigmoid": "log_sigmoid",
}  # fmt: skip
_TESTS = {"isnan": "isnan", "isinf": "isinf", "logical_not": "logical_not"}
# operators on two operands, in the type that these meet in
_BINARY = {
    "mul.Tensor": "multiply", "mul.Scalar": "multiply", "maximum.default": "maximum", "minimum.default": "minimum",
    "atan2.default": "atan2", "remainder.Tensor": "remainder", "remainder.Scalar": "remainder",
    "bitwise_and.Tensor": "bitwise_and", "bitwise_or.Tensor": "bitwise_or", "bitwise_xor.Tensor": "bitwise_xor",
    "bitwise_and.Scalar": "bitwise_and", "bitwise_or.Scalar": "bitwise_or", "bitwise_xor.Scalar": "bitwise_xor",
    "hypot.default": "hypot", "copysign.Tensor": "copysign",
}  # fmt: skip
_COMPARISONS = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
                "ge": "greater_equal"}  # fmt: skip
_LOGICAL = ("logical_and", "logical_or", "logical_xor")


@converts(*(f"{name}.default" for name in _UNARY))
def unary(call: Call) -> Value:
    """One operand, in the type of the result."""
    return call.apply(_UNARY[call.name.split(".")[0]], call.cast(call.value(0), call.dtype))


@converts(*(f"{name}.default" for name in _TESTS))
def tests(call: Call) -> Value:
    """A property of each element."""
    x = call.value(0)
    return call.apply(_TESTS[call.name.split(".")[0]], call.cast(x, bool_) if "logical" in call.name else x)


@converts(*_BINARY)
def binary(call: Call) -> Value:
    """Two operands, in the type that they meet in."""
    kind = call.promoted(0, 1)
    left, right = (_operand(call, p, kind) for p in (0, 1))
    return call.cast(call.apply(_BINARY[call.name], left, right), call.dtype)


def _operand(call: Call, position: int, kind: Any) -> Any:
    """An operand in a type; numbers become constants of it where both would be numbers."""
    found = call.args[position]
    if isinstance(found, Value):
        return call.cast(found, kind)
    return call.scalar(found, kind)


@converts("add.Tensor", "add.Scalar", "sub.Tensor", "sub.Scalar", "rsub.Tensor", "rsub.Scalar")
def add(call: Call) -> Value:
    """a + alpha * b, and its kin."""
    kind = call.promoted(0, 1)
    a, b = (_operand(call, p, kind) for p in (0, 1))
    alpha = call.get(2, "alpha", 1)
    name = call.name.split(".")[0]
    if name == "rsub":
        a, b = b, a if alpha == 1 else call.apply("multiply", a, alpha)
    elif alpha != 1:
        b = call.apply("multiply", b, alpha)
    return call.apply("add" if name == "add" else "subtract", a, b)


@converts("div.Tensor", "div.Scalar", "div.Tensor_mode", "div.Scalar_mode", "floor_divide.default")
def div(call: Call) -> Value:
    """True division, or rounded to 0 or down."""
    mode = "floor" if call.name.startswith("floor_divide") else call.get(2, "rounding_mode")
    kind = call.dtype
    a, b = (_operand(call, p, kind) for p in (0, 1))
    if mode is None:
        return call.apply("divide", a, b)
    if mode == "floor":
        return call.apply("floor_divide", a, b)
    if kind.is_float:
        return call.apply("trunc", call.apply("divide", a, b))
    quotient = call.apply("floor_divide", call.apply("abs", a), call.apply("abs", b))
    return call.apply("multiply", quotient, call.apply("multiply", call.apply("sign", a), call.apply("sign", b)))


@converts(*(f"{name}.{kind}" for name in _COMPARISONS for kind in ("Tensor", "Scalar")))
def comparison(call: Call) -> Value:
    """Two operands compared in the type that they meet in."""
    kind = call.promoted(0, 1)
    return call.apply(_COMPARISONS[call.name.split(".")[0]], *(_operand(call, p, kind) for p in (0, 1)))


@converts(*(f"{name}.default" for name in _LOGICAL))
def logical(call: Call) -> Value:
    """Two operands as truth values."""
    return call.apply(call.name.split(".")[0], call.cast(call.value(0), bool_), call.cast(call.value(1), bool_))


@converts("pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar")
def power(call: Call) -> Value:
    """Powers; small constant exponents are products."""
    kind, exponent = call.dtype, call.args[1]
    base = _operand(call, 0, kind)
    simple = {1: "positive", 2: "square", 0.5: "sqrt", -1: "reciprocal", -0.5: "rsqrt"}
    if not isinstance(exponent, Value) and exponent in simple and (kind.is_float or exponent in (1, 2)):
        return call.apply(simple[exponent], base)
    if not isinstance(exponent, Value) and exponent == 3:
        return call.apply("multiply", call.apply("square", base), base)
    return call.apply("pow", base, _operand(call, 1, kind))


@converts("where.self", "where.ScalarSelf", "where.ScalarOther", "where.Scalar")
def where(call: Call) -> Value:
    """A choice by a condition."""
    kind = call.dtype
    return call.apply("where", call.cast(call.value(0), bool_), *(_operand(call, p, kind) for p in (1, 2)))


@converts("clamp.default", "clamp.Tensor", "clamp_min.default", "clamp_max.default", "hardtanh.default")
def clamp(call: Call) -> Value:
    """Between two bounds."""
    x = call.cast(call.value(0), call.dtype)
    low, high = call.get(1, "min"), call.get(2, "max")
    if call.name == "clamp_max.default":
        low, high = None, call.args[1]
    if call.name == "hardtanh.default":
        low, high = call.get(1, "min_val", -1.0), call.get(2, "max_val", 1.0)
    x = x if low is None else call.apply("maximum", x, call.cast(low, call.dtype))
    return x if high is None else call.apply("minimum", x, call.cast(high, call.dtype))


@converts("gelu.default")
def gelu(call: Call) -> Value:
    """The Gaussian error linear unit."""
    return call.apply("gelu", call.value(0), call.get(1, "approximate", "none"))


@converts("leaky_relu.default")
def leaky_relu(call: Call) -> Value:
    """A rectifier with a slope for negative elements."""
    return call.apply("leaky_relu", call.value(0), call.get(1, "negative_slope", 0.01))


@converts("elu.default")
def elu(call: Call) -> Value:
    """The exponential linear unit."""
    found = bound(call)
    if found["scale"] != 1 or found["input_scale"] != 1:
        raise unsupported("elu with scales", "akg's elu has alpha only")
    return call.apply("elu", call.value(0), found["alpha"])


@converts("softplus.default")
def softplus(call: Call) -> Value:
    """log(1 + exp(x)), a line where that overflows."""
    found = bound(call)
    x, beta, threshold = call.value(0), found["beta"], found["threshold"]
    smooth = call.apply("softplus", x, beta)
    return call.apply("where", call.apply("greater", call.apply("multiply", x, beta), threshold), x, smooth)


@converts("_to_copy.default", "convert_element_type.default", "prims.convert_element_type.default")
def convert(call: Call) -> Value:
    """A copy in another type."""
    x, kind = call.value(0), call.dtype
    if x.dtype is kind:
        return call.apply("positive", x) if kind is not bool_ else call.apply("logical_or", x, x)
    if x.dtype.is_float and not kind.is_float and kind is not bool_ and x.dtype.itemsize_bytes < 4:
        x = call.cast(x, float32)
    return call.cast(x, kind)


@converts("clone.default", "alias.default", "detach.default", "lift_fresh_copy.default", is_view=True)
def same(call: Call) -> Value:
    """The tensor itself: values are not changed."""
    return call.value(0)


@converts("full.default", "full_like.default", "zeros.default", "zeros_like.default", "ones.default",
          "ones_like.default", "scalar_tensor.default", "empty.memory_format", "new_zeros.default", "new_ones.default",
          "new_full.default", "empty_like.default")  # fmt: skip
def full(call: Call) -> Value:
    """One number everywhere."""
    found, name = bound(call), call.name.split(".")[0]
    if name.startswith("empty"):
        number = 0
    elif name == "scalar_tensor":
        number = found["s"]
    else:
        number = 0 if "zeros" in name else 1 if "ones" in name else found["fill_value"]
    if isinstance(number, Value):
        return call.apply("broadcast_to", call.cast(call.apply("reshape", number, ()), call.dtype), call.shape)
    return call.apply("full", call.shape, number, dtype=call.dtype)


@converts("arange.start_step", "arange.default", "arange.start")
def arange(call: Call) -> Value:
    """Numbers with equal distances."""
    found = bound(call)
    start, step, kind = found.get("start") or 0, found.get("step") or 1, call.dtype
    count = call.shape[0]
    if any(not isinstance(n, (int, float)) for n in (start, step)):
        raise unsupported("arange of computed bounds", "they are not known yet")
    if not isinstance(count, int):
        raise unsupported("arange of symbolic length", "it is not known yet")
    return call.builder.constant((start + step * np.arange(count)).astype(kind.numpy))


@converts("fill.Scalar", "fill.Tensor")
def fill(call: Call) -> Value:
    """The shape of a tensor, filled with one number."""
    number = call.args[1]
    if isinstance(number, Value):
        return call.apply("broadcast_to", call.cast(number, call.dtype), call.shape)
    return call.apply("full", call.shape, number, dtype=call.dtype)


@converts("iota.default", "prims.iota.default")
def iota(call: Call) -> Value:
    """Integers with equal distances."""
    found = bound(call)
    kind = dtype_or_refusal(found["dtype"], call.name)
    return call.builder.constant((found["start"] + found["step"] * np.arange(found["length"])).astype(kind.numpy))


@converts("copysign.Scalar")
def copysign(call: Call) -> Value:
    """Magnitudes with the sign of a number."""
    magnitude = call.apply("abs", call.cast(call.value(0), call.dtype))
    return call.apply("negative", magnitude) if math.copysign(1, call.args[1]) < 0 else magnitude
