"""Arithmetic of the interpreter on one element.

How a value of a type is held: `index` as a Python int, bool as a Python or NumPy bool, float16 and bfloat16 as
`numpy.float32` (they compute in float32; only stores and casts round), every other type as its NumPy scalar.
NumPy scalars wrap, round and floor as the documentation of `akg.ir.expr` asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from akg.base.dtype import DType, bool_, float32, index
from akg.base.errors import InternalError
from akg.ir.functions import FLOAT_CALLS, PREDICATE_CALLS

Value = Any  # a NumPy scalar, int or bool: see above
Function = Callable[..., Value]


def minimum(a: Value, b: Value) -> Value:
    """The smaller value; NaN if either is NaN."""
    return b if b < a or b != b else a


def maximum(a: Value, b: Value) -> Value:
    """The larger value; NaN if either is NaN."""
    return b if b > a or b != b else a


def literal(value: float | int | bool, dtype: DType) -> Value:
    """A constant of `dtype`: rounded to the type in which it computes, integers wrapped."""
    if dtype is index:
        return int(value)
    if dtype is bool_:
        return bool(value)
    if dtype.is_float:
        return dtype.compute.numpy.type(value)
    wrapped = int(value) % 2**dtype.bits
    return np.array([wrapped], np.uint64).astype(dtype.numpy)[0]


def argument(value: object, dtype: DType) -> Value:
    """A scalar argument as the callee sees it: rounded to `dtype`."""
    if dtype in (index, bool_):
        return literal(value, dtype)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return hold(dtype)(dtype.numpy.type(value))


def hold(dtype: DType) -> Function:
    """How an element of an array of `dtype` becomes a value."""
    return np.float32 if dtype.compute is not dtype else _same


def _same(value: Value) -> Value:
    return value


def conversion(source: DType, target: DType) -> Function:
    """`akg.ir.expr.Cast` from `source` to `target`."""
    if target is bool_:
        return lambda x: bool(x != 0)
    wide = {"index": np.int64, "bool": np.bool_}.get(source.kind, _same)
    if target is index:
        return lambda x: int(wide(x).astype(np.int64))
    to, held = target.numpy, hold(target)
    return lambda x: held(wide(x).astype(to))


def bitcast(source: DType, target: DType) -> Function:
    """The bits of a value of `source` as a value of `target`, which is as wide."""
    if source.bits != target.bits:
        raise InternalError(f"bitcast from {source} to {target}")
    held = hold(target)
    finish: Function = int if target is index else held
    return lambda x: finish(np.asarray(x).astype(source.numpy).view(target.numpy)[()])


def function(name: str, dtype: DType) -> Function:
    """A function of `akg.ir.functions.FLOAT_CALLS` or `PREDICATE_CALLS`, or a part of a float, on values of `dtype`.

    float32 results are those of float64 functions, rounded once.
    """
    if name in PREDICATE_CALLS:
        return getattr(np, name)
    if (name not in FLOAT_CALLS and name not in _FLOAT64) or not dtype.is_float:
        raise InternalError(f"the interpreter has no {name} on {dtype}")
    exact = _FLOAT64[name] if name in _FLOAT64 else getattr(np, name)
    if dtype.compute is float32:
        return lambda *args: np.float32(exact(*map(np.float64, args)))
    return lambda *args: np.float64(exact(*args))


def _erf(x: np.float64) -> float:
    return math.erf(float(x))


def _sigmoid(x: np.float64) -> np.float64:
    e = np.exp(-abs(x))  # never overflows
    return 1 / (1 + e) if x >= 0 else e / (1 + e)


def _fma(a: np.float64, b: np.float64, c: np.float64) -> float | np.float64:
    if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
        return a * b + c
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    if exact == 0:
        return a * b + c  # for the sign of zero
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def _ldexp(x: np.float64, n: np.float64) -> float | np.float64:
    if np.isnan(n):
        return n
    if np.isinf(n):  # overrides NaN
        power = math.inf if n > 0 else 0.0
        return power if np.isnan(x) else x * power
    return np.ldexp(x, int(max(min(math.floor(n), 5000), -5000)))


def _exponent(x: np.float64) -> float:
    if x == 0 or not math.isfinite(x):
        return abs(float(x)) if x else -math.inf
    return float(math.frexp(x)[1] - 1)


def _significand(x: np.float64) -> float:
    if math.isnan(x) or x < 0:
        return math.nan
    if x == 0 or math.isinf(x):
        return 1.0
    m = math.frexp(x)[0]
    return m if m >= 0.75 else 2 * m


def _sixteenth(x: np.float64) -> float:
    return 2.0 ** ((int(np.float32(x).view(np.int32)) & 15) / 16)


_FLOAT64: dict[str, Function] = {
    "muladd": lambda a, b, c: a * b + c, "rarely": lambda a, c, b, x, y: b if c else a,
    "erf": _erf, "sigmoid": _sigmoid, "fma": _fma, "rsqrt": lambda x: 1 / np.sqrt(x), "pow": np.power,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "round": np.rint, "ldexp": _ldexp, "exponent": _exponent,
    "significand": _significand, "sixteenth": _sixteenth, "exp_below": np.exp, "gated": lambda a, x: a * _sigmoid(x),
    "fraction": lambda x: x - np.floor(x) if np.isfinite(x) else x - x if np.isnan(x) else 0.0,
}  # fmt: skip
