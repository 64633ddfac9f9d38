"""Passes that only look at the structure: nodes that nothing needs, and nodes that compute the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from akg.ir.expr import Expr
from akg.ir.graph.graph import Arg, Graph, Node, Value, values_in


def remove_dead(graph: Graph) -> Graph:
    """`graph` without the nodes and constants that no result depends on; inputs stay."""
    live: set[Value] = set(graph.results)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if any(value in live for value in node.outputs):
            kept.append(node)
            live.update(node.inputs)
    constants = {value: data for value, data in graph.constants.items() if value in live}
    if len(kept) == len(graph.nodes) and len(constants) == len(graph.constants):
        return graph
    return replace(graph, nodes=tuple(reversed(kept)), constants=constants)


def merge_equal(graph: Graph) -> Graph:
    """`graph` with each of several nodes of one operator, arguments and attributes computed once."""
    found: dict[Any, Node] = {}
    replaced: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        current = reading(node, replaced) if replaced else node
        key = (node.op, node.definition, node.program, key_of(current.args), key_of(current.attributes))
        twin = found.setdefault(key, current)
        if twin is current:
            nodes.append(current)
        else:
            replaced.update(zip(node.outputs, twin.outputs, strict=True))
    if not replaced:
        return graph
    return with_results(graph, nodes, replaced)


def with_results(graph: Graph, nodes: Sequence[Node], replaced: Mapping[Value, Value]) -> Graph:
    """`graph` of these nodes, with some of the values that leave it replaced."""

    def of(value: Value) -> Value:
        return replaced.get(value, value)

    return replace(
        graph, nodes=tuple(nodes), outputs=tuple([of(v) for v in graph.outputs]),
        updates={target: of(v) for target, v in graph.updates.items()},
    )  # fmt: skip


def reading(node: Node, replaced: Mapping[Value, Value]) -> Node:
    """`node` with some of the values that it reads replaced; itself if it reads none of them."""
    if not any(value in replaced for value in node.inputs):
        return node
    attributes = {name: substituted(value, replaced.get) for name, value in node.attributes.items()}
    return replace(node, args=substituted(node.args, replaced.get), attributes=attributes)


def substituted(arg: Any, of: Callable[[Value], Any]) -> Any:
    """An argument with values replaced where `of` gives something; the same object if nothing changes."""
    if isinstance(arg, Value):
        new = of(arg)
        return arg if new is None else new
    if isinstance(arg, tuple) and any(True for _ in values_in(arg)):
        parts = tuple([substituted(a, of) for a in arg])
        return arg if all(a is b for a, b in zip(parts, arg, strict=True)) else parts
    return arg


def key_of(arg: Arg | Mapping[str, Any] | Any) -> Any:
    """What two arguments agree on if and only if they are the same: 1, 1.0, True and -0.0 are four things."""
    if isinstance(arg, (Value, Expr)):
        return arg
    if isinstance(arg, (tuple, list)):
        return tuple([key_of(a) for a in arg])
    if isinstance(arg, Mapping):
        return tuple([(name, key_of(arg[name])) for name in sorted(arg)])
    if isinstance(arg, np.ndarray):
        return (arg.shape, arg.dtype.str, arg.tobytes())
    if isinstance(arg, np.generic):
        return (arg.dtype.str, arg.tobytes())
    return (type(arg), repr(arg) if isinstance(arg, float) else arg)
