"""Contractions, convolutions, pools and normalisations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from akg.base.dtype import float32, float64, int32
from akg.frontends.onnx.context import Call, shape_of
from akg.frontends.onnx.ordering import places_of_maxima
from akg.frontends.onnx.table import converts
from akg.frontends.onnx.windows import Window, window_of
from akg.ir.graph import Value


@converts("MatMul")
def matmul(call: Call) -> Value:
    """Matrix products as NumPy's."""
    return call.apply("matmul", call.value(0), call.value(1))


@converts("Gemm")
def gemm(call: Call) -> Value:
    """alpha * A @ B + beta * C."""
    a, b = call.value(0), call.value(1)
    product = call.apply("matmul", a, b, transpose_a=bool(call.attribute("transA", 0)),
                         transpose_b=bool(call.attribute("transB", 0)))  # fmt: skip
    alpha, beta = call.attribute("alpha", 1.0), call.attribute("beta", 1.0)
    if alpha != 1.0:
        product = call.cast(call.apply("multiply", product, alpha), a.dtype)
    if not call.has(2) or beta == 0.0:
        return product
    c = call.value(2)
    if beta != 1.0:
        c = call.cast(call.apply("multiply", c, beta), a.dtype)
    return call.apply("add", product, c)


@converts("Einsum")
def einsum(call: Call) -> Value:
    """Sums of products by subscripts."""
    return call.apply("einsum", call.attribute("equation").replace(" ", ""), *call.values())


@converts("MatMulInteger")
def matmul_integer(call: Call) -> Value:
    """Products of 8-bit integers around their zero points, in 32 bits."""
    a, b = call.cast(call.value(0), int32), call.cast(call.value(1), int32)
    a = _around(call, a, 2, lambda v: call.apply("expand_dims", v, -1) if len(v.shape) == 1 and shape_of(v) != (1,)
                else v)  # fmt: skip
    b = _around(call, b, 3, lambda v: v)
    return call.apply("matmul", a, b)


def _around(call: Call, x: Value, position: int, shaped: Any) -> Value:
    if not call.has(position):
        return x
    return call.apply("subtract", x, shaped(call.cast(call.value(position), int32)))


@converts("QLinearMatMul")
def qlinear_matmul(call: Call) -> Value:
    """Products of quantised matrices, quantised again."""
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = (call.value(p) for p in range(8))
    left = call.apply("subtract", call.cast(a, int32), call.cast(a_zero, int32))
    right = call.apply("subtract", call.cast(b, int32), call.cast(b_zero, int32))
    product = call.cast(call.apply("matmul", left, right), float32)
    return _requantised(call, product, a_scale, b_scale, y_scale, y_zero)


def _requantised(call: Call, x: Value, a_scale: Value, b_scale: Value, y_scale: Value, y_zero: Value) -> Value:
    scales = [call.cast(s, float32) for s in (a_scale, b_scale, y_scale)]
    ratio = call.apply("divide", call.apply("multiply", scales[0], scales[1]), scales[2])
    rounded = call.apply("round", call.apply("multiply", x, ratio))
    low, high = (-128, 127) if y_zero.dtype.name == "int8" else (0, 255)
    return call.cast(call.apply("clip", call.apply("add", rounded, call.cast(y_zero, float32)), low, high),
                     y_zero.dtype)  # fmt: skip


@converts("Conv")
def convolution(call: Call) -> Value:
    """Convolutions over one to three spatial axes."""
    bias = call.value(2) if call.has(2) else None
    return _convolved(call, call.value(0), call.value(1), bias)


@converts("ConvInteger")
def convolution_integer(call: Call) -> Value:
    """Convolutions of 8-bit integers around their zero points, in 32 bits."""
    x, w = call.cast(call.value(0), int32), call.cast(call.value(1), int32)
    x = _around(call, x, 2, lambda v: call.apply("reshape", v, ()))
    w = _around(call, w, 3, lambda v: _channels(call, v, len(w.shape)))
    return _convolved(call, x, w, None)


