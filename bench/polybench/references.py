"""What the kernels compute, in NumPy, written from the mathematics: same arguments, results in place."""

from __future__ import annotations

from typing import Any

import numpy as np


def gemm(A: Any, B: Any, C: Any, alpha: float, beta: float) -> None:
    C[:] = alpha * (A @ B) + beta * C


def gemver(
    A: Any, u1: Any, v1: Any, u2: Any, v2: Any, y: Any, z: Any, w: Any, x: Any, alpha: float, beta: float
) -> None:
    A += np.outer(u1, v1) + np.outer(u2, v2)
    x += beta * (A.T @ y) + z
    w += alpha * (A @ x)


def gesummv(A: Any, B: Any, x: Any, y: Any, alpha: float, beta: float) -> None:
    y[:] = (alpha * A + beta * B) @ x


def symm(A: Any, B: Any, C: Any, alpha: float, beta: float) -> None:
    C[:] = alpha * ((np.tril(A) + np.tril(A, -1).T) @ B) + beta * C


def syr2k(A: Any, B: Any, C: Any, alpha: float, beta: float) -> None:
    C[:] = np.tril(alpha * (A @ B.T + B @ A.T) + beta * C) + np.triu(C, 1)


def syrk(A: Any, C: Any, alpha: float, beta: float) -> None:
    C[:] = np.tril(alpha * (A @ A.T) + beta * C) + np.triu(C, 1)


def trmm(A: Any, B: Any, alpha: float) -> None:
    B[:] = alpha * (np.tril(A, -1).T @ B + B)


def mm2(A: Any, B: Any, C: Any, D: Any, tmp: Any, alpha: float, beta: float) -> None:
    tmp[:] = alpha * (A @ B)
    D[:] = tmp @ C + beta * D


def mm3(A: Any, B: Any, C: Any, D: Any, E: Any, F: Any, G: Any) -> None:
    E[:], F[:] = A @ B, C @ D
    G[:] = E @ F


def atax(A: Any, x: Any, y: Any, tmp: Any) -> None:
    tmp[:] = A @ x
    y[:] = A.T @ tmp


def bicg(A: Any, p: Any, r: Any, q: Any, s: Any) -> None:
    q[:], s[:] = A @ p, A.T @ r


def doitgen(A: Any, C: Any) -> None:
    A[:] = A @ C


def mvt(A: Any, x1: Any, x2: Any, y1: Any, y2: Any) -> None:
    x1 += A @ y1
    x2 += A.T @ y2


def cholesky(A: Any) -> None:
    A[:] = np.linalg.cholesky(A) + np.triu(A, 1)


def durbin(r: Any, y: Any) -> None:
    lags = np.concatenate([[1.0], r[:-1]])
    distance = np.abs(np.subtract.outer(np.arange(len(r)), np.arange(len(r))))
    y[:] = np.linalg.solve(lags[distance], -r)


def gramschmidt(A: Any, R: Any, Q: Any) -> None:
    q, r = np.linalg.qr(A)
    sign = np.sign(np.diag(r))
    Q[:], R[:] = q * sign, r * sign[:, None]
    A[:] = Q * np.diag(R)  # each column as it was before it was scaled


def lu(A: Any) -> None:
    for k in range(len(A) - 1):
        A[k + 1 :, k] /= A[k, k]
        A[k + 1 :, k + 1 :] -= np.outer(A[k + 1 :, k], A[k, k + 1 :])


def ludcmp(A: Any, b: Any, x: Any, y: Any) -> None:
    x[:] = np.linalg.solve(A, b)
    lu(A)
    y[:] = np.triu(A) @ x


def trisolv(L: Any, b: Any, x: Any) -> None:
    x[:] = np.linalg.solve(np.tril(L), b)


def correlation(data: Any, corr: Any, mean: Any, stddev: Any) -> None:
    mean[:], stddev[:] = data.mean(0), data.std(0)
    stddev[stddev <= 0.1] = 1.0
    data[:] = (data - mean) / (np.sqrt(len(data)) * stddev)
    corr[:] = data.T @ data
    np.fill_diagonal(corr, 1.0)


def covariance(data: Any, cov: Any, mean: Any) -> None:
    mean[:], cov[:] = data.mean(0), np.cov(data, rowvar=False)
    data -= mean


def _sweep(p: Any, q: Any, u: Any, inner: float, outer: float) -> Any:
    """The columns of `u` after an implicit half step: Thomas' algorithm for all rows at once."""
    n = len(u)
    rows = slice(1, n - 1)
    p[rows, 0], q[rows, 0] = 0.0, 1.0
    right = -outer * u[:, :-2] + (1.0 + 2.0 * outer) * u[:, 1:-1] - outer * u[:, 2:]
    for j in range(1, n - 1):
        pivot = inner * p[rows, j - 1] + 1.0 - 2.0 * inner
        p[rows, j] = -inner / pivot
        q[rows, j] = (right[j] - inner * q[rows, j - 1]) / pivot
    solution = np.ones((n, n - 2))
    for j in range(n - 2, 0, -1):
        solution[j] = p[rows, j] * solution[j + 1] + q[rows, j]
    return solution


