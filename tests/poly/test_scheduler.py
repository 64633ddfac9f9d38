# ruff: noqa: F821  (shapes and dtypes are strings inside annotations)
"""The scheduler: the schedules of Pluto's published examples, legality, and execution of what it finds."""

import re
from typing import Any

import numpy as np
import pytest

import akg
from akg.base.dtype import float64, index
from akg.base.errors import AkgError
from akg.base.target import resolve_target
from akg.driver import pipeline
from akg.ir.expr import Const, Var
from akg.ir.interp import interpret
from akg.ir.script import Tensor, script
from akg.ir.stmt import For, Kernel, Param, Stmt, block
from akg.poly import isl
from akg.poly.dependence import annotate, dependences
from akg.poly.legality import prove
from akg.poly.rewrite.expand import expand_temporaries
from akg.poly.schedule import row_search
from akg.poly.schedule.scheduler import _Scheduler, schedule
from akg.poly.scop import Scop, extract_scop
from akg.poly.strategy import resolve_strategy
from akg.poly.tree import Domain, bands, paths, tree_text
from tests.helpers import assert_close, copy_args, fresh_args, terms_of, written
from tests.nests import _ScriptMaker
from tests.poly.nests import NESTS
from tests.poly.test_isl_ast import kernel_of, tiled
from tests.programs import SAMPLES
from tests.strategies import random_script

STRATEGIES = ("pluto", "maxfuse", "nofuse", "feautrier", "contiguity", "no-skewing", "dl-cpu")
MORE = ("pluto+", "dl-gpu", "npu", "big-loops-first")


def scheduled(name: str, strategy: Any = "pluto") -> tuple[Scop, Domain, list[str]]:
    """Statements, tree with marks, notes."""
    scop = extract_scop(expand_temporaries(PROGRAMS[name].lower()))
    notes: list[str] = []
    found = dependences(scop)
    tree = schedule(scop, found, resolve_strategy(strategy).plan, notes.append)
    return scop, annotate(scop, tree, found), notes


def rows(tree: Domain, name: str) -> list[str]:
    """The rows of a statement, outermost first; P behind a parallel one."""
    members = [s.member for s in paths(tree)[name] if s.member is not None]
    return [f"{m.rows[name]}{' P' if m.coincident else ''}" for m in members]


@script
def plutos_lu(a: Tensor["n", "n", "float64"]):
    n = a.shape[0]
    for k in range(n):
        for j in range(k + 1, n):
            a[k, j] = a[k, j] / a[k, k]
        for i in range(k + 1, n):
            for j in range(k + 1, n):
                a[i, j] = a[i, j] - a[i, k] * a[k, j]


PROGRAMS = {**{k: v.script for k, v in SAMPLES.items()}, **NESTS, "plutos_lu": plutos_lu}

