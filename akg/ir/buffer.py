"""Memory: a named, dense, row-major array in one of the scopes."""

from __future__ import annotations

from typing import Literal

from akg.base.dtype import DType
from akg.ir.expr import Const, Expr

# global: an argument, or a temporary on the heap that all threads see.
# local: a temporary of the thread that declares it (stack or per-thread heap), small enough for a cache.
# register: a tile of constant shape whose every subscript is constant after unrolling, apart from the
#           lane of a vector loop in its last dimension. A backend keeps it in registers.
# shared, l1, ubuf, ...: memories of devices, named by their backends.
Scope = Literal["global", "local", "register", "shared"]


class Buffer:
    """A named array. Identity is equality: two buffers of one name are two buffers.

    Attributes:
        name: unique within a kernel.
        shape: one index expression per dimension over the kernel's sizes; () is a scalar.
        dtype: type of an element.
        scope: where it lives.
    """

    __slots__ = ("__weakref__", "dtype", "name", "scope", "shape")
    scope: Scope

    def __init__(self, name: str, shape: tuple[Expr, ...], dtype: DType, scope: Scope = "global") -> None:
        self.name, self.shape, self.dtype, self.scope = name, shape, dtype, scope

    @property
    def const_shape(self) -> tuple[int, ...] | None:
        """The shape as integers, or None if a dimension is symbolic."""
        sizes = tuple(int(s.value) for s in self.shape if isinstance(s, Const))
        return sizes if len(sizes) == len(self.shape) else None

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype}[{', '.join(map(str, self.shape))}]"
