"""Nests whose large operand passes by once: rows at a time, prefetches, shares of long sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import float32, tolerance
from akg.base.target import Target, resolve_target
from akg.ir.stmt import For, Prefetch, Stmt, walk
from akg.ir.text import parse_kernel
from akg.poly.rewrite.share_sums import share_sums

KIB, MIB = 1 << 10, 1 << 20
CPU = replace(resolve_target("cpu"), l1_bytes=32 * KIB, l2_bytes=MIB, l3_bytes=32 * MIB, cores=2)
Define = Callable[..., Any]


def loops_of(define: Define, *shapes: tuple[Any, ...], target: Target = CPU) -> Stmt:
    """The mapped loops of an operator on float32 inputs."""
    inputs = [te.placeholder(shape, "float32", name=f"x{k}") for k, shape in enumerate(shapes)]
    kernel = akg.build([define(*inputs)], inputs=inputs, target=target)
    return parse_kernel(kernel.source("loop")).body


def unrolled(body: Stmt) -> set[int]:
    return {s.const_trips or 0 for s in walk(body) if isinstance(s, For) and s.kind == "unroll"}


def prefetched(body: Stmt) -> set[str]:
    """What loops with lanes ask for."""
    lanes = [s for s in walk(body) if isinstance(s, For) and s.kind == "vector"]
    return {s.buffer.name for loop in lanes for s in walk(loop) if isinstance(s, Prefetch)}


def columns(x: Any) -> Any:
    return ops.sum(x, axis=0)


@pytest.mark.parametrize(("define", "shapes", "rows", "wanted"), [
    (ops.matmul, ((1, 4096), (4096, 4096)), 8, {"x1"}),
    (ops.matmul, ((4096, 4096), (4096, 1)), 8, {"x0"}),
    (ops.matmul, ((1, 300), (300, 300)), 8, set[str]()),  # fits the second cache
    (ops.matmul, ((64, 1, 512), (64, 512, 512)), 1, set[str]()),  # short rows from memory
    (ops.matmul, ((64, 512, 512), (64, 512, 1)), 0, set[str]()),
    (ops.matmul, ((64, 1, 100), (64, 100, 512)), 8, set[str]()),  # short rows from the last cache
    (ops.matmul, ((256, 4096), (4096, 256)), 4, set[str]()),  # everything is used again
    (columns, ((4096, 4096),), 8, {"x0"}),
    (columns, ((3001, 1111),), 8, set[str]()),  # the last cache holds it
])  # fmt: skip
def test_rows_at_a_time(define: Define, shapes: Any, rows: int, wanted: set[str]) -> None:
    body = loops_of(define, *shapes)
    assert prefetched(body) == wanted
    assert max(unrolled(body), default=0) == rows


def distances(x: te.Tensor, m: te.Tensor) -> te.Tensor:
    """Sums along rows, a value for each row taken off."""
    k = te.reduce_axis(x.shape[1])
    return te.compute((x.shape[0],), lambda i: te.sum(x[i, k] - m[i], axis=k), name="distances")


def shares(define: Define, *shapes: tuple[int, ...], target: Target = CPU) -> bool:
    inputs = [te.placeholder(shape, "float32", name=f"x{k}") for k, shape in enumerate(shapes)]
    kernel = akg.lower([define(*inputs)], inputs=inputs).kernel
    return share_sums(kernel, target) is not kernel


@pytest.mark.parametrize(("define", "shapes", "wanted"), [
    (ops.matmul, ((1, 20000), (20000, 64)), True),
    (ops.matmul, ((1, 4096), (4096, 4096)), False),  # threads share the columns
    (ops.matmul, ((8, 1, 20000), (8, 20000, 64)), False),  # or the batches
    (ops.matmul, ((20000, 64), (64, 1)), False),  # or the rows
    (ops.matmul, ((16, 100000), (100000, 16)), True),
    (ops.matmul, ((64, 100000), (100000, 64)), False),
    (ops.matmul, ((1, 200), (200, 64)), False),  # little work
    (columns, ((30000, 30),), True),
    (lambda x: ops.max(x, axis=0), ((30000, 30),), True),
    (lambda x: ops.sum(x), ((30000, 30),), False),  # one element: shared elsewhere
    (distances, ((1000, 777), (1000,)), False),  # a value for each row does not pass by
])  # fmt: skip
def test_what_is_shared(define: Define, shapes: Any, wanted: bool) -> None:
    assert shares(define, *shapes) is wanted
    assert not shares(define, *shapes, target=replace(CPU, cores=1))


@pytest.mark.parametrize("cores", [2, 3, 7])
@pytest.mark.parametrize("threads", [1, 2])
def test_shares_add_up(cores: int, threads: int) -> None:
    """Whatever the number of shares, also where they do not divide the length."""
    rng = np.random.default_rng(cores)
    a = rng.standard_normal((1, 20011)).astype(np.float32)
    b = rng.standard_normal((20011, 70)).astype(np.float32)
    A, B = te.placeholder(a.shape, "float32", name="A"), te.placeholder(b.shape, "float32", name="B")
    kernel = akg.build([ops.relu(ops.matmul(A, B))], inputs=[A, B], target=replace(CPU, cores=cores))
    assert f"[0, {cores})" in kernel.source("loop")
    with akg.config.override(num_threads=threads):
        got = kernel(a, b)
    want = np.maximum(a.astype(np.float64) @ b, 0)
    bound = tolerance(float32, 20011) * np.sqrt(20011)
    np.testing.assert_allclose(got, want, rtol=bound, atol=bound)


@pytest.mark.parametrize(("shapes", "dtype"), [
    (((1, 515), (515, 2100)), "float32"), (((1, 515), (515, 4200)), "bfloat16"), (((1, 300), (300, 1025)), "float64"),
])  # fmt: skip
def test_prefetches_change_nothing(shapes: Any, dtype: str) -> None:
    """The last rows ask for some behind the end of the array."""
    A, B = (te.placeholder(shape, dtype, name=n) for shape, n in zip(shapes, "AB", strict=True))
    kernel = akg.build([ops.matmul(A, B)], inputs=[A, B], target=replace(CPU, l2_bytes=256 * KIB, l3_bytes=MIB))
    assert "llvm.prefetch" in kernel.source("llvm")
    rng = np.random.default_rng(3)
    a, b = (rng.uniform(-1, 1, s).astype(np.float32).astype(A.dtype.numpy) for s in shapes)
    want = a.astype(np.float64) @ b.astype(np.float64)
    bound = tolerance(A.dtype, shapes[0][1]) * np.sqrt(shapes[0][1])
    np.testing.assert_allclose(np.asarray(kernel(a, b)).astype(np.float64), want, rtol=bound, atol=bound)


@pytest.mark.parametrize(("define", "shapes", "wanted"), [
    (ops.tanh, ((4096, 2048),), {"x0"}),
    (lambda x, b, r: ops.add(ops.gelu(ops.add(x, b)), r), ((4096, 2048), (2048,), (4096, 2048)), {"x0", "x2"}),
    (ops.tanh, ((1000, 1000),), set[str]()),  # the last cache holds it
    (ops.add, ((4096, 2048), (4096, 2048)), set[str]()),  # little arithmetic
])  # fmt: skip
def test_long_arithmetic_asks_ahead(define: Define, shapes: Any, wanted: set[str]) -> None:
    assert prefetched(loops_of(define, *shapes)) == wanted


def test_lines_that_rows_share_are_written_once_beside_prefetches() -> None:
    define: Define = lambda x: ops.tanh(x)  # noqa: E731
    x = te.placeholder((3001, 1111), "float32", name="x")
    kernel = akg.build(akg.lower([define(x)], inputs=[x]).kernel, target=replace(CPU, l3_bytes=8 * MIB))
    assert "prefetch" in kernel.source("loop") and "blend" in kernel.source("asm")
    array = np.random.default_rng(2).uniform(-3, 3, (3001, 1111)).astype(np.float32)
    bound = tolerance(float32, 1)
    np.testing.assert_allclose(kernel(array), np.tanh(array.astype(np.float64)), rtol=bound, atol=bound)
