"""Sizes of skewed tiles, from the caches: what a tile touches should stay there while its time steps run.

A tile of width w lives for about w time steps, and then what it touched is not needed for as long: the wider, the less
memory is moved. A wide tile must still fit a core's share of the caches, and there must be several for each thread.
The innermost dimension is where lanes and prefetchers run: it gets long pieces.
"""

from __future__ import annotations

from akg.base.target import Target
from akg.poly.scop import Scop
from akg.poly.tile.reuse import is_box
from akg.poly.tree import Band

TILE = 32  # of bands that are not skewed: a cube of doubles fits the second-level cache
LONG = 512  # iterations of the innermost dimension of skewed tiles, at most, where others are outside
WIDEST = {1: 4096, 2: 64, 3: 32}  # by dimensions in space: wider tiles leave too few for the threads
NARROWEST = 8


def tile_sizes(band: Band, scop: Scop, target: Target) -> list[int]:
    """Iterations of each member's tiles, for a permutable band whose first member runs along time."""
    space = len(band.members) - 1
    if is_box(band.members):
        return [TILE] * (space + 1)
    width = WIDEST.get(space, TILE // 2)
    while width > NARROWEST and _bytes(band, scop, target, width) > cache_bytes(target):
        width //= 2
    return [width] * max(space, 2) + [_long(target)] * (space > 1)


def _bytes(band: Band, scop: Scop, target: Target, width: int) -> int:
    """What a tile touches: the dimensions between the first and the last slide along time by their width."""
    space = len(band.members) - 1
    names = band.members[0].rows
    arrays = {a.buffer for name in names for a in scop.statements[name].accesses if len(a.indices) >= space}
    row = min(_long(target) + width, _extent(target, space)) if space > 1 else 1
    elements = width * (2 * width) ** max(space - 2, 0) * row
    return elements * sum(b.dtype.itemsize_bytes for b in arrays)


def _long(target: Target) -> int:
    """So long that eight rows of doubles, a stencil's neighbours, fit the first cache."""
    return min(LONG, target.l1_bytes // (8 * 8))


def _extent(target: Target, space: int) -> int:
    """The length of a row of an array of unknown size: that of a cube of doubles that just fills the last cache."""
    return int((max(target.l3_bytes, target.l2_bytes) / 8) ** (1 / space))


def cache_bytes(target: Target) -> int:
    """A core's caches for data that are used again soon: its own, and half its share of the last one."""
    return target.l2_bytes + target.l3_bytes // (2 * max(target.cores, 1))
