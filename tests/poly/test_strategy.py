"""Strategy documents: what they do, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

import akg
from akg import te
from akg.base.errors import AkgError
from akg.base.target import resolve_target
from akg.driver import pipeline
from akg.poly.legality import prove
from akg.poly.plan import DimensionPlan, SchedulerState
from akg.poly.schema import locate
from akg.poly.strategy import resolve_strategy, strategy_names
from akg.poly.tree import paths, tree_text
from tests.poly.test_scheduler import PROGRAMS, rows, scheduled
from tests.programs import SAMPLES


def dims(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A document over pluto with some dimensions."""
    return {"preset": "pluto", "ILP_construction": list(entries), **more}


def at(k: int | str, **entry: Any) -> dict[str, Any]:
    return {"scheduling_dimension": k, **entry}


def legal(name: str, strategy: Any) -> tuple[Any, list[str]]:
    scop, tree, notes = scheduled(name, strategy)
    answer = prove(scop, tree)
    assert answer, answer.text
    return tree, notes


def test_every_strategy_of_the_package_resolves() -> None:
    for name in strategy_names():
        strategy = resolve_strategy(name)
        assert strategy.name == name
        assert strategy.about
        assert json.loads(strategy.key())["scheduler"] == strategy.scheduler
    assert {"auto", "isl", "original", "pluto", "feautrier", "contiguity", "maxfuse", "dl-cpu"} <= set(strategy_names())


def test_keys_tell_documents_apart() -> None:
    given = [
        "pluto", dims(at(0, constraints=["S1_it_1 = 1"])), dims(at(1, constraints=["S1_it_1 = 1"])),
        {"preset": "pluto", "fusion": "maxfuse"}, {"preset": "pluto", "options": {"solver": "isl"}},
        dims(callback=lambda state: None), dims(callback=lambda state: {"require_parallel": True}),
    ]  # fmt: skip
    keys = [resolve_strategy(g).key() for g in given]
    assert len(set(keys)) == len(keys)
    assert resolve_strategy({"preset": "pluto", "name": "other"}).key() == resolve_strategy("pluto").key()


def test_wrapped_document() -> None:
    inner = dims(at("default", constraints=["no-skewing"]))
    assert resolve_strategy({"scheduling_strategy": inner}).key() == resolve_strategy(inner).key()


def test_a_document_without_a_scheduler_is_for_ours() -> None:
    strategy = resolve_strategy({"ILP_construction": [at("default", cost_functions=["feautrier"])]})
    assert (strategy.scheduler, strategy.fusion) == ("polytops", "none")
    assert resolve_strategy({"fusion": "none"}).scheduler == "auto"
    assert resolve_strategy({"preset": "pluto", "fuse_outer": True}).fusion == "outer"


# --- constraints, costs --------------------------------------------------------------------------------


def test_constraints_choose_the_loops() -> None:
    tree, _ = legal("gemm", dims(at(0, constraints=["S1_it_2 = 1"])))
    assert rows(tree, "S1") == ["j_1 P", "i P", "k_1"]
    tree, _ = legal("gemm", dims(at(0, constraints=["S1_it_0 = 0", "S1_it_2 = 0"])))
    assert rows(tree, "S1")[0] == "k_1"
    tree, _ = legal("jacobi_1d", dims(at("default", constraints=["Si_it_i <= 1"])))
    assert all("2" not in r for r in rows(tree, "S0"))


def test_named_constraints() -> None:
    tree, _ = legal("seidel_2d", "no-skewing")
    assert rows(tree, "S0") == ["t", "i", "j"]
    tree, _ = legal("jacobi_1d", dims(at("default", constraints=["no-shift"])))
    assert all(" + 1" not in r for r in rows(tree, "S1"))


