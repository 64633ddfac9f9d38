"""The figures behind choices of tiles and copies, in the terms of who reads them: times, lanes, registers."""

from __future__ import annotations

from collections.abc import Iterable

from akg.base.core import Core
from akg.poly.price import UNKNOWN_TRIPS, Feed, Packing
from akg.poly.register_tile import RegisterTile, Space


def time_text(core: Core, cycles: float) -> str:
    """Cycles as a time at the clock of a core."""
    us = cycles / core.clock_ghz / 1000
    return f"{us / 1000:.3g} ms" if us >= 1000 else f"{us:.3g} us" if us >= 1 else f"{us * 1000:.3g} ns"


def tile_text(
    chosen: RegisterTile, others: Iterable[RegisterTile], space: Space, core: Core, steps: float
) -> str:  # fmt: skip
    """A register tile beside the next best.

    Args:
        chosen: the tile.
        others: all that it was chosen among.
        space: what is cut, of which the tile covers rows and lanes.
        core: of the target.
        steps: of the sum, over all other loops.
    """
    vectors = -(-chosen.columns // space.width)
    parts = [f"{chosen.rows} x {chosen.columns} in {chosen.rows * vectors} accumulators"]
    if space.rows < UNKNOWN_TRIPS and space.lanes < UNKNOWN_TRIPS:
        panels, rest = divmod(space.lanes, chosen.columns)
        filled = (panels * vectors - (-rest // space.width)) * space.width
        rate = space.rows * filled / space.width / chosen.cycles
        parts.append(f"{space.lanes} of {filled} lanes useful")
        parts.append(f"{rate:.2f} multiply-adds a cycle of {core.multiply_adds:g}")
        if steps < UNKNOWN_TRIPS:
            parts.append(time_text(core, chosen.cycles * steps))
    feed = space.feed
    if feed.is_far:
        parts.append("its lanes from panels" if chosen.packs else "its lanes from where they lie")
    if any(space.capacity <= rows for rows in (2 * chosen.rows, space.rows)):
        parts.append(f"of {space.capacity} rows the first-level cache holds a line each")
    best = min((t for t in others if t.key != chosen.key), key=lambda t: t.key, default=None)
    if best is not None:
        more = best.key[0] / chosen.key[0] - 1
        parts.append(f"next best {best}, {'as fast' if abs(more) < 5e-4 else f'{more:+.1%}'}")
    return "; ".join([", ".join(parts[:4]), *parts[4:]])


def packing_text(packing: Packing, feed: Feed, core: Core, vectors: float) -> str:
    """A copy of an operand beside reading it in place, for `vectors` of it."""
    times = [time_text(core, vectors * cycles) for cycles in (feed.copy, packing.packed - feed.copy, packing.in_place)]
    if not feed.is_far:
        return "in place: it is as near as a copy would be"
    how = "in panels" if packing.pays else "in place"
    return f"{how}: {times[0]} for a copy and {times[1]} of waits for it, against {times[2]} of waits in place"
