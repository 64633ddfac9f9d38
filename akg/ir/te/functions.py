"""Scalar functions of tensor expressions: arithmetic, mathematics, choice and constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import ml_dtypes
import numpy as np

from akg.base.dtype import DType, bool_, dtype_of
from akg.base.errors import AkgError, user_facing
from akg.ir import expr as ex
from akg.ir.expr import Const, Expr, ExprLike

Function: TypeAlias = Callable[[ExprLike], Expr]


def _function(name: str, doc: str) -> Function:
    def apply(x: ExprLike) -> Expr:
        return ex.call(name, x)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"{doc} of a float; integers are widened to a float first."
    return user_facing(apply)


exp = _function("exp", "e to the power")
exp2 = _function("exp2", "2 to the power")
expm1 = _function("expm1", "``exp(x) - 1``, exact near zero,")
log = _function("log", "The natural logarithm")
log2 = _function("log2", "The logarithm to base 2")
log10 = _function("log10", "The logarithm to base 10")
log1p = _function("log1p", "``log(1 + x)``, exact near zero,")
sqrt = _function("sqrt", "The square root")
rsqrt = _function("rsqrt", "The reciprocal of the square root")
sin = _function("sin", "The sine")
cos = _function("cos", "The cosine")
tan = _function("tan", "The tangent")
asin = _function("asin", "The inverse sine")
acos = _function("acos", "The inverse cosine")
atan = _function("atan", "The inverse tangent")
sinh = _function("sinh", "The hyperbolic sine")
cosh = _function("cosh", "The hyperbolic cosine")
tanh = _function("tanh", "The hyperbolic tangent")
asinh = _function("asinh", "The inverse hyperbolic sine")
acosh = _function("acosh", "The inverse hyperbolic cosine")
atanh = _function("atanh", "The inverse hyperbolic tangent")
erf = _function("erf", "The error function")
sigmoid = _function("sigmoid", "The logistic function ``1 / (1 + exp(-x))``")
floor = _function("floor", "The largest integral value that is not above, as a float,")
ceil = _function("ceil", "The smallest integral value that is not below, as a float,")
round = _function("round", "The nearest integral value, ties to even, as a float,")
trunc = _function("trunc", "The integral value nearest towards zero, as a float,")
isnan = _function("isnan", "Whether NaN, as a bool,")
isinf = _function("isinf", "Whether infinite, as a bool,")
isfinite = _function("isfinite", "Whether neither infinite nor NaN, as a bool,")


@user_facing
def atan2(y: ExprLike, x: ExprLike) -> Expr:
    """The angle of the point ``(x, y)``, in radians."""
    return ex.call("atan2", *ex.unify(y, x))


@user_facing
def copysign(x: ExprLike, sign: ExprLike) -> Expr:
    """The magnitude of `x` with the sign of `sign`."""
    return ex.call("copysign", *ex.unify(x, sign))


@user_facing
def ldexp(x: ExprLike, n: ExprLike) -> Expr:
    """``x * 2**n``, rounded once; `n` is rounded down to an integer."""
    return ex.call("ldexp", *ex.unify(x, n))


@user_facing
def fma(a: ExprLike, b: ExprLike, c: ExprLike) -> Expr:
    """``a * b + c`` with one rounding."""
    return ex.call("fma", a, b, c)


@user_facing
def power(a: ExprLike, b: ExprLike) -> Expr:
    """``a ** b``: a product for constant integer exponents from 1 to 4."""
    return ex.power(a, b)


pow = power


@user_facing
def abs(x: ExprLike) -> Expr:
    """The magnitude, in the type of `x`."""
    return ex.unary("abs", x)


@user_facing
def floordiv(a: ExprLike, b: ExprLike) -> Expr:
    """``a // b``, rounded towards minus infinity."""
    return ex.binary("floordiv", a, b)


