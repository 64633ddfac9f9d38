"""Which outputs are written around the caches."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import DType, float32, float64, tolerance
from akg.base.target import Target, resolve_target
from akg.codegen.llvm.backend import emit
from akg.codegen.llvm.streaming import streamed_buffers
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Load, Var, binary
from akg.ir.stmt import For, Kernel, Param, Stmt, Store, block
from tests.codegen.conftest import Jit

MIB = 1 << 20
Define = Callable[..., Any]


def streamed(define: Define, *mib: float) -> set[str]:
    """Names of outputs of an operator on float32 inputs of some MiB, for 32 MiB of last cache."""
    inputs = [te.placeholder((int(size * MIB) // 4096, 1024), "float32", name=f"x{k}") for k, size in enumerate(mib)]
    output = define(*inputs)
    target = replace(resolve_target("cpu"), arch="x86_64", l3_bytes=32 * MIB)
    return {buffer.name for buffer in streamed_buffers(akg.lower([output], inputs=inputs).kernel, target)}


@pytest.mark.parametrize(("define", "mib", "wanted"), [
    (ops.relu, (8,), False), (ops.relu, (11,), False), (ops.relu, (16,), True), (ops.relu, (64,), True),
    (ops.add, (7, 7), False), (ops.add, (9, 9), True),
    (lambda x: ops.max_pool1d(ops.reshape(x, (64, -1, 1024)), 8), (64,), False),
    (lambda: ops.ones((32768, 1024)), (), False),
    (lambda x: ops.tile(x, (32, 1)), (2,), False), (lambda x: ops.tile(x, (2, 1)), (16,), True),
    (lambda x: ops.sum(x, axis=1), (64,), False),  # what is summed up in place is read
])  # fmt: skip
def test_by_what_a_kernel_touches(define: Define, mib: tuple[float, ...], wanted: bool) -> None:
    """What does not fit the last cache; unless little of it is read."""
    assert bool(streamed(define, *mib)) is wanted


@pytest.mark.parametrize("gap", [512, 517])
def test_several_stores_to_one_array(gap: int, jit: Jit, host: Target) -> None:
    """They bypass the caches where all are aligned alike."""
    i, j = Var("i"), Var("j")
    a, b = Buffer("a", (Const(64), Const(gap)), float32), Buffer("b", (Const(64), Const(2 * gap)), float32)
    both = block(Store(b, (i, j), Load(a, (i, j)), "S0"), Store(b, (i, j + gap), Load(a, (i, j)), "S1"))
    body = For(i, Const(0), Const(64), For(j, Const(0), Const(gap), both, "vector"))
    kernel = Kernel(f"twice{gap}", (Param(a, "in"), Param(b, "out")), body)
    target = replace(host, l3_bytes=1 << 16)
    if target.arch == "x86_64":
        assert ("nontemporal" in emit(kernel, target).text) is (gap % 16 == 0)
    x = np.random.default_rng(3).uniform(-1, 1, (64, gap)).astype(np.float32)
    y = np.zeros((64, 2 * gap), np.float32)
    assert jit.load(emit(kernel, target), kernel)(x, y) == 0
    np.testing.assert_array_equal(y, np.concatenate([x, x], axis=1))


@pytest.mark.parametrize("is_one_loop", [True, False])
def test_what_lanes_read_of_their_own_stores_is_not_read_from_memory(is_one_loop: bool) -> None:
    """A maximum of what is stored needs no cache for it, unless the pass over it is another one."""
    x, y = (Buffer(name, (Const(4096), Const(4096)), float32) for name in "xy")
    largest = Buffer("largest", (Const(4096),), float32)
    i, j = Var("i"), Var("j")
    stored = Store(y, (i, j), Load(x, (i, j)) * 2.0, "y")
    update = Store(largest, (i,), binary("max", Load(largest, (i,)), Load(y, (i, j))), "largest", reduction="max")
    lanes = [block(stored, update)] if is_one_loop else [stored, update]
    body = block(*[For(j, Const(0), Const(4096), part, "vector") for part in lanes])
    params = (Param(x, "in"), Param(y, "out"), Param(largest, "out"))
    kernel = Kernel("rows", params, For(i, Const(0), Const(4096), body, "parallel"))
    target = replace(resolve_target("cpu"), arch="x86_64", l3_bytes=32 * MIB)
    assert {b.name for b in streamed_buffers(kernel, target)} == ({"y"} if is_one_loop else set())


def affine_rows(rows: int, length: int, dtype: DType, begin: int = 0) -> Kernel:
    """``y[i, j] = x[i, j] * s[j] + x[i, 0]``, for all j or from some on."""
    i, j = Var("i"), Var("j")
    shape = (Const(rows), Const(length))
    x, s, y = Buffer("x", shape, dtype), Buffer("s", shape[1:], dtype), Buffer("y", shape, dtype)
    store = Store(y, (i, j), Load(x, (i, j)) * Load(s, (j,)) + Load(x, (i, Const(0))), "S0")
    body = For(i, Const(0), shape[0], For(j, Const(begin), shape[1], store, "vector"), "parallel")
    return Kernel(f"rows{length}_{begin}_{dtype}", (Param(x, "in"), Param(s, "in"), Param(y, "out")), body)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("length", "dtype", "begin"), [
    (259, float32, 0), (512, float32, 0), (1111, float32, 0), (777, float64, 0), (300, float32, 7), (257, float64, 1),
])  # fmt: skip
def test_rows_that_share_lines(length: int, dtype: DType, begin: int, threads: int, jit: Jit, host: Target) -> None:
    """Wherever the array and its rows begin within lines, all of it is written, and nothing beside it."""
    rows = 21
    kernel = affine_rows(rows, length, dtype, begin)
    code = jit.load(emit(kernel, replace(host, l2_bytes=1 << 12, l3_bytes=1 << 14)), kernel)
    rng = np.random.default_rng(length)
    x, s = (rng.uniform(-1, 1, shape).astype(dtype.numpy) for shape in ((rows, length), (length,)))
    for offset in (0, 1, 5, 7):
        memory = np.full(rows * length + 40, -7, dtype.numpy)
        y = memory[8 + offset : 8 + offset + rows * length].reshape(rows, length)
        with akg.config.override(num_threads=threads):
            assert code(x, s, y) == 0
        wanted = x.astype(np.float64) * s + x[:, :1]
        wanted[:, :begin] = -7
        np.testing.assert_allclose(y, wanted, rtol=tolerance(dtype), atol=tolerance(dtype))
        assert np.all(memory[: 8 + offset] == -7)
        assert np.all(memory[8 + offset + rows * length :] == -7)


@pytest.mark.parametrize("define", [ops.softmax, ops.log_softmax, ops.rms_norm, ops.layer_norm])
@pytest.mark.parametrize("length", [272, 259, 320, 1000])
def test_pipelines_that_stream(define: Define, length: int, host: Target) -> None:
    """Passes side by side, of which the last one streams: rows share lines, wherever the output begins."""
    rows = 150
    target = replace(host, l2_bytes=1 << 14, l3_bytes=1 << 17, cores=1)
    x = te.placeholder((rows, length), "float32", name="x")
    kernel = akg.build([define(x)], inputs=[x], target=target)
    if target.arch == "x86_64":
        assert "nontemporal" in kernel.source("llvm")
    values = np.random.default_rng(length).uniform(-4, 4, (rows, length)).astype(np.float32)
    wanted = akg.build([define(x)], inputs=[x], target=replace(host, l3_bytes=1 << 30))(values)
    for offset in (0, 4, 5, 15):
        memory = np.full(rows * length + 40, -7, np.float32)
        begin = -memory.ctypes.data % 64 // 4 + offset
        y = memory[begin : begin + rows * length].reshape(rows, length)
        kernel(values, out=y)
        np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)
        assert np.all(memory[:begin] == -7)
        assert np.all(memory[begin + rows * length :] == -7)


@pytest.mark.parametrize("is_streamed", [True, False])
def test_what_waits_is_not_written_over_what_is_newer(is_streamed: bool, jit: Jit, host: Target) -> None:
    """The ends of rows wait for the next rows, unless other statements write the same elements."""
    i, j = Var("i"), Var("j")
    shape = (Const(40), Const(300))
    x, y = Buffer("x", shape, float32), Buffer("y", shape, float32)
    rows = For(j, Const(0), shape[1], Store(y, (i, j), Load(x, (i, j)), "S0"), "vector")
    last = Store(y, (i, Const(299)), Const(5.0, float32), "S1")
    second: Stmt = For(j, Const(0), shape[1], Store(y, (i, j), Const(5.0, float32), "S1"), "vector")
    body = For(i, Const(0), shape[0], block(rows, second if is_streamed else last))
    kernel = Kernel(f"again{is_streamed}", (Param(x, "in"), Param(y, "out")), body)
    code = jit.load(emit(kernel, replace(host, l2_bytes=1 << 12, l3_bytes=1 << 14)), kernel)
    values = np.random.default_rng(5).uniform(-1, 1, (40, 300)).astype(np.float32)
    memory = np.zeros(40 * 300 + 32, np.float32)
    for offset in range(4):
        got = memory[offset : offset + 40 * 300].reshape(40, 300)
        assert code(values, got) == 0
        wanted = values.copy()
        wanted[:, (slice(None) if is_streamed else 299)] = 5
        np.testing.assert_array_equal(got, wanted)
