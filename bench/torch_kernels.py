"""Where the time of a compiled graph of torch goes: each kernel's time against its ideal.

The ideal of a kernel is the larger of its multiply-adds at the machine's peak and its inputs and outputs at the speed
of a plain copy; bfloat16 counts at the peak of the instruction for pairs, where the machine has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from akg.base.target import resolve_target
from akg.frontends.torch import run
from akg.fusion.compile import CompiledGraph
from akg.fusion.group import Group
from akg.fusion.traits import stages_of, traits_from, value_bytes
from akg.ir.graph import Value
from akg.runtime import measure

_compile = run.compile_graph
COPY_BYTES = 4 << 20  # arrays of models' layers lie in the last level of cache


@dataclass
class Recorder:
    """Graphs as they are compiled and the times of their kernels, call by call."""

    graphs: list[_Timed] = field(default_factory=list)

    def __enter__(self) -> Recorder:
        run.compile_graph = self._compiled  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        run.compile_graph = _compile

    def _compiled(self, *args: Any, **options: Any) -> Any:
        self.graphs.append(_Timed(_compile(*args, **options)))
        return self.graphs[-1]


class _Timed:
    """A compiled graph that notes how long each kernel takes."""

    def __init__(self, compiled: CompiledGraph) -> None:
        self.compiled = compiled
        self.calls: list[list[float]] = []

    def bind(self, sizes: Mapping[str, int]) -> Callable[[Sequence[int]], None]:
        bound = self.compiled.bind(sizes)
        return lambda addresses: self.calls.append(bound.timed(addresses))

    def explain(self) -> str:
        return self.compiled.explain()


def report(graph: _Timed, threads: int) -> str:
    """A line for each kernel: its least time in microseconds, the ideal, what is lost, operators and arrays."""
    peak = max(measure.measure_fma_peak(threads) for _ in range(5))
    copy = measure.measure_copy_bandwidth(COPY_BYTES, threads)
    lines: list[tuple[float, str]] = []
    total = [0.0, 0.0]
    for k, (group, kernel) in enumerate(zip(graph.compiled.groups, graph.compiled.kernels, strict=True)):
        us = min(call[k] for call in graph.calls) * 1e6
        moved = sum(value_bytes(v) for v in (*group.inputs, *group.outputs))
        ideal = max(_flops(group) / peak, moved / copy) * 1e6
        total = [total[0] + us, total[1] + ideal]
        text = f"{kernel.name.removeprefix('fused_')} ({_arrays(group.inputs)}) -> ({_arrays(group.outputs)})"
        lines.append((us - ideal, f"{us:9.1f} {ideal:9.1f} {us - ideal:9.1f}  {k:3} {text}"))
    head = (f"{graph.compiled.name}: {len(lines)} kernels, {total[0]:.1f} us, ideal {total[1]:.1f} "
            f"(peak {peak / 1e9:.0f} GFLOP/s, copy {copy / 1e9:.1f} GB/s)")  # fmt: skip
    return "\n".join([head, *[text for _, text in sorted(lines, reverse=True)]])


def _flops(group: Group) -> float:
    """Of the contractions of a group, in units that the peak of float32 counts."""
    pairs = 2.0 if "avx512bf16" in resolve_target().features else 1.0
    flops = 0.0
    for node in group.nodes:
        traits = traits_from(stages_of(node))
        if traits.kind == "contraction":
            is_half = all(v.dtype.itemsize_bytes == 2 for v in node.inputs[:2])
            flops += 2.0 * traits.operations / (pairs if is_half else 1.0)
    return flops


def _arrays(values: Sequence[Value]) -> str:
    return ", ".join([f"{v.dtype}[{', '.join(map(str, v.shape))}]" for v in values])
