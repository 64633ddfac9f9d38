"""Definitions lowered to loop IR and run by the interpreter, against NumPy."""

import ml_dtypes
import numpy as np
import pytest

from akg.base.dtype import dtype_of, tolerance
from akg.ir import te
from akg.ir.expr import Var
from akg.ir.interp import interpret
from akg.ir.lower import lower_te
from akg.ir.stmt import Alloc, For, If, Store, walk
from akg.ir.text import parse_kernel, to_text
from akg.ir.verify import verify


def run(outputs, *arrays, inputs=None):
    """Lower, check and interpret; sizes are read off the arrays. Returns the outputs."""
    kernel = lower_te(outputs, inputs)
    verify(kernel)
    assert to_text(parse_kernel(to_text(kernel))) == to_text(kernel)
    sizes, given, args = {}, list(arrays), []
    for param in kernel.params:
        if param.role in ("in", "scalar"):
            value = given.pop(0)
            args.append(value)
            if param.role == "in":
                sizes.update((s, n) for s, n in zip(param.value.shape, value.shape) if isinstance(s, Var))
            else:
                sizes[param.value] = value
        elif param.role == "out":
            shape = [_evaluate(s, sizes) for s in param.value.shape]
            args.append(np.zeros(shape, param.value.dtype.numpy))
        else:
            args.append(sizes[param.value])
    assert not given
    interpret(kernel, *args, check_uninitialised=True)
    results = [a for a, p in zip(args, kernel.params) if p.role == "out"]
    return results[0] if len(results) == 1 else results


def _evaluate(size, sizes):
    text = str(size)
    return eval(text, {v.name: n for v, n in sizes.items()})


def close(actual, expected, terms=1):
    limit = tolerance(dtype_of(actual.dtype), terms)
    np.testing.assert_allclose(
        actual.astype(np.float64), np.asarray(expected, np.float64), rtol=limit, atol=limit * max(1, terms**0.5)
    )


def draw(*shape, dtype="float32", seed=0):
    values = np.random.default_rng(seed).standard_normal(shape)
    return values.astype(dtype_of(dtype).numpy)


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_matmul(transpose_a, transpose_b, dtype):
    M, N, K = 5, 6, 7
    A = te.placeholder((K, M) if transpose_a else (M, K), dtype, name="A")
    B = te.placeholder((N, K) if transpose_b else (K, N), dtype, name="B")
    k = te.reduce_axis(K, name="k")

    def element(i, j):
        return te.sum((A[k, i] if transpose_a else A[i, k]) * (B[j, k] if transpose_b else B[k, j]), axis=k)

    C = te.compute((M, N), element, name="C")
    a, b = draw(*map(int, A.shape), dtype=dtype), draw(*map(int, B.shape), dtype=dtype, seed=1)
    x, y = a.astype(np.float64), b.astype(np.float64)
    close(run(C, a, b), (x.T if transpose_a else x) @ (y.T if transpose_b else y), terms=K)


def test_batched_matmul_with_symbolic_sizes():
    b, m, n, k = (te.var(s) for s in "bmnk")
    A = te.placeholder((b, m, k), name="A")
    B = te.placeholder((b, k, n), name="B")
    kk = te.reduce_axis(k, name="k")
    C = te.compute((b, m, n), lambda h, i, j: te.sum(A[h, i, kk] * B[h, kk, j], axis=kk), name="C")
    kernel = lower_te(C)
    assert [(p.name, p.role) for p in kernel.params] == [
        ("A", "in"), ("B", "in"), ("C", "out"), ("b", "size"), ("m", "size"), ("k", "size"), ("n", "size"),
    ]  # fmt: skip
    x, y = draw(2, 3, 5), draw(2, 5, 4, seed=1)
    close(run(C, x, y), x.astype(np.float64) @ y, terms=5)


