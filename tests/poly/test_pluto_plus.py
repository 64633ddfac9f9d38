# ruff: noqa: B007, F821  (shapes and dtypes are strings inside annotations)
"""Negative coefficients and shifts by sizes: programs that need them (Acharya and Bondhugula 2015)."""

import pytest

from akg.ir.script import In, Script, Size, Tensor, script
from akg.poly.dependence import annotate, dependences
from akg.poly.legality import prove
from akg.poly.rewrite.expand import expand_temporaries
from akg.poly.schedule.scheduler import schedule
from akg.poly.scop import Scop, extract_scop
from akg.poly.strategy import resolve_strategy
from akg.poly.tree import Domain, bands, tree_text
from tests.poly.test_isl_ast import kernel_of, tiled
from tests.poly.test_scheduler import executed, rows


@script
def reverse(A: In["n", "float64"], B: Tensor["n", "float64"], C: Tensor["n", "float64"]):
    """Two nests, the second backwards: one parallel loop if one of them is reversed and shifted."""
    n = A.shape[0]
    for i in range(n):
        B[i] = 2.0 * A[i]
    for i in range(n):
        C[i] = 3.0 * B[n - 1 - i]


@script
def diagonal(A: Tensor["n", "m", "float64"]):
    """Parallel along the diagonals j - i."""
    n, m = A.shape
    for i in range(1, n):
        for j in range(1, m):
            A[i, j] = A[i - 1, j - 1] + 1.0


@script
def streams(F: Tensor["t", "n", "float64"], G: Tensor["t", "n", "float64"]):
    """As in the lattice-Boltzmann method: particles that move right meet those that move left, each array in its own
    direction.
    """
    steps, n = F.shape
    for t in range(1, steps):
        for i in range(1, n):
            F[t, i] = 0.9 * F[t - 1, i - 1] + 0.1 * G[t - 1, n - i]
        for i in range(1, n):
            G[t, i] = 0.9 * G[t - 1, i - 1] + 0.1 * F[t - 1, n - i]


@script
def ring(L: Tensor["t", "h", "float64"], R: Tensor["t", "h", "float64"]):
    """A stencil on a ring, cut in halves: one of them must run backwards to be near the other at both ends."""
    steps, h = L.shape
    for t in range(1, steps):
        L[t, 0] = L[t - 1, 0] + L[t - 1, 1] + R[t - 1, h - 1]
        for i in range(1, h - 1):
            L[t, i] = L[t - 1, i - 1] + L[t - 1, i] + L[t - 1, i + 1]
        L[t, h - 1] = L[t - 1, h - 2] + L[t - 1, h - 1] + R[t - 1, 0]
        R[t, 0] = L[t - 1, h - 1] + R[t - 1, 0] + R[t - 1, 1]
        for i in range(1, h - 1):
            R[t, i] = R[t - 1, i - 1] + R[t - 1, i] + R[t - 1, i + 1]
        R[t, h - 1] = R[t - 1, h - 2] + R[t - 1, h - 1] + L[t - 1, 0]


@script
def swap(A: Tensor["n", "float64"], B: Tensor["n", "float64"], steps: Size):
    """Back and forth through a reversal: no reversal of loops helps, as both directions wait."""
    n = A.shape[0]
    for t in range(steps):
        for i in range(n):
            B[i] = A[n - 1 - i] * 0.5
        for i in range(n):
            A[i] = B[i] + 1.0


KERNELS: dict[str, Script] = {s.name: s for s in (reverse, diagonal, streams, ring, swap)}
SIZES = {"n": 9, "m": 7, "t": 5, "h": 8, "steps": 3}


def scheduled(name: str, strategy: str = "pluto+") -> tuple[Scop, Domain]:
    scop = extract_scop(expand_temporaries(KERNELS[name].lower()))
    found = dependences(scop)
    notes: list[str] = []
    tree = schedule(scop, found, resolve_strategy(strategy).plan, notes.append)
    assert notes == []
    return scop, annotate(scop, tree, found)


def depth(tree: Domain) -> int:
    """Loops of the deepest permutable band."""
    return max(len(b.members) for b in bands(tree.child) if b.permutable)


def test_reversal_fuses() -> None:
    _, tree = scheduled("reverse")
    assert rows(tree, "S0") == ["i + 1 P"]
    assert rows(tree, "S1") == ["-i_1 + n P"]
    assert tree_text(scheduled("reverse", "pluto")[1]).count("band") == 2


def test_diagonals_are_parallel() -> None:
    assert rows(scheduled("diagonal")[1], "S0") == ["-i + j P", "i"]
    assert "coincident" not in tree_text(scheduled("diagonal", "pluto")[1])


@pytest.mark.parametrize("name", ["streams", "ring"])
def test_time_is_tilable(name: str) -> None:
    assert depth(scheduled(name)[1]) == 2
    assert depth(scheduled(name, "pluto")[1]) == 1


@pytest.mark.parametrize("name", KERNELS)
def test_executed(name: str) -> None:
    scop, tree = scheduled(name)
    trees = [tree, tiled(tree, 3)]
    for one in trees:
        answer = prove(scop, one)
        assert answer, answer.text
    kernel = scop.kernel
    names = [p.name for p in kernel.params if p.role == "size"]
    sizes = {n: SIZES[n] for n in names}
    executed(kernel, [kernel_of(scop, t) for t in trees], sizes, 1)
