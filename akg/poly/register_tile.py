"""The size of register tiles: a small model of a core that issues fused multiply-adds.

One step of the reduction over a tile of `rows` by `columns` vectors needs rows * columns multiply-adds and the loads
of its operands, and cannot finish faster than the latency of the chain through one accumulator. Tiles must fit the
register file: accumulators, one row of operands and a broadcast. Rows that lie a multiple of a page apart fall into the
same sets of the first-level cache: more of them than it has ways evict one another at every step.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

MULTIPLY_ADDS_PER_CYCLE = 2.0  # vector pipes of a big core
LOADS_PER_CYCLE = 2.0
LATENCY_CYCLES = 4.0
BROADCAST = 0.7  # what the load of a scalar into all lanes costs of a vector load
UNKNOWN_TRIPS = 1 << 30  # a symbolic extent counts as long
_LONG = 5040  # what a long extent counts as: divisible by every small size
MAX_ROWS = 8
MAX_VECTORS = 6
WAY_BYTES = 4096  # of the first-level cache: a page, where its sets are found before the address is translated
WAYS = 8
LINE_BYTES = 64
CROWDED_CYCLES = 0.25  # for a row whose set is full: what streams by takes its place now and then
EVICTED_CYCLES = 2.5  # for a row that is gone at the next step


def rows_in_cache(stride_bytes: int) -> int:
    """How many rows `stride_bytes` apart have a line of each in the first-level cache."""
    return WAYS * WAY_BYTES // gcd(WAY_BYTES, max(stride_bytes, LINE_BYTES))


def crowding(rows: int, capacity: int) -> float:
    """Cycles that a step loses where `rows` lines fall into sets that hold `capacity` of them."""
    if 4 * rows <= 3 * capacity:
        return 0.0
    return rows * (CROWDED_CYCLES if rows <= capacity else EVICTED_CYCLES)


@lru_cache(maxsize=4096)
def outer_product_tile(
    row_trips: int, lane_trips: int, lanes: int, registers: int, fixed_rows: int = 0, capacity: int = UNKNOWN_TRIPS
) -> tuple[int, int]:
    """Rows and lanes of a tile whose lanes run along a parallel loop.

    Args:
        row_trips: iterations of the loop that is unrolled; 1 if there is none.
        lane_trips: iterations of the loop that fills lanes.
        lanes: elements of a vector.
        registers: vector registers of the target.
        fixed_rows: rows that an outer tile has chosen; 0 if free.
        capacity: rows of which the first-level cache holds a line each.

    Returns:
        (rows, lanes) with the least modelled time over the whole iteration space; ties go to tiles that leave no
        remainder, then to those that load least.
    """
    best: tuple[float, int, float, int, int] | None = None
    rows_options = [fixed_rows] if fixed_rows else range(1, min(row_trips, MAX_ROWS) + 1)
    for rows in rows_options:
        for vectors in range(1, max((registers - 2) // (rows + 1), 1) + 1):
            if (vectors - 1) * lanes >= lane_trips or vectors > MAX_VECTORS:
                break
            time = _space_time(rows, vectors, row_trips, lane_trips, lanes, capacity=capacity)
            partial = _partial(row_trips, rows) + _partial(lane_trips, vectors * lanes)
            loads = (vectors + rows * BROADCAST) / (rows * vectors)
            key = (time, partial, loads, rows, vectors)
            if best is None or key < best:
                best = key
    assert best is not None
    return best[3], min(best[4] * lanes, lane_trips)


@lru_cache(maxsize=4096)
def inner_product_tile(
    row_trips: int, column_trips: int, registers: int, fixed_rows: int = 0, operands: int = 1
) -> tuple[int, int]:
    """Rows and columns of a tile whose lanes run along the reduction: one accumulator vector for each element.

    `operands` is the number of vectors that each row takes, one for each product in the sum.
    """
    best: tuple[float, int, float, int, int] | None = None
    rows_options = [fixed_rows] if fixed_rows else range(1, min(row_trips, MAX_ROWS) + 1)
    for rows in rows_options:
        for columns in range(1, min(column_trips, MAX_ROWS) + 1):
            if columns > 1 and rows * columns + operands * min(rows, columns) + 1 > registers:
                break
            time = _space_time(rows, columns, row_trips, column_trips, 1, row_load=1.0)
            partial = _partial(row_trips, rows) + _partial(column_trips, columns)
            key = (time, partial, (rows + columns) / (rows * columns), rows, columns)
            if best is None or key < best:
                best = key
    assert best is not None
    return best[3], best[4]


def _partial(trips: int, size: int) -> int:
    """1 if tiles leave a remainder, which costs a second copy of the code; an unknown extent leaves one always."""
    return int(trips >= UNKNOWN_TRIPS or (trips > size and trips % size != 0))


def _space_time(
    rows: int, vectors: int, row_trips: int, lane_trips: int, lanes: int, row_load: float = BROADCAST,
    capacity: int = UNKNOWN_TRIPS,
) -> float:  # fmt: skip
    """Modelled cycles of one reduction step over the whole space, in tiles and their remainders."""
    row_trips = _LONG if row_trips >= UNKNOWN_TRIPS else row_trips
    lane_trips = _LONG * lanes if lane_trips >= UNKNOWN_TRIPS else lane_trips
    row_parts = [(rows, row_trips // rows), (row_trips % rows, 1)]
    width = min(vectors * lanes, lane_trips)
    lane_parts = [(-(-width // lanes), lane_trips // width), (-(-(lane_trips % width) // lanes), 1)]
    return sum(
        rn * vn * (_step_time(r, v, row_load) + crowding(r, capacity))
        for r, rn in row_parts for v, vn in lane_parts if r and v and rn and vn
    )  # fmt: skip


def _step_time(rows: int, vectors: int, row_load: float) -> float:
    """Cycles of one step; loading a row's operand costs `row_load` of a vector load (a broadcast is cheaper)."""
    return max(
        rows * vectors / MULTIPLY_ADDS_PER_CYCLE, (vectors + rows * row_load) / LOADS_PER_CYCLE, LATENCY_CYCLES
    )  # fmt: skip