def softmax(X):
    n, m = X.shape
    k, k2 = te.reduce_axis(m, name="k"), te.reduce_axis(m, name="k")
    top = te.compute((n,), lambda i: te.max(X[i, k], axis=k), name="top")
    e = te.compute((n, m), lambda i, j: te.exp(X[i, j] - top[i]), name="e")
    total = te.compute((n,), lambda i: te.sum(e[i, k2], axis=k2), name="total")
    return te.compute((n, m), lambda i, j: e[i, j] / total[i], name="out")


@pytest.mark.parametrize("shape", [(4, 9), (1, 1), (3, 0)])
def test_softmax(shape):
    x = draw(*shape)
    expected = np.exp(x - x.max(1, keepdims=True, initial=-np.inf))
    close(run(softmax(te.placeholder(shape, name="X")), x), expected / expected.sum(1, keepdims=True), terms=9)


def test_softmax_in_one_definition():
    X = te.placeholder((4, 9), name="X")
    k = te.reduce_axis(9, name="k")
    out = te.compute((4, 9), lambda i, j: te.exp(X[i, j]) / te.sum(te.exp(X[i, k]), axis=k), name="out")
    kernel = lower_te(out)
    temporaries = [s.buffer for s in walk(kernel.body) if isinstance(s, Alloc)]
    assert [(b.name, b.const_shape) for b in temporaries] == [("out_sum", (4,))]
    x = draw(4, 9)
    close(run(out, x), np.exp(x) / np.exp(x).sum(1, keepdims=True), terms=9)


def test_layer_norm():
    n, m = 3, 8
    X, G, B = te.placeholder((n, m), name="X"), te.placeholder(m, name="G"), te.placeholder(m, name="B")
    k, k2 = te.reduce_axis(m), te.reduce_axis(m)
    mean = te.compute((n,), lambda i: te.sum(X[i, k], axis=k) / m, name="mean")
    var = te.compute((n,), lambda i: te.sum((X[i, k2] - mean[i]) ** 2, axis=k2) * (1 / m), name="var")
    out = te.compute((n, m), lambda i, j: (X[i, j] - mean[i]) * te.rsqrt(var[i] + 1e-5) * G[j] + B[j], name="out")
    x, g, b = draw(n, m), draw(m, seed=1), draw(m, seed=2)
    expected = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5) * g + b
    close(run(out, x, g, b, inputs=[X, G, B]), expected, terms=4 * m)


@pytest.mark.parametrize(("stride", "pad"), [(1, 0), (1, 1), (2, 1)])
def test_conv2d(stride, pad):
    n, ci, h, w, co, r = 1, 2, 6, 5, 3, 3
    oh, ow = (h + 2 * pad - r) // stride + 1, (w + 2 * pad - r) // stride + 1
    X, W = te.placeholder((n, ci, h, w), name="X"), te.placeholder((co, ci, r, r), name="W")

    def padded(b, c, y, x):
        inside = te.all(y >= pad, y < h + pad, x >= pad, x < w + pad)
        return te.select(inside, X[b, c, y - pad, x - pad], 0.0)

    P = te.compute((n, ci, h + 2 * pad, w + 2 * pad), padded, name="P")
    rc, ry, rx = te.reduce_axis(ci, "rc"), te.reduce_axis(r, "ry"), te.reduce_axis(r, "rx")
    Y = te.compute(
        (n, co, oh, ow),
        lambda b, f, y, x: te.sum(P[b, rc, y * stride + ry, x * stride + rx] * W[f, rc, ry, rx], axis=(rc, ry, rx)),
        name="Y",
    )
    x, wgt = draw(n, ci, h, w), draw(co, ci, r, r, seed=1)
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(xp, (r, r), (2, 3))[:, :, ::stride, ::stride]
    close(run(Y, x, wgt), np.einsum("bcyxuv,fcuv->bfyx", windows, wgt), terms=ci * r * r)


def test_stencil_chain():
    n = te.var("n")
    A = te.placeholder(n, name="A")
    first = te.compute(n - 2, lambda i: (A[i] + A[i + 1] + A[i + 2]) / 3.0, name="first")
    second = te.compute(n - 4, lambda i: (first[i] + first[i + 1] + first[i + 2]) / 3.0, name="second")
    a = draw(12)
    once = (a[:-2] + a[1:-1] + a[2:]) / np.float32(3)
    close(run(second, a), (once[:-2] + once[1:-1] + once[2:]) / 3, terms=9)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32", "int8", "uint8", "bool"])
