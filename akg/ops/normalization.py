"""Normalisations: each line of a tensor is centred or scaled by statistics of its own.

Statistics are computed in the type of arithmetic (float32 for the 16-bit floats) and kept in it; a line is scaled by
one reciprocal instead of a division per element.
"""

from __future__ import annotations

from collections.abc import Sequence

from akg.base.dtype import DType
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Size, Tensor, shape_text
from akg.ops.fold import (
    Axes,
    average,
    count,
    fold,
    lines,
    moments,
    norm_parts,
    peak,
    read_reduced,
    reduced_shape,
)
from akg.ops.registry import operator
from akg.ops.shape import (
    AxisLike,
    Sizes,
    bad_argument,
    bad_shape,
    check_dtype,
    check_tensor,
    normalize_axes,
    same_size,
    sizes_of,
    value,
)
from akg.ops.stopping import stop_gradient

__all__ = [
    "batch_norm", "batch_norm_train", "group_norm", "instance_norm", "l1_normalize", "l2_normalize", "layer_norm",
    "log_softmax", "normalize", "rms_norm", "softmax", "softmin",
]  # fmt: skip


def _float_tensor(x: Tensor, what: str = "x") -> DType:
    return check_dtype(check_tensor(x, what).dtype, "a float", what)


# --- softmax --------------------------------------------------------------------------------------------


@operator("softmax", kind="opaque")
def softmax(x: Tensor, *, axis: AxisLike = -1) -> Tensor:
    """``exp(x)``, divided by its sum over `axis`; no intermediate overflows."""
    return _softmax("softmax", x, axis, 1.0)


@operator("softmin", kind="opaque")
def softmin(x: Tensor, *, axis: AxisLike = -1) -> Tensor:
    """``softmax(-x)``."""
    return _softmax("softmin", x, axis, -1.0)


def _softmax(name: str, x: Tensor, axis: AxisLike, sign: float) -> Tensor:
    kind = _float_tensor(x)
    axes, wide = normalize_axes(axis, x.ndim), kind.compute

    def signed(a: Expr) -> Expr:
        return value(a, wide) if sign > 0 else -value(a, wide)

    top = stop_gradient(fold(f"{name}_max", x, axes, True, te.max, signed))  # its influence cancels
    powers = te.compute(
        x.shape, lambda *i: te.exp(signed(x[i]) - read_reduced(top, i, axes)), name=f"{name}_exp"
    )
    scale = fold(f"{name}_scale", powers, axes, True, te.sum, lambda a: a, lambda total: 1.0 / total)
    return te.compute(x.shape, lambda *i: te.cast(powers[i] * read_reduced(scale, i, axes), kind), name=name)


@operator("log_softmax", kind="opaque")
def log_softmax(x: Tensor, *, axis: AxisLike = -1) -> Tensor:
    """The logarithm of `softmax`, exact where that underflows."""
    kind = _float_tensor(x)
    axes, wide = normalize_axes(axis, x.ndim), kind.compute
    top, total = log_sum_parts("log_softmax", x, axes)

    def element(*place: Expr) -> Expr:
        shifted = value(x[place], wide) - read_reduced(top, place, axes)
        return te.cast(shifted - read_reduced(total, place, axes), kind)

    return te.compute(x.shape, element, name="log_softmax")


def log_sum_parts(name: str, x: Tensor, axes: Axes) -> tuple[Tensor, Tensor]:
    """The maximum m over `axes` and ``log(sum(exp(x - m)))``, both with ``keepdims=True`` in the type of arithmetic."""
    wide = x.dtype.compute
    top = peak(x, axes, f"{name}_max")

    def element(*place: Expr) -> Expr:
        variables, subscripts = lines(x, axes, place, True)
        term = te.exp(value(x[subscripts], wide) - read_reduced(top, subscripts, axes))
        return te.log(te.sum(term, axis=variables) if variables else term)

    return top, te.compute(reduced_shape(x, axes, True), element, name=f"{name}_log")


# --- norms along axes -----------------------------------------------------------------------------------


@operator("normalize", kind="opaque")
def normalize(x: Tensor, *, axis: AxisLike = -1, ord: float = 2, eps: float = 1e-12) -> Tensor:
    """`x`, divided by its norm of order `ord` over `axis`, or by `eps` where that is larger."""
    return _normalized("normalize", x, axis, ord, eps)


@operator("l1_normalize", kind="opaque")
def l1_normalize(x: Tensor, *, axis: AxisLike = -1, eps: float = 1e-12) -> Tensor:
    """`x`, divided by the sum of its magnitudes over `axis`, or by `eps` where that is larger."""
    return _normalized("l1_normalize", x, axis, 1, eps)


@operator("l2_normalize", kind="opaque")
def l2_normalize(x: Tensor, *, axis: AxisLike = -1, eps: float = 1e-12) -> Tensor:
    """`x`, divided by its Euclidean length over `axis`, or by `eps` where that is larger."""
    return _normalized("l2_normalize", x, axis, 2, eps)


