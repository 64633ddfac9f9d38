"""Lanes along a parallel loop around loops of a few iterations, which would fill few lanes themselves.

    parallel for i0: for i1:                           parallel for i0: vector for i1:
        vector for c in [0, 3): y[i0, i1, c] = ...         unroll for c in [0, 3): y[i0, i1, c] = ...

Accesses then stride over rows of a few elements, which the backend moves as they lie in memory, and turns by shuffles.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import prod

from akg.poly.access import depends_on, stride
from akg.poly.tile.lanes import LaneModel, is_accumulator, var_of
from akg.poly.tree import Band, Filter, Leaf, Member, Node
from akg.poly.tree import Sequence as Parts

MOST_ELEMENTS = 8  # of a row, and iterations of a loop that is short
MOST_UNROLLED = 16  # iterations of the short loops of a nest


def row_lanes(lanes: LaneModel, members: Sequence[Member], names: Iterable[str]) -> tuple[int, list[int]] | None:
    """The member of a perfect nest for the lanes, and the short ones that go inside; None where none is short."""
    listed = list(names)
    long = [k for k, m in enumerate(members) if lanes.trips(m) > MOST_ELEMENTS]
    short = [k for k, m in enumerate(members) if 1 < lanes.trips(m) <= MOST_ELEMENTS]
    short = [k for k in short if not long or k > long[-1] or _is_near(lanes, members[k], listed)]
    if not short or not long or prod([lanes.trips(members[k]) for k in short]) > MOST_UNROLLED:
        return None
    count = _lanes(lanes, listed)
    if 2 * max(lanes.trips(members[k]) for k in short) > count:
        return None
    chosen = long[-1]
    if lanes.trips(members[chosen]) < count or not _in_rows(lanes, members[chosen], listed):
        return None
    if not any(_is_innermost(lanes, members[k], listed) for k in short):
        return None  # a longer loop has neighbours in memory
    return chosen, short


def reads_once(lanes: LaneModel, members: Sequence[Member], names: Iterable[str]) -> bool:
    """Whether every access of a nest but those of accumulators moves with each of its loops: nothing is used again."""
    for name in names:
        statement = lanes.scop.statements[name]
        variables = [var_of(m, statement) for m in members if lanes.trips(m) > 1]
        reads = [a for a in statement.reads if not is_accumulator(a, statement)]
        if any(v is None or not depends_on(a, v) for a in reads for v in variables):
            return False
    return True


def rows_below(lanes: LaneModel, member: Member, child: Node) -> Node | None:
    """The nests below a parallel member, written out; None where some loop there is not short."""
    names = list(member.rows)
    count = _lanes(lanes, names)
    if not member.coincident or lanes.trips(member) < count or not _in_rows(lanes, member, names):
        return None
    return _unrolled(lanes, child, count, 1)


def _unrolled(lanes: LaneModel, node: Node, count: int, outside: int) -> Node | None:
    if isinstance(node, Leaf):
        return node
    if isinstance(node, Parts):
        parts: list[Filter] = []
        for part in node.children:
            inner = _unrolled(lanes, part.child, count, outside)
            if inner is None:
                return None
            parts.append(Filter(part.statements, inner))
        return Parts(tuple(parts))
    if not isinstance(node, Band):
        return None
    trips = [lanes.trips(m) for m in node.members]
    if 2 * max(trips) > count or max(trips) > MOST_ELEMENTS or outside * prod(trips) > MOST_UNROLLED:
        return None
    child = _unrolled(lanes, node.child, count, outside * prod(trips))
    members = tuple([replace(m, kind="unroll") for m in node.members])
    return None if child is None else replace(node, members=members, child=child)


def _lanes(lanes: LaneModel, names: Iterable[str]) -> int:
    return min(lanes.lanes_of(lanes.scop.statements[n]) for n in names)


def _in_rows(lanes: LaneModel, member: Member, names: Iterable[str]) -> bool:
    """Whether every access moves by a row of a few elements at most."""
    for name in names:
        statement = lanes.scop.statements[name]
        var = var_of(member, statement)
        if var is None:
            return False
        steps = [stride(a, var) for a in statement.accesses if not is_accumulator(a, statement)]
        if not all(0 <= step <= MOST_ELEMENTS for step in steps):
            return False
    return True


def _is_near(lanes: LaneModel, member: Member, names: Iterable[str]) -> bool:
    """Whether some access moves along a member by a row of a few elements at most: not so the images of a batch."""
    for name in names:
        statement = lanes.scop.statements[name]
        var = var_of(member, statement)
        if var is not None and any(1 <= abs(stride(a, var)) <= MOST_ELEMENTS for a in statement.accesses):
            return True
    return False


def _is_innermost(lanes: LaneModel, member: Member, names: Iterable[str]) -> bool:
    """Whether some access finds neighbours along a member."""
    for name in names:
        statement = lanes.scop.statements[name]
        var = var_of(member, statement)
        if var is not None and any(stride(a, var) == 1 for a in statement.accesses):
            return True
    return False
