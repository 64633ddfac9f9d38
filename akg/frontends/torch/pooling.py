"""Pooling of ATen, with the positions of the largest elements and the gradient that reads them."""

from __future__ import annotations

from typing import Any

from akg.base.dtype import float32, int64
from akg.frontends.torch.context import Call, bound, shape_of
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
    largest = call.apply("max_pool2d", x, size, stride=stride, padding=padding, dilation=step)
    height, width = shape_of(x)[2:]

    def positions(image: Tensor, top: Tensor) -> Tensor:
        def element(n: Expr, c: Expr, y: Expr, z: Expr) -> Expr:
            found: Expr | int = 0
            for i in reversed(range(size[0])):  # the first of equal ones is the outermost choice
                for j in reversed(range(size[1])):
                    h = y * stride[0] + (i * step[0] - padding[0][0])
                    w = z * stride[1] + (j * step[1] - padding[1][0])
                    is_here = te.select(_within(h, height, w, width), image[n, c, h, w] == top[n, c, y, z], False)
                    found = te.select(is_here, te.cast(h * width + w, int64), found)
            return te.cast(found, int64)

        return te.compute(top.shape, element)

    return largest, call.define("max_positions", positions, x, largest, kind="reshape")


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

    def scattered(gradient: Tensor, position: Tensor) -> Tensor:
        i, j = te.reduce_axis(reach[0], name="i"), te.reduce_axis(reach[1], name="j")

        def element(n: Expr, c: Expr, h: Expr, w: Expr) -> Expr:
            y, z = (h + padding[0]) // stride[0] - i, (w + padding[1]) // stride[1] - j
            is_here = te.select(_within(y, rows, z, columns),
                                position[n, c, y, z] == te.cast(h * width + w, int64), False)  # fmt: skip
            return te.sum(te.select(is_here, gradient[n, c, y, z], 0.0), axis=(i, j))

        return te.compute((*gradient.shape[:2], height, width), element)

    return call.cast(call.define("max_pool_gradient", scattered, call.cast(grad, wide), at, kind="reduce"),
                     call.dtype)  # fmt: skip


def _within(y: Expr, rows: int, z: Expr, columns: int) -> Expr:
    return (y >= 0) & (y < rows) & (z >= 0) & (z < columns)


def _pair(given: Any) -> tuple[int, int]:
    values = list(given) if isinstance(given, (list, tuple)) else [given]
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])