def _normalized(name: str, x: Tensor, axis: AxisLike, order: float, eps: float) -> Tensor:
    kind = _float_tensor(x)
    axes, wide = normalize_axes(axis, x.ndim), kind.compute
    reducer, term, final = norm_parts(order)
    scale = fold(
        f"{name}_scale", x, axes, True, reducer, lambda a: term(value(a, wide)),
        lambda r: 1.0 / te.maximum(final(r), eps),
    )  # fmt: skip
    return te.compute(
        x.shape, lambda *i: te.cast(value(x[i], wide) * read_reduced(scale, i, axes), kind), name=name
    )


# --- layer, RMS -----------------------------------------------------------------------------------------


def _parameter(p: Tensor | None, what: str, shape: Sizes) -> Tensor | None:
    """A scale or shift, which must have `shape`, if it is given; it may be of any float type."""
    return None if p is None else _statistic(p, what, shape)


def _statistic(p: Tensor, what: str, shape: Sizes) -> Tensor:
    check_dtype(check_tensor(p, what).dtype, "a float", what)
    if len(p.shape) != len(shape) or not all(same_size(a, b) for a, b in zip(p.shape, shape, strict=True)):
        raise bad_shape(
            f"{what} has shape {shape_text(p.shape)}", f"it must have shape {shape_text(shape)}", f"reshape {what}"
        )
    return p


def _affine(scaled: Expr, weight: Tensor | None, bias: Tensor | None, place: Sequence[Expr]) -> Expr:
    if weight is not None:
        scaled = scaled * value(weight[tuple(place)], scaled.dtype)
    return scaled if bias is None else scaled + value(bias[tuple(place)], scaled.dtype)


def _last_axes(x: Tensor, normalized_shape: Size | Sequence[Size] | None) -> Axes:
    if normalized_shape is None:
        return normalize_axes(-1, x.ndim, "the last axis")
    sizes = sizes_of(normalized_shape)
    last = x.shape[x.ndim - len(sizes) :] if len(sizes) <= x.ndim else ()
    if len(last) != len(sizes) or not all(same_size(a, b) for a, b in zip(last, sizes, strict=True)):
        raise bad_shape(
            f"normalized_shape is {shape_text(sizes)}", f"x has shape {shape_text(x.shape)}",
            "give the last sizes of x",
        )  # fmt: skip
    return tuple(range(x.ndim - len(sizes), x.ndim))


@operator("layer_norm", kind="opaque")
def layer_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *,
    normalized_shape: Size | Sequence[Size] | None = None, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """`x` with mean 0 and variance 1 over its last dimensions (None: the last one), then scaled and shifted.

    `weight` and `bias` have the shape of those dimensions. Ba et al. 2016, "Layer Normalization".
    """
    kind = _float_tensor(x)
    axes = _last_axes(x, normalized_shape)
    return _standardized("layer_norm", x, axes, weight, bias, eps, axes, kind)


def _standardized(
    name: str, x: Tensor, axes: Axes, weight: Tensor | None, bias: Tensor | None, eps: float, own: Axes, kind: DType
) -> Tensor:
    """`x` standardised over `axes`; the dimensions `own` subscript the parameters."""
    wide, shape = kind.compute, tuple([x.shape[d] for d in own])
    weight, bias = _parameter(weight, "weight", shape), _parameter(bias, "bias", shape)
    center, variance = moments(name, x, axes)
    scale = te.compute(variance.shape, lambda *i: te.rsqrt(variance[i] + eps), name=f"{name}_scale")

    def element(*place: Expr) -> Expr:
        shifted = value(x[place], wide) - read_reduced(center, place, axes)
        scaled = shifted * read_reduced(scale, place, axes)
        return te.cast(_affine(scaled, weight, bias, [place[d] for d in own]), kind)

    return te.compute(x.shape, element, name=name)


@operator("rms_norm", kind="opaque")
def rms_norm(
    x: Tensor, weight: Tensor | None = None, *, normalized_shape: Size | Sequence[Size] | None = None,
    eps: float = 1e-6,
) -> Tensor:  # fmt: skip
    """`x`, divided by the root of the mean square over its last dimensions (None: the last one), then scaled.

    Zhang and Sennrich 2019, "Root Mean Square Layer Normalization".
    """
    kind = _float_tensor(x)
    axes, wide = _last_axes(x, normalized_shape), kind.compute
    weight = _parameter(weight, "weight", tuple([x.shape[d] for d in axes]))
    n = count(x, axes, wide)
    scale = fold(
        "rms_norm_scale", x, axes, True, te.sum, lambda a: value(a, wide) * value(a, wide),
        lambda total: te.rsqrt(total / n + eps),
    )  # fmt: skip

    def element(*place: Expr) -> Expr:
        scaled = value(x[place], wide) * read_reduced(scale, place, axes)
        return te.cast(_affine(scaled, weight, None, [place[d] for d in axes]), kind)

    return te.compute(x.shape, element, name="rms_norm")


