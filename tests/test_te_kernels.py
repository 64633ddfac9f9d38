"""Definitions as users write them, compiled for the CPU and compared with NumPy in float64."""

from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.ir.interp import interpret
from bench.kernels import CASES, elementwise_chain, layer_norm, matmul, row_sum, softmax, symbolic_matmul
from tests.helpers import assert_close, random_array

FIXED = [name for name in CASES if name != "symbolic_matmul"]


def compare(kernel: Any, reference: Any, arrays: list[Any], terms: int = 1, what: str = "") -> None:
    """Run on `arrays` and compare each output with the reference on their float64 images."""
    got = kernel(*arrays)
    want = reference(*[a.astype(np.float64) for a in arrays])
    got, want = (x if isinstance(x, tuple) else (x,) for x in (got, want))
    for g, w in zip(got, want, strict=True):
        assert_close(g, np.asarray(w).astype(g.dtype) if g.dtype.kind in "iu" else w, terms=terms, what=what)


def arrays_of(inputs: Any, seed: int = 0) -> list[Any]:
    """Random arrays for placeholders of constant shape."""
    rng = np.random.default_rng(seed)
    return [random_array(tuple([int(s.value) for s in t.shape]), t.dtype, rng) for t in inputs]


@pytest.mark.parametrize("strategy", ["auto", "original", "isl"])
@pytest.mark.parametrize("name", FIXED)
def test_against_float64(name: str, strategy: str) -> None:
    case = CASES[name]
    outputs, inputs = case.define("float32", **case.small)
    kernel = akg.build(outputs, inputs=inputs, strategy=strategy)
    compare(kernel, case.reference, arrays_of(inputs), case.terms(case.small), f"{name}, {strategy}")


