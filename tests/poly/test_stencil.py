"""Diamond and skewed tiles: the hyperplanes of Pluto's publications, and tiles cut by every border."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from akg.base.target import Target
from akg.driver import pipeline
from akg.driver.pipeline import Compilation
from akg.ir.interp import interpret
from akg.ir.script import In, Script, Size, Tensor, script, zeros
from akg.ir.stmt import For, walk
from akg.ir.text import parse_kernel
from akg.poly.legality import prove
from akg.poly.strategy import resolve_strategy
from akg.poly.tree import Band, bands
from tests.helpers import assert_close, copy_args, written
from tests.poly.kernels import arguments, number
from tests.poly.nests import NESTS

# ruff: noqa: F821, UP037  (shapes and dtypes are strings inside annotations)

WIDE = Target("wide", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, cores=2)
TINY = replace(WIDE, l1_bytes=1024, l2_bytes=128)  # diamonds 8 wide, rows of 16


@script
def seidel_2d(A: Tensor["n", "n", "float64"], steps: Size):
    n = A.shape[0]
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                A[i, j] = (A[i - 1, j] + A[i, j - 1] + A[i, j] + A[i, j + 1] + A[i + 1, j]) * 0.2


@script
def upwind(A: Tensor["n", "float64"], B: Tensor["n", "float64"], steps: Size):
    """Looks to one side only, two elements far."""
    n = A.shape[0]
    for _ in range(steps):
        for i in range(2, n):
            B[i] = 0.5 * A[i - 2] + 0.25 * A[i - 1] + 0.25 * A[i]
        for i in range(2, n):
            A[i] = B[i]


@script
def lopsided(A: Tensor["n", "m", "float64"], B: Tensor["n", "m", "float64"], steps: Size):
    """One neighbour above, two below; three statements a step."""
    n, m = A.shape
    for _ in range(steps):
        for j in range(m):
            A[0, j] = A[0, j] * 0.5
        for i in range(1, n - 2):
            for j in range(1, m):
                B[i, j] = 0.25 * (A[i - 1, j] + A[i + 1, j] + A[i + 2, j] + A[i, j - 1])
        for i in range(1, n - 2):
            for j in range(1, m):
                A[i, j] = A[i, j] + 0.5 * (B[i, j] - A[i, j])


@script
def two_levels(A: Tensor["t", "n", "float64"]):
    """Time as a dimension of the array: each level from the one before."""
    steps, n = A.shape
    for t in range(1, steps):
        for i in range(1, n - 1):
            A[t, i] = 0.25 * A[t - 1, i - 1] + 0.5 * A[t - 1, i] + 0.25 * A[t - 1, i + 1]


@script
def forced(A: Tensor["n", "float64"], B: Tensor["n", "float64"], f: In["t", "float64"]):
    """A boundary value from data in every step."""
    n = A.shape[0]
    for t in range(len(f)):
        A[0] = f[t]
        for i in range(1, n - 1):
            B[i] = 0.5 * (A[i - 1] + A[i + 1])
        for i in range(1, n - 1):
            A[i] = B[i]


@script
def parity(A: Tensor[2, "n", "m", "float64"], steps: Size):
    """Two levels of time take turns."""
    n = A.shape[1]
    m = A.shape[2]
    for t in range(steps):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                A[(t + 1) % 2, i, j] = 0.25 * (
                    A[t % 2, i, j - 1] + A[t % 2, i, j + 1] + A[t % 2, i + 1, j] + A[t % 2, i - 1, j]
                )


@script
def local(A: Tensor["n", "n", "float32"]):
    """A temporary of its own, cleared before the first step, copied after each; a constant number of steps."""
    n = A.shape[0]
    B = zeros((n, n), "float32")
    for _ in range(21):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                B[i, j] = 0.25 * (A[i, j - 1] + A[i, j + 1] + A[i + 1, j] + A[i - 1, j])
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                A[i, j] = B[i, j]


def compiled(source: Script, strategy: Any, target: Target = TINY) -> Compilation:
    state = pipeline.start(source.lower(), resolve_strategy(strategy), target)
    pipeline.run(state, pipeline.SCHEDULE, check=True)
    return pipeline.run(state, pipeline.MAP, check=True)


def rows_of(source: Script, strategy: Any = "stencil") -> dict[str, list[str]]:
    """The rows of the outermost band for each statement."""
    state = pipeline.start(source.lower(), resolve_strategy(strategy), TINY)
    pipeline.run(state, pipeline.SCHEDULE)
    assert state.schedule is not None
    assert prove(state.scop, state.schedule)
    band = state.schedule.child
    assert isinstance(band, Band) and band.permutable
    return {name: [str(m.rows[name]) for m in band.members] for name in band.members[0].rows}


# What Pluto 0.13 finds by default, from its output for these kernels; names of iterators are ours.
PUBLISHED: list[tuple[Script, dict[str, list[str]]]] = [
    (NESTS["jacobi_1d"], {"S0": ["t * 2 - i", "t * 2 + i"], "S1": ["t * 2 - i_1 + 1", "t * 2 + i_1 + 1"]}),
    (
        NESTS["jacobi_2d"],
        {
            "S0": ["t * 2 - i", "t * 2 + i", "t * 2 + j"],
            "S1": ["t * 2 - i_1 + 1", "t * 2 + i_1 + 1", "t * 2 + j_1 + 1"],
        },
    ),
    (
        NESTS["heat_3d"],
        {
            "S0": ["t * 2 - i", "t * 2 + i", "t * 2 + j", "t * 2 + k"],
            "S1": ["t * 2 - i_1 + 1", "t * 2 + i_1 + 1", "t * 2 + j_1 + 1", "t * 2 + k_1 + 1"],
        },
    ),
    (seidel_2d, {"S0": ["_", "_ + i", "_ + j"]}),  # in five points t + j is enough; Pluto's 2t + i + j is for nine
]


@pytest.mark.parametrize(("source", "expected"), PUBLISHED, ids=lambda p: getattr(p, "name", ""))
def test_hyperplanes_are_those_of_pluto(source: Script, expected: dict[str, list[str]]) -> None:
    assert rows_of(source) == expected


def test_levels_that_take_turns() -> None:
    """What is overwritten two steps later allows no more than what is read in the next step."""
    assert rows_of(parity) == {"S0": ["t - i", "t + i", "t + j"]}


def test_diamonds_leave_contiguous_loops_alone() -> None:
    """Pluto's diamonds of fdtd-2d are t - j and t + j; along j lie neighbours in memory, so ours are along i.

    Rows of a tile then are as long as the tile's third dimension is.
    """
    assert rows_of(NESTS["fdtd_2d"])["S3"] == ["t_1 - i_2", "t_1 + i_2 + 1", "t_1 + j_3 + 1"]


def test_no_concurrent_start_is_reported() -> None:
    """In place, each element waits for its neighbours of the same step: no face lets tiles start at once."""
    state = compiled(seidel_2d, "stencil")
    assert any("concurrent start" in line for line in state.decisions.lines)
    assert any(m.skew for band in bands(state.tree.child) for m in band.members)


def test_all_tiles_of_a_wavefront_start_at_once() -> None:
    """The number of diamonds in a wavefront is that of the space divided by the width, from the first one on."""
    steps, n, width = 40, 64, 8
    for strategy, full in (("stencil", True), ("pluto", False)):
        state = compiled(NESTS["jacobi_1d"], strategy)
        assert state.result is not None
        waves = next(s for s in walk(state.result.body) if isinstance(s, For) and s.kind == "serial")
        tiles = next(s for s in walk(state.result.body) if isinstance(s, For) and s.kind == "parallel")
        counts = trip_counts(waves, tiles, {"steps": steps, "n": n})
        assert sum(counts) > 20
        assert (min(counts[1:-1]) >= (n - 2) // width - 1) == full, counts


def trip_counts(outer: For, inner: For, sizes: dict[str, int]) -> list[int]:
    env = dict(sizes)
    counts: list[int] = []
    for value in range(number(outer.begin, env), number(outer.end, env)):
        env[outer.var.name] = value
        counts.append(max(number(inner.end, env) - number(inner.begin, env), 0))
    return counts


CASES: list[tuple[Script, dict[str, int]]] = [
    (NESTS["jacobi_1d"], {"n": 45, "steps": 13}),
    (NESTS["jacobi_1d"], {"n": 45, "steps": 1}),
    (NESTS["jacobi_1d"], {"n": 4, "steps": 30}),
    (NESTS["jacobi_2d"], {"n": 21, "steps": 9}),
    (NESTS["jacobi_2d"], {"n": 37, "steps": 2}),
    (NESTS["jacobi_2d"], {"n": 3, "steps": 11}),
    (NESTS["heat_3d"], {"n": 11, "steps": 5}),
    (NESTS["fdtd_2d"], {"x": 19, "y": 23, "t": 11}),
    (NESTS["fdtd_2d"], {"x": 2, "y": 35, "t": 3}),
    (seidel_2d, {"n": 27, "steps": 9}),
    (upwind, {"n": 43, "steps": 17}),
    (lopsided, {"n": 23, "m": 29, "steps": 10}),
    (two_levels, {"n": 39, "t": 21}),
    (forced, {"n": 41, "t": 19}),
    (local, {"n": 33}),
    (parity, {"n": 23, "m": 27, "steps": 9}),
]


def label(value: object) -> str:
    return "-".join(f"{k}{v}" for k, v in value.items()) if isinstance(value, dict) else getattr(value, "name", "")


@pytest.mark.parametrize("strategy", ["stencil", "pluto"])
@pytest.mark.parametrize(("source", "sizes"), CASES, ids=label)
def test_tiles_compute_the_same(source: Script, sizes: dict[str, int], strategy: str) -> None:
    """Tiles of a wavefront run in any order; borders cut them on every side."""
    kernel = source.lower()
    state = compiled(source, strategy)
    assert state.result is not None and state.legality
    dtype = kernel.buffers[0].dtype.name
    given = [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in arguments(kernel, sizes, 1)]
    want = copy_args(given)
    interpret(kernel, *want)
    for order in ("forward", "shuffle"):
        got = copy_args(given)
        interpret(state.result, *got, order=order, seed=3)
        for key, value in written(kernel, got).items():
            assert_close(value, written(kernel, want)[key], value.dtype.name, 1000, key)


def test_a_temporary_does_not_hinder_diamonds() -> None:
    state = compiled(local, "stencil")
    assert not any("concurrent start" in line for line in state.decisions.lines)
    assert any(m.skew for band in bands(state.tree.child) for m in band.members)


def test_tiles_that_the_strategy_gives() -> None:
    """Diamonds in sizes of the user's, two levels of them, with the points in either order."""
    kernel = NESTS["jacobi_2d"].lower()
    given = arguments(kernel, {"n": 29, "steps": 12}, 1)
    want = copy_args(given)
    interpret(kernel, *want)
    for tile, order in (((8, 8, 12), "contiguity"), ([(16, 16, 32), (4, 4, 8)], "contiguity"), ((8, 8, 12), "none")):
        options = {"diamond": True, "tile": {"sizes": tile}, "intra_tile": order}
        state = compiled(NESTS["jacobi_2d"], {"preset": "stencil", "options": options})
        assert state.result is not None and state.legality
        got = copy_args(given)
        interpret(state.result, *got, order="shuffle", seed=4)
        for key, value in written(kernel, got).items():
            assert_close(value, written(kernel, want)[key], "float64", 1000, key)


