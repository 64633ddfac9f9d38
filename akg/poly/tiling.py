"""Tiles that a strategy gives: which loops of the schedule are cut, in what sizes, in what order.

    tile  := plan | [plan...]
    plan  := {"stmts"?: "*" | [statement...], "sizes": sizes, "min_band"?: int, "wavefront"?: bool,
              "full_tiles"?: "none" | "isolate"}
    sizes := int                 every loop of a band, by this
           | [int...]            by loop of the schedule, counted from outside; 0 leaves a loop whole, in its place
           | [[int...]...]       several levels, outer tiles first
    intra_tile := "contiguity"   the loop with the cheapest lanes goes innermost, register tiles are cut
           | "none"              points run in the order of the schedule

AKG's rows of coefficients give the same as loops in order: ``(/64)``, then ``(%64, /8)``, then ``(%8)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from akg.poly.schedule.constraints import known_statement
from akg.poly.tree import Band, Domain, Leaf, Member, Node
from akg.poly.tree import Sequence as Children

TILE_OPTIONS = ("tile", "intra_tile")
FULL_TILES = "full tiles"  # marks a nest whose full tiles run apart from partial ones
IntraTile = Literal["contiguity", "none"]
Loop = tuple[int, int]  # a loop of the schedule, and the size of its tiles; 0 for its points


@dataclass(frozen=True, slots=True)
class TilePlan:
    """The tiles of some statements (None: all).

    Attributes:
        levels: sizes of each level, outer first: by loop of the schedule, or one for all.
        loops: in place of levels, all loops in order.
        min_band: bands of fewer loops stay whole.
        wavefront: tiles may run in wavefronts where no loop is parallel.
        isolated: full tiles, which have constant extents, run in loops of their own, apart from partial ones.
    """

    statements: tuple[str, ...] | None = None
    levels: tuple[int | tuple[int, ...], ...] = ()
    loops: tuple[Loop, ...] = ()
    min_band: int = 2
    wavefront: bool = True
    isolated: bool = False

    def loops_of(self, first: int, count: int) -> list[Loop] | None:
        """The loops of a band of `count` members, the first of which is loop `first`; None if it stays whole.

        Members are counted from 0; those that nothing is said of come last, as points.
        """
        if count < self.min_band:
            return None
        given = [(k - first, size) for k, size in self.loops if first <= k < first + count]
        if not self.loops:
            sizes = [[_size(level, first + k) for k in range(count)] for level in self.levels]
            whole = [not any(level[k] for level in sizes) for k in range(count)]
            for depth, level in enumerate(sizes):
                given += [(k, size) for k, size in enumerate(level) if size or (whole[k] and depth == 0)]
        if not any(size for _, size in given):
            return None
        ended = {k for k, size in given if not size}
        return [*given, *[(k, 0) for k in range(count) if k not in ended]]


def _size(level: int | tuple[int, ...], loop: int) -> int:
    if isinstance(level, int):
        return level
    return level[loop] if loop < len(level) else 0


@dataclass(frozen=True, slots=True)
class Tiling:
    """All tiles that a strategy gives."""

    plans: tuple[TilePlan, ...] = ()
    intra_tile: IntraTile = "contiguity"

    def plan_for(self, names: Iterable[str]) -> TilePlan | None:
        """The first plan that speaks of one of some statements, or of all."""
        wanted = set(names)
        return next((p for p in self.plans if p.statements is None or not wanted.isdisjoint(p.statements)), None)

    def fitted(self, names: Sequence[str]) -> Tiling:
        """The tiles for a kernel of some statements, each by its own name.

        Raises:
            AkgError: AKG-E305 for a statement that is not there.
        """
        plans: list[TilePlan] = []
        for plan in self.plans:
            own = None if plan.statements is None else [known_statement(n, names, "tile") for n in plan.statements]
            plans.append(replace(plan, statements=None if own is None else tuple(own)))
        return replace(self, plans=tuple(plans))


def make_tiling(options: Mapping[str, Any], rows: Sequence[TilePlan] = ()) -> Tiling:
    """The tiles of a document's valid options, after those of its rows of coefficients."""
    given = options.get("tile", ())
    listed = [given] if isinstance(given, Mapping) else given
    return Tiling((*rows, *map(_plan, listed)), options.get("intra_tile", "contiguity"))


def _plan(entry: Mapping[str, Any]) -> TilePlan:
    sizes, statements = entry["sizes"], entry.get("stmts", "*")
    if isinstance(sizes, int):
        levels: tuple[int | tuple[int, ...], ...] = (sizes,)
    elif all(isinstance(s, int) for s in sizes):
        levels = (tuple(sizes),)
    else:
        levels = tuple([tuple(level) for level in sizes])
    names = None if statements == "*" else tuple(statements)
    isolated = entry.get("full_tiles") == "isolate"
    return TilePlan(names, levels, (), entry.get("min_band", 2), entry.get("wavefront", True), isolated)


# --- bands ----------------------------------------------------------------------------------------------


def first_loops(tree: Domain) -> dict[Band, int]:
    """The number of loops outside every band."""
    found: dict[Band, int] = {}

    def visit(node: Node, count: int) -> None:
        if isinstance(node, Band):
            found[node] = count
            visit(node.child, count + len(node.members))
        elif isinstance(node, Children):
            for child in node.children:
                visit(child.child, count)
        elif not isinstance(node, Leaf):
            visit(node.child, count)

    visit(tree.child, 0)
    return found


def split_loops(members: Sequence[Member], loops: Sequence[Loop]) -> tuple[list[Member], list[Member]]:
    """The loops of a band, up to the last tile, and the points inside of all tiles."""
    last = max(k for k, (_, size) in enumerate(loops) if size)
    made = [replace(members[k], tile=size) for k, size in loops]
    return made[: last + 1], made[last + 1 :]


def tiles_text(members: Sequence[Member], loops: Sequence[Loop]) -> str:
    """``i by 32, j by 64 and 8``."""
    sizes: dict[int, list[str]] = {}
    for k, size in loops:
        if size:
            sizes.setdefault(k, []).append(str(size))
    rows = {k: " | ".join(sorted({str(r) for r in members[k].rows.values()})) for k in sizes}
    return ", ".join(f"{rows[k]} by {' and '.join(s)}" for k, s in sorted(sizes.items()))


def wavefronts_of(outer: Sequence[Member]) -> list[Member] | None:
    """The loops over tiles with the first two as a sequential wave and a parallel loop; None if they do not fit.

    Every dependence of a permutable band has non-negative tile distances. Within one wave their sum is zero, so each
    is, and the tiles that the second loop runs over are independent: their size must be a multiple of the wave's.
    """
    if len(outer) < 2 or not outer[0].tile or not outer[1].tile:
        return None
    one, two = sorted(outer[:2], key=lambda m: m.tile)
    if two.tile % one.tile:
        return None
    return [replace(one, skew=(two.rows,)), replace(two, coincident=True, kind="parallel"), *outer[2:]]


def in_order(members: Sequence[Member], child: Node) -> Node:
    """Points as nested bands of one member, so that `annotate` can tell which of them are parallel."""
    for member in reversed(members):
        child = Band((replace(member, kind="serial", coincident=False, reduction=False),), True, child)
    return child
