"""Panels: what all iterations of a loop over rows read of an operand, and the instruction that takes it up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from akg.base.dot import Dot, dot_of, packed_dot_of
from akg.base.target import Target
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Cast, Const, Expr, Load, Var
from akg.ir.rewrite import replace_buffer, rewrite_stmt, substitute, substitute_stmt, variables_of
from akg.ir.simplify import simplify
from akg.ir.stmt import Block, For, If, Stmt, Store, walk
from akg.poly.loops.contract import bounded_trips, sites
from akg.poly.price import UNKNOWN_TRIPS


@dataclass(frozen=True, slots=True)
class Panel:
    """What a loop reads of a buffer: `steps` moves along dimension `row`, `lanes` along dimension `column`."""

    buffer: Buffer
    indices: tuple[Expr, ...]
    row: int
    column: int
    steps: For
    lanes: For
    dot: Dot | None
    is_whole: bool  # whether the steps are a multiple of those that the instruction takes

    @property
    def is_turned(self) -> bool:
        """Whether the operand strides over the lanes."""
        return self.column != len(self.indices) - 1


def span_bytes(panel: Panel) -> int:
    """How far the steps reach in memory; far if that is symbolic."""
    shape = panel.buffer.const_shape
    if shape is None or panel.steps.max_trips is None:
        return UNKNOWN_TRIPS
    total = panel.steps.max_trips * panel.buffer.dtype.itemsize_bytes
    for size in shape[panel.row + 1 :]:
        total *= size
    return total


def panel_of(
    rows: For, buffer: Buffer, target: Target, around: tuple[For | If, ...], *, is_constant: bool = False
) -> Panel | None:
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
    dot = _dot(steps, buffer, target)
    is_whole = dot is not None and _is_multiple(steps.end - steps.begin, dot.steps, around)
    return Panel(buffer, first.indices, row, column, steps, lanes, dot, is_whole)


def with_panel(stmt: Stmt, panel: Panel, copy: Buffer) -> Stmt:
    """`stmt` with its loads of a panel from a copy of it, where it reads that panel and nothing else of the buffer."""
    found = sites(stmt, panel.buffer)
    if not found or any(s.indices != found[0].indices or s.is_store for s in found):
        return stmt
    indices = found[0].indices
    steps = _like(panel.steps, [f for f in found[0].loops if f.var in variables_of(indices[panel.row])])
    lanes = _like(panel.lanes, [f for f in found[0].loops if f.var in variables_of(indices[panel.column])])
    if steps is None or lanes is None:
        return stmt
    names: dict[Var, Expr] = {steps.var: panel.steps.var, lanes.var: panel.lanes.var}
    if tuple([simplify(substitute(i, names)) for i in indices]) != tuple([simplify(i) for i in panel.indices]):
        return stmt
    return replace_buffer(stmt, panel.buffer, lambda _: (copy, (simplify(steps.var - steps.begin), lanes.var)))


def _like(loop: For, others: list[For]) -> For | None:
    """The one loop among others if it runs over the same range in the same way."""
    other = others[0] if len(others) == 1 else None
    if other is None or other.kind != loop.kind or other.step != loop.step:
        return None
    return other if other.begin is loop.begin and other.end is loop.end else None


def _is_multiple(extent: Expr, of: int, around: tuple[For | If, ...]) -> bool:
    """Whether an extent is known to be a multiple, as those of blocks are: min(256, 1024 - k0), k0 by 256."""
    if isinstance(extent, Binary) and extent.op == "min":
        return _is_multiple(extent.a, of, around) and _is_multiple(extent.b, of, around)
    form, loops = Affine.of(extent), {f.var: f for f in around if isinstance(f, For)}
    if form is None or form.const % of:
        return False
    known = [(c, loops.get(v)) for v, c in form.terms.items()]
    return all(f is not None and c * f.step % of == 0 and isinstance(f.begin, Const) and c * int(f.begin) % of == 0
               for c, f in known)


def _dot(steps: For, buffer: Buffer, target: Target) -> Dot | None:
    """The instruction for several steps at once: every store adds a product whose other factor lies along them."""
    lanes, stores = target.lanes(32), _updates(steps.body)
    if not stores or steps.max_trips == 1:
        return None
    others = [other_factor(store, buffer) for store in stores]
    found = {None if load is None else packed_dot_of(target, buffer.dtype, load.dtype, lanes) for load in others}
    dot = found.pop() if len(found) == 1 else None
    if dot is not None and (bounded_trips(steps) or 0) < dot.steps:
        dot = dot_of(target, buffer.dtype, lanes)
    if dot is None or any(store.value.dtype is not dot.sums for store in stores):
        return None
    for load in others:
        forms = [Affine.of(i) for i in load.indices] if load is not None else []
        along = [form.coefficient(steps.var) if form is not None else None for form in forms]
        if along != [*[0] * (len(forms) - 1), 1]:
            return None
    return dot


def other_factor(store: Store, buffer: Buffer) -> Load | None:
    """What a sum of products with elements of a buffer multiplies them by, both widened; None if it is no such sum."""
    value = store.value
    if store.reduction != "sum" or not isinstance(value, Binary):
        return None
    factors = value.b.children if isinstance(value.b, Binary) and value.b.op == "mul" else ()
    loads = [f.a for f in factors if isinstance(f, Cast) and f.dtype is value.dtype and isinstance(f.a, Load)]
    others = [load for load in loads if load.buffer is not buffer]
    return others[0] if len(loads) == 2 and len(others) == 1 else None


def _updates(stmt: Stmt) -> list[Store]:
    """The stores in a nest of unrolled and vector loops; none if there is more."""
    if isinstance(stmt, Store):
        return [stmt]
    if isinstance(stmt, Block):
        parts = [_updates(s) for s in stmt.body]
        return [s for part in parts for s in part] if all(parts) else []
    return _updates(stmt.body) if isinstance(stmt, For) and stmt.kind in ("unroll", "vector") else []


def renamed(stmt: Stmt, fresh: Callable[[str], Var]) -> Stmt:
    """A second copy of a statement, with loops and stores of its own."""

    def rule(inner: Stmt) -> Stmt | None:
        if isinstance(inner, Store):
            return replace(inner, name=fresh(inner.name).name)
        if isinstance(inner, For):
            var = fresh(inner.var.name)
            return replace(inner, var=var, body=substitute_stmt(inner.body, {inner.var: var}))
        return None

    return rewrite_stmt(stmt, rule)
