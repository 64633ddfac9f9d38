"""Subscripts that come from data: right where they are in range, one error where they are not, memory safe always."""

from __future__ import annotations

import ctypes
import mmap
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.base.config import config
from akg.base.target import resolve_target
from akg.codegen.c import emit_c
from akg.codegen.llvm import parallel
from akg.codegen.llvm.backend import emit
from akg.ir.text import parse_kernel
from akg.runtime import jit
from akg.runtime.failure import FIRST_STATUS, Failure
from akg.runtime.kernel import Kernel, link
from akg.runtime.signature import Signature, packed_ir

Build = Callable[..., Any]
GCC = shutil.which("gcc")


SCATTER = """
kernel scatter(A: inout float32[n], index: in int64[m], x: in float32[m], n: size, m: size):
    for i in [0, m):
        S0: A[index[i]] = x[i]
"""
HISTOGRAM = """
kernel histogram(H: inout float64[n], index: in int32[m], x: in float64[m, 21], n: size, m: size):
    for i in [0, m):
        for j in [0, 21):
            S0 (sum): H[index[i]] = H[index[i]] + x[i, j]
"""
CSR = """
kernel csr(y: inout float64[n], start: in int64[n+1], column: in int32[z], value: in float64[z], x: in float64[n], \
n: size, z: size):
    for i in [0, n):
        for k in [start[i], start[i + 1]):
            S0 (sum): y[i] = y[i] + value[k] * x[column[k]]
"""
LAZY = """
kernel lazy(A: in float32[n], index: in int32[m], B: inout float32[m], n: size, m: size):
    for i in [0, m):
        if index[i] >= 0i32:
            S0: B[i] = A[index[i]]
"""


def as_it_stands(text: str) -> Kernel:
    """A kernel from loop IR that no schedule touched."""
    kernel = parse_kernel(text)
    module, signature = emit(kernel, resolve_target(None)), Signature.of(kernel)
    code = link(signature, jit.compile_llvm(module.text + packed_ir(signature), None, module.meta["passes"]))
    return Kernel(signature, code, failures=Failure.of(module.meta["failures"], {}))


def built(text: str, strategy: str | None = None) -> Any:
    return akg.build(parse_kernel(text), strategy=strategy)


def gather(count: int, dtype: str, size: int = 10) -> Any:
    A = te.placeholder((size,), "float32", name="A")
    I = te.placeholder((count,), dtype, name="I")
    C = te.compute((count,), lambda i: A[I[i]] * 2.0, name="C")
    return akg.build([C], inputs=[A, I])


