"""Tiles of skewed bands, and wavefronts where no dimension is parallel (Bondhugula et al. 2008, section 5.3).

    Before:                          After:
        band: t, t + i  permutable       band: tile of t plus tile of t + i      sequential wavefronts
                                         band: tile of t + i                     parallel
                                         band: t / band: t + i                   points

Every dependence of a permutable band has non-negative tile distances; within one wavefront their sum is zero, so
each is zero, and the tiles of a wavefront are independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from akg.poly.access import stride
from akg.poly.scop import Scop
from akg.poly.tile.lanes import LaneModel
from akg.poly.tiling import in_order
from akg.poly.tree import Band, Filter, Leaf, Mark, Member, Node, bands, map_tree
from akg.poly.tree import Sequence as Children

POINTS = "points"  # marks what is inside a tile
IN_ORDER = "points in the order of the program"


def tile_skewed(band: Band, child: Node, parallel: bool, sizes: Sequence[int]) -> Node:
    """The permutable `band` tiled over `child`; with wavefronts if `parallel` and no member is parallel itself.

    Tiles of one wavefront have the first two of `sizes` in common.
    """
    tiles = [replace(m, tile=size) for m, size in zip(band.members, sizes, strict=True)]
    points = Mark(POINTS, in_order(band.members, child))
    if not parallel or any(m.coincident for m in band.members):
        return Band(tuple(tiles), True, points)
    assert sizes[0] == sizes[1]
    wave = replace(tiles[0], skew=(tiles[1].rows,))
    inner = (replace(tiles[1], coincident=True, kind="parallel"), *tiles[2:])
    return Band((wave,), True, Band(inner, True, points))


def distribute_innermost(node: Node) -> Node:
    """The innermost point loops with a loop of its own for each statement, so that lanes need no guards.

    Before: band: c { S1; S2 }        After: { band: c { S1 }; band: c { S2 } }

    Legal where no dependence runs from a later statement to an earlier one inside the loop: the caller proves it.
    """

    def visit(inner: Node) -> Node:
        if not isinstance(inner, Band) or len(inner.members) != 1 or inner.members[0].tile:
            return inner
        if not isinstance(inner.child, Children) or not _ends(inner.child):
            return inner
        return Children(
            tuple([replace(f, child=_over(inner.members[0], f)) for f in inner.child.children])
        )

    return map_tree(node, visit)


def _over(member: Member, part: Filter) -> Band:
    return Band((member.restricted(frozenset(part.statements)),), True, part.child)


def has_tiles(node: Node, *names: str) -> bool:
    """Whether points of tiles, marked with one of `names` if there are any, are below."""
    if isinstance(node, Mark):
        return node.name in (names or (POINTS, IN_ORDER)) or has_tiles(node.child, *names)
    if isinstance(node, Children):
        return any(has_tiles(f.child, *names) for f in node.children)
    return not isinstance(node, Leaf) and has_tiles(node.child, *names)


def in_program_order(node: Node, program: Node, is_better: Callable[[Node, Node], bool]) -> Node:
    """The points of tiles in the order of the program, where that is better.

    Tiles run one after the other, or at once where no dependence joins them; inside of one any legal order will do,
    and the program's own is legal.
    """

    def visit(inner: Node) -> Node:
        if not isinstance(inner, Mark) or inner.name != POINTS:
            return inner
        names = statements_of(inner)
        own = restricted(program, names)
        return Mark(IN_ORDER, own) if is_better(own, inner.child) else inner

    return map_tree(node, visit)


def statements_of(node: Node) -> frozenset[str]:
    """The statements of the first band or sequence below."""
    if isinstance(node, Band):
        return frozenset(node.members[0].rows)
    if isinstance(node, Children):
        return frozenset(n for f in node.children for n in f.statements)
    return frozenset() if isinstance(node, Leaf) else statements_of(node.child)


def restricted(node: Node, names: frozenset[str]) -> Node:
    """A tree of some of the statements: bands of one member each, sequences of several children."""
    if isinstance(node, Band):
        child = restricted(node.child, names)
        for member in reversed(node.members):
            child = Band((member.restricted(names),), True, child)
        return child
    if isinstance(node, Children):
        parts: list[Filter] = []
        for f in node.children:
            kept = tuple([n for n in f.statements if n in names])
            if kept:
                parts.append(Filter(kept, restricted(f.child, names.intersection(kept))))
        return parts[0].child if len(parts) == 1 else Children(tuple(parts))
    return node if isinstance(node, Leaf) else restricted(node.child, names)


def vector_loops(node: Node) -> int:
    """Statements in vector loops."""
    found = [m for band in bands(node) for m in band.members if m.kind == "vector"]
    return sum(len(m.rows) for m in found)


def vectorise_innermost(scop: Scop, node: Node, lanes: LaneModel) -> Node:
    """A tree, annotated, with the innermost parallel loops around contiguous stores as vector loops."""

    def visit(node: Node) -> Node:
        if not isinstance(node, Band) or len(node.members) != 1 or not _ends(node.child):
            return node
        member = node.members[0]
        if member.kind != "serial" or member.tile or not member.coincident:
            return node
        if not all(_is_contiguous(scop, name, member, lanes) for name in member.rows):
            return node
        return replace(node, members=(replace(member, kind="vector"),))

    return map_tree(node, visit)


def _ends(node: Node) -> bool:
    return isinstance(node, Leaf) or (
        isinstance(node, Children) and all(isinstance(f.child, Leaf) for f in node.children)
    )


def _is_contiguous(scop: Scop, name: str, member: Member, lanes: LaneModel) -> bool:
    """Whether consecutive values of the row, the outer rows fixed, store to consecutive elements at a gain."""
    statement = scop.statements[name]
    moving = [v for v, c in member.rows[name].terms.items() if c == 1 and abs(stride(statement.write, v)) == 1]
    return any(lanes.lane_cost(statement, v) < lanes.scalar_cost([name]) for v in moving)
