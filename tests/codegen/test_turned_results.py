"""Transposes of what is computed: lanes along what is read, the result turned once."""

from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.base.dtype import dtype_of, tolerance


@pytest.mark.parametrize("source", ["float32", "float16"])
@pytest.mark.parametrize("target", ["float32", "float16"])
@pytest.mark.parametrize("shape", [(3, 64, 48), (2, 33, 100), (2, 300, 19), (1, 16, 16), (2, 9, 70)])
def test_sum_of_two_with_a_vector_for_each_side(shape: tuple[int, int, int], source: str, target: str) -> None:
    b, n, m = shape
    x, y = (te.placeholder(shape, source, name=name) for name in "xy")
    v, w = te.placeholder((n,), source, name="v"), te.placeholder((m,), source, name="w")
    out = te.compute((b, m, n), lambda i, k, j: te.cast((x[i, j, k] + y[i, j, k]) * v[j] - w[k], target))
    kernel = akg.build([out], inputs=[x, y, v, w])
    rng = np.random.default_rng(n)
    arrays: list[Any] = [rng.normal(size=s).astype(source) for s in (shape, shape, (n,), (m,))]
    wide = [a.astype("float64") for a in arrays]
    want = ((wide[0] + wide[1]) * wide[2][:, None] - wide[3]).transpose(0, 2, 1)
    limit = max(tolerance(dtype_of(t), 4) for t in (source, target))
    np.testing.assert_allclose(kernel(*arrays).astype("float64"), want, rtol=limit, atol=8 * limit)
    if min(n, m) >= 16:
        assert "the result turned in registers" in str(kernel.explain())
        assert "masked.scatter" not in kernel.source("llvm")


def test_a_condition_on_what_is_read() -> None:
    x, y = (te.placeholder((40, 80), "float32", name=name) for name in "xy")
    out = te.compute((80, 40), lambda i, j: te.where(x[j, i] > y[j, i], x[j, i], 0.0), name="out")
    kernel = akg.build([out], inputs=[x, y])
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(40, 80)).astype("float32") for _ in "xy")
    assert np.array_equal(kernel(a, b), np.where(a > b, a, 0).T)
