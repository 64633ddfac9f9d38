"""Addresses as polynomials, so that their parts are computed once and at the right level.

A linearised subscript is a sum of products of variables, sizes and other index expressions with integer
coefficients. Its coefficient in the lane variable says how a vector access moves through memory; its
remaining terms are added level by level, outermost first, and its constant becomes a displacement.
"""

from __future__ import annotations

from typing import TypeAlias

from akg.base.dtype import index
from akg.ir.expr import Binary, Const, Expr, Unary, Var, binary, cast
from akg.ir.rewrite import uses

Key: TypeAlias = tuple[Expr, ...]  # the factors of a product, sorted by their text
Polynomial: TypeAlias = dict[Key, int]


def polynomial(expr: Expr, memo: dict[Expr, Polynomial]) -> Polynomial:
    """An index expression as a sum of products; what is not +, -, * stays a factor."""
    found = memo.get(expr)
    if found is None:
        found = _expand(expr, memo)
        memo[expr] = found
    return found


def _expand(expr: Expr, memo: dict[Expr, Polynomial]) -> Polynomial:
    if expr.dtype is not index:
        return {(cast(expr, index),): 1}
    if isinstance(expr, Const):
        return {(): int(expr)} if int(expr) else {}
    if isinstance(expr, Unary) and expr.op == "neg":
        return scaled(polynomial(expr.a, memo), -1)
    if isinstance(expr, Binary):
        if expr.op == "add":
            return added(polynomial(expr.a, memo), polynomial(expr.b, memo))
        if expr.op == "sub":
            return added(polynomial(expr.a, memo), scaled(polynomial(expr.b, memo), -1))
        if expr.op == "mul":
            return multiplied(polynomial(expr.a, memo), polynomial(expr.b, memo))
    return {(expr,): 1}


def added(a: Polynomial, b: Polynomial) -> Polynomial:
    """The sum of two polynomials."""
    result = dict(a)
    for key, coefficient in b.items():
        total = result.get(key, 0) + coefficient
        if total:
            result[key] = total
        else:
            del result[key]
    return result


def scaled(a: Polynomial, factor: int) -> Polynomial:
    """A polynomial times a constant."""
    if factor == 1:
        return a
    return {key: coefficient * factor for key, coefficient in a.items()} if factor else {}


def multiplied(a: Polynomial, b: Polynomial) -> Polynomial:
    """The product of two polynomials."""
    result: Polynomial = {}
    for ka, ca in a.items():
        for kb, cb in b.items():
            key = tuple(sorted((*ka, *kb), key=_name)) if ka and kb else ka or kb
            result = added(result, {key: ca * cb})
    return result


def split_lane(form: Polynomial, lane: Var) -> tuple[int | None, Polynomial]:
    """The constant stride in `lane` (None if it is not constant) and the terms without it."""
    stride = form.get((lane,), 0)
    rest = {key: c for key, c in form.items() if len(key) != 1 or key[0] is not lane}
    for key in rest:
        for factor in key:
            if uses(factor, lane):
                return None, form
    return stride, rest

def term(key: Key, coefficient: int) -> Expr:
    """A term as an index expression, its constant factor last."""
    result: Expr | None = None
    for factor in key:
        result = factor if result is None else binary("mul", result, factor)
    assert result is not None
    return binary("mul", result, Const(coefficient))


def _name(factor: Expr) -> str:
    return factor.name if isinstance(factor, Var) else str(factor)
