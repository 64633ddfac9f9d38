"""Packing for lanes: an operand that vector loops stride over is laid out in tiles of lanes first.

    Before:  for f_t in [0, 64) step 32:           After:  alloc p: [64 * 576]
                 for y: for c: for k:                      for f_t: vector q in [0, 576): vector f in [0, 32):
                     vector f in [0, 32):                      p[f_t * 576 + q * 32 + f] = W[f_t + f, q / 9, q % 9]
                         ... W[f_t + f, c, k] ...          for f_t: ... p[f_t * 576 + (c * 9 + k) * 32 + f] ...

All elements of a tile follow in the order in which the reduction walks through them, lanes side by side (the blocked
weights of Georganas et al. 2018, arXiv:1808.05567). Where a loop over the tiles is outermost, each of its iterations
packs its own; else all are packed before the nest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Load, Var, binary
from akg.ir.rewrite import buffers_read, buffers_written, replace_buffer
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, Block, For, If, Stmt, Store, block, walk
from akg.poly.loops.contract import Site, sites
from akg.poly.loops.prepack import Prepack

LEAST_USES = 8  # times that each element is loaded at least


@dataclass(frozen=True, slots=True)
class _Lanes:
    """How a nest reads a buffer.

    Attributes:
        buffer: of constant shape.
        dimension: the one that lanes run along.
        width: lanes of a tile.
    """

    buffer: Buffer
    dimension: int
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        assert self.buffer.const_shape is not None
        return self.buffer.const_shape

    @property
    def others(self) -> int:
        """Elements for each lane."""
        return prod(self.shape) // self.shape[self.dimension]

    def number(self, indices: Sequence[Expr]) -> Expr:
        """Which of a lane's elements subscripts mean."""
        total: Expr = Const(0)
        for d, index in enumerate(indices):
            if d != self.dimension:
                total = total * self.shape[d] + index
        return total


def pack_for_lanes(body: Stmt, fresh: Callable[[str], Var], prepack: Prepack | None = None) -> Stmt:
    """`body` with the operands that lanes of register tiles stride over laid out for them.

    Args:
        body: the loops, with temporaries declared.
        fresh: makes unused names.
        prepack: takes the loops that lay constant operands out.
    """
    if isinstance(body, Alloc):
        inner = pack_for_lanes(body.body, fresh, prepack)
        return body if inner is body.body else replace(body, body=inner)
    if isinstance(body, Block):
        parts = [pack_for_lanes(part, fresh, prepack) for part in body.body]
        return block(*parts) if any(a is not b for a, b in zip(parts, body.body, strict=True)) else body
    if isinstance(body, For):
        for buffer in sorted(buffers_read(body) - buffers_written(body), key=lambda b: b.name):
            lanes = _lanes(body, buffer)
            if lanes is not None:
                packed = _packed(body, lanes, fresh)
                is_constant = prepack is not None and buffer in prepack.constants
                body = (prepack.hoisted(packed, buffer, ()) if prepack and is_constant else None) or packed
                if not isinstance(body, For):
                    return pack_for_lanes(body, fresh, prepack)  # other operands of the nest
    return body


def _lanes(nest: For, buffer: Buffer) -> _Lanes | None:
    """How all vector loops of a nest stride over a buffer; None if one does not, or in another way."""
    if buffer.const_shape is None or len(buffer.const_shape) < 2 or any(isinstance(s, If) for s in walk(nest)):
        return None
    found = sites(nest, buffer)
    widths: dict[int, int] = {}
    for site in found:
        forms = [Affine.of(index) for index in site.indices]
        rows = {loop.var for loop in site.loops if loop.kind == "unroll"}
        if any(form is None or not rows.isdisjoint(form.terms) for form in forms):
            return None
        vectors = [loop for loop in site.loops if loop.kind == "vector"]
        if not vectors:
            continue
        moved = [(d, f.coefficient(vectors[0].var)) for d, f in enumerate(forms) if f is not None]
        moved = [(d, c) for d, c in moved if c]
        if len(vectors) > 1 or len(moved) != 1 or moved[0][1] != 1 or not rows or vectors[0] is not site.loops[-1]:
            return None
        if vectors[0].begin is not Const(0) or not vectors[0].const_trips or vectors[0].step != 1:
            return None
        widths[moved[0][0]] = max(vectors[0].const_trips, widths.get(moved[0][0], 0))
    if len(widths) != 1:
        return None
    (dimension, width), *_ = widths.items()
    lanes = _Lanes(buffer, dimension, width)
    if prod(lanes.shape[dimension + 1 :]) == 1:
        return None  # they lie side by side
    if any(_base(site, lanes) is None for site in found):
        return None
    loads = sum(prod([_most_trips(loop) for loop in site.loops]) for site in found)
    return lanes if loads >= LEAST_USES * prod(lanes.shape) else None


