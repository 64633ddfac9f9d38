# ruff: noqa: F821, UP037  (shapes and dtypes are strings inside annotations)
"""PolyBench's medley: a recursive filter, shortest paths, and the folding of RNA."""

from __future__ import annotations

import numpy as np

from akg.ir.script import In, Tensor, script


@script
def deriche(
    image: In["w", "h", "float64"],
    out: Tensor["w", "h", "float64"],
    y1: Tensor["w", "h", "float64"],
    y2: Tensor["w", "h", "float64"],
    alpha: float,
):
    """Deriche's smoothing: along rows and then along columns, a recursion forth, one back, and their sum."""
    w, h = image.shape
    k = (1.0 - np.exp(-alpha)) * (1.0 - np.exp(-alpha)) / (1.0 + 2.0 * alpha * np.exp(-alpha) - np.exp(2.0 * alpha))
    a1 = k
    a2 = k * np.exp(-alpha) * (alpha - 1.0)
    a3 = k * np.exp(-alpha) * (alpha + 1.0)
    a4 = -k * np.exp(-2.0 * alpha)
    b1 = np.exp2(-alpha)
    b2 = -np.exp(-2.0 * alpha)
    for i in range(w):
        xp = 0.0
        yp = 0.0
        ypp = 0.0
        for j in range(h):
            y1[i, j] = a1 * image[i, j] + a2 * xp + b1 * yp + b2 * ypp
            xp = image[i, j]
            ypp = yp
            yp = y1[i, j]
    for i in range(w):
        yn = 0.0
        ynn = 0.0
        xn = 0.0
        xnn = 0.0
        for j in range(h - 1, -1, -1):
            y2[i, j] = a3 * xn + a4 * xnn + b1 * yn + b2 * ynn
            xnn = xn
            xn = image[i, j]
            ynn = yn
            yn = y2[i, j]
    for i in range(w):
        for j in range(h):
            out[i, j] = y1[i, j] + y2[i, j]
    for j in range(h):
        tp = 0.0
        up = 0.0
        upp = 0.0
        for i in range(w):
            y1[i, j] = a1 * out[i, j] + a2 * tp + b1 * up + b2 * upp
            tp = out[i, j]
            upp = up
            up = y1[i, j]
    for j in range(h):
        tn = 0.0
        tnn = 0.0
        un = 0.0
        unn = 0.0
        for i in range(w - 1, -1, -1):
            y2[i, j] = a3 * tn + a4 * tnn + b1 * un + b2 * unn
            tnn = tn
            tn = out[i, j]
            unn = un
            un = y2[i, j]
    for i in range(w):
        for j in range(h):
            out[i, j] = y1[i, j] + y2[i, j]


@script
def floyd_warshall(path: Tensor["n", "n", "float64"]):
    """Lengths of the shortest paths between all pairs of nodes."""
    n = len(path)
    for k in range(n):
        for i in range(n):
            for j in range(n):
                path[i, j] = min(path[i, j], path[i, k] + path[k, j])


@script
def nussinov(seq: In["n", "int8"], table: Tensor["n", "n", "float64"]):
    """The most pairs of bases that fold without crossing: bases 0..3, pairs add up to 3."""
    n = len(seq)
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            table[i, j] = max(table[i, j], table[i, j - 1])
            table[i, j] = max(table[i, j], table[i + 1, j])
            if i < j - 1:
                table[i, j] = max(table[i, j], table[i + 1, j - 1] + (1.0 if seq[i] + seq[j] == 3 else 0.0))
            else:
                table[i, j] = max(table[i, j], table[i + 1, j - 1])
            for k in range(i + 1, j):
                table[i, j] = max(table[i, j], table[i, k] + table[k + 1, j])
