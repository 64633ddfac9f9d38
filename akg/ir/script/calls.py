"""The functions that a script may call: builtins, `math`, and NumPy, each with the types that it returns.

``np.exp(x)`` computes in the type of `x`, as NumPy does. ``math.exp(x)`` computes in float64 and gives a
Python number, as Python does; on float32 data that costs accuracy nothing and speed a factor of two.
Python's ``max(a, b)`` and ``min(a, b)`` become the IR's, which return NaN if either side is NaN.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from akg.base.dtype import BUFFER_DTYPES, DType, bool_, float32, float64, index, int64
from akg.base.errors import AkgError
from akg.ir.expr import Const, Expr, call, cast, power
from akg.ir.script.values import (
    Value,
    absolute,
    choose,
    combine,
    convert,
    literal,
    match,
    negate,
    strong,
    truth,
)  # fmt: skip

Rule = Callable[..., Value]

# name in the IR -> names of the same function in NumPy and in math
_FLOAT_NAMES: dict[str, tuple[str, str]] = {
    "exp": ("exp", "exp"), "exp2": ("exp2", "exp2"), "expm1": ("expm1", "expm1"), "log": ("log", "log"),
    "log2": ("log2", "log2"), "log10": ("log10", "log10"), "log1p": ("log1p", "log1p"), "sqrt": ("sqrt", "sqrt"),
    "tanh": ("tanh", "tanh"), "sinh": ("sinh", "sinh"), "cosh": ("cosh", "cosh"), "sin": ("sin", "sin"),
    "cos": ("cos", "cos"), "tan": ("tan", "tan"), "asin": ("arcsin", "asin"), "acos": ("arccos", "acos"),
    "atan": ("arctan", "atan"), "atan2": ("arctan2", "atan2"), "asinh": ("arcsinh", "asinh"),
    "acosh": ("arccosh", "acosh"), "atanh": ("arctanh", "atanh"), "erf": ("", "erf"), "pow": ("", "pow"),
    "floor": ("floor", ""), "ceil": ("ceil", ""), "trunc": ("trunc", ""), "round": ("rint", ""),
    "copysign": ("copysign", "copysign"), "isnan": ("isnan", "isnan"), "isinf": ("isinf", "isinf"),
    "isfinite": ("isfinite", "isfinite"),
}  # fmt: skip
_BINARY_NAMES: dict[str, str] = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div",
    "floor_divide": "floordiv", "mod": "mod", "remainder": "mod", "maximum": "max", "minimum": "min",
}  # fmt: skip


def float_call(fn: str, args: tuple[Value, ...]) -> Value:
    """A NumPy function: NumPy's type of the arguments, made float."""
    exprs = [a.expr for a in args]
    if len(args) == 2:
        exprs[0], exprs[1], _ = match(*args)
    return Value(call(fn, *[strong(Value(e)) for e in exprs]))


def math_call(fn: str, args: tuple[Value, ...]) -> Value:
    """A function of `math`: float64 in, a Python number out."""
    result = call(fn, *[convert(a.expr, float64) for a in args])
    return Value(result, result.dtype.is_float)


def _exponent_of(n: Value) -> Expr:
    """The second operand of ldexp: an integer, which does not take part in the promotion of types."""
    if not n.dtype.is_integer and n.dtype is not bool_:
        raise AkgError(
            "AKG-E225", f"the exponent of ldexp is {n.dtype}", because="it is an integer, as in NumPy",
            hint="convert it: int(n)",
        )  # fmt: skip
    return n.expr


def _numpy_ldexp(a: Value, n: Value) -> Value:
    """``x * 2**n``, rounded once, in the type of `x` made float."""
    x, exponent = strong(a), _exponent_of(n)
    if not x.dtype.is_float:
        x = cast(x, float32 if x.dtype.bits <= 16 else float64)
    wide = x.dtype.compute  # it holds all that a float16 can become, exactly
    return Value(cast(call("ldexp", cast(x, wide), cast(exponent, wide)), x.dtype))


def _math_ldexp(a: Value, n: Value) -> Value:
    result = call("ldexp", convert(a.expr, float64), cast(_exponent_of(n), float64))
    return Value(result, True)


def raise_power(a: Value, b: Value) -> Value:
    """``a ** b``: products for the exponents 0..4 of integers, `pow` in floating point otherwise."""
    exponent = b.expr.value if isinstance(b.expr, Const) else None
    if b.dtype is index and exponent is not None:
        if a.dtype is index and isinstance(a.expr, Const) and int(exponent) >= 0:
            return literal(int(a.expr) ** int(exponent))
        if 1 <= int(exponent) <= 4:
            return Value(power(a.expr, int(exponent)), a.is_weak)
    x, y, is_weak = match(a, b)
    return Value(power(x, y), is_weak)


