"""Calls of a graph by addresses, for frontends that have checked their tensors: nothing is wrapped or allocated.

All kernels' slots lie in one block. What stays from call to call, the addresses of constants and of memory between
kernels, and sizes, is gathered with what changes into the block by one `struct.pack_into`.
"""

from __future__ import annotations

import ctypes
import operator
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from akg.base.errors import InternalError
from akg.fusion.run import Array, Plan, layout_of
from akg.runtime.buffer import empty_aligned
from akg.runtime.openmp import refresh_threads

_SLOT_BYTES = 8


@dataclass(frozen=True, slots=True)
class _Space:
    """What one call uses: memory between kernels and the slots, with what is known before the call."""

    arena: Array
    block: ctypes.Array[ctypes.c_uint64]
    calls: tuple[tuple[Callable[[int], int], int, Callable[[int], Any]], ...]
    fixed: tuple[int, ...]


class BoundGraph:
    """A plan with its sizes known. Several threads may call at once.

    Attributes:
        shapes: of the outputs.
    """

    def __init__(self, plan: Plan, sizes: Mapping[str, int]) -> None:
        """Bind.

        Args:
            plan: without copies; every output is what a kernel computes, and no output occurs twice.
            sizes: the symbols of the plan's shapes.

        Raises:
            InternalError: the plan has copies, passes inputs through, or is for another machine.
        """
        made = {p for step in plan.steps for p in step.outputs}
        outs = [place for place, _ in plan.outputs]
        natives = [step.kernel.native for step in plan.steps]
        if plan.copies or not made.issuperset(outs) or len(set(outs)) != len(outs) or None in natives:
            raise InternalError("a graph that cannot be called by addresses")
        self._plan, self._sizes = plan, dict(sizes)
        self.shapes = tuple([spec.extents(sizes) for _, spec in plan.outputs])
        self._natives = [n for n in natives if n is not None]
        self._is_threaded = any(n.is_threaded for n in self._natives)
        self._offsets, self._bytes = layout_of(plan, sizes)
        # positions in: arguments, outputs, constants, places between kernels, sizes
        order = [*range(len(plan.inputs)), *outs]
        order += [len(plan.inputs) + k for k in range(len(plan.constants))]
        order += list(plan.locals)
        position = {place: k for k, place in enumerate(order)}
        names = {name: len(order) + k for k, name in enumerate(self._sizes)}
        picked: list[int] = []
        self._starts: list[int] = []
        for step in plan.steps:
            self._starts.append(len(picked) * _SLOT_BYTES)
            picked += [names[p] if isinstance(p, str) else position[p] for p in (*step.inputs, *step.outputs)]
            picked += [names[name] for name in step.kernel.signature.sizes]
        self._count = len(picked)
        self._gather: Callable[[Sequence[int]], Any] = operator.itemgetter(*picked, *picked[:1])  # a tuple always
        self._pack = struct.Struct(f"{self._count + 1}q").pack_into
        self._spare: list[_Space] = []

    def __call__(self, addresses: Sequence[int]) -> None:
        """Run all kernels.

        Args:
            addresses: of the elements of the inputs, then of the outputs: dense, of the shapes and types of the graph.

        Raises:
            AkgError: what kernels find in the data.
        """
        space = self._spare.pop() if self._spare else self._space()
        self._pack(space.block, 0, *self._gather((*addresses, *space.fixed)))
        if self._is_threaded:
            refresh_threads()
        for function, slots, fail in space.calls:
            status = function(slots)
            if status:
                fail(status)
        self._spare.append(space)

    def timed(self, addresses: Sequence[int]) -> list[float]:
        """As a call; gives the seconds of each kernel."""
        space = self._spare.pop() if self._spare else self._space()
        self._pack(space.block, 0, *self._gather((*addresses, *space.fixed)))
        if self._is_threaded:
            refresh_threads()
        seconds: list[float] = []
        for function, slots, fail in space.calls:
            start = perf_counter()
            status = function(slots)
            seconds.append(perf_counter() - start)
            if status:
                fail(status)
        self._spare.append(space)
        return seconds

    def _space(self) -> _Space:
        plan = self._plan
        arena = empty_aligned((max(1, self._bytes),), np.dtype(np.uint8))
        base = int(arena.ctypes.data)
        fixed = [int(c.ctypes.data) for c in plan.constants]
        fixed += [base + self._offsets[p] for p in plan.locals]
        fixed += self._sizes.values()
        block = (ctypes.c_uint64 * (self._count + 1))()
        start = ctypes.addressof(block)
        calls = [(n.function, start + at, n.fail) for n, at in zip(self._natives, self._starts, strict=True)]
        return _Space(arena, block, tuple(calls), tuple(fixed))
