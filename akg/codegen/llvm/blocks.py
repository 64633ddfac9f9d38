"""One block of N x N iterations of two vector loops, and loops over such blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from akg.base.dtype import DType, index, int32
from akg.codegen.llvm.address import Polynomial
from akg.codegen.llvm.bounds import as_index
from akg.codegen.llvm.builder import Function, Lanes, Place, Value
from akg.codegen.llvm.control import counted_loop
from akg.codegen.llvm.convert import convert
from akg.codegen.llvm.memory import access, store
from akg.codegen.llvm.subscript import linear
from akg.codegen.llvm.turn import UNIT_BITS, interleave, recast, turn
from akg.codegen.llvm.types import in_memory, llvm_type
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var, binary
from akg.ir.rewrite import substitute, substitute_stmt, walk_expr
from akg.ir.simplify import simplify
from akg.ir.stmt import For, Store

LINE_BYTES = 64
PIECE_BITS = 32  # of neighbours down a column that wait together
PIECES = UNIT_BITS // PIECE_BITS
AHEAD_BYTES = 128  # from a row that is read to what is fetched of it

Emit = Callable[[Expr], None]  # emits what starts at a position of a loop


@dataclass(frozen=True, slots=True)
class Blocks:
    """Two vector loops as blocks.

    Attributes:
        outer: the loop along which `loads` are contiguous.
        inner: the loop over lanes.
        lanes: rows and columns of a block.
        loads: what is turned.
        stream: the store that bypasses the caches; None if none does.
        staged_lanes: so many of its lanes at once are put together to lines on the stack; 0 for stores of blocks.
        is_repeatable: an iteration that runs twice leaves what it left the first time.
        result: the store whose value is computed along the outer loop, and turned; None where `loads` are.
    """

    outer: For
    inner: For
    lanes: int
    loads: list[Load]
    stream: Store | None
    staged_lanes: int
    is_repeatable: bool
    result: Store | None = None

    @property
    def element(self) -> DType:
        """The type of what is turned, as it lies in memory."""
        return in_memory(self.loads[0].dtype if self.result is None else self.result.buffer.dtype)


def occurs(form: Polynomial, var: Var, alone: bool = False) -> bool:
    """Whether a variable is in a term; with `alone`, in one other than itself."""
    keys = [key for key in form if not (alone and key == (var,))]
    return any(node is var for key in keys for factor in key for node in walk_expr(factor))



@dataclass(frozen=True, slots=True)
class Span:
    """The iterations of a loop."""

    begin: Expr
    end: Expr


def span_of(f: Function, loop: For) -> Span:
    """The iterations of a loop, computed now."""
    return Span(named(f, "first", loop.begin), named(f, "last", loop.end))


def aligned_column(f: Function, plan: Blocks, columns: Span) -> Expr:
    """The last column up to the first one where rows are read from aligned addresses, if all rows are alike."""
    load, size = plan.loads[0], plan.lanes
    form = linear(f, f.places[load.buffer], load.indices)
    pitch = [c for key, c in form.items() if occurs({key: c}, plan.inner.var)]
    if any(c % size for c in pitch):
        return columns.begin
    at = substitute(load, {plan.outer.var: columns.begin, plan.inner.var: plan.inner.begin})
    assert isinstance(at, Load)
    address = f.here(f"ptrtoint ptr {access(f, at.buffer, at.indices).pointer} to i64")
    size_bytes = load.dtype.itemsize_bytes
    behind = f.here(f"and i64 {address}, {size * size_bytes - 1}")
    count = Value(f.here(f"lshr i64 {behind}, {size_bytes.bit_length() - 1}"), index, 0, f.level)
    return named(f, "aligned", columns.begin - bind(f, "behind", count))


def along(f: Function, plan: Blocks, loop: For, whole: Span, begin: Expr, block: Emit) -> None:
    """A block for every N iterations of a loop from `begin` on, inside of it."""
    counted(f, loop, begin, whole.end, plan.lanes, lambda at: block(moved_inside(f, plan, whole, at, begin)))


def moved_inside(f: Function, plan: Blocks, whole: Span, at: Expr, begin: Expr) -> Expr:
    """`at`, moved so that the block there lies inside."""
    extent = simplify(whole.end - whole.begin)
    if begin is not whole.begin:
        at = binary("max", at, whole.begin)
    elif not plan.is_repeatable or (isinstance(extent, Const) and int(extent) % plan.lanes == 0):
        return at
    return named(f, "at", binary("min", at, whole.end - plan.lanes))


def counted(f: Function, loop: For, begin: Expr, end: Expr, step: int, body: Callable[[Var], None]) -> None:
    """A loop from `begin` by `step` below `end`, in place of `loop`."""
    counter = Var(f"{loop.var.name}.b{f.unit.unique()}")
    runs = simplify(binary("lt", begin, end))
    if isinstance(runs, Const) and not runs.value:
        return
    first, last = as_index(f, f.value(begin)), as_index(f, f.value(end))
    counted_loop(f, replace(loop, var=counter, step=step), first, last, lambda: body(counter), isinstance(runs, Const))


def named(f: Function, name: str, expr: Expr) -> Expr:
    """A variable that stands for what an expression is now; a constant for itself."""
    expr = simplify(expr)
    return expr if isinstance(expr, Const) else bind(f, name, f.value(expr))


def bind(f: Function, name: str, value: Value) -> Var:
    """A variable that stands for a value from here on."""
    var = Var(f"{name}.{f.unit.unique()}")
    f.vars[var] = as_index(f, value)
    return var


# --- one block -----------------------------------------------------------------------------------------


def one_block(f: Function, plan: Blocks, j: Expr, i: Expr, ahead: int = 0) -> None:
    """N iterations of the outer loop from `j` for N lanes from `i`, and prefetches of lines `ahead` bytes on."""
    f.vars[Var(f"lane{plan.lanes}")] = lane_numbers(plan.lanes)
    if ahead:
        label = f.fresh("turn")  # a block of its own: LLVM's time grows with the square of the accesses in one
        f.line(f"br label %{label}")
        f.start(label)
    if plan.lanes > f.unit.target.vector_registers:
        _staged_block(f, plan, j, i, ahead)
        return
    every = [Const(k) for k in range(plan.lanes)]
    if ahead:
        _fetch(f, plan, j, i, every, ahead)
        f.line('call void asm sideeffect "", "~{memory}"()')  # LLVM moves all loads ahead of them: a tenth slower
    found = [turn(f, [row(k) for k in every]) for row in _rows(f, plan, j, i)]
    _columns(f, plan, j, i, every, found)


def _staged_block(f: Function, plan: Blocks, j: Expr, i: Expr, ahead: int) -> None:
    """A block of more rows than registers hold: pieces of 32 bits, which wait on the stack, and blocks of those.

        for g: stage[:, g] = rows 4 * g ... 4 * g + 3, interleaved    (bytes)
        for v: a quarter of the columns = the block stage[v], turned

    Each line that is read is loaded once, whole: rows a multiple of a page apart are in one set of the first cache.
    """
    size, dtype, loop = plan.lanes, plan.element, plan.inner
    unit = PIECE_BITS // dtype.bits
    count = size // unit
    stages: list[Buffer] = []
    for _ in plan.loads if plan.result is None else (plan.result,):
        stage = Buffer(f.fresh("pieces"), (Const(unit), Const(count), Const(count)), int32, "local")
        memory = f.alloca(f"[{size * count} x i32]")
        f.places[stage] = Place(memory, (Const(count * count), Const(count), Const(1)), is_stack=True)
        stages.append(stage)

    def group(g: Var) -> None:
        rows = [g * unit + k for k in range(unit)]
        if ahead:
            _fetch(f, plan, j, i, rows, ahead)
        for stage, row in zip(stages, _rows(f, plan, j, i), strict=True):
            for v, pieces in enumerate(interleave(f, [row(k) for k in rows])):
                value = recast(f, pieces, int32)
                f.line(f"store {value}, ptr {access(f, stage, (Const(v), g, Const(0))).pointer}, align {LINE_BYTES}")

    def part(v: Var) -> None:
        found: list[list[Value]] = []
        for stage in stages:
            at = [access(f, stage, (v, Const(g), Const(0))).pointer for g in range(count)]
            kind = llvm_type(int32, count)
            rows = [Value(f.here(f"load {kind}, ptr {p}, align {LINE_BYTES}"), int32, count, f.level) for p in at]
            found.append([recast(f, value, dtype) for value in turn(f, rows)])
        columns = [v * PIECES + (k // PIECES * (UNIT_BITS // dtype.bits) + k % PIECES) for k in range(count)]
        _columns(f, plan, j, i, columns, found)

    counted(f, loop, Const(0), Const(count), 1, group)
    counted(f, loop, Const(0), Const(unit), 1, part)


def _rows(f: Function, plan: Blocks, j: Expr, i: Expr) -> list[Callable[[Expr], Value]]:
    """What makes row k of each thing that a block turns: N elements along the outer loop."""
    outer, inner, size, result = plan.outer.var, plan.inner.var, plan.lanes, plan.result
    if result is None:
        return [partial(_loaded_row, f, load, plan, j, i) for load in plan.loads]

    def computed(k: Expr) -> Value:
        across = Lanes(Var(f"lane{size}"), size)
        before, f.lanes = f.lanes, across
        value = f.value(substitute(result.value, {outer: j + across.var, inner: i + k}))
        f.lanes = before
        return convert(f, f.splat(value, size), in_memory(result.buffer.dtype))

    return [computed]


def _columns(f: Function, plan: Blocks, j: Expr, i: Expr, columns: Sequence[Expr], found: list[list[Value]]) -> None:
    """Iterations of some columns of a block, with what was turned for them."""
    outer, inner, result = plan.outer.var, plan.inner.var, plan.result
    lanes = Lanes(Var(f"lane{plan.lanes}"), plan.lanes)
    places: list[dict[Var, Expr]] = [{outer: j + c, inner: i + lanes.var} for c in columns]
    if result is None:
        for load, turned in zip(plan.loads, found, strict=True):
            for value, at in zip(turned, places, strict=True):
                node = substitute(load, at)
                f.remember(node, value, value.level, node)
    f.lanes = lanes
    for k, at in enumerate(places):
        if result is None:
            f.emit(substitute_stmt(plan.inner.body, at))
            continue
        target = substitute(Load(result.buffer, result.indices), at)
        assert isinstance(target, Load)
        store(f, target.buffer, target.indices, found[0][k])
    f.lanes = None


def _fetch(f: Function, plan: Blocks, j: Expr, i: Expr, rows: Sequence[Expr], ahead: int) -> None:
    """Prefetches of what lies ahead in some of the rows that are read."""
    name = "llvm.prefetch.p0"
    callee = f.unit.declare(name, f"declare void @{name}(ptr, i32, i32, i32)")
    for load in plan.loads:
        for k in rows:
            at = substitute(load, {plan.outer.var: j, plan.inner.var: i + k})
            assert isinstance(at, Load)
            pointer = access(f, at.buffer, at.indices).pointer
            line = f.here(f"getelementptr i8, ptr {pointer}, i64 {ahead}")
            f.line(f"call void {callee}(ptr {line}, i32 0, i32 2, i32 1)")


def _loaded_row(f: Function, load: Load, plan: Blocks, j: Expr, i: Expr, k: Expr) -> Value:
    """Lanes of a load along the outer loop."""
    at, lanes = substitute(load, {plan.outer.var: j, plan.inner.var: i + k}), plan.lanes
    assert isinstance(at, Load)
    where = access(f, at.buffer, at.indices)
    dtype = in_memory(load.dtype)
    level = max(where.level, f.barrier_level(load.buffer))
    text = f.at(level, f"load {llvm_type(dtype, lanes)}, ptr {where.pointer}, align {where.align_bytes}")
    return Value(text, dtype, lanes, level)


def lane_numbers(lanes: int) -> Value:
    """A vector of 0, 1, 2, ..."""
    return Value("<" + ", ".join(f"i64 {k}" for k in range(lanes)) + ">", index, lanes)
