"""Operators of ATen that move elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from akg.base.dtype import int64
from akg.frontends.torch.context import Call, bound, extent_of, shape_of
from akg.frontends.torch.symbols import sizes_of
from akg.frontends.torch.table import converts, unsupported
from akg.ir.graph import Value


@converts("view.default", "_unsafe_view.default", "reshape.default", "unsqueeze.default", "squeeze.dim",
          "squeeze.dims", "squeeze.default", "flatten.using_ints", is_view=True)  # fmt: skip
def view(call: Call) -> Value:
    """The elements in the shape of the result."""
    return call.apply("reshape", call.value(0), call.shape)


@converts("permute.default", is_view=True)
def permute(call: Call) -> Value:
    """The axes in another order."""
    rank = len(call.shape)
    return call.apply("permute_dims", call.value(0), [d % rank for d in call.args[1]])


@converts("transpose.int", is_view=True)
def transpose(call: Call) -> Value:
    """Two axes exchanged."""
    rank = len(call.shape)
    if rank < 2:
        return call.value(0)
    return call.apply("swapaxes", call.value(0), call.args[1] % rank, call.args[2] % rank)


@converts("t.default", is_view=True)
def matrix_transpose(call: Call) -> Value:
    """A matrix transposed."""
    x = call.value(0)
    return x if len(x.shape) < 2 else call.apply("permute_dims", x, (1, 0))


@converts("expand.default", is_view=True)
def expand(call: Call) -> Value:
    """Broadcast to the shape of the result."""
    return call.apply("broadcast_to", call.value(0), call.shape)


@converts("slice.Tensor", is_view=True)
def slices(call: Call) -> Value:
    """A range along an axis, with a step."""
    found = bound(call)
    x = call.value(0)
    axis = found["dim"] % len(x.shape)
    if call.shape[axis] is x.shape[axis]:  # symbolic, and all of it
        return x
    start, stop, step = slice(found["start"], found["end"], found["step"]).indices(extent_of(x, axis))
    return call.apply("slice", x, [start], [max(start, stop)], [step], axes=[axis])


@converts("select.int", is_view=True)
def select(call: Call) -> Value:
    """One slice along an axis, without the axis."""
    x = call.value(0)
    axis = call.args[1] % len(x.shape)
    at = call.args[2] % extent_of(x, axis)
    return call.apply("reshape", call.apply("slice", x, [at], [at + 1], axes=[axis]), call.shape)


@converts("split.Tensor", "split_with_sizes.default", "unbind.int", is_view=True)
def split(call: Call) -> list[Value]:
    """Pieces along an axis."""
    found, x = bound(call), call.value(0)
    axis = (found.get("dim") or 0) % len(x.shape)
    pieces: list[Value] = []
    at = 0
    for result in call.result:
        shape = sizes_of(result.shape, call.name)
        size = 1 if call.name == "unbind.int" else shape[axis]
        if not isinstance(size, int):
            raise unsupported("a split of symbolic sizes", "the pieces are not known yet")
        piece = call.apply("slice", x, [at], [at + size], axes=[axis])
        pieces.append(call.apply("reshape", piece, shape) if call.name == "unbind.int" else piece)
        at += size
    return pieces


@converts("cat.default")
def cat(call: Call) -> Value:
    """Tensors one after the other along an axis."""
    kind = call.dtype
    parts = [call.cast(p, kind) for p in call.args[0] if len(p.shape) == len(call.shape)]  # torch skips shape (0,)
    return call.apply("concat", parts, axis=call.get(1, "dim", 0) % len(call.shape))


@converts("stack.default")
def stack(call: Call) -> Value:
    """Tensors one after the other along a new axis."""
    return call.apply("stack", [call.cast(p, call.dtype) for p in call.args[0]],
                      axis=call.get(1, "dim", 0) % len(call.shape))  # fmt: skip


@converts("flip.default")
def flip(call: Call) -> Value:
    """Axes in reverse."""
    return call.apply("flip", call.value(0), tuple(d % len(call.shape) for d in call.args[1]))


@converts("repeat.default")
def repeat(call: Call) -> Value:
    """Tiles of a tensor."""
    return call.apply("tile", call.value(0), tuple(call.args[1]))


@converts("roll.default")
def roll(call: Call) -> Value:
    """Elements moved around along axes."""
    return call.apply("roll", call.value(0), tuple(call.args[1]), tuple(call.get(2, "dims", ())) or None)


@converts("constant_pad_nd.default")
def constant_pad(call: Call) -> Value:
    """A constant around; negative widths cut."""
    x, widths = call.value(0), list(call.args[1])
    rank, own = len(x.shape), shape_of(x)
    pairs = [(0, 0)] * rank
    for k in range(len(widths) // 2):
        pairs[rank - 1 - k] = (widths[2 * k], widths[2 * k + 1])
    if any(low < 0 or high < 0 for low, high in pairs):
        x = call.apply("slice", x, [max(0, -low) for low, _ in pairs],
                       [n - max(0, -high) for n, (_, high) in zip(own, pairs, strict=True)])  # fmt: skip
    pairs = [(max(0, low), max(0, high)) for low, high in pairs]
    return call.apply("pad", x, pairs, constant_value=call.get(2, "value", 0))


@converts("embedding.default")
def embedding(call: Call) -> Value:
    """Rows of a table."""
    return call.apply("take", call.value(0), call.value(1), axis=0)


@converts("index_select.default")
def index_select(call: Call) -> Value:
    """Slices at given positions of an axis."""
    x = call.value(0)
    return call.apply("take", x, call.value(2), axis=call.args[1] % len(x.shape))


@converts("gather.default")
def gather(call: Call) -> Value:
    """Elements at given positions of an axis."""
    x, index = call.value(0), call.value(2)
    if not x.shape:
        raise unsupported("gather from a scalar", "it has no axis")
    axis = call.args[1] % len(x.shape)
    own, sizes = shape_of(x), shape_of(index)
    cut = [d for d in range(len(own)) if d != axis and sizes[d] < own[d]]
    if cut:
        x = call.apply("slice", x, [0] * len(cut), [sizes[d] for d in cut], axes=cut)
    return call.apply("take_along_axis", x, index, axis=axis)


@converts("index.Tensor")
def index(call: Call) -> Value:
    """Slices at given positions: integer tensors along leading axes."""
    x, indices = call.value(0), list(call.args[1])
    while indices and indices[-1] is None:
        indices.pop()
    used = [i for i in indices if i is not None]
    if len(used) != len(indices) or any(not isinstance(i, Value) or i.dtype.name == "bool" for i in used):
        raise unsupported("index by masks or in the middle", "akg gathers along leading axes")
    wrapped: list[Value] = []
    for axis, item in enumerate(used):
        extent = extent_of(x, axis)
        item = call.cast(item, int64)
        wrapped.append(call.apply("where", call.apply("less", item, 0), call.apply("add", item, extent), item))
    if len(wrapped) == 1:
        return call.apply("take", x, wrapped[0], axis=0)
    shape = np.broadcast_shapes(*[shape_of(i) for i in wrapped])
    full = [call.apply("broadcast_to", i, shape) for i in wrapped]
    return call.apply("gather_nd", x, call.apply("stack", full, axis=-1))


@converts("slice_scatter.default")
def slice_scatter(call: Call) -> Value:
    """A tensor with a range along an axis replaced."""
    found = bound(call)
    x, source = call.value(0), call.cast(call.value(1), call.dtype)
    axis = found["dim"] % len(x.shape)
    start, stop, step = slice(found["start"], found["end"], found["step"]).indices(extent_of(x, axis))
    if step != 1:
        raise unsupported("slice_scatter with a step", "akg replaces ranges")
    return _between(call, x, source, axis, start, max(start, stop))


@converts("select_scatter.default")
def select_scatter(call: Call) -> Value:
    """A tensor with one slice along an axis replaced."""
    x, source = call.value(0), call.cast(call.value(1), call.dtype)
    axis = call.args[2] % len(x.shape)
    at = call.args[3] % extent_of(x, axis)
    return _between(call, x, call.apply("expand_dims", source, axis), axis, at, at + 1)


def _between(call: Call, x: Value, source: Value, axis: int, start: int, stop: int) -> Value:
    extent = extent_of(x, axis)
    parts: list[Any] = [source]
    if start > 0:
        parts.insert(0, call.apply("slice", x, [0], [start], axes=[axis]))
    if stop < extent:
        parts.append(call.apply("slice", x, [stop], [extent], axes=[axis]))
    return call.apply("concat", parts, axis=axis)


@converts("tril.default", "triu.default")
def triangle(call: Call) -> Value:
    """The lower or upper triangle of matrices."""
    return call.apply(call.name.split(".")[0], call.value(0), k=call.get(1, "diagonal", 0))


@converts("scatter.value")
def scatter_value(call: Call) -> Value:
    """One number put at one place of each line along an axis."""
    x, index = call.value(0), call.value(2)
    axis, own, sizes = call.args[1] % len(x.shape), shape_of(x), shape_of(index)
    if sizes != tuple(1 if d == axis else n for d, n in enumerate(own)):
        raise unsupported("scatter.value at several places", "akg puts one element on each line")
    ticks = np.arange(own[axis]).reshape([-1 if d == axis else 1 for d in range(len(own))])
    hit = call.apply("equal", index, call.builder.constant(ticks.astype(index.dtype.numpy)))
    return call.apply("where", hit, call.scalar(call.args[3], x.dtype), x)
