"""The native entry: used where it should be, keeps no reference, and stays within its table."""

import gc
import sys
import tracemalloc
import types
from typing import Any

import numpy as np
import pytest

from akg.base.errors import AkgError
from akg.ir.expr import Var
from akg.runtime import buffer, entry, entry_checks, entry_ir, jit
from tests.runtime.handmade import kernel, param, stub
from tests.runtime.test_kernel import ADD, ADD_SIGNATURE

n = Var("n")
cpython = pytest.mark.skipif(sys.implementation.name != "cpython", reason="the native entry is CPython's")


@cpython
def test_a_call_enters_native_code_at_once() -> None:
    add = kernel(ADD, ADD_SIGNATURE)
    assert type(add.__call__) is types.BuiltinFunctionType
    assert add.__call__.__name__ == "add"


def test_function_outlives_its_kernel() -> None:
    call = kernel(ADD, ADD_SIGNATURE).__call__
    gc.collect()
    assert call(np.ones(3, np.float32), np.ones(3, np.float32)).tolist() == [2, 2, 2]


def calls(add: Any) -> None:
    a, b, c = np.ones(8, np.float32), np.ones(8, np.float32), np.empty(8, np.float32)
    for _ in range(50):
        add(a, b)
        add(a, b, out=c)
        add(a.data, b)
        for bad in ((a,), (a, b[:3]), (a, [1])):
            with pytest.raises(AkgError):
                add(*bad)
    assert sys.getrefcount(a) == 2 + 1 and sys.getrefcount(c) == 2  # 1: the last `bad`


def test_references() -> None:
    add = kernel(ADD, ADD_SIGNATURE)
    calls(add)
    tracked: list[Any] = [np.empty, np.dtype(np.float32), buffer.empty_aligned, add.__call__]
    before = [sys.getrefcount(x) for x in tracked]
    calls(add)
    gc.collect()
    after = [sys.getrefcount(x) for x in tracked]
    assert all(abs(x - y) <= 2 for x, y in zip(before, after, strict=True)), (before, after)


def test_memory() -> None:
    add = kernel(ADD, ADD_SIGNATURE)
    two = stub("two", [param("x", "scalar", "int64"), param("P", "out", "int8", [3]), param("Q", "out", "int8", [2])])
    a, outs = np.ones(8, np.float32), (np.empty(3, np.int8), np.empty(2, np.int8))

    def native(count: int) -> None:
        for _ in range(count):
            add(a, a)
            two(5)
            two(5, out=outs)

    native(500)
    gc.collect()
    tracemalloc.start()
    try:
        native(500)
        base = tracemalloc.get_traced_memory()[0]
        native(500)
        grown = tracemalloc.get_traced_memory()[0] - base
    finally:
        tracemalloc.stop()
    assert grown < 500  # less than a byte a call


def test_collected_code_is_freed() -> None:
    add = kernel(ADD, ADD_SIGNATURE)
    code, objects = add._code, len(gc.get_objects())
    del add, code
    gc.collect()
    assert len(gc.get_objects()) < objects


def test_failed_allocation_drops_what_was_made() -> None:
    huge = 2**60
    outputs = [param("P", "out", "int8", [n]), param("Q", "out", "int8", [huge])]
    made = stub("made", [param("A", "in", "int8", [n]), *outputs], ["n"])
    for _ in range(3):
        with pytest.raises((MemoryError, ValueError)):
            made(np.zeros(4, np.int8))


@pytest.mark.parametrize(
    "params",
    [
        [param("A", "in", "int8", [1] * (entry_checks.MAX_RANK + 1))],
        [param(f"A{k}", "in", "int8", [1]) for k in range(entry_checks.MAX_PARAMS + 1)],
    ],
    ids=["rank", "parameters"],
)
def test_beyond_the_table(params: Any) -> None:
    wide = stub("wide", params)
    assert type(wide.__call__) is not types.BuiltinFunctionType
    assert wide(*(np.zeros([1] * len(p.shape), np.int8) for p in params)) is None


def test_many_sizes() -> None:
    names = [f"n{k}" for k in range(entry_checks.MAX_SIZES + 1)]
    params = [param(f"A{name}", "in", "int8", [Var(name)]) for name in names] + [param("R", "out", "int64", [])]
    for count in (entry_checks.MAX_SIZES, entry_checks.MAX_SIZES + 1):
        chosen = params[:count] + params[-1:]
        text = f"store i64 %p{count + count}, ptr %p{count}"
        many = stub("many", chosen, names[:count], body=text)
        assert many(*(np.zeros(k, np.int8) for k in range(count))) == count - 1


@cpython
def test_entry_without_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    entry._entry_address.cache_clear()
    monkeypatch.setenv("AKG_CACHE", "off")
    try:
        assert entry._entry_address() is not None
        assert kernel(ADD, ADD_SIGNATURE)(np.ones(2, np.float32), np.ones(2, np.float32)).tolist() == [2, 2]
    finally:
        entry._entry_address.cache_clear()


def test_another_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    entry._entry_address.cache_clear()
    monkeypatch.setattr(entry, "_layout_fits", lambda: False)
    try:
        add = kernel(ADD, ADD_SIGNATURE)
        assert type(add.__call__) is types.FunctionType
        assert add(np.ones(2, np.float32), np.ones(2, np.float32)).tolist() == [2, 2]
    finally:
        entry._entry_address.cache_clear()


def test_the_module_is_valid() -> None:
    assert jit.compile_llvm(entry_ir.text(buffer.LARGE_BYTES))
