"""Operators that make up a softmax product, and so become one kernel: matmul, scale, mask, softmax, matmul.

No names count: between a contraction and another one that all of it flows into, there must be a reduction, and the
loops of all that must be what `akg.poly.rewrite.softmax_match` looks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from akg.base.target import Target
from akg.fusion.group import define, groups_of
from akg.fusion.traits import Class
from akg.ir.graph import Graph, Node, Value
from akg.poly.rewrite.softmax_form import form_of
from akg.poly.rewrite.softmax_match import find_softmax_products

MOST_NODES = 24


def softmax_groups(graph: Graph, kind_of: Callable[[Node], Class], target: Target) -> list[list[Node]]:
    """Nodes that are one softmax product each, in order, from the scores to the product with the values.

    Args:
        graph: the nodes.
        kind_of: the class of a node.
        target: the machine, whose caches say whether tiles pay.
    """
    if sum(kind_of(node) == "contraction" for node in graph.nodes) < 2:
        return []
    search = _Search(graph, kind_of)
    found: list[list[Node]] = []
    for position, node in enumerate(graph.nodes):
        if kind_of(node) != "contraction":
            continue
        for value in dict.fromkeys(node.inputs):
            nodes = search.between(value, position)
            if nodes and _is_softmax_product(graph, nodes, target):
                found.append(nodes)
                break
    return found


class _Search:
    def __init__(self, graph: Graph, kind_of: Callable[[Node], Class]) -> None:
        self.graph, self.kind_of = graph, kind_of
        self.producers, self.readers = graph.producers(), graph.readers()

    def between(self, value: Value, end: int) -> list[Node]:
        """The nodes that flow into node `end` alone, by one operand, up to one contraction; else none."""
        graph = self.graph
        nodes = [graph.nodes[end]]
        reached = {self.producers[value]} if value in self.producers else set[Node]()
        kinds: list[Class] = []
        for node in reversed(graph.nodes[:end]):
            if node not in reached or not self.is_inner(node, nodes):
                continue
            kinds.append(self.kind_of(node))
            if node.program is not None or kinds[-1] == "sequential" or len(nodes) >= MOST_NODES:
                return []
            nodes.append(node)
            if kinds[-1] != "contraction":
                reached.update(self.producers[v] for v in node.inputs if v in self.producers)
        return nodes[::-1] if kinds.count("contraction") == 1 and "reduce" in kinds else []

    def is_inner(self, node: Node, nodes: Sequence[Node]) -> bool:
        """Whether only `nodes` read what a node computes."""
        results = self.graph.results
        return all(v not in results and all(r in nodes for r in self.readers.get(v, ())) for v in node.outputs)


def _is_softmax_product(graph: Graph, nodes: Sequence[Node], target: Target) -> bool:
    """Whether the loops of some nodes are a softmax product that gains in tiles."""
    alone = replace(graph, nodes=tuple(nodes), outputs=nodes[-1].outputs, updates={})
    (group,) = groups_of(alone, [nodes])
    found = find_softmax_products(define(group, alone).kernel)
    return len(found) == 1 and form_of(found[0], target) is not None
