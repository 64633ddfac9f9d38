"""Matrix products and convolutions of ATen."""

from __future__ import annotations

from math import inf
from typing import Any

from akg.frontends.torch.context import Call, bound, shape_of
from akg.frontends.torch.table import converts, unsupported
from akg.ir import te
from akg.ir.expr import Expr
from akg.ir.graph import Value
from akg.ir.te.tensor import Tensor


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


@converts("_scaled_dot_product_flash_attention_for_cpu.default")
def attention(call: Call) -> Any:
    """Attention; a row whose every key is masked is 0, as torch has it. The second result is for gradients."""
    found = bound(call)
    if found["dropout_p"]:
        raise unsupported("attention with dropout", "akg draws no random numbers")
    mask = found["attn_mask"]
    result = call.apply("scaled_dot_product_attention", call.value(0), call.value(1), call.value(2), mask,
                        causal=bool(found["is_causal"]), scale=found["scale"])  # fmt: skip
    if mask is not None:
        best = call.apply("max", mask, axis=-1, keepdims=True)
        result = call.apply("where", call.apply("equal", best, -inf), 0.0, result)
    return call.cast(result, call.dtype), None


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
    around = [d * (k - 1) - p for d, k, p in zip(dilation, kernel, padding, strict=True)]
    if all(s == 1 for s in stride) and min(around) >= 0:
        # A plain convolution with the weights turned round: kernels of those are the faster ones.
        turned = call.apply("permute_dims", call.apply("flip", w, tuple(range(2, rank + 2))),
                            (1, 0, *range(2, rank + 2)))  # fmt: skip
        return call.apply(f"conv{rank}d", grad, turned, None, stride=(1,) * rank, padding=[(p, p) for p in around],
                          dilation=tuple(dilation))  # fmt: skip
    extra = [n - ((m - 1) * s - 2 * p + d * (k - 1) + 1)
             for n, m, s, p, d, k in zip(sizes, outs, stride, padding, dilation, kernel, strict=True)]  # fmt: skip
    return call.apply(f"conv{rank}d_transpose", grad, w, None, stride=tuple(stride),
                      padding=[(p, p) for p in padding], output_padding=tuple(extra), dilation=tuple(dilation))


def _to_weights(
    call: Call, grad: Value, x: Value, w: Value, stride: list[int], padding: list[int], dilation: list[int]
) -> Value:
    """For each tap of the window a product of matrices: the gradient's channels by the input's, over all places.

    Lanes run along the more channels, which are laid out innermost for that; no windows are written. The other array
    stays as it is. Beside the lanes, rows of a tile run along the other channels, or along a window's row if that is
    longer. For windows of one tap both arrays stay as they are, rows of places.
    """
    rank = len(stride)
    outs, kernel = shape_of(grad)[2:], shape_of(w)[2:]
    wide = x.dtype.compute
    if set(kernel) == {1} and not any(padding):
        if set(stride) != {1}:
            stops = [(size - 1) * s + 1 for size, s in zip(outs, stride, strict=True)]
            x = call.apply("slice", x, [0] * rank, stops, stride, axes=range(2, rank + 2))
        return _to_channels(call, grad, x)
    is_wide = shape_of(x)[1] >= shape_of(grad)[1]  # lanes run along the input's channels
    channels = shape_of(grad)[1], shape_of(x)[1]
    rows = channels[0] if is_wide else channels[1]
    order = [*range(rank), rank] if rows >= kernel[-1] else [rank, *range(rank)]  # taps, then rows; lanes are last
    last = (0, *range(2, rank + 2), 1)
    image = call.apply("pad", x, [(0, 0), (0, 0), *[(p, p) for p in padding]])
    if is_wide:
        image, above = call.apply("permute_dims", image, last), grad
    else:
        above = call.define("channels_last", _channels_last, grad, kind="opaque")  # a view would be read with strides

    def taps(image: Tensor, above: Tensor) -> Tensor:
        n = te.reduce_axis(image.shape[0], name="n")
        places = [te.reduce_axis(size, name=f"p{d}") for d, size in enumerate(outs)]

        def element(*at: Expr) -> Expr:
            row, lane = at[order.index(rank)], at[rank + 1]
            tap = [at[order.index(d)] for d in range(rank)]
            inside = [p * s + t * d for p, s, t, d in zip(places, stride, tap, dilation, strict=True)]
            if is_wide:
                factors = above[(n, row, *places)], image[(n, *inside, lane)]
            else:
                factors = above[(n, *places, lane)], image[(n, row, *inside)]
            product = te.cast(factors[0], wide) * te.cast(factors[1], wide)
            return te.sum(product, axis=(n, *places))

        extents = [*kernel, rows]
        return te.compute((*[extents[d] for d in order], max(channels)), element)

    result = call.define("conv_weights_gradient", taps, image, above, kind="contraction")
    row, lane = order.index(rank), rank + 1
    first = (row, lane) if is_wide else (lane, row)
    turned = call.apply("permute_dims", result, (*first, *[order.index(d) for d in range(rank)]))
    return call.cast(turned, x.dtype)


def _channels_last(x: Tensor) -> Tensor:
    """Images whose channels are innermost."""
    return te.compute((x.shape[0], *x.shape[2:], x.shape[1]), lambda n, *at: x[(n, at[-1], *at[:-1])])


def _to_channels(call: Call, grad: Value, x: Value) -> Value:
    """The gradient of weights between channels, (out, c, 1...): products of the rows of places of all images."""
    wide, rank = x.dtype.compute, len(x.shape) - 2

    def rows(grad: Tensor, x: Tensor) -> Tensor:
        axes = [te.reduce_axis(x.shape[d], name=f"p{d}") for d in (0, *range(2, rank + 2))]

        def element(f: Expr, c: Expr, *_: Expr) -> Expr:
            n, *place = axes
            product = te.cast(grad[(n, f, *place)], wide) * te.cast(x[(n, c, *place)], wide)
            return te.cast(te.sum(product, axis=axes), x.dtype)

        return te.compute((grad.shape[1], x.shape[1], *[1] * rank), element)

    return call.define("conv_weights_gradient", rows, grad, x, kind="contraction")
