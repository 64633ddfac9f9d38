# ruff: noqa: F821, UP037  (shapes and dtypes are strings inside annotations)
"""PolyBench's solvers: factorisations, and systems of equations that follow from them."""

from __future__ import annotations

import numpy as np

from akg.ir.script import In, Tensor, script


@script
def cholesky(A: Tensor["n", "n", "float64"]):
    """The lower triangle of A becomes L with L L' = A."""
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            for k in range(j):
                A[i, j] -= A[i, k] * A[j, k]
            A[i, j] /= A[j, j]
        for k in range(i):
            A[i, i] -= A[i, k] * A[i, k]
        A[i, i] = np.sqrt(A[i, i])


@script
def durbin(r: In["n", "float64"], y: Tensor["n", "float64"]):
    """The Yule-Walker system of the autocorrelations 1, r[0], r[1], ...: T y = -r."""
    n = len(r)
    z = np.empty((n,))
    y[0] = -r[0]
    beta = 1.0
    alpha = -r[0]
    for k in range(1, n):
        beta = (1.0 - alpha * alpha) * beta
        s = 0.0
        for i in range(k):
            s += r[k - i - 1] * y[i]
        alpha = -(r[k] + s) / beta
        for i in range(k):
            z[i] = y[i] + alpha * y[k - i - 1]
        for i in range(k):
            y[i] = z[i]
        y[k] = alpha


@script
def gramschmidt(A: Tensor["m", "n", "float64"], R: Tensor["n", "n", "float64"], Q: Tensor["m", "n", "float64"]):
    """A = Q R by the modified method of Gram and Schmidt; R above its diagonal and on it."""
    m, n = A.shape
    for k in range(n):
        norm = 0.0
        for i in range(m):
            norm += A[i, k] * A[i, k]
        R[k, k] = np.sqrt(norm)
        for i in range(m):
            Q[i, k] = A[i, k] / R[k, k]
        for j in range(k + 1, n):
            R[k, j] = 0.0
            for i in range(m):
                R[k, j] += Q[i, k] * A[i, j]
            for i in range(m):
                A[i, j] -= Q[i, k] * R[k, j]


@script
def lu(A: Tensor["n", "n", "float64"]):
    """A becomes L and U, L with a unit diagonal, without pivots."""
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            for k in range(j):
                A[i, j] -= A[i, k] * A[k, j]
            A[i, j] /= A[j, j]
        for j in range(i, n):
            for k in range(i):
                A[i, j] -= A[i, k] * A[k, j]


@script
def ludcmp(A: Tensor["n", "n", "float64"], b: In["n", "float64"], x: Tensor["n", "float64"], y: Tensor["n", "float64"]):
    """A x = b by the factors of A, without pivots; A becomes L and U, and L y = b."""
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            w = A[i, j]
            for k in range(j):
                w -= A[i, k] * A[k, j]
            A[i, j] = w / A[j, j]
        for j in range(i, n):
            v = A[i, j]
            for k in range(i):
                v -= A[i, k] * A[k, j]
            A[i, j] = v
    for i in range(n):
        s = b[i]
        for j in range(i):
            s -= A[i, j] * y[j]
        y[i] = s
    for i in range(n - 1, -1, -1):
        t = y[i]
        for j in range(i + 1, n):
            t -= A[i, j] * x[j]
        x[i] = t / A[i, i]


@script
def trisolv(L: In["n", "n", "float64"], b: In["n", "float64"], x: Tensor["n", "float64"]):
    """L x = b, L lower triangular."""
    n = len(b)
    for i in range(n):
        x[i] = b[i]
        for j in range(i):
            x[i] -= L[i, j] * x[j]
        x[i] /= L[i, i]
