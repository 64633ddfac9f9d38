"""Vector loops: lanes, masked tails, and straight-line code for short constant trip counts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import numpy as np

from akg.base.dtype import bool_, index, int32
from akg.base.trace import logger
from akg.codegen.llvm.address import split_lane
from akg.codegen.llvm.arith import apply
from akg.codegen.llvm.bounds import as_index
from akg.codegen.llvm.builder import Function, Lanes, Value, index_value
from akg.codegen.llvm.control import counted_loop
from akg.codegen.llvm.pairs import pairs_along
from akg.codegen.llvm.reduction import SLOTS, Update, close_accumulators, open_accumulators, split_update
from akg.codegen.llvm.rows import flush_rows
from akg.codegen.llvm.seam import Row, may_begin_before, may_join, seam_of
from akg.codegen.llvm.streaming import (
    MIN_JOINED,
    MIN_STREAMED,
    are_lines,
    interleaved_store,
    streaming_store,
    unaligned_head,
)  # fmt: skip
from akg.codegen.llvm.subscript import linear
from akg.codegen.llvm.workspace import STACK_LIMIT_BYTES, is_on_stack, size_bytes
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.evaluate import evaluate
from akg.ir.expr import Binary, Call, Const, Expr, Load, Select, Var
from akg.ir.factor import common_factor
from akg.ir.rewrite import buffers_read, buffers_written, loads_of, rewrite_stmt, substitute_stmt, uses, walk_expr
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, Block, For, If, Prefetch, Stmt, Store, block, expressions, walk

MAX_STRAIGHT = 8  # vectors in a loop that becomes straight-line code
MAX_STRAIGHT_NODES = 1500  # and the size of that code
MAX_BOUNDED = 4  # vectors in a loop of unknown but bounded extent that becomes straight-line code
LEAST_BITS = 128  # of a vector that takes what fills no register
NOTHING: Mapping[Var, Expr] = MappingProxyType({})

log = logger("codegen.llvm")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a loop becomes lanes.

    Attributes:
        lanes: elements of a vector.
        sums: the stores that reduce over the loop and whose element no inner loop changes.
        is_pure_reduction: the body is nothing but such stores, so that they may interleave.
        nodes: distinct expression nodes in the body.
        is_double: two vectors of iterations at once, their products added in pairs.
    """

    lanes: int
    sums: list[Store]
    is_pure_reduction: bool
    nodes: int
    is_double: bool = False


def plan_vector(f: Function, loop: For) -> Plan | None:
    """Whether and how the iterations of a loop can be lanes."""
    statements: list[Stmt] = [s for s in walk(loop.body) if not isinstance(s, Prefetch)]
    inner = [s for s in statements if isinstance(s, For)]
    own = {s.buffer for s in statements if isinstance(s, Alloc)}
    if any(s.kind not in ("serial", "unroll") for s in inner) or not all(is_on_stack(b) for b in own):
        return None
    varying = _Varying(loop.var, own)
    if any(varying.of(s.begin) or varying.of(s.end) for s in inner):
        return None
    sums: list[Store] = []
    stores = [s for s in statements if isinstance(s, Store)]
    for store in stores:
        indices_vary = any(varying.of(i) for i in store.indices)
        if store.buffer in own:
            if indices_vary:
                return None
        elif not indices_vary:
            if split_update(store) is None or _accesses(statements, store) != 2 or _is_shared(statements, store):
                return None
            if not any(uses(i, s.var) for i in store.indices for s in inner):
                sums.append(store)
    nodes = {n for s in statements for e in expressions(s) for n in walk_expr(e)}
    lanes = _lanes(f, {n for s in statements for e in expressions(s) for n in _usual(e)}, stores)
    if any(int(size) * lanes > STACK_LIMIT_BYTES for b in own if isinstance(size := size_bytes(b), Const)):
        return None
    if any(isinstance(n, Load) and n.buffer in own and any(map(varying.of, n.indices)) for n in nodes):
        return None
    pure = bool(sums) and len(sums) == sum(not isinstance(s, Block) for s in statements)
    return Plan(lanes, sums, pure, len(nodes))


class _Varying:
    """Which expressions differ from lane to lane."""

    def __init__(self, var: Var, own: set[Buffer]) -> None:
        self.var, self.own = var, own
        self.memo: dict[Expr, bool] = {}

    def of(self, node: Expr) -> bool:
        found = self.memo.get(node)
        if found is None:
            found = node is self.var or (isinstance(node, Load) and node.buffer in self.own)
            found = found or any(map(self.of, node.children))
            self.memo[node] = found
        return found


