# ruff: noqa: F821, UP037  (shapes and dtypes are strings inside annotations)
"""PolyBench's linear-algebra kernels: chains of products of matrices and vectors."""

from __future__ import annotations

import numpy as np

from akg.ir.script import In, Tensor, script


@script
def mm2(
    A: In["i", "k", "float64"],
    B: In["k", "j", "float64"],
    C: In["j", "l", "float64"],
    D: Tensor["i", "l", "float64"],
    tmp: Tensor["i", "j", "float64"],
    alpha: float,
    beta: float,
):
    """D = alpha A B C + beta D, by way of tmp = alpha A B."""
    ni, nk = A.shape
    nj, nl = C.shape
    for a in range(ni):
        for b in range(nj):
            tmp[a, b] = 0.0
            for c in range(nk):
                tmp[a, b] += alpha * A[a, c] * B[c, b]
    for a in range(ni):
        for b in range(nl):
            D[a, b] *= beta
            for c in range(nj):
                D[a, b] += tmp[a, c] * C[c, b]


@script
def mm3(
    A: In["i", "k", "float64"],
    B: In["k", "j", "float64"],
    C: In["j", "m", "float64"],
    D: In["m", "l", "float64"],
    E: Tensor["i", "j", "float64"],
    F: Tensor["j", "l", "float64"],
    G: Tensor["i", "l", "float64"],
):
    """E = A B; F = C D; G = E F."""
    ni, nk = A.shape
    nj, nm = C.shape
    nl = D.shape[1]
    for a in range(ni):
        for b in range(nj):
            E[a, b] = 0.0
            for c in range(nk):
                E[a, b] += A[a, c] * B[c, b]
    for a in range(nj):
        for b in range(nl):
            F[a, b] = 0.0
            for c in range(nm):
                F[a, b] += C[a, c] * D[c, b]
    for a in range(ni):
        for b in range(nl):
            G[a, b] = 0.0
            for c in range(nj):
                G[a, b] += E[a, c] * F[c, b]


@script
def atax(A: In["m", "n", "float64"], x: In["n", "float64"], y: Tensor["n", "float64"], tmp: Tensor["m", "float64"]):
    """tmp = A x; y = A' tmp."""
    m, n = A.shape
    for j in range(n):
        y[j] = 0.0
    for i in range(m):
        tmp[i] = 0.0
        for j in range(n):
            tmp[i] += A[i, j] * x[j]
        for j in range(n):
            y[j] += A[i, j] * tmp[i]


@script
def bicg(
    A: In["n", "m", "float64"],
    p: In["m", "float64"],
    r: In["n", "float64"],
    q: Tensor["n", "float64"],
    s: Tensor["m", "float64"],
):
    """q = A p; s = A' r."""
    n, m = A.shape
    for j in range(m):
        s[j] = 0.0
    for i in range(n):
        q[i] = 0.0
        for j in range(m):
            s[j] += r[i] * A[i, j]
            q[i] += A[i, j] * p[j]


@script
def doitgen(A: Tensor["r", "q", "p", "float64"], C: In["p", "p", "float64"]):
    """Each row A[i, j, :] times C, in place."""
    nr, nq, np_ = A.shape
    row = np.empty((np_,))
    for i in range(nr):
        for j in range(nq):
            for k in range(np_):
                row[k] = 0.0
                for s in range(np_):
                    row[k] += A[i, j, s] * C[s, k]
            for k in range(np_):
                A[i, j, k] = row[k]


@script
def mvt(
    A: In["n", "n", "float64"],
    x1: Tensor["n", "float64"],
    x2: Tensor["n", "float64"],
    y1: In["n", "float64"],
    y2: In["n", "float64"],
):
    """x1 += A y1; x2 += A' y2."""
    n = len(x1)
    for i in range(n):
        for j in range(n):
            x1[i] += A[i, j] * y1[j]
    for i in range(n):
        for j in range(n):
            x2[i] += A[j, i] * y2[j]
