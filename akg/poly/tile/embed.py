"""Embedding: statements beside an inner loop get a place in it, so that both loops make one band.

    Before:  band: k                                   After:  band (permutable): k, and j or k
               Q of column k   (S1, S2, S3)                      S1, S2, S3 at j = k
               band: j  parallel                                 S5, S6 at j
                 column j minus its part along Q (S5, S6)

A column is made orthogonal when the loop over columns arrives at it. The band can be tiled in both loops, which the
loop over k around separate nests cannot. (Ahmed, Mateev and Pingali 2000 embed imperfect nests in this way.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from akg.ir.affine import Affine
from akg.poly.dependence import Dependence, annotate
from akg.poly.scop import Scop
from akg.poly.tree import Band, Domain, Filter, Member, Node, Sequence


def embed(scop: Scop, band: Band, dependences: Iterable[Dependence]) -> Band | None:
    """A band of one sequential member with a second one around its nests, if the two are permutable, else None.

    The deepest statements take their parallel loop, the others the row of the first member.
    """
    if len(band.members) != 1 or band.members[0].coincident or not isinstance(band.child, Sequence):
        return None
    outer = band.members[0]
    depth = max(len(scop.statements[n].loops) for n in outer.rows)
    rows: dict[str, Affine] = {}
    children: list[Filter] = []
    for part in band.child.children:
        inner = part.child
        if any(len(scop.statements[n].loops) < depth for n in part.statements):
            rows.update({n: outer.rows[n] for n in part.statements})
            children.append(part)
            continue
        if not isinstance(inner, Band):
            return None
        chosen = next((m for m in inner.members if m.coincident), None)
        if chosen is None:
            return None
        rows.update(chosen.rows)
        children.append(Filter(part.statements, _without(inner, chosen)))
    second = Member({n: rows[n] for n in outer.rows})
    if rows == outer.rows:
        return None
    names = tuple(outer.rows)
    tree = Domain(names, Band((outer, second), True, Sequence(tuple(children))))
    found = annotate(scop, tree, [d for d in dependences if d.source in outer.rows and d.sink in outer.rows]).child
    if not isinstance(found, Band) or len(found.members) < 2 or any(m.coincident for m in found.members):
        return None
    return found


def _without(band: Band, member: Member) -> Node:
    left = tuple([m for m in band.members if m is not member])
    return replace(band, members=left) if left else band.child
