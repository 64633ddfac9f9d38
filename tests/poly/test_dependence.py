"""Dependences against plain execution, and the marks of bands."""

import pytest

from akg.ir.text import parse_kernel
from akg.poly import isl
from akg.poly.access_check import flow_dependences
from akg.poly.dependence import annotate, carried, dependences, reduction_coincident
from akg.poly.domain import model_of
from akg.poly.scop import Scop, extract_scop
from akg.poly.tree import Band, bands
from tests.poly import kernels

Pair = tuple[str, tuple[int, ...], str, tuple[int, ...]]


def computed(scop: Scop, found: list, sizes: dict[str, int]) -> set[Pair]:
    """The instance pairs of some dependences at concrete sizes."""
    model = model_of(scop)
    values = {k: sizes[v.name] for v, k in model.sizes.items()}
    result: set[Pair] = set()
    for d in found:
        split = len(scop.statements[d.source].loops)
        for point in isl.points(isl.fix_params(model.concrete(d.wrapped), values)):
            result.add((d.source, tuple(point[:split]), d.sink, tuple(point[split:])))
    return result


@pytest.mark.parametrize("name", kernels.TEXTS)
def test_dependences_are_those_of_execution(name: str) -> None:
    scop, sizes = extract_scop(kernels.kernel(name)), kernels.SIZES[name]
    run = kernels.events(scop.kernel, sizes)
    want = {(a.name, a.values, b.name, b.values) for a, b in kernels.conflicts(run)}
    assert computed(scop, dependences(scop), sizes) == want


@pytest.mark.parametrize("name", kernels.TEXTS)
def test_value_based_flow_is_the_last_write(name: str) -> None:
    scop, sizes = extract_scop(kernels.kernel(name)), kernels.SIZES[name]
    last: dict[tuple, kernels.Event] = {}
    want: set[Pair] = set()
    for event in kernels.events(scop.kernel, sizes):
        sources = [last[element] for element in event.reads if element in last]
        want.update((s.name, s.values, event.name, event.values) for s in sources)
        last[event.write] = event
    assert computed(scop, list(flow_dependences(scop)), sizes) == want


def test_large_constants_are_symbolic_unless_they_multiply() -> None:
    text = """
kernel k(A: inout float32[%s], B: in float32[1000]):
    for i in [0, 999):
        for j in [0, 64):
            S0: A[%s] = A[%s] + B[i + 1]
"""
    scop = extract_scop(parse_kernel((text % ("1000, 64", "i + 1, j", "i, j")).strip() + "\n"))
    model = model_of(scop)
    assert sorted(model.values.values()) == [64, 999]
    assert len(dependences(scop)) == 1
    flat = extract_scop(parse_kernel((text % ("64000", "i * 64 + j + 64", "i * 64 + j")).strip() + "\n"))
    assert not model_of(flat).values
    assert [d.level for d in dependences(flat)] == [0]


def test_marks_of_bands() -> None:
    scop = extract_scop(kernels.kernel("matmul"))
    found = dependences(scop)
    tree = annotate(scop, scop.tree, found)
    outer, inner = bands(tree.child)
    assert [m.coincident for m in outer.members] == [True, True]
    assert outer.permutable
    assert [m.coincident for m in inner.members] == [False]
    assert reduction_coincident(scop, tree, found, inner, 0)
    assert [d.sink for d in carried(scop, tree, found, inner, 0)] == ["S1"]


def test_a_band_is_split_where_it_is_not_permutable() -> None:
    scop = extract_scop(kernels.kernel("seidel"))
    found = dependences(scop)
    tree = annotate(scop, scop.tree, found)
    assert [len(b.members) for b in bands(tree.child)] == [1, 1, 1]
    assert not any(reduction_coincident(scop, tree, found, b, 0) for b in bands(tree.child))
    assert isinstance(tree.child, Band)


def test_only_true_accumulations_are_reductions() -> None:
    text = """
kernel k(A: inout float32[n], n: size):
    for i in [0, n):
        S0 (sum): A[0] = A[0] + A[i]
"""
    scop = extract_scop(parse_kernel(text.strip() + "\n"))
    marks = {(d.kind, d.is_reduction) for d in dependences(scop)}
    assert ("flow", True) in marks
    assert any(not reduction for _, reduction in marks), "A[i] is A[0] in one instance"


def test_data_dependent_subscripts_may_be_any() -> None:
    text = """
kernel k(A: inout float32[n], P: in int64[n], n: size):
    for i in [0, n):
        S0: A[P[i]] = 1.0f32
"""
    scop = extract_scop(parse_kernel(text.strip() + "\n"))
    assert [(d.kind, d.source, d.sink) for d in dependences(scop)] == [("output", "S0", "S0")]
