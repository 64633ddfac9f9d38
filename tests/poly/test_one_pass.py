"""Several reductions of one array in one pass."""

from __future__ import annotations

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import float32, tolerance
from akg.ir import stmt
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Load, Var
from akg.ir.stmt import For, Store, block
from akg.poly.loops.one_pass import join_reductions

N = 96
X, Y = Buffer("x", (Const(N),), float32), Buffer("y", (Const(N),), float32)
S, Q, M = (Buffer(name, (), float32) for name in "sqm")


def total(into: Buffer, name: str, *sources: Buffer, minus: Buffer | None = None) -> For:
    k = Var(f"k_{name}")
    term = Load(sources[0], (k,))
    for source in sources[1:]:
        term = term * Load(source, (k,))
    if minus is not None:
        term = term - Load(minus, ())
    update = Store(into, (), Load(into, ()) + term, name, "sum")
    return For(k, Const(0), Const(N), update, "vector")


def start(into: Buffer, name: str) -> Store:
    return Store(into, (), Const(0.0, float32), name)


MEAN = Store(M, (), Load(S, ()) / float(N), "mean")


@pytest.mark.parametrize(("parts", "loops", "order"), [
    ([start(S, "s0"), total(S, "s", X), MEAN, start(Q, "q0"), total(Q, "q", X, X)], 1, "s0 q0 s q mean"),
    ([start(S, "s0"), total(S, "s", X), MEAN, start(Q, "q0"), total(Q, "q", X, minus=M)], 2, "s0 s mean q0 q"),
    ([start(S, "s0"), total(S, "s", X), start(Q, "q0"), total(Q, "q", Y)], 2, "s0 s q0 q"),  # nothing shared
    ([start(S, "s0"), total(S, "s", X), start(S, "s1"), total(S, "q", X)], 2, "s0 s s1 q"),  # one sum after the other
    ([total(S, "s", X), Store(Q, (), Load(S, ()), "q0"), total(Q, "q", X)], 2, "s q0 q"),  # begins with the first
])  # fmt: skip
def test_what_is_joined(parts: list[stmt.Stmt], loops: int, order: str) -> None:
    joined = join_reductions(block(*parts))
    found = list(stmt.walk(joined))
    assert sum(isinstance(s, For) for s in found) == loops
    assert " ".join(s.name for s in found if isinstance(s, Store)) == order


def test_rows_are_normalised_in_two_passes() -> None:
    """One pass over the input for mean and variance, one for the result; and a sample's."""
    x = te.placeholder((64, 2000), "float32", name="x")
    kernel = akg.build([ops.layer_norm(x)], inputs=[x])
    assert kernel.source("loop").count("in [0, 2000)") == 2
    assert kernel.source("loop").count("vector for k in [0, 125)") == 1  # a sample


@pytest.mark.parametrize("n", [256, 777, 5000])
def test_moments_of_awkward_rows(n: int) -> None:
    """A far mean, outliers in and outside of the sample, a sample unlike the rest, and constant rows."""
    rng = np.random.default_rng(n)
    few = max(n // 16, 64)
    rows = [
        rng.normal(0, 1, n), rng.normal(300, 1, n), np.r_[1e3, rng.normal(0, 1, n - 1)],
        np.r_[rng.normal(0, 1, n - 1), -1e3], np.r_[np.full(few, 50.0), rng.normal(0, 1, n - few)], np.full(n, 3.3),
    ]  # fmt: skip
    a = np.array(rows, np.float32)
    x = te.placeholder(a.shape, "float32", name="x")
    kernel = akg.build([ops.var(x, axis=-1), ops.layer_norm(x)], inputs=[x])
    exact = a.astype(np.float64)
    variance, normal = kernel(a)
    wanted = exact.var(axis=1)
    bound = tolerance(float32, n)
    np.testing.assert_allclose(variance, wanted, rtol=bound, atol=bound)
    assert np.all(variance >= 0)
    wanted_normal = (exact - exact.mean(axis=1, keepdims=True)) / np.sqrt(wanted[:, None] + 1e-5)
    scale = np.maximum(np.abs(exact).max(axis=1) / np.sqrt(wanted + 1e-5), 1.0)  # of the rounding of the mean
    assert np.all(np.abs(normal - wanted_normal).max(axis=1) <= bound * scale)
