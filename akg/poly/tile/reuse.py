"""Which operands a reduction uses again, and the register tile that makes use of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import prod

from akg.base.dot import dot_of, packed_dot_of
from akg.ir.expr import Var
from akg.ir.rewrite import variables_of
from akg.poly.access import depends_on, is_alone, stride
from akg.poly.decisions import Figures
from akg.poly.figures import tile_text, time_text
from akg.poly.fuse import single_iterator
from akg.poly.loops.copy_ahead import is_shared
from akg.poly.loops.pack import LEAST_ROWS, LEAST_TURNED_ROWS
from akg.poly.loops.stream_rows import LONG_ROW_BYTES, ROWS, is_one_stream
from akg.poly.price import NEAR, UNKNOWN_TRIPS, Feed, feed_of, packing
from akg.poly.register_tile import (
    MAX_ROWS,
    MAX_VECTORS,
    Space,
    inner_product_tile,
    inner_product_tiles,
    outer_product_tile,
    outer_product_tiles,
)
from akg.poly.scop import Access, Statement
from akg.poly.tile.lanes import LaneModel, is_accumulator, var_of
from akg.poly.tile.packed_tile import PackedTile, capacity_of, packed_tile, tile_time
from akg.poly.tree import Band, Leaf, Member, Node, Sequence

STREAM_LANES = 4096  # accumulators that stay in the first-level cache while rows stream by
PANEL_SHARE = 3  # a panel may take this part of the second-level cache
BLOCK_STEPS = 128
TURNED_SUMS = 3  # what turning a sum costs of turning an element of an operand
PAIR = 2  # steps that an instruction takes together wherever operands lie
EVEN_STEPS = 4  # that an instruction may take together
ENOUGH_ROWS = 4  # multiply-adds for each vector that comes from the last cache: it gives one in as many cycles
BLOCKS_AHEAD = 8
LEAST_STEPS_AHEAD, MOST_STEPS_AHEAD = 120, 512  # of a block that is copied ahead
LEAST_STEP_BYTES = 112  # of a sum along a row, that are worth reading and writing its elements


@dataclass(frozen=True, slots=True)
class Choice:
    """How to run one statement: its vector variable and the variables of its register tile with their extents."""

    statement: Statement
    vector: Var | None
    tiles: dict[Var, int]
    streams: bool = False  # each element is used once: rows pass by a strip of sums
    packs: bool = False  # an operand is packed for the lanes: a tile of it serves all the other loops
    figures: Mapping[str, Figures] = field(default_factory=dict[str, Figures])  # behind it, by what they are about


class ReuseModel:
    """Finds register tiles."""

    def __init__(self, lanes: LaneModel) -> None:
        self.lanes, self.scop, self.target = lanes, lanes.scop, lanes.target
        self._found: dict[tuple[object, ...], Choice | None] = {}  # one nest is asked about from several places

    def contraction(
        self, members: tuple[Member, ...], child: Node, given: int, permutable: bool = False
    ) -> Choice | None:
        """The register tile for the one reduction in a nest that re-uses operands; None if there is no such.

        The first `given` members are points of an outer tile. Loops that carry dependences, as in an update in place,
        may be rows of a tile where all loops of the nest are one permutable band.
        """
        inner = _inner_bands(child)
        if inner is None or not all(is_box(b.members) for b in inner):
            return None
        if not inner:
            return self.choice(members, (), child, given, permutable) if isinstance(child, Leaf) else None
        choices = [self.choice(members, b.members, b.child, given, False) for b in inner]
        first = choices[0]
        if len(choices) == 1 or first is None:
            return first
        lanes = [m for m in members if var_of(m, first.statement) is first.vector]
        together = all(c is not None and c.streams and var_of(lanes[0], c.statement) is c.vector for c in choices)
        return first if lanes and together else None

    def choice(
        self, members: tuple[Member, ...], below: tuple[Member, ...], leaf: Node, given: int, permutable: bool
    ) -> Choice | None:
        """The register tile for the one statement under the loops of a nest and those of a band `below` in it."""
        names = list((below or members)[0].rows)
        if len(names) != 1 or not isinstance(leaf, Leaf):
            return None
        statement = self.scop.statements[names[0]]
        if statement.store.reduction is None:
            return None
        nest = (*members, *below)
        if not permutable and any(not m.coincident and not m.reduction for m in nest):
            return None
        outer = [v for m in members if not is_summed(m, statement) and (v := var_of(m, statement)) is not None]
        inside = [v for m in nest if is_summed(m, statement) and (v := var_of(m, statement)) is not None]
        outer = [v for v in outer if not any(_is_window(statement, k, v) for k in inside)]
        if not outer or not inside:
            return None
        ordered = [v for m in nest if not m.coincident and not m.reduction and (v := var_of(m, statement)) is not None]
        cut = [v for m in members[:given] if (v := var_of(m, statement)) is not None]
        asked = [var_of(m, statement) for m in (*members, *below) if m.directive == "vectorize"]
        wanted = tuple([v for v in asked if v is not None])
        given_rows = {v: self.rows_of_tile(self.lanes.trips_of(statement, v)) for v in cut}
        limits = tuple(self.lanes.limits.items())
        key = statement.name, *map(tuple, (outer, inside, given_rows.items(), wanted, ordered)), given, limits
        if key not in self._found:
            found = self.tile_of(statement, outer, inside, given_rows, wanted, ordered)
            if found is not None and not (given or wanted or ordered):
                found = self.packed(found, outer, inside)
            self._found[key] = found
        return self._found[key]

    def packed(self, choice: Choice, outer: list[Var], inside: list[Var]) -> Choice:
        """The choice, or one with lanes along a loop that an operand has to be packed for, if that is faster."""
        statement = choice.statement
        if choice.streams or choice.vector is None:
            return choice
        if self.lanes.is_free_along(statement, choice.vector):
            return choice
        if len(inside) == 1 and any(
            self.is_turned(statement, a, choice.vector, outer, inside[0]) for a in statement.reads
        ):
            return choice  # panels of it are packed already
        tile = packed_tile(self.lanes, statement, outer, inside)
        if tile is None:
            return choice
        time = tile_time(
            self.lanes, statement, inside, choice.vector, choice.tiles, self.feed(statement, choice.vector, inside)
        )
        figures = {**choice.figures, "lanes": lambda: self.lanes_text(choice, time, tile)}
        if tile.time > time:
            return replace(choice, figures=figures)
        extents = {tile.vector: tile.width, tile.row: tile.rows}
        return Choice(statement, tile.vector, extents, packs=True, figures={"lanes": figures["lanes"]})

    def lanes_text(self, choice: Choice, time: float, tile: PackedTile) -> str:
        """Lanes along the loop of a choice beside lanes that an operand has to be packed for."""
        core = self.target.core
        place, packed = (time_text(core, cycles) for cycles in (time, tile.time))
        text = f"{packed} along {tile.vector} in tiles of {tile.rows} x {tile.width}, an operand packed for them"
        return f"{place} along {choice.vector}, {text}"

    def tile_of(
        self, statement: Statement, outer: list[Var], inside: list[Var], given: Mapping[Var, int],
        wanted: tuple[Var, ...], ordered: list[Var],
    ) -> Choice | None:  # fmt: skip
        """The cheapest tile of a reduction, or None if no operand would be used twice.

        `given` holds the parallel loops that an outer tile has cut, with the extents of their points; `wanted`
        the loops that a strategy asks lanes for, `ordered` those that have no lanes since their order counts.
        """
        operands = [a for a in statement.reads if not is_accumulator(a, statement)]
        # ties go to the innermost parallel loop: its lanes need no combination at the end
        stays = not any(depends_on(statement.write, v) for v in inside)  # else, a place that data tell: no accumulator
        candidates = [*(inside[-1:] if stays else []), *[v for v in outer if v not in given]]
        candidates = [v for v in candidates if v not in ordered]
        candidates = [v for v in candidates if v in wanted] or candidates
        if not candidates:
            return None
        free = outer if not given else []
        vector = min(reversed(candidates), key=lambda v: self.lane_cost(statement, v, free, inside))
        lanes = self.lanes.lanes_of(statement)
        registers = self.target.tile_registers

        def gain(v: Var) -> float:
            """What one load serves more iterations of `v` for: vectors count more than broadcast scalars."""
            return sum(1.0 if stride(a, vector) else 0.2 for a in operands if not depends_on(a, v))

        reused = [v for v in outer if v is not vector and gain(v) > 0 and self.lanes.trips_of(statement, v) > 1]
        if len(operands) < 2:
            reused = []
        reused.sort(key=lambda v: (v in given, gain(v), outer.index(v)))
        if not stays:
            is_stream = len(inside) == 1 and stride(statement.write, vector) == 1
            return self.stream(statement, vector, inside[0]) if is_stream else None
        if vector in inside:
            if not reused or self.is_one_stream(statement, vector, self.lanes.trips_of(statement, vector)):
                return None
            row, column = (reused[-1], reused[-2] if len(reused) > 1 else None)
            trips = self.lanes.trips_of(statement, column) if column is not None else 1
            own = max(sum(depends_on(a, row) for a in operands), 1)
            row_trips = self.lanes.trips_of(statement, row)
            tile = inner_product_tile(row_trips, trips, registers, self.target.core, given.get(row, 0), own)
            columns = {} if column is None else {column: tile.columns}
            space = Space(row_trips, trips, 1)
            rest = prod([self.lanes.trips_of(statement, v) for v in statement.iterators if v not in (row, column)])

            def inner_figures() -> str:
                options = inner_product_tiles(row_trips, trips, registers, self.target.core, given.get(row, 0), own)
                return tile_text(tile, options, space, self.target.core, -(-rest // lanes))

            return Choice(statement, vector, {**columns, row: tile.rows}, figures={"register tile": inner_figures})
        if not reused and len(inside) == 1 and any(stride(a, vector) for a in operands):
            return self.stream(statement, vector, inside[0])
        row_trips = self.lanes.trips_of(statement, reused[-1]) if reused else 1
        fixed = given.get(reused[-1], 0) if reused else 0
        in_place = [a for a in operands if not depends_on(a, vector)]
        capacity = capacity_of(in_place, reused[-1]) if reused else UNKNOWN_TRIPS
        trips = self.lanes.trips_of(statement, vector)
        feed = self.feed(statement, vector, inside) if reused else NEAR
        space = Space(row_trips, trips, lanes, fixed, capacity, feed)
        tile = outer_product_tile(space, registers, self.target.core)
        tiles = {vector: tile.columns}
        if reused:
            tiles[reused[-1]] = tile.rows
        rest = prod([self.lanes.trips_of(statement, v) for v in statement.iterators if v not in tiles])

        def figures() -> str:
            others = outer_product_tiles(space, registers, self.target.core)
            return tile_text(tile, others, space, self.target.core, rest)

        return Choice(statement, vector, tiles, figures={"register tile": figures})

    def feed(self, statement: Statement, vector: Var, inside: list[Var]) -> Feed:
        """How the operand along the lanes comes to the tiles: `akg.poly.loops.pack` may copy its panels."""
        operands = [a for a in statement.reads if not is_accumulator(a, statement)]
        along = [a for a in operands if depends_on(a, vector)]
        if len(inside) != 1 or len(along) != 1 or abs(stride(along[0], vector)) != 1:
            return NEAR
        (access,), (k,) = along, inside
        buffer = access.buffer
        dots = [dot_of(self.target, a.buffer.dtype, self.target.lanes(32)) for a in operands]
        is_laid_out = buffer in self.lanes.free or any(dots)
        rows = [d for d, index in enumerate(access.indices) if k in variables_of(index)]
        if buffer in self.scop.temporaries or is_laid_out or len(rows) != 1 or rows[0] == len(access.indices) - 1:
            return NEAR
        shape, steps = buffer.const_shape, self.lanes.trips_of(statement, k)
        return feed_of(self.target, shape, steps, buffer.dtype.itemsize_bytes, rows[0])

    def lane_cost(self, statement: Statement, v: Var, outer: list[Var], inside: list[Var]) -> float:
        """What lanes along `v` cost where operands that stride over them are packed, and turned on the way."""
        cost = self.lanes.lane_cost(statement, v)
        if v in inside or len(inside) != 1:
            return cost
        lanes, trips = self.lanes.lanes_of(statement), self.lanes.trips_of(statement, v)
        for access in statement.reads:
            if self.is_turned(statement, access, v, outer, inside[0]):
                cost -= (lanes - 1) * (-(-trips // lanes) * lanes / trips)
        return cost

    def is_turned(self, statement: Statement, access: Access, v: Var, outer: list[Var], k: Var) -> bool:
        """Whether `loops.pack` will copy panels of an operand that lies along the sum, with lanes along `v`."""
        buffer = access.buffer
        if is_accumulator(access, statement) or buffer.scope != "global" or buffer in self.scop.temporaries:
            return False
        if any(s.write.buffer is buffer for s in self.scop.statements.values()):
            return False
        if abs(stride(access, v)) <= 1 or stride(access, k) != 1:
            return False
        if not (is_alone(access, v, statement.iterators) and is_alone(access, k, statement.iterators)):
            return False
        rows = [r for r in outer if r is not v and not depends_on(access, r)]
        if not all(self.lanes.is_fixed(statement, x) for x in (v, k, *rows)):
            return False
        if len(rows) == 1 and self.is_one_tile(statement, access, rows[0], k):
            return False
        cores = max(self.target.cores, 1)
        panels = self.lanes.trips_of(statement, v) // (MAX_VECTORS * self.lanes.lanes_of(statement))
        least = LEAST_TURNED_ROWS * MAX_ROWS * (1 if panels >= 2 * cores else cores)  # threads may share the rows
        return any(self.lanes.trips_of(statement, r) >= least for r in rows)

    def is_one_tile(self, statement: Statement, access: Access, row: Var, k: Var) -> bool:
        """Whether all rows can be lanes of one tile, so that an operand along the sum is read once, where it lies.

        Then the sums are turned rather than the operand: its rows have to be longer. Four steps an instruction are for
        panels only.
        """
        rows = self.lanes.trips_of(statement, row)
        if self.lanes.trips_of(statement, k) < TURNED_SUMS * rows:
            return False
        others = [a.buffer.dtype for a in statement.reads if not is_accumulator(a, statement) and a is not access]
        dots = [packed_dot_of(self.target, access.buffer.dtype, other, self.target.lanes(32)) for other in others]
        if any(dot is not None and dot.steps > PAIR for dot in dots):
            return False
        return rows <= MAX_VECTORS * self.lanes.lanes_of(statement)

    def stream(self, statement: Statement, vector: Var, inside: Var) -> Choice:
        """A reduction that uses each element once: rows stream by in order, accumulators wait in the first cache."""
        lanes = self.lanes.lanes_of(statement)
        trips = self.lanes.trips_of(statement, vector)
        share = 64 * lanes if trips >= UNKNOWN_TRIPS else self.strip(statement, vector, inside, trips)
        width = min(STREAM_LANES, max(-(-share // lanes), 4) * lanes, max(trips, 1))
        rows = 1 if self.is_one_stream(statement, vector, width) else min(ROWS, self.lanes.trips_of(statement, inside))
        return Choice(statement, vector, {vector: width, inside: rows}, True)

    def is_one_stream(self, statement: Statement, vector: Var, width: int) -> bool:
        """Whether `width` elements along the lanes are a short row of an operand that passes by once."""
        inner = [v for v in statement.iterators if self.lanes.trips_of(statement, v) > 1]
        operands = [a for a in statement.reads if not is_accumulator(a, statement) and abs(stride(a, vector)) == 1]
        passing = [a for a in operands if all(depends_on(a, v) for v in inner)]
        return any(is_one_stream(a.buffer, width * a.buffer.dtype.itemsize_bytes, self.target) for a in passing)

    def strip(self, statement: Statement, vector: Var, inside: Var, trips: int) -> int:
        """What a thread takes of rows that stream by: all of them where other loops are for the threads."""
        others = [v for v in statement.iterators if v not in (vector, inside) and depends_on(statement.write, v)]
        cores = max(self.target.cores, 1)
        piece = -(-trips // cores)
        is_free = prod(self.lanes.trips_of(statement, v) for v in others) >= cores
        along = [a.buffer for a in statement.reads if not is_accumulator(a, statement) and stride(a, vector)]
        width_bytes = min((b.dtype.itemsize_bytes for b in along), default=1)
        return trips if is_free or piece * width_bytes < LONG_ROW_BYTES else piece

    def reduction_block(self, choice: Choice) -> int:
        """How many steps of the reduction to take at a time; 0 for all at once.

        A panel, the operand along the lanes over all steps, serves every tile of rows. If it takes more than a share
        of the second-level cache, it is used in blocks; small ones, since rows of a power of two fall into few sets.
        """
        statement, vector = choice.statement, choice.vector
        inside = [v for v in statement.iterators if not depends_on(statement.write, v)]
        if len(inside) != 1 or vector is None or vector in inside or inside[0] in choice.tiles or choice.packs:
            return 0
        trips = self.lanes.trips_of(statement, inside[0])
        operands = [a for a in statement.reads if not is_accumulator(a, statement)]
        along = [a.buffer.dtype for a in operands if depends_on(a, vector)]
        others = [a.buffer.dtype for a in operands if not depends_on(a, vector)] or along
        dots = [packed_dot_of(self.target, dtype, others[0], self.target.lanes(32)) for dtype in along]
        packed = [dtype if dot is None else dot.factors for dtype, dot in zip(along, dots, strict=True)]
        panel_bytes = trips * choice.tiles[vector] * max([dtype.itemsize_bytes for dtype in packed], default=1)
        share = 1 if any(dots) else PANEL_SHARE  # several steps an instruction: a block's sums cost more beside them
        rows = [self.lanes.trips_of(statement, v) // size for v, size in choice.tiles.items() if v is not vector]
        if not any(dots) and len(rows) == 1 and rows[0] >= LEAST_ROWS:
            ahead = self.block_ahead(choice, [a for a in operands if depends_on(a, vector)], inside[0], rows[0])
            if ahead:
                return ahead
        if panel_bytes * share <= self.target.l2_bytes:
            return 0
        if not any(n >= LEAST_ROWS for n in rows) and not self.lanes.is_free_along(statement, vector):
            return BLOCK_STEPS if trips < UNKNOWN_TRIPS else 0  # few rows use a panel where it is
        whole = self.target.l2_bytes // (PANEL_SHARE * panel_bytes // trips)  # steps of a panel that stays in cache
        if trips >= UNKNOWN_TRIPS:
            return max(whole // BLOCK_STEPS, 1) * BLOCK_STEPS
        blocks = -(-trips // max(whole, BLOCK_STEPS))  # each reads and writes all sums: few, and equal
        for count in range(blocks, blocks + blocks // 2 + 1):
            if trips % (count * EVEN_STEPS) == 0:
                return trips // count
        return -(-trips // (blocks * BLOCK_STEPS)) * BLOCK_STEPS

    def block_ahead(self, choice: Choice, along: list[Access], k: Var, tiles: int) -> int:
        """Steps of a block that `akg.poly.loops.copy_ahead` copies while few rows use the one before; 0 if none fits.

        Only the first block of each panel is not copied ahead: blocks are small, though worth a copy each.
        """
        shape = along[0].buffer.const_shape if len(along) == 1 else None
        if shape is None or choice.vector is None or stride(along[0], choice.vector) != 1:
            return 0
        trips, item = self.lanes.trips_of(choice.statement, k), along[0].buffer.dtype.itemsize_bytes
        dimension = next((d for d, i in enumerate(along[0].indices) if k in variables_of(i)), 0)
        rows = max([size for v, size in choice.tiles.items() if v is not choice.vector], default=1)

        def pays(size: int) -> bool:
            feed = feed_of(self.target, shape, size, item, dimension)
            return packing(self.target.core, feed, tiles, rows).pays

        most = min(MOST_STEPS_AHEAD, self.target.l2_bytes // (PANEL_SHARE * choice.tiles[choice.vector] * item))
        blocks = range(2, max(BLOCKS_AHEAD, -(-trips // MOST_STEPS_AHEAD)) + 3)
        sizes = [trips // n for n in blocks if trips % n == 0 and is_shared(trips // n, tiles)]
        return min([n for n in sizes if LEAST_STEPS_AHEAD <= n <= most and pays(n)], default=0)

    def sums_outside(self, choice: Choice) -> int:
        """How many of a sum's outer loops run outside of the loops over tiles; 0 where tiles may read all in turn.

        If the operands of a long sum exceed the second-level cache, each tile reads them from further away. Tiles of
        few rows wait for that, and those that read short pieces of rows. What all tiles read in one iteration of the
        outer loops fits.
        """
        statement, vector = choice.statement, choice.vector
        inside = [v for v in statement.iterators if not depends_on(statement.write, v)]
        if vector is None or vector in inside or choice.packs or len(inside) < 2:
            return 0
        operands = [a for a in statement.reads if not is_accumulator(a, statement)]
        narrow = min([a.buffer.dtype.itemsize_bytes for a in operands], default=4)
        row_bytes = self.lanes.trips_of(statement, inside[-1]) * narrow  # one instruction takes several narrow steps
        if any(v in choice.tiles for v in inside) or row_bytes < LEAST_STEP_BYTES:
            return 0
        trips = {v: self.lanes.trips_of(statement, v) for v in statement.iterators}
        if max(trips.values()) >= UNKNOWN_TRIPS:
            return 0
        sizes = [_reach_bytes(a, statement.iterators, trips) for a in operands]
        is_small = max(sizes) <= self.target.l2_bytes
        tiles = prod([-(-n // choice.tiles.get(v, 1)) for v, n in trips.items() if v not in inside])
        rows = prod([n for v, n in choice.tiles.items() if v is not vector])
        width = choice.tiles.get(vector, trips[vector])
        is_stream = all(stride(a, inside[-1]) == width for a in operands if stride(a, vector))
        if is_small or tiles < 2 or (rows >= ENOUGH_ROWS and is_stream):
            return 0
        near = [v for v in statement.iterators if v not in inside[:-1]]
        fits = sum(_reach_bytes(a, near, trips) for a in operands) * 2 <= self.target.l2_bytes
        return len(inside) - 1 if fits else 0

    def rows_of_tile(self, trips: int) -> int:
        """Rows of a tile that several products inside it share."""
        space = Space(trips, UNKNOWN_TRIPS, self.target.lanes(32))
        return outer_product_tile(space, self.target.tile_registers, self.target.core).rows


def _reach_bytes(access: Access, variables: Iterable[Var], trips: Mapping[Var, int]) -> int:
    """Bytes that an access reads over some loops, where its subscripts do not overlap."""
    count = prod([trips[v] for v in variables if depends_on(access, v)])
    shape = access.buffer.const_shape
    return min(count, UNKNOWN_TRIPS if shape is None else prod(shape)) * access.buffer.dtype.itemsize_bytes


def _is_window(statement: Statement, inside: Var, v: Var) -> bool:
    """Whether the range of a loop moves with `v`: lanes or tiles along `v` would run over many windows for each."""
    loop = next((f for f in statement.loops if f.var is inside), None)
    return loop is not None and v in variables_of(loop.begin) and v in variables_of(loop.end)



def is_summed(member: Member, statement: Statement) -> bool:
    """Whether a statement adds up into the same elements in all iterations of a member that is not parallel."""
    var = var_of(member, statement)
    return not member.coincident and (member.reduction or var is None or not depends_on(statement.write, var))


def is_box(members: tuple[Member, ...]) -> bool:
    """Whether every row is one iterator, so that the nest is a box of loops."""
    return all(single_iterator(row) is not None for m in members for row in m.rows.values())


def _inner_bands(node: Node) -> list[Band] | None:
    """The bands among the children of a sequence whose other children are statements; None for deeper trees."""
    if isinstance(node, Band):
        return [node]
    if not isinstance(node, Sequence):
        return []
    found = [f.child for f in node.children if not isinstance(f.child, Leaf)]
    return [b for b in found if isinstance(b, Band)] if all(isinstance(b, Band) for b in found) else None
