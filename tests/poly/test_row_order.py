"""Sums that read rows in the order of memory, and lanes around short loops."""

import numpy as np
import pytest

import akg
from akg import te
from akg.base.dtype import float32, tolerance


def channel_sums(batch: int, channels: int, row: int) -> akg.Kernel:
    x = te.placeholder((batch, channels, row), "float32", name="x")
    k, r = te.reduce_axis(batch, name="k"), te.reduce_axis(row, name="r")
    return akg.build([te.compute((channels,), lambda c: te.sum(x[k, c, r] * x[k, c, r], axis=[k, r]))], inputs=[x])


@pytest.mark.parametrize(("batch", "channels", "row"), [(40, 64, 49), (9, 70, 33), (3, 200, 289), (50, 16, 100)])
def test_sums_of_channels(batch: int, channels: int, row: int) -> None:
    kernel = channel_sums(batch, channels, row)
    x = np.random.default_rng(row).normal(size=(batch, channels, row)).astype("float32")
    limit = tolerance(float32, batch * row)
    np.testing.assert_allclose(kernel(x), np.sum(x.astype("float64") ** 2, axis=(0, 2)), rtol=limit)
    assert "in the order of memory" in str(kernel.explain())


def test_rows_that_are_long_stay_whole() -> None:
    assert "in the order of memory" not in str(channel_sums(8, 64, 4096).explain())


@pytest.mark.parametrize("size", [2, 3, 5])
def test_sums_over_neighbouring_rows_of_a_few_elements(size: int) -> None:
    """Lanes along the long loop that is summed over, one sum for each column."""
    x = te.placeholder((20, 500, size), "float32", name="x")
    k = te.reduce_axis(500, name="k")
    kernel = akg.build([te.compute((20, size), lambda i, j: te.sum(-x[i, k, j], axis=k), name="s")], inputs=[x])
    a = np.random.default_rng(size).normal(size=(20, 500, size)).astype("float32")
    limit = tolerance(float32, 500)
    np.testing.assert_allclose(kernel(a), -a.sum(axis=1, dtype="float64"), rtol=limit, atol=30 * limit)
    assert "around short rows" in str(kernel.explain())
    assert "gather" not in kernel.source("llvm")
