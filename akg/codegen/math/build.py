"""Small builders shared by the expansions: typed literals, Horner chains, bit casts, float formats.

An expansion is an ordinary expression, so a value used twice is one node of the DAG. Every function takes and
returns expressions of one float type unless it says otherwise. Products and sums whose rounding matters are
written with ``fma``, so that a backend may contract ``a*b + c`` elsewhere without harm.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from akg.base.dtype import DType, float32, float64, int32, int64
from akg.base.errors import InternalError
from akg.ir.expr import Binary, Call, Cast, Const, Expr, ExprLike, as_expr, select, unary


@dataclass(frozen=True, slots=True)
class Format:
    """What the expansions know of a binary float type.

    Attributes:
        float: the type.
        int: the signed integer type of its width.
        mantissa: stored bits of the significand.
        bias: of the exponent.
        round_magic: ``1.5 * 2**mantissa``; adding it leaves the nearest integer in the low bits.
        tiny: the smallest normal number.
    """

    float: DType
    int: DType
    mantissa: int
    bias: int
    round_magic: float
    tiny: float

    @property
    def exponent_mask(self) -> int:
        """The bits of the exponent field, which are also the bits of +inf."""
        return (2 * self.bias + 1) << self.mantissa


_FORMATS = {
    float32: Format(float32, int32, 23, 127, 1.5 * 2.0**23, 2.0**-126),
    float64: Format(float64, int64, 52, 1023, 1.5 * 2.0**52, 2.0**-1022),
}


def format_of(x: Expr) -> Format:
    """The format of the type of `x`.

    Raises:
        InternalError: if `x` is not float32 or float64; the 16-bit floats are widened before expansion.
    """
    found = _FORMATS.get(x.dtype)
    if found is None:
        raise InternalError(f"math expansion on {x.dtype}")
    return found


def literal(value: float, like: Expr) -> Expr:
    """`value` rounded to the type of `like`."""
    if like.dtype is float32:
        try:
            value = struct.unpack("f", struct.pack("f", value))[0]
        except OverflowError:
            raise InternalError(f"{value} is not a float32") from None
    return Const(value, like.dtype)


def fma(a: ExprLike, b: ExprLike, c: ExprLike) -> Expr:
    """``a*b + c`` with one rounding; at least one operand is an expression."""
    like = next(v for v in (a, b, c) if isinstance(v, Expr))
    args = tuple([v if isinstance(v, Expr) else literal(float(v), like) for v in (a, b, c)])
    return Call("fma", args, like.dtype)


def horner(x: Expr, coefficients: Sequence[float]) -> Expr:
    """The polynomial with ascending `coefficients` at `x`: a chain of fma."""
    value = literal(coefficients[-1], x)
    for c in reversed(coefficients[:-1]):
        value = fma(value, x, c)
    return value


def bits_of(x: Expr) -> Expr:
    """The bits of `x` as a signed integer of its width."""
    return Call("bitcast", (x,), format_of(x).int)


def from_bits(i: Expr) -> Expr:
    """The float whose bits are `i`."""
    return Call("bitcast", (i,), float32 if i.dtype is int32 else float64)


def absolute(x: Expr) -> Expr:
    """``|x|``; the sign bit of NaN goes too."""
    return unary("abs", x)


def copysign(x: ExprLike, sign: Expr) -> Expr:
    """`x` with the sign of `sign`."""
    return Call("copysign", (x if isinstance(x, Expr) else literal(float(x), sign), sign), sign.dtype)


def sqrt(x: Expr) -> Expr:
    """The square root, correctly rounded."""
    return Call("sqrt", (x,), x.dtype)


def at_least(x: Expr, bound: float) -> Expr:
    """``max(x, bound)`` in one instruction; NaN stays NaN."""
    low = literal(bound, x)
    return select(Binary("lt", x, low), low, x)


def at_most(x: Expr, bound: float) -> Expr:
    """``min(x, bound)`` in one instruction; NaN stays NaN."""
    high = literal(bound, x)
    return select(Binary("gt", x, high), high, x)


def is_nan(x: Expr) -> Expr:
    """Whether `x` is NaN (bool)."""
    return Binary("ne", x, x)


def is_infinite(x: Expr) -> Expr:
    """Whether `x` is an infinity (bool)."""
    return Binary("eq", absolute(x), Const(float("inf"), x.dtype))


def is_finite(x: Expr) -> Expr:
    """Whether `x` is neither NaN nor an infinity (bool)."""
    return Binary("lt", absolute(x), Const(float("inf"), x.dtype))


def rarely(value: Expr, is_rare: Expr, other: Expr, x: Expr, y: Expr | None = None) -> Expr:
    """`other`, a function of `x` and `y`, where `is_rare` holds, else `value`; backends may branch around it."""
    return Call("rarely", (value, is_rare, other, x, x if y is None else y), value.dtype)


def widen(x: Expr) -> Expr:
    """`x` as float64."""
    return x if x.dtype is float64 else Cast(x, float64)


def choose(cond: Expr, a: ExprLike, b: ExprLike, like: Expr) -> Expr:
    """``a if cond else b``, numbers taking the type of `like`."""
    return select(cond, as_expr(a, like.dtype), as_expr(b, like.dtype))
