"""A peer of `bench.composite`: a process that builds a document on command, runs it once to be checked, and times it.

The two sides share folders: `desc.json`, the inputs as `in0.npy`, ..., and what the peer leaves there after one call,
`out0.npy`, ... and the inputs as they are then, `after0.npy`, .... Needs NumPy alone, as it runs in other environments.
While another is timed, the process is stopped (SIGSTOP): pools of threads wait by spinning.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

SAMPLE_S = 2e-3  # a sample is a loop of calls at least as long
ALIGN_BYTES = 4096
Call = Callable[[], object]
# the call, the results of the last one, the inputs
Prepared = tuple[Call, Callable[[], Sequence[np.ndarray]], Sequence[np.ndarray]]


class Peer:
    """A peer's process, in the parent."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str]) -> None:
        self.name, self._command, self._environment = name, list(command), environment
        self._process: subprocess.Popen[str] | None = None

    def ask(self, **command: Any) -> dict[str, Any]:
        """The answer to a command; {"error": ...} where the process fails. The next command starts it anew."""
        process = self._process
        if process is None:
            process = self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                env={**os.environ, **self._environment}, cwd=Path(__file__).resolve().parent.parent,
            )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        os.kill(process.pid, signal.SIGCONT)
        try:
            process.stdin.write(json.dumps(command) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline() or "{}")
        except (OSError, ValueError):
            answer = {}
        if not answer:
            process.kill()
            process.wait()
            self._process = None
            return {"error": f"its process ended with {process.returncode}"}
        os.kill(process.pid, signal.SIGSTOP)
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy that begins at a page."""
    room = np.empty(array.nbytes + ALIGN_BYTES, np.uint8)
    start = -room.ctypes.data % ALIGN_BYTES
    result = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    result[...] = array
    return result


def burst(call: Call, repeat: int) -> float:
    """Seconds of a call, the mean of `repeat` after one that brings back to the caches what another had there."""
    call()
    start = perf_counter()
    for _ in range(repeat):
        call()
    return (perf_counter() - start) / repeat


def repeats(call: Call) -> int:
    """How many calls make a sample, after a warm-up."""
    call()
    return max(1, min(10000, int(SAMPLE_S / max(burst(call, 1), 1e-7))))


def serve(prepare: Callable[[dict[str, Any], list[np.ndarray]], Prepared]) -> None:
    """Answer commands until the input ends.

    Args:
        prepare: makes the call of a document, compiled, from the document and its inputs.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with answers
    ready: tuple[Call, int] | None = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if "folder" in command:
                ready, answer = None, {}  # drop the arrays of the one before
                ready, answer = _prepared(prepare, Path(command["folder"]))
            else:
                assert ready is not None
                answer = {"s": burst(*ready)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _prepared(prepare: Any, folder: Path) -> tuple[tuple[Call, int], dict[str, Any]]:
    desc = json.loads((folder / "desc.json").read_text())
    count = len(list(folder.glob("in*.npy")))
    inputs = [np.load(folder / f"in{k}.npy") for k in range(count)]
    start = perf_counter()
    call, results, held = prepare(desc, inputs)
    call()
    built = perf_counter() - start
    for k, array in enumerate(results()):
        np.save(folder / f"out{k}.npy", array)
    for k, array in enumerate(held):
        np.save(folder / f"after{k}.npy", array)
    with contextlib.suppress(FileNotFoundError):
        (folder / "desc.json").unlink()
    return (call, repeats(call)), {"build_s": built}
