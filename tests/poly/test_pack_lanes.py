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


def packed(x: tuple[int, ...], w: tuple[int, ...], stride: int = 1) -> list[stmt.Alloc]:
    """The packed operands of a convolution."""
    result, inputs = convolution(x, w, stride)
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
    assert len(packed(x, w, stride)) == 1
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
    assert not packed((1, 16, 16, 64), (3, 16, 3, 3))


def test_rows_that_fill_the_lanes_need_no_packing() -> None:
    assert not packed((1, 16, 8, 64), (48, 16, 3, 3))
