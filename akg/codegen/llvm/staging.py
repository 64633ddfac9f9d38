"""Short rows of an output that bypasses the caches: put together on the stack, and written as one long row.

    for i in [0, 56):                          alloc stage: [56, 56]
        vector j in [0, 56):                   for i in [0, 56):
            y[c, i, j] = ...                       vector j in [0, 56): stage[i, j] = ...
                                               for i in [0, 56): vector j in [0, 56): y[c, i, j] = stage[i, j]

A row of three and a half lines cannot be written around the caches by itself: what is no whole line would be read
from memory first. Rows that follow each other are one row of many lines (`flatten`), which `streaming` writes; the way
by way of the first cache costs less than the lines that are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import gcd, lcm

from akg.codegen.llvm.builder import Function
from akg.codegen.llvm.streaming import MIN_STREAMED
from akg.codegen.llvm.types import in_memory
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var
from akg.ir.rewrite import buffers_read, rewrite_stmt, substitute_stmt, uses
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, Block, For, Stmt, Store, block, walk

LINE_BYTES = 64
STAGE_BYTES = 4096  # of rows at a time: stores around the caches wait for memory, so they take turns with what reads it


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of an output that a loop writes, one behind the other from `first` on.

    Attributes:
        loop: one iteration writes as many rows as its step is.
        buffer: the output.
        before: its subscripts but the last two.
        offset: the number of the first row of an iteration less the loop's variable.
        width: elements of a row, all of which are written.
    """

    loop: For
    buffer: Buffer
    before: tuple[Expr, ...]
    offset: Expr
    width: int


def staged(f: Function, loop: For) -> Stmt | None:
    """A serial loop over short rows of an output that bypasses the caches, by way of the stack; None for others."""
    if not f.unit.staged or f.lanes is not None or f.guard is not None or loop.kind != "serial":
        return None
    extent = Affine.of(loop.end - loop.begin)
    is_whole = extent is not None and extent.is_const and extent.const > 0 and extent.const % loop.step == 0
    rows = _rows(f.unit.staged, loop) if is_whole else None
    if rows is None or extent is None:
        return None
    extent = extent.const
    dtype = in_memory(rows.buffer.dtype)
    least = MIN_STREAMED * f.unit.target.lanes(dtype.bits)
    row_bytes = rows.width * dtype.itemsize_bytes
    unit = lcm(loop.step, LINE_BYTES // gcd(LINE_BYTES, row_bytes))  # rows that are whole lines together
    chunks = -(-extent * row_bytes // STAGE_BYTES)
    count = min(-(-extent // (chunks * unit)) * unit, extent)
    if rows.width >= least or count * rows.width < least:
        return None
    f.unit.note(f"{f.statement_of(loop)}: {count} rows of {rows.buffer.name} at a time by way of the stack")
    whole = extent // count * count
    parts: list[Stmt] = []
    if whole > count:
        at = Var(f"{loop.var.name}.chunk{f.unit.unique()}")
        parts.append(For(at, loop.begin, simplify(loop.begin + whole), _chunk(f, rows, at, count), "serial", count))
    else:
        parts.append(_chunk(f, rows, loop.begin, count))
    if whole < extent:
        parts.append(_chunk(f, rows, simplify(loop.begin + whole), extent - whole))
    return block(*parts)


def _rows(outputs: frozenset[Buffer], loop: For) -> _Rows | None:
    """The rows of the one output that bypasses the caches; None if they are not whole, or not one behind the other."""
    all_stores = [s for s in walk(loop.body) if isinstance(s, Store) and s.buffer in outputs]
    found = [(lanes, s) for lanes, s in _always_stored(loop.body) if s.buffer in outputs]
    buffers = {s.buffer for s in all_stores}
    if len(buffers) != 1 or len(found) < len(all_stores) or len(found) != loop.step:
        return None
    buffer = found[0][1].buffer
    width = buffer.shape[-1]
    if len(buffer.shape) < 2 or not isinstance(width, Const) or buffer in buffers_read(loop):
        return None
    inside = {loop.var, *(s.var for s in walk(loop.body) if isinstance(s, For))}
    places: set[tuple[Expr, ...]] = set()
    numbers: list[Affine] = []
    for lanes, store in found:
        *before, row, column = store.indices
        number = Affine.of(row - loop.var)
        whole = column is lanes.var and lanes.begin is Const(0) and lanes.end is width and lanes.step == 1
        if number is None or not whole or store.reduction is not None or not inside.isdisjoint(number.terms):
            return None
        if any(uses(e, v) for e in before for v in inside):
            return None
        places.add(tuple(before))
        numbers.append(number)
    least = min(numbers, key=lambda n: n.const)
    gaps = [n - least for n in numbers]
    if len(places) != 1 or not all(g.is_const for g in gaps) or {g.const for g in gaps} != {*range(loop.step)}:
        return None
    return _Rows(loop, buffer, places.pop(), least.to_expr(), int(width))


def _always_stored(body: Stmt) -> Iterator[tuple[For, Store]]:
    """The stores of loops over lanes that every iteration runs once."""
    if isinstance(body, Alloc):
        yield from _always_stored(body.body)
    elif isinstance(body, Block):
        for part in body.body:
            yield from _always_stored(part)
    elif isinstance(body, For) and body.kind == "vector":
        parts = body.body.body if isinstance(body.body, Block) else (body.body,)
        yield from ((body, part) for part in parts if isinstance(part, Store))


def _chunk(f: Function, rows: _Rows, begin: Expr, count: int) -> Stmt:
    """`count` rows from `begin` on to the stack, and from there to the output."""
    number = f.unit.unique()
    buffer, loop = rows.buffer, rows.loop
    stage = Buffer(f"{buffer.name}.stage{number}", (Const(count), Const(rows.width)), buffer.dtype, "local")
    first = simplify(begin + rows.offset)
    var = Var(f"{loop.var.name}.in{number}")

    def onto_stack(stmt: Stmt) -> Stmt | None:
        if not isinstance(stmt, Store) or stmt.buffer is not buffer:
            return None
        *_, row, column = stmt.indices
        return replace(stmt, buffer=stage, indices=(simplify(row - first), column))

    body = substitute_stmt(loop.body, {loop.var: var})
    inner = replace(loop, var=var, begin=begin, end=simplify(begin + count), body=rewrite_stmt(body, onto_stack))
    row, column = Var(f"{buffer.name}.row{number}"), Var(f"{buffer.name}.column{number}")
    value = Load(stage, (row, column))
    copy = Store(buffer, (*rows.before, simplify(first + row), column), value, f"{buffer.name}.copy{number}")
    stores = [s for s in walk(loop.body) if isinstance(s, Store)]
    f.unit.stands_for[copy.name] = frozenset([s.name for s in stores if s.buffer is buffer])
    lanes = For(column, Const(0), Const(rows.width), copy, "vector")
    return Alloc(stage, block(inner, For(row, Const(0), Const(count), lanes)))
