"""Cones of dependences against the distances of their instances, one by one."""

import numpy as np
import pytest

from akg.ir.affine import Affine
from akg.poly import isl
from akg.poly.dependence import dependences, is_accumulation
from akg.poly.domain import model_of
from akg.poly.schedule.farkas import Edge, cone, edges_of
from akg.poly.scop import extract_scop
from akg.poly.tree import Member
from tests.poly import kernels

SIZE = 6


def instances(edge: Edge) -> list[list[int]]:
    """The pairs at small sizes: parameters first."""
    part = edge.open.part
    count = part.dim(isl.PARAM)
    fixed = isl.fix_params(part, dict.fromkeys(range(count), SIZE))
    return [[SIZE] * count + p for p in isl.points(fixed)]


@pytest.mark.parametrize("name", ["matmul", "jacobi", "lu", "seidel", "softmax"])
def test_answers_for_random_rows(name: str) -> None:
    scop = extract_scop(kernels.kernel(name))
    model = model_of(scop)
    rng = np.random.default_rng(1)
    for edge in edges_of(model, dependences(scop), False):
        points = instances(edge)
        params = len(model.params)
        for _ in range(8):
            rows = {
                n: np.concatenate([rng.integers(-1, 3, len(s.loops)), np.zeros(params, int), rng.integers(0, 2, 1)])
                for n, s in scop.statements.items()
            }
            d = edge.distance(rows)
            before, after = rows[edge.source], rows[edge.sink]
            ns = len(scop.statements[edge.source].loops)
            values = [
                int(after[: len(p) - params - ns] @ p[params + ns :] - before[:ns] @ p[params : params + ns])
                + int(after[-1] - before[-1])
                for p in points
            ]
            if edge.is_legal(d):
                assert min(values, default=0) >= 0
            if edge.is_zero(d):
                assert set(values) <= {0}
            if edge.is_satisfied(d):
                assert min(values, default=1) >= 1
            if points and min(values) >= 0 and name in ("matmul", "softmax"):  # sizes do not matter to these signs
                assert edge.is_legal(d)


def test_equalities_are_solved() -> None:
    piece = isl.basic_sets(isl.parse_set("[N] -> { [i, j, a, b] : 0 <= i, j < N and a = i + 2 and b = N - j }"))[0]
    rows = cone(piece)
    rng = np.random.default_rng(0)
    points = [[1, 5, i, j, i + 2, 5 - j] for i in range(5) for j in range(5)]
    found = 0
    for _ in range(300):
        f = rng.integers(-2, 5, 6)
        if (rows @ f >= 0).all():
            found += 1
            assert all(f @ np.array(p) >= 0 for p in points)
    assert found > 10


def test_what_is_left_open() -> None:
    scop = extract_scop(kernels.kernel("matmul"))
    model = model_of(scop)
    i, _, k = scop.statements["S1"].iterators
    (own,) = [e for e in edges_of(model, dependences(scop), False) if e.source == e.sink == "S1"][:1]
    assert is_accumulation(scop.statements["S1"].store)

    def row(*coefficients: int) -> np.ndarray:
        return np.array([*coefficients, *([0] * len(model.params)), 0])

    outer = (Member({"S1": Affine.var(i)}), own.distance({"S1": row(1, 0, 0)}))
    inner = (Member({"S1": Affine.var(k)}), own.distance({"S1": row(0, 0, 1)}))
    assert own.open_below([outer]) is own
    assert own.open_below([outer, inner]) is None
