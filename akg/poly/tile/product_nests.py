"""Products that share loops with other nests: which get a nest of their own.

Fusion puts what is connected under shared loops, so that temporaries stay in cache. A product there sees few of its
loops: it has no panels, and as few rows as are shared. Apart, at the peak, it gains more than temporaries lose on their
way through memory (relu(Q K^T) V of 4096 rows: 1.6 times as fast with heads of 64, 4 times with 16):

    Before:  i { norm of row i; j { k { S } }; j { k { T } } }
    After:   i { norm of row i }; i, j { k { S } }; i, j { k { T } }

All loops that are cut carry no dependence, so that the order of what they share is all that counts, and stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import prod

from akg.ir.buffer import Buffer
from akg.poly.access import depends_on
from akg.poly.price import NEAR_SHARE, UNKNOWN_TRIPS
from akg.poly.register_tile import MAX_ROWS
from akg.poly.tile.lanes import LaneModel, var_of
from akg.poly.tile.reuse import Choice, is_box
from akg.poly.tile.tile_order import distributed
from akg.poly.tree import Band, Filter, Leaf, Member, Node, Sequence

LEAST_SHARED_ROWS = 16  # fewer are one tile of their own
MOST_BYTES = 1 << 28  # of a temporary that need not be kept small

Groups = list[tuple[Filter, ...]]


class ProductNests:
    """Cuts loops that products share with others."""

    def __init__(
        self, lanes: LaneModel, choose: Callable[[tuple[Member, ...], Node, int], Choice | None], *, is_tiled: bool
    ) -> None:
        """`choose` finds the register tile of a nest whose first members, so many, are points of an outer tile."""
        self.lanes, self.choose, self.is_tiled = lanes, choose, is_tiled

    def cut(self, band: Band, note: Callable[[str], None]) -> Band | Sequence:
        """A band around nests as several, or as one, where only nests inside are cut or nothing is."""
        band = self.inside(band)
        children = band.child.children if isinstance(band.child, Sequence) else ()
        names = ", ".join(band.members[0].rows)
        if len(children) < 2 or not _is_free(band.members):
            return band
        if not all(self.fits_memory(band.members, part) for part in children):
            return band
        if self.has_packed_tile(band.members, children):
            note(f"{names}: apart, since a product packs an operand for its lanes")
            return distributed(band, [(f,) for f in children])
        groups = self.groups_of_products(band.members, children)
        if len(groups) > 1:
            note(f"{names}: {len(groups)} products apart: each has a register tile")
            return distributed(band, groups)
        groups = self.groups_of_rows(band.members[-1], children)
        if len(groups) > 1:
            note(f"{names}: products apart from what shares the loops over their rows")
            return distributed(band, groups)
        return band

    def inside(self, band: Band) -> Band:
        """A band around nests, with a nest for each of several products whose tiles take rows of its last loop."""
        if not isinstance(band.child, Sequence):
            return band
        parts: list[Filter] = []
        for part in band.child.children:
            nest = part.child
            groups: Groups = []
            if isinstance(nest, Band) and isinstance(nest.child, Sequence):
                row = band.members[-1].restricted(frozenset(part.statements))
                groups = self.groups_of_products((row, *nest.members), nest.child.children)
            parts += distributed(nest, groups).children if isinstance(nest, Band) and len(groups) > 1 else (part,)
        return band if len(parts) == len(band.child.children) else replace(band, child=Sequence(tuple(parts)))

    def has_packed_tile(self, members: tuple[Member, ...], children: tuple[Filter, ...]) -> bool:
        """Whether a product among the children of parallel loops tiles one of them and packs an operand for lanes."""
        for part in children:
            if isinstance(part.child, Band):
                keep = frozenset(part.statements)
                own = tuple([m.restricted(keep) for m in members])
                choice = self.choose((*own, *part.child.members), part.child.child, 0)
                if choice is not None and choice.packs:
                    return any(var_of(m, choice.statement) in choice.tiles for m in own)
        return False

    def groups_of_products(self, members: tuple[Member, ...], children: tuple[Filter, ...]) -> Groups:
        """The children of parallel loops, in groups of one product at most whose register tile takes these loops.

        What sets the accumulators of a product belongs to it, what follows to the one before.
        """
        if not _is_free(members):
            return [children]
        begins: list[int] = []
        for at, part in enumerate(children):
            written = self.accumulators(members, part)
            while written and at and isinstance(children[at - 1].child, Leaf):
                before = children[at - 1].statements
                if not all(self.lanes.scop.statements[n].write.buffer in written for n in before):
                    break
                at -= 1
            if written:
                begins.append(at)
        bounds = [0, *begins[1:], len(children)]
        return [children[a:b] for a, b in pairwise(bounds)]

    def accumulators(self, members: tuple[Member, ...], part: Filter) -> set[Buffer]:
        """What a product in parallel loops adds up, where all loops inside are those of its sum; empty for others."""
        if not isinstance(part.child, Band):
            return set()
        own = tuple([m.restricted(frozenset(part.statements)) for m in members])
        choice = self.choose((*own, *part.child.members), part.child.child, 0)
        if choice is None or choice.streams:
            return set()
        write = choice.statement.write
        inside = [v for m in part.child.members if (v := var_of(m, choice.statement)) is not None]
        return set() if any(depends_on(write, v) for v in inside) else {write.buffer}

    def groups_of_rows(self, last: Member, children: tuple[Filter, ...]) -> Groups:
        """The children of parallel loops, with products apart that use operands again along the last of these."""
        last = replace(last, kind="unroll")
        if not self.is_tiled or self.lanes.trips(last) < 2:
            return [children]
        groups: Groups = [()]
        for part in children:
            if isinstance(part.child, Band) and self.wants_rows(part, (last,)) and self.gains(part, last):
                groups += [(part,), ()]
            else:
                groups[-1] += (part,)
        return [g for g in groups if g]

    def gains(self, part: Filter, row: Member) -> bool:
        """Whether a product that shares rows would have larger tiles apart, lanes of another loop, or panels.

        Else its tiles are the same, and temporaries may as well stay in cache.
        """
        assert isinstance(part.child, Band)
        points = row.restricted(frozenset(part.statements))
        choice = self.choose((points, *part.child.members), part.child.child, 1)
        if choice is None or choice.vector is None or self.lanes.trips(row) < LEAST_SHARED_ROWS:
            return True
        statement = choice.statement
        if not depends_on(statement.write, choice.vector):
            return True  # with all rows, an operand that lies along the sum is turned
        var, trips = var_of(row, statement), {v: self.lanes.trips_of(statement, v) for v in statement.iterators}
        operands = [a for a in statement.reads if var is None or not depends_on(a, var)]
        sizes = [(prod([n for v, n in trips.items() if depends_on(a, v)]), a.buffer.dtype) for a in operands]
        most = self.lanes.target.l2_bytes // NEAR_SHARE
        return any(count * dtype.itemsize_bytes > most for count, dtype in sizes)

    def fits_memory(self, members: tuple[Member, ...], part: Filter) -> bool:
        """Whether the temporaries that a nest reads and writes, outside of the loops around it, are no burden."""
        inner = part.child.members if isinstance(part.child, Band) else ()
        for statement in map(self.lanes.scop.statements.__getitem__, part.statements):
            here = [v for m in (*members, *inner) if (v := var_of(m, statement)) is not None]
            for access in statement.accesses:
                if access.buffer in self.lanes.scop.temporaries:
                    sizes = [self.lanes.trips_of(statement, v) for v in here if depends_on(access, v)]
                    known = [n for n in sizes if n < UNKNOWN_TRIPS]
                    if len(sizes) > len(known) + 1 or prod(known) * access.buffer.dtype.itemsize_bytes > MOST_BYTES:
                        return False
        return True

    def tiles_with(self, part: Filter, points: tuple[Member, ...]) -> bool:
        """Whether a nest re-uses operands along one of the points."""
        keep = frozenset(part.statements)
        assert isinstance(part.child, Band)
        inner = tuple([p.restricted(keep) for p in points])
        choice = self.choose((*inner, *part.child.members), part.child.child, len(points))
        return choice is not None and any(var_of(p, choice.statement) in choice.tiles for p in points)

    def wants_rows(self, part: Filter, points: tuple[Member, ...]) -> bool:
        """Whether a nest re-uses operands along one of the points, and has no rows of its own for as large a tile."""
        if not self.tiles_with(part, points):
            return False
        assert isinstance(part.child, Band)
        own = self.choose(part.child.members, part.child.child, 0)
        rows = () if own is None else [v for v in own.tiles if v is not own.vector]
        if own is None or own.streams or len(own.tiles) < 2:  # it uses nothing again, or along one loop only
            return True
        return all(self.lanes.trips_of(own.statement, v) < MAX_ROWS for v in rows)


def _is_free(members: tuple[Member, ...]) -> bool:
    """Whether loops carry no dependence, have no directive, and make a box."""
    return all(m.coincident and not m.directive for m in members) and is_box(members)
