"""Expansions for machines that scale by powers of two, take floats apart and look up 16 floats in one instruction each.

They stand in for those of `exponential` and `logarithm` where the primitives of `NATIVE` are instructions (AVX-512
has all of them). The instructions treat infinities, zeros and denormals as these functions want them, so that most
clamps and special cases fall away. A table of powers of two leaves so little to the polynomial of exp in float32 that
it has degree 3 (Tang 1989). The table is rounded, so that functions which enlarge the error of exp do without it.
"""

from __future__ import annotations

import math

from akg.base.dtype import float32
from akg.codegen.math import coefficients as co
from akg.codegen.math import inverse, logarithm
from akg.codegen.math.build import (
    absolute,
    at_least,
    at_most,
    choose,
    copysign,
    fma,
    format_of,
    horner,
    literal,
    rarely,
    sqrt,
)  # fmt: skip
from akg.codegen.math.exponential import table
from akg.codegen.math.logarithm import LN2, LOG2_E, LOG10_2, LOG10_E, log1p_correction, scaled
from akg.ir.expr import Binary, Call, Expr, binary, unary

NATIVE = frozenset({"ldexp", "exponent", "significand", "sixteenth", "fraction"})


def ldexp(x: Expr, n: Expr) -> Expr:
    """``x * 2**n``, rounded once."""
    return Call("ldexp", (x, n), x.dtype)


def _exp_parts(x: Expr) -> tuple[Expr, Expr]:
    """``(p, n)`` with ``exp(x) = p * 2**n`` for `x` not far below the range of exp.

    Beyond the range, the reduced argument is garbage. A polynomial of even degree is positive all the same, and
    scaling by a large power of two makes it infinite; also from NaN, where n is infinite.
    """
    t = table(x)
    if len(t.exp) % 2 == 0:
        x = at_most(x, t.high + 1.0)  # for half the exponential too
    magic = literal(format_of(x).round_magic, x)
    n = fma(x, 1 / math.log(2.0), magic) - magic
    r = fma(n, -t.ln2[1], fma(n, -t.ln2[0], x))
    return horner(r, (1.0, 1.0, *t.exp)), n


def _exp_sixteenths(x: Expr, *, is_exact: bool = True) -> tuple[Expr, Expr]:
    """``(p, n)`` with ``exp(x) = p * 2**floor(n)`` in float32: the last bits of the sum that rounds n choose p.

    With one part of ln(2) there is an error of ``3e-9 |x|`` more.
    """
    t, magic = table(x), literal(format_of(x).round_magic / 16, x)
    shifted = fma(x, 1 / math.log(2.0), magic)
    n = shifted - magic
    r = fma(n, -t.ln2[0], x)
    if is_exact:
        r = fma(n, -t.ln2[1], r)
    power = Call("sixteenth", (shifted,), x.dtype)
    return fma(power, fma(r * r, horner(r, co.EXP_SIXTEENTH_F32), r), power), n


def exp(x: Expr) -> Expr:
    """``e**x``."""
    return exp_no_clamp(at_least(x, table(x).low))


def exp_no_clamp(x: Expr) -> Expr:
    """``e**x`` for `x` not far below the range of exp."""
    if x.dtype is float32:
        return ldexp(*_exp_sixteenths(at_most(x, table(x).high)))
    return ldexp(*_exp_parts(x))


def exp_below(x: Expr) -> Expr:
    """``e**x`` where `x` is a rounded difference that is never positive.

    In float32, rounding ``x * log2(e)`` adds an error of 8e-8 |x|, where that of `x` has one of 6e-8 |x|. The fraction
    of an infinite argument is 0, so that nothing needs a limit.
    """
    if x.dtype is not float32:
        return ldexp(*_exp_parts(at_least(x, table(x).low)))
    y = x * literal(1 / math.log(2.0), x)
    fraction = Call("fraction", (y,), x.dtype)
    return ldexp(horner(fraction, (1.0, *co.EXP2_FRACTION_F32)), y)


def exp2(x: Expr) -> Expr:
    """``2**x``: an infinite `x` leaves NaN as the fraction, which scaling by an infinite power overrides."""
    n = Call("round", (x,), x.dtype)
    return ldexp(horner(x - n, (1.0, *table(x).exp2)), n)


def sigmoid(x: Expr) -> Expr:
    """``e**x / (1 + e**x)``, where the exponential cannot overflow."""
    t = table(x)
    limited = at_most(at_least(x, t.low), 2 * t.saturated)
    e = ldexp(*(_exp_sixteenths(limited) if x.dtype is float32 else _exp_parts(limited)))
    return e / (e + 1.0)


