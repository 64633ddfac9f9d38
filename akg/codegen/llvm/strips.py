"""Blocks whose output bypasses the caches: whole lines of it, in strips of its rows.

Where a block's rows are whole lines, and all rows begin at the same place of a line, blocks are stored as they are, in
strips that start at an aligned element. Elsewhere blocks are turned into a few rows on the stack, a line longer than
the strip, and the whole lines that each row has there are copied out:

    for strip of 128 lanes: for j by N:
        for i in strip and a line more, by N: stage[0:N, ...] = block(j, i)
        for c in [0, N): out[j + c, first line boundary ... 128 lanes] = stage[c, ...]    (non-temporal)

The last strip is moved so that it ends with the last line. Both walk along j, the rows that are read, and fetch what
comes next in them to the second-level cache.
"""

from __future__ import annotations

from dataclasses import replace

from akg.base.dtype import index
from akg.codegen.llvm.blocks import (
    AHEAD_BYTES,
    LINE_BYTES,
    Blocks,
    Span,
    aligned_column,
    along,
    bind,
    counted,
    lane_numbers,
    named,
    occurs,
    one_block,
)  # fmt: skip
from akg.codegen.llvm.bounds import as_index
from akg.codegen.llvm.builder import Function, Lanes, Place, Value
from akg.codegen.llvm.memory import access, store
from akg.codegen.llvm.streaming import unaligned_head
from akg.codegen.llvm.subscript import linear
from akg.codegen.llvm.types import in_memory, llvm_type
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var, binary, select
from akg.ir.rewrite import substitute, substitute_stmt
from akg.ir.stmt import For, Store, block

STRIP_BYTES = 256  # of rows that are stored as they are (of 64 to 1024, the fastest on Zen 4)
# Of rows on the stack: what is read beyond a strip, a line of lanes, is read again for the next; but more rows at once
# displace each other where their distance is a power of two (64 to 256 lanes, Zen 4).
STAGED_LANES, STAGED_BYTES = 128, 512
STRIPS_AHEAD = 2
SHORT_ROW_BYTES = 8 * AHEAD_BYTES  # what is fetched a little ahead in a row is in the next row, too often
LEAST_LINES = 6  # of a row: the first and the last two are written in parts


def is_contiguous(f: Function, out: Store, inner: For) -> bool:
    """Whether neighbouring lanes of a store are neighbours in memory."""
    form = linear(f, f.places[out.buffer], out.indices)
    return form.get((inner.var,)) == 1 and not occurs(form, inner.var, alone=True)


def stores_lines(f: Function, out: Store, outer: For, lanes: int) -> bool:
    """Whether blocks of a contiguous store are whole lines once the first row of one begins at a line."""
    form = linear(f, f.places[out.buffer], out.indices)
    moves = {key: c for key, c in form.items() if occurs({key: c}, outer.var)}
    return lanes * out.buffer.dtype.itemsize_bytes == LINE_BYTES and all(c % lanes == 0 for c in moves.values())


