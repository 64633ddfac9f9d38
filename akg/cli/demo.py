"""`akg demo`: three kernels built, explained, checked and timed."""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import Any

import numpy as np

import akg
from akg.base.config import effective_threads
from akg.cli.demo_kernels import Example, examples
from akg.cli.text import Progress, duration, phases, rate
from akg.driver.cost import flops
from akg.poly.scop import extract_scop
from akg.runtime import measure
from akg.runtime.kernel import Kernel

_ERRORS = {"float32": 2e-5, "float64": 1e-12}  # relative to the largest element; beyond it the demo fails


def run(options: argparse.Namespace) -> int:
    """Build, explain, check and time the kernels; 1 if a result is wrong."""
    begin = perf_counter()
    cases = examples(options.quick)
    is_right = True
    with Progress(3 * len(cases)) as progress:
        progress.show("first build of this process")
        first_ms = _first_build(options.strategy)
        progress.clear()
        print(f"akg {akg.__version__}, {effective_threads()} threads; a first small build took {first_ms:.0f} ms")
        for number, case in enumerate(cases, 1):
            is_right &= _show(number, case, options, progress)
    print(f"\n{perf_counter() - begin:.1f} s in all. Next: akg explain FILE.py, docs/tutorial.md")
    return 0 if is_right else 1


def _first_build(strategy: str | None) -> float:
    """Build something tiny, so that starting LLVM and isl is not in the times below; milliseconds."""
    begin = perf_counter()
    with akg.config.override(cache="off"):
        x = akg.te.placeholder((8,), "float32", name="x")
        akg.build([akg.te.compute((8,), lambda i: x[i] + 1.0, name="y")], strategy=strategy)
    return (perf_counter() - begin) * 1e3


def _show(number: int, case: Example, options: argparse.Namespace, progress: Progress) -> bool:
    progress.show(f"{case.title}: building")
    with akg.config.override(cache="off"):
        lowered = case.lower()
        kernel = akg.build(lowered, strategy=options.strategy)
    progress.step()
    progress.show(f"{case.title}: comparing")
    args = tuple([a.copy() for a in case.inputs])
    got = case.result(args, kernel(*args))
    error = _error(got, case.reference(*case.inputs))
    progress.step()
    progress.show(f"{case.title}: timing")
    seconds = 0.05 if options.quick else 0.4
    ours = kernel.benchmark(*case.inputs, min_time_s=seconds)
    theirs = measure.sample(lambda: case.numpy(*case.inputs), repeat=3 if options.quick else 7)
    progress.step()
    progress.clear()
    _print(number, case, kernel, lowered)
    work = flops(extract_scop(lowered.kernel))
    speed = f" ({rate(ours.rate(work), 'FLOP')})" if work else ""
    print(f"   time      {duration(ours.median_us)}{speed}; NumPy {duration(theirs.median_us)}"
          f" ({case.numpy_is}): {theirs.median_us / ours.median_us:.2f} x NumPy's speed")  # fmt: skip
    print(f"   error     {error:.2g} of the largest element, beside float64")
    is_right = error <= _ERRORS[got.dtype.name]
    if not is_right:
        print("   WRONG     the error is larger than rounding explains")
    return is_right


def _print(number: int, case: Example, kernel: Kernel, lowered: Any) -> None:
    print(f"\n{number}  {case.title}: {case.about}")
    for k, line in enumerate(kernel.report.notes or ["the order of the definition"]):
        print(f"   {'schedule' if k == 0 else '':<8}  {line}")
    print(f"   legality  {kernel.report.legality.removeprefix('legal: ')}")
    print(f"   build     {phases(kernel.report.passes, 1.0)}")


def _error(got: np.ndarray[Any, Any], want: np.ndarray[Any, Any]) -> float:
    """The largest difference, relative to the largest element; infinite if anything is not a number."""
    difference = np.abs(got.astype(np.float64) - want)
    return float(difference.max() / np.abs(want).max()) if np.isfinite(difference).all() else float("inf")
