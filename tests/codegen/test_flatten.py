"""Short rows that follow each other in memory become one vector loop."""

from __future__ import annotations

import numpy as np
import pytest

import akg
from akg import ops, te


def notes(kernel: akg.Kernel) -> str:
    return str(kernel.report)


@pytest.mark.parametrize("shape", [(3, 20, 7, 9), (2, 33, 14, 14), (4, 17, 56, 56)])
def test_scaled_images(shape: tuple[int, ...]) -> None:
    x, w = te.placeholder(shape, "float32", name="X"), te.placeholder(shape[1:2], "float32", name="W")
    y = te.compute(shape, lambda n, c, i, j: te.maximum(x[n, c, i, j] * w[c], 0.0), name="Y")
    kernel = akg.build(akg.lower([y], inputs=[x, w]).kernel)
    assert f"are one row of {shape[2] * shape[3]}" in notes(kernel)
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal(shape, np.float32), rng.standard_normal(shape[1], np.float32)
    np.testing.assert_array_equal(kernel(a, b), np.maximum(a * b[:, None, None], np.float32(0)))


@pytest.mark.parametrize("name", ["global_max_pool", "global_avg_pool"])
def test_reductions(name: str) -> None:
    x = te.placeholder((4, 18, 13, 21), "float32", name="X")
    kernel = akg.build(akg.lower([getattr(ops, name)(x)], inputs=[x]).kernel)
    assert "are one row of 273" in notes(kernel)
    a = np.random.default_rng(2).standard_normal((4, 18, 13, 21), np.float32)
    a[1, 2, 12, 20] = np.nan
    want = (a.max if name == "global_max_pool" else a.mean)(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(kernel(a), want, rtol=1e-5, atol=1e-6)


def test_rows_with_gaps_and_values_that_depend_on_them_stay_apart() -> None:
    x = te.placeholder((4, 12, 24), "float32", name="X")
    part = te.compute((4, 12, 20), lambda n, i, j: x[n, i, j] * 2.0, name="Y")
    where = te.compute((4, 12, 24), lambda n, i, j: x[n, i, j] * te.cast(i, "float32"), name="Y")
    a = np.random.default_rng(3).standard_normal((4, 12, 24), np.float32)
    for y, want in ((part, a[:, :, :20] * 2), (where, a * np.arange(12, dtype=np.float32)[:, None])):
        kernel = akg.build(akg.lower([y], inputs=[x]).kernel)
        assert "are one row" not in notes(kernel)
        np.testing.assert_array_equal(kernel(a), want)


def test_rows_that_read_earlier_ones_stay_apart() -> None:
    @akg.script
    def running(A: akg.Tensor[9, 5, "float32"]):  # noqa: F821, UP037
        for i in range(1, 9):
            for j in range(5):
                A[i, j] = A[i, j] + A[i - 1, j]

    a = np.random.default_rng(4).standard_normal((9, 5)).astype(np.float32)
    want = a.copy()
    running(want)
    kernel = akg.build(running, name="running_rows")
    kernel(a)
    np.testing.assert_array_equal(a, want)
