"""The order of the loops over register tiles, and where their points go.

Before:  band: i, j { init; k { update } }
After:   band: panels of j, tiles of i { points { init }; k { points { update } } }
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import prod

from akg.base.dot import dot_of
from akg.poly.access import depends_on, stride
from akg.poly.loops.pack import LEAST_DOT_ROWS, LEAST_TURNED_ROWS
from akg.poly.loops.turn_rows import turns
from akg.poly.price import UNKNOWN_TRIPS
from akg.poly.scop import Access, Statement
from akg.poly.tile.lanes import LaneModel, is_accumulator, var_of
from akg.poly.tile.reuse import Choice
from akg.poly.tree import LEAF, Band, Filter, Leaf, Mark, Member, Node, Sequence

Members = tuple[Member, ...]

IMBALANCE = 0.06  # of the threads' work that reading every panel once more is worth
ROW_GROUP = 8  # tiles of rows that share what streams by


class TileOrder:
    """Orders loops over tiles, so that what a tile reads is still in cache when the next one needs it."""

    def __init__(self, lanes: LaneModel) -> None:
        self.lanes = lanes

    def panel_order(self, own: list[Member], statement: Statement, choice: Choice, given: int) -> list[Member]:
        """Loops over tiles: untiled first, then panels of lanes, then rows, so that a panel is re-used from cache.

        Where lanes run along the sum, columns are the panels, and the rows come in blocks that stay in cache.
        """
        inner = [m for m in own if m.tile and var_of(m, statement) is not choice.vector]
        if choice.vector not in choice.tiles and len(inner) == 2:
            row, column = inner if given else (inner[0], inner[1])
            rest = [m for m in own if m not in inner]
            block = [] if given else [replace(row, tile=row.tile * self.row_group(row))]
            return [*rest, *block, column, replace(row, kind="serial")]

        def rank(m: Member) -> int:
            if not m.tile:
                return 2 if choice.packs else 0
            return 1 if var_of(m, statement) is choice.vector else 3

        is_block = not given and not choice.packs and len(inner) == 1 and inner[0].coincident
        if is_block and self.is_contiguous_in_rows(inner[0], statement):
            rest = [m for m in own if m is not inner[0]]
            row = replace(inner[0], tile=inner[0].tile * self.row_group(inner[0]))
            point = replace(inner[0], kind="serial")
            return [*[m for m in rest if not m.tile], row, *[m for m in rest if m.tile], point]
        return sorted(own, key=rank)

    def shared_rows(
        self, own: list[Member], statement: Statement, choice: Choice, note: Callable[[str], None]
    ) -> list[Member]:
        """Loops over tiles with rows shared among threads, in blocks, where panels are too few or unequal for that.

        Each thread then reads every panel, but panels stay what rows use again and again.
        """
        cores = max(self.lanes.target.cores, 1)
        panels = [m for m in own if m.tile and var_of(m, statement) is choice.vector]
        rows = [m for m in own if m.tile and m not in panels]
        if cores < 2 or len(panels) != 1 or len(rows) != 1 or not rows[0].coincident:
            return own
        if any(m.directive for m in own) or any(self.lanes.trips(m) >= 2 * cores for m in own if not m.tile):
            return own
        (panel,), (row,) = panels, rows
        count, tiles = self.lanes.trips(panel), self.lanes.trips(row)
        if tiles >= UNKNOWN_TRIPS or count >= UNKNOWN_TRIPS or tiles < cores * self.least_rows(statement):
            return own
        width = self.lanes.trips(replace(panel, tile=0))
        most = min(-(-count // cores) * panel.tile, width)  # lanes of the thread that has the most
        share = -(-tiles // cores)
        if width / (most * cores) >= min(tiles / (share * cores), 1.0) - IMBALANCE:
            return own
        block = share * row.tile
        note(f"threads share blocks of {block} of {var_of(row, statement)}: {count} panels are unequal shares")
        return [replace(row, tile=block, kind="parallel"), *own]

    def least_rows(self, statement: Statement) -> int:
        """Tiles of rows that pay for the copy of a panel."""
        factors = [a.buffer.dtype for a in statement.reads if not is_accumulator(a, statement)]
        target = self.lanes.target
        has_dot = any(dot_of(target, dtype, target.lanes(32)) is not None for dtype in factors)
        return LEAST_DOT_ROWS if has_dot else LEAST_TURNED_ROWS

    def is_contiguous_in_rows(self, row: Member, statement: Statement) -> bool:
        """Whether an operand lies along the rows of a tile: a tile uses parts of its cache lines, a block all."""
        var = var_of(row, statement)
        reads = [a for a in statement.reads if not is_accumulator(a, statement)]
        along = [a for a in reads if var is not None and abs(stride(a, var)) == 1]
        return bool(along) and not all(turns(a.buffer, self.uses(a, statement)) for a in along)

    def uses(self, access: Access, statement: Statement) -> int:
        """Iterations that read each element."""
        trips = [self.lanes.trips_of(statement, v) for v in statement.iterators if not depends_on(access, v)]
        return min(prod(trips), UNKNOWN_TRIPS)

    def row_group(self, member: Member) -> int:
        """How many tiles of rows make a block: enough to re-use what streams by, few enough to share among threads."""
        trips = self.lanes.trips(replace(member, tile=0))
        return max(min(ROW_GROUP, trips // max(member.tile * 4 * self.lanes.target.cores, 1)), 1)


def sink(node: Node, points: tuple[Member, ...], choice: Choice) -> Node:
    """Move points inside every child, below its own bands, lanes innermost; lanes of a reduction stay outside."""
    if isinstance(node, Leaf):
        return Band(points, True, LEAF) if points else node
    if isinstance(node, Sequence):
        parts: list[Filter] = []
        for f in node.children:
            keep = frozenset(f.statements)
            own = tuple([p.restricted(keep) for p in points])
            parts.append(Filter(f.statements, sink(f.child, own, choice)))
        return Sequence(tuple(parts))
    if isinstance(node, (Filter, Mark)):
        return replace(node, child=sink(node.child, points, choice))
    members: list[Member] = []
    unrolled: list[Member] = []
    for member in node.members:
        var = var_of(member, choice.statement) if choice.statement.name in member.rows else None
        if var is not None and var is choice.vector:
            member = replace(member, kind="vector")
        elif var is not None and var in choice.tiles and member.reduction:
            unrolled.append(replace(member, kind="unroll"))
            member = replace(member, tile=choice.tiles[var])
        members.append(member)
    members.sort(key=lambda m: m.kind == "vector")
    return Band(tuple(members), node.permutable, sink(node.child, (*points, *unrolled), choice))


def sink_blocked(
    node: Node, rows: tuple[Member, ...], points: tuple[Member, ...], choice: Choice, block: int
) -> Node:
    """Like `sink`, with the loops over row tiles inside too: they re-use a panel within a block of the reduction.

    Before: rows { init; k { points } }
    After: rows { init }; block of k { rows { k { points } } }
    """

    def inside(part: Node, own: Members, here: Members) -> Node:
        if not isinstance(part, Band):  # it only sets sums: nothing is gained by writing rows out
            return Band(own, True, sink(part, tuple([_rolled(m) for m in here]), choice))
        blocks = tuple([replace(m, tile=block) for m in part.members])
        return Band((*blocks, *own), True, sink(part, here, choice))

    return _in_parts(node, rows, points, inside)


def _rolled(member: Member) -> Member:
    return replace(member, kind="serial") if member.kind == "unroll" else member


def sink_within(
    node: Node, tiles: tuple[Member, ...], points: tuple[Member, ...], choice: Choice, count: int
) -> Node:
    """Like `sink`, with the loops over tiles inside the first `count` loops of the sum: all tiles read what one reads.

    Before: tiles { init; n, y, x { points } }
    After: tiles { init }; n, y { tiles { x { points } } }
    """

    def inside(part: Node, own: Members, here: Members) -> Node:
        if not isinstance(part, Band):
            return Band(own, True, sink(part, here, choice))
        rest = Band(part.members[count:], part.permutable, part.child)
        return Band((*part.members[:count], *own), True, sink(rest, here, choice))

    return _in_parts(node, tiles, points, inside)


def _in_parts(
    node: Node, loops: Members, points: Members, inside: Callable[[Node, Members, Members], Node]
) -> Node:  # fmt: skip
    """`inside` of each part of a sequence, with the loops and points of its statements."""
    if not isinstance(node, Sequence):
        return inside(node, loops, points)
    parts: list[Filter] = []
    for f in node.children:
        keep = frozenset(f.statements)
        own, here = (tuple([m.restricted(keep) for m in members]) for members in (loops, points))
        parts.append(Filter(f.statements, _in_parts(f.child, own, here, inside)))
    return Sequence(tuple(parts))


def distributed(band: Band, groups: Iterable[tuple[Filter, ...]]) -> Sequence:
    """Parallel loops around each group of children of their own, one band with a lone child's where that is one."""
    parts: list[Filter] = []
    for group in groups:
        names = tuple([n for part in group for n in part.statements])
        own = tuple([m.restricted(frozenset(names)) for m in band.members])
        inner = group[0].child if len(group) == 1 else Sequence(group)
        if isinstance(inner, Band):
            parts.append(Filter(names, Band((*own, *inner.members), True, inner.child)))
        else:
            parts.append(Filter(names, Band(own, True, inner)))
    return Sequence(tuple(parts))
