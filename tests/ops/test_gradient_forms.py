"""Gradients: what they look like as loops, types and sizes, conventions, and errors."""

import itertools
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import akg
from akg import ops, te
from akg.ir.expr import Binary
from akg.ir.lower import lower_te
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import For, If, Store, expressions, walk
from akg.ir.te.tensor import Tensor
from akg.ops.gradient import stop_gradient
from tests.helpers import assert_close
from tests.ops.common import message_of
from tests.ops.gradients import check_gradient, placeholder, uniform, used_placeholders

# --- loops --------------------------------------------------------------------------------------------------


def shape_of_loops(outputs: list[Tensor]) -> tuple[list[int], int, int]:
    """The number of loops around each update of a reduction; the numbers of ifs and of // and %."""
    depths: list[int] = []

    def visit(stmt: Any, depth: int) -> None:
        if isinstance(stmt, Store) and stmt.reduction is not None:
            depths.append(depth)
        for inner in (getattr(stmt, "body", None), getattr(stmt, "then", None)):
            for s in inner if isinstance(inner, tuple) else (() if inner is None else (inner,)):
                visit(s, depth + isinstance(stmt, For))

    body = lower_te(outputs).body
    visit(body, 0)
    statements = list(walk(body))
    nodes = {n for s in statements for e in expressions(s) for n in walk_expr(e)}
    divisions = sum(isinstance(n, Binary) and n.op in ("floordiv", "mod") for n in nodes)
    return depths, sum(isinstance(s, If) for s in statements), divisions


def gradients(output: Tensor, *inputs: Tensor) -> list[Tensor]:
    return akg.differentiate(output, inputs, te.placeholder(output.shape, output.dtype, name="head"))


@pytest.mark.parametrize("flags", list(itertools.product((False, True), repeat=2)))
def test_matmul_becomes_two_matmuls(flags: tuple[bool, bool]) -> None:
    a = placeholder((6, 8) if not flags[0] else (8, 6), "a")
    b = placeholder((8, 7) if not flags[1] else (7, 8), "b")
    c = ops.matmul(a, b, transpose_a=flags[0], transpose_b=flags[1])
    assert shape_of_loops(gradients(c, a, b)) == ([3, 3], 0, 0)


@pytest.mark.parametrize("padding", [0, 1])
def test_convolution_becomes_convolutions(padding: int) -> None:
    x, w = placeholder((2, 3, 9, 8), "x"), placeholder((4, 3, 3, 3), "w")
    depths, ifs, divisions = shape_of_loops(gradients(ops.conv2d(x, w, padding=padding), x, w))
    assert (depths, ifs, divisions) == ([7, 7], 0, 0)
    depths, ifs, divisions = shape_of_loops(gradients(ops.conv2d(x, w, padding=padding, dilation=2), x, w))
    assert (depths, ifs, divisions) == ([7, 7], 0, 0)
    depths, ifs, _ = shape_of_loops(gradients(ops.conv2d(x, w, padding=padding, stride=2), x, w))
    split = 1 if padding == 0 else 0  # an axis whose phases are equally long is two loops
    assert (depths, ifs) == ([7 + split, 7], 0)


def test_strided_convolution_visits_only_what_it_needs() -> None:
    x, w = placeholder((1, 1, 16), "x"), placeholder((1, 1, 4), "w")
    (gradient,) = gradients(ops.conv1d(x, w, stride=2), x)
    trips = [s.const_trips for s in walk(lower_te([gradient]).body) if isinstance(s, For)]
    assert 2 in trips and 4 not in trips  # two of the four taps meet an element


def test_row_operators_keep_to_rows() -> None:
    x = placeholder((6, 8), "x")
    assert shape_of_loops(gradients(ops.softmax(x), x)) == ([3, 2, 3], 0, 0)  # max, sum, and one sum of the gradient
    assert shape_of_loops(gradients(ops.log_softmax(x), x)) == ([2, 3, 2], 0, 0)
    assert max(shape_of_loops(gradients(ops.layer_norm(x), x))[0]) <= 3


