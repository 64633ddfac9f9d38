"""Rules of algebra on arithmetic operators: those that keep every element (`EXACT`), and those of `fast_math` (`FAST`).

Exact is what IEEE 754 has, zeros' signs, infinities and NaN included, and whatever 16-bit rounding stands between.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from akg.base.dtype import DType
from akg.ir.graph.graph import Node, Value
from akg.ir.graph.known import Found, Known, Number, Rule, becomes, same


def _is_float(node: Node) -> bool:
    return node.outputs[0].dtype.is_float


def _neutral(*neutral: Number, right_only: bool = False) -> Rule:
    """``x op e -> x`` for a number e that changes nothing; -0.0 is another number than 0.0."""

    def is_neutral(number: Number | None) -> bool:
        return number is not None and any(
            number == e and math.copysign(1.0, number) == math.copysign(1.0, e) for e in neutral
        )

    def rule(node: Node, known: Known) -> Found:
        a, b = node.args
        if is_neutral(known.number(b)):
            return same(a, node)
        return same(b, node) if not right_only and is_neutral(known.number(a)) else None

    return rule


def _add(node: Node, known: Known) -> Found:
    """``x + -y -> x - y``; of integers ``x + 0 -> x``."""
    a, b = node.args
    for one, other in ((a, b), (b, a)):
        if known.number(other) == 0 and not _is_float(node):
            return same(one, node)
        negated = known.maker(other, "negative")
        if negated is not None and _is_float(node):
            return becomes(node, "subtract", one, negated.args[0])
    return None


def _subtract(node: Node, known: Known) -> Found:
    """``x - -y -> x + y``; of integers ``x - x -> 0``."""
    a, b = node.args
    negated = known.maker(b, "negative")
    if negated is not None and _is_float(node):
        return becomes(node, "add", a, negated.args[0])
    return _filled(node, 0) if a is b and not _is_float(node) else None


def _multiply(node: Node, known: Known) -> Found:
    """``x * -1 -> -x``; of integers ``x * 0 -> 0``."""
    a, b = node.args
    for one, other in ((a, b), (b, a)):
        number = known.number(other)
        if number == -1 and _is_float(node) and same(one, node):
            return becomes(node, "negative", one, kind="elementwise")
        if number == 0 and not _is_float(node):
            return _filled(node, 0)
    return None


def _divide(node: Node, known: Known) -> Found:
    """``x / c -> x * (1/c)`` where 1/c is exact: a power of two."""
    number = known.number(node.args[1])
    if number is None or not _is_float(node) or not math.isfinite(number) or number in (0, 1):
        return None
    inverse = 1.0 / number
    is_exact = abs(math.frexp(float(number))[0]) == 0.5 and 2.0**-14 <= abs(inverse) <= 2.0**14  # in any float type
    return becomes(node, "multiply", node.args[0], inverse) if is_exact and same(node.args[0], node) else None


def _pow(node: Node, known: Known) -> Found:
    """``x ** 1 -> x``, ``x ** 2 -> x * x``."""
    number = known.number(node.args[1])
    base = same(node.args[0], node)
    if base is None or number not in (1, 2) or isinstance(number, bool):
        return None
    return base if number == 1 else becomes(node, "multiply", base, base)


def _filled(node: Node, number: Number) -> Node:
    value = node.outputs[0]
    return becomes(node, "full", value.shape, number, dtype=value.dtype.name, kind="reshape")


def _twice(node: Node, known: Known) -> Found:
    """``f(f(x)) -> f(x)``."""
    return same(node.args[0], node) if known.maker(node.args[0], node.op) else None


def _involution(node: Node, known: Known) -> Found:
    """``f(f(x)) -> x``."""
    inner = known.maker(node.args[0], node.op)
    return None if inner is None else same(inner.args[0], node)


def _even(node: Node, known: Known) -> Found:
    """``f(-x) -> f(x)``, ``f(|x|) -> f(x)``."""
    inner = known.maker(node.args[0], "negative", "abs")
    if inner is None or not isinstance(inner.args[0], Value) or not inner.outputs[0].dtype.is_float:
        return None
    return replace(node, args=inner.args)


def _either(node: Node, known: Known) -> Found:
    """``max(x, x) -> x``."""
    del known
    return same(node.args[0], node) if node.args[0] is node.args[1] else None


def _where(node: Node, known: Known) -> Found:
    """``where(c, x, x) -> x``, and where c is a number."""
    condition, a, b = node.args
    number = known.number(condition)
    if number is not None:
        return same(a if number else b, node)
    return same(a, node) if a is b else None


def _identity(node: Node, known: Known) -> Found:
    del known
    return same(node.args[0], node)


def _astype(node: Node, known: Known) -> Found:
    """No conversion, or one in place of two where the type between holds every value of the first."""
    whole = same(node.args[0], node)
    inner = None if whole else known.maker(node.args[0], "astype")
    if inner is None or not isinstance(inner.args[0], Value) or not _holds(inner.outputs[0].dtype, inner.args[0].dtype):
        return whole
    return replace(node, args=(inner.args[0], *node.args[1:]))


def _holds(wide: DType, narrow: DType) -> bool:
    """Whether every value of one type is one of another."""
    if "bfloat16" in (wide.name, narrow.name):
        return wide is narrow or (narrow.name == "bfloat16" and wide.name in ("float32", "float64"))
    if wide.is_float and narrow.name in ("int64", "uint64"):  # NumPy calls that safe
        return False
    return np.can_cast(narrow.numpy, wide.numpy, "safe")


def _cancels(number: Number) -> Rule:
    """``x - x -> 0``, ``x / x -> 1``."""
    return lambda node, known: _filled(node, number) if node.args[0] is node.args[1] else None


def _times_zero(node: Node, known: Known) -> Found:
    return _filled(node, 0) if 0 in (known.number(node.args[0]), known.number(node.args[1])) else None


def _collected(combine: Callable[[Number, Number], Number]) -> Rule:
    """``(x op a) op b -> x op (a op b)`` for numbers a and b."""

    def rule(node: Node, known: Known) -> Found:
        for inner, outer in (node.args, node.args[::-1]):
            b, made = known.number(outer), known.maker(inner, node.op)
            if b is None or made is None or not _is_float(node):
                continue
            for x, other in (made.args, made.args[::-1]):
                a = known.number(other)
                if a is not None and same(x, node):
                    return replace(node, args=(x, combine(a, b)))
        return None

    return rule


def _quotient(node: Node, known: Known) -> Found:
    """``x / c -> x * (1/c)``."""
    number = known.number(node.args[1])
    if number is None or number == 0 or not _is_float(node) or same(node.args[0], node) is None:
        return None
    return becomes(node, "multiply", node.args[0], 1.0 / number)


def _inverse_of(op: str) -> Rule:
    """``exp(log(x)) -> x``, and alike."""

    def rule(node: Node, known: Known) -> Found:
        inner = known.maker(node.args[0], op)
        return None if inner is None else same(inner.args[0], node)

    return rule


EXACT: Mapping[str, tuple[Rule, ...]] = {
    "add": (_neutral(-0.0), _add),
    "subtract": (_neutral(0, right_only=True), _subtract),
    "multiply": (_neutral(1), _multiply),
    "divide": (_neutral(1, right_only=True), _divide),
    "pow": (_pow,),
    "where": (_where,),
    "maximum": (_either,), "minimum": (_either,), "logical_and": (_either,), "logical_or": (_either,),
    "bitwise_and": (_either,), "bitwise_or": (_either,),
    "negative": (_involution,), "logical_not": (_involution,), "bitwise_invert": (_involution,),
    "abs": (_even,), "square": (_even,), "cosh": (_even,), "cos": (_even,),
    "relu": (_twice,), "relu6": (_twice,), "floor": (_twice,), "ceil": (_twice,), "round": (_twice,),
    "trunc": (_twice,), "sign": (_twice,),
    "positive": (_identity,), "astype": (_astype,),
}  # fmt: skip

FAST: Mapping[str, tuple[Rule, ...]] = {
    "add": (_neutral(0.0), _collected(lambda a, b: a + b)),
    "subtract": (_cancels(0),),
    "multiply": (_times_zero, _collected(lambda a, b: a * b)),
    "divide": (_cancels(1), _quotient),
    "exp": (_inverse_of("log"),), "log": (_inverse_of("exp"),), "square": (_inverse_of("sqrt"),),
    "reciprocal": (_inverse_of("reciprocal"),),
}  # fmt: skip
