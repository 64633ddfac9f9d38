"""Gradients of every operator of the library, against finite differences; none is left out without a reason."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.ir.te.tensor import Tensor
from tests.helpers import Array
from tests.ops.gradients import check_gradient, placeholder, uniform

# Why there is no gradient to test.
NOT_DIFFERENTIABLE: dict[str, str] = {
    **dict.fromkeys(
        ["all", "any", "equal", "greater", "greater_equal", "isfinite", "isinf", "isnan", "less", "less_equal",
         "logical_and", "logical_not", "logical_or", "logical_xor", "not_equal", "signbit"],
        "the result is a bool",
    ),
    **dict.fromkeys(
        ["bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor"],
        "operands are integers",
    ),
    **dict.fromkeys(["argmax", "argmin", "count_nonzero"], "the result is an integer"),
    **dict.fromkeys(
        ["arange", "empty_like", "eye", "full", "full_like", "linspace", "one_hot", "ones", "ones_like", "zeros",
         "zeros_like"],
        "the result does not depend on the values of a float tensor",
    ),
    "nextafter": "a step of one unit in the last place is no smooth function; it works on bits",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """An operator on placeholders of `shapes` whose values are drawn from `low` to `high`."""

    apply: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...] = ((2, 5),)
    low: float = -1.0
    high: float = 1.0
    indices: tuple[tuple[int, ...], ...] = ()  # shapes of further integer arguments
    limit: int = 3  # their values are below


def one(name: str, low: float = -1.0, high: float = 1.0, shape: tuple[int, ...] = (2, 5), **options: Any) -> Case:
    return Case(lambda x: getattr(ops, name)(x, **options), (shape,), low, high)


def two(name: str, low: float = 0.5, high: float = 1.5, **options: Any) -> Case:
    return Case(lambda a, b: getattr(ops, name)(a, b, **options), ((3, 4), (4,)), low, high)


def first(results: Any) -> Any:
    return results[0]


def nd(family: str, rank: int, *, has_weights: bool = True, **options: Any) -> Case:
    """A windowed operator in `rank` dimensions."""
    size = {1: (9,), 2: (6, 5), 3: (4, 3, 4)}[rank]
    function = getattr(ops, f"{family}{rank}d")
    if not has_weights:
        return Case(lambda x: function(x, **options), ((1, 2, *size),))
    groups = options.get("groups", 1)
    window = (3, 2, 2)[:rank]
    channels = (4, 2) if family != "depthwise_conv" else (2, 2)
    weights = (channels[0], channels[1] // groups, *window)
    if family == "depthwise_conv":
        weights = (2, 1, *window)
    if "transpose" in family:
        weights = (2, 3, *window)
    return Case(lambda x, w: function(x, w, **options), ((1, 2, *size), weights))


CASES: dict[str, list[Case]] = {
    **{name: [one(name)] for name in (
        "abs", "atan", "asinh", "ceil", "cos", "cosh", "erf", "exp", "exp2", "expm1", "floor", "gelu", "hardsigmoid",
        "hardswish", "hardtanh", "leaky_relu", "log_sigmoid", "log_softmax", "mish", "negative", "positive", "relu",
        "relu6", "round", "sigmoid", "sign", "silu", "selu", "sin", "sinh", "softmax", "softmin", "softplus",
        "softsign", "square", "tan", "tanh", "tanhshrink", "trunc", "elu", "celu", "logsumexp", "max", "mean", "min",
        "prod", "std", "sum", "var", "sum_of_squares", "vector_norm", "l1_normalize", "l2_normalize", "normalize",
        "rms_norm", "layer_norm", "matrix_transpose", "flip", "tril", "triu", "cumulative_sum", "cumulative_prod",
    )},
    **{name: [one(name, 0.5, 1.5)] for name in ("log", "log10", "log1p", "log2", "reciprocal", "rsqrt", "sqrt")},
    **{name: [one(name, -0.8, 0.8)] for name in ("acos", "asin", "atanh")},
    **{name: [two(name)] for name in (
        "add", "atan2", "copysign", "divide", "floor_divide", "hypot", "logaddexp", "maximum", "minimum", "multiply",
        "pow", "remainder", "subtract",
    )},
    "acosh": [one("acosh", 1.5, 3.0)],
    "astype": [one("astype", dtype="float64")],
    "clip": [one("clip", min=-0.5, max=0.6), Case(ops.clip, ((3, 4), (4,), (3, 1)))],
    "cumulative_sum": [one("cumulative_sum", axis=1), one("cumulative_sum", axis=0, include_initial=True)],
    "cumulative_prod": [one("cumulative_prod", axis=1)],
    "cumsum": [one("cumsum", axis=1), one("cumsum", axis=1, reverse=True, exclusive=True)],
    "cumprod": [one("cumprod", axis=0), one("cumprod", axis=1, exclusive=True)],
    "cummax": [one("cummax", axis=1)], "cummin": [one("cummin", axis=1, reverse=True)],
    "gelu": [one("gelu"), one("gelu", approximate="tanh")],
    "softmax": [one("softmax"), one("softmax", shape=(2, 3, 4), axis=1)],
    "log_softmax": [one("log_softmax"), one("log_softmax", axis=0)],
    "max": [one("max"), one("max", axis=1)], "min": [one("min", axis=0, keepdims=True)],
    "mean": [one("mean"), one("mean", axis=1, shape=(2, 3, 4))], "prod": [one("prod"), one("prod", axis=1)],
    "std": [one("std", axis=1)], "var": [one("var", axis=(0, 2), shape=(2, 3, 4), correction=1.0)],
    "vector_norm": [one("vector_norm"), one("vector_norm", axis=1, ord=1), one("vector_norm", ord=3.0)],
    "layer_norm": [Case(ops.layer_norm, ((3, 5), (5,), (5,)))], "rms_norm": [Case(ops.rms_norm, ((3, 5), (5,)))],
    "group_norm": [Case(lambda x, w, b: ops.group_norm(x, 2, w, b), ((2, 4, 3), (4,), (4,)))],
    "instance_norm": [Case(ops.instance_norm, ((2, 3, 4), (3,), (3,)))],
    "batch_norm": [Case(lambda x, m, v, w, b: ops.batch_norm(x, m, v, w, b),
                        ((2, 3, 4), (3,), (3,), (3,), (3,)), 0.5, 1.5)],
    "batch_norm_train": [Case(lambda x, w, b: first(ops.batch_norm_train(x, w, b)), ((4, 3, 2), (3,), (3,)))],
    "where": [Case(lambda a, b: ops.where(ops.greater(a, b), a, b), ((3, 4), (3, 4)))],
    # losses
    **{name: [Case(getattr(ops, name), ((3, 4), (3, 4)))] for name in (
        "hinge_loss", "huber_loss", "l1_loss", "mse_loss", "smooth_l1_loss", "cosine_similarity",
    )},
    "binary_cross_entropy": [Case(ops.binary_cross_entropy, ((3, 4), (3, 4)), 0.2, 0.8)],
    "binary_cross_entropy_with_logits": [Case(ops.binary_cross_entropy_with_logits, ((3, 4), (3, 4)))],
    "kl_div": [Case(ops.kl_div, ((3, 4), (3, 4)), 0.2, 0.8),
               Case(lambda a, b: ops.kl_div(a, b, log_target=True, reduction="sum"), ((3, 4), (3, 4)))],
    "triplet_loss": [Case(ops.triplet_loss, ((3, 4), (3, 4), (3, 4)))],
    "cross_entropy": [Case(ops.cross_entropy, ((4, 3),), indices=((4,),)),
                      Case(lambda x, w, t: ops.cross_entropy(x, t, w, label_smoothing=0.1),
                           ((4, 3), (3,)), 0.2, 1.0, ((4,),))],
    "nll_loss": [Case(ops.nll_loss, ((4, 3),), indices=((4,),))],
    # contractions
    "matmul": [Case(lambda a, b: ops.matmul(a, b), ((3, 4), (4, 5))),
               Case(lambda a, b: ops.matmul(a, b, transpose_a=True), ((4, 3), (4, 5))),
               Case(lambda a, b: ops.matmul(a, b, transpose_b=True), ((3, 4), (5, 4))),
               Case(lambda a, b: ops.matmul(a, b, transpose_a=True, transpose_b=True), ((4, 3), (5, 4))),
               Case(ops.matmul, ((2, 3, 4), (4, 5))), Case(ops.matmul, ((2, 3, 4), (2, 4, 5))),
               Case(ops.matmul, ((4,), (4, 5)))],
    "matvec": [Case(ops.matvec, ((3, 4), (4,)))], "vecmat": [Case(ops.vecmat, ((4,), (4, 3)))],
    "vecdot": [Case(ops.vecdot, ((3, 4), (3, 4)))], "outer": [Case(ops.outer, ((3,), (4,)))],
    "tensordot": [Case(lambda a, b: ops.tensordot(a, b, axes=((0, 2), (1, 0))), ((3, 2, 4), (4, 3, 2)))],
    "einsum": [Case(lambda a, b: ops.einsum("bij,bkj->bik", a, b), ((2, 3, 4), (2, 5, 4))),
               Case(lambda a, b, c: ops.einsum("ij,jk,kl->il", a, b, c), ((2, 3), (3, 4), (4, 2))),
               Case(lambda a: ops.einsum("ii->i", a), ((4, 4),)), Case(lambda a: ops.einsum("ij->", a), ((3, 4),))],
    "scaled_dot_product_attention": [
        Case(ops.scaled_dot_product_attention, ((2, 3, 4), (2, 5, 4), (2, 5, 3))),
        Case(lambda q, k, v: ops.scaled_dot_product_attention(q, k, v, causal=True), ((4, 3, 2), (2, 3, 2), (2, 3, 2))),
        Case(ops.scaled_dot_product_attention, ((3, 4), (5, 4), (5, 3), (3, 5))),
    ],
    "triangular_matmul": [Case(ops.triangular_matmul, ((4, 4), (4, 3))),
                          Case(lambda a, b: ops.triangular_matmul(a, b, upper=True), ((4, 4), (4, 3)))],
    "conv1d": [nd("conv", 1), nd("conv", 1, stride=2, padding=1), nd("conv", 1, dilation=2, padding=2)],
    "conv2d": [nd("conv", 2), nd("conv", 2, stride=2, padding=1, groups=1), nd("conv", 2, dilation=2, padding=2),
               nd("conv", 2, groups=2, padding=1)],
    "conv3d": [nd("conv", 3, padding=1)],
    "depthwise_conv1d": [nd("depthwise_conv", 1, padding=1)],
    "depthwise_conv2d": [nd("depthwise_conv", 2, stride=2, padding=1)],
    "depthwise_conv3d": [nd("depthwise_conv", 3)],
    "conv1d_transpose": [Case(lambda x, w: ops.conv1d_transpose(x, w, stride=2, padding=1), ((1, 2, 5), (2, 3, 3)))],
    "conv2d_transpose": [
        Case(lambda x, w: ops.conv2d_transpose(x, w, stride=2, padding=1), ((1, 2, 3, 4), (2, 3, 3, 2))),
        Case(lambda x, w: ops.conv2d_transpose(x, w), ((1, 2, 3, 4), (2, 3, 3, 2))),
    ],
    "conv3d_transpose": [Case(lambda x, w: ops.conv3d_transpose(x, w, stride=2), ((1, 2, 2, 2, 2), (2, 1, 2, 2, 2)))],
    **{f"{kind}_pool{rank}d": [nd(f"{kind}_pool", rank, has_weights=False, kernel_size=2, stride=2),
                               nd(f"{kind}_pool", rank, has_weights=False, kernel_size=3, stride=2, padding=1)]
       for kind in ("avg", "max") for rank in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{rank}d": [nd(f"adaptive_{kind}_pool", rank, has_weights=False, output_size=2)]
       for kind in ("avg", "max") for rank in (1, 2, 3)},
    "global_avg_pool": [one("global_avg_pool", shape=(2, 3, 4, 4))],
    "global_max_pool": [one("global_max_pool", shape=(2, 3, 4, 4))],
    # movement
    "broadcast_to": [Case(lambda x: ops.broadcast_to(x, (2, 3, 4)), ((3, 1),))],
    "broadcast_arrays": [Case(lambda a, b: first(ops.broadcast_arrays(a, b)), ((3, 1), (1, 4)))],
    "concat": [Case(lambda a, b: ops.concat([a, b], axis=1), ((2, 3), (2, 2)))],
    "stack": [Case(lambda a, b: ops.stack([a, b], axis=1), ((2, 3), (2, 3)))],
    "split": [Case(lambda x: ops.split(x, 2, axis=1)[1], ((2, 6),))],
    "unstack": [Case(lambda x: ops.unstack(x, axis=1)[1], ((2, 3),))],
    "meshgrid": [Case(lambda a, b: ops.meshgrid(a, b)[1], ((3,), (4,)))],
    "expand_dims": [one("expand_dims", axis=1)], "squeeze": [one("squeeze", shape=(2, 1, 3), axis=1)],
    "permute_dims": [one("permute_dims", shape=(2, 3, 4), axes=(2, 0, 1))],
    "transpose": [one("transpose", shape=(2, 3, 4))], "swapaxes": [one("swapaxes", axis1=0, axis2=1)],
    "moveaxis": [one("moveaxis", shape=(2, 3, 4), source=0, destination=2)],
    "reshape": [Case(lambda x: ops.reshape(x, (4, 6)), ((3, 8),)), Case(lambda x: ops.reshape(x, (-1,)), ((2, 3, 4),))],
    "pixel_shuffle": [one("pixel_shuffle", shape=(1, 8, 2, 3), factor=2)],
    "pixel_unshuffle": [one("pixel_unshuffle", shape=(1, 2, 4, 6), factor=2)],
    "repeat": [one("repeat", repeats=2, axis=1), one("repeat", repeats=3)],
    "roll": [one("roll", shift=2, axis=1), one("roll", shift=-1)],
    "slice": [Case(lambda x: ops.slice(x, [1, 0], [8, 5], [2, 1]), ((9, 5),)),
              Case(lambda x: ops.slice(x, [7], [None], [-3], axes=[0]), ((9, 2),))],
    "tile": [one("tile", repetitions=(2, 3))],
    "pad": [one("pad", pad_width=((1, 2), (0, 1))), one("pad", pad_width=((1, 1), (2, 2)), mode="reflect"),
            one("pad", pad_width=((1, 2), (2, 1)), mode="edge")],
    "resize": [Case(lambda x: ops.resize(x, (4, 6)), ((1, 1, 2, 3),)),
               Case(lambda x: ops.resize(x, (5, 4), mode="bilinear"), ((1, 1, 3, 3),))],
    "gather": [Case(ops.gather, ((4, 3),), indices=((5,),))],
    "gather_nd": [Case(ops.gather_nd, ((4, 3),), indices=((5, 2),))],
    "take": [Case(lambda x, i: ops.take(x, i, axis=1), ((2, 4),), indices=((3,),))],
    "take_along_axis": [Case(ops.take_along_axis, ((2, 4),), indices=((2, 3),))],
    "scatter_add": [Case(lambda x, u, i: ops.scatter_add(x, i, u), ((4, 2), (5, 2)), indices=((5,),))],
    "put_along_axis": [
        Case(lambda x, u, i: ops.put_along_axis(x, i, u, combine="sum"), ((4, 5), (4, 3)), indices=((4, 3),))],
    "scatter_nd": [Case(lambda x, u, i: ops.scatter_nd(x, i, u, combine="sum"), ((4, 3), (5,)), indices=((5, 2),))],
    "scatter_nd_add": [Case(lambda x, u, i: ops.scatter_nd_add(x, i, u), ((4, 3), (5,)), indices=((5, 2),))],
}  # fmt: skip


def test_no_operator_is_left_out() -> None:
    names = {operator.name for operator in ops.table()}
    assert CASES.keys() | NOT_DIFFERENTIABLE.keys() == names
    assert CASES.keys() & NOT_DIFFERENTIABLE.keys() == set()


@pytest.mark.parametrize(("name", "number"), [(name, k) for name, cases in CASES.items() for k in range(len(cases))])
def test_operator(name: str, number: int) -> None:
    case = CASES[name][number]
    floats = [placeholder(shape, f"x{k}") for k, shape in enumerate(case.shapes)]
    integers = [te.placeholder(shape, "int64", name=f"n{k}") for k, shape in enumerate(case.indices)]
    arrays: dict[Tensor, Array] = {x: uniform(x, case.low, case.high) for x in floats}
    rng = np.random.default_rng(2)
    arrays.update({n: rng.integers(0, case.limit, shape) for n, shape in zip(integers, case.indices, strict=True)})
    check_gradient(case.apply(*floats, *integers), floats, arrays)


def test_products_with_zeros() -> None:
    x = placeholder((3, 5), "x")
    values = uniform(x)
    values[0, 2] = values[1, 1] = values[1, 3] = 0.0
    for output in (ops.prod(x, axis=1), ops.cumprod(x, axis=1), ops.cumprod(x, axis=1, exclusive=True, reverse=True)):
        check_gradient(output, [x], {x: values})


@pytest.mark.parametrize("combine", ["last", "max", "prod"])
def test_what_a_scatter_replaces_has_no_derivative(combine: str) -> None:
    """Not even of the elements before: which of them stay is known by the data alone."""
    x, u = placeholder((4, 5), "x"), placeholder((4, 3), "u")
    i = te.placeholder((4, 3), "int64", name="i")
    y = ops.put_along_axis(x, i, u, combine=combine)
    for wanted in ([x], [u]):
        with pytest.raises(akg.AkgError, match=f"derivative of a scatter with {combine}"):
            akg.differentiate(y, wanted)
