"""Several steps of a sum of products by one instruction, for factors of 8 or 16 bits.

    for k: for i (unrolled): for j (vector): C[i, j] += wide(A[i, k]) * wide(B[k, j])

Processors multiply vectors of 16-bit elements and add neighbouring products to sums of 32 bits (`akg.base.dot`). The
loop over k runs in steps of two, with the two products of an update in an unrolled loop of its own around the store:
that loop is one instruction. The factor along the lanes is loaded for both steps and interleaved, (k, j) beside
(k + 1, j), or lies in memory like that, as in panels that were packed so; the other one is a pair of neighbours in
memory, or made of two loads, for all lanes. Interleaved vectors are remembered like loads, so that all rows of a
register tile share them. An odd last step is an ordinary one. Where the lanes run along k, twice as many iterations are
loaded at once, and neighbours are added.

Sums of integers are the same modulo 2**32. ``vdpbf16ps`` adds the products one after the other with one rounding each,
and takes subnormal numbers as zeros.
"""

from __future__ import annotations

from akg.base.dot import Dot, dot_of
from akg.base.dtype import DType, bfloat16, float32, index, int16, int32
from akg.codegen.llvm.address import Polynomial, split_lane
from akg.codegen.llvm.arith import apply, combine
from akg.codegen.llvm.bounds import as_index, is_checked
from akg.codegen.llvm.builder import Function, Value, index_value
from akg.codegen.llvm.control import counted_loop
from akg.codegen.llvm.convert import convert
from akg.codegen.llvm.memory import access, interleaved, store, store_run
from akg.codegen.llvm.reduction import split_update
from akg.codegen.llvm.subscript import linear
from akg.codegen.llvm.types import in_memory, llvm_type
from akg.ir.expr import Binary, Cast, Const, Expr, Load, Var
from akg.ir.neighbours import in_steps
from akg.ir.rewrite import buffers_written, substitute, substitute_stmt, variables_of, walk_expr
from akg.ir.stmt import Block, For, Prefetch, Stmt, Store

Factors = tuple[Load, Load]


def emit_pairs(f: Function, loop: For, trips: int | None) -> bool:
    """Emit a serial loop in steps of two; False, with nothing emitted, if its body is no sum of such products."""
    if f.lanes is not None or f.guard is not None or loop.step != 1 or trips == 1:
        return False
    stores = _stores(loop.body, None)
    if not stores or not all(_is_pair(f, loop, s, lane) for s, lane in stores):
        return False
    begin, end = as_index(f, f.value(loop.begin)), as_index(f, f.value(loop.end))
    count = apply(f, index, "sub {t} {0}, {1}", end, begin)
    middle = apply(f, index, "add {t} {0}, {1}", begin, apply(f, index, "and {t} {0}, {1}", count, index_value(-2)))
    step = Var(f"{loop.var.name}.step{f.unit.unique()}")
    body = in_steps(loop.body, loop.var, step, 2, lambda: Var(f"{loop.var.name}.of{f.unit.unique()}"))
    pairs = For(step, loop.begin, loop.end, body, "serial", 2)
    counted_loop(f, pairs, begin, middle, lambda: f.emit(body), trips is not None)
    if trips is None or trips % 2:
        last = Var(f"{loop.var.name}.last{f.unit.unique()}")
        f.vars[last] = middle
        rest = substitute_stmt(loop.body, {loop.var: last})
        counted_loop(f, For(last, last, loop.end, rest), middle, end, lambda: f.emit(rest), trips is not None)
    name = "vdpbf16ps" if stores[0][0].value.dtype is float32 else "vpmaddwd"
    f.unit.note(f"{', '.join(dict.fromkeys(s.name for s, _ in stores))}: two steps of {loop.var.name} by one {name}")
    return True


def _stores(body: Stmt, lane: Var | None) -> list[tuple[Store, Var | None]]:
    """The stores in unrolled loops around vector loops, with the vector loop around each; none if there is more."""
    if isinstance(body, Store):
        return [(body, lane)]
    if isinstance(body, Block):
        parts = [_stores(s, lane) for s in body.body if not isinstance(s, Prefetch)]
        return [s for part in parts for s in part] if all(parts) else []
    if lane is None and isinstance(body, For) and body.kind in ("unroll", "vector") and body.const_trips is not None:
        return _stores(body.body, body.var if body.kind == "vector" else lane)
    return []


def _is_pair(f: Function, loop: For, stmt: Store, lane: Var | None) -> bool:
    factors = _factors(stmt)
    if factors is None or lane is None or lane not in {v for i in stmt.indices for v in variables_of(i)}:
        return False
    if any(node is loop.var for i in stmt.indices for node in walk_expr(i)):
        return False
    if dot_of(f.unit.target, factors[0].dtype, f.unit.target.lanes(32)) is None:
        return False
    written = buffers_written(loop.body)
    return all(
        loop.var in variables_of(load) and load.buffer not in written and not is_checked(f, load.buffer, load.indices)
        for load in factors
    )


