"""Values of a script's expressions, typed as NumPy 2 types them.

Python numbers, loop variables and sizes are *weak*: they take the type of their partner (NEP 50).
"""

from __future__ import annotations

from dataclasses import dataclass

from akg.base.dtype import DType, bool_, float64, index, int64, promote
from akg.ir.expr import (
    COMPARISONS,
    Binary,
    Const,
    Expr,
    Load,
    Select,
    Var,
    binary,
    cast,
    divide,
    select,
    unary,
)  # fmt: skip
from akg.ir.rewrite import walk_expr
from akg.ir.symbolic import check_held


@dataclass(frozen=True, slots=True)
class Value:
    """An expression and whether it is one of Python's own numbers."""

    expr: Expr
    is_weak: bool = False

    @property
    def dtype(self) -> DType:
        """The element type; index, int64 or float64 for a weak value."""
        return self.expr.dtype


def literal(value: bool | int | float) -> Value:
    """A Python number."""
    if isinstance(value, bool):
        return Value(Const(value, bool_))
    return Value(Const(value), True) if isinstance(value, int) else Value(Const(value, float64), True)


def weak(expr: Expr) -> Value:
    """A loop variable, a size, or the result of a function that gives Python numbers."""
    return Value(expr, True)


def convert(expr: Expr, dtype: DType) -> Expr:
    """`expr` in `dtype`; literals are converted now."""
    if isinstance(expr, Const) and dtype.is_float:
        return Const(float(expr.value), dtype)
    if isinstance(expr, Const) and dtype.is_integer and not isinstance(expr.value, float):
        if expr.dtype is index:  # a Python number: NumPy refuses what does not fit, too
            check_held(int(expr.value), dtype)
        return Const(int(expr.value), dtype)
    return cast(expr, dtype)


def strong_type(value: Value) -> DType:
    """The type of `value` once it is stored or given to NumPy: int64 for weak integers."""
    return int64 if value.dtype is index else value.dtype


def strong(value: Value) -> Expr:
    """The expression in the type that NumPy gives it."""
    return convert(value.expr, strong_type(value))


def common_type(a: Value, b: Value) -> DType:
    """The type in which `a` and `b` meet (NEP 50)."""
    if a.is_weak == b.is_weak:
        return promote(a.dtype, b.dtype)
    light, heavy = (a, b) if a.is_weak else (b, a)
    if light.dtype.is_float:
        return heavy.dtype if heavy.dtype.is_float else float64
    return int64 if heavy.dtype is bool_ else heavy.dtype


def match(a: Value, b: Value) -> tuple[Expr, Expr, bool]:
    """Both operands in their common type, and whether the result stays weak."""
    dtype = common_type(a, b)
    return convert(a.expr, dtype), convert(b.expr, dtype), a.is_weak and b.is_weak


def combine(op: str, a: Value, b: Value) -> Value:
    """``a op b`` with op of `akg.ir.expr.BINARY_OPS`."""
    x, y, is_weak = match(a, b)
    if op == "div":
        return Value(divide(x, y), is_weak)
    if x.dtype is index and op in ("floordiv", "mod") and isinstance(y, Const) and int(y) < 0:
        # a // -d == (-a) // d and a % -d == -((-a) % d)
        flipped = binary(op, unary("neg", x), -int(y))
        return weak(flipped if op == "floordiv" else unary("neg", flipped))
    return Value(binary(op, x, y), is_weak and op not in COMPARISONS)


def negate(a: Value) -> Value:
    """``-a``."""
    if isinstance(a.expr, Const) and a.dtype.is_float:
        return Value(Const(-float(a.expr.value), a.dtype), a.is_weak)
    return Value(unary("neg", a.expr), a.is_weak)


def absolute(a: Value) -> Value:
    """``abs(a)``; on index arithmetic as ``max(a, -a)``, which stays piecewise affine."""
    if a.dtype is index:
        return weak(binary("max", a.expr, unary("neg", a.expr)))
    return Value(unary("abs", a.expr), a.is_weak)


def choose(cond: Expr, a: Value, b: Value) -> Value:
    """``a if cond else b``."""
    x, y, is_weak = match(a, b)
    return Value(select(cond, x, y), is_weak)


def truth(a: Value) -> Expr:
    """`a` as a condition."""
    return a.expr if a.dtype is bool_ else binary("ne", a.expr, convert(Const(0), a.dtype))


def both(a: Expr, b: Expr) -> Expr:
    """``a and b``; `b` reads memory only where `a` holds."""
    return select(a, b, Const(False, bool_)) if reads_memory(b) else binary("and", a, b)


def either(a: Expr, b: Expr) -> Expr:
    """``a or b``; `b` reads memory only where `a` does not hold."""
    return select(a, Const(True, bool_), b) if reads_memory(b) else binary("or", a, b)


def reads_memory(expr: Expr) -> bool:
    """Whether any element is loaded in `expr`."""
    return any(isinstance(node, Load) for node in walk_expr(expr))


def is_affine(expr: Expr) -> bool:
    """Whether an index expression is piecewise quasi-affine: sums, constant factors, ``//``, ``%``, min, max."""
    if expr.dtype is not index:
        return False
    if isinstance(expr, (Const, Var)):
        return True
    if isinstance(expr, Binary):
        if expr.op == "mul":
            constant = isinstance(expr.a, Const) or isinstance(expr.b, Const)
            return constant and is_affine(expr.a) and is_affine(expr.b)
        if expr.op in ("floordiv", "mod"):
            return isinstance(expr.b, Const) and int(expr.b) > 0 and is_affine(expr.a)
        return expr.op in ("add", "sub", "min", "max") and is_affine(expr.a) and is_affine(expr.b)
    return not isinstance(expr, (Load, Select)) and bool(expr.children) and _is_negation(expr)


def _is_negation(expr: Expr) -> bool:
    return getattr(expr, "op", "") == "neg" and is_affine(expr.children[0])


def is_affine_condition(cond: Expr) -> bool:
    """Whether a condition is made of comparisons of affine expressions by and, or, not."""
    if isinstance(cond, Const):
        return True
    if isinstance(cond, Binary):
        if cond.op in COMPARISONS:
            return is_affine(cond.a) and is_affine(cond.b)
        return cond.op in ("and", "or") and all(is_affine_condition(c) for c in cond.children)
    return getattr(cond, "op", "") == "not" and is_affine_condition(cond.children[0])
