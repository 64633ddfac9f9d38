"""The oracle: is a schedule tree legal? It shares the domains with the schedulers, and nothing else.

It proves that every conflicting pair of instances keeps its original order, that permutable bands carry no
dependence backwards in any member, and that parallel and vector loops and members marked coincident carry
none. Without a list of dependences it derives the conflicts and the original order by itself.

The instances of one reduction's update may change places (`relax_reductions`), but not run at once, except
in the lanes of a vector loop whose variable does not occur in the accumulator's subscripts.

Answers have three values: *yes*; *no*, with a pair of instances at concrete sizes; *unknown*, when the budget
of operations ran out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from akg.ir.rewrite import variables_of
from akg.ir.text import to_text
from akg.poly import isl
from akg.poly.dependence import Dependence, Kind, is_accumulation
from akg.poly.distances import distances, is_kept
from akg.poly.domain import Model, model_of
from akg.poly.scop import Access, Scop, Statement
from akg.poly.tree import Band, Domain, Leaf, Member, Node, Sequence, Step, paths, statements_below
from akg.poly.witness import Witness, witness

BUDGET = 4_000_000  # isl operations, about a second
_CONCURRENT = frozenset({"parallel", "vector", "block", "thread"})


@dataclass(frozen=True, slots=True)
class Legality:
    """The answer for one schedule.

    Attributes:
        reason: what was proved, or what is violated where.
        checked: number of dependence relations looked at.
    """

    answer: Literal["yes", "no", "unknown"]
    reason: str
    checked: int = 0
    witness: Witness | None = None

    def __bool__(self) -> bool:
        return self.answer == "yes"

    @property
    def text(self) -> str:
        """One or two lines for people."""
        lines = [f"legal: {self.answer} ({self.reason})"]
        if self.witness is not None:
            lines.append(f"  {self.witness}")
        return "\n".join(lines)


def prove(
    scop: Scop, tree: Domain, dependences: Iterable[Dependence] | None = None, relax_reductions: bool = True
) -> Legality:
    """Whether `tree` runs every instance in a legal order; see the head of this file for what is proved."""
    fault = _malformed(scop, tree)
    if fault is not None:
        return Legality("no", fault)
    model = model_of(scop)
    checked = 0
    try:
        with isl.budget(BUDGET):
            check = _Check(model, tree, relax_reductions)
            for dependence in _conflicts(model, check.paths) if dependences is None else dependences:
                checked += 1
                if dependence is None:
                    continue
                found = check.run(dependence)
                if found is not None:
                    return Legality("no", found[0], checked, found[1])
    except isl.Unknown as unknown:
        return Legality("unknown", str(unknown), checked)
    return Legality("yes", f"{checked} dependences kept", checked)


def _malformed(scop: Scop, tree: Domain) -> str | None:
    """What is wrong with the tree's shape: statements lost or doubled, rows over foreign variables."""
    reached: list[str] = []

    def visit(node: Node, names: tuple[str, ...]) -> str | None:
        if isinstance(node, Leaf):
            reached.extend(names)
            return None
        if isinstance(node, Sequence):
            return next((f for c in node.children if (f := visit(c, names)) is not None), None)
        if isinstance(node, Band):
            for member in node.members:
                for name in names:
                    known = {*scop.statements[name].iterators, *scop.sizes}
                    if name not in member.rows or not known.issuperset(member.rows[name].terms):
                        return f"a band has no row for {name}, or one over variables that are not its own"
        return visit(node.child, statements_below(node, names))

    fault = visit(tree.child, tree.statements)
    if fault is None and sorted(reached) != sorted(scop.statements):
        fault = f"the tree runs {', '.join(reached)}; the kernel has {', '.join(scop.statements)}"
    return fault


def _conflicts(model: Model, chosen: dict[str, tuple[Step, ...]]) -> Iterator[Dependence | None]:
    """Every conflict in original order, once per pair of statements and of subscripts; None where it is surely kept.

    The order comes from the original tree (isl's order of the time vectors), not from the loops.
    """
    original = paths(model.scop.tree)
    statements = list(model.scop.statements.values())
    for source in statements:
        for sink in statements:
            touching: list[tuple[Kind, Access, Access]] = []
            for kind, a, b in _touching(source, sink):
                pairs = distances(source, sink, a, b, original)
                if not is_kept(pairs, chosen[source.name], chosen[sink.name]):
                    touching.append((kind, a, b))
                elif pairs is not None:
                    yield None
            before = _before(model, source, sink, original) if touching else None
            if before is None:
                continue
            seen: set[tuple[int, int]] = set()
            for kind, a, b in touching:
                x, y = model.access(source.name, a), model.access(sink.name, b)
                if (id(x), id(y)) in seen:
                    continue
                seen.add((id(x), id(y)))
                relation = isl.compose(x, y.reverse())
                if isl.is_empty(relation):
                    continue
                wrapped = isl.intersect(relation.wrap(), before)
                if not isl.is_empty(wrapped):
                    reduction = source is sink and a.indices == b.indices and is_accumulation(source.store)
                    yield Dependence(kind, source.name, sink.name, wrapped.unwrap(), a.buffer, -1, reduction)


