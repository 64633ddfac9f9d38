"""A third-party backend: `target="reference"` runs kernels in akg's interpreter.

It shows all that a backend needs: an object with `name`, `emit` and `load` (and `passes`, if not all of the passes
suit it), a function that describes the target,
and two entry points in pyproject.toml. Nothing in akg knows of it.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from akg.base.target import Target
from akg.codegen.backend import Module
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Var
from akg.ir.interp import interpret
from akg.ir.rewrite import substitute
from akg.ir.simplify import simplify
from akg.ir.stmt import Kernel
from akg.ir.text import parse_kernel, to_text

SLOT_BYTES = 8


class Interpreted:
    """A kernel that is called through the packed convention: one array of 8-byte slots, a status as result.

    It has what linked machine code has: `address` gives the function pointer of a symbol.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(self._call)

    def address(self, symbol: str) -> int:
        """The address of ``<kernel>_packed``."""
        if symbol != f"{self.kernel.name}_packed":
            raise KeyError(symbol)
        found = ctypes.cast(self._entry, ctypes.c_void_p).value
        assert found is not None
        return found

    def _call(self, slots: int) -> int:
        words = np.frombuffer(ctypes.string_at(slots, SLOT_BYTES * len(self.kernel.params)), np.int64)
        sizes = {p.value: int(w) for p, w in zip(self.kernel.params, words) if p.role == "size"}
        values: list[Any] = []
        for param, word in zip(self.kernel.params, words):
            value = param.value
            if isinstance(value, Buffer):
                values.append(_array(value, int(word), sizes))
            elif param.role == "size":
                values.append(int(word))
            else:
                values.append(np.frombuffer(word.tobytes(), value.dtype.numpy)[0])
        interpret(self.kernel, *values)
        return 0


def _array(buffer: Buffer, address: int, sizes: dict[Any, int]) -> np.ndarray[Any, Any]:
    constants: dict[Var, Expr] = {var: Const(size) for var, size in sizes.items()}
    shape = tuple(int(simplify(substitute(s, constants))) for s in buffer.shape)  # type: ignore[call-overload]
    count = int(np.prod(shape, dtype=np.int64))
    if count == 0:
        return np.empty(shape, buffer.dtype.numpy)
    memory = (ctypes.c_uint8 * (count * buffer.dtype.itemsize_bytes)).from_address(address)
    return np.frombuffer(memory, buffer.dtype.numpy).reshape(shape)


class ReferenceBackend:
    """Emits loop IR as text; loading parses it again."""

    name = "reference"
    passes = ("prove", "generate", "contract", "simplify")  # no vectors, no threads: they only slow it down

    def emit(self, kernel: Kernel, target: Target) -> Module:
        """The text of the loop IR."""
        return Module(to_text(kernel), "loop", kernel.name, target)

    def load(self, module: Module) -> Interpreted:
        """Something to call, from the text alone: so it may come from a cache."""
        return Interpreted(parse_kernel(module.text))


def target() -> Target:
    """The target "reference"."""
    return Target(
        name="reference", backend="reference", arch="any", cpu="interpreter", features=frozenset(), vector_bits=64,
        vector_registers=1, has_fma=False, is_host=True,
    )  # fmt: skip


BACKEND = ReferenceBackend()
