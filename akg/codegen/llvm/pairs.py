"""Two steps of a sum of products by one instruction, for factors of 8 or 16 bits.

    for k: for i (unrolled): for j (vector): C[i, j] += wide(A[i, k]) * wide(B[k, j])

Processors multiply vectors of 16-bit elements and add neighbouring products to sums of 32 bits: ``vdpbf16ps`` for
bfloat16 into float32, ``vpmaddwd`` (with the sum: ``vpdpwssd``) for integers into int32. The loop over k runs in steps
of two. The factor along the lanes is loaded for both steps and interleaved, (k, j) beside (k + 1, j); the other one is
a pair of neighbours in memory, or made of two loads, for all lanes. Interleaved vectors are remembered like loads, so
that all rows of a register tile share them. An odd last step is an ordinary one. Where the lanes run along k, twice as
many iterations are loaded at once, and neighbours are added.

Sums of integers are the same modulo 2**32. ``vdpbf16ps`` adds the products one after the other with one rounding each,
and takes subnormal numbers as zeros.
"""

from __future__ import annotations

from akg.base.dtype import DType, bfloat16, float32, index, int16, int32
from akg.base.target import Target
from akg.codegen.llvm.address import Polynomial
from akg.codegen.llvm.arith import apply, combine, fused
from akg.codegen.llvm.bounds import as_index, is_checked
from akg.codegen.llvm.builder import Function, Value, index_value
from akg.codegen.llvm.control import counted_loop
from akg.codegen.llvm.convert import convert
from akg.codegen.llvm.memory import access, linear
from akg.codegen.llvm.reduction import split_update
from akg.codegen.llvm.types import in_memory, llvm_type
from akg.ir.expr import Binary, Cast, Const, Expr, Load, Var
from akg.ir.rewrite import buffers_written, substitute, substitute_stmt, variables_of, walk_expr
from akg.ir.stmt import Block, For, Stmt, Store

Factors = tuple[Load, Load]


def emit_pairs(f: Function, loop: For, trips: int | None) -> bool:
    """Emit a serial loop in steps of two; False, with nothing emitted, if its body is no sum of such products."""
    if f.lanes is not None or f.guard is not None or f.pair is not None or loop.step != 1 or trips == 1:
        return False
    stores = _stores(loop.body, None)
    if not stores or not all(_is_pair(f, loop, s, lane) for s, lane in stores):
        return False
    begin, end = as_index(f, f.value(loop.begin)), as_index(f, f.value(loop.end))
    count = apply(f, index, "sub {t} {0}, {1}", end, begin)
    middle = apply(f, index, "add {t} {0}, {1}", begin, apply(f, index, "and {t} {0}, {1}", count, index_value(-2)))

    def both() -> None:
        f.pair = loop.var
        f.emit(loop.body)
        f.pair = None

    step = For(loop.var, loop.begin, loop.end, loop.body, "serial", 2)
    counted_loop(f, step, begin, middle, both, trips is not None)
    if trips is None or trips % 2:
        last = Var(f"{loop.var.name}.last{f.unit.unique()}")
        f.vars[last] = middle
        body = substitute_stmt(loop.body, {loop.var: last})
        counted_loop(f, For(loop.var, last, loop.end, body), middle, end, lambda: f.emit(body), trips is not None)
    name = "vdpbf16ps" if stores[0][0].value.dtype is float32 else "vpmaddwd"
    f.unit.note(f"{', '.join(dict.fromkeys(s.name for s, _ in stores))}: two steps of {loop.var.name} by one {name}")
    return True


def _stores(body: Stmt, lane: Var | None) -> list[tuple[Store, Var | None]]:
    """The stores in a nest of unrolled and vector loops with the vector loop around each; none if there is more."""
    if isinstance(body, Store):
        return [(body, lane)]
    if isinstance(body, Block):
        parts = [_stores(s, lane) for s in body.body]
        return [s for part in parts for s in part] if all(parts) else []
    if isinstance(body, For) and body.kind in ("unroll", "vector") and body.const_trips is not None:
        return _stores(body.body, body.var if body.kind == "vector" else lane)
    return []


def _is_pair(f: Function, loop: For, stmt: Store, lane: Var | None) -> bool:
    factors = _factors(stmt)
    if factors is None or lane is None or lane not in {v for i in stmt.indices for v in variables_of(i)}:
        return False
    if any(node is loop.var for i in stmt.indices for node in walk_expr(i)):
        return False
    if _instruction(f.unit.target, factors[0].dtype, f.unit.target.lanes(32)) is None:
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


