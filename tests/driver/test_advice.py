"""The smallest change of a strategy that lets a loop run in parallel: found, proved, or said to be missing."""

# ruff: noqa: F821, B007
import json
from typing import Any

import pytest

import akg
from akg.driver.explain import Change, explanation
from akg.driver.explain.advice import advise
from akg.driver.explain.candidates import candidates, document_of
from akg.poly.explain import Loop, loops_of
from akg.poly.strategy import resolve_strategy, strategy_names


@akg.script
def seidel(A: akg.Tensor["n", "n", "float64"], steps: akg.Size):
    n = A.shape[0]
    for t in range(steps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                A[i, j] = 0.2 * (A[i - 1, j] + A[i, j - 1] + A[i, j] + A[i, j + 1] + A[i + 1, j])


@akg.script
def chain(A: akg.Tensor["n", "float64"]):
    for i in range(1, A.shape[0]):
        A[i] = A[i - 1] * 0.5 + 1.0


@akg.script
def smooth(A: akg.In["n", "float64"], B: akg.Tensor["n", "float64"], C: akg.Tensor["n", "float64"]):
    n = A.shape[0]
    for i in range(n):
        B[i] = A[i] * 2.0
    for k in range(1, n - 1):
        C[k] = B[k - 1] + B[k + 1]


@akg.script
def rows(A: akg.Tensor["n", "m", "float64"]):
    n, m = A.shape
    for i in range(n):
        for j in range(1, m):
            A[i, j] = A[i, j] + A[i, j - 1]


def advice_of(script: Any, strategy: Any) -> tuple[list[Loop], Any, Any]:
    state = akg.lower(script).schedule(strategy).state
    loops = [e for e in loops_of(state.scop, state.tree, state.dependences) if isinstance(e, Loop)]
    return loops, advise(state, loops, 60.0), state


def changes_of(script: Any, strategy: Any) -> dict[str, Change]:
    loops, advice, _ = advice_of(script, strategy)
    return {loop.title: advice.changes[loop.number] for loop in loops if loop.number in advice.changes}


def parallel_loops(script: Any, document: Any) -> list[Loop]:
    kernel = akg.lower(script).schedule(document).compile()
    assert kernel.report.legality.startswith("legal: yes")
    return [loop for loop in kernel.explain().loops if loop.member.kind in ("parallel", "vector")]


def test_a_wavefront_is_found() -> None:
    changes = changes_of(seidel, "original")
    found = changes["i"]
    assert set(found.document or ()) == {"preset"} and not found.is_full
    assert "is parallel inside loop t" in found.effect
    assert parallel_loops(seidel, found.document)


def test_fusion_that_cost_a_parallel_loop() -> None:
    changes = changes_of(smooth, "maxfuse")
    (found,) = changes.values()
    assert found.document == {"preset": "maxfuse", "fusion": "nofuse"} and found.is_full, found
    assert {loop.statements for loop in parallel_loops(smooth, found.document)} == {("S0",), ("S1",)}


def test_loops_that_the_strategy_itself_keeps_in_order() -> None:
    alone = {"preset": "original", "parallel": False, "vectorize": False}
    text = akg.lower(rows).schedule(alone).explain().text
    assert "loop i: sequential, could be parallel" in text


def test_none_is_said() -> None:
    loops, advice, state = advice_of(chain, "original")
    assert advice.changes == {} and advice.open == (1,) and advice.left == 0
    assert advice.tried == len(list(candidates(state.strategy, 1)))
    assert advice.of(loops[0]) == f"change: none found among {advice.tried} single changes of the strategy"
    kernel = akg.build(chain, strategy="original")
    assert f"change: none found among {advice.tried} single" in kernel.explain()


def test_the_budget() -> None:
    state = akg.lower(seidel).schedule("original").state
    loops = [e for e in loops_of(state.scop, state.tree, state.dependences) if isinstance(e, Loop)]
    none = advise(state, loops, 0.0)
    assert none.tried == 0 and not none.changes and none.of(loops[0]) == ""
    assert "change:" not in explanation(lambda: state, 0.0)
    little = advise(state, loops, 1e-9)
    assert little.tried == 0 and "were not tried, as the time was up" in little.of(loops[0])


def test_mapped_loops_need_no_change() -> None:
    found = changes_of(seidel, "pluto")["t + i"]
    assert found.document is None and "is parallel inside loop t in tiles of" in found.effect
    assert "change: none needed\n" in akg.lower(seidel).schedule("pluto").explain()
    text = akg.lower(seidel).schedule("pluto").compile().explain().text
    assert "change: none needed" not in text


@pytest.mark.parametrize("strategy", strategy_names())
def test_documents_are_one_change_away(strategy: str) -> None:
    given = resolve_strategy(strategy)
    assert document_of(given) == {"preset": strategy}
    documents = list(candidates(given, 2))
    assert len({json.dumps(d, sort_keys=True) for d in documents}) == len(documents) >= 8
    for document in documents:
        assert len(document) <= 2 and document != {"preset": strategy}
        resolve_strategy(document)


def test_a_document_without_a_name() -> None:
    own = {"preset": "pluto", "fusion": "maxfuse", "options": {"relax_reductions": True}, "vectorize": False}
    document = document_of(resolve_strategy(own))
    assert resolve_strategy(document).key() == resolve_strategy(own).key()
    first = next(candidates(resolve_strategy(own), 1))
    assert first == {**document, "vectorize": True}
