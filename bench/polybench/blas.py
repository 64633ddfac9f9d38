# ruff: noqa: F821, UP037  (shapes and dtypes are strings inside annotations)
"""PolyBench's BLAS family: updates of matrices and vectors with scalars alpha and beta."""

from __future__ import annotations

from akg.ir.script import In, Tensor, script


@script
def gemm(
    A: In["m", "k", "float64"], B: In["k", "n", "float64"], C: Tensor["m", "n", "float64"], alpha: float, beta: float
):
    """C = alpha A B + beta C."""
    m, n = C.shape
    for i in range(m):
        for j in range(n):
            C[i, j] *= beta
        for k in range(A.shape[1]):
            for j in range(n):
                C[i, j] += alpha * A[i, k] * B[k, j]


@script
def gemver(
    A: Tensor["n", "n", "float64"],
    u1: In["n", "float64"],
    v1: In["n", "float64"],
    u2: In["n", "float64"],
    v2: In["n", "float64"],
    y: In["n", "float64"],
    z: In["n", "float64"],
    w: Tensor["n", "float64"],
    x: Tensor["n", "float64"],
    alpha: float,
    beta: float,
):
    """A += u1 v1' + u2 v2'; x += beta A' y + z; w += alpha A x."""
    n = len(x)
    for i in range(n):
        for j in range(n):
            A[i, j] += u1[i] * v1[j] + u2[i] * v2[j]
    for i in range(n):
        for j in range(n):
            x[i] += beta * A[j, i] * y[j]
    for i in range(n):
        x[i] += z[i]
    for i in range(n):
        for j in range(n):
            w[i] += alpha * A[i, j] * x[j]


@script
def gesummv(
    A: In["n", "n", "float64"],
    B: In["n", "n", "float64"],
    x: In["n", "float64"],
    y: Tensor["n", "float64"],
    alpha: float,
    beta: float,
):
    """y = alpha A x + beta B x."""
    n = len(x)
    for i in range(n):
        a = 0.0
        b = 0.0
        for j in range(n):
            a += A[i, j] * x[j]
            b += B[i, j] * x[j]
        y[i] = alpha * a + beta * b


@script
def symm(
    A: In["m", "m", "float64"], B: In["m", "n", "float64"], C: Tensor["m", "n", "float64"], alpha: float, beta: float
):
    """C = alpha S B + beta C, S symmetric with the lower triangle of A."""
    m, n = C.shape
    for i in range(m):
        for j in range(n):
            s = 0.0
            for k in range(i):
                C[k, j] += alpha * B[i, j] * A[i, k]
                s += B[k, j] * A[i, k]
            C[i, j] = beta * C[i, j] + alpha * B[i, j] * A[i, i] + alpha * s


@script
def syr2k(
    A: In["n", "m", "float64"], B: In["n", "m", "float64"], C: Tensor["n", "n", "float64"], alpha: float, beta: float
):
    """The lower triangle of C = alpha (A B' + B A') + beta C."""
    n, m = A.shape
    for i in range(n):
        for j in range(i + 1):
            C[i, j] *= beta
        for k in range(m):
            for j in range(i + 1):
                C[i, j] += alpha * A[j, k] * B[i, k] + alpha * B[j, k] * A[i, k]


@script
def syrk(A: In["n", "m", "float64"], C: Tensor["n", "n", "float64"], alpha: float, beta: float):
    """The lower triangle of C = alpha A A' + beta C."""
    n, m = A.shape
    for i in range(n):
        for j in range(i + 1):
            C[i, j] *= beta
        for k in range(m):
            for j in range(i + 1):
                C[i, j] += alpha * A[i, k] * A[j, k]


@script
def trmm(A: In["m", "m", "float64"], B: Tensor["m", "n", "float64"], alpha: float):
    """B = alpha L' B, L unit lower triangular with the strict lower triangle of A."""
    m, n = B.shape
    for i in range(m):
        for j in range(n):
            for k in range(i + 1, m):
                B[i, j] += A[k, i] * B[k, j]
            B[i, j] *= alpha
