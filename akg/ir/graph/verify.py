"""What holds for every graph: values are defined once, before they are read, and what is assigned is an input."""

from __future__ import annotations

from akg.base.errors import AkgError, suggest
from akg.ir.graph.graph import Graph, Value
from akg.ir.te.tensor import shape_text


def verify_graph(graph: Graph) -> None:
    """Check the structure of a graph; shapes and types are checked where nodes are made.

    Raises:
        AkgError: AKG-E701 for a value that nothing defines, AKG-E702 for one that is defined twice or shares its name,
            AKG-E703 for one that is read before it is computed, AKG-E705 for an assignment that does not fit.
    """
    known: dict[Value, None] = {}
    names: set[str] = set()
    for value in (*graph.inputs, *graph.constants):
        _define(value, known, names)
    produced = {value for node in graph.nodes for value in node.outputs}
    for node in graph.nodes:
        for value in node.inputs:
            if value in known:
                continue
            if value in produced:
                raise AkgError(
                    "AKG-E703", f"{node.op} reads {value.name} before it is computed",
                    because="the nodes of a graph are in topological order", hint="order them with ir.graph.in_order",
                )  # fmt: skip
            raise _undefined(value, f"{node.op} reads", names)
        for value in node.outputs:
            _define(value, known, names)
    for value in graph.results:
        if value not in known:
            raise _undefined(value, "the graph returns", names)
    for target, value in graph.updates.items():
        _check_update(graph, target, value)


def _define(value: Value, known: dict[Value, None], names: set[str]) -> None:
    if value.name in names:
        raise AkgError(
            "AKG-E702", f"{value.name} is defined twice", because="a name stands for one value",
            hint="give every tensor a name of its own",
        )  # fmt: skip
    names.add(value.name)
    known[value] = None


def _undefined(value: Value, who: str, names: set[str]) -> AkgError:
    return AkgError(
        "AKG-E701", f"{who} {value.name}, which nothing defines",
        because="a value is an input, a constant, or what a node gives", hint=suggest(value.name, names, "values"),
    )  # fmt: skip


def _check_update(graph: Graph, target: Value, value: Value) -> None:
    if target not in graph.inputs:
        raise AkgError(
            "AKG-E705", f"{target.name} is assigned, and is no input", because="only arguments are updated in place",
            hint="return the value instead",
        )  # fmt: skip
    if target.shape != value.shape or target.dtype is not value.dtype:
        raise AkgError(
            "AKG-E705", f"{target.name} is assigned a value that does not fit",
            because=f"it is {target.dtype}{shape_text(target.shape)}, the value {value.dtype}{shape_text(value.shape)}",
            hint="convert or reshape the value",
        )  # fmt: skip
