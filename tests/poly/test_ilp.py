"""Integer problems: reduction of rows, the own solver against isl's and against enumeration."""

import itertools

import numpy as np
import pytest

from akg.poly import isl
from akg.poly.schedule.ilp.rows import holds, matrix, simplify
from akg.poly.schedule.ilp.simplex import OutOfWorkError, Work, lexmin
from akg.poly.schedule.ilp.solve import Problem, solve


def drawn(rng: np.random.Generator, largest: int = 4) -> Problem:
    """A problem over x in [0, 20]: often infeasible, with fractional vertices."""
    n, m, k = int(rng.integers(1, 7)), int(rng.integers(1, 12)), int(rng.integers(0, 4))
    rows = rng.integers(-largest, largest + 1, (m, n + 1))
    rows[:, -1] -= rng.integers(0, 3)
    box = np.hstack([-np.eye(n, dtype=np.int64), np.full((n, 1), 20)])
    return Problem(n, rng.integers(0, 3, (k, n)), np.vstack([rows, box]))


@pytest.mark.parametrize("seed", range(4))
def test_own_solver_agrees_with_isl(seed: int) -> None:
    rng = np.random.default_rng(seed)
    answers = 0
    for _ in range(60):
        problem = drawn(rng)
        own = solve(problem, "own")
        assert own == solve(problem, "isl")
        answers += own is not None
    assert answers > 5


def test_least_of_all_points() -> None:
    rng = np.random.default_rng(7)
    for _ in range(60):
        n = int(rng.integers(1, 4))
        rows = rng.integers(-3, 4, (int(rng.integers(1, 5)), n + 1))
        rows = np.vstack([rows, np.hstack([-np.eye(n, dtype=np.int64), np.full((n, 1), 5)])])
        objectives = rng.integers(0, 3, (2, n))
        points = [p for p in itertools.product(range(6), repeat=n) if holds(rows, p)]
        want = min(points, key=lambda p: (*(objectives @ np.array(p)), *p)) if points else None
        got = solve(Problem(n, objectives, rows), "own")
        assert got == (list(want) if want is not None else None)


def test_reduction_keeps_the_integer_points() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        rows = rng.integers(-3, 4, (8, 3)) * rng.integers(1, 4, (8, 1))
        small = simplify(rows)
        assert len(small) <= len(rows)
        for point in itertools.product(range(6), repeat=2):
            assert holds(rows, point) == holds(small, point)


def test_reduction() -> None:
    rows = matrix([[2, -4, -3], [1, -2, 0], [1, 1, 0], [2, -4, -3], [1, -3, 4]], 3)
    assert simplify(rows).tolist() == [[1, -3, 4], [1, -2, -2]]


def test_numbers_beyond_64_bits() -> None:
    big = 2**40
    rows = matrix([[big, -big + 1, 0, -1], [-big + 3, big, -1, -7], [1, -1, big, -big], [-1, -1, -1, 3 * big]], 4)
    problem = Problem(3, np.array([[1, 1, 1]]), rows)
    found = solve(problem, "own")
    assert found is not None
    assert found == solve(problem, "isl")


def test_budget() -> None:
    problem = Problem(2, np.zeros((0, 2), np.int64), matrix([[3, 5, -7], [5, 3, -11]], 3))
    with pytest.raises(OutOfWorkError):
        lexmin(problem.objectives, problem.rows, 2, Work(12))
    assert solve(problem) == solve(problem, "isl")


def test_isl_says_when_there_is_none() -> None:
    assert isl.lexmin_of_rows([[1, -5], [-1, 3], [1, 0]], 1) is None
