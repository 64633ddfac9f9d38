"""Logarithms: exponent and significand by integer arithmetic, one polynomial around 1.

``x = 2**e * (1 + f)`` with ``1 + f`` in [2/3, 4/3), so that e is 0 around 1 and nothing cancels there. ``log(1 + f)``
comes as `f` and a correction whose rounding weighs little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from akg.base.dtype import float32
from akg.codegen.math import coefficients as co
from akg.codegen.math.build import bits_of, choose, fma, format_of, from_bits, horner, literal
from akg.ir.expr import Binary, Cast, Const, Expr

_INF = math.inf

# A constant in two parts: the first has 12 bits, so that its product with an exponent is exact.
LN2 = (0.693115234375, 3.194618494530941e-05)
LOG10_2 = (0.301025390625, 4.605038981195214e-06)
# Factors in two parts: the nearest float64 and the rest.
LOG2_E = (1.4426950408889634, 2.0355273740931033e-17)
LOG10_E = (0.4342944819032518, 1.098319650216765e-17)


def _two_thirds(x: Expr) -> int:
    return 0x3F2AAAAB if x.dtype is float32 else 0x3FE5555555555555


def split_exponent(x: Expr) -> tuple[Expr, Expr]:
    """``(e, f)`` as floats for a positive finite `x`, denormals included."""
    kind = format_of(x)
    is_small = Binary("lt", x, literal(kind.tiny, x))
    up = kind.mantissa + 1
    bits = bits_of(choose(is_small, x * 2.0**up, x, x))
    shift = (bits - _two_thirds(x)) >> kind.mantissa
    f = from_bits(bits - (shift << kind.mantissa)) - 1.0
    return Cast(shift, x.dtype) + choose(is_small, float(-up), 0.0, x), f


def log1p_correction(f: Expr, for_f32: Sequence[float] = co.LOG_F32) -> Expr:
    """``log(1 + f) - f`` for ``|f| <= 1/3``, or the range that the coefficients `for_f32` and float64 allow."""
    square = f * f
    if f.dtype is float32:
        return fma(square * f, horner(f, for_f32), square * -0.5)
    # with s = f/(2 + f):  2s = f - s*f  and  f*f/2 = h give  log(1 + f) = f - (h - s*(h + s^2 q(s^2)))
    s = f / (f + 2.0)
    z, h = s * s, square * 0.5
    return fma(s, fma(z, horner(z, co.LOG_F64), h), -h)


def special(x: Expr, value: Expr) -> Expr:
    """`value`, but the logarithm's values for `x` infinite, zero, negative or NaN."""
    value = choose(Binary("lt", x, literal(_INF, x)), value, x, x)
    at_zero = choose(Binary("lt", x, literal(0.0, x)), math.nan, -_INF, x)
    return choose(Binary("le", x, literal(0.0, x)), at_zero, value, x)


def _natural(e: Expr, f: Expr) -> Expr:
    return fma(e, LN2[0], f + fma(e, LN2[1], log1p_correction(f)))


def scaled(f: Expr, correction: Expr, factor: tuple[float, float]) -> tuple[Expr, Expr]:
    """``log(1 + f)`` times a factor, as ``f * scale + rest``: the scale and the small rest."""
    scale = literal(factor[0], f)
    assert isinstance(scale, Const)
    rest = (factor[0] - float(scale.value)) + factor[1]
    return scale, fma(f, rest, correction * scale)


def log(x: Expr) -> Expr:
    """The natural logarithm."""
    return special(x, _natural(*split_exponent(x)))


def log2(x: Expr) -> Expr:
    """The logarithm of base 2; exact for powers of two."""
    e, f = split_exponent(x)
    scale, rest = scaled(f, log1p_correction(f), LOG2_E)
    return special(x, e + fma(f, scale, rest))


def log10(x: Expr) -> Expr:
    """The logarithm of base 10."""
    e, f = split_exponent(x)
    scale, rest = scaled(f, log1p_correction(f), LOG10_E)
    return special(x, fma(e, LOG10_2[0], fma(f, scale, fma(e, LOG10_2[1], rest))))


def log1p(x: Expr) -> Expr:
    """``log(1 + x)``, accurate near 0: the exponent comes from 1 + x, the reduced argument from x."""
    kind = format_of(x)
    bits = bits_of(x + 1.0)
    shift = (bits - _two_thirds(x)) >> kind.mantissa
    step = shift << kind.mantissa
    scale = from_bits(Const(kind.bias << kind.mantissa, kind.int) - step)
    near = fma(x, scale, scale - 1.0)
    far = from_bits(bits - step) - 1.0  # where the scale may be out of range
    f = choose(Binary("lt", x, literal(2.0 ** (kind.mantissa + 7), x)), near, far, x)
    value = choose(Binary("eq", x, literal(0.0, x)), x, _natural(Cast(shift, x.dtype), f), x)
    return special(x + 1.0, value)
