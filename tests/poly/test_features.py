"""The strategy `auto`: which nests it schedules anew, and why."""

from __future__ import annotations

import pytest

import akg
from akg.poly.strategy import resolve_strategy
from bench.polybench.catalogue import CATALOGUE


def notes_of(name: str) -> list[str]:
    return [n for n in akg.lower(CATALOGUE[name].script).schedule("auto").state.decisions.lines if "nest of" in n]


@pytest.mark.parametrize(
    ("name", "nests"), [("lu", ["S0, S2"]), ("cholesky", ["S0"]), ("trmm", ["S0"]), ("symm", ["S1, S2"]),
                        ("ludcmp", ["S1, S4"]), ("gramschmidt", ["S5, S6"]), ("seidel-2d", ["S0"]),
                        ("jacobi-2d", ["S0, S1"]), ("fdtd-2d", ["S1, S2, S3"]), ("heat-3d", ["S0, S1"])]
)  # fmt: skip
def test_scheduled_anew(name: str, nests: list[str]) -> None:
    anew = [n for n in notes_of(name) if "scheduled anew" in n]
    assert [n.split(":")[0] for n in anew] == [f"nest of {nest}" for nest in nests]


@pytest.mark.parametrize(
    ("name", "reason"), [("trisolv", "used once"), ("bicg", "used once"), ("adi", "steps in time"),
                         ("durbin", "no order offers more")]
)  # fmt: skip
def test_as_written_with_a_reason(name: str, reason: str) -> None:
    (note,) = notes_of(name)
    assert "as written" in note
    assert reason in note


@pytest.mark.parametrize("name", ["gemm", "2mm", "syrk", "covariance", "gesummv"])
def test_parallel_nests_stay(name: str) -> None:
    assert not any("anew" in note for note in notes_of(name))


def test_it_is_the_default_and_deterministic() -> None:
    assert akg.config.strategy == "auto"
    assert resolve_strategy(None).scheduler == "auto"
    texts = {akg.lower(CATALOGUE["ludcmp"].script).schedule().text for _ in range(3)}
    assert len(texts) == 1
