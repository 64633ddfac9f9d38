"""Elementwise operators of the array API: arithmetic, mathematics, comparisons, logic, bits, choice.

A float function of integers gives float32 for types of up to 16 bits, float64 for the others; the 16-bit floats compute
in float32 and round once, at the end.
"""

from __future__ import annotations

import math
from typing import Any

from akg.base.dtype import bool_, dtype_of, int32, int64
from akg.ir import expr as ex
from akg.ir import te
from akg.ir.expr import Call, Const, Expr
from akg.ir.te.tensor import Tensor
from akg.ops.pointwise import (
    BinaryOperator,
    Scalar1,
    UnaryOperator,
    binary,
    common_dtype,
    float_binary,
    float_unary,
    unary,
)
from akg.ops.registry import operator
from akg.ops.shape import (
    Operand,
    bad_argument,
    check_dtype,
    check_operand,
    check_tensor,
    compute_broadcast,
    result_dtype,
    value,
)

__all__ = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "astype", "atan", "atan2", "atanh", "bitwise_and",
    "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip",
    "copysign", "cos", "cosh", "divide", "equal", "erf", "exp", "exp2", "expm1", "floor", "floor_divide", "greater",
    "greater_equal", "hypot", "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log10", "log1p", "log2",
    "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "multiply",
    "negative", "nextafter", "not_equal", "positive", "pow", "reciprocal", "remainder", "round", "rsqrt", "sign",
    "signbit", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc", "where",
]  # fmt: skip

LN2 = math.log(2.0)
# From this exponent on, the powers of integers beyond -1, 0 and 1 do not fit any type; parity is all that counts.
LARGEST_POWER = 64

# --- arithmetic -----------------------------------------------------------------------------------------

add = binary("add", "The sum ``x1 + x2``.", "a number", lambda a, b: a + b)
subtract = binary("subtract", "The difference ``x1 - x2``.", "a number", lambda a, b: a - b)
multiply = binary("multiply", "The product ``x1 * x2``.", "a number", lambda a, b: a * b)
maximum = binary("maximum", "The greater of two values; NaN if either is NaN.", "a number", te.maximum)
minimum = binary("minimum", "The smaller of two values; NaN if either is NaN.", "a number", te.minimum)


@operator("divide", kind="broadcast")
def divide(x1: Operand, x2: Operand) -> Tensor:
    """The quotient ``x1 / x2``; integers divide in float64."""
    kind = check_dtype(common_dtype(x1, x2), "a number", "the common type of x1 and x2")
    return compute_broadcast("divide", (x1, x2), lambda a, b: value(a, kind) / value(b, kind))


def _nonzero(divisor: Expr) -> Expr:
    return divisor if isinstance(divisor, Const) and divisor.value else te.select(divisor != 0, divisor, 1)


def _floor_divide(a: Expr, b: Expr) -> Expr:
    if a.dtype.is_float:
        return te.cast(te.floordiv(value(a, a.dtype.compute), value(b, a.dtype.compute)), a.dtype)
    quotient = te.floordiv(a, _nonzero(b))  # a machine traps on division by zero; NumPy answers 0
    return quotient if isinstance(b, Const) and b.value else te.select(b != 0, quotient, 0)


def _remainder(a: Expr, b: Expr) -> Expr:
    if a.dtype.is_float:
        return te.cast(te.floormod(value(a, a.dtype.compute), value(b, a.dtype.compute)), a.dtype)
    rest = te.floormod(a, _nonzero(b))
    return rest if isinstance(b, Const) and b.value else te.select(b != 0, rest, 0)


floor_divide = binary(
    "floor_divide", "The quotient rounded towards minus infinity; 0 for integers divided by 0.", "a number",
    _floor_divide,
)  # fmt: skip
remainder = binary(
    "remainder", "The rest of `floor_divide`, with the sign of x2; 0 for integers divided by 0.", "a number",
    _remainder,
)  # fmt: skip


