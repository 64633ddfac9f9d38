"""Graphs are simplified before they are fused: what is left, and that it computes the same."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import akg
from akg.fusion import Builder, compile_graph
from akg.fusion.compile import canonical
from akg.ir.graph import Graph, Value, values_in

SPECIAL = [0.0, -0.0, 1.0, -1.0, 1.5, 3e38, -3e38, 1e-45, -1e-45, np.inf, -np.inf, np.nan]


def graph_of(make: Callable[[Builder, Value], Value], dtype: str = "float32", shape: tuple[int, ...] = (2, 6)) -> Graph:
    b = Builder()
    x = b.input("x", shape, dtype)
    # an operator on each side, as results and inputs of a graph stay apart
    return b.finish([b.apply("floor_divide", make(b, b.apply("remainder", x, 7)), 2)])


def operators(graph: Graph) -> list[str]:
    return [node.op for node in canonical(graph).nodes]


def left(make: Callable[[Builder, Value], Value], dtype: str = "float32", **more: Any) -> list[str]:
    return [op for op in operators(graph_of(make, dtype, **more)) if op not in ("remainder", "floor_divide")]


GONE: dict[str, Callable[[Builder, Value], Value]] = {
    "x * 1": lambda b, x: b.apply("multiply", x, 1.0),
    "1 * x": lambda b, x: b.apply("multiply", 1, x),
    "x / 1": lambda b, x: b.apply("divide", x, 1.0),
    "x - 0": lambda b, x: b.apply("subtract", x, 0.0),
    "x + -0": lambda b, x: b.apply("add", x, -0.0),
    "x ** 1": lambda b, x: b.apply("pow", x, 1),
    "x * constant 1": lambda b, x: b.apply("multiply", x, b.constant(np.ones((), "float32"))),
    "max(x, x)": lambda b, x: b.apply("maximum", x, x),
    "--x": lambda b, x: b.apply("negative", b.apply("negative", x)),
    "where(c, x, x)": lambda b, x: b.apply("where", b.apply("greater", x, 0.0), x, x),
    "+x": lambda b, x: b.apply("positive", x),
    "same type": lambda b, x: b.apply("astype", x, "float32"),
    "wider and back": lambda b, x: b.apply("astype", b.apply("astype", x, "float64"), "float32"),
    "transposed twice": lambda b, x: b.apply("matrix_transpose", b.apply("swapaxes", x, 0, 1)),
    "same shape": lambda b, x: b.apply("reshape", x, (2, 6)),
    "reshaped and back": lambda b, x: b.apply("reshape", b.apply("expand_dims", x, 1), (2, 6)),
    "same size": lambda b, x: b.apply("broadcast_to", x, (2, 6)),
    "whole slice": lambda b, x: b.apply("slice", x, (0, 0), (2, 6)),
    "one part": lambda b, x: b.apply("concat", [x], axis=0),
    "once": lambda b, x: b.apply("tile", x, (1, 1)),
}

KEPT: dict[str, tuple[Callable[[Builder, Value], Value], list[str]]] = {
    "x + 0": (lambda b, x: b.apply("add", x, 0.0), ["add"]),  # -0.0 + 0.0 is 0.0
    "x - -0": (lambda b, x: b.apply("subtract", x, -0.0), ["subtract"]),
    "x * 0": (lambda b, x: b.apply("multiply", x, 0.0), ["multiply"]),  # infinity * 0 is NaN
    "x - x": (lambda b, x: b.apply("subtract", x, x), ["subtract"]),
    "x / 3": (lambda b, x: b.apply("divide", x, 3.0), ["divide"]),
    "narrower and back": (
        lambda b, x: b.apply("astype", b.apply("astype", x, "float16"), "float32"), ["astype", "astype"]),
    "reversed": (lambda b, x: b.apply("slice", x, (None, None), (None, None), (1, -1)), ["slice"]),
    "another shape": (lambda b, x: b.apply("multiply", x, b.constant(np.ones((3, 1, 1), "float32"))), ["multiply"]),
    "another type": (lambda b, x: b.apply("multiply", x, b.constant(np.ones((), "float64"))), ["multiply"]),
    "x / 4": (lambda b, x: b.apply("divide", x, 4.0), ["multiply"]),
    "x * -1": (lambda b, x: b.apply("multiply", x, -1.0), ["negative"]),
    "x ** 2": (lambda b, x: b.apply("pow", x, 2.0), ["multiply"]),
    "x + -x": (lambda b, x: b.apply("add", x, b.apply("negative", x)), ["subtract"]),
    "||x||": (lambda b, x: b.apply("abs", b.apply("abs", x)), ["abs"]),
    "square(-x)": (lambda b, x: b.apply("square", b.apply("negative", x)), ["square"]),
    "two transposes": (
        lambda b, x: b.apply("permute_dims", b.apply("permute_dims", b.apply("reshape", x, (2, 2, 3)), (1, 2, 0)),
                             (1, 2, 0)), ["reshape", "permute_dims"]),
    "a dimension of one": (lambda b, x: b.apply("permute_dims", b.apply("reshape", x, (2, 1, 6)), (1, 0, 2)),
                           ["reshape"]),
}  # fmt: skip


def run(graph: Graph, *arrays: np.ndarray) -> np.ndarray:
    return compile_graph(graph)(*arrays)


@pytest.mark.parametrize("name", GONE)
def test_gone(name: str):
    assert left(GONE[name]) == []


@pytest.mark.parametrize("name", KEPT)
def test_kept(name: str):
    make, want = KEPT[name]
    assert left(make) == want


@pytest.mark.parametrize("name", [*GONE, *KEPT])
def test_same_elements(name: str):
    """Beside each operator on its own: elements are the same, with the signs of zeros."""
    make = GONE[name] if name in GONE else KEPT[name][0]
    x = np.array(SPECIAL, "float32").reshape(2, 6)
    b = Builder()
    value = b.input("x", (2, 6), "float32")
    result = make(b, value)
    graph = b.finish([b.apply("reciprocal", result)])
    current = {value: x, **graph.constants}
    for node in graph.nodes:  # a graph for each, whose operators nothing simplifies away
        own = Builder()
        inputs = {v: own.input(v.name, v.const_shape or (), v.dtype) for v in node.inputs if v not in graph.constants}
        inputs.update({v: own.constant(graph.constants[v]) for v in node.inputs if v in graph.constants})
        args = [[inputs[a] for a in arg if isinstance(a, Value)] if isinstance(arg, tuple) and list(values_in(arg))
                else inputs.get(arg, arg) if isinstance(arg, Value) else arg for arg in node.args]  # fmt: skip
        made = own.node(node.op, args, node.attributes)
        single = compile_graph(own.finish([made]), own_outputs=True)
        current[node.outputs[0]] = single(*[current[v] for v in node.inputs if v not in graph.constants])
    got, want = run(graph, x), current[graph.outputs[0]]
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got[~np.isnan(got)]), np.signbit(want[~np.isnan(want)]))


def test_integers_cancel():
    assert left(lambda b, x: b.apply("add", x, 0), "int32") == []
    assert left(lambda b, x: b.apply("multiply", x, 0), "int32") == ["full"]
    assert left(lambda b, x: b.apply("subtract", x, x), "int32") == ["full"]


FAST: dict[str, tuple[Callable[[Builder, Value], Value], list[str]]] = {
    "x + 0": (lambda b, x: b.apply("add", x, 0.0), []),
    "x - x": (lambda b, x: b.apply("subtract", x, x), ["full"]),
    "x / x": (lambda b, x: b.apply("divide", x, x), ["full"]),
    "x * 2 * 3": (lambda b, x: b.apply("multiply", b.apply("multiply", x, 2.0), 3.0), ["multiply"]),
    "x / 3": (lambda b, x: b.apply("divide", x, 3.0), ["multiply"]),
    "exp(log(x))": (lambda b, x: b.apply("exp", b.apply("log", x)), []),
}


@pytest.mark.parametrize("name", FAST)
def test_fast_math(name: str):
    make, want = FAST[name]
    x = np.linspace(0.5, 3, 12, dtype="float32").reshape(2, 6)
    exact = run(graph_of(make), x)
    with akg.config.override(fast_math=True):
        assert left(make) == want
        np.testing.assert_allclose(run(graph_of(make), x), exact, rtol=1e-5, atol=1e-5)


def test_results_are_arrays_of_their_own():
    b = Builder()
    x = b.input("x", (4,), "float32")
    e = b.apply("exp", x)
    graph = b.finish([b.apply("multiply", x, 1.0), e, b.apply("positive", e)])
    array = np.arange(4, dtype="float32")
    first, second, third = compile_graph(graph)(array)
    assert first is not array
    assert third is not second
    np.testing.assert_array_equal(first, array)
    np.testing.assert_array_equal(third, second)


def test_constants_are_folded():
    rng = np.random.default_rng(3)
    w, scale = rng.normal(size=(8, 16)).astype("float32"), rng.normal(size=8).astype("float32")
    b = Builder()
    x = b.input("x", ("n", 16), "float32")
    weights = b.apply("multiply", b.constant(w), b.apply("expand_dims", b.apply("exp", b.constant(scale)), 1))
    y = b.apply("matmul", x, b.apply("transpose", weights))
    compiled = compile_graph(b.finish([y, weights]), own_outputs=True)
    assert [n.op for n in compiled.graph.nodes] == ["matmul", "copy"]
    a = rng.normal(size=(5, 16)).astype("float32")
    got = compiled(a)
    want = w * np.exp(scale)[:, None]
    np.testing.assert_allclose(got[1], want, rtol=1e-6)
    np.testing.assert_allclose(got[0], a @ want.T, rtol=1e-4, atol=1e-4)


def test_constants_that_grow_are_not_folded():
    b = Builder()
    x = b.input("x", (64, 1024), "float32")
    wide = b.apply("broadcast_to", b.constant(np.ones((1, 1024), "float32")), (64, 1024))
    number = b.apply("exp", b.constant(np.float32(2)))
    y = b.apply("multiply", b.apply("add", x, wide), number)
    assert [n.op for n in compile_graph(b.finish([y])).graph.nodes] == ["broadcast_to", "exp", "add", "multiply"]
