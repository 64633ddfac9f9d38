"""Index-set splitting: a statement becomes two, each with a part of its instances (Griebl, Feautrier, Lengauer 2000).

    Before:  S: A[i, j] -= ...        After:  S:      A[i, j] -= ...   where not condition
                                              S_full: A[i, j] -= ...   where condition

Both stand where the statement stood, so the original order is what it was; a schedule may then treat them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from akg.ir.affine import Affine
from akg.ir.expr import Expr, unary
from akg.poly.dependence import Dependence
from akg.poly.scop import Scop, Statement
from akg.poly.tree import Band, Domain, Filter, Leaf, Mark, Member, Node, Sequence

Copies = Mapping[str, str]  # statement -> the new statement with the other part of its instances


@dataclass(frozen=True, slots=True)
class Tiled:
    """Statements, some of them split, their dependences, and a tree over them."""

    scop: Scop
    dependences: list[Dependence]
    tree: Domain


def split_statements(
    scop: Scop, conditions: Mapping[str, Expr], suffix: str = "full"
) -> tuple[Scop, dict[str, str]]:
    """`scop` with each statement of `conditions` in two: under its name where the condition does not hold, and anew.

    Args:
        scop: the statements.
        conditions: on the instances of a statement that become a new one.
        suffix: of the names of the new ones.

    Returns:
        The new scop, and the name of the new statement for each that was split.
    """
    copies: dict[str, str] = {}
    statements: dict[str, Statement] = {}
    for name, statement in scop.statements.items():
        condition = conditions.get(name)
        if condition is None:
            statements[name] = statement
            continue
        new = _fresh(f"{name}_{suffix}", scop)
        copies[name] = new
        statements[name] = replace(statement, guards=(*statement.guards, unary("not", condition)))
        store = replace(statement.store, name=new)
        statements[new] = replace(statement, name=new, store=store, guards=(*statement.guards, condition))
    tree = with_copies(scop.tree, copies)
    return Scop(scop.kernel, statements, scop.sizes, scop.temporaries, tree), copies


def _fresh(name: str, scop: Scop) -> str:
    while name in scop.statements:
        name += "_"
    return name


def with_copies(tree: Domain, copies: Copies) -> Domain:
    """`tree` with every copy directly after the statement that it was split from."""
    names = _names(tree.statements, copies)
    return Domain(names, _node(tree.child, tree.statements, copies))


def _names(names: tuple[str, ...], copies: Copies) -> tuple[str, ...]:
    return tuple([n for name in names for n in ((name, copies[name]) if name in copies else (name,))])


def _node(node: Node, names: tuple[str, ...], copies: Copies) -> Node:
    if isinstance(node, Leaf):
        both = _names(names, copies)
        return Sequence(tuple([Filter((n,), node) for n in both])) if len(both) > len(names) else node
    if isinstance(node, Band):
        members = tuple([_member(m, copies) for m in node.members])
        return replace(node, members=members, child=_node(node.child, names, copies))
    if isinstance(node, Mark):
        return Mark(node.name, _node(node.child, names, copies))
    if isinstance(node, Filter):
        return Filter(_names(node.statements, copies), _node(node.child, node.statements, copies))
    filters: list[Filter] = []
    for part in node.children:
        inner = _node(part.child, part.statements, copies)
        if isinstance(inner, Sequence):
            filters.extend(inner.children)
        else:
            filters.append(Filter(_names(part.statements, copies), inner))
    return Sequence(tuple(filters))


def _member(member: Member, copies: Copies) -> Member:
    def rows(old: dict[str, Affine]) -> dict[str, Affine]:
        return {n: row for name, row in old.items() for n in ((name, copies[name]) if name in copies else (name,))}

    return replace(member, rows=rows(member.rows), skew=tuple([rows(s) for s in member.skew]))
