"""What a row of `bench.operators` is: one operator at one shape, with its counterparts in other libraries."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import akg
from akg.base.dtype import dtype_of
from bench.typical import Inputs

Function = Callable[..., Any]


@dataclass(frozen=True)
class Row:
    """One operator at one shape.

    Attributes:
        name: of the row.
        shapes: of the inputs.
        define: te tensors of these shapes -> output; or a script that updates its one input; for an operator of the
            library, () -> (outputs, inputs).
        numpy: (namespace, *arrays) -> output.
        torch: (torch, *tensors) -> output.
        onnx: the body of a graph, from x0, x1, ... to y.
        jax: (jax, *arrays) -> output; None is `numpy` with jax.numpy.
        numpy_out: (numpy, out, *arrays), into a preallocated output; so `torch_out`.
        flops: arithmetic operations.
        bytes: that must be moved, each array once.
        sources: large arrays that are read for the one that is written, for the stream to compare with.
        dtype: of the output, and of inputs that `dtypes` does not tell.
        dtypes: of the inputs.
        limits: of the elements of each input; without them from -1 to 1.
        is_library: whether it is one of the rows for every operator of the library.
        is_quick: whether ``--quick`` has it.
        skip: peers that do not have the dtype.
        loops: the same in C, see `bench.loops`.
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]
    define: Any
    numpy: Function | None
    torch: Function | None = None
    onnx: str = ""
    jax: Function | None = None
    numpy_out: Function | None = None
    torch_out: Function | None = None
    flops: int = 0
    bytes: int = 0
    sources: int = 1
    dtype: str = "float32"
    dtypes: tuple[str, ...] = ()
    limits: tuple[tuple[float, float], ...] = ()
    is_library: bool = False
    is_quick: bool = False
    skip: tuple[str, ...] = ()
    loops: str = ""

    @property
    def reads_only(self) -> bool:
        """Whether it writes next to nothing, so that a plain read is its limit."""
        types = self.dtypes or (self.dtype,) * len(self.shapes)
        read = sum(math.prod(s) * dtype_of(t).itemsize_bytes for s, t in zip(self.shapes, types, strict=False))
        return not self.is_in_place and bool(self.shapes) and read > 0.95 * self.bytes > 0

    @property
    def is_in_place(self) -> bool:
        """Whether it updates its input."""
        return isinstance(self.define, akg.Script)

    def build(self) -> akg.Kernel:
        """The kernel, definition included."""
        name = "row_" + self.name.replace("-", "_")
        if self.is_in_place:
            return akg.build(self.define, name=name)
        if self.is_library:
            outputs, inputs = self.define()
            return akg.build(outputs, inputs=inputs, name=name)
        new = Inputs()
        inputs = [new(*shape, dtype=self.dtype) for shape in self.shapes]
        return akg.build([self.define(*inputs)], inputs=inputs, name=name)

    def arrays(self, seed: int) -> list[Any]:
        """Random inputs, the same in every process."""
        rng = np.random.default_rng(seed)
        dtypes = self.dtypes or (self.dtype,) * len(self.shapes)
        limits = self.limits or ((-1.0, 1.0),) * len(self.shapes)
        arrays: list[Any] = []
        for shape, dtype, (low, high) in zip(self.shapes, dtypes, limits, strict=True):
            kind = dtype_of(dtype)
            values = rng.uniform(low, high, shape)
            arrays.append(values > 0.5 if kind.kind == "bool" else values.astype(np.float32).astype(kind.numpy))
        return arrays
