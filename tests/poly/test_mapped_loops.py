"""What the mapping makes of typical nests: the loops, where they run, and that they still compute the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from akg import ops, te
from akg.base.target import Target, resolve_target
from akg.driver import pipeline
from akg.driver.pipeline import Compilation
from akg.ir import stmt
from akg.ir.interp import interpret
from akg.ir.lower import lower_te
from akg.ir.text import parse_kernel
from akg.ir.verify import verify
from akg.poly.price import rows_in_cache
from akg.poly.register_tile import Space, inner_product_tile, outer_product_tile
from akg.poly.strategy import resolve_strategy
from akg.poly.tree import bands
from bench import kernels as library
from tests.helpers import assert_close, copy_args, fresh_args, terms_of, written
from tests.programs import SAMPLES
from tests.programs.samples import kernel_arguments

WIDE = Target("wide", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, cores=2)
NARROW = Target("narrow", "llvm", "x86_64", "x86-64-v3", frozenset({"avx2"}), 256, 16, cores=2)


TINY = replace(WIDE, l1_bytes=1024, l2_bytes=128)  # skewed tiles of 8 x 16
SMALL = Target("small", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, l2_bytes=1024, cores=2)


def mapped(kernel: stmt.Kernel, strategy: Any = "auto", target: Target = WIDE) -> Compilation:
    state = pipeline.start(kernel, resolve_strategy(strategy), target)
    pipeline.run(state, pipeline.SCHEDULE, check=True)
    return pipeline.run(state, pipeline.MAP, check=True)


def lowered(definition: Any) -> stmt.Kernel:
    outputs, inputs = definition
    return lower_te(outputs, inputs)


def loops(state: Compilation, kind: str) -> list[stmt.For]:
    assert state.result is not None
    return [s for s in stmt.walk(state.result.body) if isinstance(s, stmt.For) and s.kind == kind]


def allocations(state: Compilation) -> dict[str, stmt.Alloc]:
    assert state.result is not None
    return {s.buffer.name: s for s in stmt.walk(state.result.body) if isinstance(s, stmt.Alloc)}


def check_same(kernel: stmt.Kernel, state: Compilation, sizes: dict[str, int] | None = None) -> None:
    """The mapped loops give what the kernel as written gives, also with parallel iterations in another order."""
    assert state.result is not None
    args = fresh_args(kernel, sizes, 1)
    want = copy_args(args)
    interpret(kernel, *want)
    for order in ("forward", "shuffle"):
        got = copy_args(args)
        interpret(state.result, *got, order=order, seed=2)
        for name, value in written(kernel, got).items():
            assert_close(value, written(kernel, want)[name], value.dtype.name, terms_of(kernel, sizes or {}), name)


def test_a_product_keeps_its_tile_in_registers() -> None:
    kernel = lowered(library.matmul(m=64, n=128, k=5))
    state = mapped(kernel)
    tiles = [a.buffer for a in allocations(state).values() if a.buffer.scope == "register"]
    assert len(tiles) == 1
    rows, lanes = tiles[0].const_shape or (0, 0)
    assert lanes % 16 == 0
    assert rows * lanes // 16 + lanes // 16 + 1 <= WIDE.vector_registers
    assert len(loops(state, "parallel")) == 1
    assert not any(s.buffer.scope == "global" and s.reduction for s in _stores(state)), "updates touch registers only"
    check_same(kernel, state)


def _stores(state: Compilation) -> list[stmt.Store]:
    assert state.result is not None
    return [s for s in stmt.walk(state.result.body) if isinstance(s, stmt.Store)]


@pytest.mark.parametrize("layout", ["nn", "nt", "tn", "tt"])
@pytest.mark.parametrize("target", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("size", [(7, 33, 5), (16, 64, 8), (21, 50, 3)])
def test_products_of_all_layouts(layout: str, target: Target, size: tuple[int, int, int]) -> None:
    m, n, k = size
    kernel = lowered(library.matmul(layout, m=m, n=n, k=k))
    check_same(kernel, mapped(kernel, target=target))


@pytest.mark.parametrize("layout", ["nn", "tn", "tt"])
@pytest.mark.parametrize("size", [(61, 50, 300), (8, 64, 256), (3, 17, 129)])
def test_long_products_take_their_reduction_in_blocks(layout: str, size: tuple[int, int, int]) -> None:
    m, n, k = size
    kernel = lowered(library.matmul(layout, m=m, n=n, k=k))
    state = mapped(kernel, target=SMALL)
    block = 100 if k == 300 else 128  # equal blocks where there are such
    assert any(f.step == block for f in loops(state, "serial"))
    check_same(kernel, state)


def test_the_product_of_two_rows_runs_its_lanes_along_the_reduction() -> None:
    state = mapped(lowered(library.matmul("nt", m=64, n=64, k=64)))
    updates = [s for s in _stores(state) if s.reduction == "sum"]
    lanes = loops(state, "vector")
    assert any(update in stmt.walk(loop.body) for update in updates for loop in lanes)
    assert loops(state, "unroll")


@pytest.mark.parametrize("sizes", [{"m": 1, "n": 1, "k": 1}, {"m": 9, "n": 70, "k": 3}, {"m": 4, "n": 64, "k": 0}])
def test_symbolic_products(sizes: dict[str, int]) -> None:
    kernel = lowered(library.symbolic_matmul())
    state = mapped(kernel)
    names = [p.name for p in kernel.params if p.role == "size"]
    values = dict(zip(names, (sizes["m"], sizes["k"], sizes["n"]), strict=True))
    check_same(kernel, state, values)
    registers = [a for a in allocations(state).values() if a.buffer.scope == "register"]
    assert len(registers) == 4, "full and partial tiles both keep their sums in registers"


def test_the_stages_of_softmax_share_the_loop_over_rows() -> None:
    kernel = lowered(library.softmax(m=6, n=40))
    state = mapped(kernel)
    (rows,) = loops(state, "parallel")
    assert all(s in stmt.walk(rows) for s in _stores(state))
    shapes = {name: a.buffer.const_shape for name, a in allocations(state).items()}
    assert shapes["power"] == (40,)
    assert shapes["peak"] == () and shapes["total"] == ()
    exponentials = next(s for s in _stores(state) if s.buffer.name == "power")
    total = next(s for s in _stores(state) if s.buffer.name == "total" and s.reduction)
    assert any(exponentials in stmt.walk(f.body) and total in stmt.walk(f.body) for f in loops(state, "vector"))
    check_same(kernel, state)


def test_column_sums_stream_rows() -> None:
    kernel = parse_kernel("""
