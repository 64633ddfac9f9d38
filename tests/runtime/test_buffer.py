"""Views of arrays, without a copy."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from akg.base.dtype import BUFFER_DTYPES, DType
from akg.runtime import buffer
from tests.runtime.test_kernel import OnlyDlpack, OnlyInterface


@pytest.mark.parametrize("dtype", BUFFER_DTYPES, ids=str)
def test_numpy(dtype: DType) -> None:
    data = np.zeros((2, 3), dtype.numpy)
    view = buffer.view_of(data, "x")
    assert view.dtype is dtype and view.shape == (2, 3) and view.address == data.ctypes.data
    assert view.size_bytes == data.nbytes and view.is_contiguous and not view.readonly


@pytest.mark.parametrize(
    "wrap", [lambda x: OnlyDlpack(x, True), lambda x: OnlyDlpack(x, False), OnlyInterface, memoryview]
)
@pytest.mark.parametrize("dtype", [d for d in BUFFER_DTYPES if d.name != "bfloat16"], ids=str)
def test_same_view(wrap: Any, dtype: DType) -> None:
    data = np.zeros((3, 4), dtype.numpy)[1:]
    want, got = buffer.view_of(data, "x"), buffer.view_of(wrap(data), "x")
    assert (got.address, got.shape, got.strides, got.dtype) == (want.address, want.shape, want.strides, dtype)


def test_readonly_dlpack() -> None:
    data = np.zeros(3)
    data.flags.writeable = False
    assert buffer.view_of(OnlyDlpack(data, True), "x").readonly


def test_readonly_buffer() -> None:
    assert buffer.view_of(b"abc", "x").readonly
    assert not buffer.view_of(bytearray(b"abc"), "x").readonly


@pytest.mark.parametrize(
    ("data", "dense"),
    [
        (np.zeros((2, 3)), True), (np.zeros((2, 3)).T, False), (np.zeros((4, 1))[::2], False),
        (np.zeros((1, 3))[::-1], True), (np.zeros((0, 3))[::-1], True), (np.zeros((3, 1)).T, True),
        (np.zeros(()), True), (np.broadcast_to(np.zeros(3), (2, 3)), False),
    ],
)  # fmt: skip
def test_contiguous(data: Any, dense: bool) -> None:
    assert buffer.view_of(data, "x").is_contiguous is dense


@pytest.mark.parametrize("shape", [(), (3,), (1 << 18, 3), (0, 5)])
@pytest.mark.parametrize("dtype", [np.dtype(np.float32), np.dtype(ml_dtypes.bfloat16)], ids=str)
def test_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    for array in (buffer.empty(shape, dtype), buffer.empty_aligned(shape, dtype)):
        assert array.shape == shape and array.dtype == dtype and array.flags.c_contiguous and array.flags.writeable
    if 0 not in shape:
        assert buffer.empty_aligned(shape, dtype).ctypes.data % buffer.ALIGN_BYTES == 0


def test_library_without_from_dlpack() -> None:
    array = np.zeros(3)
    assert buffer.to_library_of(b"abc", array) is array
    assert buffer.to_library_of(None, array) is array
