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
from dataclasses import dataclass, replace

from akg.base.dot import Dot, dot_of
from akg.base.target import Target
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Cast, Const, Expr, Load, Var, binary, cast, unary
from akg.ir.neighbours import in_steps
from akg.ir.rewrite import (
    buffers_read,
    buffers_written,
    map_children,
    replace_buffer,
    rewrite_stmt,
    substitute,
    substitute_stmt,
    variables_of,
)
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, Block, For, If, Prefetch, Stmt, Store, block, walk
from akg.poly.contract import bounded_trips, sites
from akg.poly.prepack import Prepack

LEAST_ROWS = 6  # tiles of rows that pay for a copy
LEAST_TURNED_ROWS = 8  # the same where lanes along the operand have to be gathered in place
LEAST_DOT_ROWS = 3  # the same where each tile would have to put neighbours side by side itself
ROWS_AHEAD = 16  # that a copy asks for: it reads short pieces, each from another page
IN_PLACE_SHARE = 4  # an operand that takes less than this part of the second-level cache is read in place


@dataclass(frozen=True, slots=True)
class _Panel:
    """What a loop reads of a buffer: `steps` moves along dimension `row`, `lanes` along dimension `column`."""

    buffer: Buffer
    indices: tuple[Expr, ...]
    row: int
    column: int
    steps: For
    lanes: For
    dot: Dot | None

    @property
    def is_turned(self) -> bool:
        """Whether the operand strides over the lanes."""
        return self.column != len(self.indices) - 1


def pack_operands(
    body: Stmt, fresh: Callable[[str], Var], target: Target, kept: frozenset[Buffer] = frozenset()
) -> Stmt:  # fmt: skip
    """`body` with the panels of operands that loops over tiles of rows use again in contiguous memory.

    Args:
        body: the loops, with temporaries declared.
        fresh: makes unused names.
        target: the machine: its caches, and its instructions for sums of products.
        kept: operands that are panels already.
    """
    if isinstance(body, For) and body.kind == "serial" and (body.const_trips or 0) >= LEAST_DOT_ROWS:
        for buffer in sorted(buffers_read(body) - buffers_written(body) - kept, key=lambda b: b.name):
            panel = _panel(body, buffer, target)
            if panel is not None and _pays(body, panel, target):
                return _packed(body, panel, fresh, target)
    return map_children(body, lambda inner: pack_operands(inner, fresh, target, kept))


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
            panel = _panel(body, buffer, target, is_constant=True)
            used = prepack.hoisted(_packed(body, panel, fresh, target), buffer, around) if panel is not None else None
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


def _pays(rows: For, panel: _Panel, target: Target) -> bool:
    """Whether reading a copy saves more than making it."""
    if panel.dot is not None:
        return True
    if panel.is_turned:
        return (rows.const_trips or 0) >= LEAST_TURNED_ROWS
    if (rows.const_trips or 0) < LEAST_ROWS:
        return False
    return _span_bytes(panel) * IN_PLACE_SHARE > target.l2_bytes


def _span_bytes(panel: _Panel) -> int:
    """How far the steps reach in memory; 0 if that is symbolic."""
    shape = panel.buffer.const_shape
    if shape is None or panel.steps.max_trips is None:
        return 0
    total = panel.steps.max_trips * panel.buffer.dtype.itemsize_bytes
    for size in shape[panel.row + 1 :]:
        total *= size
    return total


def _panel(rows: For, buffer: Buffer, target: Target, *, is_constant: bool = False) -> _Panel | None:
    """The panel of `buffer` that all iterations of a loop over rows read; None if there is no such.

    Of a constant, the loop over the panel is enough.
    """
    if buffer.scope != "global" or any(isinstance(s, If) for s in walk(rows)):
        return None
    found = sites(rows, buffer)
    first = found[0]
    if any(s.indices != first.indices for s in found):
        return None
    inside = {loop.var: loop for loop in first.loops}
    moved = [(d, v) for d, index in enumerate(first.indices) for v in variables_of(index) if v in inside]
    if len(moved) != 2 or moved[0][0] == moved[1][0] or moved[1][0] != len(first.indices) - 1:
        return None
    if inside[moved[0][1]].kind == "vector":
        moved.reverse()
    (row, k), (column, j) = moved
    steps, lanes = inside[k], inside[j]
    forms = [Affine.of(first.indices[d]) for d in (row, column)]
    if any(form is None or form.coefficient(v) != 1 for form, v in zip(forms, (k, j), strict=True)):
        return None
    if steps is rows and not is_constant:
        return None
    if steps.kind != "serial" or lanes.kind != "vector" or steps.step != 1 or lanes.step != 1:
        return None
    bounds = (steps.begin, steps.end, lanes.begin, lanes.end)
    if lanes.begin is not Const(0) or lanes.max_trips is None or bounded_trips(steps) is None:
        return None
    if any(v in inside for b in bounds for v in variables_of(b)):
        return None
    return _Panel(buffer, first.indices, row, column, steps, lanes, _dot(steps, buffer, target))