@converts("QLinearConv")
def qlinear_convolution(call: Call) -> Value:
    """Convolutions of quantised tensors, quantised again."""
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero = (call.value(p) for p in range(8))
    rank = len(w.shape)
    left = call.apply("subtract", call.cast(x, int32), call.apply("reshape", call.cast(x_zero, int32), ()))
    right = call.apply("subtract", call.cast(w, int32), _channels(call, call.cast(w_zero, int32), rank))
    bias = call.value(8) if call.has(8) else None
    product = call.cast(_convolved(call, left, right, bias), float32)
    scale = call.apply("reshape", w_scale, (1, math.prod(shape_of(w_scale)), *(1,) * (rank - 2)))
    return _requantised(call, product, x_scale, scale, y_scale, y_zero)


def _channels(call: Call, value: Value, rank: int) -> Value:
    return call.apply("reshape", value, (math.prod(shape_of(value)), *(1,) * (rank - 1)))


def _convolved(call: Call, x: Value, w: Value, bias: Value | None) -> Value:
    size = call.attribute("kernel_shape", list(shape_of(w)[2:]))
    place = window_of(call, size, shape_of(x)[2:])
    return call.apply(f"conv{len(size)}d", x, w, bias, stride=place.stride, padding=place.pads,
                      dilation=place.dilation, groups=call.attribute("group", 1))  # fmt: skip


@converts("ConvTranspose")
def transposed_convolution(call: Call) -> Value:
    """The gradient of a convolution with respect to its input."""
    x, w = call.value(0), call.value(1)
    bias = call.value(2) if call.has(2) else None
    size = tuple(call.attribute("kernel_shape", list(shape_of(w)[2:])))
    rank, sizes = len(size), shape_of(x)[2:]
    stride = tuple(call.attribute("strides", [1] * rank))
    dilation = tuple(call.attribute("dilations", [1] * rank))
    extra = list(call.attribute("output_padding", [0] * rank))
    full = [(n - 1) * s + d * (k - 1) + 1 + e for n, s, d, k, e in zip(sizes, stride, dilation, size, extra,
                                                                       strict=True)]  # fmt: skip
    pads = list(call.attribute("pads", [0] * (2 * rank)))
    auto, wanted = call.attribute("auto_pad", "NOTSET"), call.attribute("output_shape")
    if wanted is None and auto.startswith("SAME"):
        wanted = [n * s for n, s in zip(sizes, stride, strict=True)]
    if wanted is not None:
        for k, n in enumerate(wanted[-rank:]):
            total = full[k] - n
            small = total // 2
            pads[k], pads[k + rank] = (small, total - small) if auto == "SAME_UPPER" else (total - small, small)
    whole = call.apply(f"conv{rank}d_transpose", x, w, bias, stride=stride, padding=0, output_padding=extra,
                       dilation=dilation, groups=call.attribute("group", 1))  # fmt: skip
    if any(p < 0 for p in pads):
        wider = [(max(-pads[d], 0), max(-pads[d + rank], 0)) for d in range(rank)]
        whole = call.apply("pad", whole, [(0, 0), (0, 0), *wider])
        full = [n + low + high for n, (low, high) in zip(full, wider, strict=True)]
        pads = [max(p, 0) for p in pads]
    cut = [d for d in range(rank) if pads[d] or pads[d + rank]]
    if not cut:
        return whole
    return call.apply("slice", whole, [pads[d] for d in cut], [full[d] - pads[d + rank] for d in cut],
                      axes=[d + 2 for d in cut])  # fmt: skip


@converts("GlobalAveragePool", "GlobalMaxPool")
def global_pool(call: Call) -> Value:
    """The mean or the maximum over all spatial axes."""
    x = call.value(0)
    axes = tuple(range(2, len(x.shape)))
    return call.apply("mean" if call.name == "GlobalAveragePool" else "max", x, axis=axes, keepdims=True)


