"""Times the thirty kernels of PolyBench beside gcc -O3 on one thread, and other compilers that are on PATH.

    python -m bench.polybench --dataset LARGE --kernels gemm,lu --strategy auto --json PATH

Inputs are restored before every sample; samples of all compilers take turns. Figures are medians; the fastest
samples are in the JSON too. On a machine that others use, threads that spin at barriers wait for threads that do
not run: set OMP_WAIT_POLICY=passive there.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import akg
from akg.base.config import effective_threads
from akg.runtime.measure import measure_fma_peak
from bench.polybench import rivals
from bench.polybench.catalogue import CATALOGUE, Benchmark, relative_error
from bench.polybench.datasets import DATASETS

SAMPLES = 5
_SCHEDULING = ("dependences", "schedule", "fuse-outer", "tile-products", "map-cpu")
Row = dict[str, Any]


def timed(call: Callable[[], object], work: Sequence[Any], given: Sequence[Any]) -> float:
    """Seconds of one call on restored inputs."""
    for target, source in zip(work, given, strict=True):
        if isinstance(target, np.ndarray):
            target[...] = source
    begin = perf_counter()
    call()
    return perf_counter() - begin


def take_turns(
    calls: dict[str, Callable[[], object]], work: Sequence[Any], given: Sequence[Any], limit_s: float
) -> tuple[dict[str, list[float]], dict[str, tuple[Any, ...]]]:
    """Samples of each call, until there are enough or the time is over, and what each call computed first."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    results: dict[str, tuple[Any, ...]] = {}
    begin = perf_counter()
    for turn in range(SAMPLES + 1):  # the first is a warm-up, where there is time for others
        for name, call in calls.items():
            measure_fma_peak(effective_threads(), burst_us=4000.0, samples=3)  # a team that slept is first on one core
            times[name].append(timed(call, work, given))
            if turn == 0:
                results[name] = copy.deepcopy(tuple(work))
        if perf_counter() - begin > limit_s:
            break
    return {name: taken[1:] or taken for name, taken in times.items()}, results


def schedule_line(kernel: Any) -> str:
    """What was decided, in one line."""
    return "; ".join(note for note in kernel.report.notes if not note.startswith(("loops by isl", "scheduler")))


def measure(benchmark: Benchmark, options: argparse.Namespace, peers: dict[str, list[str]], folder: Path) -> Row:
    """The row of one kernel."""
    with akg.config.override(cache="off", fast_math=True):  # as the C has
        begin = perf_counter()
        kernel = akg.build(benchmark.script, strategy=options.strategy)
        build_ms = (perf_counter() - begin) * 1e3
    lowered = benchmark.script.lower()
    given = benchmark.arguments(options.dataset)
    work = copy.deepcopy(given)
    positional, sizes = benchmark.call(work)
    calls: dict[str, Callable[[], object]] = {"akg": lambda: kernel(*positional, **sizes)}
    values = benchmark.all_parameters(lowered, given)
    constants = {p.name: v for p, v in zip(lowered.params, values, strict=True) if p.role == "size"}
    text = rivals.c_text(benchmark, constants)
    for name, command in peers.items():
        function = rivals.compile_c(command, text, benchmark.script.name, folder, f"{lowered.name}_{name}")
        calls[name] = rivals.bind(benchmark, lowered, function, work)
    times, results = take_turns(calls, work, given, options.limit)
    phases = {name: round(ms, 2) for name, ms, _ in kernel.report.passes}
    reference = next((results[name] for name in calls if name != "akg"), None)
    checked = benchmark.checked
    return {
        "name": benchmark.name,
        "dataset": options.dataset,
        "akg_s": statistics.median(times["akg"]),
        "peers_s": {name: statistics.median(times[name]) for name in peers},
        "akg_best_s": min(times["akg"]),
        "peers_best_s": {name: min(times[name]) for name in peers},
        "samples": len(times["akg"]),
        "schedule_ms": sum(phases.get(name, 0.0) for name in _SCHEDULING),
        "build_ms": build_ms,
        "phases_ms": phases,
        "max_error": None if reference is None else relative_error(checked(results["akg"]), checked(reference)),
        "legality": kernel.report.legality,
        "schedule": schedule_line(kernel),
        "tree": kernel.source("schedule"),
    }