def test_movement_reduces_nothing() -> None:
    x = placeholder((4, 6), "x")
    moved = [
        ops.transpose(x), ops.reshape(x, (3, 8)), ops.flip(x), ops.roll(x, 1, axis=0), ops.pad(x, ((1, 2), (0, 1))),
        ops.slice(x, [1, 1], [4, 5]), ops.slice(x, [0, 1], [4, 6], [1, 2]), ops.concat([x, x]), ops.expand_dims(x, 1),
        ops.avg_pool1d(ops.expand_dims(x, 0), 2),
    ]  # fmt: skip
    for output in moved:
        assert shape_of_loops(gradients(output, x))[:2] == ([], 0), output.name


# --- types, sizes, conventions --------------------------------------------------------------------------------


def build(results: list[Tensor]) -> Callable[..., Any]:
    """A kernel that takes arrays by name."""
    inputs = used_placeholders(results)
    kernel = akg.build(results, inputs=inputs)
    return lambda **arrays: kernel(*[arrays[t.name] for t in inputs])


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_narrow_types(dtype: str) -> None:
    rng = np.random.default_rng(0)
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    arrays = {n: rng.uniform(-1, 1, s).astype(kind) for n, s in (("x", (5, 24)), ("w", (24,)), ("head", (5, 24)))}
    found: list[Any] = []
    for of in (dtype, "float64"):
        x, w = te.placeholder((5, 24), of, name="x"), te.placeholder(24, of, name="w")
        results = gradients(ops.softmax(ops.rms_norm(x, w)), x, w)
        assert [g.dtype.name for g in results] == [of, of]
        found.append(build(results)(**{n: a.astype(np.float64) if of == "float64" else a for n, a in arrays.items()}))
    # sums of intermediate results that are stored in the narrow type, too
    for got, want in zip(*found, strict=True):
        assert_close(got, want, dtype, terms=24 * 24)


def test_symbolic_sizes() -> None:
    n, m = te.var("n"), te.var("m")
    x, y = placeholder((n, m), "x"), placeholder((m, n), "y")
    output = ops.softmax(ops.matmul(x, y))
    rng = np.random.default_rng(0)
    check_gradient(output, [x, y], {x: rng.uniform(-1, 1, (3, 4)), y: rng.uniform(-1, 1, (4, 3))}, {"n": 3, "m": 4})
    image = placeholder((1, 2, n, m), "image")
    w = placeholder((2, 2, 3, 2), "w")
    arrays = {image: rng.uniform(-1, 1, (1, 2, 4, 5)), w: uniform(w)}
    check_gradient(ops.conv2d(image, w, padding=1), [image, w], arrays, with_head=False, sizes={"n": 4, "m": 5})


def test_attention() -> None:
    q, k, v = (placeholder((2, 4, 3), name) for name in "qkv")
    scores = ops.softmax(ops.matmul(q, k, transpose_b=True))
    check_gradient(ops.matmul(scores, v), [q, k, v], {t: uniform(t) for t in (q, k, v)})


def test_a_network_and_its_loss() -> None:
    x, labels = placeholder((4, 5), "x"), te.placeholder(4, "int64", name="labels")
    w, b, u = placeholder((5, 6), "w"), placeholder(6, "b"), placeholder((6, 3), "u")
    hidden = ops.gelu(ops.add(ops.matmul(x, w), b))
    loss = ops.cross_entropy(ops.matmul(ops.layer_norm(hidden), u), labels)
    arrays: dict[Tensor, Any] = {t: uniform(t) for t in (x, w, b, u)}
    arrays[labels] = np.array([0, 2, 1, 2])
    check_gradient(loss, [x, w, b, u], arrays, with_head=False)
    # the loss and its gradients in one kernel
    both = build([loss, *akg.differentiate(loss, [w, b])])(**{t.name: a for t, a in arrays.items()})
    assert both[0].shape == () and both[1].shape == (5, 6)


