"""Threads: the OpenMP runtime that kernels start their parallel regions in, and how many threads they use.

Two OpenMP runtimes in one process fight for the cores (measured: 5x on alternating calls), so a runtime that
is already loaded, such as the one of PyTorch, is taken before any other. Generated code imports these symbols:

    GOMP_parallel(fn, data, threads, flags)   run fn(data) on a team
    omp_get_thread_num(), omp_get_num_threads()
    akg_threads()                             i32: the threads a kernel may use in this thread; 1: run serially

Without any OpenMP runtime, `symbols` serves a serial GOMP_parallel and says so once in the log.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from akg.base import trace
from akg.base.config import effective_threads, overridden, overrides_variable
from akg.runtime import jit

_log = trace.logger("runtime.openmp")
_NAMES = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")
_STEMS = ("libgomp", "libomp", "libiomp5", "libomp5")
# Directories of wheels that carry an OpenMP runtime, relative to an entry of sys.path; intel-openmp installs
# into the environment's lib, two levels up.
_WHEEL_DIRS = ("torch/lib", "scikit_learn.libs", "intel_openmp.libs", "../..", "numpy.libs", "faiss_cpu.libs")

_SERIAL_IR = """
define void @GOMP_parallel(ptr %fn, ptr %data, i32 %threads, i32 %flags) {
  call void %fn(ptr %data)
  ret void
}
define i32 @omp_get_thread_num() {
  ret i32 0
}
define i32 @omp_get_num_threads() {
  ret i32 1
}
"""

# The number of threads belongs to the thread that calls: two threads with different overrides must not meet.
_THREADS_IR = """
declare ptr @pthread_getspecific(i32)
define i32 @akg_threads() {
  %value = call ptr @pthread_getspecific(i32 KEY)
  %wide = ptrtoint ptr %value to i64
  %count = trunc i64 %wide to i32
  %is_set = icmp sgt i32 %count, 0
  %result = select i1 %is_set, i32 %count, i32 1
  ret i32 %result
}
"""
_usual = ctypes.c_int32(0)  # the count where nothing overrides it; 0: not known yet
_forked = False


@dataclass(frozen=True, slots=True)
class OpenMP:
    """An OpenMP runtime: addresses of its entry points, and where they come from.

    Attributes:
        path: the shared object, or "" for the serial substitute.
        origin: "loaded" (it was in the process), "system", "wheel" or "serial".
        addresses: of GOMP_parallel, omp_get_thread_num and omp_get_num_threads.
    """

    path: str
    origin: str
    addresses: dict[str, int]
    keep: object

    @property
    def is_serial(self) -> bool:
        """Whether there is no OpenMP runtime, so that kernels run on one thread."""
        return self.origin == "serial"


@lru_cache(maxsize=1)
def find() -> OpenMP:
    """The OpenMP runtime of this process: loaded, else the system's, else a wheel's, else a serial substitute."""
    for origin, path in _candidates():
        found = _open(path, origin)
        if found is not None:
            _log.debug("OpenMP runtime %s (%s)", found.path, origin)
            return found
    _log.warning("no OpenMP runtime found: parallel kernels run on one thread (install libgomp or intel-openmp)")
    loaded = jit.load_object(jit.compile_llvm(_SERIAL_IR), _NAMES)
    return OpenMP("", "serial", {name: loaded.address(name) for name in _NAMES}, loaded)


def symbols() -> dict[str, int]:
    """Addresses of the symbols that generated code imports, for `jit.load_object`."""
    return {**find().addresses, "akg_threads": _reader().address("akg_threads")}


@dataclass(frozen=True, slots=True)
class QuickThreads:
    """What native code needs to do as `refresh_threads` does where nothing is overridden.

    Attributes:
        overrides: the context variable that is None then.
        count_address: of the i32 count, or of 0 while it is not known.
        key: of the thread-specific value, for pthread_setspecific.
    """

    overrides: object
    count_address: int
    key: int


def quick_threads() -> QuickThreads:
    """The parts of `refresh_threads`, for the native entry."""
    return QuickThreads(overrides_variable(), ctypes.addressof(_usual), _pthread()[0])


@lru_cache(maxsize=1)
def _pthread() -> tuple[int, Callable[[int, int], int]]:
    """The key of the number of threads, and pthread_setspecific."""
    process = ctypes.CDLL(None)
    key = ctypes.c_uint32()
    if process.pthread_key_create(ctypes.byref(key), None):
        raise MemoryError("no key for thread-specific values is left")
    put = process.pthread_setspecific
    put.argtypes = (ctypes.c_uint32, ctypes.c_void_p)
    return key.value, put


@lru_cache(maxsize=1)
def _reader() -> jit.Loaded:
    return jit.load_object(jit.compile_llvm(_THREADS_IR.replace("KEY", str(_pthread()[0]))), ("akg_threads",))


def refresh_threads() -> int:
    """Set what `akg_threads` returns in this thread from the configuration in force; returns it.

    Each call of a parallel kernel does it, in `entry_ir` where nothing is overridden.

    `config.override` holds at once. The environment and the system are asked at the first call: reading them takes
    longer than a small kernel, and OpenMP runtimes size their pools once, too.
    """
    wanted = overridden("num_threads")
    if _forked:
        count = 1
    elif wanted is None:
        count = _usual.value = _environment_threads()
    else:
        count = wanted or _automatic_threads()
    key, put = _pthread()
    put(key, count)
    return count


@lru_cache(maxsize=1)
def _environment_threads() -> int:
    return effective_threads()  # nothing overrides it here


@lru_cache(maxsize=1)
def _automatic_threads() -> int:
    return effective_threads()  # under an override to 0, which hides AKG_NUM_THREADS


def _candidates() -> Iterator[tuple[str, str]]:
    for path in _loaded_libraries():
        yield "loaded", path
    for name in ("libgomp.so.1", "libomp.so.5", "libomp.so"):  # the dynamic loader knows where
        yield "system", name
    for path in _wheel_libraries():
        yield "wheel", path


def _loaded_libraries() -> list[str]:
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            paths = {line[line.index("/") :].rstrip("\n") for line in maps if "/" in line}
    except OSError:  # not Linux
        return []
    found = [path for path in paths if os.path.basename(path).startswith(_STEMS)]
    return sorted(found, key=lambda path: (not os.path.basename(path).startswith("libgomp"), path))


def _wheel_libraries() -> Iterator[str]:
    for entry in sys.path:
        for folder in _WHEEL_DIRS:
            base = Path(entry or ".") / folder
            if base.is_dir():
                for stem in _STEMS:
                    yield from map(str, sorted(base.glob(f"{stem}*.so*")))


def _open(path: str, origin: str) -> OpenMP | None:
    try:
        library = ctypes.CDLL(path)
        addresses = {name: _address(library, name) for name in _NAMES}
    except (OSError, AttributeError):  # not loadable, or an OpenMP runtime without GNU's entry points
        return None
    return OpenMP(path, origin, addresses, library)


def _address(library: ctypes.CDLL, name: str) -> int:
    address = ctypes.cast(library[name], ctypes.c_void_p).value
    if address is None:
        raise AttributeError(name)
    return address


def _after_fork_in_child() -> None:
    # libgomp's worker threads do not survive a fork, and its next region would wait for them for ever.
    global _forked
    _forked = True
    _usual.value = 1


os.register_at_fork(after_in_child=_after_fork_in_child)
