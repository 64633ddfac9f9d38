"""Reductions and scans against NumPy in float64: axes, kept dimensions, empty lines, types, NaN, errors."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

import akg
from akg import ops, te
from tests.helpers import Array
from tests.ops.common import FLOATS, INTEGERS, SHAPES, compare, draw, message_of, placeholder, run, wide

Reference = Callable[..., Any]


def _logsumexp(x: Array, axis: Any = None, keepdims: bool = False) -> Any:
    with np.errstate(all="ignore"):
        top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
        top = np.where(np.isfinite(top), top, 0)
        total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else np.sum(total, axis=axis)  # the kept dimensions have size 1


def _norm(order: float) -> Reference:
    return lambda x, axis=None, keepdims=False: np.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=order)


FLOAT_REDUCTIONS: dict[str, Reference] = {
    "sum": np.sum, "prod": np.prod, "mean": np.mean, "var": np.var, "std": np.std, "logsumexp": _logsumexp,
    "vector_norm": _norm(2), "count_nonzero": np.count_nonzero, "all": np.all, "any": np.any,
    "sum_of_squares": lambda x, axis=None, keepdims=False: np.sum(x * x, axis=axis, keepdims=keepdims),
    "max": lambda x, axis=None, keepdims=False: np.max(x, axis=axis, keepdims=keepdims, initial=-np.inf),
    "min": lambda x, axis=None, keepdims=False: np.min(x, axis=axis, keepdims=keepdims, initial=np.inf),
}  # fmt: skip
PLACES: dict[str, Reference] = {"argmax": np.argmax, "argmin": np.argmin}


def axes_of(rank: int) -> list[Any]:
    """None, first, last, none at all, and two in mixed order."""
    return [None, 0, -1, (), *([(-1, 0)] if rank > 1 else [])]


def reductions(names: Any, x: te.Tensor, axis: Any, keepdims: bool, **more: Any) -> list[te.Tensor]:
    return [ops.get(n).function(x, axis=axis, keepdims=keepdims, **more) for n in names]


def reference(table: dict[str, Reference], names: Any, values: Array, axis: Any, keepdims: bool) -> list[Any]:
    with np.errstate(all="ignore"):
        return [table[n](values, axis=axis, keepdims=keepdims) for n in names]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_over_shapes_and_axes(shape: tuple[int, ...]) -> None:
    x, values = placeholder(shape, "float32"), draw(shape, "float32", low=0.9, high=1.1)
    first = SHAPES.index(shape)
    choices = axes_of(len(shape))
    for k in (first, first + 2):
        axis, keepdims = choices[k % len(choices)], k % 3 == 1
        along = axis if axis is None or isinstance(axis, int) else -1
        places = [] if 0 in (shape if along is None else (shape[along],)) else list(PLACES)
        names = [*FLOAT_REDUCTIONS, *places]
        outputs = reductions(FLOAT_REDUCTIONS, x, axis, keepdims) + reductions(places, x, along, keepdims)
        wanted = reference(FLOAT_REDUCTIONS, FLOAT_REDUCTIONS, wide(values), axis, keepdims)
        wanted += reference(PLACES, places, wide(values), along, keepdims)
        compare([f"{n} axis={axis}" for n in names], run(outputs, [x], values), wanted, terms=max(values.size, 1))


@pytest.mark.parametrize("dtype", FLOATS)
def test_of_floats(dtype: str) -> None:
    """Types, and one symbolic kernel over several lengths."""
    x = placeholder(("m", "n"), dtype)
    names = list(FLOAT_REDUCTIONS)
    kernel = akg.build(reductions(names, x, -1, False) + reductions(PLACES, x, -1, False), inputs=[x])
    for shape in ((1, 1), (3, 7), (2, 16), (5, 33), (4, 257), (0, 3)):
        values = draw(shape, dtype, low=0.5, high=1.5)
        wanted = reference(FLOAT_REDUCTIONS, names, wide(values), -1, False)
        found = kernel(values)
        compare([*names, *PLACES], found, wanted + reference(PLACES, PLACES, wide(values), -1, False), terms=shape[1])
    exact = ["int64" if n == "count_nonzero" else "bool" if n in ("all", "any") else dtype for n in names]
    compare(names, found[: len(names)], wanted, dtypes=exact)


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
def test_of_integers(dtype: str) -> None:
    names = ["sum", "prod", "count_nonzero", "all", "any"]
    names += [] if dtype == "bool" else ["max", "min", "argmax", "argmin", "sum_of_squares"]
    table: dict[str, Reference] = {**FLOAT_REDUCTIONS, **PLACES, "max": np.max, "min": np.min}
    x, values = placeholder((7, 19), dtype), draw((7, 19), dtype, low=-2, high=2)
    table["sum_of_squares"] = lambda v, axis, keepdims: np.sum(v.astype(np.int64) ** 2, axis=axis, keepdims=keepdims)
    for axis in (0, 1):
        found = run(reductions(names, x, axis, False), [x], values)
        for name, got, want in zip(names, found, reference(table, names, values, axis, False), strict=True):
            kind = {"max": dtype, "min": dtype, "all": "bool", "any": "bool"}.get(name, "int64")
            assert str(got.dtype) == kind, name
            np.testing.assert_array_equal(got, want, name)
    if dtype != "bool":
        found = run([ops.mean(x), ops.var(x), ops.std(x, axis=0)], [x], values)
        wanted = [values.mean(), values.var(), values.std(axis=0)]
        compare(["mean", "var", "std"], found, wanted, terms=133, dtypes=["float64"] * 3)


def test_nan_and_infinity() -> None:
    x = placeholder((6, 9), "float32")
    values = draw((6, 9), "float32")
    values[0, 3], values[1, 4], values[2, 5], values[3, 1], values[3, 2] = np.nan, np.inf, -np.inf, np.inf, -np.inf
    values[4] = -np.inf
    names = ["sum", "max", "min", "logsumexp", "mean", "vector_norm", "all", "any"]
    found = run(reductions(names, x, 1, False) + reductions(PLACES, x, 1, False), [x], values)
    wanted = reference(FLOAT_REDUCTIONS, names, wide(values), 1, False)
    compare([*names, *PLACES], found, wanted + reference(PLACES, PLACES, wide(values), 1, False), terms=9)


def test_first_of_equal_extrema() -> None:
    x = placeholder((5, 12), "int32")
    values = np.zeros((5, 12), np.int32)
    values[1, 4:] = 3
    values[2, 7:9] = -1
    found = run([ops.argmax(x), ops.argmin(x), ops.argmax(x, axis=1), ops.argmin(x, axis=0)], [x], values)
    wanted = [values.argmax(), values.argmin(), values.argmax(1), values.argmin(0)]
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", FLOATS)
def test_extremum_of_what_is_computed(dtype: str) -> None:
    """Both passes see the same values, although neither stores them."""
    x, y = placeholder((9, 130), dtype), placeholder((130,), dtype, "y")
    a, b = draw((9, 130), dtype), draw((130,), dtype, seed=1)
    found = run([ops.argmax(ops.add(ops.multiply(x, y), 0.1), axis=1)], [x, y], a, b)[0]
    total = wide(a) * wide(b) + 0.1
    best = np.take_along_axis(total, found[:, None], 1)[:, 0]
    compare(["argmax"], [best.astype(a.dtype)], [total.max(axis=1)])


def test_keywords() -> None:
    x, values = placeholder((4, 33), "float32"), draw((4, 33), "float32")
    v = wide(values)
    cases: dict[str, tuple[te.Tensor, Any]] = {
        "var": (ops.var(x, axis=1, correction=1), v.var(axis=1, ddof=1)),
        "std": (ops.std(x, correction=1.5), np.sqrt(((v - v.mean()) ** 2).sum() / (v.size - 1.5))),
        "var, nothing left": (ops.var(x, axis=1, correction=33), np.full(4, np.inf)),
        "sum": (ops.sum(x, axis=0, dtype="float64"), v.sum(axis=0)),
        "mean": (ops.mean(x, dtype="float64"), v.mean()),
        **{f"norm {p}": (ops.vector_norm(x, axis=1, ord=p), _norm(p)(v, axis=1)) for p in (0, 1, 2, 3, 0.5)},
        "norm inf": (ops.vector_norm(x, axis=0, ord=math.inf), np.abs(v).max(axis=0)),
        "norm -inf": (ops.vector_norm(x, axis=0, ord=-math.inf), np.abs(v).min(axis=0)),
    }
    compare(cases, run([c[0] for c in cases.values()], [x], values), [c[1] for c in cases.values()], terms=v.size)


def test_far_from_zero() -> None:
    """Variance in two passes: one pass in float32 would lose every digit."""
    x, values = placeholder((3, 1000), "float32"), draw((3, 1000), "float32") + np.float32(1e4)
    found = run([ops.var(x, axis=1), ops.logsumexp(x, axis=1)], [x], values)
    compare(["var", "logsumexp"], found, [wide(values).var(1), special.logsumexp(wide(values), axis=1)], terms=4000)


# --- scans ----------------------------------------------------------------------------------------------


def scanned(values: Array, axis: int, exclusive: bool, reverse: bool, op: Any, start: float) -> Array:
    """The scan by a loop."""
    lines = np.moveaxis(values, axis, 0)
    lines = lines[::-1] if reverse else lines
    result, total = [], np.full(lines.shape[1:], start, lines.dtype)
    for line in lines:
        after = op(total, line)
        result.append(total if exclusive else after)
        total = after
    stacked = np.stack(result[::-1] if reverse else result) if result else np.empty_like(lines)
    return np.moveaxis(stacked, 0, axis)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_scans_over_shapes(shape: tuple[int, ...]) -> None:
    x, values = placeholder(shape, "float32"), draw(shape, "float32", low=0.5, high=1.5)
    names, outputs, wanted = [], [], []
    for k, axis in enumerate(range(-1, len(shape) - 1)):
        exclusive, reverse = k % 2 == 1, k % 3 == 1
        keywords: dict[str, Any] = {"exclusive": exclusive, "reverse": reverse}
        outputs += [ops.cumsum(x, axis, **keywords), ops.cumprod(x, axis, **keywords), ops.cummax(x, axis)]
        wanted += [
            scanned(wide(values), axis, exclusive, reverse, np.add, 0),
            scanned(wide(values), axis, exclusive, reverse, np.multiply, 1),
            np.maximum.accumulate(wide(values), axis=axis),
        ]
        names += [f"{n} {axis} {keywords}" for n in ("cumsum", "cumprod", "cummax")]
    compare(names, run(outputs, [x], values), wanted, terms=max(values.size, 1) * 100)


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_scans_of_symbolic_sizes(reverse: bool, exclusive: bool) -> None:
    x = placeholder(("m", "n"), "float64")
    keywords: dict[str, Any] = {"exclusive": exclusive, "reverse": reverse}
    kernel = akg.build([ops.cumsum(x, 0, **keywords), ops.cumsum(x, 1, **keywords)], inputs=[x])
    for shape in ((1, 1), (3, 0), (0, 3), (7, 5), (33, 17)):
        values = draw(shape, "float64")
        wanted = [scanned(values, axis, exclusive, reverse, np.add, 0) for axis in (0, 1)]
        compare(["axis 0", "axis 1"], kernel(values), wanted, terms=33)


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
def test_scans_of_types(dtype: str) -> None:
    x, values = placeholder((5, 23), dtype), draw((5, 23), dtype, low=-2, high=2)
    outputs = [ops.cumsum(x, -1), ops.cumsum(x, 0, dtype="float32"), ops.cummin(x, 1), ops.cummax(x, 0, reverse=True)]
    v = wide(values) if dtype in FLOATS else values.astype(np.int64)
    wanted = [
        np.cumsum(v, axis=-1), np.cumsum(v, axis=0), np.minimum.accumulate(v, axis=1),
        np.maximum.accumulate(v[::-1], axis=0)[::-1],
    ]  # fmt: skip
    kinds = [dtype if dtype in FLOATS else "int64", "float32", dtype, dtype]
    compare(["sum", "float32 sum", "min", "max"], run(outputs, [x], values), wanted, terms=23, dtypes=kinds)


def test_masked_scan() -> None:
    x, m = placeholder((4, 31), "float32"), placeholder((31,), "bool", "m")
    values, mask = draw((4, 31), "float32", low=0.5, high=1.5), draw((31,), "bool")
    values[:, np.flatnonzero(~mask)[0]] = np.nan  # what does not count may be anything
    found = run([ops.cumsum(x, 1, where=m), ops.cumprod(x, 1, where=m)], [x, m], values, mask)
    v = wide(values)
    compare(["sum", "prod"], found, [np.cumsum(np.where(mask, v, 0), 1), np.cumprod(np.where(mask, v, 1), 1)], terms=31)


def test_array_api_scans() -> None:
    x, values = placeholder((3, 17), "float32"), draw((3, 17), "float32", low=0.5, high=1.5)
    v, y = wide(values), placeholder((5,), "int32", "y")
    found = run([ops.cumulative_sum(x, axis=1, include_initial=True), ops.cumulative_prod(x, axis=0)], [x], values)
    wanted = [np.cumulative_sum(v, axis=1, include_initial=True), np.cumulative_prod(v, axis=0)]
    compare(["sum", "prod"], found, wanted, terms=17)
    np.testing.assert_array_equal(run([ops.cumulative_sum(y)], [y], np.arange(5, dtype=np.int32))[0], [0, 1, 3, 6, 10])


def test_scan_in_a_chain() -> None:
    """A scan reads a value that is computed on the way, and is read by a reduction."""
    x, values = placeholder((6, 40), "float32"), draw((6, 40), "float32")
    output = ops.max(ops.cumsum(ops.square(x), 1), axis=1)
    compare(["chain"], run([output], [x], values), [np.cumsum(wide(values) ** 2, 1).max(1)], terms=40)


# --- errors ---------------------------------------------------------------------------------------------

X, I, B, Z = (te.placeholder(s, d, name=n) for s, d, n in [
    ((3, 4), "float32", "X"), ((3, 4), "int32", "I"), ((3, 4), "bool", "B"), ((3, 0), "float32", "Z"),
])  # fmt: skip
ERRORS: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: ops.sum(X, axis=2),
        "AKG-E273: sum: axis 2 is out of range\nbecause: the tensor has 2 dimensions\nhint: give axis from -2 to 1",
    ),
    (
        lambda: ops.max(X, axis=(0, -2)),
        "AKG-E273: max: axis 0 is given twice\nbecause: axis=(0, -2) names dimension 0 more than once\n"
        "hint: give every axis once",
    ),
    (
        lambda: ops.mean(X, axis="rows"),  # type: ignore[arg-type]
        "AKG-E273: mean: axis is 'rows'\nbecause: axes are integers\nhint: as in axis=-1",
    ),
    (
        lambda: ops.sum(te.placeholder((), "float32", name="S"), axis=0),
        "AKG-E273: sum: axis 0 is out of range\nbecause: the tensor has 0 dimensions\nhint: a scalar has no axes",
    ),
    (
        lambda: ops.cumulative_sum(X),
        "AKG-E273: cumulative_sum: axis is missing\nbecause: x has 2 dimensions\nhint: give axis, as in axis=-1",
    ),
    (
        lambda: ops.max(B),
        "AKG-E274: max: x is bool\nbecause: it must be a number\nhint: convert it: akg.ops.astype(x, dtype)",
    ),
    (
        lambda: ops.mean(X, dtype="int32"),
        "AKG-E274: mean: dtype is int32\nbecause: it must be a float\nhint: convert it: akg.ops.astype(x, dtype)",
    ),
    (
        lambda: ops.logsumexp(I),
        "AKG-E274: logsumexp: x is int32\nbecause: it must be a float\nhint: convert it: akg.ops.astype(x, dtype)",
    ),
    (
        lambda: ops.cumsum(X, 0, where=X),
        "AKG-E274: cumsum: where is float32\nbecause: it must be a bool\n"
        "hint: compare first, as in akg.ops.not_equal(x, 0)",
    ),
    (
        lambda: ops.cumsum(X, 0, where=te.placeholder((2, 3, 4), "bool", name="M")),
        "AKG-E272: cumsum: where has more elements than x\nbecause: the mask broadcasts to the shape of x\n"
        "hint: broadcast x first",
    ),
    (
        lambda: ops.argmax(Z, axis=1),
        "AKG-E275: argmax: the place of an extremum among no elements\nbecause: the axis has size 0\n"
        "hint: check for empty input",
    ),
    (
        lambda: ops.vector_norm(X, ord="fro"),  # type: ignore[arg-type]
        "AKG-E275: vector_norm: ord is 'fro'\nbecause: the order of a norm is a number\n"
        "hint: as in ord=2 or ord=math.inf",
    ),
    (
        lambda: ops.sum(np.zeros(3)),  # type: ignore[arg-type]
        "AKG-E271: sum: x is a ndarray\nbecause: operators define tensors in terms of tensors\n"
        "hint: declare the argument: te.placeholder(shape, dtype)",
    ),
    (
        lambda: te.scan((3,), lambda i: X[0, i], 1),
        "AKG-E249: no scan with op='sum' along axis 1\n"
        "because: op is one of sum, prod, max, min, and the shape has 1 dimensions\nhint: axes count from 0",
    ),
    (
        lambda: te.scan((3,), lambda i: te.sum(X[i, k], axis=k), 0),
        "AKG-E243: a reduction inside a scan\nbecause: a definition reduces once\n"
        "hint: give the reduction a te.compute of its own",
    ),
    (
        lambda: te.scan((3,), lambda i: (X[i, 0], X[i, 1]), 0),  # type: ignore[arg-type,return-value]
        "AKG-E241: the function returned several values\nbecause: a scan has one term per element\n"
        "hint: write one te.scan for each",
    ),
]  # fmt: skip
k = te.reduce_axis(4, name="k")


@pytest.mark.parametrize(("call", "text"), ERRORS, ids=[text.partition("\n")[0] for _, text in ERRORS])
def test_errors(call: Callable[[], Any], text: str) -> None:
    assert message_of(call) == text
