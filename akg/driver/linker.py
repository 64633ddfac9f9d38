"""Shared objects: by the linker of the wheel `ziglang`, else by a C compiler on the path.

A shared object names the libraries that its undefined symbols come from (libc.so.6, libm.so.6, libgomp.so.1). They
need not be installed, and for other machines are not: empty ones of the same names stand in for them.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from akg.base.errors import AkgError
from akg.base.target import Target, host
from akg.runtime import jit

_OPENMP = ("GOMP_", "omp_")
_LIBC = frozenset({"malloc", "free", "calloc", "aligned_alloc", "posix_memalign", "memset", "memcpy", "memmove", "bcmp",
                   "abort"})  # fmt: skip
_FILES = {"-lgomp": "libgomp.so.1", "-lm": "libm.so.6", "-lc": "libc.so.6"}
_OF_LOADER = frozenset({"__tls_get_addr"})  # the dynamic loader itself defines it


def library_of(symbol: str) -> str:
    """The option that links what defines a symbol: "-lgomp", "-lc" or "-lm"."""
    if symbol.startswith(_OPENMP):
        return "-lgomp"
    return "-lc" if symbol in _LIBC else "-lm"


def libraries(undefined: Iterable[str]) -> list[str]:
    """The options that a program needs for undefined symbols; that of the C library goes without saying."""
    needed = {library_of(symbol) for symbol in undefined}
    return [option for option in ("-lgomp", "-lm") if option in needed]


def find(target: Target) -> list[str]:
    """The command that links for a target.

    Raises:
        AkgError: AKG-E412 if there is none.
    """
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc", "-target", f"{target.arch}-linux-gnu"]
    names = [f"{target.arch}-linux-gnu-gcc"]
    if target.arch == host().arch:
        names = ["cc", "gcc", *names]
    for name in names:
        path = shutil.which(name)
        if path is not None:
            return [path]
    raise AkgError(
        "AKG-E412",
        f"no linker for {target.arch}",
        because=f"the package ziglang is not installed, and {', '.join(names)} not on the path",
        hint="pip install akg[aot], or save kind='object' and link it elsewhere",
    )


def link_shared(code: bytes, name: str, undefined: Iterable[str], target: Target) -> bytes:
    """A shared object from an object file.

    Args:
        code: the object file.
        name: of the shared object, such as "softmax.so".
        undefined: the symbols that it needs.
        target: what it was compiled for.

    Raises:
        AkgError: AKG-E412 without a linker, AKG-E413 where the linker fails.
    """
    command = [*find(target), "-shared", "-nostdlib"]
    needed: dict[str, list[str]] = {}
    for symbol in undefined:
        if symbol not in _OF_LOADER:
            needed.setdefault(_FILES[library_of(symbol)], []).append(symbol)
    with tempfile.TemporaryDirectory(prefix="akg-link-") as folder:
        root = Path(folder)
        (root / "code.o").write_bytes(code)
        inputs = ["code.o"]
        for file, symbols in needed.items():
            text = "\n".join(f"define void @{symbol}() {{\n  ret void\n}}" for symbol in symbols)
            (root / f"{file}.o").write_bytes(jit.compile_llvm(text, target))
            _run([*command, f"-Wl,-soname,{file}", "-o", file, f"{file}.o"], root)
            inputs.append(file)
        _run([*command, "-Wl,-Bsymbolic", f"-Wl,-soname,{name}", "-o", "result", *inputs], root)
        return (root / "result").read_bytes()


def link_relocatable(codes: Sequence[bytes], target: Target) -> bytes:
    """One object file of several.

    Raises:
        AkgError: AKG-E412 without a linker, AKG-E413 where the linker fails.
    """
    command = [*find(target), "-r", "-nostdlib"]
    with tempfile.TemporaryDirectory(prefix="akg-link-") as folder:
        root = Path(folder)
        names = [f"{k}.o" for k in range(len(codes))]
        for name, code in zip(names, codes, strict=True):
            (root / name).write_bytes(code)
        _run([*command, "-o", "result", *names], root)
        return (root / "result").read_bytes()


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AkgError(
            "AKG-E413",
            f"{' '.join(command[:4])} ... cannot link",
            because=(done.stderr or done.stdout).strip() or f"exit status {done.returncode}",
            hint="save kind='object' and link it elsewhere",
        )
