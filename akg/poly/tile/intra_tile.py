"""Tiles of sequential permutable bands around products: which loops run inside a tile, and in which order.

The factorisations (lu, Cholesky) have three loops, each carrying dependences, that may be interchanged and tiled. A
tile that lies wholly inside the domain of the product runs as a register tile; the others, at the edges of triangles,
as loops with the contiguous one innermost. Tiles of one wavefront are shared among threads.

    Before:  band: i, j, k  permutable          After:  wavefront: tile of i plus tile of j       in order
               S0: A[i,j] -= A[i,k] * A[k,j]              tile of j: parallel
               S1: A[i,j] /= A[j,j]                         tile of k
                                                              S0 where the tile is whole: register tiles of i x j, k
                                                              S0 elsewhere, S1: loops i, k, and lanes along j

The parts of the product are statements of their own (`akg.poly.index_split`). The order of loops inside tiles is the
intra-tile optimisation of Bondhugula et al. 2008, section 5.4; whole tiles apart are those of Goumas et al. 2003.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import reduce

from akg.base.dtype import bool_
from akg.base.target import Target
from akg.ir.affine import Affine
from akg.ir.expr import Const, Expr, Var, binary
from akg.ir.simplify import simplify
from akg.poly.access import depends_on, is_reused, stride
from akg.poly.components import in_order
from akg.poly.dependence import Dependence, Open, annotate, dependences, left_open, open_dependences, within
from akg.poly.domain import Model, model_of
from akg.poly.fuse import single_iterator
from akg.poly.index_split import Tiled, split_statements, with_copies
from akg.poly.legality import prove
from akg.poly.scop import Scop, Statement
from akg.poly.tile.embed import embed
from akg.poly.tile.lanes import LaneModel, is_accumulator
from akg.poly.tile.reuse import Choice, ReuseModel, is_box
from akg.poly.tree import LEAF, TILED, Band, Domain, Filter, Leaf, Mark, Member, Node, Sequence, map_tree

SIDE = 32  # iterations of a tile in each dimension, at least


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one band is tiled; everything by position of its members.

    Attributes:
        products: statements whose whole tiles become register tiles, each with its choice.
        nests: statements under loops of their own inside the band; whole tiles have constant extents.
        sizes: of the tiles; those that make up wavefronts are equal. None for a band that uses each element once,
            where tiles and threads would wait for memory alone.
        inside: members whose tiles run in order inside one of a wavefront: the sums of products.
        innermost: the member that fills lanes in the other tiles.
    """

    band: Band
    products: dict[str, Choice]
    nests: tuple[str, ...]
    sizes: tuple[int, ...]
    inside: tuple[int, ...]
    innermost: int

    @property
    def apart(self) -> tuple[str, ...]:
        """The statements whose whole tiles are statements of their own."""
        return (*self.products, *self.nests)


def tile_products(
    scop: Scop,
    tree: Domain,
    edges: Iterable[Dependence],
    target: Target,
    note: Callable[[str], None],
    *,
    parallel: bool = True,
) -> Tiled | None:
    """`tree` with its sequential permutable bands around products tiled; None if there is none, or it is not legal.

    Args:
        scop: the statements.
        tree: a schedule with `coincident` and `permutable` annotated.
        edges: the dependences.
        target: the machine.
        note: told what was decided.
        parallel: whether threads share the tiles of a wavefront.
    """
    planner = _Planner(scop, target, list(edges))
    plans = [plan for band in _outer_bands(tree.child) if (plan := planner.plan(band)) is not None]
    if not plans:
        return None
    conditions = {
        name: whole_tile(scop.statements[name], plan.band.members, plan.sizes) for plan in plans for name in plan.apart
    }
    split, copies = split_statements(scop, conditions)
    found = dependences(split)
    builder = _Builder(split, found, target, copies, parallel)

    def visit(node: Node) -> Node:
        if not isinstance(node, Band) or not node.members:
            return node
        plan = next((p for p in plans if p.band.members[0].rows.keys() <= node.members[0].rows.keys()), None)
        return node if plan is None else Mark(TILED, builder.tiles(plan))

    def lanes(node: Node) -> Node:
        if not isinstance(node, Mark) or node.name != TILED:
            return node
        return replace(node, child=map_tree(node.child, builder.vectorised))

    tiled = with_copies(tree, copies)
    tiled = annotate(split, replace(tiled, child=map_tree(tiled.child, visit)), found)
    tiled = replace(tiled, child=map_tree(tiled.child, lanes))  # now that it is known which loops are parallel
    if not prove(split, tiled, found):
        return None
    for plan in plans:
        if not plan.sizes:
            note(f"{', '.join(plan.band.members[0].rows)}: no tiles, no threads: each element is used once")
            continue
        sizes = " x ".join(f"{_name(m)}:{s}" for m, s in zip(plan.band.members, plan.sizes, strict=True))
        kind = "register tiles of" if plan.products else "loops of constant extent of"
        note(f"tiles {sizes}; whole ones as {kind} {', '.join(plan.apart)}")
    if parallel and any(plan.sizes for plan in plans):
        note("threads share the tiles of a wavefront")
    return Tiled(split, found, tiled)


