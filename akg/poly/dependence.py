"""Memory-based dependences between statement instances, and what they say about the bands of a tree.

A dependence is a relation from source to sink instances that touch one element, at least one of them writing,
where the source runs first in the original order. Relations are kept apart by pair of accesses and by the loop
that carries them: simple convex pieces, which Farkas elimination and the distance tests like best.
(A union of a stencil's accesses, coalesced, can take isl seconds; its pieces take microseconds.)

The same relation between the same statements is listed once, as flow before output before anti.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as Seq
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from typing import Literal

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Cast, Expr, Load
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import REDUCTIONS, Store
from akg.poly import isl
from akg.poly.boxes import NoBoxError, boxes_of
from akg.poly.domain import Model, model_of
from akg.poly.pairs import NoPairError, Pairs, meetings
from akg.poly.scop import Access, Scop, Statement
from akg.poly.tree import Band, Domain, Filter, Leaf, Mark, Member, Node, Sequence

Kind = Literal["flow", "anti", "output"]
BUDGET = 4_000_000  # isl operations for all dependences of a kernel, about a second


class Dependence:
    """`sink` instances that must run after their `source` instances.

    Attributes:
        kind: "flow", "anti" or "output".
        level: the original loop that carries it, counted from outside; the number of common loops if none does.
        is_reduction: a reduction's update on its own accumulator; may be reordered, not run at once.
        pairs: it as a box, with symbolic constants at their values; None where it is none.
    """

    def __init__(
        self, kind: Kind, source: str, sink: str, relation: isl.Map | Callable[[], isl.Map], buffer: Buffer, level: int,
        is_reduction: bool = False, pairs: Pairs | None = None, symbolic: Callable[[], Pairs | None] = lambda: None,
    ) -> None:  # fmt: skip
        self.kind: Kind = kind
        self.source, self.sink, self.buffer = source, sink, buffer
        self.level, self.is_reduction, self.pairs = level, is_reduction, pairs
        self._relation, self._symbolic = relation, symbolic
        self._open: Open | None = None

    @cached_property
    def relation(self) -> isl.Map:
        """Source instances to sink instances; computed when it is asked for."""
        return self._relation() if callable(self._relation) else self._relation

    @cached_property
    def wrapped(self) -> isl.Set:
        """The same relation as a set."""
        return self.relation.wrap()

    @cached_property
    def symbolic(self) -> Pairs | None:
        """It as a box for all values of symbolic constants; None where it is none."""
        return self._symbolic()

    def open(self, model: Model) -> Open:
        """All of it: what is open above a tree's root."""
        if self._open is None:
            self._open = Open(model, self)
        return self._open


class Open:
    """A part of a dependence: the pairs at distance zero in some outer members. What it answers is remembered.

    Attributes:
        pairs: it as a box, at the recorded values of symbolic constants; None where it is none.
    """

    def __init__(
        self, model: Model, dependence: Dependence, outer: Open | None = None, zero: Member | None = None,
        pairs: Pairs | None = None,
    ) -> None:  # fmt: skip
        self.model, self.dependence, self._outer, self._zero = model, dependence, outer, zero
        self.source, self.sink = dependence.source, dependence.sink
        self.pairs = dependence.pairs if outer is None else pairs
        self._signs: dict[tuple[object, ...], tuple[bool, bool]] = {}
        self._below: dict[tuple[object, ...], Open | None] = {}

    @cached_property
    def part(self) -> isl.Set:
        """It as a set."""
        if self._outer is None or self._zero is None:
            return self.dependence.wrapped
        return isl.intersect(self._outer.part, self.distance(self._zero).zero_basic_set())

    @cached_property
    def symbolic(self) -> Pairs | None:
        """It as a box for all values of symbolic constants; None where it is none."""
        if not self.model.values:
            return self.pairs
        if self._outer is None or self._zero is None:
            return self.dependence.symbolic
        outer = self._outer.symbolic
        if outer is None or self._zero.tile:
            return None
        try:
            return outer.where_zero(self._row(outer, self._zero))
        except NoPairError:
            return None

    def distance(self, member: Member) -> isl.Aff:
        """The distance in a member, in units of tiles for a tile member."""
        return self.model.pair(self.source, self.sink).of_member(member)

    def signs(self, member: Member) -> tuple[bool, bool]:
        """Whether there are pairs with (negative, positive) distance in a member."""
        key = self._key(member)
        found = self._signs.get(key)
        if found is None:
            negative, positive = self._known_signs(member)
            if negative is None or positive is None:
                d, zero = self.distance(member), self.model.pair(self.source, self.sink).zero
                negative = self._has(d.lt_basic_set(zero)) if negative is None else negative
                positive = self._has(d.gt_basic_set(zero)) if positive is None else positive
            found = self._signs[key] = negative, positive
        return found

    def below(self, member: Member) -> Open | None:
        """The pairs at distance zero in a member; None if there is none."""
        key = self._key(member)
        if key not in self._below:
            self._below[key] = self._left_open(member)
        return self._below[key]

    def is_void(self) -> bool:
        """Whether there is no pair at the recorded values of symbolic constants."""
        if self.pairs is not None and self.pairs.is_empty() is False:
            return False
        return isl.is_empty(self.model.concrete(self.part))

    def _key(self, member: Member) -> tuple[object, ...]:
        waves = [rows[n] for rows in member.skew for n in (self.source, self.sink)]
        return member.rows[self.source], member.rows[self.sink], member.tile, *waves

    def _row(self, pairs: Pairs, member: Member) -> Affine:
        return pairs.difference(member.rows[self.source], member.rows[self.sink])

    def _known_signs(self, member: Member) -> tuple[bool | None, bool | None]:
        """`signs`, as far as the box tells them."""
        if self.pairs is None:
            return None, None
        row = self._row(self.pairs, member)
        if member.skew:
            rows = [row, *[self.pairs.difference(other[self.source], other[self.sink]) for other in member.skew]]
            return (None, None) if any(r.terms or r.const for r in rows) else (False, False)
        negative, positive = self.pairs.has(row, False), self.pairs.has(row, True)
        if member.tile > 1:  # near pairs may be in one tile, or in two
            negative = negative and (self.pairs.has(row + (member.tile - 1), False) or None)
            positive = positive and (self.pairs.has(row + (1 - member.tile), True) or None)
        return negative, positive

    def _left_open(self, member: Member) -> Open | None:
        rest: Pairs | None = None
        if self.pairs is not None:
            row = self._row(self.pairs, member)
            waves = [self.pairs.difference(other[self.source], other[self.sink]) for other in member.skew]
            if not any(form.terms or form.const for form in (row, *waves)):
                return self
            if not member.tile:
                try:
                    rest = self.pairs.where_zero(row)
                except NoPairError:
                    return None
        found = Open(self.model, self.dependence, self, member, rest)
        is_known = rest is not None and rest.is_empty() is False
        return found if is_known or not isl.is_empty(found.part) else None

    def _has(self, where: isl.BasicSet) -> bool:
        found = isl.intersect(self.part, where)
        if isl.is_empty(found):
            return False
        return not self.model.values or not isl.is_empty(self.model.concrete(found))


