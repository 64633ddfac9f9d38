"""Several Python threads call one kernel, and build kernels, at the same time."""

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.driver import build as build_module
from akg.ir.expr import Const, Var
from bench.kernels import matmul, softmax
from tests.helpers import assert_close

CALLS = 200


@pytest.fixture(autouse=True)
def hurried() -> Iterator[None]:
    """Threads take turns a hundred times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(usual)


def at_once(*works: Callable[[int], object]) -> None:
    """Run each in a thread of its own, with its number; the first error is raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(number: int) -> None:
        try:
            start.wait(30)
            works[number](number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


@pytest.mark.parametrize("num_threads", [1, 2])
def test_calls(num_threads: int) -> None:
    """Temporaries, outputs and argument blocks belong to the call."""
    outputs, inputs = softmax(m=33, n=65)
    rows = akg.build(outputs, inputs=inputs)
    outputs, inputs = matmul("nt", m=40, n=36, k=50)
    product = akg.build(outputs, inputs=inputs)

    def call(number: int) -> None:
        rng = np.random.default_rng(number)
        x, a, b = (rng.uniform(-2, 2, s).astype(np.float32) for s in ((33, 65), (40, 50), (36, 50)))
        with akg.config.override(num_threads=num_threads):  # overrides belong to the thread
            soft, dense = rows(x), product(a, b)
            assert_close(dense, a.astype(np.float64) @ b.astype(np.float64).T, terms=50)
            assert_close(soft.sum(1), np.ones(33), "float32", terms=65)
            for _ in range(CALLS):
                np.testing.assert_array_equal(rows(x), soft)
                np.testing.assert_array_equal(product(a, b, out=np.empty((40, 36), np.float32)), dense)

    at_once(*[call] * 4)


def row_sums(n: int) -> tuple[te.Tensor, te.Tensor]:
    x, k = te.placeholder((n + 2, n + 3), name="X"), te.reduce_axis(n + 3, name="k")
    return te.compute((n + 2,), lambda i: te.sum(x[i, k] * 2.0, axis=k), name="Y"), x


def build_many(number: int) -> None:
    """Definitions, schedules, proofs and code for sizes that other threads build too."""
    for n in range(8):
        y, x = row_sums(n)
        kernel = akg.build([y], inputs=[x], strategy=("auto", "isl")[(number + n) % 2])
        np.testing.assert_array_equal(kernel(np.ones((n + 2, n + 3), np.float32)), np.full(n + 2, 2.0 * (n + 3)))
        scheduled = akg.lower([y], inputs=[x]).schedule("isl")
        assert scheduled.legality.answer == "yes"
        assert scheduled.explain() and kernel.explain() and "Y" in kernel.source("c")


@pytest.mark.parametrize("cache", ["rw", "off"])
def test_builds(cache: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "memory", type(build_module.memory)())
    monkeypatch.setenv("AKG_CACHE", cache)
    monkeypatch.setenv("AKG_CACHE_DIR", str(tmp_path))
    at_once(*[build_many] * 4)


def test_builds_beside_calls() -> None:
    y, x = row_sums(30)
    kernel = akg.build([y], inputs=[x])

    def call(number: int) -> None:
        for _ in range(CALLS):
            np.testing.assert_array_equal(kernel(np.ones((32, 33), np.float32)), np.full(32, 66.0))

    at_once(call, build_many, call, build_many)


def test_the_same_kernel_is_built_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("AKG_CACHE_DIR", str(tmp_path))
    built: list[akg.Kernel] = []

    def build(number: int) -> None:
        y, x = row_sums(77)
        built.append(akg.build([y], inputs=[x]))

    at_once(*[build] * 4)
    assert len(built) == 4 and all(kernel is built[0] for kernel in built)


def test_equal_expressions_are_one_object() -> None:
    """Interning holds across threads: expressions are compared by identity everywhere."""
    made: list[list[object]] = [[] for _ in range(4)]

    def make(number: int) -> None:
        for k in range(2000):
            made[number].append(Var(f"thread_{k}") * 3 + Const(100_000 + k))

    at_once(*[make] * 4)
    assert all(len({id(row[k]) for row in made}) == 1 for k in range(2000))
