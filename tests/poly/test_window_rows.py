"""Rows of windows: several at a time, and prefetches of those of large arrays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.target import Target
from akg.driver import pipeline
from akg.ir import stmt
from akg.ir.interp import interpret
from akg.ir.lower import lower_te
from akg.poly.strategy import resolve_strategy

SMALL = Target("small", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32,
               l1_bytes=1 << 12, l2_bytes=1 << 13, l3_bytes=1 << 14, cores=2)  # fmt: skip
HUGE = replace(SMALL, l3_bytes=1 << 30)


def mapped(outputs: te.Tensor, inputs: list[te.Tensor], target: Target = HUGE) -> tuple[stmt.Kernel, list[str]]:
    state = pipeline.start(lower_te([outputs], inputs), resolve_strategy("auto"), target)
    pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert state.result is not None
    return state.result, state.decisions.lines


@pytest.mark.parametrize(("rows", "count"), [(8, 4), (13, 4), (15, 5), (19, 4)])
def test_rows_that_overlap_run_several_at_a_time(rows: int, count: int) -> None:
    x, w = te.placeholder((5, 3, rows, 20), "float32", name="X"), te.placeholder((3, 1, 3, 3), "float32", name="W")
    y = ops.depthwise_conv2d(x, w, padding=1)
    kernel, notes = mapped(y, [x, w])
    assert any(f"{count} rows along" in line for line in notes)
    assert any(isinstance(s, stmt.For) and s.step == count for s in stmt.walk(kernel.body))
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((5, 3, rows, 20), np.float32), rng.standard_normal((3, 1, 3, 3), np.float32)
    got = np.zeros((5, 3, rows, 20), np.float32)
    interpret(kernel, a, b, got)
    around = np.pad(a, ((0, 0), (0, 0), (1, 1), (1, 1)))
    taps = [(i, j) for i in range(3) for j in range(3)]
    want = sum(around[:, :, i : i + rows, j : j + 20] * b[:, 0, i, j][:, None, None] for i, j in taps)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(akg.build([y], inputs=[x, w])(a, b), want, rtol=1e-5, atol=1e-5)


def test_rows_that_depend_on_one_another_do_not() -> None:
    @akg.script
    def smooth(A: akg.Tensor[18, 20, "float32"]):  # noqa: F821, UP037
        for i in range(1, 17):
            for j in range(20):
                A[i, j] = A[i - 1, j] + A[i, j] + A[i + 1, j]

    kernel = akg.build(smooth, name="smooth_rows")
    assert "rows along" not in str(kernel.report)
    a = np.random.default_rng(5).standard_normal((18, 20)).astype(np.float32)
    want = a.copy()
    smooth(want)
    kernel(a)
    np.testing.assert_allclose(a, want, rtol=1e-5, atol=1e-5)


def test_rows_of_large_arrays_are_asked_for_unless_they_are_read_one_by_one() -> None:
    x = te.placeholder((4, 4, 32, 144), "float32", name="X")
    y = ops.max_pool2d(x, 3, stride=2, padding=1)
    for target, wanted in ((SMALL, {"X"}), (HUGE, set[str]())):
        kernel, _ = mapped(y, [x], target)
        assert {s.buffer.name for s in stmt.walk(kernel.body) if isinstance(s, stmt.Prefetch)} == wanted
    x = te.placeholder((4, 4, 32, 96), "float32", name="X")
    kernel, _ = mapped(ops.max_pool2d(x, 3, stride=2, padding=1), [x], SMALL)
    assert not any(isinstance(s, stmt.Prefetch) for s in stmt.walk(kernel.body))


def test_rows_read_one_by_one_are_asked_for_where_arrays_just_fill_the_last_cache() -> None:
    for planes, l3_bytes, wanted in ((4, 1 << 16, {1}), (4, 1 << 17, set[int]()), (16, 1 << 16, set[int]())):
        target = replace(SMALL, l3_bytes=l3_bytes)
        x = te.placeholder((2, planes, 32, 24), "float32", name="X")
        w = te.placeholder((planes, 1, 3, 3), "float32", name="W")
        kernel, _ = mapped(ops.depthwise_conv2d(x, w, padding=1), [x, w], target)
        assert {s.level for s in stmt.walk(kernel.body) if isinstance(s, stmt.Prefetch)} == wanted


def test_lines_are_read_as_whole_vectors() -> None:
    x = te.placeholder((4, 4, 33, 57), "float32", name="X")
    for size, stride in ((3, 2), (5, 3), (5, 4)):
        y = ops.max_pool2d(x, size, stride=stride, padding=1)
        assert "gather" not in akg.build([y], inputs=[x], target="x86-64-v4", name=f"p{size}").source("llvm")