def test_gradients_of_gradients() -> None:
    x = placeholder(5, "x")
    (slope,) = akg.differentiate(te.compute(5, lambda i: te.exp(x[i]) * x[4 - i]), [x])
    check_gradient(slope, [x], {x: uniform(x)})


def test_intermediate_results_and_repeated_ones() -> None:
    a, b = placeholder(4, "a"), placeholder(4, "b")
    middle = te.compute(4, lambda i: a[i] * b[i], name="middle")
    output = te.compute(4, lambda i: middle[i] + a[i], name="output")
    results = akg.differentiate(output, [middle, a, b, output, middle])
    got = build(results)(a=np.arange(4.0), b=np.full(4, 3.0))
    want = [np.ones(4), np.full(4, 4.0), np.arange(4.0), np.ones(4), np.ones(4)]
    for g, w in zip(got, want, strict=True):
        assert_close(g, w)


def test_the_head_itself() -> None:
    a, head = placeholder(4, "a"), placeholder(4, "head")
    results = akg.differentiate(te.compute(4, lambda i: a[i] + 1.0), [a, a], head)
    for got in build(results)(head=np.arange(4.0)):
        assert_close(got, np.arange(4.0))


def test_what_is_not_reached_has_gradient_zero() -> None:
    a, b = placeholder(4, "a"), placeholder((2, 3), "b")
    c = placeholder(4, "c")
    output = te.compute(4, lambda i: a[i] + te.cast(te.cast(c[i], "int32"), "float64"))
    got = build(akg.differentiate(output, [b, c]))()
    assert_close(got[0], np.zeros((2, 3)))
    assert_close(got[1], np.zeros(4))


def test_ties() -> None:
    x = placeholder((1, 4), "x")
    values = np.array([[2.0, 1.0, 2.0, 0.0]])
    for output, want in (
        (ops.max(x, axis=1), [0.5, 0.0, 0.5, 0.0]),
        (te.compute((1, 4), lambda i, j: te.maximum(x[i, j], 1.0)), [1.0, 0.0, 1.0, 0.0]),
        (ops.cummax(x, axis=1), [4.0, 0.0, 0.0, 0.0]),
        (ops.abs(x), [1.0, 1.0, 1.0, 0.0]),
    ):
        assert_close(build(akg.differentiate(output, [x]))(x=values), np.array([want]), what=output.name)


def test_the_first_operand_takes_ties() -> None:
    a, b = placeholder(3, "a"), placeholder(3, "b")
    results = akg.differentiate(te.compute(3, lambda i: te.maximum(a[i], b[i])), [a, b])
    got = build(results)(a=np.array([1.0, 2.0, 3.0]), b=np.array([2.0, 2.0, 2.0]))
    for g, w in zip(got, ([0.0, 1.0, 1.0], [1.0, 0.0, 0.0]), strict=True):
        assert_close(g, np.array(w))


def test_branches_that_are_not_taken_do_not_count() -> None:
    x = placeholder(4, "x")
    output = te.compute(4, lambda i: te.select(x[i] > 0.0, te.log(x[i]), te.sqrt(-x[i])))
    got = build(akg.differentiate(output, [x]))(x=np.array([1.0, -1.0, 2.0, -4.0]))
    assert_close(got, np.array([1.0, -0.5, 0.5, -0.25]))


def test_stop_gradient() -> None:
    x = placeholder(4, "x")
    scale = stop_gradient(te.compute(4, lambda i: te.exp(x[i])))
    got = build(akg.differentiate(te.compute(4, lambda i: scale[i] * x[i]), [x]))(x=np.arange(4.0))
    assert_close(got, np.exp(np.arange(4.0)))