@user_facing
def floormod(a: ExprLike, b: ExprLike) -> Expr:
    """``a % b`` with the sign of `b`."""
    return ex.binary("mod", a, b)


@user_facing
def maximum(a: ExprLike, b: ExprLike) -> Expr:
    """The greater of two values; NaN if either is NaN."""
    return ex.binary("max", a, b)


@user_facing
def minimum(a: ExprLike, b: ExprLike) -> Expr:
    """The smaller of two values; NaN if either is NaN."""
    return ex.binary("min", a, b)


@user_facing
def clip(x: ExprLike, low: ExprLike, high: ExprLike) -> Expr:
    """`x` limited to [low, high]."""
    return ex.binary("min", ex.binary("max", x, low), high)


@user_facing
def select(cond: ExprLike, a: ExprLike, b: ExprLike) -> Expr:
    """``a if cond else b``; the branch that is not taken reads no memory."""
    return ex.select(cond, a, b)


where = select
if_then_else = select


@user_facing
def cast(x: ExprLike, dtype: DType | str) -> Expr:
    """`x` converted to `dtype`; float to integer truncates."""
    return ex.cast(x, dtype)


@user_facing
def all(*conditions: ExprLike) -> Expr:
    """Whether every condition holds."""
    return _junction("and", conditions)


@user_facing
def any(*conditions: ExprLike) -> Expr:
    """Whether some condition holds."""
    return _junction("or", conditions)


def _junction(op: str, conditions: tuple[ExprLike, ...]) -> Expr:
    result: Expr = Const(op == "and", bool_)
    for condition in conditions:
        node = ex.as_expr(condition)
        result = ex.binary(op, result, node if node.dtype is bool_ else ex.binary("ne", node, 0))
    return result


@user_facing
def const(value: int | float | bool, dtype: DType | str | None = None) -> Expr:
    """A constant of `dtype`; without one, a bool, index or float64 that is weak as the Python number is.

    Raises:
        AkgError: AKG-E108 if `dtype` does not hold the value.
    """
    if dtype is None:
        return ex.as_expr(value)
    kind = dtype_of(dtype)
    if kind.kind in ("int", "uint"):
        limits = np.iinfo(kind.numpy)
        if value != int(value) or not limits.min <= value <= limits.max:
            raise AkgError(
                "AKG-E108",
                f"{value!r} is not a value of {kind}",
                because=f"{kind} holds the integers from {limits.min} to {limits.max}",
                hint="choose a wider type",
            )
    return Const(value, kind)


@user_facing
def min_value(dtype: DType | str) -> Expr:
    """The smallest finite value of `dtype`."""
    return Const(_limits(dtype_of(dtype))[0], dtype_of(dtype))


@user_facing
def max_value(dtype: DType | str) -> Expr:
    """The largest finite value of `dtype`."""
    return Const(_limits(dtype_of(dtype))[1], dtype_of(dtype))


@user_facing
def infinity(dtype: DType | str) -> Expr:
    """Positive infinity in a floating-point `dtype`.

    Raises:
        AkgError: AKG-E108 for a type without infinity.
    """
    kind = dtype_of(dtype)
    if not kind.is_float:
        raise AkgError("AKG-E108", f"{kind} has no infinity", hint=f"use te.max_value({kind.name!r})")
    return Const(float("inf"), kind)


def _limits(kind: DType) -> tuple[int | float | bool, int | float | bool]:
    if kind.kind == "bool":
        return False, True
    if kind.is_float:
        info = ml_dtypes.finfo(kind.numpy)
        return float(info.min), float(info.max)
    limits = np.iinfo(kind.numpy)
    return int(limits.min), int(limits.max)


def extreme(kind: DType, sign: int) -> Const:
    """The greatest (sign 1) or least (sign -1) value of a type, infinities included."""
    if kind.is_float:
        return Const(sign * float("inf"), kind)
    return Const(_limits(kind)[sign > 0], kind)
