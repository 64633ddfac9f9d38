"""How operators on single elements are made: from a function on scalars to a registered operator on tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from akg.base.dtype import DType
from akg.ir import te
from akg.ir.expr import Expr
from akg.ir.te.tensor import Tensor
from akg.ops.registry import Kind, operator
from akg.ops.shape import (
    Operand,
    check_dtype,
    check_operand,
    check_tensor,
    compute_broadcast,
    float_dtype,
    result_dtype,
    value,
)

UnaryOperator: TypeAlias = Callable[[Operand], Tensor]
BinaryOperator: TypeAlias = Callable[[Operand, Operand], Tensor]
Scalar1: TypeAlias = Callable[[Expr], Expr]
Scalar2: TypeAlias = Callable[[Expr, Expr], Expr]


def unary(name: str, doc: str, family: str, body: Scalar1) -> UnaryOperator:
    """Register an operator on one operand whose type is of `family`, see `check_dtype`."""

    def apply(x: Operand) -> Tensor:
        kind = check_dtype(check_tensor(x, "x").dtype, family, "x")
        return compute_broadcast(name, (x,), lambda a: body(value(a, kind)))

    return _registered(name, doc, "elementwise", apply)


def float_unary(name: str, doc: str, body: Scalar1) -> UnaryOperator:
    """Register a function of floats, computed in the type of arithmetic and rounded once."""

    def apply(x: Operand) -> Tensor:
        return float_map(name, check_tensor(x, "x"), body)

    return _registered(name, doc, "elementwise", apply)


def float_map(name: str, x: Tensor, body: Scalar1) -> Tensor:
    """`body` of every element as a float, in the type of arithmetic; the result is rounded to the type of `x`.

    Raises:
        AkgError: AKG-E274 for a bool.
    """
    kind = float_dtype(check_dtype(x.dtype, "a number", "x"))
    return compute_broadcast(name, (x,), lambda a: te.cast(body(value(a, kind.compute)), kind))


def binary(name: str, doc: str, family: str, body: Scalar2) -> BinaryOperator:
    """Register an operator on two operands that broadcast, and whose common type is of `family`."""

    def apply(x1: Operand, x2: Operand) -> Tensor:
        kind = check_dtype(common_dtype(x1, x2), family, "the common type of x1 and x2")
        return compute_broadcast(name, (x1, x2), lambda a, b: body(value(a, kind), value(b, kind)))

    return _registered(name, doc, "broadcast", apply)


def float_binary(name: str, doc: str, body: Scalar2) -> BinaryOperator:
    """Register a function of two floats that broadcast, computed in the type of arithmetic and rounded once."""

    def apply(x1: Operand, x2: Operand) -> Tensor:
        kind = float_dtype(check_dtype(common_dtype(x1, x2), "a number", "the common type of x1 and x2"))
        wide = kind.compute
        return compute_broadcast(name, (x1, x2), lambda a, b: te.cast(body(value(a, wide), value(b, wide)), kind))

    return _registered(name, doc, "broadcast", apply)


def common_dtype(x1: Operand, x2: Operand) -> DType:
    """The type of arithmetic on two checked operands.

    Raises:
        AkgError: AKG-E271 for something that is no operand.
    """
    return result_dtype(check_operand(x1, "x1"), check_operand(x2, "x2"))


def _registered(name: str, doc: str, kind: Kind, apply: Callable[..., Tensor]) -> Callable[..., Tensor]:
    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = doc
    return operator(name, kind=kind)(apply)
