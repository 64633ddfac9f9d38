"""How softmax products are tiled: rows of a tile, panels of keys, whole rows of scores or tiles of keys.

Each tile of rows reads all keys and values, so that large tiles read them less often; its scores should stay in the
second-level cache. Where keys after the row are masked, small squares leave less behind the diagonal. Panels are as
wide as register tiles (`akg.poly.register_tile`), and leave little behind the last key.
"""

from __future__ import annotations

from dataclasses import dataclass

from akg.base.target import Target
from akg.poly.register_tile import Space, outer_product_tile
from akg.poly.rewrite.softmax_match import SoftmaxProduct, causal_of, without_scale

ROWS = 32  # of a tile: enough to use keys and values again, few enough for the scores to stay in cache
MOST_ROWS = 48
TILE_COST = 3  # of a tile, in rows: what it takes to read the keys and values again
LEAST_ROWS = 16  # fewer do not pay for turning the keys
LEAST_KEYS = 16
ROWS_SHARE = 4  # whole rows of scores may take this part of the second-level cache
TILE_SHARE = 16  # a tile of scores takes this part of it


@dataclass(frozen=True, slots=True)
class Form:
    """How one softmax product is tiled; `keys` is 0 for whole rows."""

    rows: int
    keys: int
    panel: int
    reason: str

    def __str__(self) -> str:
        kind = f"online softmax over tiles of {self.keys} keys" if self.keys else "whole rows of scores"
        return f"tiles of {self.rows} rows, {kind}: {self.reason}"


def form_of(found: SoftmaxProduct, target: Target) -> Form | None:
    """The form for the sizes of a softmax product; None where tiles do not pay."""
    rows, keys = found.row.const_trips or 0, found.key.const_trips or 0
    if rows < LEAST_ROWS or keys < LEAST_KEYS:
        return None
    size_bytes = found.score.buffer.dtype.itemsize_bytes
    lanes = target.lanes(8 * size_bytes)
    product = outer_product_tile(Space(ROWS, 4096, lanes), target.tile_registers, target.core)
    step, widest = product.rows, product.columns
    is_causal = limit(found) is not None
    panel = _square(rows, widest, lanes) if is_causal else _panel(keys, widest, lanes)
    tile = min(panel, up(rows, 8)) if is_causal else _tile(rows, step)
    row_bytes = tile * keys * size_bytes
    share = target.l2_bytes // ROWS_SHARE
    if row_bytes <= share:
        return Form(tile, 0, panel, f"the scores of a tile, {row_bytes >> 10} KiB, stay in the second-level cache")
    most = max(target.l2_bytes // TILE_SHARE // (tile * size_bytes), panel)
    reason = f"the scores of a tile, {row_bytes >> 10} KiB, are more than {share >> 10} KiB of the second-level cache"
    if not is_causal:
        return Form(tile, most // panel * panel, panel, reason)
    side = widest  # square tiles, so that few of them are cut by the diagonal
    while 4 * side * side * size_bytes * TILE_SHARE <= target.l2_bytes:
        side *= 2
    return Form(side, side, widest, reason)


def limit(found: SoftmaxProduct) -> int | None:
    """What the key may be more than the row, where later ones count nothing and every row has keys; else None."""
    causal = causal_of(found, without_scale(found))
    if causal is None:
        return None
    most = (found.key.const_trips or 0) - (found.row.const_trips or 0)
    return causal[0] if 0 <= causal[0] <= most else None


def _square(rows: int, most: int, lanes: int) -> int:
    """The side of tiles of rows and of panels of keys, where keys after the row do not count.

    Small ones leave less behind the diagonal and the last row, large ones read keys and values less often.
    """

    def cost(side: int) -> int:
        tiles = -(-rows // side)
        return tiles * (tiles + 1) * side * (side + TILE_COST)

    return min([w for w in range(most, 0, -lanes) if 2 * w >= most], key=cost)


def _panel(keys: int, most: int, lanes: int) -> int:
    """The width of a panel, of half the widest one or more, that leaves least behind the last key."""
    widths = [w for w in range(most, 0, -lanes) if 2 * w >= most and w <= up(keys, lanes)]
    return min(widths, key=lambda w: up(keys, w)) if widths else up(keys, lanes)


def _tile(rows: int, step: int) -> int:
    """The rows of a tile: few behind the last one, and few tiles, each of which reads all keys."""
    sizes = range(step, min(MOST_ROWS, up(rows, step)) + 1, step)
    return min(sizes, key=lambda size: -(-rows // size) * (size + TILE_COST + (rows % size > 0)))  # ragged: a copy


def up(value: int, step: int) -> int:
    """The multiple of `step` from `value` on."""
    return -(-value // step) * step
