"""Elementwise operators and activations against NumPy in float64: shapes, types, special values, errors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import dtype_of, tolerance
from tests.helpers import assert_close
from tests.ops.common import FLOATS, INTEGERS, LENGTHS, chunks, compare, draw, message_of, placeholder, run, wide
from tests.ops.references import ALL_BINARY, ALL_UNARY, BINARY, BITWISE, UNARY, Reference, softplus

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 1e4, -1e4]
PAIRS = (
    ((5,), (5,)), ((5,), (1,)), ((1,), (7,)), ((3, 4), (4,)), ((3, 1), (1, 5)), ((2, 3, 4), (3, 1)), ((), (6,)),
    ((0, 3), (3,)), ((4, 0), (1,)), ((17, 31), (17, 31)), ((2, 1, 5), (1, 3, 1)), ((41, 130), (130,)),
)  # fmt: skip


def apply(table: dict[str, Reference], names: list[str], *arrays: Any) -> list[Any]:
    with np.errstate(all="ignore"):
        return [table[name](*arrays) for name in names]


def define(names: list[str], *inputs: te.Tensor) -> list[te.Tensor]:
    return [ops.get(name).function(*inputs) for name in names]


# --- of one operand -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("names", chunks(list(ALL_UNARY), 9), ids=lambda names: names[0])
def test_unary_of_floats(names: list[str], dtype: str) -> None:
    x = placeholder(("n",), dtype)
    kernel = akg.build(define(names, x), inputs=[x])
    for n in LENGTHS:
        values = draw((n,), dtype)
        compare(names, kernel(values), apply(ALL_UNARY, names, wide(values)))
    values = np.array(SPECIAL).astype(dtype_of(dtype).numpy)
    found = [f.astype(np.float64) for f in kernel(values)]
    for name, got, want in zip(names, found, apply(ALL_UNARY, names, wide(values)), strict=True):
        for at, value in enumerate(SPECIAL):  # one by one: 1e4 and its square would hide what is small
            want_here = np.asarray(want[at : at + 1]).astype(dtype_of(dtype).numpy)
            if not (np.isinf(value) and np.isnan(want_here[0]).any()):  # inf - inf and inf * 0 in the reference
                assert_close(got[at : at + 1], want_here, dtype, what=f"{name}({value})")


@pytest.mark.parametrize("shape", [(1,), (3, 5), (0, 3), (2, 3, 4), (5, 1, 9), (), (2, 3, 1, 5), (41, 33), (1, 1)])
def test_unary_over_shapes(shape: tuple[int, ...]) -> None:
    names = ["exp", "relu", "gelu", "isnan", "abs"]
    x = placeholder(shape, "float32")
    values = draw(shape, "float32")
    compare(names, run(define(names, x), [x], values), apply(ALL_UNARY, names, wide(values)))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_unary_of_integers(dtype: str) -> None:
    names = [n for n in UNARY if not (dtype == "uint8" and n in ("negative",))]
    x = placeholder(("n",), dtype)
    kernel = akg.build(define(names, x), inputs=[x])
    for n in LENGTHS[:6]:
        values = draw((n,), dtype, low=-100, high=100)
        for name, got, want in zip(names, kernel(values), apply(UNARY, names, values), strict=True):
            assert got.dtype == (want.dtype if want.dtype == bool else values.dtype), name
            np.testing.assert_array_equal(got, want, name)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_float_functions_of_integers(dtype: str) -> None:
    names = ["sqrt", "exp", "sin", "sigmoid", "gelu", "tanh", "reciprocal"]
    x = placeholder((11,), dtype)
    values = draw((11,), dtype)
    want = "float32" if dtype in ("int8", "uint8", "int16") else "float64"
    found = run(define(names, x), [x], values)
    compare(names, found, apply(ALL_UNARY, names, values.astype(np.float64)), dtypes=[want] * len(names))


LARGE = np.array([30.0, 88.0, 100.0, 500.0, 1e4, 1e30], np.float32)
STABLE = ["softplus", "log_sigmoid", "mish", "sigmoid", "silu", "gelu", "elu", "tanh", "softsign", "hardswish"]


def test_large_magnitudes() -> None:
    """Every element by itself: neither overflow nor cancellation, down to where float32 underflows."""
    x = placeholder((12,), "float32")
    values = np.concatenate([LARGE, -LARGE])
    found = run(define(STABLE, x), [x], values)
    for name, got, want in zip(STABLE, found, apply(ALL_UNARY, STABLE, wide(values)), strict=True):
        np.testing.assert_allclose(got, want, rtol=4 * tolerance(dtype_of("float32")), atol=1e-37, err_msg=name)


# --- of two operands ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("names", chunks(list(ALL_BINARY), 11), ids=lambda names: names[0])
def test_binary_of_floats(names: list[str], dtype: str) -> None:
    x, y = placeholder(("n",), dtype), placeholder(("n",), dtype, "y")
    kernel = akg.build(define(names, x, y), inputs=[x, y])
    for n in LENGTHS:
        a, b = draw((n,), dtype), draw((n,), dtype, seed=1, low=0.5)
        b[::3] *= -1
        compare(names, kernel(a, b), apply(ALL_BINARY, names, wide(a), wide(b)))
    a, b = (g.ravel().astype(dtype_of(dtype).numpy) for g in np.meshgrid(SPECIAL, SPECIAL))
    found = kernel(a, b)
    for name, got, want in zip(names, found, apply(ALL_BINARY, names, wide(a), wide(b)), strict=True):
        with np.errstate(all="ignore"):
            want = np.asarray(want).astype(got.dtype)
        for at in range(a.size):
            assert_close(got[at], want[at], got.dtype, what=f"{name}({a[at]}, {b[at]})")


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_broadcasting(pair: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    names = ["add", "maximum", "less", "divide"]
    x, y = (placeholder(s, "float32", n) for s, n in zip(pair, "xy"))
    a, b = draw(pair[0], "float32"), draw(pair[1], "float32", seed=1, low=1.0)
    compare(names, run(define(names, x, y), [x, y], a, b), apply(BINARY, names, wide(a), wide(b)))


def test_symbolic_broadcasting() -> None:
    x, y = placeholder(("n", "m"), "float32"), placeholder(("m",), "float32", "y")
    kernel = akg.build([ops.multiply(x, y)], inputs=[x, y])
    for n, m in ((0, 3), (1, 1), (5, 7), (33, 16), (2, 129)):
        a, b = draw((n, m), "float32"), draw((m,), "float32", seed=1)
        compare(["multiply"], [kernel(a, b)], [wide(a) * wide(b)])


@pytest.mark.parametrize("dtype", INTEGERS)
def test_binary_of_integers(dtype: str) -> None:
    names = [n for n in BINARY if n != "divide"] + list(BITWISE)
    x, y = placeholder(("n",), dtype), placeholder(("n",), dtype, "y")
    kernel = akg.build(define(names, x, y), inputs=[x, y])
    limits = np.iinfo(dtype)
    for n in LENGTHS[:7]:
        a, b = draw((n,), dtype, low=-100, high=100), draw((n,), dtype, seed=1, low=-5, high=5)
        if n > 3:
            a[:4], b[:4] = [limits.min, limits.max, limits.min, 7], [1, limits.max, limits.max, 0]
        found = kernel(a, b)
        for name, got, want in zip(names, found, apply({**BINARY, **BITWISE}, names, a, b), strict=True):
            assert got.dtype == want.dtype, name
            np.testing.assert_array_equal(got, want, name)


def test_integer_division_of_the_least_by_minus_one() -> None:
    """The quotient does not fit, and wraps; no trap."""
    x, y = placeholder((9,), "int32"), placeholder((9,), "int32", "y")
    a, b = np.full(9, -(2**31), np.int32), np.array([-1, 0, 1, 2, -1, -2, 3, 7, -1], np.int32)
    found = run([ops.floor_divide(x, y), ops.remainder(x, y)], [x, y], a, b)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(found[0], np.floor_divide(a, b))
        np.testing.assert_array_equal(found[1], np.remainder(a, b))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quotients_as_long_as_the_significand(dtype: str) -> None:
    """To the last bit as in NumPy, which rounds quotients with halves down; and zeros of both signs."""
    count, bits = 20000, np.finfo(dtype).nmant
    rng = np.random.default_rng(0)
    a, b = (
        (rng.uniform(1, 2, count) * 2.0 ** rng.integers(*powers, count) * rng.choice([-1, 1], count)).astype(dtype)
        for powers in ((bits - 3, bits + 4), (-2, 3))
    )
    b[::5], a[::7], a[::11] = np.round(b[::5] * 4), 0.0, -0.0
    x, y = placeholder((count,), dtype), placeholder((count,), dtype, "y")
    quotient, rest = run([ops.floor_divide(x, y), ops.remainder(x, y)], [x, y], a, b)
    for got, want in ((quotient, np.floor_divide(a, b)), (rest, np.remainder(a, b))):
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(np.signbit(got), np.signbit(want))


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_bits(dtype: str) -> None:
    x, y = placeholder((130,), dtype), placeholder((130,), dtype, "y")
    a, b = draw((130,), dtype, low=-100, high=100), draw((130,), dtype, seed=1, low=-100, high=100)
    outputs = [ops.bitwise_and(x, y), ops.bitwise_or(x, y), ops.bitwise_xor(x, y), ops.bitwise_invert(x)]
    for got, want in zip(run(outputs, [x, y], a, b), [a & b, a | b, a ^ b, ~a], strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_shifts(dtype: str) -> None:
    x, y = placeholder((70,), dtype), placeholder((70,), dtype, "y")
    a, b = draw((70,), dtype, low=-100, high=100), np.arange(70).astype(dtype)
    outputs = [ops.bitwise_left_shift(x, y), ops.bitwise_right_shift(x, y), ops.bitwise_right_shift(x, 3)]
    found = run(outputs, [x, y], a, b)
    for got, want in zip(found, [np.left_shift(a, b), np.right_shift(a, b), np.right_shift(a, 3)], strict=True):
        np.testing.assert_array_equal(got, want)


def test_powers() -> None:
    x, y = placeholder((41,), "float32"), placeholder((41,), "float32", "y")
    a, b = draw((41,), "float32", low=0.1), draw((41,), "float32", seed=1)
    outputs = [ops.pow(x, y), ops.pow(x, 3), ops.pow(x, -2), ops.pow(x, 0.5), ops.pow(2.0, y), ops.pow(x, 0)]
    want = [wide(a) ** b, wide(a) ** 3, wide(a) ** -2.0, wide(a) ** 0.5, 2.0 ** wide(b), np.ones(41)]
    compare([f"pow {k}" for k in range(6)], run(outputs, [x, y], a, b), want)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_powers_of_integers(dtype: str) -> None:
    x, y = placeholder((60,), dtype), placeholder((60,), dtype, "y")
    a, b = draw((60,), dtype, low=-3, high=3), np.arange(60).astype(dtype)
    found = run([ops.pow(x, y), ops.pow(x, 5), ops.pow(x, 0)], [x, y], a, b)
    for got, want in zip(found, [a**b, a**5, np.ones_like(a)], strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nextafter(dtype: str) -> None:
    kind = np.dtype(dtype).type
    values = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, np.finfo(kind).max, np.finfo(kind).tiny], kind)
    a, b = (g.ravel() for g in np.meshgrid(values, values))
    x, y = placeholder(a.shape, dtype), placeholder(a.shape, dtype, "y")
    found = run([ops.nextafter(x, y)], [x, y], a, b)[0]
    np.testing.assert_array_equal(found, np.nextafter(a, b))


def test_hypot_and_logaddexp_do_not_overflow() -> None:
    x, y = placeholder((6,), "float32"), placeholder((6,), "float32", "y")
    a = np.array([1e30, 3e-30, 1000, -1000, 3e38, 0], np.float32)
    b = np.array([1e30, 4e-30, 1000, -1000, 1.0, 0], np.float32)
    found = run([ops.hypot(x, y), ops.logaddexp(x, y)], [x, y], a, b)
    for got, want in zip(found, [np.hypot(wide(a), b), np.logaddexp(wide(a), b)], strict=True):
        np.testing.assert_allclose(got, want, rtol=tolerance(dtype_of("float32")))


# --- choice, limits, conversion -------------------------------------------------------------------------


def test_where_and_clip() -> None:
    x, y, c = placeholder((5, 7), "float32"), placeholder((7,), "float32", "y"), placeholder((5, 1), "bool", "c")
    a, b, m = draw((5, 7), "float32"), draw((7,), "float32", seed=1), draw((5, 1), "bool")
    a[0, :2] = np.nan, np.inf
    outputs = [ops.where(c, x, y), ops.where(c, x, 0), ops.clip(x, -1, 1), ops.clip(x, min=y), ops.clip(x, max=0.5)]
    want = [np.where(m, a, b), np.where(m, a, 0), np.clip(a, -1, 1), np.maximum(a, b), np.minimum(a, np.float32(0.5))]
    for got, w in zip(run(outputs, [x, y, c], a, b, m), want, strict=True):
        np.testing.assert_array_equal(got, w)


@pytest.mark.parametrize("source", [*FLOATS, *INTEGERS, "bool"])
def test_astype(source: str) -> None:
    kinds = [*FLOATS, *INTEGERS, "bool"]
    x = placeholder((37,), source)
    values = draw((37,), source, low=0, high=9)
    found = run([ops.astype(x, kind) for kind in kinds], [x], values)
    for kind, got in zip(kinds, found, strict=True):
        assert str(dtype_of(got.dtype)) == kind
        np.testing.assert_array_equal(got, values.astype(dtype_of(kind).numpy), kind)


def test_types_promote_as_in_numpy() -> None:
    kinds = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8"]
    for a in kinds:
        for b in kinds:
            found = ops.add(placeholder((2,), a), placeholder((2,), b, "y")).dtype
            assert found.numpy == np.result_type(np.dtype(a), np.dtype(b)), (a, b)
        for number in (1, 1.5, True):
            assert ops.add(placeholder((2,), a), number).dtype.numpy == (np.zeros(1, a) + number).dtype, (a, number)


def test_scalars_and_sizes() -> None:
    n, s = te.var("n"), te.scalar("s", "float32")
    x = te.placeholder((n,), "float32", name="x")
    kernel = akg.build([ops.multiply(ops.add(x, s), n)], inputs=[x, s])
    values = draw((9,), "float32")
    compare(["scaled"], [kernel(values, 0.5)], [(wide(values) + 0.5) * 9])


def test_keywords() -> None:
    x, values = placeholder((33,), "float32"), draw((33,), "float32")
    v = wide(values)
    cases = {
        "leaky": (ops.leaky_relu(x, negative_slope=0.2), np.where(v > 0, v, 0.2 * v)),
        "elu": (ops.elu(x, alpha=2.0), np.where(v > 0, v, 2 * np.expm1(v))),
        "celu": (ops.celu(x, alpha=2.0), np.where(v > 0, v, 2 * np.expm1(v / 2))),
        "gelu": (
            ops.gelu(x, approximate="tanh"),
            0.5 * v * (1 + np.tanh(np.sqrt(2 / np.pi) * (v + 0.044715 * v**3))),
        ),
        "softplus": (ops.softplus(x, beta=2.0), softplus(2 * v) / 2),
        "hardtanh": (ops.hardtanh(x, min_val=-2, max_val=0.5), np.clip(v, -2, 0.5)),
    }
    compare(cases, run([c[0] for c in cases.values()], [x], values), [c[1] for c in cases.values()])


# --- errors ---------------------------------------------------------------------------------------------


def test_table_lists_every_operator() -> None:
    names = {entry.name for entry in ops.table()}
    assert names >= {*ALL_UNARY, *ALL_BINARY, *BITWISE, "pow", "clip", "where", "astype", "nextafter"}
    entry = ops.get("add")
    assert (entry.kind, entry.signature) == ("broadcast", "(x1: 'Operand', x2: 'Operand') -> 'Tensor'")
    assert all(e.doc and getattr(ops, e.name) is e.function for e in ops.table())


X, Y, I, B = (te.placeholder(s, d, name=n) for s, d, n in [
    ((3, 4), "float32", "X"), ((3, 5), "float32", "Y"), ((3, 4), "int32", "I"), ((3, 4), "bool", "B"),
])  # fmt: skip
ERRORS: list[tuple[Callable[[], Any], str]] = [
    (lambda: ops.get("softmx"), "AKG-E270: unknown operator 'softmx'\nhint: did you mean 'softmax'?"),
    (
        lambda: ops.add(np.zeros(3), X),
        "AKG-E271: add: x1 is a ndarray\nbecause: operands are te tensors, scalar expressions and numbers\n"
        "hint: declare arrays as arguments: te.placeholder(shape, dtype)",
    ),
    (
        lambda: ops.exp(2.0),
        "AKG-E271: exp: x is a float\nbecause: operators define tensors in terms of tensors\n"
        "hint: declare the argument: te.placeholder(shape, dtype)",
    ),
    (
        lambda: ops.add(1, 2),
        "AKG-E271: add: no operand is a tensor\nbecause: operators define tensors in terms of tensors\n"
        "hint: compute on numbers with Python or te",
    ),
    (
        lambda: ops.add(X, Y),
        "AKG-E272: add: shapes (3, 4) and (3, 5) do not broadcast\n"
        "because: dimension 1 of the result would be 4 and 5\nhint: sizes must be equal, or 1",
    ),
    (
        lambda: ops.add(te.placeholder((te.var("n"),), name="U"), te.placeholder((te.var("m"),), name="V")),
        "AKG-E272: add: shapes (n,) and (m,) do not broadcast\n"
        "because: dimension 0 of the result would be n and m\nhint: give sizes that are equal the same symbol",
    ),
    (
        lambda: ops.where(B, X, Y),
        "AKG-E272: where: shapes (3, 4), (3, 4) and (3, 5) do not broadcast\n"
        "because: dimension 1 of the result would be 4 and 5\nhint: sizes must be equal, or 1",
    ),
    (
        lambda: ops.exp(B),
        "AKG-E274: exp: x is bool\nbecause: it must be a number\nhint: convert it: akg.ops.astype(x, dtype)",
    ),
    (
        lambda: ops.add(B, True),
        "AKG-E274: add: the common type of x1 and x2 is bool\nbecause: it must be a number\n"
        "hint: convert it: akg.ops.astype(x, dtype)",
    ),
    (
        lambda: ops.bitwise_and(X, I),
        "AKG-E274: bitwise_and: the common type of x1 and x2 is float64\nbecause: it must be an integer or bool\n"
        "hint: convert it: akg.ops.astype(x, dtype)",
    ),
    (
        lambda: ops.where(X, X, X),
        "AKG-E274: where: condition is float32\nbecause: it must be a bool\n"
        "hint: compare first, as in akg.ops.not_equal(x, 0)",
    ),
    (
        lambda: ops.pow(I, -1),
        "AKG-E275: pow: x2 is -1 for integers x1\nbecause: integers have no negative powers\n"
        "hint: convert x1 to a float first",
    ),
    (
        lambda: ops.clip(I, 0.5),
        "AKG-E275: clip: the limits of int32 are of another type\nbecause: clip keeps the type of x\n"
        "hint: convert the limits, or x",
    ),
    (
        lambda: ops.gelu(X, approximate="tan"),
        "AKG-E275: gelu: approximate is 'tan'\nbecause: approximate is one of 'none', 'tanh'\n"
        "hint: did you mean 'tanh'?",
    ),
    (
        lambda: ops.softplus(X, beta=0.0),
        "AKG-E275: softplus: beta is 0.0\nbecause: the function is defined for beta > 0\nhint: as in beta=1.0",
    ),
    (
        lambda: ops.hardtanh(X, 1.0, -1.0),
        "AKG-E275: hardtanh: min_val is 1.0 and max_val is -1.0\nbecause: the range is empty\nhint: exchange them",
    ),
    (
        lambda: ops.nextafter(te.placeholder((3,), "float16", name="H"), 1.0),
        "AKG-E275: nextafter: x1 and x2 are float16\nbecause: nextafter is defined on float32 and float64\n"
        "hint: convert x1 and x2 to float32",
    ),
]


@pytest.mark.parametrize(("call", "text"), ERRORS, ids=[text.partition("\n")[0] for _, text in ERRORS])
def test_errors(call: Callable[[], Any], text: str) -> None:
    assert message_of(call) == text


def test_remainders_are_exact() -> None:
    """Quotients of any size, down to denormal divisors; NumPy's answer to the last bit."""
    rng = np.random.default_rng(1)
    n = 40_000
    bits = [rng.integers(0, 2**32, n, dtype=np.uint32).view(np.float32) for _ in range(2)]
    special = np.array([0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 3.4e38, -3.4e38, 0.1, 7], np.float32)
    grid = [g.ravel() for g in np.meshgrid(special, special)]
    close = [rng.integers(-50, 50, n).astype(np.float32), rng.integers(-9, 9, n).astype(np.float32)]
    a, b = (np.concatenate(parts) for parts in zip(bits, grid, close, strict=True))
    x, y = placeholder(a.shape, "float32"), placeholder(b.shape, "float32", "y")
    with np.errstate(all="ignore"):
        want, quotient = np.remainder(a, b), np.floor_divide(a, b)
    found, whole = run([ops.remainder(x, y), ops.floor_divide(x, y)], [x, y], a, b)
    np.testing.assert_array_equal(found, want)
    np.testing.assert_array_equal(np.signbit(found)[want == 0], np.signbit(want)[want == 0])
    np.testing.assert_allclose(whole, quotient, rtol=2e-7)