def _most_trips(loop: For) -> int:
    """A bound on the iterations of a loop; 0 if there is none."""
    begin = loop.begin
    if isinstance(begin, Binary) and begin.op == "max":  # padding is left out
        begin = begin.a if isinstance(begin.a, Const) else begin.b
    return replace(loop, begin=begin).max_trips or 0


def _base(site: Site, lanes: _Lanes) -> tuple[Affine, int, int] | None:
    """Where the tile of a site starts along the lanes, at least and at most; None if at no multiple of the width."""
    form = Affine.of(site.indices[lanes.dimension])
    assert form is not None
    base = form.without([loop.var for loop in site.loops if loop.kind == "vector"])
    around = {loop.var: loop for loop in site.loops}
    low = high = base.const
    for var, c in base.terms.items():
        loop = around.get(var)
        if loop is None or not isinstance(loop.begin, Const) or not loop.const_trips or c < 0:
            return None
        if c * loop.step % lanes.width or c * int(loop.begin) % lanes.width:
            return None
        low, high = low + c * int(loop.begin), high + c * (int(loop.begin) + (loop.const_trips - 1) * loop.step)
    return (base, low, high) if base.const % lanes.width == 0 else None


def _packed(nest: For, lanes: _Lanes, fresh: Callable[[str], Var]) -> Stmt:
    """The nest over packed tiles, with the loops that pack them."""
    found = {site.indices: base for site in sites(nest, lanes.buffer) if (base := _base(site, lanes)) is not None}
    width, size = lanes.width, lanes.shape[lanes.dimension]
    first, last = min(low for _, low, _ in found.values()), max(high for _, _, high in found.values())
    own = Affine.var(nest.var)
    inside = nest.step == width and all(base == own for base, _, _ in found.values())
    count = (1 if inside else (last - first) // width + 1) * width * lanes.others
    name = fresh(f"{lanes.buffer.name}_packed").name
    copy = Buffer(name, (Const(count),), lanes.buffer.dtype, "local" if inside else "global")

    def place(base: Expr, number: Expr, lane: Expr) -> Expr:
        return simplify((Const(0) if inside else (base - first) * lanes.others) + number * width + lane)

    def access(indices: tuple[Expr, ...]) -> tuple[Buffer, tuple[Expr, ...]]:
        base, form = found[indices][0], Affine.of(indices[lanes.dimension])
        assert form is not None
        return copy, (place(base.to_expr(), lanes.number(indices), (form - base).to_expr()),)

    if inside:
        fill = _fill(lanes, copy, place, nest.var, min(width, size - first), fresh)
        return replace(nest, body=Alloc(copy, block(fill, replace_buffer(nest.body, lanes.buffer, access))))
    kind = "parallel" if any(isinstance(s, For) and s.kind == "parallel" for s in walk(nest)) else "serial"
    parts: list[Stmt] = []
    whole = first + (min(last + width, size) - first) // width * width
    for begin, stop in ((first, whole), (whole, min(last + width, size))):
        if begin < stop:
            base = fresh(f"{lanes.buffer.name.lower()}_t")
            fill = _fill(lanes, copy, place, base, min(width, stop - begin), fresh)
            parts.append(For(base, Const(begin), Const(stop), fill, kind, width))
    return Alloc(copy, block(*parts, replace_buffer(nest, lanes.buffer, access)))


def _fill(
    lanes: _Lanes, copy: Buffer, place: Callable[[Expr, Expr, Expr], Expr], base: Var, extent: int,
    fresh: Callable[[str], Var],
) -> Stmt:  # fmt: skip
    """Loops that pack one tile: the dimensions before the lanes, all behind them as one, the lanes."""
    before = [fresh("p") for _ in range(lanes.dimension)]
    together, lane = fresh("q"), fresh("l")
    behind = lanes.shape[lanes.dimension + 1 :]
    digits: list[Expr] = []
    left = prod(behind)
    for size in behind:
        # (q // left') - (q // left) * size: the digit, in a form whose multiples cancel in addresses
        rest = left // size
        high = binary("floordiv", together, Const(left)) if left < prod(behind) else Const(0)
        digits.append(binary("floordiv", together, Const(rest)) - high * size if rest > 1 else together - high * size)
        left = rest
    indices = (*before, base + lane, *digits)
    number: Expr = Const(0)
    for d, var in enumerate(before):
        number = number * lanes.shape[d] + var
    number = number * prod(behind) + together
    value = Load(lanes.buffer, indices)
    stmt: Stmt = Store(copy, (place(base, number, lane),), value, fresh(f"{copy.name}_fill").name)
    stmt = For(together, Const(0), Const(prod(behind)), For(lane, Const(0), Const(extent), stmt, "vector"), "vector")
    for d in reversed(range(lanes.dimension)):
        stmt = For(before[d], Const(0), Const(lanes.shape[d]), stmt)
    return stmt