kernel colsum(X: in float32[50, 5000], Y: out float32[5000]):
    for j in [0, 5000):
        S0: Y[j] = 0.0f32
        for k in [0, 50):
            S1 (sum): Y[j] = Y[j] + X[k, j]
""")
    state = mapped(kernel)
    update = next(s for s in _stores(state) if s.reduction == "sum")
    inner = [f for f in loops(state, "vector") if update in stmt.walk(f.body)]
    assert inner and update.buffer.scope == "register", "several rows are added for each load of the sums"


def test_long_reductions_are_shared_among_threads() -> None:
    kernel = parse_kernel("""
kernel total(X: in int32[300, 300], Y: out int32[]):
    S0: Y[] = 0i32
    for i in [0, 300):
        for j in [0, 300):
            S1 (sum): Y[] = Y[] + X[i, j]
""")
    state = mapped(kernel)
    assert len(loops(state, "parallel")) == 1
    check_same(kernel, state)
    assert not loops(mapped(kernel, {"parallel": False}), "parallel")


def test_transposition_runs_in_blocks() -> None:
    kernel = parse_kernel("""
kernel turn(X: in float32[70, 100], Y: out float32[100, 70]):
    for i in [0, 100):
        for j in [0, 70):
            S0: Y[i, j] = X[j, i]
