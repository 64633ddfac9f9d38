"""The lexicographically least integer point of ``A x + b >= 0, x >= 0``: a dual simplex with cuts, exact.

The lexicographic dual simplex method with Gomory's all-integer-variable cuts (Gomory 1958; Feautrier 1988, "Parametric
integer programming", without parameters). A tableau has one line for every objective, variable and inequality: its
value as a function of the non-basic quantities, all of which are integers and at least zero. Columns are
lexicographically positive throughout, so every pivot moves the point up in lexicographic order, and none is visited
twice.

Numbers are int64 until one might overflow, then Python integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from akg.poly.schedule.ilp.rows import Matrix

_SAFE = 2**62


_EXACT_COST = 40  # an operation on Python integers, in operations on int64


class OutOfWorkError(Exception):
    """The budget of work ran out."""


@dataclass(slots=True)
class Work:
    """A budget, in elements of tableaux that pivots pass over; a million take some ten milliseconds.

    Counts, not seconds, so that answers are the same on every machine.
    """

    left: int

    def spend(self, amount: int) -> None:
        """Take from the budget.

        Raises:
            OutOfWorkError: if there is not that much.
        """
        if amount > self.left:
            raise OutOfWorkError("the integer problem is too large for its budget")
        self.left -= amount


def lexmin(objectives: Matrix, rows: Matrix, count: int, work: Work) -> list[int] | None:
    """The integer ``x >= 0`` with the least ``(objectives x, x)``, None if there is none.

    Args:
        objectives: [k, count] matrix; the first non-zero coefficient of every variable must be positive.
        rows: [m, count + 1] matrix of inequalities.
        count: number of variables.
        work: what may be spent.

    Raises:
        OutOfWorkError: if more is needed.
    """
    table = _Tableau(objectives, rows, count)
    while True:
        work.spend(table.values.size * (_EXACT_COST if table.values.dtype == object else 1))
        row = table.violated()
        if row is None:
            row = table.fractional()
            if row is None:
                return table.point()
            table.cut(row)
            row = len(table.values) - 1
        column = table.entering(row)
        if column is None:
            return None
        table.pivot(row, column)


class _Tableau:
    """`values[i] / scales[i]` is line i as a function of the non-basic quantities; the last column is the constant."""

    def __init__(self, objectives: Matrix, rows: Matrix, count: int) -> None:
        self.first = len(objectives)
        self.lead = self.first + count  # the lines that are compared lexicographically, and must be integers
        top = np.zeros((self.lead, count + 1), np.int64)
        top[: self.first, :count] = objectives
        top[self.first :, :count] = np.eye(count, dtype=np.int64)
        self.values: Matrix = np.concatenate([top, rows])
        self.scales: Matrix = np.ones(len(self.values), np.int64)

    def violated(self) -> int | None:
        """The line whose value is most negative."""
        constants = self.values[:, -1]
        if self.values.dtype == object:
            negative = [k for k, v in enumerate(constants) if v < 0]
            return min(negative, key=lambda k: constants[k] / self.scales[k]) if negative else None
        if (constants >= 0).all():
            return None
        return int(np.argmin(constants / self.scales))

    def fractional(self) -> int | None:
        """The first leading line whose value is no integer."""
        rest = self.values[: self.lead, -1] % self.scales[: self.lead]
        found = np.flatnonzero(rest)
        return int(found[0]) if len(found) else None

    def point(self) -> list[int]:
        lines = slice(self.first, self.lead)
        return [int(v) for v in self.values[lines, -1] // self.scales[lines]]

    def cut(self, row: int) -> None:
        """Gomory's cut: a value (a.y + b)/d is an integer, so ((a mod d).y - (-b mod d))/d is one, and at least 0."""
        scale = self.scales[row]
        new = self.values[row] % scale
        new[-1] = -((-self.values[row, -1]) % scale)
        self.values = np.concatenate([self.values, new[None, :]])
        self.scales = np.append(self.scales, scale)

    def entering(self, row: int) -> int | None:
        """The column to pivot on: of those that raise the line, the lexicographically least per unit of it."""
        line = self.values[row, :-1].tolist()
        candidates = [k for k, v in enumerate(line) if v > 0]
        for lead in range(self.lead):
            if len(candidates) <= 1:
                break
            values = self.values[lead].tolist()
            best = candidates[0]
            least = [best]
            for k in candidates[1:]:
                difference = values[k] * line[best] - values[best] * line[k]
                if difference < 0:
                    best, least = k, [k]
                elif difference == 0:
                    least.append(k)
            candidates = least
        return candidates[0] if candidates else None

    def pivot(self, row: int, column: int) -> None:
        """Exchange the quantity of a line with that of a column."""
        source = self.values[row].copy()
        factor, scale = source[column], self.scales[row]
        touched = np.flatnonzero(self.values[:, column])
        touched = touched[touched != row]
        if self.values.dtype != object and self._may_overflow(touched, source, column):
            self.values, self.scales = self.values.astype(object), self.scales.astype(object)
            source = self.values[row].copy()
            factor, scale = source[column], self.scales[row]
        if len(touched):
            ratio = self.values[touched, column]
            lines = self.values[touched] * factor - ratio[:, None] * source[None, :]
            lines[:, column] = ratio * scale
            scales = self.scales[touched] * factor
            divisor = np.gcd(np.gcd.reduce(lines, axis=1), scales)
            self.values[touched] = lines // divisor[:, None]
            self.scales[touched] = scales // divisor
        self.values[row] = 0
        self.values[row, column] = 1
        self.scales[row] = 1

    def _may_overflow(self, touched: Matrix, source: Matrix, column: int) -> bool:
        if not len(touched):
            return False
        lines = int(np.abs(self.values[touched]).max())
        ratio = int(np.abs(self.values[touched, column]).max())
        scales = int(self.scales[touched].max())
        factor, largest = int(source[column]), int(np.abs(source).max())
        return max(lines * factor + ratio * largest, ratio * int(self.scales.max()), scales * factor) >= _SAFE
