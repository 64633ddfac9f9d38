"""Prefetches of the next panel of an operand that was packed ahead of time, spread over the tiles that use this one.

    for j_t, k_t:                                   for j_t, k_t:
        for i_t in [0, 32) step 4:                      for i_t in [0, 32) step 4:
            for k in [0, 1024):                             for k in [0, 1024):
                r += A[i_t + i, k] * q[j_t, k_t, k, j]          prefetch l2 q[j_t, k_t + 1, 0, 8 * (1024 * i_t / 4 + k)]
                                                                r += A[i_t + i, k] * q[j_t, k_t, k, j]

Panels lie one behind the other. Few rows use a panel for about as long as the next one takes from memory, so both
have to happen at once: 32 x 4096 x 4096 floats reach three quarters of the peak without, and nine tenths with it.
"""

from __future__ import annotations

from dataclasses import replace

from akg.base.target import Target
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, binary
from akg.ir.rewrite import loads_of, map_children, variables_of
from akg.ir.stmt import For, Prefetch, Stmt, block, expressions, walk

LINE_BYTES = 64
MOST_TILES = 24  # more use a panel for so long that the wait for the next one does not count
MOST_AT_ONCE = 4  # lines in a step


def prefetch_panels(body: Stmt, panels: frozenset[Buffer], target: Target) -> Stmt:
    """`body` with prefetches of panels in loops over few tiles of rows, into the second cache.

    Args:
        body: the loops, with tiles in registers.
        panels: buffers of which panels are the last two dimensions, or three where steps are grouped.
        target: its second cache holds this panel and the next one.
    """
    return _visit(body, None, panels, target) if panels else body


def _visit(stmt: Stmt, rows: For | None, panels: frozenset[Buffer], target: Target) -> Stmt:
    if not isinstance(stmt, For):
        return map_children(stmt, lambda inner: _visit(inner, rows, panels, target))
    if rows is not None and stmt.kind == "serial":
        ahead = _ahead(stmt, rows, panels, target)
        if ahead:
            return replace(stmt, body=block(*ahead, stmt.body))
    outer = stmt if stmt.kind in ("serial", "parallel") else rows
    return map_children(stmt, lambda inner: _visit(inner, outer, panels, target))


def _ahead(steps: For, rows: For, panels: frozenset[Buffer], target: Target) -> list[Stmt]:
    """The prefetches of one step of a sum that reads a panel."""
    tiles = rows.const_trips
    is_innermost = not any(isinstance(s, For) and s.kind == "serial" for s in walk(steps.body))
    if tiles is None or not 1 < tiles <= MOST_TILES or not is_innermost:
        return []
    loads = {load for s in walk(steps.body) for e in expressions(s) for load in loads_of(e) if load.buffer in panels}
    found: dict[Buffer, list[Stmt]] = {}
    for load in sorted(loads, key=str):
        if load.buffer not in found:
            found[load.buffer] = _lines(load, steps, rows, tiles, target)
    return [p for group in found.values() for p in group]


def _lines(load: Load, steps: For, rows: For, tiles: int, target: Target) -> list[Stmt]:
    """The lines of the next panel that one step asks for."""
    shape = load.buffer.const_shape
    moving = [d for d, index in enumerate(load.indices) if steps.var in variables_of(index)]
    if shape is None or len(moving) != 1 or moving[0] == 0 or any(rows.var in variables_of(i) for i in load.indices):
        return []
    row = moving[0]
    row_bytes = load.buffer.dtype.itemsize_bytes
    for extent in shape[row + 1 :]:
        row_bytes *= extent
    if row_bytes % LINE_BYTES or 2 * shape[row] * row_bytes > target.l2_bytes:
        return []
    lines, number = row_bytes // LINE_BYTES, binary("floordiv", rows.var - rows.begin, Const(rows.step))
    at = number * shape[row] + (steps.var - steps.begin)
    count = -(-lines // tiles)
    if count > MOST_AT_ONCE:
        return []
    first = at * count if lines >= tiles else binary("floordiv", at * lines, Const(tiles))
    elements = LINE_BYTES // load.buffer.dtype.itemsize_bytes
    head = (*load.indices[: row - 1], load.indices[row - 1] + 1)
    zeros: tuple[Expr, ...] = (Const(0),) * (len(shape) - row - 1)
    return [Prefetch(load.buffer, (*head, *zeros, (first + c) * elements), 2) for c in range(count)]
