"""Timing, and the two limits of a machine that kernels are held against: multiply-adds and memory traffic.

Clocks of a processor move within seconds, so a limit is only worth something when it is measured next to the
kernel and over bursts of about the same duration.
"""

from __future__ import annotations

import ctypes
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter_ns

import numpy as np

from akg.runtime import buffer, jit, openmp

_BURST_NS = 50_000  # samples shorter than this are repeated, so that reading the clock does not show


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall times per call, in microseconds.

    Attributes:
        median_us: the middle sample.
        best_us: the fastest sample.
        low_us: first quartile.
        high_us: third quartile.
        samples: how many samples were taken.
        calls: calls in each sample.
    """

    median_us: float
    best_us: float
    low_us: float
    high_us: float
    samples: int
    calls: int

    def rate(self, work: float) -> float:
        """`work` units per second at the median, such as flops or bytes of one call."""
        return work / (self.median_us * 1e-6)

    def __str__(self) -> str:
        return (
            f"{_us(self.median_us)} median, quartiles {_us(self.low_us)} .. {_us(self.high_us)}, "
            f"best {_us(self.best_us)} (n = {self.samples} x {self.calls})"
        )


def _us(value: float) -> str:
    for unit, scale in (("us", 1.0), ("ms", 1e3)):
        if value < 1000 * scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e6:.3g} s"


def sample(
    call: Callable[[], object],
    *,
    repeat: int | None = None,
    min_time_s: float = 0.2,
    before: Callable[[], object] | None = None,
) -> Timing:
    """Time a call: warm-up, then samples until both `repeat` and `min_time_s` are reached.

    Args:
        call: what to time.
        repeat: samples to take; None is 7.
        min_time_s: seconds to spend on samples at least.
        before: runs untimed before each sample; a sample is then one call.
    """
    calls = 1 if before else _calls_per_burst(call)
    wanted = max(repeat or 7, 1)
    times: list[float] = []
    spent_ns = 0
    while len(times) < wanted or spent_ns < min_time_s * 1e9:
        if before:
            before()
        begin = perf_counter_ns()
        for _ in range(calls):
            call()
        elapsed = perf_counter_ns() - begin
        spent_ns += elapsed
        times.append(elapsed / calls / 1e3)
        if repeat is not None and len(times) >= repeat:
            break
    return summarize(times, calls)


def _calls_per_burst(call: Callable[[], object]) -> int:
    call()
    calls = 1
    while True:
        begin = perf_counter_ns()
        for _ in range(calls):
            call()
        elapsed = perf_counter_ns() - begin
        if elapsed >= _BURST_NS:
            return calls
        calls = max(calls * 2, int(calls * 1.2 * _BURST_NS / max(elapsed, 1)))


def summarize(times_us: list[float], calls: int = 1) -> Timing:
    """The `Timing` of samples in microseconds."""
    ordered = sorted(times_us)
    low, high = ordered[0], ordered[0]
    if len(ordered) > 1:
        low, _, high = statistics.quantiles(ordered, n=4, method="inclusive")
    return Timing(statistics.median(ordered), ordered[0], low, high, len(ordered), calls)
