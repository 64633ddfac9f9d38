"""The size of register tiles, by the model of `akg.poly.price`.

Tiles must fit the register file: accumulators, one row of operands and a broadcast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from akg.base.core import Core
from akg.poly.price import NEAR, PARTIAL, UNKNOWN_TRIPS, Feed, crowding, parts, step_cycles

_LONG = 5040  # what a long extent counts as: divisible by every small size
MAX_ROWS = 8
MAX_VECTORS = 6


@dataclass(frozen=True, slots=True)
class RegisterTile:
    """A tile and its price.

    Attributes:
        rows: iterations of the loop that is unrolled.
        columns: lanes, or columns of a tile whose lanes run along the sum.
        cycles: of one step of the sum over the whole space, copies of operands among them.
        packs: whether the operand along the lanes is copied to panels.
        vectors: of the tile.
        key: by which tiles are chosen: the time, then the remainders, then what is loaded.
    """

    rows: int
    columns: int
    cycles: float
    packs: bool
    vectors: int
    key: tuple[float, int, float]

    def __str__(self) -> str:
        return f"{self.rows} x {self.columns}"


@dataclass(frozen=True, slots=True)
class Space:
    """What is cut into tiles.

    Attributes:
        rows: iterations of the loop that is unrolled; 1 if there is none.
        lanes: iterations of the loop that fills lanes.
        width: elements of a vector.
        fixed_rows: rows that an outer tile has chosen; 0 if free.
        capacity: rows of which the first-level cache holds a line each.
        feed: how the operand along the lanes comes.
    """

    rows: int
    lanes: int
    width: int
    fixed_rows: int = 0
    capacity: int = UNKNOWN_TRIPS
    feed: Feed = NEAR


@lru_cache(maxsize=4096)
def outer_product_tile(space: Space, registers: int, core: Core) -> RegisterTile:
    """The best tile whose lanes run along a parallel loop.

    Args:
        space: the loops.
        registers: vector registers of the target.
        core: of the target.
    """
    return min(outer_product_tiles(space, registers, core), key=lambda t: (*t.key, t.rows, t.vectors))


def outer_product_tiles(space: Space, registers: int, core: Core) -> Iterator[RegisterTile]:
    """All tiles that `outer_product_tile` chooses among."""
    for rows in [space.fixed_rows] if space.fixed_rows else range(1, min(space.rows, MAX_ROWS) + 1):
        for vectors in range(1, max((registers - 2) // (rows + 1), 1) + 1):
            if (vectors - 1) * space.width >= space.lanes or vectors > MAX_VECTORS:
                break
            yield _priced(space, rows, vectors, core)


def _priced(space: Space, rows: int, vectors: int, core: Core) -> RegisterTile:
    """A tile with the cycles of one step over the whole space, in tiles and their remainders."""
    row_trips = _LONG if space.rows >= UNKNOWN_TRIPS else space.rows
    lane_trips = _LONG * space.width if space.lanes >= UNKNOWN_TRIPS else space.lanes
    width = min(vectors * space.width, lane_trips)
    work, in_place, in_panels = 0.0, 0.0, space.feed.copy * -(-lane_trips // space.width)
    for r, row_count in parts(row_trips, rows):
        for lanes, lane_count in parts(lane_trips, width):
            v, count = -(-lanes // space.width), row_count * lane_count
            work += count * (step_cycles(core, r * v, v + r * core.broadcast) + crowding(core, r, space.capacity))
            place, panel = space.feed.waits(core, r)
            in_place, in_panels = in_place + count * v * place, in_panels + count * v * panel
    partial = _partial(space.rows, rows) + _partial(space.lanes, vectors * space.width)
    may_be_few = space.rows >= UNKNOWN_TRIPS  # few rows read in place: as many at a time as registers hold
    cycles = work + (in_place if may_be_few else min(in_place, in_panels))
    loads = (vectors + rows * core.broadcast) / (rows * vectors)
    key = (cycles * (1 + PARTIAL * partial), partial, loads)
    return RegisterTile(rows, min(width, space.lanes), cycles, in_panels < in_place, rows * vectors, key)


@lru_cache(maxsize=4096)
def inner_product_tile(
    row_trips: int, column_trips: int, registers: int, core: Core, fixed_rows: int = 0, operands: int = 1
) -> RegisterTile:
    """The best tile whose lanes run along the sum: one accumulator vector for each element.

    Args:
        row_trips: iterations of a parallel loop.
        column_trips: iterations of another one; 1 if there is none.
        registers: vector registers of the target.
        core: of the target.
        fixed_rows: rows that an outer tile has chosen; 0 if free.
        operands: vectors that each row takes, one for each product in the sum.
    """
    tiles = inner_product_tiles(row_trips, column_trips, registers, core, fixed_rows, operands)
    return min(tiles, key=lambda t: (*t.key, t.rows, t.columns))


def inner_product_tiles(
    row_trips: int, column_trips: int, registers: int, core: Core, fixed_rows: int = 0, operands: int = 1
) -> Iterator[RegisterTile]:
    """All tiles that `inner_product_tile` chooses among."""
    long_rows, long_columns = (_LONG if n >= UNKNOWN_TRIPS else n for n in (row_trips, column_trips))
    for rows in [fixed_rows] if fixed_rows else range(1, min(row_trips, MAX_ROWS) + 1):
        for columns in range(1, min(column_trips, MAX_ROWS) + 1):
            if columns > 1 and rows * columns + operands * min(rows, columns) + 1 > registers:
                break
            cycles = 0.0
            for r, row_count in parts(long_rows, rows):
                for c, column_count in parts(long_columns, columns):
                    cycles += row_count * column_count * step_cycles(core, r * c, r + c)
            partial = _partial(row_trips, rows) + _partial(column_trips, columns)
            key = (cycles * (1 + PARTIAL * partial), partial, (rows + columns) / (rows * columns))
            yield RegisterTile(rows, columns, cycles, False, rows * columns, key)


def _partial(trips: int, size: int) -> int:
    """1 if tiles leave a remainder, which costs a second copy of the code; an unknown extent leaves one always."""
    return int(trips >= UNKNOWN_TRIPS or (trips > size and trips % size != 0))
