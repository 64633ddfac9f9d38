"""Operands that lie along the rows of register tiles, as A[k, i], are turned once before the nest.

    Before:  parallel for j_t: for i_t: for k: ... A[k, i_t + i] ...
    After:   alloc t: [M, K]
             parallel for i_t: vector i: vector k: t[i_t + i, k] = A[k, i_t + i]
             parallel for j_t: for i_t: for k: ... t[i_t + i, k] ...

In place, each step of a tile reads a few elements of another page; turned, rows are read as they lie in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import prod

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var, binary
from akg.ir.rewrite import buffers_read, buffers_written, replace_buffer, variables_of
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, For, Stmt, Store, block
from akg.poly.loops.contract import Site, sites

LEAST_EXTENT = 256  # of both dimensions: smaller operands stay in the caches as they are
LEAST_USES = 128  # of each element
STRIP = 64  # rows that a thread turns at a time


def turn_rows(body: Stmt, fresh: Callable[[str], Var], packed: Collection[Buffer] = ()) -> Stmt:
    """`body`, the whole kernel, with such operands turned first.

    Args:
        body: the loops, with temporaries declared.
        fresh: makes unused names.
        packed: copies of operands, which lie as the tiles read them.
    """
    if not isinstance(body, For):
        return body
    for buffer in sorted(buffers_read(body) - buffers_written(body) - set(packed), key=lambda b: b.name):
        shape = buffer.const_shape
        if buffer.scope != "global" or shape is None or len(shape) != 2 or min(shape) < LEAST_EXTENT:
            continue
        found = sites(body, buffer)
        if all(map(_is_along_rows, found)) and sum(map(_uses, found)) >= LEAST_USES:
            return _turned(body, buffer, fresh)
    return body


def turns(buffer: Buffer, uses: int) -> bool:
    """Whether an operand that lies along rows is large and used often enough to be turned."""
    shape = buffer.const_shape
    return buffer.scope == "global" and shape is not None and len(shape) == 2 and (
        min(shape) >= LEAST_EXTENT and uses >= LEAST_USES
    )  # fmt: skip


def _is_along_rows(site: Site) -> bool:
    """Whether an access steps through rows of the array in a serial loop, and along them by unrolled loops only."""
    down, along = (Affine.of(i) for i in site.indices)
    if down is None or along is None or not site.loops:
        return False
    inner = {loop.var: loop for loop in site.loops}
    steps = [loop for v in down.terms if (loop := inner.get(v)) is not None]
    rows = [loop for v in along.terms if (loop := inner.get(v)) is not None]
    if not any(loop.kind == "serial" for loop in steps) or not any(loop.kind == "unroll" for loop in rows):
        return False
    return all(loop.kind in ("serial", "parallel") for loop in steps) and all(loop.kind != "vector" for loop in rows)


def _uses(site: Site) -> int:
    """How often an access reads each element that it reads; those of the edges add up to all."""
    moving = {v for i in site.indices for v in variables_of(i)}
    return prod([loop.max_trips or 1 for loop in site.loops if loop.var not in moving])


def _turned(body: For, buffer: Buffer, fresh: Callable[[str], Var]) -> Stmt:
    shape = buffer.const_shape
    assert shape is not None
    count, length = (Const(n) for n in shape)
    turned = Buffer(fresh(f"{buffer.name}_turned").name, (length, count), buffer.dtype, "global")
    strip, i, k = fresh("i_t"), fresh("i"), fresh("k")
    end: Expr = Const(STRIP) if shape[1] % STRIP == 0 else simplify(binary("min", Const(STRIP), length - strip))
    fill = Store(turned, (strip + i, k), Load(buffer, (k, strip + i)), fresh(f"{turned.name}_fill").name)
    inner = For(i, Const(0), end, For(k, Const(0), count, fill, "vector"), "vector")
    first = For(strip, Const(0), length, inner, "parallel", STRIP)
    return Alloc(turned, block(first, replace_buffer(body, buffer, lambda at: (turned, (at[1], at[0])))))
