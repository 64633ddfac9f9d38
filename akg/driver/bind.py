"""Constant arguments: a kernel that has some of its inputs for good, packed as its loops want them.

`Kernel.bind` compiles the kernel anew with these inputs marked constant. The mapping may ask for panels of them
(`akg.poly.loops.prepack`): a small kernel for each makes them, once, and the main kernel takes them in place of the
input.
Machine code finds its constants by a table of addresses beside it, which is filled when it is linked. What is kept of
a build names them: the panels' shapes, and the loop IR of the kernels that make them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from akg.base.dtype import dtype_of
from akg.driver.pipeline import Compilation
from akg.ir import stmt
from akg.ir.buffer import Buffer
from akg.ir.text import parse_kernel, to_text
from akg.runtime import buffer
from akg.runtime.buffer import View


def with_constants(kernel: stmt.Kernel, names: Mapping[str, stmt.Constant]) -> stmt.Kernel:
    """`kernel` with some parameters constant, by name: "free" where their layout is, or "fixed"."""
    return replace(kernel, params=tuple([replace(p, constant=names.get(p.name, p.constant)) for p in kernel.params]))


def constants_of(state: Compilation) -> list[dict[str, Any]]:
    """What the table of a mapped kernel's constants holds, in its order; empty for a kernel without any.

    Each has the "source", a parameter of the definition, and for panels "pack": the kernel that makes them of it.
    """
    assert state.result is not None
    made = {panels.copy: panels for panels in state.prepack.made}
    found: list[dict[str, Any]] = []
    for param in state.result.params:
        if param.constant and isinstance(param.value, Buffer):
            panels = made.get(param.value)
            pack = to_text(panels.kernel(f"{state.kernel.name}_{param.name}")) if panels is not None else ""
            found.append({"source": panels.source.name if panels is not None else param.name, "pack": pack})
    return found


def notes_of(state: Compilation) -> list[str]:
    """A line for each operand that was packed."""
    return [
        f"{panels.source.name}: packed once, {panels.copy.name} of {' x '.join(str(s) for s in panels.copy.shape)}"
        for panels in state.prepack.made
    ]


def materialise(
    constants: list[dict[str, Any]], views: Mapping[str, View], build: Callable[[stmt.Kernel], Callable[..., Any]]
) -> list[Any]:
    """The arrays of a table: panels that `build`'s kernels make, and copies of the rest.

    Args:
        constants: as `constants_of` gave them.
        views: where the elements of each source are.
        build: compiles loops.
    """
    copies: dict[str, Any] = {}
    arrays: list[Any] = []
    for entry in constants:
        source = entry["source"]
        if not entry["pack"]:
            arrays.append(copies.setdefault(source, _copy(views[source])))
            continue
        pack = parse_kernel(entry["pack"])
        shape = pack.buffers[1].const_shape
        assert shape is not None
        panels = buffer.empty_aligned(shape, pack.buffers[1].dtype.numpy)
        build(pack)(_array(views[source]), out=panels)
        arrays.append(panels)
    return arrays


def _array(view: View) -> Any:
    """The elements of a contiguous view as an ndarray, without a copy."""
    dtype = dtype_of(view.dtype_name).numpy
    if not view.size_bytes:
        return np.empty(view.shape, dtype)
    raw: Any = np.ctypeslib.as_array((ctypes.c_uint8 * view.size_bytes).from_address(view.address))
    return raw.view(dtype).reshape(view.shape)


def _copy(view: View) -> Any:
    array = buffer.empty_aligned(view.shape, dtype_of(view.dtype_name).numpy)
    array[...] = _array(view)
    return array
