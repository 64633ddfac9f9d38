"""The derivatives of the functions of `FLOAT_CALLS`.

An entry takes the adjoint of the result, the result and the arguments, and gives the adjoint of each argument:
None where it is zero everywhere, which is how piecewise constant functions count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from akg.ir.expr import Const, Expr, binary, call, cast, select
from akg.ops.gradient.arithmetic import negated, over, times

Adjoints: TypeAlias = "tuple[Expr | None, ...]"
Derivative: TypeAlias = Callable[[Expr, Expr, tuple[Expr, ...]], Adjoints]


def _scaled(factor: Callable[[Expr, Expr], Expr | float]) -> Derivative:
    """The derivative of a function of one argument, from (argument, result)."""
    return lambda g, y, args: (times(g, factor(args[0], y)),)


def _quotient(divisor: Callable[[Expr, Expr], Expr | float]) -> Derivative:
    """As `_scaled`, for one over `divisor`."""
    return lambda g, y, args: (over(g, divisor(args[0], y)),)


def _zero(g: Expr, y: Expr, args: tuple[Expr, ...]) -> Adjoints:
    return (None,) * len(args)


def _one_minus_square(x: Expr) -> Expr:
    """``1 - x**2``, which does not cancel near 1."""
    return (1.0 - x) * (1.0 + x)


def _power(g: Expr, y: Expr, args: tuple[Expr, ...]) -> Adjoints:
    base, exponent = args
    if isinstance(exponent, Const):
        n = float(exponent)
        if n == 2.0:
            return times(times(g, 2.0), base), None
        if n == 0.0:
            return None, None
        return times(times(g, n), call("pow", base, Const(n - 1.0, exponent.dtype))), None
    slope = times(exponent, call("pow", base, binary("sub", exponent, 1.0)))
    # 0**0 has the slope 0 in the base; the slope in the exponent tends to 0 with the base
    slope = select(binary("eq", exponent, 0.0), Const(0.0, slope.dtype), slope)
    logarithm = select(binary("gt", base, 0.0), times(y, call("log", base)), Const(0.0, y.dtype))
    return times(g, slope), times(g, logarithm)


def _atan2(g: Expr, y: Expr, args: tuple[Expr, ...]) -> Adjoints:
    square = args[1] * args[1] + args[0] * args[0]
    return over(times(g, args[1]), square), negated(over(times(g, args[0]), square))


def _copysign(g: Expr, y: Expr, args: tuple[Expr, ...]) -> Adjoints:
    one = Const(1.0, args[0].dtype)
    return times(times(g, call("copysign", one, args[0])), call("copysign", one, args[1])), None


def _ldexp(g: Expr, y: Expr, args: tuple[Expr, ...]) -> Adjoints:
    return call("ldexp", cast(g, args[1].dtype), args[1]), None


DERIVATIVES: dict[str, Derivative] = {
    "exp": _scaled(lambda x, y: y),
    "exp2": _scaled(lambda x, y: times(y, math.log(2.0))),
    "expm1": _scaled(lambda x, y: call("exp", x)),  # y + 1 would cancel
    "log": _quotient(lambda x, y: x),
    "log2": _quotient(lambda x, y: x * math.log(2.0)),
    "log10": _quotient(lambda x, y: x * math.log(10.0)),
    "log1p": _quotient(lambda x, y: 1.0 + x),
    "sqrt": _quotient(lambda x, y: 2.0 * y),
    "rsqrt": _scaled(lambda x, y: times(y * y * y, -0.5)),
    "sinh": _scaled(lambda x, y: call("cosh", x)),
    "cosh": _scaled(lambda x, y: call("sinh", x)),
    "tanh": _scaled(lambda x, y: _one_minus_square(y)),
    "sin": _scaled(lambda x, y: call("cos", x)),
    "cos": _scaled(lambda x, y: negated(call("sin", x))),
    "tan": _scaled(lambda x, y: 1.0 + y * y),
    "asin": _scaled(lambda x, y: call("rsqrt", _one_minus_square(x))),
    "acos": _scaled(lambda x, y: negated(call("rsqrt", _one_minus_square(x)))),
    "atan": _quotient(lambda x, y: 1.0 + x * x),
    "atan2": _atan2,
    "asinh": _scaled(lambda x, y: call("rsqrt", 1.0 + x * x)),
    "acosh": _scaled(lambda x, y: call("rsqrt", (x - 1.0) * (x + 1.0))),
    "atanh": _quotient(lambda x, y: _one_minus_square(x)),
    "erf": _scaled(lambda x, y: times(call("exp", negated(x * x)), 2.0 / math.sqrt(math.pi))),
    "sigmoid": _scaled(lambda x, y: y * (1.0 - y)),
    "pow": _power,
    "fma": lambda g, y, args: (times(g, args[1]), times(g, args[0]), g),
    "copysign": _copysign,
    "ldexp": _ldexp,
    "floor": _zero, "ceil": _zero, "round": _zero, "trunc": _zero,
}  # fmt: skip
