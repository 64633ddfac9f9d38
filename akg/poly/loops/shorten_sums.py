"""Sums begin and end where a condition on several subscripts says that an operand does.

    Before:  w[r, t] = select(t * 2 + r < 3, W[t * 2 + r], -0.0)
             for r in [0, 2): for t in [0, 2): s[r] += x[t] * w[r, t]
    After:   for r in [0, 2): for t in [0, min(2, (4 - r) // 2)): s[r] += x[t] * w[r, t]

and they begin later where the coefficient of ``t`` is negative.

The phases of a transposed convolution have this form (`akg.ops.convolution`): with stride 2, one of two has a tap less
than the other. It happens before operands are packed, after which nothing tells where elements came from. What a
condition on one subscript leaves out, as padding around an image does, is for `akg.poly.loops.skip_padding`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Cast, Const, Load, Select, Var, binary
from akg.ir.rewrite import map_children
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, For, Stmt, Store, walk
from akg.poly.loops.skip_padding import conjuncts, factors_of, is_absent, nest_of_sum


@dataclass(frozen=True, slots=True)
class _Limits:
    """Where a temporary has elements: `forms` over variables are negative.

    `places` has the dimension whose subscript is each variable times 1 or -1, and a constant: as a loop may run
    backwards, that factor and the constant.
    """

    places: dict[Var, tuple[int, int, int]]
    forms: tuple[Affine, ...]


def shorten_sums(body: Stmt) -> Stmt:
    """`body` with loops of sums that end where an operand does."""
    limits = _limits_in(body)

    def visit(stmt: Stmt) -> Stmt:
        if isinstance(stmt, For) and stmt.kind == "serial":
            nest = nest_of_sum(stmt)
            if nest is not None:
                return _shortened(*nest, limits)
        return map_children(stmt, visit)

    return visit(body) if limits else body


def _limits_in(body: Stmt) -> dict[Buffer, _Limits]:
    stores: dict[Buffer, list[Store]] = {}
    temporaries: set[Buffer] = set()
    for stmt in walk(body):
        if isinstance(stmt, Store):
            stores.setdefault(stmt.buffer, []).append(stmt)
        elif isinstance(stmt, Alloc):
            temporaries.add(stmt.buffer)
    found = {b: _limits(own[0]) for b, own in stores.items() if b in temporaries and len(own) == 1}
    return {b: limits for b, limits in found.items() if limits is not None}


def _limits(store: Store) -> _Limits | None:
    value = store.value
    if not isinstance(value, Select) or not is_absent(value.b):
        return None
    places: dict[Var, tuple[int, int, int]] = {}
    for d, index in enumerate(store.indices):
        own = Affine.of(index)
        if own is not None and len(own.terms) == 1:
            (v, c), *_ = own.terms.items()
            if abs(c) == 1:
                places[v] = (d, c, own.const)
    forms: list[Affine] = []
    for part in conjuncts(value.cond):
        form = Affine.of(part.a - part.b) if isinstance(part, Binary) and part.op == "lt" else None
        if form is not None and len(form.terms) > 1 and form.terms.keys() <= places.keys():
            forms.append(form)
    return _Limits(places, tuple(forms)) if forms else None


def _shortened(loops: list[For], store: Store, limits: dict[Buffer, _Limits]) -> Stmt:
    """A nest around one sum, its loops without the terms that are absent."""
    value = store.value
    is_sum = store.reduction == "sum" and isinstance(value, Binary) and value.a is Load(store.buffer, store.indices)
    factors = factors_of(value.b) if is_sum and isinstance(value, Binary) else []
    loads = [f.a if isinstance(f, Cast) else f for f in factors]
    for load in loads if len(loads) > 1 else ():
        known = limits.get(load.buffer) if isinstance(load, Load) else None
        if known is None or not isinstance(load, Load):
            continue
        at = {v: (form - const) * c for v, (d, c, const) in known.places.items()
              if (form := Affine.of(load.indices[d])) is not None}  # fmt: skip
        for form in known.forms:
            if form.terms.keys() <= at.keys():
                _restrict(loops, form.substitute(at))
    stmt: Stmt = store
    for loop in reversed(loops):
        stmt = replace(loop, body=stmt)
    return stmt


def _restrict(loops: list[For], form: Affine) -> None:
    """Let the innermost loop that moves a form run only where it is negative."""
    at = max((k for k, loop in enumerate(loops) if form.coefficient(loop.var)), default=-1)
    loop = loops[at]
    if at < 0 or loop.kind != "serial" or loop.step != 1:
        return
    c, rest = form.coefficient(loop.var), form.without([loop.var])
    if c > 0:  # c * v < -rest
        end = simplify(binary("floordiv", (rest * -1 + (c - 1)).to_expr(), Const(c)))
        loops[at] = replace(loop, end=simplify(binary("min", loop.end, end)))
    else:  # -c * v > rest
        begin = simplify(binary("floordiv", (rest + -c).to_expr(), Const(-c)))
        loops[at] = replace(loop, begin=simplify(binary("max", loop.begin, begin)))
