"""Which loops of a nest may fill vector lanes, and which does at least cost."""

from __future__ import annotations

from akg.poly.access import depends_on, separates, stride
from akg.poly.scop import Statement
from akg.poly.tile.lanes import LaneModel, var_of
from akg.poly.tile.row_lanes import row_lanes
from akg.poly.tree import Member

BLOCK_LEAST = 4  # iterations of both loops that make blocks, which are turned in registers


class LaneChoice:
    """The choice under a strategy's options.

    Args:
        lanes: what lanes along a loop cost.
        is_vectorised: whether there are vector loops at all.
        is_tiled: whether loops may be cut and moved for it.
        is_innermost: whether only the innermost loop is asked.
    """

    def __init__(self, lanes: LaneModel, *, is_vectorised: bool, is_tiled: bool, is_innermost: bool) -> None:
        self.lanes, self.scop = lanes, lanes.scop
        self.is_vectorised, self.is_tiled, self.is_innermost = is_vectorised, is_tiled, is_innermost

    def vector_member(self, members: list[Member], names: list[str]) -> int | None:
        """The member whose lanes cost least over all statements; None if none may be a vector loop."""
        best: tuple[float, int] | None = None
        asked = [k for k, m in enumerate(members) if m.directive == "vectorize"]
        if self.is_innermost:
            asked = [k for k in asked if k == len(members) - 1] or [len(members) - 1]
        others = [k for k, m in enumerate(members) if m.directive != "parallel"]
        for k in reversed(asked or others or range(len(members))):
            cost = 0.0
            for name in names:
                statement = self.scop.statements[name]
                var = var_of(members[k], statement)
                if var is None or not self.may_vectorise(members[k], statement):
                    break
                cost += self.lanes.lane_cost(statement, var)
            else:
                if cost >= self.lanes.scalar_cost(names) and not asked:
                    continue
                if self.lanes.trips(members[k]) > 1 and (best is None or cost < best[0]):
                    best = (cost, k)
        return None if best is None else best[1]

    def may_vectorise(self, member: Member, statement: Statement) -> bool:
        """A parallel loop, or one along which the statement only reduces into one element."""
        if not self.is_vectorised:
            return False
        if member.coincident:
            return True
        if not member.reduction:
            return False
        var = var_of(member, statement)
        if var is None or statement.store.reduction is None or not depends_on(statement.write, var):
            return var is not None
        return separates(statement.write, var, statement.iterators)  # it sums along other loops

    def row_members(self, members: list[Member], names: list[str]) -> tuple[int, list[int]] | None:
        """Where lanes go along rows of a few elements: the member for them and the short ones inside."""
        if not (self.is_vectorised and self.is_tiled) or any(m.directive for m in members):
            return None
        found = row_lanes(self.lanes, members, names)
        if found is None or not all(self.may_vectorise(members[found[0]], self.scop.statements[n]) for n in names):
            return None
        vector, inside = found[0], found[1]
        moves = [members[k] for k in (*inside, vector)]
        others = [m for k, m in enumerate(members) if k not in (*inside, vector)]
        return found if all(m.coincident or m.reduction for m in (*moves, *others)) else None

    def strided_partner(self, members: list[Member], vector: Member, names: list[str]) -> int | None:
        """The other parallel member along which an access that strides over the lanes is contiguous."""
        if not self.is_tiled or not vector.coincident or self.lanes.trips(vector) < BLOCK_LEAST:
            return None
        for name in names:
            statement = self.scop.statements[name]
            lane = var_of(vector, statement)
            for access in statement.accesses:
                if lane is None or abs(stride(access, lane)) <= 2:
                    continue
                for k, member in enumerate(members):
                    var = var_of(member, statement)
                    is_free = member.coincident and not member.directive
                    if var is not None and is_free and abs(stride(access, var)) == 1:
                        return k if self.lanes.trips(member) >= BLOCK_LEAST else None
        return None
