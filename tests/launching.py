"""A program that brings its own threads and memory to kernels, by the call-backs of `akg.codegen.llvm.launcher`."""

import ctypes
import threading
from pathlib import Path
from typing import Any

from akg.base.errors import AkgError
from akg.base.target import host
from akg.driver import linker

TASK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
LAUNCH = ctypes.CFUNCTYPE(ctypes.c_int, TASK, ctypes.c_void_p, ctypes.c_int)
MALLOC = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint64)
FREE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


def has_linker() -> bool:
    try:
        linker.find(host())
    except AkgError:
        return False
    return True


class Host:
    """A program's threads and memory, which counts what it gave."""

    def __init__(self, threads: int, bytes_left: int = 1 << 40) -> None:
        self.tasks: list[int] = []
        self.held: dict[int, Any] = {}
        self._threads, self._bytes_left = threads, bytes_left
        self._callbacks = LAUNCH(self._launch), MALLOC(self._malloc), FREE(self._free)
        addresses = [ctypes.cast(c, ctypes.c_void_p).value for c in self._callbacks]
        self.table = (ctypes.c_void_p * 4)(*addresses, None)

    def _launch(self, task: Any, data: int, count: int) -> int:
        count = min(count, self._threads)
        self.tasks.append(count)
        team = [threading.Thread(target=task, args=(k, count, data)) for k in range(count)]
        for thread in team:
            thread.start()
        for thread in team:
            thread.join()
        return 0

    def _malloc(self, size: int) -> int | None:
        self._bytes_left -= size
        if self._bytes_left < 0:
            return None
        block = ctypes.create_string_buffer(size)
        self.held[ctypes.addressof(block)] = block
        return ctypes.addressof(block)

    def _free(self, block: int) -> int:
        del self.held[block]
        return 0

    def call(self, library: Path, symbol: str, *arrays: Any) -> int:
        pointers = [ctypes.addressof(self.table), *(a.ctypes.data for a in arrays)]
        function = getattr(ctypes.CDLL(str(library)), symbol)
        return int(function((ctypes.c_void_p * len(pointers))(*pointers)))
