"""Windows over several rows of one array, read row by row."""

from __future__ import annotations

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.target import Target
from akg.driver import pipeline
from akg.ir import stmt
from akg.ir.interp import interpret
from akg.ir.lower import lower_te
from akg.ir.rewrite import loads_of
from akg.poly.strategy import resolve_strategy

WIDE = Target("wide", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32,
              l1_bytes=1 << 15, l2_bytes=1 << 20, l3_bytes=1 << 25, cores=2)  # fmt: skip


def mapped(output: te.Tensor, inputs: list[te.Tensor]) -> stmt.Kernel:
    state = pipeline.start(lower_te([output], inputs), resolve_strategy("auto"), WIDE)
    pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert state.result is not None
    return state.result


def rows_at_once(kernel: stmt.Kernel, name: str) -> int:
    """The most rows of an array that one vector loop reads."""
    counts = [0]
    for loop in stmt.walk(kernel.body):
        if isinstance(loop, stmt.For) and loop.kind == "vector":
            nodes = (load for s in stmt.walk(loop.body) for e in stmt.expressions(s) for load in loads_of(e))
            counts.append(len({load.indices[:-1] for load in nodes if load.buffer.name == name}))
    return max(counts)


def around(a: np.ndarray, value: float) -> np.ndarray:
    return np.pad(a, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=value)


@pytest.mark.parametrize(("rows", "columns"), [(8, 56), (13, 45), (18, 100)])
def test_sums_over_windows(rows: int, columns: int) -> None:
    x, w = te.placeholder((2, 3, rows, columns), "float32", name="X"), te.placeholder((3, 1, 3, 3), "float32", name="W")
    y = ops.depthwise_conv2d(x, w, padding=1)
    kernel = mapped(y, [x, w])
    assert rows_at_once(kernel, "X") == 1
    rng = np.random.default_rng(rows)
    a, b = rng.standard_normal((2, 3, rows, columns), np.float32), rng.standard_normal((3, 1, 3, 3), np.float32)
    p = around(a, 0)
    taps = [(i, j) for i in range(3) for j in range(3)]
    want = sum(p[:, :, i : i + rows, j : j + columns] * b[:, 0, i, j][:, None, None] for i, j in taps)
    got = np.zeros_like(a)
    interpret(kernel, a, b, got)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(akg.build([y], inputs=[x, w])(a, b), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("rows", "columns"), [(16, 112), (9, 77)])
def test_largest_of_windows(rows: int, columns: int) -> None:
    x = te.placeholder((2, 3, rows, columns), "float32", name="X")
    y = ops.max_pool2d(x, 3, stride=2, padding=1)
    kernel = mapped(y, [x])
    assert rows_at_once(kernel, "X") == 1
    a = np.random.default_rng(rows).standard_normal((2, 3, rows, columns), np.float32)
    a[0, 0, 3, 5], a[1, 2, 0, 0], a[1, 1, 7, columns - 1] = np.nan, np.inf, -np.inf
    parts = np.lib.stride_tricks.sliding_window_view(around(a, -np.inf), (3, 3), axis=(2, 3))
    want = parts[:, :, ::2, ::2].max(axis=(4, 5))
    got = np.zeros_like(want)
    interpret(kernel, a, got)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(akg.build([y], inputs=[x])(a), want)


def test_long_rows_stay_together() -> None:
    x = te.placeholder((2, 3, 16, 400), "float32", name="X")
    assert rows_at_once(mapped(ops.max_pool2d(x, 3, stride=2, padding=1), [x]), "X") == 3


def test_terms_keep_their_order() -> None:
    """A sum that goes back to a row after the next one has begun is left as it is."""
    x = te.placeholder((18, 60), "float32", name="X")
    back = te.compute((16, 60), lambda i, j: (x[i, j] + x[i + 2, j]) + x[i + 1, j], name="Y")
    forth = te.compute((16, 60), lambda i, j: (x[i, j] + x[i + 1, j]) + x[i + 2, j], name="Y")
    assert rows_at_once(mapped(back, [x]), "X") > 1
    assert rows_at_once(mapped(forth, [x]), "X") == 1


def test_results_that_are_not_as_wide_as_they_are_computed_stay_whole() -> None:
    """A partial result in a register of 16 bits would be rounded."""
    x = te.placeholder((18, 60), "bfloat16", name="X")
    y = te.compute((16, 60), lambda i, j: (x[i, j] + x[i + 1, j]) + x[i + 2, j], name="Y")
    assert rows_at_once(mapped(y, [x]), "X") == 3
    z = te.placeholder((18, 60), "float32", name="Z")
    less = te.compute((16, 60), lambda i, j: (z[i, j] + z[i + 1, j]) < z[i + 2, j], name="Y")
    assert rows_at_once(mapped(less, [z]), "Z") == 3
