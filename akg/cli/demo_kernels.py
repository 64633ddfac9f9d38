# ruff: noqa: F821, N803, UP037  (shapes and dtypes are strings inside annotations; matrices are capitals)
"""The three kernels of `akg demo`, each with what NumPy does for the same and a float64 reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import akg
from akg import te

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Example:
    """One kernel of the demo.

    Attributes:
        title: in a few words.
        about: formula and sizes.
        lower: makes the loop IR.
        inputs: arguments in calling order.
        numpy: the same in NumPy and the dtype of the inputs; takes the inputs.
        numpy_is: what the NumPy version does.
        reference: the result in float64.
        result: the kernel's result from its arguments and what the call returned.
    """

    title: str
    about: str
    lower: Callable[[], Any]
    inputs: tuple[Array, ...]
    numpy: Callable[..., Array]
    numpy_is: str
    reference: Callable[..., Array]
    result: Callable[[tuple[Array, ...], Any], Array]


def attention_scores(heads: int, length: int, width: int) -> Any:
    """softmax(mask(q @ k^T / sqrt(width))) over the last axis, float32, heads x length x length."""
    q = te.placeholder((heads, length, width), "float32", name="q")
    k = te.placeholder((heads, length, width), "float32", name="k")
    mask = te.placeholder((length, length), "bool", name="mask")
    d = te.reduce_axis(width, name="d")
    row, total = te.reduce_axis(length, name="jm"), te.reduce_axis(length, name="js")
    shape = (heads, length, length)
    dot = te.compute(shape, lambda h, i, j: te.sum(q[h, i, d] * k[h, j, d], axis=d), name="dot")
    scores = te.compute(
        shape, lambda h, i, j: te.select(mask[i, j], dot[h, i, j] * (1.0 / width**0.5), -1e30), name="scores"
    )
    peak = te.compute((heads, length), lambda h, i: te.max(scores[h, i, row], axis=row), name="peak")
    power = te.compute(shape, lambda h, i, j: te.exp(scores[h, i, j] - peak[h, i]), name="power")
    norm = te.compute((heads, length), lambda h, i: te.sum(power[h, i, total], axis=total), name="norm")
    out = te.compute(shape, lambda h, i, j: power[h, i, j] / norm[h, i], name="attention")
    return akg.lower([out], inputs=[q, k, mask], name="attention")


def _attention_numpy(q: Array, k: Array, mask: Array) -> Array:
    scores = np.matmul(q, k.transpose(0, 2, 1))
    scores *= q.dtype.type(q.shape[-1] ** -0.5)
    scores = np.where(mask, scores, q.dtype.type(-1e30))
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores


def convolution(channels: int, size: int, filters: int) -> Any:
    """relu(conv2d(x, w, 3x3, padding 1) + b), float32, one image in channels x size x size."""
    x = te.placeholder((channels, size, size), "float32", name="x")
    w = te.placeholder((filters, channels, 3, 3), "float32", name="w")
    b = te.placeholder((filters,), "float32", name="b")
    c, r, s = te.reduce_axis(channels, name="c"), te.reduce_axis(3, name="r"), te.reduce_axis(3, name="s")
    padded = te.compute(
        (channels, size + 2, size + 2),
        lambda c, i, j: te.select(te.all(i >= 1, i <= size, j >= 1, j <= size), x[c, i - 1, j - 1], 0.0),
        name="padded",
    )
    conv = te.compute(
        (filters, size, size),
        lambda f, i, j: te.sum(padded[c, i + r, j + s] * w[f, c, r, s], axis=(c, r, s)),
        name="conv",
    )
    out = te.compute((filters, size, size), lambda f, i, j: te.maximum(conv[f, i, j] + b[f], 0.0), name="relu")
    return akg.lower([out], inputs=[x, w, b], name="conv2d")


def _convolution_numpy(x: Array, w: Array, b: Array) -> Array:
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))  # type: ignore[call-overload]
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(-1, x.shape[1] * x.shape[2])
    flat = w.reshape(len(w), -1) @ columns
    flat += b[:, None]
    return np.maximum(flat, 0, out=flat).reshape(len(w), *x.shape[1:])


@akg.script
def lu(A: akg.Tensor["n", "n", "float64"]):  # noqa: D103
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            for k in range(j):
                A[i, j] -= A[i, k] * A[k, j]
            A[i, j] /= A[j, j]
        for j in range(i, n):
            for k in range(i):
                A[i, j] -= A[i, k] * A[k, j]


def _lu_numpy(a: Array) -> Array:
    a = a.copy()
    for i in range(len(a) - 1):
        a[i + 1 :, i] /= a[i, i]
        a[i + 1 :, i + 1 :] -= np.outer(a[i + 1 :, i], a[i, i + 1 :])
    return a


def _wide(function: Callable[..., Array]) -> Callable[..., Array]:
    def call(*arrays: Array) -> Array:
        return function(*[a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays])

    return call


def examples(is_quick: bool = False) -> list[Example]:
    """The kernels of the demo; smaller ones for `--quick`."""
    heads, length, width = (4, 128, 64) if is_quick else (8, 512, 64)
    channels, size = (16, 28) if is_quick else (64, 56)
    n = 96 if is_quick else 320
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(np.float32)

    def returned(args: tuple[Array, ...], value: Any) -> Array:
        return value

    causal = np.tril(np.ones((length, length), bool))
    return [
        Example(
            "attention scores",
            f"softmax(mask(q @ k^T / {width**0.5:g})), {heads} heads x {length} x {width}, float32",
            lambda: attention_scores(heads, length, width),
            (normal(heads, length, width), normal(heads, length, width), causal),
            _attention_numpy, "matmul by BLAS, then one array operation per step",
            _wide(_attention_numpy), returned,
        ),
        Example(
            "convolution",
            f"relu(conv2d(x, w) + b), {channels} x {size} x {size}, {channels} filters 3 x 3, padding 1, float32",
            lambda: convolution(channels, size, channels),
            (normal(channels, size, size), normal(channels, channels, 3, 3) / 24, normal(channels)),
            _convolution_numpy, "all windows copied out, matmul by BLAS",
            _wide(_convolution_numpy), returned,
        ),
        Example(
            "LU script",
            f"in-place LU without pivots of a {n} x {n} matrix, float64; n is symbolic",
            lambda: akg.lower(lu),
            (rng.standard_normal((n, n)) + n * np.eye(n),),
            _lu_numpy, "one rank-1 update per column",
            _lu_numpy, lambda args, value: args[0],
        ),
    ]  # fmt: skip
