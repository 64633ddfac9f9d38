"""What register tiles and packing cost, in cycles of one core: the one model behind every choice of them.

A step of a sum over a tile of `rows` by `vectors` needs rows * vectors multiply-adds, the loads of its operands, and
cannot finish faster than the latency of the chain through one accumulator; the ports of the target's core
(`akg.base.core`) say how many of each fit in a cycle. What one of these resources takes hides behind the others, but
not all of it.

The operand along the lanes is read once for every tile of rows, where it lies or from a copy in panels (Goto and
van de Geijn 2008). In place, each step is a row of the operand: short pieces, another page each, and where rows are a
multiple of a page apart, few sets of the second-level cache. A copy is read in one run, and has to be made once.
Constants without a source were measured on a Zen 4 core, over products of 31 to 2048 rows in tiles of 2 to 28 rows,
with copies and without; they are ratios, so that they carry over to other cores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, prod

from akg.base.core import Core
from akg.base.target import Target

UNKNOWN_TRIPS = 1 << 30  # a symbolic extent counts as long
LINE_BYTES = 64
WAY_BYTES = 4096  # of the first-level cache: a page, where its sets are found before the address is translated
WAYS = 8

OVERLAP = 0.05  # of the time of loads that multiply-adds do not hide
HIDING = 6  # of two resources that overlap, the time is (a ** HIDING + b ** HIDING) ** (1 / HIDING)
UNALIGNED = 2.0  # what a vector that may straddle cache lines costs of an aligned one
CROWDED_LOADS = 0.5  # for a row whose set is full, in loads: what streams by takes its place; from half full on
EVICTED_LOADS = 5.0  # for a row that is gone at the next step
PARTIAL = 0.02  # of the time, for each loop with a remainder: it is a second copy of the code, to compile and to fetch

SCATTERED = 1.3  # what short pieces of rows take of the time of one run as long
CROWDED = 1.5  # the same where rows are a multiple of a page apart
STALL = 0.06  # of the time of short pieces that nothing hides
COPY = 2.0  # what copying a vector takes of reading it in place: it is read, and written
NEAR_SHARE = 4  # an operand that takes less than this part of the second-level cache is as near as a panel
LAST_SHARE = 4  # and one that takes less than this part of the last one comes from there


def rows_in_cache(stride_bytes: int) -> int:
    """How many rows `stride_bytes` apart have a line of each in the first-level cache."""
    return WAYS * WAY_BYTES // gcd(WAY_BYTES, max(stride_bytes, LINE_BYTES))


def crowding(core: Core, rows: int, capacity: int) -> float:
    """Cycles that a step loses where `rows` lines fall into sets that hold `capacity` of them."""
    if rows > capacity:
        return rows * EVICTED_LOADS / core.loads
    return rows * CROWDED_LOADS / core.loads * max(2 * rows / capacity - 1, 0.0)


def step_cycles(core: Core, multiply_adds: float, loads: float) -> float:
    """Cycles of one step of a sum: `multiply_adds` independent vectors, and `loads` in units of an aligned one."""
    loading = loads / core.loads
    return together(multiply_adds / core.multiply_adds, together(loading, core.latency)) + OVERLAP * loading


def together(a: float, b: float) -> float:
    """Cycles of two things that overlap: hardly more than the longer one, unless they take alike."""
    low, high = min(a, b), max(a, b)
    return high * (1.0 + (low / high) ** HIDING) ** (1 / HIDING) if low > 0 else high


@dataclass(frozen=True, slots=True)
class Feed:
    """How an operand comes to tiles that use it again and again, in cycles for each vector of it.

    Attributes:
        place: to bring a vector from where the operand lies; `stall` of that show whatever runs meanwhile.
        panel: to bring it from a panel.
        copy: to make a panel; infinite where there are none.
    """

    place: float = 0.0
    panel: float = 0.0
    copy: float = float("inf")
    stall: float = 0.0

    @property
    def is_far(self) -> bool:
        """Whether it takes longer in place than from a panel."""
        return self.place > self.panel

    def waits(self, core: Core, rows: int) -> tuple[float, float]:
        """Cycles that multiply-adds of `rows` rows wait for each vector, in place and in panels."""
        return wait(core, rows, self.place) + self.stall, wait(core, rows, self.panel)


NEAR = Feed()  # in the first-level cache, or not known


def feed_of(target: Target, shape: Sequence[int] | None, steps: int, itemsize: int, dimension: int) -> Feed:
    """The feed of an operand whose rows are the steps of a sum.

    Args:
        target: the machine.
        shape: of the operand; None if symbolic.
        steps: of the sum.
        itemsize: bytes of an element.
        dimension: along which the sum runs.
    """
    core, vector_bytes = target.core, target.vector_bits // 8
    panel = vector_bytes / core.l2_cycle_bytes
    if shape is None:  # from the last cache, as far as is known
        place = SCATTERED * vector_bytes / core.l3_cycle_bytes
        return Feed(place, panel, COPY * place, STALL * place)
    if steps >= UNKNOWN_TRIPS:
        return NEAR
    row_bytes = prod(shape[dimension + 1 :]) * itemsize
    if steps * row_bytes * NEAR_SHARE <= target.l2_bytes:
        return Feed(panel, panel)
    size = prod(shape) * itemsize
    rate = core.l2_cycle_bytes if size <= target.l2_bytes else core.memory_cycle_bytes
    if target.l2_bytes < size < target.l3_bytes / LAST_SHARE:
        rate = core.l3_cycle_bytes
    pieces = SCATTERED if row_bytes % WAY_BYTES else SCATTERED * CROWDED
    place = pieces * vector_bytes / rate
    return Feed(place, panel, COPY * place, STALL * place)


@dataclass(frozen=True, slots=True)
class Packing:
    """Cycles that multiply-adds wait for one vector of an operand, over all its uses, in place and with the copy."""

    in_place: float
    packed: float

    @property
    def pays(self) -> bool:
        """Whether the copy is the faster way."""
        return self.packed < self.in_place


def packing(core: Core, feed: Feed, tiles: int, rows: int) -> Packing:
    """The waits for a vector of an operand that `tiles` tiles of `rows` rows use."""
    place, panel = feed.waits(core, rows)
    return Packing(tiles * place, tiles * panel + feed.copy)


def wait(core: Core, rows: int, fetch: float) -> float:
    """Cycles that the multiply-adds of `rows` rows wait for a vector that takes `fetch` cycles to come."""
    work = rows / core.multiply_adds
    return together(work, fetch) - work


def parts(trips: int, size: int) -> list[tuple[int, int]]:
    """Extents of tiles of a loop, and how many there are of each."""
    both = ((size, trips // size), (trips % size, 1))
    return [(extent, count) for extent, count in both if extent and count]
