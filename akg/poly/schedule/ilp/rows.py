"""Rows of integer inequalities ``A x + b >= 0`` over ``x >= 0``, and how they become few.

A row is ``[a_1, ..., a_n, b]``; a matrix has one a line. Farkas elimination leaves hundreds of rows for a stencil;
nearly all are implied by a few others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]  # int64, or Python integers where those do not fit
_PAIRWISE = 1500  # more rows are not compared with one another


def matrix(rows: Sequence[Sequence[int]], columns: int) -> Matrix:
    """Rows as an int64 matrix of `columns` columns.

    Raises:
        OverflowError: if a number does not fit.
    """
    return np.array(rows, dtype=np.int64).reshape(len(rows), columns)


def stack(parts: Iterable[Matrix], columns: int) -> Matrix:
    """All rows of some matrices."""
    found = [p for p in parts if len(p)]
    return np.concatenate(found) if found else np.zeros((0, columns), np.int64)


def simplify(rows: Matrix) -> Matrix:
    """The rows that matter, for integral ``x >= 0``.

    Coefficients are divided by their common divisor and the constant is rounded down (Gomory's simplest cut); rows
    that hold everywhere, that repeat, or that another row implies coefficient by coefficient, are dropped. The
    order of what is left depends on the rows only.
    """
    if not len(rows):
        return rows
    left = rows[:, :-1]
    divisor = np.gcd.reduce(left, axis=1) if left.shape[1] else np.ones(len(rows), np.int64)
    scale = np.maximum(divisor, 1)
    rows = rows // scale[:, None]  # exact on the left, rounded down on the right
    rows = rows[(rows < 0).any(axis=1)]
    if not len(rows):
        return rows
    rows = rows[np.lexsort(rows.T[::-1])]
    first = np.ones(len(rows), bool)  # of rows that differ in the constant only, the least constant comes first
    first[1:] = (rows[1:, :-1] != rows[:-1, :-1]).any(axis=1)
    rows = rows[first]
    return _undominated(rows) if len(rows) <= _PAIRWISE else rows


def _undominated(rows: Matrix) -> Matrix:
    keep = np.ones(len(rows), bool)
    for k in range(len(rows)):
        if keep[k]:
            implied = (rows >= rows[k]).all(axis=1)
            implied[k] = False
            keep &= ~implied
    return rows[keep]


def holds(rows: Matrix, x: Sequence[int]) -> bool:
    """Whether ``A x + b >= 0``, in exact arithmetic."""
    point = [*x, 1]
    return all(sum(a * v for a, v in zip(row, point, strict=True)) >= 0 for row in rows.tolist())