def test_soft_constraints_are_reported() -> None:
    soft = {"constraint": "S0_it_0 = 0", "soft": True}
    tree, notes = legal("jacobi_1d", dims(at(0, constraints=[soft])))
    assert rows(tree, "S0") == ["t", "t * 2 + i"]
    assert notes == ["dimension 0 of S0, S1: dropped S0_it_0 = 0"]
    assert legal("gemm", dims(at(0, constraints=[{"constraint": "S1_it_1 = 0", "soft": True}])))[1] == []


def test_infeasible_hard_constraint_names_dimension_and_constraint() -> None:
    with pytest.raises(AkgError, match="dimension 0 of S0, S1 cannot have S0_it_0 = 0") as caught:
        scheduled("jacobi_1d", dims(at(0, constraints=["S0_it_1 >= 0", "S0_it_0 = 0"])))
    assert caught.value.code == "AKG-E306"
    assert "S0_it_1 >= 0" in caught.value.because
    assert "soft" in caught.value.hint


def test_costs() -> None:
    tree, _ = legal("gemm", "contiguity")
    assert rows(tree, "S1") == ["i P", "k_1", "j_1 P"]
    tree, _ = legal("gemm", dims(at("default", cost_functions=[{"minimize": "2*S1_it_0 + S1_it_1 + 3*S1_it_2"}])))
    assert rows(tree, "S1")[0] == "k_1"
    tree, _ = legal("gemm", dims(at("default", cost_functions=[{"minimize": "S1_it_0 - S1_it_2"}])))
    assert rows(tree, "S1")[0].startswith("j_1")
    weighted = {"weighted": [[100, "proximity"], [1, "contiguity"]]}
    tree, _ = legal("gemm", dims(at("default", cost_functions=[weighted])))
    assert len(rows(tree, "S1")) == 3


def test_user_variables() -> None:
    entry = at(0, cost_functions=["x", "proximity"], constraints=["x >= S1_it_0 + S1_it_1"])
    tree, _ = legal("gemm", dims(entry, new_variables=["x"]))
    assert rows(tree, "S1")[0] == "j_1 P"


def test_require_parallel() -> None:
    tree, notes = legal("jacobi_1d", dims(at(1, require_parallel=True)))
    assert notes == []
    assert rows(tree, "S0")[1] == "i P"
    _, notes = legal("lu", dims(at(0, require_parallel=True)))
    assert notes == ["dimension 0 of S0, S1, S2: it cannot be parallel"]


def test_strategies_for_devices() -> None:
    """On a GPU every loop that can be parallel is outside; an NPU's vector loop is innermost."""
    assert rows(legal("gemm", "dl-gpu")[0], "S1") == ["i P", "j_1 P", "k_1"]
    assert rows(legal("gemm", "npu")[0], "S1")[0] == "i P"
    for strategy in ("dl-gpu", "npu"):
        tree, notes = legal("jacobi_2d", strategy)
        assert rows(tree, "S0") == ["t", "i P", "j P"]
        assert notes == []
    prefer = dims(at("default", cost_functions=["contiguity"], require_parallel="prefer"))
    assert rows(legal("gemm", prefer)[0], "S1") == ["i P", "j_1 P", "k_1"]
    with pytest.raises(AkgError, match="did you mean 'prefer'"):
        resolve_strategy(dims(at(0, require_parallel="prefers")))


def test_options() -> None:
    assert legal("jacobi_1d", {"preset": "pluto", "options": {"max_coefficient": 1}})[0]
    assert legal("fdtd_2d", {"preset": "pluto", "options": {"parameter_shifting": True}})[0]
    assert legal("jacobi_1d", {"preset": "pluto", "options": {"negative_coefficients": True}})[0]
    assert legal("gemver", {"preset": "pluto", "options": {"cluster_identity": False}})[0]
    assert legal("gemver", {"preset": "pluto", "options": {"split_components": False}})[0]
    tree, _ = legal("gemm", {"preset": "contiguity", "options": {"relax_reductions": True}})
    assert len(rows(tree, "S1")) == 3


