"""The rule of inlining, case by case."""

import pytest

from akg.ir import te
from akg.ir.lower import lower_te
from akg.ir.stmt import Alloc, walk
from akg.ir.text import to_text


def temporaries(*outputs):
    return [s.buffer.name for s in walk(lower_te(outputs).body) if isinstance(s, Alloc)]


def source(n=8, m=8):
    return te.placeholder((n, m), name="X")


def test_free_moves_are_inlined_even_into_a_contraction():
    X = source()
    T = te.compute((8, 8), lambda i, j: te.cast(X[j, i], "float64"), name="T")
    k = te.reduce_axis(8)
    assert temporaries(te.compute((8, 8), lambda i, j: te.sum(T[i, k] * T[k, j], axis=k))) == []


def test_arithmetic_that_a_contraction_reads_repeatedly_stays():
    X = source()
    T = te.compute((8, 8), lambda i, j: te.maximum(X[i, j], 0.0), name="T")
    k = te.reduce_axis(8)
    assert temporaries(te.compute((8, 8), lambda i, j: te.sum(T[i, k] * X[k, j], axis=k), "out")) == ["T"]
    assert temporaries(te.compute((8,), lambda i: te.sum(T[i, k] * X[k, i], axis=k))) == []  # each element once


def test_a_costly_value_is_inlined_where_each_element_is_read_once():
    X = source()
    E = te.compute((8, 8), lambda i, j: te.exp(X[i, j]), name="E")
    k, r = te.reduce_axis(8), te.reduce_axis(8)
    assert temporaries(te.compute((8, 8), lambda i, j: E[j, 7 - i] + 1.0)) == []
    assert temporaries(te.compute((8,), lambda i: te.sum(E[i, k], axis=k))) == []
    assert temporaries(te.compute((), lambda: te.sum(E[r, k], axis=(r, k)))) == []
    assert temporaries(te.compute((64,), lambda i: E[i // 8, i % 8])) == []
    assert temporaries(te.compute((8, 8), lambda i, j: E[i, 0])) == ["E"]
    assert temporaries(te.compute((8, 8), lambda i, j: E[i, j] + E[j, i])) == ["E"]
    assert temporaries(te.compute((64,), lambda i: E[i // 8, i // 8])) == ["E"]


@pytest.mark.parametrize(("inner", "expected"), [(8, []), (4, ["E"])])
def test_a_flattened_read_is_once_if_its_digits_do_not_overlap(inner, expected):
    X = te.placeholder((64,), name="X")
    E = te.compute((64,), lambda i: te.exp(X[i]), name="E")
    assert temporaries(te.compute((4, 8), lambda i, j: E[i * inner + j])) == expected


def test_two_consumers_keep_a_costly_value_and_copy_a_cheap_one():
    X = source()
    E = te.compute((8, 8), lambda i, j: te.exp(X[i, j]), name="E")
    C = te.compute((8, 8), lambda i, j: X[i, j] + 1.0, name="C")
    for stage, expected in ((E, ["E"]), (C, [])):
        first = te.compute((8, 8), lambda i, j: stage[i, j] * 2.0, name="first")
        second = te.compute((8, 8), lambda i, j: stage[i, j] * 3.0, name="second")
        assert temporaries(first, second) == expected


def test_recomputation_is_limited():
    X = te.placeholder((64,), name="X")
    S = te.compute((60,), lambda i: X[i] + X[i + 1] + X[i + 2], name="S")
    assert temporaries(te.compute((50,), lambda i: S[i] + S[i + 1] + S[i + 2])) == []  # 2 operations, twice more
    assert temporaries(te.compute((50,), lambda i: S[i] + S[i + 1] + S[i + 2] + S[i + 3])) == ["S"]


def test_padding_stays_before_a_window_and_goes_before_an_elementwise_stage():
    X = te.placeholder((16,), name="X")
    P = te.compute((18,), lambda i: te.select(te.all(i >= 1, i < 17), X[i - 1], 0.0), name="P")
    k = te.reduce_axis(3)
    assert temporaries(te.compute((16,), lambda i: te.sum(P[i + k], axis=k))) == []  # written out
    W = te.placeholder((8, 3), name="W")
    Q = te.compute((16, 8), lambda i, c: te.sum(P[i + k] * W[c, k], axis=k))
    assert temporaries(Q) == ["P"]  # channels share the windows
    long = te.reduce_axis(18, name="long")
    assert temporaries(te.compute((4,), lambda i: te.sum(P[long] * W[i, 0], axis=long))) == ["P"]
    assert temporaries(te.compute((18,), lambda i: P[i] * 2.0)) == []
    once = te.reduce_axis(18)
    assert temporaries(te.compute((), lambda: te.sum(P[once], axis=once))) == []


def test_outputs_and_reductions_are_never_inlined():
    X = source()
    k = te.reduce_axis(8)
    S = te.compute((8,), lambda i: te.sum(X[i, k], axis=k), name="S")
    C = te.compute((8,), lambda i: S[i] + 1.0, name="C")
    D = te.compute((8,), lambda i: C[i] * 2.0, name="D")
    assert temporaries(D) == ["S"]
    assert temporaries(C, D) == ["S"]
    assert "= C[" in _text([C, D])


def _text(outputs):
    return to_text(lower_te(outputs))


def test_subscripts_are_simplified_after_inlining():
    X = te.placeholder((16,), name="X")
    half = te.compute((32,), lambda i: X[i // 2], name="half")
    assert "X[i]" in _text([te.compute((16,), lambda i: half[2 * i + 1], name="out")])


def test_long_chains_neither_recurse_nor_vanish():
    tensor = te.placeholder((4,), name="X")
    for _ in range(600):
        tensor = te.compute((4,), lambda i, t=tensor: t[i] + 1.0, name="t")
    assert 2 <= len(temporaries(tensor)) <= 8
