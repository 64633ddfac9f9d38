"""isl's scheduler as a strategy."""

import numpy as np
import pytest

from akg.base.errors import InternalError
from akg.ir.interp import interpret
from akg.ir.lower import lower_te
from akg.ir.stmt import Kernel
from akg.ir.text import parse_kernel
from akg.poly import isl
from akg.poly.dependence import annotate, dependences
from akg.poly.legality import prove
from akg.poly.schedule.isl_scheduler import schedule_isl
from akg.poly.scop import extract_scop
from akg.poly.tree import bands, paths, tree_text
from tests.helpers import assert_close, copy_args, fresh_args, terms_of, written
from tests.poly import kernels
from tests.poly.test_dependence import computed
from tests.poly.test_isl_ast import kernel_of, tiled
from tests.strategies import random_script, random_te


def test_matmul_is_one_band() -> None:
    scop = extract_scop(kernels.kernel("matmul"))
    assert tree_text(schedule_isl(scop, dependences(scop))) == (
        "domain: S0, S1\n"
        "  band (permutable):\n"
        "    S0, S1 -> i  [coincident]\n"
        "    S0, S1 -> j  [coincident]\n"
        "    S0 -> 0; S1 -> k\n"
        "    sequence:\n"
        "      filter: S0\n"
        "      filter: S1"
    )


def test_shifts_by_large_constants_are_numbers() -> None:
    text = """
kernel k(A: in float64[1000], B: out float64[1000], C: out float64[1000]):
    for i in [0, 1000):
        S0: B[i] = A[i]
    for j in [0, 1000):
        S1: C[j] = B[999 - j]
"""
    scop = extract_scop(parse_kernel(text.strip() + "\n"))
    tree = schedule_isl(scop, dependences(scop))
    assert prove(scop, tree)
    for band in bands(tree.child):
        for member in band.members:
            assert all(v.name in ("i", "j") for row in member.rows.values() for v in row.terms)


def test_a_statement_without_instances_stays_in_the_tree() -> None:
    text = """
kernel k(A: inout float64[n], n: size):
    for i in [0, n):
        S0: A[i] = 1.0f64
    for j in [n, n):
        S1: A[j] = 2.0f64
"""
    scop = extract_scop(parse_kernel(text.strip() + "\n"))
    assert set(paths(schedule_isl(scop, dependences(scop)))) == {"S0", "S1"}


def test_options() -> None:
    scop = extract_scop(kernels.kernel("softmax"))
    found = dependences(scop)
    fused, split = (schedule_isl(scop, found, {"serialize_sccs": k}) for k in (0, 1))
    assert len(list(bands(split.child))) > len(list(bands(fused.child)))
    assert prove(scop, split)
    with pytest.raises(InternalError, match="no option"):
        schedule_isl(scop, found, {"fastness": 1})


def test_out_of_budget() -> None:
    scop = extract_scop(kernels.kernel("seidel"))
    found = dependences(scop)
    with pytest.raises(isl.Unknown):
        schedule_isl(scop, found, operations=100)
    assert schedule_isl(scop, found)


def through(source: Kernel, sizes: dict[str, int], seed: int) -> None:
    """Schedule, prove, tile, generate, run, compare."""
    scop = extract_scop(source)
    found = dependences(scop)
    trees = [annotate(scop, scop.tree, found), schedule_isl(scop, found)]
    args = fresh_args(source, sizes, seed)
    want = copy_args(args)
    interpret(source, *want)
    for tree in [*trees, tiled(trees[1], 3)]:
        answer = prove(scop, tree)
        assert answer, answer.text
        generated, got = kernel_of(scop, tree), copy_args(args)
        interpret(generated, *got, order="shuffle", seed=seed)
        for name, array in written(source, want).items():
            assert_close(written(generated, got)[name], array, terms=terms_of(source, sizes), what=name)


@pytest.mark.parametrize("seed", range(12))
def test_random_nests(seed: int) -> None:
    program = random_script(np.random.default_rng(1000 + seed))
    through(program.kernel, program.sizes, seed)
    run = kernels.events(program.kernel, program.sizes)
    if len(run) < 300:
        scop = extract_scop(program.kernel)
        want = {(a.name, a.values, b.name, b.values) for a, b in kernels.conflicts(run)}
        assert computed(scop, dependences(scop), program.sizes) == want


@pytest.mark.parametrize("seed", range(6))
def test_random_definitions(seed: int) -> None:
    program = random_te(np.random.default_rng(2000 + seed))
    through(lower_te(program.outputs, program.inputs, "k"), program.sizes, seed)
