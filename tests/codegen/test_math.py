"""The expansions of mathematical functions: errors in units in the last place, and every special value.

The reference of float32 is float64 arithmetic of NumPy and SciPy, that of float64 is mpmath.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special

from akg.base.dtype import DType, bool_, float16, float32, float64
from akg.base.errors import InternalError
from akg.base.target import Target
from akg.codegen.legalize import legalize
from akg.codegen.llvm.backend import emit
from akg.codegen.llvm.scaling import native_calls
from akg.codegen.math import NATIVE, PRIMITIVES, expand
from akg.ir.buffer import Buffer
from akg.ir.expr import Call, Const, Expr, Load, Var
from akg.ir.functions import FLOAT_CALLS, PREDICATE_CALLS
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import For, Kernel, Param, Store
from tests.codegen.conftest import Jit
from tests.codegen.expr_eval import evaluate

Array = np.ndarray[Any, Any]

# Bounds on the error in units in the last place, float32 and float64; `docs/math.md` has what was measured.
BOUNDS: dict[str, tuple[float, float]] = {
    "exp": (1.1, 1.1), "exp2": (1.0, 1.0), "expm1": (1.7, 2.0), "log": (1.0, 1.0), "log2": (1.9, 1.6),
    "log10": (1.6, 1.3), "log1p": (1.7, 1.1), "tanh": (2.7, 2.4), "sinh": (1.8, 1.8), "cosh": (1.6, 1.6),
    "erf": (1.3, 1.3), "sigmoid": (3.0, 2.5), "sin": (2.4, 1.0), "cos": (2.4, 1.0), "tan": (3.6, 2.3),
    "asin": (2.1, 2.0), "acos": (1.3, 1.4), "atan": (2.2, 1.6), "asinh": (2.0, 1.8), "acosh": (2.1, 2.2),
    "atanh": (2.1, 1.8), "rsqrt": (1.6, 1.6),
}  # fmt: skip
EITHER = pytest.mark.parametrize("native", [frozenset[str](), NATIVE], ids=["plain", "native"])
_NUMPY: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "erf": scipy.special.erf, "rsqrt": lambda x: 1 / np.sqrt(x),
    "acosh": np.arccosh, "asinh": np.arcsinh, "atanh": np.arctanh, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan,
}  # fmt: skip
_MPMATH: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)), "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "log2": lambda x: mpmath.log(x) / mpmath.log(2), "exp2": lambda x: mpmath.mpf(2) ** x,
}  # fmt: skip
# Where results overflow, underflow, saturate or change formula.
_EDGES = [
    0.0, 1.0, 2.0, 0.5, 3.0, 10.0, 88.72283, 88.72284, 89.41598, 89.415985, 87.33655, 103.97208, 103.972084, 9.01,
    3.92, 3.95, 126.0, 128.0, 149.0, 150.0, 1e-38, 1.17549435e-38, 1.4e-45, 2.0**24, 2.0**30, 1e10, 1e30, 3.4028235e38,
    math.inf, 0.41421357, 2.4142137, math.pi / 2, math.pi, 709.782712893384, 710.4758600739439, 745.1332191019412,
    2.2250738585072014e-308, 5e-324, 1.7976931348623157e308, 6381956970095103 * 2.0**797, 6.0, 20.0, 1074.0, 1024.0,
]  # fmt: skip


def edges(dtype: DType) -> Array:
    """Every edge, its two neighbours, their negatives, and NaN."""
    kind = dtype.numpy.type
    with np.errstate(over="ignore"):
        x = np.array(_EDGES).astype(kind)
    with np.errstate(over="ignore", under="ignore"):
        x = np.concatenate([x, np.nextafter(x, kind(np.inf)), np.nextafter(x, kind(-np.inf))])
    return np.concatenate([x, -x, np.array([np.nan], kind)])


def samples(dtype: DType, count: int, seed: int = 0) -> Array:
    """Random bit patterns and dense ranges around what matters, about twelve times `count`."""
    rng = np.random.default_rng(seed)
    unsigned = np.uint32 if dtype is float32 else np.uint64
    top = 2 ** (8 * np.dtype(unsigned).itemsize) - 1
    bits = rng.integers(0, top, 4 * count, dtype=unsigned, endpoint=True).view(dtype.numpy)
    ranges = [rng.uniform(-r, r, count) for r in (1e-3, 1, 4, 12, 110, 800, 1e5, 1e9)]
    near = 1 + rng.uniform(-0.4, 0.4, count)
    return np.concatenate([bits, *[r.astype(dtype.numpy) for r in (*ranges, near)], edges(dtype)])


def expansion(
    name: str, dtype: DType, arity: int = 1, native: frozenset[str] = frozenset()
) -> tuple[Expr, tuple[Var, ...]]:
    args = tuple(Var(f"x{k}", dtype) for k in range(arity))
    return expand(Call(name, args, bool_ if name in PREDICATE_CALLS else dtype), native), args


def assert_specials(got: Array, want: Array, x: Array) -> None:
    """NaN, infinities and signs of zeros stand where they should."""
    wrong = np.isnan(got) != np.isnan(want)
    wrong |= np.isinf(want) & (got != want)
    wrong |= np.isinf(got) & (got != want)
    wrong |= (want == 0) & (got == 0) & (np.signbit(got) != np.signbit(want))
    at = np.flatnonzero(wrong)[:4]
    assert not at.size, [(x[k], got[k], want[k]) for k in at]


def error_f32(name: str, got: Array, x: Array) -> float:
    """The largest error in float32 ulps; special values checked."""
    function: Callable[[Array], Array] = _NUMPY.get(name) or getattr(np, name)
    with np.errstate(all="ignore"):
        exact = function(x.astype(np.float64))
        want = exact.astype(np.float32)
    assert_specials(got, want, x)
    finite = np.isfinite(want)
    ulp = np.maximum(np.spacing(np.abs(want[finite])), np.float32(1.4e-45)).astype(np.float64)
    return float(np.max(np.abs(got[finite] - exact[finite]) / ulp))


def error_f64(name: str, got: Array, x: Array) -> float:
    """The largest error in float64 ulps; special values checked where NumPy has the function."""
    function = _MPMATH.get(name) or getattr(mpmath, name)
    with np.errstate(all="ignore"):
        rough = (_NUMPY.get(name) or getattr(np, name))(x)
    if name == "sigmoid":  # the rough formula overflows early
        rough = np.where(rough == 0, got, rough)
    finite = np.isfinite(x) & np.isfinite(rough)
    assert_specials(got[~finite], rough[~finite], x[~finite])
    worst = 0.0
    with mpmath.workprec(140):
        for value, result in zip(x[finite].tolist(), got[finite].tolist()):
            exact = function(mpmath.mpf(value))
            ulp = max(math.ulp(float(exact)), 5e-324)
            worst = max(worst, float(abs(mpmath.mpf(result) - exact) / ulp))
    return worst


@EITHER
@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_float32(name: str, native: frozenset[str]) -> None:
    root, (x,) = expansion(name, float32, 1, native)
    points = samples(float32, 10_000)
    assert error_f32(name, evaluate(root, {x: points}), points) <= BOUNDS[name][0]


@EITHER
@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_float64(name: str, native: frozenset[str]) -> None:
    root, (x,) = expansion(name, float64, 1, native)
    points = samples(float64, 30)
    assert error_f64(name, evaluate(root, {x: points}), points) <= BOUNDS[name][1]


@pytest.mark.long
@EITHER
@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_many_points(name: str, native: frozenset[str]) -> None:
    for seed in range(1, 9):
        root, (x,) = expansion(name, float32, 1, native)
        points = samples(float32, 100_000, seed)
        assert error_f32(name, evaluate(root, {x: points}), points) <= BOUNDS[name][0]
    root, (x,) = expansion(name, float64, 1, native)
    points = samples(float64, 3000, 1)
    assert error_f64(name, evaluate(root, {x: points}), points) <= BOUNDS[name][1]


_AWKWARD = [
    0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 1e-30, 2.5, -2.5,
    2.0**53, 2.0**53 - 1, -(2.0**24) + 1, 1024.0, -1075.0,
]  # fmt: skip


def pairs(dtype: DType) -> tuple[Array, Array]:
    a, b = np.meshgrid(np.array(_AWKWARD, dtype.numpy), np.array(_AWKWARD, dtype.numpy))
    return a.ravel(), b.ravel()


def _c_pow(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        return math.copysign(math.inf, x if y % 2 == 1 else 1.0)
    except ValueError:  # Python raises where C gives an infinity or NaN
        if x == 0:
            return math.copysign(math.inf, x if y % 2 == 1 else 1.0)
        return math.nan


@EITHER
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_pow_special_values(dtype: DType, native: frozenset[str]) -> None:
    root, (x, y) = expansion("pow", dtype, 2, native)
    a, b = pairs(dtype)
    with np.errstate(over="ignore"):
        want = np.array([_c_pow(float(p), float(q)) for p, q in zip(a, b)]).astype(dtype.numpy)
    got = evaluate(root, {x: a, y: b})
    assert_specials(got, want, np.stack([a, b], -1))
    finite = np.isfinite(want)
    assert np.all(np.abs(got[finite] - want[finite]) <= 2 * np.spacing(np.abs(want[finite])))


@EITHER
def test_pow_float32(native: frozenset[str]) -> None:
    """Among them powers all over the range of results, where errors of the logarithm count most."""
    rng = np.random.default_rng(3)
    n = 30_000
    a = np.concatenate([rng.uniform(0, 5, n), 1 + rng.uniform(-1e-3, 1e-3, n), 2.0 ** rng.uniform(-140, 127, n)])
    a = np.concatenate([a, rng.uniform(0.6, 1.6, n), np.exp(rng.uniform(-100, 88, n))])
    b = np.concatenate([rng.uniform(-60, 60, n), rng.uniform(-6e4, 6e4, n), rng.uniform(-1.05, 1.05, n)])
    b = np.concatenate([b, rng.uniform(-104, 89, 2 * n) / np.log(a[3 * n :])])
    a, b = a.astype(np.float32), b.astype(np.float32)
    root, (x, y) = expansion("pow", float32, 2, native)
    got = evaluate(root, {x: a, y: b})
    with np.errstate(all="ignore"):
        exact = np.power(a.astype(np.float64), b.astype(np.float64))
        want = exact.astype(np.float32)
    assert_specials(got, want, np.stack([a, b], -1))
    finite = np.isfinite(want)
    ulp = np.maximum(np.spacing(want[finite]), np.float32(1.4e-45))
    assert np.max(np.abs(got[finite] - exact[finite]) / ulp) <= 3.3


def test_pow_float64() -> None:
    rng = np.random.default_rng(4)
    n = 400
    a = np.concatenate([rng.uniform(0, 5, n), 1 + rng.uniform(-1e-3, 1e-3, n), 2.0 ** rng.uniform(-1000, 1000, n)])
    b = np.concatenate([rng.uniform(-300, 300, n), rng.uniform(-6e5, 6e5, n), rng.uniform(-1.02, 1.02, n)])
    root, (x, y) = expansion("pow", float64, 2)
    got = evaluate(root, {x: a, y: b})
    with mpmath.workprec(160):
        for p, q, value in zip(a.tolist(), b.tolist(), got.tolist()):
            exact = mpmath.mpf(p) ** mpmath.mpf(q)
            if exact >= mpmath.mpf(2) ** 1024:
                assert value == math.inf
            else:
                assert abs(mpmath.mpf(value) - exact) <= 1.5 * max(math.ulp(float(exact)), 5e-324), (p, q)


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_atan2(dtype: DType) -> None:
    rng = np.random.default_rng(5)
    a, b = pairs(dtype)
    a = np.concatenate([a, rng.normal(size=20_000).astype(dtype.numpy)])
    b = np.concatenate([b, (rng.normal(size=20_000) * np.exp(rng.normal(size=20_000))).astype(dtype.numpy)])
    root, (y, x) = expansion("atan2", dtype, 2)
    got = evaluate(root, {y: a, x: b})
    exact = np.arctan2(a.astype(np.longdouble), b.astype(np.longdouble))
    want = exact.astype(dtype.numpy)
    assert_specials(got, want, np.stack([a, b], -1))
    finite = np.isfinite(want) & (np.abs(want) > np.finfo(dtype.numpy).tiny)
    error = np.abs(got[finite] - exact[finite]) / np.spacing(np.abs(want[finite]))
    assert np.max(error) <= (2.8 if dtype is float32 else 2.7)


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_huge_float32_arguments(name: str) -> None:
    """Every binade, and the float32 that come closest to multiples of pi/2."""
    rng = np.random.default_rng(7)
    x = np.concatenate([[16367173 * 2.0**72, 3.4028235e38], 2.0 ** rng.uniform(20, 127.99, 600)]).astype(np.float32)
    root, (v,) = expansion(name, float32)
    got = evaluate(root, {v: x})
    with mpmath.workprec(300):
        for value, result in zip(x.tolist(), got):
            exact = getattr(mpmath, name)(mpmath.mpf(value))
            assert abs(mpmath.mpf(float(result)) - exact) <= BOUNDS[name][0] * float(np.spacing(abs(result))), value


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_huge_arguments(name: str) -> None:
    """Among them the float64 that comes closest to a multiple of pi/2."""
    rng = np.random.default_rng(6)
    x = np.concatenate([[6381956970095103 * 2.0**797, 1.7976931348623157e308], 2.0 ** rng.uniform(29, 1023.9, 200)])
    root, (v,) = expansion(name, float64)
    got = evaluate(root, {v: x})
    with mpmath.workprec(1300):
        for value, result in zip(x.tolist(), got.tolist()):
            exact = getattr(mpmath, name)(mpmath.mpf(value))
            assert abs(mpmath.mpf(result) - exact) <= BOUNDS[name][1] * math.ulp(float(exact)), value


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_predicates(dtype: DType) -> None:
    points = edges(dtype)
    for name in sorted(PREDICATE_CALLS):
        root, (x,) = expansion(name, dtype)
        np.testing.assert_array_equal(evaluate(root, {x: points}), getattr(np, name)(points))


def _ldexp_cases(dtype: DType) -> tuple[Array, Array, Array]:
    """Numbers, powers, and results by NumPy's ldexp; the last two are infinite or not a number for some."""
    x, n = (v.ravel() for v in np.meshgrid(edges(dtype), [*range(-2300, 2300, 7), *range(-1080, 160), 0.5, -0.5]))
    x, n = x.astype(dtype.numpy), n.astype(dtype.numpy)
    with np.errstate(all="ignore"):
        want = np.ldexp(x, np.floor(n).astype(np.int32))
    inf, nan = math.inf, math.nan
    rows = [
        (nan, inf, inf), (nan, -inf, 0), (1, inf, inf), (-2, inf, -inf), (-3, -inf, -0.0), (0, inf, nan),
        (inf, -inf, nan), (inf, inf, inf), (2, nan, nan), (inf, nan, nan), (nan, nan, nan), (0, -inf, 0),
    ]  # fmt: skip
    special = np.array(rows, dtype.numpy)
    return tuple(np.concatenate([a, special[:, k]]) for k, a in enumerate((x, n, want)))


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_ldexp(dtype: DType) -> None:
    x, n, want = _ldexp_cases(dtype)
    root, (a, b) = expansion("ldexp", dtype, 2)
    np.testing.assert_array_equal(evaluate(root, {a: x, b: n}), want)