""")
    state = mapped(kernel)
    outer, inner = loops(state, "vector")
    assert outer.body is inner and {f.step for f in loops(state, "parallel") + loops(state, "serial")} == {64}
    check_same(kernel, state)


def test_options_are_obeyed() -> None:
    kernel = lowered(library.matmul(m=32, n=32, k=32))
    assert not loops(mapped(kernel, {"vectorize": False}), "vector")
    assert not loops(mapped(kernel, {"parallel": False}), "parallel")
    assert not [a for a in allocations(mapped(kernel, {"tile": False})).values() if a.buffer.shape]
    softmax = lowered(library.softmax(m=8, n=16))
    assert len(loops(mapped(softmax, {"fusion": "none"}), "parallel")) > 1


def test_tiles_fit_the_register_file_and_prefer_no_remainder() -> None:
    for rows, lanes in ((512, 512), (777, 777), (1 << 30, 1 << 30), (6, 48), (1, 100), (64, 56)):
        for registers, width in ((32, 16), (16, 8), (32, 4)):
            outer = outer_product_tile(Space(rows, lanes, width), registers, WIDE.core)
            r, w = outer.rows, outer.columns
            vectors = -(-w // width)
            assert 1 <= r <= rows and 1 <= w <= lanes
            assert r * vectors + vectors + 1 <= registers
            inner = inner_product_tile(rows, lanes, registers, WIDE.core)
            a, b = inner.rows, inner.columns
            assert a * b + min(a, b) + 1 <= registers or b == 1
    outer = outer_product_tile(Space(512, 512, 16), 32, WIDE.core)
    assert 512 % outer.rows == 0 and 512 % outer.columns == 0


def test_host_target_maps_what_the_host_can_do() -> None:
    host = resolve_target("cpu")
    kernel = lowered(library.layer_norm(m=5, n=37))
    state = mapped(kernel, target=host)
    assert state.result is not None
    verify(state.result, after="mapping")
    check_same(kernel, state)


def test_private_windows_do_not_overlap() -> None:
    """A temporary that one iteration writes for the next keeps its whole extent."""
    kernel = parse_kernel("""
kernel carry(X: in float64[20], Y: out float64[20]):
    alloc T: float64[21] global
    S0: T[0] = 1.0f64
    for i in [0, 20):
        S1: T[i + 1] = T[i] * 0.5f64 + X[i]
        S2: Y[i] = T[i + 1]
""")
    state = mapped(kernel)
    assert allocations(state)["T"].buffer.const_shape == (21,)
    check_same(kernel, state)


@pytest.mark.parametrize("name", ["jacobi_2d", "seidel_2d", "lu", "floyd_warshall"])
def test_wavefronts(name: str) -> None:
    """Tiles of a band without a parallel loop run in wavefronts; sizes make several tiles in each dimension."""
    sample = SAMPLES[name]
    kernel = sample.script.lower()
    state = mapped(kernel, "pluto", TINY)
    assert any(m.skew for band in bands(state.tree.child) for m in band.members), "a wavefront"
    assert state.result is not None
    given = kernel_arguments(sample.script, sample.inputs(70))
    want = copy_args(given)
    interpret(kernel, *want)
    got = copy_args(given)
    interpret(state.result, *got, order="shuffle", seed=3)
    for key, value in written(kernel, got).items():
        assert_close(value, written(kernel, want)[key], "float64", 1000, key)


def test_rows_a_page_apart_are_few() -> None:
    assert rows_in_cache(4) == 512 and rows_in_cache(1024) == 32 and rows_in_cache(3 * 4096) == 8
    far = outer_product_tile(Space(61, 1024, 16, capacity=rows_in_cache(4096)), 32, WIDE.core)
    assert far.rows < outer_product_tile(Space(61, 1024, 16), 32, WIDE.core).rows


@pytest.mark.parametrize("k", [1024, 1040])
def test_broadcasts_from_rows_a_page_apart(k: int) -> None:
    """16 rows of W in one set of the first-level cache evict one another."""
    x, y = te.placeholder((16, k), "float32", name="A"), te.placeholder((1024, k), "float32", name="B")
    state = mapped(lowered(([ops.matmul(x, y, transpose_b=True)], [x, y])), target=replace(WIDE, l2_bytes=1 << 20))
    streams = [line for line in state.decisions.lines if "lanes along i0" in line and "i1:" in line]
    assert bool(streams) == (k % 1024 != 0)


@pytest.mark.parametrize(("k", "lanes"), [(64, "i1"), (1024, "i0")])
def test_what_is_turned_is_the_lesser(k: int, lanes: str) -> None:
    """All 64 rows are lanes of one tile where turning the sums costs less than turning W."""
    x, y = te.placeholder((64, k), "float32", name="A"), te.placeholder((512, k), "float32", name="B")
    state = mapped(lowered(([ops.matmul(x, y, transpose_b=True)], [x, y])), target=replace(WIDE, l2_bytes=1 << 20))
    assert any(f"lanes along {lanes}" in line for line in state.decisions.lines)