@operator("pow", kind="broadcast")
def pow(x1: Operand, x2: Operand) -> Tensor:
    """``x1`` to the power ``x2``; integers by repeated squaring, with exponents that are not negative."""
    kind = check_dtype(common_dtype(x1, x2), "a number", "the common type of x1 and x2")
    if isinstance(x2, int) and not isinstance(x2, bool):
        exponent = int(x2)
        if exponent < 0 and not kind.is_float:
            raise bad_argument(
                f"x2 is {exponent} for integers x1", "integers have no negative powers", "convert x1 to a float first"
            )
        if not kind.is_float or 0 < exponent <= 4:
            wide = kind.compute
            return compute_broadcast("pow", (x1,), lambda a: te.cast(_power_const(value(a, wide), exponent), kind))
    wide = kind.compute
    body = te.power if kind.is_float else _power_bits
    return compute_broadcast("pow", (x1, x2), lambda a, b: te.cast(body(value(a, wide), value(b, wide)), kind))


def _power_const(base: Expr, exponent: int) -> Expr:
    exponent = exponent if exponent < LARGEST_POWER else LARGEST_POWER - 2 + exponent % 2
    result: Expr | None = None
    while exponent:
        if exponent & 1:
            result = base if result is None else result * base
        base, exponent = base * base, exponent >> 1
    return Const(1, base.dtype) if result is None else result


def _power_bits(base: Expr, exponent: Expr) -> Expr:
    one = Const(1, base.dtype)
    exponent = te.select(exponent < LARGEST_POWER, exponent, LARGEST_POWER - 2 + (exponent & 1))
    result: Expr = te.select((exponent & 1) != 0, base, one)
    for bit in range(1, LARGEST_POWER.bit_length() - 1):
        base = base * base
        result = result * te.select(((exponent >> bit) & 1) != 0, base, one)
    return result


negative = unary("negative", "``-x``.", "a number", lambda a: -a)
positive = unary("positive", "A copy of x.", "a number", lambda a: a)
abs = unary("abs", "The magnitude.", "a number", te.abs)
square = unary("square", "``x * x``.", "a number", lambda a: a * a)


def _sign(a: Expr) -> Expr:
    if a.dtype.kind == "uint":
        return te.cast(a != 0, a.dtype)
    return te.select(a > 0, value(1, a.dtype), te.select(a < 0, value(-1, a.dtype), a))


sign = unary("sign", "-1, 0 or 1 by the sign; NaN for NaN.", "a number", _sign)
reciprocal = float_unary("reciprocal", "``1 / x``.", lambda a: 1.0 / a)

# --- roots, exponentials, logarithms, trigonometry ------------------------------------------------------

sqrt = float_unary("sqrt", "The square root.", te.sqrt)
rsqrt = float_unary("rsqrt", "The reciprocal of the square root.", te.rsqrt)
exp = float_unary("exp", "e to the power x.", te.exp)
exp2 = float_unary("exp2", "2 to the power x.", te.exp2)
expm1 = float_unary("expm1", "``exp(x) - 1``, exact near zero.", te.expm1)
log = float_unary("log", "The natural logarithm.", te.log)
log1p = float_unary("log1p", "``log(1 + x)``, exact near zero.", te.log1p)
log2 = float_unary("log2", "The logarithm to base 2.", te.log2)
log10 = float_unary("log10", "The logarithm to base 10.", te.log10)
sin = float_unary("sin", "The sine of an angle in radians.", te.sin)
cos = float_unary("cos", "The cosine of an angle in radians.", te.cos)
tan = float_unary("tan", "The tangent of an angle in radians.", te.tan)
asin = float_unary("asin", "The inverse sine, in radians.", te.asin)
acos = float_unary("acos", "The inverse cosine, in radians.", te.acos)
atan = float_unary("atan", "The inverse tangent, in radians.", te.atan)
sinh = float_unary("sinh", "The hyperbolic sine.", te.sinh)
cosh = float_unary("cosh", "The hyperbolic cosine.", te.cosh)
tanh = float_unary("tanh", "The hyperbolic tangent.", te.tanh)
asinh = float_unary("asinh", "The inverse hyperbolic sine.", te.asinh)
acosh = float_unary("acosh", "The inverse hyperbolic cosine.", te.acosh)
atanh = float_unary("atanh", "The inverse hyperbolic tangent.", te.atanh)
erf = float_unary("erf", "The error function.", te.erf)
atan2 = float_binary("atan2", "The angle of the point ``(x2, x1)``, in radians.", te.atan2)
copysign = float_binary("copysign", "The magnitude of x1 with the sign of x2.", te.copysign)


