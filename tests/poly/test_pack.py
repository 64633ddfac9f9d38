"""Panels of operands in contiguous memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.target import Target
from akg.codegen.llvm.backend import emit
from akg.driver import pipeline
from akg.ir import stmt
from akg.ir.interp import interpret
from akg.ir.lower import lower_te
from akg.poly.strategy import resolve_strategy
from bench import kernels as library

SMALL = Target("small", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, l2_bytes=1 << 13, cores=2)
DOTS = replace(SMALL, features=SMALL.features | {"avx512bw", "avx512bf16"})
QUADS = replace(DOTS, features=DOTS.features | {"avx512vnni"})


def mapped(m: int, n: int, k: int, layout: str = "nn") -> tuple[stmt.Kernel, pipeline.Compilation]:
    kernel = lower_te(*library.matmul(layout, m=m, n=n, k=k))
    state = pipeline.start(kernel, resolve_strategy("auto"), SMALL)
    return kernel, pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)


def panels(state: pipeline.Compilation) -> list[stmt.Alloc]:
    assert state.result is not None
    return [s for s in stmt.walk(state.result.body) if isinstance(s, stmt.Alloc) and "_panel" in s.buffer.name]


@pytest.mark.parametrize("size", [(190, 50, 60), (272, 33, 129)])
def test_rows_use_a_copy_of_the_panel(size: tuple[int, int, int]) -> None:
    m, n, k = size
    kernel, state = mapped(m, n, k)
    assert panels(state)
    assert state.result is not None
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((m, k)).astype("float32"), rng.standard_normal((k, n)).astype("float32")
    want, got = np.zeros((m, n), "float32"), np.zeros((m, n), "float32")
    interpret(kernel, a, b, want)
    interpret(state.result, a, b, got, order="shuffle", seed=1)
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3)


def test_few_rows_read_the_operand_in_place() -> None:
    assert not panels(mapped(16, 60, 150)[1])


def test_small_operands_stay_in_place() -> None:
    assert not panels(mapped(200, 16, 16)[1])


@pytest.mark.parametrize("size", [(130, 50, 60), (70, 33, 129)])
@pytest.mark.parametrize("dtype", ["bfloat16", "int8", "int16"])
def test_steps_of_one_instruction_lie_side_by_side(size: tuple[int, int, int], dtype: str) -> None:
    m, n, k = size
    total = "float32" if dtype == "bfloat16" else "int32"
    x, y = te.placeholder((m, k), dtype, name="A"), te.placeholder((k, n), dtype, name="B")
    kernel = lower_te([ops.matmul(x, y, out_dtype=total)], [x, y])
    state = pipeline.start(kernel, resolve_strategy("auto"), DOTS)
    pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    (panel, *_) = panels(state)
    assert panel.buffer.const_shape is not None
    assert panel.buffer.const_shape[0] == k // 2 and panel.buffer.const_shape[2] == 2
    assert panel.buffer.dtype.name == ("bfloat16" if dtype == "bfloat16" else "int16")
    assert state.result is not None
    rng = np.random.default_rng(4)
    a, b = (rng.integers(-9, 9, s).astype(x.dtype.numpy) for s in ((m, k), (k, n)))
    got = np.zeros((m, n), total)
    interpret(state.result, a, b, got, order="shuffle", seed=1)
    np.testing.assert_array_equal(got, a.astype("int64") @ b.astype("int64"))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("size", [(130, 50, 60), (70, 400, 129)])
def test_an_operand_along_the_sum_is_turned(size: tuple[int, int, int], dtype: str) -> None:
    m, n, k = size
    total = "int32" if dtype == "int8" else "float32"
    x, y = te.placeholder((m, k), dtype, name="A"), te.placeholder((n, k), dtype, name="B")
    kernel = lower_te([ops.matmul(x, y, transpose_b=True, out_dtype=total)], [x, y])
    state = pipeline.start(kernel, resolve_strategy("auto"), DOTS)
    pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    (panel, *_) = panels(state)
    assert isinstance(panel.body, stmt.Block)
    fill = panel.body.body[0]
    assert isinstance(fill, stmt.For) and fill.kind == "vector"
    assert isinstance(fill.body, stmt.For) and fill.body.kind == "vector"
    assert state.result is not None
    rng = np.random.default_rng(4)
    a, b = (rng.integers(-9, 9, s).astype(x.dtype.numpy) for s in ((m, k), (n, k)))
    got = np.zeros((m, n), total)
    interpret(state.result, a, b, got, order="shuffle", seed=1)
    np.testing.assert_array_equal(got, a.astype("int64") @ b.astype("int64").T)


@pytest.mark.parametrize("k", [1024, 1036])
def test_blocks_of_steps_are_turned_as_wide_elements(k: int) -> None:
    x, y = te.placeholder((256, k), "bfloat16", name="A"), te.placeholder((64, k), "bfloat16", name="B")
    state = pipeline.start(
        lower_te([ops.matmul(x, y, transpose_b=True)], [x, y]), resolve_strategy("auto"), DOTS
    )
    pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert any("reduction in blocks" in line for line in state.decisions.lines)
    assert state.result is not None
    left = [s for s in stmt.walk(state.result.body) if isinstance(s, stmt.Store) and s.reduction == "sum"]
    assert len(left) == 1  # blocks of even extents leave no step over
    assert any("B.units turned in registers" in note for note in emit(state.result, DOTS).meta["notes"])


def test_few_rows_read_an_operand_along_the_sum_in_place() -> None:
    assert not panels(mapped(32, 60, 150, "nt")[1])


@pytest.mark.parametrize("types", [("int8", "int8"), ("uint8", "int8"), ("int8", "uint8"), ("uint8", "uint8")])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_four_steps_of_bytes(transpose_b: bool, types: tuple[str, str]) -> None:
    m, n, k = (66, 400, 6) if transpose_b else (60, 50, 18)
    x = te.placeholder((m, k), types[0], name="A")
    y = te.placeholder((n, k) if transpose_b else (k, n), types[1], name="B")
    product = ops.matmul(ops.astype(x, "int32"), ops.astype(y, "int32"), transpose_b=transpose_b)
    kernel = lower_te([product], [x, y])
    state = pipeline.start(kernel, resolve_strategy("auto"), QUADS)
    pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    (panel, *_) = panels(state)
    assert panel.buffer.const_shape is not None and panel.buffer.const_shape[2] == 4
    assert panel.buffer.dtype.name == types[1]
    assert state.result is not None
    corrected = [s for s in stmt.walk(state.result.body) if isinstance(s, stmt.Alloc) and "_sums" in s.buffer.name]
    assert bool(corrected) == (types[0] == types[1])
    rng = np.random.default_rng(5)
    a, b = extreme(rng, (m, k), types[0]), extreme(rng, (n, k) if transpose_b else (k, n), types[1])
    got = np.zeros((m, n), "int32")
    interpret(state.result, a, b, got, order="shuffle", seed=1)
    np.testing.assert_array_equal(got, a.astype("int64") @ (b.T if transpose_b else b).astype("int64"))


def extreme(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Bytes of which half are the least or the greatest."""
    info = np.iinfo(dtype)
    values = rng.integers(info.min, info.max, shape, endpoint=True)
    ends = np.where(rng.random(shape) < 0.5, info.min, info.max)
    return np.where(rng.random(shape) < 0.5, ends, values).astype(dtype)


@pytest.mark.parametrize("types", [("int8", "int8"), ("uint8", "int8"), ("int8", "uint8"), ("uint8", "uint8")])
def test_products_of_bytes_run(types: tuple[str, str]) -> None:
    rng = np.random.default_rng(6)
    for m, n, k, transpose_b in ((40, 70, 67, False), (33, 130, 64, True), (64, 64, 9000, True), (50, 65, 2, False)):
        a = extreme(rng, (m, k), types[0])
        b = extreme(rng, (n, k) if transpose_b else (k, n), types[1])
        x, y = te.placeholder(a.shape, types[0], name="A"), te.placeholder(b.shape, types[1], name="B")
        product = ops.matmul(ops.astype(x, "int32"), ops.astype(y, "int32"), transpose_b=transpose_b)
        want = (a.astype("int64") @ (b.T if transpose_b else b).astype("int64")).astype("int32")
        kernel = akg.build([product], inputs=[x, y])
        np.testing.assert_array_equal(kernel(a, b), want)
        np.testing.assert_array_equal(kernel.bind(B=b)(a), want)
