"""Operators of akg beside the limits of the machine and beside other libraries, on 1 and 2 threads.

Of each row: microseconds of a call into a preallocated output and into a fresh one, the rate, the fraction of the
ceiling (the larger of arithmetic at the peak of multiply-adds and of a stream of as many bytes, both measured
between the samples), the time of a cold build, the largest error against float64, and each peer that is installed:
NumPy (with OpenBLAS's AVX-512 kernels where the processor has them), torch eager and compiled, JAX, onnxruntime
with bound outputs. Only NumPy is required. Peers use preallocated outputs where they can; their fresh ones are in
the JSON file.

Rules: samples of akg, of the ceiling and of all peers take turns; a sample is a loop of calls of 4 ms at least; a
figure is the median of the samples, each after a warm-up; peers compile on one set of inputs and all are timed on
another; on one thread, every process is bound to one core.

    python -m bench.operators [--quick] [--rows GLOB] [--threads N] [--json PATH]
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import math
import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

import akg
from akg.base.config import usable_cores
from akg.base.target import resolve_target
from akg.runtime import measure
from bench.compile_time import small
from bench.library import library_rows
from bench.peers import Call, Peer, burst, calls_of, installed, warm_up
from bench.row import Row
from bench.rows import all_rows

ROUNDS, QUICK_ROUNDS = 9, 3
PAUSE_S = 0.03  # between two that take turns: pools of threads spin for a while after their work
LONG_US = 2e6  # a call that is longer than this is sampled three times


@contextmanager
def bound(threads: int) -> Iterator[None]:
    """This process on as many cores, for one thread."""
    before = os.sched_getaffinity(0)
    if threads == 1:
        os.sched_setaffinity(0, {max(before)})
    try:
        with akg.config.override(num_threads=threads):
            yield
    finally:
        os.sched_setaffinity(0, before)


class Ceiling:
    """The least time of a row by the machine's limits, measured as often as it is asked."""

    def __init__(self, row: Row, threads: int, us: float) -> None:
        self.row, self.threads = row, threads
        self.burst_us = min(max(us, 100.0), 10_000.0)
        self._peaks: list[float] = []
        self._streams: dict[bool, list[float]] = {False: [], True: []}

    def sample(self) -> None:
        """Measure the limits once."""
        row = self.row
        if row.flops:
            peak = measure.measure_fma_peak(self.threads, burst_us=self.burst_us, samples=3)
            self._peaks.append(peak * (2 if row.dtype == "bfloat16" else 1))
        if row.reads_only:
            self._streams[False].append(measure.measure_read_bandwidth(row.bytes, self.threads, samples=3))
            return
        size_bytes = row.bytes // (row.sources + 1)
        for nontemporal, rates in self._streams.items():
            if not nontemporal or row.bytes > 1 << 22:  # in a cache, such stores are slow
                rates.append(measure.measure_copy_bandwidth(
                    size_bytes, self.threads, nontemporal=nontemporal, samples=3, sources=row.sources
                ))  # fmt: skip

    def us(self) -> float:
        """Microseconds of a call at the limits."""
        stream = max(statistics.median(rates) for rates in self._streams.values() if rates)
        arithmetic = self.row.flops / statistics.median(self._peaks) if self.row.flops else 0.0
        return max(arithmetic, self.row.bytes / stream) * 1e6


def cold_build(row: Row) -> tuple[akg.Kernel, float]:
    """The kernel, and the milliseconds that it took without a cache."""
    with akg.config.override(cache="off"):
        begin = perf_counter()
        kernel = row.build()
        return kernel, (perf_counter() - begin) * 1e3


def max_error(row: Row, kernel: akg.Kernel) -> float:
    """The largest error of an element beside float64, in units of its size plus the root mean square."""
    if row.numpy is None or row.is_library:  # the tests compare those
        return math.nan
    arrays = row.arrays(2)
    want = np.asarray(row.numpy(np, *(a.astype(np.float64) for a in arrays)))
    got = kernel(*arrays)
    got = np.asarray(arrays[0] if got is None else got).astype(np.float64)
    error = np.abs(got - want) / (np.abs(want) + math.sqrt(float(np.mean(want * want))) + 1e-300)
    return float(np.max(error)) if np.isfinite(error).all() else math.inf


def time_row(row: Row, kernel: akg.Kernel, threads: int, peers: list[Peer], rounds: int) -> dict[str, Any]:
    """Median microseconds of akg, of its peers and of the ceiling."""
    with bound(threads):
        arrays = row.arrays(2)
        out = kernel(*arrays)
        calls: list[Call] = [lambda: kernel(*arrays, out=out), lambda: kernel(*arrays)]
        if row.is_in_place:
            calls = [lambda: kernel(*arrays)] * 2
        counts = [calls_of(call) for call in calls]
        first_us = burst(calls[0], 1)
        ceiling, ours, theirs = Ceiling(row, threads, first_us), ([], []), {p.name: ([], []) for p in peers}
        shape = arrays[0].shape if out is None else out[0].shape if isinstance(out, tuple) else out.shape
        answers = {p.name: p.ask(row=row.name, shape=list(shape)) for p in peers}
        present = [p for p in peers if answers[p.name].get("ready")]
        for _ in range(min(rounds, 3) if first_us > LONG_US else rounds):
            sleep(PAUSE_S)
            warm_up(calls[0])
            for times, call, count in zip(ours, calls, counts, strict=True):
                times.append(burst(call, count))
            ceiling.sample()
            for peer in present:
                sleep(PAUSE_S)
                us = peer.ask().get("us", [])
                for times, value in zip(theirs[peer.name], us, strict=False):
                    times.append(value)
    low, _, high = statistics.quantiles(ours[0], n=4, method="inclusive")
    found: dict[str, float] = {}
    for name, (into, fresh) in theirs.items():
        if into:
            found[name] = statistics.median(into)
        if fresh:
            found[f"{name}_fresh"] = statistics.median(fresh)
    return {
        "name": row.name, "threads": threads, "akg_us": statistics.median(ours[0]),
        "akg_fresh_us": statistics.median(ours[1]), "akg_quartiles_us": [low, high], "peers_us": found,
        "ceiling_us": ceiling.us(), "flops": row.flops, "bytes": row.bytes,
        "missing": {n: a.get("error", "") for n, a in answers.items() if not a.get("ready")},
    }  # fmt: skip