def _outer_bands(node: Node) -> list[Band]:
    """The bands that no other encloses."""
    if isinstance(node, Band):
        return [node]
    if isinstance(node, Sequence):
        return [b for f in node.children for b in _outer_bands(f.child)]
    return [] if isinstance(node, Leaf) else _outer_bands(node.child)


def whole_tile(statement: Statement, members: tuple[Member, ...], sizes: tuple[int, ...]) -> Expr:
    """The condition on an instance that every point of its tile is in the statement's domain."""
    corner: dict[Var, tuple[Expr, int]] = {}
    for member, size in zip(members, sizes, strict=True):
        row = member.rows[statement.name]
        (var, _), *_ = row.terms.items()
        tile = binary("mul", binary("floordiv", row.to_expr(), Const(size)), Const(size))
        corner[var] = (tile - row.const, size)
    conditions: list[Expr] = []
    for loop in statement.loops:
        begin, end = Affine.of(loop.begin), Affine.of(loop.end)
        assert begin is not None and end is not None
        for slack in (Affine.var(loop.var) - begin, end - Affine.var(loop.var) + -1):  # both are >= 0 in the domain
            if slack.terms == {loop.var: 1} and slack.const >= 0 and not begin.terms:
                continue  # from 0 on: tiles start there
            least: Expr = Const(slack.const)
            for var, c in slack.terms.items():
                if var in corner:
                    first, size = corner[var]
                    least = least + (first if c > 0 else first + (size - 1)) * c
                else:
                    least = least + var * c
            if not corner.keys().isdisjoint(slack.terms):
                conditions.append(binary("ge", simplify(least), Const(0)))
    return reduce(lambda a, b: binary("and", a, b), conditions, Const(True, bool_))