def dependences(scop: Scop, operations: int = BUDGET, model: Model | None = None) -> list[Dependence]:
    """All memory-based dependences, exact up to the over-approximations of `akg.poly.domain`, over a model if given.

    Raises:
        isl.Unknown: if more than `operations` isl operations are needed.
    """
    model = model_of(scop) if model is None else model
    result: list[Dependence] = []
    with isl.budget(operations):
        for accesses in _by_buffer(scop).values():
            seen: set[tuple[object, ...]] = set()
            for kind, sources, sinks in _pairs(accesses):
                for position, before, a in sources:
                    for later, after, b in sinks:
                        key = (position, a.indices, a.conditions, later, b.indices, b.conditions)
                        if key not in seen:
                            seen.add(key)
                            result.extend(_between(model, kind, (before, a), (after, b), position, later))
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


def _between(
    model: Model, kind: Kind, source: tuple[Statement, Access], sink: tuple[Statement, Access], position: int,
    later: int,
) -> Iterator[Dependence]:  # fmt: skip
    """The conflicts of two accesses where the source runs first, by carrying loop."""
    (before, a), (after, b) = source, sink
    common = common_loops(before, after)
    reduction = position == later and a.indices == b.indices and is_accumulation(before.store)
    pieces = _Pieces(model, source, sink, common, position < later)
    for level, pairs in pieces.levels():
        yield Dependence(
            kind, before.name, after.name, partial(pieces.relation, level), a.buffer, level, reduction, pairs,
            partial(pieces.symbolic, level),
        )  # fmt: skip


class _Pieces:
    """The pairs of instances that touch one element by two accesses, by the loop that carries them."""

    def __init__(
        self, model: Model, source: tuple[Statement, Access], sink: tuple[Statement, Access], common: int,
        textual: bool,
    ) -> None:  # fmt: skip
        self.model, self.source, self.sink, self.common, self.textual = model, source, sink, common, textual
        self._equal: list[isl.Map] = []  # by level: the pairs that are equal in all loops outside of it

    @cached_property
    def conflicts(self) -> isl.Map:
        """All pairs, in any order."""
        first, second = (self.model.access(s.name, access) for s, access in (self.source, self.sink))
        return isl.compose(first, second.reverse())

    @cached_property
    def is_apart(self) -> bool:
        """Whether the accesses never meet, in any order."""
        return isl.is_empty(self.conflicts)

    def relation(self, level: int) -> isl.Map:
        """Those that one loop carries; none of them, for the number of common loops."""
        while len(self._equal) <= level:
            k = len(self._equal)
            self._equal.append(self._equal[-1].equate(isl.IN, k - 1, isl.OUT, k - 1) if k else self.conflicts)
        current = self._equal[level]
        return current.order_lt(isl.IN, level, isl.OUT, level) if level < self.common else current

    def levels(self) -> Iterator[tuple[int, Pairs | None]]:
        """The loops that carry pairs, with these as a box where they are one."""
        first = 0
        try:
            for level, pairs in self.boxes(False):
                first = level + 1
                if pairs.is_empty() is False or not self.is_void(level):
                    yield level, pairs
            return
        except NoBoxError:
            pass
        for level in range(first, self.common + self.textual):
            if not self.is_void(level):
                yield level, None

    def boxes(self, symbolic: bool) -> Iterator[tuple[int, Pairs]]:
        """As boxes, with symbolic constants as parameters or as numbers; raises `NoBoxError` where they are none."""
        return meetings(boxes_of(self.model, symbolic), self.source, self.sink, self.common, self.textual)

    @cached_property
    def _symbolic(self) -> dict[int, Pairs]:
        found: dict[int, Pairs] = {}
        with suppress(NoBoxError):
            found.update(self.boxes(True))
        return found

    def symbolic(self, level: int) -> Pairs | None:
        """Those that one loop carries, as a box with symbolic constants as parameters; None where they are none."""
        return self._symbolic.get(level)

    def is_void(self, level: int) -> bool:
        """Whether a loop carries no pair."""
        return self.is_apart or _is_void(self.model, self.relation(level))


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