def _touching(source: Statement, sink: Statement) -> Iterator[tuple[Kind, Access, Access]]:
    for a in source.accesses:
        for b in sink.accesses:
            if a.buffer is b.buffer and (a.is_write or b.is_write):
                yield ("anti" if not a.is_write else "output" if b.is_write else "flow"), a, b


def _before(model: Model, source: Statement, sink: Statement, original: dict[str, tuple[Step, ...]]) -> isl.Set | None:
    """The pairs of instances where the source comes first in the original order; None if there is none."""
    pair = model.pair(source.name, sink.name)
    equal = isl.universe(pair.space)
    result: isl.Set | None = None
    for a, b in zip(original[source.name], original[sink.name], strict=False):
        if a.member is None or b.member is None:
            if a.position < b.position:
                return equal if result is None else result.union(equal)
            if a.position > b.position:
                return result
            continue
        d = pair.distance(a.member.rows[source.name], b.member.rows[sink.name])
        carried = isl.intersect(equal, d.gt_basic_set(pair.zero))
        result = carried if result is None else result.union(carried)
        equal = isl.intersect(equal, d.zero_basic_set())
    return result


class _Check:
    """Follows a dependence down the tree."""

    def __init__(self, model: Model, tree: Domain, relax: bool) -> None:
        self.model, self.relax = model, relax
        self.paths = paths(tree)

    def run(self, dependence: Dependence) -> tuple[str, Witness] | None:
        """The first violation of a dependence: (what, instances)."""
        free = dependence.is_reduction and self.relax
        part = entry = dependence.wrapped
        closed: Band | None = None  # the band in which the last of the dependence is carried
        for a, b in zip(self.paths[dependence.source], self.paths[dependence.sink], strict=False):
            node = a.node
            if closed is not None and node is not closed:
                return None
            if isinstance(node, Sequence):
                if a.position == b.position:
                    continue
                return None if a.position < b.position else self._violation("runs backwards", dependence, part, free)
            if a.position == 0:
                entry = part
            member = node.members[a.position]
            found = self._member(dependence, node, a.position, part, entry, free)
            if found is not None:
                return found
            d = self._distance(dependence, member)
            part = isl.intersect(part, d.zero_basic_set())
            if closed is None and isl.is_empty(part):
                if not (node.permutable or any(m.coincident for m in node.members)):
                    return None
                closed = node
        return None if closed is not None else self._violation("has no order", dependence, part, free)

    def _member(
        self, dependence: Dependence, band: Band, position: int, part: isl.Set, entry: isl.Set, free: bool
    ) -> tuple[str, Witness] | None:
        member = band.members[position]
        pair = self.model.pair(dependence.source, dependence.sink)
        d = self._distance(dependence, member)
        below, above = d.lt_basic_set(pair.zero), d.gt_basic_set(pair.zero)
        permutable = band.permutable and len(band.members) > 1
        if not free:
            found = self._nonempty(dependence, isl.intersect(entry if permutable else part, below))
            if found is not None:
                what = f"a dependence goes backwards in {_title(member, dependence, position)}"
                return what + (", which is marked permutable" if permutable else ""), found
        concurrent = member.kind in _CONCURRENT and not (
            member.kind == "vector" and dependence.is_reduction and self._same_address(dependence, member)
        )
        if member.coincident or concurrent:
            scope = entry if member.coincident else part
            for side in (below, above):
                found = self._nonempty(dependence, isl.intersect(scope, side))
                if found is not None:
                    mark = f"{member.kind} loop" if concurrent else "coincident member"
                    return f"a {mark} carries a dependence: {_title(member, dependence, position)}", found
        return None

    def _same_address(self, dependence: Dependence, member: Member) -> bool:
        """Whether the accumulator's subscripts are free of the member's iterators."""
        statement = self.model.scop.statements[dependence.source]
        moving = set(member.rows[dependence.source].terms)
        return all(moving.isdisjoint(variables_of(e)) for e in statement.write.indices)

    def _distance(self, dependence: Dependence, member: Member) -> isl.Aff:
        return self.model.pair(dependence.source, dependence.sink).of_member(member)

    def _violation(self, what: str, dependence: Dependence, part: isl.Set, free: bool) -> tuple[str, Witness] | None:
        found = None if free else self._nonempty(dependence, part)
        return None if found is None else (f"a dependence {what}", found)

    def _nonempty(self, dependence: Dependence, part: isl.Set) -> Witness | None:
        return None if isl.is_empty(part) else witness(self.model, dependence, part)


def _title(member: Member, dependence: Dependence, position: int) -> str:
    return f"dimension {position} of a band ({to_text(member.rows[dependence.source].to_expr())})"
