"""Promotion to registers: accumulators and small tiles leave memory.

A tile of a buffer that a serial loop updates in place, at an address that does not change with the loop, is copied
into registers before and out after; neighbours that touch the same tile join in. A temporary whose every access has
the form of one tile needs no copy at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast as typed

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Load, Var, binary, unary
from akg.ir.factor import common_factor
from akg.ir.rewrite import (
    buffers_read,
    buffers_written,
    loads_of,
    map_children,
    replace_buffer,
    rewrite_stmt,
    substitute,
    uses,
    variables_of,
    walk_expr,
)
from akg.ir.stmt import Alloc, Block, For, If, Stmt, Store, block, expressions, walk
from akg.poly.loops.contract import Site, sites
from akg.poly.loops.disjoint import are_apart
from akg.poly.loops.masks import masks_of, place_in


@dataclass(frozen=True, slots=True)
class _Tile:
    """A tile of a buffer: where it starts in each dimension, and its extent (0: no loop moves it there)."""

    base: tuple[Affine, ...]
    extents: tuple[int, ...]
    lane: int  # the dimension that a vector loop runs over, or -1
    lane_end: Expr  # where that loop ends: fewer iterations than its extent, perhaps

    @property
    def kept(self) -> list[int]:
        """The dimensions that a loop moves along, lanes last."""
        moved = [d for d, extent in enumerate(self.extents) if extent and d != self.lane]
        return [*moved, self.lane] if self.lane >= 0 else moved

    def same(self, other: _Tile) -> bool:
        same = self.base == other.base and self.extents == other.extents
        return same and self.lane == other.lane and self.lane_end is other.lane_end


def promote_tiles(
    body: Stmt, fresh: Callable[[str], Var], register_bytes: int, store_guards: frozenset[Expr] = frozenset()
) -> Stmt:
    """Move the tiles that serial loops update in place, and small temporaries of tile form, to registers.

    Args:
        body: the loops, with temporaries declared.
        fresh: makes unused names.
        register_bytes: how much a tile may take of the vector registers.
        store_guards: conditions that a sum in registers may ignore until it is stored.
    """
    promoter = _Promoter(fresh, register_bytes, store_guards)
    return drop_dead_stores(promoter.loops(promoter.temporaries(body)))


def drop_dead_stores(stmt: Stmt) -> Stmt:
    """Without the temporaries that nothing reads, such as those whose every tile now lives in registers."""
    stmt = map_children(stmt, drop_dead_stores)
    if not isinstance(stmt, Alloc) or stmt.buffer in buffers_read(stmt.body):
        return stmt
    dead = stmt.buffer
    return rewrite_stmt(stmt.body, lambda s: Block(()) if isinstance(s, Store) and s.buffer is dead else None)


def _tile_of(site: Site) -> _Tile | None:
    """The tile that a site touches under its loops, where only unrolled loops and one constant vector move it."""
    inner = {loop.var: loop for loop in site.loops}
    base: list[Affine] = []
    extents: list[int] = []
    used: set[Var] = set()
    lane, lane_end = -1, typed("Expr", Const(0))
    for d, index in enumerate(site.indices):
        form = Affine.of(index)
        if form is None:
            return None
        own = [v for v in form.terms if v in inner]
        if not own:
            base.append(form)
            extents.append(0)
            continue
        loop = inner[own[0]]
        if len(own) > 1 or form.terms[own[0]] != 1 or own[0] in used or loop.begin is not Const(0):
            return None
        trips = loop.max_trips if loop.kind == "vector" else loop.const_trips
        if loop.kind not in ("unroll", "vector") or trips is None or loop.step != 1:
            return None
        used.add(own[0])
        if loop.kind == "vector":
            lane, lane_end = d, loop.end
        base.append(form.without(own))
        extents.append(trips)
    if any(loop.kind == "vector" and loop.var not in used for loop in inner.values()):
        return None  # a vector reduction into one element: the backend keeps its own lanes
    return _Tile(tuple(base), tuple(extents), lane, lane_end)


def _common_tile(found: list[Site]) -> _Tile | None:
    """The tile that all sites touch; None if they do not agree on one."""
    tile: _Tile | None = None
    for site in found:
        own = _tile_of(site)
        if own is None or (tile is not None and not tile.same(own)):
            return None
        tile = own
    return tile


def _register(buffer: Buffer, tile: _Tile, name: str) -> tuple[Buffer, Callable[[tuple[Expr, ...]], tuple[Expr, ...]]]:
    """The register buffer of a tile, lanes last, and the map from subscripts of the buffer to its own."""
    kept = tile.kept
    shape = tuple([Const(tile.extents[d]) for d in kept])
    small = Buffer(name, shape, buffer.dtype.compute, "register")

    def access(indices: tuple[Expr, ...]) -> tuple[Expr, ...]:
        forms = [typed("Affine", Affine.of(indices[d])) - tile.base[d] for d in kept]
        return tuple([f.to_expr() for f in forms])

    return small, access


class _Promoter:
    def __init__(self, fresh: Callable[[str], Var], register_bytes: int, store_guards: frozenset[Expr]) -> None:
        self.fresh, self.register_bytes, self.store_guards = fresh, register_bytes, store_guards
        self.around: list[For] = []
        self.conditions: list[Expr] = []

    def fits(self, buffer: Buffer, tile: _Tile | None) -> bool:
        """Whether the registers hold a tile of an element type that they compute on."""
        if tile is None or buffer.dtype.compute is not buffer.dtype:
            return False
        size_bytes = buffer.dtype.itemsize_bytes
        for extent in tile.extents:
            size_bytes *= extent or 1
        return size_bytes <= self.register_bytes

    def temporaries(self, stmt: Stmt) -> Stmt:
        """Give local temporaries of tile form the scope register."""
        stmt = map_children(stmt, self.temporaries)
        if not isinstance(stmt, Alloc) or stmt.buffer.scope != "local" or stmt.buffer.const_shape is None:
            return stmt
        buffer = stmt.buffer
        tile = _common_tile(sites(stmt.body, buffer))
        if tile is None or not self.fits(buffer, tile) or not any(tile.extents):
            return stmt
        if not all(b.is_const for b in tile.base):
            return stmt
        small, access = _register(buffer, tile, buffer.name)
        return Alloc(small, replace_buffer(stmt.body, buffer, lambda i: (small, access(i))))

    def loops(self, stmt: Stmt) -> Stmt:
        """Promote in every block, the outermost serial loop that qualifies first."""
        if isinstance(stmt, (Block, For)):
            parts: list[Stmt] = list(stmt.body) if isinstance(stmt, Block) else [stmt]
            done = self.promote_in(parts)
            if len(done) != len(parts) or any(a is not b for a, b in zip(done, parts, strict=True)):
                return block(*[self.loops(s) for s in done])
        if isinstance(stmt, For):
            self.around.append(stmt)
            result = map_children(stmt, self.loops)
            self.around.pop()
            return result
        if isinstance(stmt, If):
            then = self.under(stmt.cond, stmt.then)
            orelse = None if stmt.orelse is None else self.under(unary("not", stmt.cond), stmt.orelse)
            return stmt if then is stmt.then and orelse is stmt.orelse else replace(stmt, then=then, orelse=orelse)
        return map_children(stmt, self.loops)

    def under(self, condition: Expr, stmt: Stmt) -> Stmt:
        """Promote where a condition holds."""
        self.conditions.append(condition)
        result = self.loops(stmt)
        self.conditions.pop()
        return result

    def promote_in(self, parts: list[Stmt]) -> list[Stmt]:
        """Promote the first tile that a loop among `parts` updates again and again; neighbours of the tile join in."""
        for position, part in enumerate(parts):
            if not isinstance(part, For) or part.kind not in ("serial", "unroll", "vector"):
                continue
            guards = [s.cond for s in walk(part) if isinstance(s, If)]
            for buffer in _stored(part):
                if buffer.scope == "register" or (buffer.scope == "local" and not buffer.shape):
                    continue
                found = sites(part, buffer)
                own = _updated(found)
                tile = _common_tile([_inside_vector(s, part) for s in own])
                if tile is None or not self.fits(buffer, tile) or _moves(own, part.var):
                    continue
                if any(loop.kind == "vector" and not _moves(own, loop.var) for loop in self.around):
                    continue  # all lanes reduce into one element
                if len(own) < len(found):
                    if not any(tile.extents) or not self.are_apart(own, [s for s in found if s not in own]):
                        continue
                elif part.kind == "vector":
                    continue  # a vector reduction into one element: the backend keeps its own lanes
                masks = () if self.store_guards.issuperset(guards) else masks_of(part, buffer)
                if masks is None or (masks and len(own) < len(found)):
                    continue
                scaled = _scaled(part, buffer) if len(own) == len(found) and not masks else None
                if guards and scaled is None and not masks:
                    continue
                if scaled is not None:
                    group = self.summed(scaled, buffer, tile)
                    return self.promote_in([*parts[:position], group, *parts[position + 1 :]])
                first, last = position, position
                if len(own) == len(found):
                    while first > 0 and _joins(parts[first - 1], buffer, tile, masks):
                        first -= 1
                    while last + 1 < len(parts) and _joins(parts[last + 1], buffer, tile, masks):
                        last += 1
                others = {s.indices for s in found if s not in own}
                group = self.promoted(parts[first : last + 1], buffer, tile, others, masks)
                return self.promote_in([*parts[:first], group, *parts[last + 1 :]])
        return parts

    def are_apart(self, own: list[Site], others: list[Site]) -> bool:
        """Whether the other accesses of a buffer miss its tile in each iteration of the loops around."""
        tiles = {s.indices: s for s in own}.values()
        distinct = {s.indices: s for s in others}.values()
        return all(are_apart(self.around, self.conditions, a, b) for a in tiles for b in distinct)

    def promoted(
        self, parts: list[Stmt], buffer: Buffer, tile: _Tile, others: set[tuple[Expr, ...]], masks: tuple[Expr, ...]
    ) -> Stmt:
        """The parts between copies of the tile into registers and out; `others` are subscripts that miss it.

        Only elements for which all `masks` hold are copied.
        """
        small, access = _register(buffer, tile, self.fresh(f"{buffer.name}_r").name)

        def place(indices: tuple[Expr, ...]) -> tuple[Buffer, tuple[Expr, ...]]:
            return (buffer, indices) if indices in others else (small, access(indices))

        inner = [replace_buffer(p, buffer, place) for p in parts]
        copy_in = None if _overwrites(parts[0], buffer) else self.copy(buffer, small, tile, masks, to_register=True)
        copy_out = self.copy(buffer, small, tile, masks, to_register=False)
        group: Stmt = Alloc(small, block(copy_in, *inner, copy_out))
        alone = parts[0] if len(parts) == 1 else None
        if isinstance(alone, For) and not alone.const_trips:  # touch nothing where the loop runs no iteration
            group = If(binary("lt", alone.begin, alone.end), group)
        return group

    def summed(self, scaled: _Scaled, buffer: Buffer, tile: _Tile) -> Stmt:
        """A loop whose sum starts at zero in registers and is added to memory, times its factor, at the end."""
        small, access = _register(buffer, tile, self.fresh(f"{buffer.name}_r").name)
        inner = replace_buffer(scaled.loop, buffer, lambda i: (small, access(i)))

        def zero(near: tuple[Expr, ...], far: tuple[Expr, ...]) -> Stmt:
            return Store(small, near, Const(0, small.dtype), self.fresh(f"{buffer.name}_zero").name)

        def places(near: tuple[Expr, ...]) -> dict[Var, Expr]:
            return {v: near[k] for k, d in enumerate(tile.kept) if (v := scaled.moved[d]) is not None}

        def add(near: tuple[Expr, ...], far: tuple[Expr, ...]) -> Stmt:
            total: Expr = Load(small, near)
            if scaled.factor is not None:
                total = binary("mul", substitute(scaled.factor, places(near)), total)
            name = self.fresh(f"{buffer.name}_out").name
            return Store(buffer, far, binary("add", Load(buffer, far), total), name)

        def guards(near: tuple[Expr, ...]) -> list[Expr]:
            return [substitute(guard, places(near)) for guard in scaled.guards]

        group: Stmt = Alloc(small, block(self.over(tile, zero), inner, self.over(tile, add, guards)))
        loop = scaled.loop
        return group if loop.const_trips else If(binary("lt", loop.begin, loop.end), group)

    def copy(
        self, buffer: Buffer, small: Buffer, tile: _Tile, masks: tuple[Expr, ...], *, to_register: bool
    ) -> Stmt:
        name = self.fresh(f"{buffer.name}_{'in' if to_register else 'out'}").name

        def store(near: tuple[Expr, ...], far: tuple[Expr, ...]) -> Stmt:
            if to_register:
                return Store(small, near, Load(buffer, far), name)
            return Store(buffer, far, Load(small, near), name)

        def guards(near: tuple[Expr, ...]) -> list[Expr]:
            at: dict[Var, Expr] = {place_in(d): near[k] for k, d in enumerate(tile.kept)}
            return [substitute(mask, at) for mask in masks]

        return self.over(tile, store, guards)

    def over(
        self, tile: _Tile, store: Callable[[tuple[Expr, ...], tuple[Expr, ...]], Stmt],
        guards: Callable[[tuple[Expr, ...]], list[Expr]] = lambda near: [],
    ) -> Stmt:  # fmt: skip
        """A store for every element of a tile, from its subscripts in registers and in memory.

        Guards, made from those in registers, are inside of the lanes only where they depend on these.
        """
        kept = tile.kept
        at = {d: self.fresh("r") for d in kept}
        near = tuple([at[d] for d in kept])
        stmt = store(near, tuple([b.to_expr() + at.get(d, 0) for d, b in enumerate(tile.base)]))
        by_lane = [g for g in guards(near) if tile.lane >= 0 and uses(g, at[tile.lane])]
        stmt = _guarded(by_lane, stmt)
        if tile.lane >= 0:
            stmt = For(at[tile.lane], Const(0), tile.lane_end, stmt, "vector")
        stmt = _guarded([g for g in guards(near) if g not in by_lane], stmt)
        for d in reversed([d for d in kept if d != tile.lane]):
            stmt = For(at[d], Const(0), Const(tile.extents[d]), stmt, "unroll")
        return stmt


def _guarded(guards: list[Expr], stmt: Stmt) -> Stmt:
    for guard in guards:
        stmt = If(guard, stmt)
    return stmt


@dataclass(frozen=True, slots=True)
class _Scaled:
    """A loop without the factor that all terms of its sum share, and without guards that only stores need.

    Attributes:
        loop: with the factor and the guards left out.
        factor: over the loops around and those that move the tile; None for one.
        guards: over the same.
        moved: the loop inside that moves along each dimension, None if there is no such.
    """

    loop: For
    factor: Expr | None
    guards: tuple[Expr, ...]
    moved: tuple[Var | None, ...]


def _scaled(loop: For, buffer: Buffer) -> _Scaled | None:
    """A loop that does nothing to `buffer` but sum up terms with a common factor or under guards, without these."""
    stores = [s for s in walk(loop) if isinstance(s, Store) and s.buffer is buffer]
    store = stores[0]
    value = store.value
    if len(stores) != 1 or store.reduction != "sum" or not isinstance(value, Binary) or value.op != "add":
        return None
    if value.a is not Load(buffer, store.indices) or len(sites(loop, buffer)) != 2:
        return None
    inside = {s.var for s in walk(loop) if isinstance(s, For)}
    moved = tuple([next((v for v in variables_of(i) if v in inside), None) for i in store.indices])
    summed, written = inside - set(moved), buffers_written(loop)

    def is_fixed(expr: Expr) -> bool:
        nodes = walk_expr(expr)
        return not any(n in summed or (isinstance(n, Load) and n.buffer in written) for n in nodes)

    guards = tuple([s.cond for s in walk(loop) if isinstance(s, If)])
    found = common_factor(value.b, is_fixed)
    if found is None and not guards:
        return None
    alone = sum(isinstance(s, Store) for s in walk(loop)) == 1 and not any(isinstance(s, Alloc) for s in walk(loop))
    if guards and not (alone and all(map(is_fixed, guards))):
        return None
    rest = store if found is None else replace(store, value=Binary("add", value.a, found[1]))

    def rule(stmt: Stmt) -> Stmt | None:
        if isinstance(stmt, Store) and stmt.name == store.name:
            return rest
        return stmt.then if isinstance(stmt, If) else None

    inner = rewrite_stmt(loop, rule)
    assert isinstance(inner, For)
    return _Scaled(inner, None if found is None else found[0], guards, moved)


def _updated(found: list[Site]) -> list[Site]:
    """The accesses of elements that are stored to, by subscripts; the others only read."""
    stored = {s.indices for s in found if s.is_store}
    return [s for s in found if s.indices in stored]


def _inside_vector(site: Site, loop: For) -> Site:
    """The site without a vector loop around its tile."""
    return replace(site, loops=site.loops[1:]) if loop.kind == "vector" else site


def _moves(found: list[Site], var: Var) -> bool:
    """Whether some access goes elsewhere in each iteration of `var`."""
    return any(uses(i, var) for site in found for i in site.indices)


def _stored(stmt: Stmt) -> list[Buffer]:
    return list({s.buffer: None for s in walk(stmt) if isinstance(s, Store)})


def has_if(stmt: Stmt) -> bool:
    """Whether a condition guards anything inside `stmt`."""
    return any(isinstance(s, If) for s in walk(stmt))


def _joins(part: Stmt, buffer: Buffer, tile: _Tile, masks: tuple[Expr, ...]) -> bool:
    """Whether `part` touches `buffer`, and only on the tile, under the same masks."""
    if not isinstance(part, (For, Store)) or (has_if(part) and not masks):
        return False
    own = _common_tile(sites(part, buffer))
    return own is not None and own.same(tile) and (not masks or masks_of(part, buffer) == masks)


def _overwrites(part: Stmt, buffer: Buffer) -> bool:
    """Whether `part` sets the whole tile before anything reads it: plain stores under unroll and vector loops."""
    while (isinstance(part, For) and part.kind in ("unroll", "vector")) or isinstance(part, If):
        part = part.then if isinstance(part, If) else part.body
    if not isinstance(part, Store) or part.buffer is not buffer:
        return False
    return not any(load.buffer is buffer for e in expressions(part) for load in loads_of(e))
