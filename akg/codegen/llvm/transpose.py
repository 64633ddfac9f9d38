"""Blocks of two vector loops: loads that are contiguous along the outer one are turned in registers.

    for j (vector): for i (vector): Y[j, i] = f(X[i, j])

A block of N x N iterations loads N rows of X, N lanes along j, and turns them into N vectors with lanes along i by
shuffles of two vectors, log2(N) for each: neighbouring elements first, within 128 bits, where processors have
interleaving instructions, then whole pieces of 128 bits. The statements then find those vectors as loaded already, so
that whatever else they compute is emitted as in any vector loop.

The last block of a row or column starts N elements before its end, over elements that are written already: the same
code serves all blocks, without masks. Where running an iteration twice would change its result, and where an extent is
less than N, the elements that fill no block are written one vector of gathered elements at a time.

Where the outputs bypass the caches, blocks walk along j, the rows of X, in strips of 256 bytes of Y's rows that start
at an aligned element, and fetch the rows that come next to the second-level cache. Elsewhere they walk along i, the
rows of Y, a few blocks along X's rows at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import prod

from akg.base.dtype import bool_, index
from akg.codegen.llvm.address import Polynomial
from akg.codegen.llvm.arith import apply
from akg.codegen.llvm.bounds import as_index, is_checked
from akg.codegen.llvm.builder import Function, Lanes, Value
from akg.codegen.llvm.control import counted_loop, trip_count
from akg.codegen.llvm.convert import convert
from akg.codegen.llvm.memory import access, store
from akg.codegen.llvm.streaming import unaligned_head
from akg.codegen.llvm.subscript import linear
from akg.codegen.llvm.types import in_memory, llvm_type
from akg.codegen.llvm.units import copied_in_units
from akg.codegen.llvm.vector import plan_vector
from akg.ir.expr import Const, Expr, Load, Select, Var, binary, select
from akg.ir.rewrite import buffers_read, buffers_written, substitute, substitute_stmt, walk_expr
from akg.ir.simplify import simplify
from akg.ir.stmt import Block, For, Store, expressions

STRIP_BYTES = 256  # of the rows of an output that bypasses the caches (of 64 to 1024, the fastest on Zen 4)
LEAST_STREAMED_BYTES = 32  # of a row of a block that bypasses the caches: less leaves lines to be written in parts
AHEAD_BYTES = 128  # from a row that is read to what is fetched of it
GROUP = 4  # blocks side by side along the rows that are read, where outputs stay in the caches
UNIT_BITS = 128  # within which interleaving is one instruction
LEAST_LANES = 4


@dataclass(frozen=True, slots=True)
class Blocks:
    """Two vector loops as blocks.

    Attributes:
        outer: the loop along which `loads` are contiguous.
        inner: the loop over lanes.
        lanes: rows and columns of a block.
        loads: what is turned.
        stream: the store that bypasses the caches; None if none does.
        is_repeatable: an iteration that runs twice leaves what it left the first time.
        result: the store whose value is computed along the outer loop, and turned; None where `loads` are.
    """

    outer: For
    inner: For
    lanes: int
    loads: list[Load]
    stream: Store | None
    is_repeatable: bool
    result: Store | None = None


def emit_blocks(f: Function, outer: For) -> bool:
    """Emit a vector loop whose body is a vector loop as blocks; False, with nothing emitted, if nothing is to turn."""
    inner = outer.body
    if not isinstance(inner, For) or inner.kind != "vector" or f.guard is not None:
        return False
    inner = copied_in_units(f, inner) or inner
    outer = outer if inner is outer.body else replace(outer, body=inner)
    plan = _plan(f, outer, inner)
    if plan is None:  # perhaps it is the store that lies along the outer loop
        plan = _plan(f, replace(inner, body=replace(outer, body=inner.body)), replace(outer, body=inner.body))
    if plan is None:
        return False
    turned = [load.buffer.name for load in plan.loads] if plan.result is None else ["the result"]
    names = ", ".join(dict.fromkeys(turned))
    around = "" if plan.stream is None else f"; stores to {plan.stream.buffer.name} bypass the caches"
    f.unit.note(f"{f.statement_of(outer)}: {names} turned in registers, {plan.lanes} x {plan.lanes} a block{around}")
    _emit(f, plan)
    return True


# --- what is a block -----------------------------------------------------------------------------------


def _plan(f: Function, outer: For, inner: For) -> Blocks | None:
    parts = inner.body.body if isinstance(inner.body, Block) else (inner.body,)
    bounds = [n for loop in (outer, inner) for e in (loop.begin, loop.end) for n in walk_expr(e)]
    is_box = outer.var not in bounds and inner.var not in bounds
    if not all(isinstance(s, Store) for s in parts) or not is_box or outer.step != 1 or inner.step != 1:
        return None
    plan = plan_vector(f, inner)
    trips = trip_count(f, outer)
    if plan is None or plan.sums or (trips is not None and trips < 2):
        return None
    lanes = _block_lanes(f, plan.lanes, trips, trip_count(f, inner))
    loads = [load for s in parts for e in expressions(s) for load in always_read(e)]
    loads = [load for load in dict.fromkeys(loads) if lies_along(f, load, outer, inner)]
    if not loads or lanes < LEAST_LANES:
        return None
    is_repeatable = buffers_written(inner).isdisjoint(buffers_read(inner))
    stream = next((s for s in parts if isinstance(s, Store) and _streams(f, s, outer, inner, lanes)), None)
    late = [s for s in parts if isinstance(s, Store) and _turns_late(f, s, outer, inner)]
    result = late[0] if len(parts) == 1 and late else None
    return Blocks(outer, inner, lanes, loads, stream if is_repeatable else None, is_repeatable, result)


def _turns_late(f: Function, out: Store, outer: For, inner: For) -> bool:
    """Whether a value that is more than one load can be computed in lanes along the outer loop, and turned itself."""
    if isinstance(out.value, Load) or out.reduction is not None:
        return False
    if out.buffer.dtype is bool_ or f.places[out.buffer].lanes or is_checked(f, out.buffer, out.indices):
        return False
    target = linear(f, f.places[out.buffer], out.indices)
    if target.get((inner.var,)) != 1 or _occurs(target, inner.var, alone=True):
        return False
    for load in [n for n in walk_expr(out.value) if isinstance(n, Load)]:
        place = f.places.get(load.buffer)
        if place is None or place.lanes or is_checked(f, load.buffer, load.indices):
            return False
        form = linear(f, place, load.indices)
        if _occurs(form, outer.var) and (form.get((outer.var,)) != 1 or _occurs(form, outer.var, alone=True)):
            return False
    return True


def _block_lanes(f: Function, lanes: int, *trips: int | None) -> int:
    """Lanes of a block: its rows fit the registers, and it fits the loops."""
    most = min([lanes, f.unit.target.vector_registers, *[t for t in trips if t is not None]])
    return 1 << (most.bit_length() - 1)


def always_read(expr: Expr) -> list[Load]:
    """The loads that evaluating `expr` always does: not those that a condition guards."""
    found: list[Load] = []
    pending = [expr]
    for node in pending:
        if isinstance(node, Load):
            found.append(node)
        pending.extend((node.cond,) if isinstance(node, Select) else node.children)
    return found


def lies_along(f: Function, load: Load, outer: For, inner: For) -> bool:
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


def _streams(f: Function, out: Store, outer: For, inner: For, lanes: int) -> bool:
    """Whether whole vectors of a store may bypass the caches: rows all start at the same place of a vector."""
    if out.buffer not in f.unit.streamed:
        return False
    size_bytes = out.buffer.dtype.itemsize_bytes
    if STRIP_BYTES % (lanes * size_bytes) or lanes * size_bytes < LEAST_STREAMED_BYTES:
        return False
    form = linear(f, f.places[out.buffer], out.indices)
    contiguous = form.get((inner.var,)) == 1 and not _occurs(form, inner.var, alone=True)
    moves = {key: c for key, c in form.items() if _occurs({key: c}, outer.var)}
    return contiguous and all(c % lanes == 0 for c in moves.values())


# --- loops over blocks ---------------------------------------------------------------------------------

Emit = Callable[[Expr], None]  # emits what starts at a position of a loop


def _emit(f: Function, plan: Blocks) -> None:
    outer, inner = plan.outer, plan.inner
    short = [loop for loop in (outer, inner) if trip_count(f, loop) is None]
    if not short:
        _blocks(f, plan)
        return
    least = f.value(Const(plan.lanes))
    fits = [apply(f, bool_, "icmp sge {t} {0}, {1}", f.value(loop.end - loop.begin), least) for loop in short]
    both = fits[0] if len(fits) == 1 else apply(f, bool_, "and {t} {0}, {1}", *fits)
    with f.branch(both):
        _blocks(f, plan)
    with f.branch(apply(f, bool_, "xor {t} {0}, {1}", both, Value("true", bool_, 0, 0, True))):
        _gathered(f, plan, outer.begin, outer.end, inner)


def _blocks(f: Function, plan: Blocks) -> None:
    """Loops that both have the iterations of a block at least."""
    outer, inner = plan.outer, plan.inner
    columns, lanes = (_range(f, loop) for loop in (outer, inner))
    if plan.stream is not None:
        _stream(f, plan, plan.stream, columns, lanes)
        return
    within = columns if plan.is_repeatable else replace(columns, end=_whole(f, plan, columns))
    across = lanes if plan.is_repeatable else replace(lanes, end=_whole(f, plan, lanes))
    begin = _aligned_column(f, plan, columns) if plan.is_repeatable else columns.begin

    ahead = GROUP * plan.lanes * plan.loads[0].dtype.itemsize_bytes
    emit = partial(_fetch_and_turn, ahead=ahead) if _is_large(f, plan) else _block

    def group(at: Var) -> None:
        stop = binary("min", at + GROUP * plan.lanes, within.end)

        def blocks(i: Expr) -> None:
            _counted(f, outer, at, stop, plan.lanes, lambda j: emit(f, plan, _last(f, plan, within, j, begin), i))

        _along(f, plan, inner, across, across.begin, blocks)

    _counted(f, outer, begin, within.end, GROUP * plan.lanes, group)
    if not plan.is_repeatable:
        _gathered(f, plan, within.begin, within.end, replace(inner, begin=across.end, end=lanes.end))
        _gathered(f, plan, within.end, columns.end, inner)


@dataclass(frozen=True, slots=True)
class _Range:
    """The iterations of a loop."""

    begin: Expr
    end: Expr


def _range(f: Function, loop: For) -> _Range:
    return _Range(_named(f, "first", loop.begin), _named(f, "last", loop.end))


def _whole(f: Function, plan: Blocks, whole: _Range) -> Expr:
    """Where the last block that lies inside ends."""
    return _named(f, "whole", whole.begin + (whole.end - whole.begin) // plan.lanes * plan.lanes)


def _stream(f: Function, plan: Blocks, out: Store, columns: _Range, lanes: _Range) -> None:
    """Strips from the first aligned lane on around the caches, then the lanes before and after them."""
    size, outer, inner = plan.lanes, plan.outer, plan.inner
    first = substitute_stmt(out, {outer.var: columns.begin})
    assert isinstance(first, Store)
    head = unaligned_head(f, inner, first, size, as_index(f, f.value(lanes.begin)), as_index(f, f.value(lanes.end)))
    start = _named(f, "start", lanes.begin + _bind(f, "head", head))
    stop = _named(f, "stop", start + (lanes.end - start) // size * size)
    aligned = _aligned_column(f, plan, columns)
    width = STRIP_BYTES // out.buffer.dtype.itemsize_bytes

    def strip(at: Var) -> None:
        end = _named(f, "end", binary("min", at + width, stop))

        def blocks(j: Expr) -> None:
            _counted(f, inner, at, end, size, lambda i: _fetch_and_turn(f, plan, j, i))

        _along(f, plan, outer, columns, aligned, blocks)

    def edge(side: Var) -> None:
        at = _named(f, "at", select(binary("lt", side, 0), lanes.begin, lanes.end - size))
        _along(f, plan, outer, columns, aligned, lambda j: _block(f, plan, j, at))

    f.streaming, f.has_streamed = out.buffer, True
    _counted(f, inner, start, stop, width, strip)
    f.streaming = None
    sides = [select(binary("lt", a, b), Const(1), Const(0)) for a, b in ((lanes.begin, start), (stop, lanes.end))]
    _counted(f, inner, 0 - sides[0], sides[1], 1, edge)


def _aligned_column(f: Function, plan: Blocks, columns: _Range) -> Expr:
    """The last column up to the first one where rows are read from aligned addresses, if all rows are alike."""
    load, size = plan.loads[0], plan.lanes
    form = linear(f, f.places[load.buffer], load.indices)
    pitch = [c for key, c in form.items() if _occurs({key: c}, plan.inner.var)]
    if any(c % size for c in pitch):
        return columns.begin
    at = substitute(load, {plan.outer.var: columns.begin, plan.inner.var: plan.inner.begin})
    assert isinstance(at, Load)
    address = f.here(f"ptrtoint ptr {access(f, at.buffer, at.indices).pointer} to i64")
    size_bytes = load.dtype.itemsize_bytes
    behind = f.here(f"and i64 {address}, {size * size_bytes - 1}")
    count = Value(f.here(f"lshr i64 {behind}, {size_bytes.bit_length() - 1}"), index, 0, f.level)
    return _named(f, "aligned", columns.begin - _bind(f, "behind", count))


def _along(f: Function, plan: Blocks, loop: For, whole: _Range, begin: Expr, block: Emit) -> None:
    """A block for every N iterations of a loop from `begin` on, inside of it."""
    _counted(f, loop, begin, whole.end, plan.lanes, lambda at: block(_last(f, plan, whole, at, begin)))


def _last(f: Function, plan: Blocks, whole: _Range, at: Expr, begin: Expr) -> Expr:
    """`at`, moved so that the block there lies inside."""
    extent = simplify(whole.end - whole.begin)
    if begin is not whole.begin:
        at = binary("max", at, whole.begin)
    elif not plan.is_repeatable or (isinstance(extent, Const) and int(extent) % plan.lanes == 0):
        return at
    return _named(f, "at", binary("min", at, whole.end - plan.lanes))


def _gathered(f: Function, plan: Blocks, begin: Expr, end: Expr, inner: For) -> None:
    """Iterations that fill no block."""
    streamed, f.unit.streamed = f.unit.streamed, frozenset()
    _counted(f, plan.outer, begin, end, 1, lambda j: f.emit(substitute_stmt(inner, {plan.outer.var: j})))
    f.unit.streamed = streamed


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


def _block(f: Function, plan: Blocks, j: Expr, i: Expr) -> None:
    """N iterations of the outer loop from `j` for N lanes from `i`."""
    outer, inner, size = plan.outer.var, plan.inner.var, plan.lanes
    lane = Var(f"lane{size}")
    f.vars[lane] = _numbers(size)
    lanes = Lanes(lane, size)
    if plan.result is not None:
        _turn_result(f, plan, plan.result, lanes, j, i)
        return
    places: list[dict[Var, Expr]] = [{outer: j + Const(c), inner: i + lane} for c in range(size)]
    for load in plan.loads:
        rows = [_row(f, load, {outer: j, inner: i + Const(k)}, size) for k in range(size)]
        turned = turn(f, rows)
        for c, values in enumerate(places):
            node = substitute(load, values)
            f.remember(node, turned[c], turned[c].level, node)
    f.lanes = lanes
    for values in places:
        f.emit(substitute_stmt(plan.inner.body, values))
    f.lanes = None


def _turn_result(f: Function, plan: Blocks, result: Store, lanes: Lanes, j: Expr, i: Expr) -> None:
    """A block whose values are computed with lanes along the outer loop, and turned before they are stored."""
    outer, inner, size = plan.outer.var, plan.inner.var, plan.lanes
    f.lanes = lanes
    rows: list[Value] = []
    for k in range(size):
        value = f.value(substitute(result.value, {outer: j + lanes.var, inner: i + Const(k)}))
        rows.append(convert(f, f.splat(value, size), in_memory(result.buffer.dtype)))
    for c, column in enumerate(turn(f, rows)):
        at = substitute(Load(result.buffer, result.indices), {outer: j + Const(c), inner: i + lanes.var})
        assert isinstance(at, Load)
        store(f, at.buffer, at.indices, column)
    f.lanes = None


def _is_large(f: Function, plan: Blocks) -> bool:
    """Whether an array that is read is larger than the second-level cache, so that rows come from further away."""
    sizes = [load.buffer.const_shape for load in plan.loads]
    bytes_each = [prod(s) * load.dtype.itemsize_bytes for s, load in zip(sizes, plan.loads, strict=True) if s]
    return not bytes_each or max(bytes_each) > f.unit.target.l2_bytes


def _fetch_and_turn(f: Function, plan: Blocks, j: Expr, i: Expr, ahead: int = AHEAD_BYTES) -> None:
    """A block, and the rows of one that comes later fetched ahead."""
    name = "llvm.prefetch.p0"
    callee = f.unit.declare(name, f"declare void @{name}(ptr, i32, i32, i32)")
    for load in plan.loads:
        for k in range(plan.lanes):
            at = substitute(load, {plan.outer.var: j, plan.inner.var: i + Const(k)})
            assert isinstance(at, Load)
            row = f.here(f"getelementptr i8, ptr {access(f, at.buffer, at.indices).pointer}, i64 {ahead}")
            f.line(f"call void {callee}(ptr {row}, i32 0, i32 2, i32 1)")
    label = f.fresh("turn")  # a block of its own: LLVM's time grows with the square of the accesses in one
    f.line(f"br label %{label}")
    f.start(label)
    _block(f, plan, j, i)


def _row(f: Function, load: Load, values: dict[Var, Expr], lanes: int) -> Value:
    """Lanes of a load along the outer loop."""
    at = substitute(load, values)
    assert isinstance(at, Load)
    where = access(f, at.buffer, at.indices)
    dtype = in_memory(load.dtype)
    level = max(where.level, f.barrier_level(load.buffer))
    text = f.at(level, f"load {llvm_type(dtype, lanes)}, ptr {where.pointer}, align {where.align_bytes}")
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
    """Unit q of vector p becomes unit p of vector q: the even units of two vectors, and the odd ones, and so on."""
    count, parts = len(vectors), vectors
    wide = min(unit_bits, 64)  # the widest element that shuffles have
    groups = [parts]
    for _ in range(count.bit_length() - 1):
        halves: list[list[Value]] = []
        for odd in (0, 1):
            picks = [u * (unit_bits // wide) + k for u in range(odd, 2 * count, 2) for k in range(unit_bits // wide)]
            halves += [
                [_shuffle(f, a, b, picks, wide) for a, b in zip(g[::2], g[1::2], strict=True)] for g in groups
            ]  # fmt: skip
        groups = halves
    return [group[0] for group in groups]


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
