"""Values that a kernel has to copy: outputs that no node computes, and assignments of such values."""

from __future__ import annotations

from dataclasses import replace

from akg.ir import te
from akg.ir.graph import Graph, Node, Value
from akg.ir.te.tensor import Tensor


def with_copies(graph: Graph, own_outputs: bool) -> Graph:
    """`graph` with a node for each copy; with `own_outputs` every output is an array of its own.

    An output that is an assigned input is its old elements, and an assigned value that is no node's is copied, too.
    """
    computed = set(graph.producers())
    nodes = list(graph.nodes)
    taken = {v.name for v in (*graph.inputs, *graph.constants, *computed)}

    def copied(value: Value) -> Value:
        name, count = f"{value.name}_copy", 1
        while name in taken:
            name, count = f"{value.name}_copy_{count}", count + 1
        taken.add(name)
        result = Value(name, value.shape, value.dtype)
        nodes.append(Node("copy", (value,), {}, (result,), "elementwise", _copy))
        return result

    outputs: list[Value] = []
    for value in graph.outputs:
        needs = own_outputs and (value not in computed or value in outputs)
        outputs.append(copied(value) if needs else value)
    updates = {target: v if v in computed else copied(v) for target, v in graph.updates.items() if v is not target}
    if len(nodes) == len(graph.nodes) and len(updates) == len(graph.updates):
        return graph
    return replace(graph, nodes=tuple(nodes), outputs=tuple(outputs), updates=updates)


def _copy(x: Tensor) -> Tensor:
    return te.compute(x.shape, lambda *i: x[i], name="copy")
