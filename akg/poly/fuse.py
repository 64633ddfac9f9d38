"""Fusion of neighbouring loop nests at their outer, parallel dimensions.

Works on a schedule tree whose members are annotated as coincident, one dimension at a time: neighbours in a sequence
join under one loop when the loop stays parallel (every dependence between them has distance zero on it), its range
is the same for all, and they share data. The loops below then meet in a new sequence, where fusion goes on. So a
matrix product and its epilogue share two loops, and the stages of a softmax share the loop over rows.
"""

from __future__ import annotations

from dataclasses import replace

from akg.ir.affine import Affine
from akg.ir.expr import Const, Expr, Var
from akg.poly.dependence import Dependence, signs
from akg.poly.domain import model_of
from akg.poly.scop import Scop
from akg.poly.tree import Band, Domain, Filter, Member, Node, Sequence

FEW_TRIPS = 4  # a shared loop of fewer iterations gives too little parallelism to pay for what it prevents


def fuse_outer(scop: Scop, tree: Domain, dependences: list[Dependence]) -> Domain:
    """Join neighbouring nests of `tree` under shared parallel loops; the same tree if there is nothing to join."""
    if not isinstance(tree.child, Sequence):
        return tree
    node = _Fuser(scop, dependences).sequence(tree.child)
    return tree if node is tree.child else replace(tree, child=node)


class _Fuser:
    def __init__(self, scop: Scop, dependences: list[Dependence]) -> None:
        self.scop, self.model = scop, model_of(scop)
        self.between: dict[tuple[str, str], list[Dependence]] = {}
        for d in dependences:
            self.between.setdefault((d.source, d.sink), []).append(d)

    def sequence(self, node: Sequence) -> Node:
        """Group the children of a sequence greedily, from the first."""
        groups: list[list[Filter]] = []
        for child in node.children:
            if groups and self.joins(groups[-1], child):
                groups[-1].append(child)
            else:
                groups.append([child])
        if all(len(g) == 1 for g in groups):
            return node
        filters: list[Filter] = []
        for group in groups:
            filters.extend(group if len(group) == 1 else self.fused(group))
        return filters[0].child if len(filters) == 1 else Sequence(tuple(filters))

    def joins(self, group: list[Filter], child: Filter) -> bool:
        head = _head(child)
        if head is None:
            return False
        range_ = self.range(head)
        connected = False
        for other in group:
            outer = _head(other)
            if outer is None or range_ is None or not _equal(range_, self.range(outer)):
                return False
            for a in other.statements:
                for b in child.statements:
                    found = [*self.between.get((a, b), ()), *self.between.get((b, a), ())]
                    connected = connected or bool(found)
                    shared = Member({a: outer.rows[a], b: head.rows[b]})
                    if any(any(signs(self.model, (d, d.wrapped), shared)) for d in found):
                        return False
        return connected

    def fused(self, group: list[Filter]) -> list[Filter]:
        """The group under its shared loop, or the group as it is where sharing would cost the parallelism."""
        heads = [h for h in map(_head, group) if h is not None]
        rows = {name: row for head in heads for name, row in head.rows.items()}
        inner: list[Filter] = []
        for part in group:
            rest = _behead(part)
            inner.extend(rest.child.children if isinstance(rest.child, Sequence) else [rest])
        child = self.sequence(Sequence(tuple(inner)))
        range_ = self.range(heads[0])
        extent = range_[1] if range_ else None
        member = Member(rows, coincident=True)
        few = isinstance(extent, Const) and int(extent) < FEW_TRIPS
        if few and isinstance(child, Sequence):  # the loop goes around each part instead: it carries nothing
            return [_under(member, part) for part in child.children]
        names = tuple([n for part in group for n in part.statements])
        return [_under(member, Filter(names, child))]

    def range(self, member: Member) -> tuple[Expr, Expr] | None:
        """The begin and end that all statements of a member share; None if they differ or depend on other loops."""
        shared: tuple[Expr, Expr] | None = None
        for name, row in member.rows.items():
            iterator = single_iterator(row)
            if iterator is None:
                return None
            loop = next((f for f in self.scop.statements[name].loops if f.var is iterator), None)
            if loop is None or row.const:
                return None
            if shared is None:
                shared = (loop.begin, loop.end)
            elif not _equal(shared, (loop.begin, loop.end)):
                return None
        return shared


def single_iterator(row: Affine) -> Var | None:
    """The variable of a row of the form ``variable + constant``; None for other rows."""
    if len(row.terms) != 1:
        return None
    (var, coefficient), *_ = row.terms.items()
    return var if coefficient == 1 else None


def _equal(a: tuple[Expr, Expr], b: tuple[Expr, Expr] | None) -> bool:
    return b is not None and a[0] is b[0] and a[1] is b[1]


def _head(part: Filter) -> Member | None:
    """The outermost member of a nest, if it is parallel."""
    band = part.child
    if isinstance(band, Band) and band.members[0].coincident and band.members[0].tile == 0:
        return band.members[0]
    return None


def _under(member: Member, part: Filter) -> Filter:
    """A nest inside one more parallel loop."""
    member = member.restricted(frozenset(part.statements))
    child = part.child
    if isinstance(child, Band) and all(m.coincident for m in child.members):
        return Filter(part.statements, replace(child, members=(member, *child.members)))
    return Filter(part.statements, Band((member,), True, child))


def _behead(part: Filter) -> Filter:
    band = part.child
    assert isinstance(band, Band)
    child: Node = band.child
    if len(band.members) > 1:
        child = replace(band, members=band.members[1:])
    return Filter(part.statements, child)
