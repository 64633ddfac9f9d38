"""Tiles of skewed bands, and wavefronts where no dimension is parallel (Bondhugula et al. 2008, section 5.3).

    Before:                          After:
        band: t, t + i  permutable       band: tile of t plus tile of t + i      sequential wavefronts
                                         band: tile of t + i                     parallel
                                         band: t / band: t + i                   points

Every dependence of a permutable band has non-negative tile distances; within one wavefront their sum is zero, so
each is zero, and the tiles of a wavefront are independent.
"""

from __future__ import annotations

from dataclasses import replace

from akg.poly.access import stride
from akg.poly.lanes import LaneModel
from akg.poly.scop import Scop
from akg.poly.tree import Band, Domain, Filter, Leaf, Member, Node, Sequence, map_tree

TILE = 32  # iterations of each dimension: a cube of doubles fits the second-level cache


def tile_skewed(band: Band, child: Node, parallel: bool) -> Node:
    """The permutable `band` tiled over `child`; with wavefronts if `parallel` and no member is parallel itself.

    Points are nested bands of one member, so that `annotate` can tell which of them are parallel.
    """
    tiles = [replace(m, tile=TILE) for m in band.members]
    points = child
    for member in reversed(band.members):
        points = Band((replace(member, kind="serial", coincident=False, reduction=False),), True, points)
    if not parallel or any(m.coincident for m in band.members):
        return Band(tuple(tiles), True, points)
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
        if not isinstance(inner.child, Sequence) or not _ends(inner.child):
            return inner
        return Sequence(
            tuple([replace(f, child=_over(inner.members[0], f)) for f in inner.child.children])
        )

    return map_tree(node, visit)


def _over(member: Member, part: Filter) -> Band:
    return Band((member.restricted(frozenset(part.statements)),), True, part.child)


def is_skewed(node: Node) -> bool:
    """Whether a band below tiles rows that are no iterators."""
    if isinstance(node, Band):
        return any(m.tile > 0 and (m.skew or not _is_plain(m)) for m in node.members) or is_skewed(node.child)
    if isinstance(node, Sequence):
        return any(is_skewed(f.child) for f in node.children)
    return not isinstance(node, Leaf) and is_skewed(node.child)


def _is_plain(member: Member) -> bool:
    return all(len(row.terms) == 1 for row in member.rows.values())


def vectorise_innermost(scop: Scop, tree: Domain, lanes: LaneModel) -> Domain:
    """`tree`, annotated, with the innermost parallel loops around contiguous stores as vector loops."""

    def visit(node: Node) -> Node:
        if not isinstance(node, Band) or len(node.members) != 1 or not _ends(node.child):
            return node
        member = node.members[0]
        if member.kind != "serial" or member.tile or not member.coincident:
            return node
        if not all(_is_contiguous(scop, name, member, lanes) for name in member.rows):
            return node
        return replace(node, members=(replace(member, kind="vector"),))

    child = map_tree(tree.child, visit)
    return tree if child is tree.child else replace(tree, child=child)


def _ends(node: Node) -> bool:
    return isinstance(node, Leaf) or (
        isinstance(node, Sequence) and all(isinstance(f.child, Leaf) for f in node.children)
    )


def _is_contiguous(scop: Scop, name: str, member: Member, lanes: LaneModel) -> bool:
    """Whether consecutive values of the row, the outer rows fixed, store to consecutive elements at a gain."""
    statement = scop.statements[name]
    moving = [v for v, c in member.rows[name].terms.items() if c == 1 and abs(stride(statement.write, v)) == 1]
    return any(lanes.lane_cost(statement, v) < lanes.scalar_cost([name]) for v in moving)
