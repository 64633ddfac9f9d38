"""The figures behind what was decided, and what the whole kernel should take beside what the machine gives."""

from __future__ import annotations

from functools import lru_cache

from akg.base.config import effective_threads
from akg.base.target import Target
from akg.driver import cost
from akg.driver.pipeline import Compilation
from akg.driver.roofline import Prediction, predict, time_text
from akg.runtime import measure

_STREAM_BYTES = 1 << 26


def costs_of(state: Compilation) -> list[str]:
    """Lines for each decision that was weighed, and for a kernel that is mapped, its predicted time and its bound."""
    lines = state.decisions.costs()
    if state.result is None or state.target.backend != "llvm":
        return lines
    alone = predict(state.result, state.target)
    if alone is None:
        return [*lines, "in all: sizes are symbolic, so that no time is predicted"]
    lines += [_machine(state.target), f"in all: {alone}"]
    threads = effective_threads() if state.target.is_host else state.target.cores
    shared = predict(state.result, state.target, threads)
    if shared is not None and shared.threads > 1:
        waking = time_text(state.target.core.wake_us)
        lines.append(f"threads: {time_text(alone.us)} on one, {time_text(shared.us)} on {shared.threads}, {waking} "
                     "of it to wake them")  # fmt: skip
    measured = _measured(state, alone) if state.target.is_host else ""
    return [*lines, measured] if measured else lines


def _machine(target: Target) -> str:
    core, tune = target.core, f" ({target.tune})" if target.tune else ""
    rates = f"{core.multiply_adds:g} multiply-adds, {core.loads:g} loads, {core.stores:g} stores a cycle"
    paths = f"{core.l2_cycle_bytes:g}, {core.l3_cycle_bytes:g} and {core.memory_cycle_bytes:g} bytes a cycle"
    return (
        f"a core of {target.name}{tune}: {target.vector_bits}-bit vectors, {rates}, {paths} from the second and the "
        f"last cache and from memory, {core.clock_ghz:g} GHz"
    )


def _measured(state: Compilation, predicted: Prediction) -> str:
    """The machine's own figure for what bounds a kernel, and how near to it the kernel should come."""
    if predicted.bound.name == "multiply-adds":
        flops, peak = cost.flops(state.scop), _fma_peak()
        if flops:
            limit = flops / peak * 1e6
            return f"measured: {peak / 1e9:.4g} GFLOP/s of multiply-adds, {limit / predicted.us:.0%} of it expected"
    if predicted.bound.name == "memory":
        size, rate = cost.bytes_moved(state.kernel), _stream_rate()
        limit = (size or 0) / rate * 1e6
        if 0 < limit <= predicted.us:  # else part of it stays in the last cache
            return f"measured: {rate / 1e9:.3g} GB/s from memory, {limit / predicted.us:.0%} of it expected"
    return ""


@lru_cache(maxsize=1)
def _fma_peak() -> float:
    return measure.measure_fma_peak(burst_us=300.0, samples=5)


@lru_cache(maxsize=1)
def _stream_rate() -> float:
    return measure.measure_read_bandwidth(_STREAM_BYTES, samples=3)
