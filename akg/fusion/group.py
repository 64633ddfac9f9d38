"""A group of nodes that becomes one kernel, and its definition on te tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from akg.fusion.builder import defined
from akg.ir import te
from akg.ir.expr import Const, Var
from akg.ir.graph import Graph, Node, Value
from akg.ir.lower import arguments_of
from akg.ir.te.tensor import Compute, Tensor

NAME_LIMIT = 60  # characters: of a kernel's name, which lists its operators


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Nodes that become one kernel.

    Attributes:
        nodes: in topological order.
        inputs: the values that they read and do not compute.
        outputs: what others need of what they compute.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]

    @property
    def name(self) -> str:
        """The operators, for the kernel: equal groups of one graph, or of several, share code by it."""
        words: list[str] = []
        for node in self.nodes:
            word = "".join([c if c.isalnum() and c.isascii() else "_" for c in node.op])
            if not words or words[-1] != word:
                words.append(word)
        text = "_".join(words)
        return "fused_" + text[:NAME_LIMIT].strip("_")


def group_of(graph: Graph, nodes: Sequence[Node]) -> Group:
    """The group of some nodes of a graph, in the order given."""
    inside = {value for node in nodes for value in node.outputs}
    inputs = dict.fromkeys(v for node in nodes for v in node.inputs if v not in inside)
    members = set(nodes)
    needed = set(graph.results)
    needed.update(v for node in graph.nodes if node not in members for v in node.inputs)
    outputs = tuple([v for node in nodes for v in node.outputs if v in needed])
    return Group(tuple(nodes), tuple(inputs), outputs)


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A group in tensor expressions.

    Attributes:
        outputs: for each output of the group.
        inputs: what the kernel takes, in calling order: te placeholders, and sizes that no shape tells.
        values: the value that each placeholder stands for.
    """

    outputs: tuple[Tensor, ...]
    inputs: tuple[Tensor | Var, ...]
    values: Mapping[Tensor, Value]


def define(group: Group, graph: Graph) -> Definition:
    """The group's definition: each node's own, on the tensors before it. Constants of one element become numbers."""
    tensors: dict[Value, Tensor] = {}
    values: dict[Tensor, Value] = {}
    for position, value in enumerate(group.inputs):
        data = graph.constants.get(value)
        if data is not None and data.size == 1:
            tensors[value] = _number(value, data.reshape(()).item())
        else:
            tensors[value] = te.placeholder(value.shape, value.dtype, name=f"in{position}")
            values[tensors[value]] = value
    for node in group.nodes:
        tensors.update(zip(node.outputs, defined(node, tensors), strict=True))
    outputs = tuple([tensors[v] for v in group.outputs])
    return Definition(outputs, tuple(arguments_of(outputs)), values)


def _number(value: Value, number: float) -> Tensor:
    return te.compute(value.shape, lambda *_: Const(number, value.dtype), name=value.name)


def distinct_outputs(tensors: Iterable[Tensor]) -> bool:
    """Whether every tensor is computed, and none is twice: what a kernel can return."""
    found = list(tensors)
    return len(set(found)) == len(found) and all(isinstance(t.op, Compute) for t in found)
