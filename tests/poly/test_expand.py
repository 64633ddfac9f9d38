"""Temporaries of iterations become arrays, so that only values order the loops."""

import pytest

from akg.ir.interp import interpret
from akg.ir.stmt import Kernel
from akg.ir.text import parse_kernel, to_text
from akg.ir.verify import verify
from akg.poly.access_check import check_accesses, check_initialised
from akg.poly.astgen.isl_ast import generate_with_isl
from akg.poly.dependence import annotate, dependences
from akg.poly.legality import prove
from akg.poly.loops.contract import declare_temporaries
from akg.poly.rewrite.expand import expand_temporaries
from akg.poly.schedule.isl_scheduler import schedule_isl
from akg.poly.scop import extract_scop
from akg.poly.tree import bands
from tests.helpers import assert_close, copy_args, fresh_args, written

ROWS = """
kernel rows(A: in float64[m, n], B: out float64[m], m: size, n: size):
    for i in [0, m):
        alloc s: float64[] local
        S0: s[] = 0.0f64
        for j in [0, n):
            S1 (sum): s[] = s[] + A[i, j]
        S2: B[i] = s[]
"""
TRIANGLE = """
kernel triangle(A: in float64[n, n], B: out float64[n, n], n: size):
    for i in [1, n):
        for j in [i - 1, n):
            alloc t: float64[2] local
            S0: t[0] = A[i, j]
            S1: t[1] = A[j, i] + t[0]
            S2: B[i, j] = t[0] * t[1]
"""


def kernel(text: str) -> Kernel:
    return parse_kernel(text.strip() + "\n")


def test_the_text() -> None:
    assert to_text(expand_temporaries(kernel(ROWS))).strip() == (
        "kernel rows(A: in float64[m, n], B: out float64[m], m: size, n: size):\n"
        "    alloc s: float64[m] global\n"
        "    for i in [0, m):\n"
        "        S0: s[i] = 0.0f64\n"
        "        for j in [0, n):\n"
        "            S1 (sum): s[i] = s[i] + A[i, j]\n"
        "        S2: B[i] = s[i]"
    )


def test_nothing_to_expand_is_the_same_object() -> None:
    source = kernel("kernel k(A: inout float64[n], n: size):\n    for i in [0, n):\n        S0: A[i] = 1.0f64")
    assert expand_temporaries(source) is source


@pytest.mark.parametrize("text", [ROWS, TRIANGLE])
def test_the_outer_loop_becomes_parallel(text: str) -> None:
    source = kernel(text)
    for original, coincident in ((source, False), (expand_temporaries(source), True)):
        scop = extract_scop(original)
        tree = annotate(scop, scop.tree, dependences(scop))
        assert next(bands(tree.child)).members[0].coincident is coincident


@pytest.mark.parametrize("text", [ROWS, TRIANGLE])
def test_the_values_stay(text: str) -> None:
    source = kernel(text)
    expanded = expand_temporaries(source)
    verify(expanded)
    scop = extract_scop(expanded)
    assert check_accesses(scop) == []
    assert check_initialised(scop) == []
    tree = schedule_isl(scop, dependences(scop))
    assert prove(scop, tree)
    body = declare_temporaries(generate_with_isl(scop, tree), scop.temporaries)
    generated = Kernel(source.name, source.params, body)
    for sizes in ({"m": 3, "n": 5}, {"m": 1, "n": 1}, {"m": 0, "n": 0}):
        args = fresh_args(source, sizes)
        want = copy_args(args)
        interpret(source, *want)
        for other in (expanded, generated):
            got = copy_args(args)
            interpret(other, *got)
            assert_close(written(source, got)["B"], written(source, want)["B"], terms=8)


def test_bounds_on_data_keep_the_temporary() -> None:
    source = kernel("""
kernel k(P: in int64[n], B: out float64[n], n: size):
    for i in [0, n):
        for j in [0, index(P[i])):
            alloc s: float64[] local
            S0: s[] = 1.0f64
            S1: B[i] = s[]
""")
    assert expand_temporaries(source) is source
