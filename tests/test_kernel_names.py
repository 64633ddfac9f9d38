"""Kernels may have the names of what generated code calls, of C's words, and of other kernels."""

import numpy as np
import pytest

import akg
from akg import te
from akg.base.symbols import symbol_of

TAKEN = (
    "GOMP_parallel", "omp_get_num_threads", "akg_threads", "akg_entry", "malloc", "free", "memset", "exp", "fmaf",
    "main", "int", "printf", "PyTuple_New", "__truncsfhf2", "x", "größe",
)  # fmt: skip


def numbers(name: str, size: int = 8) -> akg.Kernel:
    x = te.placeholder((size,), "float32", name="x")
    return akg.build([te.compute((size,), lambda i: te.exp(x[i]) + 1.0, name="y")], inputs=[x], name=name)


@pytest.mark.parametrize("name", TAKEN)
def test_names_that_are_taken(name: str) -> None:
    kernel = numbers(name)
    np.testing.assert_array_equal(kernel(np.zeros(8, np.float32)), np.full(8, 2, np.float32))
    assert kernel.report.threads == 1  # "GOMP_parallel" does not make it parallel
    for kind in ("loop", "llvm", "asm", "c"):
        assert kernel.source(kind)


@pytest.mark.parametrize("name", ["GOMP_parallel", "akg_threads", "malloc"])
def test_parallel_kernels_of_such_names(name: str) -> None:
    size = 1 << 18
    with akg.config.override(num_threads=2):
        result = numbers(name, size)(np.zeros(size, np.float32))
    np.testing.assert_array_equal(result, np.full(size, 2, np.float32))


@pytest.mark.parametrize("name", ["my kernel", "", "a/b", "../x", "llvm.fma", "1st", 5])
def test_names_that_are_no_identifiers(name: str) -> None:
    with pytest.raises(akg.AkgError, match="AKG-E107"):
        numbers(name)


def test_symbols() -> None:
    assert symbol_of("softmax") == "softmax"
    assert symbol_of("malloc") == "kernel_malloc_"
    assert symbol_of("__divti3") == "kernel___divti3_"
    assert symbol_of("my kernel") == "my_kernel"
    assert symbol_of("2d") == "_2d"
