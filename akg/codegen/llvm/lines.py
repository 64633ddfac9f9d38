"""Elements a small constant apart of a temporary of one dimension: phases of whole vectors, each made once.

    T[2*i], T[2*i + 1], T[2*i + 2]  of  16 iterations

The first two are the even and the odd elements of two vectors of T; the third are the even ones again, an element on:
the last 15 of these lanes and the first of the next ones. So each vector is loaded once and picked apart once, from
aligned addresses: a load that straddles two stores of a moment ago would have to wait until both are in the cache.
"""

from __future__ import annotations

from akg.codegen.llvm.address import Polynomial, split_lane
from akg.codegen.llvm.builder import Function, Value
from akg.codegen.llvm.subscript import linear, pointer_of
from akg.codegen.llvm.types import in_memory, llvm_type
from akg.ir.expr import Load

MAX_STRIDE = 4  # of such loads: what lies behind the temporary may be read for so many vectors


def load_phase(f: Function, node: Load) -> Value | None:
    """Lanes of such a load; None if it is none."""
    place = f.places[node.buffer]
    if not place.has_slack or len(node.indices) != 1 or f.lanes is None or f.guard is not None:
        return None
    stride, form = split_lane(linear(f, place, node.indices), f.lanes.var)
    lanes, number = f.lanes.count, form.get((), 0)
    if stride is None or not 2 <= stride <= MAX_STRIDE or lanes <= stride or number < 0:
        return None
    if any(c % stride for key, c in form.items() if key):
        return None
    chunk, ahead = divmod(number // stride, lanes)
    first = _phase(f, node, form, stride, chunk, number % stride)
    if not ahead:
        return first
    second = _phase(f, node, form, stride, chunk + 1, number % stride)
    level = max(first.level, second.level)
    order = ", ".join(f"i32 {k + ahead}" for k in range(lanes))
    text = f.at(level, f"shufflevector {first}, {second}, <{lanes} x i32> <{order}>")
    return Value(text, first.dtype, lanes, level)


def _phase(f: Function, node: Load, form: Polynomial, stride: int, chunk: int, phase: int) -> Value:
    """Elements ``phase, phase + stride, ...`` of `stride` vectors."""
    assert f.lanes is not None
    lanes = f.lanes.count
    key = ("phase", node.buffer, *_symbols(form), stride, chunk, phase, lanes)
    found: Value | None = f.memo.get(key)
    if found is not None:
        return found
    parts = [_vector(f, node, form, chunk * stride + k) for k in range(stride)]
    total, level = str(parts[0]), max(p.level for p in parts)
    kind = parts[0].type
    for number, part in enumerate(parts[1:], 1):
        places = [phase + lane * stride for lane in range(lanes)]
        known = number * lanes
        picks = [
            lanes + at - known if known <= at < known + lanes else at if number == 1 and at < known else lane
            for lane, at in enumerate(places)
        ]  # fmt: skip
        order = ", ".join(f"i32 {p}" for p in picks)
        total = f"{kind} {f.at(level, f'shufflevector {total}, {part}, <{lanes} x i32> <{order}>')}"
    found = Value(total.rpartition(" ")[2], parts[0].dtype, lanes, level)
    f.remember(key, found, level, node)
    return found


def _vector(f: Function, node: Load, form: Polynomial, number: int) -> Value:
    """A whole vector of the temporary, so many behind the symbolic part of the subscript."""
    assert f.lanes is not None
    lanes, dtype = f.lanes.count, in_memory(node.dtype)
    key = ("line", node.buffer, *_symbols(form), number, lanes)
    found: Value | None = f.memo.get(key)
    if found is None:
        place = {key: c for key, c in form.items() if key} | ({(): number * lanes} if number else {})
        pointer, level = pointer_of(f, f.places[node.buffer], place, llvm_type(dtype))
        level = max(level, f.barrier_level(node.buffer))
        text = f.at(level, f"load {llvm_type(dtype, lanes)}, ptr {pointer}, align {node.dtype.itemsize_bytes}")
        found = Value(text, dtype, lanes, level)
        f.remember(key, found, level, node)
    return found


def _symbols(form: Polynomial) -> tuple[object, ...]:
    return tuple(sorted(((str(key), c) for key, c in form.items() if key)))
