"""`akg doctor`: what is present, what is missing, how to install it, and whether a kernel builds and runs."""

from __future__ import annotations

import argparse
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

import numpy as np

import akg
from akg.base.config import config, effective_threads
from akg.base.target import resolve_target
from akg.runtime import jit, openmp


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it stands, what was found, and what to do if it is not well.

    Attributes:
        state: "ok"; "note" where something optional is missing; "MISSING" where akg does not work without it.
    """

    what: str
    state: str
    text: str
    remedy: str = ""


def run(options: argparse.Namespace) -> int:
    """Print the findings; 1 if something that akg needs is missing."""
    findings = examine()
    for f in findings:
        print(f"{f.state:<8}{f.what:<12}{f.text}")
        if f.remedy:
            print(f"{'':<20}-> {f.remedy}")
    bad = [f.what for f in findings if f.state == "MISSING"]
    print(f"\nmissing: {', '.join(bad)}" if bad else "\nakg is ready")
    return 1 if bad else 0


def examine() -> list[Finding]:
    """All findings, in order."""
    findings = [_python()]
    findings += [_package(name, True) for name in ("numpy", "islpy", "llvmlite", "ml_dtypes")]
    for check in (_target, _openmp, _cache, _compiler, _scipy, _self_test):
        findings.append(_guarded(check))
    return findings


def _guarded(check: Callable[[], Finding]) -> Finding:
    """A check that must not stop the others, whatever is broken."""
    try:
        return check()
    except Exception as error:
        first = str(error).partition("\n")[0]
        return Finding(check.__name__.strip("_").replace("_", " "), "MISSING", f"{type(error).__name__}: {first}")


def _python() -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}, akg {akg.__version__}"
    return Finding("python", "ok", text)


def _package(name: str, is_required: bool, why: str = "") -> Finding:
    try:
        return Finding(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "MISSING" if is_required else "note", f"not installed{why}", f"pip install {name}")


def _target() -> Finding:
    host = resolve_target("cpu")
    caches = "/".join(f"{size // 1024}" for size in (host.l1_bytes, host.l2_bytes, host.l3_bytes))
    text = (
        f"{host.cpu}{', tuned for ' + host.tune if host.tune else ''}; {host.vector_registers} vector registers of"
        f" {host.vector_bits} bits, caches {caches} KiB, {host.cores} cores; {jit.compiler_version()}"
    )
    return Finding("cpu", "ok", text)


def _openmp() -> Finding:
    found = openmp.find()
    if found.is_serial:
        return Finding("openmp", "note", "no runtime found: kernels run on one thread",
                       "pip install akg[openmp], or install libgomp (Debian: libgomp1)")  # fmt: skip
    return Finding("openmp", "ok", f"{found.path} ({found.origin}), {effective_threads()} threads")


def _cache() -> Finding:
    place = config.cache_dir
    if config.cache != "rw":
        return Finding("cache", "note", f"{place} is not written: AKG_CACHE={config.cache}")
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return Finding("cache", "ok", f"{place} can be written")
    except OSError as error:
        return Finding("cache", "note", f"{place} cannot be written ({error.strerror}): kernels are not kept",
                       "set AKG_CACHE_DIR to a directory of yours, or AKG_CACHE=off")  # fmt: skip


def _compiler() -> Finding:
    found = shutil.which("gcc") or shutil.which("cc")
    if found is None:
        return Finding("gcc", "note", "not found; only tests of the C printer use it")
    return Finding("gcc", "ok", f"{found}; only tests of the C printer use it")


def _scipy() -> Finding:
    return _package("scipy", False, "; only tests use it")


def _self_test() -> Finding:
    """Build a tiny kernel and compare with NumPy."""
    x = akg.te.placeholder((1000,), "float32", name="x")
    y = akg.te.compute((1000,), lambda i: akg.te.exp(x[i]) * 0.5, name="y")
    with config.override(cache="off"):
        kernel = akg.build([y], inputs=[x], name="self_test")
    values = np.linspace(-3, 3, 1000, dtype=np.float32)
    error = float(np.abs(kernel(values) / (np.exp(values.astype(np.float64)) / 2) - 1).max())
    if not error < 1e-6:
        return Finding("self-test", "MISSING", f"a kernel computes with an error of {error:.2g}",
                       "please report this with the lines above")  # fmt: skip
    return Finding("self-test", "ok", f"a kernel built in {kernel.report.build_ms:.0f} ms, error {error:.1g}")
