"""Build times of the definitions of `bench.kernels` and of every operator of `akg.ops`, by phase.

Cold: the cache is off and another kernel was built before in the same process, so loading isl and LLVM is not in
the table; what the first build of a process costs is printed above it. From the disk: a new process loads the
libraries with one small build, then builds each kernel from a cache that is filled.

    python bench/compile_time.py [--quick] [--cpu] [--json PATH]

On a machine that others use, `--cpu` takes processor time for the totals in place of the time that passed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import akg
from akg import te
from bench import typical
from bench.kernels import CASES

COLD_TARGET_MS, TAIL_TARGET_MS, CACHED_TARGET_MS = 60.0, 250.0, 5.0
OPERATOR = "ops."  # in front of the names of operators
SLOWEST = 12  # operators with a line of their own
# Phases in the columns of the table; the others are summed up as "rest".
COLUMNS = ("lower", "dependences", "schedule", "prove", "generate", "promote", "emit", "compile", "link")


def small() -> Any:
    """A kernel of no interest, to load the libraries with."""
    x = te.placeholder((64,), "float32", name="x")
    return akg.build([te.compute((64,), lambda i: x[i] + 1.0, name="y")], inputs=[x], name="warm_up")


def build(name: str, clock: Callable[[], float] = perf_counter) -> tuple[float, Any]:
    """Milliseconds of one build, definition included, and the kernel."""
    begin = clock()
    if name.startswith(OPERATOR):
        outputs, inputs = typical.define(name.removeprefix(OPERATOR))
    else:
        outputs, inputs = CASES[name].define(**CASES[name].sizes)
    kernel = akg.build(outputs, inputs=inputs, name=name.replace(".", "_"))
    return (clock() - begin) * 1e3, kernel


def names() -> list[str]:
    """Everything that is built: the definitions, then the operators."""
    return [*CASES, *(OPERATOR + name for name in typical.names())]


def cold(rounds: int, clock: Callable[[], float] = perf_counter) -> dict[str, dict[str, float]]:
    """Median milliseconds per phase, and "total" all included, for each definition."""
    table: dict[str, dict[str, float]] = {}
    with akg.config.override(cache="off"):
        for name in names():
            totals: list[float] = []
            phases: dict[str, list[float]] = defaultdict(list)
            for _ in range(rounds):
                ms, kernel = build(name, clock)
                totals.append(ms)
                for phase, spent, _ in kernel.report.passes:
                    phases[phase].append(spent)
                assert kernel.report.cache == "off"
                del kernel  # or the next round is answered from memory
            table[name] = {phase: statistics.median(v) for phase, v in phases.items()}
            table[name]["total"] = statistics.median(totals)
    return table


_CHILD = """
import json, os, sys, time
os.environ["AKG_CACHE_DIR"] = {folder!r}
sys.path.insert(0, {root!r})
from bench import compile_time
compile_time.small()
result = {{}}
for name in compile_time.names():
    ms, kernel = compile_time.build(name, time.{clock})
    result[name] = [ms, kernel.report.cache]
print(json.dumps(result))
"""


def cached(rounds: int, clock: Callable[[], float] = perf_counter) -> dict[str, float]:
    """Median milliseconds of a build that the disk cache answers, each round in a new process."""
    root = str(Path(__file__).resolve().parent.parent)
    times: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            program = _CHILD.format(root=root, folder=folder, clock=clock.__name__)
            output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
            for name, (ms, origin) in json.loads(output.splitlines()[-1]).items():
                if number:  # the first process fills the cache
                    assert origin == "hit", f"{name} was not in the cache: {origin}"
                    times[name].append(ms)
    return {name: statistics.median(values) for name, values in times.items()}


def show(table: dict[str, dict[str, float]], from_disk: dict[str, float]) -> None:
    print(f"{'':<26}" + "".join(f"{c[:9]:>10}" for c in (*COLUMNS, "rest", "total", "from disk")))
    operators = [name for name in table if name.startswith(OPERATOR)]
    slowest = sorted(operators, key=lambda name: -table[name]["total"])[:SLOWEST]
    for name in [*CASES, *slowest]:
        row = table[name]
        cells = [row.get(c, 0.0) for c in COLUMNS]
        cells += [row["total"] - sum(cells), row["total"], from_disk[name]]
        print(f"{name:<26}" + "".join(f"{c:>10.2f}" for c in cells))
        if name == list(CASES)[-1]:
            print(f"the slowest {SLOWEST} of {len(operators)} operators:")
    print("\nall in milliseconds; from the disk is in a new process")
    for title, those in (("definitions", list(CASES)), ("operators", operators)):
        numbers = summary(those, table, from_disk)
        print(f"{title:<12} cold: median {numbers['cold_median_ms']:.1f} (target {COLD_TARGET_MS:g}), p95"
              f" {numbers['cold_p95_ms']:.1f} (target {TAIL_TARGET_MS:g}); from the disk: median"
              f" {numbers['disk_median_ms']:.2f} (target {CACHED_TARGET_MS:g}), p95"
              f" {numbers['disk_p95_ms']:.2f}")  # fmt: skip


def summary(names: list[str], table: dict[str, dict[str, float]], from_disk: dict[str, float]) -> dict[str, float]:
    """Median and 95th percentile, in milliseconds."""
    result: dict[str, float] = {}
    for title, values in (("cold", [table[n]["total"] for n in names]), ("disk", [from_disk[n] for n in names])):
        result[f"{title}_median_ms"] = statistics.median(values)
        result[f"{title}_p95_ms"] = statistics.quantiles(values, n=20, method="inclusive")[-1]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round each")
    parser.add_argument("--cpu", action="store_true", help="totals in processor time")
    parser.add_argument("--json", metavar="PATH", help="write the numbers to a file")
    options = parser.parse_args()
    begin = perf_counter()
    with akg.config.override(cache="off"):
        small()
    first = (perf_counter() - begin) * 1e3
    print(f"first build of the process, loading isl and LLVM: {first:.0f} ms")
    rounds, clock = 1 if options.quick else 3, process_time if options.cpu else perf_counter
    table, from_disk = cold(rounds, clock), cached(rounds, clock)
    show(table, from_disk)
    if options.json:
        operators = [name for name in table if name.startswith(OPERATOR)]
        numbers = {"first_ms": first, "cold_ms": table, "from_disk_ms": from_disk,
                   "operators": summary(operators, table, from_disk)}  # fmt: skip
        Path(options.json).write_text(json.dumps(numbers, indent=2))


if __name__ == "__main__":
    main()