@pytest.mark.parametrize("name", ["gemm", "jacobi_2d", "adi", "durbin", "lu", "gemver", "doitgen"])
def test_direct_dependences(name: str) -> None:
    """Fewer dependences of more complicated shapes, and the same orders are legal."""
    tree, notes = legal(name, {"preset": "pluto", "options": {"dependences": "flow", "check_schedule": True}})
    assert notes == []
    if name in ("gemm", "jacobi_2d", "adi", "gemver"):
        assert tree_text(tree) == tree_text(legal(name, "pluto")[0])


def test_constants_as_parameters() -> None:
    a, b = (te.placeholder((40, 40), "float64", name=n) for n in "ab")
    k = te.reduce_axis(40, name="k")
    c = te.compute((40, 40), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="c")
    low = akg.lower([c], inputs=[a, b])
    texts = {low.schedule({"preset": "pluto", "options": {"params": given}}).text for given in (
        {}, {"constant_to_parameter": False}, {"context_min": 4}, {"context_min": 100}
    )}  # fmt: skip
    assert len(texts) == 1


def test_fallback_by_its_other_name() -> None:
    plan = resolve_strategy({"preset": "pluto", "options": {"fallback": "initial", "max_coefficient": None}}).plan
    assert plan.options.fallback == ("original",)
    assert plan.options.max_coefficient == 0


def test_total_distribution() -> None:
    tree, _ = legal("gemver", {"preset": "pluto", "fusion": [{"total_distribution": True}]})
    assert tree_text(tree).count("    filter") == 4


# --- directives -----------------------------------------------------------------------------------------


def test_directives() -> None:
    vectorize = {"type": "vectorize", "stmts": ["S1"], "iterator": 2}
    tree, notes = legal("gemm", {"preset": "pluto", "directives": [vectorize]})
    assert rows(tree, "S1") == ["i P", "k_1", "j_1 P"]
    parallel = {"type": "parallel", "stmts": ["S1"], "iterator": 2}
    tree, notes = legal("gemm", {"preset": "pluto", "directives": [parallel]})
    assert rows(tree, "S1")[0] == "j_1 P"
    sequential = {"type": "sequential", "stmts": ["S1"], "iterator": [1]}
    tree, notes = legal("gemm", {"preset": "pluto", "directives": [sequential]})
    assert rows(tree, "S1")[0] == "k_1"
    reduce = {"type": "reduce", "stmts": ["S1"], "iterator": 1}
    tree, notes = legal("gemm", {"preset": "contiguity", "directives": [reduce]})
    assert rows(tree, "S1") == ["i P", "j_1 P", "k_1"]
    assert notes == []


def kinds(name: str, *directives: dict[str, Any], **more: Any) -> tuple[dict[str, list[str]], list[str]]:
    """The kinds of each statement's loops once mapped to a CPU, by row, and the notes."""
    strategy = resolve_strategy({"preset": "pluto", "directives": list(directives), **more})
    state = pipeline.start(PROGRAMS[name].lower(), strategy, resolve_target("x86-64-v3"))
    pipeline.run(state, pipeline.SCHEDULE)
    pipeline.run(state, pipeline.MAP)
    assert state.legality
    found: dict[str, list[str]] = {}
    for statement, steps in paths(state.tree).items():
        members = [s.member for s in steps if s.member is not None]
        found[statement] = [f"{m.kind} {m.rows[statement]}" for m in members]
    return found, state.decisions.lines


def test_directives_reach_the_loops() -> None:
    sequential = {"type": "sequential", "stmts": ["S1"], "iterator": [0, 1]}
    found, notes = kinds("gemm", sequential)
    assert {"serial i", "serial k_1"} <= set(found["S1"])
    assert not {"parallel i", "vector i", "vector k_1"} & set(found["S1"])
    found, notes = kinds("gemm", {"type": "vectorize", "stmts": ["S_1"], "iterator": 0})
    assert found["S1"][-1] == "vector i"
    parallel = [{"type": "parallel", "stmts": [n], "iterator": k} for n, k in (("S0", 1), ("S1", 2))]
    found, notes = kinds("gemm", *parallel)
    assert found["S0"][0] == "parallel j"
    assert found["S1"][0] == "parallel j_1"
    assert not any("dropped" in line for line in notes)


