"""Which outputs are written around the caches."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import float32
from akg.base.target import Target, resolve_target
from akg.codegen.llvm.backend import emit
from akg.codegen.llvm.streaming import streamed_buffers
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Load, Var, binary
from akg.ir.stmt import For, Kernel, Param, Store, block
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
