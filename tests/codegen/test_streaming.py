"""Which outputs are written around the caches."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import akg
from akg import ops, te
from akg.base.target import resolve_target
from akg.codegen.llvm.streaming import streamed_buffers

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
