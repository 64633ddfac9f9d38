"""Fits the coefficients of ``akg/codegen/math/coefficients.py``; run it to print that file.

Polynomials come from Remez exchange (Remez 1934) with a weight, in 60-digit arithmetic; each leading coefficient is
rounded to the working precision before the rest is fitted again, so that the rounding is part of the fit.
Rational functions come from the same exchange on ``P - f*Q`` with the weight ``1/Q`` of the round before (Loeb 1957).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mpmath as mp
import numpy as np

mp.mp.dps = 60
Function = Callable[[mp.mpf], mp.mpf]


def grid(lo: float, hi: float, count: int) -> list[mp.mpf]:
    """Chebyshev points of [lo, hi], ascending."""
    a, b = mp.mpf(lo), mp.mpf(hi)
    return [(a + b) / 2 - (b - a) / 2 * mp.cos(mp.pi * (2 * k + 1) / (2 * count)) for k in range(count)]


def exchange(target: Function, basis: Sequence[Function], weight: Function, lo: float, hi: float) -> list[mp.mpf]:
    """Coefficients c that minimise ``max weight*|target - sum c_k basis_k|`` on [lo, hi]."""
    n = len(basis)
    points = grid(lo, hi, n + 1)
    dense = grid(lo, hi, 40 * (n + 1))
    samples = [(target(x), weight(x), [phi(x) for phi in basis]) for x in dense]
    coefficients: list[mp.mpf] = []
    for _ in range(12):
        matrix, right = mp.matrix(n + 1, n + 1), mp.matrix(n + 1, 1)
        for i, x in enumerate(points):
            for k, phi in enumerate(basis):
                matrix[i, k] = phi(x)
            matrix[i, n] = (-1) ** i / weight(x)
            right[i] = target(x)
        solution = mp.lu_solve(matrix, right)
        coefficients, level = [solution[k] for k in range(n)], abs(solution[n])
        errors = [w * (f - mp.fsum(c * p for c, p in zip(coefficients, row))) for f, w, row in samples]
        extremes = _alternation(errors, n + 1)
        if extremes is None:
            break
        points = [dense[i] for i in extremes]
        if max(abs(e) for e in errors) < level * mp.mpf("1.01"):
            break
    return coefficients


def _alternation(errors: list[mp.mpf], count: int) -> list[int] | None:
    """Positions of `count` extremes of alternating sign, the largest of each run of one sign."""
    runs: list[int] = []
    for i, e in enumerate(errors):
        if runs and (errors[runs[-1]] > 0) == (e > 0):
            if abs(e) > abs(errors[runs[-1]]):
                runs[-1] = i
        else:
            runs.append(i)
    while len(runs) > count:
        runs.pop(0 if abs(errors[runs[0]]) < abs(errors[runs[-1]]) else -1)
    return runs if len(runs) == count else None


def polynomial(
    target: Function, count: int, lo: float, hi: float, weight: Function, width: type = np.float64, exact: int = 0
) -> list[float]:
    """Ascending coefficients of a polynomial of `count` terms, rounded to `width` one after the other.

    The first `exact` are fitted again after each rounding; the rest is rounded at the end.
    """
    fixed: list[float] = []
    for _ in range(exact):
        rest = _fit_after(fixed, target, count, lo, hi, weight)
        fixed.append(float(width(float(rest[0]))))
    return fixed + [float(width(float(c))) for c in _fit_after(fixed, target, count, lo, hi, weight)]


def _fit_after(
    fixed: list[float], target: Function, count: int, lo: float, hi: float, weight: Function
) -> list[mp.mpf]:
    done = len(fixed)
    basis: list[Function] = [lambda x, k=k: x**k for k in range(done, count)]
    return exchange(lambda x: target(x) - mp.fsum(c * x**k for k, c in enumerate(fixed)), basis, weight, lo, hi)


def rational(
    target: Function, top: int, bottom: int, lo: float, hi: float, weight: Function
) -> tuple[list[mp.mpf], list[mp.mpf]]:
    """Ascending coefficients of P (`top` terms) and Q (`bottom` terms, the first is 1) with P/Q close to `target`."""
    q = [mp.mpf(1)] + [mp.mpf(0)] * (bottom - 1)
    p: list[mp.mpf] = []
    for _ in range(12):
        before = list(q)
        basis: list[Function] = [lambda x, k=k: x**k for k in range(top)]
        basis += [lambda x, k=k: -target(x) * x**k for k in range(1, bottom)]
        found = exchange(
            target, basis, lambda x: weight(x) / abs(mp.fsum(c * x**k for k, c in enumerate(before))), lo, hi
        )
        p, q = found[:top], [mp.mpf(1), *found[top:]]
    return p, q
