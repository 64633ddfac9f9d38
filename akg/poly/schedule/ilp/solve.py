"""Problems and their solution: the own solver first, isl's second, every answer checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from akg.base.errors import InternalError
from akg.poly import isl
from akg.poly.schedule.ilp.rows import Matrix, holds, simplify
from akg.poly.schedule.ilp.simplex import OutOfWorkError, Work, lexmin

WORK = 12_000_000  # of one problem, about a tenth of a second
ISL_OPERATIONS = 4_000_000  # about a second
ISL_VARIABLES = 40  # larger problems can take isl minutes between two looks at its budget


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Find the integer ``x >= 0`` with ``rows`` and the least ``(objectives x, x)``.

    Attributes:
        count: number of variables.
        objectives: [k, count]; where a variable has its first non-zero coefficient, it is positive.
        rows: [m, count + 1] inequalities.
    """

    count: int
    objectives: Matrix
    rows: Matrix


Solver = Callable[[Problem], "list[int] | None"]


def solve(problem: Problem, solver: str = "auto", total: Work | None = None) -> list[int] | None:
    """The solution, None if there is none.

    Args:
        problem: what to solve.
        solver: "own", "isl", or "auto": own, and isl where that takes too long.
        total: a budget that several problems share.

    Raises:
        isl.Unknown: if the budget of every solver ran out.
        InternalError: if an answer does not satisfy the rows.
    """
    rows = simplify(problem.rows)
    if solver == "isl":
        found = _with_isl(problem, rows)
    else:
        work = Work(WORK if total is None else min(WORK, total.left))
        given = work.left
        try:
            found = lexmin(problem.objectives, rows, problem.count, work)
        except OutOfWorkError as error:
            work.left = 0
            if solver == "own" or problem.count > ISL_VARIABLES or given < WORK:
                raise isl.Unknown(str(error)) from None
            found = _with_isl(problem, rows)
        finally:
            if total is not None:
                total.left -= given - work.left
    if found is not None and (min(found, default=0) < 0 or not holds(problem.rows, found)):
        raise InternalError(f"an integer problem of {problem.count} variables was not solved: {found}")
    return found


def _with_isl(problem: Problem, rows: Matrix) -> list[int] | None:
    """With a variable ``z >= objective`` ahead for every objective (an equality makes isl slow)."""
    k, n = len(problem.objectives), problem.count
    total = np.zeros((k + n + len(rows), k + n + 1), dtype=rows.dtype)
    total[:k, :k] = np.eye(k, dtype=np.int64)
    total[:k, k : k + n] = -problem.objectives
    total[k : k + n, k : k + n] = np.eye(n, dtype=np.int64)
    total[k + n :, k:] = rows
    with isl.budget(ISL_OPERATIONS):
        found = isl.lexmin_of_rows(total.tolist(), k + n)
    return None if found is None else found[k:]