@pytest.mark.parametrize("name", ["sum", "max", "min", "prod"])
@pytest.mark.parametrize("over", ["rows", "columns", "all"])
def test_reductions(dtype, name, over):
    n, m = 3, 4
    X = te.placeholder((n, m), dtype, name="X")
    r, c = te.reduce_axis(n, "r"), te.reduce_axis(m, "c")
    reduce = getattr(te, name)
    if over == "rows":
        out, axis = te.compute((n,), lambda i: reduce(X[i, c], axis=c), name="out"), 1
    elif over == "columns":
        out, axis = te.compute((m,), lambda j: reduce(X[r, j], axis=r), name="out"), 0
    else:
        out, axis = te.compute((), lambda: reduce(X[r, c], axis=(r, c)), name="out"), None
    x = (draw(n, m) * 3).astype(dtype_of(dtype).numpy)
    actual = run(out, x)
    if dtype_of(dtype).is_float:
        close(actual, getattr(np, name)(x.astype(np.float64), axis=axis), terms=n * m)
    elif dtype == "bool":
        np.testing.assert_array_equal(actual, getattr(np, name)(x, axis=axis))
    else:
        wrapped = {"sum": {"dtype": x.dtype}, "prod": {"dtype": x.dtype}}.get(name, {})
        np.testing.assert_array_equal(actual, getattr(np, name)(x, axis=axis, **wrapped))


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "int8"])
def test_an_empty_reduction_is_the_identity(dtype):
    X = te.placeholder((2, 0), dtype, name="X")
    k = te.reduce_axis(0)
    outs = [te.compute((2,), lambda i, f=f: f(X[i, k], axis=k)) for f in (te.sum, te.prod, te.max, te.min)]
    total, product, top, bottom = run(outs, np.zeros((2, 0), dtype), inputs=[X])
    low, high = (-np.inf, np.inf) if dtype.startswith("f") else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    assert [list(v) for v in (total, product, top, bottom)] == [[0, 0], [1, 1], [low, low], [high, high]]


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_argmax_and_argmin(dtype):
    X = te.placeholder((5, 6), dtype, name="X")
    k = te.reduce_axis(6, name="k")
    value, at = te.compute((5,), lambda i: te.argmax((X[i, k], k), axis=k), name="top")
    low_at = te.compute((5,), lambda i: te.argmin((X[i, k], k), axis=k)[1], name="low")
    x = np.random.default_rng(0).integers(-3, 3, (5, 6)).astype(dtype)
    if dtype == "float32":
        x[1, 2] = x[1, 4] = np.nan
        x[2] = -np.inf
    got = run([value, at, low_at], x)
    np.testing.assert_array_equal(got[0], x.max(1))
    np.testing.assert_array_equal(got[1], x.argmax(1))
    np.testing.assert_array_equal(got[2], x.argmin(1))


def test_components_store_without_temporaries_where_an_order_exists():
    X = te.placeholder((5, 6), name="X")
    k = te.reduce_axis(6, name="k")
    kernel = lower_te(te.compute((5,), lambda i: te.argmax((X[i, k], k), axis=k), name="top"))
    assert [s.name for s in walk(kernel.body) if isinstance(s, Store)] == [
        "top_0_init", "top_1_init", "top_1", "top_0",
    ]  # fmt: skip
    assert not any(isinstance(s, Alloc) for s in walk(kernel.body))


