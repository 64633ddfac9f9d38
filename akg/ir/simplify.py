"""Simplification of index arithmetic. Values of computations (floats, typed integers) are left alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import gcd
from typing import TypeAlias

from akg.base.dtype import bool_, index
from akg.ir.affine import Affine
from akg.ir.expr import Binary, Cast, Const, Expr, Select, Unary, Var, binary, cast, select, unary
from akg.ir.rewrite import map_children, map_expressions, rewrite
from akg.ir.stmt import Alloc, Block, For, If, Stmt, block

Ranges: TypeAlias = Mapping[Var, tuple[int, int]]  # the least and greatest value of variables


def simplify(expr: Expr, memo: dict[Expr, Expr] | None = None, ranges: Ranges | None = None) -> Expr:
    """Fold constants, collect linear terms, and cancel divisions that are exact.

    With `ranges`, divisions, remainders and comparisons that these decide are folded too: ``(i*4 + j) // 4 -> i`` for
    0 <= j < 4. Expressions that are simplified under the same ranges may share a `memo`.
    """
    if not ranges:
        return _simple(expr)

    def rule(node: Expr) -> Expr | None:
        decided = _decide(node, ranges)
        if decided is not None:
            return decided
        new = _rule(node)
        decided = None if new is None else _decide(new, ranges)
        return new if decided is None else decided

    return rewrite(expr, rule, memo)


def _simple(node: Expr) -> Expr:
    """`simplify` without ranges; nodes remember the answer."""
    children = node.children
    if not children:
        return node
    if hasattr(node, "simple_form"):
        return node if node.simple_form is None else node.simple_form
    new = tuple([_simple(c) for c in children])
    result = node if all(a is b for a, b in zip(new, children, strict=True)) else node.with_children(new)
    changed = _rule(result)
    result = result if changed is None else changed
    node.simple_form = None if result is node else result
    return result


def _rule(node: Expr) -> Expr | None:
    if isinstance(node, Binary):
        if node.op in ("and", "or"):
            return binary(node.op, node.a, node.b)
        if node.a.dtype is not index:
            return None
        if node.op in ("add", "sub", "mul"):
            form = Affine.of(node)
            return binary(node.op, node.a, node.b) if form is None else form.to_expr()
        if node.op in ("floordiv", "mod"):
            return _divide(node)
        if node.op in ("min", "max", "eq", "ne", "lt", "le", "gt", "ge"):
            return _compare(node)
        return binary(node.op, node.a, node.b)
    if isinstance(node, Unary) and node.dtype is index and isinstance(node.a, Const):
        return unary(node.op, node.a)
    if isinstance(node, Select):
        return select(node.cond, node.a, node.b)
    if isinstance(node, Cast) and isinstance(node.a, Const):
        return cast(node.a, node.dtype)
    return None


def _compare(node: Binary) -> Expr:
    """Decide min, max and comparisons whose operands differ by a constant."""
    a, b = Affine.of(node.a), Affine.of(node.b)
    if a is not None and b is not None:
        difference = a - b
        if difference.is_const:
            d = difference.const
            if node.op == "min":
                return node.a if d <= 0 else node.b
            if node.op == "max":
                return node.a if d >= 0 else node.b
            return binary(node.op, Const(d), Const(0))
    return binary(node.op, node.a, node.b)


def _divide(node: Binary) -> Expr:
    """``(d*q + r) // d -> q`` and ``(d*q + r) % d -> r`` where 0 <= r < d is a constant remainder."""
    form = Affine.of(node.a)
    if not isinstance(node.b, Const) or int(node.b) <= 0:
        return binary(node.op, node.a, node.b)
    d = int(node.b)
    if form is None:
        return _divide_again(node, d)
    quotient = Affine({v: c // d for v, c in form.terms.items() if c % d == 0}, form.const // d)
    rest = form - quotient * d
    if rest.is_const:
        return quotient.to_expr() if node.op == "floordiv" else Const(rest.const)
    if not quotient.terms:
        return binary(node.op, node.a, node.b)
    if node.op == "mod":
        return binary("mod", rest.to_expr(), node.b)
    return quotient.to_expr() + binary("floordiv", rest.to_expr(), node.b)


def _divide_again(node: Binary, d: int) -> Expr:
    """``(x // c) // d -> x // (c*d)``; ``(x % c) // d -> (x // d) % (c/d)``, ``(x % c) % d -> x % d``, d dividing c."""
    inner = node.a
    if isinstance(inner, Binary) and inner.op in ("floordiv", "mod") and isinstance(inner.b, Const):
        c = int(inner.b)
        if inner.op == "floordiv" and node.op == "floordiv" and c > 0:
            return _folded("floordiv", inner.a, c * d)
        if inner.op == "mod" and c > 0 and c % d == 0:
            if node.op == "mod":
                return _folded("mod", inner.a, d)
            return _folded("mod", _folded("floordiv", inner.a, d), c // d)
    return binary(node.op, node.a, node.b)


def _folded(op: str, a: Expr, d: int) -> Expr:
    node = binary(op, a, Const(d))
    return _divide(node) if isinstance(node, Binary) and node.op == op else node


def _decide(node: Expr, ranges: Ranges) -> Expr | None:
    """What `ranges` tell of a division or comparison; None if nothing."""
    if not isinstance(node, Binary) or node.a.dtype is not index:
        return None
    if node.op in ("floordiv", "mod") and isinstance(node.b, Const) and int(node.b) > 0:
        form = Affine.of(node.a)
        return None if form is None else _divide_within(node, form, int(node.b), ranges)
    if node.op in _DECIDED:
        a, b = Affine.of(node.a), Affine.of(node.b)
        bounds = None if a is None or b is None else _interval(a - b, ranges)
        if bounds is not None:
            low, high = bounds
            for value, holds in ((True, _DECIDED[node.op]), (False, _DECIDED[_NEGATED[node.op]])):
                if holds(low, high):
                    return Const(value, bool_)
    return None


# whether a comparison of a difference with 0 holds for every difference from `low` to `high`
_DECIDED: dict[str, Callable[[int, int], bool]] = {
    "lt": lambda low, high: high < 0, "le": lambda low, high: high <= 0, "gt": lambda low, high: low > 0,
    "ge": lambda low, high: low >= 0, "eq": lambda low, high: low == high == 0,
    "ne": lambda low, high: low > 0 or high < 0,
}  # fmt: skip
_NEGATED = {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt", "eq": "ne", "ne": "eq"}


def _divide_within(node: Binary, form: Affine, d: int, ranges: Ranges) -> Expr | None:
    """``(g*q + r) // d -> q // (d/g)`` and ``(g*q + r) % d -> q % (d/g) * g + r`` where g divides d and 0 <= r < g."""
    for g in sorted({d, *[gcd(d, c) for c in form.terms.values()]}, reverse=True):
        quotient = Affine({v: c // g for v, c in form.terms.items() if c % g == 0}, form.const // g)
        rest = form - quotient * g
        bounds = _interval(rest, ranges)
        if g == 1 or bounds is None or bounds[0] < 0 or bounds[1] >= g:
            continue
        if g == d:
            return quotient.to_expr() if node.op == "floordiv" else rest.to_expr()
        inner = _folded(node.op, quotient.to_expr(), d // g)
        again = _decide(inner, ranges)
        inner = inner if again is None else again
        return inner if node.op == "floordiv" else inner * g + rest.to_expr()
    return None


def _interval(form: Affine, ranges: Ranges) -> tuple[int, int] | None:
    low = high = form.const
    for v, c in form.terms.items():
        if v not in ranges:
            return None
        a, b = sorted((ranges[v][0] * c, ranges[v][1] * c))
        low, high = low + a, high + b
    return low, high


def simplify_stmt(stmt: Stmt) -> Stmt:
    """Simplify every expression; drop loops without iterations, decided ifs and empty blocks."""

    def visit(inner: Stmt) -> Stmt:
        new = map_expressions(map_children(inner, visit), simplify)
        if isinstance(new, For) and (new.const_trips == 0 or is_empty(new.body)):
            return Block(())
        if isinstance(new, If):
            if isinstance(new.cond, Const):
                return new.then if new.cond.value else (new.orelse or Block(()))
            if is_empty(new.then) and (new.orelse is None or is_empty(new.orelse)):
                return Block(())
        if isinstance(new, Alloc) and is_empty(new.body):
            return Block(())
        if isinstance(new, Block):
            flat = block(*new.body)
            return new if isinstance(flat, Block) and len(flat.body) == len(new.body) else flat
        return new

    return visit(stmt)


def is_empty(stmt: Stmt) -> bool:
    """Whether `stmt` does nothing."""
    return isinstance(stmt, Block) and all(is_empty(s) for s in stmt.body)
