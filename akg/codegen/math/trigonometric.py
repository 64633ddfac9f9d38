"""sin, cos, tan over the whole range.

A float32 argument below 2**15 is reduced in float32: n times pi is taken off in three parts, of which the first leaves
an exact difference (Cody and Waite 1980, with fused multiply-adds). Larger ones are rare, and reduced in float64 by
steps. A step subtracts the nearest multiple of a large float K that is a multiple of 2 pi but for a tiny d; the
difference is exact, and n times d is taken off at the end. The rest is short and in float32.

In float64, up to 2**30 the argument is reduced by multiples of pi/2 in several parts (Cody and Waite 1980). Beyond,
its product with 2/pi is needed modulo 4 only (Payne and Hanek 1983): 2/pi is cut into chunks whose products with the
argument are exact, each product is reduced modulo 4 exactly, and the remainders are added with compensation.
"""

from __future__ import annotations

from akg.base.dtype import float32, float64, int64
from akg.codegen.math import coefficients as co
from akg.codegen.math.build import (
    absolute,
    at_least,
    bits_of,
    choose,
    fma,
    format_of,
    from_bits,
    horner,
    literal,
    rarely,
    widen,
)  # fmt: skip
from akg.ir.expr import Binary, Call, Cast, Const, Expr, binary, select

# 1300 bits of 2/pi as one integer; beyond them a float64 argument has no digits left.
_BITS = 1300
_TWO_OVER_PI = int(
    "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921c"
    "fe1deb1cb129a73ee88235f52ebb4484e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980f"
    "ef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d08"
    "56033046fc7b6babf0cfbc209af4361da9e39",
    16,
)
# The double nearest to pi/2, what it leaves, and what that leaves.
_HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
_CODY_WAITE_END = 2.0**30
_PI = (2 * _HALF_PI[0], 2 * _HALF_PI[1])
# Floats K and what a multiple of 2 pi has beyond them, from continued fractions of 2**k/(2 pi). A float32 is at most
# 2**43 times the first, and half of that 2**45 times the second: all that is left out is below 2**-60.
_STEPS = ((8451279557623493 * 2.0**32, -9.733295221176808e-17), (288469374822515 * 2.0**-7, -6.004489456758327e-17))

# Up to here three parts of pi are enough for float32; the first two are rounded down, so that zeros keep their signs.
_SHORT_END = 2.0**15
_PI_PARTS = (3.141592502593994, 1.5099578831723193e-07, 1.0780605906948477e-14)

Pair = tuple[Expr, Expr]


def _chunks(width: int, count: int) -> list[int]:
    """The first ``width*count`` bits of 2/pi, `width` bits each."""
    head = _TWO_OVER_PI >> (_BITS - width * count)
    return [(head >> (width * (count - 1 - k))) & ((1 << width) - 1) for k in range(count)]


def _sum(a: Expr, b: Expr) -> Pair:
    """``a + b`` exactly (Knuth 1969)."""
    s = a + b
    part = s - a
    return s, (a - (s - part)) + (b - part)


def _modulo_4(x: Expr) -> Expr:
    """`x` less the nearest multiple of 4, exact."""
    return fma(Call("round", (x * 0.25,), x.dtype), -4.0, x)


def _nearest(x: Expr, per_unit: float) -> tuple[Expr, Expr]:
    """``n = round(x*per_unit)``, below 2**51 or 2**22, as a float, and an integer with its low bits."""
    magic = literal(format_of(x).round_magic, x)
    t = fma(x, per_unit, magic)
    return t - magic, bits_of(t)


def _reduce_near(x: Expr) -> tuple[Expr, Pair]:
    """``(n, r)`` with ``x = n*pi/2 + r`` for ``|x| < 2**30``."""
    n, n_bits = _nearest(x, 0.6366197723675814)
    rest = fma(n, -_HALF_PI[0], x)  # exact: both are multiples of one ulp, and the difference is small
    step = n * _HALF_PI[1]
    high, error = _sum(rest, -step)
    low = error - fma(n, _HALF_PI[2], fma(n, _HALF_PI[1], -step))
    return n_bits, _sum(high, low)


