"""Prefetches around register tiles: lines that a tile writes, and rows that the next one reads.

    Before:  for i in rows step 6:                 After:  for i in rows step 6:
                 alloc r: [6, 64] register                     alloc r: [6, 64] register
                 ...                                           prefetch the lines of C[i : i + 6, j0 : j0 + 64]
                 for k in [0, 1024):                           for k in [0, 1024):
                     r += A[i + ..., k] * p[k, ...]                prefetch A[i + 6 + min(k mod 16, 5), k]
                 C[i + ..., j0 + ...] = r                          r += A[i + ..., k] * p[k, ...]
                                                               C[i + ..., j0 + ...] = r

Hardware follows a row once it has seen its first lines; where each tile begins new rows, these first ones are what it
waits for. One line a step brings the next tile's rows while this one computes, and stores find their lines already
owned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from akg.base.target import Target
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var, binary
from akg.ir.rewrite import loads_of, map_children, substitute, variables_of
from akg.ir.stmt import Alloc, Block, For, Prefetch, Stmt, Store, block, expressions, walk

LINE_BYTES = 64
LEAST_STEPS = 24  # of a reduction that hides the prefetches of what it sums into
MAX_LINES = 32  # that a tile writes


def prefetch_tiles(body: Stmt, fresh: Callable[[str], Var], target: Target) -> Stmt:
    """`body` with prefetches in loops over register tiles, for arrays larger than the first cache.

    Args:
        body: the loops, with tiles in registers.
        fresh: makes unused names.
        target: the machine and its caches.
    """
    return _Prefetcher(fresh, target).visit(body, ())


class _Prefetcher:
    def __init__(self, fresh: Callable[[str], Var], target: Target) -> None:
        self.fresh, self.target = fresh, target

    def visit(self, stmt: Stmt, around: tuple[For, ...]) -> Stmt:
        """Insert prefetches in every register tile; `around` are the loops outside."""
        if isinstance(stmt, Alloc) and stmt.buffer.scope == "register" and around:
            parts = stmt.body.body if isinstance(stmt.body, Block) else (stmt.body,)
            steps = [p for p in parts if isinstance(p, For) and p.kind == "serial" and _is_sum(p, stmt.buffer)]
            if steps and _count(steps[0]) >= LEAST_STEPS:
                return replace(stmt, body=self.tile(parts, steps[0], around))
        if isinstance(stmt, For):
            return map_children(stmt, lambda inner: self.visit(inner, (*around, stmt)))
        return map_children(stmt, lambda inner: self.visit(inner, around))

    def is_far(self, buffer: Buffer) -> bool:
        """Whether an array of a caller's does not stay in the first cache between two tiles."""
        if buffer.scope != "global" or not buffer.shape:
            return False
        size_bytes = buffer.dtype.itemsize_bytes
        for extent in buffer.const_shape or (self.target.l1_bytes,):
            size_bytes *= extent
        return size_bytes > self.target.l1_bytes

    def tile(self, parts: tuple[Stmt, ...], steps: For, around: tuple[For, ...]) -> Stmt:
        """The parts of a tile with prefetches before the sum and in it."""
        at = parts.index(steps)
        written = [p for part in parts[at + 1 :] for p in self.lines(part)]
        ahead = self.rows_ahead(steps, around[-1])
        inner = replace(steps, body=block(*ahead, steps.body)) if ahead else steps
        return block(*parts[:at], *written, inner, *[self.visit(part, around) for part in parts[at + 1 :]])

    def lines(self, part: Stmt) -> list[Stmt]:
        """A prefetch of every line that a nest of unrolled and vector loops stores to."""
        loops: list[For] = []
        inner = part
        while isinstance(inner, For) and inner.kind in ("unroll", "vector"):
            loops.append(inner)
            inner = inner.body
        if not isinstance(inner, Store) or not self.is_far(inner.buffer) or not loops or loops[-1].kind != "vector":
            return []
        form = Affine.of(inner.indices[-1])
        if form is not None and len(loops) == 2 and not form.coefficient(loops[1].var):
            return self.columns(inner, loops[0], loops[1], form)
        lanes = loops[-1]
        if form is None or form.coefficient(lanes.var) != 1 or lanes.max_trips is None:
            return []
        line = LINE_BYTES // inner.buffer.dtype.itemsize_bytes
        count = -(-lanes.max_trips // line)
        for loop in loops[:-1]:
            count *= loop.const_trips or MAX_LINES
        if count > MAX_LINES:
            return []
        names = {loop.var: self.fresh(loop.var.name) for loop in loops}
        indices = tuple([substitute(i, names) for i in inner.indices])
        result: Stmt = Prefetch(inner.buffer, indices, writes=True)
        result = For(names[lanes.var], Const(0), Const(lanes.max_trips), result, "unroll", line)
        for loop in reversed(loops[:-1]):
            result = For(names[loop.var], loop.begin, loop.end, result, "unroll")
        return [result]

    def columns(self, store: Store, rows: For, lanes: For, form: Affine) -> list[Stmt]:
        """A prefetch of the last line of each run of a tile that lies along its rows; the tile before had the first."""
        if form.coefficient(rows.var) != 1 or not rows.const_trips or not 0 < (lanes.const_trips or 0) <= MAX_LINES:
            return []
        at = self.fresh(lanes.var.name)
        places: dict[Var, Expr] = {lanes.var: at, rows.var: rows.begin + (rows.const_trips - 1)}
        last = Prefetch(store.buffer, tuple([substitute(i, places) for i in store.indices]), writes=True)
        return [For(at, lanes.begin, lanes.end, last, "unroll")]

    def rows_ahead(self, steps: For, rows: For) -> list[Stmt]:
        """A prefetch for each operand that moves along rows of its array, one of the next tile's a step."""
        if rows.kind not in ("serial", "parallel"):
            return []
        unrolled = {s.var: s for s in walk(steps.body) if isinstance(s, For) and s.kind == "unroll"}
        found: dict[Buffer, Stmt] = {}
        loads = {load for s in walk(steps.body) for e in expressions(s) for load in loads_of(e)}
        for load in sorted(loads, key=str):
            ahead = self.row_ahead(load, steps, rows, unrolled)
            if ahead is not None:
                found.setdefault(load.buffer, ahead)
        return list(found.values())

    def row_ahead(self, load: Load, steps: For, rows: For, unrolled: dict[Var, For]) -> Stmt | None:
        inside = [v for i in load.indices for v in variables_of(i)]
        deeper = {s.var for s in walk(steps.body) if isinstance(s, For) and s.kind not in ("unroll", "vector")}
        if not deeper.isdisjoint(inside):
            return None
        if not self.is_far(load.buffer) or rows.var not in inside or inside.count(steps.var) != 1:
            return None
        form = Affine.of(load.indices[-1])
        tiled = [v for v in inside if v in unrolled and v not in (form.terms if form is not None else {})]
        if form is None or len(tiled) != 1 or rows.var in form.terms:
            return None
        stride = form.coefficient(steps.var)
        line = LINE_BYTES // load.buffer.dtype.itemsize_bytes
        trips = unrolled[tiled[0]].const_trips
        if not 1 <= stride < line or trips is None:
            return None
        period = max(line // stride, 1)  # steps in a line
        row: Expr = Const(0)
        if trips > 1:
            row = binary("min", binary("mod", steps.var, Const(period)), Const(trips - 1))
        at: dict[Var, Expr] = {v: Const(0) for v in unrolled}
        at[tiled[0]] = row
        at[rows.var] = rows.var + rows.step
        return Prefetch(load.buffer, tuple([substitute(i, at) for i in load.indices]))


def _count(steps: For) -> int:
    """The iterations of perfectly nested loops around an update, where they are known, else enough."""
    inner = _count(steps.body) if isinstance(steps.body, For) and steps.body.kind == "serial" else 1
    return (steps.max_trips or LEAST_STEPS) * inner


def _is_sum(steps: For, register: Buffer) -> bool:
    """Whether a loop only adds to a tile in registers."""
    stores = [s for s in walk(steps) if isinstance(s, Store)]
    return bool(stores) and all(s.buffer is register and s.reduction is not None for s in stores)