def _accesses(statements: list[Stmt], store: Store) -> int:
    """How many stores to and loads of the element of `store` there are.

    Accesses of other elements of the buffer are none of its business: a vector loop asserts that its iterations are
    independent but for reductions.
    """
    element = Load(store.buffer, store.indices)
    count = 0
    for stmt in statements:
        if isinstance(stmt, Store) and stmt.buffer is store.buffer:
            count += all(a is b for a, b in zip(stmt.indices, store.indices, strict=True))
        count += any(load is element for e in expressions(stmt) for load in loads_of(e))
    return count


def _is_shared(statements: list[Stmt], store: Store) -> bool:
    """Whether the element of a reduction may be met under other subscripts in the very iteration that updates it.

    Between iterations that would be a dependence, which the loop excludes; but an update that runs in one iteration
    only, as ``if j == i: B[i, i] += x`` beside ``B[i, j] = y``, meets itself there.
    """
    others = [s for s in statements if s is not store]
    places = [s.indices for s in others if isinstance(s, Store) and s.buffer is store.buffer]
    places += [n.indices for s in others for e in expressions(s) for n in loads_of(e) if n.buffer is store.buffer]
    if not all(_is_apart(place, store.indices) for place in places):
        return True
    own = sum(isinstance(n, Load) and n.buffer is store.buffer for n in walk_expr(store.value))
    return own > 1 and any(isinstance(s, If) and store in walk(s) for s in statements)


def _is_apart(a: tuple[Expr, ...], b: tuple[Expr, ...]) -> bool:
    """Whether two elements differ in some dimension by a constant."""
    for x, y in zip(a, b, strict=True):
        difference = Affine.of(x - y)
        if difference is not None and difference.is_const and difference.const != 0:
            return True
    return False


def _unrolled(loop: For) -> For:
    """The loop with the unrolled loops in its body written out where a reduction's element moves along them.

    Each copy of such a reduction then keeps its own partial results.
    """
    inner = [s for s in walk(loop.body) if isinstance(s, For) and s.kind == "unroll"]
    stores = [s for s in walk(loop.body) if isinstance(s, Store) and s.reduction is not None]
    if not any(uses(i, f.var) for s in stores for i in s.indices for f in inner):
        return loop

    def rule(stmt: Stmt) -> Stmt | None:
        if not isinstance(stmt, For) or stmt.kind != "unroll" or stmt.const_trips is None:
            return None
        copies: list[Stmt] = []
        for k in range(stmt.const_trips):
            copy = substitute_stmt(stmt.body, {stmt.var: stmt.begin + Const(k * stmt.step)})
            copies.append(rewrite_stmt(copy, partial(_renamed, copy=k), simplify))
        return block(*copies)

    return replace(loop, body=rewrite_stmt(loop.body, rule))


def _renamed(stmt: Stmt, copy: int) -> Stmt | None:
    return replace(stmt, name=f"{stmt.name}.{copy}") if isinstance(stmt, Store) else None


def _usual(root: Expr) -> set[Expr]:
    """The nodes of an expression that are always computed."""
    seen: set[Expr] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            is_rare = isinstance(node, Call) and node.fn == "rarely"
            stack.extend(c for k, c in enumerate(node.children) if not (is_rare and k == 2))
    return seen


def _lanes(f: Function, nodes: set[Expr], stores: list[Store]) -> int:
    """A register of the widest type that is computed with; what is only moved counts as it is in memory."""
    moved = [n for n in nodes if isinstance(n, (Load, Const, Select))]
    operands = {c for n in nodes if not isinstance(n, Select) for c in n.children}
    widths = [n.dtype.bits for n in moved if n.dtype not in (index, bool_) and n not in operands]
    widths += [n.dtype.compute.bits for n in nodes - {*moved} | operands if n.dtype not in (index, bool_)]
    widths += [s.buffer.dtype.bits for s in stores]
    return max(2, f.unit.target.lanes(max(widths, default=64)))


