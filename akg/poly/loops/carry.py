"""Scalar replacement across iterations: what one iteration stores and the next one reads stays in a register.

    Before:  for j in [1, n):                     After:  alloc last: [] register
                 A[j] = c * A[j-1] + x[j]                 last = A[0]
                                                          for j in [1, n):
                                                              now = c * last + x[j]
                                                              A[j] = now; last = now

Iterations that wait for one another through memory wait for a store and a load more than they must (Callahan, Carr
and Kennedy 1990, for a distance of one iteration).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Expr, Load, Select, Var, binary
from akg.ir.rewrite import loads_of, map_children, rewrite, substitute, variables_of, walk_expr
from akg.ir.stmt import Alloc, Block, For, If, Stmt, Store, block, expressions


def carry_values(stmt: Stmt, fresh: Callable[[str], Var]) -> Stmt:
    """`stmt` with such elements in registers, in innermost serial loops that only store."""
    stmt = map_children(stmt, lambda inner: carry_values(inner, fresh))
    if not isinstance(stmt, For) or stmt.kind != "serial":
        return stmt
    body = stmt.body.body if isinstance(stmt.body, Block) else (stmt.body,)
    stores = [s for s in body if isinstance(s, Store)]
    nodes = (n for s in stores for e in expressions(s) for n in walk_expr(e))
    if len(stores) < len(body) or any(isinstance(n, Select) for n in nodes):
        return stmt
    found = [(s, load) for s in stores if (load := _of_last_iteration(s, stores, stmt)) is not None]
    return _carried(stmt, stores, [_Pair(s, load, fresh) for s, load in found], fresh) if found else stmt


def _of_last_iteration(store: Store, stores: list[Store], loop: For) -> Load | None:
    """The load of what `store` wrote in the iteration before; None if there is no such or others write there."""
    buffer = store.buffer
    if buffer.scope == "register":
        return None
    if sum(s.buffer is buffer for s in stores) > 1 or all(loop.var not in variables_of(i) for i in store.indices):
        return None
    forms = [Affine.of(i) for i in store.indices]
    if any(f is None for f in forms):
        return None
    before = tuple([_shifted(f, loop) for f in forms if f is not None])
    for other in stores:
        for expr in expressions(other):
            for load in loads_of(expr):
                if load.buffer is buffer and tuple([Affine.of(i) for i in load.indices]) == before:
                    return load
    return None


def _shifted(form: Affine, loop: For) -> Affine:
    return form + -form.coefficient(loop.var) * loop.step


class _Pair:
    """A store, the load of what it stored one iteration before, and the registers for both elements."""

    def __init__(self, store: Store, load: Load, fresh: Callable[[str], Var]) -> None:
        self.store, self.load, buffer = store, load, store.buffer
        self.last = Buffer(fresh(f"{buffer.name}_last").name, (), buffer.dtype, "local")
        self.now = Buffer(fresh(f"{buffer.name}_now").name, (), buffer.dtype, "local")
        self.target = tuple([Affine.of(i) for i in load.indices])


def _carried(loop: For, stores: list[Store], pairs: list[_Pair], fresh: Callable[[str], Var]) -> Stmt:
    """The loop with each pair in registers; a lone store needs one, in which backends see a running value."""
    done: set[str] = set()
    if len(stores) == 1:
        pairs[0].now = pairs[0].last

    def rule(node: Expr) -> Expr | None:
        pair = next((p for p in pairs if isinstance(node, Load) and node.buffer is p.store.buffer), None)
        if pair is None or not isinstance(node, Load):
            return None
        if tuple([Affine.of(i) for i in node.indices]) == pair.target:
            return Load(pair.last, ())
        return Load(pair.now, ()) if pair.store.name in done and node.indices == pair.store.indices else None

    parts: list[Stmt] = []
    for part in stores:
        value = rewrite(part.value, rule)
        part = replace(part, indices=tuple([rewrite(i, rule) for i in part.indices]), value=value)
        pair = next((p for p in pairs if p.store.name == part.name), None)
        if pair is not None:
            parts.append(Store(pair.now, (), value, fresh(f"{part.name}_now").name))
            part = replace(part, value=Load(pair.now, ()), reduction=None)
            done.add(part.name)
        parts.append(part)
    apart = [p for p in pairs if p.now is not p.last]
    parts += [Store(p.last, (), Load(p.now, ()), fresh(f"{p.store.name}_last").name) for p in apart]
    body = block(*parts)
    for pair in reversed(apart):
        body = Alloc(pair.now, body)
    first = [tuple([substitute(i, {loop.var: loop.begin}) for i in p.load.indices]) for p in pairs]
    starts = [
        Store(p.last, (), Load(p.store.buffer, at), fresh(f"{p.store.name}_first").name)
        for p, at in zip(pairs, first, strict=True)
    ]
    whole = block(*starts, replace(loop, body=body))
    for pair in reversed(pairs):
        whole = Alloc(pair.last, whole)
    return whole if loop.const_trips else If(binary("lt", loop.begin, loop.end), whole)
