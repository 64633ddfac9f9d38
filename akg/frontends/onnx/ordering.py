"""Greatest elements, and places of maxima: TopK, pooling with places, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from akg.base.dtype import index, int32, int64
from akg.frontends.onnx.context import Call, Known, shape_of
from akg.frontends.onnx.table import converts
from akg.frontends.onnx.windows import Window
from akg.ir import te
from akg.ir.expr import Expr
from akg.ir.graph import Value
from akg.ir.te.tensor import Tensor

BLOCK = 128  # elements that are ranked among each other, in rows that are longer
WIDE = 4  # blocks are worth it where each leaves less than this part of its elements


@converts("TopK", static=(1,))
def top_k(call: Call) -> Any:
    """The greatest or least elements along an axis, in order, the first of equal ones first; and their places.

    An element's rank is the number of elements before it in that order. Long rows are cut into blocks, whose greatest
    elements are ranked in turn, so that the work grows with the length, and not with its square.
    """
    x, own = call.value(0), call.shape(0)
    axis = call.attribute("axis", -1) % len(own)
    k = call.attribute("k") if call.version < 10 else (call.integers(1) or (0,))[0]
    descending = bool(call.attribute("largest", 1))
    order = [d for d in range(len(own)) if d != axis] + [axis]
    back = [order.index(d) for d in range(len(own))]
    rows = call.apply("permute_dims", x, order)
    rows = call.apply("reshape", rows, (math.prod(own[d] for d in order[:-1]), own[axis]))
    places = _best(call, rows, k, descending)
    shape = (*[own[d] for d in order[:-1]], k)
    values = call.apply("take_along_axis", rows, places, axis=1)
    return tuple(call.apply("permute_dims", call.apply("reshape", v, shape), back) for v in (values, places))


def _best(call: Call, rows: Value, k: int, descending: bool) -> Value:
    """Places of the best `k` elements of each row, of shape (rows, k)."""
    count, length = shape_of(rows)
    block = max(BLOCK, WIDE * k)
    if length <= 2 * block:
        return _ranked(call, rows, k, descending)
    whole = -(-length // block) * block
    if whole > length:
        lowest = _last(rows, descending)
        rows = call.apply("pad", rows, [(0, 0), (0, whole - length)], constant_value=lowest)
    parts = call.apply("reshape", rows, (count * (whole // block), block))
    inner = _ranked(call, parts, k, descending)
    kept = call.apply("reshape", call.apply("take_along_axis", parts, inner, axis=1), (count, whole // block * k))
    starts = np.arange(0, whole, block)[:, None]
    at = call.apply("add", call.apply("reshape", inner, (count, whole // block, k)), starts)
    at = call.apply("reshape", at, (count, whole // block * k))
    return call.apply("take_along_axis", at, _best(call, kept, k, descending), axis=1)


def _last(rows: Value, descending: bool) -> float:
    """An element that none comes after; fillers stand at the end, so that equal ones come first."""
    if rows.dtype.is_float:
        return -math.inf if descending else math.inf
    bounds = np.iinfo(rows.dtype.numpy)
    return int(bounds.min if descending else bounds.max)


def _ranked(call: Call, rows: Value, k: int, descending: bool) -> Value:
    count, length = shape_of(rows)

    def ranks(x: Tensor) -> Tensor:
        j = te.reduce_axis(length, name="j")

        def element(r: Expr, i: Expr) -> Expr:
            a, b = x[r, i], x[r, j]
            ahead = (b > a) if descending else (b < a)
            return te.sum(te.cast(ahead | (b.__eq__(a) & (j < i)), int32), axis=j)

        return te.compute((count, length), element, name="ranks")

    def chosen(ranks: Tensor) -> Tensor:
        i = te.reduce_axis(length, name="i")

        def element(r: Expr, place: Expr) -> Expr:
            hit = ranks[r, i].__eq__(te.cast(place, int32))
            return te.sum(te.select(hit, te.cast(i, int32), te.const(0, int32)), axis=i)

        return te.compute((count, k), element, name="places")

    found = call.define("ranks", ranks, rows, kind="opaque")
    return call.cast(call.define("places", chosen, found, kind="opaque"), int64)


def places_of_maxima(call: Call, padded: Value, place: Window, sizes: tuple[int, ...], shape: tuple[int, ...]) -> Value:
    """For each window the place of its first maximum in the whole tensor, as MaxPool's second result.

    Args:
        call: the node; its attribute storage_order says whether columns come first.
        padded: the tensor with its padding.
        place: the windows.
        sizes: of the spatial axes without padding.
        shape: of the result.
    """
    rank, count = len(sizes), math.prod(place.size)

    def within(k: Expr) -> list[Expr]:
        """A tap of the window along each axis."""
        found: list[Expr] = []
        for size in reversed(place.size):
            found.append(k % size)
            k = k // size
        return found[::-1]

    def windows(x: Tensor) -> Tensor:
        def element(n: Expr, c: Expr, *at: Expr) -> Expr:
            taps = within(at[-1])
            where = [p * s + t * d for p, s, t, d in zip(at[:-1], place.stride, taps, place.dilation, strict=True)]
            return x[(n, c, *where)]

        return te.compute((*shape, count), element, name="windows")

    steps = [math.prod(sizes[d + 1 :]) for d in range(rank)]
    if call.attribute("storage_order", 0):
        steps = [math.prod(sizes[:d]) for d in range(rank)]

    def absolute(best: Tensor) -> Tensor:
        def element(n: Expr, c: Expr, *at: Expr) -> Expr:
            total = te.cast((n * shape[1] + c) * math.prod(sizes), int64)
            for p, t, d in zip(at, within(best[(n, c, *at)]), range(rank), strict=True):
                first = te.cast(p * place.stride[d] - place.before[d], int64)
                total = total + (first + t * place.dilation[d]) * steps[d]
            return total

        return te.compute(shape, element, name="places_of_maxima")

    best = call.apply("argmax", call.define("windows", windows, padded, kind="opaque"), axis=-1)
    return call.define("places_of_maxima", absolute, call.cast(best, int64))


@converts("MaxUnpool", static=(2,))
def max_unpool(call: Call) -> Value:
    """Zeros, with the elements of the operand at given places of the whole tensor."""
    x, own = call.value(0), call.shape(0)
    size = call.attribute("kernel_shape")
    stride, pads = call.attribute("strides", [1] * len(size)), call.attribute("pads", [0] * (2 * len(size)))
    spans = [(n - 1) * s - pads[d] - pads[d + len(size)] + k
             for d, (n, s, k) in enumerate(zip(own[2:], stride, size, strict=True))]  # fmt: skip
    shape, wanted = (*own[:2], *spans), call.integers(2)
    zeros = call.apply("zeros", (math.prod(shape),), dtype=x.dtype.name)
    flat = [call.apply("reshape", v, (math.prod(own),)) for v in (call.value(1), x)]
    found: Value = call.apply("reshape", call.apply("put_along_axis", zeros, *flat, axis=0, combine="last"), shape)
    if wanted is None or wanted == shape:
        return found
    return call.apply("pad", found, [(0, w - n) for w, n in zip(wanted, shape, strict=True)])  # type: ignore[no-any-return]


@converts("TensorScatter")
def tensor_scatter(call: Call) -> Value:
    """A cache with rows of an update from a given place on, for each sequence of the batch."""
    own, rows = call.shape(0), call.shape(1)
    axis = call.attribute("axis", -2) % len(own)
    circular = call.attribute("mode", "linear") == "circular"
    first = call.operand(2) if call.has(2) else np.zeros(own[0], np.int64)

    def updated(past: Tensor, update: Tensor, starts: Tensor) -> Tensor:
        def element(*at: Expr) -> Expr:
            row = te.cast(at[axis], int64) - te.cast(starts[at[0]], int64)
            row = te.floormod(row, own[axis]) if circular else row
            near = te.cast(te.minimum(te.maximum(row, 0), rows[axis] - 1), index)
            new = update[(*at[:axis], near, *at[axis + 1 :])]
            return te.select((row >= 0) & (row < rows[axis]), new, past[at])

        return te.compute(own, element, name="tensor_scatter")

    return call.define("tensor_scatter", updated, call.value(0), call.value(1), _values(call, first), kind="opaque")


def _values(call: Call, operand: Value | Known) -> Value:
    return call.as_value(operand)


@converts("Col2Im", static=(1, 2))
def col2im(call: Call) -> Value:
    """Sums of window elements at the places that they came from."""
    sizes, kernel = call.integers(1) or (), call.integers(2) or ()
    n, rows, _ = call.shape(0)
    rank, taps = len(sizes), math.prod(kernel)
    stride, dilation = (call.attribute(name, [1] * rank) for name in ("strides", "dilations"))
    pads = call.attribute("pads", [0] * (2 * rank))
    counts = [(size + pads[d] + pads[d + rank] - dilation[d] * (kernel[d] - 1) - 1) // stride[d] + 1
              for d, size in enumerate(sizes)]  # fmt: skip
    split = call.apply("reshape", call.value(0), (n, rows // taps, *kernel, *counts))

    def gathered(x: Tensor) -> Tensor:
        window = [te.reduce_axis(k, name=f"k{d}") for d, k in enumerate(kernel)]

        def element(b: Expr, c: Expr, *at: Expr) -> Expr:
            moved = [p + pads[d] - window[d] * dilation[d] for d, p in enumerate(at)]
            met = [(m % stride[d]).__eq__(0) & (m >= 0) & (m < counts[d] * stride[d]) for d, m in enumerate(moved)]
            return te.sum(x[(b, c, *window, *[m // stride[d] for d, m in enumerate(moved)])], axis=window,
                          where=te.all(*met))  # fmt: skip

        return te.compute((n, rows // taps, *sizes), element, name="col2im")

    return call.define("col2im", gathered, split, kind="opaque")
