"""Loop nests as users write them, compiled by every strategy and compared with their references."""

from typing import Any

import numpy as np
import pytest

import akg
from tests.helpers import assert_close
from tests.programs import SAMPLES

STRATEGIES = ("auto", "original", "isl")


def run(kernel: Any, sample: Any, n: int) -> tuple[list[Any], list[Any]]:
    """The arguments after the kernel and after the reference."""
    got, want = sample.inputs(n), [np.array(a, copy=True) if isinstance(a, np.ndarray) else a for a in sample.inputs(n)]
    sample.reference(*want)
    names = sample.script.function.__code__.co_varnames
    by_name = dict(zip(names, got, strict=False))
    inputs = [by_name[p.name] for p in kernel.signature.arguments]
    outputs = tuple([by_name[p.name] for p in kernel.signature.outputs])
    if outputs:
        kernel(*inputs, out=outputs[0] if len(outputs) == 1 else outputs)
    else:
        kernel(*inputs)
    return list(got), want


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", SAMPLES)
def test_sample_against_its_reference(name: str, strategy: str) -> None:
    sample = SAMPLES[name]
    kernel = akg.build(sample.script, strategy=strategy)
    assert kernel.report.legality.startswith("legal: yes"), kernel.report.legality
    for n in (3, 4, 17, 40):
        got, want = run(kernel, sample, n)
        for k, (g, w) in enumerate(zip(got, want, strict=True)):
            if isinstance(g, np.ndarray):
                assert_close(g, w, terms=n * n, what=f"{name}, {strategy}, n = {n}, argument {k}")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ["lu", "cholesky", "floyd_warshall", "triangular_matmul", "gram_schmidt"])
def test_a_size_beyond_every_tile(name: str, strategy: str) -> None:
    sample = SAMPLES[name]
    kernel = akg.build(sample.script, strategy=strategy)
    got, want = run(kernel, sample, 131)
    for g, w in zip(got, want, strict=True):
        if isinstance(g, np.ndarray):
            assert_close(g, w, terms=131 * 131, what=f"{name}, {strategy}")


@pytest.mark.parametrize("name", ["lu", "floyd_warshall", "gemm", "seidel_2d", "jacobi_2d"])
def test_empty_and_single(name: str) -> None:
    """Sizes 0 and 1 run, and do what the script does."""
    sample = SAMPLES[name]
    kernel = akg.build(sample.script)
    for n in (0, 1):
        want = [np.array(a, copy=True) if isinstance(a, np.ndarray) else a for a in sample.inputs(n)]
        sample.script(*want)
        got, _ = run(kernel, sample, n)
        for g, w in zip(got, want, strict=True):
            if isinstance(g, np.ndarray):
                assert_close(g, w, what=f"{name}, n = {n}")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ["lu", "gram_schmidt", "jacobi_2d", "gemm"])
def test_threads_agree_with_one(name: str, strategy: str) -> None:
    """Several runs on several threads: a race shows as a difference, by chance."""
    sample = SAMPLES[name]
    kernel = akg.build(sample.script, strategy=strategy)
    with akg.config.override(num_threads=1):
        want, _ = run(kernel, sample, 70)
    with akg.config.override(num_threads=3):
        for _ in range(4):
            got, _ = run(kernel, sample, 70)
            for g, w in zip(got, want, strict=True):
                if isinstance(g, np.ndarray):
                    np.testing.assert_array_equal(g, w)


@akg.script
def diagonal(A: akg.In["n", "int32"], B: akg.Tensor["n", "n", "int32"]):  # noqa: F821
    n = A.shape[0]
    for i in range(n):
        for j in range(n):
            if j == i:
                B[i, i] += A[i]
            B[i, j] = B[i, j] * 2


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_sum_that_its_own_iteration_reads(strategy: str) -> None:
    """The element of the sum is met under other subscripts in the one iteration that updates it."""
    a = np.arange(21, dtype=np.int32)
    got, want = np.ones((21, 21), np.int32), np.ones((21, 21), np.int32)
    akg.build(diagonal, strategy=strategy)(a, got)
    diagonal(a, want)
    np.testing.assert_array_equal(got, want)