@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_ldexp_in_machine_code(dtype: DType, lanes: int, jit: Jit, host: Target) -> None:
    """The instruction, where there is one, for scalars and for vectors of any width."""
    x, n, want = _ldexp_cases(dtype)
    i, size = Var("i"), Var("size")
    buffers = [Buffer(name, (size,), dtype) for name in ("x", "n", "out")]
    value = Call("ldexp", (Load(buffers[0], (i,)), Load(buffers[1], (i,))), dtype)
    loop = For(i, Const(0), size, Store(buffers[2], (i,), value, "S0"), "serial" if lanes == 1 else "vector")
    params = [Param(b, role) for b, role in zip(buffers, ("in", "in", "out"), strict=True)]
    kernel = Kernel("scaled", (*params, Param(size, "size")), loop)
    target = replace(host, vector_bits=max(128, lanes * dtype.bits))
    got = np.zeros_like(want)
    assert jit.load(emit(kernel, target), kernel)(x, n, got, len(x)) == 0
    np.testing.assert_array_equal(got, want)


def test_only_primitives_remain() -> None:
    arity = {"pow": 2, "atan2": 2, "copysign": 2, "ldexp": 2, "fma": 3}
    for name in sorted(FLOAT_CALLS | PREDICATE_CALLS):
        for dtype in (float32, float64):
            root, _ = expansion(name, dtype, arity.get(name, 1))
            assert all(n.fn in PRIMITIVES for n in walk_expr(root) if isinstance(n, Call)), name
            assert not any(isinstance(n, Load) for n in walk_expr(root))


