"""Nests that use each element of a large operand once: rows stream by, and what they add to waits in the first cache.

    for k in rows by 8:                                       y[j] += x[k] * B[k, j], or a sum of columns
        vector j: for k' in 8 rows (unrolled): y[j] += x[k + k'] * B[k + k', j]

Several rows at a time share the loads and stores of what they add to. Each is a stream of its own, and where rows are
long, each stream ends just when the processor's prefetchers have found it: the next rows are asked for while these
are used. Rows shorter than a page come one at a time, since one after the other they are a single stream already.

What limits such a nest is how many lines are on their way from memory. On a Zen 4 core, 4096 x 4096 floats: one row
at a time 0.65 of a plain read, eight 0.75, eight with prefetches into the second cache 0.95, and into the first cache
0.7, from which they are gone too early; rows of 2 KiB: one at a time 0.87, eight 0.5.
"""

from __future__ import annotations

from math import prod

from akg.base.target import Target
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Load
from akg.ir.rewrite import buffers_written, loads_of, map_children, substitute, variables_of
from akg.ir.simplify import simplify
from akg.ir.stmt import For, Prefetch, Stmt, Store, block, expressions

LONG_ROW_BYTES = 4096  # a page: prefetchers follow a stream up to its end
ROWS = 8  # streams at a time, of long rows
LEAST_STREAMS = 4
CACHE_SHARE = 4  # what is asked for ahead may take this part of the second cache


def is_one_stream(buffer: Buffer, row_bytes: int, target: Target) -> bool:
    """Whether rows of a buffer are best read one after the other: short ones, that come from memory."""
    return row_bytes < LONG_ROW_BYTES and exceeds(buffer, max(target.l3_bytes, target.l2_bytes))


def exceeds(buffer: Buffer, size_bytes: int) -> bool:
    """Whether an array is larger than a cache; one of unknown size is."""
    shape = buffer.const_shape
    return shape is None or prod(shape) * buffer.dtype.itemsize_bytes > size_bytes


def prefetch_rows(body: Stmt, target: Target) -> Stmt:
    """`body` with prefetches of the next rows where several long ones stream by.

    Args:
        body: the loops; those with lanes are innermost, but for unrolled ones.
        target: whose second cache holds what is on its way.
    """
    return _Placer(target, buffers_written(body)).visit(body, ())


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
        return streams * row_bytes * CACHE_SHARE <= self.target.l2_bytes and exceeds(buffer, self.target.l2_bytes)
