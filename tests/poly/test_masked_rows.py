"""Products with a symbolic number of rows: whole register tiles, and one tile of rows under conditions."""

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import float32, tolerance

SIZES = (1, 2, 5, 7, 13, 35, 36, 41, 100)


def _compare(kernel: akg.Kernel, a: np.ndarray, b: np.ndarray, want: np.ndarray) -> None:
    limit = tolerance(float32, a.shape[1])
    np.testing.assert_allclose(kernel(a, b), want, rtol=limit, atol=limit * np.sqrt(a.shape[1]))


def _arrays(m: int, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(m * 1000 + n)
    return rng.standard_normal((m, k), dtype=np.float32), rng.standard_normal((k, n), dtype=np.float32)


@pytest.fixture(scope="module")
def rows_only() -> akg.Kernel:
    m = te.var("m")
    a, b = te.placeholder((m, 700), "float32", name="A"), te.placeholder((700, 650), "float32", name="B")
    return akg.build([ops.relu(ops.matmul(a, b))], inputs=[a, b])


@pytest.mark.parametrize("m", SIZES)
def test_any_number_of_rows(rows_only: akg.Kernel, m: int) -> None:
    a, b = _arrays(m, 650, 700)
    _compare(rows_only, a, b, np.maximum(a.astype(np.float64) @ b, 0))


def test_sums_of_few_rows_stay_in_registers_and_many_share_a_panel(rows_only: akg.Kernel) -> None:
    text = rows_only.source("loop")
    assert "B_panel" in text
    declared = [line for line in text.splitlines() if "alloc" in line and "register" not in line]
    assert all("panel" in line for line in declared), declared


def test_every_size_symbolic() -> None:
    m, n, k = te.var("m"), te.var("n"), te.var("k")
    a, b = te.placeholder((m, k), "float32", name="A"), te.placeholder((k, n), "float32", name="B")
    kernel = akg.build([ops.matmul(a, b)], inputs=[a, b])
    for sizes in ((1, 1, 1), (3, 17, 0), (40, 80, 1100), (37, 95, 1024), (64, 3, 2049), (0, 5, 7), (9, 161, 33)):
        x, y = _arrays(*sizes)
        _compare(kernel, x, y, x.astype(np.float64) @ y)


def test_other_sums_than_products() -> None:
    m = te.var("m")
    a, b = te.placeholder((m, 90), "float32", name="A"), te.placeholder((90, 70), "float32", name="B")
    k = te.reduce_axis(90, name="k")
    c = te.compute((m, 70), lambda i, j: te.max(a[i, k] + b[k, j], axis=k), name="C")
    kernel = akg.build([c], inputs=[a, b])
    for size in SIZES:
        x, y = _arrays(size, 70, 90)
        np.testing.assert_array_equal(kernel(x, y), np.max(x[:, :, None] + y[None], axis=1))


def test_conditions_that_read_memory_are_no_masks() -> None:
    @akg.script
    def gated(A: akg.Tensor["n", 64, "float32"], G: akg.Tensor["n", "int32"], C: akg.Tensor["n", "float32"]):  # noqa: F821
        n = A.shape[0]
        for i in range(n):
            for k in range(64):
                if G[i] > 0:
                    C[i] += A[i, k]

    rng = np.random.default_rng(3)
    a = rng.standard_normal((21, 64), dtype=np.float32)
    gates, c = rng.integers(0, 2, 21).astype(np.int32), np.ones(21, np.float32)
    want = c + gates * a.astype(np.float64).sum(axis=1)
    akg.build(gated)(a, gates, c)
    np.testing.assert_allclose(c, want, rtol=tolerance(float32, 64), atol=8 * tolerance(float32, 64))
