"""Statements to instructions: blocks, branches, loops, stores and temporaries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from akg.base.dtype import bool_
from akg.base.errors import InternalError
from akg.codegen.llvm.arith import apply, narrow
from akg.codegen.llvm.bounds import as_index, is_checked
from akg.codegen.llvm.builder import Function, Place, Value
from akg.codegen.llvm.columns import emit_columns
from akg.codegen.llvm.control import counted_loop, trip_count
from akg.codegen.llvm.convert import convert
from akg.codegen.llvm.flatten import flattened
from akg.codegen.llvm.memory import store
from akg.codegen.llvm.pairs import accumulate_pairs, emit_dot, emit_pairs, emit_run
from akg.codegen.llvm.parallel import emit_parallel
from akg.codegen.llvm.peel import cut_at_conditions
from akg.codegen.llvm.prefetch import emit_prefetch
from akg.codegen.llvm.prefix import emit_prefix
from akg.codegen.llvm.promote import promote_reductions
from akg.codegen.llvm.quads import emit_quad
from akg.codegen.llvm.reduction import emit_lane_reduction, split_update, updated
from akg.codegen.llvm.streaming import aligned_like_output
from akg.codegen.llvm.subscript import row_major_strides
from akg.codegen.llvm.transpose import emit_blocks
from akg.codegen.llvm.types import in_memory, llvm_type
from akg.codegen.llvm.vector import emit_tile, emit_vector
from akg.codegen.llvm.workspace import SLACK_BYTES, is_on_stack, uses_heap
from akg.codegen.subscripts import depends_on_data
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, binary
from akg.ir.rewrite import substitute_stmt
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, Barrier, Block, For, If, Prefetch, Stmt, Store, sub_statements

MAX_UNROLLED = 4  # iterations of a loop that becomes straight-line code, so that loads of several iterations are one
MAX_INSTANCES = 150  # vectors of stores in such code


def emit_for(f: Function, loop: For) -> None:
    """A loop of any kind."""
    trips = trip_count(f, loop)
    if trips == 0:
        return
    if any(depends_on_data(e, f.from_data) for e in (loop.begin, loop.end)):
        f.from_data.add(loop.var)
    is_function = loop.kind == "parallel" and not f.is_parallel and f.lanes is None
    if trips == 1 and not (is_function and uses_heap(loop.body)):  # a function has a workspace of its own
        f.emit(substitute_stmt(loop.body, {loop.var: loop.begin}))
    elif loop.kind == "unroll":
        if f.lanes is None and emit_columns(f, loop):
            return
        if f.lanes is None or not (emit_dot(f, loop) or emit_quad(f, loop) or emit_run(f, loop)):
            _unroll(f, loop, trips)
    elif loop.kind == "vector" and f.lanes is None:
        if not emit_blocks(f, loop):
            _emit_lanes(f, loop, trips)
    elif is_function:
        emit_parallel(f, loop)
    else:
        emit_serial(f, loop, trips)


def _emit_lanes(f: Function, loop: For, trips: int | None) -> None:
    """A vector loop, cut where conditions change along it."""
    pieces = cut_at_conditions(loop, f.unit.target.lanes(32))
    if pieces:
        ends = ", ".join(str(part.end) for part in pieces[:-1])
        f.unit.note(f"{f.statement_of(loop)}: {loop.var.name} cut at {ends}, where conditions change")
    for part in pieces or (loop,):
        count = trips if part is loop else trip_count(f, part)
        if count == 1:
            f.emit(substitute_stmt(part.body, {part.var: part.begin}))
        elif count != 0 and not emit_vector(f, part, count):
            emit_serial(f, part, count)


def _instances(f: Function, stmt: Stmt) -> int:
    """Vectors of stores that straight-line code for a statement has; more than `MAX_INSTANCES` if there is none."""
    if isinstance(stmt, (Store, Prefetch)):
        return 1
    if isinstance(stmt, Block):
        return sum(_instances(f, s) for s in stmt.body)
    if isinstance(stmt, For) and stmt.const_trips is not None and stmt.kind in ("serial", "unroll", "vector"):
        lanes = f.unit.target.lanes(32) if stmt.kind == "vector" else 1
        return -(-stmt.const_trips // lanes) * _instances(f, stmt.body)
    return MAX_INSTANCES + 1


def _fills_registers(f: Function, body: Stmt) -> bool:
    """Whether a tile leaves few registers free: loads that several iterations share would push it to memory."""
    return 4 * _tile_vectors(f, body) > 3 * f.unit.target.vector_registers


def _tile_vectors(f: Function, stmt: Stmt) -> int:
    """Vectors of the tiles in registers that a statement works on."""
    if isinstance(stmt, Store):
        return int(stmt.buffer.scope == "register")
    count = sum(_tile_vectors(f, inner) for inner in sub_statements(stmt))
    if isinstance(stmt, For) and stmt.kind in ("unroll", "vector"):
        lanes = f.unit.target.lanes(32) if stmt.kind == "vector" else 1
        count *= -(-(stmt.const_trips or 1) // lanes)
    return count


def emit_serial(f: Function, loop: For, trips: int | None) -> None:
    """One iteration after the other, or two by one instruction."""
    if emit_pairs(f, loop, trips) or emit_prefix(f, loop, trips):
        return
    flat = flattened(f, loop) if f.lanes is None else None
    if flat is not None:
        f.unit.note(f"{f.statement_of(flat)}: rows along {loop.var.name} are one row of {flat.end}")
        emit_for(f, flat)
        return
    if trips is not None and trips <= MAX_UNROLLED and f.lanes is None:
        if trips * _instances(f, loop.body) <= MAX_INSTANCES and not _fills_registers(f, loop.body):
            _unroll(f, loop, trips)
            return
    promoted = promote_reductions(f, loop)
    if promoted is not None:
        f.emit(promoted if trips is not None else If(binary("lt", loop.begin, loop.end), promoted))
        return
    begin, end = as_index(f, f.value(loop.begin)), as_index(f, f.value(loop.end))
    counted_loop(f, loop, begin, end, lambda: f.emit(loop.body), trips is not None)


def _unroll(f: Function, loop: For, trips: int | None) -> None:
    if trips is None:
        raise InternalError(f"unrolled loop over {loop.var.name} has no constant trip count")
    if f.lanes is None and emit_tile(f, loop, trips):
        return
    apart = isinstance(loop.body, For) and loop.body.kind == "unroll" and _fills_registers(f, loop.body)
    for k in range(trips):
        position = loop.begin + Const(k * loop.step)
        if apart:  # each iteration loads what it needs: a fence of one thread is no instruction, but LLVM keeps to it
            with f.scope("branch"):
                f.line('fence syncscope("singlethread") acq_rel')
                f.emit(substitute_stmt(loop.body, {loop.var: position}))
        else:
            f.emit(substitute_stmt(loop.body, {loop.var: position}))


def emit_if(f: Function, stmt: If) -> None:
    """A branch; where the condition differs by lane, both sides under masks."""
    condition = f.value(simplify(stmt.cond))
    if condition.lanes:
        outer = f.guard
        for part, polarity in ((stmt.then, True), (stmt.orelse, False)):
            if part is not None:
                f.guard = narrow(f, outer, condition, (stmt.cond, polarity), polarity)
                f.emit(part)
        f.guard = outer
        return
    if condition.is_const:
        chosen = stmt.then if condition.text == "true" else stmt.orelse
        if chosen is not None:
            f.emit(chosen)
        return
    with f.branch(condition):
        f.emit(stmt.then)
    if stmt.orelse is not None:
        with f.branch(apply(f, bool_, "xor {t} {0}, {1}", condition, Value("true", bool_, 0, 0, True))):
            f.emit(stmt.orelse)


def emit_store(f: Function, stmt: Store) -> None:
    """Write a value; a reduction over the lanes goes to its accumulator or is summed up first."""
    if f.lanes is not None and f.lanes.is_double:
        accumulate_pairs(f, stmt)
        return
    if f.lanes is not None and stmt.buffer in f.columns:
        value = convert(f, _stored_value(f, stmt), in_memory(stmt.buffer.dtype))
        f.columns[stmt.buffer] = f.splat(value, f.lanes.count)
        return
    if f.lanes is not None and stmt.reduction is not None and emit_lane_reduction(f, stmt):
        return
    value = convert(f, _stored_value(f, stmt), in_memory(stmt.buffer.dtype))
    store(f, stmt.buffer, stmt.indices, value)
    if f.lanes is not None and f.guard is None and not is_checked(f, stmt.buffer, stmt.indices):
        _keep(f, stmt, value)


def _keep(f: Function, stmt: Store, value: Value) -> None:
    """What lanes have stored is what they load: processors do not forward stores under masks."""
    node = Load(stmt.buffer, stmt.indices)
    if stmt.buffer.dtype is bool_:
        return
    f.remember(node, value, f.level, node)


def _stored_value(f: Function, stmt: Store) -> Value:
    """The new value; the products in a sum's update are contracted to fused multiply-adds."""
    update = split_update(stmt)
    return f.value(stmt.value) if update is None else updated(f, update, f.value(update.old))


