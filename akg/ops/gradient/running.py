"""What a term of a running reduction takes of the adjoints of the results: a running reduction the other way."""

from __future__ import annotations

from collections.abc import Callable

from akg.ir import te
from akg.ir.expr import Const, Expr, Load, Var, binary, cast, select
from akg.ir.rewrite import substitute
from akg.ir.stage import Stage
from akg.ir.te.scan import Scan
from akg.ir.te.tensor import Tensor, plain_name
from akg.ops.gradient.arithmetic import masked, over, times


class _Terms:
    """The parts of a running reduction Y of terms t, along one axis."""

    def __init__(self, stage: Stage, scan: Scan, adjoint: Expr) -> None:
        buffer = stage.buffer
        assert isinstance(buffer, Tensor)
        self.scan, self.result = scan, buffer
        self.variables = tuple([axis.var for axis in stage.axes])
        self.term, self.adjoint = stage.values[0], adjoint
        self.value = Load(buffer, self.variables)

    def at(self, expr: Expr, place: tuple[Expr, ...]) -> Expr:
        """An expression over the axes at another place."""
        return substitute(expr, dict(zip(self.variables, place, strict=True)))

    def running(
        self, what: str, expr: Expr, op: str = "sum", *, backwards: bool = False, exclusive: bool | None = None
    ) -> Expr:
        """`expr`, combined up to the current place (or from it on, `backwards`)."""
        scan, kind = self.scan, expr.dtype.compute
        tensor = te.scan(
            self.result.shape, lambda *place: cast(self.at(expr, place), kind), scan.axis, op,
            reverse=scan.is_reverse != backwards, exclusive=scan.is_exclusive if exclusive is None else exclusive,
            name=f"{self.result.name}_{what}",
        )  # fmt: skip
        return Load(tensor, self.variables)


def running_seed(stage: Stage, scan: Scan, adjoint: Expr) -> Expr:
    """The adjoint of the term at a place, from the adjoint of the result at that place."""
    return _SEEDS[scan.combiner.name](_Terms(stage, scan, adjoint))


def _of_sum(t: _Terms) -> Expr:
    return t.running("grad", t.adjoint, backwards=True)


def _of_product(t: _Terms) -> Expr:
    """``sum(g * Y) / t`` from the place on. The first zero of a line counts as 1 for its own adjoint instead."""
    zero, one = Const(0.0, t.term.dtype), Const(1.0, t.term.dtype)
    is_zero = binary("eq", t.term, zero)
    zeros_before = t.running("zeros", select(is_zero, one, zero), exclusive=True)
    is_first = binary("and", is_zero, binary("eq", zeros_before, 0.0))
    others = t.running("others", select(is_first, one, t.term), "prod")
    usual = over(t.running("grad", times(t.adjoint, t.value), backwards=True), t.term)
    at_zero = t.running("grad_zero", times(t.adjoint, others), backwards=True)
    return select(is_zero, masked([is_first], at_zero), usual)


def _of_extreme(t: _Terms) -> Expr:
    """The adjoints of all results that equal the term, for the first term of that value."""
    scan, better = t.scan, "gt" if t.scan.combiner.name == "max" else "lt"
    size = t.result.shape[scan.axis]
    here = t.variables[scan.axis]
    if scan.is_exclusive:
        is_record = binary(better, t.term, t.value)
    else:
        before = tuple([_next(v, scan.is_reverse) if v is here else v for v in t.variables])
        first = size - 1 if scan.is_reverse else Const(0)
        is_record = select(binary("eq", here, first), te.const(True), binary(better, t.term, Load(t.result, before)))
    k = te.reduce_axis(size, name=plain_name(here))
    later = tuple([k if v is here else v for v in t.variables])
    order = ("lt" if scan.is_reverse else "gt") if scan.is_exclusive else ("le" if scan.is_reverse else "ge")

    def element(*place: Expr) -> Expr:
        is_own = binary("eq", t.at(t.value, later), t.term)
        shares = te.sum(masked([is_own], t.at(t.adjoint, later)), axis=k, where=binary(order, k, here))
        return t.at(shares, place)

    taken = te.compute(t.result.shape, element, name=f"{t.result.name}_taken")
    return masked([is_record], Load(taken, t.variables))


def _next(v: Var, is_up: bool) -> Expr:
    return v + 1 if is_up else v - 1


_SEEDS: dict[str, Callable[[_Terms], Expr]] = {
    "sum": _of_sum, "prod": _of_product, "max": _of_extreme, "min": _of_extreme,
}  # fmt: skip
