"""Tiles that a strategy gives: what the loops become, and that every nest runs the same."""

from typing import Any

import pytest

from akg.base.errors import AkgError
from akg.base.target import resolve_target
from akg.driver import pipeline
from akg.ir.text import to_text
from akg.poly.strategy import resolve_strategy
from akg.poly.tiling import TilePlan
from akg.poly.tree import paths
from tests.poly.test_scheduler import PROGRAMS, executed, sizes_of


def mapped(name: str, strategy: Any) -> pipeline.Compilation:
    state = pipeline.start(PROGRAMS[name].lower(), resolve_strategy(strategy), resolve_target("x86-64-v3"))
    pipeline.run(state, pipeline.SCHEDULE)
    pipeline.run(state, pipeline.MAP, check=True)
    assert state.legality
    return state


def loops(state: pipeline.Compilation, name: str) -> list[str]:
    """The loops around a statement: row, size of tiles, kind."""
    members = [s.member for s in paths(state.tree)[name] if s.member is not None]
    return [f"{m.rows[name]}{f'/{m.tile}' if m.tile else ''}{f' {m.kind}' * (m.kind != 'serial')}" for m in members]


def tiles(sizes: Any, preset: str = "pluto", intra: str = "none", **more: Any) -> dict[str, Any]:
    return {"preset": preset, "options": {"tile": {"sizes": sizes, **more}, "intra_tile": intra}}


def test_one_level() -> None:
    state = mapped("gemm", tiles([32, 64, 16]))
    assert loops(state, "S1") == ["i/32 parallel", "j_1/64", "k_1/16", "i", "j_1", "k_1 vector"]
    state = mapped("gemm", tiles([32, 0, 16]))
    assert loops(state, "S1") == ["i/32 parallel", "j_1", "k_1/16", "i", "k_1 vector"]
    state = mapped("gemm", tiles(8))
    assert loops(state, "S0") == ["i/8 parallel", "j/8", "i", "j vector"]


def test_levels() -> None:
    state = mapped("gemm", tiles([[64, 64, 0], [8, 32]]))
    assert loops(state, "S1")[:5] == ["i/64 parallel", "j_1/64", "k_1", "i/8", "j_1/32"]


def test_register_tiles_inside() -> None:
    """By default the points are mapped like any band: accumulators in registers."""
    found = loops(mapped("gemm", tiles([48, 64, 16], intra="contiguity")), "S1")
    assert found[:3] == ["i/48 parallel", "j_1/64", "k_1/16"]
    assert found[-1] == "j_1 vector"
    assert "i unroll" in found


def test_by_statement() -> None:
    document: Any = {"preset": "pluto", "options": {"tile": [
        {"stmts": ["S_1"], "sizes": [16, 16, 16]}, {"stmts": "*", "sizes": [4, 4]}
    ], "intra_tile": "none"}}  # fmt: skip
    state = mapped("gemm", document)
    assert loops(state, "S0")[:2] == ["i/4 parallel", "j/4"]
    assert loops(state, "S1")[:3] == ["i/16 parallel", "j_1/16", "k_1/16"]


def test_wavefronts() -> None:
    state = mapped("seidel_2d", tiles([16, 32, 32]))
    assert loops(state, "S0")[:2] == ["t/16", "t + i/32 parallel"]
    state = mapped("seidel_2d", tiles([32, 16, 32]))
    assert loops(state, "S0")[:2] == ["t + i/16", "t/32 parallel"]
    state = mapped("seidel_2d", tiles([16, 32, 32], wavefront=False))
    assert not any("parallel" in loop for loop in loops(state, "S0"))
    state = mapped("seidel_2d", tiles([12, 32, 32]))  # neither is a multiple of the other
    assert not any("parallel" in loop for loop in loops(state, "S0"))


def test_full_tiles_apart() -> None:
    """Loops of constant extent for full tiles, and loops with minima for the others."""
    def text(full: str) -> str:
        result = mapped("mvt", {**tiles([8, 16], full_tiles=full), "vectorize": False}).result
        assert result is not None
        return to_text(result)

    assert "in [0, 16)" not in text("none")
    assert "in [0, 8)" in text("isolate")
    assert "in [0, 16)" in text("isolate")
    state = mapped("seidel_2d", tiles([16, 32, 32], full_tiles="isolate"))
    assert any("full tiles are not isolated" in line for line in state.decisions.lines)


