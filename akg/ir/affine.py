"""Affine forms ``c0 + c1*x1 + ... + cn*xn`` over variables, with integer coefficients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from akg.base.dtype import bool_, index
from akg.ir.expr import COMPARISONS, Binary, Const, Expr, Unary, Var


class Affine:
    """An immutable affine form. Equality and hash are structural; zero coefficients are never kept."""

    __slots__ = ("_hash", "const", "terms")
    terms: dict[Var, int]
    const: int
    _hash: int  # once it was asked for

    def __init__(self, terms: Mapping[Var, int] | None = None, const: int = 0) -> None:
        self.terms = {v: c for v, c in terms.items() if c} if terms else {}
        self.const = const

    @staticmethod
    def var(v: Var) -> Affine:
        """The form of one variable."""
        return Affine._made({v: 1}, 0)

    @staticmethod
    def of(expr: Expr) -> Affine | None:
        """The affine form of an index expression, or None if it is not affine."""
        if isinstance(expr, Const):
            return None if isinstance(expr.value, float) else Affine(None, int(expr.value))
        if isinstance(expr, Var):
            return Affine._made({expr: 1}, 0)
        try:
            return expr.affine_form
        except AttributeError:
            expr.affine_form = found = Affine._of_operation(expr)
            return found

    @staticmethod
    def _of_operation(expr: Expr) -> Affine | None:
        if isinstance(expr, Unary) and expr.op == "neg":
            inner = Affine.of(expr.a)
            return None if inner is None else inner * -1
        if isinstance(expr, Binary) and expr.op in ("add", "sub", "mul"):
            a, b = Affine.of(expr.a), Affine.of(expr.b)
            if a is None or b is None:
                return None
            if expr.op == "add":
                return a + b
            if expr.op == "sub":
                return a - b
            if not a.terms:
                return b * a.const
            return a * b.const if not b.terms else None
        return None

    @staticmethod
    def _made(terms: dict[Var, int], const: int) -> Affine:
        """A form of terms that are never zero; it shares them."""
        result = object.__new__(Affine)
        result.terms, result.const = terms, const
        return result

    def __add__(self, other: Affine | int) -> Affine:
        if isinstance(other, int):
            return Affine._made(self.terms, self.const + other) if other else self
        if not self.terms or not other.terms:
            return Affine._made(self.terms or other.terms, self.const + other.const)
        terms = dict(self.terms)
        for v, c in other.terms.items():
            total = terms.get(v, 0) + c
            if total:
                terms[v] = total
            else:
                del terms[v]
        return Affine._made(terms, self.const + other.const)

    def __sub__(self, other: Affine | int) -> Affine:
        return self + (-other if isinstance(other, int) else other * -1)

    def __mul__(self, factor: int) -> Affine:
        if factor == 1:
            return self
        return Affine._made({v: c * factor for v, c in self.terms.items()} if factor else {}, self.const * factor)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Affine) and self.const == other.const and self.terms == other.terms

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            self._hash = found = hash((self.const, frozenset(self.terms.items())))
            return found

    @property
    def is_const(self) -> bool:
        """Whether no variable occurs."""
        return not self.terms

    def coefficient(self, v: Var) -> int:
        """The coefficient of `v`; 0 if it does not occur."""
        return self.terms.get(v, 0)

    def without(self, variables: Iterable[Var]) -> Affine:
        """The form with some variables set to zero."""
        drop = set(variables)
        return Affine._made({v: c for v, c in self.terms.items() if v not in drop}, self.const)

    def substitute(self, values: Mapping[Var, Affine]) -> Affine:
        """The form with variables replaced by forms."""
        if self.terms.keys().isdisjoint(values):
            return self
        result = Affine(None, self.const)
        for v, c in self.terms.items():
            result = result + (values[v] * c if v in values else Affine({v: c}))
        return result

    def to_expr(self) -> Expr:
        """The form as an index expression, terms in order of first insertion, constant last."""
        result: Expr | None = None
        for v, c in self.terms.items():
            if result is None:
                result = v * c if c != -1 else -v
            elif c < 0:
                result = result - v * -c
            else:
                result = result + v * c
        if result is None:
            return Const(self.const)
        if self.const < 0:
            return result - -self.const
        return result + self.const

    def __repr__(self) -> str:
        return str(self.to_expr())


def is_quasi_affine(expr: Expr) -> bool:
    """Whether an index expression is piecewise quasi-affine: ``//`` and ``%`` by positive constants, min, max."""
    if isinstance(expr, Const):
        return not isinstance(expr.value, float)
    if isinstance(expr, Var):
        return expr.dtype is index
    if isinstance(expr, Unary):
        return expr.op == "neg" and is_quasi_affine(expr.a)
    if not isinstance(expr, Binary) or expr.dtype is not index:
        return False
    if expr.op in ("floordiv", "mod"):
        return isinstance(expr.b, Const) and int(expr.b) > 0 and is_quasi_affine(expr.a)
    if expr.op == "mul" and not isinstance(expr.a, Const) and not isinstance(expr.b, Const):
        return Affine.of(expr) is not None
    return expr.op in ("add", "sub", "mul", "min", "max") and is_quasi_affine(expr.a) and is_quasi_affine(expr.b)


def is_affine_condition(expr: Expr) -> bool:
    """Whether a condition is made of comparisons of quasi-affine index expressions."""
    if isinstance(expr, Const):
        return expr.dtype is bool_
    if isinstance(expr, Unary):
        return expr.op == "not" and is_affine_condition(expr.a)
    if not isinstance(expr, Binary):
        return False
    if expr.op in ("and", "or"):
        return is_affine_condition(expr.a) and is_affine_condition(expr.b)
    return expr.op in COMPARISONS and is_quasi_affine(expr.a) and is_quasi_affine(expr.b)
