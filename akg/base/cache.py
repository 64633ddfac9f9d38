"""A cache on disk: content-addressed, verified, atomic, safe between processes.

An entry is a directory ``<root>/<first two letters of the key>/<key>`` with the files and ``entry.json``, which
holds the SHA-256 of each. A writer stages the whole entry in a sibling directory and renames it once, so a reader
sees all of it or nothing. The cache never fails a build: what cannot be read or written is logged as a warning.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from akg.base.config import CacheMode
from akg.base.errors import InternalError
from akg.base.trace import logger

SCHEMA = 1
_MANIFEST = "entry.json"
_STAGE = ".stage-"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{2,127}")
_log = logger("base.cache")
_serial = count()


def digest(*parts: str | bytes) -> str:
    """SHA-256, in hex, of a sequence of parts; where one part ends and the next begins counts."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """One cached entry: its key, its place, its size and when it was last written (seconds since the epoch)."""

    key: str
    path: Path
    size_bytes: int
    modified_s: float


class _Corrupt(Exception):
    """An entry whose contents do not match its manifest."""


class DiskCache:
    """Named byte strings under a key, kept in `root`.

    Args:
        root: the directory; made when first written.
        mode: "rw" reads and writes, "ro" only reads, "off" does neither.
    """

    def __init__(self, root: Path, mode: CacheMode = "rw") -> None:
        self.root, self.mode = Path(root), mode
        self._base = os.fspath(root)
        self._has_warned = False

    def get(self, key: str) -> dict[str, bytes] | None:
        """The files of an entry, each verified, or None. A corrupt entry is logged and removed."""
        if self.mode == "off":
            return None
        place = self._place(key)
        try:
            return _read(place)
        except FileNotFoundError:
            if os.path.isdir(place):
                self._discard(key, place, "files are missing")
        except _Corrupt as error:
            self._discard(key, place, str(error))
        except OSError as error:
            self._warn(f"cannot read the cache {self.root}: {error.strerror or error}")
        return None

    def put(self, key: str, files: Mapping[str, bytes]) -> None:
        """Store an entry. If another process stored the key first, its entry stays."""
        if self.mode != "rw":
            return
        place = self._place(key)
        stage = f"{os.path.dirname(place)}{os.sep}{_STAGE}{os.getpid()}-{next(_serial)}-{key[:16]}"
        try:
            # 0700: entries hold machine code that we run, so nobody else may write here
            os.makedirs(self._base, mode=0o700, exist_ok=True)
            os.makedirs(stage, mode=0o700)
            _write(stage, files)
            _rename(stage, place)
        except OSError as error:
            self._warn(f"cannot write the cache {self.root}: {error.strerror or error}; kernels are built but not kept")
        finally:
            shutil.rmtree(stage, ignore_errors=True)

    def entries(self) -> list[Entry]:
        """All entries, by key; corrupt ones too."""
        found: list[Entry] = []
        for path in self._directories():
            if path.name.startswith(_STAGE):
                continue
            try:
                size = sum(item.stat().st_size for item in path.iterdir())
                found.append(Entry(path.name, path, size, path.stat().st_mtime))
            except OSError:  # removed by another process meanwhile
                continue
        return sorted(found, key=lambda entry: entry.key)

    def verify(self) -> dict[str, str]:
        """The corrupt entries, each with what is wrong; nothing is removed."""
        bad: dict[str, str] = {}
        for entry in self.entries():
            try:
                _read(os.fspath(entry.path))
            except (_Corrupt, OSError) as error:
                bad[entry.key] = str(error)
        return bad

    def clear(self) -> int:
        """Remove every entry and what interrupted writers left; the number of entries removed."""
        removed = 0
        for path in list(self._directories()):
            shutil.rmtree(path, ignore_errors=True)
            removed += not path.name.startswith(_STAGE) and not path.exists()
        return removed

    def remove(self, key: str) -> bool:
        """Remove one entry; whether it is gone."""
        place = self._place(key)
        shutil.rmtree(place, ignore_errors=True)
        return not os.path.exists(place)

    def _directories(self) -> Iterator[Path]:
        try:
            shards = [shard for shard in self.root.iterdir() if len(shard.name) == 2 and shard.is_dir()]
            for shard in shards:
                yield from [path for path in shard.iterdir() if path.is_dir()]
        except OSError:
            return

    def _place(self, key: str) -> str:
        if _NAME.fullmatch(key) is None:
            raise InternalError(f"cache key {key!r} is not a file name")
        return f"{self._base}{os.sep}{key[:2]}{os.sep}{key}"

    def _discard(self, key: str, place: str, reason: str) -> None:
        _log.warning("cache entry %s is corrupt (%s); it is built again", key, reason)
        if self.mode != "rw":
            return
        # Away by one rename, so that no reader sees a half-removed entry.
        aside = f"{os.path.dirname(place)}{os.sep}{_STAGE}{os.getpid()}-{next(_serial)}-bad"
        try:
            os.rename(place, aside)
        except OSError as error:
            if os.path.exists(place):
                self._warn(f"cannot remove from the cache {self.root}: {error.strerror or error}")
        shutil.rmtree(aside, ignore_errors=True)

    def _warn(self, text: str) -> None:
        if not self._has_warned:  # once, not once per kernel
            self._has_warned = True
            _log.warning("%s", text)


def _read(place: str) -> dict[str, bytes]:
    manifest = _load_manifest(_slurp(f"{place}{os.sep}{_MANIFEST}"))
    files: dict[str, bytes] = {}
    for name, expected in manifest.items():
        data = _slurp(f"{place}{os.sep}{name}")
        if hashlib.sha256(data).hexdigest() != expected:
            raise _Corrupt(f"{name} has changed")
        files[name] = data
    return files


def _load_manifest(data: bytes) -> dict[str, str]:
    try:
        content: Any = json.loads(data)
        if content["schema"] != SCHEMA:
            raise _Corrupt(f"schema {content['schema']!r}, expected {SCHEMA}")
        files = {str(name): str(value) for name, value in content["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _Corrupt(f"{_MANIFEST} is damaged") from None
    if not all(_NAME.fullmatch(name) for name in files):  # no way out of the directory
        raise _Corrupt(f"{_MANIFEST} names a file outside the entry")
    return files


def _slurp(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _write(stage: str, files: Mapping[str, bytes]) -> None:
    hashes: dict[str, str] = {}
    for name, data in files.items():
        if _NAME.fullmatch(name) is None or name == _MANIFEST:
            raise InternalError(f"{name!r} cannot name a file of a cache entry")
        hashes[name] = hashlib.sha256(data).hexdigest()
        _write_file(f"{stage}{os.sep}{name}", data)
    manifest = json.dumps({"schema": SCHEMA, "files": hashes}, sort_keys=True)
    _write_file(f"{stage}{os.sep}{_MANIFEST}", manifest.encode())


def _write_file(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _rename(stage: str, place: str) -> None:
    try:
        os.rename(stage, place)
    except OSError:
        if not os.path.isdir(place):  # else another process was first; its entry is as good
            raise