def _dot(steps: For, buffer: Buffer, target: Target) -> Dot | None:
    """The instruction for several steps at once: every store adds a product whose other factor lies along them."""
    dot = dot_of(target, buffer.dtype, target.lanes(32))
    stores = _updates(steps.body)
    if dot is None or not stores or steps.max_trips == 1:
        return None
    for store in stores:
        value = store.value
        if store.reduction != "sum" or not isinstance(value, Binary) or value.dtype is not dot.sums:
            return None
        factors = value.b.children if isinstance(value.b, Binary) and value.b.op == "mul" else ()
        loads = [f.a for f in factors if isinstance(f, Cast) and f.dtype is dot.sums and isinstance(f.a, Load)]
        others = [load for load in loads if load.buffer is not buffer]
        if len(loads) != 2 or len(others) != 1 or dot_of(target, others[0].dtype, target.lanes(32)) != dot:
            return None
        forms = [Affine.of(i) for i in others[0].indices]
        along = [form.coefficient(steps.var) if form is not None else None for form in forms]
        if along != [*[0] * (len(forms) - 1), 1]:
            return None
    return dot


def _updates(stmt: Stmt) -> list[Store]:
    """The stores in a nest of unrolled and vector loops; none if there is more."""
    if isinstance(stmt, Store):
        return [stmt]
    if isinstance(stmt, Block):
        parts = [_updates(s) for s in stmt.body]
        return [s for part in parts for s in part] if all(parts) else []
    return _updates(stmt.body) if isinstance(stmt, For) and stmt.kind in ("unroll", "vector") else []


def _packed(rows: For, panel: _Panel, fresh: Callable[[str], Var], target: Target) -> Stmt:
    """The loop over a copy of the panel, behind the loop that makes it."""
    steps, lanes, dot = panel.steps, panel.lanes, panel.dot
    width, bound = lanes.max_trips, bounded_trips(steps)
    assert width is not None and bound is not None
    group = dot.steps if dot is not None else 1
    shape = (Const(bound // group), Const(width), *([Const(group)] if dot is not None else []))
    dtype = panel.buffer.dtype if dot is None else dot.factors
    copy = Buffer(fresh(f"{panel.buffer.name}_panel").name, shape, dtype, "local")
    k, j = fresh(steps.var.name), fresh(lanes.var.name)

    def source(step: Expr) -> Load:
        at = {steps.var: step, lanes.var: j}
        return Load(panel.buffer, tuple([simplify(substitute(i, at)) for i in panel.indices]))

    name = fresh(f"{copy.name}_pack").name
    if dot is None:
        place = simplify(k - steps.begin)
        fill: Stmt = Store(copy, (place, j), source(k), name)
        if not panel.is_turned and _span_bytes(panel) > target.l2_bytes:
            fill = block(fill, Prefetch(panel.buffer, source(k + ROWS_AHEAD).indices, 2))
        inner = replace_buffer(rows, panel.buffer, lambda _: (copy, (simplify(steps.var - steps.begin), lanes.var)))
        begin, end = steps.begin, steps.end
    else:
        n = fresh(f"{steps.var.name}_n")
        begin, end = Const(0), simplify(binary("floordiv", steps.end - steps.begin, group))
        value = cast(source(steps.begin + k * group + n), dtype)
        fill = For(n, Const(0), Const(group), Store(copy, (k, j, n), value, name), "unroll")
        grouped = _grouped(panel, copy, end, fresh)
        inner = rewrite_stmt(rows, lambda s: grouped if s is steps else None)
    loops = (For(j, lanes.begin, lanes.end, fill, "vector"), "vector" if panel.is_turned else "serial")
    return Alloc(copy, block(For(k, begin, end, *loops), inner))


def _grouped(panel: _Panel, copy: Buffer, end: Expr, fresh: Callable[[str], Var]) -> Stmt:
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

    body = in_steps(steps.body, steps.var, first + s * group, group, counter)

    def rule(stmt: Stmt) -> Stmt | None:
        if not isinstance(stmt, For) or stmt.var not in inner:
            return None
        place = (s, panel.lanes.var, stmt.var)
        return replace_buffer(stmt, panel.buffer, lambda _: (copy, place))

    body = rewrite_stmt(body, rule)
    grouped = For(s, Const(0), end, body)
    if isinstance(left := simplify(steps.end - first - end * group), Const) and int(left) == 0:
        return grouped
    k = fresh(steps.var.name)
    rest = substitute_stmt(steps.body, {steps.var: k})
    return block(grouped, For(k, simplify(first + end * group), steps.end, _renamed(rest, fresh)))


def _renamed(stmt: Stmt, fresh: Callable[[str], Var]) -> Stmt:
    """A second copy of a statement, with loops and stores of its own."""

    def rule(inner: Stmt) -> Stmt | None:
        if isinstance(inner, Store):
            return replace(inner, name=fresh(inner.name).name)
        if isinstance(inner, For):
            var = fresh(inner.var.name)
            return replace(inner, var=var, body=substitute_stmt(inner.body, {inner.var: var}))
        return None

    return rewrite_stmt(stmt, rule)