class _Planner:
    def __init__(self, scop: Scop, target: Target, edges: list[Dependence]) -> None:
        self.scop, self.edges, self.lanes = scop, edges, LaneModel(scop, target)
        self.reuse = ReuseModel(self.lanes)

    def plan(self, band: Band) -> _Plan | None:
        """How to tile a band; None for one in whose order nothing is fixed, or without products or nests that gain."""
        members = band.members
        if not is_box(members) or any(m.coincident for m in members) or all(m.reduction for m in members):
            return None
        if len(members) == 1:
            embedded = embed(self.scop, band, self.edges)
            return None if embedded is None else self.nests(embedded)
        if not band.permutable or not _ends(band.child):
            return None
        if len(members) == 2 and not any(is_reused(self.scop.statements[n]) for n in members[0].rows):
            return _Plan(band, {}, (), (), (), 1)
        if len(members) < 3:
            return None
        found = {n: c for n in members[0].rows if (c := self.product(n, members)) is not None}
        if not found:
            return None
        name, choice = next(iter(found.items()))
        statement = self.scop.statements[name]
        places = {single_iterator(m.rows[name]): p for p, m in enumerate(members)}
        inside = [p for v, p in places.items() if v is not None and not depends_on(statement.write, v)]
        lanes = choice.tiles.get(choice.vector, 1) if choice.vector is not None else 1
        side = lanes * -(-SIDE // lanes)
        sizes = [SIDE if p in inside else side for p in range(len(members))]
        found = {n: _fitted(c, side) for n, c in found.items()}
        return _Plan(band, found, (), tuple(sizes), tuple(inside), places[choice.vector])

    def nests(self, band: Band) -> _Plan | None:
        """Tiles of a band around nests, where these are contiguous along its last member and use data again."""
        last = len(band.members) - 1
        deep = [n for n in band.members[0].rows if len(self.scop.statements[n].loops) > len(band.members)]
        parts = band.child.children if isinstance(band.child, Sequence) else ()
        if not deep or not all(_ends(f.child) or (isinstance(f.child, Band) and _ends(f.child.child)) for f in parts):
            return None
        for name in deep:
            statement = self.scop.statements[name]
            var = single_iterator(band.members[last].rows[name])
            if var is None or statement.guards or not all(abs(stride(a, var)) <= 1 for a in statement.accesses):
                return None
            if any(all(depends_on(a, v) for v in statement.iterators) for a in statement.accesses):
                return None
        return _Plan(band, {}, tuple(deep), (SIDE,) * len(band.members), (), last)

    def product(self, name: str, members: tuple[Member, ...]) -> Choice | None:
        """The register tile of a statement that sums products along one member, each operand used again."""
        statement = self.scop.statements[name]
        own = [single_iterator(m.rows[name]) for m in members]
        if statement.store.reduction is None or statement.guards or len(set(own)) < len(own):
            return None
        variables = [v for v in own if v is not None]
        if set(variables) != set(statement.iterators):
            return None
        bounds = [Affine.of(e) for loop in statement.loops for e in (loop.begin, loop.end)]
        inside = [v for v in variables if not depends_on(statement.write, v)]
        operands = [a for a in statement.reads if not is_accumulator(a, statement)]
        if any(b is None for b in bounds) or len(inside) != 1 or len(operands) < 2:
            return None
        if any(all(depends_on(a, v) for v in variables) for a in operands):
            return None  # nothing is used again
        return self.reuse.tile_of(statement, [v for v in variables if v not in inside], inside, {}, (), [])


class _Builder:
    """Makes the subtrees over the split statements."""

    def __init__(
        self, scop: Scop, edges: Iterable[Dependence], target: Target, copies: dict[str, str], parallel: bool
    ) -> None:
        self.scop, self.copies, self.parallel = scop, copies, parallel
        self.model: Model = model_of(scop)
        self.edges, self.lanes = list(edges), LaneModel(scop, target)

    def tiles(self, plan: _Plan) -> Node:
        """Wavefronts of tiles; in a tile the statements at its edges, then the whole products."""
        names = tuple([n for name in plan.band.members[0].rows for n in _both(name, self.copies)])
        members = [_with_rows(m, self.copies) for m in plan.band.members]
        if not plan.sizes:
            return self.points(plan, members, names, within(open_dependences(self.model, self.edges), names))
        unmarked = [replace(m, coincident=False, reduction=False) for m in members]
        tiles = [replace(m, tile=size) for m, size in zip(unmarked, plan.sizes, strict=True)]
        whole = [self.copies[n] for n in plan.products]
        rest = tuple([n for n in names if n not in whole])
        open_ = left_open(within(open_dependences(self.model, self.edges), names), tiles)
        inside = Sequence((
            Filter(rest, self.points(plan, members, rest, open_)),
            *[Filter((self.copies[n],), self.register_tile(plan, members, n)) for n in plan.products],
        ))  # fmt: skip
        shared = [p for p in range(len(tiles)) if p not in plan.inside]
        first, second = shared[0], shared[1]
        left = tuple([t for p, t in enumerate(tiles) if p not in (first, second)])
        if not self.parallel:
            return Band((tiles[first], tiles[second], *left), True, inside)
        wave = replace(tiles[first], skew=(tiles[second].rows,))
        threads = replace(tiles[second], kind="parallel", coincident=True)
        return Band((wave,), True, Band((threads, *left), True, inside))

    def points(self, plan: _Plan, members: list[Member], names: tuple[str, ...], open_: list[Open]) -> Node:
        """The loops of edge tiles: one member each, the innermost a loop of its own for each group of statements."""
        keep = frozenset(names)
        own = [replace(m.restricted(keep), coincident=False, reduction=False) for m in members]
        outer = [m for p, m in enumerate(own) if p != plan.innermost]
        left = left_open(within(open_, names), outer)
        arcs = list(dict.fromkeys([(d.source, d.sink) for d in left if d.source != d.sink]))
        parts: list[Filter] = []
        for group in in_order([n for n in self.scop.statements if n in keep], arcs):
            nests = [self.nest(plan, n) for n in group]
            member = own[plan.innermost].restricted(frozenset(group))
            if len(group) > 1:
                inner: Node = Sequence(tuple([Filter((n,), _over(m)) for n, m in zip(group, nests, strict=True)]))
                parts.append(Filter(group, Band((member,), True, inner)))
            elif any(member.rows == {n: m.rows[n] for n in group} for m in outer):
                parts.append(Filter(group, _over([member, *nests[0]])))  # one iteration only
            else:
                parts.append(Filter(group, _over([*nests[0], member])))
        node: Node = Sequence(tuple(parts)) if len(parts) > 1 else parts[0].child
        return _over(outer, node)

    def register_tile(self, plan: _Plan, members: list[Member], name: str) -> Node:
        """A whole tile of a product: register tiles, the reduction inside, then their points."""
        choice, keep = plan.products[name], frozenset((self.copies[name],))
        own = [m.restricted(keep) for m in members]
        variables = [single_iterator(m.rows[name]) for m in plan.band.members]
        outer: list[Member] = []
        points: list[Member] = []
        for p, (member, var) in enumerate(zip(own, variables, strict=True)):
            if p in plan.inside:
                continue
            size = choice.tiles.get(var, 1) if var is not None else 1
            outer.append(replace(member, tile=size) if size > 1 else member)
            if size > 1:
                points.append(replace(member, kind="vector" if var is choice.vector else "unroll"))
        points.sort(key=lambda m: m.kind == "vector")
        (at,) = plan.inside
        summed = replace(own[at], kind="vector") if at == plan.innermost else own[at]
        outer.sort(key=lambda m: bool(m.tile))
        node: Node = Band(tuple(points), True, LEAF) if points else LEAF
        return Band(tuple(outer), True, Band((summed,), True, node))

    def nest(self, plan: _Plan, name: str) -> list[Member]:
        """The loops of one statement that are its own, inside the band."""
        source = next((old for old, new in self.copies.items() if new == name), name)
        for part in plan.band.child.children if isinstance(plan.band.child, Sequence) else ():
            if source in part.statements and isinstance(part.child, Band):
                return [Member({name: m.rows[source]}) for m in part.child.members]
        return []

    def vectorised(self, node: Node) -> Node:
        """A point loop around statements as a vector loop, where its iterations are independent and that pays."""
        if not isinstance(node, Band) or len(node.members) != 1 or not _ends(node.child):
            return node
        member = node.members[0]
        if member.kind != "serial" or member.tile or not (member.coincident or member.reduction):
            return node
        cost = 0.0
        for name, row in member.rows.items():
            statement, var = self.scop.statements[name], single_iterator(row)
            if var is None or (not member.coincident and depends_on(statement.write, var)):
                return node
            cost += self.lanes.lane_cost(statement, var)
        pays = cost < self.lanes.scalar_cost(list(member.rows))
        return replace(node, members=(replace(member, kind="vector"),)) if pays else node


def _fitted(choice: Choice, side: int) -> Choice:
    """A register tile of extents that divide a side."""
    fitted = {v: max(e for e in range(1, extent + 1) if side % e == 0) for v, extent in choice.tiles.items()}
    return replace(choice, tiles=fitted)


def _both(name: str, copies: dict[str, str]) -> tuple[str, ...]:
    return (name, copies[name]) if name in copies else (name,)


def _with_rows(member: Member, copies: dict[str, str]) -> Member:
    """A member with a row for each copy."""
    return replace(member, rows={n: row for name, row in member.rows.items() for n in _both(name, copies)})


def _over(members: list[Member], child: Node = LEAF) -> Node:
    """Nested bands of one member each."""
    for member in reversed(members):
        child = Band((member,), True, child)
    return child


def _ends(node: Node) -> bool:
    """Whether only statements are below."""
    if isinstance(node, Sequence):
        return all(isinstance(f.child, Leaf) for f in node.children)
    return isinstance(node, Leaf)


def _name(member: Member) -> str:
    return " | ".join(sorted({str(row) for row in member.rows.values()}))
