"""Values that one iteration leaves for the next: in a register where that is right, in memory where it is not."""

import numpy as np
import pytest

import akg
from akg import te
from akg.base.config import config
from akg.base.dtype import dtype_of
from akg.ir.expr import Var
from akg.ir.text import parse_kernel, to_text
from akg.poly.loops.carry import carry_values
from tests.helpers import Array

RNG = np.random.default_rng(0)


def loops(text: str) -> tuple[akg.Kernel, str]:
    """A kernel as it is written, and its loops with values carried."""
    parsed = parse_kernel(text)
    with config.override(cache="off"):
        kernel = akg.build(parsed, strategy="original")
    return kernel, to_text(carry_values(parsed.body, Var))


def running(n: int, x: Array) -> Array:
    want = x.copy()
    for i in range(1, n):
        want[i] = want[i - 1] * np.float32(0.5) + x[i]
    return want


RECURRENCE = """
kernel recurrence(X: in float32[n], T: inout float32[n], n: size):
    for i in [1, n):
        S: T[i] = T[i - 1] * 0.5f32 + X[i]
"""


@pytest.mark.parametrize("n", [0, 1, 2, 3, 17, 100])
def test_recurrence(n: int) -> None:
    kernel, text = loops(RECURRENCE)
    assert "T_last" in text
    x = RNG.random(n, np.float32)
    t = x.copy()
    kernel(x, t)
    np.testing.assert_allclose(t, running(n, x), rtol=1e-6)


def test_backwards_and_two_ahead() -> None:
    kernel, text = loops("""
kernel backwards(X: in float64[30], T: inout float64[30], U: inout float64[30]):
    for i in [0, 28):
        S: T[28 - i] = T[29 - i] + X[i]
        R: U[i + 2] = U[i] + T[28 - i]
""")
    assert "T_last" in text
    assert "U_last" not in text
    x, t, u = RNG.random(30), RNG.random(30), RNG.random(30)
    want_t, want_u = t.copy(), u.copy()
    for i in range(28):
        want_t[28 - i] = want_t[29 - i] + x[i]
        want_u[i + 2] = want_u[i] + want_t[28 - i]
    kernel(x, t, u)
    np.testing.assert_allclose(t, want_t)
    np.testing.assert_allclose(u, want_u)


@pytest.mark.parametrize("body", [
    "        S: T[i] = select(i > 0, T[i - 1], 1.0f64) + X[i]",  # the first is not there
    "        S: T[i] = X[i]\n        R: Y[i] = T[i - 1 + 1]",  # the same iteration
    "        S: T[i // 2] = T[i // 2] + X[i]",
])  # fmt: skip
def test_what_stays_in_memory(body: str) -> None:
    text = loops(f"\nkernel other(X: in float64[n], T: inout float64[n], Y: inout float64[n], n: size):\n"
                 f"    for i in [0, n):\n{body}\n")[1]  # fmt: skip
    assert "T_last" not in text


@akg.script
def seidel(A: akg.Tensor["n", "n", "float64"]):  # noqa: F821
    n = A.shape[0]
    for _t in range(3):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                A[i, j] = (A[i - 1, j] + A[i, j - 1] + A[i, j] + A[i, j + 1] + A[i + 1, j]) * 0.2


@pytest.mark.parametrize("strategy", ["original", "pluto", "isl"])
def test_stencil_in_place(strategy: str) -> None:
    kernel = akg.build(seidel, strategy=strategy)
    for n in (1, 2, 3, 20, 70):
        a = RNG.random((n, n))
        want = a.copy()
        seidel(want)
        kernel(a)
        np.testing.assert_allclose(a, want, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32"])
def test_scans_keep_their_type(dtype: str) -> None:
    X = te.placeholder((5, 40), dtype, name="X")
    Y = te.scan(X.shape, lambda i, j: X[i, j], 1, "sum", name="Y")
    x = RNG.integers(-8, 8, (5, 40))
    kernel = akg.build([Y], inputs=[X])
    assert "Y_last" in to_text(carry_values(akg.lower([Y], inputs=[X]).kernel.body, Var))
    from_kernel = kernel(x.astype(dtype_of(dtype).numpy))
    np.testing.assert_array_equal(from_kernel.astype(np.int64), np.cumsum(x, 1))
