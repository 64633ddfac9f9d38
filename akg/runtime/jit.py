"""Machine code: LLVM IR text -> object code -> callable addresses. The only file that talks to llvmlite.

Object code is the unit of caching: `compile_llvm` makes it, `load_object` links it, in this process or in a
later one. All code lives in one ORC LLJIT instance (creating one costs more than linking a kernel). A
`Loaded` owns its code: when it is collected, LLVM unmaps the code.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from akg.base.errors import AkgError, InternalError, suggest
from akg.base.target import Target

_lock = threading.RLock()
_library_numbers = itertools.count()

# Module passes a caller may ask for; kernels carry explicit vectors, so the default is none (measured:
# the O2 pipeline doubles the time and gains nothing on such code).
_PASSES: dict[str, Callable[[Any], None]] = {
    "sroa": lambda manager: manager.add_sroa_pass(),
    "instcombine": lambda manager: manager.add_instruction_combine_pass(),
    "simplifycfg": lambda manager: manager.add_simplify_cfg_pass(),
    "gvn": lambda manager: manager.add_new_gvn_pass(),
    "dce": lambda manager: manager.add_dead_code_elimination_pass(),
    "always-inline": lambda manager: manager.add_always_inliner_pass(),
    "loop-rotate": lambda manager: manager.add_loop_rotate_pass(),
    "loop-strength-reduce": lambda manager: manager.add_loop_strength_reduce_pass(),
    "loop-unroll": lambda manager: manager.add_loop_unroll_pass(),
}

_TRIPLE_OF_ARCH = {
    "x86_64": "x86_64-unknown-linux-gnu",
    "aarch64": "aarch64-unknown-linux-gnu",
    "riscv64": "riscv64-unknown-linux-gnu",
    "ppc64le": "powerpc64le-unknown-linux-gnu",
    "arm": "armv7-unknown-linux-gnueabihf",
}


class Loaded:
    """Linked code. Addresses stay valid while this object lives."""

    __slots__ = ("_addresses", "_tracker")

    def __init__(self, tracker: object, addresses: dict[str, int]) -> None:
        self._tracker, self._addresses = tracker, addresses

    def address(self, symbol: str) -> int:
        """The address of an exported symbol.

        Raises:
            InternalError: the symbol was not exported when the code was linked.
        """
        found = self._addresses.get(symbol)
        if found is None:
            raise InternalError(f"symbol {symbol} was not exported; exported: {', '.join(self._addresses)}")
        return found


def compiler_version() -> str:
    """Versions of llvmlite and LLVM, for cache keys and reports."""
    return f"llvmlite {llvmlite.__version__}, LLVM {'.'.join(map(str, llvm.llvm_version_info))}"


@lru_cache(maxsize=1)
def host_cpu() -> tuple[str, str]:
    """Name and feature string (``+avx2,-sse4a,...``) of this processor as LLVM sees it."""
    try:
        features = llvm.get_host_cpu_features().flatten()
    except RuntimeError:  # architectures for which LLVM cannot tell
        features = ""
    return llvm.get_host_cpu_name(), features


def llvm_target(target: Target | None) -> tuple[str, str, str]:
    """Triple, cpu and feature string of `target`; the host's own for None and for the host itself.

    Raises:
        AkgError: AKG-E404 for an architecture without a triple.
    """
    _initialize()
    host = llvm.get_process_triple()
    if target is None or target.is_host:
        return host, *host_cpu()
    triple = _TRIPLE_OF_ARCH.get(target.arch)
    if triple is None:
        raise AkgError(
            "AKG-E404",
            f"no LLVM triple for architecture {target.arch!r} of target {target.name!r}",
            hint=suggest(target.arch, _TRIPLE_OF_ARCH, "architectures"),
        )
    if host.startswith(triple.split("-")[0]):
        triple = host
    else:
        _initialize_all()
    return triple, target.cpu, ",".join(f"+{name}" for name in sorted(target.features))


def compile_llvm(text: str, target: Target | None = None, passes: Iterable[str] = (), opt: int = 3) -> bytes:
    """Object code for a module of LLVM IR text.

    Args:
        text: the module, without a triple of its own.
        target: the machine to compile for; None is this one.
        passes: module passes to run first, in order (`_PASSES`).
        opt: optimisation level of instruction selection and scheduling, 0 to 3.

    Raises:
        InternalError: LLVM rejects the module; the message carries LLVM's and the line.
    """
    with _lock:
        machine = _machine(*llvm_target(target), opt)
        return bytes(machine.emit_object(_module(text, machine, tuple(passes))))


def compile_asm(text: str, target: Target | None = None, passes: Iterable[str] = (), opt: int = 3) -> str:
    """Assembler text of what `compile_llvm` makes of the same arguments."""
    with _lock:
        machine = _machine(*llvm_target(target), opt)
        return str(machine.emit_assembly(_module(text, machine, tuple(passes))))


def optimize_llvm(text: str, target: Target | None = None, passes: Iterable[str] = ()) -> str:
    """The module's text after `passes`."""
    with _lock:
        return str(_module(text, _machine(*llvm_target(target), 3), tuple(passes)))


