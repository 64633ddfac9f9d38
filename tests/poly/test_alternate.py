"""Steps in time that copy back: which ones alternate between two arrays, and that values stay the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import akg
from akg.driver.pipeline import fresh_names
from akg.ir.expr import Load
from akg.ir.script import In, Script, Size, Tensor, empty, script, zeros
from akg.ir.stmt import Store, walk
from akg.poly.rewrite.alternate import alternate_steps
from tests.helpers import assert_close

# ruff: noqa: F821, UP037  (shapes and dtypes are strings inside annotations)


@script
def five_points(A: Tensor["n", "m", "float32"], steps: Size):
    n, m = A.shape
    B = zeros((n, m), "float32")
    for t in range(steps):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                B[i, j] = 0.2 * (A[i, j] + A[i, j - 1] + A[i, j + 1] + A[i + 1, j] + A[i - 1, j]) + t
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                A[i, j] = B[i, j]


@script
def odd_line(A: Tensor["n", "float64"]):
    n = A.shape[0]
    B = zeros((n,), "float64")
    for t in range(3, 10):
        for i in range(1, n - 1):
            B[i] = 0.3 * (A[i] + A[i - 1] + A[i + 1]) + t
        for i in range(1, n - 1):
            A[i] = B[i]


@script
def starts_whole(X: In["n", "float64"]):
    n = X.shape[0]
    A = empty((n,), "float64")
    B = zeros((n,), "float64")
    for i in range(n):
        A[i] = X[i]
    for _ in range(4):
        for i in range(1, n - 1):
            B[i] = A[i - 1] + A[i + 1]
        for i in range(1, n - 1):
            A[i] = B[i]
    return A


@script
def starts_in_part(X: In["n", "float64"], C: Tensor["n", "float64"]):
    n = X.shape[0]
    A = empty((n,), "float64")
    B = zeros((n,), "float64")
    for i in range(1, n):
        A[i] = X[i]
    for _ in range(4):
        for i in range(2, n - 1):
            B[i] = A[i - 1] + A[i + 1]
        for i in range(2, n - 1):
            A[i] = B[i]
    for i in range(1, n):
        C[i] = A[i]


@script
def is_read_later(A: Tensor["n", "float64"], C: Tensor["n", "float64"]):
    n = A.shape[0]
    B = zeros((n,), "float64")
    for _ in range(4):
        for i in range(1, n - 1):
            B[i] = A[i - 1] + A[i + 1]
        for i in range(1, n - 1):
            A[i] = B[i]
    for i in range(n):
        C[i] = B[i]


@script
def copies_less(A: Tensor["n", "float64"]):
    n = A.shape[0]
    B = zeros((n,), "float64")
    for _ in range(4):
        for i in range(1, n - 1):
            B[i] = A[i - 1] + A[i + 1]
        for i in range(2, n - 1):
            A[i] = B[i]


@script
def reads_itself(A: Tensor["n", "float64"]):
    n = A.shape[0]
    B = zeros((n,), "float64")
    for _ in range(4):
        for i in range(1, n - 1):
            B[i] = A[i - 1] + B[i]
        for i in range(1, n - 1):
            A[i] = B[i]


@script
def turned(A: Tensor["n", "n", "float64"]):
    n = A.shape[0]
    B = zeros((n, n), "float64")
    for _ in range(4):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                B[i, j] = A[i - 1, j] + A[i + 1, j]
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                A[j, i] = B[i, j]


@script
def grows(A: Tensor["n", "float64"]):
    n = A.shape[0]
    B = zeros((n,), "float64")
    for t in range(4):
        for i in range(1, n - 1 - t):
            B[i] = A[i - 1] + A[i + 1]
        for i in range(1, n - 1 - t):
            A[i] = B[i]


def _is_rewritten(kernel: Script) -> bool:
    lowered = kernel.lower()
    done = alternate_steps(lowered, fresh_names(lowered, lowered.body), [].append)
    return done is not lowered


@pytest.mark.parametrize("kernel", [five_points, odd_line])
def test_what_alternates(kernel: Script) -> None:
    lowered = kernel.lower()
    notes: list[str] = []
    done = alternate_steps(lowered, fresh_names(lowered, lowered.body), notes.append)
    copies = [s for s in walk(done.body) if isinstance(s, Store) and isinstance(s.value, Load)]
    assert len(copies) == 2, "the first copy, and the one of an odd step"
    assert len(notes) == 1


@pytest.mark.parametrize("kernel", [is_read_later, starts_in_part, copies_less, reads_itself, turned, grows])
def test_what_does_not(kernel: Script) -> None:
    assert not _is_rewritten(kernel)


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (3, 3), (20, 30), (150, 90)])
@pytest.mark.parametrize("steps", [0, 1, 2, 7])
def test_values_with_symbolic_steps(shape: tuple[int, int], steps: int) -> None:
    _compare(five_points, np.random.default_rng(5).random(shape, np.float32), steps)


@pytest.mark.parametrize("size", [1, 2, 3, 100, 20_000])
def test_values_with_an_odd_number_of_steps(size: int) -> None:
    _compare(odd_line, np.random.default_rng(6).random(size))


def test_values_of_a_new_array() -> None:
    given = np.random.default_rng(8).random(50)
    assert _is_rewritten(starts_whole)
    assert_close(akg.build(starts_whole)(given), starts_whole(given))
    found, expected = np.zeros(50), np.zeros(50)
    akg.build(starts_in_part)(given, found)
    starts_in_part(given, expected)
    assert_close(found, expected)


@pytest.mark.parametrize("kernel", [copies_less, reads_itself, turned, grows])
def test_values_of_the_others(kernel: Callable[..., Any]) -> None:
    _compare(kernel, np.random.default_rng(7).random((40,) * (2 if kernel is turned else 1)))


def _compare(kernel: Any, given: np.ndarray[Any, Any], *more: int) -> None:
    expected, found = given.copy(), given.copy()
    kernel(expected, *more)
    akg.build(kernel)(found, *more)
    assert_close(found, expected)
