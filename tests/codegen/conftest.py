"""Compile emitted modules with LLVM's JIT and compare them with the interpreter."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from numpy.typing import NDArray

from akg.base.target import Target, resolve_target
from akg.codegen.backend import Module
from akg.codegen.llvm.backend import emit
from akg.ir.buffer import Buffer
from akg.ir.interp import interpret
from akg.ir.stmt import Kernel

_TYPES: dict[str, Any] = {
    "float64": ctypes.c_double, "float32": ctypes.c_float, "float16": ctypes.c_uint16, "bfloat16": ctypes.c_uint16,
    "int64": ctypes.c_int64, "index": ctypes.c_int64, "int32": ctypes.c_int32, "int16": ctypes.c_int16,
    "int8": ctypes.c_int8, "uint8": ctypes.c_uint8, "bool": ctypes.c_uint8,
}  # fmt: skip
THREADS = ctypes.CFUNCTYPE(ctypes.c_int32)(lambda: 2)


class Jit:
    """One LLVM JIT for all tests."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        features = llvm.get_host_cpu_features().flatten()
        target = llvm.Target.from_default_triple()
        self.machine = target.create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True, codemodel="jitdefault"
        )
        self.compiler = llvm.create_lljit_compiler(self.machine)
        self.trackers: list[Any] = []
        self.openmp = ctypes.CDLL("libgomp.so.1")
        self.count = 0

    def assembly(self, module: Module) -> str:
        """The machine code as text."""
        return self.machine.emit_assembly(self._passes(module))

    def _passes(self, module: Module) -> Any:
        parsed = llvm.parse_assembly(module.text)
        parsed.verify()
        builder = llvm.create_pass_builder(self.machine, llvm.create_pipeline_tuning_options(2))
        passes = llvm.create_new_module_pass_manager()
        for name in module.meta["passes"]:
            getattr(passes, f"add_{name}_pass")()
        passes.run(parsed, builder)
        return parsed

    def load(self, module: Module, kernel: Kernel) -> Callable[..., int]:
        """The entry point as a function of arrays and numbers."""
        self.count += 1
        library = llvm.JITLibraryBuilder()
        library.add_object_img(self.machine.emit_object(self._passes(module))).export_symbol(module.symbol)
        for name in ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads"):
            library.import_symbol(name, ctypes.cast(getattr(self.openmp, name), ctypes.c_void_p).value)
        library.import_symbol("akg_threads", ctypes.cast(THREADS, ctypes.c_void_p).value).add_current_process()
        tracker = library.link(self.compiler, f"k{self.count}")
        self.trackers.append(tracker)
        types = [
            ctypes.c_void_p if isinstance(p.value, Buffer) else _TYPES[p.value.dtype.name] for p in kernel.params
        ]
        entry = ctypes.CFUNCTYPE(ctypes.c_int32, *types)(tracker[module.symbol])

        def call(*args: Any) -> int:
            return entry(*[a.ctypes.data if isinstance(a, np.ndarray) else a for a in args])

        return call


@pytest.fixture(scope="session")
def jit() -> Jit:
    """The JIT."""
    return Jit()


@pytest.fixture(scope="session")
def host() -> Target:
    """The machine that runs the tests."""
    return resolve_target("cpu")


@pytest.fixture
def check(jit: Jit, host: Target) -> Callable[..., Module]:
    """Run a kernel compiled and interpreted on the same arguments, and compare all arrays."""

    def run(kernel: Kernel, *args: Any, rtol: float = 0.0, target: Target | None = None) -> Module:
        module = emit(kernel, target or host)
        expected = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
        interpret(kernel, *expected)
        assert jit.load(module, kernel)(*args) == 0
        for actual, wanted in zip(args, expected, strict=True):
            if isinstance(actual, np.ndarray):
                assert_close(actual, wanted, rtol)
        return module

    return run


def assert_close(actual: NDArray[Any], expected: NDArray[Any], rtol: float) -> None:
    """Equal for rtol 0, else within rtol of the largest magnitude."""
    a, b = actual.astype(np.float64), expected.astype(np.float64)
    if rtol == 0.0:
        whole = actual.dtype.kind in "iu"  # float64 does not hold every int64
        np.testing.assert_array_equal(actual if whole else a, expected if whole else b)
    else:
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * float(np.nanmax(np.abs(b), initial=0.0)))
