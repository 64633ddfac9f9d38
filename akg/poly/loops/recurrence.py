"""Linear recurrences along innermost loops: all but the chain in lanes.

Before: ``for j: A[j] = (x + A[j - 1] + y) / 9``, where x and y, of any size, are no results of this loop.
After:  in strips, ``vector for k: r[k] = (x + y) / 9`` and ``for k: A[k] = A[k - 1] / 9 + r[k]``.

An iteration of the chain waits for one fused multiplication; where the factor is a constant, a backend may run the
chain in vectors. Sums are taken in another order than written, as reductions are, and a constant divisor becomes a
factor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Load, Unary, Var, binary, unary
from akg.ir.rewrite import loads_of, map_children, substitute, variables_of, walk_expr
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, For, Stmt, Store, block

STRIP = 512  # elements whose rests wait in the first cache
MIN_LOADS = 3  # outside of the chain, that strips pay


@dataclass(frozen=True, slots=True)
class Linear:
    """``factor * x + rest``; None for a factor of zero, or a rest of zero."""

    factor: Expr | None
    rest: Expr | None


def split_recurrences(body: Stmt, fresh: Callable[[str], Var]) -> Stmt:
    """`body` with linear recurrences along innermost serial loops split."""
    if isinstance(body, For) and body.kind == "serial" and body.step == 1 and isinstance(body.body, Store):
        found = _recurrence(body, body.body)
        return body if found is None else _Split(body, body.body, found, fresh).stmt()
    return map_children(body, lambda s: split_recurrences(s, fresh))


def _recurrence(loop: For, store: Store) -> Linear | None:
    """The value of a store over the element that the iteration before wrote; None where that does not pay."""
    dtype = store.buffer.dtype
    forms = [Affine.of(e) for e in store.indices]
    if not dtype.is_float or dtype.compute is not dtype or any(f is None for f in forms):
        return None
    own = [f for f in forms if f is not None]
    if sum(bool(f.coefficient(loop.var)) for f in own) != 1 or sum(f.coefficient(loop.var) for f in own) != 1:
        return None
    old: Load | None = None
    for load in loads_of(store.value):
        if load.buffer is not store.buffer:
            continue
        distance = _distance(load, own, loop.var)
        if distance == -1:
            old = load
        elif distance is not None and distance < 0:
            return None
    if old is None or any(loop.var in variables_of(i) for n in loads_of(store.value) for i in n.indices if loads_of(i)):
        return None
    found = _linear(store.value, old)
    if found is None or found.factor is None or found.rest is None:
        return None
    return found if len(set(loads_of(found.rest))) >= MIN_LOADS else None


def _distance(load: Load, own: list[Affine], var: Var) -> int | None:
    """How many iterations later the loop writes the element of a load; -1: one earlier; None if it never does."""
    distance = 0
    for subscript, form in zip(load.indices, own, strict=True):
        other = Affine.of(subscript)
        if other is None:
            return -(1 << 40)
        difference = other - form
        if not difference.is_const:
            return -(1 << 40)
        if form.coefficient(var):
            distance = difference.const
        elif difference.const:
            return None
    return distance


def _linear(expr: Expr, old: Load) -> Linear | None:
    """An expression as a linear function of `old`; None if it is not one."""
    if expr is old:
        return Linear(Const(1.0, expr.dtype), None)
    if all(node is not old for node in walk_expr(expr)):
        return Linear(None, expr)
    if isinstance(expr, Unary) and expr.op == "neg":
        a = _linear(expr.a, old)
        return None if a is None else Linear(_neg(a.factor), _neg(a.rest))
    if not isinstance(expr, Binary) or expr.op not in ("add", "sub", "mul", "div"):
        return None
    a, b = _linear(expr.a, old), _linear(expr.b, old)
    if a is None or b is None:
        return None
    if expr.op == "add":
        return Linear(_sum(a.factor, b.factor), _sum(a.rest, b.rest))
    if expr.op == "sub":
        return Linear(_sum(a.factor, _neg(b.factor)), _difference(a.rest, b.rest))
    if b.factor is None and b.rest is not None:
        return Linear(_scaled(expr.op, a.factor, b.rest), _scaled(expr.op, a.rest, b.rest))
    if expr.op == "mul" and a.factor is None and a.rest is not None:
        return Linear(_scaled("mul", b.factor, a.rest), _scaled("mul", b.rest, a.rest))
    return None


def _neg(a: Expr | None) -> Expr | None:
    if isinstance(a, Const):
        return Const(-float(a.value), a.dtype)
    return None if a is None else simplify(unary("neg", a))


def _sum(a: Expr | None, b: Expr | None) -> Expr | None:
    return b if a is None else a if b is None else simplify(binary("add", a, b))


def _difference(a: Expr | None, b: Expr | None) -> Expr | None:
    return _neg(b) if a is None else a if b is None else binary("sub", a, b)


def _scaled(op: str, a: Expr | None, by: Expr) -> Expr | None:
    if a is None:
        return None
    if isinstance(a, Const) and isinstance(by, Const):
        x, y = float(a.value), float(by.value)
        return None if op == "div" and y == 0.0 else Const(x * y if op == "mul" else x / y, a.dtype)
    if op == "div" and isinstance(by, Const) and float(by.value) != 0.0:
        return binary("mul", a, Const(1.0 / float(by.value), a.dtype))
    return simplify(binary(op, a, by))


class _Split:
    """The loops in place of one."""

    def __init__(self, loop: For, store: Store, parts: Linear, fresh: Callable[[str], Var]) -> None:
        assert parts.factor is not None and parts.rest is not None
        self.loop, self.store, self.fresh = loop, store, fresh
        self.factor, self.rest = parts.factor, parts.rest
        self.dtype = store.buffer.dtype
        self.strip = fresh(f"{loop.var.name}_s")
        self.count = binary("min", Const(STRIP), loop.end - self.strip)

    def temporary(self, what: str) -> Buffer:
        return Buffer(self.fresh(f"{self.store.buffer.name}_{what}").name, (Const(STRIP),), self.dtype, "local")

    def at(self, position: Expr) -> dict[Var, Expr]:
        return {self.loop.var: simplify(self.strip + position)}

    def write(self, buffer: Buffer, position: Expr, value: Expr) -> Store:
        return Store(buffer, (simplify(position),), value, self.fresh(f"{self.store.name}_{buffer.name}").name)

    def over(self, make: Callable[[Var], Stmt]) -> For:
        var = self.fresh(f"{self.loop.var.name}_k")
        return For(var, Const(0), self.count, make(var), "vector")

    def strips(self, body: Stmt) -> For:
        return For(self.strip, self.loop.begin, self.loop.end, body, "serial", STRIP, self.loop.span)

    def result(self, position: Expr, value: Expr) -> Store:
        values = self.at(position)
        indices = tuple([simplify(substitute(i, values)) for i in self.store.indices])
        return replace(self.store, indices=indices, value=value, reduction=None)

    def last(self, position: Expr) -> Load:
        """The result of the iteration before `position`."""
        return Load(self.store.buffer, self.result(position - 1, Const(0.0, self.dtype)).indices)

    def stmt(self) -> Stmt:
        """Rests, and factors if they differ, in lanes; then one iteration after the other."""
        rests = self.temporary("rest")
        moves = self.loop.var in variables_of(self.factor) or any(True for _ in loads_of(self.factor))
        factors = self.temporary("factor") if moves else None

        def prepare(k: Var) -> Stmt:
            first = self.write(rests, k, substitute(self.rest, self.at(k)))
            second = None if factors is None else self.write(factors, k, substitute(self.factor, self.at(k)))
            return block(first, second)

        k = self.fresh(f"{self.loop.var.name}_k")
        factor = self.factor if factors is None else Load(factors, (k,))
        value = binary("add", binary("mul", factor, self.last(k)), Load(rests, (k,)))
        steps = For(k, Const(0), self.count, self.result(k, value))
        body: Stmt = Alloc(rests, self.strips(block(self.over(prepare), steps)))
        return body if factors is None else Alloc(factors, body)
