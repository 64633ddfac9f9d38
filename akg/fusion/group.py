"""A group of nodes that becomes one kernel, and its definition on te tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from akg.fusion.builder import defined
from akg.ir import te
from akg.ir.expr import Const, Var
from akg.ir.graph import Graph, Node, Value
from akg.ir.lower import arguments_of, lower_te
from akg.ir.stmt import Kernel
from akg.ir.te.tensor import Tensor

NAME_LIMIT = 60  # characters: of a kernel's name, which lists its operators


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Nodes that become one kernel.

    Attributes:
        nodes: in topological order.
        inputs: the values that they read and do not compute.
        outputs: what others need of what they compute.
        updates: inputs of the graph that the kernel leaves with new elements, and those.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    updates: Mapping[Value, Value] = field(default_factory=dict[Value, Value])

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


def group_of(graph: Graph, nodes: Sequence[Node], updates: Mapping[Value, Value]) -> Group:
    """The group of some nodes of a graph, in the order given, which does some of its assignments.

    What is assigned by the group is in the assigned input from then on: others read it there.
    """
    inside = {value for node in nodes for value in node.outputs}
    inputs = dict.fromkeys(v for node in nodes for v in node.inputs if v not in inside)
    inputs.update(dict.fromkeys(updates))
    members = set(nodes)
    needed = {*graph.outputs, *[v for target, v in graph.updates.items() if target not in updates]}
    needed.update(v for node in graph.nodes if node not in members for v in node.inputs if v not in updates.values())
    outputs = tuple([v for node in nodes for v in node.outputs if v in needed])
    return Group(tuple(nodes), tuple(inputs), outputs, updates)


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A group in tensor expressions.

    Attributes:
        kernel: its loop IR.
        inputs: what the kernel takes, in calling order: te placeholders, and sizes that no shape tells.
        values: the value that each placeholder stands for.
    """

    kernel: Kernel
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
    outputs = [tensors[v] for v in group.outputs]
    updates = {tensors[target]: tensors[v] for target, v in group.updates.items()}
    found = arguments_of(outputs, updates)
    inputs = [t for t in values if t in found] + [a for a in found if isinstance(a, Var)]
    return Definition(lower_te(outputs, inputs, group.name, updates, fewer_dimensions=True), tuple(inputs), values)


def _number(value: Value, number: float) -> Tensor:
    return te.compute(value.shape, lambda *_: Const(number, value.dtype), name=value.name)
