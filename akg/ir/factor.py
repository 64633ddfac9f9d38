"""Common factors of the terms of a sum: ``alpha * a[k] * b[k]`` summed over k is alpha times the sum of products."""

from __future__ import annotations

from collections.abc import Callable

from akg.ir.expr import Binary, Expr, binary


def common_factor(term: Expr, is_fixed: Callable[[Expr], bool]) -> tuple[Expr, Expr] | None:
    """The product of the factors of a floating-point term that are fixed, and the rest of the term.

    Of a term that is itself a sum or difference, those factors count that all its parts share.

    Args:
        term: what a reduction adds up.
        is_fixed: whether an expression is the same in all iterations of the reduction.

    Returns:
        (factor, rest); None if there is no such factor, or nothing else.
    """
    if not term.dtype.is_float:
        return None
    shared = _fixed(term, is_fixed)
    if not shared:
        return None
    rest = _without(term, shared)
    return None if rest is None else (_product(shared), rest)


def _fixed(term: Expr, is_fixed: Callable[[Expr], bool]) -> list[Expr]:
    """The fixed factors that all parts of a term share."""
    if isinstance(term, Binary) and term.op in ("add", "sub"):
        left, right = _fixed(term.a, is_fixed), _fixed(term.b, is_fixed)
        shared: list[Expr] = []
        for factor in left:
            if factor in right:
                right.remove(factor)
                shared.append(factor)
        return shared
    return [factor for factor in _factors(term) if is_fixed(factor)]


def _without(term: Expr, shared: list[Expr]) -> Expr | None:
    """A term divided by factors that it has; None for one."""
    if isinstance(term, Binary) and term.op in ("add", "sub"):
        a, b = _without(term.a, shared), _without(term.b, shared)
        return None if a is None or b is None else Binary(term.op, a, b)
    left = list(shared)
    kept: list[Expr] = []
    for factor in _factors(term):
        if factor in left:
            left.remove(factor)
        else:
            kept.append(factor)
    return _product(kept) if kept else None


def _factors(term: Expr) -> list[Expr]:
    if isinstance(term, Binary) and term.op == "mul":
        return [*_factors(term.a), *_factors(term.b)]
    return [term]


def _product(factors: list[Expr]) -> Expr:
    result = factors[0]
    for factor in factors[1:]:
        result = binary("mul", result, factor)
    return result
