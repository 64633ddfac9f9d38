"""A vectorised evaluator of expressions for the tests of the expansions: NumPy with the semantics of `akg.ir.expr`.

It is independent of the interpreter and of every backend. A fused multiply-add rounds once: float32 through
float64, float64 by an error-free transformation (Dekker 1971).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from akg.ir.expr import Binary, Call, Cast, Const, Expr, Select, Unary, Var
from akg.ir.rewrite import walk_expr

Array = np.ndarray[Any, Any]


def fma64(a: Array, b: Array, c: Array) -> Array:
    """``a*b + c`` in float64, rounded once but for rare double rounding."""
    product = a * b
    plain = product + c
    split = 134217729.0
    big = (np.abs(a) > 2.0**900) | (np.abs(b) > 2.0**900) | (np.abs(product) > 2.0**1000)
    tiny = np.abs(product) < 2.0**-900
    x, y = np.where(big | tiny, 1.0, a), np.where(big | tiny, 1.0, b)
    xh = x * split - (x * split - x)
    yh = y * split - (y * split - y)
    xl, yl = x - xh, y - yh
    p = x * y
    error = ((xh * yh - p) + xh * yl + xl * yh) + xl * yl
    s = p + c
    back = s - p
    rest = (p - (s - back)) + (c - back)
    exact = s + (rest + error)
    return np.where(big | tiny | ~np.isfinite(plain), plain, exact)


def _fma(a: Array, b: Array, c: Array) -> Array:
    if a.dtype == np.float32:
        return (a.astype(np.float64) * b.astype(np.float64) + c.astype(np.float64)).astype(np.float32)
    return fma64(a, b, c)


def _ldexp(x: Array, n: Array) -> Array:
    result = np.ldexp(x, np.clip(np.nan_to_num(np.floor(n)), -5000, 5000).astype(np.int32))
    power = np.where(n > 0, x.dtype.type(np.inf), x.dtype.type(0))
    result = np.where(np.isinf(n), np.where(np.isnan(x), power, x * power), result)
    return np.where(np.isnan(n), n, result)


def _exponent(x: Array) -> Array:
    e = (np.frexp(x)[1] - 1).astype(x.dtype)
    return np.where(x == 0, x.dtype.type(-np.inf), np.where(np.isfinite(x), e, np.abs(x)))


def _significand(x: Array) -> Array:
    m = np.frexp(x)[0]
    m = np.where(m < 0.75, m * 2, m)
    m = np.where((x == 0) | (x == np.inf), x.dtype.type(1), m)
    return np.where(x < 0, x.dtype.type(np.nan), m)


def _sixteenth(x: Array) -> Array:
    return np.exp2((np.ascontiguousarray(x).view(np.int32) & 15) / 16).astype(np.float32)


def _fraction(x: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(x), x.dtype.type(0), x - np.floor(x))


_BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "min": np.minimum, "max": np.maximum,
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "shl": np.left_shift, "shr": np.right_shift, "floordiv": np.floor_divide, "mod": np.mod,
}  # fmt: skip
_UNARY: dict[str, Callable[[Array], Array]] = {"neg": np.negative, "abs": np.abs, "not": np.invert}
_CALLS: dict[str, Callable[..., Array]] = {
    "fma": _fma, "copysign": np.copysign, "sqrt": np.sqrt, "floor": np.floor, "ceil": np.ceil, "round": np.rint,
    "trunc": np.trunc, "ldexp": _ldexp, "exponent": _exponent, "significand": _significand,
    "sixteenth": _sixteenth, "fraction": _fraction, "rarely": lambda a, c, b, x, y: np.where(c, b, a),
}  # fmt: skip


def _cast(node: Cast, a: Array) -> Array:
    target = node.dtype.numpy
    if a.dtype.kind == "f" and target.kind == "i":
        # out of range is undefined: give garbage that is not the saturated value
        bound = 2.0 ** (8 * target.itemsize - 1)
        valid = (a >= -bound) & (a < bound)
        return np.where(valid, np.where(valid, a, 0).astype(target), np.array(0x5A5A5A5A, target))
    return a.astype(target)


def evaluate(root: Expr, values: Mapping[Var, Array]) -> Array:
    """The value of `root` where each variable is an array; arrays broadcast."""
    memo: dict[Expr, Array] = {}
    with np.errstate(all="ignore"):
        for node in walk_expr(root):
            if isinstance(node, Const):
                result = np.asarray(node.value).astype(node.dtype.numpy)
            elif isinstance(node, Var):
                result = values[node]
            elif isinstance(node, Binary):
                result = _BINARY[node.op](memo[node.a], memo[node.b])
            elif isinstance(node, Unary):
                result = _UNARY[node.op](memo[node.a])
            elif isinstance(node, Cast):
                result = _cast(node, memo[node.a])
            elif isinstance(node, Select):
                result = np.where(memo[node.cond], memo[node.a], memo[node.b])
            elif isinstance(node, Call) and node.fn == "bitcast":
                result = np.ascontiguousarray(memo[node.args[0]]).view(node.dtype.numpy)
            elif isinstance(node, Call):
                result = _CALLS[node.fn](*[memo[a] for a in node.args])
            else:
                raise AssertionError(f"unexpected node {type(node).__name__}")
            memo[node] = np.asarray(result)
            assert memo[node].dtype == node.dtype.numpy, (node, memo[node].dtype)
    return memo[root]
