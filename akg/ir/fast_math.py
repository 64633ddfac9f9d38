"""Arithmetic that may round differently: what the option `fast_math` allows.

  * a quotient by a constant, or by what the innermost loop does not change, is a product with the reciprocal;
  * an element of the iteration before enters a linear expression last, in one fused multiply-add, so that iterations
    wait for one another as briefly as can be: ``(x + y[j - 1]) / 9 -> fma(1/9, y[j - 1], x * (1/9))``;
  * products are contracted with the sums around them, once loops are in place.

Only the expressions of the program are rewritten; expansions of mathematical functions rely on their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Call, Const, Expr, Load, Unary, Var, binary, unary
from akg.ir.rewrite import loads_of, map_children, rewrite, rewrite_stmt, variables_of, walk_expr
from akg.ir.stmt import For, Kernel, Stmt, Store, walk


def relax(kernel: Kernel) -> Kernel:
    """`kernel` with reciprocals, and elements of earlier iterations last in their sums."""
    return replace(kernel, body=_visit(kernel.body, None))


def contract_products(body: Stmt) -> Stmt:
    """``a * b + c -> fma(a, b, c)``, but in updates of reductions: code generation contracts those."""

    def visit(stmt: Stmt) -> Stmt | None:
        if not isinstance(stmt, Store) or stmt.reduction is not None or not _is_wide(stmt):
            return None
        value = rewrite(stmt.value, _contracted)
        return None if value is stmt.value else replace(stmt, value=value)

    return rewrite_stmt(body, visit)


def fuse_products(body: Stmt) -> Stmt:
    """Products that may be rounded or not, not rounded: for machines with fused multiply-adds."""

    def rule(node: Expr) -> Expr | None:
        return Call("fma", node.args, node.dtype) if isinstance(node, Call) and node.fn == "muladd" else None

    memo: dict[Expr, Expr] = {}
    return rewrite_stmt(body, lambda _: None, lambda e: rewrite(e, rule, memo))


def _is_wide(stmt: Store) -> bool:
    return stmt.value.dtype.is_float and stmt.value.dtype.bits >= 32


def _contracted(node: Expr) -> Expr | None:
    if not isinstance(node, Binary) or node.op not in ("add", "sub") or not node.dtype.is_float:
        return None
    a, b = node.a, node.b
    if isinstance(b, Binary) and b.op == "mul":
        first = unary("neg", b.a) if node.op == "sub" else b.a
        return Call("fma", (first, b.b, a), node.dtype)
    if isinstance(a, Binary) and a.op == "mul":
        return Call("fma", (a.a, a.b, unary("neg", b) if node.op == "sub" else b), node.dtype)
    return None


def _visit(stmt: Stmt, innermost: For | None) -> Stmt:
    if isinstance(stmt, For):
        return map_children(stmt, lambda inner: _visit(inner, stmt))
    if not isinstance(stmt, Store) or not _is_wide(stmt):
        return map_children(stmt, lambda inner: _visit(inner, innermost))
    carried = _carried(stmt, innermost)
    written = {s.buffer for s in walk(innermost.body) if isinstance(s, Store)} if innermost is not None else set()
    relaxer = _Relaxer(carried, innermost.var if innermost is not None else None, written)
    value = stmt.value
    if stmt.reduction is not None:  # the old element stays first; code generation contracts sums of products
        if isinstance(value, Binary):
            term = rewrite(value.b, relaxer.reciprocal)
            value = value if term is value.b else Binary(value.op, value.a, term)
    else:
        value = relaxer.run(value)
    return stmt if value is stmt.value else replace(stmt, value=value)


def _carried(stmt: Store, loop: For | None) -> dict[Load, int]:
    """Loads of elements that were stored in earlier iterations of the loop, with how many before."""
    result: dict[Load, int] = {}
    stores = [] if loop is None else [s for s in walk(loop.body) if isinstance(s, Store)]
    for load in loads_of(stmt.value):
        for store in stores:
            if loop is not None and load.buffer is store.buffer:
                before = _iterations_before(store.indices, load.indices, loop.var)
                if before:
                    result[load] = before
    return result


def _iterations_before(stored: Iterable[Expr], loaded: Iterable[Expr], var: Var) -> int:
    """How many iterations of `var` ago an element was stored; 0 if that is no positive constant."""
    found = 0
    for a, b in zip(stored, loaded, strict=True):
        x, y = Affine.of(a), Affine.of(b)
        difference = None if x is None or y is None else x - y
        if x is None or difference is None or not difference.is_const:
            return 0
        step = x.coefficient(var)
        if step == 0:
            if difference.const:
                return 0
            continue
        if difference.const % step or (found and difference.const // step != found):
            return 0
        found = difference.const // step
        if found <= 0:
            return 0
    return found


@dataclass(frozen=True, slots=True)
class _Linear:
    """``rest + sum of coefficient * load``; None stands for a coefficient of 1 and for no rest."""

    rest: Expr | None
    terms: tuple[tuple[Load, Expr | None], ...]


class _Relaxer:
    def __init__(self, carried: dict[Load, int], var: Var | None, written: set[Buffer]) -> None:
        self.carried, self.var, self.written = carried, var, written

    def run(self, value: Expr) -> Expr:
        """The expression rearranged."""
        value = rewrite(value, self.reciprocal)
        return self.carried_last(value) if self.carried else value

    def reciprocal(self, node: Expr) -> Expr | None:
        """``x / c -> x * (1 / c)``."""
        if not isinstance(node, Binary) or node.op != "div" or not node.dtype.is_float:
            return None
        if isinstance(node.b, Const) and node.b.value:
            return binary("mul", node.a, Const(1.0 / float(node.b.value), node.dtype))
        if isinstance(node.a, Const) or not self.is_invariant(node.b):
            return None
        return binary("mul", node.a, binary("div", Const(1.0, node.dtype), node.b))

    def is_invariant(self, node: Expr) -> bool:
        """Whether a value is the same in all iterations of the innermost loop, so that it is computed before."""
        if self.var is None or self.var in variables_of(node):
            return False
        return all(load.buffer not in self.written for load in loads_of(node))

    def carried_last(self, node: Expr) -> Expr:
        """Each linear part with the elements of earlier iterations added last, the latest one at the end."""
        if not any(n in self.carried for n in walk_expr(node) if isinstance(n, Load)):
            return node
        linear = self.linear(node)
        if linear is not None and len(linear.terms) and not isinstance(node, Load):
            result = linear.rest
            for load, factor in sorted(linear.terms, key=lambda t: -self.carried[t[0]]):
                term: Expr = load if factor is None else binary("mul", factor, load)
                result = term if result is None else binary("add", result, term)
            assert result is not None
            return result
        children = tuple([self.carried_last(c) for c in node.children])
        if all(a is b for a, b in zip(children, node.children, strict=True)):
            return node
        by_child = dict(zip(node.children, children, strict=True))
        return rewrite(node, lambda inner: by_child.get(inner))

    def linear(self, node: Expr) -> _Linear | None:
        """An expression as a linear form in the carried loads; None if it is none."""
        if isinstance(node, Load) and node in self.carried:
            return _Linear(None, ((node, None),))
        if not any(n in self.carried for n in walk_expr(node) if isinstance(n, Load)):
            return _Linear(node, ())
        if isinstance(node, Unary) and node.op == "neg":
            inner = self.linear(node.a)
            return None if inner is None else _scaled(inner, Const(-1.0, node.dtype))
        if not isinstance(node, Binary) or node.op not in ("add", "sub", "mul"):
            return None
        a, b = self.linear(node.a), self.linear(node.b)
        if a is None or b is None:
            return None
        if node.op == "mul":
            if a.terms and b.terms:
                return None
            return _scaled(a, node.b) if a.terms else _scaled(b, node.a)
        if node.op == "sub":
            b = _scaled(b, Const(-1.0, node.dtype)) if b.terms else _Linear(_negated(b.rest), ())
        return _sum(a, b)


def _negated(rest: Expr | None) -> Expr | None:
    return None if rest is None else unary("neg", rest)


def _scaled(form: _Linear, factor: Expr) -> _Linear:
    minus = isinstance(factor, Const) and factor.value == -1.0

    def times(value: Expr | None) -> Expr:
        if value is None:
            return factor
        return unary("neg", value) if minus else binary("mul", value, factor)

    rest = None if form.rest is None else times(form.rest)
    return _Linear(rest, tuple([(load, times(c)) for load, c in form.terms]))


def _sum(a: _Linear, b: _Linear) -> _Linear:
    rest = a.rest if b.rest is None else b.rest if a.rest is None else _added(a.rest, b.rest)
    return _Linear(rest, (*a.terms, *b.terms))


def _added(a: Expr, b: Expr) -> Expr:
    if isinstance(b, Unary) and b.op == "neg":
        return binary("sub", a, b.a)
    return binary("add", a, b)
