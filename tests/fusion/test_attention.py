"""Scores, their softmax and the product with values become one kernel, whatever operators spell them."""

from typing import Any

import numpy as np
import pytest

from akg.fusion import Builder, compile_graph
from tests.helpers import Array, assert_close

rng = np.random.default_rng(17)


def softmax(b: Builder, x: Any, spelled: bool) -> Any:
    if not spelled:
        return b.apply("softmax", x, axis=-1)
    power = b.apply("exp", b.apply("subtract", x, b.apply("max", x, axis=-1, keepdims=True)))
    return b.apply("divide", power, b.apply("sum", power, axis=-1, keepdims=True))


def attention(b: Builder, x: Any, w: Any, mask: Any, *, spelled: bool) -> Any:
    """One head of three projections; what scales, masks and arranges anew is in between."""
    heads = [b.apply("permute_dims", b.apply("reshape", b.apply("matmul", x, w), (40, 2, 16)), (1, 0, 2))
             for _ in range(3)]  # fmt: skip
    turned = b.apply("permute_dims", heads[1], (0, 2, 1))
    scores = b.apply("add", b.apply("divide", b.apply("matmul", heads[0], turned), 4.0), mask)
    y = b.apply("matmul", softmax(b, scores, spelled), heads[2])
    return b.apply("reshape", b.apply("permute_dims", y, (1, 0, 2)), (40, 32))


def reference(x: Array, w: Array, mask: Array) -> Array:
    head = (x.astype("float64") @ w).reshape(40, 2, 16).transpose(1, 0, 2)
    scores = head @ head.transpose(0, 2, 1) / 4 + mask
    power = np.exp(scores - scores.max(-1, keepdims=True))
    y = power / power.sum(-1, keepdims=True) @ head
    return y.transpose(1, 0, 2).reshape(40, 32)


@pytest.mark.parametrize("spelled", [False, True])
def test_one_kernel(spelled: bool) -> None:
    b = Builder("g")
    x, w, mask = b.input("x", (40, 32), "float32"), b.input("w", (32, 32), "float32"), b.input("m", (40, 40), "float32")
    graph = compile_graph(b.finish([attention(b, x, w, mask, spelled=spelled)]))
    tiled = [k for k in graph.kernels if "softmax and product" in str(k.report)]
    assert len(tiled) == 1
    assert not any("softmax" in k.signature.name or "max" in k.signature.name for k in graph.kernels if k not in tiled)
    arrays = [rng.normal(size=s).astype("float32") for s in ((40, 32), (32, 32), (40, 40))]
    assert_close(graph(*arrays), reference(*arrays), terms=40)


def test_weights_that_others_read_are_not_one_kernel_with_the_product() -> None:
    b = Builder("g")
    q, k, v = (b.input(n, (64, 32), "float32") for n in "qkv")
    weights = softmax(b, b.apply("matmul", q, k, transpose_b=True), False)
    graph = compile_graph(b.finish([weights, b.apply("matmul", weights, v)]))
    assert not any("softmax and product" in str(kernel.report) for kernel in graph.kernels)
