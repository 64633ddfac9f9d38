"""Inputs of the kernels: deterministic formulas, scaled so that results stay near one.

A maker takes the sizes of a dataset and returns the arguments of the script in its order; arrays that only take
results hold zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Arguments = tuple[Any, ...]
ALPHA, BETA = 1.5, 1.2


def table(*shape: int, seed: int = 1) -> Any:
    """An array of numbers in [-0.5, 0.5) that repeat after 1009 positions at the earliest."""
    position = np.zeros(shape, np.int64)
    for axis, factor in enumerate((37, 101, 13)[: len(shape)]):
        along = np.arange(shape[axis], dtype=np.int64).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        position = position + along * (factor + 2 * seed) + along * along * seed
    return (position * 17 + 7 * seed) % 1009 / 1009.0 - 0.5


def zeros(*shape: int) -> Any:
    """An array for results."""
    return np.zeros(shape)


def definite(n: int) -> Any:
    """A symmetric matrix with a dominant diagonal, and so one that needs no pivots."""
    a = table(n, n) / n
    return a + a.T + 2.0 * np.eye(n)


def gemm(ni: int, nj: int, nk: int) -> Arguments:
    return table(ni, nk), table(nk, nj, seed=2), table(ni, nj, seed=3), ALPHA, BETA


def gemver(n: int) -> Arguments:
    u = [table(n, seed=s) for s in range(1, 7)]
    return table(n, n), *u, zeros(n), zeros(n), ALPHA, BETA


def gesummv(n: int) -> Arguments:
    return table(n, n), table(n, n, seed=2), table(n, seed=3), zeros(n), ALPHA, BETA


def symm(m: int, n: int) -> Arguments:
    return table(m, m), table(m, n, seed=2), table(m, n, seed=3), ALPHA, BETA


def syr2k(m: int, n: int) -> Arguments:
    return table(n, m), table(n, m, seed=2), table(n, n, seed=3), ALPHA, BETA


def syrk(m: int, n: int) -> Arguments:
    return table(n, m), table(n, n, seed=3), ALPHA, BETA


def trmm(m: int, n: int) -> Arguments:
    return table(m, m), table(m, n, seed=2), ALPHA


def mm2(ni: int, nj: int, nk: int, nl: int) -> Arguments:
    return (
        table(ni, nk), table(nk, nj, seed=2), table(nj, nl, seed=3), table(ni, nl, seed=4), zeros(ni, nj), ALPHA, BETA,
    )  # fmt: skip


def mm3(ni: int, nj: int, nk: int, nl: int, nm: int) -> Arguments:
    given = table(ni, nk), table(nk, nj, seed=2), table(nj, nm, seed=3), table(nm, nl, seed=4)
    return *given, zeros(ni, nj), zeros(nj, nl), zeros(ni, nl)


def atax(m: int, n: int) -> Arguments:
    return table(m, n), table(n, seed=2), zeros(n), zeros(m)


def bicg(m: int, n: int) -> Arguments:
    return table(n, m), table(m, seed=2), table(n, seed=3), zeros(n), zeros(m)


def doitgen(nq: int, nr: int, np: int) -> Arguments:
    return table(nr, nq, np), table(np, np, seed=2)


def mvt(n: int) -> Arguments:
    return table(n, n), *[table(n, seed=s) for s in range(2, 6)]


def matrix(n: int) -> Arguments:
    return (definite(n),)


def durbin(n: int) -> Arguments:
    return 0.5 ** np.arange(1.0, n + 1) * (0.6 + 0.1 * table(n)), zeros(n)


def gramschmidt(m: int, n: int) -> Arguments:
    return table(m, n) + 3.0 * np.eye(m, n), zeros(n, n), zeros(m, n)


def ludcmp(n: int) -> Arguments:
    return definite(n), table(n, seed=2), zeros(n), zeros(n)


def trisolv(n: int) -> Arguments:
    return definite(n), table(n, seed=2), zeros(n)


def correlation(m: int, n: int) -> Arguments:
    return table(n, m), zeros(m, m), zeros(m), zeros(m)


def covariance(m: int, n: int) -> Arguments:
    return table(n, m), zeros(m, m), zeros(m)


def adi(steps: int, n: int) -> Arguments:
    diffusion = n * n / steps  # of a step in units of the grid
    start = table(n, n) + 1.0
    return start, zeros(n, n), zeros(n, n), zeros(n, n), -diffusion, -diffusion / 2.0, steps


def fdtd_2d(steps: int, nx: int, ny: int) -> Arguments:
    return table(nx, ny), table(nx, ny, seed=2), table(nx, ny, seed=3), np.arange(float(steps)) / steps


def heat_3d(steps: int, n: int) -> Arguments:
    start = table(n, n, n)
    return start, start.copy(), steps


def jacobi_1d(steps: int, n: int) -> Arguments:
    return table(n), table(n, seed=2), steps


def jacobi_2d(steps: int, n: int) -> Arguments:
    return table(n, n), table(n, n, seed=2), steps


def seidel_2d(steps: int, n: int) -> Arguments:
    return table(n, n), steps


def deriche(w: int, h: int) -> Arguments:
    return table(w, h), zeros(w, h), zeros(w, h), zeros(w, h), 0.25


def floyd_warshall(n: int) -> Arguments:
    return (np.round((table(n, n) + 0.5) * 100.0) + 1.0,)


def nussinov(n: int) -> Arguments:
    bases = (np.arange(n) * np.arange(n) // 3 + np.arange(n)) % 4
    return bases.astype(np.int8), zeros(n, n)
