"""Tiles whose lanes run across the rows of an output: they are turned on their way to memory.

    unroll for x in [0, 14): vector for f in [0, 32): Y[f, x] = T[x, f] + b[f]

Row by row, each vector would go to memory one element at a time. Here the values of all rows wait on the stack; then
blocks of N x N of them become vectors along x by shuffles (`transpose.turn`), one store for each f. Operands that lie
like the output, such as a residual, are read by whole vectors and turned the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from akg.base.dtype import DType, bool_, index
from akg.codegen.llvm.bounds import as_index, is_checked
from akg.codegen.llvm.builder import Function, Lanes, Value
from akg.codegen.llvm.control import counted_loop, trip_count
from akg.codegen.llvm.memory import access
from akg.codegen.llvm.transpose import always_read, lies_along
from akg.codegen.llvm.turn import turn
from akg.codegen.llvm.types import in_memory, llvm_type, mangled
from akg.codegen.llvm.vector import plan_vector, rest_lanes
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var
from akg.ir.rewrite import loads_of, substitute, substitute_stmt
from akg.ir.stmt import Block, For, Store, expressions

LEAST = 2  # rows of a tile


@dataclass(frozen=True, slots=True)
class _Tile:
    """Rows along `outer`, lanes along `inner`; `stores` and `loads` lie along the rows."""

    outer: For
    inner: For
    rows: int
    width: int
    lanes: int
    stores: list[Store]
    loads: list[Load]


def emit_columns(f: Function, outer: For) -> bool:
    """Emit an unrolled loop over vector loops whose stores lie along it; False, with nothing emitted, for others."""
    tile = _tile(f, outer)
    if tile is None:
        return False
    names = ", ".join(s.buffer.name for s in tile.stores)
    f.unit.note(f"{tile.stores[0].name}: {names} turned in registers, {tile.lanes} x {tile.lanes} a block")
    _emit(f, tile)
    return True


def _tile(f: Function, outer: For) -> _Tile | None:
    inner = outer.body
    if not isinstance(inner, For) or inner.kind != "vector" or f.guard is not None or f.lanes is not None:
        return None
    parts = inner.body.body if isinstance(inner.body, Block) else (inner.body,)
    rows, width = trip_count(f, outer), trip_count(f, inner)
    if rows is None or width is None or rows < LEAST or outer.step != 1 or inner.step != 1:
        return None
    stores = [s for s in parts if isinstance(s, Store)]
    if len(stores) < len(parts):
        return None
    turned = [s for s in stores if lies_along(f, Load(s.buffer, s.indices), outer, inner)]
    if not turned or any(s.buffer.dtype is bool_ or is_checked(f, s.buffer, s.indices) for s in turned):
        return None
    nodes = [e for s in stores for e in expressions(s)]
    loads = [load for e in nodes for load in loads_of(e)]
    own = {s.buffer: s for s in turned}
    if len({s.buffer for s in stores}) < len(stores):
        return None
    if any(load.buffer in own and load.indices != own[load.buffer].indices for load in loads):
        return None  # a row would see what another one writes
    plan = plan_vector(f, inner)
    if plan is None or plan.sums:
        return None
    lanes = min(plan.lanes, max(LEAST, 1 << (width - 1).bit_length()))
    return _Tile(outer, inner, rows, width, lanes, turned, _along(f, nodes, outer, inner))


def _along(f: Function, nodes: list[Expr], outer: For, inner: For) -> list[Load]:
    """The loads that lie along the rows and happen in any case."""
    found = [load for e in nodes for load in always_read(e) if lies_along(f, load, outer, inner)]
    return list(dict.fromkeys(found))


def _emit(f: Function, tile: _Tile) -> None:
    waiting = {s.buffer: _waiting(f, s.buffer, tile) for s in tile.stores}
    f.columns = dict.fromkeys(waiting)
    for start in range(0, tile.width, tile.lanes):
        count = min(tile.lanes, tile.width - start)
        width = tile.lanes if count == tile.lanes else rest_lanes(f, tile.inner, tile.lanes, count)
        for first in range(0, tile.rows, tile.lanes):
            rows = min(tile.lanes, tile.rows - first)
            _read(f, tile, start, count, width, first, rows)
            for row in range(first, first + rows):
                f.lanes = _lanes(f, width, count)
                at: dict[Var, Expr] = {
                    tile.outer.var: tile.outer.begin + Const(row),
                    tile.inner.var: tile.inner.begin + Const(start) + f.lanes.var,
                }
                f.emit(substitute_stmt(tile.inner.body, at))
                f.lanes = None
                for buffer, value in f.columns.items():
                    offset = (start // tile.lanes * tile.rows + row) * tile.lanes
                    f.line(f"store {value}, ptr {_shifted(f, waiting[buffer], buffer.dtype, str(offset))}, align 64")
    f.columns = {}
    for store in tile.stores:
        _write(f, tile, store, waiting[store.buffer])


def _waiting(f: Function, buffer: Buffer, tile: _Tile) -> str:
    """Memory for the values of a tile, vectors of rows one after the other, as whole blocks of rows."""
    vectors = -(-tile.width // tile.lanes) * tile.rows + tile.lanes
    return f.alloca(f"[{vectors * tile.lanes} x {llvm_type(in_memory(buffer.dtype))}]")


def _lanes(f: Function, lanes: int, count: int) -> Lanes:
    """The lanes of a vector, the first `count` of which are on."""
    var = Var(f"lane{lanes}" if count == lanes else f"lane{lanes}of{count}")
    f.vars[var] = Value("<" + ", ".join(f"i64 {k}" for k in range(lanes)) + ">", index, lanes)
    if count == lanes:
        return Lanes(var, lanes)
    return Lanes(var, lanes, Value(_first(count, lanes).partition("> ")[2], bool_, lanes))


def _read(f: Function, tile: _Tile, start: int, count: int, width: int, first: int, rows: int) -> None:
    """Turn the operands that lie along the rows, so that statements find them as loaded already."""
    outer, inner, lanes = tile.outer, tile.inner, tile.lanes
    for load in tile.loads:
        found: list[Value] = []
        for k in range(lanes):
            lane = inner.begin + Const(start + min(k, count - 1))
            place: dict[Var, Expr] = {outer.var: outer.begin + Const(first), inner.var: lane}
            found.append(_row(f, load, place, rows, lanes))
        turned = turn(f, found)
        var = _lanes(f, width, count).var
        for row in range(rows):
            at: dict[Var, Expr] = {
                outer.var: outer.begin + Const(first + row), inner.var: inner.begin + Const(start) + var,
            }  # fmt: skip
            node = substitute(load, at)
            value = _part(f, turned[row], width)
            f.remember(node, value, value.level, node)


def _part(f: Function, value: Value, width: int) -> Value:
    """The first `width` lanes of a vector."""
    if width == value.lanes:
        return value
    kind, picked = llvm_type(value.dtype, value.lanes), ", ".join(f"i32 {k}" for k in range(width))
    text = f.at(value.level, f"shufflevector {value}, {kind} poison, <{width} x i32> <{picked}>")
    return Value(text, value.dtype, width, value.level)


def _row(f: Function, load: Load, values: dict[Var, Expr], rows: int, lanes: int) -> Value:
    """A vector of a load along the rows: the first `rows` of them."""
    where, dtype = access(f, load.buffer, tuple([substitute(i, values) for i in load.indices])), in_memory(load.dtype)
    kind, level = llvm_type(dtype, lanes), max(where.level, f.barrier_level(load.buffer))
    if rows == lanes:
        return Value(f.at(level, f"load {kind}, ptr {where.pointer}, align {where.align_bytes}"), dtype, lanes, level)
    name = f"llvm.masked.load.{mangled(dtype, lanes)}.p0"
    callee = f.unit.declare(name, f"declare {kind} @{name}(ptr, i32, <{lanes} x i1>, {kind})")
    arguments = f"ptr {where.pointer}, i32 {where.align_bytes}, {_first(rows, lanes)}, {kind} poison"
    return Value(f.at(level, f"call {kind} {callee}({arguments})"), dtype, lanes, level)


def _first(count: int, lanes: int) -> str:
    """A mask of the first lanes."""
    bits = ", ".join(f"i1 {'true' if k < count else 'false'}" for k in range(lanes))
    return f"<{lanes} x i1> <{bits}>"


def _write(f: Function, tile: _Tile, store: Store, waiting: str) -> None:
    """All waiting values of a store to memory, a block of lanes after the other."""
    lanes, whole = tile.lanes, tile.width // tile.lanes

    def block(at: Var | Const, count: int) -> None:
        number = as_index(f, f.value(at))
        offset = f.here(f"mul i64 {number.text}, {tile.rows * lanes}") if not isinstance(at, Const) else ""
        base = _shifted(f, waiting, store.buffer.dtype, offset or str(int(at) * tile.rows * lanes))
        for first in range(0, tile.rows, lanes):
            _block(f, tile, store, base, at * Const(lanes), first, count)

    if whole > 1:
        counter = Var(f"{tile.inner.var.name}.b{f.unit.unique()}")
        begin, end = as_index(f, f.value(Const(0))), as_index(f, f.value(Const(whole)))
        loop = replace(tile.inner, var=counter, begin=Const(0), end=Const(whole))
        counted_loop(f, loop, begin, end, lambda: block(counter, lanes), True)
    elif whole:
        block(Const(0), lanes)
    if tile.width % lanes:
        block(Const(whole), tile.width % lanes)
    f.invalidate(store.buffer)


def _block(f: Function, tile: _Tile, store: Store, base: str, start: Expr, first: int, count: int) -> None:
    """`count` stores of vectors along the rows from `first`."""
    lanes, dtype = tile.lanes, in_memory(store.buffer.dtype)
    columns, kind = min(lanes, tile.rows - first), llvm_type(dtype, lanes)
    rows: list[Value] = []
    for k in range(lanes):
        if k >= columns:
            rows.append(Value("poison", dtype, lanes, f.level))
            continue
        pointer = _shifted(f, base, dtype, str((first + k) * lanes))
        rows.append(Value(f.here(f"load {kind}, ptr {pointer}, align 64"), dtype, lanes, f.level))
    for k, value in enumerate(turn(f, rows)[:count]):
        at: dict[Var, Expr] = {
            tile.outer.var: tile.outer.begin + Const(first), tile.inner.var: tile.inner.begin + start + Const(k),
        }  # fmt: skip
        where = access(f, store.buffer, tuple([substitute(i, at) for i in store.indices]))
        width = max(1 << (columns - 1).bit_length(), 2)  # short rows are short stores, without a mask if they may
        part = _part(f, value, width)
        if columns == width:
            f.line(f"store {part}, ptr {where.pointer}, align {where.align_bytes}")
            continue
        name = f"llvm.masked.store.{mangled(dtype, width)}.p0"
        callee = f.unit.declare(name, f"declare void @{name}({part.type}, ptr, i32, <{width} x i1>)")
        f.line(f"call void {callee}({part}, ptr {where.pointer}, i32 {where.align_bytes}, {_first(columns, width)})")


def _shifted(f: Function, pointer: str, dtype: DType, offset: str) -> str:
    """An address some elements behind another."""
    if offset == "0":
        return pointer
    return f.here(f"getelementptr inbounds {llvm_type(in_memory(dtype))}, ptr {pointer}, i64 {offset}")
