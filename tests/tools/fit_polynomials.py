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


# --- The tables ---------------------------------------------------------------------------------------

TINY = mp.mpf(10) ** -20


def series(f: Function, terms: Sequence[mp.mpf], power: int) -> Function:
    """``(f(x) - sum terms_k x^k) / x^power``, at 0 by the next point (no table needs the value there)."""

    def rest(x: mp.mpf) -> mp.mpf:
        x = x if abs(x) > TINY else TINY
        return (f(x) - mp.fsum(c * x**k for k, c in enumerate(terms))) / x**power

    return rest


def of_square(f: Function, terms: Sequence[mp.mpf], power: int) -> Function:
    """``(f(sqrt u)/sqrt u - sum terms_k u^k) / u^power``: the tail of an odd function."""

    def rest(u: mp.mpf) -> mp.mpf:
        x = mp.sqrt(u if u > TINY else TINY)
        return (f(x) / x - mp.fsum(c * x ** (2 * k) for k, c in enumerate(terms))) / x ** (2 * power)

    return rest


def table(name: str, note: str, values: Sequence[float]) -> str:
    """One assignment of the file of coefficients."""
    lines, row = [], "   "
    for v in values:
        word = f" {v!r},"
        if len(row) + len(word) > 110:
            lines.append(row)
            row = "   "
        row += word
    return f"# {note}\n{name} = (\n" + "\n".join([*lines, row]) + "\n)  # fmt: skip\n"


def erfc_scaled(t: mp.mpf) -> mp.mpf:
    """``erfc(y) exp(y^2)`` at ``t = (y - 2)/(y + 2)``."""
    y = 2 * (1 + t) / (1 - t)
    return mp.erfc(y) * mp.exp(y * y)


