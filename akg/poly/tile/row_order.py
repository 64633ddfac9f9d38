"""Rows in the order of memory: a parallel loop over neighbouring rows goes inside the sums over what is further away.

    parallel for i: for k: vector for r: s[i] += x[k, i, r]
    parallel for i_t: for k: for i: vector for r: s[i_t + i] += x[k, i_t + i, r]

A thread then reads one long piece of memory for each k, rather than a short row here and there, which processors do not
fetch ahead. Nests that only move data, more than the last cache holds, run in the order in which they read, too: what
they write goes around the caches, in any order of lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from akg.base.target import Target
from akg.poly.access import GATHER, stride
from akg.poly.loops.stream_rows import FAR_SHARE
from akg.poly.price import UNKNOWN_TRIPS
from akg.poly.tile.lanes import LaneModel, is_accumulator, var_of
from akg.poly.tree import Band, Filter, Leaf, Member
from akg.poly.tree import Sequence as Parts

LONG_ROW_BYTES = 8192  # rows from this length on are fetched ahead by themselves
STRIPS_PER_THREAD = 4


def keeps_rows(lanes: LaneModel, point: Member, band: Band) -> bool:
    """Whether a nest of sums reads neighbouring rows along a loop around it, and distant ones along its own."""
    parts = band.child.children if isinstance(band.child, Parts) else ()
    if not (isinstance(band.child, Leaf) or (parts and all(isinstance(f.child, Leaf) for f in parts))):
        return False
    if len(band.members) < 2 or not all(m.reduction for m in band.members) or any(m.directive for m in band.members):
        return False
    found = False
    for name in band.members[0].rows:
        statement = lanes.scop.statements[name]
        variables = [var_of(m, statement) for m in (point, *band.members)]
        if any(v is None for v in variables):
            return False
        outer, *serial, row = [v for v in variables if v is not None]
        trips = lanes.trips_of(statement, row)
        for access in statement.reads:
            if is_accumulator(access, statement) or not stride(access, outer):
                continue
            is_row = stride(access, row) == 1 and stride(access, outer) == trips < UNKNOWN_TRIPS
            if not is_row or trips * access.buffer.dtype.itemsize_bytes >= LONG_ROW_BYTES:
                return False
            if not all(stride(access, v) >= trips * lanes.trips(point) for v in serial):
                return False
            found = True
    return found


def row_strip(lanes: LaneModel, member: Member, children: Sequence[Filter], target: Target) -> int | None:
    """Iterations of a strip of a parallel loop for a thread, where some nest in it keeps rows together."""
    trips = lanes.trips(member)
    if not member.coincident or trips >= UNKNOWN_TRIPS:
        return None
    nests = [f for f in children if isinstance(f.child, Band) and keeps_rows(lanes, _restricted(member, f), f.child)]
    size = trips // (STRIPS_PER_THREAD * max(target.cores, 1))
    return size if nests and size >= 2 else None


def in_reading_order(lanes: LaneModel, members: list[Member], vector: Member, names: Sequence[str]) -> list[Member]:
    """The loops around the lanes of a nest that moves data from memory to memory, as they lie in what is read."""
    statement = lanes.scop.statements[names[0]]
    if len(names) > 1 or len(statement.reads) != 1 or any(not m.coincident or m.directive for m in members):
        return members
    (read,), write, target = statement.reads, statement.write, lanes.target
    sizes = [a.buffer.const_shape for a in (read, write)]
    touched = sum(prod(s) * a.buffer.dtype.itemsize_bytes for s, a in zip(sizes, (read, write), strict=True) if s)
    lane, variables = var_of(vector, statement), [var_of(m, statement) for m in members]
    if None in sizes or touched <= FAR_SHARE * target.l3_bytes or lane is None or None in variables:
        return members
    if stride(read, lane) != 1 or stride(write, lane) != 1:
        return members
    steps = [stride(read, v) for v in variables if v is not None]
    if not all(0 < step < GATHER for step in steps):
        return members
    return [members[k] for k in sorted(range(len(members)), key=lambda k: -steps[k])]


def _restricted(member: Member, part: Filter) -> Member:
    return member.restricted(frozenset(part.statements))
