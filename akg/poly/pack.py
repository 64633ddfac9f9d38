"""Packing: the panel of an operand that a loop over rows reads again and again is copied to contiguous memory first.

    Before:  for i_t in rows:                      After:  alloc p: [256, 80]
                 for k in [k0, k0 + 256):                  for k in [k0, k0 + 256):
                     vector j in [0, 80):                      vector j in [0, 80): p[k - k0, j] = B[k, j0 + j]
                         ... B[k, j0 + j] ...              for i_t in rows: ... p[k - k0, j] ...

In place, each step of k is a row of B: another page, and for rows of a power of two another line of one cache set
(Goto and van de Geijn 2008). A panel is read in one run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var
from akg.ir.rewrite import buffers_read, buffers_written, map_children, replace_buffer, variables_of
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, For, If, Stmt, Store, block, walk
from akg.poly.contract import sites

LEAST_ROWS = 16  # tiles of rows that pay for a copy


@dataclass(frozen=True, slots=True)
class _Panel:
    """What a loop reads of a buffer: `steps` moves along dimension `row`, `lanes` along the last one."""

    buffer: Buffer
    indices: tuple[Expr, ...]
    row: int
    steps: For
    lanes: For


def pack_operands(body: Stmt, fresh: Callable[[str], Var], l2_bytes: int) -> Stmt:
    """`body` with the panels of operands that loops over tiles of rows use again in contiguous memory.

    Args:
        body: the loops, with temporaries declared.
        fresh: makes unused names.
        l2_bytes: the second-level cache: operands that fit are read in place.
    """
    if isinstance(body, For) and body.kind == "serial" and (body.const_trips or 0) >= LEAST_ROWS:
        for buffer in sorted(buffers_read(body) - buffers_written(body), key=lambda b: b.name):
            panel = _panel(body, buffer) if _bytes(buffer) > l2_bytes else None
            if panel is not None:
                return _packed(body, panel, fresh)
    return map_children(body, lambda inner: pack_operands(inner, fresh, l2_bytes))


def _bytes(buffer: Buffer) -> int:
    """The size of a buffer; 0 if it is symbolic."""
    if buffer.const_shape is None or len(buffer.const_shape) < 2 or buffer.scope != "global":
        return 0
    total = buffer.dtype.itemsize_bytes
    for size in buffer.const_shape:
        total *= size
    return total


def _panel(rows: For, buffer: Buffer) -> _Panel | None:
    """The panel of `buffer` that all iterations of a loop over rows read; None if there is no such."""
    if any(isinstance(s, If) for s in walk(rows)):
        return None
    found = sites(rows, buffer)
    first = found[0]
    if any(s.indices != first.indices for s in found):
        return None
    inside = {loop.var: loop for loop in first.loops}
    moved = [(d, v) for d, index in enumerate(first.indices) for v in variables_of(index) if v in inside]
    if len(moved) != 2 or moved[1][0] != len(first.indices) - 1 or moved[0][0] == moved[1][0]:
        return None
    (row, k), (_, j) = moved
    steps, lanes = inside[k], inside[j]
    forms = [Affine.of(first.indices[d]) for d in (row, len(first.indices) - 1)]
    if any(form is None or form.coefficient(v) != 1 for form, v in zip(forms, (k, j), strict=True)):
        return None
    if steps is rows or steps.kind != "serial" or lanes.kind != "vector" or steps.step != 1 or lanes.step != 1:
        return None
    bounds = (steps.begin, steps.end, lanes.begin, lanes.end)
    if lanes.begin is not Const(0) or lanes.max_trips is None or steps.max_trips is None:
        return None
    if any(v in inside for b in bounds for v in variables_of(b)):
        return None
    return _Panel(buffer, first.indices, row, steps, lanes)


def _packed(rows: For, panel: _Panel, fresh: Callable[[str], Var]) -> Stmt:
    """The loop over a copy of the panel, behind the loop that makes it."""
    steps, lanes = panel.steps, panel.lanes
    assert lanes.max_trips is not None and steps.max_trips is not None
    shape = (Const(steps.max_trips), Const(lanes.max_trips))
    copy = Buffer(fresh(f"{panel.buffer.name}_panel").name, shape, panel.buffer.dtype, "local")

    def place(k: Expr, j: Expr) -> tuple[Expr, Expr]:
        return simplify(k - steps.begin), j

    k, j = fresh(steps.var.name), fresh(lanes.var.name)
    at = {steps.var: Affine.var(k), lanes.var: Affine.var(j)}
    source = tuple([f.substitute(at).to_expr() if (f := Affine.of(i)) is not None else i for i in panel.indices])
    fill = Store(copy, place(k, j), Load(panel.buffer, source), fresh(f"{copy.name}_pack").name)
    filled = For(k, steps.begin, steps.end, For(j, lanes.begin, lanes.end, fill, "vector"))
    inner = replace_buffer(rows, panel.buffer, lambda indices: (copy, place(steps.var, lanes.var)))
    return Alloc(copy, block(filled, inner))
