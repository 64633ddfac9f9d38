"""Blocks of two vector loops: loads that are contiguous along the outer one are turned in registers.

    for j (vector): for i (vector): Y[j, i] = f(X[i, j])

A block of N x N iterations loads N rows of X, N lanes along j, and turns them into N vectors with lanes along i by
shuffles (`turn.py`). The statements then find those vectors as loaded already, so that whatever else they compute is
emitted as in any vector loop.

The last block of a row or column starts N elements before its end, over elements that are written already: the same
code serves all blocks, without masks. Where running an iteration twice would change its result, and where an extent is
less than N, the elements that fill no block are written one vector of gathered elements at a time.

Blocks walk along j, the rows of X, in strips of Y's rows. Lines of X that come from far away are fetched ahead, to the
second-level cache: in the first, those of rows a multiple of a page apart displace each other. For outputs that bypass
the caches, strips begin and end at lines (`strips.py`).
"""

from __future__ import annotations

from dataclasses import replace
from math import inf, prod

from akg.base.dtype import bool_
from akg.codegen.llvm.address import Polynomial
from akg.codegen.llvm.arith import apply
from akg.codegen.llvm.blocks import (
    Blocks,
    Span,
    aligned_column,
    along,
    counted,
    moved_inside,
    named,
    occurs,
    one_block,
    span_of,
)  # fmt: skip
from akg.codegen.llvm.bounds import is_checked
from akg.codegen.llvm.builder import Function, Value
from akg.codegen.llvm.control import trip_count
from akg.codegen.llvm.strips import ahead_bytes, emit_strips, is_contiguous, stores_lines, strip_lanes
from akg.codegen.llvm.subscript import linear
from akg.codegen.llvm.units import copied_in_units
from akg.codegen.llvm.vector import plan_vector
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Select, Var, binary
from akg.ir.rewrite import buffers_read, buffers_written, substitute_stmt, walk_expr
from akg.ir.stmt import Block, For, Store, expressions

STRIP_BLOCKS = 4  # side by side along the rows that are written
LEAST_LANES = 4


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
    lanes = _block_lanes(plan.lanes, trips, trip_count(f, inner))
    loads = [load for s in parts for e in expressions(s) for load in always_read(e)]
    loads = [load for load in dict.fromkeys(loads) if lies_along(f, load, outer, inner)]
    if not loads or lanes < LEAST_LANES:
        return None
    is_repeatable = buffers_written(inner).isdisjoint(buffers_read(inner))
    stream = next((s for s in parts if isinstance(s, Store) and _streams(f, s, inner)), None)
    staged = 0
    if stream is not None and not stores_lines(f, stream, outer, lanes):
        staged = strip_lanes(stream, trip_count(f, inner) or 0) if len(parts) == 1 else 0
        stream = stream if staged else None
    if not is_repeatable:
        stream = None
    late = [s for s in parts if isinstance(s, Store) and _turns_late(f, s, outer, inner)]
    result = late[0] if len(parts) == 1 and late else None
    return Blocks(outer, inner, lanes, loads, stream, staged, is_repeatable, result)


def _turns_late(f: Function, out: Store, outer: For, inner: For) -> bool:
    """Whether a value that is more than one load can be computed in lanes along the outer loop, and turned itself."""
    if isinstance(out.value, Load) or out.reduction is not None:
        return False
    if out.buffer.dtype is bool_ or f.places[out.buffer].lanes or is_checked(f, out.buffer, out.indices):
        return False
    target = linear(f, f.places[out.buffer], out.indices)
    if target.get((inner.var,)) != 1 or occurs(target, inner.var, alone=True):
        return False
    for load in [n for n in walk_expr(out.value) if isinstance(n, Load)]:
        place = f.places.get(load.buffer)
        if place is None or place.lanes or is_checked(f, load.buffer, load.indices):
            return False
        form = linear(f, place, load.indices)
        if occurs(form, outer.var) and (form.get((outer.var,)) != 1 or occurs(form, outer.var, alone=True)):
            return False
    return True


def _block_lanes(lanes: int, *trips: int | None) -> int:
    """Lanes of a block: whole vectors, and it fits the loops."""
    most = min([lanes, *[t for t in trips if t is not None]])
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
    return form.get((outer.var,)) == 1 and not occurs(form, outer.var, alone=True) and _strides(form, inner.var)


def _strides(form: Polynomial, var: Var) -> bool:
    """Whether a variable moves the address by more than an element, and linearly."""
    if form.get((var,)) in (1, -1):
        return False
    keys = [key for key in form if any(node is var for factor in key for node in walk_expr(factor))]
    return bool(keys) and all(sum(factor is var for factor in key) == 1 and _is_linear(key, var) for key in keys)


def _is_linear(key: tuple[Expr, ...], var: Var) -> bool:
    return not any(node is var for factor in key if factor is not var for node in walk_expr(factor))


def _streams(f: Function, out: Store, inner: For) -> bool:
    """Whether the vectors of a store may bypass the caches."""
    return out.buffer in f.unit.streamed and is_contiguous(f, out, inner)


# --- loops over blocks ---------------------------------------------------------------------------------

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
    columns, lanes = (span_of(f, loop) for loop in (outer, inner))
    if plan.stream is not None:
        emit_strips(f, plan, plan.stream, columns, lanes)
        return
    within = columns if plan.is_repeatable else replace(columns, end=_whole(f, plan, columns))
    across = lanes if plan.is_repeatable else replace(lanes, end=_whole(f, plan, lanes))
    begin = aligned_column(f, plan, columns) if plan.is_repeatable else columns.begin

    width = STRIP_BLOCKS * plan.lanes
    ahead = ahead_bytes(f, plan, width) if _is_large(f, plan) else 0

    def strip(at: Var) -> None:
        stop = named(f, "stop", binary("min", at + width, across.end))

        def block(j: Expr, i: Expr) -> None:
            one_block(f, plan, j, moved_inside(f, plan, across, i, across.begin), ahead)

        along(f, plan, outer, within, begin, lambda j: counted(f, inner, at, stop, plan.lanes, lambda i: block(j, i)))

    counted(f, inner, across.begin, across.end, width, strip)
    if not plan.is_repeatable:
        _gathered(f, plan, within.begin, within.end, replace(inner, begin=across.end, end=lanes.end))
        _gathered(f, plan, within.end, columns.end, inner)


def _whole(f: Function, plan: Blocks, whole: Span) -> Expr:
    """Where the last block that lies inside ends."""
    return named(f, "whole", whole.begin + (whole.end - whole.begin) // plan.lanes * plan.lanes)


def _gathered(f: Function, plan: Blocks, begin: Expr, end: Expr, inner: For) -> None:
    """Iterations that fill no block."""
    streamed, f.unit.streamed = f.unit.streamed, frozenset()
    counted(f, plan.outer, begin, end, 1, lambda j: f.emit(substitute_stmt(inner, {plan.outer.var: j})))
    f.unit.streamed = streamed


def _is_large(f: Function, plan: Blocks) -> bool:
    """Whether an array that is read is larger than the second-level cache, so that rows come from further away."""
    return any(_size_bytes(load.buffer) > f.unit.target.l2_bytes for load in plan.loads)


def _size_bytes(buffer: Buffer) -> float:
    shape = buffer.const_shape
    return prod(shape) * buffer.dtype.itemsize_bytes if shape is not None else inf
