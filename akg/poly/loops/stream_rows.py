"""Nests that use each element of a large operand once: rows stream by, and what they add to waits in the first cache.

    for k in rows by 8:                                       y[j] += x[k] * B[k, j], or a sum of columns
        vector j: for k' in 8 rows (unrolled): y[j] += x[k + k'] * B[k + k', j]

Several rows at a time share the loads and stores of what they add to. Each is a stream of its own, and where rows are
long, each stream ends just when the processor's prefetchers have found it: the next rows are asked for while these
are used. Rows shorter than a page come one at a time, since one after the other they are a single stream already.

What limits such a nest is how many lines are on their way from memory. On a Zen 4 core, 4096 x 4096 floats: one row
at a time 0.65 of a plain read, eight 0.75, eight with prefetches into the second cache 0.95, and into the first cache
0.7, from which they are gone too early; rows of 2 KiB: one at a time 0.87, eight 0.5. Arrays of which the last cache
holds most are not asked for ahead: from there, the processor's own prefetchers suffice (sums of columns of 8 MB take
1.2 times as long with prefetches, as long at 17 MB, and 0.75 times from 22 MB on).
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from akg.base.target import Target
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Call, Const, Load, Unary
from akg.ir.rewrite import (
    buffers_read,
    buffers_written,
    loads_of,
    map_children,
    rewrite_stmt,
    substitute,
    variables_of,
    walk_expr,
)
from akg.ir.simplify import simplify
from akg.ir.stmt import For, Prefetch, Stmt, Store, block, expressions, walk

LONG_ROW_BYTES = 4096  # a page: prefetchers follow a stream up to its end
ROWS = 8  # streams at a time, of long rows
LEAST_STREAMS = 4
FAR_SHARE = 3 / 4  # of the last cache: where all arrays exceed it, what was written last time is gone
CACHED_SHARE = 1 / 2  # of the last cache: of a larger array it holds too little
AHEAD_BYTES = 512
LEAST_WORK = 4  # operations for each array that is read or written
CACHE_SHARE = 4  # what is asked for ahead may take this part of the second cache


def is_one_stream(buffer: Buffer, row_bytes: int, target: Target) -> bool:
    """Whether rows of a buffer are best read one after the other: short ones, that come from memory."""
    return row_bytes < LONG_ROW_BYTES and exceeds(buffer, max(target.l3_bytes, target.l2_bytes))


def exceeds(buffer: Buffer, size_bytes: int) -> bool:
    """Whether an array is larger than a cache; one of unknown size is."""
    shape = buffer.const_shape
    return shape is None or prod(shape) * buffer.dtype.itemsize_bytes > size_bytes


def is_from_memory(buffer: Buffer, target: Target) -> bool:
    """Whether the caches hold little of an array from the call before."""
    return exceeds(buffer, max(int(target.l3_bytes * CACHED_SHARE), target.l2_bytes))


def prefetch_rows(body: Stmt, target: Target) -> Stmt:
    """`body` with prefetches of the next rows where several long ones stream by.

    Args:
        body: the loops; those with lanes are innermost, but for unrolled ones.
        target: whose second cache holds what is on its way.
    """
    return _Placer(target, buffers_written(body)).visit(body, ())


def prefetch_streams(body: Stmt, target: Target) -> Stmt:
    """`body` with prefetches along the rows of arrays from memory, where each vector is much arithmetic.

    A loop that only moves data has many loads under way by itself. One with much arithmetic between its loads fills
    the window of a processor with a few vectors, and is left to the processor's own prefetchers (gelu of 4096 x 4096
    floats with a bias and a residual on a Zen 4 core: 7.6 ms, and 6.8 with prefetches).

    Args:
        body: the loops; those with lanes are innermost.
        target: whose last cache tells what comes from memory.
    """
    if not exceeds_last_cache(body, target) or any(isinstance(s, Prefetch) for s in walk(body)):
        return body
    written = buffers_written(body)

    def visit(stmt: Stmt) -> Stmt | None:
        if not isinstance(stmt, For) or stmt.kind != "vector" or any(isinstance(s, For) for s in walk(stmt.body)):
            return None
        loads = {load for s in walk(stmt.body) for e in expressions(s) for load in loads_of(e)}
        if any(b.scope == "register" and b.shape for b in buffers_written(stmt)):
            return None  # rows of windows, which are begun here and finished with the next ones
        streams = [x for x in loads if x.buffer not in written and _is_stream(x, stmt, target)]
        if not streams or not is_laborious(stmt):
            return None
        return replace(stmt, body=block(stmt.body, *[_ahead(x) for x in sorted(streams, key=str)]))

    return rewrite_stmt(body, visit)


def exceeds_last_cache(body: Stmt, target: Target) -> bool:
    """Whether the arrays that loops touch leave the last cache little of what it held before."""
    buffers = {b for b in buffers_read(body) | buffers_written(body) if b.scope == "global"}
    touched = sum(prod(b.const_shape or (0,)) * b.dtype.itemsize_bytes for b in buffers)
    return touched > FAR_SHARE * target.l3_bytes


def is_laborious(body: Stmt) -> bool:
    """Whether the statements of a body compute for long beside what they read and write."""
    stores = [s for s in walk(body) if isinstance(s, Store)]
    read = {load.buffer for s in stores for load in loads_of(s.value) if load.indices}
    return sum(map(_work, stores)) >= LEAST_WORK * (len(read) + len(stores))


def _is_stream(load: Load, lanes: For, target: Target) -> bool:
    """Whether lanes read neighbours of an array that no cache but the last holds, all of which is used once."""
    forms = [Affine.of(i) for i in load.indices]
    if load.buffer.scope != "global" or not exceeds(load.buffer, target.l2_bytes) or not forms or None in forms:
        return False
    last = forms[-1]
    return (
        last is not None
        and last.coefficient(lanes.var) == 1
        and all(form is not None and lanes.var not in form.terms for form in forms[:-1])
    )


def _ahead(load: Load) -> Prefetch:
    """The line that lanes read a while later, in the next row where this one ends."""
    *rows, last = load.indices
    return Prefetch(load.buffer, (*rows, last + Const(AHEAD_BYTES // load.dtype.itemsize_bytes)), 1)


def _work(store: Store) -> int:
    """The operations of a store; a function is a dozen."""
    nodes = [n for n in walk_expr(store.value) if isinstance(n, (Binary, Unary, Call))]
    return sum(12 if isinstance(n, Call) and n.fn != "fma" else 1 for n in nodes)


class _Placer:
    def __init__(self, target: Target, written: set[Buffer]) -> None:
        self.target, self.written = target, written

    def visit(self, stmt: Stmt, around: tuple[For, ...]) -> Stmt:
        if not isinstance(stmt, For):
            return map_children(stmt, lambda inner: self.visit(inner, around))
        if stmt.kind == "vector":
            return self.placed(stmt, around)
        return map_children(stmt, lambda inner: self.visit(inner, (*around, stmt)))

    def placed(self, lanes: For, around: tuple[For, ...]) -> Stmt:
        """A vector loop with prefetches beside the stores that read streams."""
        around = tuple([loop for loop in around if loop.const_trips != 1])
        if not around or around[-1].kind == "unroll":
            return lanes
        moved = around[-1]
        done: set[Load] = set()

        def beside(stmt: Stmt, inner: tuple[For, ...]) -> Stmt:
            if isinstance(stmt, For):
                return map_children(stmt, lambda s: beside(s, (*inner, stmt)))
            if not isinstance(stmt, Store):
                return map_children(stmt, lambda s: beside(s, inner))
            found = [load for e in expressions(stmt) for load in loads_of(e) if load not in done]
            new = [load for load in found if self.streams(load, lanes, inner, around)]
            done.update(new)
            ahead = {moved.var: moved.var + moved.step}
            hints = [Prefetch(p.buffer, tuple([simplify(substitute(i, ahead)) for i in p.indices]), 2) for p in new]
            return block(stmt, *hints) if hints else stmt

        return map_children(lanes, lambda inner: beside(inner, ()))

    def streams(self, load: Load, lanes: For, inner: tuple[For, ...], around: tuple[For, ...]) -> bool:
        """Whether a load reads several long rows, each of which is used in one iteration of the loops around only."""
        buffer = load.buffer
        if buffer.scope != "global" or buffer in self.written or any(f.kind != "unroll" for f in inner):
            return False
        forms = [Affine.of(i) for i in load.indices]
        if not forms or forms[-1] is None or forms[-1].coefficient(lanes.var) != 1:
            return False
        moving = {v for form in forms[:-1] if form is not None for v in form.terms}
        streams = 1
        for loop in inner:
            streams *= (loop.const_trips or 1) if loop.var in moving else 1
        row = lanes.max_trips
        row_bytes = LONG_ROW_BYTES if row is None else row * buffer.dtype.itemsize_bytes
        bounds = {v for loop in around if loop.var in moving for e in (loop.begin, loop.end) for v in variables_of(e)}
        used_once = all(loop.var in moving or loop.var in bounds or loop.var in forms[-1].terms for loop in around)
        if streams < LEAST_STREAMS or row_bytes < LONG_ROW_BYTES or not used_once or around[-1].var not in moving:
            return False
        return streams * row_bytes * CACHE_SHARE <= self.target.l2_bytes and is_from_memory(buffer, self.target)