def _hypot(a: Expr, b: Expr) -> Expr:
    x, y = te.abs(a), te.abs(b)
    large, small = te.maximum(x, y), te.minimum(x, y)
    ratio = te.select((large == 0.0) | te.isinf(large), 0.0, small / large)
    return te.select(te.isinf(a) | te.isinf(b), math.inf, large * te.sqrt(1.0 + ratio * ratio))


def _logaddexp(a: Expr, b: Expr) -> Expr:
    """The larger one, plus a term in [0, log 2] that cannot overflow."""
    tail = te.log1p(te.exp(-te.abs(a - b)))
    return te.select(a == b, a + LN2, te.maximum(a, b) + tail)  # equal infinities have no difference


hypot = float_binary("hypot", "``sqrt(x1**2 + x2**2)`` without overflow in between.", _hypot)
logaddexp = float_binary("logaddexp", "``log(exp(x1) + exp(x2))`` without overflow in between.", _logaddexp)


@operator("nextafter", kind="broadcast")
def nextafter(x1: Operand, x2: Operand) -> Tensor:
    """The float32 or float64 next to x1 in the direction of x2."""
    kind = check_dtype(common_dtype(x1, x2), "a float", "the common type of x1 and x2")
    if kind.bits < 32:
        hint = "convert x1 and x2 to float32"
        raise bad_argument(f"x1 and x2 are {kind}", "nextafter is defined on float32 and float64", hint)
    return compute_broadcast("nextafter", (x1, x2), lambda a, b: _nextafter(value(a, kind), value(b, kind)))


def _nextafter(a: Expr, b: Expr) -> Expr:
    """Floats of one sign are ordered as their bits are (IEEE 754-2019, 3.4)."""
    whole = int32 if a.dtype.bits == 32 else int64
    bits = Call("bitcast", (a,), whole)
    away = (a > 0.0) == (b > a)
    step = te.select(away, bits + 1, bits - 1)
    tiny = te.copysign(Call("bitcast", (Const(1, whole),), a.dtype), b)
    moved = te.select(a == 0.0, tiny, Call("bitcast", (step,), a.dtype))
    return te.select(te.isnan(a) | te.isnan(b), a + b, te.select(a == b, b, moved))


# --- rounding -------------------------------------------------------------------------------------------


def _rounding(name: str, doc: str, body: Scalar1) -> UnaryOperator:
    return unary(name, f"{doc}; integers stay.", "a number", lambda a: body(a) if a.dtype.is_float else a)


floor = _rounding("floor", "The largest integral value that is not above", te.floor)
ceil = _rounding("ceil", "The smallest integral value that is not below", te.ceil)
trunc = _rounding("trunc", "The integral value nearest towards zero", te.trunc)
round = _rounding("round", "The nearest integral value, ties to even", te.round)


