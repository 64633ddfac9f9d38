"""Kernels held against the machine's limits, which are measured between the samples of the same run.

Kernels that move bytes are compared with a copy of as many bytes, the faster of one with ordinary and one with
streaming stores; matmul is compared with the
peak of vector multiply-adds. Outputs are allocated once. `ratio` is the fraction of the limit that is reached;
`scaling` is the speed on two threads over that on one.

    python bench/speed.py [--quick] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

import akg
from akg.base.config import usable_cores
from akg.runtime import measure
from bench.kernels import elementwise_chain, layer_norm, matmul, softmax, transpose

STREAM_TARGET, FMA_TARGET = 0.8, 0.5


@dataclass
class Row:
    """One kernel on a number of threads."""

    name: str
    threads: int
    us: float
    rate: float  # GB/s or GFLOP/s
    limit: float
    unit: str
    numpy_us: float

    @property
    def ratio(self) -> float:
        return self.rate / self.limit


@dataclass
class Work:
    name: str
    define: Callable[[], Any]
    numpy: Callable[..., Any]
    bytes: int = 0
    flops: int = 0


def running_sum(m: int) -> Any:
    X = akg.te.placeholder((m, 1024), "float32", name="X")
    return [akg.ops.cumulative_sum(X, axis=1)], [X]


def works(is_quick: bool) -> list[Work]:
    n = 1 << 22 if is_quick else 1 << 24

    def numpy_chain(x: Any, y: Any, out: Any) -> None:
        np.multiply(x, 2, out=out)
        out += y
        out -= 1
        np.clip(out, 0, 6, out=out)
        out *= x
        out *= out
        out += y

    def numpy_softmax(x: Any, out: Any) -> None:
        np.subtract(x, x.max(1, keepdims=True), out=out)
        np.exp(out, out=out)
        out /= out.sum(1, keepdims=True)

    def numpy_norm(x: Any, gain: Any, shift: Any, out: Any) -> None:
        np.subtract(x, x.mean(1, keepdims=True), out=out)
        out /= np.sqrt(np.square(out).mean(1, keepdims=True) + np.float32(1e-5))
        out *= gain
        out += shift

    def numpy_transpose(x: Any, out: Any) -> None:
        np.copyto(out, x.T)

    def numpy_running_sum(x: Any, out: Any) -> None:
        np.cumsum(x, axis=1, out=out)

    rows = (1024,) if is_quick else (4096, 16384)
    works = [Work(f"chain {n >> 20}M", lambda: elementwise_chain(n=n), numpy_chain, bytes=12 * n)]
    for m in rows:  # 4096 rows lie partly in a large last-level cache, 16384 do not
        row_bytes = 2 * m * 1024 * 4
        works.append(Work(f"softmax {m}x1024", partial(softmax, m=m), numpy_softmax, bytes=row_bytes))
        works.append(Work(f"layer norm {m}x1024", partial(layer_norm, m=m), numpy_norm, bytes=row_bytes))
    side = 2048 if is_quick else 4096
    works.append(Work(f"transpose {side}", partial(transpose, m=side, n=side), numpy_transpose, bytes=8 * side**2))
    works.append(Work(f"running sum {rows[0]}x1024", partial(running_sum, rows[0]), numpy_running_sum,
                      bytes=8 * rows[0] * 1024))  # fmt: skip
    for size in (512, 1024):
        define = partial(matmul, m=size, n=size, k=size)
        works.append(Work(f"matmul {size}", define, np.matmul, flops=2 * size**3))
    return works


def once(call: Callable[[], object]) -> float:
    begin = perf_counter()
    call()
    return (perf_counter() - begin) * 1e6


def stream_rate(work: Work, threads: int, nontemporal: bool, sources: int) -> float:
    """A stream of as many bytes, from as many large arrays to one."""
    size_bytes = work.bytes // (sources + 1)
    return measure.measure_copy_bandwidth(
        size_bytes, threads, nontemporal=nontemporal, samples=3, sources=sources
    )


def time_of(work: Work, threads: int, rounds: int) -> Row:
    """The median of single calls between which the limit is measured, so that both see the same clocks."""
    outputs, inputs = work.define()
    kernel = akg.build(outputs, inputs=inputs)
    rng = np.random.default_rng(0)
    sources = sum(a.shape == outputs[0].shape for a in inputs)  # gains and shifts of a row do not count
    arrays = [rng.standard_normal([int(s.value) for s in t.shape]).astype(np.float32) for t in inputs]
    with akg.config.override(num_threads=threads):
        out = kernel(*arrays)
        kernel(*arrays, out=out)
        times: list[float] = []
        limits: list[tuple[float, float]] = []
        for _ in range(rounds):
            times += [once(lambda: kernel(*arrays, out=out)) for _ in range(3)]
            burst_us = statistics.median(times)
            if work.flops:
                limits.append((measure.measure_fma_peak(threads, burst_us=burst_us, samples=3), 0.0))
            else:
                limits.append((stream_rate(work, threads, False, sources), stream_rate(work, threads, True, sources)))
        us = statistics.median(times)
        theirs = statistics.median([once(lambda: work.numpy(*arrays, out=out)) for _ in range(3)])
    done = work.flops or work.bytes
    limit = max(statistics.median(column) for column in zip(*limits, strict=True))
    return Row(work.name, threads, us, done / us / 1e3, limit / 1e9, "GFLOP/s" if work.flops else "GB/s", theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller arrays, fewer rounds")
    parser.add_argument("--json", metavar="PATH", help="write the numbers to a file")
    options = parser.parse_args()
    rounds = 5 if options.quick else 15
    rows: list[Row] = []
    cores = usable_cores()
    print(f"{cores} cores; targets {STREAM_TARGET} of the stream, {FMA_TARGET} of the multiply-adds; NumPy as it comes")
    print(f"{'kernel':<22}{'threads':>8}{'time us':>12}{'rate':>16}{'limit':>8}{'ratio':>7}{'scaling':>9}"
          f"{'NumPy us':>12}")  # fmt: skip
    for work in works(options.quick):
        single: Row | None = None
        for threads in (1, 2)[: min(cores, 2)]:
            row = time_of(work, threads, rounds)
            rows.append(row)
            scaling = f"{single.us / row.us:.2f}" if single else ""
            single = single or row
            print(f"{row.name:<22}{threads:>8}{row.us:>12.1f}{row.rate:>8.1f} {row.unit:<7}{row.limit:>8.1f}"
                  f"{row.ratio:>7.2f}{scaling:>9}{row.numpy_us:>12.1f}")  # fmt: skip
    if options.json:
        Path(options.json).write_text(json.dumps([{**asdict(r), "ratio": r.ratio} for r in rows], indent=2))


if __name__ == "__main__":
    main()
