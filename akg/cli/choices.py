"""What arguments of commands may be: here, so that `akg --help` loads no compiler."""

from __future__ import annotations

EMIT = ("definition", "loop", "schedule", "llvm", "asm", "c")  # texts of `akg compile`
DEFAULT_SIZE = 256  # of symbolic sizes in `akg run`
CACHE_ACTIONS = ("ls", "verify", "clear", "path")
