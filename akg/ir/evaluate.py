"""Index arithmetic on several values of its variables at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from akg.base.dtype import bool_, index
from akg.ir.expr import Binary, Cast, Const, Expr, Select, Unary, Var

Values: TypeAlias = "NDArray[Any]"

_BINARY: dict[str, Callable[[Values, Values], Values]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "min": np.minimum, "max": np.maximum,
    "floordiv": np.floor_divide, "mod": np.mod, "and": np.bitwise_and, "or": np.bitwise_or,
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip


def evaluate(expr: Expr, values: Mapping[Var, Values], memo: dict[Expr, Values | None] | None = None) -> Values | None:
    """What an expression of indices and conditions is for each of several values of its variables.

    Args:
        expr: the expression.
        values: of variables, int64 arrays of one shape.
        memo: of parts of expressions under the same values.

    Returns:
        An int64 or bool array of that shape, or of rank 0; None where other variables, loads, functions or a division
        by zero are in it.
    """
    memo = {} if memo is None else memo
    if expr not in memo:
        memo[expr] = _evaluate(expr, values, memo)
    return memo[expr]


def _evaluate(expr: Expr, values: Mapping[Var, Values], memo: dict[Expr, Values | None]) -> Values | None:
    if isinstance(expr, Var):
        return values.get(expr)
    if expr.dtype is not index and expr.dtype is not bool_:
        return None
    if isinstance(expr, Const):
        return np.asarray(expr.value)
    operands = [evaluate(c, values, memo) for c in expr.children]
    known = [x for x in operands if x is not None]
    if len(known) < len(operands):
        return None
    if isinstance(expr, Binary):
        is_division = expr.op in ("floordiv", "mod")
        rule = None if is_division and not np.all(known[1]) else _BINARY.get(expr.op)
        return None if rule is None else rule(*known)
    if isinstance(expr, Unary):
        return -known[0] if expr.op == "neg" else np.logical_not(known[0]) if expr.op == "not" else None
    if isinstance(expr, Select):
        return np.where(*known)
    return known[0].astype(np.int64) if isinstance(expr, Cast) and expr.dtype is index else None
