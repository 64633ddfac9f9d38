"""16-bit floats that are converted again and again are converted once, into a copy.

    Before:  for j_t: for i_t: for k: ... float32(A[i_t + i, k]) * ...          each element once for every j_t
    After:   alloc w: float32[M, K]
             parallel for i: vector k: w[i, k] = float32(A[i, k])
             for j_t: for i_t: for k: ... w[i_t + i, k] * ...

A register tile reads one element for all lanes, so that a conversion takes as long as one of a whole vector, beside
few multiply-adds. Conversions of bfloat16 are shifts, and stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

from akg.base.dtype import float16, float32
from akg.ir.buffer import Buffer
from akg.ir.expr import Cast, Const, Expr, Load, Var
from akg.ir.rewrite import buffers_read, buffers_written, map_children, rewrite, rewrite_stmt, variables_of
from akg.ir.stmt import Alloc, For, LoopKind, Prefetch, Stmt, Store, block
from akg.poly.loops.contract import Site, sites

LEAST_USES = 8  # of each element, by vectors

Place = Callable[[tuple[Expr, ...]], tuple[Expr, ...]]


def widen_operands(body: Stmt, fresh: Callable[[str], Var], *, is_inside: bool = False) -> Stmt:
    """`body` with what its nests convert often widened ahead of them.

    Args:
        body: the loops, with temporaries declared and operands packed.
        fresh: makes unused names.
        is_inside: whether `body` is inside a loop.
    """
    fills: list[Stmt] = []
    copies: list[Buffer] = []
    if isinstance(body, For):
        for buffer in sorted(buffers_read(body) - buffers_written(body), key=lambda b: b.name):
            if buffer.dtype is not float16 or not _pays(sites(body, buffer), buffer):
                continue
            scope = "local" if is_inside else "global"
            copy = Buffer(fresh(f"{buffer.name}_wide").name, buffer.shape, float32, scope)
            used = redirected(body, buffer, copy, lambda indices: indices)
            if used is not None:
                body = used
                fills.append(_fill(buffer, copy, fresh, "serial" if is_inside else "parallel"))
                copies.append(copy)
    is_inside = is_inside or isinstance(body, For)
    result = block(*fills, map_children(body, lambda inner: widen_operands(inner, fresh, is_inside=is_inside)))
    for copy in copies:
        result = Alloc(copy, result)
    return result


def redirected(stmt: Stmt, buffer: Buffer, copy: Buffer, place: Place) -> Stmt | None:
    """`stmt` with a widened copy in place of a buffer; None if it uses the buffer in another way, too."""
    memo: dict[Expr, Expr] = {}

    def rule(node: Expr) -> Expr | None:
        if isinstance(node, Cast) and isinstance(node.a, Load) and node.a.buffer is buffer and node.dtype is copy.dtype:
            return Load(copy, place(node.a.indices))
        return None

    def on_stmt(inner: Stmt) -> Stmt | None:
        if isinstance(inner, Prefetch) and inner.buffer is buffer:
            return replace(inner, buffer=copy, indices=place(inner.indices))
        return None

    result = rewrite_stmt(stmt, on_stmt, lambda e: rewrite(e, rule, memo))
    return None if buffer in buffers_read(result) else result


def _pays(found: list[Site], buffer: Buffer) -> bool:
    """Whether fewer conversions make a copy than its uses take: those for all lanes count one by one."""
    if buffer.const_shape is None:
        return False
    rows, vectors = 0, 0
    for site in found:
        moving = {v for index in site.indices for v in variables_of(index)}
        # rows of a tile that an access does not move with share its value
        loads = prod([f.max_trips or 1 for f in site.loops if f.kind != "unroll" or f.var in moving])
        lanes = [loop for loop in site.loops if loop.kind == "vector"]
        if any(loop.var in moving for loop in lanes):
            vectors += loads
        elif len(lanes) == 1 and any(loop.kind == "unroll" and loop.var in moving for loop in site.loops):
            rows += loads // max(lanes[0].max_trips or 1, 1)
    return rows >= prod(buffer.const_shape) or vectors >= LEAST_USES * prod(buffer.const_shape)


def _fill(buffer: Buffer, copy: Buffer, fresh: Callable[[str], Var], outermost: LoopKind) -> Stmt:
    """The loops that convert a whole buffer."""
    variables = [fresh("w") for _ in buffer.shape]
    value = Cast(Load(buffer, tuple(variables)), copy.dtype)
    fill: Stmt = Store(copy, tuple(variables), value, fresh(f"{copy.name}_fill").name)
    for d in reversed(range(len(variables))):
        kind = "vector" if d == len(variables) - 1 else outermost if d == 0 else "serial"
        fill = For(variables[d], Const(0), buffer.shape[d], fill, kind)
    return fill
