"""Compiled graphs give what their operators give, whatever was fused."""

import threading

import numpy as np
import pytest

from akg.base.errors import AkgError
from akg.fusion import Builder, compile_graph
from tests.helpers import assert_close

rng = np.random.default_rng(5)


def array(*shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype("float32")


def test_several_kernels_outputs_and_updates():
    b = Builder("g")
    x, s = b.input("x", ("n", 16), "float32"), b.input("s", ("n", 8), "float32")
    w, scale = b.constant(array(16, 8), "w"), b.constant(np.float32(0.5), "scale")
    y = b.apply("multiply", b.apply("matmul", x, w), scale)
    z = b.apply("softmax", y, axis=-1)
    graph = b.finish([z, b.apply("max", z, axis=0), s, z, w], {s: b.apply("add", s, z)})
    compiled = compile_graph(graph)
    for n in (1, 5):
        a, state = array(n, 16), array(n, 8)
        before = state.copy()
        got = compiled(a, state)
        logits = a @ graph.constants[w] * 0.5
        power = np.exp(logits - logits.max(1, keepdims=True))
        want = power / power.sum(1, keepdims=True)
        assert_close(got[0], want, terms=16)
        assert_close(got[1], want.max(0), terms=16)
        assert got[2] is state
        assert got[3] is got[0]
        assert_close(state, before + want, terms=16)
        np.testing.assert_array_equal(got[4], graph.constants[w])


def test_given_outputs():
    b = Builder()
    x = b.input("x", (4, 8), "float32")
    compiled = compile_graph(b.finish([b.apply("exp", x), b.apply("sum", x, axis=0), x]))
    a = array(4, 8)
    out = (np.empty((4, 8), "float32"), np.empty(8, "float32"), np.empty((4, 8), "float32"))
    got = compiled(a, out=out)
    assert all(g is o for g, o in zip(got, out))
    assert_close(out[0], np.exp(a))
    assert_close(out[1], a.sum(0))
    np.testing.assert_array_equal(out[2], a)


def test_calls_that_do_not_fit():
    b = Builder()
    x = b.input("x", (4,), "float32")
    compiled = compile_graph(b.finish([b.apply("exp", x)]))
    for args, out, code in (((), None, "AKG-E501"), ((array(5),), None, "AKG-E503"), ((array(4),), 3, "AKG-E511")):
        with pytest.raises(AkgError) as caught:
            compiled(*args, **({} if out is None else {"out": out}))
        assert caught.value.code == code


def test_memory_between_kernels_is_shared_and_threads_do_not_meet():
    b = Builder()
    x = b.input("x", (32, 32), "float32")
    y = x
    for _ in range(6):
        y = b.apply("cummax", y, 0)
    compiled = compile_graph(b.finish([y]))
    assert len(compiled.kernels) == 6
    assert len(set(map(id, compiled.kernels))) < 6  # equal groups share code
    inputs = [array(32, 32) for _ in range(8)]
    results: dict[int, np.ndarray] = {}

    def work(k: int) -> None:
        for _ in range(20):
            results[k] = compiled(inputs[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k, a in enumerate(inputs):
        np.testing.assert_array_equal(results[k], np.maximum.accumulate(a))


def test_a_definition_of_ones_own():
    from akg import te

    b = Builder()
    x = b.input("x", (6,), "float32")
    y = b.node("reversed", [x], definition=lambda t: te.compute((6,), lambda i: t[5 - i]), kind="reshape")
    compiled = compile_graph(b.finish([b.apply("add", y, x)]))
    a = array(6)
    np.testing.assert_array_equal(compiled(a), a[::-1] + a)
    assert len(compiled.kernels) == 1


def test_explanation_names_kernels_and_edges():
    b = Builder()
    x = b.input("x", (8, 8), "float32")
    y = b.apply("cumsum", b.apply("exp", x), 0)
    text = compile_graph(b.finish([y])).explain()
    assert "kernel 1, fused_cumsum" in text
    assert "not fused: exp -> cumsum: it runs in an order of its own, and begins a kernel" in text
