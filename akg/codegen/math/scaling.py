"""ldexp by multiplications with powers of two, for machines that have no instruction for it."""

from __future__ import annotations

import math

from akg.codegen.math.build import absolute, at_least, at_most, bits_of, choose, format_of, from_bits, literal
from akg.ir.expr import Binary, Call, Expr


def ldexp(x: Expr, n: Expr) -> Expr:
    """``x * 2**floor(n)`` rounded once; 2 to an infinite power is 0 or infinite and overrides NaN in `x`.

    Large powers go in up to three factors. Steps down leave room for the digits of the significand above the
    smallest normal number, so that only the last factor rounds.
    """
    kind = format_of(x)
    up, down = float(kind.bias), float(kind.bias - 1 - kind.mantissa - 1)
    limit = 3.0 * kind.bias
    rest = at_most(at_least(Call("floor", (n,), n.dtype), -limit), limit)
    value = x
    for _ in range(2):
        is_large = Binary("gt", rest, literal(up, x))
        value = value * choose(is_large, 2.0**up, 1.0, x)
        rest = rest - choose(is_large, up, 0.0, x)
    for _ in range(2):
        is_small = Binary("lt", rest, literal(1.0 - up, x))
        value = value * choose(is_small, 2.0**-down, 1.0, x)
        rest = rest + choose(is_small, down, 0.0, x)
    # here rest is in the range of exponents, or beyond it where the result is infinite or 0 anyway
    rest = at_most(at_least(rest, 1.0 - up), up)
    bits = bits_of(rest + literal(kind.round_magic + kind.bias, x)) << kind.mantissa
    value = value * from_bits(bits)
    power = choose(Binary("gt", n, literal(0.0, n)), math.inf, 0.0, n)
    limited = choose(Binary("ne", x, x), power, x * power, x)
    is_infinite = Binary("eq", absolute(n), literal(math.inf, n))
    value = choose(is_infinite, limited, value, x)
    return choose(Binary("ne", n, n), n, value, x)
