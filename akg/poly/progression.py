"""Progression: each new row of a statement must be linearly independent of the ones before."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm

Row = tuple[int, ...]
_Exact = list[Fraction]


@lru_cache(maxsize=4096)
def rank(history: tuple[Row, ...]) -> int:
    """The number of linearly independent rows."""
    return len(_independent(history))


def _independent(rows: tuple[Row, ...]) -> list[int]:
    """Positions of rows that are independent of the ones before, by elimination."""
    reduced: list[tuple[int, _Exact]] = []  # (pivot, row)
    kept: list[int] = []
    for position, row in enumerate(rows):
        current = [Fraction(v) for v in row]
        for pivot, other in reduced:
            if current[pivot]:
                factor = current[pivot] / other[pivot]
                current = [a - factor * b for a, b in zip(current, other, strict=True)]
        lead = next((k for k, v in enumerate(current) if v), None)
        if lead is not None:
            reduced.append((lead, current))
            kept.append(position)
    return kept


@lru_cache(maxsize=4096)
def complement(history: tuple[Row, ...], count: int) -> tuple[Row, ...]:
    """Integer rows that span what is orthogonal to some rows over `count` iterators.

    They are independent rows of ``I - H' (H H')^-1 H`` (Pluto's choice): a new row whose product with each of them
    is not negative, and with one is positive, is independent of the history. A linearly dependent set of them
    would not do: its sum may vanish, and with it the constraint.
    """
    if all(sum(map(bool, row)) == 1 for row in history):
        used = {k for row in history for k, v in enumerate(row) if v}
        return tuple([tuple([int(i == j) for j in range(count)]) for i in range(count) if i not in used])
    basis = [[Fraction(v) for v in history[k]] for k in _independent(history)]
    orthogonal: list[_Exact] = []  # Gram-Schmidt: the projector is I - sum of b b' / b.b
    for row in basis:
        for other in orthogonal:
            factor = _dot(row, other) / _dot(other, other)
            row = [a - factor * b for a, b in zip(row, other, strict=True)]
        orthogonal.append(row)
    rows: list[Row] = []
    for i in range(count):
        line = [Fraction(int(i == j)) - sum(b[i] * b[j] / _dot(b, b) for b in orthogonal) for j in range(count)]
        scale = lcm(*[v.denominator for v in line])
        whole = [int(v * scale) for v in line]
        divisor = gcd(*whole)
        if divisor:
            rows.append(tuple([v // divisor for v in whole]))
    return tuple([rows[k] for k in _independent(tuple(rows))])


def _dot(a: _Exact, b: _Exact) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))
