"""The tensor expressions that benchmarks and tests share, each with its float64 reference.

A `Case` makes a definition for given sizes: (outputs, inputs). `reference` is NumPy; tests give it float64 arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from akg import te

Definition = tuple[Sequence[Any], Sequence[Any]]


@dataclass(frozen=True)
class Case:
    """A definition by sizes, with defaults for compile-time benchmarks and small ones for tests.

    Attributes:
        name: of the case.
        define: (dtype, **sizes) -> (outputs, inputs).
        reference: arrays in calling order -> array or tuple of arrays.
        sizes: of a benchmark.
        small: of a test.
        terms: products that one element sums, from the sizes; for tolerances.
    """

    name: str
    define: Callable[..., Definition]
    reference: Callable[..., Any]
    sizes: dict[str, int]
    small: dict[str, int]
    terms: Callable[[dict[str, int]], int] = field(default=lambda sizes: 1)


# --- contractions ---------------------------------------------------------------------------------------


def matmul(layout: str = "nn", dtype: str = "float32", m: Any = 512, n: Any = 512, k: Any = 512) -> Definition:
    """C[i, j] = sum over k; `layout` says for A and for B whether it is stored transposed ("t") or not ("n")."""
    A = te.placeholder((m, k) if layout[0] == "n" else (k, m), dtype, name="A")
    B = te.placeholder((k, n) if layout[1] == "n" else (n, k), dtype, name="B")
    r = te.reduce_axis(k, name="r")

    def element(i: Any, j: Any) -> Any:
        return te.sum((A[i, r] if layout[0] == "n" else A[r, i]) * (B[r, j] if layout[1] == "n" else B[j, r]), axis=r)

    return [te.compute((m, n), element, name="C")], [A, B]


def _matmul_case(layout: str) -> Case:
    def reference(a: Any, b: Any) -> Any:
        return (a if layout[0] == "n" else a.T) @ (b if layout[1] == "n" else b.T)

    return Case(
        f"matmul_{layout}",
        lambda dtype="float32", **s: matmul(layout, dtype, **s),
        reference, {"m": 512, "n": 512, "k": 512}, {"m": 37, "n": 70, "k": 33}, lambda s: s["k"],
    )  # fmt: skip


def batched_matmul(dtype: str = "float32", b: Any = 8, m: Any = 128, n: Any = 128, k: Any = 64) -> Definition:
    A, B = te.placeholder((b, m, k), dtype, name="A"), te.placeholder((b, k, n), dtype, name="B")
    r = te.reduce_axis(k, name="r")
    return [te.compute((b, m, n), lambda h, i, j: te.sum(A[h, i, r] * B[h, r, j], axis=r), name="C")], [A, B]


def conv2d(
    dtype: str = "float32", c: int = 64, f: int = 64, h: int = 56, w: int = 56,
    r: int = 3, stride: int = 1, pad: int = 1,
) -> Definition:  # fmt: skip
    """relu(conv(pad(X), W) + bias) of one image, c x h x w to f x oh x ow."""
    X, W = te.placeholder((c, h, w), dtype, name="X"), te.placeholder((f, c, r, r), dtype, name="W")
    bias = te.placeholder((f,), dtype, name="bias")
    padded = te.compute(
        (c, h + 2 * pad, w + 2 * pad),
        lambda ch, i, j: te.select(
            te.all(i >= pad, i < h + pad, j >= pad, j < w + pad), X[ch, i - pad, j - pad], te.const(0, dtype)
        ),
        name="padded",
    )
    rc, ri, rj = te.reduce_axis(c, name="rc"), te.reduce_axis(r, name="ri"), te.reduce_axis(r, name="rj")
    out = ((h + 2 * pad - r) // stride + 1, (w + 2 * pad - r) // stride + 1)
    conv = te.compute(
        (f, *out),
        lambda o, i, j: te.sum(padded[rc, i * stride + ri, j * stride + rj] * W[o, rc, ri, rj], axis=(rc, ri, rj)),
        name="conv",
    )
    relu = te.compute((f, *out), lambda o, i, j: te.maximum(conv[o, i, j] + bias[o], te.const(0, dtype)), name="relu")
    return [relu], [X, W, bias]


def _conv2d_reference(stride: int, pad: int) -> Callable[..., Any]:
    def reference(x: Any, w: Any, b: Any) -> Any:
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
        return np.maximum(np.einsum("cijrs,fcrs->fij", windows, w, optimize=True) + b[:, None, None], 0)

    return reference


# --- normalisations -------------------------------------------------------------------------------------


def softmax(dtype: str = "float32", m: Any = 4096, n: Any = 1024) -> Definition:
    X = te.placeholder((m, n), dtype, name="X")
    r, s = te.reduce_axis(n, name="r"), te.reduce_axis(n, name="s")
    peak = te.compute((m,), lambda i: te.max(X[i, r], axis=r), name="peak")
    power = te.compute((m, n), lambda i, j: te.exp(X[i, j] - peak[i]), name="power")
    total = te.compute((m,), lambda i: te.sum(power[i, s], axis=s), name="total")
    scale = te.compute((m,), lambda i: 1.0 / total[i], name="scale")
    return [te.compute((m, n), lambda i, j: power[i, j] * scale[i], name="Y")], [X]


def _softmax_reference(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True, initial=-np.inf))
    return e / e.sum(-1, keepdims=True)


def layer_norm(dtype: str = "float32", m: Any = 4096, n: Any = 1024) -> Definition:
    X = te.placeholder((m, n), dtype, name="X")
    gain, shift = te.placeholder((n,), dtype, name="gain"), te.placeholder((n,), dtype, name="shift")
    r, s = te.reduce_axis(n, name="r"), te.reduce_axis(n, name="s")
    mean = te.compute((m,), lambda i: te.sum(X[i, r], axis=r) * te.cast(1.0 / n, dtype), name="mean")
    square = te.compute((m,), lambda i: te.sum((X[i, s] - mean[i]) * (X[i, s] - mean[i]), axis=s), name="square")
    scale = te.compute((m,), lambda i: te.rsqrt(square[i] * te.cast(1.0 / n, dtype) + 1e-5), name="scale")
    out = te.compute((m, n), lambda i, j: (X[i, j] - mean[i]) * scale[i] * gain[j] + shift[j], name="Y")
    return [out], [X, gain, shift]


def _layer_norm_reference(x: Any, gain: Any, shift: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(-1, keepdims=True) + 1e-5) * gain + shift


# --- stencils, reductions, movement, chains -------------------------------------------------------------


def stencil_chain(dtype: str = "float32", m: Any = 1024, n: Any = 1024) -> Definition:
    """Three 5-point smoothings, each on the inner part of the one before."""
    X = te.placeholder((m, n), dtype, name="X")
    stage: Any = X
    for t in range(1, 4):
        last = stage
        stage = te.compute(
            (m - 2 * t, n - 2 * t),
            lambda i, j, last=last: (
                last[i, j + 1] + last[i + 2, j + 1] + last[i + 1, j] + last[i + 1, j + 2] + last[i + 1, j + 1]
            ) * te.const(0.2, dtype),
            name=f"T{t}",
        )  # fmt: skip
    return [stage], [X]


def _stencil_reference(x: Any) -> Any:
    for _ in range(3):
        x = (x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:] + x[1:-1, 1:-1]) * 0.2
    return x


def row_sum(dtype: str = "float32", m: Any = 1024, n: Any = 1024) -> Definition:
    X, r = te.placeholder((m, n), dtype, name="X"), te.reduce_axis(n, name="r")
    return [te.compute((m,), lambda i: te.sum(X[i, r], axis=r), name="Y")], [X]


def column_sum(dtype: str = "float32", m: Any = 1024, n: Any = 1024) -> Definition:
    X, r = te.placeholder((m, n), dtype, name="X"), te.reduce_axis(m, name="r")
    return [te.compute((n,), lambda j: te.sum(X[r, j], axis=r), name="Y")], [X]


def full_sum(dtype: str = "float32", m: Any = 1024, n: Any = 1024) -> Definition:
    X, r, s = te.placeholder((m, n), dtype, name="X"), te.reduce_axis(m, name="r"), te.reduce_axis(n, name="s")
    return [te.compute((), lambda: te.sum(X[r, s], axis=(r, s)), name="Y")], [X]


def argmax(dtype: str = "float32", m: Any = 1024, n: Any = 1024) -> Definition:
    X, r = te.placeholder((m, n), dtype, name="X"), te.reduce_axis(n, name="r")
    return list(te.compute((m,), lambda i: te.argmax((X[i, r], r), axis=r), name="Y")), [X]


def transpose(dtype: str = "float32", m: Any = 1024, n: Any = 1024) -> Definition:
    X = te.placeholder((m, n), dtype, name="X")
    return [te.compute((n, m), lambda i, j: X[j, i], name="Y")], [X]


def elementwise_chain(dtype: str = "float32", n: Any = 1 << 24) -> Definition:
    """Four stages that fuse into one pass over memory: scale, shift, clamp, square."""
    X, Y = te.placeholder((n,), dtype, name="X"), te.placeholder((n,), dtype, name="Y")
    a = te.compute((n,), lambda i: X[i] * te.const(2.0, dtype) + Y[i], name="a")
    b = te.compute((n,), lambda i: te.maximum(a[i] - te.const(1.0, dtype), te.const(0.0, dtype)), name="b")
    c = te.compute((n,), lambda i: te.minimum(b[i], te.const(6.0, dtype)) * X[i], name="c")
    return [te.compute((n,), lambda i: c[i] * c[i] + Y[i], name="d")], [X, Y]


def _chain_reference(x: Any, y: Any) -> Any:
    c = np.minimum(np.maximum(x * 2 + y - 1, 0), 6) * x
    return c * c + y


def symbolic_matmul(dtype: str = "float32") -> Definition:
    return matmul("nn", dtype, m=te.var("m"), n=te.var("n"), k=te.var("k"))


_SQUARE = {"m": 1024, "n": 1024}
_SMALL = {"m": 37, "n": 45}
_CONV = {"c": 5, "f": 7, "h": 13, "w": 11}
CASES: dict[str, Case] = {
    case.name: case
    for case in (
        *map(_matmul_case, ("nn", "nt", "tn", "tt")),
        Case("batched_matmul", batched_matmul, lambda a, b: a @ b, {"b": 8, "m": 128, "n": 128, "k": 64},
             {"b": 3, "m": 17, "n": 20, "k": 9}, lambda s: s["k"]),
        Case("softmax", softmax, _softmax_reference, {"m": 4096, "n": 1024}, _SMALL, lambda s: s["n"]),
        Case("layer_norm", layer_norm, _layer_norm_reference, {"m": 4096, "n": 1024}, _SMALL, lambda s: s["n"]),
        Case("conv2d", conv2d, _conv2d_reference(1, 1), {}, _CONV, lambda s: 9 * s["c"]),
        Case("conv2d_stride2", lambda dtype="float32", **s: conv2d(dtype, stride=2, **s), _conv2d_reference(2, 1), {},
             _CONV, lambda s: 9 * s["c"]),
        Case("stencil_chain", stencil_chain, _stencil_reference, _SQUARE, _SMALL, lambda s: 125),
        Case("row_sum", row_sum, lambda x: x.sum(1), _SQUARE, _SMALL, lambda s: s["n"]),
        Case("column_sum", column_sum, lambda x: x.sum(0), _SQUARE, _SMALL, lambda s: s["m"]),
        Case("full_sum", full_sum, lambda x: x.sum(), _SQUARE, _SMALL, lambda s: s["m"] * s["n"]),
        Case("argmax", argmax, lambda x: (x.max(1), x.argmax(1)), _SQUARE, _SMALL),
        Case("transpose", transpose, lambda x: x.T, _SQUARE, _SMALL),
        Case("elementwise_chain", elementwise_chain, _chain_reference, {}, {"n": 1001}, lambda s: 8),
        Case("symbolic_matmul", symbolic_matmul, lambda a, b: a @ b, {}, {}, lambda s: 64),
    )
}  # fmt: skip