def test_components_that_read_each_other_go_through_temporaries():
    # complex product: (a + bi)(c + di)
    multiply = te.comm_reducer(
        lambda x, y: (x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]), lambda *_: (1.0, 0.0), name="cprod"
    )
    R, S = te.placeholder((3, 4), "float64", name="R"), te.placeholder((3, 4), "float64", name="S")
    k = te.reduce_axis(4)
    out = te.compute((3,), lambda i: multiply((R[i, k], S[i, k]), axis=k), name="P")
    kernel = lower_te(out)
    locals_ = [s.buffer for s in walk(kernel.body) if isinstance(s, Alloc)]
    assert [(b.shape, b.scope) for b in locals_] == [((), "local"), ((), "local")]
    r, s = draw(3, 4, dtype="float64"), draw(3, 4, dtype="float64", seed=1)
    real, imaginary = run(out, r, s)
    expected = (r + 1j * s).prod(1)
    close(real, expected.real, terms=8)
    close(imaginary, expected.imag, terms=8)


def test_only_the_components_that_are_needed_are_computed():
    X = te.placeholder((5, 6), name="X")
    k = te.reduce_axis(6)
    both = te.comm_reducer(
        lambda x, y: (x[0] + y[0], te.maximum(x[1], y[1])), lambda a, b: (0.0, -te.infinity(b).value), name="both"
    )
    total, top = te.compute((5,), lambda i: both((X[i, k], X[i, k]), axis=k), name="both")
    stores = [s for s in walk(lower_te(top).body) if isinstance(s, Store)]
    assert [(s.name, s.reduction) for s in stores] == [("both_1_init", None), ("both_1", "max")]
    close(run(total, draw(5, 6)), draw(5, 6).sum(1), terms=6)


def test_a_user_reduction_is_recognised_only_where_it_is_equal():
    X = te.placeholder((6,), name="X")
    k = te.reduce_axis(6)
    plus = te.comm_reducer(lambda x, y: x + y, lambda t: te.const(0, t))
    from_one = te.comm_reducer(lambda x, y: x * y + 0.0, lambda t: te.const(1, t), name="mine")
    stores = [s for s in walk(lower_te(te.compute((), lambda: plus(X[k], axis=k))).body) if isinstance(s, Store)]
    assert [s.reduction for s in stores] == [None, "sum"]
    mine = te.compute((), lambda: from_one(X[k], axis=k))
    assert [s.reduction for s in walk(lower_te(mine).body) if isinstance(s, Store)] == [None, None]
    close(run(mine, draw(6)), draw(6).prod(), terms=6)


def test_where_becomes_a_guard_if_affine_and_a_select_if_not():
    X = te.placeholder((6, 6), name="X")
    k = te.reduce_axis(6)
    lower = te.compute((6,), lambda i: te.sum(X[i, k], axis=k, where=k <= i), name="lower")
    positive = te.compute((6,), lambda i: te.sum(X[i, k], axis=k, where=X[i, k] > 0), name="positive")
    assert any(isinstance(s, If) for s in walk(lower_te(lower).body))
    assert not any(isinstance(s, If) for s in walk(lower_te(positive).body))
    x = draw(6, 6)
    close(run(lower, x), np.tril(x).sum(1), terms=6)
    close(run(positive, x), np.where(x > 0, x, 0).sum(1), terms=6)


def test_a_reduction_bound_may_depend_on_an_axis():
    X = te.placeholder((6,), name="X")

    def prefix(i):
        k = te.reduce_axis((0, i + 1), name="k")
        return te.sum(X[k], axis=k)

    x = draw(6)
    close(run(te.compute((6,), prefix, name="S"), x), np.cumsum(x), terms=6)


def test_a_reduction_under_a_select_reads_nothing_where_it_is_not_taken():
    X = te.placeholder((4, 3), name="X")
    k = te.reduce_axis(3)
    out = te.compute((4,), lambda i: te.select(i > 0, te.sum(X[i - 1, k], axis=k), 7.0), name="out")
    x = draw(4, 3)
    close(run(out, x), np.concatenate([[7], x.sum(1)[:-1]]), terms=3)  # the interpreter checks bounds


def test_conditions_guard_each_other():
    X = te.placeholder((4, 3), name="X")
    k = te.reduce_axis(3)
    out = te.compute(
        (4,),
        lambda i: te.select(i > 0, te.sum(X[i - 1, k], axis=k, where=X[i - 1, k] > 0), 7.0),
        name="out",
    )
    x = draw(4, 3)
    close(run(out, x), np.concatenate([[7], np.maximum(x, 0).sum(1)[:-1]]), terms=3)


