"""What a rule of algebra on operators looks at: the makers of operands, and numbers among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from akg.ir.graph.graph import Node, Value

Number: TypeAlias = "int | float | bool"


@dataclass
class Known:
    """What is known when a node is looked at: who makes its operands, and which of them are numbers."""

    constants: Mapping[Value, npt.NDArray[Any]]
    producers: dict[Value, Node] = field(default_factory=dict[Value, Node])

    def maker(self, arg: Any, *ops: str) -> Node | None:
        """The node that makes an operand, where it is one of these operators of the library."""
        node = self.producers.get(arg) if isinstance(arg, Value) else None
        return node if node is not None and node.definition is None and node.op in ops else None

    def number(self, arg: Any) -> Number | None:
        """The one number that all elements of an operand are; None if there is no such."""
        if isinstance(arg, (bool, int, float)):
            return arg
        if isinstance(arg, np.generic):
            return arg.item()
        data = self.constants.get(arg) if isinstance(arg, Value) else None
        return data.reshape(()).item() if data is not None and data.size == 1 else None


Found: TypeAlias = "Value | Node | None"
Rule: TypeAlias = Callable[[Node, Known], Found]


def is_like(value: Value, result: Value) -> bool:
    """Whether two values agree in type and shape."""
    return value.dtype is result.dtype and value.shape == result.shape


def same(arg: Any, node: Node) -> Value | None:
    """An operand as the result of a node, where type and shape are the same."""
    return arg if isinstance(arg, Value) and is_like(arg, node.outputs[0]) else None


def becomes(node: Node, op: str, *args: Any, kind: str = "", **attributes: Any) -> Node:
    """Another operator of the library in a node's place, with the same result."""
    return replace(node, op=op, args=args, attributes=attributes, kind=kind or node.kind)


def argument(node: Node, position: int, name: str, default: Any = None) -> Any:
    """A parameter that may be given by place or by name."""
    return node.args[position] if len(node.args) > position else node.attributes.get(name, default)
