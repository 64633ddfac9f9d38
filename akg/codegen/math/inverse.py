"""Inverse trigonometric and hyperbolic functions, each in the type of its argument."""

from __future__ import annotations

import math

from akg.base.dtype import float32
from akg.codegen.math import coefficients as co
from akg.codegen.math.build import absolute, choose, copysign, fma, horner, is_infinite, literal, rarely, sqrt
from akg.codegen.math.logarithm import log1p
from akg.ir.expr import Binary, Expr, binary, unary


def _half_pi(x: Expr) -> tuple[float, float]:
    """pi/2 as the nearest number of the type of `x`, and the rest."""
    if x.dtype is float32:
        return (1.57079637050628662, -4.37113900018624283e-8)
    return (1.5707963267948966, 6.123233995736766e-17)


def far(x: Expr) -> float:
    """From here on, 1 more makes no difference to a logarithm."""
    return 2.0**26 if x.dtype is float32 else 2.0**56


def _atan_pair(y: Expr) -> tuple[Expr, Expr]:
    """atan of ``y >= 0`` as a base and a correction: y, or (y - 1)/(y + 1), or -1/y stays below tan(pi/8)."""
    is_mid = Binary("gt", y, literal(0.41421356237309503, y))
    is_big = Binary("gt", y, literal(2.414213562373095, y))
    top = choose(is_big, -1.0, choose(is_mid, y - 1.0, y, y), y)
    bottom = choose(is_big, y, choose(is_mid, y + 1.0, 1.0, y), y)
    t = top / bottom
    z = t * t
    tail = fma(t * z, horner(z, co.ATAN_F32 if y.dtype is float32 else co.ATAN_F64), t)
    half, half_rest = _half_pi(y)
    base = choose(is_big, half, choose(is_mid, half / 2, 0.0, y), y)
    rest = choose(is_big, half_rest, choose(is_mid, half_rest / 2, 0.0, y), y)
    return base, tail + rest


def atan(x: Expr) -> Expr:
    """atan."""
    base, rest = _atan_pair(absolute(x))
    return copysign(base + rest, x)


def atan2(y: Expr, x: Expr) -> Expr:
    """The angle of the point (x, y), with the special cases of C.

    With one division: of the smaller by the larger one, or of their difference by their sum. Where the larger one is
    zero, or so large that the sum may be infinite, or NaN, is rare.
    """
    a, b = absolute(y), absolute(x)
    is_steep = Binary("gt", a, b)
    small, large = choose(is_steep, b, a, x), choose(is_steep, a, b, x)
    is_mid = Binary("gt", small, large * 0.41421356237309503)
    t = choose(is_mid, small - large, small, x) / choose(is_mid, small + large, large, x)
    z = t * t
    rest = fma(t * z, horner(z, co.ATAN_F32 if x.dtype is float32 else co.ATAN_F64), t)
    # the angle is a multiple of pi/4, and `rest` with a sign
    half, half_rest = _half_pi(x)
    is_left = Binary("lt", copysign(1.0, x), literal(0.0, x))
    is_turned = binary("xor", is_steep, is_left)
    start = choose(is_steep, half, choose(is_left, 2 * half, 0.0, x), x)
    eighth = choose(is_mid, half / 2, 0.0, x)
    start = start + choose(is_turned, -eighth, eighth, x)
    value = copysign(start + fma(start, half_rest / half, choose(is_turned, -rest, rest, x)), y)
    is_usual = binary("and", Binary("gt", large, literal(0.0, x)), Binary("lt", large, literal(_half_range(x), x)))
    return rarely(value, unary("not", is_usual), _any_atan2(y, x), y, x)


def _half_range(x: Expr) -> float:
    """The sum of two smaller numbers is finite."""
    return 2.0**126 if x.dtype is float32 else 2.0**1022


def _any_atan2(y: Expr, x: Expr) -> Expr:
    a, b = absolute(y), absolute(x)
    is_steep = Binary("gt", a, b)
    small, large = choose(is_steep, b, a, x), choose(is_steep, a, b, x)
    ratio = small / choose(Binary("eq", large, literal(0.0, x)), 1.0, large, x)
    ratio = choose(binary("and", is_infinite(small), is_infinite(large)), 1.0, ratio, x)
    base, rest = _atan_pair(ratio)
    base, rest = choose(is_steep, -base, base, x), choose(is_steep, -rest, rest, x)
    is_left = Binary("lt", copysign(1.0, x), literal(0.0, x))
    # fold at the diagonal, then at the vertical axis: start + sign*(base + rest)
    half, half_rest = _half_pi(x)
    turn = choose(is_steep, half, 0.0, x)
    turn_rest = choose(is_steep, half_rest, 0.0, x)
    right = (turn + base) + (rest + turn_rest)
    left = choose(is_steep, (turn - base) - (rest - turn_rest), (2 * half - base) - (rest - 2 * half_rest), x)
    value = copysign(choose(is_left, left, right, x), y)
    is_number = binary("and", Binary("eq", x, x), Binary("eq", y, y))
    return choose(is_number, value, x + y, x)


def _asin_parts(x: Expr) -> tuple[Expr, Expr, Expr]:
    """Whether ``|x| <= 1/2``; then asin of `x`, else ``2*asin(sqrt((1 - |x|)/2))``, in two parts."""
    y = absolute(x)
    is_small = Binary("le", y, literal(0.5, x))
    z = choose(is_small, x * x, (literal(1.0, x) - y) * 0.5, x)
    s = sqrt(z)
    root = choose(is_small, x, s + s, x)
    return is_small, root, root * z * horner(z, co.ASIN_F32 if x.dtype is float32 else co.ASIN_F64)


def asin(x: Expr) -> Expr:
    """asin."""
    is_small, root, rest = _asin_parts(x)
    half, half_rest = _half_pi(x)
    far = (literal(half, x) - root) - (rest - half_rest)
    return choose(is_small, root + rest, copysign(far, x), x)


def acos(x: Expr) -> Expr:
    """acos."""
    is_small, root, rest = _asin_parts(x)
    is_left = Binary("lt", x, literal(0.0, x))
    half, half_rest = _half_pi(x)
    mid = (literal(half, x) - root) - (rest - half_rest)
    left = (literal(2 * half, x) - root) - (rest - 2 * half_rest)
    return choose(is_small, mid, choose(is_left, left, root + rest, x), x)


def asinh(x: Expr) -> Expr:
    """asinh through log1p; where 1 makes no difference as log(2x)."""
    y = absolute(x)
    is_big = Binary("gt", y, literal(far(x), x))
    square = y * y
    grown = y + square / (sqrt(square + 1.0) + 1.0)
    return copysign(log1p(choose(is_big, y, grown, x)) + choose(is_big, math.log(2.0), 0.0, x), x)


def acosh(x: Expr) -> Expr:
    """acosh through log1p; where 1 makes no difference as log(2x)."""
    is_big = Binary("gt", x, literal(far(x), x))
    t = x - 1.0
    value = log1p(choose(is_big, x, t + sqrt(fma(t, t, t + t)), x)) + choose(is_big, math.log(2.0), 0.0, x)
    return choose(Binary("lt", x, literal(1.0, x)), math.nan, value, x)


def atanh(x: Expr) -> Expr:
    """atanh through log1p."""
    y = absolute(x)
    return copysign(log1p((y + y) / (literal(1.0, x) - y)) * 0.5, x)
