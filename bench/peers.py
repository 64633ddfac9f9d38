"""Peers of `bench.operators`, each in a process of its own that times one row at a time on command.

So that thread pools do not fight for the cores, one library to a process; while another is timed, the process is
stopped (SIGSTOP), as pools wait by spinning. A peer compiles on one set of inputs and is timed on another.

    python -m bench.peers NAME THREADS      # reads commands, a JSON object to a line
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from akg.base.dtype import dtype_of

WARM_UP_S = 0.015  # before a sample, after others had their turns
SAMPLE_US = 4000.0  # a sample is a loop of calls at least as long
# Peer -> the packages that it needs.
PEERS = {
    "numpy": ("numpy",),
    "torch": ("torch",),
    "torch_compile": ("torch",),
    "jax": ("jax",),
    "onnxruntime": ("onnxruntime", "onnx"),
    "loops": (),  # in C, by gcc
}
# An output that is allocated anew does not pay for pages again.
KEEP_MEMORY = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736"
Call = Callable[[], object]


def installed() -> list[str]:
    """The peers that are installed."""
    found = [name for name, needs in PEERS.items() if all(importlib.util.find_spec(n) is not None for n in needs)]
    return [name for name in found if name != "loops" or shutil.which("gcc")]


def burst(call: Call, calls: int) -> float:
    """Microseconds of a call, the mean of `calls` of them."""
    begin = perf_counter()
    for _ in range(calls):
        call()
    return (perf_counter() - begin) * 1e6 / calls


def warm_up(call: Call) -> None:
    """Call until threads that had slept run on cores of their own: at first the system puts them on the waker's."""
    begin = perf_counter()
    while perf_counter() - begin < WARM_UP_S:
        call()


def calls_of(call: Call) -> int:
    """How many calls make a sample, after a warm-up."""
    call()
    return max(int(SAMPLE_US / max(min(burst(call, 1), burst(call, 1)), 0.1)), 1)


# --- in the parent --------------------------------------------------------------------------------------