def test_transpose_gather_and_integer_subscripts():
    A, at = te.placeholder((4, 6), name="A"), te.placeholder((5,), "int32", name="at")
    T = te.compute((6, 4), lambda i, j: A[j, i], name="T")
    G = te.compute((5, 4), lambda i, j: T[at[i], j], name="G")
    R = te.compute((24,), lambda i: T[i // 4, i % 4], name="R")
    a, index = draw(4, 6), np.array([3, 0, 5, 5, 1], np.int32)
    got = run([G, R], a, index, inputs=[A, at])
    np.testing.assert_array_equal(got[0], a.T[index])
    np.testing.assert_array_equal(got[1], a.T.reshape(-1))


def test_scalars_and_sizes_as_arguments():
    n, s = te.var("n"), te.scalar("s", "float32")
    out = te.compute((n,), lambda i: i * s + n, name="out")
    got = run(out, 5, np.float32(2), inputs=[n, s])
    np.testing.assert_array_equal(got, (np.arange(5) * 2 + 5).astype(np.float32))
    assert got.dtype == np.float32


def test_rank_0_tensors_stand_in_expressions():
    X = te.placeholder((4,), name="X")
    k = te.reduce_axis(4)
    total = te.compute((), lambda: te.sum(X[k], axis=k), name="total")
    out = te.compute((4,), lambda i: X[i] / total + total[()], name="out")
    x = np.abs(draw(4)) + 1
    close(run(out, x), x / x.sum() + x.sum(), terms=8)


def test_several_outputs_of_one_definition():
    X = te.placeholder((4,), name="X")
    double, isneg = te.compute((4,), lambda i: (X[i] * 2, X[i] < 0), name="both")
    got = run([isneg, double], draw(4))
    np.testing.assert_array_equal(got[0], draw(4) < 0)
    np.testing.assert_array_equal(got[1], draw(4) * 2)


def test_lowering_does_not_depend_on_what_was_defined_before():
    def text():
        return to_text(lower_te(softmax(te.placeholder((te.var("n"), 8), name="X"))))

    first = text()
    for _ in range(3):
        te.compute((3,), lambda i: te.cast(i, "float32"))
    assert text() == first


def test_names_are_unique_identifiers():
    a, b = te.placeholder((4,), name="x"), te.placeholder((4,), name="x")
    out = te.compute((4,), lambda int: a[int] + b[int], name="my out")
    kernel = lower_te(out)
    assert [p.name for p in kernel.params] == ["x", "x_1", "my_out"]
    assert [s.var.name for s in walk(kernel.body) if isinstance(s, For)] == ["int_"]
    assert kernel.name == "my_out"


def test_a_size_gives_way_to_a_tensor_of_its_name():
    n = te.var("n")
    A = te.placeholder((n,), name="n")
    kernel = lower_te(te.compute((n,), lambda i: A[i] + 1, name="out"))
    assert [(p.name, p.role) for p in kernel.params] == [("n", "in"), ("out", "out"), ("n_1", "size")]


def test_16_bit_sums_accumulate_in_float32():
    X = te.placeholder((5000,), "float16", name="X")
    k = te.reduce_axis(5000)
    x = np.ones(5000, np.float16)
    assert run(te.compute((), lambda: te.sum(X[k] * 1.0, axis=k)), x) == np.float16(5000)
    assert run(te.compute((), lambda: te.sum(te.placeholder((5000,), ml_dtypes.bfloat16)[k], axis=k)),
               x.astype(ml_dtypes.bfloat16)) == ml_dtypes.bfloat16(5000)  # fmt: skip


def test_every_store_and_loop_knows_its_place():
    X = te.placeholder((4, 4), name="X")
    k = te.reduce_axis(4)
    kernel = lower_te(te.compute((4,), lambda i: te.sum(X[i, k], axis=k), name="out"))
    for stmt in walk(kernel.body):
        if isinstance(stmt, (Store, For)):
            assert stmt.span is not None
            assert stmt.span.filename == __file__