def test_sequential_loops_have_no_wavefronts() -> None:
    assert any("wavefront" in line for line in kinds("seidel_2d")[1])
    found, notes = kinds("seidel_2d", {"type": "sequential", "iterator": 0})
    assert all(kind.startswith("serial") for kind in found["S0"])
    assert not any("wavefront" in line for line in notes)


def test_sequential_reductions_are_not_split() -> None:
    x, k = te.placeholder((1 << 17,), "float64", name="x"), te.reduce_axis(1 << 17, name="k")
    total = te.compute((), lambda: te.sum(x[k], axis=k), name="total")
    free = akg.lower([total], inputs=[x]).schedule("dl-cpu").compile("cpu").source("loop")
    held = {"preset": "dl-cpu", "directives": [{"type": "sequential", "iterator": 0}]}
    kept = akg.lower([total], inputs=[x]).schedule(held).compile("cpu").source("loop")
    assert "parallel" in free
    assert "parallel" not in kept


def test_a_directive_that_the_mapping_cannot_follow() -> None:
    vectorize = {"type": "vectorize", "stmts": ["S0"], "iterator": 0}
    _, notes = kinds("jacobi_1d", vectorize)
    assert any("dropped the directive" in line for line in notes)
    outer = {"type": "parallel", "iterator": [0]}
    with pytest.raises(AkgError, match="cannot hold|cannot have") as caught:
        kinds("trisolv", {**outer, "strict": True})
    assert caught.value.code == "AKG-E306"
    with pytest.raises(AkgError, match="the directive 'vectorize' has no effect"):
        resolve_strategy({"preset": "pluto", "vectorize": False, "directives": [vectorize]})


def test_a_directive_that_cannot_hold_is_reported_or_refused() -> None:
    parallel = {"type": "parallel", "stmts": ["S0"], "iterator": 0}
    tree, notes = legal("jacobi_1d", {"preset": "pluto", "directives": [parallel]})
    assert rows(tree, "S0") == ["t", "t * 2 + i"]
    assert notes == ['dimension 0 of S0, S1: dropped the directive "parallel" of iterator 0 of S0']
    with pytest.raises(AkgError, match='cannot have the directive "parallel" of iterator 0 of S0') as caught:
        scheduled("jacobi_1d", {"preset": "pluto", "directives": [{**parallel, "strict": True}]})
    assert caught.value.code == "AKG-E306"


def test_unrolling() -> None:
    a = te.placeholder((64, 4), "float64", name="a")
    b = te.compute((64, 4), lambda i, j: a[i, j] + 1.0, name="b")
    low = akg.lower([b], inputs=[a])
    unroll = {"type": "unroll", "iterator": 1, "strict": True}
    assert "unroll" in low.schedule({"preset": "pluto", "directives": [unroll]}).text
    with pytest.raises(AkgError, match='"unroll" of iterator 0 of S0 cannot hold') as caught:
        scheduled("jacobi_1d", {"preset": "pluto", "directives": [{**unroll, "iterator": 0}]})
    assert "longer than 64" in caught.value.because
    _, notes = legal("jacobi_1d", {"preset": "pluto", "directives": [{"type": "unroll", "iterator": 1}]})
    assert len(notes) == 2
    assert "no loop of the schedule runs over that iterator alone" in notes[0]


def test_notes_reach_the_decisions() -> None:
    directive = {"type": "parallel", "iterator": 0}
    kernel = akg.build(SAMPLES["seidel_2d"].script, strategy={"preset": "pluto", "directives": [directive]})
    assert 'dropped the directive "parallel" of iterator 0 of S0' in str(kernel.report)


