"""What a converter sees: one node with its operands and attributes, and the graph that it adds to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from akg.base.dtype import DType, dtype_of
from akg.base.errors import AkgError
from akg.frontends.onnx.table import unsupported
from akg.fusion import Builder
from akg.ir.graph import Value

Known: TypeAlias = npt.NDArray[Any]
Operand: TypeAlias = "Value | Known"


@dataclass(frozen=True, slots=True)
class Call:
    """A node under conversion.

    Attributes:
        name: of the operator, with its domain unless that is ONNX's own.
        version: of the operator set.
        operands: its inputs; None for one that is left out.
        attributes: as Python values.
        builder: of the graph.
        results: how many results the node names, and which of them are wanted.
    """

    name: str
    version: int
    operands: Sequence[Operand | None]
    attributes: Mapping[str, Any]
    builder: Builder
    wanted: tuple[bool, ...]

    def has(self, position: int) -> bool:
        """Whether an operand is given."""
        return position < len(self.operands) and self.operands[position] is not None

    def value(self, position: int) -> Value:
        """An operand as a value of the graph.

        Raises:
            AkgError: AKG-E722 where the node has none at that position.
        """
        return self.as_value(self.operand(position))

    def operand(self, position: int) -> Operand:
        """An operand, known or not.

        Raises:
            AkgError: AKG-E722 where the node has none at that position.
        """
        found = self.operands[position] if position < len(self.operands) else None
        if found is None:
            raise AkgError("AKG-E722", f"{self.name} without input {position}", because="the operator needs it")
        return found

    def values(self) -> list[Value]:
        """All operands that are given, as values."""
        return [self.as_value(o) for o in self.operands if o is not None]

    def as_value(self, operand: Operand) -> Value:
        """A value of the graph for an operand."""
        return operand if isinstance(operand, Value) else self.builder.constant(operand)

    def known(self, position: int) -> Known | None:
        """The elements of an operand; None if it is left out.

        Raises:
            AkgError: AKG-E721 if they depend on what the model is called with.
        """
        if not self.has(position):
            return None
        found = self.operand(position)
        if isinstance(found, Value):
            raise unsupported(f"{self.name} with a computed input {position}", "it decides the shapes of results")
        return found

    def integers(self, position: int) -> tuple[int, ...] | None:
        """A known operand as integers; None if it is left out."""
        found = self.known(position)
        return None if found is None else tuple(int(n) for n in found.reshape(-1))

    def axes(self, position: int, name: str = "axes") -> tuple[int, ...] | None:
        """Integers that newer versions take as an input, and older ones as an attribute."""
        found = self.integers(position)
        if found is None and self.attributes.get(name) is not None:
            found = tuple(int(n) for n in self.attributes[name])
        return found

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default."""
        found = self.attributes.get(name)
        return default if found is None else found

    def apply(self, op: str, *args: Any, **attributes: Any) -> Any:
        """An operator of `akg.ops`; known operands become constants."""
        return self.builder.node(op, [self._lifted(a) for a in args], attributes, origin=f"node {self.name}")

    def define(self, op: str, definition: Callable[..., Any], *args: Any, kind: str = "elementwise") -> Any:
        """An operator of one's own, by a function on te tensors."""
        return self.builder.node(op, [self._lifted(a) for a in args], {}, origin=f"node {self.name}", kind=kind,
                                 definition=definition)  # fmt: skip

    def _lifted(self, arg: Any) -> Any:
        if isinstance(arg, np.ndarray):
            return self.builder.constant(arg)
        if isinstance(arg, (list, tuple)):
            return [self._lifted(a) for a in arg]
        return arg

    def cast(self, value: Value, dtype: DType) -> Value:
        """The value in another type."""
        return value if value.dtype is dtype else self.apply("astype", value, dtype)

    def shape(self, position: int) -> tuple[int, ...]:
        """The shape of an operand."""
        return shape_of(self.operand(position))

    def scalar(self, number: float, dtype: DType) -> Value:
        """A constant of rank 0."""
        return self.builder.constant(np.asarray(number, dtype.numpy))


def shape_of(operand: Operand) -> tuple[int, ...]:
    """The shape of an operand as integers."""
    if isinstance(operand, Value):
        found = operand.const_shape
        assert found is not None
        return found
    return operand.shape


def dtype_of_operand(operand: Operand) -> DType:
    """The element type of an operand."""
    return operand.dtype if isinstance(operand, Value) else dtype_of(operand.dtype)
