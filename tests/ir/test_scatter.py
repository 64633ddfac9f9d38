"""Scatters of tensor expressions: sums into places from data, their reductions, conditions, schedules and errors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.base.errors import AkgError
from akg.ir.interp import interpret

RNG = np.random.default_rng(0)
UFUNCS: dict[str, Any] = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}


def histogram(op: str, n: int, m: int) -> tuple[te.Tensor, list[te.Tensor]]:
    X, I = te.placeholder((m,), "float64", name="X"), te.placeholder((m,), "int32", name="I")
    return te.scatter((n,), lambda i: 1.0, (m,), lambda k: (I[k],), lambda k: X[k] * 2.0, op, name="H"), [X, I]


@pytest.mark.parametrize("op", UFUNCS)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 40), (40, 7), (5, 0), (64, 1000)])
@pytest.mark.parametrize("strategy", [None, "isl", "pluto"])
def test_reductions(op: str, n: int, m: int, strategy: str | None) -> None:
    H, inputs = histogram(op, n, m)
    x, i = RNG.random(m), RNG.integers(0, n, m).astype(np.int32)
    want = np.ones(n)
    UFUNCS[op].at(want, i, x * 2)
    kernel = akg.build([H], inputs=inputs, strategy=strategy)
    np.testing.assert_allclose(kernel(x, i), want, rtol=1e-12)


def test_the_interpreter_agrees() -> None:
    H, inputs = histogram("sum", 9, 30)
    x, i = RNG.random(30), RNG.integers(0, 9, 30).astype(np.int32)
    out = np.zeros(9)
    interpret(akg.lower([H], inputs=inputs).kernel, x, i, out, check_uninitialised=True)
    np.testing.assert_allclose(out, akg.build([H], inputs=inputs)(x, i), rtol=1e-12)


def test_a_condition_guards_the_place() -> None:
    X, I = (te.placeholder((te.var("m"),), d, name=n) for d, n in (("float32", "X"), ("int64", "I")))
    inside = lambda k: (I[k] >= 0) & (I[k] < 8)  # noqa: E731
    H = te.scatter((8,), lambda i: 0.0, X.shape, lambda k: (I[k],), lambda k: X[k], where=inside)
    kernel = akg.build([H], inputs=[X, I])
    for m in (0, 1, 3, 50):
        x, i = RNG.random(m, np.float32), RNG.integers(-20, 20, m)
        keep = (i >= 0) & (i < 8)
        want = np.zeros(8, np.float32)
        np.add.at(want, i[keep], x[keep])
        np.testing.assert_allclose(kernel(x, i), want, rtol=1e-5)


def test_rows_and_columns_and_two_numbers() -> None:
    U = te.placeholder((30, 21), "float32", name="U")
    I, J = te.placeholder((30,), "int32", name="I"), te.placeholder((30, 21), "int32", name="J")
    zero = lambda i, j: 0.0  # noqa: E731
    outputs = [
        te.scatter((9, 21), zero, (30, 21), lambda k, j: (I[k], j), lambda k, j: U[k, j], name="rows"),
        te.scatter((30, 9), zero, (30, 21), lambda k, j: (k, J[k, j]), lambda k, j: U[k, j], name="columns"),
        te.scatter((9, 9), zero, (30, 21), lambda k, j: (I[k], J[k, j]), lambda k, j: U[k, j], name="both"),
        te.scatter((30,), lambda i: 0.0, (30, 21), lambda k, j: (k,), lambda k, j: U[k, j], name="plain"),
    ]
    u = RNG.random((30, 21), np.float32)
    i, j = RNG.integers(0, 9, 30).astype(np.int32), RNG.integers(0, 9, (30, 21)).astype(np.int32)
    rows, columns, both = np.zeros((9, 21)), np.zeros((30, 9)), np.zeros((9, 9))
    np.add.at(rows, i, u)
    np.add.at(columns, (np.arange(30)[:, None], j), u)
    np.add.at(both, (i[:, None], j), u)
    for output, want in zip(outputs, (rows, columns, both, u.sum(1)), strict=True):
        used = [a for a in (U, I, J) if a is U or (a is I and output.name in ("rows", "both"))
                or (a is J and output.name in ("columns", "both"))]  # fmt: skip
        arrays = [{id(U): u, id(I): i, id(J): j}[id(a)] for a in used]
        np.testing.assert_allclose(akg.build([output], inputs=used)(*arrays), want, rtol=1e-5)


def test_what_reads_it_sees_all_of_it() -> None:
    """It is not inlined into its readers, and its parts are inlined into it."""
    X, I = te.placeholder((40,), "float32", name="X"), te.placeholder((40,), "int32", name="I")
    P = te.compute((40,), lambda k: (I[k] + 3) % 8, name="P")
    Y = te.compute((40,), lambda k: X[k] * X[k], name="Y")
    Z = te.compute((8,), lambda i: te.cast(i, "float32"), name="Z")
    H = te.scatter((8,), lambda i: Z[i], (40,), lambda k: (P[k],), lambda k: Y[k], name="H")
    R = te.compute((8,), lambda i: H[i] + 1.0, name="R")
    x, i = RNG.random(40, np.float32), RNG.integers(0, 1000, 40).astype(np.int32)
    want = np.arange(8, dtype=np.float32) + 1
    np.add.at(want, (i + 3) % 8, x * x)
    np.testing.assert_allclose(akg.build([R], inputs=[I, X])(i, x), want, rtol=1e-5)


def test_gradients_gather_and_scatter() -> None:
    X, U = te.placeholder((9,), "float64", name="X"), te.placeholder((20,), "float64", name="U")
    I = te.placeholder((20,), "int32", name="I")
    H = te.scatter((9,), lambda i: X[i] * X[i], (20,), lambda k: (I[k],), lambda k: U[k] * U[k], name="H")
    L = te.compute((9,), lambda i: H[i] * H[i], name="L")
    gradients = akg.differentiate(L, [X, U])
    x, u, i = RNG.random(9), RNG.random(20), RNG.integers(0, 9, 20).astype(np.int32)
    h = x * x
    np.add.at(h, i, u * u)
    gx, gu = akg.build(gradients, inputs=[X, I, U])(x, i, u)
    np.testing.assert_allclose(gx, 4 * h * x, rtol=1e-12)
    np.testing.assert_allclose(gu, 4 * h[i] * u, rtol=1e-12)
    G = te.compute((20,), lambda k: X[I[k]] * U[k], name="G")
    (back,) = akg.differentiate(G, [X])
    want = np.zeros(9)
    np.add.at(want, i, u)
    np.testing.assert_allclose(akg.build([back], inputs=[U, I])(u, i), want, rtol=1e-12)
    maximum, inputs = histogram("max", 5, 9)
    greatest = (maximum, inputs[:1])
    with pytest.raises(AkgError, match="AKG-E293: the derivative of a scatter with max is not known"):
        akg.differentiate(*greatest)


PAIR: Any = lambda i: (0.0, 1.0)  # noqa: E731
A = te.placeholder((4, 5), "float32", name="A")


@pytest.mark.parametrize(("call", "code"), [
    (lambda: te.scatter((4,), lambda i: 0.0, (5,), lambda k: (k, k), lambda k: 1.0), "AKG-E249"),
    (lambda: te.scatter((4,), lambda i: 0.0, (5,), lambda k: k, lambda k: 1.0), "AKG-E249"),
    (lambda: te.scatter((4,), lambda i: 0.0, (5,), lambda k: (k,), lambda k: 1.0, "mean"), "AKG-E249"),
    (lambda: te.scatter((4,), PAIR, (5,), lambda k: (k,), lambda k: 1.0), "AKG-E241"),
    (lambda: te.scatter((-4,), lambda i: 0.0, (5,), lambda k: (k,), lambda k: 1.0), "AKG-E105"),
    (lambda: te.scatter((4,), lambda i: te.sum(A[i, (r := te.reduce_axis(5))], axis=r), (5,), lambda k: (k,),
                        lambda k: 1.0), "AKG-E243"),
    (lambda: te.scatter((4,), lambda i: 0.0, (5,), lambda k: (1.5,), lambda k: 1.0), "AKG-E106"),
])  # fmt: skip
def test_errors(call: Callable[[], Any], code: str) -> None:
    with pytest.raises(AkgError) as caught:
        call()
    assert caught.value.code == code