def test_hints_per_statement() -> None:
    hints = {"S1": {"vectorials": [2], "reduces": [], "serials": []}}
    tree, _ = legal("gemm", {"preset": "pluto", "directives": hints})
    assert rows(tree, "S1") == ["i P", "k_1", "j_1 P"]


def test_rows_of_coefficients() -> None:
    given = [{"statement": "S_1", "meta": [3, 0], "coefficients": ["[0, ?, 1, 0]", "[?4]"]}]
    tree, notes = legal("gemm", {"preset": "pluto", "soft constraints": given})
    assert rows(tree, "S1")[0] == "j_1 P"
    assert notes == []


# --- call-backs -----------------------------------------------------------------------------------------


def outer_j(state: SchedulerState) -> dict[str, Any] | None:
    """Used by name."""
    return {"constraints": ["S1_it_2 = 1"]} if state.dimension == 0 and "S1" in state.statements else None


def test_callback() -> None:
    seen: list[SchedulerState] = []

    def look(state: SchedulerState) -> DimensionPlan | None:
        seen.append(state)
        return None

    legal("gemm", dims(callback=look))
    assert [s.ranks["S1"] for s in seen if "S1" in s.statements] == [0, 1, 2]
    assert seen[-1].last_parallel is True
    assert ("flow", "S1", "S1", "C") in seen[-1].unsatisfied
    for given in (outer_j, f"{__name__}:outer_j"):
        if __name__.startswith("tests."):
            assert rows(legal("gemm", dims(callback=given))[0], "S1")[0] == "j_1 P"


def test_callback_mistakes() -> None:
    def fails(state: SchedulerState) -> None:
        raise ValueError("no idea")

    with pytest.raises(AkgError, match="raised ValueError at dimension 0") as caught:
        scheduled("gemm", dims(callback=fails))
    assert caught.value.code == "AKG-E307"
    assert "in fails" in caught.value.because
    assert "no idea" in caught.value.because
    for given, message in (("no.such.module:f", "cannot import"), ("json:lods", "no function 'lods'")):
        with pytest.raises(AkgError, match=message):
            resolve_strategy(dims(callback=given))
    answers: list[tuple[Any, str]] = [
        (3, "returned int"),
        ({"cost_function": []}, "cost_function of the call-back's answer for dimension 0: unknown key"),
        ({"constraints": "no-skewing"}, "constraints of the call-back's answer"),
        ({"cost_functions": ["proximty"]}, "did you mean 'proximity'?"),
        ({"constraints": ["S9_it_0 = 0"]}, "speaks of 'S9'"),
        ({"scheduling_dimension": 0}, "this key has no effect"),
    ]
    for answer, message in answers:
        with pytest.raises(AkgError) as caught:
            scheduled("gemm", dims(callback=lambda state, answer=answer: answer))
        assert message in str(caught.value)


def test_a_callback_that_raises_shows_the_users_own_lines() -> None:
    """All of the user's frames, and none of ours."""
    def look_up(name: str) -> int:
        return {"S0": 1}[name]

    def fails(state: SchedulerState) -> dict[str, Any]:
        return {"constraints": [f"S0_it_0 = {look_up('S1')}"]}

    with pytest.raises(AkgError, match="raised KeyError at dimension 0") as caught:
        akg.build(PROGRAMS["gemm"], strategy=dims(callback=fails))
    lines = caught.value.because.splitlines()
    assert [line.split(", in ")[1] for line in lines if line.startswith("  File")] == ["fails", "look_up"]
    assert all(__file__ in line for line in lines if line.startswith("  File"))
    assert lines[-1] == "KeyError: 'S1'"


# --- what is refused ------------------------------------------------------------------------------------

BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"fusoin": "maxfuse"}, "AKG-E302", "unknown key 'fusoin'"),
    ({"fusion": "maxfuze"}, "AKG-E302", "did you mean 'maxfuse'?"),
    ({"fusion": [{"heuristic": "maxfuze"}]}, "AKG-E302", r"fusion\[0\].heuristic of the strategy"),
    ({"tile": 1}, "AKG-E302", "tile of the strategy: 1 is not of type boolean"),
    ({"schema_version": 2}, "AKG-E302", "it cannot be 2"),
    ({"scheduler": "polytop"}, "AKG-E303", "polytops"),
    (dims(at(0, cost_functions=["proximty"])), "AKG-E304", "did you mean 'proximity'?"),
    (dims(at(-1)), "AKG-E302", r"ILP_construction\[0\].scheduling_dimension"),
    (dims(at(0), at(0)), "AKG-E302", "two entries for dimension 0"),
    (dims(at(0, constraints=["S0_it_0"])), "AKG-E302", "is no constraint"),
    (dims(at(0, constraints=["S0_it_0 >= * 2"])), "AKG-E302", "column 2"),
    (dims(at(0, constraints=["no-skewin"])), "AKG-E302", "did you mean 'no-skewing'?"),
    (dims(at(0, constraints=["no-reversal"])), "AKG-E302", "no effect"),
    (dims(new_variables=["x"]), "AKG-E302", "'x' has no effect"),
    ({"preset": "original", "scheduler": "original", "options": {}}, "AKG-E302", "no effect"),
    ({"preset": "pluto", "isl": {"outer_coincidence": 1}}, "AKG-E302", "no effect"),
    ({"directives": [{"type": "vector", "iterator": 0}]}, "AKG-E302", "did you mean 'vectorize'?"),
    ({"directives": [{"type": "vectorize"}]}, "AKG-E302", "'iterator' is missing"),
    ({"options": {"solver": "cplex"}}, "AKG-E302", "options.solver"),
    ({"soft constraints": [{"statement": "S0", "coefficients": ["1, 2"]}]}, "AKG-E302", "is no row"),
    ({"name": 3}, "AKG-E302", "name of the strategy: 3 is not of type string"),
    ({"preset": "plutto"}, "AKG-E301", "did you mean 'pluto'?"),
    ({"new_variables": ["2x"]}, "AKG-E302", "new_variables[0] of the strategy: '2x' is no name"),
    ({"new_variables": "x"}, "AKG-E302", "'x' is not of type array"),
    ({"ILP_construction": {}}, "AKG-E302", "is not of type array"),
    (dims(at("first")), "AKG-E302", "ILP_construction[0].scheduling_dimension"),
    (dims(at(0, cost_functions=[{"minimise": "S0_it_0"}])), "AKG-E302", "did you mean 'minimize'?"),
    (dims(at(0, cost_functions=[{"minimize": "S0_it_0 +"}])), "AKG-E302", "cost_functions[0] of the strategy"),
    (dims(at(0, cost_functions=[{"weighted": [[0, "proximity"]]}])), "AKG-E302", "0 is too small"),
    (dims(at(0, cost_functions=[{"weighted": [[1]]}])), "AKG-E302", "1 elements"),
    (dims(at(0, cost_functions=[{"weighted": [[1, "proximty"]]}])), "AKG-E304", "did you mean 'proximity'?"),
    (dims(at(0, constraints=[{"soft": True}])), "AKG-E302", "the key 'constraint' is missing"),
    (dims(at(0, require_parallel=1)), "AKG-E302", "ILP_construction[0].require_parallel"),
    ({"fusion": [{"stmts_fusion": ["S0"]}]}, "AKG-E302", "'S0' is not of type array"),
    ({"fusion": [{"total_distribution": "yes"}]}, "AKG-E302", "'yes' is not of type boolean"),
    ({"fusion": [{}, {}]}, "AKG-E302", "fusion[1] of the strategy: two entries for dimension default"),
    ({"directives": [{"type": "unroll", "iterator": "i"}]}, "AKG-E302", "directives[0].iterator"),
    ({"directives": [{"type": "unroll", "iterator": 0, "stmts": "S0"}]}, "AKG-E302", "directives[0].stmts"),
    ({"directives": {"S0": {"serial": [0]}}}, "AKG-E302", "did you mean 'serials'?"),
    ({"options": {"max_coefficient": -1}}, "AKG-E302", "-1 is too small"),
    ({"options": {"fallback": "feautrer"}}, "AKG-E302", "did you mean 'feautrier'?"),
    ({"options": {"dependencies": "flow"}}, "AKG-E302", "unknown key 'dependencies'"),
    ({"callback": 3}, "AKG-E302", "callback of the strategy"),
    ({"soft constraints": [{"coefficients": []}]}, "AKG-E302", "the key 'statement' is missing"),
    ({"soft constraints": [{"statement": "S0", "coefficients": ["[x]"]}]}, "AKG-E302", "'x' is no coefficient"),
    ({"soft constraints": [{"statement": "S0", "meta": [1, 0], "coefficients": ["[1]"]}]}, "AKG-E302", "asks for 2"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "code", "message"), BAD)
