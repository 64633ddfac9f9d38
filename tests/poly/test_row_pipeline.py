"""Passes over rows in a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import float32, tolerance
from akg.base.target import Target, resolve_target
from akg.driver import pipeline
from akg.ir.interp import interpret
from akg.ir.lower import lower_te
from akg.ir.stmt import For, If, Prefetch, walk
from akg.poly.strategy import resolve_strategy

Define = Callable[..., Any]
SMALL = replace(resolve_target("cpu"), l1_bytes=1 << 15, l2_bytes=1 << 16, l3_bytes=1 << 20, cores=1)


def two_ahead(x: Any) -> Any:
    """The mean square, needed behind another pass: a scalar that two rows pass by."""
    squares = ops.sum(ops.square(x), axis=-1, keepdims=True)
    top = ops.max(ops.multiply(x, squares), axis=-1, keepdims=True)
    return ops.add(ops.subtract(x, top), squares)


def state_of(define: Define, target: Target, *shapes: tuple[int, ...]) -> pipeline.Compilation:
    inputs = [te.placeholder(shape, "float32", name=f"x{k}") for k, shape in enumerate(shapes)]
    state = pipeline.start(lower_te([define(*inputs)], inputs), resolve_strategy("auto"), target)
    return pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)


def depth(state: pipeline.Compilation) -> int:
    """The rows that are on their way together; 0 where there is no pipeline."""
    found = [line for line in state.decisions.lines if "a pipeline of passes" in line]
    return found[0].count("|") + 1 if found else 0


@pytest.mark.parametrize(("define", "shapes", "passes"), [
    (ops.softmax, ((64, 100),), 3),
    (ops.softmax, ((97, 33),), 3),  # the last chunk is short
    (ops.log_softmax, ((80, 50),), 3),
    (ops.softmax, ((3000, 100),), 3),  # from memory, rows that are no whole lines
    (ops.log_softmax, ((300, 1000),), 3),
    (ops.rms_norm, ((70, 64),), 0),  # light passes over short rows in a cache
    (lambda x, g: ops.rms_norm(x, g), ((70, 400), (400,)), 2),
    (lambda x, g, b: ops.layer_norm(x, g, b), ((70, 400), (400,), (400,)), 0),  # rows share more
    (ops.rms_norm, ((9000, 64),), 2),
    (lambda x: ops.layer_norm(x), ((2001, 300),), 3),  # a first pass over fewer elements
    (lambda x, g: ops.rms_norm(x, g), ((9000, 64), (64,)), 2),
    (two_ahead, ((2003, 40),), 5),
    (ops.softmax, ((15, 100),), 0),  # few rows
    (ops.softmax, ((40, 100),), 3),
    (ops.softmax, ((64, 5000),), 0),  # rows that do not fit the first cache
    (lambda x: ops.sum(x, axis=-1), ((512, 64),), 0),  # one pass
])  # fmt: skip
def test_by_structure(define: Define, shapes: tuple[tuple[int, ...], ...], passes: int) -> None:
    assert depth(state_of(define, SMALL, *shapes)) == passes
    rng = np.random.default_rng(11)
    arrays = [rng.uniform(-2, 2, shape).astype(np.float32) for shape in shapes]
    results: list[Any] = []
    for target in (SMALL, replace(SMALL, l1_bytes=0)):
        inputs = [te.placeholder(shape, "float32", name=f"x{k}") for k, shape in enumerate(shapes)]
        results.append(akg.build([define(*inputs)], inputs=inputs, target=target)(*arrays))
    bound = tolerance(float32, shapes[0][-1])
    np.testing.assert_allclose(results[0], results[1], rtol=bound, atol=bound)


def test_loop_ir_means_the_same() -> None:
    state = state_of(two_ahead, replace(SMALL, l3_bytes=1 << 10), (67, 9))
    assert state.result is not None and depth(state) == 5
    x = np.random.default_rng(5).uniform(-1, 1, (67, 9)).astype(np.float32)
    got, want = np.zeros_like(x), np.zeros_like(x)
    interpret(state.result, x, got, check_uninitialised=True)
    interpret(state.kernel, x, want)
    np.testing.assert_allclose(got, want, rtol=tolerance(float32, 9))


def test_one_loop_has_all_passes_and_asks_for_the_next_rows() -> None:
    state = state_of(ops.softmax, SMALL, (4096, 64))
    assert state.body is not None
    (choice,) = [s for s in walk(state.body) if isinstance(s, If) and s.orelse is not None]
    (together,) = [s for s in walk(choice.then) if isinstance(s, For)]
    assert together.kind == "vector"
    (hint,) = [s for s in walk(together) if isinstance(s, Prefetch)]
    assert hint.buffer.name == "x0"
    near = state_of(ops.softmax, replace(SMALL, l3_bytes=1 << 26), (4096, 64))
    assert near.body is not None and not any(isinstance(s, Prefetch) for s in walk(near.body))


@pytest.mark.parametrize(("define", "length", "loops"), [
    (ops.softmax, 64, 1), (ops.softmax, 1024, 1),
    (ops.softmax, 100, 2),  # the temporary begins elsewhere in each row
    (ops.softmax, 992, 2), (ops.log_softmax, 992, 2),  # the next rows begin a little behind, but for whole pages
    (ops.log_softmax, 100, 1), (ops.layer_norm, 992, 1),
])  # fmt: skip
def test_last_pass_that_disturbs_the_others(define: Define, length: int, loops: int) -> None:
    state = state_of(define, SMALL, ((1 << 19) // length, length))
    assert state.body is not None
    (choice,) = [s for s in walk(state.body) if isinstance(s, If) and s.orelse is not None]
    lanes = [s for s in walk(choice.then) if isinstance(s, For) and s.max_trips == length]
    assert len(lanes) == loops
