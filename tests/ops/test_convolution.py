"""Convolutions against sums over windows in float64, and their errors."""

import itertools
from typing import Any

import numpy as np
import pytest

from akg import ops
from tests.helpers import Array
from tests.ops.evaluation import check, draw, error_of

CONV = {1: ops.conv1d, 2: ops.conv2d, 3: ops.conv3d}
DEPTHWISE = {1: ops.depthwise_conv1d, 2: ops.depthwise_conv2d, 3: ops.depthwise_conv3d}
TRANSPOSE = {1: ops.conv1d_transpose, 2: ops.conv2d_transpose, 3: ops.conv3d_transpose}


def each(value: Any, n: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * n


def pairs(
    padding: Any, x: Array, w: Array, stride: tuple[int, ...], dilation: tuple[int, ...]
) -> list[tuple[int, int]]:
    """The elements before and after each spatial dimension."""
    result: list[tuple[int, int]] = []
    for d, p in enumerate(each(0 if padding in ("same", "valid") else padding, x.ndim - 2)):
        before, after = each(p, 2)
        if padding == "same":
            size, reach = x.shape[2 + d], dilation[d] * (w.shape[2 + d] - 1) + 1
            total = max((-(-size // stride[d]) - 1) * stride[d] + reach - size, 0)
            before, after = total // 2, total - total // 2
        result.append((before, after))
    return result


def conv_reference(x: Array, w: Array, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Array:
    n = x.ndim - 2
    stride, dilation = each(stride, n), each(dilation, n)
    around = pairs(padding, x, w, stride, dilation)
    x = np.pad(x, [(0, 0), (0, 0), *around])
    sizes = [
        (s - d * (k - 1) - 1) // t + 1 for s, k, d, t in zip(x.shape[2:], w.shape[2:], dilation, stride, strict=True)
    ]
    out = np.zeros((x.shape[0], groups, w.shape[0] // groups, *sizes), np.result_type(x, w))
    x = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    w = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    for tap in itertools.product(*map(range, w.shape[3:])):
        cut = tuple(
            slice(k * d, k * d + (s - 1) * t + 1, t) for k, d, t, s in zip(tap, dilation, stride, sizes, strict=True)
        )
        out += np.einsum("ngc...,goc->ngo...", x[(..., *cut)], w[(..., *tap)])
    return out.reshape(out.shape[0], out.shape[1] * out.shape[2], *sizes)


def transpose_reference(
    x: Array, w: Array, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1, output_padding: Any = 0
) -> Array:
    n = x.ndim - 2
    stride, dilation, extra = each(stride, n), each(dilation, n), each(output_padding, n)
    around = pairs(padding, x, w, stride, dilation)
    full = [(s - 1) * t + d * (k - 1) + 1 + e
            for s, t, d, k, e in zip(x.shape[2:], stride, dilation, w.shape[2:], extra, strict=True)]  # fmt: skip
    out = np.zeros((x.shape[0], groups, w.shape[1], *full), np.result_type(x, w))
    x = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    w = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    for tap in itertools.product(*map(range, w.shape[3:])):
        cut = tuple(slice(k * d, k * d + (s - 1) * t + 1, t)
                    for k, d, t, s in zip(tap, dilation, stride, x.shape[3:], strict=True))  # fmt: skip
        out[(..., *cut)] += np.einsum("ngc...,gco->ngo...", x, w[(..., *tap)])
    kept = tuple(slice(before, s - after) for s, (before, after) in zip(full, around, strict=True))
    out = out[(..., *kept)]
    return out.reshape(out.shape[0], out.shape[1] * out.shape[2], *out.shape[3:])


CONVS: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((1, 1, 1), (1, 1, 1), {}),
    ((2, 3, 17), (5, 3, 4), {"stride": 2, "padding": 1}),
    ((2, 6, 13), (4, 3, 3), {"groups": 2, "dilation": 3, "padding": "same"}),
    ((0, 3, 7), (2, 3, 3), {}),
    ((1, 2, 97), (3, 2, 5), {"padding": [(4, 0)]}),
    ((1, 1, 5, 7), (1, 1, 3, 3), {}),
    ((2, 4, 9, 11), (6, 4, 3, 3), {"padding": 1}),
    ((2, 4, 9, 11), (6, 4, 3, 3), {"padding": 1, "stride": 2}),
    ((2, 4, 9, 11), (6, 4, 1, 1), {}),
    ((1, 3, 13, 8), (5, 3, 5, 2), {"padding": "same", "stride": (2, 3)}),
    ((1, 3, 13, 17), (5, 3, 3, 3), {"dilation": (2, 3), "padding": ((1, 2), (3, 0))}),
    ((2, 8, 7, 7), (12, 2, 3, 3), {"groups": 4, "padding": (0, 1)}),
    ((1, 6, 8, 9), (6, 1, 3, 3), {"groups": 6, "padding": "valid"}),
    ((1, 16, 28, 28), (32, 16, 3, 3), {"padding": "same"}),
    ((1, 2, 3, 5, 7), (3, 2, 2, 3, 3), {}),
    ((2, 2, 5, 6, 7), (4, 2, 3, 3, 3), {"padding": 1, "stride": (1, 2, 2)}),
    ((1, 4, 6, 5, 8), (4, 2, 2, 2, 2), {"groups": 2, "dilation": (2, 1, 3), "padding": "same"}),
    ((1, 1, 2, 2, 2), (1, 1, 2, 2, 2), {}),
]


@pytest.mark.parametrize(("x", "w", "options"), CONVS)
def test_conv(x: tuple[int, ...], w: tuple[int, ...], options: dict[str, Any]) -> None:
    conv = CONV[len(x) - 2]
    check(lambda a, b: conv(a, b, **options), lambda a, b: conv_reference(a, b, **options), draw(x), draw(w, seed=1),
          terms=int(np.prod(w[1:])))  # fmt: skip


@pytest.mark.parametrize(("x", "w", "options"), [c for c in CONVS if c[2].get("padding") != "same"][:12])
def test_conv_with_channels_last(x: tuple[int, ...], w: tuple[int, ...], options: dict[str, Any]) -> None:
    n = len(x) - 2
    layout = {1: "NWC", 2: "NHWC", 3: "NDHWC"}[n]
    a, b = np.moveaxis(draw(x), 1, -1).copy(), np.moveaxis(draw(w, seed=1), (0, 1), (-1, -2)).copy()

    def reference(a: Array, b: Array) -> Array:
        return np.moveaxis(conv_reference(np.moveaxis(a, -1, 1), np.moveaxis(b, (-1, -2), (0, 1)), **options), 1, -1)

    check(lambda a, b: CONV[n](a, b, data_layout=layout, **options), reference, a, b, terms=int(np.prod(w[1:])))


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int8", "int32"])
def test_conv_types(dtype: str) -> None:
    x, w = draw((1, 4, 8, 9), dtype), draw((3, 4, 3, 3), dtype, 1)
    check(
        lambda a, b: ops.conv2d(a, b, padding=1),
        lambda a, b: conv_reference(a, b, padding=1),
        x,
        w,
        terms=36,
        dtype=dtype,
    )


def test_conv_of_bytes_with_wide_sums() -> None:
    x, w = np.full((1, 64, 5, 5), 127, np.int8), np.full((2, 64, 3, 3), -128, np.int8)
    check(lambda a, b: ops.conv2d(a, b, out_dtype="int32", padding=1),
          lambda a, b: conv_reference(a.astype(np.int32), b.astype(np.int32), padding=1), x, w,
              dtype="int32")  # fmt: skip


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_conv_with_bias(layout: str) -> None:
    x, w, b = draw((2, 5, 6, 7)), draw((4, 5, 3, 3), seed=1), draw((4,), seed=2)
    if layout == "NHWC":
        check(lambda x, w, b: ops.conv2d(x, w, b, data_layout=layout),
              lambda x, w, b: np.moveaxis(conv_reference(np.moveaxis(x, -1, 1), w.transpose(3, 2, 0, 1)), 1, -1) + b,
              np.moveaxis(x, 1, -1).copy(), w.transpose(2, 3, 1, 0).copy(), b, terms=45)  # fmt: skip
    else:
        check(
            lambda x, w, b: ops.conv2d(x, w, b),
            lambda x, w, b: conv_reference(x, w) + b[:, None, None],
            x,
            w,
            b,
            terms=45,
        )


@pytest.mark.parametrize(("x", "multiplier", "options"), [
    ((1, 1, 1), 1, {}), ((2, 3, 19), 2, {"padding": 1, "stride": 2}), ((1, 5, 7), 1, {"dilation": 2,
    "padding": "same"}),
    ((1, 1, 3, 3), 1, {}), ((2, 7, 9, 11), 1, {"padding": 1}), ((2, 7, 9, 11), 2, {"padding": 1, "stride": 2}),
    ((1, 16, 28, 30), 1, {"padding": "same"}), ((1, 3, 13, 13), 3, {"dilation": 2}), ((0, 3, 5, 5), 1, {}),
    ((1, 2, 5, 5, 5), 1, {"padding": 1}), ((1, 3, 4, 5, 6), 2, {"stride": (1, 2, 1)}),
])  # fmt: skip
def test_depthwise(x: tuple[int, ...], multiplier: int, options: dict[str, Any]) -> None:
    n = len(x) - 2
    taps = (1,) * n if x[-1] == 1 else (3,) * n
    check(lambda a, b: DEPTHWISE[n](a, b, **options), lambda a, b: conv_reference(a, b, groups=x[1], **options),
        draw(x),
          draw((x[1] * multiplier, 1, *taps), seed=1), terms=27)  # fmt: skip


def test_depthwise_with_channels_last() -> None:
    x, w, b = draw((2, 9, 8, 5)), draw((3, 3, 1, 5), seed=1), draw((5,), seed=2)
    check(lambda x, w, b: ops.depthwise_conv2d(x, w, b, padding=1, data_layout="NHWC"),
          lambda x, w, b: np.moveaxis(
              conv_reference(np.moveaxis(x, -1, 1), w.transpose(3, 2, 0, 1), padding=1, groups=5), 1, -1) + b,
          x, w, b, terms=9)  # fmt: skip


TRANSPOSES: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((1, 1, 1), (1, 1, 1), {}),
    ((2, 3, 7), (3, 5, 4), {"stride": 2, "padding": 1}),
    ((1, 2, 5), (2, 3, 3), {"stride": 3}),
    ((1, 2, 5), (2, 3, 3), {"stride": 2, "dilation": 2, "output_padding": 1}),
    ((0, 2, 5), (2, 3, 3), {}),
    ((2, 4, 5, 7), (4, 3, 3, 3), {"padding": 1}),
    ((2, 4, 5, 7), (4, 3, 3, 3), {"padding": 1, "stride": 2, "output_padding": 1}),
    ((1, 4, 5, 6), (4, 3, 4, 4), {"padding": 1, "stride": 2}),
    ((1, 6, 5, 6), (6, 2, 3, 2), {"groups": 3, "stride": (2, 3)}),
    ((1, 3, 4, 5), (3, 2, 2, 5), {"dilation": (2, 1), "stride": (1, 2), "padding": ((1, 0), (2, 1))}),
    ((1, 2, 3, 4), (2, 2, 3, 3), {"stride": 5, "output_padding": (4, 2)}),
    ((1, 8, 14, 14), (8, 8, 4, 4), {"stride": 2, "padding": 1}),
    ((1, 3, 3, 4, 5), (3, 2, 2, 3, 2), {"stride": (1, 2, 2), "padding": (0, 1, 0)}),
    ((1, 2, 2, 2, 2), (2, 2, 2, 2, 2), {"stride": 2}),
]


@pytest.mark.parametrize(("x", "w", "options"), TRANSPOSES)
def test_transposed(x: tuple[int, ...], w: tuple[int, ...], options: dict[str, Any]) -> None:
    conv = TRANSPOSE[len(x) - 2]
    check(lambda a, b: conv(a, b, **options), lambda a, b: transpose_reference(a, b, **options), draw(x),
          draw(w, seed=1), terms=int(np.prod(w)))  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float16", "int32"])
def test_transposed_with_bias(dtype: str) -> None:
    check(lambda x, w, b: ops.conv2d_transpose(x, w, b, stride=2),
          lambda x, w, b: transpose_reference(x, w, stride=2) + b[:, None, None],
          draw((1, 4, 5, 6), dtype), draw((4, 3, 3, 3), dtype, 1), draw((3,), dtype, 2), terms=36,
              dtype=dtype)  # fmt: skip


X, W = (1, 4, 8, 8), (6, 4, 3, 3)


@pytest.mark.parametrize(("options", "x", "w", "text"), [
    ({}, (4, 8, 8), W,
    "AKG-E281: conv2d: x has 3 dimensions\nbecause: its shape is (4, 8, 8), it should be (n, c, h, w)\n"
                       "hint: give x of 4 dimensions"),
    ({}, X, (6, 5, 3, 3), "AKG-E280: conv2d: shapes (1, 4, 8, 8) and (6, 5, 3, 3) do not contract\n"
                          "because: w takes 5 input channels a group, and x has 4\n"
                          "hint: give w as many input channels as x has, divided by groups"),
    ({"groups": 2}, X, W, "AKG-E280: conv2d: shapes (1, 4, 8, 8) and (6, 4, 3, 3) do not contract\n"
                          "because: w takes 4 input channels a group, and x has 2 in each of 2 groups\n"
                          "hint: give w as many input channels as x has, divided by groups"),
    ({"groups": 3}, X, W,
    "AKG-E283: conv2d: groups is 3, but x has 4 input channels\nbecause: x has shape (1, 4, 8, 8)\n"
                          "hint: groups divides the numbers of input and of output channels"),
    ({"groups": 4}, X, W,
    "AKG-E283: conv2d: groups is 4, but w has 6 output channels\nbecause: w has shape (6, 4, 3, 3)\n"
                          "hint: groups divides the numbers of input and of output channels"),
    ({"groups": 0}, X, W, "AKG-E283: conv2d: groups is 0\nbecause: channels are split into groups\n"
                          "hint: give groups of at least 1"),
    ({"padding": -1}, X, W, "AKG-E284: conv2d: padding is -1\nbecause: padding is not negative\n"
                            "hint: cut with akg.ops.slice"),
    ({"padding": "SAME"}, X, W, "AKG-E284: conv2d: padding is 'SAME'\n"
                                "because: padding is integers, pairs of them, \"same\" or \"valid\"\n"
                                "hint: did you mean \"same\"?"),
    ({"padding": (1, 2, 3)}, X, W, "AKG-E284: conv2d: padding has 3 values for 2 spatial dimensions\n"
                                   "because: padding=(1, 2, 3)\n"
                                   "hint: give one integer, or one integer or (before, after) pair for each dimension"),
    ({"stride": 0}, X, W, "AKG-E285: conv2d: stride is 0\nbecause: stride=0\nhint: give stride of at least 1"),
    ({"stride": 1.5}, X, W, "AKG-E285: conv2d: stride is 1.5\nbecause: stride counts elements\nhint: as in stride=1"),
    ({"dilation": (1, 0)}, X, W, "AKG-E285: conv2d: dilation is 0\nbecause: dilation=(1, 0)\n"
                                 "hint: give dilation of at least 1"),
    ({"stride": (1, 2, 3)}, X, W, "AKG-E285: conv2d: stride has 3 values for 2 spatial dimensions\n"
                                  "because: stride=(1, 2, 3)\n"
                                  "hint: give one integer, or one for each of the 2 dimensions"),
    ({"dilation": 4}, X, W, "AKG-E288: conv2d: the window does not fit into dimension 2 of x\n"
                            "because: it spans 9 elements, and dimension 2 of x has 8\n"
                            "hint: use a smaller window or dilation, or pad more"),
    ({}, X, (6, 4, 0, 3), "AKG-E281: conv2d: the window of w is (0, 3)\n"
                          "because: w has shape (6, 4, 0, 3), and a window has a fixed number of taps, at least one\n"
                          "hint: use integers for the spatial sizes of w"),
    ({"data_layout": "NWHC"}, X, W, "AKG-E275: conv2d: data_layout is 'NWHC'\n"
                                    "because: data_layout is 'NCHW' or 'NHWC'"),
])  # fmt: skip
def test_errors(options: dict[str, Any], x: tuple[int, ...], w: tuple[int, ...], text: str) -> None:
    assert error_of(lambda a, b: ops.conv2d(a, b, **options), x, w) == text


def test_errors_of_bias() -> None:
    assert error_of(ops.conv2d, X, W, (4,)) == (
        "AKG-E280: conv2d: bias has shape (4,), and there are 6 output channels\n"
        "hint: give one bias for each output channel"
    )
    assert error_of(ops.conv2d, X, W, (6, 1)) == (
        "AKG-E281: conv2d: bias has 2 dimensions\nbecause: its shape is (6, 1), it should be (out)\n"
        "hint: give bias of 1 dimension"
    )


def test_errors_of_depthwise() -> None:
    assert error_of(ops.depthwise_conv2d, (1, 0, 8, 8), (4, 1, 3, 3)) == (
        "AKG-E283: depthwise_conv2d: x has 0 channels\nbecause: x has shape (1, 0, 8, 8), and each channel is a group\n"
        "hint: give a fixed number of channels, at least 1"
    )


@pytest.mark.parametrize(("options", "x", "w", "text"), [
    ({"padding": "same"}, X, (4, 2, 3, 3),
     "AKG-E284: conv2d_transpose: padding is \"same\"\nbecause: several output sizes have inputs of this size\n"
     "hint: give the padding as integers"),
    ({"output_padding": 2, "stride": 2}, X, (4, 2, 3, 3),
     "AKG-E285: conv2d_transpose: output_padding is 2\nbecause: the stride is 2 and the dilation 1\n"
     "hint: it chooses among the sizes that a stride makes equal: give less than stride or dilation"),
    ({}, X, (5, 2, 3, 3),
     "AKG-E280: conv2d_transpose: shapes (1, 4, 8, 8) and (5, 2, 3, 3) do not contract\n"
     "because: w takes 5 input channels, and x has 4\n"
     "hint: weights of a transposed convolution have shape (c, out / groups, ...)"),
    ({"groups": 3}, X, (4, 2, 3, 3),
     "AKG-E283: conv2d_transpose: groups is 3, but x has 4 input channels\nbecause: x has shape (1, 4, 8, 8)\n"
     "hint: groups divides the number of input channels"),
    ({"padding": 5}, X, (4, 2, 3, 3),
     "AKG-E288: conv2d_transpose: dimension 2 of the result would have size 0\n"
     "because: x has size 8 there, the window reaches over 3 elements and 10 are cut off\nhint: use less padding"),
])  # fmt: skip
def test_errors_of_transposed(options: dict[str, Any], x: tuple[int, ...], w: tuple[int, ...], text: str) -> None:
    assert error_of(lambda a, b: ops.conv2d_transpose(a, b, **options), x, w) == text
