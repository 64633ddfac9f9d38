"""Values that one iteration leaves for the next stay in a register (Callahan, Carr and Kennedy 1990).

Before: ``for i in [1, n): T[i] = T[i - 1] + X[i]``.
After:  ``if 1 < n: { r = T[0]; for i in [1, n): { r = r + X[i]; T[i] = r } }``.

An iteration then waits for an addition, not for a store that is read back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Select, Var, binary
from akg.ir.rewrite import loads_of, map_children, rewrite, substitute, walk_expr
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, Block, For, If, Stmt, Store, block, expressions


def carry_values(body: Stmt, fresh: Callable[[str], Var]) -> Stmt:
    """`body` with what innermost serial loops read of their last iteration in registers."""
    if isinstance(body, For) and body.kind == "serial" and body.step == 1:
        stores = body.body.body if isinstance(body.body, Block) else (body.body,)
        if all(isinstance(s, Store) for s in stores):
            return _carried(body, [s for s in stores if isinstance(s, Store)], fresh)
    return map_children(body, lambda s: carry_values(s, fresh))


def _carried(loop: For, stores: Sequence[Store], fresh: Callable[[str], Var]) -> Stmt:
    for position, store in enumerate(stores):
        before = _one_earlier(store.indices, loop.var)
        if before is None or sum(s.buffer is store.buffer for s in stores) > 1:
            continue
        old = [load for s in stores[: position + 1] for e in expressions(s) for load in loads_of(e)
               if load.buffer is store.buffer and _same(load.indices, before)]  # fmt: skip
        if old and not any(_is_guarded(s.value, old) for s in stores[: position + 1]):
            return _in_register(loop, stores, position, set(old), fresh)
    return loop


def _in_register(
    loop: For, stores: Sequence[Store], position: int, old: set[Load], fresh: Callable[[str], Var]
) -> Stmt:  # fmt: skip
    store = stores[position]
    register = Buffer(fresh(f"{store.buffer.name}_last").name, (), store.buffer.dtype, "local")

    def rule(node: Expr) -> Expr | None:
        return Load(register, ()) if isinstance(node, Load) and node in old else None

    parts: list[Stmt] = []
    for s in stores[: position + 1]:
        parts.append(replace(s, value=rewrite(s.value, rule), indices=tuple([rewrite(e, rule) for e in s.indices])))
    last = parts.pop()
    assert isinstance(last, Store)
    parts.append(Store(register, (), last.value, f"{store.name}_value", span=store.span))
    parts.append(replace(last, value=Load(register, ()), reduction=None))
    inner = replace(loop, body=block(*parts, *stores[position + 1 :]))
    at = tuple([simplify(substitute(e, {loop.var: binary("sub", loop.begin, 1)})) for e in store.indices])
    first = Store(register, (), Load(store.buffer, at), f"{store.name}_last", span=store.span)
    carried: Stmt = Alloc(register, block(first, inner))
    if isinstance(loop.begin, Const) and isinstance(loop.end, Const):
        return carried if int(loop.begin) < int(loop.end) else loop
    return If(binary("lt", loop.begin, loop.end), carried, span=loop.span)


def _is_guarded(value: Expr, old: Sequence[Load]) -> bool:
    """Whether a condition decides if one of the loads is read: the first may not exist."""
    return any(isinstance(n, Select) and any(load in old for load in loads_of(n)) for n in walk_expr(value))


def _one_earlier(indices: tuple[Expr, ...], var: Var) -> list[Affine] | None:
    """The subscripts of the iteration before; None if they do not change, or are not affine."""
    forms = [Affine.of(e) for e in indices]
    found: list[Affine] = []
    for form in forms:
        if form is None:
            return None
        found.append(form - form.coefficient(var))
    return found if any(f is not None and f.coefficient(var) for f in forms) else None


def _same(indices: tuple[Expr, ...], forms: Sequence[Affine]) -> bool:
    return all(Affine.of(e) == form for e, form in zip(indices, forms, strict=True))
