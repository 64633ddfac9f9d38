"""Memory-based dependences between statement instances, and what they say about the bands of a tree.

A dependence is a relation from source to sink instances that touch one element, at least one of them writing,
where the source runs first in the original order. Relations are kept apart by pair of accesses and by the loop
that carries them: simple convex pieces, which Farkas elimination and the distance tests like best.
(A union of a stencil's accesses, coalesced, can take isl seconds; its pieces take microseconds.)

The same relation between the same statements is listed once, as flow before output before anti.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from typing import Literal

from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Cast, Expr, Load
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import REDUCTIONS, Store
from akg.poly import isl
from akg.poly.domain import Model, model_of
from akg.poly.scop import Access, Scop, Statement
from akg.poly.tree import Band, Domain, Filter, Leaf, Mark, Member, Node, Sequence

Kind = Literal["flow", "anti", "output"]
BUDGET = 4_000_000  # isl operations for all dependences of a kernel, about a second


@dataclass(frozen=True, slots=True, eq=False)
class Dependence:
    """`sink` instances that must run after their `source` instances.

    Attributes:
        relation: source instances to sink instances.
        wrapped: the same relation as a set.
        level: the original loop that carries it, counted from outside; the number of common loops if none does.
        is_reduction: a reduction's update on its own accumulator; may be reordered, not run at once.
    """

    kind: Kind
    source: str
    sink: str
    relation: isl.Map
    wrapped: isl.Set
    buffer: Buffer
    level: int
    is_reduction: bool = False


def dependences(scop: Scop, operations: int = BUDGET, model: Model | None = None) -> list[Dependence]:
    """All memory-based dependences, exact up to the over-approximations of `akg.poly.domain`, over a model if given.

    Raises:
        isl.Unknown: if more than `operations` isl operations are needed.
    """
    model = model_of(scop) if model is None else model
    result: list[Dependence] = []
    with isl.budget(operations):
        for buffer, accesses in _by_buffer(scop).items():
            seen: set[tuple[int, int]] = set()
            for kind, sources, sinks in _pairs(accesses):
                for position, before, a in sources:
                    for later, after, b in sinks:
                        maps = (model.access(before.name, a), model.access(after.name, b))
                        key = (id(maps[0]), id(maps[1]))
                        if key in seen:
                            continue
                        seen.add(key)
                        reduction = position == later and a.indices == b.indices and is_accumulation(before.store)
                        pieces = _ordered(model, maps, before, after, position < later)
                        for level, relation in pieces:
                            dep = Dependence(
                                kind, before.name, after.name, relation, relation.wrap(), buffer, level, reduction
                            )
                            result.append(dep)
    return result


_Place = tuple[int, Statement, Access]


def _by_buffer(scop: Scop) -> dict[Buffer, list[_Place]]:
    written = {s.write.buffer for s in scop.statements.values()}
    result: dict[Buffer, list[_Place]] = {}
    for position, statement in enumerate(scop.statements.values()):
        for access in statement.accesses:
            if access.buffer in written:
                result.setdefault(access.buffer, []).append((position, statement, access))
    return result


def _pairs(accesses: list[_Place]) -> tuple[tuple[Kind, list[_Place], list[_Place]], ...]:
    writes = [p for p in accesses if p[2].is_write]
    reads = [p for p in accesses if not p[2].is_write]
    return (("flow", writes, reads), ("output", writes, writes), ("anti", reads, writes))


def _ordered(
    model: Model, maps: tuple[isl.Map, isl.Map], before: Statement, after: Statement, textual: bool
) -> list[tuple[int, isl.Map]]:
    """The conflicts where the source runs first, by carrying loop."""
    common = common_loops(before, after)
    if not common and not textual:
        return []
    current = isl.compose(maps[0], maps[1].reverse())
    if isl.is_empty(current):
        return []
    return list(by_level(model, current, before, after, textual))


def by_level(
    model: Model, current: isl.Map, before: Statement, after: Statement, textual: bool = True
) -> Iterator[tuple[int, isl.Map]]:
    """A relation of earlier to later instances, by carrying loop; `textual` if what no loop carries is in order."""
    common = common_loops(before, after)
    for level in range(common):
        carried = current.order_lt(isl.IN, level, isl.OUT, level)
        if not _is_void(model, carried):
            yield level, carried
        current = current.equate(isl.IN, level, isl.OUT, level)
    if textual and not _is_void(model, current):
        yield common, current


def _is_void(model: Model, relation: isl.Map) -> bool:
    if isl.is_empty(relation):
        return True
    return bool(model.values) and isl.is_empty(model.concrete(relation.wrap()))


def common_loops(a: Statement, b: Statement) -> int:
    """The number of outer loops that two statements share."""
    count = 0
    for x, y in zip(a.loops, b.loops, strict=False):
        if x is not y:
            break
        count += 1
    return count


def is_accumulation(store: Store) -> bool:
    """Whether a store is a reduction's update: ``combine(old, term)`` where `term` has no old element in it."""
    if store.reduction is None:
        return False
    value: Expr = store.value
    while isinstance(value, Cast):
        value = value.a
    old = Load(store.buffer, store.indices)
    if not isinstance(value, Binary) or value.op != REDUCTIONS.get(store.reduction):
        return False
    first = value.a
    while isinstance(first, Cast):
        first = first.a
    return first is old and all(node is not old for node in walk_expr(value.b))


