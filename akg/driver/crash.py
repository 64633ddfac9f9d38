"""What is kept of an internal error: enough to reproduce it, in a directory that the message names.

A user's mistake is an `AkgError` and passes through; anything else that escapes a build is akg's own fault.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from akg.base.cache import digest
from akg.base.config import config
from akg.base.errors import AkgError, InternalError
from akg.base.target import Target
from akg.driver import store
from akg.ir import stmt
from akg.ir.text import to_text
from akg.poly.strategy import Strategy

FOLDER = "crashes"  # in the cache's directory
_REPRO = '''"""Builds the kernel again that akg failed on: python repro.py"""

import json
from pathlib import Path

import akg
from akg.ir.text import parse_kernel

here = Path(__file__).resolve().parent
facts = json.loads((here / "facts.json").read_text(encoding="utf-8"))
kernel = parse_kernel((here / "kernel.txt").read_text(encoding="utf-8"))
with akg.config.override(cache="off"):
    built = akg.build(kernel, target=facts["target"], strategy=facts["strategy"])
print("built:", built)
'''


@contextmanager
def reported(kernel: stmt.Kernel, strategy: Strategy, target: Target) -> Generator[None, None, None]:
    """Turn what escapes, apart from a user's mistake, into an `InternalError` that names a bundle.

    Raises:
        InternalError: in place of any exception of akg's own.
    """
    try:
        yield
    except (AkgError, MemoryError, RecursionError):
        raise
    except Exception as error:
        place = write_bundle(error, kernel, strategy, target)
        where = f"all that is needed to reproduce it is in {place}" if place else "no directory takes a report"
        raise InternalError(
            f"akg failed to build kernel {kernel.name}: {type(error).__name__}: {error}\n"
            f"this is a defect of akg, not of your program: please report it; {where}"
        ) from error


def write_bundle(error: BaseException, kernel: stmt.Kernel, strategy: Strategy, target: Target) -> Path | None:
    """Write loop IR, facts, traceback and a script that reproduces the error; the directory, or None."""
    trace = "".join(traceback.format_exception(error))
    files = {
        "kernel.txt": _text(kernel),
        "facts.json": json.dumps(_facts(error, strategy, target), indent=2, default=_plain) + "\n",
        "traceback.txt": trace,
        "repro.py": _REPRO,
    }
    name = f"{kernel.name}-{digest(files['kernel.txt'], trace)[:12]}"  # the same error again: the same place
    if config.cache == "rw":
        try:
            return _write(config.cache_dir / FOLDER / name, files)
        except OSError:
            pass  # where kernels cannot be kept, the system's place for temporary files may do
    try:
        return _write(Path(tempfile.mkdtemp(prefix="akg-crash-")) / name, files)
    except OSError:
        return None


def _text(kernel: stmt.Kernel) -> str:
    try:
        return to_text(kernel)
    except Exception as error:  # a kernel that breaks the printer, too, is worth a report
        return f"# cannot be printed: {type(error).__name__}: {error}\n"


def _facts(error: BaseException, strategy: Strategy, target: Target) -> dict[str, object]:
    return {
        "error": f"{type(error).__name__}: {error}",
        "versions": store.versions(),
        "platform": platform.platform(),
        "options": {s.name: s.value for s in config.table() if s.origin != "default"},
        "strategy": strategy.document(),
        "target": target.document(),
    }


def _plain(value: object) -> object:
    """What JSON has no form for."""
    if isinstance(value, Mapping):
        return dict(value)
    return sorted(value) if isinstance(value, frozenset) else str(value)


def _write(folder: Path, files: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in files.items():
        partial = folder / f"{name}.{os.getpid()}"
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, folder / name)
    return folder
