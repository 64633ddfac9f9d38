"""Elements between elements: grids of places, regions of interest, deformed windows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from akg.base.dtype import float32, index, int64
from akg.frontends.onnx.context import Call, shape_of
from akg.frontends.onnx.table import converts, unsupported
from akg.frontends.onnx.windows import window_of
from akg.ir import te
from akg.ir.expr import Expr
from akg.ir.graph import Value
from akg.ir.te.tensor import Tensor

# Where an element is read along one axis, with which weight, and whether there is such an element (None: there is).
Tap = tuple[Expr, Expr, Expr | None]
ALPHA = -0.75  # of Keys' cubic convolution


@converts("GridSample")
def grid_sample(call: Call) -> Value:
    """The elements at the places of a grid, which are given from -1 to 1 along each axis."""
    mode = str(call.attribute("mode", "linear")).removeprefix("bi")
    border, aligned = str(call.attribute("padding_mode", "zeros")), bool(call.attribute("align_corners", 0))
    sizes = call.shape(0)[2:]

    def sampled(x: Tensor, grid: Tensor) -> Tensor:
        def element(n: Expr, c: Expr, *at: Expr) -> Expr:
            taps = [
                _taps(_place(te.cast(grid[(n, *at, len(sizes) - 1 - d)], float32), size, aligned), size,
                      "linear" if mode == "near" else mode, border, aligned)
                for d, size in enumerate(sizes)
            ]  # fmt: skip
            return te.cast(_combined(lambda place: te.cast(x[(n, c, *place)], float32), taps), x.dtype)

        return te.compute((*x.shape[:2], *grid.shape[1:-1]), element, name="grid_sample")

    return call.define("grid_sample", sampled, call.value(0), call.value(1), kind="opaque")


def _place(x: Expr, size: int, aligned: bool) -> Expr:
    """From -1 .. 1 to elements: the outermost ones are at -1 and 1, or their outer borders."""
    return (x + 1.0) * (0.5 * (size - 1)) if aligned else ((x + 1.0) * float(size) - 1.0) * 0.5


def _combined(read: Callable[[tuple[Expr, ...]], Expr], taps: Sequence[Sequence[Tap]]) -> Expr:
    """The weighted sum over the taps of all axes."""
    terms: list[Expr] = []
    for corner in itertools.product(*taps):
        weight = math.prod((w for _, w, _ in corner[1:]), start=corner[0][1])
        term = read(tuple([at for at, _, _ in corner])) * weight
        present = [there for _, _, there in corner if there is not None]
        terms.append(te.select(te.all(*present), term, te.const(0.0, float32)) if present else term)
    return sum(terms[1:], start=terms[0])


def _taps(place: Expr, size: int, mode: str, border: str, aligned: bool) -> list[Tap]:
    low, high = (0.0, size - 1.0) if aligned else (-0.5, size - 0.5)
    if mode != "cubic":
        place = _mirrored(place, low, high) if border == "reflection" else place
        place = te.minimum(te.maximum(place, 0.0), size - 1.0) if border == "border" else place
    if mode == "nearest":
        return [_tap(te.round(place), te.const(1.0, float32), size, border, low, high)]
    base = te.floor(place)
    part = place - base
    offsets = (0, 1) if mode == "linear" else (-1, 0, 1, 2)
    weights = [1.0 - part, part] if mode == "linear" else [_cubic(abs(part - float(k))) for k in offsets]
    return [_tap(base + float(k), w, size, border, low, high) for k, w in zip(offsets, weights, strict=True)]


def _cubic(x: Expr) -> Expr:
    """Keys' kernel at a distance."""
    near = ((ALPHA + 2) * x - (ALPHA + 3)) * x * x + 1.0
    far = ((ALPHA * x - 5 * ALPHA) * x + 8 * ALPHA) * x - 4 * ALPHA
    return te.select(x <= 1.0, near, far)


def _mirrored(x: Expr, low: float, high: float) -> Expr:
    span = high - low
    if span == 0:
        return x * 0.0 + low
    ahead = abs(x - low)
    turns = te.floor(ahead / span)
    rest = ahead - turns * span
    return te.select(turns - 2.0 * te.floor(turns * 0.5) > 0.5, high - rest, rest + low)


def _tap(at: Expr, weight: Expr, size: int, border: str, low: float, high: float) -> Tap:
    if border == "reflection":
        at = te.select((at < low) | (at > high), te.trunc(_mirrored(at, low, high)), at)
    there = (at >= 0.0) & (at <= size - 1.0) if border == "zeros" else None
    return subscript(at, size), weight, there


def subscript(at: Expr, size: int) -> Expr:
    """A whole number in float32 as the subscript of an axis: the nearest there is, also for no number at all."""
    limited = te.select(at > 0.0, te.select(at < size - 1.0, at, te.const(size - 1.0, float32)), te.const(0.0, float32))
    return te.cast(te.minimum(te.maximum(te.cast(limited, int64), 0), size - 1), index)