# --- distances and the marks of bands ----------------------------------------------------------------


Open = tuple[Dependence, isl.Set]  # a dependence with the part of it that the outer nodes leave open


def open_dependences(dependences: Iterable[Dependence]) -> list[Open]:
    """Every dependence, wholly open: the state above the root of a tree."""
    return [(d, d.wrapped) for d in dependences]


def distance(model: Model, dependence: Dependence, member: Member) -> isl.Aff:
    """The distance of a dependence in a member, in units of tiles for a tile member."""
    return model.pair(dependence.source, dependence.sink).of_member(member)


def signs(model: Model, part: Open, member: Member) -> tuple[bool, bool]:
    """Whether the open part has instances with (negative, positive) distance in a member."""
    d = distance(model, part[0], member)
    zero = model.pair(part[0].source, part[0].sink).zero
    return _has(model, part[1], d.lt_basic_set(zero)), _has(model, part[1], d.gt_basic_set(zero))


def _has(model: Model, part: isl.Set, where: isl.BasicSet) -> bool:
    found = isl.intersect(part, where)
    if isl.is_empty(found):
        return False
    return not model.values or not isl.is_empty(model.concrete(found))


def left_open(model: Model, parts: Iterable[Open], members: Seq[Member]) -> list[Open]:
    """What stays open below some members: the parts of equal rows."""
    result: list[Open] = []
    for dependence, part in parts:
        for member in members:
            d = distance(model, dependence, member)
            part = isl.intersect(part, d.zero_basic_set())
            if isl.is_empty(part):
                break
        else:
            result.append((dependence, part))
    return result


def within(parts: Iterable[Open], names: Iterable[str]) -> list[Open]:
    """The parts with both ends among some statements: what is open below a filter."""
    kept = frozenset(names)
    return [p for p in parts if p[0].source in kept and p[0].sink in kept]


def annotate(scop: Scop, tree: Domain, dependences: Iterable[Dependence]) -> Domain:
    """The tree with `coincident` and `permutable` recomputed; bands are split where they are not permutable.

    Dependences marked `is_reduction` do not hinder permutability (a reduction's order is free), but a member
    that carries one is not coincident; see `reduction_coincident`.

    Raises:
        isl.Unknown: if the budget ran out.
    """
    model = model_of(scop)
    with isl.budget(BUDGET):
        return replace(tree, child=_annotate(model, tree.child, open_dependences(dependences)))


def _annotate(model: Model, node: Node, parts: list[Open]) -> Node:
    if isinstance(node, Leaf):
        return node
    if isinstance(node, Band):
        return _annotate_band(model, node, parts)
    if isinstance(node, Sequence):
        children = [Filter(f.statements, _annotate(model, f.child, within(parts, f.statements))) for f in node.children]
        return Sequence(tuple(children))
    if isinstance(node, Filter):
        return Filter(node.statements, _annotate(model, node.child, within(parts, node.statements)))
    return Mark(node.name, _annotate(model, node.child, parts))


def _annotate_band(model: Model, band: Band, parts: list[Open]) -> Node:
    """Greedy: a member joins the group above it if no dependence open there has a negative distance in it."""
    groups: list[list[Member]] = []
    group: list[Member] = []
    for member in band.members:
        negative, carries, reduces = _test(model, parts, member)
        if group and negative:
            parts = left_open(model, parts, group)
            groups.append(group)
            group = []
            negative, carries, reduces = _test(model, parts, member)
        is_free = not carries and not negative and member.directive != "sequential"
        group.append(replace(member, coincident=is_free and not reduces, reduction=is_free and reduces))
        if negative:  # the order itself is broken here; `legality` says so
            groups.append(group)
            parts = left_open(model, parts, group)
            group = []
    if group:
        groups.append(group)
        parts = left_open(model, parts, group)
    node = _annotate(model, band.child, parts)
    for members in reversed(groups):
        node = Band(tuple(members), True, node)
    return node


def _test(model: Model, parts: list[Open], member: Member) -> tuple[bool, bool, bool]:
    """Whether some dependence has a negative distance, is carried, is carried as a reduction's own."""
    negative = carries = reduces = False
    for part in parts:
        below, above = signs(model, part, member)
        if part[0].is_reduction:
            reduces = reduces or below or above
        else:
            negative, carries = negative or below, carries or above
    return negative, carries, reduces


def carried(scop: Scop, tree: Domain, dependences: Iterable[Dependence], band: Band, position: int) -> list[Dependence]:
    """The dependences with a nonzero distance in a member of a band of `tree`, among those open at the band."""
    model = model_of(scop)
    found: list[Dependence] = []

    def visit(node: Node, parts: list[Open]) -> bool:
        if node is band:
            found.extend(p[0] for p in parts if any(signs(model, p, band.members[position])))
            return True
        if isinstance(node, Band):
            return visit(node.child, left_open(model, parts, node.members))
        if isinstance(node, Sequence):
            return any(visit(f.child, within(parts, f.statements)) for f in node.children)
        return not isinstance(node, Leaf) and visit(node.child, parts)

    visit(tree.child, open_dependences(dependences))
    return found


def reduction_coincident(
    scop: Scop, tree: Domain, dependences: Iterable[Dependence], band: Band, position: int
) -> bool:
    """Whether a member carries reduction dependences only, so that its loop may be a vector loop or be split."""
    return all(d.is_reduction for d in carried(scop, tree, dependences, band, position))
