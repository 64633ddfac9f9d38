"""Prefetches around register tiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from akg import ops, te
from akg.base.target import Target
from akg.driver import pipeline
from akg.ir import stmt
from akg.ir.interp import interpret
from akg.ir.lower import lower_te
from akg.ir.text import parse_kernel, to_text
from akg.poly.strategy import resolve_strategy
from bench.polybench import blas

SMALL = Target("small", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, l1_bytes=1 << 12, cores=2)


def mapped(m: int, n: int, k: int, target: Target = SMALL) -> tuple[stmt.Kernel, list[stmt.Prefetch]]:
    x, y = te.placeholder((m, k), "float32", name="A"), te.placeholder((k, n), "float32", name="B")
    state = pipeline.start(lower_te([ops.matmul(x, y)], [x, y]), resolve_strategy("auto"), target)
    result = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True).result
    assert result is not None
    return result, [s for s in stmt.walk(result.body) if isinstance(s, stmt.Prefetch)]


@pytest.mark.parametrize("size", [(70, 80, 60), (37, 33, 129)])
def test_rows_of_the_next_tile_and_lines_of_this_one(size: tuple[int, int, int]) -> None:
    m, n, k = size
    kernel, found = mapped(m, n, k)
    assert {(p.buffer.name, p.writes) for p in found} == {("A", False), ("matmul", True)}
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((m, k)).astype("float32"), rng.standard_normal((k, n)).astype("float32")
    got = np.zeros((m, n), "float32")
    interpret(kernel, a, b, got)
    np.testing.assert_allclose(got, a @ b, rtol=1e-3, atol=1e-3)


def test_arrays_in_the_first_cache_need_none() -> None:
    assert not mapped(70, 80, 60, replace(SMALL, l1_bytes=1 << 20))[1]


def test_short_sums_hide_none() -> None:
    assert not mapped(70, 80, 8)[1]


def test_text_of_prefetches() -> None:
    kernel, found = mapped(70, 80, 60)
    assert found
    text = to_text(kernel)
    assert "prefetch l1 write matmul[" in text
    assert to_text(parse_kernel(text)) == text


def test_rows_of_a_loop_around_several_statements_are_tiled() -> None:
    """The sum in PolyBench's gemm has no rows of its own: streaming through it would use nothing again."""
    state = pipeline.start(blas.gemm.lower(), resolve_strategy("auto"), SMALL)
    result = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True).result
    assert result is not None
    assert any(isinstance(s, stmt.Alloc) and len(s.buffer.shape) == 2 for s in stmt.walk(result.body))
    assert any(isinstance(s, stmt.Prefetch) for s in stmt.walk(result.body))


def test_runs_of_tiles_that_lie_along_their_rows() -> None:
    """The stores of a tile with lanes along channels: one line for each channel."""
    x, w = te.placeholder((1, 32, 14, 28), "float32", name="X"), te.placeholder((32, 32, 3, 3), "float32", name="W")
    state = pipeline.start(lower_te([ops.conv2d(x, w, padding=1)], [x, w]), resolve_strategy("auto"), SMALL)
    result = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True).result
    assert result is not None
    found = [s for s in stmt.walk(result.body) if isinstance(s, stmt.Prefetch)]
    assert [(p.buffer.name, p.writes) for p in found] == [("conv2d", True)]


def test_rows_and_columns_of_a_triangle_are_tiled() -> None:
    """The sum in syrk has lanes along it and columns of its own, but rows only in the loop around."""
    state = pipeline.start(blas.syrk.lower(), resolve_strategy("auto"), SMALL)
    result = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True).result
    assert result is not None
    sums = [s for s in stmt.walk(result.body) if isinstance(s, stmt.For) and s.kind == "vector"]
    tiles = [s.body for s in sums if isinstance(s.body, stmt.For) and isinstance(s.body.body, stmt.For)]
    assert any(t.const_trips and t.const_trips > 1 for t in tiles)
