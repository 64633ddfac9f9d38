"""Whether statements surely write what a later one reads: whole dimensions, the same element, or boxes that add up.

    keys[0:6, d, 0:48] = ..., keys[6, d, 0:45] = ..., keys[6, d, 45:48] = ...      together all of keys[7, d, 48]

What this leaves open is for isl (`access_check.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from akg.ir.affine import Affine
from akg.ir.expr import Const, Expr, Var
from akg.ir.rewrite import variables_of
from akg.ir.stmt import For
from akg.poly.dependence import common_loops
from akg.poly.scop import Access, Statement

Side = tuple[int, int] | None  # what is written of a dimension: from, below; None: all, or what the reader asks for


def is_covered(writers: Iterable[Statement], reader: Statement, access: Access) -> bool:
    """Whether `writers`, earlier in the text, surely wrote what `reader` reads by an access."""
    regions: list[tuple[Side, ...]] = []
    for writer in writers:
        region = _region(writer, reader, access) if writer.write.buffer is access.buffer else None
        if region is None:
            continue
        if all(side is None for side in region):
            return True
        regions.append(region)
    if len(regions) < 2:
        return False
    cut = [k for k in range(len(access.indices)) if any(region[k] is not None for region in regions)]
    sizes = [access.buffer.shape[k] for k in cut]
    if not all(isinstance(size, Const) for size in sizes):
        return False
    whole = [(0, int(size)) for size in sizes if isinstance(size, Const)]
    left = [tuple(whole)]
    for region in regions:
        box = [region[k] or whole[position] for position, k in enumerate(cut)]
        left = [rest for old in left for rest in _without(old, box)]
    return not left


def _without(old: tuple[tuple[int, int], ...], box: list[tuple[int, int]]) -> list[tuple[tuple[int, int], ...]]:
    """A box less another one, in boxes."""
    parts: list[tuple[tuple[int, int], ...]] = []
    for k, ((low, high), (begin, end)) in enumerate(zip(old, box, strict=True)):
        begin, end = max(low, begin), min(high, end)
        if begin >= end:
            return [*parts, old]
        parts += [(*old[:k], side, *old[k + 1 :]) for side in ((low, begin), (end, high)) if side[0] < side[1]]
        old = (*old[:k], (begin, end), *old[k + 1 :])
    return parts


def _region(writer: Statement, reader: Statement, access: Access) -> tuple[Side, ...] | None:
    """What a statement surely writes of the elements that a later one may read; None where that is not known."""
    if any(g not in reader.guards for g in writer.guards):
        return None
    common = common_loops(writer, reader)
    own = {loop.var: loop for loop in writer.loops[common:]}
    outer = set(writer.iterators[:common])
    sides: list[Side] = []
    for index, read, size in zip(writer.write.indices, access.indices, access.buffer.shape, strict=True):
        loops = [own.pop(v) for v in variables_of(index) if v in own]
        if isinstance(index, Const) and index is not read:
            sides.append((int(index), int(index) + 1))
        elif loops and not _counts(index, loops, size):
            side = _side(index, loops)
            if side is None:
                return None
            sides.append(side)
        elif loops or (index is read and all(v in outer or not _is_iterator(v, reader) for v in variables_of(index))):
            sides.append(None)
        else:
            return None
    return None if own else tuple(sides)


def _counts(index: Expr, loops: list[For], size: Expr) -> bool:
    """Whether a subscript takes every value below `size`: a loop, or one over tiles and one inside them."""
    form = Affine.of(index)
    if form is None or form.const or form.terms.keys() != {loop.var for loop in loops}:
        return False
    if len(loops) == 1 and form.coefficient(loops[0].var) == 1:
        return loops[0].end is size and loops[0].begin is Const(0)
    whole = 1
    for loop in sorted(loops, key=lambda loop: form.coefficient(loop.var)):
        if form.coefficient(loop.var) != whole or loop.const_trips is None or loop.begin is not Const(0):
            return False
        whole *= loop.const_trips
    return isinstance(size, Const) and int(size) == whole


def _side(index: Expr, loops: list[For]) -> Side:
    """The values of ``loop + constant`` between constants."""
    form, (loop, *others) = Affine.of(index), loops
    if others or form is None or form.terms != {loop.var: 1}:
        return None
    if not isinstance(loop.begin, Const) or not isinstance(loop.end, Const):
        return None
    return int(loop.begin) + form.const, int(loop.end) + form.const


def _is_iterator(v: Var, statement: Statement) -> bool:
    return any(v is own for own in statement.iterators)
