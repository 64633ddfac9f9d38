# ruff: noqa: F821, UP037  (shapes and dtypes are strings inside annotations)
"""Loops that wait for their own last iteration: elements in registers, lanes across recurrences, fast arithmetic."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import akg
from akg.base.dtype import float64, tolerance
from akg.ir.fast_math import relax
from akg.ir.script import In, Tensor, script
from akg.ir.stmt import For, Store
from akg.ir.text import to_text
from bench.polybench.catalogue import CATALOGUE, relative_error


@script
def filter_rows(x: In["n", "m", "float64"], y: Tensor["n", "m", "float64"], z: Tensor["n", "m", "float64"]):
    n, m = x.shape
    for i in range(n):
        for j in range(1, m):
            y[i, j] = 0.25 * y[i, j - 1] + x[i, j] / (2.0 + y[i, j - 1])
            z[i, j] = y[i, j] - y[i, j - 1] + 0.5 * z[i, j - 1]


@script
def two_writers(a: Tensor["n", "float64"]):
    for j in range(1, len(a) - 1):
        a[j] = a[j - 1] * 0.5 + 1.0
        a[j + 1] = a[j] + 2.0


@script
def guarded(a: Tensor["n", "float64"], x: In["n", "float64"]):
    for j in range(1, len(a)):
        a[j] = a[j - 1] + x[j] if x[j] > 0.0 else 1.0


@script
def backwards(a: Tensor["n", "float64"], x: In["n", "float64"]):
    for j in range(len(a) - 2, -1, -1):
        a[j] = (x[j] + a[j + 1] + x[j + 1]) / 3.0


def arrays(function: object, n: int) -> list[np.ndarray]:
    rng = np.random.default_rng(n)
    if function is filter_rows:
        return [rng.uniform(0.5, 1.0, (n, n + 3)) for _ in range(3)]
    return [rng.uniform(-1.0, 1.0, n + 2) for _ in range(1 if function is two_writers else 2)]


@pytest.mark.parametrize("fast_math", [False, True])
@pytest.mark.parametrize("function", [filter_rows, two_writers, guarded, backwards])
def test_results(function: object, fast_math: bool) -> None:
    with akg.config.override(fast_math=fast_math):
        kernel = akg.build(function)
    for n in (1, 2, 7, 8, 9, 16, 33):
        given = arrays(function, n)
        expected, work = copy.deepcopy(given), copy.deepcopy(given)
        function(*expected)
        kernel(*work)
        for a, b in zip(work, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance(float64, 4 * n), atol=1e-14)


def test_what_the_next_iteration_reads_is_in_a_register() -> None:
    assert "alloc a_last" in akg.build(backwards).source("loop")
    assert "a_last" not in akg.build(two_writers).source("loop")


def test_lanes_along_the_loop_around_recurrences() -> None:
    text = akg.build(filter_rows).source("loop")
    assert "vector for i in" in text
    assert "vector for j" not in text


@script
def smoothed(a: Tensor["n", "float64"], x: In["n", "float64"]):
    for j in range(1, len(a)):
        a[j] = (x[j] + a[j - 1] + x[j - 1]) / 9.0


def test_fast_math_adds_the_last_iteration_last() -> None:
    body = relax(smoothed.lower()).body
    assert isinstance(body, For)
    assert isinstance(body.body, Store)
    text = to_text(body.body.value)
    assert "/ 9" not in text
    assert text.endswith("0.1111111111111111f64 * a[j_1 - 1]") or text.endswith("a[j - 1]")
    with akg.config.override(fast_math=True):
        assert "fma(" in akg.build(CATALOGUE["heat-3d"].script).source("loop")
    assert "fma(" not in akg.build(CATALOGUE["heat-3d"].script).source("loop")


@pytest.mark.parametrize("name", ["seidel-2d", "adi", "deriche", "nussinov", "heat-3d", "lu", "covariance"])
def test_fast_math_is_near(name: str) -> None:
    benchmark = CATALOGUE[name]
    with akg.config.override(fast_math=True):
        kernel = akg.build(benchmark.script)
    given = benchmark.arguments("TEST")
    expected, work = copy.deepcopy(given), copy.deepcopy(given)
    benchmark.reference(*expected)
    positional, by_name = benchmark.call(work)
    kernel(*positional, **by_name)
    assert relative_error(work, expected) <= 8 * tolerance(float64, 64)