def _reduce_terms(terms: list[Expr]) -> tuple[Expr, Pair]:
    """``(n, r)`` with ``n*pi/2 + r = (sum of terms)*pi/2``, n modulo 4; every term at most 2 in magnitude."""
    total, low = terms[0], literal(0.0, terms[0])
    for term in terms[1:]:
        total, error = _sum(total, term)
        low = low + error
    n, n_bits = _nearest(total, 1.0)
    high, low = _sum(total - n, low)
    product = high * _HALF_PI[0]
    return n_bits, (product, fma(high, _HALF_PI[0], -product) + fma(high, _HALF_PI[1], low * _HALF_PI[0]))


def _reduce_far(x: Expr) -> tuple[Expr, Pair]:
    """The same for ``|x|`` of 2**30 and more, by the five chunks of 53 bits that matter modulo 4."""
    exponent = ((bits_of(x) >> 52) & 0x7FF) - 1075  # x = integer * 2**exponent
    first = Cast(at_least(Call("floor", ((Cast(exponent, float64) - 2.0) / 53.0,), float64), 0.0), int64)
    first = select(Binary("lt", first, Const(19, int64)), first, Const(19, int64))
    window: list[Expr] = [Const(float(c), float64) for c in _chunks(53, 24)]
    for power in (4, 3, 2, 1, 0):
        step, needed = 1 << power, 4 + (1 << power)
        window += [Const(0.0, float64)] * (needed + step - len(window))
        is_on = Binary("ne", first & step, Const(0, int64))
        window = [select(is_on, window[k + step], window[k]) for k in range(needed)]
    scale = from_bits((Const(1023, int64) - first * 53) << 52)
    scaled = x * scale
    terms: list[Expr] = []
    for k, chunk in enumerate(window):
        digits = chunk * 2.0 ** (-53 * (k + 1))
        product = scaled * digits
        error = fma(scaled, digits, -product)
        terms += [_modulo_4(product) if k < 2 else product, _modulo_4(error) if k < 1 else error]
    return _reduce_terms(terms)


def _reduced(x: Expr) -> tuple[Expr, Pair]:
    """``(n, r)`` of float64 `x`: the quadrant in the low bits of n, ``|r| <= pi/4`` as a pair."""
    is_near = Binary("lt", absolute(x), literal(_CODY_WAITE_END, x))
    n1, r1 = _reduce_near(x)
    n2, r2 = _reduce_far(x)
    return select(is_near, n1, n2), (select(is_near, r1[0], r2[0]), select(is_near, r1[1], r2[1]))


def _sin_cos(r: Pair) -> Pair:
    """sin and cos of the pair `r` in [-pi/4, pi/4] (float64)."""
    x, low = r
    z = x * x
    tail = fma(x * z, horner(z, co.SIN_F64), low * fma(z, -0.5, 1.0))
    half = z * 0.5
    top = literal(1.0, x) - half
    rest = (literal(1.0, x) - top) - half
    cos = top + fma(z * z, horner(z, co.COS_F64), rest - x * low)
    return x + tail, cos


def _quadrant(x: Expr, shift: int) -> Pair:
    """sin of ``x + shift*pi/2`` and of the quadrant after it (float64)."""
    n, r = _reduced(x)
    sin, cos = _sin_cos(r)
    n = n + shift
    is_odd = Binary("ne", n & 1, Const(0, int64))
    sign = (n & 2) << 62
    first = binary("xor", bits_of(select(is_odd, cos, sin)), sign)
    second = binary("xor", bits_of(select(is_odd, -sin, cos)), sign)
    return from_bits(first), from_bits(second)


# --- float32 ------------------------------------------------------------------------------------------


def _short(x: Expr, offset: float = -0.0) -> Pair:
    """``(y, d)`` in float64 with ``y + d = x + offset`` modulo 2 pi: y of at most 53 bits below 2**41, d small.

    Without an offset, both are -0 where `x` is -0, and so is what follows from them.
    """
    y, d = widen(x), literal(offset, widen(x))
    for step, beyond in _STEPS:
        n, _ = _nearest(y, 1 / step)
        y = fma(n, -step, y)
        d = fma(n, beyond, d)
    return y, d