def load_object(code: bytes, exports: Iterable[str], symbols: Mapping[str, int] | None = None) -> Loaded:
    """Link object code into this process.

    Args:
        code: what `compile_llvm` returned, for this machine.
        exports: symbols whose addresses the caller needs.
        symbols: addresses for undefined symbols; the others are looked up in the process (libc, libm).

    Raises:
        InternalError: the code cannot be linked, such as for a symbol that nothing defines.
    """
    names = tuple(exports)
    with _lock:
        builder = llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
        for name, address in (symbols or {}).items():
            builder.import_symbol(name, address)
        for name in names:
            builder.export_symbol(name)
        try:
            tracker = builder.link(_jit(), f"akg{next(_library_numbers)}")
        except RuntimeError as error:
            raise InternalError(f"cannot link {', '.join(names)}: {error}") from error
        return Loaded(tracker, {name: tracker[name] for name in names})


@lru_cache(maxsize=1)
def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@lru_cache(maxsize=1)
def _initialize_all() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


@lru_cache(maxsize=1)
def _jit() -> Any:
    _initialize()
    # JITLink places code and data together and makes GOT entries and stubs for symbols that lie far away.
    return llvm.create_lljit_compiler(_new_machine(*llvm_target(None), 3), use_jit_link=True)


@lru_cache(maxsize=16)
def _machine(triple: str, cpu: str, features: str, opt: int) -> Any:
    return _new_machine(triple, cpu, features, opt)


def _new_machine(triple: str, cpu: str, features: str, opt: int) -> Any:
    try:
        return llvm.Target.from_triple(triple).create_target_machine(
            cpu=cpu, features=features, opt=opt, reloc="pic", codemodel="small", abiname=_abi(triple, features)
        )
    except RuntimeError as error:
        raise AkgError(
            "AKG-E403", f"LLVM has no target {triple}", because=str(error), hint="reinstall llvmlite"
        ) from error


def _abi(triple: str, features: str) -> str:
    """LLVM's name of the calling convention; empty for the usual one."""
    # Linux on RISC-V passes floats in registers of their own, which LLVM does only if told.
    return "lp64d" if triple.startswith("riscv64") and "+d" in features.split(",") else ""


def _module(text: str, machine: Any, passes: tuple[str, ...]) -> Any:
    try:
        module = llvm.parse_assembly(text)
        module.verify()
    except RuntimeError as error:
        raise InternalError(f"LLVM rejects the module: {error}{_offending_line(text, str(error))}") from error
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    if passes:
        builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
        manager = llvm.create_new_module_pass_manager()
        for name in passes:
            add = _PASSES.get(name)
            if add is None:
                raise InternalError(f"unknown LLVM pass {name!r}; {suggest(name, _PASSES, 'passes')}")
            add(manager)
        manager.run(module, builder)
    return module


def _offending_line(text: str, message: str) -> str:
    # LLVM's own parser errors read "<string>:12:3: error: ..." and quote the line themselves; the
    # verifier's name a value only, so show the first line of the text that contains it.
    if "<string>" in message:
        return ""
    for part in message.split():
        if part.startswith("%") and len(part) > 1:
            for number, line in enumerate(text.splitlines(), 1):
                if part.rstrip(",") in line:
                    return f"\nline {number}: {line.strip()}"
    return ""