def emit_vector(f: Function, loop: For, trips: int | None) -> bool:
    """Emit a loop as lanes; False, with nothing emitted, if that is impossible."""
    loop = _unrolled(loop)
    plan = plan_vector(f, loop) if loop.step == 1 else None
    if plan is None:
        log.debug("%s: loop over %s stays serial", f.name, loop.var.name)
        return False
    if trips is not None:
        plan = replace(plan, lanes=_fitting(plan.lanes, trips))
    loop, factors = _factored(loop, plan.sums)
    if plan.is_pure_reduction and f.guard is None and pairs_along(f, plan.sums, loop.var, plan.lanes):
        plan = replace(plan, is_double=True)
    updates = {s.name: u for s in plan.sums if (u := split_update(s)) is not None}
    slots = SLOTS if plan.is_pure_reduction and (trips is None or trips > plan.lanes) else 1
    while slots > 1 and slots * len(plan.sums) > 2 * SLOTS:  # many chains hide the latency by themselves
        slots //= 2
    streamed = streaming_store(f, loop, plan.lanes) if trips is None or trips >= MIN_STREAMED * plan.lanes else None
    short: Store | None = None
    if streamed is None and trips is not None:
        streamed = _joined_store(f, loop, plan.lanes, trips)
        short = None if plan.sums or streamed is not None else _stored_lines(f, loop, plan.lanes, trips)
    if streamed is not None:
        f.unit.note(f"{streamed.name}: stores to {streamed.buffer.name} bypass the caches")
        _streaming(f, loop, plan, streamed, updates, factors)
        return True
    if trips is not None:
        if short is not None:
            f.unit.note(f"{short.name}: stores to {short.buffer.name} bypass the caches")
            _short_lines(f, loop, plan, short, trips)
            return True
        sums = open_accumulators(f, updates, plan.lanes, slots)
        _constant(f, loop, plan, trips, sums)
        close_accumulators(f, plan.sums, sums, plan.lanes, factors)
        return True
    bound = loop.max_trips
    if bound is not None and bound <= MAX_BOUNDED * plan.lanes:
        sums = open_accumulators(f, updates, plan.lanes, 1)
        _bounded(f, loop, plan, bound, sums)
        close_accumulators(f, plan.sums, sums, plan.lanes, factors)
        return True
    begin, end = as_index(f, f.value(loop.begin)), as_index(f, f.value(loop.end))
    with f.branch(apply(f, bool_, "icmp slt {t} {0}, {1}", begin, end)):
        sums = open_accumulators(f, updates, plan.lanes, slots)
        _symbolic(f, loop, plan, begin, end, sums)
        close_accumulators(f, plan.sums, sums, plan.lanes, factors)
    return True


def _factored(loop: For, sums: list[Store]) -> tuple[For, dict[str, Expr]]:
    """The loop with the factors that all terms of a sum share left to its end, and these factors by statement."""
    moving = {loop.var, *(s.var for s in walk(loop.body) if isinstance(s, For))}
    written = buffers_written(loop.body)
    factors: dict[str, Expr] = {}
    replaced: dict[str, Store] = {}

    def is_fixed(expr: Expr) -> bool:
        nodes = walk_expr(expr)
        return not any(n in moving or (isinstance(n, Load) and n.buffer in written) for n in nodes)

    for store in sums:
        update = split_update(store)
        found = common_factor(update.term, is_fixed) if update is not None and update.op == "add" else None
        if update is not None and found is not None and isinstance(store.value, Binary):
            factors[store.name] = found[0]
            replaced[store.name] = replace(store, value=Binary("add", update.old, found[1]))
    if not factors:
        return loop, factors
    body = rewrite_stmt(loop.body, lambda s: replaced.get(s.name) if isinstance(s, Store) else None)
    return replace(loop, body=body), factors


def _bounded(f: Function, loop: For, plan: Plan, bound: int, sums: dict[str, list[str]]) -> None:
    """At most a few vectors, at constant positions, each under a mask: registers keep their places."""
    begin, end = as_index(f, f.value(loop.begin)), as_index(f, f.value(loop.end))
    count = apply(f, index, "sub {t} {0}, {1}", end, begin)
    short = Value(f.at(count.level, f"trunc {count} to i32"), int32, 0, count.level)
    lane = Var(f"lane{plan.lanes}t{f.unit.unique()}")
    f.vars[lane] = _lane_numbers(plan.lanes, 0)
    for first in range(0, bound, plan.lanes):
        numbers = Value("<" + ", ".join(f"i32 {first + k}" for k in range(plan.lanes)) + ">", int32, plan.lanes)
        mask = apply(f, bool_, "icmp slt {t} {0}, {1}", numbers, short)
        _chunk(f, loop, loop.begin + Const(first), Lanes(lane, plan.lanes, mask, sums, is_end=True))