# --- channels: instance, group, batch -------------------------------------------------------------------


def _channels(x: Tensor, least: int) -> Expr:
    if x.ndim < least:
        raise bad_shape(
            f"x has shape {shape_text(x.shape)}", "its dimensions are batch, channel, and places",
            f"give at least {least} dimensions",
        )  # fmt: skip
    return x.shape[1]


@operator("instance_norm", kind="opaque")
def instance_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float = 1e-5
) -> Tensor:
    """`x` of shape (N, C, ...) with mean 0 and variance 1 over the places of each channel, then scaled and shifted.

    `weight` and `bias` have shape (C,).
    """
    kind = _float_tensor(x)
    _channels(x, 3)
    return _standardized("instance_norm", x, tuple(range(2, x.ndim)), weight, bias, eps, (1,), kind)


@operator("group_norm", kind="opaque")
def group_norm(
    x: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float = 1e-5
) -> Tensor:
    """`x` of shape (N, C, ...) with mean 0 and variance 1 over groups of channels, then scaled and shifted.

    C is a constant that `num_groups` divides; `weight` and `bias` have shape (C,). Wu and He 2018, "Group
    Normalization".
    """
    kind = _float_tensor(x)
    channels = _channels(x, 2)
    if not isinstance(channels, Const) or num_groups < 1 or int(channels) % num_groups:
        raise bad_argument(
            f"num_groups is {num_groups} for {shape_text((channels,))[1:-2]} channels",
            "groups share the channels evenly", "give a divisor of a constant number of channels",
        )  # fmt: skip
    wide, per_group = kind.compute, int(channels) // num_groups
    weight, bias = _parameter(weight, "weight", (channels,)), _parameter(bias, "bias", (channels,))
    grouped = te.compute(
        (x.shape[0], num_groups, per_group, *x.shape[2:]),
        lambda n, g, c, *p: value(x[(n, g * per_group + c, *p)], wide), name="group_norm_groups",
    )  # fmt: skip
    axes = tuple(range(2, grouped.ndim))
    center, variance = moments("group_norm", grouped, axes)
    scale = te.compute(variance.shape, lambda *i: te.rsqrt(variance[i] + eps), name="group_norm_scale")

    def element(n: Expr, c: Expr, *p: Expr) -> Expr:
        group = (n, c // per_group, *[Const(0) for _ in axes])
        shifted = value(x[(n, c, *p)], wide) - center[group]
        return te.cast(_affine(shifted * scale[group], weight, bias, (c,)), kind)

    return te.compute(x.shape, element, name="group_norm")


@operator("batch_norm", kind="broadcast")
def batch_norm(
    x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """`x` of shape (N, C, ...), standardised by given statistics of each channel, then scaled and shifted.

    All parameters have shape (C,). Ioffe and Szegedy 2015, "Batch Normalization".
    """
    kind = _float_tensor(x)
    shape, wide = (_channels(x, 2),), kind.compute
    center, spread = _statistic(mean, "mean", shape), _statistic(variance, "variance", shape)
    weight, bias = _parameter(weight, "weight", shape), _parameter(bias, "bias", shape)
    scale = te.compute(shape, lambda c: te.rsqrt(value(spread[c], wide) + eps), name="batch_norm_scale")

    def element(n: Expr, c: Expr, *p: Expr) -> Expr:
        shifted = value(x[(n, c, *p)], wide) - value(center[c], wide)
        return te.cast(_affine(shifted * scale[c], weight, bias, (c,)), kind)

    return te.compute(x.shape, element, name="batch_norm")


@operator("batch_norm_train", kind="opaque")
def batch_norm_train(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float = 1e-5
) -> tuple[Tensor, Tensor, Tensor]:
    """`batch_norm` by the statistics of `x` itself: the result, and the mean and variance (biased) of each channel.

    The statistics have shape (C,), in float32 for the 16-bit floats.
    """
    kind = _float_tensor(x)
    shape, wide = (_channels(x, 2),), kind.compute
    weight, bias = _parameter(weight, "weight", shape), _parameter(bias, "bias", shape)
    axes = (0, *range(2, x.ndim))
    center = average("batch_mean", x, axes, False, lambda a: a, wide)

    def squares(c: Expr) -> Expr:
        variables, subscripts = lines(x, axes, (c,), False)
        difference = value(x[subscripts], wide) - center[c]
        return te.sum(difference * difference, axis=variables) / count(x, axes, wide)

    variance = te.compute(shape, squares, name="batch_variance")
    scale = te.compute(shape, lambda c: te.rsqrt(variance[c] + eps), name="batch_norm_scale")

    def element(n: Expr, c: Expr, *p: Expr) -> Expr:
        shifted = value(x[(n, c, *p)], wide) - center[c]
        return te.cast(_affine(shifted * scale[c], weight, bias, (c,)), kind)

    return te.compute(x.shape, element, name="batch_norm_train"), center, variance
