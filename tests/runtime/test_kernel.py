"""Kernels as functions: results, outputs, in-place arguments, scalars, sizes, other array libraries."""

import array
import html
import threading
import time
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from akg.base.errors import AkgError
from akg.ir.expr import Var
from akg.runtime.explanation import Explanation
from akg.runtime.report import Report
from tests.runtime.handmade import ADD, kernel, param, signature, stub

n, m = Var("n"), Var("m")
ADD_SIGNATURE = signature(
    "add",
    [param("A", "in", "float32", [n]), param("B", "in", "float32", [n]), param("C", "out", "float32", [n])],
    ["n"],
)


@pytest.fixture(scope="module")
def add() -> Any:
    return kernel(
        ADD, ADD_SIGNATURE, report=Report(passes=[("emit", 1.5, "text")], strategy="hand", cache="miss"),
        sources={"llvm": lambda: ADD, "loop": lambda: "for <i>", "schedule": lambda: "band & filter"},
        explain=lambda: Explanation(lambda: "one loop"),
    )  # fmt: skip


def operands(length: int = 16) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return np.arange(length, dtype=np.float32), np.full(length, 2, np.float32)


def test_returns_a_new_array(add: Any) -> None:
    a, b = operands()
    got = add(a, b)
    assert type(got) is np.ndarray and got.dtype == np.float32
    assert np.array_equal(got, a + b)
    assert not np.shares_memory(got, add(a, b))


@pytest.mark.parametrize("length", [0, 1, 5, 1 << 19])
def test_symbolic_size(add: Any, length: int) -> None:
    a, b = operands(length)
    assert np.array_equal(add(a, b), a + b)


def test_large_outputs_begin_at_a_cache_line(add: Any) -> None:
    a, b = operands(1 << 19)
    assert add(a, b).ctypes.data % 64 == 0


def test_out(add: Any) -> None:
    a, b = operands()
    c = np.zeros(16, np.float32)
    assert add(a, b, out=c) is c
    assert np.array_equal(c, a + b)
    outs = (np.zeros(16, np.float32),)
    assert add(a, b, out=outs) is outs
    assert np.array_equal(outs[0], a + b)


def test_same_input_twice(add: Any) -> None:
    a, _ = operands()
    assert np.array_equal(add(a, a), a + a)


class OnlyDlpack:
    """An array of another library: DLPack and nothing else."""

    def __init__(self, data: np.ndarray[Any, Any], versioned: bool) -> None:
        self.data, self.versioned = data, versioned

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def __dlpack__(self, **keywords: Any) -> object:
        if not self.versioned:
            if keywords:
                raise TypeError("from before DLPack 1.0")
            return self.data.__dlpack__()
        return self.data.__dlpack__(**keywords)


class Subclass(np.ndarray[Any, Any]):
    """What np.memmap is."""


class OnlyInterface:
    def __init__(self, data: np.ndarray[Any, Any]) -> None:
        self.__array_interface__ = data.__array_interface__
        self.data = data


@pytest.mark.parametrize(
    "wrap",
    [
        lambda x: OnlyDlpack(x, True), lambda x: OnlyDlpack(x, False), OnlyInterface, memoryview,
        lambda x: array.array("f", x.tolist()), lambda x: x.view(Subclass),
    ],
    ids=["dlpack", "dlpack-unversioned", "array-interface", "memoryview", "array.array", "subclass"],
)  # fmt: skip
def test_other_arrays(add: Any, wrap: Any) -> None:
    a, b = operands()
    assert np.array_equal(add(wrap(a), wrap(b)), a + b)
    c = np.zeros(16, np.float32)
    assert add(wrap(a), b, out=c) is c
    assert np.array_equal(c, a + b)


def test_writes_into_dlpack(add: Any) -> None:
    a, b = operands()
    c = np.zeros(16, np.float32)
    add(a, b, out=OnlyDlpack(c, False))
    assert np.array_equal(c, a + b)


