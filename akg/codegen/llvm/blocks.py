"""One block of N x N iterations of two vector loops, and loops over such blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from akg.base.dtype import index
from akg.codegen.llvm.address import Polynomial
from akg.codegen.llvm.bounds import as_index
from akg.codegen.llvm.builder import Function, Lanes, Value
from akg.codegen.llvm.control import counted_loop
from akg.codegen.llvm.convert import convert
from akg.codegen.llvm.memory import access, store
from akg.codegen.llvm.subscript import linear
from akg.codegen.llvm.turn import turn
from akg.codegen.llvm.types import in_memory, llvm_type
from akg.ir.expr import Const, Expr, Load, Var, binary
from akg.ir.rewrite import substitute, substitute_stmt, walk_expr
from akg.ir.simplify import simplify
from akg.ir.stmt import For, Store

AHEAD_BYTES = 128  # from a row that is read to what is fetched of it

Emit = Callable[[Expr], None]  # emits what starts at a position of a loop


@dataclass(frozen=True, slots=True)
class Blocks:
    """Two vector loops as blocks.

    Attributes:
        outer: the loop along which `loads` are contiguous.
        inner: the loop over lanes.
        lanes: rows and columns of a block.
        columns: so many of them are turned at once.
        loads: what is turned.
        stream: the store that bypasses the caches; None if none does.
        staged_lanes: so many of its lanes at once are put together to lines on the stack; 0 for stores of blocks.
        is_repeatable: an iteration that runs twice leaves what it left the first time.
        result: the store whose value is computed along the outer loop, and turned; None where `loads` are.
    """

    outer: For
    inner: For
    lanes: int
    columns: int
    loads: list[Load]
    stream: Store | None
    staged_lanes: int
    is_repeatable: bool
    result: Store | None = None


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


def one_block(f: Function, plan: Blocks, j: Expr, i: Expr) -> None:
    """N iterations of the outer loop from `j` for N lanes from `i`, as many columns at once as registers hold."""
    size = plan.lanes
    for vector_lanes in (size, plan.columns):
        f.vars[Var(f"lane{vector_lanes}")] = lane_numbers(vector_lanes)
    for first in range(0, size, plan.columns):
        if plan.result is not None:
            _turn_result(f, plan, plan.result, j + Const(first), i)
        else:
            _turn_loads(f, plan, j + Const(first), i)


def _turn_loads(f: Function, plan: Blocks, j: Expr, i: Expr) -> None:
    """Columns of a block from `j` on, whose loads are turned."""
    outer, inner, size, columns = plan.outer.var, plan.inner.var, plan.lanes, plan.columns
    lanes = Lanes(Var(f"lane{size}"), size)
    places: list[dict[Var, Expr]] = [{outer: j + Const(c), inner: i + lanes.var} for c in range(columns)]
    for load in plan.loads:
        rows = [_row(f, load, {outer: j, inner: i + Const(k)}, columns) for k in range(size)]
        turned = turn(f, rows)
        for c, values in enumerate(places):
            node = substitute(load, values)
            f.remember(node, turned[c], turned[c].level, node)
    f.lanes = lanes
    for values in places:
        f.emit(substitute_stmt(plan.inner.body, values))
    f.lanes = None


def _turn_result(f: Function, plan: Blocks, result: Store, j: Expr, i: Expr) -> None:
    """Columns of a block from `j` on, whose values are computed with lanes along the outer loop, and turned then."""
    outer, inner, size, columns = plan.outer.var, plan.inner.var, plan.lanes, plan.columns
    across, lanes = Lanes(Var(f"lane{columns}"), columns), Lanes(Var(f"lane{size}"), size)
    f.lanes = across
    rows: list[Value] = []
    for k in range(size):
        value = f.value(substitute(result.value, {outer: j + across.var, inner: i + Const(k)}))
        rows.append(convert(f, f.splat(value, columns), in_memory(result.buffer.dtype)))
    f.lanes = lanes
    for c, column in enumerate(turn(f, rows)):
        at = substitute(Load(result.buffer, result.indices), {outer: j + Const(c), inner: i + lanes.var})
        assert isinstance(at, Load)
        store(f, at.buffer, at.indices, column)
    f.lanes = None


def fetched_block(
    f: Function, plan: Blocks, j: Expr, i: Expr, reads: int = AHEAD_BYTES, writes: tuple[Store, ...] = ()
) -> None:
    """A block, with lines of one that comes later fetched: `reads` bytes on in what is turned (0: none); of stores."""
    rows: list[tuple[Load, dict[Var, Expr]]] = []
    for load in plan.loads if reads else ():
        rows += [(load, {plan.outer.var: j, plan.inner.var: i + Const(k)}) for k in range(plan.lanes)]
    for out in writes:
        target = Load(out.buffer, out.indices)
        rows += [(target, {plan.outer.var: j + Const(c), plan.inner.var: i}) for c in range(plan.lanes)]
    name = "llvm.prefetch.p0"
    callee = f.unit.declare(name, f"declare void @{name}(ptr, i32, i32, i32)")
    for number, (load, values) in enumerate(rows):
        is_read = number < len(rows) - len(writes) * plan.lanes
        at = substitute(load, values)
        assert isinstance(at, Load)
        pointer = access(f, at.buffer, at.indices).pointer
        row = f.here(f"getelementptr i8, ptr {pointer}, i64 {reads if is_read else AHEAD_BYTES}")
        f.line(f"call void {callee}(ptr {row}, i32 {0 if is_read else 1}, i32 {2 if is_read else 3}, i32 1)")
    if 2 * plan.columns <= f.unit.target.vector_registers:  # LLVM moves all loads ahead of them: a tenth slower
        f.line('call void asm sideeffect "", "~{memory}"()')
    label = f.fresh("turn")  # a block of its own: LLVM's time grows with the square of the accesses in one
    f.line(f"br label %{label}")
    f.start(label)
    one_block(f, plan, j, i)


def _row(f: Function, load: Load, values: dict[Var, Expr], lanes: int) -> Value:
    """Lanes of a load along the outer loop."""
    at = substitute(load, values)
    assert isinstance(at, Load)
    where = access(f, at.buffer, at.indices)
    dtype = in_memory(load.dtype)
    level = max(where.level, f.barrier_level(load.buffer))
    text = f.at(level, f"load {llvm_type(dtype, lanes)}, ptr {where.pointer}, align {where.align_bytes}")
    return Value(text, dtype, lanes, level)


def lane_numbers(lanes: int) -> Value:
    """A vector of 0, 1, 2, ..."""
    return Value("<" + ", ".join(f"i64 {k}" for k in range(lanes)) + ">", index, lanes)