def adi(u: Any, v: Any, p: Any, q: Any, a: float, d: float, steps: int) -> None:
    n = len(u)
    for _ in range(steps):
        v[:, 1 : n - 1] = _sweep(p, q, u, a, d)
        u[1 : n - 1, :] = _sweep(p, q, v.T, d, a).T


def fdtd_2d(ex: Any, ey: Any, hz: Any, source: Any) -> None:
    for value in source:
        ey[0] = value
        ey[1:] -= 0.5 * np.diff(hz, axis=0)
        ex[:, 1:] -= 0.5 * np.diff(hz, axis=1)
        hz[:-1, :-1] -= 0.7 * (np.diff(ex, axis=1)[:-1] + np.diff(ey, axis=0)[:, :-1])


def heat_3d(A: Any, B: Any, steps: int) -> None:
    inside = (slice(1, -1),) * 3
    for _ in range(steps):
        for source, target in ((A, B), (B, A)):
            second = sum(
                np.diff(source, 2, axis=axis)[tuple(slice(None) if a == axis else slice(1, -1) for a in range(3))]
                for axis in range(3)
            )
            target[inside] = source[inside] + 0.125 * second


def jacobi_1d(A: Any, B: Any, steps: int) -> None:
    for _ in range(steps):
        B[1:-1] = 0.33333 * (A[:-2] + A[1:-1] + A[2:])
        A[1:-1] = 0.33333 * (B[:-2] + B[1:-1] + B[2:])


def jacobi_2d(A: Any, B: Any, steps: int) -> None:
    for _ in range(steps):
        for s, t in ((A, B), (B, A)):
            t[1:-1, 1:-1] = 0.2 * (s[1:-1, 1:-1] + s[1:-1, :-2] + s[1:-1, 2:] + s[2:, 1:-1] + s[:-2, 1:-1])


def seidel_2d(A: Any, steps: int) -> None:
    for _ in range(steps):
        for i in range(1, len(A) - 1):
            others = A[i - 1, :-2] + A[i - 1, 1:-1] + A[i - 1, 2:] + A[i, 1:-1] + A[i, 2:]
            others = others + A[i + 1, :-2] + A[i + 1, 1:-1] + A[i + 1, 2:]
            for j in range(1, A.shape[1] - 1):
                A[i, j] = (others[j - 1] + A[i, j - 1]) / 9.0


def _recursion(given: Any, now: float, before: float, b1: float, b2: float, start: int) -> Any:
    """y[j] = now x[j] + before x[j-1] + b1 y[j-1] + b2 y[j-2] down the columns; `start` 1 looks one further back."""
    x = np.vstack([np.zeros((2, given.shape[1])), given])
    y = np.zeros_like(x)
    for j in range(2, len(x)):
        y[j] = now * x[j - start] + before * x[j - 1 - start] + b1 * y[j - 1] + b2 * y[j - 2]
    return y[2:]


def deriche(image: Any, out: Any, y1: Any, y2: Any, alpha: float) -> None:
    e = np.exp(-alpha)
    k = (1.0 - e) ** 2 / (1.0 + 2.0 * alpha * e - np.exp(2.0 * alpha))
    forth, back = (k, k * e * (alpha - 1.0)), (k * e * (alpha + 1.0), -k * e * e)
    b = 2.0**-alpha, -e * e
    y1[:] = _recursion(image.T, *forth, *b, 0).T
    y2[:] = _recursion(image.T[::-1], *back, *b, 1)[::-1].T
    out[:] = y1 + y2
    y1[:] = _recursion(out, *forth, *b, 0)
    y2[:] = _recursion(out[::-1], *back, *b, 1)[::-1]
    out[:] = y1 + y2


def floyd_warshall(path: Any) -> None:
    for k in range(len(path)):
        path[:] = np.minimum(path, path[:, k : k + 1] + path[k : k + 1, :])


def nussinov(seq: Any, table: Any) -> None:
    n = len(seq)
    for span in range(1, n):
        for i in range(n - span):
            j = i + span
            pair = float(span > 1 and int(seq[i]) + int(seq[j]) == 3)
            splits = table[i, i:j] + table[i + 1 : j + 1, j]  # i..k and k+1..j, which a single base may be
            table[i, j] = max(splits.max(), table[i + 1, j - 1] + pair)
