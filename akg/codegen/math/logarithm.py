"""Logarithms in float32: exponent and significand by integer arithmetic, one polynomial around 1.

``x = 2**e * m`` with m in [2/3, 4/3), so that e is 0 around 1 and nothing cancels there.
"""

from __future__ import annotations

import math

from akg.codegen.math import coefficients as co
from akg.codegen.math.build import bits_of, choose, fma, format_of, from_bits, horner, literal
from akg.ir.expr import Binary, Cast, Const, Expr

_TWO_THIRDS_BITS = 0x3F2AAAAB
_INF = math.inf


def _split(x: Expr) -> tuple[Expr, Expr]:
    """``(e, m - 1)`` as floats for a positive finite `x`, denormals included."""
    kind = format_of(x)
    is_small = Binary("lt", x, literal(kind.tiny, x))
    bits = bits_of(choose(is_small, x * 2.0**24, x, x))
    shift = (bits - _TWO_THIRDS_BITS) >> kind.mantissa
    m = from_bits(bits - (shift << kind.mantissa))
    e = Cast(shift, x.dtype) + choose(is_small, -24.0, 0.0, x)
    return e, m - 1.0


def _log1p_reduced(f: Expr) -> tuple[Expr, Expr]:
    """``log(1 + f)`` for \\|f\\| <= 1/3 as a sum of `f` and a small correction."""
    square = f * f
    return f, fma(square * f, horner(f, co.LOG_F32), square * -0.5)


def _special(x: Expr, value: Expr) -> Expr:
    """`value`, but the logarithm's values for `x` infinite, zero, negative or NaN."""
    value = choose(Binary("lt", x, literal(_INF, x)), value, x, x)
    at_zero = choose(Binary("lt", x, literal(0.0, x)), math.nan, -_INF, x)
    return choose(Binary("le", x, literal(0.0, x)), at_zero, value, x)


def log(x: Expr) -> Expr:
    """The natural logarithm (float32)."""
    e, f = _split(x)
    high, low = _log1p_reduced(f)
    hi = 0.693145751953125  # 12 bits: e*hi is exact
    return _special(x, fma(e, hi, high + fma(e, math.log(2.0) - hi, low)))


def log2(x: Expr) -> Expr:
    """The logarithm of base 2 (float32); exact for powers of two."""
    e, f = _split(x)
    high, low = _log1p_reduced(f)
    scale = literal(1 / math.log(2.0), x)
    assert isinstance(scale, Const)
    rest = 1 / math.log(2.0) - float(scale.value)
    return _special(x, e + fma(high, scale, fma(high, rest, low * scale)))


def log10(x: Expr) -> Expr:
    """The logarithm of base 10 (float32)."""
    e, f = _split(x)
    high, low = _log1p_reduced(f)
    scale = literal(1 / math.log(10.0), x)
    assert isinstance(scale, Const)
    rest = 1 / math.log(10.0) - float(scale.value)
    two = math.log10(2.0)
    hi = 0.301025390625  # 12 bits: e*hi is exact
    tail = fma(e, two - hi, fma(high, rest, low * scale))
    return _special(x, fma(e, hi, fma(high, scale, tail)))


def log1p(x: Expr) -> Expr:
    """``log(1 + x)`` (float32), accurate near 0: the exponent comes from 1 + x, the reduced argument from x."""
    kind = format_of(x)
    one_more = x + 1.0
    shift = (bits_of(one_more) - _TWO_THIRDS_BITS) >> kind.mantissa
    scale = from_bits(Const(kind.bias << kind.mantissa, kind.int) - (shift << kind.mantissa))
    near = fma(x, scale, scale - 1.0)
    far = from_bits(bits_of(one_more) - (shift << kind.mantissa)) - 1.0  # where the scale may be out of range
    f = choose(Binary("lt", x, literal(2.0**30, x)), near, far, x)
    high, low = _log1p_reduced(f)
    e = Cast(shift, x.dtype)
    hi = 0.693145751953125
    value = fma(e, hi, high + fma(e, math.log(2.0) - hi, low))
    value = choose(Binary("eq", x, literal(0.0, x)), x, value, x)
    return _special(one_more, choose(Binary("lt", x, literal(_INF, x)), value, x, x))
