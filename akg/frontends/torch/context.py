"""What a converter sees: one node of an FX graph with its arguments, and the graph that it adds to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from akg.base.dtype import DType
from akg.frontends.torch.package import akg_dtype, torch
from akg.frontends.torch.symbols import sizes_of
from akg.frontends.torch.table import unsupported
from akg.fusion import Builder
from akg.ir.expr import Const, Expr
from akg.ir.graph import Value


@dataclass(frozen=True, slots=True)
class Call:
    """A node under conversion.

    Attributes:
        name: of the overload.
        args: positional arguments: values, numbers, lists, None.
        kwargs: keyword arguments.
        result: what torch says of the result: a fake tensor, or a tuple of them.
        fakes: the fake tensors of the positional arguments, where they are tensors.
        builder: of the graph.
        target: the overload itself.
    """

    name: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    result: Any
    fakes: Sequence[Any]
    builder: Builder
    target: Any

    def get(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by position or by name."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    def value(self, position: int) -> Value:
        """An argument that is a tensor."""
        found = self.args[position]
        if not isinstance(found, Value):
            raise unsupported(f"{self.name} on {type(found).__name__}", f"argument {position} is no tensor")
        return found

    def apply(self, op: str, *args: Any, **attributes: Any) -> Any:
        """An operator of `akg.ops`."""
        return self.builder.node(op, list(args), attributes, origin=f"node {self.name}")

    def define(self, op: str, definition: Callable[..., Any], *args: Any, kind: str) -> Any:
        """An operator of one's own, by a function on te tensors."""
        return self.builder.node(op, list(args), {}, origin=f"node {self.name}", kind=kind, definition=definition)

    def cast(self, value: Any, dtype: DType) -> Any:
        """A tensor in another type; numbers stay as they are, weak in types."""
        if not isinstance(value, Value) or value.dtype is dtype:
            return value
        if dtype.name == "bool":
            return self.apply("not_equal", value, 0)
        return self.apply("astype", value, dtype)

    @property
    def dtype(self) -> DType:
        """The element type of the (first) result."""
        first = self.result[0] if isinstance(self.result, (tuple, list)) else self.result
        return dtype_or_refusal(first.dtype, self.name)

    @property
    def shape(self) -> tuple[int | Expr, ...]:
        """The shape of the (first) result; sizes that are known at calls only are expressions."""
        first = self.result[0] if isinstance(self.result, (tuple, list)) else self.result
        return sizes_of(first.shape, self.name)

    def promoted(self, *positions: int) -> DType:
        """The type that operands meet in, by torch's rules."""
        operands = [self.fakes[p] if self.fakes[p] is not None else self.args[p] for p in positions]
        kind = torch.result_type(operands[0], operands[1]) if len(operands) > 1 else operands[0].dtype
        return dtype_or_refusal(kind, self.name)

    def scalar(self, number: Any, dtype: DType) -> Value:
        """A constant of rank 0.

        Raises:
            AkgError: AKG-E741 for a size that is known at calls only.
        """
        if isinstance(number, Expr):
            raise unsupported(f"{self.name} with the size {number}", "only shapes may have symbols")
        return self.builder.constant(np.asarray(number, dtype.numpy))


def dtype_or_refusal(dtype: Any, name: str) -> DType:
    """The element type of a torch dtype.

    Raises:
        AkgError: AKG-E741 for one that akg does not have.
    """
    found = akg_dtype(dtype)
    if found is None:
        raise unsupported(f"{name} on {dtype}", "akg does not have this element type")
    return found


def shape_of(value: Value) -> tuple[int, ...]:
    """The shape of a value as integers.

    Raises:
        AkgError: AKG-E741 for sizes that are not known.
    """
    found = value.const_shape
    if found is None:
        raise unsupported(f"{value.name} of symbolic shape", "its sizes are not known yet")
    return found


def extent_of(value: Value, axis: int) -> int:
    """The size of a value along an axis.

    Raises:
        AkgError: AKG-E741 if it is not known.
    """
    size = value.shape[axis]
    if not isinstance(size, Const):
        raise unsupported(f"{value.name} along an axis of {size} elements", "the size is not known yet")
    return int(size.value)


def bound(call: Call) -> dict[str, Any]:
    """All arguments by the names of the overload's schema, defaults included."""
    schema = call.target._schema
    found: dict[str, Any] = {}
    for position, argument in enumerate(schema.arguments):
        default = argument.default_value if argument.has_default_value() else None
        found[argument.name] = call.get(position, argument.name, default)
    return found
