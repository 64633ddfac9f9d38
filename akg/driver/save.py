"""Ahead of time: a kernel as files, for programs in C and for later processes.

``kernel.save("out")`` writes ``out/<name>.o``, ``.h`` and ``.json``; ``akg.load("out/<name>.json")`` is the kernel
again.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from akg import __version__
from akg.base.config import effective_threads
from akg.base.errors import AkgError, suggest, user_facing
from akg.base.target import Target, obstacle
from akg.codegen.backend import Module
from akg.codegen.llvm.standalone import standalone
from akg.driver import linker
from akg.driver.elf import read_object
from akg.driver.files import write_file
from akg.driver.header import c_type, header
from akg.ir import stmt
from akg.ir.text import parse_kernel, to_text
from akg.runtime import jit
from akg.runtime.failure import Failure
from akg.runtime.kernel import Kernel, is_threaded, link
from akg.runtime.report import Report
from akg.runtime.signature import Signature, packed_ir

LAYOUT = 2  # of the metadata
KINDS = ("object", "shared")
THREADS = ("openmp", "serial")


@dataclass(frozen=True, slots=True)
class Source:
    """What there is to save: the emitted module, and the kernel and report that it belongs to."""

    module: Module
    kernel: stmt.Kernel
    report: Report


def save(source: Source, folder: str | os.PathLike[str], kind: str, threads: str) -> list[Path]:
    """Write object, header and metadata, and a shared object for the kind "shared"; the metadata last.

    Raises:
        AkgError: see `Kernel.save`.
    """
    _check(kind, KINDS, "kind")
    _check(threads, THREADS, "threads")
    module, signature, target = source.module, Signature.of(source.kernel), source.module.target
    if module.kind != "llvm":
        raise AkgError(
            "AKG-E411",
            f"kernel {signature.name} cannot be saved",
            because=f"backend {target.backend!r} emits {module.kind!r}, which akg does not compile ahead of time",
            hint=f"write its source({module.kind!r}) to a file, or build it for another target",
        )
    text = standalone(module.text, is_serial=threads == "serial") + "\n" + packed_ir(signature)
    code = jit.compile_llvm(text, target, module.meta.get("passes", ()))
    undefined = read_object(code).undefined
    files = {"object": (f"{signature.name}.o", code)}
    if kind == "shared":
        name = f"{signature.name}.so"
        files["shared"] = (name, linker.link_shared(code, name, undefined, target))
    options = linker.libraries(undefined)
    top = header(signature, target, is_threaded="-lgomp" in options, libraries=options,
                 failures=[row["message"] for row in module.meta["failures"]])  # fmt: skip
    files["header"] = (f"{signature.name}.h", top.encode())
    facts = _facts(source, signature, target, options, files)
    files["metadata"] = (f"{signature.name}.json", json.dumps(facts, indent=2).encode() + b"\n")
    return [write_file(Path(folder), name, data, is_executable=name.endswith(".so")) for name, data in files.values()]


def _check(value: str, known: tuple[str, ...], what: str) -> None:
    if value not in known:
        raise AkgError(
            "AKG-E517",
            f"save has no {what} {value!r}",
            because=f"it is one of {', '.join(known)}",
            hint=suggest(str(value), known, what),
        )


def _facts(
    source: Source, signature: Signature, target: Target, options: list[str], files: dict[str, tuple[str, bytes]]
) -> dict[str, Any]:
    report = source.report
    params: list[dict[str, Any]] = [
        {"name": p.name, "role": p.role, "dtype": p.dtype.name, "c_type": c_type(p),
         "shape": None if p.shape is None else [str(d) for d in p.shape]}
        for p in signature.params
    ]  # fmt: skip
    params += [{"name": s, "role": "size", "dtype": "int64", "c_type": "int64_t", "shape": None}
               for s in signature.sizes]  # fmt: skip
    triple, cpu, features = jit.llvm_target(target)
    return {
        "layout": LAYOUT,
        "akg": __version__,
        "compiler": jit.compiler_version(),
        "name": signature.name,
        "symbol": signature.symbol,
        "signature": str(signature),
        "parameters": params,
        "interface": to_text(replace(source.kernel, body=stmt.Block(()))),
        "target": {
            "name": target.name, "arch": target.arch, "cpu": target.cpu, "features": sorted(target.features),
            "vector_bits": target.vector_bits, "vector_registers": target.vector_registers,
            "llvm": {"triple": triple, "cpu": cpu, "features": features},
        },
        "strategy": report.strategy,
        "legality": report.legality,
        "flops": report.flops,
        "bytes": report.bytes,
        "failures": source.module.meta["failures"],
        "link": options,
        "files": {k: {"name": name, "sha256": hashlib.sha256(data).hexdigest()} for k, (name, data) in files.items()},
    }  # fmt: skip


@user_facing
def load(path: str | os.PathLike[str]) -> Kernel:
    """A kernel that `Kernel.save` wrote, from its metadata.

    Args:
        path: the file ``<name>.json``; the object lies beside it.

    Returns:
        The kernel; one of another machine can be looked at, and its calls say why they are refused.

    Raises:
        AkgError: AKG-E626 for files that are missing, damaged or of another layout.
    """
    place = Path(path)
    facts = _read_facts(place)
    try:
        entry, described = facts["files"]["object"], facts["target"]
        signature = Signature.of(parse_kernel(facts["interface"]))
        target = Target(
            described["name"], "llvm", described["arch"], described["cpu"], frozenset(described["features"]),
            described["vector_bits"], described["vector_registers"],
        )  # fmt: skip
        report = Report(
            legality=facts["legality"], flops=facts["flops"], bytes=facts["bytes"], strategy=facts["strategy"],
            target=target.name, compiler=facts["compiler"], notes=[f"loaded from {place}, made by akg {facts['akg']}"],
        )  # fmt: skip
        failures = Failure.of(facts["failures"], {})
        beside, wanted = place.parent / entry["name"], entry["sha256"]
    except (KeyError, TypeError, ValueError, AkgError) as error:
        raise _unreadable(place, f"it is not what akg {__version__} writes ({error})") from None
    code = _read(beside)
    threaded = is_threaded(code)
    report.threads = effective_threads() if threaded else 1
    if hashlib.sha256(code).hexdigest() != wanted:
        raise _unreadable(beside, f"its SHA-256 is not the one in {place.name}")
    refusal = obstacle(target)
    linked = None if refusal else link(signature, code)
    return Kernel(signature, linked, report=report, threaded=threaded, refusal=refusal, failures=failures)


def _read_facts(place: Path) -> dict[str, Any]:
    data = _read(place)
    try:
        facts = json.loads(data)
    except ValueError as error:
        raise _unreadable(place, f"it is no JSON: {error}") from None
    if not isinstance(facts, dict) or facts.get("layout") != LAYOUT:  # pyright: ignore[reportUnknownMemberType]
        raise _unreadable(place, f"it is not of the layout {LAYOUT}, which akg {__version__} writes")
    return facts  # pyright: ignore[reportUnknownVariableType]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None


def _unreadable(path: Path, reason: str) -> AkgError:
    return AkgError(
        "AKG-E626",
        f"cannot load {path}",
        because=reason,
        hint="give the .json file of kernel.save(folder), or save the kernel again",
    )
