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

from akg.base.dtype import DType, float32
from akg.base.target import Target, resolve_target
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


# Independent chains x = x * a + b hide the latency of the multiply-add; a and b come from memory, so that
# nothing folds, and keep x near 1.
_FMA_HEAD = """
define void @fma_body(ptr %data) {{
entry:
  %pn = getelementptr i64, ptr %data, i64 8
  %n = load i64, ptr %pn
  %sa = load {scalar}, ptr %data
  %pb = getelementptr i64, ptr %data, i64 1
  %sb = load {scalar}, ptr %pb
  %ia = insertelement {vector} poison, {scalar} %sa, i64 0
  %a = shufflevector {vector} %ia, {vector} poison, <{lanes} x i32> zeroinitializer
  %ib = insertelement {vector} poison, {scalar} %sb, i64 0
  %b = shufflevector {vector} %ib, {vector} poison, <{lanes} x i32> zeroinitializer
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%i1, %loop]
"""

_PARALLEL = """
declare void @GOMP_parallel(ptr, ptr, i32, i32)
define void @{name}_team(ptr %data, i32 %threads) {{
  call void @GOMP_parallel(ptr @{name}_body, ptr %data, i32 %threads, i32 0)
  ret void
}}
"""

_THREADS = """declare i32 @omp_get_thread_num()
declare i32 @omp_get_num_threads()"""
# The vectors of one thread: data[1] of them in equal parts.
_SHARE = """  %plen = getelementptr i64, ptr %data, i64 1
  %len = load i64, ptr %plen
  %t32 = call i32 @omp_get_thread_num()
  %n32 = call i32 @omp_get_num_threads()
  %t = sext i32 %t32 to i64
  %n = sext i32 %n32 to i64
  %lo = mul i64 %t, %len
  %begin = sdiv i64 %lo, %n
  %t1 = add i64 %t, 1
  %hi = mul i64 %t1, %len
  %end = sdiv i64 %hi, %n
  %some = icmp slt i64 %begin, %end
  br i1 %some, label %loop, label %done
loop:
  %i = phi i64 [%begin, %entry], [%i1, %loop]"""
_COPY = """
{threads}
define void @copy_body(ptr %data) {{
entry:
  %dst = load ptr, ptr %data
{sources}
{share}
{sum}
  %q = getelementptr <16 x float>, ptr %dst, i64 %i
  store <16 x float> %{total}, ptr %q, align 64{hint}
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %end
  br i1 %more, label %loop, label %done
done:
  ret void
}}
!0 = !{{i32 1}}
"""
_READ_VECTORS = 8  # at a time, each with a sum of its own
_READ = """
{threads}
define void @read_body(ptr %data) {{
entry:
  %sink = alloca <16 x float>
  %src = load ptr, ptr %data
{share}
{phis}
  %first = mul i64 %i, {vectors}
{adds}
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %end
  br i1 %more, label %loop, label %finish
finish:
{total}
  store volatile <16 x float> %{last}, ptr %sink
  br label %done
done:
  ret void
}}
"""
_TEAM = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32)


def measure_fma_peak(threads: int = 1, *, dtype: DType = float32, burst_us: float = 2000.0, samples: int = 9) -> float:
    """Floating-point operations per second of independent vector multiply-adds, the median of some bursts.

    Args:
        threads: threads that run at the same time.
        dtype: float32 or float64.
        burst_us: length of a burst in microseconds. Compare a kernel with bursts as long as its calls: short ones
            run at other clocks.
        samples: number of bursts.
    """
    host = resolve_target("cpu")
    team, chains, lanes = _fma_team(dtype, host)
    data = (ctypes.c_int64 * 9)()
    constants = np.array([0.999, 1e-3], dtype.numpy)
    for k in range(2):
        ctypes.memmove(ctypes.addressof(data) + 8 * k, constants[k : k + 1].tobytes(), dtype.itemsize_bytes)
    data[8] = 10_000
    warm = sample(lambda: team(data, threads), repeat=3)
    data[8] = max(int(10_000 * burst_us / warm.best_us), 1)
    timing = sample(lambda: team(data, threads), repeat=samples)
    return timing.rate(2.0 * chains * lanes * data[8] * threads)


@lru_cache(maxsize=4)
def _fma_team(dtype: DType, host: Target) -> tuple[Callable[..., None], int, int]:
    lanes, chains = host.lanes(dtype.bits), max(host.vector_registers - 8, 8)
    scalar = "float" if dtype.bits == 32 else "double"
    vector = f"<{lanes} x {scalar}>"
    names = {"scalar": scalar, "vector": vector, "lanes": lanes}
    intrinsic = f"@llvm.fmuladd.v{lanes}f{dtype.bits}"
    lines = [f"declare {vector} {intrinsic}({vector}, {vector}, {vector})", _FMA_HEAD.format(**names)]
    lines += [f"  %x{k} = phi {vector} [%a, %entry], [%y{k}, %loop]" for k in range(chains)]
    lines += [f"  %y{k} = call {vector} {intrinsic}({vector} %x{k}, {vector} %a, {vector} %b)" for k in range(chains)]
    lines += ["  %i1 = add i64 %i, 1", "  %more = icmp slt i64 %i1, %n", "  br i1 %more, label %loop, label %done"]
    lines.append("done:")
    total = "%y0"
    for k in range(1, chains):
        lines.append(f"  %s{k} = fadd {vector} {total}, %y{k}")
        total = f"%s{k}"
    lines += [
        f"  %sink = alloca {vector}",
        f"  store volatile {vector} {total}, ptr %sink",
        "  ret void",
        "}",
        _PARALLEL.format(name="fma"),
    ]
    return _team("\n".join(lines), "fma_team"), chains, lanes


