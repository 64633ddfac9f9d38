"""The oracle against plain execution: orders, permutable bands and parallel loops, right and wrong."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akg.base.target import resolve_target
from akg.driver import pipeline
from akg.ir.affine import Affine
from akg.poly import isl
from akg.poly import legality as legality_module
from akg.poly.dependence import annotate, dependences, is_accumulation
from akg.poly.legality import Legality, prove
from akg.poly.scop import Scop, extract_scop
from akg.poly.strategy import resolve_strategy
from akg.poly.tree import Band, Domain, Leaf, Member, Node, Sequence, map_tree, paths
from tests.poly import kernels
from tests.poly.nests import NESTS


def scop_of(name: str) -> Scop:
    return extract_scop(kernels.kernel(name))


def violations(scop: Scop, tree: Domain, sizes: dict[str, int]) -> Iterator[str]:
    """What execution at concrete sizes finds wrong with a tree; reductions may be reordered."""
    ways = paths(tree)
    for source, sink in kernels.conflicts(kernels.events(scop.kernel, sizes)):
        store = scop.statements[source.name].store
        reduction = source.name == sink.name and is_accumulation(store) and source.write == sink.write
        equal, entry_sign = True, True
        for a, b in zip(ways[source.name], ways[sink.name], strict=False):
            if not equal:
                if isinstance(a.node, Band) and a.position > 0 and entry_sign and a.node.permutable and not reduction:
                    member = a.node.members[a.position]
                    if value(scop, member, source, sizes) > value(scop, member, sink, sizes):
                        yield f"band {source} {sink}"
                    continue
                break
            if a.member is None:
                if a.position > b.position and not reduction:
                    yield f"order {source} {sink}"
                if a.position != b.position:
                    equal, entry_sign = False, False
                continue
            before, after = value(scop, a.member, source, sizes), value(scop, a.member, sink, sizes)
            if before != after and a.member.kind == "parallel":
                yield f"parallel {source} {sink}"
            if before > after and not reduction:
                yield f"order {source} {sink}"
            equal = before == after
        if equal and not reduction:
            yield f"no order {source} {sink}"


def value(scop: Scop, member: Member, event: kernels.Event, sizes: dict[str, int]) -> int:
    row = member.rows[event.name]
    names = [v.name for v in scop.statements[event.name].iterators]
    env = {**sizes, **dict(zip(names, event.values, strict=True))}
    result = row.const + sum(c * env[v.name] for v, c in row.terms.items())
    return member.tile * (result // member.tile) if member.tile else result


def check(scop: Scop, tree: Domain, sizes: dict[str, int]) -> Legality:
    """`prove`, checked by execution; the two ways to the dependences agree."""
    answer = prove(scop, tree)
    assert prove(scop, tree, dependences(scop)).answer == answer.answer
    if answer.answer == "yes":
        assert not list(violations(scop, tree, sizes))
    else:
        w = answer.witness
        assert w is not None
        run = kernels.events(scop.kernel, dict(w.sizes))
        by_name = {(e.name, e.values): e for e in run}
        source = by_name[w.source.statement, tuple(v for _, v in w.source.values)]
        sink = by_name[w.sink.statement, tuple(v for _, v in w.sink.values)]
        assert (source, sink) in kernels.conflicts(run)
        assert list(violations(scop, tree, dict(w.sizes)))
    return answer


@pytest.mark.parametrize("name", kernels.TEXTS)
def test_the_original_order_is_legal(name: str) -> None:
    scop = scop_of(name)
    assert check(scop, scop.tree, kernels.SIZES[name])
    assert check(scop, annotate(scop, scop.tree, dependences(scop)), kernels.SIZES[name])


def bands_as(tree: Domain, change: dict[str, object]) -> Domain:
    def visit(node: Node) -> Node:
        if not isinstance(node, Band):
            return node
        return replace(node, members=tuple(replace(m, **change) for m in node.members))

    return replace(tree, child=map_tree(tree.child, visit))


@pytest.mark.parametrize("name", kernels.TEXTS)
def test_parallel_everywhere_is_not(name: str) -> None:
    scop = scop_of(name)
    answer = check(scop, bands_as(scop.tree, {"kind": "parallel"}), kernels.SIZES[name])
    assert answer.answer == "no"
    assert "parallel loop carries" in answer.text


@pytest.mark.parametrize("name", [n for n in kernels.TEXTS if n not in ("seidel",)])
def test_children_backwards_are_not(name: str) -> None:
    scop = scop_of(name)

    def backwards(node: Node) -> Node:
        return Sequence(node.children[::-1]) if isinstance(node, Sequence) else node

    answer = check(scop, replace(scop.tree, child=map_tree(scop.tree.child, backwards)), kernels.SIZES[name])
    assert answer.answer == "no"
    assert "runs backwards" in answer.text


def skewed(scop: Scop, rows: list[list[int]], shift: int, tile: int, permutable: bool, parallel: int) -> Domain:
    """One band over jacobi's statements with rows a*t + b*i (+ shift for S1), tiled if `tile`."""
    members: list[Member] = []
    for k, (a, b) in enumerate(rows):
        forms = {}
        for name, statement in scop.statements.items():
            t, i = statement.iterators
            forms[name] = Affine({t: a, i: b}, shift if name == "S1" and k == len(rows) - 1 else 0)
        members.append(Member(forms, kind="parallel" if k == parallel else "serial"))
    child: Node = Sequence(_filters(scop))
    band = Band(tuple(members), permutable, child)
    if tile:
        band = Band(tuple(replace(m, tile=tile) for m in members), permutable, band)
    return Domain(tuple(scop.statements), band)


