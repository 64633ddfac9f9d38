"""Walking and rewriting of expressions and statements.

Both rewriters are bottom-up and keep identity: what does not change is the same object, so a pass that
changes nothing returns its argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from akg.ir.buffer import Buffer
from akg.ir.expr import Expr, Load, Reduce, Var
from akg.ir.stmt import Alloc, Block, For, If, Prefetch, Stmt, Store, expressions, walk

T = TypeVar("T")
Rule = Callable[[Expr], "Expr | None"]


def rewrite(root: Expr, rule: Rule, memo: dict[Expr, Expr] | None = None) -> Expr:
    """Replace nodes bottom-up: `rule` sees a node over rewritten operands; None keeps it.

    Pass one `memo` for several roots to share their common parts.
    """
    memo = {} if memo is None else memo

    def visit(node: Expr) -> Expr:
        done = memo.get(node)
        if done is not None:
            return done
        children = node.children
        if children:
            new = tuple([visit(c) for c in children])
            result = node if all(a is b for a, b in zip(new, children, strict=True)) else node.with_children(new)
        else:
            result = node
        changed = rule(result)
        if changed is not None:
            result = changed
        memo[node] = result
        return result

    return visit(root)


def substitute(root: Expr, values: Mapping[Var, Expr]) -> Expr:
    """`root` with variables replaced (no folding; see `akg.ir.simplify`)."""
    return Substitution(values).of(root) if values else root


class Substitution:
    """Replaces variables in several expressions; what has none of them is not looked into."""

    def __init__(self, values: Mapping[Var, Expr]) -> None:
        self._values = values
        self._done: dict[Expr, Expr] = {**values}

    def of(self, node: Expr) -> Expr:
        """The expression over the new values."""
        done = self._done.get(node)
        if done is not None:
            return done
        result, children = node, node.children
        if children and not self._values.keys().isdisjoint(_variables_inside(node)):
            new = tuple([self.of(c) for c in children])
            result = node if all(a is b for a, b in zip(new, children, strict=True)) else node.with_children(new)
        self._done[node] = result
        return result


def walk_expr(root: Expr) -> Iterator[Expr]:
    """Every distinct node of `root`, operands before users."""
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((c, False) for c in reversed(_operands(node)) if c not in seen)


def loads_of(root: Expr) -> list[Load]:
    """Every distinct load in `root`, in order of first occurrence."""
    found = _loads_inside(root)
    return [*found, root] if isinstance(root, Load) else list(found)


def _loads_inside(node: Expr) -> tuple[Load, ...]:
    """The loads in the operands of a node, which remembers them."""
    if not hasattr(node, "loads_inside"):
        parts = [(*_loads_inside(c), c) if isinstance(c, Load) else _loads_inside(c) for c in _operands(node)]
        node.loads_inside = _joined(parts)
    return node.loads_inside


def variables_of(root: Expr) -> list[Var]:
    """Every distinct variable in `root`, in order of first occurrence."""
    return [root] if isinstance(root, Var) else list(_variables_inside(root))


def _variables_inside(node: Expr) -> tuple[Var, ...]:
    """The variables in the operands of a node, which remembers them."""
    if not hasattr(node, "variables_inside"):
        parts = [(c,) if isinstance(c, Var) else _variables_inside(c) for c in _operands(node)]
        node.variables_inside = _joined(parts)
    return node.variables_inside


def _joined(parts: list[tuple[T, ...]]) -> tuple[T, ...]:
    """The distinct elements, in order. A node never holds itself, so that counting references frees it."""
    parts = [part for part in parts if part]
    if len(parts) == 1:
        return parts[0]
    return tuple(dict.fromkeys([one for part in parts for one in part])) if parts else ()


def _operands(node: Expr) -> tuple[Expr, ...]:
    return (*node.children, *node.combiner.identity) if isinstance(node, Reduce) else node.children


def uses(root: Expr, var: Var) -> bool:
    """Whether a variable occurs in `root`."""
    return root is var or (bool(root.children) and any(v is var for v in variables_of(root)))


def rewrite_stmt(
    stmt: Stmt, rule: Callable[[Stmt], Stmt | None], on_expr: Callable[[Expr], Expr] | None = None
) -> Stmt:
    """Replace statements bottom-up, after their expressions went through `on_expr`."""
    new = map_children(stmt, lambda inner: rewrite_stmt(inner, rule, on_expr))
    if on_expr is not None:
        new = map_expressions(new, on_expr)
    changed = rule(new)
    return new if changed is None else changed


def map_children(stmt: Stmt, visit: Callable[[Stmt], Stmt]) -> Stmt:
    """`stmt` over visited inner statements; the same object if none changed."""
    if isinstance(stmt, Block):
        body = tuple([visit(s) for s in stmt.body])
        return stmt if all(a is b for a, b in zip(body, stmt.body, strict=True)) else Block(body)
    if isinstance(stmt, (For, Alloc)):
        inner = visit(stmt.body)
        return stmt if inner is stmt.body else replace(stmt, body=inner)
    if isinstance(stmt, If):
        then = visit(stmt.then)
        orelse = None if stmt.orelse is None else visit(stmt.orelse)
        return stmt if then is stmt.then and orelse is stmt.orelse else replace(stmt, then=then, orelse=orelse)
    return stmt


def map_expressions(stmt: Stmt, visit: Callable[[Expr], Expr]) -> Stmt:
    """`stmt` with its own expressions visited; the same object if none changed."""
    if isinstance(stmt, Store):
        indices = tuple([visit(i) for i in stmt.indices])
        value = visit(stmt.value)
        same = value is stmt.value and all(a is b for a, b in zip(indices, stmt.indices, strict=True))
        return stmt if same else replace(stmt, indices=indices, value=value)
    if isinstance(stmt, Prefetch):
        indices = tuple([visit(i) for i in stmt.indices])
        same = all(a is b for a, b in zip(indices, stmt.indices, strict=True))
        return stmt if same else replace(stmt, indices=indices)
    if isinstance(stmt, For):
        begin, end = visit(stmt.begin), visit(stmt.end)
        return stmt if begin is stmt.begin and end is stmt.end else replace(stmt, begin=begin, end=end)
    if isinstance(stmt, If):
        cond = visit(stmt.cond)
        return stmt if cond is stmt.cond else replace(stmt, cond=cond)
    return stmt


def substitute_stmt(stmt: Stmt, values: Mapping[Var, Expr]) -> Stmt:
    """`stmt` with variables replaced in every expression."""
    if not values:
        return stmt
    return rewrite_stmt(stmt, lambda _: None, Substitution(values).of)


def replace_buffer(
    stmt: Stmt, old: Buffer, make: Callable[[tuple[Expr, ...]], tuple[Buffer, tuple[Expr, ...]]]
) -> Stmt:
    """Redirect every access of `old`: `make` maps its subscripts to the new buffer and subscripts."""
    memo: dict[Expr, Expr] = {}

    def rule(node: Expr) -> Expr | None:
        return Load(*make(node.indices)) if isinstance(node, Load) and node.buffer is old else None

    def on_stmt(inner: Stmt) -> Stmt | None:
        if isinstance(inner, Store) and inner.buffer is old:
            buffer, indices = make(inner.indices)
            return replace(inner, buffer=buffer, indices=indices)
        if isinstance(inner, Prefetch) and inner.buffer is old:
            buffer, indices = make(inner.indices)
            return replace(inner, buffer=buffer, indices=indices)
        return None

    return rewrite_stmt(stmt, on_stmt, lambda e: rewrite(e, rule, memo))


def buffers_read(stmt: Stmt) -> set[Buffer]:
    """Every buffer that `stmt` loads from."""
    return {load.buffer for s in walk(stmt) for e in expressions(s) for load in loads_of(e)}


def buffers_written(stmt: Stmt) -> set[Buffer]:
    """Every buffer that `stmt` stores to."""
    return {s.buffer for s in walk(stmt) if isinstance(s, Store)}