def random_stencil(seed: int) -> str:
    """One or two dimensions, one to three statements a step, each reading a few neighbours at random offsets."""
    rng = random.Random(seed)
    in_place = seed % 4 == 0
    space, count = rng.choice((1, 1, 2)), rng.randint(1 if in_place else 2, 3)
    arrays = [f"A{k}" for k in range(count)]
    shape = ", ".join(["n"] * space)
    params = ", ".join(f"{a}: inout float64[{shape}]" for a in arrays)
    lines = [f"kernel random({params}, steps: scalar index, n: size):"]
    lines.append("    for t in [0, steps):")
    for k, array in enumerate(arrays):
        below, above = rng.randint(0, 2), rng.randint(0, 2)
        names = [f"i{k}", f"j{k}"][:space]
        for depth, name in enumerate(names):
            lines.append(f"{'    ' * (2 + depth)}for {name} in [{below}, n - {above}):")
        terms = [f"{array}[{', '.join(names)}]"]
        for _ in range(rng.randint(1, 4)):
            at = [f"{name} + {rng.randint(-below, above)}" for name in names]
            read = arrays if in_place else [a for a in arrays if a != array]
            terms.append(f"{rng.choice(read)}[{', '.join(at)}]")
        value = f"{1.0 / len(terms)!r}f64 * ({' + '.join(terms)})"
        lines.append(f"{'    ' * (2 + space)}S{k}: {array}[{', '.join(names)}] = {value}")
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(12))
def test_random_stencils(seed: int) -> None:
    text = random_stencil(seed)
    kernel = parse_kernel(text)
    state = pipeline.start(kernel, resolve_strategy("stencil"), TINY)
    pipeline.run(state, pipeline.SCHEDULE, check=True)
    pipeline.run(state, pipeline.MAP, check=True)
    assert state.result is not None and state.legality, text
    for n, steps in ((23, 9), (5, 13)):
        given = arguments(kernel, {"n": n, "steps": steps}, seed)
        want = copy_args(given)
        interpret(kernel, *want)
        got = copy_args(given)
        interpret(state.result, *got, order="shuffle", seed=seed)
        for key, value in written(kernel, got).items():
            assert_close(value, written(kernel, want)[key], "float64", 1000, f"{key} of\n{text}")
