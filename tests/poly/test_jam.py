"""Rows that threads share, in groups."""

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

Define = Callable[..., Any]


@pytest.fixture
def small_caches() -> Target:
    """This machine with caches so small that small arrays stream."""
    return replace(resolve_target("cpu"), l1_bytes=4096, l2_bytes=16384, l3_bytes=65536, cores=1)


def build(define: Define, target: Target, *shapes: tuple[int, ...]) -> tuple[akg.Kernel, list[np.ndarray[Any, Any]]]:
    inputs = [te.placeholder(shape, "float32", name=f"x{k}") for k, shape in enumerate(shapes)]
    kernel = akg.build([define(*inputs)], inputs=inputs, target=target)
    rng = np.random.default_rng(7)
    return kernel, [rng.uniform(-1, 1, shape).astype(np.float32) for shape in shapes]


def rows_at_a_time(kernel: akg.Kernel) -> int:
    found = [line for line in str(kernel.report).splitlines() if "at a time" in line]
    return int(found[0].split(" rows along")[0].rpartition(" ")[2]) if found else 1


@pytest.mark.parametrize(("define", "shapes", "rows"), [
    (lambda x: ops.sum(x, axis=1), ((256, 100),), 4),
    (lambda x: ops.max(x, axis=1), ((259, 100),), 4),  # rows left over
    (lambda x: ops.mean(x, axis=1), ((131, 77),), 4),
    (lambda x: ops.sum(x, axis=1), ((40, 100),), 1),  # no large array
    (lambda x: ops.sum(x, axis=0), ((256, 100),), 1),  # rows are not reduced
    (lambda x, y: ops.sum(ops.multiply(x, y), axis=1), ((256, 100), (256, 100)), 2),  # two streams
    (lambda x, b: ops.add(x, b), ((256, 512), (512,)), 4),  # shared operands fill the first cache
    (lambda x, b: ops.add(x, b), ((256, 64), (64,)), 1),
    (lambda x, b: ops.add(x, b), ((256, 501), (501,)), 1),  # rows begin differently within lines
    (lambda x: ops.rms_norm(x), ((40, 100),), 2),  # a pass waits for another
    (lambda x: ops.layer_norm(x), ((64, 60),), 4),  # and one for that
    (lambda x: ops.layer_norm(x), ((33, 300),), 1),  # two rows do not fit the first cache
    (lambda x: ops.rms_norm(x), ((256, 100),), 1),  # what comes from memory is waited for anyway
])  # fmt: skip
def test_by_structure(define: Define, shapes: tuple[tuple[int, ...], ...], rows: int, small_caches: Target) -> None:
    kernel, arrays = build(define, small_caches, *shapes)
    assert rows_at_a_time(kernel) == rows
    plain, _ = build(define, replace(small_caches, l1_bytes=0, l2_bytes=1 << 30), *shapes)
    assert rows_at_a_time(plain) == 1
    bound = tolerance(float32, shapes[0][-1])
    np.testing.assert_allclose(kernel(*arrays), plain(*arrays), rtol=bound, atol=bound)
