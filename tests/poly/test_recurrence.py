"""Linear recurrences in lanes: the same values as one iteration after the other, and nothing else is touched."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import akg
from akg.base.target import Target
from akg.driver import pipeline
from akg.driver.pipeline import Compilation
from akg.ir.interp import interpret
from akg.ir.script import In, Script, Size, Tensor, script
from akg.ir.stmt import Alloc, For, walk
from akg.poly.loops.recurrence import STRIP
from akg.poly.strategy import resolve_strategy
from tests.helpers import assert_close, copy_args, written
from tests.poly.kernels import arguments

# ruff: noqa: F821, UP037  (shapes and dtypes are strings inside annotations)

WIDE = Target("wide", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, cores=2)


@script
def constant(A: Tensor["n", "float64"], X: In["n", "float64"]):
    """Reads what comes later, and a constant divides it all."""
    n = A.shape[0]
    for i in range(1, n - 1):
        A[i] = (X[i - 1] + A[i - 1] + A[i] + A[i + 1] - X[i + 1]) / 7.0


@script
def negative(A: Tensor["n", "m", "float32"], X: In["n", "m", "float32"]):
    n, m = A.shape
    for i in range(1, n):
        for j in range(1, m):
            A[i, j] = 0.25 * (A[i - 1, j] + X[i, j] + X[i - 1, j]) - (A[i, j - 1] - X[i, j - 1]) * 0.75


@script
def varying(A: Tensor["n", "float64"], X: In["n", "float64"], Y: In["n", "float64"]):
    """The factor differs from element to element."""
    n = A.shape[0]
    for i in range(1, n):
        A[i] = (X[i] - Y[i] * A[i - 1] + X[i - 1] * Y[i - 1]) / (2.0 + Y[i] * Y[i])


@script
def growing(A: Tensor["n", "float64"], X: In["n", "float64"]):
    """A factor above one: its powers would overflow before the results do."""
    n = A.shape[0]
    for i in range(1, n):
        A[i] = 1.0625 * A[i - 1] + X[i] * X[i - 1] - X[i] * 0.5 + A[i]


@script
def second_order(A: Tensor["n", "float64"], X: In["n", "float64"]):
    n = A.shape[0]
    for i in range(2, n):
        A[i] = 0.5 * A[i - 1] + 0.25 * A[i - 2] + X[i] + X[i - 1] + X[i - 2]


@script
def running(A: Tensor["n", "float64"], X: In["n", "float64"]):
    """So little beside the chain that strips cost more than they give."""
    n = A.shape[0]
    for i in range(1, n):
        A[i] = A[i - 1] + X[i]


@script
def squared(A: Tensor["n", "float64"], X: In["n", "float64"]):
    """Not linear."""
    n = A.shape[0]
    for i in range(1, n):
        A[i] = 0.0001 * A[i - 1] * X[i - 1] * A[i - 1] + X[i] + X[i - 1] * X[i] * A[i]


@script
def seidel(A: Tensor["n", "n", "float64"], steps: Size):
    n = A.shape[0]
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                A[i, j] = (A[i - 1, j] + A[i, j - 1] + A[i, j] + A[i, j + 1] + A[i + 1, j]) / 5.0


def compiled(source: Script, strategy: Any = "original") -> Compilation:
    state = pipeline.start(source.lower(), resolve_strategy(strategy), WIDE)
    pipeline.run(state, pipeline.SCHEDULE, check=True)
    return pipeline.run(state, pipeline.MAP, check=True)


def temporaries(state: Compilation) -> list[str]:
    assert state.result is not None
    found = [s.buffer.name for s in walk(state.result.body) if isinstance(s, Alloc)]
    return sorted(n for n in found if n.endswith(("rest", "factor")))


SPLIT = [
    (constant, ["A_rest"]),
    (negative, ["A_rest"]),
    (varying, ["A_factor", "A_rest"]),
    (growing, ["A_rest"]),
    (seidel, ["A_rest"]),
    (second_order, []),
    (running, []),
    (squared, []),
]


@pytest.mark.parametrize(("source", "expected"), SPLIT, ids=lambda v: getattr(v, "name", ""))
def test_which_are_split(source: Script, expected: list[str]) -> None:
    state = compiled(source)
    assert temporaries(state) == expected
    if expected:
        assert any(isinstance(s, For) and s.kind == "vector" for s in walk(state.result.body))  # type: ignore[union-attr]


@pytest.mark.parametrize("n", [2, 3, 9, 17, STRIP + 1, 2 * STRIP + 11])
@pytest.mark.parametrize("source", [s for s, _ in SPLIT if s is not seidel], ids=lambda s: s.name)
def test_values_are_those_of_the_chain(source: Script, n: int) -> None:
    kernel = source.lower()
    state = compiled(source)
    assert state.result is not None
    sizes = {"n": n} if source is not negative else {"n": 4, "m": n}
    dtype = kernel.buffers[0].dtype.name
    given = [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in arguments(kernel, sizes, 5)]
    want = copy_args(given)
    interpret(kernel, *want)
    got = copy_args(given)
    interpret(state.result, *got)
    for key, value in written(kernel, got).items():
        assert_close(value, written(kernel, want)[key], value.dtype.name, 1000, key)


@pytest.mark.parametrize("source", [constant, negative, varying, growing], ids=lambda s: s.name)
def test_compiled(source: Script) -> None:
    rng = np.random.default_rng(11)
    shape = (5, 300) if source is negative else (611,)
    dtype = np.float32 if source is negative else np.float64
    given = [rng.uniform(-1.0, 1.0, shape).astype(dtype) for _ in source.lower().buffers]
    want = copy.deepcopy(given)
    source(*want)
    kernel = akg.build(source)
    kernel(*given)
    assert any("running values" in note for note in kernel.report.notes) == (source in (constant, negative))
    assert_close(given[0], want[0], given[0].dtype.name, 1000, "A")


@pytest.mark.parametrize("strategy", ["auto", "pluto", "stencil"])
def test_seidel_by_strategy(strategy: str) -> None:
    given = np.random.default_rng(3).uniform(-1.0, 1.0, (91, 91))
    want = given.copy()
    seidel(want, 5)
    akg.build(seidel, strategy=strategy)(given, 5)
    assert_close(given, want, "float64", 1000, "A")


def test_lanes_are_a_wish() -> None:
    assert not temporaries(compiled(constant, {"scheduler": "original", "vectorize": False}))
