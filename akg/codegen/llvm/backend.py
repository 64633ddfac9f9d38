"""The backend "llvm": CPUs, through LLVM IR."""

from __future__ import annotations

from typing import Any

from akg.base.target import Target
from akg.codegen.backend import Module, backends
from akg.codegen.legalize import legalize
from akg.codegen.llvm.entry import emit_module
from akg.codegen.llvm.parallel import THREADS
from akg.codegen.llvm.scaling import native_calls
from akg.ir.stmt import Kernel

# Register tiles and accumulators are stack slots in the text; these passes turn them into registers.
PASSES = ("sroa",)


class LlvmBackend:
    """Emits a module of LLVM IR.

    `Module.meta` has "passes", the names of the LLVM passes to run before code generation, and "symbols", the
    names that the loader must provide: functions of the C library and of an OpenMP runtime, and
    ``int32 akg_threads()``, the number of threads that the calling thread may use; and "failures", what the statuses
    from 2 on say (`akg.codegen.subscripts.Checks.table`); and "notes", what was chosen, for the report.
    """

    name = "llvm"

    def emit(self, kernel: Kernel, target: Target) -> Module:
        """The module of a kernel; its entry point returns 0, 1 if a temporary could not be allocated, or a failure."""
        text, unit = emit_module(legalize(kernel, native_calls(target)), target)
        meta: dict[str, Any] = {
            "passes": PASSES, "symbols": _imports(text), "failures": unit.checks.table, "notes": unit.notes
        }  # fmt: skip
        return Module(text, "llvm", kernel.name, target, meta)


def _imports(text: str) -> tuple[str, ...]:
    """The names that the module declares and LLVM does not provide itself."""
    known = ("malloc", "free", "GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads", THREADS)
    return tuple(name for name in known if f"@{name}" in text)


def emit(kernel: Kernel, target: Target) -> Module:
    """`LlvmBackend.emit`, for callers that need no backend object."""
    return BACKEND.emit(kernel, target)


BACKEND = backends.register("llvm", LlvmBackend())