def open_dependences(model: Model, dependences: Iterable[Dependence]) -> list[Open]:
    """Every dependence, wholly open: the state above the root of a tree."""
    return [d.open(model) for d in dependences]


def left_open(parts: Iterable[Open], members: Seq[Member]) -> list[Open]:
    """What stays open below some members: the parts of equal rows."""
    result: list[Open] = []
    for part in parts:
        left: Open | None = part
        for member in members:
            left = None if left is None else left.below(member)
        if left is not None:
            result.append(left)
    return result


def within(parts: Iterable[Open], names: Iterable[str]) -> list[Open]:
    """The parts with both ends among some statements: what is open below a filter."""
    kept = frozenset(names)
    return [p for p in parts if p.source in kept and p.sink in kept]


def annotate(scop: Scop, tree: Domain, dependences: Iterable[Dependence]) -> Domain:
    """The tree with `coincident` and `permutable` recomputed; bands are split where they are not permutable.

    Dependences marked `is_reduction` do not hinder permutability (a reduction's order is free), but a member
    that carries one is not coincident; see `reduction_coincident`.

    Raises:
        isl.Unknown: if the budget ran out.
    """
    model = model_of(scop)
    with isl.budget(BUDGET):
        return replace(tree, child=_annotate(tree.child, open_dependences(model, dependences)))


def _annotate(node: Node, parts: list[Open]) -> Node:
    if isinstance(node, Leaf):
        return node
    if isinstance(node, Band):
        return _annotate_band(node, parts)
    if isinstance(node, Sequence):
        children = [Filter(f.statements, _annotate(f.child, within(parts, f.statements))) for f in node.children]
        return Sequence(tuple(children))
    if isinstance(node, Filter):
        return Filter(node.statements, _annotate(node.child, within(parts, node.statements)))
    return Mark(node.name, _annotate(node.child, parts))


def _annotate_band(band: Band, parts: list[Open]) -> Node:
    """Greedy: a member joins the group above it if no dependence open there has a negative distance in it."""
    groups: list[list[Member]] = []
    group: list[Member] = []
    for member in band.members:
        negative, carries, reduces = _test(parts, member)
        if group and negative:
            parts = left_open(parts, group)
            groups.append(group)
            group = []
            negative, carries, reduces = _test(parts, member)
        is_free = not carries and not negative and member.directive != "sequential"
        group.append(replace(member, coincident=is_free and not reduces, reduction=is_free and reduces))
        if negative:  # the order itself is broken here; `legality` says so
            groups.append(group)
            parts = left_open(parts, group)
            group = []
    if group:
        groups.append(group)
        parts = left_open(parts, group)
    node = _annotate(band.child, parts)
    for members in reversed(groups):
        node = Band(tuple(members), True, node)
    return node


def _test(parts: list[Open], member: Member) -> tuple[bool, bool, bool]:
    """Whether some dependence has a negative distance, is carried, is carried as a reduction's own."""
    negative = carries = reduces = False
    for part in parts:
        below, above = part.signs(member)
        if part.dependence.is_reduction:
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
            found.extend(p.dependence for p in parts if any(p.signs(band.members[position])))
            return True
        if isinstance(node, Band):
            return visit(node.child, left_open(parts, node.members))
        if isinstance(node, Sequence):
            return any(visit(f.child, within(parts, f.statements)) for f in node.children)
        return not isinstance(node, Leaf) and visit(node.child, parts)

    visit(tree.child, open_dependences(model, dependences))
    return found


def reduction_coincident(
    scop: Scop, tree: Domain, dependences: Iterable[Dependence], band: Band, position: int
) -> bool:
    """Whether a member carries reduction dependences only, so that its loop may be a vector loop or be split."""
    return all(d.is_reduction for d in carried(scop, tree, dependences, band, position))