# The schedules of Pluto's published examples (Bondhugula et al. 2008, and the tests of Pluto 0.11): rows over the
# program's loops, parallel ones with P. Where ours differ, the reason stands above.
PUBLISHED: dict[str, dict[str, list[str]]] = {
    "jacobi_1d": {"S0": ["t", "t * 2 + i"], "S1": ["t", "t * 2 + i + 1"]},
    "jacobi_2d": {"S0": ["t", "t * 2 + i", "t * 2 + j"], "S1": ["t", "t * 2 + i + 1", "t * 2 + j + 1"]},
    "seidel_2d": {"S0": ["t", "t + i", "t * 2 + i + j"]},
    "heat_3d": {"S0": ["t", "t * 2 + i", "t * 2 + j", "t * 2 + k"],
                "S1": ["t", "t * 2 + i + 1", "t * 2 + j + 1", "t * 2 + k + 1"]},
    "fdtd_2d": {"S0": ["t", "t + j", "t"], "S1": ["t", "t + j", "t + i"], "S2": ["t", "t + j", "t + i"],
                "S3": ["t", "t + j + 1", "t + i + 1"]},
    "gemm": {"S0": ["i P", "j P"], "S1": ["i P", "j P", "k"]},
    "plutos_lu": {"S0": ["k", "j", "k"], "S1": ["k", "j", "i"]},
    # Better: Pluto fuses (i, j) with (j, i), counting the two reads of A as a dependence. That saves one pass over A
    # and costs the parallel loop, as x2 is then summed along it. Apart, both nests are parallel outside.
    "mvt": {"S0": ["i P", "j"], "S1": ["i P", "j"]},
    "gemver": {"S0": ["j P", "i"], "S1": ["i P", "j"], "S2": ["i P"], "S3": ["i P", "j"]},
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_schedules(name: str) -> None:
    scop, tree, notes = scheduled(name)
    found = {n: [re.sub(r"_\d+", "", row) for row in rows(tree, n)] for n in scop.statements}
    assert found == PUBLISHED[name]
    assert notes == []
    bands_of = [len(b.members) for b in bands(tree.child) if b.permutable]
    assert max(bands_of) == max(map(len, found.values()))  # all of it can be tiled


def test_lu_is_one_tilable_band() -> None:
    _, tree, _ = scheduled("lu")
    assert tree_text(tree).count("band (permutable)") == tree_text(tree).count("band") == 1
    assert len(rows(tree, "S0")) == 3


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_legal(name: str, strategy: str) -> None:
    scop, tree, _ = scheduled(name, strategy)
    answer = prove(scop, tree)
    assert answer, answer.text
    assert set(paths(tree)) == set(scop.statements)


def executed(
    kernel: Kernel, bodies: list[Kernel], sizes: dict[str, int], seed: int, order: Any = "forward"
) -> None:
    args = fresh_args(kernel, sizes, seed)
    for a in args:
        if isinstance(a, np.ndarray) and a.ndim == 2 and a.shape[0] == a.shape[1]:
            a[...] = (a @ a.T if a.dtype.kind == "f" else a) + 8 * np.eye(len(a), dtype=a.dtype)
    want = copy_args(args)
    interpret(kernel, *want)
    for body in bodies:
        got = copy_args(args)
        interpret(body, *got, order=order, seed=seed)
        for name, array in written(kernel, want).items():
            assert_close(written(kernel, got)[name], array, terms=terms_of(kernel, sizes), what=name)


def sizes_of(kernel: Kernel, size: int) -> dict[str, int]:
    names = [p.name for p in kernel.params if p.role == "size"]
    return {n: 3 if n == "steps" else size + (k if size > 3 else 0) for k, n in enumerate(names)}


@pytest.mark.parametrize("strategy", MORE)
@pytest.mark.parametrize("name", ["gemm", "lu", "gemver", "atax", "jacobi_1d", "trisolv", "covariance", "doitgen"])
def test_more_strategies(name: str, strategy: str) -> None:
    test_legal(name, strategy)
    test_executed_through_the_mapping(name, strategy)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_executed_through_the_mapping(name: str, strategy: str) -> None:
    kernel = PROGRAMS[name].lower()
    state = pipeline.start(kernel, resolve_strategy(strategy), resolve_target("x86-64-v3"))
    pipeline.run(state, pipeline.SCHEDULE)
    pipeline.run(state, pipeline.MAP)
    assert state.legality and state.result is not None
    for size in (2, 6):
        executed(kernel, [state.result], sizes_of(kernel, size), size)


@pytest.mark.parametrize("name", ["lu", "cholesky", "jacobi_1d", "seidel_2d", "trisolv", "gemver", "floyd_warshall"])
def test_threads_may_take_any_order(name: str) -> None:
    """Sizes beyond a tile, with the iterations of parallel loops in a random order: wavefronts are independent."""
    kernel = PROGRAMS[name].lower()
    state = pipeline.start(kernel, resolve_strategy("pluto"), resolve_target("x86-64-v3"))
    pipeline.run(state, pipeline.SCHEDULE)
    pipeline.run(state, pipeline.MAP)
    assert state.result is not None
    executed(kernel, [state.result], sizes_of(kernel, 35), 1, order="shuffle")


@pytest.mark.parametrize("name", ["lu", "cholesky", "jacobi_1d", "seidel_2d", "fdtd_2d", "gemver", "gram_schmidt"])
def test_executed_tiled(name: str) -> None:
    scop, tree, _ = scheduled(name)
    both = [tree, tiled(tree, 3)]
    assert prove(scop, both[1])
    kernel = scop.kernel
    executed(kernel, [kernel_of(scop, t) for t in both], sizes_of(kernel, 7), 0)


@pytest.mark.parametrize("name", ["lu", "jacobi_2d", "fdtd_2d", "durbin", "covariance", "gemver", "doitgen"])
def test_both_solvers_find_the_same(name: str) -> None:
    for strategy in ("pluto", "feautrier"):
        own = scheduled(name, {"preset": strategy, "options": {"solver": "own"}})[1]
        other = scheduled(name, {"preset": strategy, "options": {"solver": "isl"}})[1]
        assert tree_text(own) == tree_text(other)


@pytest.mark.parametrize("name", ["fdtd_2d", "durbin", "covariance"])
def test_deterministic(name: str) -> None:
    assert len({tree_text(scheduled(name)[1]) for _ in range(3)}) == 1


@pytest.mark.parametrize("seed", range(40))
def test_random_nests(seed: int) -> None:
    program = random_script(np.random.default_rng(5000 + seed))
    scop = extract_scop(expand_temporaries(program.kernel))
    found = dependences(scop)
    strategy = STRATEGIES[seed % len(STRATEGIES)]
    tree = annotate(scop, schedule(scop, found, resolve_strategy(strategy).plan), found)
    trees = [tree, tiled(tree, 3)]
    for one in trees:
        answer = prove(scop, one)
        assert answer, f"{strategy}: {answer.text}"
    executed(program.kernel, [kernel_of(scop, t) for t in trees], program.sizes, seed)


@pytest.mark.parametrize(("seed", "around"), [(1, False), (2, True), (3, False), (4, True)])
def test_many_statements(seed: int, around: bool) -> None:
    """Several random nests one after the other, also inside a loop: no runaway, and legal whatever was given up."""
    sizes = {Var(name, index): extent for name, extent in (("n", 6), ("m", 4))}
    maker = _ScriptMaker(np.random.default_rng(seed), float64, sizes)
    maker.read_only, maker.mutable = [maker.buffer("A0")], [maker.buffer(f"B{k}") for k in range(3)]
    body = block(*[maker.body({}, 4) for _ in range(5)])
    if around:
        body = For(Var("around"), Const(0), Const(3), body)
    params = (
        Param(maker.read_only[0], "in"), *(Param(b, "inout") for b in maker.mutable), *(Param(v, "size") for v in sizes)
    )  # fmt: skip
    scop = extract_scop(expand_temporaries(Kernel("many", params, body)))
    found = dependences(scop)
    for strategy in ("pluto", "feautrier", "dl-cpu"):
        tree = annotate(scop, schedule(scop, found, resolve_strategy(strategy).plan), found)
        assert prove(scop, tree)
        executed(scop.kernel, [kernel_of(scop, tree)], {v.name: k for v, k in sizes.items()}, seed)


def large(seed: int, count: int, around: bool) -> Scop:
    """Random nests of `count` statements or a few more, one after the other or all in one loop."""
    sizes = {Var(name, index): extent for name, extent in (("n", 6), ("m", 4))}
    maker = _ScriptMaker(np.random.default_rng(seed), float64, sizes)
    maker.read_only, maker.mutable = [maker.buffer("A0")], [maker.buffer(f"B{k}") for k in range(3)]
    params = (
        Param(maker.read_only[0], "in"), *(Param(b, "inout") for b in maker.mutable), *(Param(v, "size") for v in sizes)
    )  # fmt: skip
    parts: list[Stmt] = []
    while True:
        parts.append(maker.body({}, 4))
        body = For(Var("around"), Const(0), Const(3), block(*parts)) if around else block(*parts)
        scop = extract_scop(expand_temporaries(Kernel("large", params, body)))
        if len(scop.statements) >= count:
            return scop


def runs_in_budget(scop: Scop, strategy: str) -> None:
    found = dependences(scop)
    search = _Scheduler(scop, found, resolve_strategy(strategy).plan, lambda text: None)
    names = tuple(scop.statements)
    try:
        tree = annotate(scop, Domain(names, search.root(names)), found)
    except (AkgError, isl.Unknown) as refusal:  # a hard constraint may leave no row, or none within the budget
        if strategy != "no-skewing" or getattr(refusal, "code", "AKG-E306") != "AKG-E306":
            raise
        tree = None
    spent = row_search.WORK - search.work.left
    assert spent <= row_search.WORK, f"{spent} for {len(found)} dependences"
    if tree is None:
        return
    answer = prove(scop, tree)
    assert answer.answer != "no", answer.text


@pytest.mark.parametrize("seed", range(4))
def test_twenty_statements_stay_in_budget(seed: int) -> None:
    """Also where all of them wait for one another around a loop, which makes one problem of everything."""
    runs_in_budget(large(seed, 20, around=True), ("pluto", "feautrier", "dl-cpu", "maxfuse")[seed])


@pytest.mark.long
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("seed", range(25))
def test_random_programs_stay_in_budget(seed: int, strategy: str) -> None:
    runs_in_budget(large(100 + seed, 5 + seed % 16, around=seed % 2 == 0), strategy)


@pytest.mark.parametrize("name", ["lu", "jacobi_2d", "gemm", "cholesky"])
def test_compiled(name: str) -> None:
    sample = SAMPLES[name]
    kernel = akg.build(sample.script, strategy="pluto")
    got, want = sample.inputs(33), sample.inputs(33)
    kernel(*got)
    sample.reference(*want)
    for g, w in zip(got, want, strict=True):
        if isinstance(g, np.ndarray):
            assert_close(g, w, terms=33 * 33)


def test_fusion_heuristics() -> None:
    def nests(strategy: Any) -> int:
        text = tree_text(scheduled("covariance", strategy)[1])
        return sum(line.startswith("    filter") for line in text.splitlines())

    assert nests("maxfuse") <= nests("dl-cpu") <= nests("pluto") <= nests("nofuse")


def test_explicit_groups() -> None:
    groups = [["S0"], ["S1", "S2"], ["S3"]]
    strategy = {"preset": "maxfuse", "fusion": [{"scheduling_dimension": 0, "stmts_fusion": groups}]}
    text = tree_text(scheduled("mm2", strategy)[1])
    assert [line.strip() for line in text.splitlines() if line.startswith("    filter")] == [
        "filter: S0", "filter: S1, S2", "filter: S3",
    ]  # fmt: skip
    strategy["fusion"] = [{"stmts_fusion": [["S3"], ["S0", "S1"]]}]
    with pytest.raises(AkgError, match="cannot run in this order") as caught:
        scheduled("mm2", strategy)
    assert caught.value.code == "AKG-E305"

