"""Operators that work element by element."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from akg.base.dtype import DType, bool_, dtype_of, float32, float64
from akg.frontends.onnx.context import Call, dtype_of_operand, shape_of
from akg.frontends.onnx.protos import element_type
from akg.frontends.onnx.table import converts, unsupported
from akg.ir.graph import Value

# ONNX name -> operator of akg, where they mean the same.
_SAME = {
    "Abs": "abs", "Acos": "acos", "Acosh": "acosh", "Add": "add", "And": "logical_and", "Asin": "asin",
    "Asinh": "asinh", "Atan": "atan", "Atanh": "atanh", "BitwiseAnd": "bitwise_and", "BitwiseNot": "bitwise_invert",
    "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor", "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh",
    "Equal": "equal", "Erf": "erf", "Exp": "exp", "Floor": "floor", "Greater": "greater",
    "GreaterOrEqual": "greater_equal", "IsNaN": "isnan", "Less": "less", "LessOrEqual": "less_equal", "Log": "log",
    "Mish": "mish", "Mul": "multiply", "Neg": "negative", "Not": "logical_not", "Or": "logical_or",
    "Reciprocal": "reciprocal", "Relu": "relu", "Round": "round", "Sigmoid": "sigmoid", "Sign": "sign", "Sin": "sin",
    "Sinh": "sinh", "Softplus": "softplus", "Softsign": "softsign", "Sqrt": "sqrt", "Sub": "subtract", "Tan": "tan",
    "Tanh": "tanh", "Xor": "logical_xor", "Where": "where",
}  # fmt: skip
_FOLDS = {"Max": "maximum", "Min": "minimum", "Sum": "add"}


@converts(*_SAME)
def same(call: Call) -> Value:
    """An operator that akg has under another name."""
    return call.apply(_SAME[call.name], *aligned(call, call.values()))


@converts("Identity")
def identity(call: Call) -> Any:
    """The operand itself."""
    return call.operand(0)


def aligned(call: Call, values: Sequence[Value]) -> list[Value]:
    """Operands of old models as they are: `broadcast` with `axis` puts the dimensions of the second elsewhere."""
    axis = call.attribute("axis")
    if not call.attribute("broadcast") or axis is None or len(values) != 2:
        return list(values)
    left, right = values
    rank, own = len(left.shape), shape_of(right)
    axis %= rank
    return [left, call.apply("reshape", right, (*own, *(1,) * (rank - axis - len(own))))]


@converts(*_FOLDS)
def variadic(call: Call) -> Value:
    """Sum, maximum or minimum of any number of operands."""
    return functools.reduce(lambda a, b: call.apply(_FOLDS[call.name], a, b), call.values())


@converts("Mean")
def mean(call: Call) -> Value:
    """The mean of any number of operands."""
    return call.apply("divide", functools.reduce(lambda a, b: call.apply("add", a, b), call.values()),
                      len(call.operands))  # fmt: skip


@converts("Div")
def div(call: Call) -> Value:
    """Division; that of integers truncates."""
    a, b = aligned(call, call.values())
    if a.dtype.is_float:
        return call.apply("divide", a, b)
    if a.dtype.name.startswith("uint"):
        return call.apply("floor_divide", a, b)
    quotient = call.apply("floor_divide", call.apply("abs", a), call.apply("abs", b))
    signs = call.apply("multiply", call.apply("sign", a), call.apply("sign", b))
    return call.apply("multiply", quotient, signs)


@converts("Mod")
def mod(call: Call) -> Value:
    """The remainder with the sign of the divisor, or of the dividend with fmod=1."""
    a, b = call.values()
    if not call.attribute("fmod", 0):
        return call.apply("remainder", a, b)
    rest = call.apply("remainder", call.apply("abs", a), call.apply("abs", b))
    if a.dtype.is_float:
        return call.apply("copysign", rest, a)
    return rest if a.dtype.name.startswith("uint") else call.apply("multiply", rest, call.apply("sign", a))


@converts("Pow")
def power(call: Call) -> Value:
    """Powers, of the type of the base."""
    base, exponent = aligned(call, call.values())
    if base.dtype is exponent.dtype:
        return call.apply("pow", base, exponent)
    if base.dtype.is_float:
        return call.apply("pow", base, call.cast(exponent, base.dtype))
    if not exponent.dtype.is_float:
        return call.cast(call.apply("pow", base, call.cast(exponent, base.dtype)), base.dtype)
    return call.cast(call.apply("pow", call.cast(base, float64), call.cast(exponent, float64)), base.dtype)


@converts("BitShift")
def bit_shift(call: Call) -> Value:
    """Shifts to the left or to the right."""
    op = "bitwise_left_shift" if call.attribute("direction") == "LEFT" else "bitwise_right_shift"
    return call.apply(op, call.value(0), call.value(1))


@converts("Clip")
def clip(call: Call) -> Value:
    """The operand between two bounds; the upper one wins where they cross."""
    x = call.value(0)
    low = call.value(1) if call.has(1) else call.attribute("min")
    high = call.value(2) if call.has(2) else call.attribute("max")
    x = x if low is None else call.apply("maximum", x, low)
    return x if high is None else call.apply("minimum", x, high)


@converts("Elu", "Celu", "LeakyRelu", "ThresholdedRelu")
def rectified(call: Call) -> Value:
    """Rectifiers with one parameter."""
    x, name = call.value(0), call.name
    alpha = call.attribute("alpha", 0.01 if name == "LeakyRelu" else 1.0)
    if name == "ThresholdedRelu":
        return call.apply("where", call.apply("greater", x, alpha), x, call.scalar(0, x.dtype))
    op = {"Elu": "elu", "Celu": "celu", "LeakyRelu": "leaky_relu"}[name]
    return call.apply(op, x, alpha)


@converts("Selu")
def selu(call: Call) -> Value:
    """gamma * (x where positive, alpha * (exp(x) - 1) elsewhere)."""
    x = call.value(0)
    alpha, gamma = call.attribute("alpha", 1.6732632423543772), call.attribute("gamma", 1.0507009873554805)
    return call.apply("multiply", call.apply("elu", x, alpha), gamma)


@converts("PRelu")
def prelu(call: Call) -> Value:
    """x where it is positive, slope * x elsewhere."""
    x, slope = call.value(0), call.value(1)
    scaled = call.apply("multiply", x, slope)
    return call.apply("where", call.apply("less", x, 0), scaled, x)


@converts("HardSigmoid")
def hard_sigmoid(call: Call) -> Value:
    """A line between 0 and 1."""
    line = call.apply("multiply", call.value(0), call.attribute("alpha", 0.2))
    return call.apply("clip", call.apply("add", line, call.attribute("beta", 0.5)), 0, 1)


@converts("Gelu")
def gelu(call: Call) -> Value:
    """The Gaussian error linear unit, exact or by tanh."""
    return call.apply("gelu", call.value(0), call.attribute("approximate", "none"))


@converts("IsInf")
def is_inf(call: Call) -> Value:
    """Whether an element is infinite, of either sign or of one."""
    x = call.value(0)
    negative, positive = call.attribute("detect_negative", 1), call.attribute("detect_positive", 1)
    if negative and positive:
        return call.apply("isinf", x)
    if not negative and not positive:
        return call.apply("not_equal", x, x) if not x.dtype.is_float else call.apply("logical_and", call.apply(
            "isinf", x), False)
    return call.apply("equal", x, call.scalar(math.inf if positive else -math.inf, x.dtype))


@converts("Shrink")
def shrink(call: Call) -> Value:
    """Elements near 0 become 0, others move towards it."""
    x, bound, bias = call.value(0), call.attribute("lambd", 0.5), call.attribute("bias", 0.0)
    below = call.apply("less", x, -bound)
    above = call.apply("greater", x, bound)
    rest = call.apply("where", above, call.apply("subtract", x, bias), call.scalar(0, x.dtype))
    return call.cast(call.apply("where", below, call.apply("add", x, bias), rest), x.dtype)


@converts("Cast")
def cast(call: Call) -> Value:
    """Conversion to another type."""
    return converted(call, element_type(call.attribute("to"), "Cast"))


@converts("CastLike")
def cast_like(call: Call) -> Value:
    """Conversion to the type of the second operand."""
    return converted(call, dtype_of_operand(call.operand(1)))


def converted(call: Call, dtype: DType) -> Value:
    """The first operand in another type."""
    x = call.value(0)
    if dtype is bool_ and x.dtype is not bool_:
        return call.apply("not_equal", x, 0)
    if x.dtype.is_float and not dtype.is_float and x.dtype.itemsize_bytes < 4:
        x = call.cast(x, float32)
    return call.cast(x, dtype)


@converts("Dropout", static=(1, 2))
def dropout(call: Call) -> Any:
    """The operand, and a mask of ones; dropping elements at random is refused."""
    x = call.value(0)
    training = call.known(2)
    ratio = call.known(1) if training is not None and bool(training) else np.zeros(())
    if training is not None and bool(training) and (ratio is None or float(ratio) != 0.0):
        raise unsupported("Dropout in training mode", "akg has no random numbers")
    shape = shape_of(x)
    return x, call.builder.constant(np.ones(shape, bool)) if call.wanted[1:] == (True,) else None


@converts("QuantizeLinear")
def quantize(call: Call) -> Value:
    """round(x / scale) + zero point, saturated, as integers of 8 or 16 bits."""
    x = call.value(0)
    kind = dtype_of_operand(call.operand(2)) if call.has(2) else _declared(call, "output_dtype", np.uint8)
    if not kind.is_integer or kind.itemsize_bytes > 2:
        raise unsupported(f"QuantizeLinear to {kind}", "akg quantises to integers of 8 and 16 bits")
    scale, zero = (_per_axis(call, p, shape_of(x)) for p in (1, 2))
    wide = float32 if not x.dtype.is_float or x.dtype.itemsize_bytes < 4 else x.dtype
    scaled = call.apply("round", call.apply("divide", call.cast(x, wide), call.cast(_there(scale), wide)))
    shifted = scaled if zero is None else call.apply("add", scaled, call.cast(zero, wide))
    bounds = np.iinfo(kind.numpy)
    return call.cast(call.apply("clip", shifted, int(bounds.min), int(bounds.max)), kind)


@converts("DequantizeLinear")
def dequantize(call: Call) -> Value:
    """(x - zero point) * scale."""
    x = call.value(0)
    scale, zero = (_per_axis(call, p, shape_of(x)) for p in (1, 2))
    scale = _there(scale)
    wide = scale.dtype if scale.dtype.itemsize_bytes >= 4 else float32
    centred = call.cast(x, wide)
    if zero is not None:
        centred = call.apply("subtract", centred, call.cast(zero, wide))
    product = call.apply("multiply", centred, call.cast(scale, wide))
    kind = call.attribute("output_dtype", 0)
    return call.cast(product, element_type(kind, call.name) if kind else scale.dtype)


def _there(value: Value | None) -> Value:
    if value is None:
        raise unsupported("quantisation without a scale", "the scale is an input of the operator")
    return value


def _declared(call: Call, name: str, default: Any) -> DType:
    number = call.attribute(name, 0)
    return element_type(number, call.name) if number else dtype_of(default)


def _per_axis(call: Call, position: int, shape: tuple[int, ...]) -> Value | None:
    """A scale or zero point, shaped to broadcast along the axis of quantisation, or by blocks of it."""
    if not call.has(position):
        return None
    value = call.value(position)
    own = shape_of(value)
    if len(own) == 0 or own == (1,):
        return call.apply("reshape", value, ())
    axis = call.attribute("axis", 1) % len(shape)
    if len(own) == 1:
        return call.apply("reshape", value, [own[0] if d == axis else 1 for d in range(len(shape))])
    block = call.attribute("block_size", 0)
    repeated = call.apply("repeat", value, block, axis=axis)
    if shape_of(repeated)[axis] == shape[axis]:
        return repeated
    return call.apply("slice", repeated, [0], [shape[axis]], axes=[axis])
