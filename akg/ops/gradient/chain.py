"""The chain rule within one expression: from the adjoint of its value to adjoints of the elements that it loads.

Reverse accumulation over the expression's graph (Griewank and Walther 2008, "Evaluating Derivatives", chapter 3).
An adjoint carries the conditions under which it counts, so that what a lazy select does not take is neither read
nor multiplied by zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from akg.ir.expr import Binary, Call, Cast, Expr, Load, Select, Unary, binary, call, cast, select
from akg.ir.rewrite import walk_expr
from akg.ops.gradient.arithmetic import complement, masked, negated, over, plus, times
from akg.ops.gradient.functions import DERIVATIVES

Guards: TypeAlias = tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """What one load takes: `value` where all `guards` hold; each guard may rely on those before it."""

    load: Load
    guards: Guards
    value: Expr


def flows_of(value: Expr, seed: Expr, result: Expr | None, is_active: Callable[[Load], bool]) -> list[Flow]:
    """The adjoints of the active loads in `value`, whose own adjoint is `seed`.

    Args:
        value: an expression without reductions.
        seed: its adjoint.
        result: where its value can be read, if it is stored; saves computing it again.
        is_active: whether a load is to be differentiated.
    """
    active: set[Expr] = set()
    order = [node for node in walk_expr(value) if node.dtype.is_float]
    for node in order:
        if is_active(node) if isinstance(node, Load) else any(c in active for c in node.children):
            active.add(node)
    adjoints: dict[Expr, dict[Guards, Expr]] = {value: {(): seed}} if value in active else {}
    found: list[Flow] = []
    for node in reversed(order):
        pending = adjoints.pop(node, None)
        if pending is None or node not in active:
            continue
        for guards, g in _merged(pending).items():
            if isinstance(node, Load):
                found.append(Flow(node, guards, g))
                continue
            known = result if node is value and result is not None and result.dtype is node.dtype else node
            for child, extra, share in _shares(node, known, g, active):
                if child in active:
                    slot = adjoints.setdefault(child, {})
                    place = (*guards, *[c for c in extra if c not in guards])
                    slot[place] = plus(slot[place], share) if place in slot else share
    return found


def _merged(pending: dict[Guards, Expr]) -> dict[Guards, Expr]:
    """``c: a`` and ``not c: b`` become ``select(c, a, b)``, innermost conditions first."""
    result = dict(pending)
    for guards in sorted(pending, key=len, reverse=True):
        if not guards or guards not in result:
            continue
        other = (*guards[:-1], complement(guards[-1]))
        if other in result:
            a, b = result.pop(guards), result.pop(other)
            outer = guards[:-1]
            merged = select(guards[-1], a, b)
            result[outer] = plus(result[outer], merged) if outer in result else merged
    return result


def _shares(node: Expr, y: Expr, g: Expr, active: set[Expr]) -> list[tuple[Expr, Guards, Expr]]:
    """What each operand takes of the adjoint `g` of `node`, whose value is `y`, and where."""
    if isinstance(node, Binary):
        return _binary_shares(node, y, g, active)
    if isinstance(node, Unary):
        if node.op == "neg":
            return [(node.a, (), negated(g))]
        below = select(binary("lt", node.a, 0.0), negated(g), masked([binary("gt", node.a, 0.0)], g))
        return [(node.a, (), below)] if node.op == "abs" else []
    if isinstance(node, Select):
        return [(node.a, (node.cond,), g), (node.b, (complement(node.cond),), g)]
    if isinstance(node, Cast):
        # the adjoint of a 16-bit float stays in the wider type until it is stored
        return [(node.a, (), g if node.dtype.bits >= node.a.dtype.bits else cast(g, node.a.dtype))]
    if isinstance(node, Call):
        shares = DERIVATIVES[node.fn](g, y, node.args)
        return [(a, (), s) for a, s in zip(node.args, shares, strict=True) if s is not None]
    return []


def _binary_shares(node: Binary, y: Expr, g: Expr, active: set[Expr]) -> list[tuple[Expr, Guards, Expr]]:
    a, b = node.a, node.b
    if node.op == "add":
        return [(a, (), g), (b, (), g)]
    if node.op == "sub":
        return [(a, (), g), (b, (), negated(g))]
    if node.op == "mul" and a is b:
        return [(a, (), times(times(g, 2.0), a))]
    if node.op == "mul":
        return [(a, (), times(g, b)), (b, (), times(g, a))]
    if node.op == "div":
        return [(a, (), over(g, b)), (b, (), negated(over(times(g, y), b)))]
    if node.op == "mod":  # a - floor(a / b) * b
        return [(a, (), g), (b, (), negated(times(g, call("floor", over(a, b)))))]
    if node.op in ("min", "max"):
        greater = "gt" if node.op == "max" else "lt"
        if a in active and b in active:  # at a tie, the first takes all
            first = binary("ge" if node.op == "max" else "le", a, b)
            return [(a, (first,), g), (b, (complement(first),), g)]
        return [(a, (binary(greater, a, b),), g), (b, (binary(greater, b, a),), g)]
    return []  # floordiv is piecewise constant
