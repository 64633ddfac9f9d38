"""The careful way to call a kernel: every check with its own message, every kind of array.

`prepare` turns Python arguments into packed slots. The native entry (`entry.py`) handles the common case, NumPy
arrays that fit, and hands everything else to this file, so that a call is either fast or explained.
"""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from akg.base.dtype import DType
from akg.base.errors import AkgError, suggest
from akg.runtime import buffer
from akg.runtime.buffer import View
from akg.runtime.signature import ParamSpec, Signature


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call ready to run: its slots, what it returns, and what must live until it returns."""

    slots: ctypes.Array[ctypes.c_uint64]
    outputs: tuple[Any, ...]
    allocated: bool
    keep: object


def prepare(signature: Signature, args: Sequence[Any], out: Any, given_sizes: Mapping[str, Any]) -> Prepared:
    """Check arguments against the signature and lay them out for the call.

    Args:
        signature: what the kernel takes.
        args: the user's positional arguments.
        out: None, an array, or a tuple of arrays to write the outputs into.
        given_sizes: sizes passed by name, for those that no argument's shape tells.

    Raises:
        AkgError: AKG-E501 to AKG-E516, one per kind of mistake.
    """
    _check_count(signature, args)
    _check_size_names(signature, given_sizes)
    outs = _given_outputs(signature, out)
    binder = _Sizes(signature)
    for name, value in given_sizes.items():
        binder.give(name, value)
    views: list[tuple[ParamSpec, View]] = []
    slots: list[int | None] = []
    for spec, value in zip(signature.arguments, args, strict=True):
        if spec.shape is None:
            slots.append(_scalar_slot(spec, value, signature))
            continue
        view = _checked_view(spec, value, signature)
        binder.bind(spec, view)
        views.append((spec, view))
        slots.append(view.address)
    for spec, value in zip(signature.outputs, outs or (), strict=False):
        view = _checked_view(spec, value, signature)
        binder.bind(spec, view)
        views.append((spec, view))
        slots.append(view.address)
    sizes = binder.finish(views)
    _check_overlap(signature, views)
    results, fresh = outs, ()
    if results is None:
        fresh = tuple(_allocate(spec, sizes) for spec in signature.outputs)
        slots.extend(int(array.ctypes.data) for array in fresh)
        example = next((a for a, s in zip(args, signature.arguments, strict=True) if s.shape is not None), None)
        results = tuple(buffer.to_library_of(example, array) for array in fresh)
    slots.extend(sizes[name] & (2**64 - 1) for name in signature.sizes)
    block = _block_type(len(slots))(*slots)
    return Prepared(block, results, outs is None, (views, args, results, fresh))


@cache
def _block_type(length: int) -> type[ctypes.Array[ctypes.c_uint64]]:
    return ctypes.c_uint64 * length  # making the type costs more than the rest of the call


def _label(spec: ParamSpec) -> str:
    return f"{'output' if spec.role == 'out' else 'argument'} {spec.name!r}"


def _takes(signature: Signature) -> str:
    return f"the kernel is {signature}"


def _check_count(signature: Signature, args: Sequence[Any]) -> None:
    if len(args) == len(signature.arguments):
        return
    want = len(signature.arguments)
    names = ", ".join(str(p) for p in signature.arguments)
    call = f"{signature.name}({', '.join(p.name for p in signature.arguments)})"
    raise AkgError(
        "AKG-E501",
        f"{signature.name} takes {want} argument{'s' * (want != 1)}, got {len(args)}",
        because=f"it expects {names}" if names else "it expects none",
        hint="outputs are returned, or written into out="
        if len(args) > want and signature.outputs
        else f"pass every argument by position, as in {call}",
    )


def _check_size_names(signature: Signature, given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in signature.sizes:
            raise AkgError(
                "AKG-E514",
                f"{signature.name} has no keyword argument {name!r}",
                because="a call takes out= and the kernel's sizes by name",
                hint=suggest(name, ("out", *signature.sizes), "keywords"),
            )


def _given_outputs(signature: Signature, out: Any) -> tuple[Any, ...] | None:
    if out is None:
        return None
    outs: tuple[Any, ...] = tuple(out) if isinstance(out, (tuple, list)) else (out,)
    if len(outs) != len(signature.outputs):
        names = ", ".join(str(p) for p in signature.outputs) or "none"
        raise AkgError(
            "AKG-E514",
            f"out= has {len(outs)} array{'s' * (len(outs) != 1)}, {signature.name} {len(signature.outputs)} output"
            f"{'s' * (len(signature.outputs) != 1)}",
            because=f"its outputs are {names}",
            hint="pass one array per output, in that order" if signature.outputs else "leave out= away",
        )
    return outs


def constant_views(
    signature: Signature, positions: Mapping[int, Any], arrays: Mapping[str, Any]
) -> dict[str, View]:  # fmt: skip
    """Views of arrays that are given for good, by the names of arguments.

    Raises:
        AkgError: AKG-E522 for what cannot be given, AKG-E502 to AKG-E511 for an array that does not fit.
    """
    known = {p.name: p for p in signature.arguments}
    given = dict(arrays)
    for position, value in positions.items():
        if not isinstance(position, int) or not 0 <= position < len(signature.arguments):  # pyright: ignore
            raise _not_bindable(signature, f"it has no argument {position!r}", known)
        name = signature.arguments[position].name
        if name in given:
            raise _not_bindable(signature, f"argument {position}, {name!r}, is given twice", known)
        given[name] = value
    if not given:
        raise _not_bindable(signature, "no array is given", known)
    views: dict[str, View] = {}
    for name, value in given.items():
        spec = known.get(name)
        if spec is None:
            why = f"{name!r} is an output" if any(p.name == name for p in signature.outputs) else f"it has no {name!r}"
            raise _not_bindable(signature, why, known, suggest(name, known, "arguments"))
        if spec.shape is None or spec.role != "in":
            why = "is passed by value" if spec.shape is None else "is written to"
            raise _not_bindable(signature, f"{name!r} {why}", known)
        if not all(dim.is_const for dim in spec.shape):
            hint = "build the kernel with numbers for the sizes of this argument"
            raise _not_bindable(signature, f"the shape of {spec} is symbolic", known, hint)
        view = views[name] = _checked_view(spec, value, signature)
        _Sizes(signature).bind(spec, view)
    return views


def _not_bindable(signature: Signature, why: str, known: Mapping[str, ParamSpec], hint: str = "") -> AkgError:
    inputs = ", ".join(n for n, p in known.items() if p.role == "in" and p.shape is not None)
    return AkgError(
        "AKG-E522",
        f"cannot bind this to kernel {signature.name}: {why}",
        because=_takes(signature),
        hint=hint or (f"its input arrays are {inputs}, as in kernel.bind({inputs.split(', ')[0]}=array)" if inputs
                      else "it has no input arrays"),
    )  # fmt: skip


def _checked_view(spec: ParamSpec, value: Any, signature: Signature) -> View:
    assert spec.shape is not None
    label = _label(spec)
    if spec.shape == () and spec.role == "in" and isinstance(value, (bool, int, float)):
        value = np.asarray(value, spec.dtype.numpy)
    view = buffer.view_of(value, label)
    if view.dtype is not spec.dtype:
        raise AkgError(
            "AKG-E505",
            f"{label} has dtype {view.dtype_name}, expected {spec.dtype}",
            because=_takes(signature),
            hint=f"convert it: {spec.name}.astype({spec.dtype.name!r})",
        )
    if len(view.shape) != len(spec.shape):
        raise AkgError(
            "AKG-E502",
            f"{label} has {len(view.shape)} dimensions, expected {len(spec.shape)}",
            because=f"its shape is {_shape(view.shape)}, and {_takes(signature)}",
            hint="add or remove axes with reshape",
        )
    if not view.is_contiguous:
        dense = buffer.dense_strides(view.shape, view.itemsize_bytes)
        raise AkgError(
            "AKG-E506",
            f"{label} is not contiguous",
            because=f"its strides are {view.strides} bytes, dense row-major would be {dense}",
            hint="write into a contiguous array, then copy" if spec.is_written else "pass np.ascontiguousarray(array)",
        )
    if spec.is_written and view.readonly:
        raise AkgError(
            "AKG-E507",
            f"{label} is read-only",
            because="the kernel writes to it",
            hint="pass a writable array, such as a copy",
        )
    offset = view.address % view.itemsize_bytes
    if offset and view.size_bytes:
        raise AkgError(
            "AKG-E509",
            f"{label} is misaligned",
            because=f"its data begin {offset} bytes past a multiple of {view.itemsize_bytes}",
            hint="pass a copy: array.copy()",
        )
    return view


def _shape(shape: Sequence[object]) -> str:
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


class _Sizes:
    """Values of the sizes, and which argument told them."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.values: dict[str, int] = {}
        self.source: dict[str, str] = {}

    def give(self, name: str, value: Any) -> None:
        """A size that the caller passes by name."""
        try:
            number = operator.index(value)
        except TypeError:
            raise AkgError(
                "AKG-E512",
                f"size {name!r} is no integer: {type(value).__name__}",
                because=_takes(self.signature),
                hint=f"pass an integer, as in {name}=128",
            ) from None
        self._set(name, number, "the keyword")

    def bind(self, spec: ParamSpec, view: View) -> None:
        """Learn sizes from the shape of an argument, and check the dimensions that are known."""
        for axis, (dim, extent) in enumerate(zip(spec.shape or (), view.shape, strict=True)):
            solved = dim.solve(extent, self.values)
            if solved is not None:
                self._set(*solved, spec.name)
            elif dim.is_const and dim.const != extent:
                raise self._wrong(spec, view, axis, dim.const)

    def _set(self, name: str, value: int, source: str) -> None:
        if value < 0:
            raise AkgError(
                "AKG-E513",
                f"size {name} is negative: {value} from {source}",
                because=_takes(self.signature),
                hint="pass an array that is large enough",
            )
        self.values[name], self.source[name] = value, source

    def finish(self, views: Sequence[tuple[ParamSpec, View]]) -> Mapping[str, int]:
        """All sizes, after every dimension of every argument has been checked."""
        if len(self.values) < len(self.signature.sizes):
            for spec, view in views:  # dimensions such as n + m, where later arguments told one of the two
                self.bind(spec, view)
        for name in self.signature.sizes:
            if name not in self.values:
                raise AkgError(
                    "AKG-E516",
                    f"the size {name} is not known",
                    because=f"no argument has an extent that tells it; {_takes(self.signature)}",
                    hint=f"pass it by name: {self.signature.name}(..., {name}=...)",
                )
        for spec, view in views:
            for axis, (dim, extent) in enumerate(zip(spec.shape or (), view.shape, strict=True)):
                want = dim.evaluate(self.values)
                if want != extent:
                    raise self._wrong(spec, view, axis, want)
        return self.values

    def _wrong(self, spec: ParamSpec, view: View, axis: int, want: int) -> AkgError:
        dim = (spec.shape or ())[axis]
        extent, name = view.shape[axis], str(dim)
        if dim.is_const:
            return AkgError(
                "AKG-E503",
                f"{_label(spec)} has shape {_shape(view.shape)}, expected {_shape(spec.shape or ())}",
                because=f"dimension {axis} is {extent}, not {want}",
                hint="build the kernel for this shape, or with a symbolic size",
            )
        if name in self.source:
            because = f"{name} is {want} from {self.source[name]} but {extent} from {spec.name}"
        else:
            known = ", ".join(f"{v} = {n} from {self.source[v]}" for v, n in self.values.items())
            because = f"{name} is {want} ({known}) but dimension {axis} of {spec.name} is {extent}"
        return AkgError(
            "AKG-E504", f"{_label(spec)} has shape {_shape(view.shape)}, expected {_shape(spec.shape or ())}",
            because=because, hint="pass arrays whose common dimensions agree",
        )  # fmt: skip


