"""Reductions over the lanes of a vector loop: partial results in registers, combined after the loop."""

from __future__ import annotations

from dataclasses import dataclass

from akg.base.dtype import DType
from akg.codegen.llvm.arith import apply, choose, combine, fused, literal
from akg.codegen.llvm.bounds import lane_mask
from akg.codegen.llvm.builder import Function, Value
from akg.codegen.llvm.convert import convert
from akg.codegen.llvm.memory import store
from akg.codegen.llvm.subscript import linear
from akg.codegen.llvm.types import in_memory
from akg.ir.expr import Binary, Call, Cast, Const, Expr, Load, Scalar, Select, Unary
from akg.ir.rewrite import uses, walk_expr
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
    return Update("top" if stmt.reduction == "top" else op, value.a, value.b, value.dtype)


def identity(op: str, dtype: DType) -> Value:
    """The neutral element of a reduction."""
    value: Scalar
    if op == "mul":
        value = 1
    elif op == "add":
        value = -0.0 if dtype.is_float else 0
    elif dtype.is_float:
        value = float("-inf") if op in ("max", "top") else float("inf")
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
    return any(uses(factor, f.lanes.var) for key in form for factor in key)


def _accumulate(f: Function, update: Update, slot: str) -> None:
    assert f.lanes is not None
    kind = Value("", update.dtype, f.lanes.count).type
    old = Value(f.here(f"load {kind}, ptr {slot}"), update.dtype, f.lanes.count, f.level)
    new = updated(f, update, old)
    mask = lane_mask(f, True)
    if mask is not None:
        new = choose(f, mask, new, old)
    f.line(f"store {new}, ptr {slot}")


def updated(f: Function, update: Update, old: Value) -> Value:
    """The new value of a reduction; products in a sum's term are contracted to fused multiply-adds."""
    if update.op == "add" and update.dtype.is_float and f.unit.target.has_fma and _has_product(update.term):
        return _added(f, update.term, old, negated=False)
    if isinstance(update.term, Select) and _is_neutral(update, update.term.b):
        value, condition = f.value(update.term.a), f.value(update.term.cond)
        return choose(f, condition, combine(f, update.op, value, old), old)  # an instruction under a mask
    if update.op in ("min", "max"):  # the first one is tested for NaN: better not what the next iteration waits for
        return combine(f, update.op, f.value(update.term), old)
    return combine(f, update.op, old, f.value(update.term))


def _is_neutral(update: Update, other: Expr) -> bool:
    """Whether an integer is what a minimum or maximum begins with, so that it may be left out."""
    if update.op not in ("min", "max") or update.dtype.is_float or not isinstance(other, Const):
        return False
    assert isinstance(update.term, Select)
    is_plain = not any(isinstance(n, (Load, Call)) for n in walk_expr(update.term.a))
    return is_plain and literal(other.value, update.dtype).text == identity(update.op, update.dtype).text


def _has_product(term: Expr) -> bool:
    """Whether a sum of terms has a product among them."""
    if isinstance(term, Unary) and term.op == "neg":
        return _has_product(term.a)
    if isinstance(term, Binary) and term.op in ("add", "sub"):
        return _has_product(term.a) or _has_product(term.b)
    return isinstance(term, Binary) and term.op == "mul"


def _added(f: Function, term: Expr, old: Value, *, negated: bool) -> Value:
    """``old + term``, or ``old - term``, part by part."""
    if isinstance(term, Unary) and term.op == "neg":
        return _added(f, term.a, old, negated=not negated)
    if isinstance(term, Binary) and term.op in ("add", "sub") and _has_product(term):
        first = _added(f, term.a, old, negated=negated)
        return _added(f, term.b, first, negated=negated != (term.op == "sub"))
    if isinstance(term, Binary) and term.op == "mul":
        a, b = f.value(term.a), f.value(term.b)
        if negated:  # beside the addition, so that it becomes part of it
            a = apply(f, a.dtype, "fneg {t} {0}", f.splat(a, old.lanes) if old.lanes else a)
        return fused(f, a, b, old)
    value = f.value(term)
    return apply(f, value.dtype, "fsub {t} {0}, {1}" if negated else "fadd {t} {0}, {1}", old, value)


def open_accumulators(f: Function, updates: dict[str, Update], lanes: int, slots: int) -> dict[str, list[str]]:
    """Partial results for each reduction, set to the identity."""
    found: dict[str, list[str]] = {}
    for name, update in updates.items():
        start = f.splat(identity(update.op, update.dtype), lanes)
        found[name] = [f.alloca(start.type) for _ in range(slots)]
        for slot in found[name]:
            f.line(f"store {start}, ptr {slot}")
    return found


def close_accumulators(
    f: Function, stmts: list[Store], accumulators: dict[str, list[str]], lanes: int, factors: dict[str, Expr]
) -> None:
    """Combine the partial results, times their factors if they have any, with the old elements."""
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
        _finish(f, stmt, update, _across(f, update.op, parts[0]), factors.get(stmt.name))


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


def _finish(f: Function, stmt: Store, update: Update, total: Value, factor: Expr | None = None) -> None:
    f.statement = stmt.name
    if factor is not None:
        total = combine(f, "mul", f.value(factor), total)
    new = combine(f, update.op, f.value(update.old), total)
    store(f, stmt.buffer, stmt.indices, convert(f, new, in_memory(stmt.buffer.dtype)))
