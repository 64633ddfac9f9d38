"""Rows that threads share, several at a time: unroll and jam of a parallel loop around one loop over lanes.

    parallel i in [0, m):                     parallel i in [0, m / 4):
        vector j: Y[i, j] = f(X[i, j], b[j])      vector j: Y[i, j] = f(X[i, j], b[j])
                                                            Y[i + m / 4, j] = f(X[i + m / 4, j], b[j])  and so on

The rows of a group are far apart, so that each thread reads several streams that do not end. It pays

  * where a row of a large array is reduced: one stream does not keep enough lines on their way. On a Zen 4 core, sums
    of the rows of 4096 x 4096 floats reach 0.74 of a plain stream one row at a time, 0.76 with four neighbours and 0.86
    with four that are far apart;
  * where rows share operands that fill much of the first cache, out of which what streams by pushes them: each is read
    once for a group (a row of 16 KiB beside one stream: 0.79 of a plain stream, four rows at a time 0.96; gelu with a
    bias of 16 KiB and a residual: 0.77, and two rows at a time 0.95);
  * where one pass over a short row waits for the sum of another: two rows wait together (layer_norm of rows of 777
    floats in the last cache: 0.54 and 0.62, softmax 0.25 and 0.27). Where short rows wait twice, four do (layer_norm of
    rows of 64 to 384 floats: 0.78 to 0.92 times as long).

Iterations of a parallel loop are independent, so that any interleaving of them is legal (Allen and Kennedy 2001, 8.4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from akg.base.target import Target
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Var, binary
from akg.ir.rewrite import (
    buffers_read,
    buffers_written,
    loads_of,
    map_children,
    replace_buffer,
    rewrite_stmt,
    substitute_stmt,
    variables_of,
)
from akg.ir.stmt import Alloc, Block, For, If, Stmt, Store, block, expressions, walk
from akg.poly.loops.stream_rows import is_laborious

STREAMS = 4  # at a time, of what is reduced
SHARING_ROWS = 4
WORKING_ROWS = 2  # that share operands where there is much arithmetic: more need too many registers
WAITING_ROWS = 2
SHORT_ROW = 24  # vectors
LONG_ROW = 256  # vectors: passes over longer rows wait for little beside their work
NEAR_SHARE = 1 / 2  # of the last cache: what comes from memory is waited for anyway
MAX_STORES = 16  # in the body of a row
SHARED_PART = 1 / 4  # of the first cache: operands that fill more are shared by rows
LEAST_GROUPS = 16  # for each thread
LINE_BYTES = 64

Note = Callable[[str], None]


def jam_rows(body: Stmt, fresh: Callable[[str], Var], target: Target, note: Note) -> Stmt:
    """`body` with rows of parallel loops in groups where that pays.

    Args:
        body: loops with kinds set.
        fresh: makes names that no statement or loop has.
        target: the machine.
        note: takes what was decided, for `explain`.
    """
    if isinstance(body, For) and body.kind == "parallel":
        count = _rows(body, target)
        return body if count < 2 else _jammed(body, count, fresh, note)
    return map_children(body, lambda s: jam_rows(s, fresh, target, note))


# --- the decision ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reads:
    """What one pass over a row reads: how many large arrays move from row to row, and the bytes that do not."""

    streams: int
    shared_bytes: int


def _rows(loop: For, target: Target) -> int:
    """How many rows should run at a time."""
    trips = loop.const_trips
    lanes = [s for s in walk(loop.body) if isinstance(s, For) and s.kind == "vector"]
    if trips is None or loop.step != 1 or not lanes or not _can_jam(loop.body, loop.var):
        return 1
    if any(isinstance(s, For) for v in lanes for s in walk(v.body)):
        return 1
    count = _rows_of_pass(loop, lanes[0], target) if len(lanes) == 1 else _rows_of_passes(loop, lanes, target)
    return count if trips >= count * LEAST_GROUPS * max(target.cores, 1) else 1


def _rows_of_pass(loop: For, lanes: For, target: Target) -> int:
    """Where all that is done with a row is done in one pass over it."""
    reads = _reads(loop, lanes, target)
    stores = [s for s in walk(lanes.body) if isinstance(s, Store)]
    reduced = [_reduces(s, lanes) for s in stores]
    if not reads.streams:
        return 1
    if all(reduced):
        return STREAMS // (reads.streams * len(stores))
    if any(reduced) or reads.shared_bytes < SHARED_PART * target.l1_bytes or not _is_aligned(stores):
        return 1
    return WORKING_ROWS if is_laborious(lanes) else SHARING_ROWS


def _rows_of_passes(loop: For, lanes: list[For], target: Target) -> int:
    """Where a pass waits for what the one before it reduced."""
    stores = [s for s in walk(loop.body) if isinstance(s, Store)]
    longest = max((v.max_trips or LONG_ROW * target.lanes(32) + 1) for v in lanes)
    if len(stores) > MAX_STORES or longest > LONG_ROW * target.lanes(32):
        return 1
    waits = sum(any(_reduces(s, v) for s in walk(v.body) if isinstance(s, Store)) for v in lanes[:-1])
    is_short = longest <= SHORT_ROW * target.lanes(32)
    count = WAITING_ROWS * (min(waits, 2) if is_short else 1)
    buffers = buffers_read(loop.body) | buffers_written(loop.body)
    row_bytes = sum(longest * b.dtype.itemsize_bytes for b in buffers if b.shape)
    is_near = sum(map(_size_bytes, buffers)) <= NEAR_SHARE * target.l3_bytes
    return count if waits and is_near and count * row_bytes <= target.l1_bytes else 1


def _reduces(store: Store, lanes: For) -> bool:
    return not any(lanes.var in variables_of(i) for i in store.indices)


def _can_jam(stmt: Stmt, var: Var) -> bool:
    """Whether statements are stores in loops that all rows run alike, and temporaries."""
    if isinstance(stmt, Block):
        return all(_can_jam(s, var) for s in stmt.body)
    if isinstance(stmt, For) and (stmt.kind == "vector" or stmt.const_trips == 1):
        alike = var not in {*variables_of(stmt.begin), *variables_of(stmt.end)}
        return alike and _can_jam(stmt.body, var)
    if isinstance(stmt, Alloc):
        return _can_jam(stmt.body, var)
    return isinstance(stmt, Store)


def _reads(loop: For, lanes: For, target: Target) -> _Reads:
    streams: set[Buffer] = set()
    shared = 0
    trips = lanes.const_trips or 0
    for load in {load for s in walk(lanes.body) for e in expressions(s) for load in loads_of(e)}:
        forms = [Affine.of(i) for i in load.indices]
        if not forms or forms[-1] is None or forms[-1].coefficient(lanes.var) != 1:
            continue
        moves = any(form is None or form.coefficient(loop.var) for form in forms)
        if moves and _size_bytes(load.buffer) > target.l2_bytes:
            streams.add(load.buffer)
        elif not moves:
            shared += trips * load.buffer.dtype.itemsize_bytes
    return _Reads(len(streams), shared)


def _size_bytes(buffer: Buffer) -> int:
    total = buffer.dtype.itemsize_bytes
    for extent in buffer.const_shape or (0,):
        total *= extent
    return total


def _is_aligned(stores: list[Store]) -> bool:
    """Whether all rows of what is written begin alike within lines, so that their whole lines are written together."""
    shapes = [s.buffer.const_shape for s in stores]
    sizes = [s.buffer.dtype.itemsize_bytes for s in stores]
    return all(shape and shape[-1] * size % LINE_BYTES == 0 for shape, size in zip(shapes, sizes, strict=True))


# --- the transformation ---------------------------------------------------------------------------------


def _jammed(loop: For, count: int, fresh: Callable[[str], Var], note: Note) -> Stmt:
    trips = loop.const_trips
    assert trips is not None
    groups, rest = divmod(trips, count)
    names = ", ".join(s.name for s in walk(loop.body) if isinstance(s, Store))
    note(f"{names}: {count} rows along {loop.var.name} at a time, {groups} apart")
    copies = [_moved(loop, k * groups, fresh if k else None) for k in range(count)]
    together = _together(copies)
    if rest:
        left = rewrite_stmt(_moved(loop, count * groups, fresh), lambda s: _own_loop(s, fresh))
        together = block(together, If(binary("lt", loop.var, loop.begin + Const(rest)), left))
    return replace(loop, end=loop.begin + Const(groups), body=together)


def _moved(loop: For, distance: int, fresh: Callable[[str], Var] | None) -> Stmt:
    """The body for a row `distance` further on, its statements and temporaries with names of their own."""
    body = substitute_stmt(loop.body, {loop.var: loop.var + Const(distance)}) if distance else loop.body
    if fresh is None:
        return body
    for old in [s.buffer for s in walk(body) if isinstance(s, Alloc)]:
        new = Buffer(fresh(old.name).name, old.shape, old.dtype, old.scope)
        body = replace_buffer(body, old, lambda indices, new=new: (new, indices))
        body = rewrite_stmt(body, lambda s, old=old, new=new: _renamed(s, old, new))
    return rewrite_stmt(body, lambda s: replace(s, name=fresh(s.name).name) if isinstance(s, Store) else None)


def _renamed(stmt: Stmt, old: Buffer, new: Buffer) -> Stmt | None:
    return replace(stmt, buffer=new) if isinstance(stmt, Alloc) and stmt.buffer is old else None


def _own_loop(stmt: Stmt, fresh: Callable[[str], Var]) -> Stmt | None:
    """A loop with a variable of its own."""
    if not isinstance(stmt, For):
        return None
    var = Var(fresh(stmt.var.name).name)
    return replace(stmt, var=var, body=substitute_stmt(stmt.body, {stmt.var: var}))


def _together(copies: list[Stmt]) -> Stmt:
    """Copies of one statement, which differ in subscripts and names only, side by side."""
    first = copies[0]
    if isinstance(first, For):
        return replace(first, body=_together([c.body for c in copies if isinstance(c, For)]))
    if isinstance(first, Alloc):
        inner = _together([c.body for c in copies if isinstance(c, Alloc)])
        for copy in reversed(copies):
            inner = replace(copy, body=inner) if isinstance(copy, Alloc) else inner
        return inner
    if isinstance(first, Block):
        parts = zip(*[c.body for c in copies if isinstance(c, Block)], strict=True)
        return block(*[_together(list(part)) for part in parts])
    return block(*copies)
