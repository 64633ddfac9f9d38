"""Inversion of accesses: which iterations read the element at a given place.

A `System` collects equations between the loop variables and the place, and eliminates variables until the ones that
remain run freely over boxes, under conditions. Every step keeps the set of solutions:

  * an axis that the place tells is substituted (``i == p``; ``2*i == p`` under ``p % 2 == 0``);
  * digits of a mixed-radix number are told apart (``4*i + j == p`` with j < 4: ``i = p // 4``, ``j = p % 4``);
  * ``x // c`` and ``x % c`` become variables q and r with ``x == c*q + r`` and 0 <= r < c;
  * of ``i + k == p``, the longer axis is eliminated, and the other one remains as a loop;
  * in ``s*i + k == p``, k becomes ``s*m + p % s``, so that ``i + m == p // s``.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from math import gcd
from typing import TypeAlias

from akg.base.dtype import index
from akg.ir.affine import Affine
from akg.ir.expr import Axis, Binary, Const, Expr, Unary, Var, binary
from akg.ir.rewrite import substitute
from akg.ir.simplify import simplify
from akg.ir.te.tensor import fresh_var
from akg.ops.gradient.arithmetic import complement, conjuncts
from akg.ops.gradient.ranges import Ranges

Bounds: TypeAlias = "tuple[Affine | None, Affine | None]"  # least and greatest value
DILUTION_LIMIT = 4  # times as many iterations are worth a sum without remainders
_COMPLEMENT = {"lt": "ge", "ge": "lt", "le": "gt", "gt": "le", "eq": "ne", "ne": "eq"}


@dataclass(frozen=True, slots=True)
class Condition:
    """``form >= 0``; `owner` is the eliminated variable whose range it is."""

    form: Affine
    owner: Var | None = None


class System:
    """Equations and conditions over loop variables (to be eliminated) and the variables of a place (known)."""

    def __init__(self, place: tuple[Var, ...], sizes: tuple[Expr, ...]) -> None:
        self.ranges = Ranges()
        self.place = place
        self.pinned: dict[Var, Affine] = {}  # variables of the place that can only have one value
        for p, size in zip(place, sizes, strict=True):
            self.ranges.bounds[p] = (Affine(), self.ranges.size(size) - 1)
        self.loops: dict[Var, bool] = {}  # what is to be eliminated -> whether it is an axis of the output
        self.is_impossible = False  # a condition never holds
        self.equations: list[Affine] = []
        self.conditions: list[Condition] = []
        self.checks: list[Expr] = []  # conditions that are not affine
        self.values: dict[Var, Affine] = {}  # what was eliminated
        self.divisions: dict[tuple[Affine, int], tuple[Affine, Affine]] = {}

    def add_axis(self, axis: Axis) -> None:
        """A loop; its bounds may depend on loops that were added before."""
        begin, end = self.linear(axis.begin), self.linear(axis.end)
        lower = self.ranges.size(axis.begin) if begin is None else begin
        upper = (self.ranges.size(axis.end) if end is None else end) - 1
        v = Affine.var(axis.var)
        for bound, form in ((lower, v - lower), (upper, upper - v)):
            if any(u in self.ranges.bounds for u in bound.terms):
                self.conditions.append(Condition(form))
        self.ranges.bounds[axis.var] = (self.ranges.least(lower), self.ranges.greatest(upper))
        self.loops[axis.var] = not axis.is_reduce

    def equate(self, subscript: Expr, place: Var) -> None:
        """Require ``subscript == place``."""
        form = self.linear(subscript)
        if form is None:
            self.checks.append(binary("eq", subscript, place))
        else:
            self.equations.append(form - Affine.var(place))

    def require(self, condition: Expr) -> None:
        """Require a condition on loop variables, or on data."""
        for part in conjuncts(condition):
            self._require(part)

    def _require(self, part: Expr) -> None:
        if isinstance(part, Const):
            self.is_impossible |= not part.value
            return
        if isinstance(part, Unary) and part.op == "not":
            inner = part.a
            if isinstance(inner, Binary) and inner.op in _COMPLEMENT and inner.a.dtype is index:
                self._require(binary(_COMPLEMENT[inner.op], inner.a, inner.b))
                return
            if isinstance(inner, Binary) and inner.op == "or":
                self.require(complement(inner.a))
                self.require(complement(inner.b))
                return
        if isinstance(part, Binary) and part.op in _COMPLEMENT and part.a.dtype is index and part.op != "ne":
            a, b = self.linear(part.a), self.linear(part.b)
            if a is not None and b is not None:
                if part.op == "eq":
                    self.equations.append(a - b)
                else:
                    difference = a - b if part.op in ("ge", "gt") else b - a
                    self.conditions.append(Condition(difference - (part.op in ("gt", "lt"))))
                return
        self.checks.append(part)

    def linear(self, expr: Expr) -> Affine | None:
        """An index expression as an affine form, with variables for quotients and remainders by constants."""
        if isinstance(expr, (Const, Var)):
            return Affine.of(expr) if expr.dtype is index else None
        if isinstance(expr, Unary) and expr.op == "neg":
            inner = self.linear(expr.a)
            return None if inner is None else inner * -1
        if not isinstance(expr, Binary) or expr.dtype is not index:
            return None
        if expr.op in ("add", "sub", "mul", "floordiv", "mod"):
            a, b = self.linear(expr.a), self.linear(expr.b)
            if a is None or b is None:
                return None
            if expr.op in ("add", "sub"):
                return a + b if expr.op == "add" else a - b
            if expr.op == "mul" and (a.is_const or b.is_const):
                return b * a.const if a.is_const else a * b.const
            if expr.op != "mul" and b.is_const and b.const > 0:
                return self._divided(a, b.const)[expr.op == "mod"]
        return None

    def _divided(self, form: Affine, divisor: int) -> tuple[Affine, Affine]:
        """The quotient and the remainder of `form`, as loops of their own."""
        if not any(v in self.loops for v in form.terms):
            return self.ranges.quotient(form, divisor), self.ranges.remainder(form, divisor)
        known = self.divisions.get((form, divisor))
        if known is None:
            q, r = fresh_var("q"), fresh_var("r")
            self.ranges.bounds[q] = self.ranges.quotient_bounds(form, divisor)
            self.ranges.bounds[r] = (Affine(), Affine(None, divisor - 1))
            self.loops[q] = self.loops[r] = False
            known = self.divisions[form, divisor] = (Affine.var(q), Affine.var(r))
            self.equations.append(form - known[0] * divisor - known[1])
        return known

    # --- elimination ------------------------------------------------------------------------------------

    def solve(self) -> None:
        """Eliminate what the equations tell; what they do not becomes conditions."""
        self._tighten()
        is_first = True
        while self.equations:
            self.equations.sort(key=self._difficulty)
            if is_first and self._difficulty(self.equations[0]) > (1, 1):
                self._drop_single_iterations()
                is_first = False
                continue
            self._solve_one(self.equations.pop(0))
        self._pin()
        self._tighten()
        self._drop_single_iterations()

    def _bound_by(self, condition: Condition, variables: Container[Var]) -> tuple[Var, int, Affine] | None:
        """(v, 1, low) or (v, -1, high) if a condition bounds one of `variables` by a size."""
        bounded = [v for v in condition.form.terms if v in self.ranges.bounds]
        if len(bounded) != 1 or bounded[0] not in variables:
            return None
        v = bounded[0]
        c, rest = condition.form.terms[v], condition.form.without([v])
        if rest.terms and abs(c) != 1:
            return None
        if c > 0:
            return v, 1, rest * -1 if c == 1 else Affine(None, -(rest.const // c))
        return v, -1, rest if c == -1 else Affine(None, rest.const // -c)

    def _tighten(self) -> None:
        """Take conditions on single loops into their ranges."""
        for condition in self.conditions:
            found = self._bound_by(condition, self.loops)
            if found is not None:
                v, sign, bound = found
                self.ranges.bounds[v] = self._narrowed(self.ranges.bounds[v], sign, bound)

    def _narrowed(self, bounds: Bounds, sign: int, bound: Affine) -> Bounds:
        low, high = bounds
        old = low if sign > 0 else high
        difference = None if old is None else (bound - old) * sign
        if difference is None or (difference.is_const and difference.const > 0):
            return (bound, high) if sign > 0 else (low, bound)
        return bounds

    def _pin(self) -> None:
        """Substitute variables of the place that the conditions leave only one value."""
        bounds = {p: self.ranges.bounds[p] for p in self.place}
        for condition in self.conditions:
            found = self._bound_by(condition, bounds)
            if found is not None:
                bounds[found[0]] = self._narrowed(bounds[found[0]], found[1], found[2])
        for p, (low, high) in bounds.items():
            if low is not None and low == high and bounds[p] != self.ranges.bounds[p]:
                self.pinned[p] = low
                self._replace({p: low})

    def _replace(self, step: dict[Var, Affine]) -> None:
        self.values = {u: f.substitute(step) for u, f in self.values.items()}
        self.equations = [e.substitute(step) for e in self.equations]
        self.conditions = [Condition(c.form.substitute(step), c.owner) for c in self.conditions]
        self.ranges.substitute(step)

    def _drop_single_iterations(self) -> None:
        for v in list(self.loops):
            low, high = self.ranges.bounds[v]
            if low is not None and low == high:
                self._eliminate(v, low, is_in_range=True)

    def _difficulty(self, equation: Affine) -> tuple[int, int]:
        """Equations with one loop come first, then those that tell digits apart, then windows."""
        loops = [v for v in equation.terms if v in self.loops]
        if len(loops) > 1 and self._lowest_digit(equation, loops) is not None:
            return (2, len(loops))
        return (min(len(loops), 1) if len(loops) < 2 else 3, len(loops))

    def _solve_one(self, equation: Affine) -> None:
        loops = [v for v in equation.terms if v in self.loops]
        if not loops:
            if not self.ranges.is_zero(equation):
                self.conditions.extend((Condition(equation), Condition(equation * -1)))
            return
        rest = equation.without(loops)  # sum of loops == -rest
        common = gcd(*[equation.terms[v] for v in loops])
        if common > 1:
            remainder = self.ranges.remainder(rest * -1, common)
            if remainder.terms or remainder.const:
                self.conditions.append(Condition(remainder * -1))  # it is not negative
            told = self.ranges.quotient(rest * -1, common)
            self.equations.append(Affine({v: equation.terms[v] // common for v in loops}) - told)
            return
        digit = self._lowest_digit(equation, loops)
        if digit is not None:
            self._split_digit(equation, *digit)
            return
        units = [v for v in loops if abs(equation.terms[v]) == 1]
        if units:
            v = max(units, key=self._length)
            c = equation.terms[v]
            self._eliminate(v, (Affine({v: c}) - equation) * c)
            return
        form = self.ranges.to_expr(equation)
        self.checks.append(binary("eq", form, Const(0)))

    def _length(self, v: Var) -> tuple[int, int, bool]:
        """Order of elimination: symbolic lengths first, then the longest, axes of the output before others."""
        span = self._span(v)
        return (1, 0, self.loops[v]) if span is None else (0, span, self.loops[v])

    def _lowest_digit(self, equation: Affine, loops: list[Var]) -> tuple[Var, int] | None:
        """The only loop with coefficient 1 or -1 if all others are multiples of some base above 1."""
        units = [v for v in loops if abs(equation.terms[v]) == 1]
        others = [equation.terms[v] for v in loops if abs(equation.terms[v]) != 1]
        if len(units) != 1 or not others or gcd(*others) < 2:
            return None
        base, span = gcd(*others), self._span(units[0])
        if span is None:
            return None
        lengths = [self._span(v) for v in loops if v is not units[0]]
        limit = -(-span // base) * (DILUTION_LIMIT if self.loops[units[0]] else 1)
        if span > base and all(n is not None and n <= limit for n in lengths):
            return None  # eliminating the digit leaves few more iterations, and no remainders
        return units[0], base

    def _span(self, v: Var) -> int | None:
        """The number of values of a loop variable, if it is known."""
        low, high = self.ranges.bounds[v]
        return None if low is None or high is None or not (high - low).is_const else (high - low).const + 1

    def _split_digit(self, equation: Affine, v: Var, base: int) -> None:
        """Before: ``v + base * rest == t``. After: ``v = low + base*w + r`` with known r."""
        equation = equation * equation.terms[v]
        loops = [u for u in equation.terms if u in self.loops]
        low, high = self.ranges.bounds[v]
        assert low is not None and high is not None
        told = equation.without(loops) * -1 - low
        digit = self.ranges.remainder(told, base)
        rest = Affine({u: equation.terms[u] // base for u in loops if u is not v})
        span = (high - low).const + 1
        value = low + digit
        if span > base:
            w = fresh_var("w")
            self.ranges.bounds[w] = (Affine(), Affine(None, -(-span // base) - 1))
            self.loops[w] = False
            value = value + Affine({w: base})
            rest = rest + Affine.var(w)
        # told - digit is a multiple of the base
        exact = self.ranges.quotient(told, base)
        self._eliminate(v, value)
        self.equations.append(rest - exact)

    def _eliminate(self, v: Var, value: Affine, is_in_range: bool = False) -> None:
        """Replace loop `v` everywhere; its range becomes conditions."""
        low, high = self.ranges.bounds[v]
        del self.loops[v]
        step = {v: value}
        if not is_in_range:
            for form in (None if low is None else value - low, None if high is None else high - value):
                if form is not None:
                    self.conditions.append(Condition(form, v))
        self._replace(step)
        self.values[v] = value

    # --- results ----------------------------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether no iteration reads any element."""
        spans = [self._span(v) for v in self.loops]
        if self.is_impossible or any(span is not None and span <= 0 for span in spans):
            return True
        return any(self.ranges.is_never_negative(c.form * -1 - 1) for c in self.conditions)

    def open_conditions(self) -> list[Condition]:
        """The conditions that do not hold everywhere."""
        return list(dict.fromkeys(c for c in self.conditions if not self.ranges.is_never_negative(c.form)))

    def condition_exprs(self, conditions: list[Condition]) -> list[Expr]:
        """Conditions over the place and the remaining loops."""
        found = [binary("ge", *self._sides(c.form)) for c in conditions]
        return [e for e in dict.fromkeys(found) if not isinstance(e, Const)]

    def _sides(self, form: Affine) -> tuple[Expr, Expr]:
        """``a >= b`` for ``form >= 0`` without negative terms."""
        positive = Affine({v: c for v, c in form.terms.items() if c > 0}, max(form.const, 0))
        return self.ranges.to_expr(positive), self.ranges.to_expr(positive - form)

    def resolve(self, expr: Expr) -> Expr:
        """An expression over the place and the remaining loops."""
        values = {v: self.ranges.to_expr(f) for v, f in (*self.values.items(), *self.pinned.items())}
        return simplify(substitute(expr, values))  # type: ignore[arg-type]
