"""exp and its family in float32: clamp, Cody-Waite reduction (1980), a short polynomial, scaling by exponent bits.

``t = x*log2(e) + magic`` rounds to an integer n that sits in the low bits of t. The magic number carries twice the
exponent bias, so those bits give ``2**floor(n/2)`` and ``2**ceil(n/2)`` by shifts alone. Scaling in two steps
reaches denormal results with one rounding, and overflow without a test. NaN goes through the arithmetic.
"""

from __future__ import annotations

import math

from akg.codegen.math import coefficients as co
from akg.codegen.math.build import (
    absolute, at_least, at_most, bits_of, choose, copysign, fma, format_of, from_bits, horner, literal,
)  # fmt: skip
from akg.ir.expr import Binary, Expr

# ln(2) in two parts for float32: hi is rounded, the product with n is exact inside fma.
_LN2_HI_F32 = 0.693147182464599609375
_LN2_LO_F32 = math.log(2.0) - _LN2_HI_F32


def _split(x: Expr, per_unit: float, bias: int) -> tuple[Expr, Expr]:
    """``n = round(x*per_unit)`` as a float, and the int whose low bits hold ``n + bias``."""
    magic = literal(format_of(x).round_magic + bias, x)
    t = x + magic if per_unit == 1.0 else fma(x, per_unit, magic)
    return t - magic, bits_of(t)


def _scale(value: Expr, n_bits: Expr) -> Expr:
    """``value * 2**n`` for ``n_bits = n + 2*bias`` in the low bits, rounded once."""
    kind = format_of(value)
    half = (n_bits >> 1) << kind.mantissa
    rest = (n_bits << kind.mantissa) - half
    return (value * from_bits(half)) * from_bits(rest)


def _reduced(x: Expr, n: Expr) -> Expr:
    return fma(n, -_LN2_LO_F32, fma(n, -_LN2_HI_F32, x))


def exp_clamped(x: Expr) -> Expr:
    """exp of `x` in [-104, 89.5] or NaN."""
    n, n_bits = _split(x, 1 / math.log(2.0), 2 * format_of(x).bias)
    r = _reduced(x, n)
    p = fma(r * r, horner(r, co.EXP_F32), r) + 1.0
    return _scale(p, n_bits)


def exp(x: Expr) -> Expr:
    """``e**x`` (float32)."""
    return exp_clamped(at_most(at_least(x, -104.0), 89.0))


def exp2(x: Expr) -> Expr:
    """``2**x`` (float32)."""
    x = at_most(at_least(x, -151.0), 129.0)
    n, n_bits = _split(x, 1.0, 2 * format_of(x).bias)
    r = x - n
    return _scale(fma(r, horner(r, co.EXP2_F32), 1.0), n_bits)


def _expm1_parts(x: Expr) -> tuple[Expr, Expr]:
    """``(p, s)`` with ``exp(x) - 1 = s*p + (s - 1)``, s a power of two, p accurate near 0; x in [-87, 88]."""
    n, n_bits = _split(x, 1 / math.log(2.0), format_of(x).bias)
    r = _reduced(x, n)
    return fma(r * r, horner(r, co.EXP_F32), r), from_bits(n_bits << format_of(x).mantissa)


def expm1(x: Expr) -> Expr:
    """``e**x - 1`` (float32), accurate near 0."""
    kind = format_of(x)
    # 2**128 is no float: the top binade is computed at half size
    clamped = at_most(at_least(x, -20.0), 89.0)
    n, n_bits = _split(clamped, 1 / math.log(2.0), kind.bias - 1)
    r = _reduced(clamped, n)
    p = fma(r * r, horner(r, co.EXP_F32), r)
    half = from_bits(n_bits << kind.mantissa)
    value = fma(half, p, half - 0.5) * 2.0
    return choose(Binary("lt", absolute(x), literal(2.0**-26, x)), x, value, x)


def sigmoid(x: Expr) -> Expr:
    """``1 / (1 + e**-x)`` (float32), from the exponential of ``-|x|`` that cannot overflow."""
    e = exp_clamped(at_least(-absolute(x), -104.0))
    return choose(Binary("lt", x, literal(0.0, x)), e, 1.0, x) / (e + 1.0)


def tanh(x: Expr) -> Expr:
    """tanh (float32) as ``m / (m + 2)`` with ``m = expm1(2|x|)``; 1 from 9.2 on."""
    y = at_most(absolute(x), 9.2)
    p, s = _expm1_parts(y + y)
    m = fma(s, p, s - 1.0)
    return copysign(m / (m + 2.0), x)