def _factors(stmt: Store) -> Factors | None:
    """The loads whose product a store adds to its element, both widened."""
    update = split_update(stmt)
    if update is None or update.op != "add" or not isinstance(update.term, Binary) or update.term.op != "mul":
        return None
    loads = [_narrow(factor, update.dtype) for factor in (update.term.a, update.term.b)]
    a, b = loads
    if a is None or b is None or (a.dtype is bfloat16) != (b.dtype is bfloat16):
        return None
    return a, b


def _narrow(factor: Expr, dtype: DType) -> Load | None:
    load = factor.a if isinstance(factor, Cast) and factor.dtype is dtype else None
    if not isinstance(load, Load):
        return None
    narrow = load.dtype is bfloat16 if dtype is float32 else dtype is int32 and _fits_int16(load.dtype)
    return load if narrow else None


def _fits_int16(dtype: DType) -> bool:
    return dtype.is_integer and (dtype.bits == 8 or dtype is int16)


# --- one update -----------------------------------------------------------------------------------------


def emit_dot(f: Function, loop: For) -> bool:
    """Emit an unrolled loop around one update as one instruction; False, with nothing emitted, if there is none.

    Its iterations add the products of neighbours to the same element, one for each lane.
    """
    stmt = loop.body
    if f.lanes is None or f.guard is not None or f.lanes.is_double or not isinstance(stmt, Store):
        return False
    factors, lanes = _factors(stmt), f.lanes.count
    if factors is None or any(node is loop.var for i in stmt.indices for node in walk_expr(i)):
        return False
    dot = dot_of(f.unit.target, factors[0].dtype, lanes)
    if dot is None or loop.const_trips != dot.steps or f.lanes.accumulators.get(stmt.name) is not None:
        return False
    if any(is_checked(f, load.buffer, load.indices) for load in factors):
        return False
    update = split_update(stmt)
    assert update is not None
    old = f.splat(f.value(update.old), lanes)
    a, b = (all_steps(f, load, loop, dot) for load in factors)
    store(f, stmt.buffer, stmt.indices, convert(f, _added(f, old, a, b), in_memory(stmt.buffer.dtype)))
    return True


def _added(f: Function, old: Value, a: Value, b: Value) -> Value:
    """The sum of each lane of `old` and the products of neighbours."""
    lanes, level = old.lanes, max(old.level, a.level, b.level)
    is_bfloat = a.dtype is bfloat16
    dot = dot_of(f.unit.target, a.dtype, lanes)
    assert dot is not None
    name = dot.intrinsic
    kind, wide = f"<{2 * lanes} x {'bfloat' if is_bfloat else 'i16'}>", llvm_type(old.dtype, lanes)
    if is_bfloat:
        texts = [f"{kind} {f.at(v.level, f'bitcast {v} to {kind}')}" for v in (a, b)]
        callee = f.unit.declare(name, f"declare {wide} @{name}({wide}, {kind}, {kind})")
        return Value(f.at(level, f"call {wide} {callee}({old}, {', '.join(texts)})"), float32, lanes, level)
    callee = f.unit.declare(name, f"declare {wide} @{name}({kind}, {kind})")
    products = Value(f.at(level, f"call {wide} {callee}({a}, {b})"), int32, lanes, level)
    return combine(f, "add", old, products)


def pairs_along(f: Function, stores: list[Store], var: Var, lanes: int) -> bool:
    """Whether sums over the lanes along `var` can take two vectors of factors at once: neighbours in memory, or one."""
    for stmt in stores:
        factors = _factors(stmt)
        if factors is None or dot_of(f.unit.target, factors[0].dtype, lanes) is None:
            return False
        for load in factors:
            place = f.places.get(load.buffer)
            if place is None or place.lanes or is_checked(f, load.buffer, load.indices):
                return False
            form = linear(f, place, load.indices)
            if not _is_contiguous(form, var) and var in {v for i in load.indices for v in variables_of(i)}:
                return False
    name = "vdpbf16ps" if stores[0].value.dtype is float32 else "vpmaddwd"
    f.unit.note(f"{', '.join(dict.fromkeys(s.name for s in stores))}: neighbours along {var.name} by one {name}")
    return True


