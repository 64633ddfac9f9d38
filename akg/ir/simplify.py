"""Simplification of index arithmetic. Values of computations (floats, typed integers) are left alone."""

from __future__ import annotations

from akg.base.dtype import index
from akg.ir.affine import Affine
from akg.ir.expr import Binary, Cast, Const, Expr, Select, binary, cast, select
from akg.ir.rewrite import map_children, map_expressions, rewrite
from akg.ir.stmt import Alloc, Block, For, If, Stmt, block


def simplify(expr: Expr, memo: dict[Expr, Expr] | None = None) -> Expr:
    """Fold constants, collect linear terms, and cancel divisions that are exact."""
    return rewrite(expr, _rule, memo)


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
    if form is None or not isinstance(node.b, Const) or int(node.b) <= 0:
        return binary(node.op, node.a, node.b)
    d = int(node.b)
    quotient = Affine({v: c // d for v, c in form.terms.items() if c % d == 0}, form.const // d)
    rest = form - quotient * d
    if rest.is_const:
        return quotient.to_expr() if node.op == "floordiv" else Const(rest.const)
    if not quotient.terms:
        return binary(node.op, node.a, node.b)
    if node.op == "mod":
        return binary("mod", rest.to_expr(), node.b)
    return quotient.to_expr() + binary("floordiv", rest.to_expr(), node.b)


def simplify_stmt(stmt: Stmt) -> Stmt:
    """Simplify every expression; drop loops without iterations, decided ifs and empty blocks."""
    memo: dict[Expr, Expr] = {}

    def visit(inner: Stmt) -> Stmt:
        new = map_expressions(map_children(inner, visit), lambda e: simplify(e, memo))
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
