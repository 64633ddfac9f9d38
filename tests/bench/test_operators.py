"""The bench of operators: its rows are well formed, and what it writes is as documented."""

import fnmatch
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import operators
from bench.row import Row
from bench.rows import all_rows
from bench.typical import Inputs

ROOT = Path(__file__).resolve().parents[2]


def test_names_are_unique() -> None:
    names = [row.name for row in all_rows()]
    assert len(set(names)) == len(names)
    assert any(row.is_quick for row in all_rows())


@pytest.mark.parametrize("row", [r for r in all_rows() if not r.is_in_place], ids=lambda r: r.name)
def test_rows_are_definitions_of_their_shapes(row: Row) -> None:
    new = Inputs()
    output = row.define(*(new(*shape, dtype=row.dtype) for shape in row.shapes))
    assert output.dtype.name == row.dtype
    assert row.flops or row.bytes


@pytest.mark.parametrize("pattern", ["matmul-129", "layer_norm-1000x777", "conv-1x33*", "transpose-1000"])
def test_errors_are_small(pattern: str) -> None:
    row = next(r for r in all_rows() if fnmatch.fnmatch(r.name, pattern))
    kernel, compile_ms = operators.cold_build(row)
    assert compile_ms > 0
    assert operators.max_error(row, kernel) < 1e-4


def result(us: float, **peers: float) -> dict[str, Any]:
    return {"akg_us": us, "peers_us": peers}


def test_the_best_peer_has_its_better_setting() -> None:
    one = result(10.0, numpy=30.0, numpy_fresh=40.0, torch=50.0, torch_fresh=20.0)
    assert operators.best_peer(one) == ("torch", 20.0)
    assert operators.geomean([one, result(10.0, numpy=5.0)]) == pytest.approx(1.0)
    assert math.isnan(operators.geomean([result(1.0)]))


@pytest.mark.slow
def test_the_file_that_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    command = [sys.executable, "-m", "bench.operators", "--quick", "--rows", "transpose-1000", "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=dict(os.environ), check=True)
    numbers = json.loads(path.read_text())
    assert numbers["geomean_vs_best"] > 0
    for row in numbers["rows"]:
        assert row["name"] == "transpose-1000"
        assert row["max_error"] == 0
        for key in ("akg_us", "akg_fresh_us", "ceiling_us", "compile_ms"):
            assert np.isfinite(row[key])
            assert row[key] > 0
        assert row["peers_us"]["numpy"] > 0
    assert "transpose-1000" in done.stdout


def test_a_row_that_is_not_there() -> None:
    command = [sys.executable, "-m", "bench.operators", "--rows", "matmull*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the rows are matmul-128" in done.stderr
