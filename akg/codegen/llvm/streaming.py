"""Non-temporal stores: outputs too large to be found in a cache later are written around the caches.

An ordinary store first reads the line that it will overwrite; a non-temporal store of whole lines does not, which
saves a third of the traffic of a copy. It needs aligned vectors, so a loop over lanes starts with a masked vector up
to the first aligned element (arrays from NumPy are rarely aligned to more than 16 bytes).
"""

from __future__ import annotations

import math
from dataclasses import replace

from akg.base.dtype import bool_, index
from akg.base.target import Target
from akg.codegen.llvm.address import added, scaled
from akg.codegen.llvm.arith import apply
from akg.codegen.llvm.builder import Function, Place, Value
from akg.codegen.llvm.memory import access, linear
from akg.codegen.llvm.seam import LINE_BYTES, write_waiting
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load
from akg.ir.rewrite import buffers_written, substitute, substitute_stmt, walk_expr
from akg.ir.stmt import Alloc, For, If, Kernel, Stmt, Store, expressions, sub_statements, walk

DEFAULT_BYTES = 32 << 20  # of the last cache, where its size is not known
MIN_STREAMED = 16  # vectors in a loop that bypasses the caches
MIN_JOINED = 8  # where rows are put together to whole lines
OUTPUT_SHARE = 1 / 4  # an output of less than this part of the last cache is likely to be read soon
# A kernel that touches more than this part of the last cache leaves little there of what it wrote first. Ordinary
# stores beside reads take 0.6 to 0.9 times as long as non-temporal ones below it, and 1.1 to 1.4 times above (Zen 4,
# 32 MiB, one and two threads).
TOUCHED_SHARE = 3 / 4
# What reads less than this part of what it writes keeps ordinary stores, however large: they save no traffic that reads
# would need, and the last cache still holds a part from the call before (0.4 times as long at half its size, 0.75 at
# all of it, 0.9 at twice).
READ_SHARE = 1 / 8


def streamed_buffers(kernel: Kernel, target: Target) -> frozenset[Buffer]:
    """The outputs that a kernel should write around the caches."""
    if target.arch != "x86_64":
        return frozenset()
    cache_bytes = target.l3_bytes or DEFAULT_BYTES
    read = _read_again(kernel.body)
    written: dict[Buffer, int] = {}
    read_bytes = 0
    for param in kernel.params:
        buffer = param.value
        if not isinstance(buffer, Buffer) or buffer.const_shape is None:
            continue
        size_bytes = buffer.dtype.itemsize_bytes * math.prod(buffer.const_shape)
        if param.role == "out" and buffer not in read:
            written[buffer] = size_bytes
        else:
            read_bytes += size_bytes
    written_bytes = sum(written.values())
    if read_bytes + written_bytes <= cache_bytes * TOUCHED_SHARE or read_bytes < written_bytes * READ_SHARE:
        return frozenset()
    return frozenset(buffer for buffer, size in written.items() if size > cache_bytes * OUTPUT_SHARE)


def _read_again(body: Stmt) -> frozenset[Buffer]:
    """What is read from memory: lanes have in registers what they stored themselves in the same iteration."""
    own: dict[Expr, int] = {}
    total: dict[Expr, int] = {}

    def visit(stmt: Stmt, stored: set[Expr] | None) -> None:
        if isinstance(stmt, For):
            stored = set() if stmt.kind == "vector" else None
        elif isinstance(stmt, If):
            stored = None
        for expr in expressions(stmt):
            for node in set(walk_expr(expr)):
                if isinstance(node, Load):
                    total[node] = total.get(node, 0) + 1
                    own[node] = own.get(node, 0) + (stored is not None and node in stored)
        if isinstance(stmt, Store) and stored is not None:
            stored -= {node for node in stored if isinstance(node, Load) and node.buffer is stmt.buffer}
            if stmt.reduction is None and stmt.buffer.dtype is not bool_:
                stored.add(Load(stmt.buffer, stmt.indices))
        for inner in sub_statements(stmt):
            visit(inner, stored)

    visit(body, None)
    return frozenset(node.buffer for node, count in total.items() if isinstance(node, Load) and own[node] < count)


def streaming_store(f: Function, loop: For, lanes: int) -> Store | None:
    """The store of a vector loop that should bypass the caches: full vectors, once for each iteration."""
    if not f.unit.streamed or f.guard is not None:
        return None
    parts: list[Stmt] = [loop.body]
    for stmt in parts:
        if isinstance(stmt, (For, If)):
            return None
        parts.extend(s for s in walk(stmt) if s is not stmt and isinstance(s, (For, If)))
    for stmt in walk(loop.body):
        if isinstance(stmt, Store) and stmt.buffer in f.unit.streamed and stmt.reduction is None:
            whole = stmt.buffer.dtype.itemsize_bytes * lanes * 8 == f.unit.target.vector_bits
            if whole and any(node is loop.var for node in walk_expr(stmt.indices[-1])):
                return stmt if _are_aligned_alike(f, loop, stmt, lanes) else None
    return None


