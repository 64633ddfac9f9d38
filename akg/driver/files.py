"""Files that are there in whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from akg.base.errors import AkgError


def write_file(folder: Path, name: str, data: bytes, *, is_executable: bool = False) -> Path:
    """Write a file beside its place, and move it there; the folder is made where it lacks.

    Raises:
        AkgError: AKG-E624 where the system refuses.
    """
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, staged = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(staged, 0o755 if is_executable else 0o644)
            os.replace(staged, path)
        except BaseException:
            os.unlink(staged)
            raise
    except OSError as error:
        raise AkgError("AKG-E624", f"cannot write {path}", because=error.strerror or str(error)) from None
    return path