def _signed_sin(r: Expr, n_bits: Expr) -> Expr:
    """sin of float64 `r` in [-pi/2, pi/2], negated if n is odd, as float32."""
    x = Cast(from_bits(binary("xor", bits_of(r), n_bits << 63)), float32)
    z = x * x
    return x * horner(z, (1.0, *co.SIN_HALF_F32))


def _less(x: Expr, n: Expr, unit: float) -> Expr:
    """``x - n*pi*unit`` of float32 values, for a power of two and ``|x| < 2**15``."""
    for part in _PI_PARTS:
        x = fma(n, -part * unit, x)
    return x


def _signed_short_sin(r: Expr, n_bits: Expr) -> Expr:
    z = r * r
    return from_bits(binary("xor", bits_of(r * horner(z, (1.0, *co.SIN_HALF_F32))), n_bits << 31))


def _is_far(x: Expr) -> Expr:
    return Binary("ge", absolute(x), literal(_SHORT_END, x))


def _sin_f32(x: Expr) -> Expr:
    n, n_bits = _nearest(x, 1 / _PI[0])
    return rarely(_signed_short_sin(_less(x, n, 1.0), n_bits), _is_far(x), _far_sin_f32(x), x)


def _cos_f32(x: Expr) -> Expr:
    """``cos(x) = sin(x + pi/2)``."""
    n, n_bits = _nearest(fma(x, 1 / _PI[0], 0.5), 1.0)
    return rarely(_signed_short_sin(_less(x, n - 0.5, 1.0), n_bits), _is_far(x), _far_cos_f32(x), x)


def _tan_f32(x: Expr) -> Expr:
    n, n_bits = _nearest(x, 2 / _PI[0])
    return rarely(_ratio(_less(x, n, 0.5), n_bits), _is_far(x), _far_tan_f32(x), x)


def _ratio(r: Expr, n_bits: Expr) -> Expr:
    """tan of float32 `r` in [-pi/4, pi/4], or the tangent a quarter turn on if n is odd."""
    z = r * r
    sin = r * horner(z, (1.0, *co.SIN_F32))
    cos = fma(z, horner(z, (-0.5, *co.COS_F32)), 1.0)
    is_odd = Binary("ne", n_bits & 1, Const(0, n_bits.dtype))
    return select(is_odd, cos, sin) / select(is_odd, -sin, cos)


def _far_sin_f32(x: Expr) -> Expr:
    y, d = _short(x)
    n, n_bits = _nearest(y, 1 / _PI[0])
    return _signed_sin(fma(n, -_PI[0], y) + fma(n, -_PI[1], d), n_bits)


def _far_cos_f32(x: Expr) -> Expr:
    y, d = _short(x, _PI[1] / 2)
    n, n_bits = _nearest(fma(y, 1 / _PI[0], 0.5), 1.0)
    rest = fma(n, -_PI[0], y) + _PI[0] / 2  # exact: a multiple of 2**-52 below 2
    return _signed_sin(rest + fma(n, -_PI[1], d), n_bits)


def _far_tan_f32(x: Expr) -> Expr:
    y, d = _short(x)
    n, n_bits = _nearest(y, 2 / _PI[0])
    return _ratio(Cast(fma(n, -_HALF_PI[0], y) + fma(n, -_HALF_PI[1], d), float32), n_bits)


# ------------------------------------------------------------------------------------------------------


def _keep_zero(x: Expr, value: Expr) -> Expr:
    return choose(Binary("eq", x, literal(0.0, x)), x, value, x)


def sin(x: Expr) -> Expr:
    """sin."""
    return _sin_f32(x) if x.dtype is float32 else _keep_zero(x, _quadrant(x, 0)[0])


def cos(x: Expr) -> Expr:
    """cos."""
    return _cos_f32(x) if x.dtype is float32 else _quadrant(x, 1)[0]


def tan(x: Expr) -> Expr:
    """tan as sin over cos."""
    if x.dtype is float32:
        return _tan_f32(x)
    top, bottom = _quadrant(x, 0)
    return _keep_zero(x, top / bottom)
