"""Register tiles with lanes along a loop that an operand strides over: whether packing that operand pays.

A convolution may fill lanes with neighbouring outputs, of which a row of 14 or 56 leaves some empty, and whose inputs
start anywhere; or with output channels, once the weights are packed so that these lie side by side, and one input
serves all lanes (Georganas et al. 2018, arXiv:1808.05567). Both are priced in cycles by the model of
`akg.poly.price`: multiply-adds in lanes that are used or not, loads, stores of the tiles, and the packing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod

from akg.ir.affine import Affine
from akg.ir.expr import Const, Var
from akg.ir.rewrite import variables_of
from akg.poly.access import depends_on, stride
from akg.poly.price import (
    LINE_BYTES,
    PARTIAL,
    UNALIGNED,
    UNKNOWN_TRIPS,
    Feed,
    crowding,
    feed_of,
    parts,
    rows_in_cache,
    step_cycles,
)
from akg.poly.scop import Access, Statement
from akg.poly.tile.lanes import LaneModel, is_accumulator

MAX_ROWS = 28  # of a tile whose rows share cache lines
MAX_VECTORS = 6
FROM_SECOND_CACHE = 2.0  # what a vector costs that the first one does not hold, where rows are used again
PACK_LOADS = 20.0  # for each vector that is packed, in loads
TURN_LOADS = 14.0  # for each vector of accumulators that is turned and stored
SHUFFLE = 1.0  # what taking some lanes of two vectors costs of a load
STORES = 2.0  # for each vector that is stored into rows of any alignment


@dataclass(frozen=True, slots=True)
class PackedTile:
    """A tile of `rows` along one loop by `width` lanes along another, and its modelled time in cycles."""

    row: Var
    vector: Var
    rows: int
    width: int
    time: float


def packed_tile(model: LaneModel, statement: Statement, outer: list[Var], inside: list[Var]) -> PackedTile | None:
    """The best tile with lanes along a loop that an operand strides over; None if there is none.

    Args:
        model: of the target's lanes.
        statement: a reduction.
        outer: its parallel loops.
        inside: the loops that it sums along.
    """
    trips = {v: model.trips_of(statement, v) for v in statement.iterators}
    if any(n >= UNKNOWN_TRIPS for n in trips.values()):
        return None
    operands = [a for a in statement.reads if not is_accumulator(a, statement)]
    best: PackedTile | None = None
    core = model.target.core
    row = next((v for v in outer if stride(statement.write, v) == 1 and trips[v] > 1), None)
    steps = prod([trips[v] for v in inside])
    if row is None:
        return None
    for vector in outer:
        moving = [a for a in operands if depends_on(a, vector)]
        if vector is row or not moving or len(moving) == len(operands) or stride(statement.write, vector) == 0:
            continue
        if not all(_is_packable(a, vector) and not depends_on(a, row) for a in moving):
            continue
        others = prod([n for v, n in trips.items() if v not in (row, vector)])
        packing = sum(prod([int(s) for s in a.buffer.shape if isinstance(s, Const)]) for a in moving)
        packing = packing / model.lanes_of(statement) * PACK_LOADS / core.loads
        period = gcd(*[_period(a, vector) for a in moving])  # panels have to start at multiples of the width
        in_place = [a for a in operands if a not in moving]
        if any(_is_torn(model, statement, a, row, inside) for a in in_place):
            continue
        capacity = capacity_of(in_place, row)
        for found in _tiles(model, trips[row], trips[vector], model.lanes_of(statement), capacity):
            rows, width, step, vectors = found
            if period % width:
                continue
            time = others * step + others / steps * vectors * TURN_LOADS / core.loads + packing
            if best is None or time < best.time:
                best = PackedTile(row, vector, rows, width, time)
    return best


def _is_torn(model: LaneModel, statement: Statement, access: Access, row: Var, inside: list[Var]) -> bool:
    """Whether each step of a tile waits for part of a far line of an operand, in another page than the last."""
    item = access.buffer.dtype.itemsize_bytes
    if len(inside) != 1 or stride(access, row) != 1 or abs(stride(access, inside[0])) * item <= LINE_BYTES:
        return False
    at = next(d for d, index in enumerate(access.indices) if inside[0] in variables_of(index))
    return feed_of(model.target, access.buffer.const_shape, model.trips_of(statement, inside[0]), item, at).is_far


def capacity_of(operands: list[Access], row: Var) -> int:
    """Rows of a tile whose lines, read in place, the first-level cache holds: of the operand that has the fewest."""
    strides = [abs(stride(a, row)) * a.buffer.dtype.itemsize_bytes for a in operands if depends_on(a, row)]
    return min([rows_in_cache(s) for s in strides if s > LINE_BYTES], default=UNKNOWN_TRIPS)


def _is_packable(access: Access, vector: Var) -> bool:
    """Whether an operand strides along `vector`, in a dimension where other loops only choose among whole tiles."""
    forms = [Affine.of(i) for i in access.indices]
    if any(f is None for f in forms) or access.buffer.const_shape is None or abs(stride(access, vector)) <= 1:
        return False
    own = [f for f in forms if f is not None and f.coefficient(vector)]
    return len(own) == 1 and own[0].coefficient(vector) == 1 and not own[0].const


def _period(access: Access, vector: Var) -> int:
    """The step of the other loops along the dimension of the lanes; 0 if there are none."""
    forms = [f for i in access.indices if (f := Affine.of(i)) is not None and f.coefficient(vector)]
    return gcd(*[c for f in forms for c in f.without([vector]).terms.values()])


def _tiles(
    model: LaneModel, row_trips: int, lane_trips: int, lanes: int, capacity: int
) -> list[tuple[int, int, float, int]]:
    """Rows and lanes of tiles that fit the registers, the time of a step of the whole space, and its vectors."""
    core, registers, found = model.target.core, model.target.tile_registers, list[tuple[int, int, float, int]]()
    for vectors in range(1, MAX_VECTORS + 1):
        if (vectors - 1) * lanes >= lane_trips:
            break
        width = min(vectors * lanes, lane_trips)
        for rows in range(1, min(row_trips, MAX_ROWS, (registers - 2) // vectors - 1) + 1):
            if row_trips > rows and row_trips % rows and rows < MAX_ROWS // 4:
                continue
            time, count = 0.0, 0
            for r, rn in parts(row_trips, rows):
                for w, wn in parts(lane_trips, width):
                    v = -(-w // lanes)
                    time += rn * wn * (step_cycles(core, r * v, v + r * core.broadcast) + crowding(core, r, capacity))
                    count += rn * wn * r * v
            partial = sum(trips > size and trips % size > 0 for trips, size in ((row_trips, rows), (lane_trips, width)))
            found.append((rows, width, time * (1 + PARTIAL * partial), count))
    return found


def tile_time(
    model: LaneModel, statement: Statement, inside: list[Var], vector: Var, tiles: dict[Var, int], feed: Feed
) -> float:
    """Modelled cycles of a whole reduction with lanes along a loop that operands are contiguous along.

    Args:
        model: of the target's lanes.
        statement: the reduction.
        inside: the loops that it sums along.
        vector: the loop that fills lanes.
        tiles: extents of the tile.
        feed: how the operand along the lanes comes.

    Returns:
        Infinity for unknown extents.
    """
    trips = {v: model.trips_of(statement, v) for v in statement.iterators}
    if any(n >= UNKNOWN_TRIPS for n in trips.values()):
        return float("inf")
    lanes, core = model.lanes_of(statement), model.target.core
    operands = [a for a in statement.reads if not is_accumulator(a, statement)]
    steps = prod([trips[v] for v in inside])
    others = prod([n for v, n in trips.items() if v not in tiles and v is not vector])
    if vector in inside:
        extents = list(tiles.items())
        tile = prod([s for _, s in extents])
        rows_of = [prod([s for v, s in extents if depends_on(a, v)]) for a in operands]
        loads = sum(rows_of) * UNALIGNED
        row_bytes = [r * a.buffer.dtype.itemsize_bytes for r, a in zip(rows_of, operands, strict=True)]
        if sum(row_bytes) * trips[vector] > model.target.l1_bytes:
            loads *= FROM_SECOND_CACHE
        number = prod([-(-trips[v] // s) for v, s in extents])
        each = step_cycles(core, tile, loads)
        number *= prod([trips[v] for v in statement.iterators if v not in inside and v not in tiles])
        chunks = -(-trips[vector] // lanes) * (steps // trips[vector])
        return number * (chunks * each + tile * lanes / core.loads)
    width = tiles.get(vector, trips[vector])
    cost = max((_vector_load(a, vector, lanes) for a in operands if depends_on(a, vector)), default=0.0)
    rows_of = [(v, s) for v, s in tiles.items() if v is not vector]
    row, rows = rows_of[0] if rows_of else (None, 1)
    in_place = [a for a in operands if not depends_on(a, vector)]
    capacity = capacity_of(in_place, row) if row is not None else UNKNOWN_TRIPS
    time, count = 0.0, 0
    in_place, in_panels = 0.0, feed.copy * -(-trips[vector] // lanes)
    for r, rn in parts(trips[row] if row is not None else 1, rows):
        for w, wn in parts(trips[vector], width):
            v = -(-w // lanes)
            time += rn * wn * (step_cycles(core, r * v, v * cost + r * core.broadcast) + crowding(core, r, capacity))
            count += rn * wn * r * v
            place, panel = feed.waits(core, r)
            in_place, in_panels = in_place + rn * wn * v * place, in_panels + rn * wn * v * panel
    return others * (time + min(in_place, in_panels)) + others / steps * count * STORES / core.stores


def _vector_load(access: Access, vector: Var, lanes: int) -> float:
    """What a vector costs of an aligned one: it may start anywhere where another iterator moves it by less."""
    step = abs(stride(access, vector))
    if step == 0:
        return 0.0  # it does not move
    if step == 1:
        shifts = [abs(stride(access, v)) for v in _iterators(access) if v is not vector]
        return UNALIGNED if any(s % lanes for s in shifts) else 1.0
    return UNALIGNED * step + (step - 1) * SHUFFLE if step <= lanes // 4 else float(lanes)


def _iterators(access: Access) -> list[Var]:
    """The variables of an access."""
    forms = [Affine.of(i) for i in access.indices]
    return list(dict.fromkeys([v for f in forms if f is not None for v in f.terms]))