def _streaming(
    f: Function, loop: For, plan: Plan, store: Store, updates: dict[str, Update], factors: dict[str, Expr]
) -> None:
    """Up to the first aligned vector under a mask, then around the caches."""
    begin, end = as_index(f, f.value(loop.begin)), as_index(f, f.value(loop.end))
    joins = may_join(f, loop, store, plan.lanes)
    row = Row(f, seam_of(f, store, plan.lanes), loop, store, loop.begin) if joins else None
    f.streaming, f.has_streamed = store.buffer, True
    if row is not None and may_begin_before(f, loop, store):
        _whole_lines(f, loop, plan, row, begin, end)
    else:
        sums = open_accumulators(f, updates, plan.lanes, 1)
        head = unaligned_head(f, loop, store, plan.lanes, begin, end)
        with row.beginning(False) if row is not None else nullcontext():
            _masked(f, loop, plan, begin, head, sums)
        start = apply(f, index, "add {t} {0}, {1}", begin, head)
        with row.end() if row is not None else nullcontext():
            _symbolic(f, loop, plan, start, end, sums)
        close_accumulators(f, plan.sums, sums, plan.lanes, factors)
    f.streaming = None


def _stored_lines(f: Function, loop: For, lanes: int, trips: int) -> Store | None:
    """The store of a loop of constant extent whose rows are whole lines, if its array begins at one."""
    found = streaming_store(f, loop, lanes) if trips % lanes == 0 else None
    found = found or interleaved_store(f, loop, lanes)
    return found if found is not None and are_lines(f, loop, found, lanes) else None


def _joined_store(f: Function, loop: For, lanes: int, trips: int) -> Store | None:
    """The store of a loop over shorter rows that are put together to whole lines around the caches."""
    found = streaming_store(f, loop, lanes) if trips >= MIN_JOINED * lanes else None
    return found if found is not None and may_join(f, loop, found, lanes) else None


def _short_lines(f: Function, loop: For, plan: Plan, store: Store, trips: int) -> None:
    """Rows of a few whole lines: around the caches where the array begins at a line."""
    begin, end = as_index(f, f.value(loop.begin)), as_index(f, f.value(loop.end))
    head = unaligned_head(f, loop, store, plan.lanes, begin, end)
    for is_aligned in (True, False):
        with f.branch(apply(f, bool_, f"icmp {'eq' if is_aligned else 'ne'} {{t}} {{0}}, 0", head)):
            f.streaming = store.buffer if is_aligned else None
            _constant(f, loop, plan, trips, {})
    f.streaming, f.has_streamed = None, True


def _whole_lines(f: Function, loop: For, plan: Plan, row: Row, begin: Value, end: Value) -> None:
    """The same where the row's first line is computed whole."""
    lanes = plan.lanes
    with row.beginning(True), f.branch(apply(f, bool_, "icmp sgt {t} {0}, 0", row.before)):
        lane, base = Var(f"lane{lanes}t{f.unit.unique()}"), Var(f"{loop.var.name}.head{f.unit.unique()}")
        f.vars[base] = apply(f, index, "sub {t} {0}, {1}", begin, row.before)
        mask = row.lanes
        f.vars[lane] = _lane_numbers(lanes, mask.level)
        _chunk(f, loop, base, Lanes(lane, lanes, mask, {}))
    missing = apply(f, index, "and {t} {0}, {1}", apply(f, index, "sub {t} 0, {0}", row.before), index_value(lanes - 1))
    with row.end():
        _symbolic(f, loop, plan, apply(f, index, "add {t} {0}, {1}", begin, missing), end, {})


def _constant(f: Function, loop: For, plan: Plan, trips: int, sums: dict[str, list[str]]) -> None:
    lanes = plan.lanes
    whole, rest = trips // lanes, trips % lanes
    first = 0
    if not _is_short(whole + (rest > 0), plan):
        first = whole
        begin = as_index(f, f.value(loop.begin))
        done = 0
        for step in _steps(sums, lanes, plan.is_double):
            size = (trips - done) // step * step
            if size:
                start = apply(f, index, "add {t} {0}, {1}", begin, Value(str(done), index, 0, 0, True))
                stop = apply(f, index, "add {t} {0}, {1}", begin, Value(str(done + size), index, 0, 0, True))
                _main(f, loop, plan, start, stop, step, sums)
            done += size
    for base, vector in _straight(f, loop, lanes, trips, sums)[first:]:
        _chunk(f, loop, base, vector)


