"""Running the kernels of a graph: where each value is, and memory for those between kernels.

A place is an index into one list of arrays per call: first the arguments, then constants, then what kernels compute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from akg.base.dtype import DType
from akg.base.errors import AkgError
from akg.ir.expr import Expr
from akg.runtime.buffer import empty, empty_aligned, quick_numpy, to_library_of, view_of
from akg.runtime.kernel import Kernel
from akg.runtime.signature import Dim

ALIGN_BYTES = 64
# Arrays that begin at one place in their pages are written and read without waiting for each other: `akg.runtime.pool`.
PAGE_BYTES = 4096
LARGE_BYTES = 16 * PAGE_BYTES
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A call: the places of a kernel's arguments (or names of sizes) and of its outputs."""

    kernel: Kernel
    inputs: tuple[int | str, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Spec:
    """Shape and type of what is in a place."""

    name: str
    shape: tuple[Dim, ...]
    dtype: DType

    @staticmethod
    def of(name: str, shape: Sequence[Expr], dtype: DType) -> Spec:
        """From a value's attributes."""
        return Spec(name, tuple([Dim(s) for s in shape]), dtype)

    def extents(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape under given sizes."""
        return tuple([d.evaluate(sizes) for d in self.shape])


@dataclass(frozen=True, slots=True)
class Plan:
    """What a call of a graph does.

    Attributes:
        inputs: the arguments.
        constants: at the places after the arguments.
        steps: the kernels' calls, in order.
        locals: the places between kernels, with what they hold.
        outputs: the results, with their places.
        copies: assignments that no kernel does: from a place to an argument's.
        symbols: the sizes that the arguments' shapes tell, with argument and dimension.
    """

    inputs: tuple[Spec, ...]
    constants: tuple[Array, ...]
    steps: tuple[Step, ...]
    locals: Mapping[int, Spec]
    outputs: tuple[tuple[int, Spec], ...]
    copies: tuple[tuple[int, int], ...]
    places: int


class Runner:
    """Calls a plan. Memory between kernels is kept from call to call; several threads may call at once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._is_fixed = all(d.is_const for spec in plan.locals.values() for d in spec.shape)
        self._spare: list[dict[int, Array]] = []  # workspaces that no call uses now
        inside = {place for step in plan.steps for place in step.outputs}
        self._computed = tuple([place in inside for place, _ in plan.outputs])
        self._layout = layout_of(plan, {}) if self._is_fixed else None
        self._needs_sizes = not self._is_fixed or any(
            isinstance(p, str) for s in plan.steps for p in s.inputs
        ) or any(not d.is_const for _, spec in plan.outputs for d in spec.shape)

    def __call__(self, args: Sequence[Any], out: Sequence[Any] | None = None) -> list[Any]:
        """Run all kernels; the results, in arrays of the library that the first argument comes from.

        Raises:
            AkgError: AKG-E501 for a wrong number of arguments, AKG-E514 of outputs, and what kernels raise.
        """
        plan = self.plan
        if len(args) != len(plan.inputs):
            raise _wrong_number("AKG-E501", "got", len(args), plan.inputs)
        if out is not None and len(out) != len(plan.outputs):
            raise _wrong_number("AKG-E514", "out= has", len(out), [spec for _, spec in plan.outputs])
        arrays = [_array(a, s.name) for a, s in zip(args, plan.inputs, strict=True)]
        sizes = _sizes(plan.inputs, arrays) if self._needs_sizes else {}
        slots: list[Any] = [*arrays, *plan.constants, *[None] * (plan.places - len(arrays) - len(plan.constants))]
        results = self._results(slots, out, sizes)
        space = self._spare.pop() if self._spare else self._workspace(sizes)
        for place, array in space.items():
            if slots[place] is None:
                slots[place] = array
        for step in plan.steps:
            ins = [sizes[p] if isinstance(p, str) else slots[p] for p in step.inputs]
            outs = step.outputs
            step.kernel(*ins, out=slots[outs[0]] if len(outs) == 1 else tuple([slots[p] for p in outs]))
        for source, target in plan.copies:
            slots[target][...] = slots[source]
        if self._is_fixed:
            self._spare.append(space)
        return _given(results, slots, plan, args, out)

    def _results(self, slots: list[Any], out: Sequence[Any] | None, sizes: Mapping[str, int]) -> list[Array | None]:
        """The arrays of the outputs: those of `out`, or new ones; None for a place that is filled already."""
        results: list[Array | None] = []
        for k, (place, spec) in enumerate(self.plan.outputs):
            array = _array(out[k], spec.name) if out is not None else None
            if self._computed[k] and slots[place] is None:
                if array is None:
                    array = empty(spec.extents(sizes), spec.dtype.numpy)
                slots[place] = array
            results.append(array)
        return results

    def _workspace(self, sizes: Mapping[str, int]) -> dict[int, Array]:
        plan = self.plan
        if self._layout is None:
            return {p: empty(s.extents(sizes), s.dtype.numpy) for p, s in plan.locals.items()}
        offsets, total = self._layout
        arena = empty_aligned((total,), np.dtype(np.uint8))
        space: dict[int, Array] = {}
        for place, spec in plan.locals.items():
            shape = spec.extents({})
            count = int(np.prod(shape, dtype=np.int64)) * spec.dtype.itemsize_bytes
            at = offsets[place]
            space[place] = arena[at : at + count].view(spec.dtype.numpy).reshape(shape)
        return space


def _given(
    results: list[Array | None], slots: list[Any], plan: Plan, args: Sequence[Any], out: Sequence[Any] | None
) -> list[Any]:
    """What the call returns: new arrays, what `out` holds, or an argument that is passed through."""
    example = args[0] if args else None
    given: list[Any] = []
    for k, (place, _) in enumerate(plan.outputs):
        array = results[k]
        if out is not None:
            if array is not slots[place]:
                array[...] = slots[place]  # type: ignore[index]  # pyright: ignore
            given.append(out[k])
        elif place < len(args):
            given.append(args[place])
        else:
            given.append(to_library_of(example, slots[place] if array is None else array))
    return given


def _wrong_number(code: str, what: str, count: int, wanted: Sequence[Spec]) -> AkgError:
    return AkgError(
        code, f"{what} {count} arrays, expected {len(wanted)}", because=", ".join([s.name for s in wanted]) or "none",
        hint="pass one array for each",
    )  # fmt: skip


def _array(value: Any, name: str) -> Array:
    found = quick_numpy(value)
    if found is not None:
        return found
    view = view_of(value, f"argument {name!r}")
    if isinstance(view.keep, np.ndarray):
        return view.keep
    return _Borrowed(value, view).array


class _Borrowed:
    """An array over the memory of another library's tensor, which it keeps alive."""

    def __init__(self, value: Any, view: Any) -> None:
        self.value = value
        self.__array_interface__ = {
            "version": 3, "shape": view.shape, "strides": view.strides, "data": (view.address, view.readonly),
            "typestr": f"|V{view.itemsize_bytes}",
        }  # fmt: skip
        self.dtype = view.dtype

    @property
    def array(self) -> Array:
        """The array."""
        return np.asarray(self).view(self.dtype.numpy)


def _sizes(inputs: Sequence[Spec], arrays: Sequence[Array]) -> dict[str, int]:
    """The symbols that the shapes of the arguments tell; kernels check that shapes agree."""
    sizes: dict[str, int] = {}
    for spec, array in zip(inputs, arrays, strict=True):
        for dim, extent in zip(spec.shape, array.shape, strict=False):
            if not dim.is_const:
                found = dim.solve(extent, sizes)
                if found is not None:
                    sizes.setdefault(*found)
    return sizes


def layout_of(plan: Plan, extents: Mapping[str, int]) -> tuple[dict[int, int], int]:
    """Offsets in bytes of the places between kernels in one arena, and its size; extents of symbols as given.

    Places whose lives do not meet share memory.
    """
    born: dict[int, int] = {}
    last: dict[int, int] = {}
    for k, step in enumerate(plan.steps):
        for p in step.outputs:
            born.setdefault(p, k)
            last[p] = k
        last.update((p, k) for p in step.inputs if isinstance(p, int))
    last.update((source, len(plan.steps)) for source, _ in plan.copies)
    sizes = {p: int(np.prod(s.extents(extents), dtype=np.int64)) * s.dtype.itemsize_bytes
             for p, s in plan.locals.items()}  # fmt: skip
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first step, last step
    offsets: dict[int, int] = {}
    total = 0
    for p in sorted(plan.locals, key=lambda p: -sizes[p]):
        begin, end = born[p], last[p]
        step = PAGE_BYTES if sizes[p] >= LARGE_BYTES else ALIGN_BYTES
        size = -(-sizes[p] // step) * step
        at = 0
        for other, stop, first, final in sorted(placed):
            if first <= end and begin <= final and other < at + size and at < stop:
                at = stop
        offsets[p] = at
        placed.append((at, at + size, begin, end))
        total = max(total, at + size)
    return offsets, total