@operator("clip", kind="broadcast")
def clip(x: Operand, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """`x` limited to [min, max], in the type of `x`; None for no limit."""
    kind = check_dtype(check_tensor(x, "x").dtype, "a number", "x")
    limits = [check_operand(v, what) for v, what in ((min, "min"), (max, "max")) if v is not None]
    if any(result_dtype(x, v) is not kind for v in limits):
        raise bad_argument(
            f"the limits of {kind} are of another type", "clip keeps the type of x", "convert the limits, or x"
        )

    def body(a: ex.ExprLike, *bounds: ex.ExprLike) -> Expr:
        result, rest = value(a, kind), list(bounds)
        if min is not None:
            result = te.maximum(result, value(rest.pop(0), kind))
        return te.minimum(result, value(rest.pop(0), kind)) if max is not None else result

    return compute_broadcast("clip", (x, *limits), body)


# --- comparisons and predicates -------------------------------------------------------------------------


def _comparison(name: str, doc: str, op: str, family: str) -> BinaryOperator:
    return binary(name, doc, family, lambda a, b: ex.binary(op, a, b))


equal = _comparison("equal", "Whether ``x1 == x2``.", "eq", "a number or bool")
not_equal = _comparison("not_equal", "Whether ``x1 != x2``.", "ne", "a number or bool")
less = _comparison("less", "Whether ``x1 < x2``.", "lt", "a number")
less_equal = _comparison("less_equal", "Whether ``x1 <= x2``.", "le", "a number")
greater = _comparison("greater", "Whether ``x1 > x2``.", "gt", "a number")
greater_equal = _comparison("greater_equal", "Whether ``x1 >= x2``.", "ge", "a number")


def _predicate(name: str, doc: str, body: Scalar1, of_integers: Scalar1) -> UnaryOperator:
    return unary(name, doc, "a number", lambda a: body(a) if a.dtype.is_float else of_integers(a))


isnan = _predicate("isnan", "Whether NaN.", te.isnan, lambda a: a != a)
isinf = _predicate("isinf", "Whether an infinity.", te.isinf, lambda a: a != a)
isfinite = _predicate("isfinite", "Whether neither infinite nor NaN.", te.isfinite, lambda a: a == a)
signbit = _predicate(
    "signbit", "Whether the sign bit is set, as for -0.0.",
    lambda a: te.copysign(Const(1.0, a.dtype), a) < 0.0, lambda a: a < 0,
)  # fmt: skip

# --- logic and bits -------------------------------------------------------------------------------------


def truth(x: Expr) -> Expr:
    """Whether a value is not zero; NaN is not."""
    return x if x.dtype is bool_ else x != 0


logical_and = binary("logical_and", "Whether both are not zero.", "a number or bool", lambda a, b: truth(a) & truth(b))
logical_or = binary("logical_or", "Whether one is not zero.", "a number or bool", lambda a, b: truth(a) | truth(b))
logical_xor = binary(
    "logical_xor", "Whether exactly one is not zero.", "a number or bool", lambda a, b: truth(a) ^ truth(b)
)
logical_not = unary("logical_not", "Whether zero.", "a number or bool", lambda a: ~truth(a))
bitwise_and = binary("bitwise_and", "The bits set in both.", "an integer or bool", lambda a, b: a & b)
bitwise_or = binary("bitwise_or", "The bits set in either.", "an integer or bool", lambda a, b: a | b)
bitwise_xor = binary("bitwise_xor", "The bits set in exactly one.", "an integer or bool", lambda a, b: a ^ b)
bitwise_invert = unary("bitwise_invert", "The bits not set.", "an integer or bool", lambda a: ~a)


def _shift_left(a: Expr, b: Expr) -> Expr:
    width = a.dtype.bits
    if isinstance(b, Const):
        return a << b if 0 <= int(b) < width else value(0, a.dtype)
    return te.select((b >= 0) & (b < width), a << b, value(0, a.dtype))  # a machine masks the distance


def _shift_right(a: Expr, b: Expr) -> Expr:
    last = a.dtype.bits - 1
    if isinstance(b, Const) and 0 <= int(b) <= last:
        return a >> b
    in_range = (b >= 0) & (b <= last)
    if a.dtype.kind == "uint":
        return te.select(in_range, a >> b, value(0, a.dtype))
    return a >> te.select(in_range, b, value(last, a.dtype))


bitwise_left_shift = binary(
    "bitwise_left_shift", "``x1 << x2``; 0 for as many bits as there are.", "an integer", _shift_left
)
bitwise_right_shift = binary("bitwise_right_shift", "``x1 >> x2``, which keeps the sign.", "an integer", _shift_right)

# --- choice and conversion ------------------------------------------------------------------------------


@operator("where", kind="broadcast")
def where(condition: Tensor, x1: Operand, x2: Operand) -> Tensor:
    """`x1` where the bool `condition` holds, `x2` elsewhere."""
    hint = "compare first, as in akg.ops.not_equal(x, 0)"
    check_dtype(check_tensor(condition, "condition").dtype, "a bool", "condition", hint)
    kind = common_dtype(x1, x2)
    return compute_broadcast("where", (condition, x1, x2), lambda c, a, b: te.select(c, value(a, kind), value(b, kind)))


@operator("astype", kind="elementwise")
def astype(x: Tensor, dtype: Any) -> Tensor:
    """`x` converted to `dtype`; floats lose their fraction on the way to integers."""
    kind = dtype_of(dtype)
    return compute_broadcast("astype", (check_tensor(x, "x"),), lambda a: te.cast(a, kind))