def emit_alloc(f: Function, stmt: Alloc) -> None:
    """Memory for a temporary while its body runs."""
    buffer = stmt.buffer
    f.invalidate(buffer)
    if f.lanes is not None:
        f.places[buffer] = _stack_place(f, buffer, buffer.shape, f.lanes.count, True)
    elif buffer.scope == "register":
        f.places[buffer] = _stack_place(f, buffer, _padded(buffer), 0, True)
    elif is_on_stack(buffer):
        f.places[buffer] = aligned_like_output(f, stmt, _stack_place(f, buffer, buffer.shape, 0, False))
    else:
        f.places[buffer] = replace(f.workspace[buffer], born=f.level)
    f.emit(stmt.body)


def _padded(buffer: Buffer) -> tuple[Expr, ...]:
    """The shape with whole vectors in its last dimension, so that vectors never straddle rows."""
    if not buffer.shape:
        return ()
    last, line = buffer.shape[-1], 64 // buffer.dtype.itemsize_bytes
    if not isinstance(last, Const):
        raise InternalError(f"register buffer {buffer.name} has a symbolic shape")
    return (*buffer.shape[:-1], Const(-(-int(last) // line) * line))


def _stack_place(f: Function, buffer: Buffer, shape: tuple[Expr, ...], lanes: int, private: bool) -> Place:
    count = 1
    for size in shape:
        if not isinstance(size, Const):
            raise InternalError(f"{buffer.name} has a symbolic shape on the stack")
        count *= int(size)
    if not lanes:  # a vector may start at the last element, and lanes that are off read behind it
        count += (64 if private else SLACK_BYTES) // in_memory(buffer.dtype).itemsize_bytes
    pointer = f.alloca(f"[{max(count, 1)} x {llvm_type(in_memory(buffer.dtype), lanes)}]")
    return Place(pointer, row_major_strides(shape), lanes, private, f.level, f.level, True, not lanes and not private)


def emit_block(f: Function, stmt: Block) -> None:
    """Statements in order."""
    for part in stmt.body:
        f.emit(part)


def emit_barrier(f: Function, stmt: Barrier) -> None:
    """Nothing: a parallel loop ends with one, and its iterations are never split over threads."""


STATEMENTS: dict[type[Stmt], Callable[[Function, Any], None]] = {
    Block: emit_block, For: emit_for, If: emit_if, Store: emit_store, Alloc: emit_alloc, Barrier: emit_barrier,
    Prefetch: emit_prefetch,
}  # fmt: skip
