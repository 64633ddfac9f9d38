"""Reductions over windows: one dimension at a time, and written out, against the same with loops."""

from __future__ import annotations

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.ir import windows
from akg.ir.stmt import For, Kernel, Store, walk


def pooled(
    kernel: tuple[int, ...], stride: int, dilation: int, padding: int, kind: str = "max"
) -> tuple[te.Tensor, te.Tensor]:
    shape = (2, 3, *(11 + 2 * d for d in range(len(kernel))))
    x = te.placeholder(shape, "float32", name="X")
    if kind == "avg":
        pool = getattr(ops, f"avg_pool{len(kernel)}d")
        return pool(x, kernel, stride=stride, padding=padding, count_include_pad=False), x
    pool = getattr(ops, f"max_pool{len(kernel)}d")
    return pool(x, kernel, stride=stride, padding=padding, dilation=dilation), x


def loops(kernel: Kernel) -> int:
    return sum(isinstance(s, For) for s in walk(kernel.body))


CASES = [
    ((3, 3), 2, 1, 1), ((3, 3), 1, 2, 1), ((2, 2), 2, 1, 0), ((5, 4), 3, 1, 2), ((3,), 1, 1, 1), ((2, 3, 3), 2, 1, 1),
    ((5, 5), 1, 1, 2), ((3, 3), 3, 1, 0),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_like_loops(case: tuple[tuple[int, ...], int, int, int], kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = pooled(*case, kind)
    data = np.random.default_rng(7).standard_normal([int(s) for s in x.shape]).astype(np.float32)
    data[0, 0].flat[5] = np.nan
    got = akg.build([y], inputs=[x])(data)
    monkeypatch.setattr(windows, "MAX_TAPS", 0)
    monkeypatch.setattr(windows, "STORED", 1 << 20)
    plain = akg.build([y], inputs=[x], name="with_loops")(data)
    np.testing.assert_allclose(got, plain, rtol=2e-6, atol=1e-6)


def test_a_box_is_one_side_after_the_other() -> None:
    y, x = pooled((3, 3), 2, 1, 1)
    stores = [s for s in walk(akg.lower([y], inputs=[x]).kernel.body) if isinstance(s, Store)]
    assert [s.name for s in stores] == ["max_pool2d_lines", "max_pool2d"]
    assert not any(s.reduction for s in stores)


def test_small_boxes_and_long_windows_stay_as_they_are() -> None:
    y, x = pooled((2, 2), 2, 1, 0)
    assert len([s for s in walk(akg.lower([y], inputs=[x]).kernel.body) if isinstance(s, Store)]) == 1
    x = te.placeholder((2, 3, 40), "float32", name="X")
    y = ops.max_pool1d(x, 17, stride=1)
    assert any(s.reduction == "max" for s in walk(akg.lower([y], inputs=[x]).kernel.body) if isinstance(s, Store))


def test_contractions_keep_their_loops() -> None:
    x, w = te.placeholder((1, 8, 9, 9), "float32", name="X"), te.placeholder((4, 8, 3, 3), "float32", name="W")
    kernel = akg.lower([ops.conv2d(x, w)], inputs=[x, w]).kernel
    assert any(s.reduction == "sum" for s in walk(kernel.body) if isinstance(s, Store))


@pytest.mark.parametrize(("stride", "multiplier", "width"), [(1, 1, 56), (2, 1, 33), (1, 2, 20), (1, 1, 7)])
def test_depthwise(stride: int, multiplier: int, width: int) -> None:
    x = te.placeholder((2, 3, 12, width), "float32", name="X")
    w = te.placeholder((3 * multiplier, 1, 3, 3), "float32", name="W")
    y = ops.depthwise_conv2d(x, w, stride=stride, padding=1)
    kernel = akg.build([y], inputs=[x, w])
    stores = [s for s in walk(akg.lower([y], inputs=[x, w]).kernel.body) if isinstance(s, Store)]
    assert (len(stores) == 1) == (stride == 1 and width >= 8)  # its padding in place; else a padded array and a sum
    rng = np.random.default_rng(3)
    a = rng.standard_normal((2, 3, 12, width), np.float32)
    b = rng.standard_normal((3 * multiplier, 1, 3, 3), np.float32)
    around = np.pad(a, ((0, 0), (0, 0), (1, 1), (1, 1))).astype(np.float64)
    want = np.zeros([int(s) for s in y.shape])
    rows, columns = want.shape[2:]
    for i in range(3):
        for j in range(3):
            part = around[:, :, i : i + stride * rows : stride, j : j + stride * columns : stride]
            want += np.repeat(part, multiplier, 1) * b[:, 0, i, j][:, None, None]
    np.testing.assert_allclose(kernel(a, b), want, rtol=1e-5, atol=1e-5)
