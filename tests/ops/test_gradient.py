"""Gradients of te definitions, construct by construct, against finite differences."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.base.errors import AkgError
from akg.ir.functions import FLOAT_CALLS
from akg.ir.te.tensor import Tensor
from akg.ops.gradient.functions import DERIVATIVES
from tests.ops.gradients import check_gradient, placeholder, uniform

# function -> range of arguments that stays away from its singularities
FUNCTIONS: dict[str, tuple[float, float]] = {
    "exp": (-1, 1), "exp2": (-1, 1), "expm1": (-1, 1), "log": (0.5, 2), "log2": (0.5, 2), "log10": (0.5, 2),
    "log1p": (-0.5, 1), "sqrt": (0.5, 2), "rsqrt": (0.5, 2), "tanh": (-1, 1), "sinh": (-1, 1), "cosh": (-1, 1),
    "sin": (-2, 2), "cos": (-2, 2), "tan": (-1, 1), "asin": (-0.8, 0.8), "acos": (-0.8, 0.8), "atan": (-2, 2),
    "asinh": (-2, 2), "acosh": (1.5, 3), "atanh": (-0.8, 0.8), "erf": (-1, 1), "sigmoid": (-2, 2),
    "floor": (0.1, 0.9), "ceil": (0.1, 0.9), "round": (0.1, 0.4), "trunc": (0.1, 0.9), "abs": (-2, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name: str) -> None:
    x = placeholder(7, "x")
    y = te.compute(7, lambda i: 1.5 * getattr(te, name)(x[i]))
    check_gradient(y, [x], {x: uniform(x, *FUNCTIONS[name])})


def test_every_function_has_a_derivative() -> None:
    assert DERIVATIVES.keys() == FLOAT_CALLS


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - 2.0 * b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
    "mod": lambda a, b: (7.0 * a) % b, "floordiv": lambda a, b: a // b, "max": te.maximum, "min": te.minimum,
    "pow": te.pow, "pow_const": lambda a, b: te.pow(a, 2.5) + te.pow(b, -1.0) + te.pow(b, 2.0),
    "square": lambda a, b: a**2 * b**3,
    "atan2": te.atan2, "copysign": te.copysign, "ldexp": lambda a, b: te.ldexp(a, te.round(b * 3.0)),
    "fma": lambda a, b: te.fma(a, b, a), "select": lambda a, b: te.select(a > b, a * b, b),
    "clip": lambda a, b: te.clip(a * b, 0.7, 1.1), "nested": lambda a, b: te.exp(a * te.tanh(a - b)) / (a + b * b),
    "casts": lambda a, b: te.cast(te.cast(a, "int32"), "float64") * b + te.cast(a > b, "float64") * a,
    "constant_side": lambda a, b: te.maximum(a, 1.0) - te.minimum(1.0, b),
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_two_operands(name: str) -> None:
    a, b = placeholder((2, 5), "a"), placeholder((2, 5), "b")
    y = te.compute((2, 5), lambda i, j: BINARY[name](a[i, j], b[i, j]))
    check_gradient(y, [a, b], {a: uniform(a, 0.6, 1.6), b: uniform(b, 0.6, 1.6)})


def _sum_axis() -> tuple[Tensor, list[Tensor]]:
    x = placeholder((4, 5), "x")
    k = te.reduce_axis(5)
    return te.compute(4, lambda i: te.sum(te.exp(x[i, k]), axis=k) * 0.5), [x]


def _sum_all() -> tuple[Tensor, list[Tensor]]:
    x = placeholder((4, 5), "x")
    i, k = te.reduce_axis(4), te.reduce_axis(5)
    return te.compute((), lambda: te.sum(x[i, k] * x[i, k], axis=(i, k))), [x]


def _reduction(kind: str) -> Callable[[], tuple[Tensor, list[Tensor]]]:
    def define() -> tuple[Tensor, list[Tensor]]:
        x = placeholder((4, 5), "x")
        k = te.reduce_axis(5)
        return te.compute(4, lambda i: getattr(te, kind)(x[i, k] * x[i, k], axis=k)), [x]

    return define


def _argmax() -> tuple[Tensor, list[Tensor]]:
    x = placeholder((4, 5), "x")
    k = te.reduce_axis(5)
    return te.compute(4, lambda i: te.argmax((x[i, k], k), axis=k))[0], [x]


def _conditional_sum() -> tuple[Tensor, list[Tensor]]:
    x = placeholder((5, 6), "x")
    k = te.reduce_axis(6)
    return te.compute(5, lambda i: te.sum(x[i, k] * x[k - i, k], axis=k, where=te.all(k >= i, k - i < 5))), [x]


def _cumsum() -> tuple[Tensor, list[Tensor]]:
    x = placeholder((3, 6), "x")
    k = te.reduce_axis(6)
    return te.compute((3, 6), lambda i, j: te.sum(te.sin(x[i, k]), axis=k, where=k <= j)), [x]


def _cumprod() -> tuple[Tensor, list[Tensor]]:
    x = placeholder((3, 6), "x")
    k = te.reduce_axis(6)
    return te.compute((3, 6), lambda i, j: te.prod(x[i, k], axis=k, where=k <= j)), [x]


def _triangular_bound() -> tuple[Tensor, list[Tensor]]:
    x, y = placeholder((6, 6), "x"), placeholder(6, "y")

    def body(i: Any) -> Any:
        k = te.reduce_axis((0, i + 1))
        return te.sum(x[i, k] * y[k], axis=k)

    return te.compute(6, body), [x, y]


def _elementwise(shape: Any, source: Any, body: Callable[..., Any]) -> Callable[[], tuple[Tensor, list[Tensor]]]:
    def define() -> tuple[Tensor, list[Tensor]]:
        x = placeholder(source, "x")
        return te.compute(shape, lambda *i: body(x, *i)), [x]

    return define


def _window(kind: str, n: int, size: int, stride: int, dilation: int) -> Callable[[], tuple[Tensor, list[Tensor]]]:
    def define() -> tuple[Tensor, list[Tensor]]:
        x = placeholder((2, n), "x")
        k = te.reduce_axis(size)
        length = (n - dilation * (size - 1) - 1) // stride + 1
        return te.compute(
            (2, length), lambda b, i: getattr(te, kind)(te.exp(x[b, i * stride + k * dilation]), axis=k)
        ), [x]

    return define


def _abs(e: Any) -> Any:
    return te.maximum(e, -e)


def _concat() -> tuple[Tensor, list[Tensor]]:
    a, b = placeholder((3, 4), "a"), placeholder((2, 4), "b")
    return te.compute((5, 4), lambda i, j: te.select(i < 3, a[i, j] * 2.0, te.exp(b[i - 3, j]))), [a, b]


def _branches() -> tuple[Tensor, list[Tensor]]:
    a = placeholder((6,), "a")
    return te.compute(6, lambda i: te.select(i % 2 == 0, a[i] * 2.0, te.exp(a[i])) * a[5 - i]), [a]


def _diagonal() -> tuple[Tensor, list[Tensor]]:
    a = placeholder((4, 4), "a")
    return te.compute(4, lambda i: a[i, i] * a[i, 3 - i]), [a]


def _trace() -> tuple[Tensor, list[Tensor]]:
    a = placeholder((4, 4), "a")
    i, j = te.reduce_axis(4), te.reduce_axis(4)
    return te.compute((), lambda: te.sum(a[i, j] * a[j, i], axis=(i, j), where=i == j)), [a]


def _shared() -> tuple[Tensor, list[Tensor]]:
    a = placeholder((4, 4), "a")
    b = te.compute((4, 4), lambda i, j: te.exp(a[i, j]))
    k = te.reduce_axis(4)
    c = te.compute(4, lambda i: te.sum(b[i, k], axis=k))
    return te.compute((4, 4), lambda i, j: b[i, j] * b[j, i] / c[i] + c[j]), [a]


def _stencil() -> tuple[Tensor, list[Tensor]]:
    a = placeholder((6, 7), "a")
    return te.compute((4, 5), lambda i, j: a[i, j + 1] * a[i + 2, j + 1] + 3.0 * a[i + 1, j] - a[i + 1, j + 2]), [a]


def _dilated_input() -> tuple[Tensor, list[Tensor]]:
    x, w = placeholder((5,), "x"), placeholder((3,), "w")
    k = te.reduce_axis(3)

    def term(i: Any) -> Any:
        at = i - k
        return te.sum(x[at // 2] * w[k], axis=k, where=te.all(at >= 0, at < 10, at % 2 == 0))

    return te.compute(11, term), [x, w]


def _two_outputs() -> tuple[Tensor, list[Tensor]]:
    x = placeholder((5,), "x")
    a, b = te.compute(5, lambda i: (te.sin(x[i]), te.cos(x[i]) * x[i]))
    return te.compute(5, lambda i: a[i] * b[4 - i]), [x]


CONSTRUCTS: dict[str, Callable[[], tuple[Tensor, list[Tensor]]]] = {
    "sum_axis": _sum_axis, "sum_all": _sum_all, "max": _reduction("max"), "min": _reduction("min"),
    "prod": _reduction("prod"), "argmax": _argmax, "conditional_sum": _conditional_sum, "cumsum": _cumsum,
    "cumprod": _cumprod, "triangular_bound": _triangular_bound, "concat": _concat, "branches": _branches,
    "diagonal": _diagonal, "trace": _trace, "shared": _shared, "stencil": _stencil, "two_outputs": _two_outputs,
    "dilated_input": _dilated_input,
    "transpose": _elementwise((4, 3, 2), (2, 3, 4), lambda x, i, j, k: x[k, j, i] * 2.0),
    "shift": _elementwise((3, 4), (6, 6), lambda x, i, j: te.exp(x[i + 1, j + 2])),
    "flip": _elementwise(6, 6, lambda x, i: x[5 - i] * x[i]),
    "broadcast": _elementwise((3, 4, 5), (4,), lambda x, i, j, k: te.sin(x[j])),
    "broadcast_one": _elementwise((3, 4), (3, 1), lambda x, i, j: te.sin(x[i, 0]) * (j + 1)),
    "stride": _elementwise(4, 11, lambda x, i: te.sin(x[3 * i + 1])),
    "reshape": _elementwise((6, 4), (2, 3, 4), lambda x, i, j: te.sin(x[i // 3, i % 3, j])),
    "reshape_mixed": _elementwise(
        (4, 6), (3, 8), lambda x, i, j: te.sin(x[(i * 6 + j) // 8, (i * 6 + j) % 8])
    ),
    "reshape_merge": _elementwise((2, 3, 4), (24,), lambda x, i, j, k: te.sin(x[i * 12 + j * 4 + k])),
    "reshape_deep": _elementwise(
        (24,), (2, 3, 4), lambda x, i: te.sin(x[i // 12, (i // 4) % 3, i % 4])
    ),
    "tile": _elementwise((10,), (4,), lambda x, i: te.sin(x[i % 4]) * (i + 1)),
    "repeat": _elementwise((11,), (4,), lambda x, i: te.sin(x[i // 3]) * (i + 1)),
    "roll": _elementwise((7,), (7,), lambda x, i: te.sin(x[(i + 3) % 7]) * (i + 1)),
    "pad": _elementwise((9,), (5,), lambda x, i: te.select(te.all(i >= 2, i < 7), x[i - 2] * x[i - 2], 1.0)),
    "edge": _elementwise((9, 6), (5, 4), lambda x, i, j: te.sin(
        x[te.maximum(te.minimum(i - 2, 4), 0), te.clip(j - 1, 0, 3)]) * (i + j + 1)),
    "reflect": _elementwise((9,), (5,), lambda x, i: te.sin(x[4 - _abs(4 - _abs(i - 2))]) * (i + 1)),
    "skewed": _elementwise((4, 3), (17,), lambda x, i, j: te.sin(x[2 * i + 3 * j])),
    "window": _window("sum", 9, 3, 1, 1), "window_stride": _window("sum", 10, 3, 2, 1),
    "window_stride_wide": _window("sum", 23, 7, 3, 1), "window_gap": _window("sum", 11, 2, 3, 1),
    "window_dilated": _window("sum", 12, 3, 1, 2), "window_both": _window("sum", 15, 3, 2, 3),
    "window_even": _window("sum", 15, 3, 2, 2), "window_long": _window("sum", 9, 8, 1, 1),
    "window_max": _window("max", 10, 3, 2, 1), "window_max_overlap": _window("max", 9, 3, 1, 1),
    "window_prod": _window("prod", 10, 2, 2, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_construct(name: str) -> None:
    output, inputs = CONSTRUCTS[name]()
    check_gradient(output, inputs, {x: uniform(x) for x in inputs})


def test_scalars() -> None:
    """Of a float scalar, through temporaries, conditions and reductions; integers have none."""
    X, a, b = te.placeholder((7,), "float64", name="X"), te.scalar("a", "float64"), te.scalar("b", "float64")
    T = te.compute((7,), lambda i: te.exp(X[i] * a), name="T")
    L = te.compute((7,), lambda i: te.select(X[i] > 0.0, T[i] * b, b * b), name="L")
    gradients = akg.differentiate(L, [a, b, X])
    kernel = akg.build(gradients, inputs=[X, a, b])
    x = np.random.default_rng(0).uniform(-1, 1, 7)
    ga, gb, gx = kernel(x, 0.5, 2.0)
    t, on = np.exp(x * 0.5), x > 0
    np.testing.assert_allclose(ga, (on * x * t * 2.0).sum())
    np.testing.assert_allclose(gb, np.where(on, t, 4.0).sum())
    np.testing.assert_allclose(gx, on * t)
    with pytest.raises(AkgError, match="AKG-E291: input 0, n, is a scalar of int32"):
        akg.differentiate(L, te.scalar("n", "int32"))
    with pytest.raises(AkgError, match="AKG-E290: input 0 is a Var"):
        akg.differentiate(L, te.var("m"))
