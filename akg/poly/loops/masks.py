"""Masks: conditions under which a nest touches elements of a tile, such as those of rows that may not exist."""

from __future__ import annotations

from akg.base.dtype import index
from akg.ir.buffer import Buffer
from akg.ir.expr import Expr, Var
from akg.ir.rewrite import buffers_read, buffers_written, loads_of, substitute, variables_of
from akg.ir.stmt import For, If, Stmt, Store, expressions, sub_statements


def place_in(dimension: int) -> Var:
    """What stands in masks for a subscript of a tile in one dimension."""
    return Var(f"#{dimension}", index)


def masks_of(part: Stmt, buffer: Buffer) -> tuple[Expr, ...] | None:
    """The conditions under which `part` touches elements of `buffer`, over their places in a tile.

    None if there are none, if they differ, or depend on memory or on anything else inside of the part.
    """
    found: set[tuple[Expr, ...] | None] = set()

    def note(indices: tuple[Expr, ...], inside: frozenset[Var], conditions: tuple[Expr, ...]) -> None:
        at: dict[Var, Expr] = {v: place_in(d) for d, i in enumerate(indices) for v in variables_of(i) if v in inside}
        masks = tuple([substitute(c, at) for c in conditions])
        is_fixed = not any(loads_of(m) or not inside.isdisjoint(variables_of(m)) for m in masks)
        found.add(masks if masks and is_fixed else None)

    def visit(stmt: Stmt, inside: frozenset[Var], conditions: tuple[Expr, ...]) -> None:
        if isinstance(stmt, If):
            visit(stmt.then, inside, (*conditions, stmt.cond))
            if stmt.orelse is not None and (buffer in buffers_read(stmt.orelse) | buffers_written(stmt.orelse)):
                found.add(None)
            return
        if isinstance(stmt, Store) and stmt.buffer is buffer:
            note(stmt.indices, inside, conditions)
        for load in [load for e in expressions(stmt) for load in loads_of(e) if load.buffer is buffer]:
            note(load.indices, inside, conditions)
        inner = inside | {stmt.var} if isinstance(stmt, For) else inside
        for child in sub_statements(stmt):
            visit(child, inner, conditions)

    visit(part, frozenset(), ())
    return found.pop() if len(found) == 1 else None
