"""Packing: the panel of an operand that a loop over rows reads again and again is copied to contiguous memory first.

    Before:  for i_t in rows:                      After:  alloc p: [256, 80]
                 for k in [k0, k0 + 256):                  for k in [k0, k0 + 256):
                     vector j in [0, 80):                      vector j in [0, 80): p[k - k0, j] = B[k, j0 + j]
                         ... B[k, j0 + j] ...              for i_t in rows: ... p[k - k0, j] ...

In place, each step of k is a row of B: another page, and for rows of a power of two another line of one cache set
(Goto and van de Geijn 2008). A panel is read in one run. An operand that strides over the lanes, as B[j0 + j, k], is
turned on the way. Where the machine adds neighbouring products (`akg.base.dot`), steps that one instruction takes lie
side by side in the panel, already in the type that the instruction reads:

    for s in [0, 128): vector j in [0, 80): unroll n in [0, 2): p[s, j, n] = B[k0 + 2 * s + n, j0 + j]
    for i_t in rows: for s in [0, 128): ... unroll n in [0, 2): C += A[i, k0 + 2 * s + n] * p[s, j, n]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

from akg.base.dot import dot_of
from akg.base.dtype import float16, float32
from akg.base.target import Target
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Select, Var, binary, cast, unary
from akg.ir.neighbours import in_steps
from akg.ir.rewrite import (
    buffers_read,
    buffers_written,
    map_children,
    replace_buffer,
    rewrite_stmt,
    substitute,
    substitute_stmt,
)
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, Block, For, If, Prefetch, Stmt, Store, block, walk
from akg.poly.decisions import Figures
from akg.poly.figures import packing_text
from akg.poly.loops.contract import bounded_trips
from akg.poly.loops.flip_signs import ColumnSums
from akg.poly.loops.panel import Panel, other_factor, panel_of, renamed, span_bytes, with_panel
from akg.poly.loops.prepack import Prepack
from akg.poly.loops.widen import redirected
from akg.poly.price import UNKNOWN_TRIPS, feed_of, packing

LEAST_ROWS = 6  # tiles of rows that share a block of a panel
LEAST_TURNED_ROWS = 8  # the same where lanes along the operand have to be gathered in place
LEAST_DOT_ROWS = 3  # the same where each tile would have to put neighbours side by side itself
ROWS_AHEAD = 16  # that a copy asks for: it reads short pieces, each from another page


def pack_operands(
    body: Stmt, fresh: Callable[[str], Var], target: Target, weigh: Callable[[str, Figures], None],
    kept: frozenset[Buffer] = frozenset(), around: tuple[For | If, ...] = (),
) -> Stmt:  # fmt: skip
    """`body` with the panels of operands that loops over tiles of rows use again in contiguous memory.

    Args:
        body: the loops, with temporaries declared.
        fresh: makes unused names.
        target: the machine: its caches, and its instructions for sums of products.
        weigh: takes what is told of, and what makes the figures behind the decision.
        kept: operands that are panels already.
        around: loops outside of `body`.
    """
    if isinstance(body, Block):
        return _pack_in_order(list(body.body), fresh, target, weigh, kept, around)
    panel = _panel_to_copy(body, target, weigh, kept, around)
    if panel is not None and isinstance(body, For):
        packed = _packed(body, panel, fresh, target)
        return packed if body.const_trips else If(binary("lt", body.begin, body.end), packed)
    inside = (*around, body) if isinstance(body, For) else around
    return map_children(body, lambda inner: pack_operands(inner, fresh, target, weigh, kept, inside))


def _panel_to_copy(
    rows: Stmt, target: Target, weigh: Callable[[str, Figures], None], kept: frozenset[Buffer],
    around: tuple[For | If, ...],
) -> Panel | None:  # fmt: skip
    """The panel that pays for a copy, if a statement is a loop over rows that has one."""
    if isinstance(rows, For) and rows.kind == "serial" and _tiles(rows) >= LEAST_DOT_ROWS:
        for buffer in sorted(buffers_read(rows) - buffers_written(rows) - kept, key=lambda b: b.name):
            panel = panel_of(rows, buffer, target, around)
            if panel is not None and _pays(rows, panel, target, weigh):
                return panel
    return None


def _pack_in_order(
    parts: list[Stmt], fresh: Callable[[str], Var], target: Target, weigh: Callable[[str, Figures], None],
    kept: frozenset[Buffer], around: tuple[For | If, ...],
) -> Stmt:  # fmt: skip
    """Statements in order; behind a loop over rows, a tile of fewer rows reads the same copy of a panel."""
    done: list[Stmt] = []
    for at, part in enumerate(parts):
        is_fixed = isinstance(part, For) and part.const_trips
        panel = _panel_to_copy(part, target, weigh, kept, around) if is_fixed else None
        if panel is not None and panel.dot is None and isinstance(part, For):
            packed = _packed(part, panel, fresh, target)
            copy = packed.buffer
            rest = [with_panel(s, panel, copy) if copy.dtype is panel.buffer.dtype else s for s in parts[at + 1 :]]
            if any(a is not b for a, b in zip(rest, parts[at + 1 :], strict=True)):
                behind = _pack_in_order(rest, fresh, target, weigh, kept, around)
                return block(*done, Alloc(copy, block(packed.body, behind)))
            done.append(packed)
        else:
            done.append(pack_operands(part, fresh, target, weigh, kept, around))
    return block(*done) if any(a is not b for a, b in zip(done, parts, strict=True)) else Block(tuple(parts))


def pack_constants(
    body: Stmt, fresh: Callable[[str], Var], target: Target, prepack: Prepack, around: tuple[For | If, ...] = ()
) -> Stmt:
    """`body` with the panels of constant operands made ahead of time, where it has panels of them.

    Args:
        body: the loops, with temporaries declared.
        fresh: makes unused names.
        target: the machine.
        prepack: knows the constants, and takes the loops that make their panels.
        around: loops and conditions outside of `body`, outermost first.
    """
    if not prepack.constants:
        return body
    if isinstance(body, For) and body.kind == "serial":
        for buffer in sorted(buffers_read(body) & prepack.constants, key=lambda b: b.name):
            panel = panel_of(body, buffer, target, around, is_constant=True)
            used = _ahead(body, panel, fresh, target, prepack, around) if panel is not None else None
            if used is not None:
                return pack_constants(used, fresh, target, prepack, around)
    if isinstance(body, If):
        otherwise = replace(body, cond=unary("not", body.cond))
        then = pack_constants(body.then, fresh, target, prepack, (*around, body))
        orelse = body.orelse
        if orelse is not None:
            orelse = pack_constants(orelse, fresh, target, prepack, (*around, otherwise))
        return replace(body, then=then, orelse=orelse)
    inside = (*around, body) if isinstance(body, For) else around
    return map_children(body, lambda inner: pack_constants(inner, fresh, target, prepack, inside))


def _tiles(rows: For) -> int:
    """Tiles of rows; of a symbolic number, whole ones run only where they are enough (see `astgen.scan`).

    The last block of rows that threads share may have fewer than the others.
    """
    is_chosen = isinstance(rows.end, Select) and rows.end.b is rows.begin
    return UNKNOWN_TRIPS if is_chosen else rows.max_trips or 0


def _pays(rows: For, panel: Panel, target: Target, weigh: Callable[[str, Figures], None]) -> bool:
    """Whether reading a copy saves more than making it."""
    if panel.dot is not None:
        return True
    if panel.is_turned:
        return _tiles(rows) >= LEAST_TURNED_ROWS
    if _is_paired_later(panel, target):
        return False
    unrolled = [s.const_trips or 1 for s in walk(panel.steps.body) if isinstance(s, For) and s.kind == "unroll"]
    shape, item = panel.buffer.const_shape, panel.buffer.dtype.itemsize_bytes
    feed = feed_of(target, shape, bounded_trips(panel.steps) or UNKNOWN_TRIPS, item, panel.row)
    found = packing(target.core, feed, _tiles(rows), max(unrolled, default=1))
    vectors = prod(shape or ()) / target.lanes(8 * item)
    weigh(f"{panel.buffer.name} for tiles of rows", lambda: packing_text(found, feed, target.core, vectors))
    return found.pays


def _is_paired_later(panel: Panel, target: Target) -> bool:
    """Whether `akg.poly.loops.pair_steps` lays both factors out: it needs them as they are."""
    sums = [s for s in walk(panel.steps.body) if isinstance(s, Store) and s.reduction == "sum"]
    factors = [panel.buffer, *[None if load is None else load.buffer for load in
                               (other_factor(s, panel.buffer) for s in sums)]]  # fmt: skip
    return bool(sums) and all(b is not None and dot_of(target, b.dtype, target.lanes(32)) for b in factors)


def _ahead(
    rows: For, panel: Panel, fresh: Callable[[str], Var], target: Target, prepack: Prepack,
    around: tuple[For | If, ...],
) -> Stmt | None:  # fmt: skip
    """The loop over a panel, and the sums of its columns, that were made ahead of time."""
    used = prepack.hoisted(_packed(rows, panel, fresh, target, is_ahead=True), panel.buffer, around)
    return prepack.hoisted(used, panel.buffer, around) if isinstance(used, Alloc) else used


def _packed(
    rows: For, panel: Panel, fresh: Callable[[str], Var], target: Target, *, is_ahead: bool = False
) -> Alloc:
    """The loop over a copy of the panel, behind the loop that makes it; `is_ahead` if that will run once."""
    steps, lanes, dot = panel.steps, panel.lanes, panel.dot
    width, bound = lanes.max_trips, bounded_trips(steps)
    assert width is not None and bound is not None
    group = dot.steps if dot is not None else 1
    shape = (Const(bound // group), Const(width), *([Const(group)] if dot is not None else []))
    dtype = panel.buffer.dtype if dot is None else dot.factors
    copy = Buffer(fresh(f"{panel.buffer.name}_panel").name, shape, dtype, "local")
    widened = None
    if dot is None and dtype is float16 and not is_ahead:
        wide = Buffer(copy.name, shape, float32, "local")
        widened = redirected(rows, panel.buffer, wide, lambda _: (simplify(steps.var - steps.begin), lanes.var))
        copy = copy if widened is None else wide
    k, j = fresh(steps.var.name), fresh(lanes.var.name)

    def source(step: Expr) -> Load:
        at = {steps.var: step, lanes.var: j}
        return Load(panel.buffer, tuple([simplify(substitute(i, at)) for i in panel.indices]))

    name = fresh(f"{copy.name}_pack").name
    if dot is None:
        place = simplify(k - steps.begin)
        fill: Stmt = Store(copy, (place, j), cast(source(k), copy.dtype), name)
        if not panel.is_turned and span_bytes(panel) > target.l2_bytes:
            fill = block(fill, Prefetch(panel.buffer, source(k + ROWS_AHEAD).indices, 2))
        inner = widened
        if inner is None:
            inner = replace_buffer(rows, panel.buffer, lambda _: (copy, (simplify(steps.var - steps.begin), lanes.var)))
        begin, end = steps.begin, steps.end
    else:
        n = fresh(f"{steps.var.name}_n")
        begin, end = Const(0), simplify(binary("floordiv", steps.end - steps.begin, group))
        value = cast(source(steps.begin + k * group + n), dtype)
        fill = For(n, Const(0), Const(group), Store(copy, (k, j, n), value, name), "unroll")
        sums = ColumnSums(panel, dot, fresh) if dot.flips else None
        grouped = _grouped(panel, copy, end, sums, fresh)
        inner = _with_steps(rows, steps, grouped)
        if sums is not None:
            inner = sums.added_up(inner, end, None if is_ahead else copy)
    loops = (For(j, lanes.begin, lanes.end, fill, "vector"), "vector" if panel.is_turned else "serial")
    return Alloc(copy, block(For(k, begin, end, *loops), inner))


def _with_steps(rows: For, steps: For, grouped: Stmt) -> Stmt:
    """The loop over rows with other loops over the steps, beside what is before and behind them."""

    def rule(stmt: Stmt) -> Stmt | None:
        if isinstance(stmt, Block) and any(part is grouped for part in stmt.body):
            return block(*stmt.body)
        return grouped if stmt is steps else None

    return rewrite_stmt(rows, rule)


def _grouped(panel: Panel, copy: Buffer, end: Expr, sums: ColumnSums | None, fresh: Callable[[str], Var]) -> Stmt:
    """The loop over steps in groups, and what is left over of it in place."""
    steps, dot = panel.steps, panel.dot
    assert dot is not None
    group = dot.steps
    s, first = fresh(steps.var.name), steps.begin
    inner: dict[Var, Var] = {}

    def counter() -> Var:
        var = fresh(f"{steps.var.name}_n")
        inner[var] = var
        return var

    updates = steps.body if sums is None else sums.flip(steps.body)
    body = in_steps(updates, steps.var, first + s * group, group, counter)

    def rule(stmt: Stmt) -> Stmt | None:
        if not isinstance(stmt, For) or stmt.var not in inner:
            return None
        place = (s, panel.lanes.var, stmt.var)
        return replace_buffer(stmt, panel.buffer, lambda _: (copy, place))

    body = rewrite_stmt(body, rule)
    grouped = block(For(s, Const(0), end, body), None if sums is None else sums.taken_off())
    if panel.is_whole:
        return grouped
    k = fresh(steps.var.name)
    rest = substitute_stmt(steps.body, {steps.var: k})
    return block(grouped, For(k, simplify(first + end * group), steps.end, renamed(rest, fresh)))
