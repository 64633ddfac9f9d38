"""What `explain` says, in full."""

from akg.poly.dependence import dependences
from akg.poly.explain import explain
from akg.poly.scop import extract_scop
from tests.poly import kernels


def test_jacobi() -> None:
    scop = extract_scop(kernels.kernel("jacobi"))
    assert explain(scop, scop.tree, dependences(scop)) == (
        "jacobi: 2 statements\n"
        "  loop t: in order, carries\n"
        "      flow S1[t=0, j=1] -> S0[t=1, i=2] at A[1] (with T = 2, N = 4)\n"
        "      output S1[t=0, j=1] -> S1[t=1, j=1] at A[1] (with T = 2, N = 3)\n"
        "      anti S0[t=0, i=2] -> S1[t=1, j=1] at A[1] (with T = 2, N = 4)\n"
        "      and 11 more\n"
        "    loop i: may run in parallel, runs in order\n"
        "      S0\n"
        "    loop j: may run in parallel, runs in order\n"
        "      S1"
    )


def test_reductions_are_named() -> None:
    scop = extract_scop(kernels.kernel("matmul"))
    text = explain(scop, scop.tree, dependences(scop))
    assert "loop k: in order, carries only the reduction S1" in text
