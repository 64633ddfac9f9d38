"""Float arithmetic on adjoints: zeros and ones that the structure gives are left out, nothing else is rearranged."""

from __future__ import annotations

from akg.ir.expr import Binary, Const, Expr, Unary, as_expr, binary, divide, select, unary


def is_number(e: Expr, value: float) -> bool:
    """Whether `e` is the constant `value`."""
    return isinstance(e, Const) and e.value == value


def times(a: Expr, b: Expr | float) -> Expr:
    """``a * b`` without factors 1 and -1."""
    other = as_expr(b, a.dtype)
    for one, rest in ((a, other), (other, a)):
        if is_number(one, 1.0):
            return rest
        if is_number(one, -1.0):
            return negated(rest)
        if isinstance(one, Unary) and one.op == "neg":
            return negated(times(one.a, rest))
    if isinstance(other, Const) and isinstance(a, Binary) and a.op == "mul" and a.dtype.bits >= 32:
        if isinstance(a.b, Const):  # one constant instead of two
            return times(a.a, Const(float(a.b) * float(other), a.dtype))
    return binary("mul", a, other)


def over(a: Expr, b: Expr | float) -> Expr:
    """``a / b``, with a sign taken out."""
    if is_number(as_expr(b, a.dtype), 1.0):
        return a
    if isinstance(a, Unary) and a.op == "neg":
        return negated(over(a.a, b))
    return divide(a, b)


def negated(a: Expr) -> Expr:
    """``-a``, where two signs cancel."""
    if isinstance(a, Unary) and a.op == "neg":
        return a.a
    if isinstance(a, Const):
        return Const(-a.value, a.dtype)
    return unary("neg", a)


def plus(a: Expr, b: Expr) -> Expr:
    """``a + b``, as a difference where a sign is at hand."""
    if isinstance(b, Unary) and b.op == "neg":
        return binary("sub", a, b.a)
    if isinstance(a, Unary) and a.op == "neg":
        return binary("sub", b, a.a)
    return binary("add", a, b)


def masked(conditions: list[Expr], value: Expr) -> Expr:
    """`value` where all conditions hold, else 0; each is evaluated only where those before it hold."""
    zero = Const(0.0, value.dtype)
    for condition in reversed(conditions):
        value = select(condition, value, zero)
    return value


def conjuncts(condition: Expr) -> list[Expr]:
    """The conditions that `condition` is the conjunction of, in order."""
    if isinstance(condition, Binary) and condition.op == "and":
        return [*conjuncts(condition.a), *conjuncts(condition.b)]
    return [condition]


def complement(condition: Expr) -> Expr:
    """The negation, without a double one."""
    if isinstance(condition, Unary) and condition.op == "not":
        return condition.a
    return unary("not", condition)
