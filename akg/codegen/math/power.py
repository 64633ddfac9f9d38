"""``x**y`` with the special cases of C (ISO C17, F.10.4.4).

The logarithm comes with some 64 bits, as a sum of two floats: an error in it is multiplied by up to 745.
"""

from __future__ import annotations

import math

from akg.base.dtype import float32, float64
from akg.codegen.math import coefficients as co
from akg.codegen.math.build import absolute, at_least, at_most, choose, copysign, fma, horner, literal, widen
from akg.codegen.math.exponential import exp_clamped
from akg.codegen.math.logarithm import log, split_exponent
from akg.ir.expr import Binary, Call, Cast, Expr, binary, unary

_INF = math.inf
_LN2 = (0.6931471805599453, 2.3190468138462996e-17)
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
    """``x**y`` for positive float64 `x`, NaN or not, with the limits at 0 and infinity."""
    high, low = _log_pair(x)
    is_regular = binary("and", Binary("gt", x, literal(0.0, x)), Binary("lt", x, literal(_INF, x)))
    limit = choose(Binary("eq", x, literal(0.0, x)), -_INF, x, x)
    high = choose(is_regular, high, limit, x)
    low = choose(is_regular, low, 0.0, x)
    product = y * high
    rest = fma(y, low, fma(y, high, -product))
    rest = choose(Binary("lt", absolute(product), literal(800.0, x)), rest, 0.0, x)
    return exp_clamped(at_most(at_least(product, -746.0), 710.0), tail=rest)


def _magnitude_f32(x: Expr, y: Expr) -> Expr:
    """The same for float32 arguments: float64 holds what is needed."""
    product = widen(y) * log(widen(x))
    return Cast(exp_clamped(at_most(at_least(product, -200.0), 200.0)), float32)


def pow_(x: Expr, y: Expr) -> Expr:
    """``x**y``."""
    one, zero, base = literal(1.0, x), literal(0.0, x), absolute(x)
    value = _magnitude(base, y) if x.dtype is float64 else _magnitude_f32(base, y)
    is_number = Binary("eq", y, y)
    value = choose(binary("and", Binary("eq", base, one), is_number), 1.0, value, x)
    half = y * 0.5
    is_integer = Binary("eq", Call("floor", (y,), y.dtype), y)
    is_odd = binary("and", is_integer, Binary("ne", Call("floor", (half,), y.dtype), half))
    value = copysign(value, choose(is_odd, x, 1.0, x))
    is_finite = Binary("lt", base, literal(_INF, x))
    is_root = binary("and", Binary("lt", x, zero), is_finite)
    value = choose(binary("and", is_root, unary("not", is_integer)), math.nan, value, x)
    return choose(binary("or", Binary("eq", x, one), Binary("eq", y, zero)), 1.0, value, x)
