"""Terms of sums that padding makes absent are left out.

    Before:  p[i, j] = select(1 <= i and i < 15 and 1 <= j and j < 15, X[i - 1, j - 1], -0.0)
             for k in [0, 3): for l in [0, 3):
                 unroll for x in [0, 14): r[x] += p[y + k, x + l] * W[k, l]
    After:   for k in [max(0, 1 - y), min(3, 15 - y)): unroll for l in [0, 3):
                 unroll for x in [0, 14): if 1 <= x + l and x + l < 15: r[x] += X[y + k - 1, x + l - 1] * W[k, l]

The fill says so: -0.0 is the neutral element of floating-point sums, and operators pad with it what a window may meet
and a sum need not (`akg.ops.convolution`); padding by 0.0 is an operand like any other, which an infinite weight makes
a NaN of. A subscript that a loop of the sum moves restricts its range; one that only unrolled loops move is decided
where code is made. An array of which no padding is read any more is read where it came from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from math import copysign

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Cast, Const, Expr, Load, Select, Var, binary
from akg.ir.rewrite import buffers_written, loads_of, map_children, rewrite, rewrite_stmt, substitute, variables_of
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, For, If, Stmt, Store, expressions, walk
from akg.poly.loops.promote import drop_dead_stores

MAX_TAPS = 4  # iterations of a loop that becomes straight-line code


@dataclass(frozen=True, slots=True)
class _Padded:
    """An array with padding around another one.

    Attributes:
        store: the only one to it.
        ranges: for each dimension that has padding, the subscripts from and up to which there is none.
    """

    store: Store
    ranges: dict[int, tuple[int, int]]


def skip_padding(body: Stmt) -> Stmt:
    """`body` without the terms of sums that meet padding, where loops can leave them out."""
    padded = _padded_arrays(body)
    if not padded:
        return body
    skipper = _Skipper(padded)
    body = skipper.visit(body)
    for buffer, array in padded.items():
        if skipper.free.get(buffer) == _reads(body, buffer):
            body = _read_at_source(body, buffer, array.store)
    return body


def _reads(body: Stmt, buffer: Buffer) -> int:
    """Statements that read an array."""
    return sum(any(x.buffer is buffer for e in expressions(s) for x in loads_of(e)) for s in walk(body))


def _padded_arrays(body: Stmt) -> dict[Buffer, _Padded]:
    """The temporaries that padding surrounds."""
    stores: dict[Buffer, list[Store]] = {}
    for stmt in walk(body):
        if isinstance(stmt, Store):
            stores.setdefault(stmt.buffer, []).append(stmt)
    temporaries = [s.buffer for s in walk(body) if isinstance(s, Alloc)]
    found = {b: _padded(stores[b][0]) for b in temporaries if len(stores.get(b, ())) == 1}
    return {b: p for b, p in found.items() if p is not None}


def _padded(store: Store) -> _Padded | None:
    value = store.value
    if not isinstance(value, Select) or not is_absent(value.b) or not isinstance(value.a, Load):
        return None
    places = [Affine.of(i) for i in store.indices]
    low: dict[int, int] = {}
    high: dict[int, int] = {}
    for part in conjuncts(value.cond):
        if not isinstance(part, Binary) or part.op not in ("ge", "lt"):
            return None
        form, bound = Affine.of(part.a), Affine.of(part.b)
        if form is None or bound is None or not bound.is_const:
            return None
        at = [d for d, place in enumerate(places) if place is not None and (place - form).is_const and form.terms]
        if len(at) != 1:
            return None
        shifted = bound.const + (places[at[0]] - form).const  # type: ignore[operator]  # pyright: ignore
        (low if part.op == "ge" else high)[at[0]] = shifted
    shape = store.buffer.const_shape
    if shape is None:
        return None
    ranges = {d: (low.get(d, 0), high.get(d, shape[d])) for d in {*low, *high}}
    return _Padded(store, ranges)


def is_absent(fill: Expr) -> bool:
    """Whether a value is the neutral element of sums, and so its products may be left out."""
    if not isinstance(fill, Const) or fill.value != 0:
        return False
    return not isinstance(fill.value, float) or copysign(1.0, fill.value) < 0


def conjuncts(cond: Expr) -> list[Expr]:
    """The conditions that hold together where one does."""
    if isinstance(cond, Binary) and cond.op == "and":
        return [*conjuncts(cond.a), *conjuncts(cond.b)]
    return [cond]


class _Skipper:
    def __init__(self, padded: dict[Buffer, _Padded]) -> None:
        self.padded = padded
        self.free: dict[Buffer, int] = {}  # statements that read no padding of an array

    def visit(self, stmt: Stmt) -> Stmt:
        """Restrict the sums in a statement."""
        if isinstance(stmt, For) and stmt.kind == "serial":
            nest = nest_of_sum(stmt)
            if nest is not None:
                return self.restricted(*nest)
        return map_children(stmt, self.visit)

    def restricted(self, loops: list[For], store: Store) -> Stmt:
        """A nest around one sum, its loops without the terms that meet padding."""
        load = self.operand(store)
        if load is None:
            return _over(loops, store, [])
        conditions: list[Expr] = []
        complete = True
        for d, (low, high) in self.padded[load.buffer].ranges.items():
            form = Affine.of(load.indices[d])
            inside = [k for k, loop in enumerate(loops) if form is not None and form.coefficient(loop.var)]
            if form is None:
                complete = False
            elif len(inside) == 1 and loops[inside[0]].kind == "serial" and loops[inside[0]].step == 1:
                loops[inside[0]] = _bounded(loops[inside[0]], form, low, high)
            elif inside and form.terms.keys() == {loops[k].var for k in inside} and self.is_short(loops, inside):
                for k in inside:
                    loops[k] = replace(loops[k], kind="unroll")
                conditions += [binary("ge", form.to_expr(), Const(low)), binary("lt", form.to_expr(), Const(high))]
            else:
                complete = False
        if complete:
            self.free[load.buffer] = self.free.get(load.buffer, 0) + 1
        return _over(loops, store, conditions)

    def is_short(self, loops: list[For], inside: list[int]) -> bool:
        """Whether loops are unrolled, but for the innermost serial one, which is short enough to be."""
        serial = [k for k in inside if loops[k].kind == "serial"]
        last = max((k for k, loop in enumerate(loops) if loop.kind == "serial"), default=-1)
        if any(loops[k].kind == "vector" for k in inside) or len(serial) > 1 or (serial and serial[0] != last):
            return False
        return all(0 < (loops[k].const_trips or 0) <= MAX_TAPS for k in serial)

    def operand(self, store: Store) -> Load | None:
        """The padded factor of what a sum takes in."""
        value = store.value
        if store.reduction != "sum" or not isinstance(value, Binary) or value.op != "add":
            return None
        if value.a is not Load(store.buffer, store.indices):
            return None
        factors = [f.a if isinstance(f, Cast) else f for f in factors_of(value.b)]
        loads = [f for f in factors if isinstance(f, Load) and f.buffer in self.padded]
        return loads[0] if len(loads) == 1 and len(factors) > 1 else None


def factors_of(term: Expr) -> list[Expr]:
    """The factors of a product."""
    if isinstance(term, Binary) and term.op == "mul":
        return [*factors_of(term.a), *factors_of(term.b)]
    return [term]


def nest_of_sum(loop: For) -> tuple[list[For], Store] | None:
    """The loops of a nest around one store."""
    loops: list[For] = []
    inner: Stmt = loop
    while isinstance(inner, For):
        if inner.kind not in ("serial", "unroll", "vector"):
            return None
        loops.append(inner)
        inner = inner.body
    return (loops, inner) if isinstance(inner, Store) else None


def _bounded(loop: For, form: Affine, low: int, high: int) -> For:
    """A loop in whose iterations a form lies in ``[low, high)``."""
    c = form.coefficient(loop.var)
    rest = form.without([loop.var])
    if c < 0:
        rest, c, low, high = rest * -1, -c, 1 - high, 1 - low
    first, last = ((rest * -1 + (bound + c - 1)).to_expr() for bound in (low, high))
    if c > 1:
        first, last = binary("floordiv", first, Const(c)), binary("floordiv", last, Const(c))
    begin, end = binary("max", loop.begin, first), binary("min", loop.end, last)
    return replace(loop, begin=simplify(begin), end=simplify(end))


def _over(loops: list[For], store: Store, conditions: list[Expr]) -> Stmt:
    """A nest with conditions outside of its vector loop."""
    stmt: Stmt = store
    cond = reduce(lambda a, b: binary("and", a, b), conditions) if conditions else None
    for loop in reversed(loops):
        if loop.kind != "vector" and cond is not None:
            stmt, cond = If(cond, stmt), None
        stmt = replace(loop, body=stmt)
    return stmt


def _read_at_source(body: Stmt, buffer: Buffer, store: Store) -> Stmt:
    """Reads of an array without its padding, from where its elements came."""
    assert isinstance(store.value, Select) and isinstance(store.value.a, Load)
    source = store.value.a
    forms = [Affine.of(i) for i in store.indices]
    shifts: dict[int, tuple[Var, int]] = {}
    for d, form in enumerate(forms):
        if form is None or len(form.terms) > 1 or any(c != 1 for c in form.terms.values()):
            return body
        for v in form.terms:
            shifts[d] = (v, form.const)
    own = {stmt.buffer for stmt in walk(body) if isinstance(stmt, Alloc)}
    if source.buffer in own or source.buffer in buffers_written(body):
        return body  # it may be gone by then, or hold something else
    if not {v for i in source.indices for v in variables_of(i)} <= {v for v, _ in shifts.values()}:
        return body

    memo: dict[Expr, Expr] = {}

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Load) or node.buffer is not buffer:
            return None
        at: dict[Var, Expr] = {v: node.indices[d] - const for d, (v, const) in shifts.items()}
        return Load(source.buffer, tuple([simplify(substitute(i, at)) for i in source.indices]))

    return drop_dead_stores(rewrite_stmt(body, lambda _: None, lambda e: rewrite(e, rule, memo)))
