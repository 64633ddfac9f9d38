"""Reductions without a parallel loop around them, split among threads.

    Before:                              After:
        for k in [0, n):                     alloc part[CHUNKS]
            y[] = y[] + x[k]                 parallel for c in [0, CHUNKS):
                                                 part[c] = 0
                                                 for k in [c * size, min(n, c * size + size)):
                                                     part[c] = part[c] + x[k]
                                             for c in [0, CHUNKS):
                                                 y[] = y[] + part[c]

The number of chunks does not depend on the number of threads, so neither does the result.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace

from akg.base.dtype import DType
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Cast, Const, Expr, Load, Var, binary
from akg.ir.rewrite import loads_of, map_children, rewrite, rewrite_stmt, variables_of
from akg.ir.stmt import REDUCTIONS, Alloc, For, Stmt, Store, block, expressions, walk

CHUNKS = 64
ENOUGH_ITERATIONS = 1 << 15  # fewer do not pay for waking threads


def identity(reduction: str, dtype: DType) -> Const:
    """The neutral element of a named reduction."""
    if reduction == "sum":
        return Const(0, dtype)
    if reduction == "prod":
        return Const(1, dtype)
    if dtype.is_float:
        return Const(float("-inf") if reduction == "max" else float("inf"), dtype)
    if dtype.kind == "bool":
        return Const(reduction == "min", dtype)
    bits = dtype.bits - (dtype.kind != "uint")
    low, high = (0 if dtype.kind == "uint" else -(1 << bits)), (1 << bits) - 1
    return Const(low if reduction == "max" else high, dtype)


def split_reductions(body: Stmt, fresh: Callable[[str], Var], kept: Container[str] = ()) -> Stmt:
    """`body` with its long sequential reductions, those that no loop encloses, shared among threads.

    The statements `kept` stay as they are.
    """
    if isinstance(body, For):
        store = _only_reduction(body)
        if store is not None and store.name not in kept and _iterations(body) >= ENOUGH_ITERATIONS:
            return _split(body, store, fresh)
        return body
    return map_children(body, lambda s: split_reductions(s, fresh, kept))


def _only_reduction(loop: For) -> Store | None:
    """The one store of a loop, if it reduces into an element that the loop does not change."""
    if loop.kind not in ("serial", "vector") or loop.step != 1:
        return None
    if any(isinstance(s, For) and s.kind == "parallel" for s in walk(loop)):
        return None
    stores = [s for s in walk(loop) if isinstance(s, Store)]
    if len(stores) != 1 or stores[0].reduction is None or any(isinstance(s, Alloc) for s in walk(loop)):
        return None
    store = stores[0]
    inner = {s.var for s in walk(loop) if isinstance(s, For)}
    if any(v in inner for i in store.indices for v in variables_of(i)):
        return None
    old = Load(store.buffer, store.indices)
    reads = {load for s in walk(loop) for e in expressions(s) for load in loads_of(e) if load.buffer is store.buffer}
    value = store.value.a if isinstance(store.value, Cast) else store.value
    return store if reads == {old} and isinstance(value, Binary) else None


def _iterations(loop: For) -> int:
    """Iterations of a nest; a symbolic extent counts as long."""
    total = 1
    for inner in walk(loop):
        if isinstance(inner, For):
            total *= ENOUGH_ITERATIONS if inner.const_trips is None else max(inner.const_trips, 1)
    return total


def _split(loop: For, store: Store, fresh: Callable[[str], Var]) -> Stmt:
    assert store.reduction is not None
    update = store.value.a if isinstance(store.value, Cast) else store.value
    op, dtype = REDUCTIONS[store.reduction], update.dtype  # wider than the buffer for sums of 16-bit floats only
    part = Buffer(fresh(f"{store.buffer.name}_part").name, (Const(CHUNKS),), dtype, "global")
    chunk, last = fresh("c"), fresh("c")
    size = binary("floordiv", loop.end - loop.begin + (CHUNKS - 1), Const(CHUNKS))
    begin = loop.begin + chunk * size
    old = Load(store.buffer, store.indices)
    mine = Load(part, (chunk,))

    def to_part(node: Expr) -> Expr | None:
        return mine if node is old else None

    def redirect(stmt: Stmt) -> Stmt | None:
        if not isinstance(stmt, Store):
            return None
        return replace(stmt, buffer=part, indices=(chunk,), value=_typed(rewrite(update, to_part), mine, dtype))

    end = binary("min", loop.end, begin + size)
    inner = replace(loop, begin=begin, end=end, body=rewrite_stmt(loop.body, redirect))
    start = Store(part, (chunk,), identity(store.reduction, dtype), fresh(f"{store.name}_start").name)
    total = Binary(op, _as(old, dtype), Load(part, (last,)))
    finish = replace(store, value=_as(total, store.buffer.dtype), name=fresh(f"{store.name}_finish").name)
    return Alloc(
        part,
        block(
            For(chunk, Const(0), Const(CHUNKS), block(start, inner), "parallel", span=loop.span),
            For(last, Const(0), Const(CHUNKS), finish),
        ),
    )


def _typed(value: Expr, mine: Load, dtype: DType) -> Expr:
    """The update over the partial result, without the widening of a 16-bit old element."""
    return rewrite(value, lambda n: mine if isinstance(n, Cast) and n.a is mine and n.dtype is dtype else None)


def _as(value: Expr, dtype: DType) -> Expr:
    return value if value.dtype is dtype else Cast(value, dtype)