def _instruction(target: Target, dtype: DType, lanes: int) -> str | None:
    """LLVM's name of the instruction for sums of so many lanes."""
    if target.arch != "x86_64":
        return None
    if dtype is bfloat16:
        return f"llvm.x86.avx512bf16.dpbf16ps.{32 * lanes}" if "avx512bf16" in target.features else None
    names = {4: ("sse2", "sse2.pmadd.wd"), 8: ("avx2", "avx2.pmadd.wd"), 16: ("avx512bw", "avx512.pmaddw.d.512")}
    feature, name = names.get(lanes, ("none", ""))
    return f"llvm.x86.{name}" if feature in target.features else None


# --- one update -----------------------------------------------------------------------------------------


def pair_update(f: Function, stmt: Store) -> Value:
    """The sum of an element and its products of this step and the next."""
    update, factors = split_update(stmt), _factors(stmt)
    assert update is not None and factors is not None and f.pair is not None and f.lanes is not None
    lanes = f.lanes.count
    old = f.splat(f.value(update.old), lanes)
    name = _instruction(f.unit.target, factors[0].dtype, lanes) if lanes in (4, 8, 16) else None
    if name is None:
        return _one_by_one(f, update.term, old, f.pair)
    a, b = (_both_steps(f, load, f.pair, lanes) for load in factors)
    return _added(f, old, a, b)


def _added(f: Function, old: Value, a: Value, b: Value) -> Value:
    """The sum of each lane of `old` and the products of two neighbours."""
    lanes, level = old.lanes, max(old.level, a.level, b.level)
    is_bfloat = a.dtype is bfloat16
    name = _instruction(f.unit.target, a.dtype, lanes)
    assert name is not None
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
        if factors is None or _instruction(f.unit.target, factors[0].dtype, lanes) is None:
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


def _one_by_one(f: Function, term: Expr, total: Value, pair: Var) -> Value:
    assert isinstance(term, Binary)
    for step in (0, 1):
        a, b = (f.value(substitute(x, {pair: pair + Const(step)}) if step else x) for x in (term.a, term.b))
        if total.dtype.is_float and f.unit.target.has_fma:
            total = fused(f, a, b, total)
        else:
            total = combine(f, "add", total, combine(f, "mul", a, b))
    return total


def _both_steps(f: Function, load: Load, pair: Var, lanes: int) -> Value:
    """A factor for two steps, neighbours in pairs of 16 bits: of every lane, or the same for all."""
    key = ("pair", load, lanes)
    found = f.memo.get(key)
    if found is None:
        where = access(f, load.buffer, load.indices)
        form = linear(f, f.places[load.buffer], load.indices)
        if where.stride == 0 and _is_contiguous(form, pair):
            level = max(where.level, f.barrier_level(load.buffer))
            bits = 2 * load.dtype.bits
            text = f.at(level, f"load i{bits}, ptr {where.pointer}, align {where.align_bytes}")
            found = _widened(f, _repeated(f, text, bits, load.dtype, lanes, level))
        else:
            after = substitute(load, {pair: pair + Const(1)})
            found = _widened(f, _interleaved(f, f.splat(f.value(load), lanes), f.splat(f.value(after), lanes)))
        f.remember(key, found, found.level, load)
    return found


def _is_contiguous(form: Polynomial, var: Var) -> bool:
    keys = [key for key in form if any(node is var for factor in key for node in walk_expr(factor))]
    return keys == [(var,)] and form[(var,)] == 1


def _repeated(f: Function, text: str, bits: int, dtype: DType, lanes: int, level: int) -> Value:
    """A pair of elements, in one integer of `bits`, for every lane."""
    kind = f"<{lanes} x i{bits}>"
    one = f.at(level, f"insertelement {kind} poison, i{bits} {text}, i64 0")
    all_lanes = f.at(level, f"shufflevector {kind} {one}, {kind} poison, <{lanes} x i32> zeroinitializer")
    return Value(f.at(level, f"bitcast {kind} {all_lanes} to {llvm_type(dtype, 2 * lanes)}"), dtype, 2 * lanes, level)


def _interleaved(f: Function, a: Value, b: Value) -> Value:
    lanes, level = a.lanes, max(a.level, b.level)
    order = ", ".join(f"i32 {k // 2 + lanes * (k % 2)}" for k in range(2 * lanes))
    text = f.at(level, f"shufflevector {a}, {b}, <{2 * lanes} x i32> <{order}>")
    return Value(text, a.dtype, 2 * lanes, level)


def _widened(f: Function, value: Value) -> Value:
    if value.dtype is bfloat16:
        return value
    return convert(f, value, in_memory(int16))
