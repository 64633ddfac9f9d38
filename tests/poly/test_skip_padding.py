"""Sums that leave out what meets padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import akg
from akg import ops, te
from akg.base.dtype import float32, tolerance
from akg.base.target import Target
from akg.driver import pipeline
from akg.ir import stmt
from akg.ir.lower import lower_te
from akg.ir.text import to_text
from akg.poly.strategy import resolve_strategy

WIDE = Target("wide", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, l2_bytes=1 << 20, cores=2)


def mapped(result: te.Tensor, inputs: list[te.Tensor]) -> stmt.Kernel:
    state = pipeline.start(lower_te([result], inputs=inputs), resolve_strategy("auto"), WIDE)
    state = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert state.result is not None
    return state.result


def reference(x: NDArray[Any], w: NDArray[Any], stride: int, pad: int, dilation: int) -> NDArray[Any]:
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    reach = dilation * (w.shape[2] - 1) + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (reach, reach), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("nchwrs,fcrs->nfhw", windows, w, optimize=True)


@pytest.mark.parametrize(
    ("size", "channels", "stride", "pad", "dilation"),
    [(14, 32, 1, 1, 1), (7, 64, 1, 1, 1), (29, 32, 1, 1, 1), (14, 32, 2, 1, 1), (12, 32, 1, 2, 2), (15, 32, 2, 2, 2),
     (3, 16, 1, 2, 1), (16, 3, 1, 1, 1)],
)  # fmt: skip
def test_against_numpy(size: int, channels: int, stride: int, pad: int, dilation: int) -> None:
    a, b = te.placeholder((2, 16, size, size), name="X"), te.placeholder((channels, 16, 3, 3), name="W")
    kernel = akg.build([ops.conv2d(a, b, stride=stride, padding=pad, dilation=dilation)], inputs=[a, b])
    rng = np.random.default_rng(3)
    x, w = rng.standard_normal((2, 16, size, size)), rng.standard_normal((channels, 16, 3, 3))
    want = reference(x, w, stride, pad, dilation)
    got = kernel(x.astype("float32"), w.astype("float32"))
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance(float32, 144) * float(np.abs(want).max()))


def test_rows_in_one_tile_need_no_padded_copy() -> None:
    a, b = te.placeholder((1, 64, 14, 14), name="X"), te.placeholder((64, 64, 3, 3), name="W")
    text = to_text(mapped(ops.conv2d(a, b, padding=1), [a, b]))
    assert "X_pad" not in text
    assert "max(0, " in text


def test_longer_rows_skip_whole_taps() -> None:
    a, b = te.placeholder((1, 32, 56, 56), name="X"), te.placeholder((64, 32, 3, 3), name="W")
    text = to_text(mapped(ops.conv2d(a, b, padding=1), [a, b]))
    assert "X_pad" in text
    assert "max(0, " in text


def test_padding_by_zeros_is_an_operand_like_any_other() -> None:
    """An infinite weight makes NaN of a zero that a program gives, and does not meet the padding of a convolution."""
    a, b = te.placeholder((1, 16, 14, 14), name="X"), te.placeholder((32, 16, 3, 3), name="W")
    x, w = np.ones((1, 16, 14, 14), "float32"), np.ones((32, 16, 3, 3), "float32")
    w[:, :, 0, 0] = np.inf
    given = ops.conv2d(ops.pad(a, ((0, 0), (0, 0), (1, 1), (1, 1))), b)
    assert np.isnan(akg.build([given], inputs=[a, b])(x, w)[0, 0, 0, 0])
    assert np.isfinite(akg.build([ops.conv2d(a, b, padding=1)], inputs=[a, b])(x, w)[0, :, 0, :]).all()
