"""Lowering of running reductions: the first element of each line, then a loop nest that reads its predecessor."""

from __future__ import annotations

from akg.base.errors import Span
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Load, Var, binary
from akg.ir.rewrite import substitute
from akg.ir.simplify import simplify
from akg.ir.stmt import Store
from akg.ir.te.scan import Scan


def first_element(
    scan: Scan, target: Buffer, place: tuple[Expr, ...], term: Expr, name: str, span: Span | None
) -> Store:  # fmt: skip
    """The store at position 0 along the axis; `place` and `term` are over loop variables."""
    variable, start = _moved(scan, place, target, Const(0))
    values = {variable: start}
    value = scan.combiner.identity[0] if scan.is_exclusive else substitute(term, values)
    return Store(target, _at(place, values), value, name, span=span)


def next_element(
    scan: Scan, target: Buffer, place: tuple[Expr, ...], term: Expr, name: str, span: Span | None
) -> Store:  # fmt: skip
    """The store at a later position along the axis, which combines the element before it with a term."""
    variable, here = _moved(scan, place, target, place[scan.axis])
    _, before = _moved(scan, place, target, binary("sub", place[scan.axis], 1))
    now, earlier = {variable: here}, {variable: before}
    result = scan.combiner.result[0]
    assert isinstance(result, Binary)
    own = substitute(term, earlier if scan.is_exclusive else now)
    value = Binary(result.op, Load(target, _at(place, earlier)), own)
    return Store(target, _at(place, now), value, name, span=span)


def _moved(scan: Scan, place: tuple[Expr, ...], target: Buffer, position: Expr) -> tuple[Var, Expr]:
    """The variable of the axis, and the subscript at a position counted in the scan's direction."""
    variable = place[scan.axis]
    assert isinstance(variable, Var)
    if scan.is_reverse:
        return variable, simplify(target.shape[scan.axis] - 1 - position)
    return variable, position


def _at(place: tuple[Expr, ...], values: dict[Var, Expr]) -> tuple[Expr, ...]:
    return tuple([values.get(v, v) if isinstance(v, Var) else v for v in place])
