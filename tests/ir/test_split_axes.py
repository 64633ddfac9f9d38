"""Ranges in index arithmetic, and axes that are split into rows."""

import random

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.ir.expr import Const, Expr, Var, binary
from akg.ir.rewrite import substitute
from akg.ir.simplify import Ranges, simplify

A, B, C = Var("a"), Var("b"), Var("c")


def drawn(depth: int, source: random.Random) -> Expr:
    if depth == 0:
        return source.choice([A, B, C, Const(source.randint(-9, 9))])
    op = source.choice(["add", "add", "sub", "mul", "floordiv", "mod", "floordiv", "mod"])
    if op in ("floordiv", "mod"):
        return binary(op, drawn(depth - 1, source), source.choice([1, 2, 3, 4, 6, 8, 12, 24]))
    if op == "mul":
        return drawn(depth - 1, source) * source.choice([2, 3, 4, 6, 8, 12])
    return binary(op, drawn(depth - 1, source), drawn(depth - 1, source))


def test_simplified_expressions_keep_their_value() -> None:
    source = random.Random(1)
    for _ in range(1500):
        lows = {v: source.choice([0, 0, 0, -3, 2]) for v in (A, B, C)}
        ranges: Ranges = {v: (low, low + source.choice([0, 1, 3, 4, 7, 11])) for v, low in lows.items()}
        expr = drawn(source.randint(1, 4), source)
        if source.random() < 0.3:
            expr = binary(source.choice(["lt", "le", "gt", "ge", "eq", "ne"]), expr, drawn(1, source))
        within, anywhere = simplify(expr, None, ranges), simplify(expr)
        for _ in range(8):
            point: dict[Var, Expr] = {v: Const(source.randint(*ranges[v])) for v in ranges}
            want = simplify(substitute(expr, point))
            assert isinstance(want, Const)
            assert simplify(substitute(within, point)) is want, (expr, within, point)
            assert simplify(substitute(anywhere, point)) is want, (expr, anywhere, point)


def test_divisions_within_ranges() -> None:
    ranges: Ranges = {A: (0, 99), B: (0, 3), C: (0, 7)}
    for expr, want in [
        ((A * 4 + B) // 4, A), ((A * 4 + B) % 4, B), ((A * 8 + B) // 16, A // 2), ((A * 8 + B) % 16, A % 2 * 8 + B),
        (B // 4, Const(0)), (B % 4, B), ((A // 3) // 5, A // 15), (A % 12 // 4, A // 4 % 3), (A % 12 % 4, A % 4),
        ((A * 32 + C * 4 + B) // 32, A), ((A * 32 + C * 4 + B) % 32, C * 4 + B),
    ]:  # fmt: skip
        assert simplify(expr, None, ranges) is simplify(want), expr
    assert simplify(B < 4, None, ranges).value is True  # type: ignore[attr-defined]
    assert simplify(B - 1 >= C, None, ranges) is binary("ge", B - 1, C)


def text_of(tensor: te.Tensor) -> str:
    return akg.lower([tensor]).text


def test_rows_of_a_reshaped_array() -> None:
    x = te.placeholder((8, 16, 64), name="x")
    assert "T[i * 64 + i_1] = x[i // 16, i % 16, i_1]" in text_of(
        te.compute(8 * 16 * 64, lambda i: x[i // 1024, i // 64 % 16, i % 64])
    )
    assert "T[i, j * 64 + j_1] = x[j, i, j_1]" in text_of(te.compute((16, 512), lambda i, j: x[j // 64, i, j % 64]))


def test_rows_of_a_reduction() -> None:
    x = te.placeholder((8, 64), name="x")
    k = te.reduce_axis(512, name="k")
    assert "x[k, k_1]" in text_of(te.compute((), lambda: te.sum(x[k // 64, k % 64], axis=k)))


def test_rows_of_symbolic_arrays() -> None:
    n = te.var("n")
    x = te.placeholder((n, 64), name="x")
    assert "T[i * 64 + i_1] = x[i, i_1]" in text_of(te.compute(n * 64, lambda i: x[i // 64, i % 64]))


def test_what_is_left_alone() -> None:
    x, y = te.placeholder((8, 4), name="x"), te.placeholder((64, 8), name="y")
    assert "T[i] = x[i // 4, i % 4]" in text_of(te.compute(32, lambda i: x[i // 4, i % 4]))  # short rows
    assert "T[i, j] = y[i // 32, j]" in text_of(te.compute((64, 8), lambda i, j: y[i // 32, j]))  # whole rows
    assert "T[i] = x[i // 32, 0]" in text_of(te.compute(100, lambda i: x[i // 32, 0]))  # does not divide


def test_channels_of_a_grouped_convolution() -> None:
    x, w = te.placeholder((1, 12, 6, 6), name="x"), te.placeholder((8, 3, 3, 3), name="w")
    bias = te.placeholder((8,), name="b")
    text = text_of(akg.ops.relu(akg.ops.conv2d(x, w, bias, groups=4)))
    assert "/" not in text and "%" not in text
    assert "w[i1 * 2 + i1_1, c, k0, k1]" in text and "x[i0, i1 * 3 + c, " in text
    # the stage that reads the sums walks through them in the same loops
    assert "b[i1_2 * 2 + i1_3]" in text


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
@pytest.mark.parametrize(("factor", "h", "w"), [(2, 3, 40), (2, 5, 7), (3, 4, 33), (4, 2, 50), (5, 2, 64), (9, 1, 40)])
def test_interleaved_pixels(factor: int, h: int, w: int, dtype: str) -> None:
    """Parts that the remainder picks, of one array and into one array."""
    square = factor * factor
    x = te.placeholder((2, 3 * square, h, w), dtype, name="x")
    y = te.placeholder((2, 3, h * factor, w * factor), dtype, name="y")
    a = (np.arange(2 * 3 * square * h * w) % 113).reshape(2, 3 * square, h, w).astype(dtype)
    want = a.reshape(2, 3, factor, factor, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(2, 3, h * factor, w * factor)
    shuffle = akg.build([ops.pixel_shuffle(x, factor)], inputs=[x])
    np.testing.assert_array_equal(shuffle(a), want)
    np.testing.assert_array_equal(akg.build([ops.pixel_unshuffle(y, factor)], inputs=[y])(want), a)
    if factor <= 4 and w >= 40 and dtype == "float32":
        assert "unroll for" in shuffle.source("loop")


def test_columns_of_rows_that_lie_anywhere() -> None:
    """Of an odd row length, whole rows of pairs begin at any element."""
    x = te.placeholder((2, 9, 50), "float32", name="x")
    y = te.compute((9, 101), lambda i, j: te.select(j < 100, x[j % 2, i, te.minimum(j // 2, 49)], 0.0), name="y")
    a = np.random.default_rng(3).standard_normal((2, 9, 50)).astype(np.float32)
    want = np.concatenate([a.transpose(1, 2, 0).reshape(9, 100), np.zeros((9, 1), np.float32)], axis=1)
    np.testing.assert_array_equal(akg.build([y], inputs=[x])(a), want)
