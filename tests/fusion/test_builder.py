"""Graphs: what the builder infers, refuses and keeps."""

from itertools import pairwise

import numpy as np
import pytest

from akg.base.dtype import float16, float32, int64
from akg.base.errors import AkgError
from akg.fusion import Builder, check_declared
from akg.ir.graph import Graph, Node, Value, graph_text, in_order, merge_equal, remove_dead, verify_graph


def code_of(action) -> str:
    with pytest.raises(AkgError) as caught:
        action()
    return caught.value.code


def test_shapes_and_types_come_from_definitions():
    b = Builder()
    x = b.input("x", ("n", 8), "float16")
    w = b.input("w", (8, 3), "float16")
    y = b.apply("matmul", x, w)
    assert (str(y.shape[0]), y.shape[1].value, y.dtype) == ("n", 3, float16)
    assert b.apply("argmax", y, axis=1).shape == x.shape[:1]
    assert b.apply("count_nonzero", y).dtype is int64
    parts = b.apply("split", w, 2, axis=0)
    assert [p.const_shape for p in parts] == [(4, 3), (4, 3)]
    joined = b.apply("concat", [parts[1], parts[0]], axis=0)
    assert joined.const_shape == (8, 3)


def test_names_are_unique_and_chosen():
    b = Builder()
    x = b.input("x", (4,), "float32")
    one, two = b.apply("exp", x), b.apply("exp", x)
    three = b.node("exp", [x], names=["exp"])
    four = b.node("exp", [x], names=["x"])
    names = [v.name for v in (x, one, two, three, four)]
    assert len(set(names)) == 5


@pytest.mark.parametrize(("attempt", "code"), [
    (lambda b, x: b.apply("no_such", x), "AKG-E270"),
    (lambda b, x: b.apply("add", x, b.input("y", (3,), "float32")), "AKG-E272"),
    (lambda b, x: b.apply("exp", Value("stray", x.shape, x.dtype)), "AKG-E701"),
    (lambda b, x: b.apply("sum", x, axis=7), "AKG-E273"),
    (lambda b, x: b.finish([Value("stray", x.shape, x.dtype)]), "AKG-E701"),
    (lambda b, x: b.finish([x], {b.apply("exp", x): x}), "AKG-E705"),
    (lambda b, x: b.finish([x], {x: b.apply("astype", x, "float16")}), "AKG-E705"),
    (lambda b, x: check_declared(x, (5,), "float32", "node 3"), "AKG-E704"),
    (lambda b, x: check_declared(x, (4,), "float16", "node 3"), "AKG-E704"),
])  # fmt: skip
def test_mistakes(attempt, code):
    b = Builder()
    x = b.input("x", (4,), "float32")
    assert code_of(lambda: attempt(b, x)) == code


def test_messages_begin_with_the_users_name_of_a_node():
    b = Builder()
    x = b.input("x", (4,), "float32")
    with pytest.raises(AkgError, match="node 'block_3/relu'"):
        b.node("sum", [x], {"axis": 4}, origin="node 'block_3/relu'")


def test_structure_is_verified():
    x, y, z = (Value(n, (), float32) for n in "xyz")
    first = Node("exp", (x,), {}, (y,), "elementwise")
    second = Node("exp", (y,), {}, (z,), "elementwise")
    verify_graph(Graph("g", (first, second), (x,), (z,)))
    assert code_of(lambda: verify_graph(Graph("g", (second, first), (x,), (z,)))) == "AKG-E703"
    assert code_of(lambda: verify_graph(Graph("g", (first, first), (x,), (y,)))) == "AKG-E702"
    assert code_of(lambda: verify_graph(Graph("g", (second,), (x,), (z,)))) == "AKG-E701"
    assert in_order([second, first]) == (first, second)
    loop = Node("exp", (z,), {}, (y,), "elementwise")
    with pytest.raises(AkgError, match="cycle") as caught:
        in_order([second, loop])
    assert "z <- y <- z" in caught.value.because or "y <- z <- y" in caught.value.because


def test_order_of_long_chains():
    values = [Value(f"v{k}", (), float32) for k in range(5001)]
    nodes = [Node("exp", (a,), {}, (b,), "elementwise") for a, b in pairwise(values)]
    assert in_order(nodes[::-1]) == tuple(nodes)


def test_dead_and_equal_nodes_go():
    b = Builder()
    x = b.input("x", (4,), "float32")
    unused = b.constant(np.ones(4, "float32"))
    b.apply("add", x, unused)
    one, two = b.apply("multiply", x, 2), b.apply("multiply", x, 2.0)
    three = b.apply("multiply", x, 2)
    graph = remove_dead(merge_equal(b.finish([b.apply("concat", [one, two, three])])))
    assert [n.op for n in graph.nodes] == ["multiply", "multiply", "concat"]
    assert graph.nodes[-1].args[0] == (one, two, one)
    assert not graph.constants
    assert remove_dead(graph) is graph
    assert merge_equal(graph) is graph


def test_zero_and_minus_zero_are_two_things():
    b = Builder()
    x = b.input("x", (4,), "float32")
    b.apply("copysign", x, 0.0)
    b.apply("copysign", x, -0.0)
    assert len(merge_equal(b.finish([x])).nodes) == 2


def test_text():
    b = Builder("g")
    x = b.input("x", ("n", 4), "float32")
    y = b.apply("sum", x, axis=1)
    text = graph_text(b.finish([y], {x: b.apply("multiply", x, 2)}))
    assert "sum: float32[n] = sum(x, axis=1)" in text
    assert "x := multiply" in text
