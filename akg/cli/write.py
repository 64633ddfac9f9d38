"""Text to standard output or to a file."""

from __future__ import annotations

from pathlib import Path

from akg.base.errors import AkgError


def write(text: str, output: str | None) -> None:
    """Print a text, or write it to the file `output`.

    Raises:
        AkgError: AKG-E624 where the file cannot be written.
    """
    if output is None:
        print(text, end="")
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise AkgError("AKG-E624", f"cannot write {output}", because=error.strerror or str(error)) from None
