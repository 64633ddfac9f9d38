"""``x**y`` with the special cases of C (ISO C17, F.10.4.4).

The logarithm comes as a sum of two floats, with some 64 bits in float64 and 30 in float32: an error in it is
multiplied by up to 745, or 150 in base 2.
"""

from __future__ import annotations

import math

from akg.base.dtype import float64
from akg.codegen.math import coefficients as co
from akg.codegen.math.build import absolute, at_least, at_most, choose, copysign, fma, horner, literal
from akg.codegen.math.exponential import exp2_clamped, exp_clamped
from akg.codegen.math.logarithm import special, split_exponent
from akg.ir.expr import Binary, Call, Expr, binary

_INF = math.inf
_LN2 = (0.6931471805599453, 2.3190468138462996e-17)
# 2/ln(2): the nearest float32 and the rest.
_TWO_LOG2_E = (2.885390043258667, 3.851925982253235e-08)
_TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)

Pair = tuple[Expr, Expr]


def _fast_sum(a: Expr, b: Expr) -> Pair:
    """``a + b`` exactly, for ``|a| >= |b|`` (Dekker 1971)."""
    s = a + b
    return s, b - (s - a)


def _product(a: Pair, b: Pair) -> Pair:
    """``a * b`` of two pairs."""
    high = a[0] * b[0]
    return _fast_sum(high, fma(a[0], b[0], -high) + fma(a[0], b[1], a[1] * b[0]))


def _log_pair(x: Expr) -> Pair:
    """``log(x)`` of a positive finite float64 as a sum of two."""
    e, f = split_exponent(x)
    divisor = _fast_sum(literal(2.0, x), f)
    s = f / divisor[0]
    rest = fma(-s, divisor[0], f) - s * divisor[1]
    sp: Pair = (s, rest / divisor[0])
    z = _product(sp, sp)
    # 2s + s z (2/3 + z q(z)), the first two terms in pairs
    w = _fast_sum(literal(_TWO_THIRDS[0], x), fma(z[0], horner(z[0], co.LOG_TAIL_F64), _TWO_THIRDS[1]))
    tail = _product(_product(sp, z), w)
    high, low = _fast_sum(s + s, tail[0])
    near = _fast_sum(high, low + (tail[1] + (sp[1] + sp[1])))
    big = e * _LN2[0]
    high, low = _fast_sum(big, near[0])  # big is 0 or the larger one
    is_near = Binary("eq", e, literal(0.0, e))
    low = low + (fma(e, _LN2[0], -big) + fma(e, _LN2[1], near[1]))
    return choose(is_near, near[0], high, x), choose(is_near, near[1], low, x)


def _magnitude(x: Expr, y: Expr) -> Expr:
    """``x**y`` for positive float64 `x`, NaN or not, with the limits at 0 and infinity; NaN for negative `x`."""
    high, low = _log_pair(x)
    is_regular = binary("and", Binary("gt", x, literal(0.0, x)), Binary("lt", x, literal(_INF, x)))
    high = special(x, high)
    low = choose(is_regular, low, 0.0, x)
    product = y * high
    rest = fma(y, low, fma(y, high, -product))
    rest = choose(Binary("lt", absolute(product), literal(800.0, x)), rest, 0.0, x)
    return exp_clamped(at_most(at_least(product, -746.0), 710.0), tail=rest)


def _log2_pair_f32(e: Expr, f: Expr) -> Pair:
    """``e + log2(1 + f)`` of float32 with some 30 bits, ``|f| <= 1/2``; the low part is NaN for infinite `e`.

    With ``s = f/(2 + f)``, it is ``s*(c + s^2 q(s^2))``: only s and c need two parts.
    """
    divisor, below = _fast_sum(literal(2.0, f), f)
    inverse = literal(1.0, f) / divisor
    s = f * inverse
    s_low = fma(-s, below, fma(-s, divisor, f)) * inverse
    z = s * s
    factor = literal(_TWO_LOG2_E[0], f)
    first, tail = s * factor, horner(z, co.LOG2_TAIL_F32)
    low = fma(s, factor, -first) + fma(s, _TWO_LOG2_E[1], s_low * fma(z, factor, factor))
    near = fma(s * z, tail, first)
    low = low + fma(s * z, tail, first - near)
    high, rest = _fast_sum(e, near)  # e is 0 or the larger one; if 0, near is the sum
    return high, rest + low


def _split_f32(x: Expr, native: bool) -> Pair:
    """``(e, f)`` with ``x = 2**e * (1 + f)`` for positive float32 `x`; e is infinite for 0 and infinity.

    For negative numbers and NaN, one of them is NaN.
    """
    if not native:
        e, f = split_exponent(x)
        return special(x, e), f
    m = Call("significand", (x,), x.dtype)
    return Call("exponent", (x,), x.dtype) - Call("exponent", (m,), x.dtype), m - 1.0


def _magnitude_f32(x: Expr, y: Expr, native: bool) -> Expr:
    """The same in float32."""
    high, low = _log2_pair_f32(*_split_f32(x, native))
    product = y * high
    rest = fma(y, low, fma(y, high, -product))
    if native:
        n = Call("round", (product,), x.dtype)
        # beyond the range, `rest` may be large; infinite powers of two override the fraction, which is NaN then
        r = at_most(at_least((product - n) + rest, -1.0), 1.0)
        return Call("ldexp", (horner(r, (1.0, *co.EXP2_F32)), n), x.dtype)
    rest = choose(Binary("lt", absolute(product), literal(200.0, x)), rest, 0.0, x)
    return exp2_clamped(at_most(at_least(product, -151.0), 129.0), tail=rest)


def pow_(x: Expr, y: Expr, native: bool = False) -> Expr:
    """``x**y``; `native` if the calls of `exponents.NATIVE` are instructions."""
    one, half = literal(1.0, x), y * 0.5
    is_fraction = Binary("ne", Call("floor", (y,), y.dtype), y)  # or NaN
    is_odd = Binary("eq", absolute(half - Call("round", (half,), y.dtype)), literal(0.5, y))
    # Negative numbers stay so where the result is NaN; the logarithm sees to it.
    is_root = binary("and", is_fraction, Binary("gt", x, literal(-_INF, x)))
    base = choose(is_root, x, absolute(x), x)
    value = _magnitude(base, y) if x.dtype is float64 else _magnitude_f32(base, y, native)
    is_one = binary("or", Binary("eq", base, one), Binary("eq", y, literal(0.0, y)))
    return copysign(choose(is_one, 1.0, value, x), choose(is_odd, x, 1.0, x))


def pow_native(x: Expr, y: Expr) -> Expr:
    """``x**y`` for machines that have the calls of `exponents.NATIVE`."""
    return pow_(x, y, native=True)
