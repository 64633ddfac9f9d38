"""Graphs as text: one line a node."""

from __future__ import annotations

from typing import Any

from akg.ir.graph.graph import Graph, Node, Value


def graph_text(graph: Graph) -> str:
    """The graph, one line for each input, constant and node, then the results."""
    lines = [f"graph {graph.name}({', '.join(map(repr, graph.inputs))}):"]
    lines += [f"    {value!r} = constant" for value in graph.constants]
    lines += [f"    {node_text(node)}" for node in graph.nodes]
    lines += [f"    {target.name} := {value.name}" for target, value in graph.updates.items()]
    lines.append(f"    return {', '.join(v.name for v in graph.outputs)}")
    return "\n".join(lines) + "\n"


def node_text(node: Node) -> str:
    """One node: ``y: float32[4] = add(x, 1.0)``."""
    parts = [_arg_text(a) for a in node.args]
    parts += [f"{name}={_arg_text(value)}" for name, value in node.attributes.items()]
    return f"{', '.join(map(repr, node.outputs))} = {node.op}({', '.join(parts)})"


def _arg_text(arg: Any) -> str:
    if isinstance(arg, Value):
        return arg.name
    if isinstance(arg, (tuple, list)):
        return f"[{', '.join([_arg_text(a) for a in arg])}]"
    return str(arg)