def accumulate_pairs(f: Function, stmt: Store) -> None:
    """Add the products of twice as many iterations as there are lanes to a partial result."""
    update, factors = split_update(stmt), _factors(stmt)
    assert update is not None and factors is not None and f.lanes is not None
    lanes, slots = f.lanes.count, f.lanes.accumulators[stmt.name]
    slot, kind = slots[f.lanes.slot % len(slots)], llvm_type(update.dtype, lanes)
    old = Value(f.here(f"load {kind}, ptr {slot}"), update.dtype, lanes, f.level)
    a, b = (_neighbours(f, load, lanes) for load in factors)
    f.line(f"store {_added(f, old, a, b)}, ptr {slot}")


def _neighbours(f: Function, load: Load, lanes: int) -> Value:
    key = ("neighbours", load, lanes)
    found: Value | None = f.memo.get(key)
    if found is None:
        where = access(f, load.buffer, load.indices)
        level = max(where.level, f.barrier_level(load.buffer))
        if where.stride == 0:
            found = _widened(f, f.splat(f.value(load), 2 * lanes))
        else:
            dtype = in_memory(load.dtype)
            text = f.at(level, f"load {llvm_type(dtype, 2 * lanes)}, ptr {where.pointer}, align {where.align_bytes}")
            found = _widened(f, Value(text, dtype, 2 * lanes, level))
        f.remember(key, found, found.level, load)
    return found


def all_steps(f: Function, load: Load, loop: For, dot: Dot) -> Value:
    """A factor for all steps of an unrolled loop, neighbours side by side: of every lane, or the same for all."""
    assert f.lanes is not None
    lanes, steps = f.lanes.count, dot.steps
    key = ("steps", load, lanes, steps)
    found: Value | None = f.memo.get(key)
    if found is None:
        at = substitute(load, {loop.var: loop.begin})
        assert isinstance(at, Load)
        stride, form = split_lane(linear(f, f.places[load.buffer], load.indices), f.lanes.var)
        if stride in (0, steps) and _is_contiguous(form, loop.var):
            where = access(f, load.buffer, at.indices)
            level = max(where.level, f.barrier_level(load.buffer))
            dtype, bits = in_memory(load.dtype), steps * load.dtype.bits
            kind = f"i{bits}" if stride == 0 else llvm_type(dtype, steps * lanes)
            text = f.at(level, f"load {kind}, ptr {where.pointer}, align {where.align_bytes}")
            if stride == 0:
                found = repeated(f, text, bits, dtype, steps * lanes, level)
            else:
                found = Value(text, dtype, steps * lanes, level)
        else:
            parts = [substitute(load, {loop.var: loop.begin + Const(k)}) for k in range(steps)]
            found = interleaved(f, [f.splat(f.value(part), lanes) for part in parts])
        if dot.factors is int16:
            found = _widened(f, found)
        f.remember(key, found, found.level, load)
    return found


def emit_run(f: Function, loop: For) -> bool:
    """Emit an unrolled loop that stores neighbours, each lane behind the one before, as stores of whole vectors.

    ``for j (vector): for k (unrolled, 2): P[2 * j + k] = X[k, j]``
    """
    stmt = loop.body
    if f.lanes is None or f.guard is not None or not isinstance(stmt, Store) or stmt.reduction is not None:
        return False
    steps, place = loop.const_trips, f.places.get(stmt.buffer)
    if steps not in (2, 4) or place is None or place.is_private or is_checked(f, stmt.buffer, stmt.indices):
        return False
    stride, form = split_lane(linear(f, place, stmt.indices), f.lanes.var)
    if stride != steps or not _is_contiguous(form, loop.var):
        return False
    at = [{loop.var: loop.begin + Const(k)} for k in range(steps)]
    values = [f.splat(f.value(substitute(stmt.value, where)), f.lanes.count) for where in at]
    values = [convert(f, v, in_memory(stmt.buffer.dtype)) for v in values]
    store_run(f, stmt.buffer, tuple([substitute(i, at[0]) for i in stmt.indices]), interleaved(f, values))
    return True


def _is_contiguous(form: Polynomial, var: Var) -> bool:
    keys = [key for key in form if any(node is var for factor in key for node in walk_expr(factor))]
    return keys == [(var,)] and form[(var,)] == 1


def repeated(f: Function, text: str, bits: int, dtype: DType, count: int, level: int) -> Value:
    """Neighbours in one integer of `bits`, again and again up to `count` elements."""
    lanes = count * dtype.bits // bits
    kind = f"<{lanes} x i{bits}>"
    one = f.at(level, f"insertelement {kind} poison, i{bits} {text}, i64 0")
    all_lanes = f.at(level, f"shufflevector {kind} {one}, {kind} poison, <{lanes} x i32> zeroinitializer")
    return Value(f.at(level, f"bitcast {kind} {all_lanes} to {llvm_type(dtype, count)}"), dtype, count, level)


def _widened(f: Function, value: Value) -> Value:
    if value.dtype is bfloat16:
        return value
    return convert(f, value, in_memory(int16))