def gated(a: Expr, x: Expr) -> Expr:
    """``a * sigmoid(x)`` as ``a / (1 + e**-x)``: one product less, and one part of ln(2) will do.

    Where ``e**-x`` overflows the result is 0, though the logistic function itself would be denormal. The error of `exp`
    with one part grows with ``|x|``, but where x is large the exponential is nothing beside 1.
    """
    t = table(x)
    y = unary("neg", at_least(at_most(x, -t.low), -t.high))  # a sign that goes into fused multiply-adds
    e = ldexp(*(_exp_sixteenths(y, is_exact=False) if x.dtype is float32 else _exp_parts(y)))
    return a / (e + 1.0)


def cosh(x: Expr) -> Expr:
    """cosh from half the exponential, which overflows where cosh does."""
    half = _half_exp(absolute(x))
    return half + literal(0.25, x) / half


def sinh(x: Expr) -> Expr:
    """sinh: a polynomial up to 1, beyond it from half the exponential."""
    half = _half_exp(absolute(x))
    square = x * x
    near = fma(x * square, horner(square, table(x).sinh), x)
    far = copysign(half - literal(0.25, x) / half, x)
    return choose(Binary("lt", absolute(x), literal(1.0, x)), near, far, x)


def _half_exp(x: Expr) -> Expr:
    p, n = _exp_parts(x)
    return ldexp(p, n - 1.0)


# --- logarithms ---------------------------------------------------------------------------------------


def _split(x: Expr) -> tuple[Expr, Expr, Expr]:
    """``(e, f, log(1 + f) - f)`` with ``x = 2**e * (1 + f)``, f in [-1/4, 1/2).

    For 0 and infinity, e is infinite and f is 0; for negative numbers, f is NaN. So no logarithm needs more.
    """
    m = Call("significand", (x,), x.dtype)
    e, f = Call("exponent", (x,), x.dtype) - Call("exponent", (m,), x.dtype), m - 1.0
    return e, f, log1p_correction(f, co.LOG_WIDE_F32)


def log(x: Expr) -> Expr:
    """The natural logarithm."""
    e, f, correction = _split(x)
    return fma(e, LN2[0], f + fma(e, LN2[1], correction))


def _log1p(x: Expr) -> Expr:
    """``log(1 + x)`` for finite `x` above -1, 0 for both zeros: what 1 + x loses is added to the fraction."""
    total = x + 1.0
    m = Call("significand", (total,), x.dtype)
    down = Call("exponent", (m,), x.dtype) - Call("exponent", (total,), x.dtype)
    f = (m - 1.0) + ldexp(x - (total - 1.0), down)
    return fma(down, -LN2[0], f + fma(down, -LN2[1], log1p_correction(f, co.LOG_WIDE_F32)))


def _unless(is_usual: Expr, value: Expr, other: Expr, x: Expr) -> Expr:
    return rarely(value, unary("not", is_usual), other, x)


def log1p(x: Expr) -> Expr:
    """``log(1 + x)``; sums that are not positive and finite are rare."""
    value = choose(Binary("eq", x, literal(0.0, x)), x, _log1p(x), x)
    is_usual = binary("and", Binary("gt", x, literal(-1.0, x)), Binary("lt", x, literal(2.0**100, x)))
    return _unless(is_usual, value, logarithm.log1p(x), x)


def asinh(x: Expr) -> Expr:
    """asinh through log1p; arguments whose squares make 1 vanish are rare."""
    y = absolute(x)
    square = y * y
    value = copysign(_log1p(y + square / (sqrt(square + 1.0) + 1.0)), x)
    return _unless(Binary("lt", y, literal(inverse.far(x), x)), value, inverse.asinh(x), x)


def acosh(x: Expr) -> Expr:
    """acosh through log1p; so are they here, and those below 1."""
    t = x - 1.0
    is_usual = binary("and", Binary("ge", x, literal(1.0, x)), Binary("lt", x, literal(inverse.far(x), x)))
    return _unless(is_usual, _log1p(t + sqrt(fma(t, t, t + t))), inverse.acosh(x), x)


def atanh(x: Expr) -> Expr:
    """atanh through log1p; arguments from 1 on are rare."""
    y, one = absolute(x), literal(1.0, x)
    value = copysign(_log1p((y + y) / (one - y)) * 0.5, x)
    return _unless(Binary("lt", y, one), value, inverse.atanh(x), x)


def log2(x: Expr) -> Expr:
    """The logarithm of base 2; exact for powers of two."""
    e, f, correction = _split(x)
    scale, rest = scaled(f, correction, LOG2_E)
    return e + fma(f, scale, rest)


def log10(x: Expr) -> Expr:
    """The logarithm of base 10."""
    e, f, correction = _split(x)
    scale, rest = scaled(f, correction, LOG10_E)
    return fma(e, LOG10_2[0], fma(f, scale, fma(e, LOG10_2[1], rest)))
