"""Operands laid out for instructions that take several steps of a sum."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import bfloat16, tolerance
from akg.base.target import Target, resolve_target
from akg.driver import pipeline
from akg.ir import stmt
from akg.ir.lower import lower_te
from akg.poly.strategy import resolve_strategy

DOTS = frozenset({"avx512f", "avx512bw", "avx512bf16"})
WIDE = Target("wide", "llvm", "x86_64", "x86-64-v4", DOTS, 512, 32, l2_bytes=1 << 20, cores=2)
SHAPES: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((1, 16, 15, 14), (32, 16, 3, 3), {"padding": 1}),
    ((2, 16, 15, 29), (48, 16, 3, 3), {"stride": 2}),
    ((1, 32, 12, 14), (64, 16, 3, 3), {"groups": 2, "padding": 1}),
    ((2, 16, 157), (48, 16, 5), {"dilation": 3}),
]


def convolution(
    dtype: str, x: tuple[int, ...], w: tuple[int, ...], options: dict[str, Any]
) -> tuple[te.Tensor, list[te.Tensor]]:
    a, b = te.placeholder(x, dtype, name="X"), te.placeholder(w, dtype, name="W")
    types = {"out_dtype": "int32"} if dtype == "int8" else {}
    return {3: ops.conv1d, 4: ops.conv2d}[len(x)](a, b, **options, **types), [a, b]


def copies(result: te.Tensor, inputs: list[te.Tensor], target: Target = WIDE) -> list[stmt.Alloc]:
    state = pipeline.start(lower_te([result], inputs=inputs), resolve_strategy("auto"), target)
    state = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert state.result is not None
    return [s for s in stmt.walk(state.result.body) if isinstance(s, stmt.Alloc) and "_pairs" in s.buffer.name]


def reference(x: Any, w: Any, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1) -> Any:
    """The convolution in float64, tap by tap."""
    x = np.pad(x, ((0, 0), (0, 0), *[(padding, padding)] * (x.ndim - 2)))
    sizes = [(n - dilation * (k - 1) - 1) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    x = x.reshape(x.shape[0], groups, -1, *x.shape[2:])
    w = w.reshape(groups, -1, *w.shape[1:])
    total = np.zeros((x.shape[0], groups, w.shape[1], *sizes))
    for k in np.ndindex(*w.shape[3:]):
        at = [slice(t * dilation, t * dilation + stride * n, stride) for t, n in zip(k, sizes, strict=True)]
        total += np.einsum("ngc...,gfc->ngf...", x[(..., *at)], w[(slice(None), slice(None), slice(None), *k)])
    return total.reshape(x.shape[0], -1, *sizes)


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
@pytest.mark.parametrize(("x", "w", "options"), SHAPES)
def test_channels_in_pairs(dtype: str, x: tuple[int, ...], w: tuple[int, ...], options: dict[str, Any]) -> None:
    result, inputs = convolution(dtype, x, w, options)
    assert len(copies(result, inputs)) == 2
    rng = np.random.default_rng(7)
    a, b = rng.integers(-4, 5, x), rng.integers(-4, 5, w)
    kind: Any = np.int8 if dtype == "int8" else pytest.importorskip("ml_dtypes").bfloat16
    got = np.asarray(akg.build([result], inputs=inputs)(a.astype(kind), b.astype(kind))).astype(float)
    want = reference(a.astype(float), b.astype(float), **options)
    np.testing.assert_allclose(got, want, rtol=tolerance(bfloat16) if dtype == "bfloat16" else 0, atol=0)


def test_odd_channels_and_other_machines_have_none() -> None:
    assert not copies(*convolution("bfloat16", (1, 15, 15, 14), (32, 15, 3, 3), {}))
    plain = replace(WIDE, features=frozenset({"avx512f", "avx512bw"}))
    assert not copies(*convolution("bfloat16", *SHAPES[0]), plain)
    assert not copies(*convolution("float32", *SHAPES[0]), resolve_target("cpu"))


def weights_gradient(
    dtype: str, n: int, c: int, f: int, out: int, k: int, stride: int
) -> tuple[te.Tensor, list[te.Tensor], int]:  # fmt: skip
    """For each tap, products of channels summed over all places; the size of the padded image."""
    size = (out - 1) * stride + k
    image = te.placeholder((n, size, size, c), dtype, name="image")
    above = te.placeholder((n, out, out, f), dtype, name="above")
    wide = "int32" if dtype == "int8" else "float32"
    b, y, x = te.reduce_axis(n, name="n"), te.reduce_axis(out, name="y"), te.reduce_axis(out, name="x")

    def element(*at: Any) -> Any:
        i, j, p, q = at
        product = te.cast(image[b, y * stride + i, x * stride + j, p], wide) * te.cast(above[b, y, x, q], wide)
        return te.sum(product, axis=(b, y, x))

    return te.compute((k, k, c, f), element, name="taps"), [image, above], size


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
@pytest.mark.parametrize("stride", [1, 2])
def test_windows_that_overlap_have_copies_of_their_own(dtype: str, stride: int) -> None:
    result, inputs, size = weights_gradient(dtype, 1, 8, 32, 30, 3, stride)
    found = {s.buffer.name: s.buffer.const_shape for s in copies(result, inputs)}
    assert found == {"image_pairs": (size * size * 8 * 2,), "above_pairs": (30 * 30 * 32,)}
    rng = np.random.default_rng(8)
    image, above = rng.integers(-4, 5, (1, size, size, 8)), rng.integers(-4, 5, (1, 30, 30, 32))
    kind: Any = np.int8 if dtype == "int8" else pytest.importorskip("ml_dtypes").bfloat16
    got = np.asarray(akg.build([result], inputs=inputs)(image.astype(kind), above.astype(kind))).astype(float)
    last = 29 * stride + 1
    for i, j in np.ndindex(3, 3):
        window = image[:, i : i + last : stride, j : j + last : stride].astype(float)
        np.testing.assert_array_equal(got[i, j], np.einsum("nyxc,nyxf->cf", window, above))


def test_tiles_of_few_rows_run_inside_a_long_sum() -> None:
    result, inputs, _ = weights_gradient("float32", 2, 3, 64, 112, 5, 2)
    state = pipeline.start(lower_te([result], inputs=inputs), resolve_strategy("auto"), WIDE)
    state = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert "taps: tiles inside of 2 loops of its sum: they read the same" in state.decisions.lines
    small = weights_gradient("float32", 2, 3, 64, 28, 5, 2)
    state = pipeline.start(lower_te([small[0]], inputs=small[1]), resolve_strategy("auto"), WIDE)
    state = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert not any("tiles inside" in line for line in state.decisions.lines)
