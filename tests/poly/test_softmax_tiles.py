"""Softmax products in tiles: both forms against float64, what is stored, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from akg import ops, te
from akg.base.dtype import dtype_of, tolerance
from akg.base.target import Target
from akg.driver import pipeline
from akg.ir import stmt
from akg.ir.buffer import Buffer
from akg.ir.expr import Const
from akg.ir.interp import interpret
from akg.ir.lower import lower_te
from akg.poly.strategy import resolve_strategy
from tests.helpers import Array

LARGE = Target("large", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, l2_bytes=1 << 20, cores=2)
SMALL = replace(LARGE, name="small", l2_bytes=1 << 14)  # whole rows of 33 keys at most
NOTE = "softmax and product in"
Shape = tuple[int, ...]


def mapped(outputs: list[Any], inputs: list[Any], target: Target) -> tuple[stmt.Kernel, pipeline.Compilation]:
    kernel = lower_te(outputs, inputs)
    state = pipeline.start(kernel, resolve_strategy("auto"), target)
    return kernel, pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)


def form(state: pipeline.Compilation) -> str:
    return next((line for line in state.decisions.lines if NOTE in line), "")


def attention(q: Array, k: Array, v: Array, mask: Array | None, *, causal: bool) -> Array:
    if q.ndim > 2 and q.shape[-3] != k.shape[-3]:
        k, v = (np.repeat(x, q.shape[-3] // x.shape[-3], -3) for x in (k, v))
    scores = q @ np.swapaxes(k, -1, -2) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    with np.errstate(invalid="ignore"):
        power = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True) @ v


def drawn(shapes: list[Shape], dtype: str) -> list[Array]:
    rng = np.random.default_rng(5)
    return [rng.standard_normal(s).astype(dtype_of(dtype).numpy) for s in shapes]


def check(
    shapes: list[Shape], target: Target, mask: Array | None = None, dtype: str = "float32", *, causal: bool = False
) -> pipeline.Compilation:
    """The mapped loops, run by the interpreter in another order, against float64."""
    inputs: list[Any] = [te.placeholder(s, dtype, name=n) for s, n in zip(shapes, "qkv", strict=True)]
    if mask is not None:
        inputs.append(te.placeholder(mask.shape, "bool" if mask.dtype == bool else "float32", name="mask"))
    output = ops.scaled_dot_product_attention(*inputs, causal=causal)
    _, state = mapped([output], inputs, target)
    arrays = drawn(shapes, dtype)
    q, k, v = [a.astype("float64") for a in arrays]
    wanted = attention(q, k, v, mask, causal=causal)
    found = np.zeros(wanted.shape, arrays[0].dtype)
    assert state.result is not None
    interpret(state.result, *arrays, *([] if mask is None else [mask]), found, order="shuffle", seed=1)
    limit = tolerance(dtype_of(dtype), shapes[1][-2]) * float(np.nanmax(abs(wanted)))
    np.testing.assert_allclose(found.astype("float64"), wanted, rtol=0, atol=limit, err_msg=form(state))
    return state


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("target", "kind"), [(LARGE, "whole rows"), (SMALL, "online")])
@pytest.mark.parametrize(("rows", "keys"), [(33, 75), (64, 64)])
def test_both_forms(rows: int, keys: int, target: Target, kind: str, causal: bool) -> None:
    state = check([(rows, 8), (keys, 8), (keys, 5)], target, causal=causal)
    assert kind in form(state)


@pytest.mark.parametrize("target", [LARGE, SMALL])
@pytest.mark.parametrize("kind", ["bool", "float32", "causal too"])
def test_masks(kind: str, target: Target) -> None:
    rng = np.random.default_rng(2)
    mask = rng.random((36, 45)) < 0.6 if kind == "bool" else rng.standard_normal((36, 45)).astype("float32")
    check([(36, 8), (45, 8), (45, 8)], target, mask, causal=kind == "causal too")


@pytest.mark.parametrize("target", [LARGE, SMALL])
def test_a_row_without_keys_is_nan(target: Target) -> None:
    mask = np.ones((32, 80), bool)
    mask[3] = False
    mask[5, :64] = False  # the first tiles of keys count nothing
    check([(32, 8), (80, 8), (80, 8)], target, mask)


def test_groups_of_heads_share_keys() -> None:
    state = check([(2, 6, 20, 4), (2, 2, 24, 4), (2, 2, 24, 4)], LARGE)
    assert state.result is not None
    found = [s for s in stmt.walk(state.result.body) if isinstance(s, stmt.Store) and "_keys_turn" in s.name]
    assert len(found) == 1


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_types(dtype: str) -> None:
    for target in (LARGE, SMALL):
        check([(40, 8), (72, 8), (72, 8)], target, dtype=dtype, causal=True)


def test_long_sequences_store_nothing_of_rows_times_keys() -> None:
    length, depth = 32768, 64
    inputs: list[Any] = [te.placeholder((length, depth), "float32", name=n) for n in "qkv"]
    for causal in (False, True):
        _, state = mapped([ops.scaled_dot_product_attention(*inputs, causal=causal)], inputs, LARGE)
        assert state.result is not None and "online" in form(state)
        sizes: list[int] = []
        for inner in stmt.walk(state.result.body):
            if isinstance(inner, stmt.Alloc):
                assert inner.buffer.const_shape is not None
                sizes.append(int(np.prod(inner.buffer.const_shape)))
        assert max(sizes) <= 2 * length * depth


def test_later_keys_are_not_visited() -> None:
    inputs: list[Any] = [te.placeholder((4096, 64), "float32", name=n) for n in "qkv"]
    _, state = mapped([ops.scaled_dot_product_attention(*inputs, causal=True)], inputs, LARGE)
    assert state.result is not None
    loops = [s for s in stmt.walk(state.result.body) if isinstance(s, stmt.For) and s.kind == "serial"]
    assert any(not isinstance(loop.end, Const) for loop in loops)


def parts() -> tuple[list[Any], Any, Any]:
    inputs: list[Any] = [te.placeholder((32, 8), "float32", name=n) for n in "qkv"]
    weights = ops.softmax(ops.matmul(inputs[0], inputs[1], transpose_b=True), axis=-1)
    return inputs, weights, ops.matmul(weights, inputs[2])


def test_weights_that_are_a_result_too_are_stored() -> None:
    inputs, weights, product = parts()
    assert form(mapped([product], inputs, LARGE)[1])
    assert not form(mapped([weights, product], inputs, LARGE)[1])


def test_a_softmax_along_another_axis_is_left_alone() -> None:
    inputs: list[Any] = [te.placeholder((32, 32), "float32", name=n) for n in "qkv"]
    weights = ops.softmax(ops.matmul(inputs[0], inputs[1], transpose_b=True), axis=0)
    assert not form(mapped([ops.matmul(weights, inputs[2])], inputs, LARGE)[1])


def test_an_epilogue_of_the_result_joins() -> None:
    inputs, _, product = parts()
    _, state = mapped([ops.relu(product)], inputs, LARGE)
    assert state.result is not None and form(state)
    assert len([s for s in stmt.walk(state.result.body) if isinstance(s, stmt.Store) and "divide" in s.name]) == 1


@pytest.mark.parametrize(("rows", "most"), [(333, 336), (129, 132), (777, 792), (512, 512), (1000, 1008)])
def test_little_is_left_behind_the_last_row(rows: int, most: int) -> None:
    state = check_form((rows, 40), LARGE)
    size = int(form(state).split("tiles of ")[1].split(" rows")[0])
    assert -(-rows // size) * size <= most
    scores = next(b for b in allocated(state) if b.name.endswith("_scores"))
    width = int(scores.shape[1]) if isinstance(scores.shape[1], Const) else 0
    assert rows <= width < rows + 48


def check_form(shape: Shape, target: Target) -> pipeline.Compilation:
    q, k, v = (te.placeholder(shape, "float32", name=n) for n in "qkv")
    return mapped([ops.scaled_dot_product_attention(q, k, v)], [q, k, v], target)[1]


def allocated(state: pipeline.Compilation) -> list[Buffer]:
    assert state.body is not None
    return [s.buffer for s in stmt.walk(state.body) if isinstance(s, stmt.Alloc)]


def test_threads_share_the_heads_that_they_have_evenly() -> None:
    q, k, v = (te.placeholder((2, 3, 40, 16), "float32", name=n) for n in "qkv")
    state = mapped([ops.scaled_dot_product_attention(q, k, v)], [q, k, v], LARGE)[1]
    assert state.body is not None
    shared = [s for s in stmt.walk(state.body) if isinstance(s, stmt.For) and s.kind == "parallel"]
    assert [s.const_trips for s in shared] == [2], "two batches for two cores, not three heads"
