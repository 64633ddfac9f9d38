"""Loops run in the direction in which they read."""

from dataclasses import replace

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.target import resolve_target


def loops(output: te.Tensor, *inputs: te.Tensor) -> str:
    return akg.lower([output], inputs=inputs).text


def test_rows_that_are_read_backwards() -> None:
    x = te.placeholder((9, 20), "float32", name="x")
    text = loops(ops.flip(x, axis=0), x)
    assert "flip[-i0 + 8, i1] = x[i0, i1]" in text
    assert "x[i0, -i1 + 19]" in loops(ops.flip(x, axis=1), x)  # lanes are in the order of memory either way


def test_rows_that_are_read_both_ways_stay() -> None:
    x = te.placeholder((9, 20), "float32", name="x")
    text = loops(te.compute((9, 20), lambda i, j: x[i, j] + x[8 - i, j], name="y"), x)
    assert "y[i, j] =" in text


def test_sums_stay() -> None:
    x, k = te.placeholder((9, 20), "float32", name="x"), te.reduce_axis(20, name="k")
    assert "y[i] " in loops(te.compute((9,), lambda i: te.sum(x[8 - i, k], axis=k), name="y"), x)


@pytest.mark.parametrize("axis", [0, 1, (0, 1), (1, 2), None])
@pytest.mark.parametrize("shape", [(5, 7, 33), (3, 64, 128), (1, 9, 1)])
def test_flips(axis: int | tuple[int, ...] | None, shape: tuple[int, ...]) -> None:
    x = te.placeholder(shape, "float32", name="x")
    target = replace(resolve_target("cpu"), l3_bytes=1 << 10)  # outputs of a few KiB go around the caches
    kernel = akg.build([ops.flip(x, axis=axis)], inputs=[x], target=target)
    a = np.random.default_rng(7).standard_normal(shape, np.float32)
    np.testing.assert_array_equal(kernel(a), np.flip(a, axis))