def _scalar_slot(spec: ParamSpec, value: Any, signature: Signature) -> int:
    """A scalar's bytes, as a 64-bit slot."""
    if isinstance(value, np.ndarray) or hasattr(value, "__dlpack__"):
        if getattr(value, "ndim", 0) != 0:
            raise _bad_scalar(spec, f"it is an array of {value.ndim} dimensions", signature)
        value = value.item()
    try:
        number = _number(spec.dtype, value)
    except TypeError:
        raise _bad_scalar(spec, f"it is of type {type(value).__name__}", signature) from None
    except OverflowError:
        raise _bad_scalar(spec, f"{value} is out of range", signature) from None
    data = np.asarray(number, spec.dtype.numpy).tobytes()
    return int.from_bytes(data.ljust(8, b"\0"), "little")


def _number(dtype: DType, value: Any) -> int | float | bool:
    if dtype.is_float:
        if isinstance(value, (str, bytes)):
            raise TypeError
        return float(value)
    if dtype.kind == "bool":
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError
        return bool(value)
    number = operator.index(value)
    info = np.iinfo(dtype.numpy)
    if not info.min <= number <= info.max:
        raise OverflowError
    return number


def _bad_scalar(spec: ParamSpec, because: str, signature: Signature) -> AkgError:
    return AkgError(
        "AKG-E512", f"argument {spec.name!r} is no {spec.dtype} scalar", because=because,
        hint=f"pass a Python number; {_takes(signature)}",
    )  # fmt: skip


