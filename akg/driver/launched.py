"""Kernels as one shared object for programs that bring their own threads and memory (`akg.codegen.llvm.launcher`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from akg.base.errors import InternalError
from akg.base.symbols import symbol_of
from akg.base.target import Target
from akg.codegen.llvm.launcher import PROVIDED, Operand, Step, launcher
from akg.driver import linker
from akg.driver.build import object_code
from akg.driver.elf import read_object
from akg.ir import stmt
from akg.poly.strategy import Strategy
from akg.runtime import jit


@dataclass(frozen=True, slots=True)
class Launch:
    """A kernel and what it is called with, in the order of its parameters."""

    kernel: stmt.Kernel
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """The files of a program: a relocatable object, and the shared object made of it."""

    object: bytes
    shared: bytes


def link_launched(
    symbol: str, launches: Sequence[Launch], scratch_bytes: int, strategy: Strategy, target: Target, name: str
) -> Linked:
    """Compile kernels and link them behind ``int <symbol>(void **arguments)``.

    Args:
        symbol: of the function.
        launches: kernels of different names, in the order of their calls.
        scratch_bytes: memory for what they pass to each other.
        strategy: of the kernels.
        target: a CPU.
        name: of the shared object.

    Raises:
        AkgError: AKG-E411 for a target without machine code, AKG-E412 and AKG-E413 of the linker.
    """
    steps = [Step(symbol_of(launch.kernel.name), launch.operands) for launch in launches]
    if len({step.symbol for step in steps} | {symbol}) != len(steps) + 1:
        raise InternalError(f"kernels of {name} share a symbol: {', '.join(s.symbol for s in steps)}")
    codes = [jit.compile_llvm(launcher(symbol, steps, scratch_bytes), target)]
    codes += [object_code(launch.kernel, strategy, target) for launch in launches]
    whole = linker.link_relocatable(codes, target)
    undefined = [s for s in read_object(whole).undefined if s not in PROVIDED]
    return Linked(whole, linker.link_shared(whole, name, undefined, target))
