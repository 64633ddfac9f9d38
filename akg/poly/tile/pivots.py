"""Splitting along pivots: a loop whose iterations share the rows and columns of a pivot, before, at and after it.

    Before:  for k, i, j: P[i, j] = min(P[i, j], P[i, k] + P[k, j])
    After:   for k: i < k parallel: { j < k lanes; j = k; j > k lanes }; i = k: the same; i > k parallel: the same

Row k and column k change within step k, at i = k and at j = k: dependences go both ways along i and along j. Of the
parts on either side of a pivot each reads what does not change while it runs, so their loops are parallel. The
hyperplanes to split along are where an element that is read is the one that is written (Griebl, Feautrier and
Lengauer 2000); what is parallel then is found from the dependences, as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from akg.ir.affine import Affine
from akg.ir.expr import Const, binary
from akg.poly.components import in_order
from akg.poly.dependence import Dependence, Open, annotate, dependences, left_open, open_dependences, within
from akg.poly.domain import Model, model_of
from akg.poly.index_split import Tiled, split_statements, with_copies
from akg.poly.legality import prove
from akg.poly.scop import Scop, Statement
from akg.poly.tile.reuse import is_box
from akg.poly.tree import LEAF, Band, Domain, Filter, Leaf, Member, Node, bands, map_tree
from akg.poly.tree import Sequence as Children

MOST_PIVOTS = 2


def split_pivots(
    scop: Scop, tree: Domain, edges: Iterable[Dependence], note: Callable[[str], None]
) -> Tiled | None:
    """`tree` with nests without a parallel loop split along pivots, where that gives one; None if there are none.

    Args:
        scop: the statements.
        tree: a schedule with `coincident` annotated.
        edges: the dependences.
        note: told what was decided.
    """
    nests = [(members, forms) for node in _parts(tree.child) if (members := _sequential(scop, node)) is not None
             and (forms := pivots(scop.statements[next(iter(members[0].rows))], members))]  # fmt: skip
    if not nests:
        return None
    split, new_tree, listed = scop, tree, list(edges)
    for members, forms in nests:
        (name,) = members[0].rows
        parts: dict[str, tuple[int, ...]] = {name: ()}
        for form in forms:
            split, new_tree, parts = _split(split, new_tree, parts, form)
        listed = dependences(split)
        builder = _Distributor(model_of(split))
        ordered = sorted(parts, key=parts.__getitem__)
        rows = [Member(dict.fromkeys(ordered, m.rows[name])) for m in members]
        node = builder.loops(rows, ordered, within(open_dependences(builder.model, listed), ordered))
        swap = partial(_swap, frozenset(parts), node)
        new_tree = replace(new_tree, child=map_tree(new_tree.child, swap))
    new_tree = annotate(split, new_tree, listed)
    free = [b for b in bands(new_tree.child) if any(m.coincident for m in b.members)]
    if not free or not prove(split, new_tree, listed):
        return None
    note(f"nest of {', '.join(next(iter(m[0].rows)) for m, _ in nests)}: split before, at and after its pivot")
    return Tiled(split, listed, new_tree)


def _parts(node: Node) -> list[Node]:
    return [f.child for f in node.children] if isinstance(node, Children) else [node]


def _sequential(scop: Scop, node: Node) -> tuple[Member, ...] | None:
    """The loops of a nest of one statement, three at least and none of them free; None for other nests."""
    members: list[Member] = []
    while isinstance(node, Band):
        members.extend(node.members)
        node = node.child
    if not isinstance(node, Leaf) or len(members) < 3 or any(m.coincident or m.reduction for m in members):
        return None
    is_single = len(members[0].rows) == 1 and is_box(tuple(members))
    return tuple([Member(m.rows) for m in members]) if is_single else None


def pivots(statement: Statement, members: Sequence[Member]) -> list[Affine]:
    """Where a statement may read what it writes: one form for each read that differs in one subscript, 0 there."""
    written = [Affine.of(i) for i in statement.write.indices]
    found: list[Affine] = []
    for access in statement.reads:
        if access.buffer is not statement.write.buffer:
            continue
        pairs = [(w, Affine.of(i)) for w, i in zip(written, access.indices, strict=True)]
        if any(w is None or r is None for w, r in pairs):
            return []
        differences = [w - r for w, r in pairs if w is not None and r is not None and w != r]
        if len(differences) == 1 and len(differences[0].terms) == 2 and differences[0] not in found:
            found.append(differences[0])
    order = [next(iter(m.rows[statement.name].terms)) for m in members]
    found.sort(key=lambda form: max(order.index(v) if v in order else -1 for v in form.terms))
    return found if len(found) <= MOST_PIVOTS else []


def _split(
    scop: Scop, tree: Domain, parts: dict[str, tuple[int, ...]], form: Affine
) -> tuple[Scop, Domain, dict[str, tuple[int, ...]]]:
    """Each part in three, by the sign of a form."""
    expr, zero = form.to_expr(), Const(0)
    scop, after = split_statements(scop, dict.fromkeys(parts, binary("gt", expr, zero)), "after")
    tree = with_copies(tree, after)
    scop, at = split_statements(scop, dict.fromkeys(parts, binary("ge", expr, zero)), "at")
    tree = with_copies(tree, at)
    by_sign = {n: (*s, -1) for n, s in parts.items()}
    by_sign.update({at[n]: (*s, 0) for n, s in parts.items()})
    by_sign.update({after[n]: (*s, 1) for n, s in parts.items()})
    return scop, tree, by_sign


def _swap(names: frozenset[str], new: Node, node: Node) -> Node:
    """The outermost band of some statements replaced."""
    return new if isinstance(node, Band) and names == node.members[0].rows.keys() else node


class _Distributor:
    """Loops for some statements, distributed as far as dependences allow, fused where that keeps a loop parallel."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def loops(self, members: Sequence[Member], names: Sequence[str], open_: list[Open]) -> Node:
        """The nest of some statements in an order that keeps the dependences that outer loops leave open."""
        arcs = list(dict.fromkeys([(d.source, d.sink) for d in open_ if d.source != d.sink]))
        groups: list[tuple[str, ...]] = []
        for group in in_order(names, arcs):
            joined = (*groups[-1], *group) if groups else group
            if members and groups and self.is_free(members[0], joined, open_):
                groups[-1] = joined
            else:
                groups.append(group)
        parts: list[Filter] = []
        for group in groups:
            if not members:
                parts.append(Filter(group, LEAF))
                continue
            member = members[0].restricted(frozenset(group))
            below = left_open(within(open_, group), [member])
            child = self.loops([m.restricted(frozenset(group)) for m in members[1:]], group, below)
            parts.append(Filter(group, Band((member,), True, child)))
        return parts[0].child if len(parts) == 1 else Children(tuple(parts))

    def is_free(self, member: Member, names: Iterable[str], open_: list[Open]) -> bool:
        """Whether a loop around some statements carries nothing."""
        own = member.restricted(frozenset(names))
        return not any(any(part.signs(own)) for part in within(open_, names))