def test_the_common_functions_are_short() -> None:
    plain = {"exp": 26, "tanh": 24, "sigmoid": 28, "log": 36, "erf": 40}
    native = {"exp": 14, "sigmoid": 18, "log": 22}
    for counts, primitives in ((plain, frozenset[str]()), (native, NATIVE)):
        for name, most in counts.items():
            root, _ = expansion(name, float32, 1, primitives)
            assert sum(1 for n in walk_expr(root) if n.children) <= most, name


def test_narrow_floats_are_not_expanded() -> None:
    with pytest.raises(InternalError):
        expand(Call("exp", (Var("x", float16),), float16))


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_vector_code(name: str, dtype: DType, jit: Jit, host: Target) -> None:
    """Machine code of a vector loop agrees with the evaluation in NumPy."""
    i, n = Var("i"), Var("n")
    x, out = Buffer("x", (n,), dtype), Buffer("out", (n,), dtype)
    store = Store(out, (i,), Call(name, (Load(x, (i,)),), dtype), "S0")
    kernel = Kernel(
        f"k_{name}", (Param(x, "in"), Param(out, "out"), Param(n, "size")), For(i, Const(0), n, store, "vector")
    )
    points = samples(dtype, 200)
    got = np.zeros_like(points)
    assert jit.load(emit(kernel, host), kernel)(points, got, len(points)) == 0
    root, (v,) = expansion(name, dtype, 1, native_calls(host))
    want = evaluate(root, {v: points})
    assert_specials(got, want, points)
    finite = np.isfinite(want)
    smallest = np.finfo(dtype.numpy).smallest_subnormal
    assert np.all(np.abs(got[finite] - want[finite]) <= np.maximum(np.spacing(np.abs(want[finite])), smallest))


