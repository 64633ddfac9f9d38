"""Values that kernels compute again where that is less traffic."""

import numpy as np

from akg.fusion import Builder, compile_graph
from tests.helpers import assert_close

rng = np.random.default_rng(11)


def masked_products(steps: int = 1, dtype: str = "uint8"):
    """x times a mask, a product with weights, times the mask again: the mask is needed before and after."""
    b = Builder()
    x, m = b.input("x", (256, 300), "float32"), b.input("m", (256, 300), dtype)
    w = b.input("w", (300, 300), "float32")
    mask = b.apply("multiply", b.apply("astype", m, "float32"), 1.25)
    for _ in range(steps - 1):
        mask = b.apply("exp", b.apply("sin", mask))
    y = b.apply("multiply", b.apply("matmul", b.apply("multiply", x, mask), w), mask)
    graph = b.finish([y])
    x, w = rng.normal(size=(256, 300)).astype("float32"), rng.normal(size=(300, 300)).astype("float32")
    return graph, x, (rng.random((256, 300)) > 0.2).astype(dtype), w


def test_a_mask_of_bytes_is_read_twice():
    graph, x, m, w = masked_products()
    compiled = compile_graph(graph)
    assert len(compiled.kernels) == 2, compiled.explain()
    assert "computed again by 1 of 1 kernels" in compiled.explain()
    ops = [[n.op for n in group.nodes] for group in compiled.groups]
    assert ops == [["astype", "multiply", "multiply"], ["astype", "multiply", "matmul", "multiply"]]
    assert [v.name for v in compiled.groups[0].outputs] == ["multiply_1"]  # the mask in floats is not written
    mask = m.astype("float32") * 1.25
    assert_close(compiled(x, m, w), (x * mask) @ w * mask, terms=300)


def test_long_arithmetic_is_done_once():
    graph, *_ = masked_products(steps=3)
    compiled = compile_graph(graph)
    assert "again" not in compiled.explain()
    assert len(compiled.groups[0].outputs) == 2


def test_what_a_result_is_made_of_is_not_written_for_it():
    """A value that the graph returns is in memory anyway, and is read there if it is no larger than its operands."""
    b = Builder()
    x, w = b.input("x", (256, 256), "float32"), b.input("w", (256, 256), "float32")
    r = b.apply("relu", b.apply("add", x, b.apply("multiply", x, 2.0)))
    y = b.apply("add", b.apply("matmul", r, w), r)
    compiled = compile_graph(b.finish([y, r]))
    assert all(n.op != "relu" for n in compiled.groups[-1].nodes)
    a, v = (rng.normal(size=(256, 256)).astype("float32") for _ in range(2))
    want = np.maximum(3 * a, 0)
    got = compiled(a, v)
    assert_close(got[1], want)
    assert_close(got[0], want @ v + want, terms=256)
