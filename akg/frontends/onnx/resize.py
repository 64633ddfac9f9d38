"""Resize: along each axis, every element of the result is a weighted sum of a few elements known beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from akg.base.dtype import float32
from akg.frontends.onnx.context import Call, shape_of
from akg.frontends.onnx.table import converts
from akg.ir.graph import Value

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Taps:
    """For each element of a result along one axis: which elements of the operand, and with which weights.

    Attributes:
        indices: of shape (size, taps).
        weights: of the same shape.
        inside: whether an element is interpolated at all; others get the extrapolation value.
    """

    indices: npt.NDArray[np.int64]
    weights: Floats
    inside: npt.NDArray[np.bool_]


@converts("Resize", static=(1, 2, 3))
def resize(call: Call) -> Value:
    """Interpolation by neighbours, lines or cubic polynomials."""
    x, own = call.value(0), call.shape(0)
    old = call.version < 11  # without roi and sizes
    axes = [a % len(own) for a in call.attribute("axes", range(len(own)))]
    scales, sizes = _factors(call, own, axes, 1 if old else 2)
    roi = None if old else call.known(1)
    y = x if x.dtype.is_float else call.cast(x, float32)
    outside: Value | None = None
    for k, axis in enumerate(axes):
        if sizes[k] == own[axis] and scales[k] == 1.0 and roi is None:
            continue
        region = (0.0, 1.0) if roi is None or not roi.size else (float(roi[k]), float(roi[k + len(axes)]))
        taps = taps_of(call, own[axis], sizes[k], scales[k], region)
        y = _along(call, y, axis, taps)
        if not taps.inside.all():
            mask = (~taps.inside).reshape([-1 if d == axis else 1 for d in range(len(own))])
            outside = call.as_value(mask) if outside is None else call.apply("logical_or", outside, mask)
    if outside is not None:
        y = call.apply("where", outside, call.scalar(call.attribute("extrapolation_value", 0.0), y.dtype), y)
    return y if y.dtype is x.dtype else call.cast(call.apply("round", y), x.dtype)


@converts("Upsample", static=(1,))
def upsample(call: Call) -> Value:
    """The operator that Resize replaced."""
    return resize(call)


def _factors(call: Call, own: tuple[int, ...], axes: list[int], position: int) -> tuple[list[float], list[int]]:
    """Scale and size of each axis."""
    given = call.known(position)
    if given is None and call.attribute("scales") is not None:
        given = np.asarray(call.attribute("scales"))
    if given is not None and given.size:
        scales = [float(s) for s in given]
        return scales, [math.floor(s * own[a]) for s, a in zip(scales, axes, strict=True)]
    sizes = list(call.integers(3) or ())
    scales = [n / own[a] for n, a in zip(sizes, axes, strict=True)]
    policy = call.attribute("keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        scale = min(scales) if policy == "not_larger" else max(scales)
        scales = [scale] * len(axes)
        sizes = [math.floor(scale * own[a] + 0.5) for a in axes]
    return scales, sizes


def taps_of(call: Call, extent: int, size: int, scale: float, region: tuple[float, float]) -> Taps:
    """The taps along an axis of `extent` elements, for a result of `size`."""
    mode = call.attribute("coordinate_transformation_mode", "half_pixel" if call.version >= 11 else "asymmetric")
    at = np.array([_origin(mode, float(k), extent, size, scale, region) for k in range(size)])
    inside = (at >= 0) & (at <= extent - 1) if mode == "tf_crop_and_resize" else np.ones(size, bool)
    whole = at == np.floor(at)
    base = np.where(whole, at - 1, np.floor(at)).astype(np.int64)
    coefficients, start = _coefficients(call, scale)
    weights = np.array([coefficients(1.0 if w else a - b) for a, b, w in zip(at, base, whole, strict=True)])
    indices = base[:, None] + start + np.arange(weights.shape[1])
    if call.attribute("exclude_outside", 0):
        weights = np.where((indices < 0) | (indices >= extent), 0.0, weights)
        weights /= weights.sum(axis=1, keepdims=True)
    indices = np.clip(indices, 0, extent - 1)
    used = (weights != 0).any(axis=0)
    if call.attribute("mode", "nearest") == "nearest":
        chosen = weights.argmax(axis=1)
        return Taps(np.take_along_axis(indices, chosen[:, None], axis=1), np.ones((size, 1)), inside)
    return Taps(indices[:, used], weights[:, used], inside)


def _origin(mode: str, k: float, extent: int, size: int, scale: float, region: tuple[float, float]) -> float:
    """The place in the operand of element `k` of the result."""
    width = scale * extent
    if mode == "align_corners":
        return 0.0 if width == 1 else k * (extent - 1) / (width - 1)
    if mode == "asymmetric":
        return k / scale
    if mode == "tf_crop_and_resize":
        begin, end = region
        if width == 1:
            return (end - begin) * (extent - 1) / 2 + begin * (extent - 1)
        return k * (end - begin) * (extent - 1) / (width - 1) + begin * (extent - 1)
    if mode == "pytorch_half_pixel" and width == 1:
        return -0.5
    shift = extent / 2 * (1 - size / width) if mode == "half_pixel_symmetric" else 0.0
    return shift + (k + 0.5) / scale - 0.5


def _coefficients(call: Call, scale: float) -> tuple[Callable[[float], Any], int]:
    """A function from the distance to the left neighbour to weights, and where the first of them stands."""
    mode = call.attribute("mode", "nearest")
    shrink = min(scale, 1.0) if call.attribute("antialias", 0) else 1.0
    if mode == "nearest":
        rounding = call.attribute("nearest_mode", "round_prefer_floor" if call.version >= 11 else "floor")
        return lambda ratio: _nearest(rounding, ratio), 0
    reach, kernel = (1, _hat) if mode == "linear" else (2, _cubic(call.attribute("cubic_coeff_a", -0.75)))
    start = math.floor(-reach / shrink) + 1
    places = np.arange(start, 2 - start)

    def weights(ratio: float) -> Floats:
        found = np.array([kernel(abs((p - ratio) * shrink)) for p in places])
        return found / found.sum()

    return weights, start


def _nearest(rounding: str, ratio: float) -> list[float]:
    if ratio == 1.0:
        return [0.0, 1.0]
    is_left = {"floor": True, "ceil": False, "round_prefer_floor": ratio <= 0.5, "round_prefer_ceil": ratio < 0.5}
    return [1.0, 0.0] if is_left[rounding] else [0.0, 1.0]


def _hat(distance: float) -> float:
    return max(0.0, 1.0 - distance)


def _cubic(a: float) -> Callable[[float], float]:
    """The convolution kernel of Keys (1981)."""

    def kernel(t: float) -> float:
        if t <= 1:
            return ((a + 2) * t - (a + 3)) * t * t + 1
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a if t < 2 else 0.0

    return kernel


def _along(call: Call, x: Value, axis: int, taps: Taps) -> Value:
    count = taps.indices.shape[1]
    shape = [-1 if d == axis else 1 for d in range(len(shape_of(x)))]
    total: Value | None = None
    for k in range(count):
        part = call.apply("take", x, np.ascontiguousarray(taps.indices[:, k]), axis=axis)
        if count > 1:
            part = call.apply("multiply", part, taps.weights[:, k].astype(x.dtype.numpy).reshape(shape))
        total = part if total is None else call.apply("add", total, part)
    assert total is not None
    return total