class Peer:
    """A peer's process."""

    def __init__(self, name: str, threads: int, has_avx512: bool) -> None:
        self.name, self.threads = name, threads
        count = str(threads)
        environment = {**os.environ, "OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "MKL_NUM_THREADS": count,
                       "JAX_PLATFORMS": "cpu", "GLIBC_TUNABLES": KEEP_MEMORY}  # fmt: skip
        if has_avx512:
            environment["OPENBLAS_CORETYPE"] = "SkylakeX"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.peers", name, count], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env=environment, cwd=Path(__file__).resolve().parent.parent,
        )  # fmt: skip
        self.error = ""

    def _signal(self, number: int) -> None:
        with contextlib.suppress(OSError):
            os.kill(self._process.pid, number)

    def ask(self, **command: Any) -> dict[str, Any]:
        """The answer to a command; {} once the process has failed, which `error` tells."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._signal(signal.SIGCONT)
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or "{}")
        except (OSError, ValueError):
            answer = {}
        if not answer:
            self.error = self.error or "its process ended"
        self._signal(signal.SIGSTOP)  # its threads would wait by spinning
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # it ended with a command unread
                self._process.stdin.close()
        self._signal(signal.SIGCONT)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


# --- in the peer's process ------------------------------------------------------------------------------


def _numpy(row: Any, arrays: list[Any], out: Any) -> tuple[Call, Call]:
    np = importlib.import_module("numpy")
    if row.numpy is None:
        raise NotImplementedError
    into = row.numpy_out
    fresh: Call = lambda: row.numpy(np, *arrays)  # noqa: E731
    return (lambda: into(np, out, *arrays)) if into else fresh, fresh


def _torch(row: Any, arrays: list[Any], out: Any, is_compiled: bool = False) -> tuple[Call, Call]:
    torch = importlib.import_module("torch")
    if row.torch is None:
        raise NotImplementedError
    if row.dtype == "bfloat16":
        tensors = [torch.from_numpy(a.astype("float32")).to(torch.bfloat16) for a in arrays]
        target = torch.from_numpy(out.astype("float32")).to(torch.bfloat16)
    else:
        tensors, target = [torch.from_numpy(a) for a in arrays], torch.from_numpy(out)
    torch.set_grad_enabled(False)
    if is_compiled:
        function = torch.compile(lambda *x: row.torch(torch, *x))
        compiled: Call = lambda: function(*tensors)  # noqa: E731
        return compiled, compiled
    fresh: Call = lambda: row.torch(torch, *tensors)  # noqa: E731
    into: Call = lambda: row.torch_out(torch, target, *tensors)  # noqa: E731
    try:
        return (into if row.torch_out and into() is not None else fresh), fresh
    except (TypeError, RuntimeError):  # there is no such argument, or not for this type
        return fresh, fresh


def _torch_compile(row: Any, arrays: list[Any], out: Any) -> tuple[Call, Call]:
    return _torch(row, arrays, out, is_compiled=True)


def _jax(row: Any, arrays: list[Any], out: Any) -> tuple[Call, Call]:
    jax = importlib.import_module("jax")
    if row.jax is None and row.numpy is None:
        raise NotImplementedError
    if row.jax is not None:
        function = jax.jit(lambda *x: row.jax(jax, *x))
    else:
        function = jax.jit(lambda *x: row.numpy(jax.numpy, *x))
    values = [jax.device_put(a) for a in arrays]
    fresh: Call = lambda: function(*values).block_until_ready()  # noqa: E731
    return fresh, fresh


def _onnxruntime(row: Any, arrays: list[Any], out: Any) -> tuple[Call, Call]:
    onnx, runtime = importlib.import_module("onnx"), importlib.import_module("onnxruntime")
    if not row.onnx or row.dtype != "float32":
        raise NotImplementedError

    def typed(name: str, shape: tuple[int, ...]) -> str:
        return f"float[{','.join(map(str, shape))}] {name}"

    inputs = ", ".join(typed(f"x{k}", a.shape) for k, a in enumerate(arrays))
    text = f'<ir_version: 9, opset_import: ["" : 20]> row ({inputs}) => ({typed("y", out.shape)}) {{ {row.onnx} }}'
    options = runtime.SessionOptions()
    options.intra_op_num_threads = _threads()
    model = onnx.parser.parse_model(text).SerializeToString()
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    bound, fresh = session.io_binding(), session.io_binding()
    for binding in (bound, fresh):
        for k, array in enumerate(arrays):
            binding.bind_ortvalue_input(f"x{k}", runtime.OrtValue.ortvalue_from_numpy(array))
    bound.bind_ortvalue_output("y", runtime.OrtValue.ortvalue_from_numpy(out))

    def run_fresh() -> None:
        fresh.bind_output("y")  # the runtime allocates it
        session.run_with_iobinding(fresh)

    return lambda: session.run_with_iobinding(bound), run_fresh


def _loops(row: Any, arrays: list[Any], out: Any) -> tuple[Call, Call]:
    if not row.loops:
        raise NotImplementedError
    call = importlib.import_module("bench.loops").compiled(row.loops, arrays, None if row.is_in_place else out)
    return call, call


_MAKERS = {"numpy": _numpy, "torch": _torch, "torch_compile": _torch_compile, "jax": _jax, "onnxruntime": _onnxruntime,
           "loops": _loops}  # fmt: skip


def _threads() -> int:
    return int(sys.argv[2])


def serve(name: str) -> None:
    """Answer commands until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with answers
    if _threads() == 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rows = {row.name: row for row in importlib.import_module("bench.rows").all_rows()}
    rows.update({row.name: row for row in importlib.import_module("bench.library").library_rows()})
    if name.startswith("torch"):
        importlib.import_module("torch").set_num_threads(_threads())
    ready: list[tuple[Call, int]] = []
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if "row" in command:
                ready = _prepare(name, rows[command["row"]], command["shape"])
                answer: dict[str, Any] = {"ready": True}
            else:
                for call, _ in ready[:1]:
                    warm_up(call)
                answer = {"us": [burst(call, calls) for call, calls in ready]}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:200]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _prepare(name: str, row: Any, shape: list[int]) -> list[tuple[Call, int]]:
    """The calls with a preallocated and with a fresh output, and how many make a sample."""
    np = importlib.import_module("numpy")
    if name in row.skip:
        raise NotImplementedError
    calls: tuple[Call, ...] = ()
    for seed in (1, 2):  # compile with the first, time with the second
        arrays = row.arrays(seed)
        calls = _MAKERS[name](row, arrays, np.zeros(shape, dtype_of(row.dtype).numpy))
        calls[0]()
    return [(call, calls_of(call)) for call in dict.fromkeys(calls)]


if __name__ == "__main__":
    if len(sys.argv) == 3:
        serve(sys.argv[1])
    else:
        print("installed:", ", ".join(installed()))
