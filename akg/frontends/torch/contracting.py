"""Matrix products and convolutions of ATen."""

from __future__ import annotations

from typing import Any

from akg.frontends.torch.context import Call, bound, shape_of
from akg.frontends.torch.table import converts, unsupported
from akg.ir.graph import Value


@converts("mm.default", "bmm.default", "mv.default", "dot.default")
def product(call: Call) -> Value:
    """Products of matrices, batches of them, and vectors."""
    return call.apply("matmul", call.value(0), call.value(1))


@converts("addmm.default", "baddbmm.default")
def add_product(call: Call) -> Value:
    """beta * c + alpha * a @ b."""
    found = bound(call)
    result = call.apply("matmul", call.value(1), call.value(2))
    if found["alpha"] != 1:
        result = call.apply("multiply", result, found["alpha"])
    if found["beta"] == 0:
        return result
    c = call.value(0) if found["beta"] == 1 else call.apply("multiply", call.value(0), found["beta"])
    return call.apply("add", result, c)


@converts("convolution.default")
def convolution(call: Call) -> Value:
    """Convolutions and transposed ones."""
    found = bound(call)
    x, w, bias = call.value(0), call.value(1), found["bias"]
    rank = len(x.shape) - 2
    stride, padding, dilation = ([*v] * rank if len(v) == 1 else list(v)
                                 for v in (found["stride"], found["padding"], found["dilation"]))  # fmt: skip
    groups = found["groups"]
    if not found["transposed"]:
        return call.apply(f"conv{rank}d", x, w, bias, stride=tuple(stride), padding=[(p, p) for p in padding],
                          dilation=tuple(dilation), groups=groups)  # fmt: skip
    extra = list(found["output_padding"])
    extra = extra * rank if len(extra) == 1 else extra
    return call.apply(f"conv{rank}d_transpose", x, w, bias, stride=tuple(stride), padding=[(p, p) for p in padding],
                      output_padding=tuple(extra), dilation=tuple(dilation), groups=groups)  # fmt: skip


@converts("convolution_backward.default")
def convolution_backward(call: Call) -> Any:
    """Gradients of a convolution with respect to its input, weights and bias."""
    found = bound(call)
    grad, x, w = call.value(0), call.value(1), call.value(2)
    rank, groups = len(x.shape) - 2, found["groups"]
    if found["transposed"] or groups != 1:
        raise unsupported("convolution_backward of groups or transposed ones", "akg has that of plain convolutions")
    stride, padding, dilation = (list(found[k]) for k in ("stride", "padding", "dilation"))
    wanted = found["output_mask"]
    to_input = _to_input(call, grad, x, w, stride, padding, dilation) if wanted[0] else None
    to_weights = _to_weights(call, grad, x, w, stride, padding, dilation) if wanted[1] else None
    to_bias = call.apply("sum", grad, axis=(0, *range(2, rank + 2))) if wanted[2] else None
    return to_input, to_weights, to_bias


def _to_input(
    call: Call, grad: Value, x: Value, w: Value, stride: list[int], padding: list[int], dilation: list[int]
) -> Value:
    rank = len(stride)
    sizes, outs, kernel = shape_of(x)[2:], shape_of(grad)[2:], shape_of(w)[2:]
    extra = [n - ((m - 1) * s - 2 * p + d * (k - 1) + 1)
             for n, m, s, p, d, k in zip(sizes, outs, stride, padding, dilation, kernel, strict=True)]  # fmt: skip
    return call.apply(f"conv{rank}d_transpose", grad, w, None, stride=tuple(stride),
                      padding=[(p, p) for p in padding], output_padding=tuple(extra), dilation=tuple(dilation))


def _to_weights(
    call: Call, grad: Value, x: Value, w: Value, stride: list[int], padding: list[int], dilation: list[int]
) -> Value:
    """A convolution of the input with the gradient: batch and channels change places, stride and dilation too."""
    rank = len(stride)
    swap = (1, 0, *range(2, rank + 2))
    result = call.apply(f"conv{rank}d", call.apply("permute_dims", x, swap), call.apply("permute_dims", grad, swap),
                        None, stride=tuple(dilation), padding=[(p, p) for p in padding],
                        dilation=tuple(stride))  # fmt: skip
    kernel = shape_of(w)[2:]
    if shape_of(result)[2:] != kernel:
        result = call.apply("slice", result, [0] * rank, list(kernel), axes=list(range(2, rank + 2)))
    return call.apply("permute_dims", result, swap)


@converts("max_pool2d_with_indices.default", "avg_pool2d.default")
def pool(call: Call) -> Any:
    """Pooling; of the largest elements' positions nothing is computed, and who reads them stays in eager mode."""
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
    return call.apply("max_pool2d", x, size, stride=stride, padding=padding,
                      dilation=_pair(found["dilation"])), None  # fmt: skip


def _pair(given: Any) -> tuple[int, int]:
    values = list(given) if isinstance(given, (list, tuple)) else [given]
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])
