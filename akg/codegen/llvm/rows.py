"""Lanes along rows of a few elements: whole rows in memory, shuffles between them and the lanes.

    vector for i:                                      vectors of x[i:i+16, :] as they lie, 3 of them
        unroll for c in [0, 3): y[i, c] = f(x[i, c])   shuffles, f three times, shuffles, 3 vectors of y

Element c of the rows of all lanes lies in memory with a stride of one row. Instead of a gather for each c, the rows are
loaded as they lie, once for all c; values that are stored wait until those of whole rows are known. Rows that exist
are in memory whole, so nothing outside the array is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from akg.base.dtype import bool_
from akg.codegen.llvm.address import Polynomial, polynomial, split_lane
from akg.codegen.llvm.builder import Function, Place, Value
from akg.codegen.llvm.subscript import linear, pointer_of
from akg.codegen.llvm.types import in_memory, llvm_type, mangled
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load

MOST_ELEMENTS = 8  # of a row


@dataclass(frozen=True, slots=True)
class Row:
    """An element of the row of each lane.

    Attributes:
        size: elements of a row.
        column: which of them.
        start: the linearised subscript of the first element of lane 0's row.
    """

    size: int
    column: int
    start: Polynomial


@dataclass(slots=True)
class Waiting:
    """Columns of rows that are stored when all are there."""

    buffer: Buffer
    row: Row
    columns: dict[int, Value] = field(default_factory=dict[int, Value])


def row_stored(f: Function, place: Place, buffer: Buffer, indices: tuple[Expr, ...]) -> Row | None:
    """The row that a store of the lanes falls into; also one of arrays that are interleaved: ``y[2 * i + 1]``."""
    found = row_of(f, place, buffer, indices)
    if found is not None or f.lanes is None or f.lanes.is_double or place.lanes or not indices:
        return found
    stride, form = split_lane(linear(f, place, indices), f.lanes.var)
    if stride is None or not 1 < stride <= min(MOST_ELEMENTS, f.lanes.count):
        return None
    if split_lane(polynomial(indices[-1], f.unit.polynomials), f.lanes.var)[0] != stride:
        return None
    if any(c % stride for key, c in form.items() if key):
        return None
    column = form.get((), 0) % stride
    return Row(stride, column, {**form, (): form.get((), 0) - column})


def row_of(f: Function, place: Place, buffer: Buffer, indices: tuple[Expr, ...]) -> Row | None:
    """The row that an access of the lanes falls into; None if it is no column of consecutive rows."""
    if f.lanes is None or f.lanes.is_double or place.lanes:
        return None
    memo, lane = f.unit.polynomials, f.lanes.var
    position, column = len(indices) - 1, 0
    while position >= 0:
        form = polynomial(indices[position], memo)
        if any(key for key in form):
            break
        step = place.strides[position]
        if not isinstance(step, Const):
            return None
        column += form.get((), 0) * int(step)
        position -= 1
    if position < 0 or position == len(indices) - 1:
        return None
    size = place.strides[position]
    if not isinstance(size, Const) or not 1 < int(size) <= min(MOST_ELEMENTS, f.lanes.count):
        return None
    if split_lane(polynomial(indices[position], memo), lane)[0] != 1 or not 0 <= column < int(size):
        return None
    stride, form = split_lane(linear(f, place, indices), lane)
    if stride != int(size):
        return None
    start = dict(form)
    start[()] = start.get((), 0) - column
    return Row(int(size), column, start)


# --- loads --------------------------------------------------------------------------------------------


def load_row(f: Function, node: Load, place: Place, row: Row) -> Value:
    """One column, out of vectors that hold whole rows."""
    assert f.lanes is not None
    lanes, dtype = f.lanes.count, in_memory(node.dtype)
    kind = llvm_type(dtype, lanes)
    parts = [_part(f, node, place, row, number) for number in range(row.size)]
    level = max(p.level for p in parts)
    total = parts[0].text
    for number in range(1, row.size):
        picks: list[int] = []
        for lane in range(lanes):
            which, at = divmod(lane * row.size + row.column, lanes)
            picks.append(lanes + at if which == number else at if number == 1 and which == 0 else lane)
        order = ", ".join(f"i32 {p}" for p in picks)
        pair = f"{kind} {total}, {kind} {parts[number].text}"
        total = f.at(level, f"shufflevector {pair}, <{lanes} x i32> <{order}>")
    return Value(total, dtype, lanes, level)


def _part(f: Function, node: Load, place: Place, row: Row, number: int) -> Value:
    """Vector `number` of the rows as they lie."""
    assert f.lanes is not None
    lanes, dtype = f.lanes.count, in_memory(node.dtype)
    key = ("rows", node.buffer, frozenset(row.start.items()), number, lanes, f.lanes.mask and f.lanes.mask.text)
    found = f.memo.get(key)
    if found is not None:
        return found
    kind, align = llvm_type(dtype, lanes), node.buffer.dtype.itemsize_bytes
    pointer, level = _address(f, place, node.buffer, row, number)
    level = max(level, f.barrier_level(node.buffer))
    mask = _mask(f, row, number)
    if mask is None:
        text = f.at(level, f"load {kind}, ptr {pointer}, align {align}")
    else:
        level = max(level, mask.level)
        name = f"llvm.masked.load.{mangled(dtype, lanes)}.p0"
        callee = f.unit.declare(name, f"declare {kind} @{name}(ptr, i32, {mask.type}, {kind})")
        text = f.at(level, f"call {kind} {callee}(ptr {pointer}, i32 {align}, {mask}, {kind} zeroinitializer)")
    value = Value(text, dtype, lanes, level)
    f.remember(key, value, level, node)
    return value


def _address(f: Function, place: Place, buffer: Buffer, row: Row, number: int) -> tuple[str, int]:
    assert f.lanes is not None
    form = dict(row.start)
    form[()] = form.get((), 0) + number * f.lanes.count
    return pointer_of(f, place, form, llvm_type(in_memory(buffer.dtype)))


def _mask(f: Function, row: Row, number: int) -> Value | None:
    """The elements of a vector of rows that belong to lanes which are on; None if all do."""
    assert f.lanes is not None
    mask, lanes = f.lanes.mask, f.lanes.count
    if mask is None:
        return None
    key = ("row mask", mask.text, row.size, number)
    found = f.memo.get(key)
    if found is None:
        order = ", ".join(f"i32 {(number * lanes + k) // row.size}" for k in range(lanes))
        text = f.at(mask.level, f"shufflevector {mask}, {mask.type} poison, <{lanes} x i32> <{order}>")
        found = Value(text, bool_, lanes, mask.level)
        f.remember(key, found, mask.level)
    return found


# --- stores -------------------------------------------------------------------------------------------


def waiting_value(f: Function, node: Load, row: Row | None) -> Value | None:
    """What a load reads of a column that waits to be stored; other columns of its array are stored now."""
    if not f.waiting:
        return None
    if row is not None:
        found = f.waiting.get((node.buffer, frozenset(row.start.items())))
        if found is not None and row.column in found.columns:
            return found.columns[row.column]
    flush_rows(f, node.buffer)
    return None


def wait_for_row(f: Function, buffer: Buffer, row: Row, value: Value) -> None:
    """Keep a column until its rows are whole, then store them."""
    assert f.lanes is not None
    key = (buffer, frozenset(row.start.items()))
    if key not in f.waiting:
        flush_rows(f, buffer)  # it may be the same memory
        f.waiting[key] = Waiting(buffer, row)
    found = f.waiting[key]
    found.columns[row.column] = f.splat(value, f.lanes.count)
    if len(found.columns) == row.size:
        _store_rows(f, f.waiting.pop(key))


def flush_rows(f: Function, buffer: Buffer | None = None) -> None:
    """Store columns that wait, of one array or of all, though their rows are not whole."""
    for key in [k for k, w in f.waiting.items() if buffer is None or w.buffer is buffer]:
        _store_rows(f, f.waiting.pop(key))


def _store_rows(f: Function, waiting: Waiting) -> None:
    assert f.lanes is not None
    row, columns, lanes = waiting.row, waiting.columns, f.lanes.count
    place, align = f.places[waiting.buffer], waiting.buffer.dtype.itemsize_bytes
    some = next(iter(columns.values()))
    name = f"llvm.masked.store.{mangled(some.dtype, lanes)}.p0"
    for number in range(row.size):
        pointer, _ = _address(f, place, waiting.buffer, row, number)
        mask = _mask(f, row, number)
        if len(columns) < row.size:
            mask = _only(f, row, number, columns, mask)
        value = _interleaved(f, row, number, columns)
        if mask is None:
            store_vector(f, waiting.buffer, value, pointer, align, lanes)
            continue
        callee = f.unit.declare(name, f"declare void @{name}({some.type}, ptr, i32, {mask.type})")
        f.line(f"call void {callee}({value}, ptr {pointer}, i32 {align}, {mask})")


def store_vector(f: Function, buffer: Buffer, value: Value, pointer: str, align: int, lanes: int) -> None:
    """Write neighbours, around the caches where the buffer streams by: then `lanes` of them are aligned."""
    if buffer is f.streaming:
        f.unit.declarations.setdefault("!0", "!0 = !{i32 1}")
        f.line(f"store {value}, ptr {pointer}, align {lanes * align}, !nontemporal !0")
    else:
        f.line(f"store {value}, ptr {pointer}, align {align}")


def _interleaved(f: Function, row: Row, number: int, columns: dict[int, Value]) -> Value:
    """Vector `number` of the rows as they lie in memory."""
    assert f.lanes is not None
    lanes, some = f.lanes.count, next(iter(columns.values()))
    total = ""
    for column, value in sorted(columns.items()):
        picks: list[int] = []
        for k in range(lanes):
            lane, which = divmod(number * lanes + k, row.size)
            picks.append((lanes + lane if total else lane) if which == column else k)
        order = ", ".join(f"i32 {p}" for p in picks)
        pair = f"{some.type} {total}, {value}" if total else f"{value}, {some.type} poison"
        total = f.here(f"shufflevector {pair}, <{lanes} x i32> <{order}>")
    return Value(total, some.dtype, lanes, f.level)


def _only(f: Function, row: Row, number: int, columns: dict[int, Value], mask: Value | None) -> Value:
    """The mask of a vector of rows of which only some columns are stored."""
    assert f.lanes is not None
    lanes = f.lanes.count
    bits = ", ".join(f"i1 {'true' if (number * lanes + k) % row.size in columns else 'false'}" for k in range(lanes))
    if mask is None:
        return Value(f"<{bits}>", bool_, lanes)
    text = f.here(f"and {mask}, <{bits}>")
    return Value(text, bool_, lanes, f.level)
