"""What threads share: the outermost parallel loop that has enough iterations, or strips of the lanes' loop.

Each thread takes one contiguous piece (`akg.codegen.llvm.parallel`), so that a loop has to have several iterations for
each core, or as many for each. Whether the work pays for waking them is decided where the code is made.
"""

from __future__ import annotations

from dataclasses import replace

from akg.poly.decisions import Decisions
from akg.poly.price import UNKNOWN_TRIPS
from akg.poly.tile.lanes import LaneModel
from akg.poly.tree import Member

STRIP = 4096  # elements of a strip, at least, where the only parallel loop is also the vector loop
NARROW_STRIP = 64
STRIPS_PER_THREAD = 16  # at most: longer strips stream better
BLOCK = 64  # a strip that is turned in registers is a multiple of this
BLOCK_STRIPS = 4  # per thread
LANE_BLOCK = 256  # the same across the rows that are read
WIDE = 4  # times as many rows as they have elements: threads share them whole


class Sharing:
    """Chooses the threads' loops.

    Args:
        lanes: knows how long loops are, and the target.
        decisions: takes what was chosen.
        is_allowed: whether threads are used at all.
    """

    def __init__(self, lanes: LaneModel, decisions: Decisions, *, is_allowed: bool) -> None:
        self.lanes, self.decisions, self.is_allowed = lanes, decisions, is_allowed
        self.cores = max(lanes.target.cores, 1)

    def thread(self, members: list[Member], threaded: bool) -> int | None:
        """Make the outermost parallel member with enough iterations the threads' loop; bring it to the front."""
        if threaded or not self.is_allowed:
            return None
        parallel = [k for k, m in enumerate(members) if m.coincident]
        if not parallel:
            return None
        asked = [k for k in parallel if members[k].directive == "parallel"]
        enough = asked or [k for k in parallel if self.is_enough(members[k])]
        chosen = enough[0] if enough else max(parallel, key=lambda k: self.shares(members[k]))
        if self.lanes.trips(members[chosen]) < 2:
            return None
        others = [members[k] for k in parallel if k != chosen]
        member = replace(members.pop(chosen), kind="parallel")
        members.insert(0, member)
        self.decisions.note(f"threads share {member.text}")
        self.decisions.weigh(f"threads along {member.text}", lambda: self.text(member, others))
        return 0

    def is_enough(self, member: Member) -> bool:
        """Whether every core gets several iterations of a loop."""
        return self.lanes.trips(member) >= 2 * max(self.cores, 2)

    def shares(self, member: Member) -> tuple[float, int]:
        """How evenly the iterations of a loop fall to the cores, at most 1, and their number."""
        trips = self.lanes.trips(member)
        return trips / (-(-trips // self.cores) * self.cores) if trips else 0.0, trips

    def text(self, member: Member, others: list[Member]) -> str:
        """The shares of a loop beside those of other parallel ones."""

        def share(m: Member) -> str:
            evenness, trips = self.shares(m)
            return "unknown iterations" if trips >= UNKNOWN_TRIPS else f"{trips} iterations, {evenness:.0%} even"

        rest = [f"{m.text} has {share(m)}" for m in others]
        return "; ".join([f"{share(member)} on {self.cores} core{'s' if self.cores > 1 else ''}", *rest])

    def strip(self, vector: Member, members: list[Member], least: int, threaded: bool) -> Member | None:
        """The threads' loop over strips of the vector loop, of `least` elements at least, where no other is parallel.

        With loops inside, an element is more work.
        """
        trips = self.lanes.trips(vector)
        if threaded or not vector.coincident or any(m.coincident for m in members) or trips <= least:
            return None
        share = trips // (STRIPS_PER_THREAD * self.cores) if trips < UNKNOWN_TRIPS else 8 * least
        size = max(share // least, 1) * least
        self.decisions.note(f"threads share strips of {size} of {vector.text}")
        return replace(vector, kind="parallel", tile=size)

    def blocks(self, across: Member, vector: Member) -> Member:
        """A loop over strips of one of two loops whose lanes make blocks that are turned in registers."""
        shared, unit = across, BLOCK
        if WIDE * self.lanes.trips(across) <= self.lanes.trips(vector) < UNKNOWN_TRIPS:  # short rows are read whole
            shared, unit = vector, LANE_BLOCK
        trips, size = self.lanes.trips(shared), 4 * unit
        if trips < UNKNOWN_TRIPS:
            size = max(-(-trips // (BLOCK_STRIPS * self.cores * unit)), 1) * unit
        return replace(shared, kind="serial", tile=size)
