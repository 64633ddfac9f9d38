"""Rows that an output shares are right wherever they lie, and copied only where that can matter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import akg
from akg import ops, te
from akg.base.dtype import float32, tolerance
from akg.base.target import resolve_target
from akg.codegen.llvm.apart import NAME, NEAR_BYTES, PAGE_BYTES

FloatArray = npt.NDArray[np.float32]
ROWS, LENGTH = 20, 1024


def kernel_of(shape: tuple[int, ...], row: tuple[int, ...]) -> akg.Kernel:
    x, b = te.placeholder(shape, name="x"), te.placeholder(row, name="b")
    return akg.build([ops.add(ops.multiply(x, b), 1.0)], inputs=[x, b])


def placed(values: FloatArray, place: int) -> FloatArray:
    """A copy that begins `place` bytes into a page, with NaN around it."""
    memory = np.full(values.nbytes // 4 + 3 * PAGE_BYTES // 4, np.nan, np.float32)
    first = ((place - memory.ctypes.data) % PAGE_BYTES + PAGE_BYTES) // 4
    array = memory[first : first + values.size].reshape(values.shape)
    array[...] = values
    return array


@pytest.mark.parametrize("behind", [-64, 0, 4, 64, NEAR_BYTES - 4, NEAR_BYTES, 2048])
def test_rows_anywhere_give_the_same_result(behind: int) -> None:
    kernel = kernel_of((ROWS, LENGTH), (LENGTH,))
    rng = np.random.default_rng(7)
    x, b = rng.random((ROWS, LENGTH), np.float32), rng.random(LENGTH, np.float32)
    for start in (0, 16, 1028):
        out = placed(np.zeros_like(x), start)
        got = kernel(placed(x, 2048), placed(b, start - behind), out=out)
        assert got is out
        np.testing.assert_allclose(out, x * b + 1, rtol=tolerance(float32))


@pytest.mark.skipif(resolve_target("cpu").arch != "x86_64", reason="how x86-64 tells loads from stores")
@pytest.mark.parametrize(
    ("shape", "row", "is_copied"),
    [
        ((64, 1024), (1024,), True),
        ((64, 1024), (1, 1024), True),
        ((4, 16, 2, 512), (2, 512), True),
        ((64, 1000), (1000,), False),  # rows of the output begin anywhere in a page
        ((8, 1024), (1024,), False),  # few rows
        ((64, 16384), (16384,), False),  # no row for the first cache
        ((64, 1024), (64, 1024), False),
    ],
)
def test_rows_of_whole_pages_that_many_rows_share_may_be_copied(
    shape: tuple[int, ...], row: tuple[int, ...], is_copied: bool
) -> None:
    assert (NAME in kernel_of(shape, row).source("llvm")) == is_copied
