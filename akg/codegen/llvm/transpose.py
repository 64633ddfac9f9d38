"""Blocks of two vector loops: loads that are contiguous along the outer one are turned in registers.

    for j (vector): for i (vector): Y[j, i] = f(X[i, j])

A block of N x N iterations loads N rows of X, N lanes along j, and turns them into N vectors with lanes along i by
shuffles of two vectors, log2(N) for each: neighbouring elements first, within 128 bits, where processors have
interleaving instructions, then whole pieces of 128 bits. The statements then find those vectors as loaded already, so
that whatever else they compute is emitted as in any vector loop.

Blocks walk along j, the rows of X, in strips of at least 128 bytes of Y's rows. Where the outputs bypass the caches,
strips start at an aligned element. The lanes left over at both ends of i are masked: their rows are read from the last
row that there is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from akg.base.dtype import bool_, index, int32
from akg.codegen.llvm.address import Polynomial
from akg.codegen.llvm.arith import apply
from akg.codegen.llvm.bounds import as_index, is_checked
from akg.codegen.llvm.builder import Function, Lanes, Value
from akg.codegen.llvm.control import counted_loop, trip_count
from akg.codegen.llvm.memory import access, linear
from akg.codegen.llvm.streaming import unaligned_head
from akg.codegen.llvm.types import in_memory, llvm_type, mangled
from akg.codegen.llvm.vector import plan_vector
from akg.ir.expr import Const, Expr, Load, Select, Var, binary, select
from akg.ir.rewrite import substitute, substitute_stmt, walk_expr
from akg.ir.simplify import simplify
from akg.ir.stmt import Block, For, Store, expressions

CHUNK = 512  # columns at a time where lines of the output that two strips share should stay in the second-level cache
SMALL = 16  # lanes of the blocks at the edges, where full ones would be long code for few elements
STRIP_BYTES = 128
UNIT_BITS = 128  # within which interleaving is one instruction


@dataclass(frozen=True, slots=True)
class Blocks:
    """Two vector loops as blocks.

    Attributes:
        outer: the loop along which `loads` are contiguous.
        inner: the loop over lanes.
        lanes: rows and columns of a block.
        loads: what is turned.
        stream: the store that bypasses the caches; None if none does.
        stack: blocks of a strip.
    """

    outer: For
    inner: For
    lanes: int
    loads: list[Load]
    stream: Store | None
    stack: int


def emit_blocks(f: Function, outer: For) -> bool:
    """Emit a vector loop whose body is a vector loop as blocks; False, with nothing emitted, if nothing is to turn."""
    inner = outer.body
    if not isinstance(inner, For) or inner.kind != "vector" or f.guard is not None:
        return False
    plan = _plan(f, outer, inner)
    if plan is None:
        return False
    names = ", ".join(dict.fromkeys(load.buffer.name for load in plan.loads))
    around = "" if plan.stream is None else f"; stores to {plan.stream.buffer.name} bypass the caches"
    f.unit.note(f"{f.statement_of(outer)}: {names} turned in registers, {plan.lanes} x {plan.lanes} a block{around}")
    _emit(f, plan)
    return True


# --- what is a block -----------------------------------------------------------------------------------


def _plan(f: Function, outer: For, inner: For) -> Blocks | None:
    parts = inner.body.body if isinstance(inner.body, Block) else (inner.body,)
    bounds = [n for e in (inner.begin, inner.end) for n in walk_expr(e)]
    if not all(isinstance(s, Store) for s in parts) or outer.var in bounds or outer.step != 1 or inner.step != 1:
        return None
    plan = plan_vector(f, inner)
    trips = trip_count(f, outer)
    if plan is None or plan.sums or (trips is not None and trips < 2):
        return None
    lanes = plan.lanes
    loads = [load for s in parts for e in expressions(s) for load in _always_read(e) if _turns(f, load, outer, inner)]
    loads = list(dict.fromkeys(loads))
    if not loads:
        return None
    widest = max((s.buffer.dtype.itemsize_bytes for s in parts if isinstance(s, Store)), default=1)
    stream = next((s for s in parts if isinstance(s, Store) and _streams(f, s, outer, inner, lanes)), None)
    return Blocks(outer, inner, lanes, loads, stream, max(1, STRIP_BYTES // (lanes * widest)))


def _always_read(expr: Expr) -> list[Load]:
    """The loads that evaluating `expr` always does: not those that a condition guards."""
    found: list[Load] = []
    pending = [expr]
    for node in pending:
        if isinstance(node, Load):
            found.append(node)
        pending.extend((node.cond,) if isinstance(node, Select) else node.children)
    return found


def _turns(f: Function, load: Load, outer: For, inner: For) -> bool:
    """Whether a load is contiguous along the outer loop and strides over the lanes."""
    place = f.places.get(load.buffer)
    if place is None or place.is_private or is_checked(f, load.buffer, load.indices):
        return False
    form = linear(f, place, load.indices)
    return form.get((outer.var,)) == 1 and not _occurs(form, outer.var, alone=True) and _strides(form, inner.var)


def _occurs(form: Polynomial, var: Var, alone: bool = False) -> bool:
    """Whether a variable is in a term; with `alone`, in one other than itself."""
    keys = [key for key in form if not (alone and key == (var,))]
    return any(node is var for key in keys for factor in key for node in walk_expr(factor))


def _strides(form: Polynomial, var: Var) -> bool:
    """Whether a variable moves the address by more than an element, and linearly."""
    if form.get((var,)) in (1, -1):
        return False
    keys = [key for key in form if any(node is var for factor in key for node in walk_expr(factor))]
    return bool(keys) and all(sum(factor is var for factor in key) == 1 and _is_linear(key, var) for key in keys)


def _is_linear(key: tuple[Expr, ...], var: Var) -> bool:
    return not any(node is var for factor in key if factor is not var for node in walk_expr(factor))


def _streams(f: Function, store: Store, outer: For, inner: For, lanes: int) -> bool:
    """Whether whole vectors of a store may bypass the caches: rows all start at the same place of a vector."""
    if store.buffer not in f.unit.streamed:
        return False
    size_bytes = store.buffer.dtype.itemsize_bytes
    if STRIP_BYTES % (lanes * size_bytes):
        return False
    form = linear(f, f.places[store.buffer], store.indices)
    contiguous = form.get((inner.var,)) == 1 and not _occurs(form, inner.var, alone=True)
    moves = {key: c for key, c in form.items() if _occurs({key: c}, outer.var)}
    return contiguous and all(c % lanes == 0 for c in moves.values())


# --- loops over blocks ---------------------------------------------------------------------------------

Emit = Callable[[Expr, int], None]  # emits some columns of the outer loop from a position on
Columns = Callable[[Emit], None]  # emits a block for each position along the outer loop


@dataclass(frozen=True, slots=True)
class Strips:
    """How the lanes are shared out: ``[begin, start)`` masked, whole strips up to `stop`, then masked up to `end`."""

    begin: Expr
    start: Expr
    stop: Expr
    end: Expr


def _emit(f: Function, plan: Blocks) -> None:
    outer = plan.outer
    first: Expr = _named(f, "first", outer.begin)
    begin = first if plan.stream is None else _aligned_columns(f, plan, first)
    trips = trip_count(f, outer) if begin is first else None
    end = _named(f, "last", outer.end)
    small = replace(plan, lanes=min(plan.lanes, SMALL))
    strips = _strips(f, plan, begin)
    whole, last = [_named(f, "whole", begin + (end - begin) // n * n) for n in (plan.lanes, small.lanes)]
    if trips is None or trips >= plan.lanes:
        _main(f, plan, strips, begin, whole, trips)

    def remaining(position: Expr) -> Columns:
        def columns(block: Emit) -> None:
            _along(f, outer, position, last, small.lanes, block)
            if trips is not None and trips % small.lanes:
                block(last, trips % small.lanes)

        return columns

    _edges(f, small, strips, remaining(begin))
    if trips is None:
        _one_by_one(f, plan, last, end)
    if trips is None or trips % plan.lanes:
        _unmasked(f, small, strips.start, strips.stop, small.lanes, remaining(whole))


def _main(f: Function, plan: Blocks, strips: Strips, begin: Expr, end: Expr, trips: int | None) -> None:
    """The bulk: whole strips along whole blocks."""
    width = plan.lanes * plan.stack

    def sweep(low: Expr, high: Expr) -> None:
        _unmasked(f, plan, strips.start, strips.stop, width, lambda b: _along(f, plan.outer, low, high, plan.lanes, b))

    if plan.stream is not None:
        f.streaming, f.has_streamed = plan.stream.buffer, True
        sweep(begin, end)
        f.streaming = None
    elif trips is None or trips >= 2 * CHUNK:
        _counted(f, plan.outer, begin, end, CHUNK, lambda j: sweep(j, binary("min", j + CHUNK, end)))
    else:
        sweep(begin, end)


def _aligned_columns(f: Function, plan: Blocks, begin: Expr) -> Expr:
    """Where to start along the outer loop, so that rows are read from aligned addresses if one is and all are alike."""
    load, lanes = plan.loads[0], plan.lanes
    form = linear(f, f.places[load.buffer], load.indices)
    pitch = [c for key, c in form.items() if _occurs({key: c}, plan.inner.var)]
    size_bytes = load.dtype.itemsize_bytes
    if any(c % lanes for c in pitch):
        return begin
    at = substitute(load, {plan.outer.var: begin, plan.inner.var: plan.inner.begin})
    assert isinstance(at, Load)
    address = f.here(f"ptrtoint ptr {access(f, at.buffer, at.indices).pointer} to i64")
    missing = f.here(f"and i64 {f.here(f'sub i64 0, {address}')}, {lanes * size_bytes - 1}")
    head = Value(f.here(f"lshr i64 {missing}, {size_bytes.bit_length() - 1}"), index, 0, f.level)
    start = _named(f, "aligned", binary("min", begin + _bind(f, "head", head), plan.outer.end))
    _one_by_one(f, plan, begin, start)
    return start


def _one_by_one(f: Function, plan: Blocks, begin: Expr, end: Expr) -> None:
    """Iterations of the outer loop that fill no block, in number not known now."""
    streamed, f.unit.streamed = f.unit.streamed, frozenset()
    _counted(f, plan.outer, begin, end, 1, lambda j: f.emit(substitute_stmt(plan.inner, {plan.outer.var: j})))
    f.unit.streamed = streamed


def _strips(f: Function, plan: Blocks, begin: Expr) -> Strips:
    inner, width = plan.inner, plan.lanes * plan.stack
    first, end = _named(f, "lanes", inner.begin), _named(f, "end", inner.end)
    start: Expr = first
    if plan.stream is not None:
        store = substitute_stmt(plan.stream, {plan.outer.var: begin})
        assert isinstance(store, Store)
        head = unaligned_head(f, inner, store, plan.lanes, as_index(f, f.value(first)), as_index(f, f.value(end)))
        start = _named(f, "start", first + _bind(f, "head", head))
    return Strips(first, start, _named(f, "stop", start + (end - start) // width * width), end)


def _along(f: Function, outer: For, begin: Expr, end: Expr, lanes: int, block: Emit) -> None:
    _counted(f, outer, begin, end, lanes, lambda j: block(j, lanes))


def _unmasked(f: Function, plan: Blocks, start: Expr, stop: Expr, width: int, columns: Columns) -> None:
    """Whole strips of `width` lanes."""
    lanes = plan.lanes
    lane = Var(f"lane{lanes}")
    f.vars[lane] = _numbers(lanes)

    def strip(at: Var) -> None:
        def stacked(j: Expr, count: int) -> None:
            for k in range(0, width, lanes):
                _block(f, plan, j, at + Const(k), Lanes(lane, lanes), count)

        columns(stacked)

    _counted(f, plan.inner, start, stop, width, strip)


def _edges(f: Function, plan: Blocks, strips: Strips, columns: Columns) -> None:
    """The lanes before and after the whole strips, a vector at a time."""
    lanes = plan.lanes

    def piece(number: Var) -> None:
        is_head = binary("lt", number, 0)
        behind = strips.stop + number * lanes
        before = strips.start + number * lanes
        at = _named(f, "at", select(is_head, binary("max", before, strips.begin), behind))
        left = select(is_head, before + lanes, strips.end) - at
        _masked_columns(f, plan, at, _named(f, "count", binary("min", left, lanes)), columns)

    heads = (strips.start - strips.begin + (lanes - 1)) // lanes
    _counted(f, plan.inner, 0 - heads, (strips.end - strips.stop + (lanes - 1)) // lanes, 1, piece)


def _masked_columns(f: Function, plan: Blocks, at: Expr, count: Expr, columns: Columns) -> None:
    """The first `count` lanes from `at`, at least one and at most a vector."""
    lanes, number = plan.lanes, f.value(count)
    short = Value(f.at(number.level, f"trunc {number} to i32"), int32, 0, number.level)
    ramp = Value("<" + ", ".join(f"i32 {k}" for k in range(lanes)) + ">", int32, lanes)
    mask = apply(f, bool_, "icmp slt {t} {0}, {1}", ramp, short)
    lane = Var(f"lane{lanes}p{f.unit.unique()}")
    f.vars[lane] = _numbers(lanes)
    columns(lambda j, n: _block(f, plan, j, at, Lanes(lane, lanes, mask), n, count))


def _counted(f: Function, loop: For, begin: Expr, end: Expr, step: int, body: Callable[[Var], None]) -> None:
    counter = Var(f"{loop.var.name}.b{f.unit.unique()}")
    runs = simplify(binary("lt", begin, end))
    if isinstance(runs, Const) and not runs.value:
        return
    first, last = as_index(f, f.value(begin)), as_index(f, f.value(end))
    counted_loop(f, replace(loop, var=counter, step=step), first, last, lambda: body(counter), isinstance(runs, Const))


def _named(f: Function, name: str, expr: Expr) -> Expr:
    """A variable that stands for what an expression is now; a constant for itself."""
    expr = simplify(expr)
    return expr if isinstance(expr, Const) else _bind(f, name, f.value(expr))


def _bind(f: Function, name: str, value: Value) -> Var:
    """A variable that stands for a value from here on."""
    var = Var(f"{name}.{f.unit.unique()}")
    f.vars[var] = as_index(f, value)
    return var


# --- one block -----------------------------------------------------------------------------------------


def _block(
    f: Function, plan: Blocks, j: Expr, i: Expr, lanes: Lanes, columns: int, count: Expr | None = None
) -> None:
    """`columns` iterations of the outer loop from `j` for the lanes from `i`, the first `count` of them."""
    outer, inner = plan.outer.var, plan.inner.var
    places: list[dict[Var, Expr]] = [{outer: j + Const(c), inner: i + lanes.var} for c in range(columns)]
    for load in plan.loads:
        starts: list[dict[Var, Expr]] = [{outer: j, inner: _row_number(i, k, count)} for k in range(lanes.count)]
        rows = [_row(f, load, values, columns, lanes.count) for values in starts]
        turned = turn(f, rows)
        for c, values in enumerate(places):
            node = substitute(load, values)
            f.remember(node, turned[c], turned[c].level, node)
    f.lanes = lanes
    for values in places:
        f.emit(substitute_stmt(plan.inner.body, values))
    f.lanes = None


def _row_number(i: Expr, k: int, count: Expr | None) -> Expr:
    return i + Const(k) if count is None or k == 0 else i + binary("min", Const(k), count - 1)


def _row(f: Function, load: Load, values: dict[Var, Expr], columns: int, lanes: int) -> Value:
    """Lanes of a load along the outer loop: the first `columns`."""
    at = substitute(load, values)
    assert isinstance(at, Load)
    where = access(f, at.buffer, at.indices)
    dtype = in_memory(load.dtype)
    kind = llvm_type(dtype, lanes)
    level = max(where.level, f.barrier_level(load.buffer))
    if columns == lanes:
        text = f.at(level, f"load {kind}, ptr {where.pointer}, align {where.align_bytes}")
    else:
        name = f"llvm.masked.load.{mangled(dtype, lanes)}.p0"
        bits = ", ".join(f"i1 {'true' if k < columns else 'false'}" for k in range(lanes))
        callee = f.unit.declare(name, f"declare {kind} @{name}(ptr, i32, <{lanes} x i1>, {kind})")
        arguments = f"ptr {where.pointer}, i32 {where.align_bytes}, <{lanes} x i1> <{bits}>, {kind} poison"
        text = f.at(level, f"call {kind} {callee}({arguments})")
    return Value(text, dtype, lanes, level)


def turn(f: Function, rows: list[Value]) -> list[Value]:
    """The columns of a square block whose rows are given."""
    n, bits = len(rows), rows[0].dtype.bits
    unit = min(n, UNIT_BITS // bits)
    parts = [_turned_units(f, rows[p : p + unit], unit) for p in range(0, n, unit)]
    # parts[p][c], unit q: column q * unit + c of the rows from p * unit
    columns: list[Value] = []
    exchanged = [_exchanged(f, [part[c] for part in parts], unit * bits) for c in range(unit)]
    for q in range(n // unit):
        columns += [across[q] for across in exchanged]
    return columns


def _turned_units(f: Function, rows: list[Value], unit: int) -> list[Value]:
    """As many rows as a unit has elements, with each of their units turned: interleave pieces of 1, 2, 4, ..."""
    groups = [[row] for row in rows]
    size = 1
    while size < unit:
        pairs = list(zip(groups[::2], groups[1::2], strict=True))
        groups = [[h for a, b in zip(x, y, strict=True) for h in _interleaved(f, a, b, size, unit)] for x, y in pairs]
        size *= 2
    return groups[0]


def _interleaved(f: Function, a: Value, b: Value, size: int, unit: int) -> list[Value]:
    """Pieces of `size` elements of two vectors by turns: of the lower half of each unit, and of the upper."""
    count, pieces = a.lanes // size, unit // size
    halves: list[Value] = []
    for start in (0, pieces // 2):
        picks = [base + start + k + second for base in range(0, count, pieces) for k in range(pieces // 2)
                 for second in (0, count)]  # fmt: skip
        halves.append(_shuffle(f, a, b, picks, size * a.dtype.bits))
    return halves


def _exchanged(f: Function, vectors: list[Value], unit_bits: int) -> list[Value]:
    """Unit q of vector p becomes unit p of vector q."""
    count, distance, parts = len(vectors), 1, list(vectors)
    wide = min(unit_bits, 64)  # the widest element that shuffles have
    while distance < count:
        for p in range(count):
            if not p & distance:
                a, b = parts[p], parts[p + distance]
                keep = [q if not q & distance else count + q - distance for q in range(count)]
                swap = [q + distance if not q & distance else count + q for q in range(count)]
                for at, units in ((p, keep), (p + distance, swap)):
                    picks = [u * (unit_bits // wide) + k for u in units for k in range(unit_bits // wide)]
                    parts[at] = _shuffle(f, a, b, picks, wide)
        distance *= 2
    return parts


def _shuffle(f: Function, a: Value, b: Value, picks: list[int], bits: int) -> Value:
    """Elements of `bits` bits picked from two vectors: wider than the vectors' own, they are less work for LLVM."""
    level = max(a.level, b.level)
    order = ", ".join(f"i32 {k}" for k in picks)
    x, y, kind = str(a), str(b), f"<{len(picks)} x i{bits}>"
    if bits != a.dtype.bits:
        x = f"{kind} {f.at(a.level, f'bitcast {a} to {kind}')}"
        y = f"{kind} {f.at(b.level, f'bitcast {b} to {kind}')}"
    text = f.at(level, f"shufflevector {x}, {y}, <{len(picks)} x i32> <{order}>")
    if bits != a.dtype.bits:
        text = f.at(level, f"bitcast {kind} {text} to {a.type}")
    return Value(text, a.dtype, a.lanes, level)


def _numbers(lanes: int) -> Value:
    return Value("<" + ", ".join(f"i64 {k}" for k in range(lanes)) + ">", index, lanes)
