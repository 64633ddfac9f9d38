"""Running sums, products, minima and maxima in vectors.

    for i: { s = s + X[i]; Y[i] = s }

A vector of terms becomes a vector of running sums in log2(N) steps, each of which adds the vector shifted by 1, 2, 4,
... lanes (Hillis and Steele 1986); what came before is added to all lanes. From one vector to the next, only the
addition of its total has to wait. Where ``s = c * s + X[i]``, what comes over k lanes is multiplied by the k-th power
of c. Sums of floats are associated otherwise than in the loop, as in any reduction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from akg.base.dtype import index
from akg.codegen.llvm.address import split_lane
from akg.codegen.llvm.arith import apply, combine, fused
from akg.codegen.llvm.bounds import as_index, is_checked
from akg.codegen.llvm.builder import Function, Lanes, Value, index_value
from akg.codegen.llvm.control import counted_loop
from akg.codegen.llvm.reduction import identity
from akg.codegen.llvm.subscript import linear
from akg.codegen.llvm.types import constant, llvm_type
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Load, Var
from akg.ir.rewrite import buffers_read, buffers_written, substitute, substitute_stmt
from akg.ir.stmt import Block, For, Store

ASSOCIATIVE = ("add", "mul", "min", "max")


@dataclass(frozen=True, slots=True)
class Running:
    """A loop that combines a scalar, or `factor` times it, with terms, and stores what depends on it."""

    carry: Buffer
    op: str
    term: Expr
    stores: tuple[Store, ...]
    factor: float = 1.0


def emit_prefix(f: Function, loop: For, trips: int | None) -> bool:
    """Emit a serial loop over running values in vectors; False, with nothing emitted, if it is none."""
    if f.lanes is not None or f.guard is not None or loop.step != 1:
        return False
    running = _running(f, loop)
    if running is None:
        return False
    lanes = max(f.unit.target.lanes(running.carry.dtype.bits), 2)
    if trips is not None and trips < 2 * lanes:
        return False
    begin, end = as_index(f, f.value(loop.begin)), as_index(f, f.value(loop.end))
    count = apply(f, index, "sub {t} {0}, {1}", end, begin)
    whole = apply(f, index, "and {t} {0}, {1}", count, index_value(-lanes))
    middle = apply(f, index, "add {t} {0}, {1}", begin, whole)
    _vectors(f, loop, running, begin, middle, lanes)
    last = Var(f"{loop.var.name}.last{f.unit.unique()}")
    body = substitute_stmt(loop.body, {loop.var: last})
    counted_loop(f, replace(loop, var=last, body=body), middle, end, lambda: f.emit(body), runs=False)
    f.unit.note(f"{running.stores[0].name}: running values along {loop.var.name} in vectors of {lanes}")
    return True


def _running(f: Function, loop: For) -> Running | None:
    parts = loop.body.body if isinstance(loop.body, Block) else ()
    stores = [s for s in parts if isinstance(s, Store)]
    if len(stores) < 2 or len(stores) != len(parts):
        return None
    first, value = stores[0], stores[0].value
    place = f.places.get(first.buffer)
    if first.indices or place is None or not place.is_stack or place.lanes or not isinstance(value, Binary):
        return None
    old = Load(first.buffer, ())
    factor = _factor(value.a, old) if value.op == "add" else 1.0 if value.a is old else None
    if value.op not in ASSOCIATIVE or factor is None or value.dtype is not first.buffer.dtype:
        return None
    if first.buffer in f.unit.buffers_read(value.b) or first.buffer.dtype.bits < 32:
        return None
    others = Block(tuple(stores[1:]))
    if not buffers_written(others).isdisjoint(buffers_read(loop.body) | {first.buffer}):
        return None
    if not all(_moves(f, s, loop.var) for s in stores[1:]):
        return None
    return Running(first.buffer, value.op, value.b, tuple(stores[1:]), factor)


def _factor(value: Expr, old: Load) -> float | None:
    """c where a value is ``c * old`` for a constant of magnitude at most one, whose powers do not overflow."""
    if value is old:
        return 1.0
    if isinstance(value, Binary) and value.op == "mul" and value.b is old and isinstance(value.a, Const):
        return float(value.a.value) if abs(float(value.a.value)) <= 1.0 else None
    return None


def _moves(f: Function, store: Store, var: Var) -> bool:
    """Whether each iteration stores to an element of its own, at a constant distance."""
    if store.reduction is not None or is_checked(f, store.buffer, store.indices):
        return False
    return bool(split_lane(linear(f, f.places[store.buffer], store.indices), var)[0])


def _vectors(f: Function, loop: For, running: Running, begin: Value, end: Value, lanes: int) -> None:
    old = f.splat(f.value(Load(running.carry, ())), lanes)
    total = f.alloca(old.type)
    f.line(f"store {old}, ptr {total}")
    base, lane = Var(f"{loop.var.name}.r{f.unit.unique()}"), Var(f"lane{lanes}")
    f.vars[lane] = Value("<" + ", ".join(f"i64 {k}" for k in range(lanes)) + ">", index, lanes)
    values: dict[Var, Expr] = {loop.var: base + lane}

    def body() -> None:
        f.lanes = Lanes(lane, lanes)
        terms = f.splat(f.value(substitute(running.term, values)), lanes)
        sums = _prefix(f, running, terms)
        before = Value(f.here(f"load {old.type}, ptr {total}"), old.dtype, lanes, f.level)
        now = _joined(f, running, before, sums, range(1, lanes + 1))
        after = _joined(f, running, before, _last_lane(f, sums), [lanes] * lanes)
        f.line(f"store {after}, ptr {total}")
        f.invalidate(running.carry)
        node = Load(running.carry, ())
        f.remember(node, now, f.level, node)
        for store in running.stores:
            f.emit(substitute_stmt(store, values))
        f.invalidate(running.carry)
        f.lanes = None

    counted_loop(f, replace(loop, var=base, step=lanes), begin, end, body, runs=False)
    final = f.here(f"extractelement {old.type} {f.here(f'load {old.type}, ptr {total}')}, i64 0")
    f.line(f"store {Value(final, old.dtype)}, ptr {f.places[running.carry].pointer}")
    f.invalidate(running.carry)


def _joined(f: Function, running: Running, before: Value, after: Value, steps: Iterable[int]) -> Value:
    """``before op after``; with a factor, `before` times as many of it, by lane, as there are iterations between."""
    if running.factor == 1.0:
        return combine(f, running.op, before, after)
    dtype = before.dtype
    powers = ", ".join(f"{llvm_type(dtype)} {constant(running.factor**k, dtype)}" for k in steps)
    scale = Value(f"<{powers}>", dtype, before.lanes)
    if f.unit.target.has_fma:
        return fused(f, before, scale, after)
    return combine(f, "add", combine(f, "mul", before, scale), after)


def _prefix(f: Function, running: Running, terms: Value) -> Value:
    """Lane k combines the lanes up to k."""
    lanes, distance, total = terms.lanes, 1, terms
    nothing = f.splat(identity(running.op, terms.dtype), lanes)
    while distance < lanes:
        order = ", ".join(f"i32 {k - distance if k >= distance else lanes + k}" for k in range(lanes))
        text = f.at(total.level, f"shufflevector {total}, {nothing}, <{lanes} x i32> <{order}>")
        shifted = Value(text, terms.dtype, lanes, total.level)
        total = _joined(f, running, shifted, total, [distance] * lanes)
        distance *= 2
    return total


def _last_lane(f: Function, value: Value) -> Value:
    order = ", ".join([f"i32 {value.lanes - 1}"] * value.lanes)
    text = f.at(value.level, f"shufflevector {value}, {value.type} poison, <{value.lanes} x i32> <{order}>")
    return Value(text, value.dtype, value.lanes, value.level)