def strip_lanes(out: Store, extent: int) -> int:
    """Lanes of the strips, all alike, in which rows of `extent` lanes are put together on the stack; 0 if too short.

    Strips have whole lines. The first may begin behind any lane of a line, so that a line of lanes is in none.
    """
    size_bytes = in_memory(out.buffer.dtype).itemsize_bytes
    line = LINE_BYTES // size_bytes
    lines = extent // line - 1
    if lines < LEAST_LINES:
        return 0
    most = min(max(STAGED_LANES, 4 * line), STAGED_BYTES // size_bytes) // line
    return -(-lines // -(-lines // most)) * line


def emit_strips(f: Function, plan: Blocks, out: Store, columns: Span, lanes: Span) -> None:
    """Strips from the first aligned lane on around the caches, then the lanes before and after them."""
    if plan.staged_lanes:
        _staged(f, plan, out, columns, lanes)
        return
    size, outer, inner = plan.lanes, plan.outer, plan.inner
    first = substitute_stmt(out, {outer.var: columns.begin})
    assert isinstance(first, Store)
    head = unaligned_head(f, inner, first, size, as_index(f, f.value(lanes.begin)), as_index(f, f.value(lanes.end)))
    start = named(f, "start", lanes.begin + bind(f, "head", head))
    stop = named(f, "stop", start + (lanes.end - start) // size * size)
    aligned = aligned_column(f, plan, columns)
    width = STRIP_BYTES // out.buffer.dtype.itemsize_bytes
    ahead = ahead_bytes(f, plan, width)

    def strip(at: Var) -> None:
        end = named(f, "end", binary("min", at + width, stop))

        def blocks(j: Expr) -> None:
            counted(f, inner, at, end, size, lambda i: one_block(f, plan, j, i, ahead))

        along(f, plan, outer, columns, aligned, blocks)

    def edge(side: Var) -> None:
        at = named(f, "at", select(binary("lt", side, 0), lanes.begin, lanes.end - size))
        along(f, plan, outer, columns, aligned, lambda j: one_block(f, plan, j, at))

    f.streaming, f.has_streamed = out.buffer, True
    counted(f, inner, start, stop, width, strip)
    f.streaming = None
    sides = [select(binary("lt", a, b), Const(1), Const(0)) for a, b in ((lanes.begin, start), (stop, lanes.end))]
    counted(f, inner, 0 - sides[0], sides[1], 1, edge)


def ahead_bytes(f: Function, plan: Blocks, width: int) -> int:
    """How far ahead of what is read lines are fetched: along its row, or of short rows in later strips."""
    load = plan.loads[0]
    pitch = linear(f, f.places[load.buffer], load.indices).get((plan.inner.var,), 0) * load.dtype.itemsize_bytes
    return STRIPS_AHEAD * pitch * width if 0 < pitch <= SHORT_ROW_BYTES else AHEAD_BYTES


def _staged(f: Function, plan: Blocks, out: Store, columns: Span, lanes: Span) -> None:
    """Strips by way of the stack; then the lanes before the first line of any row, and those after the strips."""
    size, dtype, width = plan.lanes, in_memory(out.buffer.dtype), plan.staged_lanes
    line = LINE_BYTES // dtype.itemsize_bytes
    stage = Buffer(f"{out.buffer.name}.stage", (Const(size), Const(width + line)), out.buffer.dtype, "local")
    memory = f.alloca(f"[{size * (width + line)} x {llvm_type(dtype)}]")
    f.places[stage] = Place(memory, (Const(width + line), Const(1)), is_stack=True)
    writes = block(replace(out, buffer=stage, indices=(Const(0), Const(0))), out)
    outer, inner = replace(plan.outer, body=writes), replace(plan.inner, body=writes)
    stop = named(f, "stop", lanes.begin + (lanes.end - lanes.begin - line) // line * line)
    aligned = aligned_column(f, plan, columns)

    def strip(at: Var) -> None:
        base = named(f, "base", binary("min", at, stop - width))

        def rows(j: Expr) -> None:
            into = replace(out, buffer=stage, indices=(plan.outer.var - j, plan.inner.var - base))
            turned = replace(plan, inner=replace(inner, body=into), result=into if plan.result is not None else None)
            counted(f, inner, base, base + (width + line), size, lambda i: one_block(f, turned, j, i, AHEAD_BYTES))
            counted(f, outer, Const(0), Const(size), 1, lambda c: _copy_lines(f, plan, out, stage, j, c, base))

        along(f, plan, outer, columns, aligned, rows)

    def edge(position: Var) -> None:
        before = lanes.begin + (position - (stop - line))
        at = select(binary("lt", position, stop), before, position)
        at = named(f, "at", binary("min", at, lanes.end - size))
        along(f, plan, plan.outer, columns, aligned, lambda j: one_block(f, plan, j, at, AHEAD_BYTES))

    f.has_streamed = True
    counted(f, inner, lanes.begin, stop, width, strip)
    counted(f, plan.inner, stop - line, lanes.end, size, edge)


def _copy_lines(f: Function, plan: Blocks, out: Store, stage: Buffer, j: Expr, c: Var, base: Expr) -> None:
    """The whole lines of a row on the stack, from the first one that begins there on, around the caches."""
    size_bytes = in_memory(out.buffer.dtype).itemsize_bytes
    to: dict[Var, Expr] = {plan.outer.var: j + c, plan.inner.var: base}
    first = substitute(Load(out.buffer, out.indices), to)
    assert isinstance(first, Load)
    address = f.here(f"ptrtoint ptr {access(f, first.buffer, first.indices).pointer} to i64")
    missing = f.here(f"and i64 {f.here(f'sub i64 0, {address}')}, {LINE_BYTES - 1}")
    count = Value(f.here(f"lshr i64 {missing}, {size_bytes.bit_length() - 1}"), index, 0, f.level)
    head = bind(f, "head", count)
    full = f.unit.target.vector_bits // 8 // size_bytes
    lane = Var(f"lane{full}")
    f.vars[lane] = lane_numbers(full)
    f.lanes, f.streaming = Lanes(lane, full), out.buffer
    for start in range(0, plan.staged_lanes, full):
        values = f.value(Load(stage, (c, head + (lane + start))))
        target = substitute(Load(out.buffer, out.indices), {**to, plan.inner.var: base + head + (lane + start)})
        assert isinstance(target, Load)
        store(f, target.buffer, target.indices, values)
    f.lanes = f.streaming = None
