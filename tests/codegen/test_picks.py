"""Elements at distances that are known when code is made are vectors that cover them, and shuffles: no gathers."""

from __future__ import annotations

import numpy as np
import pytest

import akg
from akg import ops, te


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
@pytest.mark.parametrize("size", [5, 16, 37, 64])
def test_subscripts_that_step_unevenly(size: int, dtype: str) -> None:
    x = te.placeholder((9, 200), dtype, name="X")
    y = te.compute((9, size), lambda i, j: x[i, te.minimum((j * 7) // 4, 90) + 3], name="Y")
    kernel = akg.build([y], inputs=[x], target="x86-64-v4")
    assert "gather" not in kernel.source("llvm")
    a = np.random.default_rng(size).integers(0, 2 if dtype == "bool" else 100, (9, 200)).astype(dtype)
    want = a[:, np.minimum(np.arange(size) * 7 // 4, 90) + 3]
    np.testing.assert_array_equal(akg.build([y], inputs=[x])(a), want)


def test_elements_at_both_ends_of_an_array() -> None:
    """Nothing outside the rows is read, nor the wrong end of two vectors taken."""
    x = te.placeholder((3, 24), "float32", name="X")
    y = te.compute((3, 16), lambda i, j: x[i, (j * 5) % 24], name="Y")
    a = np.random.default_rng(1).standard_normal((3, 24), np.float32)
    np.testing.assert_array_equal(akg.build([y], inputs=[x])(a), a[:, np.arange(16) * 5 % 24])


def test_elements_far_apart_are_gathered() -> None:
    x = te.placeholder((3, 400), "float32", name="X")
    y = te.compute((3, 16), lambda i, j: x[i, (j * 211) % 397], name="Y")
    kernel = akg.build([y], inputs=[x], target="x86-64-v4")
    assert "gather" in kernel.source("llvm")
    a = np.random.default_rng(2).standard_normal((3, 400), np.float32)
    np.testing.assert_array_equal(akg.build([y], inputs=[x])(a), a[:, np.arange(16) * 211 % 397])


@pytest.mark.parametrize("width", [56, 45])
def test_resized_images_need_no_gathers(width: int) -> None:
    x = te.placeholder((2, 20, 17, width), "float32", name="X")
    kernel = akg.build([ops.resize(x, (34, 2 * width), mode="bilinear")], inputs=[x], target="x86-64-v4")
    assert "gather" not in kernel.source("llvm")
