"""Operators that move elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from akg.frontends.onnx.context import Call, Operand, dtype_of_operand, shape_of
from akg.frontends.onnx.protos import element_type
from akg.frontends.onnx.table import converts
from akg.ir.graph import Value


@converts("Shape")
def shape(call: Call) -> Any:
    """The sizes of an operand, known."""
    sizes = call.shape(0)
    return np.asarray(sizes[slice(call.attribute("start", 0), call.attribute("end"))], np.int64)


@converts("Size")
def size(call: Call) -> Any:
    """The number of elements, known."""
    return np.asarray(math.prod(call.shape(0)), np.int64)


@converts("Reshape", static=(1,))
def reshape(call: Call) -> Value:
    """The elements in another shape; 0 keeps a size, -1 is what is left."""
    x, own = call.value(0), call.shape(0)
    wanted = call.axes(1, "shape")
    assert wanted is not None
    if not call.attribute("allowzero", 0):
        wanted = tuple(own[d] if n == 0 else n for d, n in enumerate(wanted))
    if -1 in wanted:
        rest = math.prod(n for n in wanted if n != -1)
        wanted = tuple((math.prod(own) // rest if rest else 0) if n == -1 else n for n in wanted)
    return call.apply("reshape", x, wanted)


@converts("Flatten")
def flatten(call: Call) -> Value:
    """A matrix: the axes before one, and from it on."""
    x, own = call.value(0), call.shape(0)
    axis = call.attribute("axis", 1)
    axis = axis + len(own) if axis < 0 else axis
    return call.apply("reshape", x, (math.prod(own[:axis]), math.prod(own[axis:])))


@converts("Squeeze", static=(1,))
def squeeze(call: Call) -> Value:
    """Without axes of size 1."""
    own, axes = call.shape(0), call.axes(1)
    gone = {a % len(own) for a in axes} if axes is not None else {d for d, n in enumerate(own) if n == 1}
    for d in gone:
        if own[d] != 1:
            return call.apply("squeeze", call.value(0), axis=tuple(gone))  # which says what is wrong
    return call.apply("reshape", call.value(0), [n for d, n in enumerate(own) if d not in gone])


@converts("Unsqueeze", static=(1,))
def unsqueeze(call: Call) -> Value:
    """With new axes of size 1."""
    axes = call.axes(1)
    assert axes is not None
    return call.apply("expand_dims", call.value(0), tuple(axes))


@converts("Transpose")
def transpose(call: Call) -> Value:
    """The axes in another order; the reverse one unless told."""
    rank = len(call.shape(0))
    return call.apply("permute_dims", call.value(0), call.attribute("perm", list(range(rank))[::-1]))


@converts("Concat")
def concat(call: Call) -> Value:
    """Operands one after the other along an axis."""
    return call.apply("concat", call.values(), axis=call.attribute("axis", 1))


@converts("Split", static=(1,))
def split(call: Call) -> list[Value]:
    """Pieces along an axis."""
    x = call.value(0)
    axis = call.attribute("axis", 0) % len(x.shape)
    extent, sizes = shape_of(x)[axis], call.axes(1, "split")
    if sizes is None:
        count = call.attribute("num_outputs", len(call.wanted))
        each = -(-extent // count)
        sizes = tuple(min(each, max(0, extent - k * each)) for k in range(count))
    ends = np.cumsum(sizes).tolist()
    return [call.apply("slice", x, [end - n], [end], axes=[axis]) for n, end in zip(sizes, ends, strict=True)]


@converts("Slice", static=(1, 2, 3, 4))
def slices(call: Call) -> Value:
    """Ranges along axes, with steps."""
    own = call.shape(0)
    starts, ends = call.axes(1, "starts"), call.axes(2, "ends")
    assert starts is not None
    assert ends is not None
    axes = call.axes(3) or tuple(range(len(starts)))
    steps = call.integers(4) or (1,) * len(starts)
    bounds = [slice(s, e, t).indices(own[a]) for s, e, t, a in zip(
        _clamped(starts, own, axes, steps), _ends(ends, own, axes, steps), steps, axes, strict=True)]
    return call.apply("slice", call.value(0), [b[0] for b in bounds],
                      [None if b[2] < 0 and b[1] < 0 else b[1] for b in bounds], list(steps), axes=list(axes))


def _clamped(starts: Sequence[int], own: Sequence[int], axes: Sequence[int], steps: Sequence[int]) -> list[int]:
    return [max(-own[a] if t > 0 else -own[a] - 1, min(s, own[a])) for s, a, t in zip(starts, axes, steps, strict=True)]


def _ends(ends: Sequence[int], own: Sequence[int], axes: Sequence[int], steps: Sequence[int]) -> list[int | None]:
    """Ends that a Python slice understands: beyond the beginning means all, where steps are negative."""
    return [None if t < 0 and e < -own[a] else max(-own[a], min(e, own[a]))
            for e, a, t in zip(ends, axes, steps, strict=True)]  # fmt: skip


@converts("Expand", static=(1,))
def expand(call: Call) -> Value:
    """Broadcast, in both directions."""
    wanted = call.integers(1)
    assert wanted is not None
    return call.apply("broadcast_to", call.value(0), np.broadcast_shapes(call.shape(0), wanted))


@converts("Tile", static=(1, 2))
def tile(call: Call) -> Value:
    """Repeated along its axes."""
    counts = call.integers(1)
    assert counts is not None
    return call.apply("tile", call.value(0), counts)


@converts("ConstantOfShape", static=(0,))
def constant_of_shape(call: Call) -> Any:
    """One number everywhere."""
    wanted, number = call.integers(0), call.attribute("value", np.zeros(1, np.float32))
    assert wanted is not None
    return np.full(wanted, number.reshape(-1)[0], number.dtype)


@converts("Range", static=(0, 1, 2))
def arange(call: Call) -> Any:
    """Numbers with equal distances."""
    start, stop, step = (p.reshape(-1)[0] for p in map(call.known, range(3)) if p is not None)
    return np.arange(start, stop, step).astype(start.dtype)


@converts("EyeLike")
def eye_like(call: Call) -> Any:
    """Ones on a diagonal."""
    rows, columns = call.shape(0)
    number = call.attribute("dtype", 0)
    kind = element_type(number, "EyeLike") if number else dtype_of_operand(call.operand(0))
    return np.eye(rows, columns, call.attribute("k", 0), dtype=kind.numpy)


@converts("Trilu", static=(1,))
def trilu(call: Call) -> Value:
    """The upper or lower triangle of matrices."""
    k = call.integers(1) or (0,)
    return call.apply("triu" if call.attribute("upper", 1) else "tril", call.value(0), k=k[0])


@converts("Pad", static=(1, 3))
def pad(call: Call) -> Value:
    """Elements around: a constant, or those at the edge, mirrored or from the other side."""
    x, own = call.value(0), call.shape(0)
    given = call.axes(1, "pads" if call.attribute("pads") is not None else "paddings")
    assert given is not None
    axes = [a % len(own) for a in call.axes(3) or range(len(own))]
    widths = [(0, 0)] * len(own)
    for k, axis in enumerate(axes):
        widths[axis] = (given[k], given[k + len(axes)])
    cuts = [(-min(low, 0), n + min(high, 0)) for (low, high), n in zip(widths, own, strict=True)]
    if any(low < 0 or high < 0 for low, high in widths):
        x = call.apply("slice", x, [c[0] for c in cuts], [c[1] for c in cuts])
    widths = [(max(low, 0), max(high, 0)) for low, high in widths]
    mode = call.attribute("mode", "constant")
    if mode == "wrap":
        return _wrapped(call, x, widths)
    number = call.operand(2) if call.has(2) else np.asarray(call.attribute("value", 0.0))
    if isinstance(number, np.ndarray):
        return call.apply("pad", x, widths, mode=mode, constant_value=number.reshape(-1)[0].item())
    inside = np.pad(np.ones(shape_of(x), bool), widths)
    return call.apply("where", inside, call.apply("pad", x, widths), call.apply("reshape", number, ()))


def _wrapped(call: Call, x: Value, widths: Sequence[tuple[int, int]]) -> Value:
    for axis, (low, high) in enumerate(widths):
        extent = shape_of(x)[axis]
        if low or high:
            index = np.arange(-low, extent + high) % extent
            x = call.apply("take", x, index, axis=axis)
    return x


@converts("DepthToSpace")
def depth_to_space(call: Call) -> Value:
    """Channels into blocks of pixels."""
    x, (n, c, h, w) = call.value(0), call.shape(0)
    b = call.attribute("blocksize")
    if call.attribute("mode", "DCR") == "DCR":
        parts, order = (n, b, b, c // (b * b), h, w), (0, 3, 4, 1, 5, 2)
    else:
        parts, order = (n, c // (b * b), b, b, h, w), (0, 1, 4, 2, 5, 3)
    moved = call.apply("permute_dims", call.apply("reshape", x, parts), order)
    return call.apply("reshape", moved, (n, c // (b * b), h * b, w * b))


@converts("SpaceToDepth")
def space_to_depth(call: Call) -> Value:
    """Blocks of pixels into channels."""
    x, (n, c, h, w) = call.value(0), call.shape(0)
    b = call.attribute("blocksize")
    parts = call.apply("reshape", x, (n, c, h // b, b, w // b, b))
    order = (0, 3, 5, 1, 2, 4) if call.attribute("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    moved = call.apply("permute_dims", parts, order)
    return call.apply("reshape", moved, (n, c * b * b, h // b, w // b))


@converts("OneHot", static=(1,))
def one_hot(call: Call) -> Value:
    """Rows of one number with another at a given position; positions outside leave none."""
    indices, depths = call.value(0), call.integers(1)
    assert depths is not None
    depth, axis = depths[0], call.attribute("axis", -1)
    rank = len(indices.shape) + 1
    axis %= rank
    numbers = call.value(2)
    wrapped = normalised(call, indices, depth)
    column = call.apply("expand_dims", wrapped, axis)
    ticks = np.arange(depth).astype(dtype_of_operand(wrapped).numpy)
    hit = call.apply("equal", column, ticks.reshape([depth if d == axis else 1 for d in range(rank)]))
    off, on = (call.apply("reshape", call.apply("slice", numbers, [k], [k + 1]), ()) for k in range(2))
    return call.apply("where", hit, on, off)


def normalised(call: Call, indices: Operand, extent: int) -> Value:
    """Indices whose negative ones count from the end."""
    if isinstance(indices, np.ndarray):
        return call.as_value(np.where(indices < 0, indices + extent, indices))
    if indices.dtype.is_float:
        return call.apply("where", call.apply("less", indices, 0), call.apply("add", indices, extent), indices)
    return call.apply("where", call.apply("less", indices, 0), call.apply("add", indices, extent), indices)


@converts("Gather")
def gather(call: Call) -> Value:
    """Slices at given positions of an axis."""
    own = call.shape(0)
    axis = call.attribute("axis", 0) % len(own)
    return call.apply("take", call.value(0), normalised(call, call.operand(1), own[axis]), axis=axis)


@converts("GatherElements")
def gather_elements(call: Call) -> Value:
    """Elements at given positions of an axis."""
    own = call.shape(0)
    axis = call.attribute("axis", 0) % len(own)
    index, sizes = normalised(call, call.operand(1), own[axis]), call.shape(1)
    x = call.value(0)
    cut = [d for d in range(len(own)) if d != axis and sizes[d] < own[d]]
    if cut:
        x = call.apply("slice", x, [0] * len(cut), [sizes[d] for d in cut], axes=cut)
    return call.apply("take_along_axis", x, index, axis=axis)


@converts("GatherND")
def gather_nd(call: Call) -> Value:
    """Slices at given positions of several axes."""
    own, batch = call.shape(0), call.attribute("batch_dims", 0)
    depth = call.shape(1)[-1]
    extents = np.asarray(own[batch : batch + depth])
    indices = call.operand(1)
    if isinstance(indices, np.ndarray):
        indices = np.where(indices < 0, indices + extents, indices)
    else:
        moved = call.apply("add", indices, extents.astype(indices.dtype.numpy))
        indices = call.apply("where", call.apply("less", indices, 0), moved, indices)
    return call.apply("gather_nd", call.value(0), indices, batch_dims=batch)


_COMBINING = {"none": "last", "add": "sum", "mul": "prod", "min": "min", "max": "max"}


@converts("ScatterElements", "Scatter")
def scatter_elements(call: Call) -> Value:
    """Elements put at given positions of an axis, or combined with those there."""
    x, axis = call.value(0), call.attribute("axis", 0)
    combine = _COMBINING[call.attribute("reduction", "none")]
    return call.apply("put_along_axis", x, call.operand(1), call.value(2), axis=axis, combine=combine)


@converts("ScatterND")
def scatter_nd(call: Call) -> Value:
    """Slices put at given positions, or combined with those there."""
    combine = _COMBINING[call.attribute("reduction", "none")]
    return call.apply("scatter_nd", call.value(0), call.operand(1), call.value(2), combine=combine)


@converts("Compress", static=(1,))
def compress(call: Call) -> Value:
    """The slices of an axis that a known mask selects."""
    mask, axis = call.known(1), call.attribute("axis")
    assert mask is not None
    x = call.value(0)
    if axis is None:
        x, axis = call.apply("reshape", x, (math.prod(call.shape(0)),)), 0
    return call.apply("take", x, np.flatnonzero(mask), axis=axis)


@converts("ReverseSequence", static=(1,))
def reverse_sequence(call: Call) -> Value:
    """The first elements of each sequence in reverse."""
    lengths, own = call.integers(1), call.shape(0)
    assert lengths is not None
    time, batch = call.attribute("time_axis", 0), call.attribute("batch_axis", 1)
    index = np.empty((own[batch], own[time]), np.int64)
    for row, length in enumerate(lengths):
        index[row] = np.arange(own[time])
        index[row, :length] = index[row, :length][::-1]
    index = index if batch < time else index.T
    full = np.broadcast_to(index.reshape([n if d in (time, batch) else 1 for d, n in enumerate(own)]), own)
    return call.apply("take_along_axis", call.value(0), np.ascontiguousarray(full), axis=time)
