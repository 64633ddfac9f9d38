"""Three solvers on the same integer problems: our own, isl's and HiGHS, which shares nothing with them.

The problems are random ones, and those that the scheduler poses for PolyBench and for random nests.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from akg.base.errors import AkgError
from akg.poly import isl
from akg.poly.dependence import dependences
from akg.poly.rewrite.expand import expand_temporaries
from akg.poly.schedule import dimension
from akg.poly.schedule.ilp.rows import simplify
from akg.poly.schedule.ilp.simplex import Work
from akg.poly.schedule.ilp.solve import Problem, solve
from akg.poly.schedule.scheduler import schedule
from akg.poly.scop import extract_scop
from akg.poly.strategy import resolve_strategy
from bench.polybench.catalogue import CATALOGUE
from tests.poly.test_ilp import drawn
from tests.strategies import random_script

highspy: Any = pytest.importorskip("highspy", reason="HiGHS is an extra of the tests: pip install akg[solvers]")

LARGEST = 32  # variables: HiGHS, one objective after the other, takes long for more
LARGEST_FOR_ISL = 24  # isl takes seconds to minutes for more, and cannot be interrupted
STRATEGIES = ("pluto", "feautrier", "contiguity", "pluto+")
QUICK = ("gemm", "jacobi-2d", "lu", "gemver", "trisolv", "covariance")


def with_highs(problem: Problem) -> list[int] | None:
    """The lexicographically least point by one mixed-integer program for each objective and each variable."""
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("mip_rel_gap", 0.0)
    infinity = highspy.kHighsInf
    columns = np.arange(problem.count, dtype=np.int32)
    for _ in range(problem.count):
        solver.addVar(0.0, infinity)
    solver.changeColsIntegrality(problem.count, columns, np.full(problem.count, highspy.HighsVarType.kInteger))
    for row in simplify(problem.rows):
        used = np.flatnonzero(row[:-1]).astype(np.int32)
        solver.addRow(-float(row[-1]), infinity, len(used), used, row[used].astype(float))
    value: list[int] = []
    for objective in (*problem.objectives, *np.eye(problem.count, dtype=np.int64)):
        solver.changeColsCost(problem.count, columns, objective.astype(float))
        solver.run()
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            assert not value, "infeasible after an optimum was found"
            return None
        assert status == highspy.HighsModelStatus.kOptimal, status
        value = [round(v) for v in solver.getSolution().col_value]
        best = float(np.dot(objective, value))
        used = np.flatnonzero(objective).astype(np.int32)
        solver.addRow(best, best, len(used), used, objective[used].astype(float))
    return value


def posed(kernel: Any, strategies: Iterable[str], monkeypatch: pytest.MonkeyPatch) -> list[Problem]:
    """The problems that the scheduler solves for a kernel, each once."""
    found: dict[bytes, Problem] = {}

    def record(problem: Problem, solver: str = "auto", total: Work | None = None) -> list[int] | None:
        rows = simplify(problem.rows)
        found[rows.tobytes() + problem.objectives.tobytes()] = Problem(problem.count, problem.objectives, rows)
        return solve(problem, solver, total)

    monkeypatch.setattr(dimension, "solve", record)
    scop = extract_scop(expand_temporaries(kernel))
    listed = dependences(scop)
    for strategy in strategies:
        try:
            schedule(scop, listed, resolve_strategy(strategy).plan)
        except (AkgError, isl.Unknown):  # not what is tested here
            continue
    return [p for p in found.values() if p.count <= LARGEST]


def agree(problem: Problem) -> bool:
    """Check the three answers; whether there is one."""
    own = solve(problem, "own")
    assert own == with_highs(problem), "HiGHS has another answer"
    if problem.count > LARGEST_FOR_ISL:
        return own is not None
    try:
        other = solve(problem, "isl")
    except isl.Unknown:  # its budget ran out: no answer is no other answer
        return own is not None
    assert own == other, "isl has another answer"
    return own is not None


@pytest.mark.parametrize("seed", range(4))
def test_random_problems(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    answers = [agree(drawn(rng)) for _ in range(25)]
    assert any(answers)
    assert not all(answers)


@pytest.mark.parametrize("name", QUICK)
def test_polybench(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = posed(CATALOGUE[name].script.lower(), ("pluto",), monkeypatch)
    answers = [agree(p) for p in problems]
    assert any(answers)


@pytest.mark.parametrize("seed", range(6))
def test_random_nests(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    program = random_script(np.random.default_rng(7000 + seed))
    for problem in posed(program.kernel, STRATEGIES[:2], monkeypatch):
        agree(problem)


@pytest.mark.long
@pytest.mark.parametrize("name", CATALOGUE)
def test_polybench_all(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = posed(CATALOGUE[name].script.lower(), STRATEGIES, monkeypatch)
    answers = [agree(p) for p in problems]
    assert any(answers)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(60))
def test_random_nests_more(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    program = random_script(np.random.default_rng(8000 + seed))
    for problem in posed(program.kernel, STRATEGIES, monkeypatch):
        agree(problem)
