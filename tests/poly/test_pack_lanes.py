"""Operands laid out for lanes that stride over them."""

from __future__ import annotations

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import float32, tolerance
from akg.base.target import Target
from akg.driver import pipeline
from akg.ir import stmt
from akg.ir.lower import lower_te
from akg.poly.strategy import resolve_strategy

WIDE = Target("wide", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, l2_bytes=1 << 20, cores=2)


def convolution(x: tuple[int, ...], w: tuple[int, ...], stride: int = 1) -> tuple[te.Tensor, list[te.Tensor]]:
    a, b, c = te.placeholder(x, name="X"), te.placeholder(w, name="W"), te.placeholder(w[:1], name="B")
    return ops.relu(ops.conv2d(a, b, bias=c, stride=stride, padding=1)), [a, b, c]


def packed(result: te.Tensor, inputs: list[te.Tensor]) -> list[stmt.Alloc]:
    """The packed operands of a computation."""
    state = pipeline.start(lower_te([result], inputs=inputs), resolve_strategy("auto"), WIDE)
    state = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert state.result is not None
    return [s for s in stmt.walk(state.result.body) if isinstance(s, stmt.Alloc) and "_packed" in s.buffer.name]


@pytest.mark.parametrize(
    ("x", "w", "stride"),
    [
        ((1, 16, 30, 14), (32, 16, 3, 3), 1), ((2, 16, 31, 29), (32, 16, 3, 3), 2),
        ((1, 32, 33, 19), (47, 32, 3, 3), 1), ((1, 32, 14, 7), (160, 32, 3, 3), 1),
    ],
)  # fmt: skip
def test_weights_are_packed_for_lanes_of_channels(x: tuple[int, ...], w: tuple[int, ...], stride: int) -> None:
    assert len(packed(*convolution(x, w, stride))) == 1
    result, inputs = convolution(x, w, stride)
    rng = np.random.default_rng(3)
    a, b, c = (rng.standard_normal(shape) for shape in (x, w, w[:1]))
    padded = np.pad(a, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::stride, ::stride]
    want = np.maximum(np.einsum("nchwrs,fcrs->nfhw", windows, b, optimize=True) + c[:, None, None], 0)
    got = akg.build([result], inputs=inputs)(*[v.astype("float32") for v in (a, b, c)])
    bound = tolerance(float32, w[1] * 9) * float(np.abs(want).max())
    np.testing.assert_allclose(got, want, rtol=0, atol=bound)


def test_few_channels_leave_the_lanes_to_columns() -> None:
    assert not packed(*convolution((1, 16, 16, 64), (3, 16, 3, 3)))


def test_rows_that_fill_the_lanes_need_no_packing() -> None:
    assert not packed(*convolution((1, 16, 8, 64), (48, 16, 3, 3)))


def test_gradients_of_weights_are_priced_alike() -> None:
    """Lanes along output channels, rows along the taps: the outputs' gradient is what is packed."""
    dy, x = te.placeholder((1, 32, 12, 12), name="D"), te.placeholder((1, 16, 14, 14), name="X")
    n, p, q = te.reduce_axis(1, name="n"), te.reduce_axis(12, name="p"), te.reduce_axis(12, name="q")
    dw = te.compute(
        (32, 16, 3, 3), lambda f, c, r, s: te.sum(dy[n, f, p, q] * x[n, c, p + r, q + s], axis=[n, p, q]), name="dW"
    )
    assert len(packed(dw, [dy, x])) == 1
    kernel = akg.build([dw], inputs=[dy, x])
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((1, 32, 12, 12)), rng.standard_normal((1, 16, 14, 14))
    want = np.einsum("nfpq,ncrspq->fcrs", a, np.lib.stride_tricks.sliding_window_view(b, (12, 12), axis=(2, 3)))
    got = kernel(a.astype("float32"), b.astype("float32"))
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance(float32, 144) * float(np.abs(want).max()))


def test_channels_last() -> None:
    a, b = te.placeholder((1, 9, 20, 40), name="X"), te.placeholder((3, 3, 40, 48), name="W")
    kernel = akg.build([ops.conv2d(a, b, padding=1, data_layout="NHWC")], inputs=[a, b])
    rng = np.random.default_rng(5)
    x, w = rng.standard_normal((1, 9, 20, 40)), rng.standard_normal((3, 3, 40, 48))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), (3, 3), axis=(1, 2))
    want = np.einsum("nyxcrs,rscf->nyxf", windows, w, optimize=True)
    got = kernel(x.astype("float32"), w.astype("float32"))
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance(float32, 360) * float(np.abs(want).max()))


def test_the_weights_of_groups_are_packed_for_lanes_of_their_channels() -> None:
    a, b = te.placeholder((1, 64, 20, 14), name="X"), te.placeholder((96, 32, 3, 3), name="W")
    result = ops.conv2d(a, b, padding=1, groups=2)
    assert len(packed(result, [a, b])) == 1
    rng = np.random.default_rng(4)
    x, w = rng.standard_normal((1, 64, 20, 14)), rng.standard_normal((96, 32, 3, 3))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))).reshape(2, 32, 22, 16)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    want = np.einsum("gchwrs,gfcrs->gfhw", windows, w.reshape(2, 48, 32, 3, 3), optimize=True).reshape(1, 96, 20, 14)
    got = akg.build([result], inputs=[a, b])(x.astype("float32"), w.astype("float32"))
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance(float32, 288) * float(np.abs(want).max()))
