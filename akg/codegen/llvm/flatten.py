"""Short rows that lie one after the other in memory are one long row.

    for i in [0, 56):                          vector k in [0, 3136): y[0, k] = a * x[0, k]
        vector j in [0, 56): y[i, j] = a * x[i, j]

Rows that are no whole number of vectors leave one of them in part at every end; and of a few vectors each, a reduction
has chains too short to hide their latency, and stores cannot go around the caches.
"""

from __future__ import annotations

from dataclasses import replace

from akg.codegen.llvm.bounds import is_checked
from akg.codegen.llvm.builder import Function
from akg.codegen.llvm.reduction import split_update
from akg.codegen.llvm.subscript import linear
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var
from akg.ir.rewrite import loads_of, substitute_stmt, uses
from akg.ir.stmt import Block, For, Stmt, Store

LONG_ROW_BYTES = 4096  # a row that gains little


def flattened(f: Function, loop: For) -> For | None:
    """One vector loop for a serial one around another; None if rows do not follow each other in all arrays."""
    rows = loop.body
    if isinstance(rows, For) and rows.kind == "serial":
        rows = flattened(f, rows)
    if not isinstance(rows, For) or rows.kind != "vector" or loop.kind != "serial":
        return None
    if any(part.step != 1 or part.begin is not Const(0) or not part.const_trips for part in (loop, rows)):
        return None
    count, length = loop.const_trips or 0, rows.const_trips or 0
    stores = _stores(rows.body)
    written = [s.buffer for s in stores]
    if not stores or len({*written}) < len(written) or length * stores[0].buffer.dtype.itemsize_bytes > LONG_ROW_BYTES:
        return None
    for store in stores:
        update = split_update(store)
        if update is None and store.reduction is not None:
            return None
        term = store.value if update is None else update.term
        if any(load.buffer in written for e in (term, *store.indices) for load in loads_of(e)):
            return None
        accesses = [Load(store.buffer, store.indices), *loads_of(term)]
        if _is_direct(term, (loop.var, rows.var)):
            return None
        if not all(_follows(f, a.buffer, a.indices, loop.var, rows.var, length) for a in accesses):
            return None
    body = substitute_stmt(rows.body, {loop.var: Const(0)})
    return replace(rows, end=Const(count * length), body=body)


def _stores(body: Stmt) -> list[Store]:
    """The statements of a body of nothing but stores."""
    if isinstance(body, Store):
        return [body]
    if not isinstance(body, Block):
        return []
    parts = [_stores(part) for part in body.body]
    return [s for part in parts for s in part] if all(parts) else []


def _is_direct(term: Expr, variables: tuple[Var, ...]) -> bool:
    """Whether a value depends on variables otherwise than by what it loads."""
    stack, seen = [term], set[Expr]()
    while stack:
        node = stack.pop()
        if node in variables:
            return True
        if node not in seen and not isinstance(node, Load):
            stack.extend(node.children)
        seen.add(node)
    return False


def _follows(f: Function, buffer: Buffer, indices: tuple[Expr, ...], row: Var, at: Var, length: int) -> bool:
    """Whether an access moves by `length` elements of a row from one row to the next, or in neither loop."""
    place = f.places.get(buffer)
    if place is None or place.is_private or place.lanes or is_checked(f, buffer, indices):
        return False
    form = dict(linear(f, place, indices))
    step = form.pop((at,), 0)
    if form.pop((row,), 0) != step * length:
        return False
    return not any(uses(factor, v) for key in form for factor in key for v in (row, at))