def _filters(scop: Scop) -> tuple:
    original = paths(scop.tree)
    sequence = next(s.node for s in original["S0"] if isinstance(s.node, Sequence))
    return tuple(replace(f, child=Leaf()) for f in sequence.children)


@settings(max_examples=60)
@given(
    rows=st.lists(st.lists(st.integers(-1, 2), min_size=2, max_size=2), min_size=2, max_size=2),
    shift=st.integers(0, 2),
    tile=st.sampled_from([0, 2, 3]),
    permutable=st.booleans(),
    parallel=st.integers(-1, 1),
)
def test_skewed_and_tiled_bands(rows: list[list[int]], shift: int, tile: int, permutable: bool, parallel: int) -> None:
    scop = scop_of("jacobi")
    check(scop, skewed(scop, rows, shift, tile, permutable, parallel), kernels.SIZES["jacobi"])


def test_the_classical_skew_is_legal() -> None:
    scop = scop_of("jacobi")
    for tile in (0, 4, 32):
        assert check(scop, skewed(scop, [[1, 0], [2, 1]], 1, tile, True, -1), kernels.SIZES["jacobi"])


def test_vector_loops_may_carry_reductions_of_one_address() -> None:
    scop = scop_of("matmul")
    k = scop.statements["S1"].iterators[2]

    def kinds(node: Node) -> Node:
        if isinstance(node, Band) and "S0" not in node.members[0].rows:
            return replace(node, members=tuple(replace(m, kind="vector") for m in node.members))
        return node

    tree = replace(scop.tree, child=map_tree(scop.tree.child, kinds))
    assert k in next(iter(paths(tree)["S1"][-1].node.members[0].rows.values())).terms
    assert prove(scop, tree)
    assert not prove(scop, bands_as(scop.tree, {"kind": "parallel"}))


def test_a_tree_that_loses_a_statement_is_not() -> None:
    scop = scop_of("matmul")
    tree = Domain(("S0",), scop.tree.child)
    assert prove(scop, replace(tree, child=Leaf())).answer == "no"


def test_out_of_budget_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legality_module, "BUDGET", 20)
    scop = scop_of("lu")
    answer = prove(scop, scop.tree)
    assert answer.answer == "unknown"
    assert not answer
    assert isl.is_empty(isl.parse_set("{ A[i] : i < 0 <= i }"))


def test_the_text_has_the_instances() -> None:
    scop = scop_of("matmul")
    assert prove(scop, bands_as(scop.tree, {"kind": "parallel"})).text == (
        "legal: no (a parallel loop carries a dependence: dimension 0 of a band (k))\n"
        "  anti S1[i=0, j=0, k=0] -> S1[i=0, j=0, k=1] at C[0, 0] (with M = 1, N = 1, K = 2)"
    )


@pytest.mark.parametrize("strategy", ["original", "auto", "pluto"])
def test_distances_of_stencils_need_no_sets(strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state = pipeline.start(NESTS["jacobi_2d"].lower(), resolve_strategy(strategy), resolve_target())
    pipeline.run(state, pipeline.SCHEDULE)
    pipeline.run(state, [p for p in pipeline.MAP if p[0] == "map-cpu"])
    dependences_known = prove(state.scop, state.tree, dependences(state.scop))
    monkeypatch.setattr(legality_module, "_Check", _Unasked)
    assert prove(state.scop, state.tree).answer == dependences_known.answer == "yes"


class _Unasked:
    """Says that what it is asked is violated."""

    def __init__(self, model: object, tree: Domain, relax: bool) -> None:
        self.paths = paths(tree)

    def run(self, dependence: object) -> tuple[str, None]:
        return f"{dependence} was not decided by its distances", None
