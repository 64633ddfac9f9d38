"""Ranges of integer variables, and what they prove about affine forms."""

from __future__ import annotations

from dataclasses import dataclass, field

from akg.ir.affine import Affine
from akg.ir.expr import Const, Expr, Var, binary
from akg.ir.simplify import simplify
from akg.ir.te.tensor import fresh_var


@dataclass(frozen=True, slots=True)
class Quotient:
    """The meaning of a derived variable: ``form // divisor``, or ``form % divisor``."""

    op: str
    form: Affine
    divisor: int


@dataclass(slots=True)
class Ranges:
    """Variables with their least and greatest values, affine in sizes; any other variable is a size, 0 or more.

    Attributes:
        bounds: (least, greatest) of each variable, None where unknown.
        derived: what each derived variable stands for.
        symbols: variables that stand for sizes that are not affine.
    """

    bounds: dict[Var, tuple[Affine | None, Affine | None]] = field(default_factory=dict)
    derived: dict[Var, Quotient] = field(default_factory=dict)
    symbols: dict[Var, Expr] = field(default_factory=dict)

    def size(self, expr: Expr) -> Affine:
        """A size as an affine form; what is not affine gets a symbol."""
        form = Affine.of(expr)
        if form is not None:
            return form
        for symbol, known in self.symbols.items():
            if known is expr:
                return Affine.var(symbol)
        symbol = fresh_var("size")
        self.symbols[symbol] = expr
        return Affine.var(symbol)

    def least(self, form: Affine) -> Affine | None:
        """A lower bound over sizes."""
        return self._extreme(form, 1)

    def greatest(self, form: Affine) -> Affine | None:
        """An upper bound over sizes."""
        return self._extreme(form, -1)

    def _extreme(self, form: Affine, sign: int) -> Affine | None:
        result = Affine(None, form.const)
        for v, c in form.terms.items():
            if v not in self.bounds:
                result = result + Affine({v: c})
                continue
            bound = self.bounds[v][0 if c * sign > 0 else 1]
            if bound is None:
                return None
            result = result + bound * c
        return result

    def is_never_negative(self, form: Affine) -> bool:
        """Whether ``form >= 0`` is certain."""
        least = self.least(form)
        return least is not None and least.const >= 0 and all(c > 0 for c in least.terms.values())

    def is_zero(self, form: Affine) -> bool:
        """Whether ``form == 0`` is certain."""
        return self.is_never_negative(form) and self.is_never_negative(form * -1)

    def quotient(self, form: Affine, divisor: int) -> Affine:
        """``form // divisor``, as a derived variable where it is not affine."""
        multiple = Affine({v: c for v, c in form.terms.items() if c % divisor == 0}, form.const // divisor * divisor)
        rest = form - multiple
        exact = Affine({v: c // divisor for v, c in multiple.terms.items()}, multiple.const // divisor)
        if not self.is_never_negative(rest) or not self.is_never_negative(Affine(None, divisor - 1) - rest):
            exact = exact + self._derived("floordiv", rest, divisor)
        return exact

    def remainder(self, form: Affine, divisor: int) -> Affine:
        """``form % divisor``, as a derived variable where it is not constant."""
        form = Affine({v: c % divisor for v, c in form.terms.items()}, form.const % divisor)
        if self.is_never_negative(form) and self.is_never_negative(Affine(None, divisor - 1) - form):
            return form
        return self._derived("mod", form, divisor)

    def _derived(self, op: str, form: Affine, divisor: int) -> Affine:
        meaning = Quotient(op, form, divisor)
        for v, known in self.derived.items():
            if known == meaning:
                return Affine.var(v)
        v = fresh_var("q" if op == "floordiv" else "r")
        self.derived[v] = meaning
        self.bounds[v] = self.quotient_bounds(form, divisor) if op == "floordiv" else (
            Affine(), Affine(None, divisor - 1),
        )  # fmt: skip
        return Affine.var(v)

    def quotient_bounds(self, form: Affine, divisor: int) -> tuple[Affine | None, Affine | None]:
        """The least and the greatest value of ``form // divisor``."""
        ends = [self.least(form), self.greatest(form)]
        return tuple([None if e is None else self._floor(e, divisor) for e in ends])  # type: ignore[return-value]  # pyright: ignore

    def _floor(self, size: Affine, divisor: int) -> Affine:
        exact = _exact(size, divisor)
        return exact if exact is not None else self.size(binary("floordiv", size.to_expr(), Const(divisor)))

    def to_expr(self, form: Affine) -> Expr:
        """A form over the original variables."""
        result: Expr = Const(form.const)
        for v, c in form.terms.items():
            result = result + self._meaning(v) * c
        return simplify(result)

    def _meaning(self, v: Var) -> Expr:
        if v in self.symbols:
            return self.symbols[v]
        known = self.derived.get(v)
        return v if known is None else binary(known.op, self.to_expr(known.form), Const(known.divisor))

    def substitute(self, values: dict[Var, Affine]) -> None:
        """Replace variables in what derived variables stand for."""
        for v, known in list(self.derived.items()):
            if any(u in values for u in known.form.terms):
                self.derived[v] = Quotient(known.op, known.form.substitute(values), known.divisor)


def _exact(form: Affine, divisor: int) -> Affine | None:
    """``form // divisor`` if every coefficient is a multiple."""
    if any(c % divisor for c in form.terms.values()):
        return None
    return Affine({v: c // divisor for v, c in form.terms.items()}, form.const // divisor)
