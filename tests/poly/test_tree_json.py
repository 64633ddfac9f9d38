"""Schedules as JSON: there and back, as a strategy, and what is refused."""

import json
from typing import Any

import numpy as np
import pytest

import akg
from akg.base.errors import AkgError
from akg.base.target import resolve_target
from akg.driver import pipeline
from akg.poly.strategy import resolve_strategy
from akg.poly.tree import tree_text
from akg.poly.tree_json import form_text, tree_from_json, tree_to_json
from tests.helpers import assert_close
from tests.poly.test_scheduler import PROGRAMS, rows, scheduled
from tests.programs import SAMPLES
from tests.strategies import random_script


@pytest.mark.parametrize("name", PROGRAMS)
def test_there_and_back(name: str) -> None:
    scop, tree, _ = scheduled(name)
    text = json.dumps(tree_to_json(tree))
    assert tree_text(tree_from_json(json.loads(text), scop)) == tree_text(tree)


STRATEGIES: tuple[Any, ...] = (
    "pluto", "pluto+", "feautrier", "isl", "original", "contiguity", "maxfuse", "stencil",
    {"preset": "pluto", "options": {"tile": {"sizes": [[8, 4], [4, 2]], "min_band": 1, "full_tiles": "isolate"}}},
    {"preset": "dl-cpu", "directives": [{"type": "sequential", "iterator": 0}]},
)  # fmt: skip


@pytest.mark.parametrize("seed", range(30))
def test_random_schedules_there_and_back(seed: int) -> None:
    """Found twice, a schedule is the same; as JSON and back it is the same, before and after the mapping."""
    program = random_script(np.random.default_rng(9000 + seed))
    given = STRATEGIES[seed % len(STRATEGIES)]
    texts: list[str] = []
    for _ in range(2):
        state = pipeline.start(program.kernel, resolve_strategy(given), resolve_target("x86-64-v3"))
        pipeline.run(state, pipeline.SCHEDULE)
        scheduled_tree = state.tree
        pipeline.run(state, pipeline.MAP)
        for tree in (scheduled_tree, state.tree):
            document = tree_to_json(tree)
            back = tree_from_json(json.loads(json.dumps(document)), state.scop)
            assert tree_text(back) == tree_text(tree), f"seed {seed}, strategy {given}"
            assert tree_to_json(back) == document
            texts.append(json.dumps(document))
    assert texts[:2] == texts[2:], f"seed {seed}, strategy {given}"


@pytest.mark.parametrize("name", ["gemm", "jacobi_2d", "lu"])
def test_mapped_trees(name: str) -> None:
    state = pipeline.start(PROGRAMS[name].lower(), resolve_strategy("pluto"), resolve_target("x86-64-v3"))
    pipeline.run(state, pipeline.SCHEDULE)
    pipeline.run(state, pipeline.MAP)
    assert state.mapped is not None
    back = tree_from_json(json.loads(json.dumps(tree_to_json(state.mapped))), state.scop)
    assert tree_text(back) == tree_text(state.mapped)


def test_a_schedule_is_a_strategy() -> None:
    sample = SAMPLES["gemm"]
    _, tree, _ = scheduled("gemm", {"preset": "pluto", "directives": [{"type": "vectorize", "iterator": 2}]})
    document = json.loads(json.dumps({"schedule": tree_to_json(tree)}))
    assert resolve_strategy(document).key() != resolve_strategy("pluto").key()
    kernel = akg.build(sample.script, strategy=document)
    got, want = sample.inputs(21), sample.inputs(21)
    kernel(*got)
    sample.reference(*want)
    assert_close(got[2], want[2], terms=21)
    assert rows(tree, "S1") == ["i P", "k_1", "j_1 P"]


def test_an_illegal_schedule_is_refused() -> None:
    _, tree, _ = scheduled("jacobi_1d")
    document = json.loads(json.dumps(tree_to_json(tree)).replace("2*t + i", "-2*t + i"))
    with pytest.raises(AkgError, match="breaks the order") as caught:
        akg.build(PROGRAMS["jacobi_1d"], strategy={"schedule": document})
    assert caught.value.code == "AKG-E308"
    assert "S0" in caught.value.because


def test_forms() -> None:
    scop, tree, _ = scheduled("jacobi_1d")
    document: Any = tree_to_json(tree)
    assert document["child"]["band"][1]["rows"] == {"S0": "2*t + i", "S1": "2*t + i_1 + 1"}
    document["child"]["band"][1]["rows"]["S0"] = " i+2 * t -0"
    row = tree_from_json(document, scop).child.members[1].rows["S0"]  # type: ignore[union-attr]
    assert form_text(row) == "i + 2*t"
    assert form_text(row * -1 + 3) == "-i - 2*t + 3"


def _change(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    inner = document
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return document


BAD: list[tuple[tuple[Any, ...], Any, str]] = [
    (("statements",), ["S0"], "'S1' is missing"),
    (("statements",), ["S0", "S2"], "unknown statement 'S2'"),
    (("child",), 3, "this is no node"),
    (("child", "bands"), [], "unknown key 'bands'"),
    (("child", "band", 0, "rows"), {"S0": "t"}, "'S1' is missing"),
    (("child", "band", 0, "rows", "S0"), "x + 1", "unknown variable 'x'"),
    (("child", "band", 0, "rows", "S0"), "t + ", "column 3"),
    (("child", "band", 0, "rows", "S0"), 1, "is no form"),
    (("child", "band", 0, "kind"), "paralel", "did you mean 'parallel'?"),
    (("child", "band", 0, "tile"), -1, "is no size"),
    (("child", "child", "sequence", 0, "filter"), ["S1"], "the filters have S1, S1"),
    (("child", "child", "sequence"), {}, "is no list"),
    (("child", "child"), [], "this is no node"),
]


@pytest.mark.parametrize(("path", "value", "message"), BAD)
def test_documents_that_are_refused(path: tuple[Any, ...], value: Any, message: str) -> None:
    scop, tree, _ = scheduled("jacobi_1d")
    document = _change(tree_to_json(tree), path, value)
    with pytest.raises(AkgError) as caught:
        tree_from_json(document, scop)
    assert caught.value.code == "AKG-E308"
    assert message in str(caught.value)
    assert caught.value.because and caught.value.hint


def test_schedule_and_scheduler_go_together() -> None:
    for document in ({"scheduler": "given"}, {"schedule": {}, "scheduler": "isl"}):
        with pytest.raises(AkgError, match="for the scheduler 'given'"):
            resolve_strategy(document)


