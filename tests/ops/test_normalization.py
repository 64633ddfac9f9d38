"""Normalisations against NumPy in float64: shapes, axes, types, groups, statistics, infinities, errors."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

import akg
from akg import ops, te
from tests.helpers import Array
from tests.ops.common import FLOATS, compare, draw, message_of, placeholder, run, wide

LINES = ((1,), (7,), (64,), (1, 1), (3, 5), (17, 31), (2, 3, 4), (5, 1, 9), (0, 3), (2, 3, 1, 5), (41, 130))
IMAGES = (
    (1, 1, 1), (2, 4, 3), (1, 6, 7), (3, 2, 5, 5), (2, 8, 1, 3), (1, 4, 2, 3, 2), (2, 2, 31), (0, 4, 3), (5, 2, 1),
    (3, 12, 17), (2, 16, 9, 11),
)  # fmt: skip


def standardized(v: Array, axes: tuple[int, ...], eps: float = 1e-5) -> Array:
    return (v - v.mean(axis=axes, keepdims=True)) / np.sqrt(v.var(axis=axes, keepdims=True) + eps)


def rms(v: Array, eps: float = 1e-6) -> Array:
    return v / np.sqrt(np.mean(v * v, axis=-1, keepdims=True) + eps)


def scaled(v: Array, order: float, axis: int) -> Array:
    return v / np.maximum(np.linalg.vector_norm(v, axis=axis, keepdims=True, ord=order), 1e-12)


LINEWISE: dict[str, tuple[Callable[[te.Tensor], te.Tensor], Callable[[Array], Array]]] = {
    "softmax": (ops.softmax, lambda v: special.softmax(v, axis=-1)),
    "softmin": (ops.softmin, lambda v: special.softmax(-v, axis=-1)),
    "log_softmax": (ops.log_softmax, lambda v: special.log_softmax(v, axis=-1)),
    "softmax over the first axis": (lambda x: ops.softmax(x, axis=0), lambda v: special.softmax(v, axis=0)),
    "layer_norm": (ops.layer_norm, lambda v: standardized(v, (-1,))),
    "rms_norm": (ops.rms_norm, rms),
    "l1_normalize": (ops.l1_normalize, lambda v: scaled(v, 1, -1)),
    "l2_normalize": (lambda x: ops.l2_normalize(x, axis=0), lambda v: scaled(v, 2, 0)),
    "normalize": (lambda x: ops.normalize(x, ord=3), lambda v: scaled(v, 3, -1)),
}


@pytest.mark.parametrize("shape", LINES, ids=str)
def test_lines_over_shapes(shape: tuple[int, ...]) -> None:
    x, values = placeholder(shape, "float32"), draw(shape, "float32")
    names = [n for n in LINEWISE if 0 not in shape or "first" not in n]
    found = run([LINEWISE[n][0](x) for n in names], [x], values)
    wanted = [LINEWISE[n][1](wide(values)) if values.size else values for n in names]
    compare(names, found, wanted, terms=max(shape))


@pytest.mark.parametrize("dtype", FLOATS)
def test_lines_of_types(dtype: str) -> None:
    """One symbolic kernel; the 16-bit floats keep their statistics in float32, so only the end rounds."""
    x = placeholder(("m", "n"), dtype)
    kernel = akg.build([define(x) for define, _ in LINEWISE.values()], inputs=[x])
    for shape in ((1, 1), (3, 7), (2, 64), (5, 33), (4, 257)):
        values = draw(shape, dtype)
        wanted = [reference(wide(values)) for _, reference in LINEWISE.values()]
        compare(LINEWISE, kernel(values), wanted, terms=shape[1], dtypes=[dtype] * len(LINEWISE))


@pytest.mark.parametrize("axis", [0, 1, (0, 2), (2, 1), None], ids=str)
def test_softmax_axes(axis: Any) -> None:
    x, values = placeholder((4, 6, 5), "float32"), draw((4, 6, 5), "float32")
    found = run([ops.softmax(x, axis=axis), ops.log_softmax(x, axis=axis)], [x], values)
    wanted = [special.softmax(wide(values), axis=axis), special.log_softmax(wide(values), axis=axis)]
    compare(["softmax", "log_softmax"], found, wanted, terms=120)


def test_large_scores() -> None:
    """No overflow; minus infinity has no share; a line with NaN, or with nothing else, is NaN."""
    x = placeholder((5, 6), "float32")
    values = draw((5, 6), "float32") * np.float32(1000)
    values[1, 2], values[2, 3], values[3] = -np.inf, np.nan, -np.inf
    with np.errstate(all="ignore"):
        v = wide(values)
        wanted = [special.softmax(v, axis=1), v - special.logsumexp(v, axis=1)[:, None]]
        found = run([ops.softmax(x), ops.log_softmax(x)], [x], values)
    compare(["softmax", "log_softmax"], found, wanted, terms=6)


def test_statistics_of_16_bits_are_float32() -> None:
    """The sum of 4096 squares of 30 does not fit float16."""
    x = placeholder((2, 4096), "float16")
    values = draw((2, 4096), "float16", low=20, high=40)
    found = run([ops.rms_norm(x), ops.layer_norm(x), ops.l2_normalize(x)], [x], values)
    v = wide(values)
    compare(["rms_norm", "layer_norm", "l2"], found, [rms(v), standardized(v, (1,)), scaled(v, 2, 1)])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_scale_and_shift(dtype: str) -> None:
    x, values = placeholder((3, 4, 33), dtype), draw((3, 4, 33), dtype)
    w, b = placeholder((33,), "float32", "w"), placeholder((33,), "float32", "b")
    u = placeholder((4, 33), "float32", "u")
    weight, bias, both = (draw(s, "float32", seed=k) for k, s in enumerate(((33,), (33,), (4, 33)), 1))
    outputs = [ops.layer_norm(x, w, b), ops.rms_norm(x, w), ops.layer_norm(x, u, normalized_shape=(4, 33), eps=0.1)]
    v = wide(values)
    wanted = [standardized(v, (2,)) * weight + bias, rms(v) * weight, standardized(v, (1, 2), 0.1) * both]
    compare(["layer_norm", "rms_norm", "two axes"], run(outputs, [x, w, b, u], values, weight, bias, both), wanted, 132)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("shape", IMAGES, ids=str)
def test_channels(shape: tuple[int, ...]) -> None:
    x, values, v = placeholder(shape, "float32"), draw(shape, "float32"), wide(draw(shape, "float32"))
    channels = (shape[1],)
    w, b, m, s = (placeholder(channels, "float32", n) for n in "wbms")
    weight, bias, mean = (draw(channels, "float32", seed=k) for k in (1, 2, 3))
    spread = draw(channels, "float32", seed=4, low=0.1)
    along = (1, -1, *[1] * (len(shape) - 2))
    groups = 2 if shape[1] % 2 == 0 else 1
    outputs = [
        ops.instance_norm(x, w, b), ops.group_norm(x, groups, w, b), ops.batch_norm(x, m, s, w, b),
        *ops.batch_norm_train(x, w, b),
    ]  # fmt: skip
    axes = (0, *range(2, len(shape)))
    grouped = standardized(v.reshape(shape[0], groups, shape[1] // groups, math.prod(shape[2:])), (2, 3)).reshape(shape)
    given = (v - mean.reshape(along)) / np.sqrt(wide(spread).reshape(along) + 1e-5)
    unscaled = [standardized(v, tuple(range(2, len(shape)))), grouped, given, standardized(v, axes)]
    wanted = [u * weight.reshape(along) + bias.reshape(along) for u in unscaled]
    names = ["instance_norm", "group_norm", "batch_norm", "batch_norm_train", "mean", "variance"]
    found = run(outputs, [x, w, b, m, s], values, weight, bias, mean, spread)
    compare(names, found, [*wanted, v.mean(axis=axes), v.var(axis=axes)], terms=max(values.size, 1))


@pytest.mark.parametrize("dtype", FLOATS)
def test_channels_of_types(dtype: str) -> None:
    """Batch and places symbolic, channels constant."""
    x = placeholder(("n", 6, "p"), dtype)
    outputs = [ops.instance_norm(x), ops.group_norm(x, 3), *ops.batch_norm_train(x)]
    kernel = akg.build(outputs, inputs=[x])
    for n, p in ((1, 4), (3, 7), (2, 33)):
        values = draw((n, 6, p), dtype)
        v = wide(values)
        grouped = standardized(v.reshape(n, 3, 2 * p), (2,)).reshape(v.shape)
        wanted = [standardized(v, (2,)), grouped, standardized(v, (0, 2)), v.mean(axis=(0, 2)), v.var(axis=(0, 2))]
        statistics = "float64" if dtype == "float64" else "float32"
        kinds = [dtype] * 3 + [statistics] * 2
        names = ["instance", "group", "batch", "mean", "variance"]
        compare(names, kernel(values), wanted, terms=6 * n * p, dtypes=kinds)


# --- errors ---------------------------------------------------------------------------------------------

X, I, W = (te.placeholder(s, d, name=n) for s, d, n in [
    ((3, 4), "float32", "X"), ((3, 4), "int32", "I"), ((5,), "float32", "W"),
])  # fmt: skip
ERRORS: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: ops.softmax(X, axis=3),
        "AKG-E273: softmax: axis 3 is out of range\nbecause: the tensor has 2 dimensions\nhint: give axis from -2 to 1",
    ),
    (
        lambda: ops.softmax(I),
        "AKG-E274: softmax: x is int32\nbecause: it must be a float\nhint: convert it: akg.ops.astype(x, dtype)",
    ),
    (
        lambda: ops.layer_norm(X, W),
        "AKG-E276: layer_norm: weight has shape (5,)\nbecause: it must have shape (4,)\nhint: reshape weight",
    ),
    (
        lambda: ops.layer_norm(X, normalized_shape=(3,)),
        "AKG-E276: layer_norm: normalized_shape is (3,)\nbecause: x has shape (3, 4)\nhint: give the last sizes of x",
    ),
    (
        lambda: ops.instance_norm(X),
        "AKG-E276: instance_norm: x has shape (3, 4)\nbecause: its dimensions are batch, channel, and places\n"
        "hint: give at least 3 dimensions",
    ),
    (
        lambda: ops.group_norm(X, 3),
        "AKG-E275: group_norm: num_groups is 3 for 4 channels\nbecause: groups share the channels evenly\n"
        "hint: give a divisor of a constant number of channels",
    ),
    (
        lambda: ops.batch_norm(X, W, W),
        "AKG-E276: batch_norm: mean has shape (5,)\nbecause: it must have shape (4,)\nhint: reshape mean",
    ),
    (
        lambda: ops.batch_norm(X, None, None),  # type: ignore[arg-type]
        "AKG-E271: batch_norm: mean is a NoneType\nbecause: operators define tensors in terms of tensors\n"
        "hint: declare the argument: te.placeholder(shape, dtype)",
    ),
]


@pytest.mark.parametrize(("call", "text"), ERRORS, ids=[text.partition("\n")[0] for _, text in ERRORS])
def test_errors(call: Callable[[], Any], text: str) -> None:
    assert message_of(call) == text