@pytest.mark.parametrize("lanes", [1, 3, 4, 8, 16, 32])
def test_tables_in_registers(lanes: int, jit: Jit, host: Target) -> None:
    """The lookup of powers of two is the same in vectors of every width, and in scalars."""
    x, out = Buffer("x", (Const(lanes),), float32), Buffer("out", (Const(lanes),), float32)
    if not native_calls(host):
        pytest.skip("the machine has no such instruction")
    i = Var("i")
    store = Store(out, (i,), Call("sixteenth", (Load(x, (i,)),), float32), "S0")
    kind = "serial" if lanes == 1 else "vector"
    kernel = Kernel(f"k{lanes}", (Param(x, "in"), Param(out, "out")), For(i, Const(0), Const(lanes), store, kind))
    points = (np.arange(lanes, dtype=np.int32) * 7 + 0x3F800003).view(np.float32)
    got = np.zeros_like(points)
    assert jit.load(emit(kernel, host), kernel)(points, got) == 0
    want = np.exp2((points.view(np.int32) % 16) / 16).astype(np.float32)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("lanes", [1, 3, 8, 16, 32])
def test_fractions(lanes: int, dtype: DType, jit: Jit, host: Target) -> None:
    """What the next integer below leaves, rounded down; nothing of infinities."""
    x, out = Buffer("x", (Const(lanes),), dtype), Buffer("out", (Const(lanes),), dtype)
    if not native_calls(host):
        pytest.skip("the machine has no such instruction")
    i = Var("i")
    store = Store(out, (i,), Call("fraction", (Load(x, (i,)),), dtype), "S0")
    kind = "serial" if lanes == 1 else "vector"
    kernel = Kernel(f"k{lanes}", (Param(x, "in"), Param(out, "out")), For(i, Const(0), Const(lanes), store, kind))
    edges = [-math.inf, math.inf, -0.25, -1e-30, 1e30, -1e30, 0.75, -3.0]
    points = np.resize(np.array([-5.375, *edges], dtype.numpy), lanes)
    got = np.zeros_like(points)
    assert jit.load(emit(kernel, host), kernel)(points, got) == 0
    root, (v,) = Call("fraction", (Var("v", dtype),), dtype), (Var("v", dtype),)
    np.testing.assert_allclose(got, evaluate(root, {v: points}), rtol=1.01 * np.finfo(dtype.numpy).epsneg)


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
@pytest.mark.parametrize("lanes", [1, 16])
def test_rare_arguments_among_others(name: str, lanes: int, jit: Jit, host: Target) -> None:
    """A vector of which some lanes take the branch gives what each lane gives alone."""
    rng = np.random.default_rng(11)
    x = rng.uniform(-100, 100, 333).astype(np.float32)
    x[::37] = (2.0 ** rng.uniform(15, 100, len(x[::37]))).astype(np.float32)
    x[:4] = (0.0, -0.0, math.inf, math.nan)
    i, size = Var("i"), Var("size")
    source, target = Buffer("x", (size,), float32), Buffer("out", (size,), float32)
    store = Store(target, (i,), Call(name, (Load(source, (i,)),), float32), "S0")
    loop = For(i, Const(0), size, store, "serial" if lanes == 1 else "vector")
    kernel = Kernel("rare", (Param(source, "in"), Param(target, "out"), Param(size, "size")), loop)
    got = np.zeros_like(x)
    text = emit(legalize(kernel), replace(host, vector_bits=max(128, lanes * 32)))
    assert jit.load(text, kernel)(x, got, len(x)) == 0
    root, (v,) = expansion(name, float32)
    want = evaluate(root, {v: x})
    np.testing.assert_allclose(got, want, rtol=5e-7, atol=0)
    assert np.array_equal(np.signbit(got[:2]), np.signbit(want[:2]))
