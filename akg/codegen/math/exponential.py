"""exp and its family: clamp, Cody-Waite reduction (1980), a short polynomial, scaling by exponent bits.

``t = x*log2(e) + magic`` rounds to an integer n that sits in the low bits of t. The magic number carries twice the
exponent bias, so those bits give ``2**floor(n/2)`` and ``2**ceil(n/2)`` by shifts alone. Scaling in two steps
reaches denormal results with one rounding, and overflow without a test. NaN goes through the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from akg.base.dtype import float32
from akg.codegen.math import coefficients as co
from akg.codegen.math.build import (
    absolute,
    at_least,
    at_most,
    bits_of,
    choose,
    copysign,
    fma,
    format_of,
    from_bits,
    horner,
    literal,
)  # fmt: skip
from akg.ir.expr import Binary, Expr


@dataclass(frozen=True, slots=True)
class _Table:
    """What differs between the two widths.

    Attributes:
        exp, exp2, sinh: coefficients.
        ln2: ln(2) in two parts; the product of the first with n is exact inside fma.
        low, high: below and above them, exp is 0 and infinite.
        saturated: from here on tanh is 1.
        negligible: below it, expm1(x) is x.
    """

    exp: Sequence[float]
    exp2: Sequence[float]
    sinh: Sequence[float]
    ln2: tuple[float, float]
    low: float
    high: float
    saturated: float
    negligible: float


_LN2_F32 = 0.693147182464599609375
_TABLE_F32 = _Table(
    co.EXP_F32, co.EXP2_F32, co.SINH_F32, (_LN2_F32, math.log(2.0) - _LN2_F32), -104.0, 89.0, 9.2, 2.0**-26
)  # fmt: skip
_TABLE_F64 = _Table(
    co.EXP_F64, co.EXP2_F64, co.SINH_F64, (math.log(2.0), 2.3190468138462996e-17), -746.0, 710.0, 20.0, 2.0**-55
)  # fmt: skip


def table(x: Expr) -> _Table:
    """The constants for the type of `x`."""
    return _TABLE_F32 if x.dtype is float32 else _TABLE_F64


def _split(x: Expr, per_unit: float, bias: int) -> tuple[Expr, Expr]:
    """``n = round(x*per_unit)`` as a float, and the int whose low bits hold ``n + bias``."""
    magic = literal(format_of(x).round_magic + bias, x)
    t = x + magic if per_unit == 1.0 else fma(x, per_unit, magic)
    return t - magic, bits_of(t)


def _scale(value: Expr, n_bits: Expr) -> Expr:
    """``value * 2**n`` for ``n_bits = n + 2*bias`` in the low bits, rounded once."""
    mantissa = format_of(value).mantissa
    half = (n_bits >> 1) << mantissa
    rest = (n_bits << mantissa) - half
    return (value * from_bits(half)) * from_bits(rest)


def _exp_reduced(x: Expr, bias: int, tail: Expr | None = None) -> tuple[Expr, Expr]:
    """``(p, n_bits)`` with ``exp(x + tail) = (1 + p) * 2**n``, p accurate near 0."""
    t = table(x)
    n, n_bits = _split(x, 1 / math.log(2.0), bias)
    r = fma(n, -t.ln2[1], fma(n, -t.ln2[0], x))
    if tail is not None:
        r = r + tail
    return fma(r * r, horner(r, t.exp), r), n_bits


def exp_clamped(x: Expr, halvings: int = 0, tail: Expr | None = None) -> Expr:
    """``exp(x + tail) / 2**halvings`` for `x` a little beyond the range of exp, or NaN."""
    p, n_bits = _exp_reduced(x, 2 * format_of(x).bias - halvings, tail)
    return _scale(p + 1.0, n_bits)


def exp(x: Expr) -> Expr:
    """``e**x``."""
    t = table(x)
    return exp_clamped(at_most(at_least(x, t.low), t.high))


def exp_below(x: Expr) -> Expr:
    """``e**x`` where `x` is never positive."""
    return exp_clamped(at_least(x, table(x).low))


def exp2(x: Expr) -> Expr:
    """``2**x``."""
    kind = format_of(x)
    return exp2_clamped(at_most(at_least(x, -1.0 - kind.bias - kind.mantissa), kind.bias + 2.0))


def exp2_clamped(x: Expr, tail: Expr | None = None) -> Expr:
    """``2**(x + tail)`` for `x` a little beyond the range of exp2, or NaN."""
    n, n_bits = _split(x, 1.0, 2 * format_of(x).bias)
    r = x - n if tail is None else (x - n) + tail
    return _scale(fma(r, horner(r, table(x).exp2), 1.0), n_bits)


def expm1(x: Expr) -> Expr:
    """``e**x - 1``, accurate near 0."""
    t, kind = table(x), format_of(x)
    # one binade more than the format holds: computed at half size
    p, n_bits = _exp_reduced(at_most(at_least(x, -40.0), t.high), kind.bias - 1)
    half = from_bits(n_bits << kind.mantissa)
    value = fma(half, p, half - 0.5) * 2.0
    return choose(Binary("lt", absolute(x), literal(t.negligible, x)), x, value, x)


def sigmoid(x: Expr) -> Expr:
    """``e**x / (1 + e**x)``, where the exponential cannot overflow."""
    t = table(x)
    e = exp_clamped(at_most(at_least(x, t.low), 2 * t.saturated))
    return e / (e + 1.0)


def tanh(x: Expr) -> Expr:
    """tanh as ``m / (m + 1)`` with ``m = expm1(2|x|) / 2``."""
    t, kind = table(x), format_of(x)
    y = at_most(absolute(x), t.saturated)
    n, n_bits = _split(y, 2 / math.log(2.0), kind.bias)
    r = fma(n, -t.ln2[1] / 2, fma(n, -t.ln2[0] / 2, y))
    # expm1(2r) / 2
    p = fma(r * r, horner(r, [c * 2.0 ** (k + 1) for k, c in enumerate(t.exp)]), r)
    s = from_bits(n_bits << kind.mantissa)
    m = fma(s, p, fma(s, 0.5, -0.5))
    return copysign(m / (m + 1.0), x)


def cosh(x: Expr) -> Expr:
    """cosh from half the exponential, which overflows where cosh does."""
    half = exp_clamped(at_most(absolute(x), table(x).high + 1.0), halvings=1)
    return half + literal(0.25, x) / half


def sinh(x: Expr) -> Expr:
    """sinh: a polynomial up to 1, beyond it from half the exponential."""
    t = table(x)
    y = at_most(absolute(x), t.high + 1.0)
    half = exp_clamped(y, halvings=1)
    square = x * x
    near = fma(x * square, horner(square, t.sinh), x)
    far = copysign(half - literal(0.25, x) / half, x)
    return choose(Binary("lt", absolute(x), literal(1.0, x)), near, far, x)
