"""Constants of graphs that products read are packed once."""

from __future__ import annotations

from typing import Any

import numpy as np

from akg.base.dtype import float32, tolerance
from akg.fusion import Builder, compile_graph

ROWS, WIDTH = 32, 384


def layers(count: int, seed: int) -> tuple[Any, list[Any]]:
    """Layers of ``relu(x @ w + b)``, and their weights."""
    rng = np.random.default_rng(seed)
    builder = Builder("layers")
    value = builder.input("x", (ROWS, WIDTH), "float32")
    weights: list[Any] = []
    for _ in range(count):
        w = (rng.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5).astype(np.float32)
        b = rng.standard_normal(WIDTH).astype(np.float32)
        weights.append((w, b))
        value = builder.apply("matmul", value, builder.constant(w))
        value = builder.apply("relu", builder.apply("add", value, builder.constant(b)))
    return builder.finish([value]), weights


def test_weights_are_packed_once() -> None:
    graph, weights = layers(2, 1)
    compiled = compile_graph(graph)
    assert sum(len(set(kernel.packed)) for kernel in compiled.kernels) == 2
    x = np.random.default_rng(2).standard_normal((ROWS, WIDTH)).astype(np.float32)
    want = x.astype(np.float64)
    for w, b in weights:
        want = np.maximum(want @ w + b, 0)
    error = 4 * tolerance(float32, WIDTH)
    np.testing.assert_allclose(compiled(x), want, rtol=error, atol=error)
    out = np.empty((ROWS, WIDTH), np.float32)
    compiled(x, out=out)
    np.testing.assert_allclose(out, want, rtol=error, atol=error)


def test_weights_of_convolutions() -> None:
    rng = np.random.default_rng(3)
    w = rng.standard_normal((32, 16, 3, 3)).astype(np.float32)
    x = rng.standard_normal((1, 16, 12, 12)).astype(np.float32)
    builder = Builder("one")
    value = builder.apply("conv2d", builder.input("x", x.shape, "float32"), builder.constant(w), padding=1)
    got = compile_graph(builder.finish([value]))(x)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (2, 3))
    want = np.einsum("nchwrs,fcrs->nfhw", windows.astype(np.float64), w)
    error = 8 * tolerance(float32, 144)
    np.testing.assert_allclose(got, want, rtol=error, atol=error * 12)


def test_small_ones_and_those_of_sums_stay() -> None:
    builder = Builder("plain")
    x = builder.input("x", (ROWS, WIDTH), "float32")
    small = builder.apply("matmul", x, builder.constant(np.ones((WIDTH, 4), np.float32)))
    large = builder.apply("add", x, builder.constant(np.ones((ROWS * 4, WIDTH), np.float32)[:ROWS]))
    compiled = compile_graph(builder.finish([small, large]))
    assert not any(kernel.packed for kernel in compiled.kernels)
    ones = np.ones((ROWS, WIDTH), np.float32)
    one, two = compiled(ones)
    np.testing.assert_array_equal(one, np.full((ROWS, 4), WIDTH, np.float32))
    np.testing.assert_array_equal(two, 2 * ones)
