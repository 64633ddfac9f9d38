"""Products of few rows, whose panels are copied while the one before is used."""

from __future__ import annotations

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import float32, tolerance


def _kernel(m: int, n: int, k: int) -> akg.Kernel:
    a, b = te.placeholder((m, k), "float32", name="A"), te.placeholder((k, n), "float32", name="B")
    return akg.build([ops.relu(ops.matmul(a, b))], inputs=[a, b])


@pytest.mark.parametrize(("m", "n", "k"), [(32, 2048, 2048), (31, 333, 1000), (51, 5000, 512), (48, 5000, 1024)])
def test_results(m: int, n: int, k: int) -> None:
    rng = np.random.default_rng(m)
    a, b = rng.standard_normal((m, k), dtype=np.float32), rng.standard_normal((k, n), dtype=np.float32)
    limit = tolerance(float32, k)
    want = np.maximum(a.astype(np.float64) @ b, 0)
    np.testing.assert_allclose(_kernel(m, n, k)(a, b), want, rtol=limit, atol=limit * np.sqrt(k))


def test_few_rows_copy_the_next_block_while_they_use_one() -> None:
    assert "panel_ahead" in _kernel(32, 2048, 2048).source("loop")
    assert "panel_ahead" in _kernel(48, 5000, 1024).source("loop")


def test_many_rows_and_small_operands_do_not() -> None:
    assert "panel_ahead" not in _kernel(600, 400, 1024).source("loop")
    assert "panel_ahead" not in _kernel(32, 64, 1024).source("loop")
