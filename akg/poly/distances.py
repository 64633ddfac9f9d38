"""Quick proofs that a schedule keeps a dependence, by intervals of distances; what they leave open is for isl.

    for t: for i: S1: B[i] = A[i - 1]          S1 -> S2 by B: i' = i,     t' = t + D, D >= 0
           for i: S2: A[i] = B[i]              S2 -> S1 by A: i' = i + 1, t' = t + D, D >= 1

Where subscripts that meet give the iterators of the sink by those of the source, but for the one loop that carries the
dependence, the distance in a row of the schedule is ``c D + k``, an interval, and so is that of its tiles. Bounds of
loops and further equations are not looked at, so that an interval holds more than the distances that occur: a violation
is never missed, and nothing is called a violation here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, floor, inf

from akg.base.dtype import index
from akg.ir.affine import Affine
from akg.ir.expr import Var
from akg.poly.scop import Access, Statement
from akg.poly.tree import Band, Member, Sequence, Step

Path = tuple[Step, ...]
Interval = tuple[float, float]
CONCURRENT = frozenset({"parallel", "vector", "block", "thread"})
_DELTA = Var("?distance", index)
_ANY: Interval = (-inf, inf)


@dataclass(frozen=True, slots=True)
class Distances:
    """Pairs of instances: the sink's iterators over the source's and over D, which is at least `least`.

    Attributes:
        zeros: tiles whose distance is zero, by (size, row of the source, row of the sink).
    """

    source: str
    sink: str
    values: Mapping[Var, Affine]
    least: float
    most: float = inf
    zeros: tuple[tuple[int, Affine, Affine], ...] = ()

    def of(self, member: Member) -> Interval:
        """The distances in a member, in units of tiles for a tile member."""
        low, high = self._of_rows(member.rows, member.tile)
        for rows in member.skew:
            more = self._of_rows(rows, member.tile)
            low, high = low + more[0], high + more[1]
        return low, high

    def _of_rows(self, rows: Mapping[str, Affine], tile: int) -> Interval:
        before, after = rows[self.source], rows[self.sink]
        if tile and (tile, before, after) in self.zeros:
            return 0, 0
        const, c, is_known = _difference(before, after, self.values)
        if not is_known:
            return _ANY
        ends = [const + (c * end if c else 0) for end in (self.least, self.most)]
        low, high = min(ends), max(ends)
        if not tile:
            return low, high
        return low if low == -inf else floor(low / tile), high if high == inf else ceil(high / tile)

    def where_zero(self, member: Member, interval: Interval) -> Distances | None:
        """The pairs at distance zero in a member of this interval; None if there is surely none."""
        low, high = interval
        if low > 0 or high < 0:
            return None
        if low == high:
            return self
        if member.tile:
            parts = (member.rows, *member.skew)
            if len(parts) > 1 and any(self._of_rows(rows, member.tile)[0] < 0 for rows in parts):
                return self
            zeros = [(member.tile, rows[self.source], rows[self.sink]) for rows in parts]
            return replace(self, zeros=(*self.zeros, *zeros))
        const, c, is_known = _difference(member.rows[self.source], member.rows[self.sink], self.values)
        if not c or not is_known:
            return self
        return None if const % c else replace(self, least=-const // c, most=-const // c)


def _difference(before: Affine, after: Affine, values: Mapping[Var, Affine]) -> tuple[int, int, bool]:
    """``after`` at `values` less ``before``: a constant, a factor of D, and whether that is all of it."""
    const, factor = after.const - before.const, 0
    rest = {v: -c for v, c in before.terms.items()}
    for var, c in after.terms.items():
        form = values.get(var)
        if form is None:
            rest[var] = rest.get(var, 0) + c
            continue
        const += c * form.const
        for inner, k in form.terms.items():
            if inner is _DELTA:
                factor += c * k
            else:
                rest[inner] = rest.get(inner, 0) + c * k
    return const, factor, not any(rest.values())


def distances(source: Statement, sink: Statement, a: Access, b: Access, original: Mapping[str, Path]) -> (
    Distances | None
):
    """The pairs of instances, in the order of the original tree, whose accesses `a` and `b` may meet.

    Returns:
        None if there is surely no such pair.
    """
    iterators = frozenset(sink.iterators)
    values = _met(iterators, a, b)
    carried, is_tied = False, False  # whether D is a loop's; whether D = 0 is in order
    for x, y in zip(original[source.name], original[sink.name], strict=False):
        if x.member is None or y.member is None:
            if x.position != y.position:
                is_tied = x.position < y.position
                break
            continue
        before, after = x.member.rows[source.name], y.member.rows[sink.name]
        own = [v for v in after.terms if v in iterators and v not in values]
        if not own:
            const, factor, is_known = _difference(before, after, values)
            if is_known and not factor and not const:
                continue
            is_tied = not is_known or factor != 0 or const > 0
            break
        if carried or len(own) > 1 or after.terms != {own[0]: 1}:
            is_tied = True  # more than one loop carries it: any pair may be in order
            break
        values[own[0]] = before - after.const + Affine.var(_DELTA)
        carried = True
    if not carried and not is_tied:
        return None
    for var in iterators.difference(values):
        values[var] = _any_value(var)
    return Distances(source.name, sink.name, values, 0 if is_tied else 1)


@lru_cache(maxsize=256)
def _any_value(v: Var) -> Affine:
    return Affine.var(Var(f"?{v.name}", index))


def _met(own: frozenset[Var], a: Access, b: Access) -> dict[Var, Affine]:
    """Iterators `own` of the sink that equal subscripts give, over iterators of the source."""
    values: dict[Var, Affine] = {}
    for x, y in zip(a.indices, b.indices, strict=True):
        before, after = Affine.of(x), Affine.of(y)
        if before is None or after is None:
            continue
        inner = [v for v in after.terms if v in own]
        if len(inner) != 1 or inner[0] in values or after.coefficient(inner[0]) != 1:
            continue
        values[inner[0]] = before - after.without(inner) if len(after.terms) > 1 or after.const else before
    return values


def is_kept(pairs: Distances | None, source: Path, sink: Path) -> bool:
    """Whether a tree surely keeps the order of all pairs, and each mark on its bands; False tells nothing.

    Args:
        pairs: in their original order.
        source: the way of one statement through the tree.
        sink: that of the other.
    """
    part = entry = pairs
    closed: Band | None = None
    for a, b in zip(source, sink, strict=False):
        node = a.node
        if part is None and closed is None:
            return True
        if closed is not None and node is not closed:
            return True
        if isinstance(node, Sequence):
            if a.position != b.position:
                return a.position < b.position
            continue
        if a.position == 0:
            entry = part
        member = node.members[a.position]
        here = part.of(member) if part is not None else (0, 0)
        first = here if entry is part else entry.of(member) if entry is not None else (0, 0)
        if not _is_fine(member, node.permutable and len(node.members) > 1, here, first):
            return False
        part = part.where_zero(member, here) if part is not None else None
        if closed is None and part is None:
            if not (node.permutable or any(m.coincident for m in node.members)):
                return True
            closed = node
    return closed is not None


def _is_fine(member: Member, permutable: bool, here: Interval, entry: Interval) -> bool:
    """Whether a member of a band carries nothing backwards, and nothing at all where its iterations run at once.

    Args:
        member: of the band.
        permutable: whether the whole band is, with others.
        here: distances of what is open in front of the member.
        entry: distances of what is open in front of the band.
    """
    if (entry if permutable else here)[0] < 0:
        return False
    if member.coincident or member.kind in CONCURRENT:
        return (entry if member.coincident else here) == (0, 0)
    return True
