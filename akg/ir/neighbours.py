"""A loop over steps of a sum in which each update takes several neighbours, in an unrolled loop of its own."""

from __future__ import annotations

from collections.abc import Callable

from akg.ir.expr import Const, Expr, Var
from akg.ir.rewrite import rewrite_stmt, substitute_stmt
from akg.ir.stmt import For, Prefetch, Stmt, Store


def in_steps(body: Stmt, var: Var, first: Expr, steps: int, fresh: Callable[[], Var]) -> Stmt:
    """`body` for `steps` values of `var` from `first` on, counted by a loop around each store.

    Before: ``for i: for j: S[i, j] += A[i, var] * B[var, j]``
    After:  ``for i: for j: unroll n in [0, steps): S[i, j] += A[i, first + n] * B[first + n, j]``
    """

    def rule(stmt: Stmt) -> Stmt | None:
        if isinstance(stmt, Prefetch):
            return substitute_stmt(stmt, {var: first})
        if not isinstance(stmt, Store):
            return None
        inner = fresh()
        return For(inner, Const(0), Const(steps), substitute_stmt(stmt, {var: first + inner}), "unroll")

    return rewrite_stmt(body, rule)
