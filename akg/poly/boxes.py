"""Iteration domains as boxes with conditions: each loop between two functions of the sizes, what else holds besides.

Sizes and symbolic constants are those of the model; `Corner` says what spans their values.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from akg.base.dtype import index
from akg.ir.affine import Affine
from akg.ir.expr import Binary, Expr, Var
from akg.poly.domain import CLUSTER_WIDTH, Model, conjuncts
from akg.poly.scop import Statement

Values = Mapping[Var, int]
Range = tuple[Affine, Affine]  # the least and the greatest value


class NoBoxError(Exception):
    """A set that is not described here."""


@dataclass(frozen=True, slots=True)
class Corner:
    """A point (`unit` 1) or a direction (`unit` 0) of the parameters: all of these together span their values."""

    unit: int
    values: Values

    def at(self, form: Affine, more: Values | None = None) -> int:
        """The value of a form over parameters, and over variables with values."""
        total = form.const * self.unit
        for v, c in form.terms.items():
            total += c * (self.values[v] if more is None or v not in more else more[v])
        return total


_CONSTANT = [Corner(1, {})]


class Boxes:
    """The statements of a model as boxes; `symbolic`: with its symbolic constants as parameters, else as numbers."""

    def __init__(self, model: Model, symbolic: bool) -> None:
        self.model = model
        self.sizes = tuple(model.sizes)
        bases = model.symbol_bases if symbolic else {}
        self.symbols = {base: Var(f"?const{base}", index) for base in bases}
        self._bases = model.symbols if symbolic else {}
        self._forms: dict[Expr, Affine] = {}
        self._statements: dict[str, Instances | None] = {}
        self._primes: dict[Var, Var] = {}

    def params(self) -> list[Var]:
        """Sizes, then symbolic constants: the model's order."""
        return [*self.sizes, *self.symbols.values()]

    def form(self, expr: Expr) -> Affine:
        """An affine expression, its large constants as parameters.

        Raises:
            NoBoxError: if it is not affine.
        """
        found = self._forms.get(expr)
        if found is None:
            affine = Affine.of(expr)
            if affine is None:
                raise NoBoxError
            found = self._forms[expr] = self.lifted(affine)
        return found

    def primed(self, v: Var) -> Var:
        """An iterator of the sink of a pair, where it is another one than the source's."""
        found = self._primes.get(v)
        if found is None:
            found = self._primes[v] = Var(f"{v.name}'", index)
        return found

    def lifted(self, form: Affine) -> Affine:
        """A form with its large constant as a parameter."""
        base = self._bases.get(abs(form.const))
        if base is None:
            return form
        sign = 1 if form.const > 0 else -1
        return Affine({**form.terms, self.symbols[base]: sign}, form.const - sign * base)

    def corners(self, least: Values) -> list[Corner]:
        """What spans the values of the parameters, sizes from `least` on."""
        if not self.sizes and not self.symbols:
            return _CONSTANT
        values: dict[Var, int] = {v: least.get(v, 0) for v in self.sizes}
        symbols = list(self.symbols.values())
        for k, v in enumerate(symbols):
            values[v] = self.model.least + k * (CLUSTER_WIDTH + 1)
        rays = [(v,) for v in self.sizes] + [tuple(symbols[k:]) for k in range(len(symbols))]
        zero = dict.fromkeys(values, 0)
        return [Corner(1, values), *[Corner(0, {**zero, **dict.fromkeys(ray, 1)}) for ray in rays]]

    def instances(self, statement: Statement) -> Instances:
        """A statement's iteration domain.

        Raises:
            NoBoxError: if bounds or guards are not affine.
        """
        if statement.name not in self._statements:
            try:
                self._statements[statement.name] = _instances(self, statement)
            except NoBoxError:
                self._statements[statement.name] = None
        found = self._statements[statement.name]
        if found is None:
            raise NoBoxError
        return found


@dataclass(frozen=True, slots=True)
class Instances:
    """A domain as a box with conditions.

    Attributes:
        ranges: of the iterators.
        forms: every iterator as a form of itself.
        conditions: forms that are at least 0.
    """

    ranges: Mapping[Var, Range]
    forms: dict[Var, Affine]
    conditions: tuple[Affine, ...] = ()


def boxes_of(model: Model, symbolic: bool) -> Boxes:
    """The boxes of a model; those of the latest few are kept."""
    return _boxes(model, symbolic and bool(model.values))


@functools.lru_cache(maxsize=16)
def _boxes(model: Model, symbolic: bool) -> Boxes:
    return Boxes(model, symbolic)


def _instances(boxes: Boxes, statement: Statement) -> Instances:
    ranges: dict[Var, Range] = {}
    conditions: list[Affine] = []
    for loop in statement.loops:
        own = Affine.var(loop.var)
        low = _tightest(boxes, _operands(loop.begin, "max"), ranges, 0)
        high = _tightest(boxes, _operands(loop.end, "min"), ranges, 1)
        conditions.extend(own - form for form in low[1])
        conditions.extend(form - own + -1 for form in high[1])
        ranges[loop.var] = low[0], high[0] + -1
    for guard in conjuncts(statement.guards):
        conditions.extend(at_least_zero(boxes, guard))
    return Instances(ranges, {v: Affine.var(v) for v in ranges}, tuple(conditions))


def _operands(bound: Expr, op: str) -> list[Expr]:
    if isinstance(bound, Binary) and bound.op == op:
        return [*_operands(bound.a, op), *_operands(bound.b, op)]
    return [bound]


def _tightest(
    boxes: Boxes, bounds: Iterable[Expr], outer: Mapping[Var, Range], side: int
) -> tuple[Affine, list[Affine]]:
    """A bound over the parameters alone that holds for all of some bounds, and those that say more."""
    best: Affine | None = None
    wide: Affine | None = None  # from bounds over outer loops
    others: list[Affine] = []
    for bound in bounds:
        form = boxes.form(bound)
        if any(v in outer for v in form.terms):
            others.append(form)
            wide = Affine(None, form.const)
            for v, c in form.terms.items():
                wide = wide + (outer[v][(c > 0) == bool(side)] * c if v in outer else Affine({v: c}))
        elif best is None:
            best = form
        else:
            others.append(form)
    best = wide if best is None else best
    assert best is not None
    return best, others


def at_least_zero(boxes: Boxes, condition: Expr) -> list[Affine]:
    """An affine condition as forms that are at least zero where it holds.

    Raises:
        NoBoxError: if it is not affine, or no conjunction.
    """
    if not isinstance(condition, Binary) or condition.a.dtype is not index or condition.op not in _COMPARED:
        raise NoBoxError
    difference = boxes.form(condition.b) - boxes.form(condition.a)
    return [difference * sign + shift for sign, shift in _COMPARED[condition.op]]


_COMPARED: dict[str, tuple[tuple[int, int], ...]] = {
    "lt": ((1, -1),), "le": ((1, 0),), "gt": ((-1, -1),), "ge": ((-1, 0),), "eq": ((1, 0), (-1, 0)),
}  # fmt: skip
