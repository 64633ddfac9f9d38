"""The AKG that MindSpore bundles, as the peer `mindspore` of `bench.composite`.

    PYTHON -m bench.composite_mindspore THREADS PACKAGE      # of the environment that has MindSpore; PACKAGE its folder

Its kernels are called from C, with a `parallel_launch` on OpenMP; g++ links them, so that it is there for this, too.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.composite_serve import Prepared, aligned, serve

_LAUNCHER = r"""
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef int (*task_t)(int, int, void *);
static int threads = 1;
static int launch(task_t task, void *data, int count) {
  int team = count < threads ? count : threads;
  if (team < 2) return task(0, 1, data);
#pragma omp parallel num_threads(team)
  task(omp_get_thread_num(), omp_get_num_threads(), data);
  return 0;
}
static void *reserve(uint64_t size) { return aligned_alloc(64, (size + 63) / 64 * 64); }
static int release(void *block) { free(block); return 0; }
static void *callbacks[4] = {(void *)launch, (void *)reserve, (void *)release, NULL};
void akg_threads(int count) { threads = count; }
void **akg_callbacks(void) { return callbacks; }
"""
_HINTS = ("parallel_fusion", "buffer_stitch")


def _launcher(folder: Path, threads: int) -> ctypes.CDLL:
    source, library = folder / "launch.c", folder / "launch.so"
    source.write_text(_LAUNCHER)
    subprocess.run(["gcc", "-O2", "-fopenmp", "-fPIC", "-shared", "-o", library, source], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.akg_callbacks.restype = ctypes.c_void_p
    loaded.akg_threads(threads)
    return loaded


def _documents(desc: dict[str, Any]) -> list[dict[str, Any]]:
    """The document for this processor, as it is and without hints, which it does not read without their graph."""
    target = {"system": "linux", "arch": "x86_64", "feature": "avx512", "cpu": "skylake-avx512"}
    plain = {k: v for k, v in desc.items() if k != "compute_capability"} | {"process": "cpu", "target_info": target}
    return [plain, {k: v for k, v in plain.items() if k not in _HINTS}]


class _Builder:
    def __init__(self, folder: Path, threads: int) -> None:
        self.folder, self.launcher = folder, _launcher(folder, threads)
        self.compile: Any = importlib.import_module("akg.ms").compilewithjson

    def prepare(self, desc: dict[str, Any], inputs: list[np.ndarray]) -> Prepared:
        """The document compiled, and its call."""
        failure: Exception | None = None
        for document in _documents(desc):
            try:
                done = self.compile(json.dumps(document), {})
            except Exception as error:
                failure, done = error, False
            if done:
                break
        else:
            raise RuntimeError(f"it does not compile: {failure}")
        library = ctypes.CDLL(str(self.folder / "akg_kernel_meta" / f"{desc['op']}.so"))
        function = getattr(library, f"{desc['op']}_kernel")
        held = [aligned(a) for a in inputs]
        outputs = [aligned(_blank(t)) for t in desc["output_desc"]]
        slots = [self.launcher.akg_callbacks(), *[a.ctypes.data for a in (*held, *outputs)]]
        block = (ctypes.c_void_p * len(slots))(*slots)
        arrays = (*held, *outputs)

        def call(keep: object = arrays) -> None:
            function(block)

        return call, lambda: outputs, held


def _blank(tensor: dict[str, Any]) -> np.ndarray:
    dtype = np.dtype(tensor["data_type"])
    return np.full(tuple(tensor["shape"]), float("nan") if dtype.kind in "fc" else 0, dtype)


if __name__ == "__main__":
    sys.path.append(str(Path(sys.argv[2]) / "_akg"))
    sys.path = [p for p in sys.path if not (Path(p or ".") / "akg" / "driver").exists()]  # this project's package
    with tempfile.TemporaryDirectory() as _folder:
        os.environ["MS_COMPILER_CACHE_PATH"] = _folder
        serve(_Builder(Path(_folder), int(sys.argv[1])).prepare)