FLOATS = ["matmul_nn", "matmul_nt", "conv2d", "elementwise_chain", "column_sum", "argmax", "transpose"]
STAGED = ["softmax", "layer_norm", "stencil_chain"]  # their intermediate tensors are rounded to 16 bits


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(n, d) for d in ("float64", "float16", "bfloat16") for n in FLOATS] + [(n, "float64") for n in STAGED],
)
def test_float_types(name: str, dtype: str) -> None:
    case = CASES[name]
    outputs, inputs = case.define(dtype, **case.small)
    compare(akg.build(outputs, inputs=inputs), case.reference, arrays_of(inputs), case.terms(case.small), dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", STAGED)
def test_stages_in_16_bits(name: str, dtype: str) -> None:
    """What rounds after every stage is compared with the interpreter, which rounds at the same places."""
    case = CASES[name]
    outputs, inputs = case.define(dtype, **case.small)
    lowered = akg.lower(outputs, inputs=inputs)
    arrays = arrays_of(inputs)
    want = np.zeros(tuple([int(s.value) for s in outputs[0].shape]), arrays[0].dtype)
    interpret(lowered.kernel, *arrays, want)
    assert_close(akg.build(lowered)(*arrays), want, what=name)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
@pytest.mark.parametrize(
    "name", ["matmul_nn", "batched_matmul", "row_sum", "column_sum", "full_sum", "argmax", "transpose"]
)
def test_integer_types(name: str, dtype: str) -> None:
    """Integers wrap, so the reference is computed in int64 and wraps at the end."""
    case = CASES[name]
    outputs, inputs = case.define(dtype, **case.small)
    arrays = arrays_of(inputs)
    got = akg.build(outputs, inputs=inputs)(*arrays)
    want = case.reference(*[a.astype(np.int64) for a in arrays])
    for g, w in zip(*(x if isinstance(x, tuple) else (x,) for x in (got, want)), strict=True):
        np.testing.assert_array_equal(g, np.asarray(w).astype(g.dtype))


def test_uint8_and_bool() -> None:
    x = te.placeholder((53,), "uint8", name="x")
    mask = te.placeholder((53,), "bool", name="mask")
    y = te.compute((53,), lambda i: te.select(mask[i], te.maximum(x[i], 7), x[i] * 3), name="y")
    kernel = akg.build([y], inputs=[x, mask])
    rng = np.random.default_rng(0)
    values, flags = rng.integers(0, 255, 53).astype(np.uint8), rng.integers(0, 2, 53).astype(bool)
    np.testing.assert_array_equal(kernel(values, flags), np.where(flags, np.maximum(values, 7), values * np.uint8(3)))


# --- symbolic sizes: one kernel, twenty shapes --------------------------------------------------------

LINE = (0, 1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 97, 127, 129)
SHAPES = [(LINE[k], LINE[(7 * k + 3) % 20], LINE[(3 * k + 1) % 20]) for k in range(20)]


def test_symbolic_matmul_serves_twenty_shapes() -> None:
    outputs, inputs = symbolic_matmul()
    kernel = akg.build(outputs, inputs=inputs)
    assert len(set(SHAPES)) == 20
    rng = np.random.default_rng(0)
    for m, n, k in SHAPES:
        a, b = random_array((m, k), "float32", rng), random_array((k, n), "float32", rng)
        assert_close(kernel(a, b), a.astype(np.float64) @ b, terms=max(k, 1), what=f"{m} x {n} x {k}")


@pytest.mark.parametrize("layout", ["nt", "tn", "tt"])
def test_symbolic_layouts(layout: str) -> None:
    outputs, inputs = matmul(layout, "float32", te.var("m"), te.var("n"), te.var("k"))
    kernel = akg.build(outputs, inputs=inputs)
    rng = np.random.default_rng(0)
    for m, n, k in SHAPES[::2]:
        a = random_array((m, k) if layout[0] == "n" else (k, m), "float32", rng)
        b = random_array((k, n) if layout[1] == "n" else (n, k), "float32", rng)
        want = CASES[f"matmul_{layout}"].reference(a.astype(np.float64), b.astype(np.float64))
        assert_close(kernel(a, b), want, terms=max(k, 1), what=f"{m} x {n} x {k}")


@pytest.mark.parametrize(
    "name", ["row_sum", "column_sum", "full_sum", "transpose", "stencil_chain", "elementwise_chain"]
)
def test_symbolic_reductions_and_movement(name: str) -> None:
    case = CASES[name]
    sizes = {s: te.var(s) for s in case.small}
    outputs, inputs = case.define("float32", **sizes)
    kernel = akg.build(outputs, inputs=inputs)
    rng = np.random.default_rng(0)
    least = 6 if name == "stencil_chain" else 0
    for m, n, _ in SHAPES:
        shape = (n,) if "m" not in sizes else (max(m, least), max(n, least))
        arrays = [random_array(shape, "float32", rng) for _ in inputs]
        compare(kernel, case.reference, arrays, max(m * n, 125), f"{name} {shape}")


def test_symbolic_softmax() -> None:
    outputs, inputs = softmax("float32", te.var("m"), te.var("n"))
    kernel = akg.build(outputs, inputs=inputs)
    rng = np.random.default_rng(0)
    for m, n, _ in SHAPES:
        compare(kernel, CASES["softmax"].reference, [random_array((m, n), "float32", rng)], max(n, 1), f"{m} x {n}")


def test_one_definition_gives_one_kernel() -> None:
    outputs, inputs = row_sum(m=9, n=11)
    assert akg.build(outputs, inputs=inputs) is akg.build(outputs, inputs=inputs)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_do_not_change_what_is_computed(threads: int) -> None:
    """Enough work for every loop to be shared; several runs, since races show by chance."""
    sizes = {"m": 300, "n": 257}
    definitions = [softmax(**sizes), layer_norm(**sizes), elementwise_chain(n=40_000), matmul(m=130, n=150, k=70)]
    for outputs, inputs in definitions:
        kernel = akg.build(outputs, inputs=inputs)
        arrays = arrays_of(inputs)
        with akg.config.override(num_threads=1):
            want = kernel(*arrays)
        with akg.config.override(num_threads=threads):
            for _ in range(5):
                np.testing.assert_array_equal(kernel(*arrays), want)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int8"])
@pytest.mark.parametrize("name", ["max", "min", "sum"])
def test_full_reductions_that_threads_share(name: str, dtype: str) -> None:
    n = te.var("n")
    x, r = te.placeholder((n,), dtype, name="x"), te.reduce_axis(n, name="r")
    kernel = akg.build([te.compute((), lambda: getattr(te, name)(x[r], axis=r), name="y")], inputs=[x])
    rng = np.random.default_rng(0)
    for size in (1, 15, 16, 17, 1000):
        values = random_array((size,), dtype, rng)
        want = getattr(values.astype(np.float64), name)()
        assert_close(kernel(values), want.astype(values.dtype) if dtype == "int8" else want, terms=size, what=name)


def test_sizes_within_dimensions() -> None:
    """``n + m`` tells m once n is known, and ``2 * m + 3`` tells it alone."""
    n, m = te.var("n"), te.var("m")
    y, x = te.placeholder((n + m,), name="y"), te.placeholder((n, 2 * m + 3), name="x")
    kernel = akg.build([te.compute((m,), lambda i: y[i] + x[0, 2 * i], name="picked")], inputs=[y, x])
    a, b = np.arange(9, dtype="float32"), np.ones((4, 13), "float32")
    np.testing.assert_array_equal(kernel(a, b), a[:5] + 1)
    with pytest.raises(akg.AkgError, match=r"2\*m \+ 3 is 13 \(n = 4 from x, m = 5 from y\)"):
        kernel(a, b[:, :12].copy())
    with pytest.raises(akg.AkgError, match="size m is negative: -1 from x"):
        kernel(a, b[:, :1].copy())