def geomean(values: Sequence[float]) -> float | None:
    """The geometric mean; None of nothing."""
    return math.exp(statistics.fmean(map(math.log, values))) if values else None


def ratios(rows: Sequence[Row], akg_key: str, peers_key: str, least_s: float = 0.0) -> list[float]:
    """Speed over gcc of the kernels that take gcc `least_s` seconds or more."""
    found = [(row[peers_key].get("gcc"), row[akg_key]) for row in rows]
    return [gcc / own for gcc, own in found if gcc is not None and gcc >= least_s]


def line(row: Row) -> str:
    """A row of the table."""
    peers = "".join(f"{seconds * 1e3:>11.3f}" for seconds in row["peers_s"].values())
    gcc = row["peers_s"].get("gcc")
    best = min(row["peers_s"].values(), default=None)
    over = f"{gcc / row['akg_s']:>8.2f}" if gcc else " " * 8
    over += f"{best / row['akg_s']:>8.2f}" if best else " " * 8
    error = "" if row["max_error"] is None else f"{row['max_error']:.0e}"
    times = f"{row['schedule_ms']:>9.0f}{row['build_ms']:>9.0f}"
    return f"{row['name']:<16}{row['akg_s'] * 1e3:>11.3f}{peers}{over}{times}{error:>8}  {row['schedule']}"


def report(rows: Sequence[Row]) -> dict[str, Any]:
    """The document of the JSON file; geomeans are printed."""
    document: dict[str, Any] = {"rows": list(rows)}
    for key, own, peers, least_s in (
        ("geomean_vs_gcc", "akg_s", "peers_s", 0.0),
        ("geomean_vs_gcc_best", "akg_best_s", "peers_best_s", 0.0),
        ("geomean_vs_gcc_over_30_ms", "akg_s", "peers_s", 0.03),
        ("geomean_vs_gcc_over_30_ms_best", "akg_best_s", "peers_best_s", 0.03),
    ):
        values = ratios(rows, own, peers, least_s)
        document[key] = geomean(values)
        if values:
            print(f"{key:<32}{document[key]:>7.2f}x of {len(values)} kernels")
    return document


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.polybench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", choices=DATASETS, default="LARGE", metavar="NAME", help=" ".join(DATASETS))
    parser.add_argument("--kernels", default="", metavar="A,B", help="names; all thirty without it")
    parser.add_argument("--strategy", default="auto", help="a name or the path of a JSON file")
    parser.add_argument("--limit", type=float, default=30.0, metavar="SECONDS", help="of samples for one kernel")
    parser.add_argument("--json", metavar="PATH", help="write the rows to a file")
    options = parser.parse_args(arguments)
    options.names = [name for name in options.kernels.split(",") if name] or list(CATALOGUE)
    for name in options.names:
        if name not in CATALOGUE:
            parser.error(f"no kernel {name!r}: they are {', '.join(CATALOGUE)}")
    return options


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 if a kernel failed."""
    options = parse(arguments)
    peers = rivals.found()
    print(f"{options.dataset}, strategy {options.strategy}, {effective_threads()} threads, "
          f"load {os.getloadavg()[0]:.1f}; milliseconds")  # fmt: skip
    print(f"{'kernel':<16}{'akg':>11}{''.join(f'{p:>11}' for p in peers)}{'x gcc':>8}{'x best':>8}"
          f"{'schedule':>9}{'build':>9}{'error':>8}  schedule found")  # fmt: skip
    rows: list[Row] = []
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names:
            try:
                rows.append(measure(CATALOGUE[name], options, peers, Path(folder)))
                print(line(rows[-1]), flush=True)
            except Exception as error:  # the others are still worth measuring
                failures[name] = f"{type(error).__name__}: {error}"
                print(f"{name:<16}failed: {failures[name]}", flush=True)
            if options.json:
                Path(options.json).write_text(json.dumps({"rows": rows}, indent=1))
    document = {"strategy": options.strategy, **report(rows), "failures": failures}
    if options.json:
        Path(options.json).write_text(json.dumps(document, indent=1))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
