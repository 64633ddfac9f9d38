"""Vector loops cut where a condition on their variable changes, so that no piece needs masks for it.

Before: ``for j in [0, 114): P[j] = X[j - 1] if 1 <= j and j < 113 else 0``.
After:  ``for j in [0, 1): P[j] = 0``, ``for j in [1, 113): P[j] = X[j - 1]``, ``for j in [113, 114): P[j] = 0``.
Loops of known extent are cut at whole vectors around the changes, and only vectors in which one lies have masks.

This is index set splitting (Griebl, Feautrier and Lengauer 2000) at the thresholds of affine comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from akg.base.dtype import bool_, index
from akg.ir.affine import Affine
from akg.ir.expr import Binary, Const, Expr, Select, Var, binary
from akg.ir.rewrite import rewrite, rewrite_stmt, walk_expr
from akg.ir.simplify import simplify, simplify_stmt
from akg.ir.stmt import For, If, Stmt, expressions, walk

MAX_CUTS = 3
MAX_NODES = 400  # that pieces repeat


@dataclass(frozen=True, slots=True)
class Threshold:
    """A comparison that is `below` for values of the loop variable less than `at`, and not `below` from there on."""

    at: Affine
    below: bool


def cut_at_conditions(loop: For, lanes: int) -> list[For]:
    """The pieces of a vector loop, in order; none if no condition changes along it, or it is short."""
    if loop.step != 1 or (loop.const_trips is not None and loop.const_trips < 2 * lanes):
        return []
    nodes = {n for s in walk(loop.body) for e in expressions(s) for n in walk_expr(e)}
    found = _thresholds(loop, nodes)
    cuts = _ordered({t.at for t in found.values()})
    if not cuts or len(cuts) > MAX_CUTS or len(nodes) * len(cuts) > MAX_NODES:
        return []
    if loop.const_trips is not None and all(c.is_const for c in cuts):
        return _whole_vectors(loop, found, [c.const - int(loop.begin) for c in cuts], lanes)  # type: ignore[call-overload]  # pyright: ignore
    pieces: list[For] = []
    begin = loop.begin
    for k in range(len(cuts) + 1):
        end = loop.end
        if k < len(cuts):
            end = simplify(binary("max", begin, binary("min", cuts[k].to_expr(), loop.end)))
        decided = {node: value for node, t in found.items() if (value := _decide(t, cuts, k)) is not None}
        pieces.append(replace(loop, begin=begin, end=end, body=_with(loop.body, decided)))
        begin = end
    return pieces


def _whole_vectors(loop: For, found: dict[Expr, Threshold], cuts: list[int], lanes: int) -> list[For]:
    """The pieces of a loop of known extent cut at whole vectors: those with a threshold inside keep its condition.

    A vector under a mask costs no more than one without; a piece of a few iterations costs as much as one of many.
    """
    trips = loop.const_trips or 0
    around = {k for c in cuts for k in (c // lanes * lanes, -(-c // lanes) * lanes) if 0 < k < trips}
    bounds = [0, *sorted(around), trips]
    pieces: list[For] = []
    for low, high in pairwise(bounds):
        decided: dict[Expr, bool] = {}
        for node, threshold in found.items():
            at = threshold.at.const - int(loop.begin)  # type: ignore[call-overload]  # pyright: ignore
            if at <= low or at >= high:
                decided[node] = threshold.below if at >= high else not threshold.below
        begin = simplify(loop.begin + low)
        pieces.append(replace(loop, begin=begin, end=simplify(loop.begin + high), body=_with(loop.body, decided)))
    return pieces if len(pieces) > 1 else []


def _thresholds(loop: For, nodes: set[Expr]) -> dict[Expr, Threshold]:
    """The comparisons in conditions that the loop variable decides together with what is fixed around the loop."""
    inner = {s.var for s in walk(loop.body) if isinstance(s, For)}
    conditions = [n.cond for n in nodes if isinstance(n, Select)]
    conditions += [s.cond for s in walk(loop.body) if isinstance(s, If)]
    found: dict[Expr, Threshold] = {}
    for node in {n for c in conditions for n in walk_expr(c)}:
        if isinstance(node, Binary) and node.op in ("lt", "le", "gt", "ge") and node.a.dtype is index:
            threshold = _threshold(node, loop.var)
            if threshold is not None and inner.isdisjoint(threshold.at.terms):
                found[node] = threshold
    return found


def _threshold(node: Binary, var: Var) -> Threshold | None:
    a, b = Affine.of(node.a), Affine.of(node.b)
    if a is None or b is None:
        return None
    form = a - b
    sign = form.coefficient(var)
    if sign not in (1, -1):
        return None
    rest = form.without([var])
    # sign * var + rest  op  0
    if sign == 1:
        return Threshold(rest * -1 + (1 if node.op in ("le", "gt") else 0), node.op in ("lt", "le"))
    return Threshold(rest + (1 if node.op in ("lt", "ge") else 0), node.op in ("gt", "ge"))


def _ordered(cuts: set[Affine]) -> list[Affine]:
    """Constant thresholds by size, before those with sizes in them."""
    return sorted(cuts, key=lambda c: (not c.is_const, c.const if c.is_const else 0, str(c)))


def _decide(threshold: Threshold, cuts: list[Affine], piece: int) -> bool | None:
    """What a comparison says in ``[cuts[piece - 1], cuts[piece])``; None if that is not known."""
    position = cuts.index(threshold.at)
    if position < piece:
        return not threshold.below
    if position > piece:
        difference = threshold.at - cuts[piece]
        if not difference.is_const or difference.const < 0:
            return None
    return threshold.below


def _with(body: Stmt, decided: dict[Expr, bool]) -> Stmt:
    values = {node: Const(value, bool_) for node, value in decided.items()}
    memo: dict[Expr, Expr] = {}
    changed = rewrite_stmt(body, lambda _: None, lambda e: rewrite(e, values.get, memo))
    return simplify_stmt(changed)
