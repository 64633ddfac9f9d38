"""What arguments of commands may be: here, so that `akg --help` loads no compiler."""

from __future__ import annotations

EMIT = ("definition", "loop", "schedule", "llvm", "asm", "c")  # texts of `akg compile`
DEFAULT_SIZE = 256  # of symbolic sizes in `akg run`
SAVE_KINDS = ("object", "shared")  # of `akg compile --save`
SAVE_THREADS = ("openmp", "serial")
CACHE_ACTIONS = ("ls", "verify", "clear", "path")
