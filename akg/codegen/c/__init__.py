"""Readable C of loop IR: what ``kernel.source("c")`` shows, and a backend whose text any C compiler takes.

The printers of CUDA C and of other dialects derive from `CPrinter`.
"""

from __future__ import annotations

from akg.base.target import Target
from akg.codegen.backend import Module, backends
from akg.codegen.c.printer import CPrinter
from akg.ir.stmt import Kernel

__all__ = ["CBackend", "CPrinter", "emit_c"]


def emit_c(kernel: Kernel) -> str:
    """C99 source of a kernel: a function with the compiled calling convention, and the helpers it needs.

    Parallel and vector loops carry OpenMP pragmas; the text is right without OpenMP too.

    Raises:
        AkgError: AKG-E407 if the kernel is mapped to a device.
    """
    return CPrinter(kernel).text()


class CBackend:
    """The backend "c"."""

    name = "c"

    def emit(self, kernel: Kernel, target: Target) -> Module:
        """The C source of `kernel`; the target does not change it."""
        printer = CPrinter(kernel)
        return Module(printer.text(), "c", printer.names[kernel.name], target, {"failures": printer.checks.table})


backends.register("c", CBackend())
