"""Lanes along rows of a few elements: whole rows in memory, shuffles between them and the lanes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import dtype_of, tolerance
from akg.base.target import resolve_target


def built(define: Any, *shapes: tuple[int, ...], dtype: str = "float32") -> akg.Kernel:
    inputs = [te.placeholder(shape, dtype, name=f"x{k}") for k, shape in enumerate(shapes)]
    outputs = define(*inputs)
    return akg.build(outputs if isinstance(outputs, list) else [outputs], inputs=inputs)


def check_close(got: Any, want: Any, dtype: str) -> None:
    limit = tolerance(dtype_of(dtype), 1000)
    np.testing.assert_allclose(got, want, rtol=limit, atol=limit)


def is_in_rows(kernel: akg.Kernel) -> bool:
    """Whether lanes run around short loops, without gathers and scatters."""
    text = kernel.source("llvm")
    return "unroll for" in kernel.source("loop") and "masked.gather" not in text and "masked.scatter" not in text


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32"])
@pytest.mark.parametrize(("rows", "size"), [(64, 2), (1000, 2), (333, 3), (517, 4), (100, 6), (81, 7), (16, 3)])
def test_rows_and_what_they_share(rows: int, size: int, dtype: str) -> None:
    """A factor for each row and one for each column, for whole vectors and with a rest."""
    rng = np.random.default_rng(rows)
    kernel = built(
        lambda x, r, c: te.compute((rows, size), lambda i, j: x[i, j] * r[i] + c[j]), (rows, size), (rows,), (size,),
        dtype=dtype,
    )  # fmt: skip
    x, r, c = (rng.integers(-4, 5, s).astype(dtype) for s in ((rows, size), (rows,), (size,)))
    check_close(kernel(x, r, c), x * r[:, None] + c, dtype)
    lanes = 64 // np.dtype(dtype if dtype != "float16" else "float32").itemsize
    if 2 * size <= lanes:
        assert is_in_rows(kernel)


def test_two_short_loops_and_temporaries() -> None:
    """Temporaries of a row stay in the lane; what is read is a column in one place and a row in another."""
    def define(x: Any, w: Any) -> list[Any]:
        t = te.compute((37, 50, 3), lambda n, i, j: te.exp(w[n, i, j]), name="t")
        y = te.compute((37, 50, 3, 2), lambda n, i, j, k: x[n, i, j, k] * t[n, i, j], name="y")
        return [y, te.compute((37, 50, 3, 2), lambda n, i, j, k: y[n, i, j, 1] - x[n, i, 2, k] + t[n, i, j], name="z")]

    rng = np.random.default_rng(1)
    kernel = built(define, (37, 50, 3, 2), (37, 50, 3))
    x, w = rng.normal(size=(37, 50, 3, 2)).astype("float32"), rng.normal(size=(37, 50, 3)).astype("float32")
    y, z = kernel(x, w)
    t = np.exp(w)
    check_close(y, x * t[..., None], "float32")
    check_close(z, (x * t[..., None])[..., 1:] - x[:, :, 2:3] + t[..., None], "float32")


def test_sums_over_rows() -> None:
    """A sum for each row, and one of everything."""
    def define(x: Any, v: Any) -> list[Any]:
        k, r, c = te.reduce_axis(3, name="k"), te.reduce_axis(901, name="r"), te.reduce_axis(3, name="c")
        row = te.compute((901,), lambda i: te.sum(x[i, k] * v[k], axis=k), name="row")
        return [row, te.compute((), lambda: te.sum(x[r, c] * v[c], axis=[r, c]), name="total")]

    rng = np.random.default_rng(2)
    kernel = built(define, (901, 3), (3,))
    x, v = rng.normal(size=(901, 3)).astype("float32"), rng.normal(size=3).astype("float32")
    row, total = kernel(x, v)
    check_close(row, x @ v, "float32")
    check_close(total, np.sum((x @ v).astype("float64")), "float32")


@akg.script
def some_columns(x: akg.Tensor["n", 4, "float32"], y: akg.Tensor["n", 4, "float32"]):  # noqa: F821
    for i in range(x.shape[0]):
        y[i, 0] = x[i, 3] + 1.0
        y[i, 2] = y[i, 0] * x[i, 1]


@pytest.mark.parametrize("rows", [16, 40, 1, 7])
def test_columns_that_no_statement_stores_keep_their_elements(rows: int) -> None:
    rng = np.random.default_rng(rows)
    kernel = akg.build(some_columns)
    x, y = rng.normal(size=(rows, 4)).astype("float32"), rng.normal(size=(rows, 4)).astype("float32")
    want = y.copy()
    some_columns(x, want)
    kernel(x, y)
    check_close(y, want, "float32")


def test_comparisons_are_stored_as_bytes() -> None:
    rng = np.random.default_rng(3)
    kernel = built(lambda x, r: te.compute((70, 3), lambda i, j: x[i, j] < r[i]), (70, 3), (70,))
    x, r = rng.normal(size=(70, 3)).astype("float32"), rng.normal(size=70).astype("float32")
    assert np.array_equal(kernel(x, r), x < r[:, None])
    assert is_in_rows(kernel)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("batch", [1, 3, 8, 9])
def test_images_whose_channels_lie_together(batch: int, dtype: str) -> None:
    """Lanes run along the pixels, around three channels, however few the images are."""
    a = (np.arange(batch * 3 * 9 * 31) % 101).reshape(batch, 3, 9, 31).astype(dtype)
    apart = built(lambda x: ops.permute_dims(x, (0, 2, 3, 1)), a.shape, dtype=dtype)
    np.testing.assert_array_equal(apart(a), a.transpose(0, 2, 3, 1))
    together = built(lambda x: ops.permute_dims(x, (0, 3, 1, 2)), (batch, 9, 31, 3), dtype=dtype)
    np.testing.assert_array_equal(together(np.ascontiguousarray(a.transpose(0, 2, 3, 1))), a)
    assert is_in_rows(apart)
    assert is_in_rows(together)


@pytest.mark.parametrize("behind", [0, 5])
@pytest.mark.parametrize(("channels", "pixels"), [(3, 320), (2, 64), (4, 72), (5, 48), (3, 50)])
def test_rows_around_the_caches(channels: int, pixels: int, behind: int) -> None:
    """Whole lines where the array begins at one, and ordinary stores elsewhere."""
    x = te.placeholder((6, channels, pixels), "float32", name="x")
    target = replace(resolve_target("cpu"), l3_bytes=1 << 10)
    kernel = akg.build([ops.permute_dims(x, (0, 2, 1))], inputs=[x], target=target)
    if target.arch == "x86_64" and target.vector_bits == 512:
        assert ("nontemporal" in kernel.source("llvm")) is (channels * pixels % 16 == 0)
    a = np.random.default_rng(pixels).standard_normal((6, channels, pixels)).astype(np.float32)
    room = np.zeros(a.size + 32, np.float32)
    start = -room.ctypes.data % 64 // 4 + behind
    kernel(a, out=room[start : start + a.size].reshape(6, pixels, channels))
    np.testing.assert_array_equal(room[start : start + a.size].reshape(6, pixels, channels), a.transpose(0, 2, 1))
    assert not room[:start].any() and not room[start + a.size :].any()
