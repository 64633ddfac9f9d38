"""Several products in one kernel: each has a register tile, whatever shares loops with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import float32, tolerance
from akg.base.target import Target
from akg.driver import pipeline
from akg.ir import stmt
from akg.ir.lower import lower_te
from akg.ir.te.tensor import Tensor
from akg.poly.strategy import resolve_strategy

SEED = 7
WIDE = Target("wide", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, l2_bytes=1 << 20, cores=2)
SEVERAL = ("gated", "gated, one turned", "two outputs", "three", "convolutions of two windows", "perceptron")


def tensor(name: str, *shape: int) -> Tensor:
    return te.placeholder(shape, name=name)


A, B, C, D = tensor("a", 40, 70), tensor("b", 70, 66), tensor("c", 70, 66), tensor("d", 66)
W = tensor("w", 66, 70)
X, F, G = tensor("x", 2, 32, 10, 10), tensor("f", 32, 32, 3, 3), tensor("g", 32, 32, 1, 1)
L, M, Z = tensor("l", 48, 130), tensor("m", 6, 130), tensor("z", 136, 130)
U, V = tensor("u", 130, 136), tensor("v", 130, 136)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def conv(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    size, edge = w.shape[2], w.shape[2] // 2
    x = np.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, w)


CASES: dict[str, tuple[tuple[Tensor, ...], list[Tensor], Callable[..., tuple[np.ndarray, ...]]]] = {
    "gated": (
        (ops.multiply(ops.silu(ops.matmul(A, B)), ops.matmul(A, C)),), [A, B, C],
        lambda a, b, c: ((a @ b) * sigmoid(a @ b) * (a @ c),),
    ),
    "gated, one turned": (
        (ops.multiply(ops.matmul(A, B), ops.matmul(A, ops.transpose(W))),), [A, B, W],
        lambda a, b, w: ((a @ b) * (a @ w.T),),
    ),
    "two outputs": (
        (ops.relu(ops.add(ops.matmul(A, B), D)), ops.tanh(ops.matmul(A, C))), [A, B, C, D],
        lambda a, b, c, d: (np.maximum(a @ b + d, 0), np.tanh(a @ c)),
    ),
    "three": (
        (ops.add(ops.add(ops.matmul(A, B), ops.matmul(A, C)), ops.matmul(A, ops.transpose(W))),), [A, B, C, W],
        lambda a, b, c, w: (a @ b + a @ c + a @ w.T,),
    ),
    "total": ((ops.sum(ops.matmul(A, B)),), [A, B], lambda a, b: (np.sum(a @ b),)),
    "convolutions of two windows": (
        (ops.relu(ops.add(ops.conv2d(X, F, padding=1), ops.conv2d(X, G))),), [X, F, G],
        lambda x, f, g: (np.maximum(conv(x, f) + conv(x, g), 0),),
    ),
    "perceptron": (
        (ops.matmul(ops.multiply(ops.silu(ops.matmul(L, U)), ops.matmul(L, V)), Z),), [L, U, V, Z],
        lambda x, u, v, z: ((x @ u) * sigmoid(x @ u) * (x @ v) @ z,),
    ),
    "normed": (
        (ops.matmul(ops.softmax(L), ops.transpose(Z)),), [L, Z],
        lambda x, z: (np.exp(x) / np.exp(x).sum(1, keepdims=True) @ z.T,),
    ),
    "normed, few rows": (
        (ops.matmul(ops.softmax(M), ops.transpose(Z)),), [M, Z],
        lambda x, z: (np.exp(x) / np.exp(x).sum(1, keepdims=True) @ z.T,),
    ),
    "pooled": (
        (ops.max_pool2d(ops.conv2d(X, F, padding=1), 2),), [X, F],
        lambda x, f: (conv(x, f).reshape(2, 32, 5, 2, 5, 2).max((3, 5)),),
    ),
    "mean of an image": (
        (ops.mean(ops.conv2d(X, F, padding=1), axis=(2, 3)),), [X, F], lambda x, f: (conv(x, f).mean((2, 3)),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_results(name: str) -> None:
    outputs, inputs, reference = CASES[name]
    rng = np.random.default_rng(SEED)
    arrays = [rng.standard_normal([int(d) for d in x.shape]).astype(np.float32) for x in inputs]
    with akg.config.override(num_threads=2):
        got = akg.build(list(outputs), inputs=inputs)(*arrays)
    found = got if isinstance(got, tuple) else (got,)
    for g, w in zip(found, reference(*[a.astype(np.float64) for a in arrays]), strict=True):
        scale = np.abs(w) + np.sqrt(np.mean(w * w))  # beside sums that cancel
        assert np.max(np.abs(g - w) / scale) <= 4 * tolerance(float32, 288), f"seed {SEED}"


@pytest.mark.parametrize("name", [n for n in CASES if "few" not in n])  # those have their lanes along the sum
def test_each_product_sums_in_registers(name: str) -> None:
    outputs, inputs, _ = CASES[name]
    state = pipeline.start(lower_te(list(outputs), inputs=inputs), resolve_strategy("auto"), WIDE)
    state = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert state.result is not None
    stores = [s for s in stmt.walk(state.result.body) if isinstance(s, stmt.Store) and s.reduction is not None]
    products = [s for s in stores if s.name.startswith(("matmul", "conv2d"))]
    assert len({s.name for s in products}) >= (2 if name in SEVERAL else 1)
    for store in products:
        assert store.buffer.scope == "register", f"{store.name} sums in memory"
        assert len(store.buffer.shape) == 2, f"{store.name} has no tile of two loops"


def scores(rows: int) -> list[tuple[int, ...] | None]:
    """The temporaries of relu(Q K^T) V."""
    q, k, v = tensor("q", rows, 32), tensor("k", rows, 32), tensor("v", rows, 32)
    output = ops.matmul(ops.relu(ops.matmul(q, ops.transpose(k))), v)
    state = pipeline.start(lower_te([output], inputs=[q, k, v]), resolve_strategy("auto"), WIDE)
    state = pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert state.result is not None
    return [s.buffer.const_shape for s in stmt.walk(state.result.body) if isinstance(s, stmt.Alloc)]


def test_large_temporaries_are_kept_small() -> None:
    assert (1024, 1024) in scores(1024)
    assert (20000, 20000) not in scores(20000)