def test_the_original_order_in_tiles() -> None:
    state = mapped("mvt", tiles([8, 16], preset="original"))
    assert loops(state, "S0")[:2] == ["i/8 parallel", "j/16"]


def test_rows_with_strips() -> None:
    texts = ["[1, ?3] (/64)", "[0, 0, 1, ?] (/32)", "[1, ?3] (%64, /8)", "[1, ?3] (%8)", "[0, 0, 1, ?] (%32)"]
    rows: Any = {"statement": "S_1", "meta": [3, 0], "coefficients": texts}
    state = mapped("gemm", {"preset": "pluto", "soft constraints": [rows], "options": {"intra_tile": "none"}})
    assert loops(state, "S1") == ["i/64 parallel", "j_1/32", "i/8", "i", "j_1", "k_1 vector"]
    assert not any("dropped" in line for line in state.decisions.lines)


def test_tiles_without_use_are_reported() -> None:
    state = mapped("durbin", tiles([[4, 4]], min_band=5))
    assert any("dropped the tiles of all statements" in line for line in state.decisions.lines)


def test_loops_of_a_plan() -> None:
    plan = TilePlan(None, ((8, 0, 4), (2,)))
    assert plan.loops_of(0, 3) == [(0, 8), (1, 0), (2, 4), (0, 2), (0, 0), (2, 0)]
    assert plan.loops_of(2, 1) is None
    assert plan.loops_of(3, 2) is None
    assert TilePlan(None, (), ((1, 8), (1, 0)), 1).loops_of(0, 2) == [(1, 8), (1, 0), (0, 0)]


DOCUMENTS: tuple[dict[str, Any], ...] = (
    tiles([3, 4, 5, 6]), tiles([[8, 4], [4, 2]], intra="contiguity"), tiles(5, "no-skewing", "contiguity", min_band=1),
    tiles([0, 4, 4], "original", "contiguity", full_tiles="isolate"),
)  # fmt: skip


def run(name: str, document: dict[str, Any]) -> None:
    state = mapped(name, document)
    assert state.result is not None
    kernel = PROGRAMS[name].lower()
    sizes = {"m": 9, "n": 7} if name == "gram_schmidt" else sizes_of(kernel, 7)  # more rows than columns
    executed(kernel, [state.result], sizes, 3, order="shuffle")


@pytest.mark.parametrize("name", PROGRAMS)
def test_executed(name: str) -> None:
    run(name, DOCUMENTS[len(name) % len(DOCUMENTS)])


@pytest.mark.long
@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
@pytest.mark.parametrize("name", PROGRAMS)
def test_executed_all(name: str, document: dict[str, Any]) -> None:
    run(name, document)


BAD: list[tuple[dict[str, Any], str]] = [
    (tiles(0), "0 is too small"),
    (tiles([32, "x"]), "'x' is not of type integer"),
    (tiles([32], diamonds=True), "unknown key 'diamonds'"),
    ({"options": {"tile": {"min_band": 3}}}, "the key 'sizes' is missing"),
    ({"options": {"intra_tile": "contiguous"}}, "did you mean 'contiguity'?"),
    ({"tile": False, "options": {"tile": {"sizes": 32}}}, "the sizes of tiles have no effect"),
    ({"soft constraints": [{"statement": "S0", "coefficients": ["[1, 0] (%8)"]}]}, "is no part of a tile"),
    ({"soft constraints": [{"statement": "S0", "coefficients": ["[1, 0] (/8)", "[1, 0] (%4)"]}]}, "tiles of 8"),
    ({"soft constraints": [{"statement": "S0", "coefficients": ["[1, 0] (*8)"]}]}, "'*8' is no strip"),
]


@pytest.mark.parametrize(("document", "message"), BAD)
def test_documents_that_are_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(AkgError) as caught:
        resolve_strategy(document)
    assert caught.value.code == "AKG-E302"
    assert message in str(caught.value)
    assert caught.value.because and caught.value.hint


def test_tiles_of_a_statement_that_is_not_there() -> None:
    with pytest.raises(AkgError, match="tile speaks of statement 'S9'") as caught:
        mapped("gemm", tiles([4], stmts=["S9"]))
    assert caught.value.code == "AKG-E305"
