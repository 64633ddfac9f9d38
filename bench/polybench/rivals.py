"""The same kernels by other compilers: C of the original order, one thread, timed in this process."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import akg
from akg.ir.stmt import Kernel
from bench.polybench.catalogue import Benchmark

ORIGINAL = {"scheduler": "original", "fuse_outer": False, "parallel": False, "vectorize": False, "tile": False}
_FLAGS = ["-O3", "-march=native", "-ffast-math", "-fPIC"]
_POLLY = ["-mllvm", "-polly", "-mllvm", "-polly-parallel", "-mllvm", "-polly-omp-backend=LLVM", "-fopenmp"]


def found() -> dict[str, list[str]]:
    """Compilers on this machine, each with its flags."""
    peers: dict[str, list[str]] = {}
    if shutil.which("gcc"):
        peers["gcc"] = ["gcc", *_FLAGS]
    if shutil.which("clang"):
        peers["clang"] = ["clang", *_FLAGS]
        if _accepts(["clang", *_FLAGS, *_POLLY]):
            peers["polly"] = ["clang", *_FLAGS, *_POLLY]
    return peers


def _accepts(command: list[str]) -> bool:
    probe = subprocess.run(
        [*command, "-shared", "-x", "c", "-", "-o", "/dev/null"], input="int f(void) { return 0; }", text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    return probe.returncode == 0


def c_text(benchmark: Benchmark, sizes: dict[str, int]) -> str:
    """C of the original order, as PolyBench's own is compiled: extents are constants, and pointers `restrict`."""
    text = akg.build(benchmark.script, strategy=ORIGINAL).source("c")
    symbol = benchmark.script.name
    head = re.search(rf"^int32_t {symbol}\(([^)]*)\)\s*{{", text, re.MULTILINE)
    if head is None:
        raise ValueError(f"no function {symbol} in the C of {benchmark.name}")
    given = head.group(1).replace(" *", " *restrict ")
    for name in sizes:
        given = re.sub(rf"\bint64_t {name}\b", f"int64_t {name}_given", given)
    constants = "".join(f"\n  const int64_t {name} = {value};" for name, value in sizes.items())
    return text[: head.start()] + f"int32_t {symbol}({given}) {{{constants}" + text[head.end() :]


def compile_c(command: list[str], text: str, symbol: str, folder: Path, name: str) -> Callable[..., int]:
    """A function of a C text, compiled and loaded.

    Compiled and linked in two steps: a link with -ffast-math adds crtfastmath.o, which flushes denormals to zero in
    the process that loads the library, and so in all that the process computes later.

    Raises:
        RuntimeError: what the compiler said.
    """
    source, code, library = (folder / f"{name}.{suffix}" for suffix in ("c", "o", "so"))
    source.write_text(text)
    exact = [flag for flag in command if flag != "-ffast-math"]
    for step in ([*command, "-c", str(source), "-o", str(code)],
                 [*exact, "-shared", str(code), "-o", str(library), "-lm"]):  # fmt: skip
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[:500])
    function = ctypes.CDLL(str(library))[symbol]
    function.restype = ctypes.c_int32
    return function


def bind(
    benchmark: Benchmark, kernel: Kernel, function: Callable[..., int], given: tuple[Any, ...]
) -> Callable[[], int]:
    """A call of compiled C with the arguments of the script."""
    values: list[Any] = []
    for param, value in zip(kernel.params, benchmark.all_parameters(kernel, given), strict=True):
        if isinstance(value, np.ndarray):
            values.append(ctypes.c_void_p(value.ctypes.data))
        elif param.role == "size" or isinstance(value, int):
            values.append(ctypes.c_int64(value))
        else:
            values.append(ctypes.c_double(value))
    return lambda: function(*values)