def to_type(dtype: DType) -> Rule:
    """The cast ``np.float32(x)``."""
    return lambda a: Value(convert(a.expr, dtype))


def _to_float(a: Value) -> Value:
    return Value(convert(a.expr, float64), True)


def _to_int(a: Value) -> Value:
    return a if a.dtype is index else Value(cast(a.expr, int64), True)


def _math_to_int(fn: str) -> Rule:
    return lambda a: a if a.dtype is index else Value(cast(call(fn, convert(a.expr, float64)), int64), True)


def _fold(op: str) -> Rule:
    def rule(*args: Value) -> Value:
        result = args[0]
        for a in args[1:]:
            result = combine(op, result, a)
        return result

    return rule


def _numpy_binary(op: str) -> Rule:
    return lambda a, b: Value(strong(combine(op, a, b)))


def _where(cond: Value, a: Value, b: Value) -> Value:
    return Value(strong(choose(truth(cond), a, b)))


def _sign(a: Value) -> Value:
    zero, one = literal(0), literal(1)
    below: Expr = combine("lt", a, zero).expr
    above: Expr = combine("gt", a, zero).expr
    return Value(strong(choose(above, one, choose(below, negate(one), combine("mul", a, zero)))))


def _clip(a: Value, low: Value, high: Value) -> Value:
    return Value(strong(combine("min", combine("max", a, low), high)))


def _float_rule(fn: str, rule: Callable[[str, tuple[Value, ...]], Value], arity: int) -> Rule:
    return (lambda a: rule(fn, (a,))) if arity == 1 else (lambda a, b: rule(fn, (a, b)))


def _table() -> dict[int, tuple[Rule, int, int]]:
    """id of the function -> its rule, and the least and greatest number of arguments."""
    table: dict[int, tuple[Rule, int, int]] = {
        id(builtins.min): (_fold("min"), 2, 64),
        id(builtins.max): (_fold("max"), 2, 64),
        id(builtins.abs): (absolute, 1, 1),
        id(builtins.float): (_to_float, 1, 1),
        id(builtins.int): (_to_int, 1, 1),
        id(builtins.bool): (lambda a: Value(truth(a)), 1, 1),
        id(builtins.pow): (raise_power, 2, 2),
        id(math.fabs): (lambda a: absolute(_to_float(a)), 1, 1),
        id(math.floor): (_math_to_int("floor"), 1, 1),
        id(math.ceil): (_math_to_int("ceil"), 1, 1),
        id(math.trunc): (_math_to_int("trunc"), 1, 1),
        id(np.where): (_where, 3, 3),
        id(np.sign): (_sign, 1, 1),
        id(np.clip): (_clip, 3, 3),
        id(np.square): (lambda a: Value(strong(combine("mul", a, a))), 1, 1),
        id(np.negative): (lambda a: Value(strong(negate(a))), 1, 1),
        id(np.reciprocal): (lambda a: Value(strong(combine("div", literal(1.0), a))), 1, 1),
        id(np.ldexp): (_numpy_ldexp, 2, 2),
        id(math.ldexp): (_math_ldexp, 2, 2),
        id(np.power): (lambda a, b: Value(strong(raise_power(a, b))), 2, 2),
    }
    for absolute_value in (np.abs, np.absolute, np.fabs):
        table[id(absolute_value)] = (lambda a: Value(strong(absolute(a))), 1, 1)
    for fn, (in_numpy, in_math) in _FLOAT_NAMES.items():
        arity = 2 if fn in ("atan2", "pow", "copysign") else 1
        if in_numpy:
            table[id(getattr(np, in_numpy))] = (_float_rule(fn, float_call, arity), arity, arity)
        if in_math and hasattr(math, in_math):
            table[id(getattr(math, in_math))] = (_float_rule(fn, math_call, arity), arity, arity)
    for in_numpy, op in _BINARY_NAMES.items():
        table[id(getattr(np, in_numpy))] = (_numpy_binary(op), 2, 2)
    for dtype in BUFFER_DTYPES:
        table[id(dtype.numpy.type)] = (to_type(dtype), 1, 1)
    return table


# Keyed by identity: some of the objects are not hashable by value, and equal is not the same here.
FUNCTIONS: Mapping[int, tuple[Rule, int, int]] = _table()
NAMES: frozenset[str] = frozenset({
    "min", "max", "abs", "float", "int", "bool", "pow", "fabs", "floor", "ceil", "where", "sign", "clip", "square",
    "negative", "power", "absolute", "ldexp", *_BINARY_NAMES, *[n for pair in _FLOAT_NAMES.values() for n in pair if n],
    *[d.name for d in BUFFER_DTYPES],
})  # fmt: skip


def rule_of(function: Any) -> tuple[Rule, int, int] | None:
    """The rule of a function object with its least and greatest number of arguments, or None."""
    return FUNCTIONS.get(id(function))
