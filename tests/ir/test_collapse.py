"""Fewer dimensions: what merges, what does not, and that results stay what they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akg import ops
from akg.ir import te
from akg.ir.interp import interpret
from akg.ir.lower import lower_te
from akg.ir.text import parse_kernel, to_text


def shapes(outputs, **more):
    """Of each buffer parameter, the shape that loops see."""
    kernel = lower_te(outputs, fewer_dimensions=True, **more)
    return {p.name: tuple(int(s) for s in p.value.shape) for p in kernel.params if hasattr(p.value, "shape")}


def holder(name, *shape):
    return te.placeholder(shape, "float32", name=name)


def test_elementwise_is_flat():
    x, y = holder("x", 2, 1, 3, 5), holder("y", 2, 1, 3, 5)
    assert shapes([ops.add(x, y)]) == {"x": (30,), "y": (30,), "add": (30,)}


def test_broadcast_dimensions_stay_apart():
    x, row, column = holder("x", 2, 3, 5, 7), holder("row", 5, 7), holder("c", 3, 1, 1)
    assert shapes([ops.add(ops.add(x, row), column)]) == {"x": (2, 3, 35), "row": (35,), "c": (3,), "add": (2, 3, 35)}


def test_reductions_merge_what_they_sum_over_and_what_they_keep():
    x = holder("x", 2, 3, 5, 7)
    assert shapes([ops.sum(x, axis=(2, 3))]) == {"x": (6, 35), "sum": (6,)}
    assert shapes([ops.sum(x, axis=(0, 2, 3))]) == {"x": (2, 3, 35), "sum": (3,)}
    assert shapes([ops.sum(x, keepdims=True)]) == {"x": (210,), "sum": ()}


def test_stages_that_share_an_array_agree():
    x = holder("x", 4, 5, 6)
    y = ops.exp(x)
    assert shapes([y, ops.sum(y, axis=2)])["exp"] == (20, 6)


def test_transposes_keep_what_they_exchange():
    x = holder("x", 4, 5, 6)
    assert shapes([ops.permute_dims(x, (1, 0, 2))])["x"] == (4, 5, 6)
    assert shapes([ops.permute_dims(x, (2, 0, 1))]) == {"x": (20, 6), "permute_dims": (6, 20)}


def test_reshapes_vanish():
    x = holder("x", 4, 5, 6)
    assert shapes([ops.exp(ops.reshape(x, (10, 12)))]) == {"x": (120,), "exp": (120,)}
    assert shapes([ops.exp(ops.reshape(holder("v", 24), (2, 3, 4)))]) == {"v": (24,), "exp": (24,)}


def test_places_that_count_stay():
    x = holder("x", 4, 5)
    assert shapes([te.compute((4, 5), lambda i, j: x[i, j] + te.cast(j, "float32"), name="y")])["y"] == (4, 5)
    assert shapes([te.compute((4, 5), lambda i, j: te.select(i < 2, x[i, j], 0.0), name="y")])["y"] == (4, 5)
    assert shapes([te.compute((4, 4), lambda i, j: x[i, j + 1], name="y")])["y"] == (4, 4)
    assert shapes([te.compute((4, 5), lambda i, j: x[i, j] + x[i, 0], name="y")])["y"] == (4, 5)


def test_running_sums_and_products_keep_their_axes():
    x, w = holder("x", 2, 3, 4, 5), holder("w", 5, 6)
    assert shapes([ops.cumsum(x, axis=2)])["cumsum"] == (2, 3, 4, 5)
    assert shapes([ops.matmul(x, w)]) == {"x": (24, 5), "w": (5, 6), "matmul": (24, 6)}


def test_symbolic_sizes():
    n = te.var("n")
    x, y = te.placeholder((n, 3, 5), "float32", name="x"), te.placeholder((n, n), "float32", name="y")
    kernel = lower_te([ops.exp(x), ops.exp(y)], fewer_dimensions=True)
    found = {p.name: [str(s) for s in p.value.shape] for p in kernel.params if hasattr(p.value, "shape")}
    assert found["x"] == ["n * 15"]
    assert found["y"] == ["n", "n"]


def test_assigned_arrays_merge_with_their_values():
    x = holder("x", 4, 5, 6)
    kernel = lower_te([], updates={x: ops.exp(x)}, fewer_dimensions=True)
    assert [int(s) for s in kernel.params[0].value.shape] == [120]


def test_text_has_both_shapes():
    x = holder("x", 4, 5, 6)
    kernel = lower_te([ops.exp(x)], fewer_dimensions=True)
    text = to_text(kernel)
    assert "x: in float32[120] as [4, 5, 6]" in text
    assert to_text(parse_kernel(text)) == text
    n = te.var("n")
    symbolic = to_text(lower_te([ops.exp(te.placeholder((n, 4), "float32", name="x"))], fewer_dimensions=True))
    assert to_text(parse_kernel(symbolic)) == symbolic


@st.composite
def definitions(draw):
    """A chain of operators that move, combine and reduce, over two arguments."""
    sizes = draw(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=2, max_size=4))
    x, y = te.placeholder(sizes, "float64", name="x"), te.placeholder(sizes[1:], "float64", name="y")
    tensors, outputs = [x, y], []
    for _ in range(draw(st.integers(1, 5))):
        a = draw(st.sampled_from(tensors))
        kind = draw(st.sampled_from(["add", "neg", "reshape", "permute", "sum", "keep", "expand", "cumsum", "slice"]))
        shape = [int(s) for s in a.shape]
        if kind == "add":
            fitting = [t for t in tensors if [int(s) for s in t.shape] == shape[len(shape) - t.ndim :]]
            tensors.append(ops.add(a, draw(st.sampled_from(fitting))))
        elif kind == "reshape":
            total, target = int(np.prod(shape)), []
            while total > 1:
                factor = draw(st.sampled_from([f for f in range(1, total + 1) if total % f == 0]))
                target.append(factor)
                total //= factor
                if factor == 1:
                    break
            tensors.append(ops.reshape(a, (*target, total)))
        elif kind == "permute":
            tensors.append(ops.permute_dims(a, draw(st.permutations(range(a.ndim)))))
        elif kind in ("sum", "keep") and a.ndim:
            axes = draw(st.sets(st.integers(0, a.ndim - 1), min_size=1))
            tensors.append(ops.sum(a, axis=tuple(axes), keepdims=kind == "keep"))
        elif kind == "expand":
            tensors.append(ops.expand_dims(a, draw(st.integers(0, a.ndim))))
        elif kind == "cumsum" and a.ndim:
            tensors.append(ops.cumsum(a, axis=draw(st.integers(0, a.ndim - 1))))
        elif kind == "slice" and a.ndim and shape[0] > 1:
            tensors.append(ops.slice(a, (1,), (None,)))
        else:
            tensors.append(ops.negative(a))
    outputs = draw(st.lists(st.sampled_from(tensors[2:]), min_size=1, max_size=3, unique=True))
    update = {y: ops.add(y, 1.0)} if draw(st.booleans()) else {}
    return [x, y], outputs, update


@settings(max_examples=150, deadline=None)
@given(definitions())
def test_results_stay(case):
    inputs, outputs, updates = case
    rng = np.random.default_rng(0)
    arrays = {t: rng.integers(-9, 9, [int(s) for s in t.shape]).astype("float64") for t in inputs}
    results = []
    for fewer in (False, True):
        kernel = lower_te(outputs, updates=updates, fewer_dimensions=fewer)
        names = {"x": inputs[0], "y": inputs[1]}
        args = [
            arrays[names[p.name]].copy() if p.role in ("in", "inout")
            else np.zeros([int(s) for s in (p.value.shape if p.shape is None else p.shape)])
            for p in kernel.params
        ]  # fmt: skip
        interpret(kernel, *args)
        results.append(args)
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("fewer", [False, True])
def test_stages_are_not_changed_for_others(fewer):
    x = holder("x", 2, 3)
    y = ops.exp(x)
    first = to_text(lower_te([y], fewer_dimensions=fewer))
    lower_te([y, ops.sum(y, axis=1)], fewer_dimensions=True)
    assert to_text(lower_te([y], fewer_dimensions=fewer)) == first
