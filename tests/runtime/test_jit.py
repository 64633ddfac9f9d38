"""LLVM IR text to linked code."""

import ctypes
import dataclasses
import gc
import threading

import pytest

from akg.base.errors import AkgError, InternalError
from akg.base.target import resolve_target
from akg.runtime import jit

TWICE = "define i64 @twice(i64 %x) {\n  %y = add i64 %x, %x\n  ret i64 %y\n}\n"
_LONG = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)


def test_compile_load_call() -> None:
    loaded = jit.load_object(jit.compile_llvm(TWICE), ("twice",))
    assert _LONG(loaded.address("twice"))(21) == 42
    with pytest.raises(InternalError, match="symbol thrice was not exported; exported: twice"):
        loaded.address("thrice")


def test_same_symbol_in_several_libraries() -> None:
    texts = [TWICE, TWICE.replace("add i64", "mul i64")]
    loaded = [jit.load_object(jit.compile_llvm(text), ("twice",)) for text in texts]
    assert [_LONG(one.address("twice"))(5) for one in loaded] == [10, 25]
    del loaded[0]
    gc.collect()
    assert _LONG(loaded[0].address("twice"))(6) == 36


def test_imported_symbols_and_libm() -> None:
    cell = ctypes.c_int64(40)
    text = """
@cell = external global i64
declare double @cos(double)
define i64 @sum(i64 %x) {
  %c = load i64, ptr @cell
  %d = call double @cos(double 0.0)
  %k = fptosi double %d to i64
  %s = add i64 %c, %x
  %t = add i64 %s, %k
  ret i64 %t
}
"""
    loaded = jit.load_object(jit.compile_llvm(text), ("sum",), {"cell": ctypes.addressof(cell)})
    assert _LONG(loaded.address("sum"))(1) == 42
    cell.value = 0
    assert _LONG(loaded.address("sum"))(1) == 2


def test_passes_change_the_code() -> None:
    text = (
        "define i64 @f(i64 %x) {\n  %p = alloca i64\n  store i64 %x, ptr %p\n  %y = load i64, ptr %p\n  ret i64 %y\n}\n"
    )
    assert "alloca" in jit.optimize_llvm(text)
    assert "alloca" not in jit.optimize_llvm(text, passes=("sroa",))
    assert jit.compile_llvm(text, passes=("sroa",)) != jit.compile_llvm(text, opt=0)
    with pytest.raises(InternalError, match="unknown LLVM pass 'srao'; did you mean 'sroa'?"):
        jit.compile_llvm(text, passes=("srao",))


def test_rejected_modules() -> None:
    with pytest.raises(InternalError, match="use of undefined value '%z'"):
        jit.compile_llvm(TWICE.replace("%x, %x", "%x, %z"))
    skipped = (
        "define i64 @f(i1 %c) {\nbr i1 %c, label %a, label %b\na:\n%w = add i64 1, 2\nbr label %b\nb:\nret i64 %w\n}\n"
    )
    with pytest.raises(InternalError, match=r"does not dominate[^$]*line 4: %w = add i64 1, 2"):
        jit.compile_llvm(skipped)


def test_undefined_symbol() -> None:
    code = jit.compile_llvm("declare void @nowhere()\ndefine void @f() {\n  call void @nowhere()\n  ret void\n}\n")
    with pytest.raises(InternalError, match="cannot link f"):
        jit.load_object(code, ("f",))


@pytest.mark.parametrize(("name", "instruction"), [("x86-64-v3", "leaq"), ("aarch64-neon", "add\tx0, x0, x0")])
def test_assembler_of_other_targets(name: str, instruction: str) -> None:
    text = jit.compile_asm(TWICE, resolve_target(name))
    assert "twice:" in text and instruction in text


def test_host() -> None:
    triple, cpu, _ = jit.llvm_target(resolve_target("cpu"))
    assert (triple, cpu) == jit.llvm_target(None)[:2]
    assert "LLVM" in jit.compiler_version()


def test_unknown_architecture() -> None:
    target = resolve_target("aarch64-neon")
    strange = dataclasses.replace(target, arch="arch64")
    with pytest.raises(AkgError) as caught:
        jit.compile_llvm(TWICE, strange)
    assert str(caught.value) == (
        "AKG-E404: no LLVM triple for architecture 'arch64' of target 'aarch64-neon'\nhint: did you mean 'aarch64'?"
    )


def test_threads() -> None:
    results: list[int] = []

    def work(factor: int) -> None:
        text = TWICE.replace("%x, %x", f"%x, {factor}")
        loaded = jit.load_object(jit.compile_llvm(text), ("twice",))
        results.append(_LONG(loaded.address("twice"))(1) - factor)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1] * 8
