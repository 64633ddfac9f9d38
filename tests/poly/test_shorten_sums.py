"""Sums without the terms that a condition on several subscripts makes absent."""

from __future__ import annotations

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import float32, tolerance
from akg.base.target import Target
from akg.driver import pipeline
from akg.ir import stmt
from akg.ir.lower import lower_te
from akg.ir.stmt import For
from akg.poly.strategy import resolve_strategy

WIDE = Target("wide", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, l2_bytes=1 << 20, cores=2)


def transposed(x: tuple[int, ...], w: tuple[int, ...], stride: int) -> tuple[te.Tensor, list[te.Tensor]]:
    a, b = te.placeholder(x, name="X"), te.placeholder(w, name="W")
    return {3: ops.conv1d_transpose, 4: ops.conv2d_transpose}[len(x)](a, b, stride=stride), [a, b]


def sums(result: te.Tensor, inputs: list[te.Tensor]) -> list[For]:
    """The loops around the sums of a computation that do not run a constant number of times."""
    state = pipeline.start(lower_te([result], inputs=inputs), resolve_strategy("auto"), WIDE)
    state = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert state.result is not None
    return [s for s in stmt.walk(state.result.body) if isinstance(s, For) and s.const_trips is None]


@pytest.mark.parametrize(
    ("x", "w", "stride", "shortened"),
    [
        ((1, 16, 15, 14), (16, 32, 3, 3), 2, {"k0", "k1"}), ((2, 16, 15, 14), (16, 32, 5, 4), 3, {"k0", "k1"}),
        ((1, 32, 57), (32, 48, 5), 2, {"k0"}), ((1, 16, 15, 14), (16, 32, 4, 3), 2, {"k1"}),
        ((1, 16, 15, 14), (16, 32, 2, 2), 2, set[str]()),
    ],
)  # fmt: skip
def test_phases_sum_their_own_taps(
    x: tuple[int, ...], w: tuple[int, ...], stride: int, shortened: set[str]
) -> None:
    result, inputs = transposed(x, w, stride)
    phases = [s for s in sums(result, inputs) if s.kind == "serial"]
    assert {s.var.name.split("_")[0] for s in phases if "i" in str(s.begin)} >= shortened
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal(x), rng.standard_normal(w)
    spatial = [n * stride + k - stride for n, k in zip(x[2:], w[2:], strict=True)]
    want = np.zeros((x[0], w[1], *spatial))
    for k in np.ndindex(*w[2:]):
        at = tuple([slice(t, t + (n - 1) * stride + 1, stride) for t, n in zip(k, x[2:], strict=True)])
        want[(slice(None), slice(None), *at)] += np.einsum("nc...,cf->nf...", a, b[(slice(None), slice(None), *k)])
    got = akg.build([result], inputs=inputs)(a.astype("float32"), b.astype("float32"))
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance(float32, w[0] * 9) * float(np.abs(want).max()))


def test_what_is_absent_is_no_operand() -> None:
    """An infinite input reaches the outputs of its window only: it is not multiplied by a tap that is not there."""
    result, inputs = transposed((1, 16, 15, 14), (16, 32, 3, 3), 2)
    x, w = np.ones((1, 16, 15, 14), "float32"), np.ones((16, 32, 3, 3), "float32")
    x[0, 3, 7, 7] = np.inf
    got = akg.build([result], inputs=inputs)(x, w)
    assert not np.isnan(got).any()
    assert np.isinf(got[0, 0]).sum() == 9
