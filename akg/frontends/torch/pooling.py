"""Pooling of ATen, with the positions of the largest elements and the gradient that reads them."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any, cast

from akg import ops
from akg.base.dtype import DType, float32, int32, int64
from akg.frontends.torch.context import Call, bound, shape_of
from akg.frontends.torch.symbols import sizes_of
from akg.frontends.torch.table import converts, unsupported
from akg.ir import te
from akg.ir.expr import Expr
from akg.ir.graph import Value
from akg.ir.te.tensor import Tensor


@converts("max_pool2d_with_indices.default", "avg_pool2d.default")
def pool(call: Call) -> Any:
    """Pooling, and the largest elements' positions in their images."""
    found, x = bound(call), call.value(0)
    size = _pair(found["kernel_size"])
    stride = _pair(found["stride"]) if found["stride"] else size
    padding = [(p, p) for p in _pair(found["padding"])]
    if call.name.startswith("avg"):
        if found["divisor_override"] is not None or found["ceil_mode"] or len(x.shape) != 4:
            raise unsupported("avg_pool2d of this form", "akg divides by the number of elements")
        return call.apply("avg_pool2d", x, size, stride=stride, padding=padding,
                          count_include_pad=found["count_include_pad"])  # fmt: skip
    if found["ceil_mode"] or len(x.shape) != 4:
        raise unsupported("max_pool2d of this form", "akg pools batches of images, without partial windows")
    step = _pair(found["dilation"])
    places = [(i * step[0], j * step[1]) for i in range(size[0]) for j in range(size[1])]
    width, (rows, columns) = shape_of(x)[3], sizes_of(call.result[0].shape, call.name)[2:]
    (above, _), (before, _) = padding

    def largest(image: Tensor) -> tuple[Tensor, Tensor]:
        lines = [(0, 0), (0, 0), *padding]
        around = cast(Tensor, ops.get("pad").function(image, lines, constant_value=-math.inf))
        shape = (*image.shape[:2], rows, columns)

        def taps(n: Expr, c: Expr, y: Expr, z: Expr) -> list[Expr]:
            return [around[n, c, y * stride[0] + i, z * stride[1] + j] for i, j in places]

        top = te.compute(shape, lambda *at: reduce(te.maximum, taps(*at)))

        def position(n: Expr, c: Expr, y: Expr, z: Expr) -> Expr:
            found: Expr = te.cast(0, int32)
            for (i, j), tap in reversed([*zip(places, taps(n, c, y, z), strict=True)]):  # the first is outermost
                is_here = (tap == top[n, c, y, z]) | (tap != tap)
                found = te.select(is_here, te.cast(i * width + j, int32), found)
            begin = te.cast((y * stride[0] - above) * width + (z * stride[1] - before), int32)
            return te.cast(begin + found, int64)

        return top, te.compute(shape, position)

    return call.define("max_pool2d_with_positions", largest, x, kind="reduce")


@converts("max_pool2d_with_indices_backward.default")
def max_pool_backward(call: Call) -> Value:
    """The gradient of max-pooling: each element gathers from the windows that it is in, where it is the largest."""
    found = bound(call)
    grad, at = call.value(0), found["indices"]
    if len(grad.shape) != 4:
        raise unsupported("max_pool2d_with_indices_backward of this form", "akg pools batches of images")
    size, padding, step = (_pair(found[k]) for k in ("kernel_size", "padding", "dilation"))
    stride = _pair(found["stride"]) if found["stride"] else size
    (_, _, height, width), (_, _, rows, columns) = shape_of(call.value(1)), shape_of(grad)
    wide = grad.dtype if grad.dtype.itemsize_bytes > 4 else float32
    reach = [-(-((k - 1) * d + 1) // s) for k, d, s in zip(size, step, stride, strict=True)]
    first = (height - 1 + padding[0]) // stride[0] + reach[0], (width - 1 + padding[1]) // stride[1] + reach[1]

    def scattered(gradient: Tensor, position: Tensor) -> Tensor:
        def spread(x: Tensor, kind: DType, nothing: float) -> Tensor:
            """Columns as often as windows move by a column, with nothing around: rows of windows lie as rows do."""

            def element(n: Expr, c: Expr, y: Expr, z: Expr) -> Expr:
                row, column = y - (reach[0] - 1), z // stride[1] - (reach[1] - 1)
                inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
                return te.select(inside, te.cast(x[n, c, row, column], kind), te.cast(nothing, kind))

            return te.compute((*x.shape[:2], first[0], first[1] * stride[1]), element)

        values, places = spread(gradient, wide, 0.0), spread(position, int32, -1)
        i, j = te.reduce_axis(reach[0], name="i"), te.reduce_axis(reach[1], name="j")

        def element(n: Expr, c: Expr, h: Expr, w: Expr) -> Expr:
            y = (h + padding[0]) // stride[0] + (reach[0] - 1) - i
            z = w + (padding[1] + (reach[1] - 1) * stride[1]) - j * stride[1]
            is_here = places[n, c, y, z] == te.cast(h * width + w, int32)
            return te.sum(te.select(is_here, values[n, c, y, z], te.cast(0.0, wide)), axis=(i, j))

        return te.compute((*gradient.shape[:2], height, width), element)

    return call.cast(call.define("max_pool_gradient", scattered, grad, at, kind="reduce"), call.dtype)


def _pair(given: Any) -> tuple[int, int]:
    values = list(given) if isinstance(given, (list, tuple)) else [given]
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])
