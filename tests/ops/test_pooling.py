"""Pools against loops over windows in float64, and their errors."""

import itertools
from typing import Any

import numpy as np
import pytest

from akg import ops
from tests.helpers import Array
from tests.ops.evaluation import check, draw, error_of
from tests.ops.test_convolution import each, pairs

MAX = {1: ops.max_pool1d, 2: ops.max_pool2d, 3: ops.max_pool3d}
AVG = {1: ops.avg_pool1d, 2: ops.avg_pool2d, 3: ops.avg_pool3d}
ADAPTIVE_MAX = {1: ops.adaptive_max_pool1d, 2: ops.adaptive_max_pool2d, 3: ops.adaptive_max_pool3d}
ADAPTIVE_AVG = {1: ops.adaptive_avg_pool1d, 2: ops.adaptive_avg_pool2d, 3: ops.adaptive_avg_pool3d}


def reference(
    x: Array, kernel: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    average: bool = False, count_include_pad: bool = True,
) -> Array:  # fmt: skip
    n = x.ndim - 2
    kernel, dilation = each(kernel, n), each(dilation, n)
    stride = kernel if stride is None else each(stride, n)
    around = pairs(padding, x, np.empty((1, 1, *kernel)), stride, dilation)
    sizes: list[int] = []
    for s, k, t, d, (before, after) in zip(x.shape[2:], kernel, stride, dilation, around, strict=True):
        room = s + before + after - d * (k - 1) - 1
        count = (-(-room // t) if ceil_mode else room // t) + 1
        sizes.append(count - 1 if ceil_mode and (count - 1) * t >= s + before else count)
    out = np.empty((*x.shape[:2], *sizes), x.dtype)
    for place in itertools.product(*map(range, sizes)):
        cuts: list[list[int]] = []
        padded = 1
        for p, s, k, t, d, (before, after) in zip(place, x.shape[2:], kernel, stride, dilation, around, strict=True):
            taps = [p * t - before + j * d for j in range(k)]
            padded *= sum(tap < s + after for tap in taps)
            cuts.append([tap for tap in taps if 0 <= tap < s])
        window = x[np.ix_(range(x.shape[0]), range(x.shape[1]), *cuts)]
        axes = tuple(range(2, x.ndim))
        if average:
            out[(..., *place)] = window.sum(axes) / (padded if count_include_pad else np.prod([len(c) for c in cuts]))
        else:
            out[(..., *place)] = window.max(axes)
    return out


POOLS: list[tuple[tuple[int, ...], Any, dict[str, Any]]] = [
    ((1, 1, 1), 1, {}),
    ((2, 3, 17), 3, {}),
    ((2, 3, 18), 3, {"stride": 2, "padding": 1}),
    ((1, 2, 18), 4, {"stride": 3, "padding": 2, "ceil_mode": True}),
    ((0, 2, 8), 2, {}),
    ((1, 2, 97), 5, {"stride": 1, "padding": "same"}),
    ((2, 3, 9, 11), 2, {}),
    ((2, 3, 9, 11), (3, 2), {"stride": (2, 1)}),
    ((1, 4, 13, 13), 3, {"stride": 2, "padding": 1}),
    ((1, 4, 13, 12), 3, {"stride": 2, "padding": 1, "ceil_mode": True}),
    ((1, 2, 7, 8), 3, {"stride": 2, "ceil_mode": True}),
    ((1, 2, 5, 6), 2, {"stride": 3, "padding": 1, "ceil_mode": True}),
    ((1, 2, 8, 9), 3, {"padding": "same", "stride": 2}),
    ((1, 2, 9, 9), (3, 2), {"padding": ((1, 0), (0, 1))}),
    ((1, 16, 28, 28), 2, {}),
    ((1, 2, 4, 5, 6), 2, {}),
    ((2, 1, 5, 6, 7), 3, {"stride": 2, "padding": 1}),
]


@pytest.mark.parametrize(("shape", "kernel", "options"), POOLS)
def test_max_pool(shape: tuple[int, ...], kernel: Any, options: dict[str, Any]) -> None:
    check(
        lambda x: MAX[len(shape) - 2](x, kernel, **options), lambda x: reference(x, kernel, **options), draw(shape) - 3
    )


@pytest.mark.parametrize(("shape", "kernel", "options"), POOLS)
@pytest.mark.parametrize("count_include_pad", [False, True])
def test_avg_pool(shape: tuple[int, ...], kernel: Any, options: dict[str, Any], count_include_pad: bool) -> None:
    check(lambda x: AVG[len(shape) - 2](x, kernel, count_include_pad=count_include_pad, **options),
          lambda x: reference(x, kernel, average=True, count_include_pad=count_include_pad, **options),
          draw(shape), terms=64)  # fmt: skip


@pytest.mark.parametrize("options", [{"dilation": 2}, {"dilation": (1, 3), "padding": 1, "stride": 2}])
def test_dilated_max_pool(options: dict[str, Any]) -> None:
    check(lambda x: ops.max_pool2d(x, 3, **options), lambda x: reference(x, 3, **options), draw((2, 3, 11, 13)))
    check(lambda x: ops.max_pool2d(x, 3, ceil_mode=True, **options), lambda x: reference(x, 3, ceil_mode=True,
        **options),
          draw((2, 3, 11, 14)))  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int8", "uint8", "int32", "int64"])
def test_types(dtype: str) -> None:
    x = draw((1, 3, 9, 10), dtype)
    check(lambda x: ops.max_pool2d(x, 3, stride=2, padding=1), lambda x: reference(x, 3, 2, 1), x, dtype=dtype)
    check(ops.global_max_pool, lambda x: x.max((2, 3), keepdims=True), x, dtype=dtype)
    if dtype[:2] not in ("in", "ui"):
        check(lambda x: ops.avg_pool2d(x, 3, stride=2, padding=1), lambda x: reference(x, 3, 2, 1, average=True), x,
              terms=9, dtype=dtype)  # fmt: skip
        check(ops.global_avg_pool, lambda x: x.mean((2, 3), keepdims=True), x, terms=90, dtype=dtype)


def test_nan_wins() -> None:
    x = draw((1, 2, 6, 6))
    x[0, 0, 2, 3] = np.nan
    x[0, 1] = -np.inf
    check(lambda x: ops.max_pool2d(x, 3, padding=1), lambda x: reference(x, 3, padding=1), x)


ADAPTIVES: list[tuple[tuple[int, ...], Any]] = [
    ((1, 1, 1), 1), ((2, 3, 17), 5), ((2, 3, 18), 6), ((1, 2, 5), 7), ((0, 2, 8), 3), ((2, 3, 9, 11), 4), ((2, 3, 8,
    12), (4, 3)),
    ((1, 4, 13, 13), 1), ((1, 8, 28, 30), 7), ((1, 2, 3, 5), (5, 5)), ((1, 2, 4, 5, 6), 3), ((1, 1, 4, 6, 8), (2, 3,
    4)),
]  # fmt: skip


def adaptive(x: Array, target: Any, average: bool) -> Array:
    target = each(target, x.ndim - 2)
    out = np.empty((*x.shape[:2], *target))
    for place in itertools.product(*map(range, target)):
        cut = tuple(slice(p * s // t, -(-(p + 1) * s // t)) for p, s, t in zip(place, x.shape[2:], target, strict=True))
        window, axes = x[(..., *cut)], tuple(range(2, x.ndim))
        out[(..., *place)] = window.mean(axes) if average else window.max(axes)
    return out


@pytest.mark.parametrize(("shape", "target"), ADAPTIVES)
def test_adaptive(shape: tuple[int, ...], target: Any) -> None:
    x, n = draw(shape), len(shape) - 2
    check(lambda x: ADAPTIVE_MAX[n](x, target), lambda x: adaptive(x, target, False), x)
    check(lambda x: ADAPTIVE_AVG[n](x, target), lambda x: adaptive(x, target, True), x, terms=64)


@pytest.mark.parametrize("shape", [
    (1, 1, 1), (2, 3, 17), (3, 5, 7, 9), (0, 2, 4), (1, 64, 7, 7), (2, 3, 1, 13), (1, 2, 3, 4, 5), (4, 1, 97), (2, 2, 2,
    2),
    (1, 3, 64, 65),
])  # fmt: skip
def test_global(shape: tuple[int, ...]) -> None:
    axes = tuple(range(2, len(shape)))
    check(ops.global_max_pool, lambda x: x.max(axes, keepdims=True), draw(shape))
    check(ops.global_avg_pool, lambda x: x.mean(axes, keepdims=True), draw(shape), terms=int(np.prod(shape[2:])))


@pytest.mark.parametrize(("function", "shape", "text"), [
    (lambda x: ops.max_pool2d(x, 3), (4, 8, 8),
     "AKG-E281: max_pool2d: x has 3 dimensions\nbecause: its shape is (4, 8, 8), it should be (n, c, h, w)\n"
     "hint: give x of 4 dimensions"),
    (lambda x: ops.max_pool2d(x, 0), (1, 4, 8, 8),
     "AKG-E285: max_pool2d: kernel_size is 0\nbecause: kernel_size=0\nhint: give kernel_size of at least 1"),
    (lambda x: ops.avg_pool2d(x, 2, stride=0), (1, 4, 8, 8),
     "AKG-E285: avg_pool2d: stride is 0\nbecause: stride=0\nhint: give stride of at least 1"),
    (lambda x: ops.avg_pool2d(x, 2, padding=2), (1, 4, 8, 8),
     "AKG-E284: avg_pool2d: padding is 2\nbecause: a window that spans 2 elements may lie in padding alone\n"
     "hint: pad by at most half a window"),
    (lambda x: ops.avg_pool2d(x, 2, padding=-1), (1, 4, 8, 8),
     "AKG-E284: avg_pool2d: padding is -1\nbecause: padding is not negative\nhint: cut with akg.ops.slice"),
    (lambda x: ops.max_pool2d(x, 9), (1, 4, 8, 8),
     "AKG-E288: max_pool2d: the window does not fit into dimension 2 of x\n"
     "because: it spans 9 elements, and dimension 2 of x has 8\nhint: use a smaller window or dilation, or pad more"),
    (lambda x: ops.adaptive_avg_pool2d(x, 0), (1, 4, 8, 8),
     "AKG-E285: adaptive_avg_pool2d: output_size is 0\nbecause: output_size=0\nhint: give output_size of at least 1"),
    (lambda x: ops.adaptive_max_pool2d(x, 2), (1, 4, 0, 8),
     "AKG-E281: adaptive_max_pool2d: x has shape (1, 4, 0, 8)\n"
     "because: adaptive windows divide spatial sizes that are fixed and not 0\n"
     "hint: give the spatial sizes as integers"),
    (ops.global_avg_pool, (4, 8),
     "AKG-E281: global_avg_pool: x has 2 dimensions\nbecause: its shape is (4, 8), it should be (n, c, ...)\n"
     "hint: give x of at least 3 dimensions"),
])  # fmt: skip
def test_errors(function: Any, shape: tuple[int, ...], text: str) -> None:
    assert error_of(function, shape) == text


def test_integers_have_no_mean() -> None:
    assert error_of(lambda x: ops.avg_pool2d(x, 2), (1, 4, 8, 8), dtype="int32") == (
        "AKG-E274: avg_pool2d: x is int32\nbecause: it must be a float\nhint: convert it: akg.ops.astype(x, dtype)"
    )