def test_documents_that_are_refused(document: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(AkgError, match="(?s)") as caught:
        resolve_strategy(document)
    assert caught.value.code == code
    assert message.replace("\\", "") in str(caught.value)
    assert caught.value.because and caught.value.hint


UNFIT: list[tuple[dict[str, Any], str]] = [
    (dims(at(0, constraints=["S7_it_0 = 0"])), "speaks of 'S7'"),
    (dims(at(0, constraints=["S1_it_5 = 0"])), "asks for it 5 of S1"),
    (dims(at(0, constraints=["y >= 0"])), "speaks of 'y'"),
    (dims(at(0, cost_functions=[{"minimize": "T_it_0"}])), "speaks of 'T'"),
    ({"directives": [{"type": "parallel", "stmts": ["S9"], "iterator": 0}]}, "statement 'S9'"),
    ({"directives": [{"type": "parallel", "stmts": ["S0"], "iterator": 2}]}, "asks for iterator 2 of S0"),
    ({"directives": [{"type": "parallel", "iterator": 9}]}, "asks for iterator 9"),
    ({"fusion": [{"stmts_fusion": [["S0", "X"]]}]}, "statement 'X'"),
]


@pytest.mark.parametrize(("document", "message"), UNFIT)
def test_documents_that_do_not_fit_the_kernel(document: dict[str, Any], message: str) -> None:
    with pytest.raises(AkgError) as caught:
        scheduled("gemm", document)
    assert caught.value.code == "AKG-E305"
    assert message in str(caught.value)
    assert caught.value.because and caught.value.hint


def test_positions_in_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    entry = '{"scheduling_dimension": 0, "cost_function": []}'
    text = f'{{\n  "preset": "pluto",\n  "ILP_construction": [\n    {entry}\n  ]\n}}\n'
    path.write_text(text)
    place = r"ILP_construction\[0\].cost_function of .*mine.json \(line 4, column 33\)"
    with pytest.raises(AkgError, match=place) as caught:
        resolve_strategy(path)
    assert "did you mean 'cost_functions'?" in caught.value.hint
    inner = '{"scheduling_dimension": 0, "constraints": ["no-skewing", "no-shfit"], "cost_functions": ["proximity"]}'
    path.write_text(f'{{"scheduling_strategy": {{"preset": "pluto",\n  "ILP_construction": [\n    {inner}]}}}}')
    with pytest.raises(AkgError, match=r"constraints\[1\] of .*mine.json \(line 3, column 63\)"):
        resolve_strategy(path)
    path.write_text(path.read_text().replace("no-shfit", "no-shift").replace("proximity", "proximty"))
    with pytest.raises(AkgError, match=r"cost_functions\[0\] of .*mine.json \(line 3, column 95\)"):
        resolve_strategy(path)
    assert locate('{"a": [1, {"b": 2}]}', ("a", 1, "b")) == (1, 12)
    assert locate("[1]", (4,)) is None