def _are_aligned_alike(f: Function, loop: For, store: Store, lanes: int) -> bool:
    """Whether all elements of an array that one iteration writes are whole vectors apart."""
    place = f.places[store.buffer]
    first = linear(f, place, store.indices)
    others = [s for s in walk(loop.body) if isinstance(s, Store) and s.buffer is store.buffer and s is not store]
    gaps = [added(linear(f, place, s.indices), scaled(first, -1)) for s in others]
    return all(step % lanes == 0 for gap in gaps for step in gap.values())


def interleaved_store(f: Function, loop: For, lanes: int) -> Store | None:
    """The first column's store of a vector loop around the columns of rows of a few elements, which fill lines."""
    columns = loop.body
    if not isinstance(columns, For) or columns.kind != "unroll" or not isinstance(columns.body, Store):
        return None
    store, count = columns.body, columns.const_trips
    if store.buffer not in f.unit.streamed or store.reduction is not None or f.guard is not None or not count:
        return None
    form = linear(f, f.places[store.buffer], store.indices)
    whole = store.buffer.dtype.itemsize_bytes * lanes * 8 == f.unit.target.vector_bits
    if not whole or form.get((loop.var,)) != count or form.get((columns.var,)) != 1:
        return None
    first = substitute_stmt(store, {columns.var: columns.begin})
    return first if isinstance(first, Store) else None


def are_lines(f: Function, loop: For, store: Store, lanes: int) -> bool:
    """Whether all rows that a vector loop stores begin at the same place of a line, whatever loops are around it."""
    form = linear(f, f.places[store.buffer], store.indices)
    return all(c % lanes == 0 for key, c in form.items() if key not in ((), (loop.var,)))


def unaligned_head(f: Function, loop: For, store: Store, lanes: int, begin: Value, end: Value) -> Value:
    """Iterations before the first whose element of `store` is aligned to a vector; at most what there are."""
    first: dict[Expr, Expr] = {loop.var: loop.begin}
    indices = tuple([substitute(i, first) for i in store.indices])  # pyright: ignore[reportArgumentType]
    pointer = access(f, store.buffer, indices).pointer
    size_bytes = store.buffer.dtype.itemsize_bytes
    address = f.here(f"ptrtoint ptr {pointer} to i64")
    missing = f.here(f"and i64 {f.here(f'sub i64 0, {address}')}, {lanes * size_bytes - 1}")
    count = f.here(f"lshr i64 {missing}, {size_bytes.bit_length() - 1}")
    left = apply(f, index, "sub {t} {0}, {1}", end, begin)
    fewer = f.here(f"icmp slt i64 {count}, {left.text}")
    return Value(f.here(f"select i1 {fewer}, i64 {count}, i64 {left.text}"), index, 0, f.level)


def aligned_like_output(f: Function, stmt: Alloc, place: Place) -> Place:
    """The place of a row on the stack, moved to where rows of an output begin in their lines, if all do alike.

    That is an output which one loop over lanes streams, beside stores to the row. Its whole lines are whole lines of
    the row then. Other vectors of it would be loaded from two stores of the row before, which may still wait for stores
    around the caches.
    """
    row = stmt.buffer
    if not row.shape or not f.unit.streamed:
        return place
    loops = [s for s in walk(stmt.body) if isinstance(s, For) and s.kind == "vector"]
    beside = {b for loop in loops if row in (written := buffers_written(loop)) for b in written & f.unit.streamed}
    for out in beside:
        shape, size_bytes = out.const_shape, out.dtype.itemsize_bytes
        alike = shape and Const(shape[-1]) is row.shape[-1] and size_bytes == row.dtype.itemsize_bytes
        if len(beside) == 1 and shape and alike and shape[-1] * size_bytes % LINE_BYTES == 0 and out in f.places:
            address = f.here(f"ptrtoint ptr {f.places[out].pointer} to i64")
            inside = f.here(f"and i64 {address}, {LINE_BYTES - 1}")
            return replace(place, pointer=f.here(f"getelementptr i8, ptr {place.pointer}, i64 {inside}"))
    return place


def fence(f: Function) -> None:
    """Make the stores visible in order; called once at the end of a function that has some."""
    if f.has_streamed:
        write_waiting(f)
        name = "llvm.x86.sse.sfence"
        f.line(f"call void {f.unit.declare(name, f'declare void @{name}()')}()")
