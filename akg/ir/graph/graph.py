"""Graph, node and value: immutable, compared by identity; a pass makes a new graph and keeps what it did not change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from akg.base.dtype import DType
from akg.ir.expr import Const, Expr
from akg.ir.stmt import Kernel

# Of a node: a value, a Python or NumPy number, a size, None for an operand that is left out, or several of them.
Arg: TypeAlias = "Value | np.generic | Expr | int | float | bool | tuple[Arg, ...] | None"


class Value:
    """A tensor of a graph. Identity is equality.

    Attributes:
        name: unique within a graph.
        shape: one index expression per dimension, a `Const` or an affine expression over the graph's symbols.
        dtype: of the elements.
    """

    __slots__ = ("dtype", "name", "shape")

    def __init__(self, name: str, shape: tuple[Expr, ...], dtype: DType) -> None:
        self.name, self.shape, self.dtype = name, shape, dtype

    @property
    def const_shape(self) -> tuple[int, ...] | None:
        """The shape as integers, or None if a dimension is symbolic."""
        sizes = tuple([int(s.value) for s in self.shape if isinstance(s, Const)])
        return sizes if len(sizes) == len(self.shape) else None

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One application of an operator.

    Attributes:
        op: its name: of the table of `akg.ops`, or any other where `definition` is given.
        args: the positional arguments of the definition, values in place of te tensors.
        attributes: the keyword arguments; values may be among them, too.
        outputs: what it gives, in the order of the definition's results.
        kind: the class of the operator, as in `akg.ops.registry.Kind`.
        definition: what the node computes, on te tensors; None: the operator `op`.
        origin: what the user calls the node, for messages.
        program: loop IR in place of a definition: its parameters are the arguments and the outputs. It is a kernel of
            its own.
    """

    op: str
    args: tuple[Arg, ...]
    attributes: Mapping[str, Any]
    outputs: tuple[Value, ...]
    kind: str
    definition: Callable[..., Any] | None = None
    origin: str = ""
    program: Kernel | None = None

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The distinct values that it reads, in order."""
        return tuple(dict.fromkeys((*values_in(self.args), *values_in(tuple(self.attributes.values())))))

    def __repr__(self) -> str:
        return f"{', '.join(v.name for v in self.outputs)} = {self.op}({', '.join(v.name for v in self.inputs)})"


def values_in(args: Arg) -> Iterator[Value]:
    """The values in an argument, in order."""
    if isinstance(args, Value):
        yield args
    elif isinstance(args, tuple):
        for arg in args:
            yield from values_in(arg)


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A computation as operators.

    Attributes:
        name: an identifier.
        nodes: each after those whose values it reads.
        inputs: the arguments, in calling order.
        outputs: the results, in order; inputs and constants may be among them, and a value may be twice.
        constants: values that are known, with their elements.
        updates: for inputs that the graph assigns, what they hold when it is done. Every node reads the old elements.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    constants: Mapping[Value, npt.NDArray[Any]] = field(default_factory=dict)
    updates: Mapping[Value, Value] = field(default_factory=dict)

    @property
    def results(self) -> tuple[Value, ...]:
        """The distinct values that leave the graph: outputs, then what inputs are assigned."""
        return tuple(dict.fromkeys((*self.outputs, *self.updates.values())))

    def producers(self) -> dict[Value, Node]:
        """The node of every computed value."""
        return {value: node for node in self.nodes for value in node.outputs}

    def readers(self) -> dict[Value, list[Node]]:
        """The nodes that read a value, in order, for every value that is read."""
        table: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for value in node.inputs:
                table.setdefault(value, []).append(node)
        return table