# --- errors -------------------------------------------------------------------------------------------------


def _unknown_reduction() -> Any:
    x = placeholder((3, 4), "x")
    k = te.reduce_axis(4)
    either = te.comm_reducer(lambda a, b: a + b - a * b, lambda t: te.const(0.0, t), name="either")
    return akg.differentiate(te.compute(3, lambda i: either(x[i, k], axis=k), name="y"), x)


def _of(dtype: str = "float64", shape: Any = (3,)) -> tuple[Tensor, Tensor]:
    x = te.placeholder(shape, dtype, name="x")
    return x, te.compute(shape, lambda *i: x[i] + x[i], name="y")


ERRORS: dict[str, tuple[Callable[[], Any], str]] = {
    "output": (
        lambda: akg.differentiate(np.ones(3), []),  # type: ignore[arg-type]
        "AKG-E290: output is a ndarray\n"
        "because: gradients are of tensors with respect to tensors\n"
        "hint: write akg.differentiate(output, [A, B])",
    ),
    "inputs": (
        lambda: akg.differentiate(_of()[1], "x"),  # type: ignore[arg-type]
        "AKG-E290: inputs is a str\n"
        "because: gradients are of tensors with respect to tensors\n"
        "hint: write akg.differentiate(output, [A, B])",
    ),
    "input": (
        lambda: akg.differentiate(_of()[1], [3.0]),  # type: ignore[list-item]
        "AKG-E290: input 0 is a float\n"
        "because: gradients are of tensors with respect to tensors\n"
        "hint: write akg.differentiate(output, [A, B])",
    ),
    "placeholder": (
        lambda: akg.differentiate(_of()[0], [_of()[0]]),
        "AKG-E290: output x is a placeholder\n"
        "because: it is not computed from the inputs\n"
        "hint: give what te.compute returned",
    ),
    "integers": (
        lambda: akg.differentiate(_of("int32")[1], [_of()[0]]),
        "AKG-E291: output, y, is a tensor of int32\n"
        "because: only floating-point numbers have gradients\n"
        "hint: differentiate the values from which it is rounded, compared or chosen",
    ),
    "integer input": (
        lambda: akg.differentiate(_of()[1], [_of()[0], _of("int64")[0]]),
        "AKG-E291: input 1, x, is a tensor of int64\n"
        "because: only floating-point numbers have gradients\n"
        "hint: convert it to a float first, or leave it out of inputs",
    ),
    "shape of head": (
        lambda: akg.differentiate(_of()[1], [], te.placeholder((4,), "float64", name="head")),
        "AKG-E292: head head is a float64 tensor of shape (4,)\n"
        "because: it weighs the elements of y, which is float64 of (3,)\n"
        "hint: declare te.placeholder(y.shape, 'float64'), or leave it out for ones",
    ),
    "type of head": (
        lambda: akg.differentiate(_of()[1], [], te.placeholder((3,), "int32", name="head")),
        "AKG-E292: head head is a int32 tensor of shape (3,)\n"
        "because: it weighs the elements of y, which is float64 of (3,)\n"
        "hint: declare te.placeholder(y.shape, 'float64'), or leave it out for ones",
    ),
    "kind of head": (
        lambda: akg.differentiate(_of()[1], [], 1.0),  # type: ignore[arg-type]
        "AKG-E290: head is a float\n"
        "because: gradients are of tensors with respect to tensors\n"
        "hint: write akg.differentiate(output, [A, B])",
    ),
    "reduction": (
        _unknown_reduction,
        "AKG-E293: the derivative of reduction either is not known\n"
        "because: gradients go through sum, prod, max and min, alone or as components of a tuple\n"
        "hint: write the definition with te.sum, te.prod, te.max or te.min, or stop there: "
        "akg.ops.gradient.stop_gradient(tensor)",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str) -> None:
    call, text = ERRORS[name]
    assert message_of(call) == text