@converts("RoiAlign")
def roi_align(call: Call) -> Value:
    """For each region the mean, or the maximum, over samples of each of its cells."""
    height, width = call.attribute("output_height", 1), call.attribute("output_width", 1)
    count, kind = call.attribute("sampling_ratio", 0), call.attribute("mode", "avg")
    if count <= 0:
        raise unsupported("RoiAlign with sampling_ratio 0", "the size of each region would decide how many samples")
    scale = float(call.attribute("spatial_scale", 1.0))
    half = call.attribute("coordinate_transformation_mode", "half_pixel" if call.version >= 16 else "") == "half_pixel"
    own, shift = call.shape(0), 0.5 if half else 0.0

    def aligned(x: Tensor, regions: Tensor, images: Tensor) -> Tensor:
        steps = [te.reduce_axis(count, name=name) for name in ("sy", "sx")]

        def place(r: Expr, cell: Expr, step: Expr, cells: int, axis: int) -> Expr:
            first, last = (te.cast(regions[r, k], float32) * scale - shift for k in (axis, axis + 2))
            extent = (last - first) if half else te.maximum(last - first, 1.0)
            part = te.cast(cell, float32) + (te.cast(step, float32) + 0.5) / float(count)
            return first + part * (extent / float(cells))

        def element(r: Expr, c: Expr, i: Expr, j: Expr) -> Expr:
            image = te.cast(te.minimum(te.maximum(te.cast(images[r], int64), 0), own[0] - 1), index)
            ys = _bounded(place(r, i, steps[0], height, 1), own[2])
            xs = _bounded(place(r, j, steps[1], width, 0), own[3])

            def read(at: tuple[Expr, ...]) -> Expr:
                return te.cast(x[(image, c, *at)], float32)

            if kind == "avg":
                return te.sum(_combined(read, [ys, xs]), axis=steps)
            corners = [_combined(read, [[a], [b]]) for a in ys for b in xs]
            top = corners[0]
            for corner in corners[1:]:
                top = te.maximum(top, corner)
            return te.max(top, axis=steps)

        return te.compute((regions.shape[0], own[1], height, width), element, name="roi_align")

    total = call.define("roi_align", aligned, *call.values()[:3], kind="opaque")
    mean = call.apply("divide", total, float(count * count)) if kind == "avg" else total
    return call.cast(mean, call.value(0).dtype)


def _bounded(place: Expr, size: int) -> list[Tap]:
    """Linear taps that stay on the outermost elements up to one element beyond them; nothing further out."""
    there = (place >= -1.0) & (place <= float(size))
    inner = te.minimum(te.maximum(place, 0.0), size - 1.0)
    base = te.floor(inner)
    part = inner - base
    return [(subscript(base, size), 1.0 - part, there), (subscript(base + 1.0, size), part, there)]


@converts("DeformConv")
def deformed_convolution(call: Call) -> Value:
    """A convolution whose window elements are read at places of their own, between elements by bilinear weights."""
    x, weights, offsets = call.value(0), call.value(1), call.value(2)
    (n, channels, *sizes), (out, _, *kernel) = shape_of(x), shape_of(weights)
    if len(sizes) != 2:
        raise unsupported("DeformConv over other than two axes", "ONNX defines two")
    groups, shifted = call.attribute("group", 1), call.attribute("offset_group", 1)
    place, taps, places = window_of(call, kernel, sizes), math.prod(kernel), shape_of(offsets)[2:]

    def columns(x: Tensor, offset: Tensor, *mask: Tensor) -> Tensor:
        def element(b: Expr, c: Expr, ki: Expr, kj: Expr, i: Expr, j: Expr) -> Expr:
            group = c // (channels // shifted)
            tap = group * taps + ki * kernel[1] + kj
            axes = []
            for d, (k, at) in enumerate(((ki, i), (kj, j))):
                first = at * place.stride[d] - place.before[d] + k * place.dilation[d]
                moved = te.cast(te.cast(first, int64), float32) + te.cast(offset[b, tap * 2 + d, i, j], float32)
                axes.append(_taps(moved, sizes[d], "linear", "zeros", True))
            read = _combined(lambda at: te.cast(x[(b, c, *at)], float32), axes)
            return read * te.cast(mask[0][b, tap, i, j], float32) if mask else read

        return te.compute((n, channels, *kernel, *places), element, name="columns")

    masks = [call.value(4)] if call.has(4) else []
    found: Any = call.define("deformed_columns", columns, x, offsets, *masks, kind="opaque")
    found = call.apply("reshape", call.cast(found, x.dtype), (n, groups, channels // groups * taps, math.prod(places)))
    flat = call.apply("reshape", weights, (groups, out // groups, channels // groups * taps))
    result = call.apply("reshape", call.apply("matmul", flat, found), (n, out, *places))
    return call.apply("add", result, call.apply("reshape", call.value(3), (out, 1, 1))) if call.has(3) else result