def _check_overlap(signature: Signature, views: Sequence[tuple[ParamSpec, View]]) -> None:
    for k, (spec, view) in enumerate(views):
        if not spec.is_written or not view.size_bytes:
            continue
        for j, (other, seen) in enumerate(views):
            if j == k or (j > k and other.is_written) or not seen.size_bytes:
                continue  # a pair of written arrays is reported once, at the later of the two
            if view.address < seen.address + seen.size_bytes and seen.address < view.address + view.size_bytes:
                same = view.address == seen.address and view.size_bytes == seen.size_bytes
                raise AkgError(
                    "AKG-E508",
                    f"{_label(spec)} {'is the same memory as' if same else 'overlaps'} {_label(other)}",
                    because=f"{signature.name} may write {spec.name} before it has read or written all of {other.name}",
                    hint="pass a separate array",
                )


def _allocate(spec: ParamSpec, sizes: Mapping[str, int]) -> Any:
    shape = tuple(dim.evaluate(sizes) for dim in spec.shape or ())
    if any(extent < 0 for extent in shape):
        raise AkgError(
            "AKG-E513",
            f"output {spec.name!r} would have shape {_shape(shape)}",
            because=f"sizes are {', '.join(f'{v} = {n}' for v, n in sizes.items())}",
            hint="pass larger arrays",
        )
    return buffer.empty(shape, spec.dtype.numpy)