def refuses(call: Callable[[], object], *words: str) -> None:
    with pytest.raises(akg.AkgError) as caught:
        call()
    assert caught.value.code == "AKG-E518"
    for word in words:
        assert word in str(caught.value)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Parallel loops fork for any work, and are not found in the cache."""
    monkeypatch.setattr(parallel, "THRESHOLD", 1)
    with config.override(cache="off", num_threads=2):
        yield


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "int8"])
@pytest.mark.parametrize("count", [1, 5, 16, 37, 1000])
def test_te_gather(dtype: str, count: int) -> None:
    kernel = gather(count, dtype)
    a = np.arange(10, dtype=np.float32)
    index = (np.arange(count) * 7 % 10).astype(dtype)
    np.testing.assert_array_equal(kernel(a, index), a[index] * 2)
    info = np.iinfo(dtype)
    for value in {10, info.max, -1, info.min} - ({-1, 0} if info.min == 0 else set[int]()):
        for position in {0, count // 2, count - 1}:
            bad = index.copy()
            bad[position] = value
            refuses(lambda bad=bad: kernel(a, bad), "C reads A", "read from I", "0..9")
            refuses(lambda bad=bad: kernel(a.data, bad), "C reads A")  # the careful call
    np.testing.assert_array_equal(kernel(a, index), a[index] * 2)


def test_values_that_cannot_be_out_of_range_are_not_checked() -> None:
    kernel = gather(40, "uint8", size=256)
    assert "umax" not in kernel.source("llvm")
    affine = te.placeholder((64,), "float32", name="X")
    twice = akg.build([te.compute((64,), lambda i: affine[63 - i] * 2.0, name="T")], inputs=[affine])
    assert "umax" not in twice.source("llvm")


@pytest.mark.parametrize("rows", [3, 70])
def test_rows_by_number(rows: int) -> None:
    A = te.placeholder((9, 45), "float32", name="A")
    I = te.placeholder((rows,), "int32", name="I")
    kernel = akg.build([te.compute((rows, 45), lambda i, j: A[I[i], j] + 1.0, name="R")], inputs=[A, I])
    a = np.random.default_rng(0).random((9, 45), np.float32)
    index = (np.arange(rows) * 5 % 9).astype(np.int32)
    np.testing.assert_array_equal(kernel(a, index), a[index] + 1)
    for value in (-1, 9, 2**30):
        index[rows - 1] = value
        refuses(lambda: kernel(a, index), "R reads A")


def test_columns_by_number_in_threads(threads: None) -> None:
    A = te.placeholder((64, 33), "float64", name="A")
    I = te.placeholder((64, 50), "int64", name="I")
    kernel = akg.build([te.compute((64, 50), lambda i, j: A[i, I[i, j]], name="P")], inputs=[A, I])
    assert "GOMP_parallel" in kernel.source("llvm")
    a, index = np.random.default_rng(0).random((64, 33)), np.random.default_rng(1).integers(0, 33, (64, 50))
    np.testing.assert_array_equal(kernel(a, index), np.take_along_axis(a, index, 1))
    for where in ((0, 0), (31, 49), (63, 17)):
        bad = index.copy()
        bad[where] = -(2**40)
        refuses(lambda bad=bad: kernel(a, bad), "P reads A", "0..32, dimension 1")


def test_scatter() -> None:
    kernel = built(SCATTER)
    index, x = np.array([3, 0, 7, 3, 8]), np.arange(5, dtype=np.float32)
    a, expected = np.zeros(9, np.float32), np.zeros(9, np.float32)
    for i, value in zip(index, x, strict=True):
        expected[i] = value
    kernel(a, index, x)
    np.testing.assert_array_equal(a, expected)
    for value in (9, -1, 2**62):
        bad = index.copy()
        bad[2] = value
        refuses(lambda bad=bad: kernel(a, bad, x), "writes A", "read from index")


@pytest.mark.parametrize("strategy", ["auto", "isl", "pluto"])
def test_reduction_into_an_element_by_number(strategy: str) -> None:
    kernel = built(HISTOGRAM, strategy)
    rng = np.random.default_rng(2)
    index, x = rng.integers(0, 6, 30).astype(np.int32), rng.random((30, 21))
    h, expected = np.zeros(6), np.zeros(6)
    np.add.at(expected, index, x.sum(1))
    kernel(h, index, x)
    np.testing.assert_allclose(h, expected, rtol=1e-12)
    for value in (6, -1, -(2**31)):
        bad = index.copy()
        bad[29] = value
        refuses(lambda bad=bad: kernel(h, bad, x), "H", "read from index")


@pytest.mark.parametrize("kind", ["for k", "vector for k"])
def test_loops_with_bounds_from_data(kind: str) -> None:
    kernel = as_it_stands(CSR.replace("for k", kind))
    start, column = np.array([0, 2, 2, 5]), np.array([0, 2, 1, 0, 2], np.int32)
    value, x = np.arange(1.0, 6.0), np.array([2.0, 3.0, 5.0])
    y, expected = np.zeros(3), np.array([12.0, 0.0, 9.0 + 8.0 + 25.0])
    kernel(y, start, column, value, x)
    np.testing.assert_array_equal(y, expected)
    refuses(lambda: kernel(y, np.array([0, 2, 2, 60]), column, value, x), "bounds from data")
    refuses(lambda: kernel(y, np.array([-5, 2, 2, 5]), column, value, x), "bounds from data")
    refuses(lambda: kernel(y, start, np.array([0, 2, 3, 0, 2], np.int32), value, x), "reads x", "read from column")


def test_what_is_guarded_does_not_count() -> None:
    kernel = built(LAZY)
    a, index = np.arange(6, dtype=np.float32), (np.arange(53) % 6).astype(np.int32)
    index[::4] = -7
    out = np.full(53, -1, np.float32)
    expected = np.where(index < 0, out, a[index.clip(0)])
    kernel(a, index, out)
    np.testing.assert_array_equal(out, expected)
    index[50] = 6
    refuses(lambda: kernel(a, index, out), "reads A")
    A = te.placeholder((6,), "float32", name="A")
    I = te.placeholder((53,), "int32", name="I")
    chosen = te.compute((53,), lambda i: te.select((I[i] >= 0) & (I[i] < 6), A[I[i]], 9.0), name="L")
    kernel = akg.build([chosen], inputs=[A, I])
    inside = (index >= 0) & (index < 6)
    np.testing.assert_array_equal(kernel(a, index), np.where(inside, a[np.where(inside, index, 0)], np.float32(9)))


def test_two_numbers_and_no_element() -> None:
    A = te.placeholder((4, 5), "float32", name="A")
    I = te.placeholder((20,), "int32", name="I")
    J = te.placeholder((20,), "int64", name="J")
    kernel = akg.build([te.compute((20,), lambda i: A[I[i], J[i] - 1], name="D")], inputs=[A, I, J])
    a = np.random.default_rng(0).random((4, 5), np.float32)
    i, j = np.arange(20, dtype=np.int32) % 4, np.arange(20) % 5 + 1
    np.testing.assert_array_equal(kernel(a, i, j), a[i, j - 1])
    refuses(lambda: kernel(a, i, np.where(j == 3, 0, j)), "computed from J", "0..4, dimension 1")
    refuses(lambda: kernel(a, np.where(i == 3, 4, i).astype(np.int32), j), "read from I", "0..3, dimension 0")
    empty = built(SCATTER)
    refuses(lambda: empty(np.zeros(0, np.float32), np.array([0]), np.zeros(1, np.float32)), "writes A")
    empty(np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))


def fenced(array: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """A copy that ends at the end of a page, behind which nothing may be read; and what must outlive it."""
    page = mmap.PAGESIZE
    pages = -(-array.nbytes // page) + 1
    memory = mmap.mmap(-1, (pages + 1) * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    for at in (start, start + pages * page):
        assert libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(page), 0) == 0
    data = (ctypes.c_char * array.nbytes).from_address(start + pages * page - array.nbytes)
    result: Any = np.frombuffer(memoryview(data), array.dtype).reshape(array.shape)
    result[...] = array
    return result, memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="protects pages as Linux does")
def test_nothing_outside_is_touched() -> None:
    rng = np.random.default_rng(3)
    far = np.array([10, 11, 1 << 20, -(1 << 20), (1 << 31) - 1, -(1 << 31), -1])
    a, keep = fenced(np.arange(10, dtype=np.float32))
    for count in (3, 16, 37, 100):
        kernel = gather(count, "int32")
        index, keep_index = fenced(rng.choice(far, count).astype(np.int32))
        refuses(lambda kernel=kernel, index=index: kernel(a, index))
        del index, keep_index
    index, keep_index = fenced(rng.choice(far, 30).astype(np.int64))
    x = rng.random(30).astype(np.float32)
    before = a.copy()
    refuses(lambda: built(SCATTER)(a, index, x))
    np.testing.assert_array_equal(a, before)
    h, keep_h = fenced(np.zeros(5))
    refuses(lambda: built(HISTOGRAM)(h, index.astype(np.int32), np.ones((30, 21))))
    np.testing.assert_array_equal(h, 0)
    del keep, keep_index, keep_h


_SECOND = """
import numpy as np, akg
from tests.test_gather_checks import gather
kernel = gather(37, "int32")
assert kernel.report.cache == "hit", kernel.report.cache
try:
    kernel(np.zeros(10, np.float32), np.full(37, 10, np.int32))
