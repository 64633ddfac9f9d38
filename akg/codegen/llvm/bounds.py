"""Which lanes an access happens for, and the check of subscripts that only the data decide."""

from __future__ import annotations

from akg.base.dtype import bool_, index
from akg.codegen.llvm.arith import apply, compare
from akg.codegen.llvm.builder import TRUE, Function, Value
from akg.codegen.llvm.types import llvm_type
from akg.codegen.subscripts import needs_check
from akg.ir.buffer import Buffer
from akg.ir.expr import Cast, Const, Expr


def as_index(f: Function, value: Value) -> Value:
    """A subscript as a 64-bit integer."""
    if value.dtype.bits == 64:
        return value
    extend = "sext" if value.dtype.kind == "int" else "zext"
    kind = llvm_type(index, value.lanes)
    return Value(f.at(value.level, f"{extend} {value} to {kind}"), index, value.lanes, value.level)


def lane_mask(f: Function, varies: bool) -> Value | None:
    """The lanes for which an access happens: None if all; `varies` if the address depends on the lane."""
    mask = f.lanes.mask if f.lanes is not None and varies else None
    if f.guard is None:
        return mask
    guard = f.guard.mask
    return guard if mask is None else apply(f, bool_, "and {t} {0}, {1}", mask, guard)


def any_lane(f: Function, mask: Value) -> Value:
    """Whether a mask holds anywhere."""
    if not mask.lanes:
        return mask
    name = f"llvm.vector.reduce.or.v{mask.lanes}i1"
    callee = f.unit.declare(name, f"declare i1 @{name}({mask.type})")
    return Value(f.at(mask.level, f"call i1 {callee}({mask})"), bool_, 0, mask.level)


def is_checked(f: Function, buffer: Buffer, indices: tuple[Expr, ...]) -> bool:
    """Whether an access may leave its array, as far as is known before the data are."""
    return any(needs_check(i, n, f.from_data) for i, n in zip(indices, buffer.shape, strict=True))


def in_range(f: Function, buffer: Buffer, indices: tuple[Expr, ...], is_write: bool) -> Value | None:
    """Whether an access stays inside its array, one bool or one per lane; None if that was proved before.

    Where it does not, in a lane that is on and under a guard that holds, the call's status says so.
    """
    total: Value | None = None
    for position, (subscript, extent) in enumerate(zip(indices, buffer.shape, strict=True)):
        if not needs_check(subscript, extent, f.from_data):
            continue
        inside = _inside(f, subscript, extent)
        status = f.unit.checks.status(f.statement, buffer, indices, position, is_write)
        _report(f, inside, max(inside.level, f.barrier_level(buffer)), status)
        total = inside if total is None else apply(f, bool_, "and {t} {0}, {1}", total, inside)
    return total


def _inside(f: Function, subscript: Expr, extent: Expr) -> Value:
    """``0 <= subscript < extent`` by one comparison without signs."""
    narrow = subscript.a if isinstance(subscript, Cast) and subscript.dtype is index else subscript
    fits = isinstance(extent, Const) and int(extent) < 1 << (narrow.dtype.bits - 1)
    if narrow.dtype.is_integer and fits:
        at, size = f.value(narrow), Value(str(int(extent)), narrow.dtype, 0, 0, True)
    else:
        at, size = as_index(f, f.value(subscript)), as_index(f, f.value(extent))
    key = ("inside", at.text, size.text)
    found = f.memo.get(key)
    if found is None:
        found = compare(f, "icmp ult", at, size)
        f.remember(key, found, found.level)
    return found


def _report(f: Function, inside: Value, level: int, status: int) -> None:
    active = lane_mask(f, True)
    key = ("outside", status, inside.text, None if active is None else active.text)
    if key in f.memo:
        return
    outside = apply(f, bool_, "xor {t} {0}, {1}", inside, TRUE)
    if active is not None:
        if active.lanes and not outside.lanes:
            active = any_lane(f, active)
        outside = apply(f, bool_, "and {t} {0}, {1}", outside, active)
    outside = any_lane(f, outside)
    level = max(level, outside.level)
    f.fail(level, f.at(level, f"select {outside}, i32 {status}, i32 0"))
    f.remember(key, status, level)
