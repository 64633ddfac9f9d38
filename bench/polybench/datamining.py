# ruff: noqa: F821, UP037  (shapes and dtypes are strings inside annotations)
"""PolyBench's data mining: statistics of the columns of a table."""

from __future__ import annotations

import numpy as np

from akg.ir.script import Tensor, script


@script
def correlation(
    data: Tensor["n", "m", "float64"],
    corr: Tensor["m", "m", "float64"],
    mean: Tensor["m", "float64"],
    stddev: Tensor["m", "float64"],
):
    """Correlations of all pairs of columns; the data become centred and scaled."""
    n, m = data.shape
    for j in range(m):
        mean[j] = 0.0
        for i in range(n):
            mean[j] += data[i, j]
        mean[j] /= n
    for j in range(m):
        stddev[j] = 0.0
        for i in range(n):
            stddev[j] += (data[i, j] - mean[j]) * (data[i, j] - mean[j])
        stddev[j] = np.sqrt(stddev[j] / n)
        stddev[j] = 1.0 if stddev[j] <= 0.1 else stddev[j]  # constant columns stay as they are
    for i in range(n):
        for j in range(m):
            data[i, j] = (data[i, j] - mean[j]) / (np.sqrt(1.0 * n) * stddev[j])
    for i in range(m):
        corr[i, i] = 1.0
        for j in range(i + 1, m):
            corr[i, j] = 0.0
            for k in range(n):
                corr[i, j] += data[k, i] * data[k, j]
            corr[j, i] = corr[i, j]


@script
def covariance(data: Tensor["n", "m", "float64"], cov: Tensor["m", "m", "float64"], mean: Tensor["m", "float64"]):
    """Covariances of all pairs of columns; the data become centred."""
    n, m = data.shape
    for j in range(m):
        mean[j] = 0.0
        for i in range(n):
            mean[j] += data[i, j]
        mean[j] /= n
    for i in range(n):
        for j in range(m):
            data[i, j] -= mean[j]
    for i in range(m):
        for j in range(i, m):
            cov[i, j] = 0.0
            for k in range(n):
                cov[i, j] += data[k, i] * data[k, j]
            cov[i, j] /= n - 1.0
            cov[j, i] = cov[i, j]
