"""Topological order of nodes that come in any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from akg.base.errors import AkgError
from akg.ir.graph.graph import Node, Value


def in_order(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """`nodes` with each after those whose values it reads, in the given order otherwise.

    Raises:
        AkgError: AKG-E703 for a cycle, which the message names.
    """
    producer = {value: node for node in nodes for value in node.outputs}
    state: dict[Node, bool] = {}  # False: on the way, True: done
    order: list[Node] = []
    for root in nodes:
        stack: list[tuple[Node, Iterable[Value]]] = []
        if root not in state:
            state[root] = False
            stack.append((root, iter(root.inputs)))
        while stack:
            node, rest = stack[-1]
            for value in rest:
                before = producer.get(value)
                if before is None or state.get(before):
                    continue
                if before in state:
                    raise _cycle([n for n, _ in stack], before)
                state[before] = False
                stack.append((before, iter(before.inputs)))
                break
            else:
                stack.pop()
                state[node] = True
                order.append(node)
    return tuple(order)


def _cycle(trail: list[Node], again: Node) -> AkgError:
    names = [node.outputs[0].name for node in trail[trail.index(again) :]]
    return AkgError(
        "AKG-E703", "the graph has a cycle", because=" <- ".join([*names, names[0]]),
        hint="a value cannot depend on itself: look at the inputs of these nodes",
    )  # fmt: skip
