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
from akg.poly.access import GATHER, is_reused, stride
from akg.poly.dependence import Dependence
from akg.poly.domain import model_of
from akg.poly.scop import Scop
from akg.poly.tree import Band, Domain, Filter, Leaf, Member, Node, Sequence

LOOK_BACK = 8  # groups: the pairs of a long sequence would be many
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

    def sequence(self, node: Sequence, is_inner: bool = False) -> Node:
        """Group the children of a sequence greedily, from the first. Passes join only under a parallel loop."""
        groups: list[list[Filter]] = []
        for child in self.joined_passes(node.children) if is_inner else node.children:
            at = self.place(groups, child)
            if at is None:
                groups.append([child])
            else:
                groups[at].append(child)
                self.gather(groups, at)
        if len(groups) == len(node.children):
            return node
        filters: list[Filter] = []
        for group in groups:
            filters.extend(group if len(group) == 1 else self.fused(group))
        return filters[0].child if len(filters) == 1 else Sequence(tuple(filters))

    def place(self, groups: list[list[Filter]], child: Filter) -> int | None:
        """The latest group that takes a child; it moves up only past groups that it has nothing to do with."""
        for at in reversed(range(max(len(groups) - LOOK_BACK, 0), len(groups))):
            if self.joins(groups[at], child):
                return at
            if self.is_bound(groups[at], [child]):
                return None
        return None

    def gather(self, groups: list[list[Filter]], at: int) -> None:
        """Join earlier groups with group `at`, which its last child may have connected with them.

        They move down to it, past groups that they have nothing to do with.
        """
        for earlier in reversed(range(max(at - LOOK_BACK, 0), at)):
            head, tail = groups[earlier], groups[at]
            if any(self.is_bound(head, between) for between in groups[earlier + 1 : at]):
                continue
            fits = [self.fit(head, part) for part in tail]
            if None not in fits and True in fits:
                groups[at] = [*head, *tail]
                del groups[earlier]
                at -= 1

    def is_bound(self, group: list[Filter], others: list[Filter]) -> bool:
        """Whether some dependence keeps the order of two groups."""
        return any(
            self.related(a, b)
            for part in group for a in part.statements for other in others for b in other.statements
        )  # fmt: skip

    def joined_passes(self, children: tuple[Filter, ...]) -> list[Filter]:
        """Children with neighbouring passes over one range made one pass, such as a row's exponentials and their sum.

        A pass is a loop around statements. It may be parallel or a reduction, and it moves up past statements that
        have nothing to do with the passes between.
        """
        result: list[Filter] = []
        for child in children:
            at = next((k for k in range(len(result) - 1, -1, -1) if _pass(result[k]) is not None), None)
            if at is None or not self.joins_pass(result[at], child, result[at + 1 :]):
                result.append(child)
                continue
            first, second = result[at], child
            a, b = _pass(first), _pass(second)
            assert a is not None and b is not None
            rows = {**a.rows, **b.rows}
            both = replace(a, rows=rows, coincident=a.coincident and b.coincident, reduction=a.reduction or b.reduction)
            names = (*first.statements, *second.statements)
            joined = Filter(names, Band((both,), True, Sequence((*_statements(first), *_statements(second)))))
            result[at:] = [*result[at + 1 :], joined]
        return result

    def joins_pass(self, first: Filter, second: Filter, between: list[Filter]) -> bool:
        """Whether two passes may run as one, after the statements between them."""
        a, b = _pass(first), _pass(second)
        if a is None or b is None or not (b.reduction or a.reduction):
            return False
        range_ = self.range(a)
        if range_ is None or not _equal(range_, self.range(b)) or self.are_products(first, second):
            return False
        if any(self.related(x, y) for part in between for x in first.statements for y in part.statements):
            return False
        connected = False
        for x in first.statements:
            for y in second.statements:
                shared = Member({x: a.rows[x], y: b.rows[y]})
                found = self.related(x, y)
                connected = connected or bool(found) or self.shares(x, a.rows[x], y, b.rows[y])
                if any(any(d.open(self.model).signs(shared)) for d in found):
                    return False
        return connected

    def are_products(self, *passes: Filter) -> bool:
        """Whether each pass has a reduction that uses its operands again: each then wants registers for itself."""
        return all(any(is_reused(self.scop.statements[n]) for n in part.statements) for part in passes)

    def related(self, a: str, b: str) -> list[Dependence]:
        """The dependences between two statements, either way."""
        return [*self.between.get((a, b), ()), *self.between.get((b, a), ())]

    def shares(self, a: str, row_a: Affine, b: str, row_b: Affine) -> bool:
        """Whether two statements walk through an array that both read in the same steps of a shared loop."""
        first, second = single_iterator(row_a), single_iterator(row_b)
        if first is None or second is None:
            return False
        for x in self.scop.statements[a].reads:
            for y in self.scop.statements[b].reads:
                if x.buffer is y.buffer and x.buffer.shape:
                    step = stride(x, first)
                    if step not in (0, GATHER) and step == stride(y, second):
                        return True
        return False

    def joins(self, group: list[Filter], child: Filter) -> bool:
        """Whether a child may share the loop of a group, and has to do with it."""
        return self.fit(group, child) is True

    def fit(self, group: list[Filter], child: Filter) -> bool | None:
        """None where a child cannot share the loop of a group; else whether it has to do with the group."""
        head = _head(child)
        range_ = None if head is None else self.range(head)
        if head is None or range_ is None:
            return None
        connected = False
        for other in group:
            outer = _head(other)
            if outer is None or not _equal(range_, self.range(outer)):
                return None
            for a in other.statements:
                for b in child.statements:
                    found = self.related(a, b)
                    connected = connected or bool(found) or self.shares(a, outer.rows[a], b, head.rows[b])
                    shared = Member({a: outer.rows[a], b: head.rows[b]})
                    if any(any(d.open(self.model).signs(shared)) for d in found):
                        return None
        return connected

    def fused(self, group: list[Filter]) -> list[Filter]:
        """The group under its shared loop, or the group as it is where sharing would cost the parallelism."""
        heads = [h for h in map(_head, group) if h is not None]
        rows = {name: row for head in heads for name, row in head.rows.items()}
        inner: list[Filter] = []
        for part in group:
            rest = _behead(part)
            inner.extend(rest.child.children if isinstance(rest.child, Sequence) else [rest])
        child = self.sequence(Sequence(tuple(inner)), is_inner=True)
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


def _pass(part: Filter) -> Member | None:
    """The loop of a pass: a band of one member, parallel or a reduction, around statements."""
    band = part.child
    if not isinstance(band, Band) or len(band.members) != 1 or band.members[0].tile:
        return None
    inner = band.child.children if isinstance(band.child, Sequence) else ()
    if not isinstance(band.child, Leaf) and not (inner and all(isinstance(f.child, Leaf) for f in inner)):
        return None
    member = band.members[0]
    return member if member.coincident or member.reduction else None


def _statements(part: Filter) -> tuple[Filter, ...]:
    """The statements of a pass, each under its filter."""
    assert isinstance(part.child, Band)
    child = part.child.child
    return child.children if isinstance(child, Sequence) else (Filter(part.statements, child),)


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
