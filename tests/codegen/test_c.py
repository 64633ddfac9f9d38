"""Printed C, compiled by a C compiler, agrees with the interpreter."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from akg.base.dtype import (
    DType,
    bfloat16,
    bool_,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)  # fmt: skip
from akg.base.errors import AkgError
from akg.codegen.c import emit_c
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Call, Const, Expr, Load, Unary, Var, call, cast, select
from akg.ir.interp import interpret
from akg.ir.stmt import Alloc, Barrier, Block, For, If, Kernel, Param, Prefetch, Store
from tests.helpers import assert_close

GCC = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="no gcc on this machine")
FLAGS = ["-std=c11", "-O2", "-fopenmp", "-Wall", "-Werror", "-shared", "-fPIC"]
_TYPES: dict[str, Any] = {
    "float64": ctypes.c_double, "float32": ctypes.c_float, "int64": ctypes.c_int64, "index": ctypes.c_int64,
    "int32": ctypes.c_int32, "int16": ctypes.c_int16, "int8": ctypes.c_int8, "uint8": ctypes.c_uint8,
    "bool": ctypes.c_uint8, "float16": ctypes.c_uint16, "bfloat16": ctypes.c_uint16,
}  # fmt: skip

i, j, k, n, m = Var("i"), Var("j"), Var("k"), Var("n"), Var("m")
rng = np.random.default_rng(7)


def compile_and_call(kernel: Kernel, args: list[Any], folder: Path, symbol: str = "") -> str:
    text = emit_c(kernel)
    stem = f"kernel{len(list(folder.iterdir()))}"  # a library that is loaded stays loaded under its name
    source, library = folder / f"{stem}.c", folder / f"{stem}.so"
    source.write_text(text)
    assert GCC is not None
    done = subprocess.run([GCC, *FLAGS, str(source), "-o", str(library), "-lm"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + text
    entry = getattr(ctypes.CDLL(str(library)), symbol or kernel.name)
    entry.argtypes = [
        ctypes.c_void_p if isinstance(p.value, Buffer) else _TYPES[p.value.dtype.name] for p in kernel.params
    ]
    assert entry(*[a.ctypes.data if isinstance(a, np.ndarray) else a for a in args]) == 0
    return text


def check(kernel: Kernel, args: list[Any], folder: Path, terms: int = 1, symbol: str = "") -> str:
    expected = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
    interpret(kernel, *expected)
    raw = [a.view(np.uint16) if isinstance(a, np.ndarray) and a.dtype.itemsize == 2 and a.dtype != np.int16 else a
           for a in args]  # fmt: skip
    text = compile_and_call(kernel, raw, folder, symbol)
    for param, got, want in zip(kernel.params, args, expected, strict=True):
        if isinstance(param.value, Buffer):
            assert_close(got, want, param.value.dtype, terms, param.name)
    return text


def draw(dtype: DType, count: int) -> np.ndarray[Any, Any]:
    if dtype is bool_:
        return rng.integers(0, 2, count).astype(bool)
    if dtype.is_float:
        return rng.normal(size=count).astype(dtype.numpy)
    low, high = np.iinfo(dtype.numpy).min, np.iinfo(dtype.numpy).max
    return rng.integers(low, high, count, dtype=dtype.numpy, endpoint=True)


def elementwise(make: Any, sources: list[DType], to: DType, kind: Any = "serial") -> Kernel:
    """``out[i] = make(x0[i], x1[i], ...)``."""
    ins = [Buffer(f"x{q}", (n,), d) for q, d in enumerate(sources)]
    out = Buffer("out", (n,), to)
    value = make(*[Load(b, (i,)) for b in ins])
    body = For(i, Const(0), n, Store(out, (i,), value, "S0"), kind)
    params = [*(Param(b, "in") for b in ins), Param(out, "out"), Param(n, "size")]
    return Kernel("k", tuple(params), body)


def run_elementwise(make: Any, sources: list[DType], to: DType, folder: Path, columns: Any = None) -> str:
    arrays = columns or [draw(d, 200) for d in sources]
    kernel = elementwise(make, sources, to)
    return check(kernel, [*arrays, np.zeros(len(arrays[0]), to.numpy), len(arrays[0])], folder)


def columns_of(dtype: DType, nonzero: bool = False) -> list[np.ndarray[Any, Any]]:
    """All pairs of awkward values and some drawn ones."""
    if dtype.is_float:
        special = [0.0, -0.0, 1.0, -1.5, np.inf, -np.inf, np.nan, 3.0, -7.25, 0.1]
    else:
        info = np.iinfo(dtype.numpy)
        special = [0, 1, 2, 7, info.max, info.min, info.max - 1, *([-1, -2, -7] if info.min else [])]
    a, b = np.meshgrid(np.array(special).astype(dtype.numpy), np.array(special).astype(dtype.numpy))
    x = np.concatenate([a.ravel(), draw(dtype, 300)])
    y = np.concatenate([b.ravel(), draw(dtype, 300)])
    if nonzero:
        x, y = x[y != 0], y[y != 0]
    return [np.ascontiguousarray(x), np.ascontiguousarray(y)]


@needs_gcc
@pytest.mark.parametrize("dtype", [float64, float32, int64, int32, int16, int8, uint8], ids=str)
def test_every_operator(dtype: DType, tmp_path: Path) -> None:
    operators = ["add", "sub", "mul", "min", "max", "lt", "le", "gt", "ge", "eq", "ne"]
    operators += ["div"] if dtype.is_float else ["and", "or", "xor"]
    x, y = columns_of(dtype)
    ins = [Buffer("x", (n,), dtype), Buffer("y", (n,), dtype)]
    a, b = Load(ins[0], (i,)), Load(ins[1], (i,))
    outs = [Buffer(f"out_{op}", (n,), bool_ if Binary(op, a, b).dtype is bool_ else dtype) for op in operators]
    values: list[Expr] = [Binary(op, a, b) for op in operators]
    for name in ("neg", "abs", *([] if dtype.is_float else ["not"])):
        outs.append(Buffer(f"out_{name}", (n,), dtype))
        values.append(Unary(name, a))
    stores = tuple(Store(o, (i,), v, f"S{q}") for q, (o, v) in enumerate(zip(outs, values)))
    params = (*(Param(v, "in") for v in ins), *(Param(o, "out") for o in outs), Param(n, "size"))
    kernel = Kernel("operators", params, For(i, Const(0), n, Block(stores)))
    check(kernel, [x, y, *(np.zeros(len(x), o.dtype.numpy) for o in outs), len(x)], tmp_path)


@needs_gcc
@pytest.mark.parametrize("dtype", [float64, float32, int64, int32, int8, uint8], ids=str)
def test_division_rounds_down(dtype: DType, tmp_path: Path) -> None:
    x, y = columns_of(dtype, nonzero=True)
    if dtype.is_float:  # the special cases of NumPy's floor division are not promised
        x, y = draw(dtype, 500) * 10, draw(dtype, 500)
    for op in ("floordiv", "mod"):
        run_elementwise(lambda a, b, op=op: Binary(op, a, b), [dtype, dtype], dtype, tmp_path, [x, y])


@needs_gcc
def test_shifts(tmp_path: Path) -> None:
    for dtype in (int64, int32, int8, uint8):
        x, y = draw(dtype, 300), rng.integers(0, dtype.bits, 300).astype(dtype.numpy)
        for op in ("shl", "shr"):
            run_elementwise(lambda a, b, op=op: Binary(op, a, b), [dtype, dtype], dtype, tmp_path, [x, y])


@needs_gcc
def test_casts(tmp_path: Path) -> None:
    small = [float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, bool_]
    for source in small:
        x = draw(source, 200)
        if source.is_float:
            x = (rng.normal(size=200) * 30).astype(source.numpy)
        for to in small:
            given = np.abs(x) if to is uint8 and source.is_float else x
            run_elementwise(lambda a, to=to: cast(a, to), [source], to, tmp_path, [given])


@needs_gcc
@pytest.mark.parametrize("dtype", [float16, bfloat16], ids=str)
def test_small_floats_round_like_numpy(dtype: DType, tmp_path: Path) -> None:
    every = np.arange(65536, dtype=np.uint32).astype(np.uint16).view(dtype.numpy)
    run_elementwise(lambda a: cast(a, float32), [dtype], float32, tmp_path, [every])
    bits = rng.integers(0, 2**32, 100000, dtype=np.uint64).astype(np.uint32)
    exact = every.astype(np.float32).view(np.uint32)
    ties = exact + (0x1000 if dtype is float16 else 0x8000)
    x = np.concatenate([bits, ties, ties + 1, ties - 1]).view(np.float32)
    x = x[~np.isnan(x)]
    kernel = elementwise(lambda a: cast(a, dtype), [float32], dtype)
    out = np.zeros(len(x), np.uint16)
    compile_and_call(kernel, [x, out, len(x)], tmp_path)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(out, x.astype(dtype.numpy).view(np.uint16))


@needs_gcc
def test_functions(tmp_path: Path) -> None:
    names = [
        "exp", "exp2", "expm1", "tanh", "sinh", "cosh", "sin", "cos", "tan", "atan", "asinh", "erf", "sigmoid", "floor",
        "ceil", "round", "trunc",
    ]  # fmt: skip
    positive = ["log", "log2", "log10", "log1p", "sqrt", "rsqrt"]
    for dtype in (float32, float64, float16):
        x = (rng.normal(size=300) * 3).astype(dtype.numpy)
        for name in names:
            run_elementwise(lambda a, f=name: call(f, a), [dtype], dtype, tmp_path, [x])
        for name in positive:
            above = np.abs(x) + dtype.numpy.type(0.01)
            run_elementwise(lambda a, f=name: call(f, a), [dtype], dtype, tmp_path, [above])
    for name in ("asin", "acos", "atanh"):
        inside = rng.uniform(-0.99, 0.99, 300).astype("f4")
        run_elementwise(lambda a, f=name: call(f, a), [float32], float32, tmp_path, [inside])
    run_elementwise(lambda a: call("acosh", a), [float32], float32, tmp_path, [rng.uniform(1, 9, 300).astype("f4")])
    x, y = rng.uniform(0.1, 4, 300).astype("f4"), rng.normal(size=300).astype("f4")
    for name in ("pow", "atan2", "copysign"):
        run_elementwise(lambda a, b, f=name: call(f, a, b), [float32] * 2, float32, tmp_path, [x, y])
    wide = (rng.normal(size=300) * 90).astype("f4")
    run_elementwise(lambda a, b: call("ldexp", a, b), [float32] * 2, float32, tmp_path, [y, wide])
    run_elementwise(lambda a, b: call("fma", a, b, a), [float32] * 2, float32, tmp_path, [x, y])
    special = np.array([0, np.nan, np.inf, -np.inf, 1], "f4")
    for name in ("isnan", "isinf", "isfinite"):
        run_elementwise(lambda a, f=name: call(f, a), [float32], bool_, tmp_path, [special])
    run_elementwise(lambda a: Call("bitcast", (a,), int32), [float32], int32, tmp_path, [x])
    run_elementwise(lambda a: Call("bitcast", (a,), float64), [int64], float64, tmp_path, [draw(int64, 9)])


@needs_gcc
def test_literals(tmp_path: Path) -> None:
    pairs = [
        (float32, [0.1, -0.0, 1e30, 1e-45, np.inf, -np.inf, np.nan, 3.0]), (float64, [0.1, 1e300, -2.5, 5e-324]),
        (int64, [-(2**63), 2**63 - 1, -1, 2**31]), (int32, [-(2**31), 2**31 - 1]), (int8, [-128, 127, 200]),
        (uint8, [255, -1]), (bool_, [True, False]), (float16, [0.5, 2.0]),
    ]  # fmt: skip
    outs, stores = [], []
    for dtype, values in pairs:
        out = Buffer(f"out_{dtype}", (Const(len(values)),), dtype)
        outs.append(out)
        stores += [Store(out, (Const(q),), Const(v, dtype), f"S_{dtype}_{q}") for q, v in enumerate(values)]
    kernel = Kernel("literals", tuple(Param(o, "out") for o in outs), Block(tuple(stores)))
    check(kernel, [np.zeros(int(o.shape[0]), o.dtype.numpy) for o in outs], tmp_path)  # type: ignore[call-overload]


@needs_gcc
def test_select_does_not_read_what_it_does_not_take(tmp_path: Path) -> None:
    a, out = Buffer("a", (n,), float32), Buffer("out", (n,), float32)
    before = Load(a, (i - 1,))
    twice = before * before + call("exp", before)  # shared, and out of range at i = 0
    inside = select(i > 0, select(Load(a, (i,)) > 0.0, twice, twice + 1.0), 7.0)
    kernel = Kernel(
        "lazy", (Param(a, "in"), Param(out, "out"), Param(n, "size")),
        For(i, Const(0), n, Store(out, (i,), inside, "S0")),
    )  # fmt: skip
    text = check(kernel, [draw(float32, 50), np.zeros(50, np.float32), 50], tmp_path)
    assert "if (i > 0)" in text


@needs_gcc
def test_select_guards_division(tmp_path: Path) -> None:
    y = rng.integers(-2, 3, 200).astype(np.int32)
    make = lambda a, b: select(Binary("ne", b, Const(0, int32)), Binary("floordiv", a, b), a)  # noqa: E731
    run_elementwise(make, [int32, int32], int32, tmp_path, [draw(int32, 200), y])


def matmul(inner_kind: Any = "serial", dtype: DType = float32) -> Kernel:
    a, b = Buffer("A", (n, k_size := Var("K")), dtype), Buffer("B", (k_size, m), dtype)
    c = Buffer("C", (n, m), dtype)
    update = Store(c, (i, j), Load(c, (i, j)) + Load(a, (i, k)) * Load(b, (k, j)), "S1", "sum")
    body = For(j, Const(0), m, Block((
        Store(c, (i, j), Const(0.0, dtype), "S0"), For(k, Const(0), k_size, update, inner_kind),
    )))  # fmt: skip
    params = (Param(a, "in"), Param(b, "in"), Param(c, "out"), *(Param(v, "size") for v in (n, m, k_size)))
    return Kernel("matmul", params, For(i, Const(0), n, body, "parallel"))


@needs_gcc
@pytest.mark.parametrize("kind", ["serial", "vector"])
@pytest.mark.parametrize("dtype", [float32, float64, float16, bfloat16], ids=str)
def test_matmul(kind: str, dtype: DType, tmp_path: Path) -> None:
    a, b = draw(dtype, 7 * 9).reshape(7, 9), draw(dtype, 9 * 5).reshape(9, 5)
    text = check(matmul(kind, dtype), [a, b, np.zeros((7, 5), dtype.numpy), 7, 5, 9], tmp_path, 9)
    assert "#pragma omp parallel for" in text
    if kind == "vector":
        assert ("reduction(+: t0)" in text) is (dtype.compute is dtype)


@needs_gcc
def test_prefetches_change_nothing(tmp_path: Path) -> None:
    kernel = matmul()
    ahead = [Prefetch(b, (Const(9), Const(0)), 1 + k % 2, k == 2) for k, b in enumerate(kernel.buffers)]
    kernel = replace(kernel, body=Block((*ahead, kernel.body)))
    a, b = draw(float32, 7 * 9).reshape(7, 9), draw(float32, 9 * 5).reshape(9, 5)
    text = check(kernel, [a, b, np.zeros((7, 5), np.float32), 7, 5, 9], tmp_path, 9)
    assert "__builtin_prefetch(&" in text and ", 1, 3);" in text


@needs_gcc
def test_vector_maximum_keeps_nan(tmp_path: Path) -> None:
    a, out = Buffer("a", (n,), float32), Buffer("out", (), float32)
    update = Store(out, (), Binary("max", Load(out, ()), Load(a, (i,))), "S1", "max")
    body = Block((Store(out, (), Const(-np.inf, float32), "S0"), For(i, Const(0), n, update, "vector")))
    kernel = Kernel("largest", (Param(a, "in"), Param(out, "out"), Param(n, "size")), body)
    x = draw(float32, 100)
    x[17] = np.nan
    check(kernel, [x, np.zeros((), np.float32), 100], tmp_path)


@needs_gcc
def test_temporaries_everywhere(tmp_path: Path) -> None:
    """A scalar, a stack tile, and a heap array, inside and outside a parallel loop, with unrolling and steps."""
    x, out = Buffer("x", (n, Const(4)), float32), Buffer("out", (n, Const(4)), float32)
    heap, tile = Buffer("heap", (n, Const(4)), float32), Buffer("tile", (Const(4),), float32, "register")
    acc, row = Buffer("acc", (), float32, "register"), Buffer("row", (n,), float32, "local")
    i2, j2, r = Var("i2"), Var("j2"), Var("r")
    fill = For(i, Const(0), n, For(j, Const(0), Const(4), Store(heap, (i, j), Load(x, (i, j)) * 2.0, "S0"), "unroll"))
    inner = Alloc(tile, Alloc(acc, Alloc(row, Block((
        Store(acc, (), Const(0.0, float32), "S1"),
        For(r, Const(0), n, Store(row, (r,), Load(heap, (r, Const(1))), "S2"), "serial", 2),
        For(j2, Const(0), Const(4), Block((
            Store(tile, (j2,), Load(heap, (i2, j2)) + Load(row, (i2 // 2 * 2,)), "S3"),
            Store(acc, (), Load(acc, ()) + Load(tile, (j2,)), "S4", "sum"),
        )), "vector"),
        If(
            i2 > 2, Store(out, (i2, Const(0)), Load(acc, ()), "S5"),
            Store(out, (i2, Const(1)), Load(tile, (Const(1),)), "S6"),
        ),
    )))))  # fmt: skip
    body = Alloc(heap, Block((fill, For(i2, Const(0), n, inner, "parallel"))))
    kernel = Kernel("temporaries", (Param(x, "in"), Param(out, "inout"), Param(n, "size")), body)
    text = check(kernel, [draw(float32, 36).reshape(9, 4), draw(float32, 36).reshape(9, 4), 9], tmp_path, 4)
    assert "#pragma omp atomic write" in text
    assert "#pragma GCC unroll 4" in text
    assert "reduction(+: t" in text
    assert "r += 2" in text


@needs_gcc
def test_scalars_and_awkward_names(tmp_path: Path) -> None:
    """Keywords, functions of the library and names of helpers are fine as names."""
    exp, t0 = Buffer("exp", (n,), float64), Buffer("t0", (n,), float64)
    scale, flag, half = Var("double", float32), Var("status", bool_), Var("akg_x", int32)
    loop = Var("for")
    x = Load(exp, (loop,))
    common = call("exp", x) * cast(scale, float64)
    value = select(flag, common * common, cast(half, float64))
    kernel = Kernel(
        "main",
        (Param(exp, "in"), *(Param(v, "scalar") for v in (scale, flag, half)), Param(t0, "out"), Param(n, "size")),
        For(loop, Const(0), n, Store(t0, (loop,), value, "S0")),
    )
    for flag_value in (True, False):
        arrays = [draw(float64, 20), 1.5, flag_value, 7, np.zeros(20), 20]
        check(kernel, arrays, tmp_path, symbol="main_")


@needs_gcc
def test_small_float_scalar(tmp_path: Path) -> None:
    x, out, s = Buffer("x", (n,), float16), Buffer("out", (n,), float16), Var("s", float16)
    kernel = Kernel(
        "scaled", (Param(x, "in"), Param(s, "scalar"), Param(out, "out"), Param(n, "size")),
        For(i, Const(0), n, Store(out, (i,), Load(x, (i,)) * s, "S0")),
    )  # fmt: skip
    a, got = draw(float16, 30), np.zeros(30, np.float16)
    compile_and_call(kernel, [a, int(np.float16(1.5).view(np.uint16)), got, 30], tmp_path)
    want = np.zeros(30, np.float16)
    interpret(kernel, a, 1.5, want, 30)
    np.testing.assert_array_equal(got, want)


def test_shared_nodes_are_named_once() -> None:
    kernel = elementwise(lambda a: call("exp", a) * call("exp", a) + call("exp", a), [float32], float32)
    assert emit_c(kernel).count("expf(") == 1


def test_text_reads_well() -> None:
    assert emit_c(matmul("vector")).endswith("""\
int32_t matmul(const float *A, const float *B, float *C, int64_t n, int64_t m, int64_t K) {
  #pragma omp parallel for
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < m; ++j) {
      C[i * m + j] = 0.0f;  // S0
      float t0 = C[i * m + j];
      #pragma omp simd reduction(+: t0)
      for (int64_t k = 0; k < K; ++k) {
        t0 = t0 + A[i * K + k] * B[k * m + j];  // S1
      }
      C[i * m + j] = t0;
    }
  }
  return 0;
}
""")


def test_device_kernels_are_refused() -> None:
    out = Buffer("out", (n,), float32)
    store = Store(out, (i,), Const(0.0, float32), "S0")
    alone = Store(out, (Const(0),), Const(0.0, float32), "S1")
    for body in (For(i, Const(0), n, store, "thread"), Block((alone, Barrier()))):
        with pytest.raises(AkgError) as caught:
            emit_c(Kernel("device", (Param(out, "out"), Param(n, "size")), body))
        assert caught.value.code == "AKG-E407"
