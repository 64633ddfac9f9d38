"""Kernels on disk: what is kept of a build, and under which key."""

from __future__ import annotations

import json
import os
import sys
from functools import lru_cache
from importlib import metadata

from akg import __version__
from akg.base.cache import DiskCache, digest
from akg.base.config import config
from akg.base.target import Target
from akg.base.trace import logger, phase
from akg.codegen.backend import backends
from akg.driver.assemble import Code
from akg.ir import stmt
from akg.ir.text import to_text
from akg.poly.strategy import Strategy

# Of what generated code imports and how it is called: raised when that changes, so that no kept code is linked that
# does not fit.
INTERFACE = 3
# The packages that make code of a kernel and a strategy; what others do is in these two, and so in the key.
ROOMS = ("base", "ir", "poly", "codegen", "runtime", "driver")
_log = logger("driver.store")


def digest_of_sources(package: str) -> str:
    """Path, size and time of change of the modules and tables of `ROOMS` in a folder; "" where they are no files."""
    facts: list[str] = []
    folders: list[str] = list(ROOMS)
    try:
        for place in folders:
            with os.scandir(f"{package}{os.sep}{place}") as entries:
                for entry in entries:
                    if entry.name.endswith((".py", ".json")):
                        stat = entry.stat()
                        facts.append(f"{place} {entry.name} {stat.st_size} {stat.st_mtime_ns}")
                    elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                        folders.append(f"{place}{os.sep}{entry.name}")
    except OSError:  # a zip archive, say, which changes with its version
        return ""
    return digest("\n".join(sorted(facts)))


@lru_cache(maxsize=1)
def _sources() -> str:
    """akg's own: whoever edits them, or moves a checkout to another commit, gets no code of the older ones."""
    return digest_of_sources(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@lru_cache(maxsize=1)
def versions() -> str:
    """The versions that generated code depends on, in one line."""
    parts = [
        f"akg {__version__}",
        f"interface {INTERFACE}",
        f"python {sys.version_info.major}.{sys.version_info.minor}",
    ]
    parts += [f"{package} {metadata.version(package)}" for package in ("llvmlite", "islpy")]
    return ", ".join(parts)


@lru_cache(maxsize=16)
def _version_of_backend(name: str) -> str:
    """Name and version of the package that a plug-in backend comes from."""
    package = backends.origin(name)
    try:
        return f"{package} {metadata.version(package)}" if package not in ("", "akg") else ""
    except metadata.PackageNotFoundError:
        return package


def key(kernel: stmt.Kernel, strategy: Strategy, target: Target) -> str:
    """The content of a build: the same in every process, different whenever the code may differ."""
    return digest(to_text(kernel), strategy.key(), target.key(), repr(config.key()), versions(),
                  _sources(), _version_of_backend(target.backend))  # fmt: skip


def load(key: str) -> Code | None:
    """The code kept under a key, or None."""
    if config.cache == "off":
        return None
    with phase("cache-read"):
        cache = DiskCache(config.cache_dir, config.cache)
        files = cache.get(key)
        if files is None:
            return None
        try:
            return Code(object_code=files["code.o"], **json.loads(files["facts.json"]))
        except (KeyError, TypeError, ValueError):  # whole, but of another akg that called itself by this version
            _log.warning("cache entry %s is of another layout; it is built again", key)
            if config.cache == "rw":
                cache.remove(key)
            return None


def save(key: str, code: Code) -> None:
    """Keep code under a key; a cache that cannot be written is a logged warning."""
    if config.cache != "rw":
        return
    with phase("cache-write"):
        facts = {"backend": code.backend, "kind": code.kind, "meta": code.meta, "legality": code.legality,
                 "notes": code.notes, "flops": code.flops, "bytes": code.bytes}  # fmt: skip
        DiskCache(config.cache_dir, config.cache).put(
            key, {"code.o": code.object_code, "facts.json": json.dumps(facts).encode()}
        )
