"""Exponentials below a maximum: ``exp(x - m)`` where m is the maximum of all such x, as in softmax.

    vector k: m = max(m, x[k])                  vector k (top): m = max(m, x[k])
    vector k: e[k] = exp(x[k] - m)              vector k: e[k] = exp_below(x[k] - m)
              s = s + e[k]                                s = s + e[k]
    vector k: y[k] = e[k] / s                   vector k: y[k] = e[k] / s

Two things are known there. The argument is never positive, and is itself a rounded difference: `exp_below` needs no
limit above, and half the reduction. And where all that becomes of the exponentials is divided by their sum, the maximum
need not care for NaN: the sum is NaN if any element is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Call, Cast, Const, Expr, Load
from akg.ir.rewrite import loads_of, rewrite, rewrite_stmt, substitute, walk_expr
from akg.ir.stmt import For, Stmt, Store, expressions, sub_statements


@dataclass(frozen=True, slots=True)
class _Site:
    """A store with its number in program order, and the loops around it."""

    number: int
    store: Store
    loops: tuple[For, ...]

    def inside(self, other: _Site) -> tuple[For, ...]:
        """The loops around this store, but not around the other, without those of one iteration."""
        return tuple([x for x in self.loops if x.const_trips != 1 and not any(x is o for o in other.loops)])


def bound_exponentials(body: Stmt) -> Stmt:
    """`body` with the exponentials below maxima, and the maxima that need not care for NaN, marked as such."""
    if not any(s.reduction == "max" for s, _ in _stores(body, ())):
        return body
    sites = [_Site(n, store, loops) for n, (store, loops) in enumerate(_stores(body, ()))]
    below: set[Expr] = set()
    tops: set[str] = set()
    for top in sites:
        if top.store.reduction != "max" or not _is_maximum(top, sites):
            continue
        found = {s.number: call for s in sites if (call := _below(top, s)) is not None}
        below.update(found.values())
        reads = [s for s in sites if s is not top and any(x.buffer is top.store.buffer for x in _loads(s.store))]
        if reads and all(s.store.value is found.get(s.number) and _is_divided(top, s, sites) for s in reads):
            tops.add(top.store.name)
    if not below:
        return body

    def mark(node: Expr) -> Expr | None:
        return Call("exp_below", node.args, node.dtype) if isinstance(node, Call) and node in below else None

    def visit(stmt: Stmt) -> Stmt | None:
        return replace(stmt, reduction="top") if isinstance(stmt, Store) and stmt.name in tops else None

    memo: dict[Expr, Expr] = {}
    return rewrite_stmt(body, visit, lambda e: rewrite(e, mark, memo))


def _stores(stmt: Stmt, loops: tuple[For, ...]) -> Iterator[tuple[Store, tuple[For, ...]]]:
    if isinstance(stmt, Store):
        yield stmt, loops
    inside = (*loops, stmt) if isinstance(stmt, For) else loops
    for inner in sub_statements(stmt):
        yield from _stores(inner, inside)


def _loads(store: Store) -> list[Load]:
    return [load for e in expressions(store) for load in loads_of(e)]


def _is_maximum(top: _Site, sites: list[_Site]) -> bool:
    """Whether an update and a start before it are all that is written to a temporary."""
    store, value = top.store, top.store.value
    if store.buffer.scope == "global" or not isinstance(value, Binary):
        return False
    if value.a is not Load(store.buffer, store.indices):
        return False
    others = [s for s in sites if s.store.buffer is store.buffer and s is not top]
    if len(others) != 1 or others[0].number > top.number or others[0].inside(top):
        return False
    start = others[0].store
    return isinstance(start.value, Const) and start.value.value == -inf and start.indices == store.indices


def _below(top: _Site, site: _Site) -> Call | None:
    """The exponential in a store of what the maximum was taken of, less the maximum."""
    value = top.store.value
    calls = [n for n in walk_expr(site.store.value) if isinstance(n, Call) and n.fn == "exp"]
    if site.number <= top.number or not calls or not isinstance(value, Binary):
        return None
    old, new = top.inside(site), site.inside(top)
    if not old or not _are_alike(old, new):
        return None
    term = substitute(value.b, {a.var: b.var for a, b in zip(old, new, strict=True)})
    wanted = Binary("sub", term, Load(top.store.buffer, top.store.indices))
    return next((c for c in calls if c.args[0] is wanted), None)


def _are_alike(old: tuple[For, ...], new: tuple[For, ...]) -> bool:
    """Whether nests have the same ranges."""
    pairs = zip(old, new, strict=False)
    same = all(a.begin is b.begin and a.end is b.end and a.step == b.step for a, b in pairs)
    return same and len(old) == len(new)


def _is_divided(top: _Site, site: _Site, sites: list[_Site]) -> bool:
    """Whether all that becomes of exponentials, which a store writes, is their sum, and quotients by it."""
    powers = site.store.buffer
    if powers.scope == "global" or sum(s.store.buffer is powers for s in sites) != 1:
        return False
    readers = [s for s in sites if any(x.buffer is powers for x in _loads(s.store))]
    sums = {s.store.buffer for s in readers if s.store.reduction == "sum" and _sums(s, powers, top)}
    scales = [s.store.buffer for s in sites if _is_quotient_of(s.store.value, sums)]
    totals = sums | {b for b in scales if b.scope != "global" and sum(s.store.buffer is b for s in sites) == 1}
    return bool(sums) and all(s.store.buffer in sums or _scales(s.store.value, powers, totals) for s in readers)


def _sums(site: _Site, powers: Buffer, top: _Site) -> bool:
    value = site.store.value
    term = value.b if isinstance(value, Binary) else None
    return isinstance(term, Load) and term.buffer is powers and _are_alike(top.inside(site), site.inside(top))


def _is_quotient_of(value: Expr, sums: set[Buffer]) -> bool:
    """Whether a value is a constant over a sum."""
    if not isinstance(value, Binary) or value.op != "div" or not isinstance(value.a, Const):
        return False
    return isinstance(value.b, Load) and value.b.buffer in sums


def _scales(value: Expr, powers: Buffer, totals: set[Buffer]) -> bool:
    """Whether a value is an exponential times or over what is NaN where the sum is."""
    while isinstance(value, Cast):
        value = value.a
    if not isinstance(value, Binary) or value.op not in ("mul", "div") or not isinstance(value.a, Load):
        return False
    return value.a.buffer is powers and isinstance(value.b, Load) and value.b.buffer in totals