class Library(OnlyDlpack):
    """A library whose arrays come back as its own."""

    def __init__(self, data: np.ndarray[Any, Any]) -> None:
        super().__init__(data, True)

    def __array_namespace__(self) -> type["Library"]:
        return Library

    @staticmethod
    def from_dlpack(value: Any) -> "Library":
        return Library(np.from_dlpack(value))


def test_result_is_of_the_callers_library(add: Any) -> None:
    a, b = operands()
    got = add(Library(a), Library(b))
    assert type(got) is Library and np.array_equal(got.data, a + b)


def test_several_outputs() -> None:
    two = stub(
        "two", [param("x", "scalar", "float64"), param("P", "out", "float64", [2]), param("Q", "out", "int32", [])],
        body="store double %p0, ptr %p1\n%q = getelementptr double, ptr %p1, i64 1\nstore double 1.0, ptr %q\n"
        "store i32 7, ptr %p2",
    )  # fmt: skip
    p, q = two(2.5)
    assert p.tolist() == [2.5, 1.0] and q.shape == () and q == 7
    outs = (np.zeros(2), np.zeros((), np.int32))
    assert two(3, out=outs) is outs and outs[0][0] == 3.0 and outs[1] == 7
    assert two(np.float32(0.5))[0][0] == 0.5
    assert two(np.array(4.0))[0][0] == 4.0


def test_in_place() -> None:
    bump = stub(
        "bump", [param("A", "inout", "float64", [3]), param("B", "in", "float64", [])],
        body="%x = load double, ptr %p0\n%y = load double, ptr %p1\n%s = fadd double %x, %y\nstore double %s, ptr %p0",
    )  # fmt: skip
    a = np.zeros(3)
    assert bump(a, np.array(2.0)) is None
    assert bump(a, 1.5) is None  # a number where a buffer of one element is read
    assert a.tolist() == [3.5, 0, 0]
    wrapped = np.zeros(3)
    bump(OnlyDlpack(wrapped, False), np.array(2.0))
    assert wrapped[0] == 2.0
    timing = bump.benchmark(a, np.array(1.0), repeat=3)
    assert a[0] == 3.5 and timing.samples == 3


@pytest.mark.parametrize(
    ("dtype", "value", "store"),
    [
        ("float64", 0.1, "double"), ("float32", 0.1, "float"), ("int64", -(2**63), "i64"), ("int64", -1, "i64"),
        ("int32", -5, "i32"), ("int8", -128, "i8"), ("uint8", 255, "i8"), ("bool", True, "i8"), ("bool", False, "i8"),
        ("float16", 0.1, "i16"), ("bfloat16", 0.1, "i16"), ("float64", -1, "double"), ("float64", -1.0, "double"),
    ],
)  # fmt: skip
def test_scalars(dtype: str, value: Any, store: str) -> None:
    give = stub("give", [param("x", "scalar", dtype), param("R", "out", dtype, [])], body=f"store {store} %p0, ptr %p1")
    want = np.asarray(value, getattr(ml_dtypes, dtype, dtype))
    for argument in (value, want[()], want):
        assert give(argument) == want


def test_bfloat16_arrays() -> None:
    copy = stub(
        "copy", [param("A", "in", "bfloat16", [1]), param("R", "out", "bfloat16", [1])],
        body="%x = load i16, ptr %p0\nstore i16 %x, ptr %p1",
    )  # fmt: skip
    a = np.array([1.5], ml_dtypes.bfloat16)
    assert copy(a)[0] == 1.5 and copy(a).dtype == ml_dtypes.bfloat16


def shape_kernel() -> Any:
    return stub(
        "shapes",
        [
            param("A", "in", "int8", [n, m]), param("B", "in", "int8", [n + m]), param("C", "in", "int8", [2 * n + 1]),
            param("S", "out", "int64", [2]), param("E", "out", "int8", [n - 1, 3]),
        ],
        ["n", "m"],
        body="store i64 %p5, ptr %p3\n%q = getelementptr i64, ptr %p3, i64 1\nstore i64 %p6, ptr %q",
    )  # fmt: skip