@converts("MaxPool")
def max_pool(call: Call) -> Any:
    """The maximum of each window, and its place in the tensor where that is asked for."""
    x = call.value(0)
    place = window_of(call, call.attribute("kernel_shape"), shape_of(x)[2:])
    lowest = -math.inf if x.dtype.is_float else float(np.iinfo(x.dtype.numpy).min)
    padded, _ = _padded(call, x, place, lowest)
    best = call.apply(f"max_pool{len(place.size)}d", padded, place.size, stride=place.stride,
                      dilation=place.dilation)  # fmt: skip
    if call.wanted[1:] != (True,):
        return best
    return best, places_of_maxima(call, padded, place, shape_of(x)[2:], shape_of(best))


def _padded(call: Call, x: Value, place: Window, fill: float) -> tuple[Value, tuple[int, ...]]:
    """The operand with its padding, and what the last windows need beyond it; and the number of places."""
    sizes = shape_of(x)[2:]
    places = place.places(sizes, is_ceiled=bool(call.attribute("ceil_mode", 0)))
    widths: list[tuple[int, int]] = [(0, 0), (0, 0)]
    for n, low, high, count, step, reach in zip(sizes, place.before, place.after, places, place.stride,
                                                place.extents, strict=True):  # fmt: skip
        needed = (count - 1) * step + reach
        widths.append((low, max(high, needed - n - low)))
    if not any(low or high for low, high in widths):
        return x, places
    number = fill if x.dtype.is_float else int(fill)
    padded = call.apply("pad", x, widths, constant_value=number)
    extents = [(count - 1) * step + reach for count, step, reach in zip(places, place.stride, place.extents,
                                                                       strict=True)]  # fmt: skip
    if any(n < m for n, m in zip(extents, shape_of(padded)[2:], strict=True)):
        padded = call.apply("slice", padded, [0] * len(extents), extents, axes=list(range(2, 2 + len(extents))))
    return padded, places


@converts("AveragePool", "LpPool")
def average_pool(call: Call) -> Value:
    """The mean or the norm of each window."""
    x = call.value(0)
    place = window_of(call, call.attribute("kernel_shape"), shape_of(x)[2:])
    order = call.attribute("p", 2)
    if call.name == "LpPool":
        x = call.apply("square", x) if order == 2 else call.apply("pow", call.apply("abs", x), order)
    padded, places = _padded(call, x, place, 0.0)
    means = _window_means(call, padded, place)
    count = math.prod(place.size)
    if call.name == "LpPool":
        total = call.apply("multiply", means, count)
        return call.apply("sqrt", total) if order == 2 else call.apply("pow", total, 1.0 / order)
    counted = _elements(place, shape_of(x)[2:], places, include_pad=bool(call.attribute("count_include_pad", 0)))
    if (counted == count).all():
        return means
    ratio = (count / counted).astype(x.dtype.numpy)
    return call.apply("multiply", means, ratio)


def _window_means(call: Call, padded: Value, place: Window) -> Value:
    rank = len(place.size)
    if all(d == 1 for d in place.dilation):
        return call.apply(f"avg_pool{rank}d", padded, place.size, stride=place.stride)
    channels = shape_of(padded)[1]
    weights = np.full((channels, 1, *place.size), 1 / math.prod(place.size), padded.dtype.numpy)
    return call.apply(f"conv{rank}d", padded, weights, stride=place.stride, dilation=place.dilation, groups=channels)


def _elements(place: Window, sizes: tuple[int, ...], places: tuple[int, ...], *, include_pad: bool) -> Any:
    """How many elements of the tensor, or of the tensor with its padding, each window holds."""
    total: Any = np.ones(())
    for n, low, high, count, step, size, dilation in zip(
        sizes, place.before, place.after, places, place.stride, place.size, place.dilation, strict=True
    ):
        at = np.arange(count)[:, None] * step + np.arange(size)[None, :] * dilation - low
        inside = (at >= -low) & (at < n + high) if include_pad else (at >= 0) & (at < n)
        total = total[..., None] * inside.sum(axis=1)
    return total