def best_peer(result: dict[str, Any]) -> tuple[str, float]:
    """Name and microseconds of the fastest peer with its better setting."""
    peers: dict[str, float] = result["peers_us"]
    name = min(peers, key=lambda n: peers[n], default="")
    return name.removesuffix("_fresh"), peers.get(name, math.nan)


def line(result: dict[str, Any], names: list[str]) -> str:
    """A result as a row of the table."""
    us, ceiling = result["akg_us"], result["ceiling_us"]
    is_arithmetic = result["flops"] > 8 * result["bytes"]
    work, unit = (result["flops"], "GFLOP/s") if is_arithmetic else (result["bytes"], "GB/s")
    low, high = result["akg_quartiles_us"]
    best, best_us = best_peer(result)
    cells = [f"{result['name']:<36}{result['threads']:>2}{us:>11.1f}{(high - low) / us * 100:>5.0f}%",
             f"{result['akg_fresh_us']:>11.1f}{work / us / 1e3:>8.1f} {unit:<8}{ceiling / us:>6.2f}",
             f"{result['compile_ms']:>8.1f}{result['max_error']:>9.1e}"]  # fmt: skip
    cells += [f"{result['peers_us'].get(n, math.nan):>13.1f}".replace("nan", "  -") for n in names]
    return "".join(cells) + (f"{best_us / us:>8.2f} {best}" if best else "")


def run(rows: list[Row], rounds: int, wanted: tuple[int, ...] = (1, 2)) -> list[dict[str, Any]]:
    """Time rows and print the table as it grows."""
    with akg.config.override(cache="off"):
        small()  # loads isl and LLVM, which no row is to pay for
    names = installed()
    has_avx512 = "avx512f" in resolve_target("cpu").features
    threads = [n for n in wanted if n <= usable_cores()]
    peers = {n: [Peer(name, n, has_avx512) for name in names] for n in threads}
    for peer in [p for group in peers.values() for p in group]:
        peer.ask()  # once it answers, its start-up does not disturb the first row
    print("us per call; spread is between quartiles; of ceiling; build in ms; peers in us; last: best peer over akg")
    print(f"{'row':<36}{'th':>2}{'akg':>11}{'+-':>6}{'fresh':>11}{'rate':>17}{'ceil':>6}{'build':>8}{'error':>9}"
          + "".join(f"{n:>13}" for n in names) + f"{'ratio':>8}")  # fmt: skip
    results: list[dict[str, Any]] = []
    try:
        for row in rows:
            kernel, compile_ms = cold_build(row)
            error = max_error(row, kernel)
            for n in threads:
                result = time_row(row, kernel, n, peers[n], rounds)
                result.update(compile_ms=compile_ms, max_error=error)
                results.append(result)
                print(line(result, names), flush=True)
    finally:
        for peer in [p for group in peers.values() for p in group]:
            peer.close()
    return results


def geomean(results: list[dict[str, Any]]) -> float:
    """The geometric mean of the best peer's time over akg's; NaN without any peer."""
    ratios = [best_peer(r)[1] / r["akg_us"] for r in results if r["peers_us"]]
    return math.exp(statistics.fmean(map(math.log, ratios))) if ratios else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.operators", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few rows, fewer samples: less than a minute")
    parser.add_argument("--rows", metavar="GLOB", help="rows by name: 'matmul-*', or 'op-*' for every operator")
    parser.add_argument("--threads", type=int, choices=(1, 2), help="only on so many; by default on 1 and on 2")
    parser.add_argument("--json", metavar="PATH", help="write the figures to a file")
    options = parser.parse_args()
    rows = [r for r in [*all_rows(), *library_rows()] if fnmatch.fnmatch(r.name, options.rows or "*")]
    if not options.rows:
        rows = [r for r in rows if (r.is_quick or not options.quick) and not r.is_library]
    if not rows:
        parser.error(f"no row is called {options.rows}; the rows are {', '.join(r.name for r in all_rows())}")
    wanted = (1, 2) if options.threads is None else (options.threads,)
    results = run(rows, QUICK_ROUNDS if options.quick else ROUNDS, wanted)
    print(f"\ngeometric mean over all rows, best peer over akg: {geomean(results):.2f}")
    if options.json:
        numbers = {"rows": results, "geomean_vs_best": geomean(results), "machine": resolve_target("cpu").tune}
        Path(options.json).write_text(json.dumps(numbers, indent=2))


if __name__ == "__main__":
    main()
