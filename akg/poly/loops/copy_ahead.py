"""Panels copied ahead: while few rows use one block of an operand, the next block is copied, a row at a time.

    Before:  for k_t in [0, 4096) step 512:    After:  alloc p: [2, 512, 64]
                 alloc p: [512, 64]                    for k in [0, 512): p[0, k, ...] = B[k, ...]
                 for k:                                for k_t in [0, 4096) step 512:
                     p[k, ...] = B[k_t + k, ...]           for i_t in [0, 32) step 4:
                 for i_t in [0, 32) step 4:                    for n in [0, 64):
                     for k in [0, 512):                            p[other, 16 * i_t + n, ...] = B[k_t + 512 + ...]
                         r += A * p[k, ...]                        for k in [8 * n, 8 * n + 8):
                                                                       r += A * p[this, k, ...]

A copy waits for short pieces of rows, each from another page, of which only so many can be on their way at a time; few
rows of multiply-adds take no longer than that. Done at once, both overlap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var, binary
from akg.ir.rewrite import map_children, replace_buffer, rewrite_stmt, substitute, substitute_stmt
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, Block, For, Prefetch, Stmt, Store, block, walk

MOST_TILES = 12  # of rows: more use a block for so long that its copy counts less than smaller blocks do
LEAST_TILES = 4
ROWS_AHEAD = 8  # that the copy asks for: rows a power of two apart fall into few sets of the caches


@dataclass(frozen=True, slots=True)
class _Copy:
    """The loops of a blocked sum over a panel: what fills it, and the loop over tiles of rows that uses it first."""

    panel: Buffer
    fill: For
    store: Store
    lanes: For
    rows: For
    steps: For
    rest: tuple[Stmt, ...]


def copy_ahead(body: Stmt, fresh: Callable[[str], Var]) -> Stmt:
    """`body` with the panels of blocked sums over few rows copied one block ahead.

    Args:
        body: the loops, with operands packed and sums still in memory.
        fresh: makes unused names.
    """
    if isinstance(body, For) and body.kind == "serial" and (body.const_trips or 0) > 1:
        found = _copy_in(body)
        if found is not None:
            return _ahead(body, found, fresh)
    return map_children(body, lambda inner: copy_ahead(inner, fresh))


def _copy_in(blocks: For) -> _Copy | None:
    """The copy in a loop over equal blocks of a sum; None if there is no such."""
    inner = blocks.body
    if not isinstance(inner, Alloc) or not isinstance(inner.body, Block) or len(inner.body.body) < 2:
        return None
    fill, rows, *rest = inner.body.body
    shape = inner.buffer.const_shape
    if not (isinstance(fill, For) and isinstance(rows, For)) or shape is None or len(shape) != 2:
        return None
    if fill.kind != "serial" or fill.begin is not Const(0) or not fill.const_trips == blocks.step == shape[0]:
        return None
    lanes = fill.body
    parts = lanes.body.body if isinstance(lanes, For) and isinstance(lanes.body, Block) else ()
    stores = [s for s in walk(fill) if isinstance(s, Store)]
    if not isinstance(lanes, For) or lanes.kind != "vector":
        return None
    if len(stores) != 1 or not isinstance(stores[0].value, Load):
        return None
    if parts and not all(isinstance(p, (Store, Prefetch)) for p in parts):
        return None
    steps = [s for s in walk(rows) if isinstance(s, For) and s.kind == "serial" and s is not rows]
    is_whole = len(steps) == 1 and steps[0].const_trips == blocks.step and steps[0].begin is Const(0)
    if not is_whole or rows.kind != "serial":
        return None
    if not is_shared(blocks.step, rows.const_trips or 0):
        return None
    return _Copy(inner.buffer, fill, stores[0], lanes, rows, steps[0], tuple(rest))


def is_shared(steps: int, tiles: int) -> bool:
    """Whether tiles of rows, or most of them, can share the copy of a block evenly."""
    return LEAST_TILES <= tiles <= MOST_TILES and 2 * _divisor(steps, tiles) > tiles


def _divisor(steps: int, tiles: int) -> int:
    """The largest number of tiles, at most all, that share the rows of a block evenly."""
    return max(n for n in range(1, tiles + 1) if steps % n == 0)


def _ahead(blocks: For, copy: _Copy, fresh: Callable[[str], Var]) -> Stmt:
    rows, steps, size = copy.rows, copy.steps, blocks.step
    shape = (Const(2), *copy.panel.shape)
    halves = Buffer(fresh(copy.panel.name).name, shape, copy.panel.dtype, copy.panel.scope)
    number = binary("floordiv", blocks.var - blocks.begin, Const(size))
    half, other = (simplify(binary("mod", number + n, Const(2))) for n in (0, 1))
    first = substitute_stmt(copy.fill, {blocks.var: blocks.begin})
    first = replace_buffer(first, copy.panel, lambda at: (halves, (Const(0), *at)))
    each = _divisor(size, rows.const_trips or 0)  # steps for each row that is copied
    k = fresh(steps.var.name)
    tile = binary("floordiv", rows.var - rows.begin, Const(rows.step))
    row = tile * (size // each) + k
    if each != rows.const_trips:
        row = binary("min", row, Const(size - 1))
    step = fresh(steps.var.name)
    updates = substitute_stmt(steps.body, {steps.var: k * each + step})
    grouped = For(k, Const(0), Const(size // each),
                  block(_row(blocks, copy, halves, other, row, fresh), For(step, Const(0), Const(each), updates)))

    def rule(stmt: Stmt) -> Stmt | None:
        return grouped if stmt is steps else None

    used = block(rewrite_stmt(rows, rule), *copy.rest)
    used = replace_buffer(used, copy.panel, lambda at: (halves, (half, *at)))
    return Alloc(halves, block(first, replace(blocks, body=used)))


def _row(
    blocks: For, copy: _Copy, halves: Buffer, half: Expr, row: Expr, fresh: Callable[[str], Var]
) -> Stmt:  # fmt: skip
    """The copy of one row of the next block; of the last row of the operand behind that."""
    j = fresh(copy.lanes.var.name)
    source = copy.store.value
    assert isinstance(source, Load)
    last = simplify(blocks.end - blocks.begin - 1)

    def load(row: Expr) -> Load:
        ahead = binary("min", blocks.var - blocks.begin + blocks.step + row, last)
        at: dict[Var, Expr] = {copy.lanes.var: j, copy.fill.var: ahead, blocks.var: blocks.begin}
        return Load(source.buffer, tuple([substitute(i, at) for i in source.indices]))

    store = Store(halves, (half, row, j), load(row), fresh(f"{copy.panel.name}_ahead").name)
    early = Prefetch(source.buffer, load(row + ROWS_AHEAD).indices, 2)
    return replace(copy.lanes, var=j, body=block(store, early))