def tables() -> list[str]:
    """All tables, in order."""
    one, half, zero, ln2 = mp.mpf(1), mp.mpf(1) / 2, mp.mpf(0), mp.log(2)
    h, quarter, f32, f64 = float(ln2 / 2) * 1.0001, float(mp.pi / 4) * 1.0001, np.float32, np.float64
    e2 = series(mp.exp, [one, one], 2)
    x2 = series(lambda r: mp.mpf(2) ** r, [one], 1)
    l3 = series(mp.log1p, [zero, one, -half], 3)
    ls = of_square(lambda s: 2 * mp.atanh(s), [mp.mpf(2)], 1)
    l5 = of_square(lambda s: 2 * mp.atanh(s), [mp.mpf(2), mp.mpf(2) / 3], 2)
    er, sh = of_square(mp.erf, [one], 0), of_square(mp.sinh, [one], 1)
    si, at, an = of_square(mp.sin, [one], 1), of_square(mp.atan, [one], 1), of_square(mp.asin, [one], 1)
    cs = of_square(lambda x: x * mp.cos(x), [one, -half], 2)
    last, mid, small = (1 / 3.0), 0.1716, 0.04001
    out = []

    def add(name: str, note: str, *fit: object, exact: int = 0) -> None:
        out.append(table(name, note, polynomial(*fit, exact=exact)))  # type: ignore[arg-type]

    for tag, width, n in (("F32", f32, (5, 6)), ("F64", f64, (10, 11))):
        add(f"EXP_{tag}", "exp(r) = 1 + r + r^2 q(r), |r| <= ln(2)/2", e2, n[0], -h, h,
            lambda r: (r * r + TINY) / mp.exp(r), width, exact=2)  # fmt: skip
        add(f"EXP2_{tag}", "2^r = 1 + r q(r), |r| <= 1/2", x2, n[1], -0.5001, 0.5001,
            lambda r: (abs(r) + TINY) / mp.mpf(2) ** r, width, exact=2)  # fmt: skip
    add("EXP_SIXTEENTH_F32", "exp(r) = 1 + r + r^2 q(r), |r| <= ln(2)/32", e2, 2, -h / 16, h / 16,
        lambda r: (r * r + TINY) / mp.exp(r), f32)  # fmt: skip
    add("EXP2_FRACTION_F32", "2^f = 1 + f q(f), 0 <= f <= 1", x2, 5, 0, 1,
        lambda f: (f + TINY) / mp.mpf(2) ** f, f32, exact=2)  # fmt: skip
    add("EXP2_SHORT_F32", "2^r = 1 + r q(r), |r| <= 1/2, where few digits matter", x2, 5, -0.5001, 0.5001,
        lambda r: abs(r) + TINY, f32)  # fmt: skip
    for tag, width, n in (("F32", f32, 3), ("F64", f64, 7)):
        add(f"SINH_{tag}", "sinh(x) = x + x^3 q(x^2), |x| <= 1", sh, n, 0, 1, lambda u: u + TINY, width)
    add("LOG_F32", "log(1 + f) = f - f^2/2 + f^3 q(f), |f| <= 1/3", l3, 8, -last, last, lambda f: f * f + TINY, f32)
    add("LOG_WIDE_F32", "log(1 + f) = f - f^2/2 + f^3 q(f), -1/4 <= f <= 1/2", l3, 8, -0.25, 0.5,
        lambda f: f * f + TINY, f32)  # fmt: skip
    add("LOG_F64", "log(1 + f) = 2s + s^3 q(s^2), s = f/(2 + f), |s| <= 1/5", ls, 8, 0, small, lambda u: u + TINY)
    add("LOG_TAIL_F64", "log(1 + f) = 2s + 2/3 s^3 + s^5 q(s^2)", l5, 9, 0, small, lambda u: u * u + TINY)
    l2 = of_square(lambda s: 2 * mp.atanh(s) / ln2, [2 / ln2], 1)
    add("LOG2_TAIL_F32", "log2(1 + f) = 2s/ln(2) + s^3 q(s^2), s = f/(2 + f), |s| <= 1/5", l2, 4, 0, small,
        lambda u: u + TINY, f32, exact=3)  # fmt: skip
    add("ERF_F32", "erf(x) = x + x q(x^2), |x| <= 1", er, 7, 0, 1, lambda u: one, f32, exact=1)
    add("LOG2_ERFC_F32", "log2(erfc(x)) = q(x), 1 <= x <= 3.95", lambda y: mp.log(mp.erfc(y), 2), 9, 1, 3.95,
        mp.erfc, f32, exact=8)  # fmt: skip
    add("ERF_F64", "erf(x) = x + x q(x^2), |x| <= 1", er, 13, 0, 1, lambda u: one, exact=1)
    add("ERFCX_F64", "erfc(x) = exp(-x^2) q((x - 2)/(x + 2)), 1 <= x <= 6", erfc_scaled, 14, -last, 0.5,
        lambda t: mp.exp(-((2 * (1 + t) / (1 - t)) ** 2)) + TINY)  # fmt: skip
    wide = 1.001 * quarter  # reduced arguments of float32 may go a little beyond
    add("SIN_HALF_F32", "sin(x) = x + x^3 q(x^2), |x| <= 1.001 pi/2", si, 4, 0, (2 * wide) ** 2,
        lambda u: u + TINY, f32, exact=3)  # fmt: skip
    for tag, width, n, end in (("F32", f32, (3, 3, 6, 6), wide), ("F64", f64, (7, 7, 12, 13), quarter)):
        add(f"SIN_{tag}", "sin(x) = x + x^3 q(x^2), |x| <= pi/4", si, n[0], 0, end**2, lambda u: u + TINY, width)
        add(f"COS_{tag}", "cos(x) = 1 - x^2/2 + x^4 q(x^2), |x| <= pi/4", cs, n[1], 0, end**2,
            lambda u: u * u + TINY, width)  # fmt: skip
        add(f"ATAN_{tag}", "atan(x) = x + x^3 q(x^2), |x| <= tan(pi/8)", at, n[2], 0, mid, lambda u: u + TINY)
        add(f"ASIN_{tag}", "asin(x) = x + x^3 q(x^2), |x| <= 1/2", an, n[3], 0, 0.2501, lambda u: u + TINY)
    return out


if __name__ == "__main__":
    print('"""Coefficients of the expansions, ascending; printed by ``tests/tools/fit_polynomials.py``."""\n')
    print("\n".join(tables()), end="")
