"""What a loop costs as the vector loop, and how long loops are."""

from __future__ import annotations

from akg.base.target import Target
from akg.ir.expr import Const, Var
from akg.poly.access import GATHER, depends_on, stride
from akg.poly.fuse import single_iterator
from akg.poly.price import UNKNOWN_TRIPS
from akg.poly.scop import Access, Scop, Statement
from akg.poly.tree import Member


class LaneModel:
    """Costs of vector loops over the statements of a scop, on a target."""

    def __init__(self, scop: Scop, target: Target) -> None:
        self.scop, self.target = scop, target
        self.limits: dict[Var, int] = {}  # iterations of loops inside a tile
        self.free = {p.value for p in scop.kernel.params if p.constant == "free"}  # they lie as the lanes want them

    def lanes_of(self, statement: Statement) -> int:
        """Elements of a vector in the type that the statement computes in."""
        return self.target.lanes(8 * statement.store.buffer.dtype.compute.itemsize_bytes)

    def lane_cost(self, statement: Statement, var: Var) -> float:
        """Instructions for one vector of iterations of `var`, in units of a contiguous access."""
        lanes = self.lanes_of(statement)
        reduction = [v for v in statement.iterators if not depends_on(statement.write, v)]
        cost = 0.0
        for access in statement.reads:
            if is_accumulator(access, statement):
                continue
            is_free = access.buffer in self.free and depends_on(access, var)
            cost += 1.0 if is_free else _stride_cost(stride(access, var), lanes)
        if var in reduction:
            cost += 0.5
        else:
            cost += _stride_cost(stride(statement.write, var), lanes) * (0.1 if reduction else 1.5)
        trips = self.trips_of(statement, var)
        return cost * (-(-trips // lanes) * lanes / trips if trips < UNKNOWN_TRIPS else 1.0)

    def is_free_along(self, statement: Statement, var: Var) -> bool:
        """Whether an operand that moves with `var` is laid out ahead of time, as its lanes want it."""
        return any(a.buffer in self.free and depends_on(a, var) for a in statement.reads)

    def scalar_cost(self, names: list[str]) -> float:
        """Instructions for as many iterations as a vector holds, one at a time."""
        total = 0.0
        for name in names:
            statement = self.scop.statements[name]
            total += self.lanes_of(statement) * len(statement.accesses)
        return total

    def trips(self, member: Member) -> int:
        """Iterations of a member's loop; `UNKNOWN_TRIPS` if symbolic."""
        name = next(iter(member.rows))
        statement = self.scop.statements[name]
        var = var_of(member, statement)
        trips = UNKNOWN_TRIPS if var is None else self.trips_of(statement, var)
        return -(-trips // member.tile) if member.tile and trips < UNKNOWN_TRIPS else trips

    def trips_of(self, statement: Statement, var: Var) -> int:
        """Iterations of one of a statement's loops; `UNKNOWN_TRIPS` if symbolic."""
        loop = next((f for f in statement.loops if f.var is var), None)
        limit = self.limits.get(var, UNKNOWN_TRIPS)
        if loop is None or not isinstance(loop.begin, Const) or not isinstance(loop.end, Const):
            return limit
        return min(max(int(loop.end) - int(loop.begin), 1), limit)


    def is_fixed(self, statement: Statement, var: Var) -> bool:
        """Whether the bounds of one of a statement's loops are constants."""
        loop = next((f for f in statement.loops if f.var is var), None)
        return loop is not None and isinstance(loop.begin, Const) and isinstance(loop.end, Const)


def var_of(member: Member, statement: Statement) -> Var | None:
    """The iterator of a statement that a member runs over; None if its row is not one iterator."""
    row = member.rows.get(statement.name)
    return None if row is None else single_iterator(row)


def is_accumulator(access: Access, statement: Statement) -> bool:
    """Whether a read is the old element of a reduction's update."""
    write = statement.write
    same = access.buffer is write.buffer and all(a is b for a, b in zip(access.indices, write.indices, strict=True))
    return same and statement.store.reduction is not None


def _stride_cost(step: int, lanes: int) -> float:
    if step == 0:
        return 0.1
    if step in (1, -1):
        return 1.0
    if step != GATHER and abs(step) == 2:
        return 2.5
    return float(lanes)
