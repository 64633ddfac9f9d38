"""Boxes of pairs answer as isl does: emptiness, signs of distances, what is left open, cones."""

from __future__ import annotations

import numpy as np
import pytest

from akg.ir.affine import Affine
from akg.ir.text import parse_kernel
from akg.poly import isl
from akg.poly.dependence import Dependence, Open, dependences
from akg.poly.domain import Model, model_of
from akg.poly.schedule.farkas import Edge
from akg.poly.scop import Scop, extract_scop
from akg.poly.tree import Member
from tests.poly import kernels

OWN = {
    "steps": """
kernel steps(A: inout float32[300, 40], B: inout float32[300, 40]):
    for t in [0, 60):
        for i in [1, 299):
            for j in [2, 38):
                S0: B[i, j] = A[i - 1, j] + A[i, j + 2] + A[i + 1, j - 2]
        for i2 in [1, 299):
            for j2 in [2, 38):
                S1: A[i2, j2] = B[i2, j2] + B[i2 - 1, j2 + 1]
""",
    "digits": """
kernel digits(X: in float32[333, 40], Y: out float32[333]):
    alloc s: float32[336, 40] global
    alloc c: float32[7, 48] global
    for p in [0, 7):
        for i in [0, 48):
            for d in [0, 40):
                S0: s[p * 48 + i, d] = select(p * 48 + i < 333, X[p * 48 + i, d], 0.0f32)
    for q in [0, 7):
        for j in [0, 48):
            S1: c[q, j] = 0.0f32
            for e in [0, 40):
                S2 (sum): c[q, j] = c[q, j] + s[q * 48 + j, e]
    for r in [0, 7):
        for k in [0, min(48, 333 - r * 48)):
            S3: Y[r * 48 + k] = c[r, k]
    for z in [0, 333):
        S4: Y[z] = Y[z] + s[z, 3]
""",
    "mirror": """
kernel mirror(A: inout float32[n, n], B: inout float32[n], n: size):
    for i in [0, n):
        for j in [0, n):
            S0: A[i, j] = A[j, i] + A[n - 1 - i, j] + B[i]
        S1: B[n - 1 - i] = A[i, i] + A[0, i]
        S2: B[0] = B[i] + A[3, 2]
""",
    "windows": """
kernel windows(X: inout float32[64, 64], Y: inout float32[62, 62]):
    for i in [0, 62):
        for j in [0, 62):
            S0: Y[i, j] = 0.0f32
            for u in [0, 3):
                for v in [0, 3):
                    S1 (sum): Y[i, j] = Y[i, j] + X[i + u, j + v]
    for a in [0, 20):
        for b in [a, 20):
            if a + b < 30:
                S2: X[2 * a, b] = Y[a, b] + X[2 * a + 1, b] + Y[b, a]
""",
}
NAMES = sorted({**kernels.TEXTS, **OWN})


def scop_of(name: str) -> Scop:
    return extract_scop(parse_kernel(OWN[name]) if name in OWN else kernels.kernel(name))


def by_isl(model: Model, dependence: Dependence) -> Open:
    """The same dependence without its box."""
    return Open(model, Dependence(
        dependence.kind, dependence.source, dependence.sink, dependence.relation, dependence.buffer, dependence.level,
    ))  # fmt: skip


def random_member(scop: Scop, dependence: Dependence, rng: np.random.Generator) -> Member:
    rows: dict[str, Affine] = {}
    for name in {dependence.source, dependence.sink}:
        iterators = scop.statements[name].iterators
        rows[name] = Affine({v: int(rng.integers(-1, 3)) for v in iterators}, int(rng.integers(-2, 3)))
    return Member(rows, tile=int(rng.choice([0, 0, 0, 4])))


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_those_of_isl(name: str) -> None:
    scop = scop_of(name)
    model = model_of(scop)
    rng = np.random.default_rng(3)
    for dependence in dependences(scop):
        for _ in range(4):
            mine, other = dependence.open(model), by_isl(model, dependence)
            for _ in range(2):
                member = random_member(scop, dependence, rng)
                assert mine.signs(member) == other.signs(member), (dependence.pairs, member)
                below, beneath = mine.below(member), other.below(member)
                empty = beneath is None or isl.is_empty(model.concrete(beneath.part))
                assert (below is None or isl.is_empty(model.concrete(below.part))) == empty
                if below is None or beneath is None:
                    break
                mine, other = below, beneath


@pytest.mark.parametrize("name", NAMES)
def test_cones_are_those_of_isl(name: str) -> None:
    scop = scop_of(name)
    model = model_of(scop)
    rng = np.random.default_rng(4)
    for dependence in dependences(scop):
        box = dependence.open(model).symbolic
        if box is None or box.conditions:
            continue
        mine = Edge(model, dependence.open(model), False, {}).facets
        other = Edge(model, by_isl(model, dependence), False, {}).facets
        assert mine.shape[1] == other.shape[1]
        count = mine.shape[1]
        functions = np.concatenate([rng.integers(-2, 5, (200, count)), rng.integers(-1, 9, (200, count))])
        a, b = (functions @ mine.T >= 0).all(axis=1), (functions @ other.T >= 0).all(axis=1)
        assert (a == b).all(), box


def test_most_of_a_stencil_and_of_digits_needs_no_isl() -> None:
    for name in ("steps", "digits", "matmul", "jacobi", "softmax"):
        found = dependences(scop_of(name))
        assert found and all(d.pairs is not None for d in found), name
