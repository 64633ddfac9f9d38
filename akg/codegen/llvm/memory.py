"""Loads and stores: addresses, strides, masks, and which copy of a private buffer a lane sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from akg.base.dtype import bool_, index
from akg.base.errors import InternalError
from akg.codegen.llvm.address import Polynomial, polynomial, split_lane, term
from akg.codegen.llvm.arith import apply, choose, narrow
from akg.codegen.llvm.bounds import any_lane, as_index, in_range, is_checked, lane_mask
from akg.codegen.llvm.builder import Function, Place, Value
from akg.codegen.llvm.lines import load_phase
from akg.codegen.llvm.rows import load_row, row_of, row_stored, store_vector, wait_for_row, waiting_value
from akg.codegen.llvm.subscript import linear, pointer_of
from akg.codegen.llvm.types import constant, in_memory, llvm_type, mangled
from akg.ir.buffer import Buffer
from akg.ir.evaluate import Values, evaluate
from akg.ir.expr import Const, Expr, Load
from akg.ir.rewrite import uses

MAX_SHUFFLED_STRIDE = 8  # of loads that are vectors and shuffles rather than gathers
MAX_SLACK_STRIDE = 4  # of loads that may reach behind a temporary
ZEROS = "akg.zeros"  # 64 readable bytes for loads whose condition does not hold


@dataclass(slots=True, eq=False)  # not frozen: thousands are made
class Access:
    """Where an access goes.

    Attributes:
        pointer: address of the element, or of lane 0.
        stride: 0 for one element for all lanes, 1 for neighbours, another constant, or None with `pointer` a
            vector of addresses.
        level: the level of the scope that holds `pointer`.
        align_bytes: known alignment.
        is_fixed: an element of a temporary on the stack at a constant position, which may always be read.
    """

    pointer: str
    stride: int | None
    level: int
    align_bytes: int
    is_fixed: bool = False


def access(f: Function, buffer: Buffer, indices: tuple[Expr, ...], *, inside: bool = True) -> Access:
    """The address of an element, or of the elements of all lanes; they need not be `inside` for a prefetch."""
    place = f.places.get(buffer)
    if place is None:
        raise InternalError(f"buffer {buffer.name} is used outside its allocation")
    f.accesses += 1
    form = linear(f, place, indices)
    stride: int | None = 0
    if f.lanes is not None:
        stride, form = split_lane(form, f.lanes.var)
        if place.lanes and stride != 0:
            raise InternalError(f"private buffer {buffer.name} is indexed by the lane")
    element = llvm_type(in_memory(buffer.dtype), place.lanes)
    align = buffer.dtype.itemsize_bytes
    if stride is None:
        return _scattered(f, place, form, element, align)
    pointer, level = pointer_of(f, place, form, element, inside=inside)
    return Access(pointer, stride, level, align, place.is_stack and not any(form))


def _scattered(f: Function, place: Place, form: Polynomial, element: str, align: int) -> Access:
    """Addresses that differ by lane in no constant step."""
    assert f.lanes is not None
    total: Value | None = None
    for key, coefficient in form.items():
        part = f.value(term(key, coefficient) if key else Const(coefficient))
        part = as_index(f, part)
        total = part if total is None else apply(f, index, "add {t} {0}, {1}", total, part)
    assert total is not None
    total = f.splat(total, f.lanes.count)
    level = max(total.level, place.level)
    pointer = f.at(level, f"getelementptr inbounds {element}, ptr {place.pointer}, {total}")
    return Access(pointer, None, level, align)


def _safe_pointer(f: Function, pointer: str, level: int, condition: Value) -> tuple[str, int]:
    """`pointer` where the condition holds, else zeros that may be read."""
    zeros = f.unit.declare(ZEROS, f"@{ZEROS} = private constant [64 x i8] zeroinitializer, align 64")
    level = max(level, condition.level)
    return f.at(level, f"select {condition}, ptr {pointer}, ptr {zeros}"), level


# --- loads --------------------------------------------------------------------------------------------


def load(f: Function, node: Load) -> Value:
    """The value of an element, or of one element per lane."""
    place = f.places.get(node.buffer)
    if place is None:
        raise InternalError(f"buffer {node.buffer.name} is used outside its allocation")
    inside = in_range(f, node.buffer, node.indices, False)
    row = row_of(f, place, node.buffer, node.indices) if inside is None else None
    known = waiting_value(f, node, row)
    if known is None and row is not None:
        known = load_row(f, node, place, row)
    if known is None and inside is None:
        known = _load_picked(f, node, place)
    if known is not None:
        return _as_bool(f, known, node)
    where = access(f, node.buffer, node.indices)
    if inside is None:
        return _load(f, node, place, where)
    outer = f.guard
    f.guard = narrow(f, outer, inside, ("inside", node), True)
    try:
        return _load(f, node, place, where)
    finally:
        f.guard = outer


def _load(f: Function, node: Load, place: Place, where: Access) -> Value:
    dtype = in_memory(node.dtype)
    barrier = f.barrier_level(node.buffer)
    if place.is_private:
        lanes = place.lanes or (f.lanes.count if f.lanes is not None and where.stride == 1 else 0)
        checked = is_checked(f, node.buffer, node.indices)
        if where.stride == 0 or (where.stride == 1 and not checked):
            pointer, level = where.pointer, where.level
            if checked and f.guard is not None:
                pointer, level = _safe_pointer(f, pointer, level, any_lane(f, f.guard.mask))
            level = max(level, barrier)
            align = "" if not lanes else f", align {where.align_bytes}"
            text = f.at(level, f"load {llvm_type(dtype, lanes)}, ptr {pointer}{align}")
            return _as_bool(f, Value(text, dtype, lanes, level), node)
    if where.stride == 0:
        return _as_bool(f, _load_scalar(f, where, node, barrier), node)
    return _as_bool(f, _load_lanes(f, where, node, barrier), node)


def _as_bool(f: Function, value: Value, node: Load) -> Value:
    if node.dtype is not bool_:
        return value
    return apply(f, bool_, "icmp ne {t} {0}, {1}", value, Value("0", value.dtype, 0, 0, True))


def _load_scalar(f: Function, where: Access, node: Load, barrier: int) -> Value:
    pointer, level = where.pointer, where.level
    mask = None if where.is_fixed else lane_mask(f, False)
    if mask is not None:
        pointer, level = _safe_pointer(f, pointer, level, any_lane(f, mask))
    level = max(level, barrier)
    dtype = in_memory(node.dtype)
    return Value(f.at(level, f"load {llvm_type(dtype)}, ptr {pointer}"), dtype, 0, level)


def _load_lanes(f: Function, where: Access, node: Load, barrier: int) -> Value:
    assert f.lanes is not None
    lanes, dtype = f.lanes.count, in_memory(node.dtype)
    kind, pointer, level = llvm_type(dtype, lanes), where.pointer, where.level
    mask = lane_mask(f, True)
    if mask is not None and not mask.lanes and where.stride == 1:
        pointer, level = _safe_pointer(f, pointer, level, mask)
        mask = None
    stride = where.stride
    if stride is not None and 1 <= stride <= MAX_SLACK_STRIDE and f.guard is None and f.places[node.buffer].has_slack:
        mask = None
    level = max(level, barrier, mask.level if mask is not None else 0)
    if stride == 1 and mask is None:
        return Value(f.at(level, f"load {kind}, ptr {pointer}, align {where.align_bytes}"), dtype, lanes, level)
    if stride == -1:
        return _load_reversed(f, Access(pointer, -1, level, where.align_bytes), node, mask)
    if stride is not None and 2 <= stride <= MAX_SHUFFLED_STRIDE and lanes > stride:
        count = lanes if mask is None else _prefix(f, mask)
        if count:
            f.unit.note(f"{f.statement}: elements of {node.buffer.name} {stride} apart are vectors and shuffles")
            return load_phase(f, node) or _load_strided(
                f, Access(pointer, stride, level, where.align_bytes), node, count
            )
    full = mask or Value("true", bool_, 0, 0, True)
    full = f.splat(full, lanes)
    if stride == 1:
        name = f"llvm.masked.load.{mangled(dtype, lanes)}.p0"
        address = f"ptr {pointer}"
    else:
        name = f"llvm.masked.gather.{mangled(dtype, lanes)}.v{lanes}p0"
        address = f"<{lanes} x ptr> {_lane_pointers(f, where, level, node.buffer)}"
    callee = f.unit.declare(name, f"declare {kind} @{name}({address.rpartition(' ')[0]}, i32, {full.type}, {kind})")
    text = f.at(level, f"call {kind} {callee}({address}, i32 {where.align_bytes}, {full}, {kind} zeroinitializer)")
    return Value(text, dtype, lanes, level)


def load_or(f: Function, node: Load, condition: Value, other: Const) -> Value | None:
    """Neighbours in memory where a condition that all lanes share holds, else a constant, without a branch or blend.

    The address is chosen: that of the elements, or of a vector of constants. None for other loads.
    """
    place = f.places.get(node.buffer)
    if f.lanes is None or f.guard is not None or place is None or place.is_private or node.dtype is bool_:
        return None
    if condition.lanes or in_range(f, node.buffer, node.indices, False) is not None:
        return None
    where = access(f, node.buffer, node.indices)
    if where.stride != 1:
        return None
    lanes, dtype = f.lanes.count, in_memory(node.dtype)
    value, kind = constant(other.value, dtype), llvm_type(dtype)
    name = f"akg.filled.{kind}.{lanes}.{value.replace('-', 'm')}"
    elements = ", ".join(f"{kind} {value}" for _ in range(lanes))
    filled = f.unit.declare(name, f"@{name} = private constant [{lanes} x {kind}] [{elements}], align 64")
    level = max(where.level, condition.level)
    pointer = f.at(level, f"select {condition}, ptr {where.pointer}, ptr {filled}")
    return _load_lanes(f, Access(pointer, 1, level, where.align_bytes), node, f.barrier_level(node.buffer))


def _prefix(f: Function, mask: Value) -> int:
    """How many lanes are on, where a constant says that the first ones are; 0 if unknown."""
    assert f.lanes is not None
    constant = f.guard is None and mask is f.lanes.mask and mask.text.startswith("<i1")
    return mask.text.count("true") if constant else 0


def _load_strided(f: Function, where: Access, node: Load, count: int) -> Value:
    """`count` elements a small constant apart: vectors that cover them, and nothing behind, picked by shuffles."""
    assert f.lanes is not None and where.stride is not None
    lanes, dtype, stride, level = f.lanes.count, in_memory(node.dtype), where.stride, where.level
    kind, element = llvm_type(dtype, lanes), llvm_type(dtype)
    span = (count - 1) * stride + 1
    starts = [*range(0, span - lanes, lanes), max(span - lanes, 0)]
    total = ""
    for number, start in enumerate(starts):
        pointer = where.pointer
        if start:
            pointer = f.at(level, f"getelementptr inbounds {element}, ptr {pointer}, i64 {start}")
        if span < lanes:
            part = _load_first(f, where, node, span)
        else:
            part = f.at(level, f"load {kind}, ptr {pointer}, align {where.align_bytes}")
        if not number:
            total = part
            continue
        known, picks = starts[number - 1] + lanes, list[int]()
        for lane in range(lanes):
            at = min(lane, count - 1) * stride
            is_new = known <= at < start + lanes
            picks.append(lanes + at - start if is_new else at if number == 1 and at < known else lane)
        order = ", ".join(f"i32 {p}" for p in picks)
        total = f.at(level, f"shufflevector {kind} {total}, {kind} {part}, <{lanes} x i32> <{order}>")
    if len(starts) == 1:
        order = ", ".join(f"i32 {min(lane, count - 1) * stride}" for lane in range(lanes))
        total = f.at(level, f"shufflevector {kind} {total}, {kind} poison, <{lanes} x i32> <{order}>")
    return Value(total, dtype, lanes, level)


def _load_picked(f: Function, node: Load, place: Place) -> Value | None:
    """Elements at distances that are known now: one or two vectors that cover them, and a shuffle; else None."""
    if f.lanes is None or f.lanes.is_double or f.guard is not None or place.lanes or place.is_private:
        return None
    lanes, mask = f.lanes.count, f.lanes.mask
    count = lanes if mask is None else _prefix(f, mask)
    form = linear(f, place, node.indices)
    if not count or split_lane(form, f.lanes.var)[0] is not None:
        return None
    moving = {key: c for key, c in form.items() if any(uses(factor, f.lanes.var) for factor in key)}
    places = _of_lanes(f, moving)
    known: list[int] = [] if places is None else places[:count].tolist()
    if len(known) < count or max(known) - min(known) >= 2 * lanes:
        return None
    low, span = min(known), max(known) - min(known) + 1
    base = {key: c for key, c in form.items() if key not in moving}
    base[()] = base.get((), 0) + low
    dtype, align = in_memory(node.dtype), node.buffer.dtype.itemsize_bytes
    kind, element = llvm_type(dtype, lanes), llvm_type(dtype)
    pointer, level = pointer_of(f, place, base, element)
    level = max(level, f.barrier_level(node.buffer))
    picks = [at - low for at in known] + [0] * (lanes - count)
    parts = ["", "poison"]
    if span < lanes:
        parts[0] = _load_first(f, Access(pointer, 1, level, align), node, span)
    else:
        parts[0] = f.at(level, f"load {kind}, ptr {pointer}, align {align}")
    if span > lanes:
        behind = f.at(level, f"getelementptr inbounds {element}, ptr {pointer}, i64 {span - lanes}")
        parts[1] = f.at(level, f"load {kind}, ptr {behind}, align {align}")
        picks = [at if at < lanes else at - span + 2 * lanes for at in picks]
    order = ", ".join(f"i32 {p}" for p in picks)
    text = f.at(level, f"shufflevector {kind} {parts[0]}, {kind} {parts[1]}, <{lanes} x i32> <{order}>")
    return Value(text, dtype, lanes, level)


def _of_lanes(f: Function, form: Polynomial) -> Values | None:
    """The value of a polynomial for each lane; None if it has variables besides the lane."""
    assert f.lanes is not None
    lane, memo = f.lanes.var, f.unit.lane_values.setdefault(f.lanes.var, {})
    total: Values = np.zeros(f.lanes.count, np.int64)
    for key, coefficient in form.items():
        product: Values = np.asarray(coefficient)
        for factor in key:
            value = evaluate(factor, {lane: np.arange(f.lanes.count)}, memo)
            if value is None:
                return None
            product = product * value
        total = total + product
    return total


def _load_first(f: Function, where: Access, node: Load, count: int) -> str:
    """A vector of which only the first `count` elements are read."""
    assert f.lanes is not None
    lanes, dtype = f.lanes.count, in_memory(node.dtype)
    kind, name = llvm_type(dtype, lanes), f"llvm.masked.load.{mangled(dtype, lanes)}.p0"
    bits = ", ".join(f"i1 {'true' if lane < count else 'false'}" for lane in range(lanes))
    callee = f.unit.declare(name, f"declare {kind} @{name}(ptr, i32, <{lanes} x i1>, {kind})")
    arguments = f"ptr {where.pointer}, i32 {where.align_bytes}, <{lanes} x i1> <{bits}>, {kind} zeroinitializer"
    return f.at(where.level, f"call {kind} {callee}({arguments})")


def _lane_pointers(f: Function, where: Access, level: int, buffer: Buffer) -> str:
    """The vector of addresses of a strided access."""
    if where.stride is None:
        return where.pointer
    assert f.lanes is not None
    steps = ", ".join(f"i64 {lane * where.stride}" for lane in range(f.lanes.count))
    element = llvm_type(in_memory(buffer.dtype))
    offsets = f"<{f.lanes.count} x i64> <{steps}>"
    return f.at(level, f"getelementptr inbounds {element}, ptr {where.pointer}, {offsets}")


def _load_reversed(f: Function, where: Access, node: Load, mask: Value | None) -> Value:
    """Lane 0 is the last element in memory: load upwards and reverse."""
    assert f.lanes is not None
    lanes, dtype, level = f.lanes.count, in_memory(node.dtype), where.level
    kind, element = llvm_type(dtype, lanes), llvm_type(dtype)
    first = f.at(level, f"getelementptr {element}, ptr {where.pointer}, i64 {1 - lanes}")
    if mask is None:
        text = f.at(level, f"load {kind}, ptr {first}, align {where.align_bytes}")
    else:
        full = f.splat(mask, lanes)
        turned = reverse(f, full)
        name = f"llvm.masked.load.{mangled(dtype, lanes)}.p0"
        callee = f.unit.declare(name, f"declare {kind} @{name}(ptr, i32, {full.type}, {kind})")
        args = f"ptr {first}, i32 {where.align_bytes}, {turned}, {kind} zeroinitializer"
        text = f.at(level, f"call {kind} {callee}({args})")
    return reverse(f, Value(text, dtype, lanes, level))


def reverse(f: Function, value: Value) -> Value:
    """The lanes in the opposite order."""
    order = ", ".join(f"i32 {lane}" for lane in reversed(range(value.lanes)))
    text = f.at(value.level, f"shufflevector {value}, {value.type} poison, <{value.lanes} x i32> <{order}>")
    return Value(text, value.dtype, value.lanes, value.level)


# --- stores -------------------------------------------------------------------------------------------


def store(f: Function, buffer: Buffer, indices: tuple[Expr, ...], value: Value) -> None:
    """Write an element, or one element per lane; lanes that are off write nothing."""
    inside = in_range(f, buffer, indices, True)
    if inside is None:
        _store(f, buffer, indices, value)
    elif not inside.lanes:
        with f.branch(inside):
            _store(f, buffer, indices, value)
    else:
        outer = f.guard
        f.guard = narrow(f, outer, inside, ("inside", Load(buffer, indices)), True)
        _store(f, buffer, indices, value)
        f.guard = outer
    f.invalidate(buffer)


def _store(f: Function, buffer: Buffer, indices: tuple[Expr, ...], value: Value) -> None:
    place, dtype = f.places[buffer], in_memory(buffer.dtype)
    if value.dtype is bool_:
        text = f.at(value.level, f"zext {value} to {llvm_type(dtype, value.lanes)}")
        value = Value(text, dtype, value.lanes, value.level)
    row = row_stored(f, place, buffer, indices) if f.level == f.rows_level and f.guard is None else None
    if row is not None and not is_checked(f, buffer, indices):
        wait_for_row(f, buffer, row, value)
        return
    where = access(f, buffer, indices)
    if place.is_private and (where.stride == 0 or (where.stride == 1 and not is_checked(f, buffer, indices))):
        _store_private(f, place, where, value, _spills_over(f, buffer, indices))
    elif where.stride == 0:
        if value.lanes or (f.guard is not None and f.guard.mask.lanes):
            raise InternalError(f"lanes store to one element of {buffer.name}")
        f.line(f"store {value}, ptr {where.pointer}")
    elif where.stride == 1 and _ends_in_slack(f, buffer, indices):
        # whole: a vector that reads the last elements would wait for a store of a few to reach the cache
        full = f.splat(value, f.lanes.count if f.lanes is not None else 0)
        f.line(f"store {full}, ptr {where.pointer}, align {where.align_bytes}")
    else:
        _store_lanes(f, buffer, where, value)


def _ends_in_slack(f: Function, buffer: Buffer, indices: tuple[Expr, ...]) -> bool:
    """Whether lanes that are off lie behind the last element of a line that may be overrun."""
    if f.lanes is None or f.lanes.mask is None or f.lanes.is_end or f.guard is not None or len(indices) != 1:
        return False
    return f.places[buffer].has_slack and not _spills_over(f, buffer, indices)


def interleaved(f: Function, parts: Sequence[Value]) -> Value:
    """The lanes of a power of two of vectors in turns: the first of each, the second of each, ..."""
    if len(parts) == 1:
        return parts[0]
    # halves of every second vector first, so that each round puts two vectors' lanes side by side
    a, b = interleaved(f, parts[0::2]), interleaved(f, parts[1::2])
    lanes, level = a.lanes, max(a.level, b.level)
    order = ", ".join(f"i32 {k // 2 + lanes * (k % 2)}" for k in range(2 * lanes))
    return Value(f.at(level, f"shufflevector {a}, {b}, <{2 * lanes} x i32> <{order}>"), a.dtype, 2 * lanes, level)


def store_run(f: Function, buffer: Buffer, indices: tuple[Expr, ...], value: Value) -> None:
    """Write a vector of several elements for each lane, one behind the other from the first lane's element on."""
    assert f.lanes is not None
    where, mask = access(f, buffer, indices), lane_mask(f, True)
    if mask is None:
        store_vector(f, buffer, value, where.pointer, where.align_bytes, f.lanes.count)
    else:
        mask = interleaved(f, [f.splat(mask, f.lanes.count)] * (value.lanes // f.lanes.count))
        name = f"llvm.masked.store.{mangled(value.dtype, value.lanes)}.p0"
        callee = f.unit.declare(name, f"declare void @{name}({value.type}, ptr, i32, {mask.type})")
        f.line(f"call void {callee}({value}, ptr {where.pointer}, i32 {where.align_bytes}, {mask})")
    f.invalidate(buffer)


def _spills_over(f: Function, buffer: Buffer, indices: tuple[Expr, ...]) -> bool:
    """Whether lanes that are off would overwrite elements, rather than the padding behind the last one."""
    if f.lanes is None or f.lanes.mask is None or not indices or f.places[buffer].lanes or f.lanes.is_end:
        return False
    stride, start = split_lane(polynomial(indices[-1], f.unit.polynomials), f.lanes.var)
    if stride == 0:
        return False
    extent = buffer.shape[-1]
    if any(start) or stride != 1 or not isinstance(extent, Const):
        return True
    first, strides = start.get((), 0), f.places[buffer].strides
    row = strides[-2] if len(strides) > 1 else Const(first + f.lanes.count)
    assert isinstance(row, Const)
    return first + f.lanes.mask.text.count("true") < int(extent) or first + f.lanes.count > int(row)


def _store_private(f: Function, place: Place, where: Access, value: Value, spills: bool) -> None:
    lanes = place.lanes or (f.lanes.count if f.lanes is not None and where.stride == 1 else 0)
    if lanes:
        value = f.splat(value, lanes)
    elif value.lanes:
        raise InternalError("lanes store to one private element")
    align = f", align {where.align_bytes}" if lanes else ""
    mask = lane_mask(f, spills)
    if mask is not None:
        old = f.here(f"load {value.type}, ptr {where.pointer}{align}")
        value = choose(f, mask, value, Value(old, value.dtype, value.lanes, f.level))
    f.line(f"store {value}, ptr {where.pointer}{align}")


def _store_lanes(f: Function, buffer: Buffer, where: Access, value: Value) -> None:
    assert f.lanes is not None
    lanes, align = f.lanes.count, where.align_bytes
    value = f.splat(value, lanes)
    mask = lane_mask(f, True)
    pointer, stride = where.pointer, where.stride
    if stride == -1:
        value = reverse(f, value)
        mask = reverse(f, f.splat(mask, lanes)) if mask is not None else None
        element = llvm_type(value.dtype)
        pointer, stride = f.here(f"getelementptr {element}, ptr {pointer}, i64 {1 - lanes}"), 1
    if stride == 1 and mask is None:
        store_vector(f, buffer, value, pointer, align, lanes)
        return
    full = f.splat(mask or Value("true", bool_, 0, 0, True), lanes)
    if stride == 1 and f.edge is not None and f.edge[0] is buffer:
        f.edge[1](value, pointer, full)
    elif stride == 1:
        masked_store(f, value, pointer, align, full)
    else:
        name = f"llvm.masked.scatter.{mangled(value.dtype, lanes)}.v{lanes}p0"
        _store_masked(f, name, value, f"<{lanes} x ptr> {_lane_pointers(f, where, f.level, buffer)}", align, full)


def masked_store(f: Function, value: Value, pointer: str, align: int, mask: Value) -> None:
    """Write those lanes of a vector that are on."""
    _store_masked(f, f"llvm.masked.store.{mangled(value.dtype, value.lanes)}.p0", value, f"ptr {pointer}", align, mask)
    if llvm_type(value.dtype) in ("i8", "i16", "i32"):
        # LLVM before 23 joins a truncation and the store of one lane to a store of the wide element, over what lies
        # behind (llvm-project issue 179489). A second use keeps the truncation apart; it costs no instruction.
        f.line(f"call void (...) {f.unit.declare('llvm.fake.use', 'declare void @llvm.fake.use(...)')}({value})")


def _store_masked(f: Function, name: str, value: Value, address: str, align: int, full: Value) -> None:
    kinds = f"{value.type}, {address.rpartition(' ')[0]}, i32, {full.type}"
    callee = f.unit.declare(name, f"declare void @{name}({kinds})")
    f.line(f"call void {callee}({value}, {address}, i32 {align}, {full})")
