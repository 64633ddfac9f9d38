"""A group of nodes that becomes one kernel, and its definition on te tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from akg.fusion.builder import defined
from akg.ir import te
from akg.ir.expr import Const, Var
from akg.ir.graph import Graph, Node, Value, values_in
from akg.ir.lower import arguments_of, lower_te
from akg.ir.rewrite import loads_of
from akg.ir.stmt import Kernel
from akg.ir.te.tensor import Compute, Tensor

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


def groups_of(graph: Graph, parts: Sequence[Sequence[Node]]) -> tuple[Group, ...]:
    """Groups from the nodes of each, in topological order; a node may be in several, which then compute it each.

    A group does the assignments of values that it computes, where no later kernel reads the old elements. What is
    assigned is in the assigned input from then on: later groups read it there.
    """
    assigned = _assigned_in(graph, parts)
    inside = [{value for node in nodes for value in node.outputs} for nodes in parts]
    reads = [
        dict.fromkeys(v for n in nodes for v in n.inputs if v not in own)
        for nodes, own in zip(parts, inside, strict=True)
    ]
    done = {target: k for k, updates in enumerate(assigned) for target in updates}
    needed = {*graph.outputs, *[v for target, v in graph.updates.items() if target not in done]}
    in_place = {v for updates in assigned for v in updates.values()}
    needed.update(v for found in reads for v in found if v not in in_place)
    groups: list[Group] = []
    taken: set[Value] = set()
    for nodes, found, updates in zip(parts, reads, assigned, strict=True):
        found.update(dict.fromkeys(updates))
        outputs = tuple([v for node in nodes for v in node.outputs if v in needed and v not in taken])
        taken.update(outputs)
        groups.append(Group(tuple(nodes), tuple(found), outputs, updates))
    return tuple(groups)


def _assigned_in(graph: Graph, parts: Sequence[Sequence[Node]]) -> list[dict[Value, Value]]:
    """The assignments that each kernel can do itself: no later kernel reads the old elements."""
    last = {value: k for k, nodes in enumerate(parts) for node in nodes for value in node.inputs}
    made: dict[Value, int] = {}
    for k, nodes in enumerate(parts):
        for node in nodes:
            for value in node.outputs:
                made.setdefault(value, k)
    result: list[dict[Value, Value]] = [{} for _ in parts]
    for target, value in graph.updates.items():
        k = made.get(value)
        if k is not None and parts[k][0].program is None and last.get(target, k) <= k and target not in graph.outputs:
            result[k][target] = value
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A group in tensor expressions.

    Attributes:
        kernel: its loop IR.
        inputs: what the kernel takes, in calling order: te placeholders, and sizes that no shape tells.
        values: the value that each placeholder stands for.
        names: the values that nodes compute, by the names of their arrays in loop IR.
    """

    kernel: Kernel
    inputs: tuple[Tensor | Var, ...]
    values: Mapping[Tensor, Value]
    names: Mapping[str, Value]


def define(group: Group, graph: Graph, *, rounded: bool = True) -> Definition:
    """The group's definition: each node's own, on the tensors before it. Constants of one element become numbers."""
    program = group.nodes[0].program
    if program is not None:
        holders = {te.placeholder(v.shape, v.dtype, name=v.name): v for v in values_in(group.nodes[0].args)}
        return Definition(program, tuple(holders), holders, {})
    tensors: dict[Value, Tensor] = {}
    values: dict[Tensor, Value] = {}
    for position, value in enumerate(group.inputs):
        data = graph.constants.get(value)
        if data is not None and data.size == 1:
            tensors[value] = _number(value, data.reshape(()).item())
        else:
            tensors[value] = te.placeholder(value.shape, value.dtype, name=f"in{position}")
            values[tensors[value]] = value
    names: dict[str, Value] = {}
    for position, node in enumerate(group.nodes):
        for value, tensor in zip(node.outputs, defined(node, tensors), strict=True):
            tensors[value] = tensor
            if isinstance(tensor.op, Compute):  # a name that no other tensor of the kernel has
                tensor.name = f"{node.op}{position}" if len(node.outputs) == 1 else f"{tensor.name}_{position}"
                names[tensor.name] = value
        for inner in _inside(node.outputs, tensors):
            inner.name = f"{inner.name}_{position}"
            names[inner.name] = node.outputs[0]
    outputs = [tensors[v] for v in group.outputs]
    updates = {tensors[target]: tensors[v] for target, v in group.updates.items()}
    found = arguments_of(outputs, updates)
    inputs = [t for t in values if t in found] + [a for a in found if isinstance(a, Var)]
    kernel = lower_te(outputs, inputs, group.name, updates, fewer_dimensions=True, rounded=rounded)
    return Definition(kernel, tuple(inputs), values, names)


def _inside(outputs: Sequence[Value], tensors: Mapping[Value, Tensor]) -> list[Tensor]:
    """The tensors between the inputs and the outputs of a node: steps of its own definition."""
    known = set(tensors.values())
    stack, found = [tensors[v] for v in outputs], dict[Tensor, None]()
    while stack:
        op = stack.pop().op
        for load in (load for body in op.bodies for load in loads_of(body)) if isinstance(op, Compute) else ():
            source = load.buffer
            if isinstance(source, Tensor) and source not in known and source not in found:
                found[source] = None
                stack.append(source)
    return list(found)


def _number(value: Value, number: float) -> Tensor:
    return te.compute(value.shape, lambda *_: Const(number, value.dtype), name=value.name)
