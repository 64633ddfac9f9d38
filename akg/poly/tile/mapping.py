"""Mapping of a schedule to a CPU: which loop the threads share, which one fills the vector lanes, what is tiled.

Everything is decided from the structure of the statements and the target description:

  * *vector*: for each statement the loop whose lanes cost the fewest instructions: contiguous accesses cost one,
    an address that stays put costs next to nothing, anything else costs a gather. Stores that a reduction keeps in a
    register cost only their way out. A reduction loop may be the vector loop.
  * *register tile*: a reduction re-uses operands along the parallel loops on which they do not depend. Such loops are
    tiled, and their points, unrolled and in lanes, go inside the reduction, so that accumulators stay in
    registers (`promote.py` puts them there) and each operand that is loaded serves the whole tile.
  * *parallel*: the outermost parallel loop with enough iterations.

All transformations move coincident members only, across which no dependence runs, so they keep legality.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from akg.base.target import Target
from akg.poly.decisions import Decisions
from akg.poly.scop import Scop
from akg.poly.tile.lane_choice import LaneChoice
from akg.poly.tile.lanes import LaneModel, var_of
from akg.poly.tile.outer_lanes import outer_lanes_pay
from akg.poly.tile.product_nests import LEAST_SHARED_ROWS, ProductNests
from akg.poly.tile.reuse import Choice, ReuseModel, is_box, is_summed
from akg.poly.tile.row_lanes import reads_once, rows_below
from akg.poly.tile.row_order import in_reading_order, keeps_rows, row_strip
from akg.poly.tile.sharing import NARROW_STRIP, STRIP, Sharing
from akg.poly.tile.tile_order import TileOrder, sink, sink_blocked, sink_within
from akg.poly.tile.tile_size import tile_sizes
from akg.poly.tile.wavefront import POINTS, tile_skewed
from akg.poly.tiling import FULL_TILES, TilePlan, Tiling, first_loops, in_order, split_loops, tiles_text, wavefronts_of
from akg.poly.tree import LEAF, TILED, Band, Domain, Filter, Leaf, Mark, Member, Node, Sequence


class MappingOptions(Protocol):
    """What a strategy allows the mapping to do."""

    @property
    def parallel(self) -> bool:
        """Share a loop among threads."""
        ...

    @property
    def vectorize(self) -> bool:
        """Fill lanes."""
        ...

    @property
    def tile(self) -> bool:
        """Tile for registers and caches."""
        ...

    @property
    def tiling(self) -> Tiling:
        """Tiles that are given."""
        ...


def map_cpu(
    scop: Scop,
    tree: Domain,
    target: Target,
    options: MappingOptions,
    decisions: Decisions | None = None,
    *,
    wavefronts: bool = True,
) -> Domain:
    """`tree` with kinds set, tiles added and points sunk for a CPU.

    Args:
        scop: the statements.
        tree: a schedule with `coincident` and `permutable` annotated.
        target: the machine.
        options: what is allowed.
        decisions: collects the reasons.
        wavefronts: whether bands without a parallel loop may run in wavefronts of tiles. Where the order of a
            reduction is free, tiles of one wavefront can still share its accumulator: the caller proves the result.
    """
    mapper = _Mapper(scop, target, options, decisions if decisions is not None else Decisions())
    mapper.wavefronts, mapper.first = wavefronts, first_loops(tree)
    child = mapper.node(tree.child, (), False)
    mapper.note_unused()
    return replace(tree, child=child)


class _Mapper:
    def __init__(self, scop: Scop, target: Target, options: MappingOptions, decisions: Decisions) -> None:
        self.scop, self.target, self.options, self.decisions = scop, target, options, decisions
        self.lanes = LaneModel(scop, target)
        self.reuse = ReuseModel(self.lanes)
        self.tiles = TileOrder(self.lanes)
        self.sharing = Sharing(self.lanes, decisions, is_allowed=options.parallel)
        self.wavefronts = True
        self.first: dict[Band, int] = {}  # the number of loops outside every band
        self.tiling = options.tiling.fitted(list(scop.statements))
        self.choice = LaneChoice(
            self.lanes, is_vectorised=options.vectorize, is_tiled=options.tile,
            is_innermost=self.tiling.intra_tile == "none",
        )  # fmt: skip
        self.products = ProductNests(self.lanes, self.register_choice, is_tiled=options.tile)
        self.used: set[TilePlan] = set()

    # -- walking ----------------------------------------------------------------------------------------

    def node(self, node: Node, points: tuple[Member, ...], threaded: bool) -> Node:
        """Map a subtree.

        `points` are parallel members still to be placed in it; `threaded` tells that a loop outside is parallel.
        """
        if isinstance(node, Band):
            return self.band(node, points, threaded)
        if isinstance(node, Sequence):
            return self.sequence(node, points, threaded)
        if isinstance(node, Filter):
            return Filter(node.statements, self.node(node.child, points, threaded))
        if isinstance(node, Mark):
            return node if node.name == TILED else Mark(node.name, self.node(node.child, points, threaded))
        return Band(points, True, LEAF) if points else node

    def sequence(self, node: Sequence, points: tuple[Member, ...], threaded: bool) -> Node:
        """Children that make a register tile with the points take them in; runs of others share one loop over them."""
        if not points:
            return Sequence(tuple([self.child(f, (), threaded) for f in node.children]))
        parts: list[Filter] = []
        run: list[Filter] = []

        def close() -> None:
            if run:
                names = tuple([n for f in run for n in f.statements])
                keep = frozenset(names)
                inner = Sequence(tuple(run)) if len(run) > 1 else run[0].child
                parts.append(Filter(names, Band(tuple([p.restricted(keep) for p in points]), True, inner)))
                run.clear()

        for child in node.children:
            nest = isinstance(child.child, Band)
            if nest and (self.products.tiles_with(child, points) or self.rows_with(child, points)):
                close()
                parts.append(self.child(child, points, threaded))
            else:
                run.append(self.child(child, (), True))
        close()
        return Sequence(tuple(parts)) if len(parts) > 1 else parts[0].child

    def child(self, part: Filter, points: tuple[Member, ...], threaded: bool) -> Filter:
        keep = frozenset(part.statements)
        return Filter(part.statements, self.node(part.child, tuple([p.restricted(keep) for p in points]), threaded))

    def rows_with(self, part: Filter, points: tuple[Member, ...]) -> bool:
        """Whether a nest reads the rows of the one point in the order of memory if that goes inside its sums."""
        assert isinstance(part.child, Band)
        return len(points) == 1 and keeps_rows(self.lanes, points[0].restricted(frozenset(part.statements)), part.child)

    def short_rows(self, band: Band) -> Band | None:
        """A nest that reads everything once, as one band, where its lanes go along rows of a few elements."""
        members, child = band.members, band.child
        while isinstance(child, Band):
            members, child = (*members, *child.members), child.child
        names = list(members[0].rows)
        if not (isinstance(child, Leaf) or _only_leaves(child)):
            return None
        if self.choice.row_members(list(members), names) is None:
            return None
        return Band(members, False, child) if reads_once(self.lanes, members, names) else None

    def short_apart(self, band: Band) -> Band | None:
        """A band without its last loop, each nest inside with its own, where one then has its lanes around that."""
        *members, last = band.members
        if not members or not last.coincident or last.directive or not isinstance(band.child, Sequence):
            return None
        parts: list[Filter] = []
        for f in band.child.children:
            own = last.restricted(frozenset(f.statements))
            parts.append(Filter(f.statements, Band((own,), True, f.child)))
        nests = [part.child for part, f in zip(parts, band.child.children, strict=True) if isinstance(f.child, Band)]
        if not any(isinstance(nest, Band) and self.short_rows(nest) is not None for nest in nests):
            return None
        return Band(tuple(members), band.permutable, Sequence(tuple(parts)))

    # -- one band ---------------------------------------------------------------------------------------

    def band(self, band: Band, points: tuple[Member, ...], threaded: bool) -> Node:
        members = (*points, *band.members)
        given = self.given_tiles(band, threaded) if self.tiling.plans and not points else None
        if given is not None:
            return given
        nest = self.short_rows(band) if not points else None
        if nest is not None:
            return self.perfect(nest, threaded)
        apart = self.short_apart(band) if not points else None
        if apart is not None:
            return self.imperfect(apart, threaded)
        choice = self.register_choice(members, band.child, len(points), band.permutable) if is_box(members) else None
        if choice is not None:
            return self.register_tile(choice, members, len(points), band.child, threaded)
        if len(points) == 1 and self.options.vectorize and keeps_rows(self.lanes, points[0], band):
            *serial, row = band.members
            return Band((*serial, *points, replace(row, kind="vector")), True, band.child)
        if points:
            return Band(points, True, self.band(band, (), True))
        if self.options.tile and self.needs_wavefronts(band, threaded):
            return self.skewed(band, threaded)
        return self.whole(band, threaded)

    def whole(self, band: Band, threaded: bool) -> Node:
        """A band whose loops are not cut for caches."""
        if isinstance(band.child, Leaf) or _only_leaves(band.child):
            return self.perfect(band, threaded)
        return self.imperfect(band, threaded)

    def needs_wavefronts(self, band: Band, threaded: bool) -> bool:
        """A permutable band that is skewed, or that has no parallel loop though threads could use one."""
        if not band.permutable or len(band.members) < 2:
            return False
        if not is_box(band.members):
            return True
        carried = [m for m in band.members if not m.coincident and not m.reduction]
        is_sequential = len(carried) >= 2 and not any(m.coincident for m in band.members)
        is_sequential = is_sequential and not any(m.directive == "sequential" for m in band.members)
        return is_sequential and self.wavefronts and self.options.parallel and not threaded

    def skewed(self, band: Band, threaded: bool) -> Node:
        """A permutable band of skewed rows: tiles, wavefronts of them for the threads, points in order."""
        wants_threads = not threaded and self.options.parallel
        sizes = tile_sizes(band, self.scop, self.target)
        shape = str(sizes[0]) if len(set(sizes)) == 1 else " x ".join(map(str, sizes))
        self.decisions.note(f"tiles of {shape} over {', '.join([m.text for m in band.members])}")
        members = list(band.members)
        waves = wants_threads and self.wavefronts
        waves = waves and not any(m.coincident or m.directive == "sequential" for m in members)
        if waves:
            self.decisions.note("threads share the tiles of a wavefront")
        elif wants_threads:
            wants_threads = self.sharing.thread(members, threaded) is not None
        child = self.node(band.child, (), threaded or wants_threads)
        return tile_skewed(replace(band, members=tuple(members)), child, waves, sizes)

    def given_tiles(self, band: Band, threaded: bool) -> Node | None:
        """A band in the strategy's tiles: threads share the outermost parallel loop over them, or waves of tiles."""
        names = list(band.members[0].rows)
        plan = self.tiling.plan_for(names)
        loops = plan.loops_of(self.first.get(band, 0), len(band.members)) if plan is not None else None
        if plan is None or loops is None:
            return None
        self.used.add(plan)
        if plan.statements is not None and not set(names) <= set(plan.statements):
            self.decisions.note(f"tiles of {', '.join(plan.statements)} are those of {', '.join(names)}: one band")
        self.decisions.note(f"{', '.join(names)}: tiles of {tiles_text(band.members, loops)}")
        outer, points = split_loops(band.members, loops)
        is_free = any(m.coincident for m in outer)
        waves = None
        if not (threaded or is_free or not self.options.parallel or any(m.directive == "sequential" for m in outer)):
            waves = wavefronts_of(outer) if self.wavefronts and plan.wavefront else None
        if plan.isolated and (waves is not None or not is_box(band.members)):
            self.decisions.note(f"{', '.join(names)}: full tiles are not isolated, as the tiles are no boxes of loops")
        if waves is not None:
            self.decisions.note("threads share the tiles of a wavefront")
            inside = Mark(POINTS, in_order(points, self.node(band.child, (), True)))
            inner = Band(tuple(waves[1:]), True, inside)
            return Band(tuple(waves[:1]), True, inner)
        inside = threaded or self.sharing.thread(outer, threaded) is not None
        if not is_box(band.members):
            return Band(tuple(outer), True, Mark(POINTS, in_order(points, self.node(band.child, (), inside))))
        node = Band(tuple(outer), True, self.points(Band(tuple(points), True, band.child), outer, inside))
        return Mark(FULL_TILES, node) if plan.isolated else node

    def note_unused(self) -> None:
        """Say which of the strategy's tiles no band took."""
        for plan in self.tiling.plans:
            if plan not in self.used:
                whose = "all statements" if plan.statements is None else ", ".join(plan.statements)
                self.decisions.note(
                    f"dropped the tiles of {whose}: no permutable band has {plan.min_band} of the loops they are for"
                )

    def points(self, band: Band, outer: list[Member], threaded: bool) -> Node:
        """The points of tiles, mapped as a band of few iterations."""
        before = dict(self.lanes.limits)
        for member in outer:
            for name in member.rows:
                var = var_of(member, self.scop.statements[name])
                if var is not None and member.tile:
                    self.lanes.limits[var] = min(member.tile, self.lanes.limits.get(var, member.tile))
        choice = self.register_choice(band.members, band.child, 0)
        if choice is not None:
            node = self.register_tile(choice, band.members, 0, band.child, threaded)
        else:
            node = self.whole(band, threaded)
        self.lanes.limits = before
        return node

    def imperfect(self, band: Band, threaded: bool) -> Node:
        """A band around further bands: threads share its outermost parallel loop; what re-uses along it is tiled."""
        cut = self.products.cut(band, self.decisions.note)
        if isinstance(cut, Sequence):
            return self.sequence(cut, (), threaded)
        band, members, point = cut, list(cut.members), None
        children = band.child.children if isinstance(band.child, Sequence) else ()
        inner = [f for f in children if isinstance(f.child, Band)]
        last = members[-1]
        if self.options.vectorize and last.coincident and outer_lanes_pay(self.scop, self.lanes, last, band.child):
            return self.outer_lanes(band, threaded)
        written_out = rows_below(self.lanes, last, band.child) if self.options.vectorize else None
        if written_out is not None:
            return self.lanes_of_rows(members[:-1], last, band.permutable, written_out, threaded)
        if self.options.tile and last.coincident and self.lanes.trips(last) >= LEAST_SHARED_ROWS:
            tile = self.reuse.rows_of_tile(self.lanes.trips(last))
            if any(self.products.wants_rows(f, (replace(last, kind="unroll"),)) for f in inner):
                tile *= self.tiles.row_group(replace(last, tile=tile))
                members[-1] = replace(last, tile=tile)
                point = last
                self.decisions.note(f"tile {last.text} by {tile}: inner products re-use operands along it")
        strip = row_strip(self.lanes, last, inner, self.target) if self.options.tile and point is None else None
        if strip is not None and not last.directive:
            members[-1], point = replace(last, tile=strip), last
            self.decisions.note(f"tile {last.text} by {strip}: sums inside read its rows in the order of memory")
        chosen = self.sharing.thread(members, threaded)
        child = self.node(band.child, (point,) if point else (), threaded or chosen is not None)
        return Band(tuple(members), band.permutable, child)

    def outer_lanes(self, band: Band, threaded: bool) -> Node:
        """Lanes along the last member, around its recurrences; threads share vectors of it, or a loop outside."""
        *members, last = band.members
        names = ", ".join(last.rows)
        self.decisions.note(f"{names}: lanes along {last.text}, each with a recurrence of its own")
        strip = replace(last, tile=min(self.lanes.lanes_of(self.scop.statements[n]) for n in last.rows))
        outer = [*members, strip]
        chosen = self.sharing.thread(outer, threaded)
        child = self.node(band.child, (), threaded or chosen is not None)
        return Band((*outer, replace(last, kind="vector")), band.permutable, child)

    # -- nests without re-use -----------------------------------------------------------------------------

    def perfect(self, band: Band, threaded: bool) -> Node:
        """A nest whose leaves are statements: one vector loop innermost, threads outermost."""
        members = list(band.members)
        names = list(members[0].rows)
        best = self.choice.vector_member(members, names)
        rows = self.choice.row_members(members, names)
        if rows is not None:
            vector, short = members[rows[0]], [replace(members[k], kind="unroll") for k in rows[1]]
            outer = [m for k, m in enumerate(members) if k != rows[0] and k not in rows[1]]
            return self.lanes_of_rows(outer, vector, True, Band(tuple(short), True, band.child), threaded)
        if best is None and len(members) > 1 and self.options.vectorize and members[-2].coincident:
            inner = Band((members[-1],), True, band.child)
            if outer_lanes_pay(self.scop, self.lanes, members[-2], inner):
                return self.outer_lanes(Band(tuple(members[:-1]), band.permutable, inner), threaded)
        if best is None:
            self.sharing.thread(members, threaded)
            return replace(band, members=tuple(members))
        vector = replace(members[best], kind="vector")
        movable = vector.coincident or best == len(members) - 1 or band.permutable
        if not movable:
            self.sharing.thread(members, threaded)
            return replace(band, members=tuple(members))
        del members[best]
        self.decisions.note(f"{', '.join(names)}: lanes along {vector.text}")
        block = self.choice.strided_partner(members, vector, names)
        if block is not None:
            return self.blocked(members, block, vector, band, threaded)
        members = in_reading_order(self.lanes, members, vector, names) if self.options.tile else members
        strip = self.sharing.strip(vector, members, NARROW_STRIP if members else STRIP, threaded)
        if strip is not None:
            return Band((strip, *members, vector), band.permutable, band.child)
        self.sharing.thread(members, threaded)
        return Band((*members, vector), band.permutable, band.child)

    def lanes_of_rows(
        self, members: list[Member], vector: Member, permutable: bool, child: Node, threaded: bool
    ) -> Node:
        """Lanes along `vector`, around loops of a few iterations that are written out."""
        self.decisions.note(f"{', '.join(vector.rows)}: lanes along {vector.text}, around short rows")
        strip = self.sharing.strip(vector, members, NARROW_STRIP, threaded)
        if strip is not None:
            members = [strip, *members]
        else:
            self.sharing.thread(members, threaded)
        return Band((*members, replace(vector, kind="vector")), permutable, child)

    def blocked(self, members: list[Member], partner: int, vector: Member, band: Band, threaded: bool) -> Node:
        """Lanes along two loops, for a backend that turns blocks in registers.

        Threads that have no other loop share what is read contiguously, so that rows are written whole.
        """
        across = replace(members.pop(partner), kind="vector")
        self.decisions.note(f"blocks of {across.text} and {vector.text}: an access is contiguous along the former")
        if not any(m.coincident and self.sharing.is_enough(m) for m in members):
            members.append(self.sharing.blocks(across, vector))
        self.sharing.thread(members, threaded)
        return Band((*members, across, vector), True, band.child)

    # -- nests with re-use ----------------------------------------------------------------------------------

    def register_choice(
        self, members: tuple[Member, ...], child: Node, given: int, permutable: bool = False
    ) -> Choice | None:
        """The register tile of a nest, where the options allow one; the first `given` members are points."""
        if not (self.options.tile and self.options.vectorize) or self.tiling.intra_tile == "none":
            return None
        return self.reuse.contraction(members, child, given, permutable)

    def register_tile(
        self, choice: Choice, members: tuple[Member, ...], given: int, child: Node, threaded: bool
    ) -> Node:
        """Tile the members of a choice and sink their points: unrolled rows, then lanes, inside the reduction.

        The first `given` members are points of a block that is cut already.
        """
        statement = choice.statement
        points: list[Member] = []
        parallel = [replace(m, kind="serial") for m in members[:given]]
        parallel += [m for m in members[given:] if not is_summed(m, statement)]
        lane_point: list[Member] = []
        own: list[Member] = []
        for member in parallel:
            var = var_of(member, statement)
            size = choice.tiles.get(var) if var is not None else None
            if size is None:
                own.append(member)
            elif var is choice.vector:
                own.append(replace(member, tile=size))
                lane_point.append(replace(member, kind="vector"))
            else:
                own.append(replace(member, tile=size))
                points.append(replace(member, kind="unroll"))
        tiles = " x ".join(f"{v}:{s}" for v, s in choice.tiles.items())
        self.decisions.note(f"{statement.name}: lanes along {choice.vector}; tile {tiles}")
        for subject, figures in choice.figures.items():
            self.decisions.weigh(f"{statement.name}, {subject}", figures)
        serial = tuple([m for m in members[given:] if is_summed(m, statement)])
        inside = Band(serial, True, child) if serial else child
        own = self.tiles.panel_order(own, statement, choice, given)
        if not threaded and self.options.parallel:
            own = self.tiles.shared_rows(own, statement, choice, self.decisions.note)
        block = self.reuse.reduction_block(choice) if not given else 0
        rows = tuple([m for m in own if m.tile and var_of(m, statement) is not choice.vector and m.kind != "parallel"])
        outer = [m for m in own if m not in rows]
        if block and rows and len(outer) > 0:
            self.decisions.note(f"{statement.name}: reduction in blocks of {block}, so that a panel stays in cache")
            self.sharing.thread(outer, threaded or _is_shared(outer))
            return _band_over(outer, sink_blocked(inside, rows, (*points, *lane_point), choice, block))
        self.sharing.thread(own, threaded or _is_shared(own))
        count = self.reuse.sums_outside(choice) if not given else 0
        inner = tuple([m for m in own if m.kind != "parallel"])
        if count and inner and not self.lanes.trips(inner[0]) < 2:
            self.decisions.note(f"{statement.name}: tiles inside of {count} loops of its sum: they read the same")
            outer = [m for m in own if m.kind == "parallel"]
            return _band_over(outer, sink_within(inside, inner, (*points, *lane_point), choice, count))
        return _band_over(own, sink(inside, (*points, *lane_point), choice))


def _is_shared(members: list[Member]) -> bool:
    return any(m.kind == "parallel" for m in members)


def _band_over(members: list[Member], child: Node) -> Node:
    return Band(tuple(members), True, child) if members else child


def _only_leaves(node: Node) -> bool:
    return isinstance(node, Sequence) and all(isinstance(f.child, Leaf) for f in node.children)
