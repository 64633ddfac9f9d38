"""Common factors of the terms of a sum."""

from __future__ import annotations

from akg.base.dtype import float64, int32
from akg.ir.buffer import Buffer
from akg.ir.expr import Expr, Load, Var
from akg.ir.factor import common_factor

I, K = Var("i"), Var("k")
A = Load(Buffer("A", (I,), float64), (K,))
B = Load(Buffer("B", (I,), float64), (K,))
ALPHA, BETA = Var("alpha", float64), Var("beta", float64)


def fixed(expr: Expr) -> bool:
    return expr in (ALPHA, BETA)


def test_factors_of_a_product_are_collected() -> None:
    assert common_factor(ALPHA * A * BETA * B, fixed) == (ALPHA * BETA, A * B)


def test_parts_of_a_sum_share_a_factor() -> None:
    assert common_factor(ALPHA * A * B + B * ALPHA, fixed) == (ALPHA, A * B + B)
    assert common_factor(ALPHA * A - B, fixed) is None


def test_nothing_is_left_of_a_fixed_term() -> None:
    assert common_factor(ALPHA * BETA, fixed) is None


def test_integers_keep_their_products() -> None:
    n = Var("n", int32)
    assert common_factor(n * Load(Buffer("N", (I,), int32), (K,)), lambda e: e is n) is None
