"""Schedule trees: the order of statement instances as an immutable tree.

    tree     := Domain(statement name*, node)
    node     := Band(member*, permutable, node) | Sequence(Filter*) | Filter(statement name*, node)
              | Mark(name, node) | Leaf
    member   := one scheduling dimension: for every statement below, an affine row over the statement's
                iterators and the kernel's sizes

A leaf ends every path. Instances are ordered by the bands' rows, outermost first, and by the position in
sequences. A member with ``tile = T > 0`` is a *tile* dimension: its value is ``T * floor(row / T)``, so the
same row can stand again below as a *point* dimension. With `skew`, the tile numbers of further rows are added
(wavefronts: what is equal in the sum may run in parallel).

`coincident`: the dimension carries no dependence that the dimensions outside its band leave open, so its loop is
parallel. `reduction`: it carries dependences of reductions on their accumulators and no others, so its iterations
may be reordered and split. `permutable`: every dependence that enters the band is carried non-negatively by each
member, so members may be interchanged and tiled.

`directive`: what a strategy asks of the loop; one that is to be `sequential` is not marked coincident.

`kind` and `tile` say how a member becomes a loop; they do not change the meaning of the order except that
a parallel or vector member asserts coincidence (or a reduction, for vector).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from akg.ir.affine import Affine
from akg.ir.stmt import LoopKind

Asked: TypeAlias = Literal["", "sequential", "parallel", "vectorize"]

@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One dimension of a band."""

    rows: dict[str, Affine]  # statement name -> row; never mutated
    coincident: bool = False
    reduction: bool = False
    kind: LoopKind = "serial"
    tile: int = 0
    skew: tuple[dict[str, Affine], ...] = ()  # rows of other tile dimensions that are added: a wavefront of tiles
    directive: Asked = ""

    @property
    def text(self) -> str:
        """Its distinct rows, such as ``i0 | i0_1``."""
        return " | ".join(sorted({str(row) for row in self.rows.values()}))

    def restricted(self, names: frozenset[str]) -> Member:
        """The member for some of its statements."""
        rows = {n: r for n, r in self.rows.items() if n in names}
        skew = tuple([{n: r for n, r in other.items() if n in names} for other in self.skew])
        return replace(self, rows=rows, skew=skew)


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """The end of a path: instances that are equal so far run in any order."""


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Scheduling dimensions in order."""

    members: tuple[Member, ...]
    permutable: bool
    child: Node


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """Restriction to some statements; only under a `Sequence`."""

    statements: tuple[str, ...]
    child: Node


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """Children one after the other."""

    children: tuple[Filter, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """A named note on the subtree, kept by every transformation."""

    name: str
    child: Node


@dataclass(frozen=True, slots=True, eq=False)
class Domain:
    """The root: all statements."""

    statements: tuple[str, ...]
    child: Node


Node: TypeAlias = "Band | Sequence | Filter | Mark | Leaf"
LEAF = Leaf()
TILED = "tiled"  # the mark over a subtree that is mapped to the machine already


def map_tree(node: Node, visit: Callable[[Node], Node]) -> Node:
    """Rebuild bottom-up through `visit`; the same object where nothing changed."""
    if isinstance(node, Sequence):
        children = tuple([replace_filter(f, map_tree(f.child, visit)) for f in node.children])
        same = all(a is b for a, b in zip(children, node.children, strict=True))
        return visit(node if same else Sequence(children))
    if isinstance(node, Leaf):
        return visit(node)
    child = map_tree(node.child, visit)
    return visit(node if child is node.child else replace(node, child=child))


def replace_filter(node: Filter, child: Node) -> Filter:
    """`node` over another child; itself if the child is the same."""
    return node if node.child is child else Filter(node.statements, child)


def statements_below(node: Node, inherited: tuple[str, ...]) -> tuple[str, ...]:
    """The statements that reach `node`, given those that reach its parent."""
    return node.statements if isinstance(node, Filter) else inherited


def bands(node: Node) -> Iterator[Band]:
    """Every band below and including `node`, outer before inner, in order."""
    if isinstance(node, Band):
        yield node
    if isinstance(node, Sequence):
        for child in node.children:
            yield from bands(child)
    elif not isinstance(node, Leaf):
        yield from bands(node.child)


def tree_text(tree: Domain) -> str:
    """The tree as indented text, one node a line."""
    lines: list[str] = [f"domain: {', '.join(tree.statements)}"]
    _text(tree.child, 1, lines)
    return "\n".join(lines)


def _text(node: Node, depth: int, lines: list[str]) -> None:
    pad = "  " * depth
    if isinstance(node, Leaf):
        return
    if isinstance(node, Band):
        lines.append(f"{pad}band{' (permutable)' if node.permutable and len(node.members) > 1 else ''}:")
        lines.extend(f"{pad}  {_member_text(m)}" for m in node.members)
        _text(node.child, depth + 1, lines)
    elif isinstance(node, Sequence):
        lines.append(f"{pad}sequence:")
        for child in node.children:
            _text(child, depth + 1, lines)
    elif isinstance(node, Filter):
        lines.append(f"{pad}filter: {', '.join(node.statements)}")
        _text(node.child, depth + 1, lines)
    else:
        lines.append(f"{pad}mark: {node.name}")
        _text(node.child, depth + 1, lines)


def _member_text(member: Member) -> str:
    rows: dict[str, list[str]] = {}
    for name, row in member.rows.items():
        rows.setdefault(str(row), []).append(name)
    body = "; ".join(f"{', '.join(names)} -> {row}" for row, names in rows.items())
    notes = [member.kind] if member.kind != "serial" else []
    if member.tile:
        notes.append(f"tile {member.tile}")
    for other in member.skew:
        notes.append(f"plus tile of {', '.join(sorted({str(r) for r in other.values()}))}")
    if member.coincident:
        notes.append("coincident")
    if member.reduction:
        notes.append("reduction")
    if member.directive:
        notes.append(f"asked: {member.directive}")
    return body + (f"  [{', '.join(notes)}]" if notes else "")


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step on the way from the root to a statement: a member of a band, or a place in a sequence."""

    node: Band | Sequence
    position: int

    @property
    def member(self) -> Member | None:
        """The band member, None for a place in a sequence."""
        return self.node.members[self.position] if isinstance(self.node, Band) else None


def paths(tree: Domain) -> dict[str, tuple[Step, ...]]:
    """The steps from the root to every statement, outermost first."""
    result: dict[str, tuple[Step, ...]] = {}

    def visit(node: Node, names: tuple[str, ...], steps: tuple[Step, ...]) -> None:
        if isinstance(node, Leaf):
            result.update(dict.fromkeys(names, steps))
        elif isinstance(node, Band):
            visit(node.child, names, (*steps, *[Step(node, k) for k in range(len(node.members))]))
        elif isinstance(node, Sequence):
            for k, child in enumerate(node.children):
                visit(child.child, child.statements, (*steps, Step(node, k)))
        else:
            visit(node.child, statements_below(node, names), steps)

    visit(tree.child, tree.statements, ())
    return result