def test_affine_shapes() -> None:
    shapes = shape_kernel()
    a, b, c = np.zeros((4, 6), np.int8), np.zeros(10, np.int8), np.zeros(9, np.int8)
    s, e = shapes(a, b, c)
    assert s.tolist() == [4, 6] and e.shape == (3, 3)
    assert shapes(OnlyInterface(a), b, c)[0].tolist() == [4, 6]


@pytest.mark.parametrize("wrap", [lambda x: x, OnlyInterface], ids=["native", "careful"])
def test_negative_output_extent(wrap: Any) -> None:
    with pytest.raises(AkgError) as caught:
        shape_kernel()(wrap(np.zeros((0, 6), np.int8)), np.zeros(6, np.int8), np.zeros(1, np.int8))
    assert str(caught.value).splitlines()[0] == "AKG-E513: output 'E' would have shape (-1, 3)"


def test_size_that_a_later_argument_tells() -> None:
    kern = stub(
        "later", [param("A", "in", "int8", [n + m]), param("B", "in", "int8", [m]), param("S", "out", "int64", [])],
        ["n", "m"], body="store i64 %p3, ptr %p2",
    )  # fmt: skip
    assert kern(np.zeros(10, np.int8), np.zeros(4, np.int8)) == 6


def test_product_shape() -> None:
    kern = stub("flat", [param("A", "in", "int8", [n, m]), param("F", "out", "int8", [n * m])], ["n", "m"])
    assert kern(np.zeros((3, 5), np.int8)).shape == (15,)


def test_size_by_name() -> None:
    fill = stub("fill", [param("R", "out", "int64", [n])], ["n"], body="store i64 %p1, ptr %p0")
    assert fill(n=3)[0] == 3
    assert fill(n=3).shape == (3,)
    assert fill(out=np.zeros(5, np.int64))[0] == 5


def test_out_of_memory() -> None:
    fails = stub("fails", [param("A", "in", "uint8", [1]), param("R", "out", "int8", [1])], rc=1)
    for argument in (np.zeros(1, np.uint8), memoryview(b"x")):
        with pytest.raises(MemoryError, match="kernel fails cannot allocate its temporaries"):
            fails(argument)


def test_texts(add: Any) -> None:
    assert repr(add) == "<akg.Kernel add(A: float32[n], B: float32[n]) -> C: float32[n]>"
    assert add.name == "add" and add.signature is ADD_SIGNATURE
    assert add.source("llvm") == ADD
    assert "one loop" in add.explain() and "hand" in add.explain() and "1.500 ms" in add.explain()
    page = add._repr_html_()
    assert html.escape("for <i>") in page and "for <i>" not in page and "band &amp; filter" in page


def test_report_reads_as_a_mapping(add: Any) -> None:
    assert add.report["strategy"] == "hand" and add.report.build_ms == 1.5
    assert dict(add.report)["cache"] == "miss"
    with pytest.raises(KeyError):
        add.report["colour"]


def test_benchmark(add: Any) -> None:
    a, b = operands()
    timing = add.benchmark(a, b, repeat=5)
    assert timing.samples == 5 and 0 < timing.best_us <= timing.low_us <= timing.median_us <= timing.high_us
    assert "median" in str(timing)
    add.benchmark(a, b, out=np.zeros(16, np.float32), repeat=1)


def test_calls_from_several_threads(add: Any) -> None:
    a, b = operands(1000)
    wrong: list[int] = []

    def work(seed: int) -> None:
        for k in range(200):
            if not np.array_equal(add(a, b * (seed + k)), a + b * (seed + k)):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_other_threads_run_during_a_call() -> None:
    # The kernel waits until another Python thread stores a flag, which needs the global lock to be free.
    wait = stub(
        "wait", [param("F", "inout", "int32", [1])],
        body="br label %loop\nloop:\n%v = load volatile i32, ptr %p0\n%go = icmp ne i32 %v, 0\n"
        "br i1 %go, label %done, label %loop\ndone:",
    )  # fmt: skip
    flag = np.zeros(1, np.int32)

    def release() -> None:
        time.sleep(0.05)
        flag[0] = 1

    thread = threading.Thread(target=release)
    thread.start()
    wait(flag)
    thread.join()
    assert flag[0] == 1
