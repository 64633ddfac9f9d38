"""Functions on NumPy arrays, traced and compiled, against NumPy."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import akg
from akg.base.errors import AkgError
from akg.frontends.jit.array import TracedArray
from tests.helpers import assert_close

RNG = np.random.default_rng(7)
X = RNG.uniform(0.1, 0.9, (5, 6)).astype(np.float32)
Y = RNG.uniform(0.1, 0.9, (5, 6)).astype(np.float32)
W = RNG.standard_normal((6, 4)).astype(np.float32)
I = RNG.integers(1, 9, (5, 6))

UNARY = """
    negative positive sign exp exp2 expm1 log log2 log10 log1p sqrt square reciprocal sin cos tan sinh cosh tanh arcsin
    arccos arctan arcsinh arctanh floor ceil trunc rint isnan isinf isfinite signbit absolute fabs logical_not
"""
BINARY = """
    add subtract multiply divide floor_divide remainder fmod hypot copysign logaddexp maximum minimum equal not_equal
    less less_equal greater greater_equal logical_and logical_or logical_xor power arctan2
"""
INTEGERS = "bitwise_and bitwise_or bitwise_xor left_shift right_shift remainder floor_divide fmod"


def same(function: Callable[..., Any], *args: Any) -> None:
    got, want = akg.jit(function)(*args), function(*args)
    compare(got, want)


def compare(got: Any, want: Any) -> None:
    if isinstance(want, (tuple, list)):
        assert type(got) is type(want)
        assert len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            compare(g, w)
    elif isinstance(want, dict):
        assert list(got) == list(want)
        for key, w in want.items():
            compare(got[key], w)
    else:
        want = np.asarray(want)
        assert np.asarray(got).dtype == want.dtype
        assert_close(got, want, terms=64)


@pytest.mark.parametrize("name", UNARY.split())
def test_unary(name: str) -> None:
    same(getattr(np, name), X)


@pytest.mark.parametrize("name", BINARY.split())
def test_binary(name: str) -> None:
    same(getattr(np, name), X, Y)
    same(lambda x: getattr(np, name)(x, 0.5), X)


@pytest.mark.parametrize("name", INTEGERS.split())
def test_integers(name: str) -> None:
    same(getattr(np, name), I, np.abs(I - 4) + 1)


CASES: dict[str, Callable[..., Any]] = {
    "operators": lambda x, y: ((x + 1) * y - x / 2 + 3 % x) ** 2 // y,
    "reflected": lambda x, y: (1 - x, 2.0 / x, 2**x, -x, abs(x - y), +y),
    "comparisons": lambda x, y: ((x < y) & (x > 0.2) | ~(x == y), x != y, x >= y, x <= 0.5),
    "sum": lambda x, y: (x.sum(), np.sum(x, axis=0), x.sum(axis=(0, 1)), x.sum(1, keepdims=True), np.add.reduce(x)),
    "mean": lambda x, y: (x.mean(), np.mean(y, axis=-1), x.mean(0, keepdims=True)),
    "extremes": lambda x, y: (x.max(), np.amin(y, axis=0), np.maximum.reduce(x), x.argmax(), y.argmin(axis=1)),
    "truth": lambda x, y: ((x > 0.5).any(), np.all(x > 0.01, axis=1), np.count_nonzero(x > 0.5)),
    "spread": lambda x, y: (x.var(), np.var(x, axis=0), x.std(axis=1), np.std(y, ddof=1)),
    "product": lambda x, y: (x.prod(axis=1), np.prod(y)),
    "scans": lambda x, y: (x.cumsum(axis=1), np.cumprod(y, axis=0), np.cumsum(x)),
    "matmul": lambda x, y: (x @ y.T, np.matmul(x.T, y), np.dot(x, y.T), x.dot(y.T), np.outer(x[0], y[1])),
    "einsum": lambda x, y: (np.einsum("ij,kj->ik", x, y), np.tensordot(x, y, axes=([1], [1]))),
    "shape": lambda x, y: (x.reshape(6, 5), x.reshape((2, -1)), np.reshape(x, -1), x.ravel(), x.T, np.transpose(y)),
    "axes": lambda x, y: (np.expand_dims(x, 1), x[:, None].squeeze(1), x.swapaxes(0, 1), np.moveaxis(x, 0, 1)),
    "join": lambda x, y: (np.concatenate([x, y], axis=1), np.stack([x, y]), np.vstack([x, y]), np.hstack([x, y])),
    "split": lambda x, y: np.split(x, 3, axis=1),
    "around": lambda x, y: (np.flip(x, 0), np.roll(x, 2, axis=1), np.tile(x, (2, 1)), np.repeat(x, 2, axis=0)),
    "pad": lambda x, y: (np.pad(x, 1), np.pad(x, ((1, 0), (2, 1)), mode="edge"), np.pad(x, 1, constant_values=3)),
    "where": lambda x, y: (np.where(x > y, x, y), np.where(x > 0.5, 1.0, y), np.clip(x, 0.2, 0.7), x.clip(min=0.3)),
    "triangles": lambda x, y: (np.tril(x), np.triu(y, 1)),
    "likes": lambda x, y: (np.zeros_like(x), np.ones_like(y, dtype=np.int64), np.full_like(x, 2.5)),
    "norm": lambda x, y: (np.linalg.norm(x), np.linalg.norm(y, axis=1), np.linalg.norm(x, 1, axis=0)),
    "cast": lambda x, y: (x.astype(np.float64), (x * 10).astype("int32"), x.round(), np.round(y, 2)),
    "take": lambda x, y: (np.take(x, [0, 3], axis=1), x[[4, 0]], x[:, np.array([1, 2])]),
    "index": lambda x, y: (x[0], x[-1], x[1:3, ::2], x[..., 1], x[None], x[:, -2:], x[::-1], x[2, 3], x[1:, None, 0]),
    "broadcast": lambda x, y: (np.broadcast_to(x[0], (3, 6)), x + y[:, :1], x * y[0]),
    "structures": lambda x, y: {"a": [x, (y, x + y)], "b": x.shape[0], "c": 2.5},
    "rebinding": lambda x, y: rebinding(x, y),
    "loops": lambda x, y: sum(row * k for k, row in enumerate(x)),
}


def rebinding(x: Any, y: Any) -> Any:
    z = x
    z = z + y
    for _ in range(3):
        z -= 0.1 * y
    return z, x


@pytest.mark.parametrize("name", CASES)
def test_functions(name: str) -> None:
    x, y = X.copy(), Y.copy()
    want = CASES[name](X.copy(), Y.copy())
    compare(akg.jit(CASES[name])(x, y), want)
    assert (x == X).all()
    assert (y == Y).all()


def test_softmax_is_one_kernel() -> None:
    @akg.jit
    def softmax(x: Any) -> Any:
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    softmax(X)
    (trace,) = softmax.traces.values()
    assert len(trace.compiled.kernels) == 1


def test_symbolic_sizes() -> None:
    """One set of kernels for all values of a size."""

    @akg.jit(shapes={"x": ("n", None)})
    def f(x: Any, w: Any) -> Any:
        return np.tanh(x @ w).sum(axis=1)

    for rows in (1, 2, 17, 300):
        x = RNG.standard_normal((rows, 6)).astype(np.float32)
        assert_close(f(x, W), np.tanh(x @ W).sum(axis=1), terms=6)
    assert len(f.traces) == 1
    with pytest.raises(AkgError, match="has 1 dimensions"):
        f(np.zeros(3, np.float32), W)


def test_traced_again_and_why(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    @akg.jit
    def f(x: Any, factor: float) -> Any:
        calls.append(1)
        return x * factor

    with caplog.at_level(logging.INFO, logger="akg.jit"):
        f(X, 2.0)
        f(X + 1, 2.0)
        assert len(calls) == 1
        compare(f(X, 2), X * 2)
        f(X[:2], 2.0)
        f(X.astype(np.float64), 2.0)
    assert len(calls) == 4
    reasons = [t.reason for t in f.traces.values()]
    assert reasons[0] == "first call"
    assert "factor = 2.0 became factor = 2 (a NumPy array" in reasons[1]
    assert "float32[5, 6] became float32[2, 6] (shapes= makes a size symbolic)" in reasons[2]
    assert "float64[5, 6]" in reasons[3]
    assert "f: traced again" in caplog.text
    assert "first call" in f.explain()


def test_closures_and_constants() -> None:
    offset = np.arange(6, dtype=np.float32)
    compare(akg.jit(lambda x: x + offset)(X), X + offset)
    compare(akg.jit(lambda x: offset + x)(X), offset + X)
    compare(akg.jit(lambda x: np.float64(2) * x)(X), np.float64(2) * X)


def test_threads() -> None:
    f = akg.jit(lambda x, y: np.exp(x) @ y.T)
    want = np.exp(X) @ Y.T
    wrong: list[int] = []

    def work() -> None:
        for _ in range(50):
            if not np.allclose(f(X, Y), want, rtol=1e-5):
                wrong.append(1)

    team = [threading.Thread(target=work) for _ in range(4)]
    for t in team:
        t.start()
    for t in team:
        t.join()
    assert not wrong


kept: list[Any] = []


def keep(x: Any) -> Any:
    kept.append(x)
    return x


def assign(x: Any) -> Any:
    x[0] = 1
    return x


BAD: list[tuple[Callable[[Any], Any], str, str]] = [
    (lambda x: x if x.sum() > 0 else -x, "AKG-E750", "truth value"),
    (lambda x: float(x[0, 0]), "AKG-E750", "float"),
    (lambda x: [1, 2, 3][x], "AKG-E750", "index"),
    (lambda x: np.asarray(x), "AKG-E750", "conversion"),
    (assign, "AKG-E751", "do not change"),
    (lambda x: np.sort(x), "AKG-E753", "np.sort"),
    (lambda x: np.add(x, x, out=np.zeros(3)), "AKG-E753", "np.add with out"),
    (lambda x: np.add.accumulate(x), "AKG-E753", "np.add.accumulate"),
    (lambda x: np.where(x > 0), "AKG-E753", "condition alone"),
    (lambda x: x[9], "AKG-E754", "out of bounds"),
    (lambda x: x[0, 0, 0], "AKG-E754", "3 subscripts"),
    (lambda x: x[x > 0.5], "AKG-E754", "masks"),
    (lambda x: {1, 2}, "AKG-E755", "result of type set"),
    (lambda x: x @ np.zeros((3, 3)), "AKG-E28", "matmul"),
    (lambda x: x + object(), "AKG-E", ""),
]


@pytest.mark.parametrize(("function", "code", "text"), BAD, ids=range(len(BAD)))
def test_errors(function: Callable[[Any], Any], code: str, text: str) -> None:
    with pytest.raises(AkgError) as caught:
        akg.jit(function)(X)
    assert caught.value.code.startswith(code)
    assert text in str(caught.value)


def test_kept_arrays() -> None:
    akg.jit(keep)(X)
    assert isinstance(kept[0], TracedArray)
    with pytest.raises(AkgError, match="another call") as caught:
        akg.jit(lambda x: x + kept[0])(X)
    assert caught.value.code == "AKG-E752"


def test_wrong_arguments() -> None:
    with pytest.raises(AkgError, match="of type object"):
        akg.jit(lambda x: x)(object())
    with pytest.raises(AkgError, match="takes a function"):
        akg.jit(3)  # type: ignore[arg-type]  # pyright: ignore


def test_views_are_copied() -> None:
    """Arrays that are not row-major are read all the same; those that are stay where they are."""
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    double = akg.jit(lambda a, b: a * 2 + b)
    for view in (x.T, x[:, ::2], x[::-1], np.asfortranarray(x), np.broadcast_to(x[0], (3, 6))):
        np.testing.assert_array_equal(double(view, np.float32(1)), view * 2 + 1)


def test_shapes_of_unknown_arguments() -> None:
    with pytest.raises(AkgError, match="names 'z'") as caught:
        akg.jit(lambda xx, y: xx + y, shapes={"z": ("n",)})
    assert caught.value.code == "AKG-E756"
    akg.jit(lambda x, **more: x, shapes={"z": ("n",)})
    akg.jit(np.exp, shapes={"x": ("n",)})