def measure_copy_bandwidth(
    size_bytes: int = 1 << 27,
    threads: int = 1,
    *,
    nontemporal: bool = False,
    samples: int = 9,
    sources: int = 1,
) -> float:
    """Bytes per second of a stream, the median of some: bytes read plus bytes written.

    Args:
        size_bytes: of an array; it should be several times the last-level cache.
        threads: threads that share the work.
        nontemporal: whether stores bypass the caches, which saves reading the lines that are overwritten.
        samples: number of runs.
        sources: arrays that are read, and added up, for the one that is written; 1 is a copy.
    """
    vectors = max(size_bytes // 64, 1)
    arrays = [buffer.empty_aligned((vectors * 16,), np.dtype(np.float32)) for _ in range(sources + 1)]
    for array in arrays:
        array.fill(1.0)
    team = _copy_team(nontemporal, sources)
    target, *read = [int(array.ctypes.data) for array in arrays]
    data = (ctypes.c_int64 * (sources + 2))(target, vectors, *read)
    return sample(lambda: team(data, threads), repeat=samples).rate((sources + 1.0) * 64 * vectors)


def measure_read_bandwidth(size_bytes: int = 1 << 27, threads: int = 1, *, samples: int = 9) -> float:
    """Bytes per second of reading an array of `size_bytes` from one end to the other, the median of some runs."""
    steps = max(size_bytes // (64 * _READ_VECTORS), 1)
    array = buffer.empty_aligned((steps * _READ_VECTORS * 16,), np.dtype(np.float32))
    array.fill(1.0)
    data = (ctypes.c_int64 * 2)(int(array.ctypes.data), steps)
    team = _read_team()
    return sample(lambda: team(data, threads), repeat=samples).rate(64.0 * _READ_VECTORS * steps)


@lru_cache(maxsize=1)
def _read_team() -> Callable[..., None]:
    count = range(_READ_VECTORS)
    phis = [f"  %x{k} = phi <16 x float> [zeroinitializer, %entry], [%y{k}, %loop]" for k in count]
    adds: list[str] = []
    for k in count:
        adds += [
            f"  %n{k} = add i64 %first, {k}",
            f"  %p{k} = getelementptr <16 x float>, ptr %src, i64 %n{k}",
            f"  %v{k} = load <16 x float>, ptr %p{k}, align 64",
            f"  %y{k} = fadd <16 x float> %x{k}, %v{k}",
        ]
    total = [f"  %s{k} = fadd <16 x float> %{f's{k - 1}' if k > 1 else 'y0'}, %y{k}" for k in count if k]
    body = _READ.format(phis="\n".join(phis), adds="\n".join(adds), total="\n".join(total), vectors=_READ_VECTORS,
                        last=f"s{_READ_VECTORS - 1}", threads=_THREADS, share=_SHARE)  # fmt: skip
    return _team(body + _PARALLEL.format(name="read"), "read_team")


@lru_cache(maxsize=8)
def _copy_team(nontemporal: bool, sources: int) -> Callable[..., None]:
    loads: list[str] = []
    adds: list[str] = []
    for k in range(sources):
        loads += [f"  %slot{k} = getelementptr i64, ptr %data, i64 {k + 2}", f"  %src{k} = load ptr, ptr %slot{k}"]
        adds += [
            f"  %p{k} = getelementptr <16 x float>, ptr %src{k}, i64 %i",
            f"  %v{k} = load <16 x float>, ptr %p{k}, align 64",
        ]
        if k:
            adds.append(f"  %s{k} = fadd <16 x float> %{f's{k - 1}' if k > 1 else 'v0'}, %v{k}")
    total = f"s{sources - 1}" if sources > 1 else "v0"
    hint = ", !nontemporal !0" if nontemporal else ""
    body = _COPY.format(hint=hint, sources="\n".join(loads), sum="\n".join(adds), total=total,
                        threads=_THREADS, share=_SHARE)  # fmt: skip
    return _team(body + _PARALLEL.format(name="copy"), "copy_team")


def _team(text: str, symbol: str) -> Callable[..., None]:
    """A JITted function that lives as long as the result."""
    loaded = jit.load_object(jit.compile_llvm(text), (symbol,), openmp.symbols())
    function = _TEAM(loaded.address(symbol))

    def call(data: object, threads: int) -> None:
        function(data, threads)

    call.__dict__["code"] = loaded
    return call