def _straight(f: Function, loop: For, lanes: int, trips: int, sums: dict[str, list[str]]) -> list[tuple[Expr, Lanes]]:
    """The vectors of a loop of constant extent, each with where it starts; the last one may be under a mask."""
    whole, rest = trips // lanes, trips % lanes
    lane = Var(f"lane{lanes}")
    f.vars[lane] = _lane_numbers(lanes, 0)
    vectors = [(loop.begin + Const(k * lanes), Lanes(lane, lanes, None, sums, k)) for k in range(whole)]
    if rest:
        width = rest_lanes(f, loop, lanes, rest) if not sums else lanes
        lane = Var(f"lane{width}" if rest == width else f"lane{width}of{rest}")
        f.vars[lane] = _lane_numbers(width, 0)
        bits = ", ".join(f"i1 {'true' if k < rest else 'false'}" for k in range(width))
        mask = Value(f"<{bits}>", bool_, width) if rest < width else None
        vectors.append((loop.begin + Const(whole * lanes), Lanes(lane, width, mask, sums, whole)))
    return vectors


def emit_tile(f: Function, outer: For, trips: int) -> bool:
    """Emit an unrolled loop over a vector loop, planned once; False, with nothing emitted, for others.

    Conditions around the vector loop have to be decided by the iteration.
    """
    inner, condition = outer.body, None
    if isinstance(inner, If) and inner.orelse is None:
        inner, condition = inner.then, inner.cond
    if not isinstance(inner, For) or inner.kind != "vector" or inner.step != 1:
        return False
    count = inner.const_trips
    parts = inner.body.body if isinstance(inner.body, Block) else (inner.body,)
    if count is None or count < 2 or uses(inner.begin, outer.var) or not all(isinstance(s, Store) for s in parts):
        return False
    if any(isinstance(n, Select) for s in parts for e in expressions(s) for n in walk_expr(e)):
        return False
    plan = plan_vector(f, inner)
    if plan is None or plan.sums or count >= MIN_STREAMED * plan.lanes:
        return False
    lanes = _fitting(plan.lanes, count)
    if not _is_short(-(-count // lanes), plan):
        return False
    places: list[dict[Var, Expr]] = [{outer.var: outer.begin + Const(k * outer.step)} for k in range(trips)]
    if condition is not None:
        first = outer.begin.value if isinstance(outer.begin, Const) else 0
        holds = evaluate(condition, {outer.var: np.arange(trips) * outer.step + first})
        if holds is None or not isinstance(outer.begin, Const):
            return False
        places = [place for place, one in zip(places, np.broadcast_to(holds, trips), strict=True) if one]
    vectors = _straight(f, inner, lanes, count, {})
    for place in places:
        for base, vector in vectors:
            _chunk(f, inner, base, vector, place)
    return True


def _fitting(lanes: int, trips: int) -> int:
    """The lanes of a vector that a loop of constant extent fills."""
    return min(lanes, max(2, 1 << (trips - 1).bit_length()))


def _is_short(chunks: int, plan: Plan) -> bool:
    """Whether so many vectors are written out one after the other."""
    return chunks <= 1 or (chunks <= MAX_STRAIGHT and chunks * plan.nodes <= MAX_STRAIGHT_NODES)


def rest_lanes(f: Function, loop: For, lanes: int, rest: int) -> int:
    """Lanes of the vector for iterations that fill no register: half of one where they fill that, which needs no mask.

    Of a tile in registers, which each step updates, they take the least part of a register: that costs less. All
    that touch a tile have to agree on it, or its parts are put together at every step.
    """
    buffers = buffers_written(loop.body) | buffers_read(loop.body)
    if not any(b.scope == "register" for b in buffers):
        return rest if 2 * rest == lanes and rest > 1 else lanes
    return max(1 << (rest - 1).bit_length(), lanes * LEAST_BITS // f.unit.target.vector_bits, 2)


def _steps(sums: dict[str, list[str]], lanes: int, is_double: bool) -> list[int]:
    """The strides of the loops to run, one after the other."""
    slots = max((len(s) for s in sums.values()), default=1)
    if is_double:
        return [2 * lanes * slots, lanes]
    return [lanes * slots, lanes] if slots > 1 else [lanes]


def _symbolic(f: Function, loop: For, plan: Plan, begin: Value, end: Value, sums: dict[str, list[str]]) -> None:
    lanes = plan.lanes
    start = begin
    for step in _steps(sums, lanes, plan.is_double):
        left = apply(f, index, "sub {t} {0}, {1}", end, start)
        size = apply(f, index, "and {t} {0}, {1}", left, Value(str(-step), index, 0, 0, True))
        stop = apply(f, index, "add {t} {0}, {1}", start, size)
        _main(f, loop, plan, start, stop, step, sums)
        start = stop
    left = apply(f, index, "sub {t} {0}, {1}", end, start)
    _masked(f, loop, plan, start, left, sums)


def _masked(f: Function, loop: For, plan: Plan, start: Value, count: Value, sums: dict[str, list[str]]) -> None:
    """The first `count` iterations from `start`, fewer than lanes; nothing if there is none."""
    lanes = plan.lanes
    with f.branch(apply(f, bool_, "icmp sgt {t} {0}, 0", count)):
        short = Value(f.at(count.level, f"trunc {count} to i32"), int32, 0, count.level)
        numbers = Value("<" + ", ".join(f"i32 {k}" for k in range(lanes)) + ">", int32, lanes)
        mask = apply(f, bool_, "icmp slt {t} {0}, {1}", numbers, short)
        lane, base = Var(f"lane{lanes}t{f.unit.unique()}"), Var(f"{loop.var.name}.tail{f.unit.unique()}")
        f.vars[lane], f.vars[base] = _lane_numbers(lanes, mask.level), start
        _chunk(f, loop, base, Lanes(lane, lanes, mask, sums))


def _main(f: Function, loop: For, plan: Plan, start: Value, stop: Value, step: int, sums: dict[str, list[str]]) -> None:
    """Whole vectors from `start` to `stop`."""
    counter = Var(f"{loop.var.name}.v{f.unit.unique()}")
    lane = Var(f"lane{plan.lanes}")
    f.vars[lane] = _lane_numbers(plan.lanes, 0)
    at: Expr = counter
    if f.streaming is not None and not sums and _reads_backwards(f, loop):  # processors ask for what follows
        ends = apply(f, index, "add {t} {0}, {1}", start, stop)
        f.vars[last := Var(f"{loop.var.name}.ends{f.unit.unique()}")] = ends
        at = last - step - counter

    def body() -> None:
        is_double = plan.is_double and step > plan.lanes
        width = 2 * plan.lanes if is_double else plan.lanes
        for slot in range(step // width):
            base = at + Const(slot * width)
            _chunk(f, loop, base, Lanes(lane, plan.lanes, None, sums, slot, is_double=is_double))

    counted_loop(f, replace(loop, var=counter, step=step), start, stop, body, runs=False)


def _reads_backwards(f: Function, loop: For) -> bool:
    """Whether all that moves along a loop and is read lies in the opposite order in memory."""
    found = [n for s in walk(loop.body) for e in expressions(s) for n in walk_expr(e) if isinstance(n, Load)]
    forms = [linear(f, f.places[load.buffer], load.indices) for load in dict.fromkeys(found)]
    steps = [split_lane(form, loop.var)[0] for form in forms]
    return any(step == -1 for step in steps) and all(step in (-1, 0) for step in steps)


def _chunk(f: Function, loop: For, base: Expr, lanes: Lanes, around: Mapping[Var, Expr] = NOTHING) -> None:
    """The body for one vector of iterations that starts at `base`, in an iteration of what is `around`."""
    f.lanes = lanes
    if loop.var in f.from_data:
        f.from_data.add(lanes.var)
    f.rows_level = f.level if _is_straight(loop.body) else -1
    f.emit(substitute_stmt(loop.body, {**around, loop.var: base + lanes.var}))
    flush_rows(f)
    f.lanes, f.rows_level = None, -1


def _is_straight(body: Stmt) -> bool:
    """Whether statements become code without loops and branches."""
    return all(isinstance(s, (Block, Store, Alloc)) or (isinstance(s, For) and s.kind == "unroll") for s in walk(body))


def _lane_numbers(lanes: int, level: int) -> Value:
    numbers = ", ".join(f"i64 {k}" for k in range(lanes))
    return Value(f"<{numbers}>", index, lanes, level)