@converts("BatchNormalization")
def batch_normalization(call: Call) -> Any:
    """Normalised over batch and space: by given statistics, or in training mode by those of the batch."""
    x, scale, bias, mean, variance = (call.value(p) for p in range(5))
    eps = call.attribute("epsilon", 1e-5)
    if not call.attribute("training_mode", 0):
        return _normalised(call, x, scale, bias, mean, variance, eps)
    axes = (0, *range(2, len(x.shape)))
    momentum = call.attribute("momentum", 0.9)
    own_mean = call.apply("mean", x, axis=axes)
    own_variance = call.apply("var", x, axis=axes)
    moved = [call.apply("add", call.apply("multiply", old, momentum), call.apply("multiply", new, 1 - momentum))
             for old, new in ((mean, own_mean), (variance, own_variance))]  # fmt: skip
    return _normalised(call, x, scale, bias, own_mean, own_variance, eps), *moved


def _normalised(call: Call, x: Value, scale: Value, bias: Value, mean: Value, variance: Value, eps: float) -> Value:
    kind = x.dtype
    wide = kind if kind.itemsize_bytes >= 4 else float32
    rest = (1,) * (len(x.shape) - 2)
    parts = [call.apply("reshape", call.cast(v, wide), (math.prod(shape_of(v)), *rest))
             for v in (mean, variance, scale, bias)]  # fmt: skip
    factor = call.apply("divide", parts[2], call.apply("sqrt", call.apply("add", parts[1], eps)))
    centred = call.apply("subtract", call.cast(x, wide), parts[0])
    return call.cast(call.apply("add", call.apply("multiply", centred, factor), parts[3]), kind)


@converts("InstanceNormalization")
def instance_normalization(call: Call) -> Value:
    """Normalised over space."""
    return call.apply("instance_norm", call.value(0), call.value(1), call.value(2),
                      eps=call.attribute("epsilon", 1e-5))  # fmt: skip


@converts("LayerNormalization")
def layer_normalization(call: Call) -> Any:
    """Normalised over the axes from one on; mean and inverse deviation where they are asked for."""
    x = call.value(0)
    rank = len(x.shape)
    axis = call.attribute("axis", -1) % rank
    axes, eps = tuple(range(axis, rank)), call.attribute("epsilon", 1e-5)
    wide = float32 if x.dtype is not float64 else float64
    y = call.cast(x, wide)
    mean = call.apply("mean", y, axis=axes, keepdims=True)
    centred = call.apply("subtract", y, mean)
    variance = call.apply("mean", call.apply("square", centred), axis=axes, keepdims=True)
    inverse = call.apply("rsqrt", call.apply("add", variance, eps))
    result = call.apply("multiply", call.cast(call.apply("multiply", centred, inverse), x.dtype), call.value(1))
    if call.has(2):
        result = call.apply("add", result, call.value(2))
    return result, mean, inverse


@converts("LRN")
def local_response(call: Call) -> Value:
    """Divided by a power of the sum of squares over neighbouring channels."""
    x, size = call.value(0), call.attribute("size")
    alpha, beta, bias = call.attribute("alpha", 1e-4), call.attribute("beta", 0.75), call.attribute("bias", 1.0)
    before = (size - 1) // 2
    padded = call.apply("pad", call.apply("square", x), [(0, 0), (before, size - 1 - before),
                                                         *[(0, 0)] * (len(x.shape) - 2)])  # fmt: skip
    channels = shape_of(x)[1]
    pieces = [call.apply("slice", padded, [k], [k + channels], axes=[1]) for k in range(size)]
    total = pieces[0]
    for piece in pieces[1:]:
        total = call.apply("add", total, piece)
    scaled = call.apply("add", call.apply("multiply", total, alpha / size), bias)
    return call.apply("divide", x, call.apply("pow", scaled, beta))
