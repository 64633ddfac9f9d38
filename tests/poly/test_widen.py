"""16-bit floats are converted once, where products convert them often."""

from __future__ import annotations

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import float16, tolerance
from akg.base.target import Target
from akg.driver import pipeline
from akg.ir import stmt
from akg.ir.lower import lower_te
from akg.ir.te.tensor import Tensor
from akg.poly.strategy import resolve_strategy

SEED = 11
WIDE = Target("wide", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, l2_bytes=1 << 20, cores=2)


def half(name: str, *shape: int) -> Tensor:
    return te.placeholder(shape, "float16", name=name)


def product(rows: int, columns: int, length: int) -> tuple[Tensor, list[Tensor]]:
    a, b = half("a", rows, length), half("b", length, columns)
    return ops.matmul(a, b), [a, b]


def copies(output: Tensor, inputs: list[Tensor]) -> dict[str, str]:
    """The temporaries that a kernel declares, and their types."""
    state = pipeline.start(lower_te([output], inputs=inputs), resolve_strategy("auto"), WIDE)
    state = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert state.result is not None
    found = [s.buffer for s in stmt.walk(state.result.body) if isinstance(s, stmt.Alloc)]
    return {b.name: b.dtype.name for b in found if b.scope != "register"}


def test_a_square_product_widens_both_operands() -> None:
    assert copies(*product(512, 512, 512)) == {"a_wide": "float32", "b_panel": "float32"}


def test_a_few_rows_leave_the_large_operand_as_it_is() -> None:
    assert "b_wide" not in copies(*product(8, 512, 512))


def test_what_is_read_once_stays() -> None:
    x = half("x", 64, 128)
    assert copies(ops.relu(x), [x]) == {}
    assert not any(name[0] in "ab" for name in copies(*product(1, 512, 512)))


def test_other_types_stay() -> None:
    a, b = te.placeholder((128, 128), "bfloat16", name="a"), te.placeholder((128, 128), "float32", name="b")
    k = te.reduce_axis(128, name="k")
    y = te.compute((128, 128), lambda i, j: te.sum(te.cast(a[i, k], "float32") * b[k, j], axis=k), name="y")
    assert not any("wide" in name for name in copies(y, [a, b]))


def test_an_operand_with_another_use_stays() -> None:
    a, b = half("a", 64, 64), half("b", 64, 64)
    assert "a_wide" in copies(ops.matmul(a, b), [a, b])
    c = ops.add(ops.matmul(a, b), a)  # widened for the sum, and read as it is for the output
    kernel = akg.build([c], inputs=[a, b])
    x = np.eye(64, dtype=np.float16)
    assert np.array_equal(kernel(x, x), (2 * x).astype(np.float16))


@pytest.mark.parametrize("name", ["product", "turned", "batched", "convolution", "attention"])
def test_results(name: str) -> None:
    rng = np.random.default_rng(SEED)
    a, b = half("a", 40, 72), half("b", 72, 65)
    q, k, v = (half(n, 2, 2, 37, 24) for n in "qkv")
    x, w = half("x", 2, 16, 9, 11), half("w", 32, 16, 3, 3)
    output, inputs = {
        "product": lambda: (ops.matmul(a, b), [a, b]),
        "turned": lambda: (ops.matmul(ops.transpose(b), ops.transpose(a)), [a, b]),
        "batched": lambda: (ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))), [q, k]),
        "convolution": lambda: (ops.conv2d(x, w, padding=1), [x, w]),
        "attention": lambda: (ops.scaled_dot_product_attention(q, k, v), [q, k, v]),
    }[name]()
    arrays = [rng.standard_normal([int(d) for d in t.shape]).astype(np.float16) for t in inputs]
    got = akg.build([output], inputs=inputs)(*arrays).astype(np.float64)
    wide = [te.placeholder(t.shape, "float64", name=t.name) for t in inputs]
    again = {
        "product": lambda a, b: a @ b,
        "turned": lambda a, b: b.T @ a.T,
        "batched": lambda q, k: q @ k.transpose(0, 1, 3, 2),
    }
    if name in again:
        want = again[name](*[array.astype(np.float64) for array in arrays])
    else:
        made = ops.conv2d(*wide, padding=1) if name == "convolution" else ops.scaled_dot_product_attention(*wide)
        want = akg.build([made], inputs=wide)(*[array.astype(np.float64) for array in arrays])
    scale = np.abs(want) + np.sqrt(np.mean(want * want))
    assert np.max(np.abs(got - want) / scale) <= tolerance(float16), f"seed {SEED}"
