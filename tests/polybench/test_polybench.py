"""The thirty kernels of PolyBench: built with several strategies, proved legal, and compared with NumPy."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import akg
from akg.base.dtype import float64, tolerance
from akg.poly.strategy import strategy_names
from bench.polybench import __main__ as runner
from bench.polybench import rivals
from bench.polybench.catalogue import CATALOGUE, Benchmark, relative_error
from bench.polybench.datasets import DATASETS, sizes

STRATEGIES = ("auto", "original", "isl", "pluto", "stencil")
RUNS = 3  # one run misses races
# How much the problem itself amplifies rounding errors, and products that one result sums.
CONDITION = {"gramschmidt": 20.0, "adi": 20.0}
TERMS = 64


def compare(benchmark: Benchmark, actual: tuple[object, ...], expected: tuple[object, ...]) -> None:
    allowed = CONDITION.get(benchmark.name, 4.0) * tolerance(float64, TERMS)
    assert relative_error(actual, expected) <= allowed, benchmark.name


def test_there_are_thirty_with_all_datasets() -> None:
    assert len(CATALOGUE) == 30
    for name in CATALOGUE:
        for dataset in DATASETS:
            assert all(value > 0 for value in sizes(name, dataset).values())
        assert sum(sizes(name, "EXTRALARGE").values()) >= sum(sizes(name, "LARGE").values())


@pytest.mark.parametrize("name", CATALOGUE)
def test_script_as_python(name: str) -> None:
    benchmark = CATALOGUE[name]
    given = benchmark.arguments("MINI") if name != "gramschmidt" else benchmark.inputs(m=22, n=17)
    expected = copy.deepcopy(given)
    benchmark.script(*given)
    benchmark.reference(*expected)
    compare(benchmark, given, expected)


def check(name: str, strategy: str | dict[str, Any]) -> None:
    """Build, and run several times; every run gives what NumPy does, at sizes that are no multiple of a tile's."""
    benchmark = CATALOGUE[name]
    given = benchmark.arguments("TEST")
    expected = copy.deepcopy(given)
    benchmark.reference(*expected)
    kernel = akg.build(benchmark.script, strategy=strategy)
    assert kernel.report.legality.startswith("legal: yes")
    for _ in range(RUNS):
        work = copy.deepcopy(given)
        positional, by_name = benchmark.call(work)
        kernel(*positional, **by_name)
        compare(benchmark, work, expected)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", CATALOGUE)
def test_built(name: str, strategy: str) -> None:
    check(name, strategy)


def variants(strategy: str) -> dict[str, dict[str, Any]]:
    """A strategy in the mapping's own tiles, without any, and in small odd tiles, also of single loops."""
    given = {"tile": {"sizes": [7, 6, 9, 8], "min_band": 1}}
    return {
        "mapped": {"preset": strategy},
        "untiled": {"preset": strategy, "tile": False},
        "tiled": {"preset": strategy, "options": given},
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
def test_built_some(name: str) -> None:
    """Each kernel with one of all strategies, without tiles and in given ones."""
    names = strategy_names()
    strategy = names[list(CATALOGUE).index(name) % len(names)]
    check(name, variants(strategy)["untiled"])
    check(name, variants(strategy)["tiled"])


@pytest.mark.long
@pytest.mark.parametrize("variant", variants("auto"))
@pytest.mark.parametrize("strategy", strategy_names())
@pytest.mark.parametrize("name", CATALOGUE)
def test_built_all(name: str, strategy: str, variant: str) -> None:
    check(name, variants(strategy)[variant])


def test_inputs_are_deterministic() -> None:
    for benchmark in CATALOGUE.values():
        for a, b in zip(benchmark.arguments("MINI"), benchmark.arguments("MINI"), strict=True):
            assert np.array_equal(a, b)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_denormals_survive_a_rival(tmp_path: Path) -> None:
    """Compiled with -ffast-math, but not linked with it."""
    text = "double half(double x) { return x / 2; }\n"
    rivals.compile_c(rivals.found()["gcc"], text, "half", tmp_path, "half")
    assert np.all(np.full(9, 2e-308) / 2 > 0.0)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_runner_writes_rows(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    path = f"{tmp_path}/rows.json"
    assert runner.main(["--dataset", "MINI", "--kernels", "gemm,durbin", "--json", path]) == 0
    with open(path) as file:
        document = json.load(file)
    assert [row["name"] for row in document["rows"]] == ["gemm", "durbin"]
    for row in document["rows"]:
        assert row["dataset"] == "MINI"
        assert row["akg_s"] > 0.0
        assert row["peers_s"]["gcc"] > 0.0
        assert row["max_error"] <= 4 * tolerance(float64, TERMS)
    assert document["geomean_vs_gcc"] > 0.0
    assert "geomean_vs_gcc" in capsys.readouterr().out
