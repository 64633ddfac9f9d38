"""Inverse trigonometric and hyperbolic functions, in float64; float32 widens and uses shorter polynomials."""

from __future__ import annotations

import math
from collections.abc import Callable

from akg.base.dtype import float32, float64
from akg.codegen.math import coefficients as co
from akg.codegen.math.build import absolute, choose, copysign, fma, horner, is_infinite, literal, sqrt, widen
from akg.codegen.math.logarithm import log1p
from akg.ir.expr import Binary, Cast, Expr, binary

_HALF_PI = (1.5707963267948966, 6.123233995736766e-17)
_QUARTER_PI = (0.7853981633974483, 3.061616997868383e-17)


def _in_float64(rule: Callable[..., Expr]) -> Callable[..., Expr]:
    """`rule`, which takes float64 arguments and whether float32 digits are enough, for either width."""

    def either(*args: Expr) -> Expr:
        if args[0].dtype is float64:
            return rule(*args, short=False)
        return Cast(rule(*[widen(a) for a in args], short=True), float32)

    either.__doc__ = rule.__doc__
    return either


def _atan_pair(y: Expr, short: bool) -> tuple[Expr, Expr]:
    """atan of ``y >= 0`` as a base and a correction: y, or (y - 1)/(y + 1), or -1/y stays below tan(pi/8)."""
    is_mid = Binary("gt", y, literal(0.41421356237309503, y))
    is_big = Binary("gt", y, literal(2.414213562373095, y))
    top = choose(is_big, -1.0, choose(is_mid, y - 1.0, y, y), y)
    bottom = choose(is_big, y, choose(is_mid, y + 1.0, 1.0, y), y)
    t = top / bottom
    z = t * t
    tail = fma(t * z, horner(z, co.ATAN_F32 if short else co.ATAN_F64), t)
    base = choose(is_big, _HALF_PI[0], choose(is_mid, _QUARTER_PI[0], 0.0, y), y)
    rest = choose(is_big, _HALF_PI[1], choose(is_mid, _QUARTER_PI[1], 0.0, y), y)
    return base, tail + rest


@_in_float64
def atan(x: Expr, short: bool) -> Expr:
    """atan."""
    base, rest = _atan_pair(absolute(x), short)
    return copysign(base + rest, x)


@_in_float64
def atan2(y: Expr, x: Expr, short: bool) -> Expr:
    """The angle of the point (x, y), with the special cases of C."""
    a, b = absolute(y), absolute(x)
    is_steep = Binary("gt", a, b)
    small, large = choose(is_steep, b, a, x), choose(is_steep, a, b, x)
    ratio = small / choose(Binary("eq", large, literal(0.0, x)), 1.0, large, x)
    ratio = choose(binary("and", is_infinite(small), is_infinite(large)), 1.0, ratio, x)
    base, rest = _atan_pair(ratio, short)
    base, rest = choose(is_steep, -base, base, x), choose(is_steep, -rest, rest, x)
    is_left = Binary("lt", copysign(1.0, x), literal(0.0, x))
    # fold at the diagonal, then at the vertical axis: start + sign*(base + rest)
    turn = choose(is_steep, _HALF_PI[0], 0.0, x)
    turn_rest = choose(is_steep, _HALF_PI[1], 0.0, x)
    right = (turn + base) + (rest + turn_rest)
    left = choose(is_steep, (turn - base) - (rest - turn_rest), (2 * _HALF_PI[0] - base) - (rest - 2 * _HALF_PI[1]), x)
    value = copysign(choose(is_left, left, right, x), y)
    is_number = binary("and", Binary("eq", x, x), Binary("eq", y, y))
    return choose(is_number, value, x + y, x)


def _asin_parts(x: Expr, short: bool) -> tuple[Expr, Expr, Expr]:
    """Whether ``|x| <= 1/2``; then asin of `x`, else ``2*asin(sqrt((1 - |x|)/2))``, in two parts."""
    y = absolute(x)
    is_small = Binary("le", y, literal(0.5, x))
    z = choose(is_small, x * x, (literal(1.0, x) - y) * 0.5, x)
    s = sqrt(z)
    root = choose(is_small, x, s + s, x)
    return is_small, root, root * z * horner(z, co.ASIN_F32 if short else co.ASIN_F64)


@_in_float64
def asin(x: Expr, short: bool) -> Expr:
    """asin."""
    is_small, root, rest = _asin_parts(x, short)
    far = (literal(_HALF_PI[0], x) - root) - (rest - _HALF_PI[1])
    return choose(is_small, root + rest, copysign(far, x), x)


@_in_float64
def acos(x: Expr, short: bool) -> Expr:
    """acos."""
    is_small, root, rest = _asin_parts(x, short)
    is_left = Binary("lt", x, literal(0.0, x))
    mid = (literal(_HALF_PI[0], x) - root) - (rest - _HALF_PI[1])
    left = (literal(2 * _HALF_PI[0], x) - root) - (rest - 2 * _HALF_PI[1])
    return choose(is_small, mid, choose(is_left, left, root + rest, x), x)


@_in_float64
def asinh(x: Expr, short: bool) -> Expr:
    """asinh through log1p; beyond 2**56 as log(2x)."""
    y = absolute(x)
    is_big = Binary("gt", y, literal(2.0**56, x))
    square = y * y
    grown = y + square / (sqrt(square + 1.0) + 1.0)
    return copysign(log1p(choose(is_big, y, grown, x)) + choose(is_big, math.log(2.0), 0.0, x), x)


@_in_float64
def acosh(x: Expr, short: bool) -> Expr:
    """acosh through log1p; beyond 2**56 as log(2x)."""
    is_big = Binary("gt", x, literal(2.0**56, x))
    t = x - 1.0
    value = log1p(choose(is_big, x, t + sqrt(fma(t, t, t + t)), x)) + choose(is_big, math.log(2.0), 0.0, x)
    return choose(Binary("lt", x, literal(1.0, x)), math.nan, value, x)


@_in_float64
def atanh(x: Expr, short: bool) -> Expr:
    """atanh through log1p."""
    y = absolute(x)
    return copysign(log1p((y + y) / (literal(1.0, x) - y)) * 0.5, x)
