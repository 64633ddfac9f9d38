# ruff: noqa: F821, UP037  (shapes and dtypes are strings inside annotations)
"""Tiles of factorisations: statements in parts, whole tiles in registers, results at sizes that leave partial tiles."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import akg
from akg.base.dtype import float64, tolerance
from akg.base.target import resolve_target
from akg.driver import pipeline
from akg.ir.script import Tensor, script
from akg.poly.dependence import dependences
from akg.poly.domain import model_of
from akg.poly.index_split import split_statements
from akg.poly.legality import prove
from akg.poly.strategy import resolve_strategy
from akg.poly.tile.intra_tile import tile_products
from bench.polybench.catalogue import CATALOGUE, relative_error

SIZES = (1, 2, 5, 31, 32, 33, 63, 64, 65, 67, 96, 100, 131)


def scheduled(name: str) -> pipeline.Compilation:
    state = pipeline.start(CATALOGUE[name].script.lower(), resolve_strategy("pluto"), resolve_target("x86-64-v3"))
    return pipeline.run(state, pipeline.SCHEDULE)


def test_parts_of_a_statement_are_disjoint_and_complete() -> None:
    state = scheduled("lu")
    notes: list[str] = []
    tiled = tile_products(state.scop, state.tree, state.dependences, state.target, notes.append)
    assert tiled is not None
    assert any("S0, S2" in note for note in notes)
    assert set(tiled.scop.statements) == {"S0", "S0_full", "S1", "S2", "S2_full"}
    whole, parts = model_of(state.scop, symbolic=False), model_of(tiled.scop, symbolic=False)
    for name in ("S0", "S2"):
        a, b = parts.statement(name).domain, parts.statement(f"{name}_full").domain.set_tuple_name(name)
        assert a.intersect(b).is_empty()
        assert a.union(b).is_equal(whole.statement(name).domain)
    assert prove(tiled.scop, tiled.tree).answer == "yes"


def test_a_split_statement_keeps_its_order() -> None:
    state = scheduled("cholesky")
    statement = state.scop.statements["S0"]
    split, copies = split_statements(state.scop, {"S0": statement.iterators[0] >= 7})
    assert copies == {"S0": "S0_full"}
    assert prove(split, split.tree, dependences(split)).answer == "yes"


def test_accumulators_stay_in_registers_beside_operands_of_the_same_array() -> None:
    kernel = akg.build(CATALOGUE["lu"].script, strategy="pluto")
    assert "alloc A_r: float64[" in kernel.source("loop")


@script
def recurrence(A: Tensor["n", "m", "float64"], x: Tensor["n", "float64"]):
    for k in range(len(x)):
        for j in range(A.shape[1]):
            A[0, j] += x[k] * A[k, j]


def test_an_accumulator_that_is_read_elsewhere_is_not_kept() -> None:
    kernel = akg.build(recurrence)
    given = (np.linspace(0.1, 1.0, 50).reshape(5, 10), np.linspace(0.5, 0.7, 5))
    expected, work = copy.deepcopy(given), copy.deepcopy(given)
    recurrence(*expected)
    kernel(*work)
    np.testing.assert_allclose(work[0], expected[0], rtol=tolerance(float64, 64))


@pytest.mark.parametrize("strategy", ["auto", "pluto", {"preset": "pluto", "parallel": False}])
@pytest.mark.parametrize("name", ["lu", "cholesky", "ludcmp"])
def test_partial_tiles(name: str, strategy: object) -> None:
    benchmark = CATALOGUE[name]
    kernel = akg.build(benchmark.script, strategy=strategy)
    assert kernel.report.legality.startswith("legal: yes")
    assert any("whole ones as register tiles" in note for note in kernel.report.notes)
    for n in SIZES:
        given = benchmark.inputs(n=n)
        expected = copy.deepcopy(given)
        benchmark.reference(*expected)
        for _ in range(2):
            work = copy.deepcopy(given)
            positional, by_name = benchmark.call(work)
            kernel(*positional, **by_name)
            assert relative_error(work, expected) <= 4 * tolerance(float64, max(n, 16)), n


def test_one_thread_needs_no_wavefront() -> None:
    kernel = akg.build(CATALOGUE["lu"].script, strategy={"preset": "pluto", "parallel": False})
    assert "parallel" not in kernel.source("loop")
