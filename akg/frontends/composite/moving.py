"""The rules of composite operators that move elements, index, contract or pool."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from akg.base.errors import AkgError
from akg.frontends.composite.document import Operation
from akg.frontends.composite.translate import Complex, Result, Translation, rule
from akg.ir.graph import Value

# --- shapes ---------------------------------------------------------------------------------------------


def _on_parts(x: Result, body: Callable[[Value], Value]) -> Result:
    return Complex(body(x.real), body(x.imag)) if isinstance(x, Complex) else body(x)


@rule("BroadcastTo")
def _broadcast_to(t: Translation, op: Operation) -> Result:
    return _broadcast(t, op)


def _broadcast(t: Translation, op: Operation) -> Result:
    shape = op.outputs[0].shape
    return _on_parts(t.result(op, 0), lambda x: t.apply(op, "broadcast_to", x, shape))


@rule("Tile")
def _tile(t: Translation, op: Operation) -> Result:
    if "multiples" not in op.attributes:
        return _broadcast(t, op)
    counts = op.integers("multiples")
    return _on_parts(t.result(op, 0), lambda x: t.apply(op, "tile", x, tuple(counts)))


@rule("Transpose")
def _transpose(t: Translation, op: Operation) -> Result:
    order = op.integers("perm")
    return _on_parts(t.result(op, 0), lambda x: t.apply(op, "permute_dims", x, tuple(order)))


@rule("Concat")
def _concat(t: Translation, op: Operation) -> Result:
    axis = op.integers("axis", 0)[0]
    return t.apply(op, "concat", [t.tensor(op, k) for k in range(max(len(op.inputs), 1))], axis=axis)


@rule("Split")
def _split(t: Translation, op: Operation) -> list[Value]:
    """Parts of the sizes that the outputs declare."""
    x, axis = t.tensor(op, 0), op.integers("axis", op.get("split_dim", 0))[0]
    rank = len(x.shape)
    if not -rank <= axis < rank or any(len(out.shape) != rank for out in op.outputs):
        raise op.wrong("axis", f"the input has {rank} dimensions, and so have the outputs")
    ends = list(itertools.accumulate(out.shape[axis] for out in op.outputs))
    if ends[-1] != (x.const_shape or ())[axis]:
        raise op.wrong("axis", f"the outputs have {ends[-1]} elements along it, the input {list(x.const_shape or ())}")
    return list(t.apply(op, "split", x, ends[:-1], axis=axis)) if len(ends) > 1 else [x]


@rule("PadAkg")
def _pad(t: Translation, op: Operation) -> Result:
    widths = tuple(zip(op.integers("head"), op.integers("tail"), strict=False))
    return t.apply(op, "pad", t.tensor(op, 0), widths, constant_value=op.get("pad_val", 0))


@rule("UnPadAkg")
def _unpad(t: Translation, op: Operation) -> Result:
    x, tail = t.tensor(op, 0), op.integers("tail")
    sizes = x.const_shape or ()
    if len(tail) != len(sizes) or any(not 0 <= n <= s for n, s in zip(tail, sizes, strict=True)):
        raise op.wrong("tail", f"the input has shape {list(sizes)}")
    return t.apply(op, "slice", x, (0,) * len(tail), tuple([s - n for s, n in zip(sizes, tail, strict=True)]))


@rule("StridedSlice")
def _strided_slice(t: Translation, op: Operation) -> Result:
    x = t.tensor(op, 0)
    begins, ends = op.integers("begin"), op.integers("end")
    steps = op.integers("strides", [1] * len(begins))
    kinds = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    masks = {name: op.integers(f"{name}_mask", 0)[0] for name in kinds}
    if not len(begins) == len(ends) == len(steps):
        raise op.wrong("begin", f"there are {len(ends)} ends and {len(steps)} strides")
    starts: list[int | None] = []
    stops: list[int | None] = []
    strides: list[int] = []
    for k, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        on = {name for name, mask in masks.items() if mask >> k & 1}
        if "new_axis" in on:  # a dimension of size 1, which the declared shape has
            continue
        if "ellipsis" in on:
            rest = len(x.shape) - _dimensions_after(k, len(begins), masks["new_axis"]) - len(starts)
            starts, stops, strides = [*starts, *[None] * rest], [*stops, *[None] * rest], [*strides, *[1] * rest]
            continue
        if "shrink_axis" in on:
            begin, end, step = begin, begin + 1 or None, 1  # type: ignore[assignment]  # pyright: ignore
        starts.append(None if "begin" in on and "shrink_axis" not in on else begin)
        stops.append(None if "end" in on and "shrink_axis" not in on else end)
        strides.append(step)
    return t.apply(op, "slice", x, tuple(starts), tuple(stops), tuple(strides))


def _dimensions_after(k: int, count: int, new_axes: int) -> int:
    """How many dimensions the entries after an ellipsis take."""
    return sum(1 for j in range(k + 1, count) if not new_axes >> j & 1)


@rule("StridedSliceV2")
def _strided_slice_axes(t: Translation, op: Operation) -> Result:
    begins, ends = op.integers("begin"), op.integers("end")
    axes = op.integers("axes", list(range(len(begins))))
    steps = op.integers("strides", [1] * len(begins))
    return t.apply(op, "slice", t.tensor(op, 0), tuple(begins), tuple(ends), tuple(steps), axes=tuple(axes))


@rule("LayoutTransform", "TransData")
def _layout(t: Translation, op: Operation) -> Result:
    """Between layouts such as NCHW, NHWC and NCHW16c: a small letter is the inner part of the dimension of its name."""
    source, target = str(op.require("src_format")), str(op.require("dst_format"))
    if "FRACTAL" in source + target:
        raise AkgError("AKG-E714", f"{op.origin} from {source} to {target}", because="that layout is one of NPUs",
                       hint="ask the framework for DefaultFormat")  # fmt: skip
    return _relaid(t, op, t.tensor(op, 0), _axes(op, source), _axes(op, target))


def _axes(op: Operation, layout: str) -> list[tuple[str, int]]:
    """Dimensions of a layout: a letter, and for an inner part its size, else 0."""
    if layout == "NC1HWC0":
        layout = "NCHW16c"
    found: list[tuple[str, int]] = []
    digits = ""
    for c in layout:
        if c.isdigit():
            digits += c
        elif c.islower() and digits:
            found.append((c.upper(), int(digits)))
            digits = ""
        elif c.isupper() and not digits:
            found.append((c, 0))
        else:
            raise op.wrong("src_format", f"{layout!r} is no layout")
    return found


def _relaid(
    t: Translation, op: Operation, x: Value, source: list[tuple[str, int]], target: list[tuple[str, int]]
) -> Value:
    """`x` in another layout: whole dimensions first, then parts, padded with zeros where they do not divide."""
    if len(source) != len(x.shape) or {c for c, _ in source} != {c for c, _ in target}:
        raise op.wrong("src_format", f"the input has {len(x.shape)} dimensions")
    sizes = list(x.const_shape or ())
    parts: dict[str, list[int]] = {}
    for position, (letter, _) in enumerate(source):
        parts.setdefault(letter, []).append(position)
    order = [p for letter in parts for p in parts[letter]]
    x = t.apply(op, "permute_dims", x, tuple(order))
    whole = {letter: _product([sizes[p] for p in at]) for letter, at in parts.items()}
    x = t.apply(op, "reshape", x, tuple(whole.values()))
    inner = {letter: size for letter, size in target if size}
    widths = tuple([(0, -whole[c] % inner.get(c, 1)) for c in whole])
    if any(after for _, after in widths):
        x = t.apply(op, "pad", x, widths)
    split: list[int] = []
    place: dict[tuple[str, int], int] = {}
    for (letter, size), (_, after) in zip(whole.items(), widths, strict=True):
        step = inner.get(letter, 0)
        place[letter, 0] = len(split)
        split.append((size + after) // (step or 1))
        if step:
            place[letter, step] = len(split)
            split.append(step)
    x = t.apply(op, "reshape", x, tuple(split))
    x = t.apply(op, "permute_dims", x, tuple([place[entry] for entry in target]))
    return _cut(t, op, x)


def _cut(t: Translation, op: Operation, x: Value) -> Value:
    """Without the padding that the declared shape does not have."""
    declared, have = op.outputs[0].shape, x.const_shape or ()
    if len(declared) != len(have) or declared == have:
        return x
    return t.apply(op, "slice", x, (0,) * len(have), tuple([min(d, h) for d, h in zip(declared, have, strict=True)]))


def _product(sizes: list[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


# --- indices --------------------------------------------------------------------------------------------


@rule("OneHot")
def _one_hot(t: Translation, op: Operation) -> Result:
    """`on` where the place along the axis is the index, `off` elsewhere; an index out of range is nowhere."""
    indices, axis, depth = t.tensor(op, 0), op.integers("axis", -1)[0], op.integers("depth")[0]
    places = t.apply(op, "arange", depth, dtype="int64")
    rank = len(indices.shape) + 1
    at = axis % rank
    row = t.apply(op, "reshape", places, tuple([depth if d == at else 1 for d in range(rank)]))
    hit = t.apply(op, "equal", t.apply(op, "expand_dims", indices, at), row)
    on, off = t.operand(op, 1), t.operand(op, 2)
    return t.apply(op, "where", hit, _scalar(t, op, on), _scalar(t, op, off))


def _scalar(t: Translation, op: Operation, x: Any) -> Any:
    return t.apply(op, "reshape", x, ()) if isinstance(x, Value) else x


@rule("Gather")
def _gather(t: Translation, op: Operation) -> Result:
    axis = op.integers("axis", 0)[0]
    return t.apply(op, "take", t.tensor(op, 0), t.tensor(op, 1), axis=axis)


@rule("GatherNd")
def _gather_nd(t: Translation, op: Operation) -> Result:
    return t.apply(op, "gather_nd", t.tensor(op, 0), t.tensor(op, 1))


@rule("TensorScatterAdd")
def _scatter_add(t: Translation, op: Operation) -> Result:
    x, indices, updates = (t.tensor(op, k) for k in range(3))
    if len(indices.shape) < 2:
        indices = t.apply(op, "expand_dims", indices, -1)
    return t.apply(op, "scatter_nd_add", x, indices, updates)


@rule("UnsortedSegmentSum")
def _segment_sum(t: Translation, op: Operation) -> Result:
    x, ids = t.tensor(op, 0), t.tensor(op, 1)
    shape = (op.integers("num_segments", op.outputs[0].shape[0])[0], *(x.const_shape or ())[len(ids.shape) :])
    start = t.apply(op, "zeros", shape, dtype=x.dtype.name)
    return t.apply(op, "scatter_nd_add", start, t.apply(op, "expand_dims", ids, -1), x)


# --- contractions and windows ---------------------------------------------------------------------------


@rule("MatMul", "BatchMatMul", "CpuBatchMatMul", "CudaBatchMatMul", "AicoreBatchMatMul")
def _matmul(t: Translation, op: Operation) -> Result:
    """Sums in float32 at least, rounded once, after the bias."""
    out = op.outputs[0].dtype
    flags = {
        "transpose_a": bool(op.get("transpose_a") or op.get("transpose_x1")),
        "transpose_b": bool(op.get("transpose_b") or op.get("transpose_x2")),
    }
    a, b = t.tensor(op, 0), t.tensor(op, 1)
    if len(op.inputs) < 3:
        same = a.dtype is b.dtype and a.dtype.name == out
        return t.apply(op, "matmul", a, b, **flags, **({} if same else {"out_dtype": out}))
    wide = "float32" if out in ("float16", "bfloat16") else out
    product = t.apply(op, "matmul", a, b, **flags, out_dtype=wide)
    return t.apply(op, "add", product, t.cast(op, t.tensor(op, 2), wide))


@rule("Conv2D")
def _conv2d(t: Translation, op: Operation) -> Result:
    """Data (n, h, w, c), weights (out, kh, kw, c), or blocks of channels; padding is left, right, top, bottom."""
    x, w = t.tensor(op, 0), t.tensor(op, 1)
    layout, depthwise = op.get("data_format", "NHWC"), bool(op.get("is_depth_wise"))
    left, right, top, bottom = _four(op, "pad_list")
    keywords: dict[str, Any] = {
        "stride": tuple(op.integers("stride")[-2:]), "dilation": tuple(op.integers("dilation", [1, 1])[-2:]),
        "padding": ((top, bottom), (left, right)),
    }  # fmt: skip
    groups = op.integers("groups", op.get("group") or 1)[0]
    if layout == "NHWC":
        w = t.apply(op, "permute_dims", w, (1, 2, 3, 0))
        keywords["data_layout"] = "NHWC"
    elif layout == "NC1HWC0":
        return _conv2d_blocked(t, op, x, w, depthwise, keywords)
    elif layout not in ("NCHW", "DefaultFormat"):
        raise op.wrong("data_format", "it is NHWC, NCHW or NC1HWC0")
    if depthwise:
        return t.apply(op, "depthwise_conv2d", x, w, **keywords)
    return t.apply(op, "conv2d", x, w, groups=groups, **keywords)


def _conv2d_blocked(
    t: Translation, op: Operation, x: Value, w: Value, depthwise: bool, keywords: dict[str, Any]
) -> Value:
    """Data (n, c/b, h, w, b), weights (out/a, c/b, kh, kw, b, a), depthwise (c/a, 1, kh, kw, 1, a)."""
    n, blocks, height, width, inner = _shape(op, x, 5)
    outer, channels, kh, kw, low, last = _shape(op, w, 6)
    plain = t.apply(op, "permute_dims", x, (0, 1, 4, 2, 3))
    plain = t.apply(op, "reshape", plain, (n, blocks * inner, height, width))
    weights = t.apply(op, "permute_dims", w, (0, 5, 1, 4, 2, 3))
    weights = t.apply(op, "reshape", weights, (outer * last, channels * low, kh, kw))
    name = "depthwise_conv2d" if depthwise else "conv2d"
    y = t.apply(op, name, plain, weights, **keywords)
    high, wide = _shape(op, y, 4)[2:]
    y = t.apply(op, "reshape", y, (n, outer, last, high, wide))
    return t.apply(op, "permute_dims", y, (0, 1, 3, 4, 2))


@rule("Pool2D")
def _pool2d(t: Translation, op: Operation) -> Result:
    x, kind = t.tensor(op, 0), op.get("pool_type", "max")
    layout = str(op.get("data_layout", "NCHW"))
    if kind not in ("max", "avg"):
        raise op.wrong("pool_type", "it is max or avg")
    rank = len(x.shape)
    places = (1, 2) if layout == "NHWC" else (2, 3)
    if op.get("global"):
        return t.apply(op, "max" if kind == "max" else "mean", x, axis=places, keepdims=True)
    rest = [d for d in range(rank) if d not in places]
    order = [*rest, *places]
    y = t.apply(op, "permute_dims", x, tuple(order))
    sizes = _shape(op, y, rank)
    y = t.apply(op, "reshape", y, (sizes[0], _product(list(sizes[1:-2])), *sizes[-2:]))
    padding, shape = op.get("pad", [0, 0, 0, 0]), op.outputs[0].shape
    top, bottom, left, right = _four(op, "pad") if "pad" in op.attributes else padding
    y = t.apply(
        op, f"{kind}_pool2d", y, tuple(op.integers("kernel_size")[-2:]), stride=tuple(op.integers("strides")[-2:]),
        padding=((top, bottom), (left, right)), ceil_mode=bool(op.get("round_mode") in (1, "ceil")),
    )  # fmt: skip
    y = t.apply(op, "reshape", y, (*sizes[:-2], *(y.const_shape or ())[-2:]))
    back = [order.index(d) for d in range(rank)]
    return t.shaped(op, t.apply(op, "permute_dims", y, tuple(back)), shape)


def _four(op: Operation, name: str) -> list[int]:
    values = op.integers(name)
    if len(values) != 4:
        raise op.wrong(name, "it is a list of four integers")
    return values


def _shape(op: Operation, x: Value, rank: int) -> tuple[int, ...]:
    shape = x.const_shape or ()
    if len(shape) != rank:
        raise op.wrong("data_format", f"an input has shape {list(shape)}, not {rank} dimensions")
    return shape