except akg.AkgError as error:
    print(error)
"""


def test_from_the_cache_in_a_second_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKG_CACHE_DIR", str(tmp_path))
    root = str(Path(akg.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", root)
    first = "from tests.test_gather_checks import gather; gather(37, 'int32')"
    subprocess.run([sys.executable, "-c", first], check=True, cwd=root)
    done = subprocess.run([sys.executable, "-c", _SECOND], check=True, cwd=root, capture_output=True, text=True)
    assert "AKG-E518" in done.stdout
    assert "read from I" in done.stdout
    assert "C = te.compute" in done.stdout


def test_saved_and_loaded(tmp_path: Path) -> None:
    loaded = akg.load(gather(37, "int32").save(tmp_path)[-1])
    refuses(lambda: loaded(np.zeros(10, np.float32), np.full(37, -1, np.int32)), "C reads A")
    assert "2: a subscript is out of range" in (tmp_path / "C.h").read_text().replace("\n *  ", "")


@pytest.mark.skipif(GCC is None, reason="no gcc on this machine")
def test_in_c(tmp_path: Path) -> None:
    for name, kernel in (("C", gather(37, "int32")), ("scatter", built(SCATTER)), ("csr", None)):
        (tmp_path / f"{name}.c").write_text(kernel.source("c") if kernel else emit_c(parse_kernel(CSR)))
        flags = ["-std=c11", "-O2", "-fopenmp", "-Wall", "-Werror", "-shared", "-fPIC", f"{name}.c", "-o", f"{name}.so"]
        assert GCC is not None
        subprocess.run([GCC, *flags, "-lm"], check=True, cwd=tmp_path)
    call = ctypes.CDLL(str(tmp_path / "C.so")).C
    a, index, out = np.arange(10, dtype=np.float32), np.full(37, 9, np.int32), np.zeros(37, np.float32)
    pointers = [ctypes.c_void_p(x.ctypes.data) for x in (a, index, out)]
    assert call(*pointers) == 0
    np.testing.assert_array_equal(out, 18)
    index[20] = -1
    assert call(*pointers) == FIRST_STATUS
    call = ctypes.CDLL(str(tmp_path / "scatter.so")).scatter
    wide, x = np.array([1, 2, 10], np.int64), np.ones(3, np.float32)
    arguments = [ctypes.c_void_p(v.ctypes.data) for v in (a, wide, x)] + [ctypes.c_int64(10), ctypes.c_int64(3)]
    assert call(*arguments) == FIRST_STATUS
    np.testing.assert_array_equal(a[:4], [0, 1, 1, 3])
    call = ctypes.CDLL(str(tmp_path / "csr.so")).csr
    start, column, value, y = np.array([0, 2, 5]), np.zeros(5, np.int32), np.ones(5), np.zeros(2)
    arguments = [ctypes.c_void_p(v.ctypes.data) for v in (y, start, column, value, np.ones(2))]
    assert call(*arguments, ctypes.c_int64(2), ctypes.c_int64(5)) == 0
    start[2] = 6
    assert call(*arguments, ctypes.c_int64(2), ctypes.c_int64(5)) >= FIRST_STATUS
