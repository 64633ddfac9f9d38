"""Reductions over the lanes of a vector loop: partial results in registers, combined after the loop."""

from __future__ import annotations

from dataclasses import dataclass

from akg.base.dtype import DType
from akg.codegen.llvm.arith import choose, combine, fused, literal
from akg.codegen.llvm.bounds import lane_mask
from akg.codegen.llvm.builder import Function, Value
from akg.codegen.llvm.convert import convert
from akg.codegen.llvm.memory import linear, store
from akg.codegen.llvm.types import in_memory
from akg.ir.expr import Binary, Cast, Expr, Load, Scalar
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import REDUCTIONS, Store

SLOTS = 4  # partial results that hide the latency of a pure reduction


@dataclass(frozen=True, slots=True)
class Update:
    """``old op term``, computed in `dtype`."""

    op: str
    old: Expr
    term: Expr
    dtype: DType


def split_update(stmt: Store) -> Update | None:
    """The parts of a reduction's update; None if the store has another form."""
    if stmt.reduction is None:
        return None
    op, value = REDUCTIONS[stmt.reduction], stmt.value
    while isinstance(value, Cast):
        value = value.a
    if not isinstance(value, Binary) or value.op != op:
        return None
    old = value.a
    while isinstance(old, Cast):
        old = old.a
    if not isinstance(old, Load) or old.buffer is not stmt.buffer or old.indices != stmt.indices:
        return None
    return Update(op, value.a, value.b, value.dtype)


def identity(op: str, dtype: DType) -> Value:
    """The neutral element of a reduction."""
    value: Scalar
    if op == "mul":
        value = 1
    elif op == "add":
        value = -0.0 if dtype.is_float else 0
    elif dtype.is_float:
        value = float("-inf") if op == "max" else float("inf")
    elif dtype.kind == "uint":
        value = 0 if op == "max" else (1 << dtype.bits) - 1
    else:
        value = -(1 << (dtype.bits - 1)) if op == "max" else (1 << (dtype.bits - 1)) - 1
    return literal(value, dtype)


def emit_lane_reduction(f: Function, stmt: Store) -> bool:
    """Emit an update of one element by all lanes; False if each lane has its own element."""
    assert f.lanes is not None
    update, slots = split_update(stmt), f.lanes.accumulators.get(stmt.name)
    if update is None:
        return False
    if slots is not None:
        _accumulate(f, update, slots[f.lanes.slot % len(slots)])
        return True
    place = f.places[stmt.buffer]
    if place.lanes or _varies(f, stmt):
        return False
    total = f.splat(f.value(update.term), f.lanes.count)
    mask = lane_mask(f, True)
    if mask is not None:
        total = choose(f, mask, total, identity(update.op, update.dtype))
    _finish(f, stmt, update, _across(f, update.op, total))
    return True


def _varies(f: Function, stmt: Store) -> bool:
    assert f.lanes is not None
    form = linear(f, f.places[stmt.buffer], stmt.indices)
    return any(node is f.lanes.var for key in form for factor in key for node in walk_expr(factor))


def _accumulate(f: Function, update: Update, slot: str) -> None:
    assert f.lanes is not None
    kind = Value("", update.dtype, f.lanes.count).type
    old = Value(f.here(f"load {kind}, ptr {slot}"), update.dtype, f.lanes.count, f.level)
    term = update.term
    is_product = isinstance(term, Binary) and term.op == "mul" and update.op == "add" and update.dtype.is_float
    if is_product and f.unit.target.has_fma:
        assert isinstance(term, Binary)
        new = fused(f, f.value(term.a), f.value(term.b), old)
    else:
        new = combine(f, update.op, old, f.value(term))
    mask = lane_mask(f, True)
    if mask is not None:
        new = choose(f, mask, new, old)
    f.line(f"store {new}, ptr {slot}")


def open_accumulators(f: Function, updates: dict[str, Update], lanes: int, slots: int) -> dict[str, list[str]]:
    """Partial results for each reduction, set to the identity."""
    found: dict[str, list[str]] = {}
    for name, update in updates.items():
        start = f.splat(identity(update.op, update.dtype), lanes)
        found[name] = [f.alloca(start.type) for _ in range(slots)]
        for slot in found[name]:
            f.line(f"store {start}, ptr {slot}")
    return found


def close_accumulators(f: Function, stmts: list[Store], accumulators: dict[str, list[str]], lanes: int) -> None:
    """Combine the partial results with the old elements."""
    for stmt in stmts:
        update = split_update(stmt)
        assert update is not None
        kind = Value("", update.dtype, lanes).type
        parts = [
            Value(f.here(f"load {kind}, ptr {slot}"), update.dtype, lanes, f.level) for slot in accumulators[stmt.name]
        ]
        while len(parts) > 1:
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [combine(f, update.op, a, b) for a, b in pairs]
        _finish(f, stmt, update, _across(f, update.op, parts[0]))


def _across(f: Function, op: str, value: Value) -> Value:
    """All lanes combined, by halves."""
    lanes = value.lanes
    while lanes > 1:
        half = lanes // 2
        low, high = ", ".join(f"i32 {k}" for k in range(half)), ", ".join(f"i32 {k + half}" for k in range(half))
        parts = [
            Value(
                f.at(value.level, f"shufflevector {value}, {value.type} poison, <{half} x i32> <{order}>"),
                value.dtype, half, value.level,
            )
            for order in (low, high)
        ]  # fmt: skip
        value, lanes = combine(f, op, parts[0], parts[1]), half
    text = f.at(value.level, f"extractelement {value}, i64 0")
    return Value(text, value.dtype, 0, value.level)


def _finish(f: Function, stmt: Store, update: Update, total: Value) -> None:
    f.statement = stmt.name
    new = combine(f, update.op, f.value(update.old), total)
    store(f, stmt.buffer, stmt.indices, convert(f, new, in_memory(stmt.buffer.dtype)))
