"""Values that are cheaper computed again by a kernel that reads them than kept in memory by the kernel before.

A value that several kernels read is written once and read by each. Where it is made of arrays that a reader reads
anyway, or of smaller ones (a mask of bytes, a vector that is broadcast), by little arithmetic, the reader computes it
itself; and where all readers do, nothing writes it. Traffic is counted in bytes, arithmetic in the bytes that a core
moves in the same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from akg.fusion.traits import Traits, value_bytes
from akg.ir.graph import Graph, Node, Value

MOST_STEPS = 4  # operators that a value is computed again by
LEAST_BYTES = 1 << 15  # of a value that is worth a thought


@dataclass(frozen=True, slots=True)
class _Again:
    """A way to compute a value: the operators, and the values that they start from."""

    nodes: frozenset[Node]
    inputs: frozenset[Value]


def recomputed(
    graph: Graph, parts: Sequence[Sequence[Node]], traits: Mapping[Node, Traits]
) -> tuple[list[list[Node]], list[str]]:
    """Groups in which some operators stand several times, and a line for each value that is computed again.

    Args:
        graph: whose nodes they are.
        parts: the nodes of each group, in topological order.
        traits: of every node.
    """
    state = _Recomputation(graph, parts, traits)
    for node in reversed(graph.nodes):
        if traits[node].kind == "injective":
            for value in node.outputs:
                state.consider(value, node)
    return state.parts(), state.notes


class _Recomputation:
    """Groups as sets, while operators are added to some and leave others."""

    def __init__(self, graph: Graph, parts: Sequence[Sequence[Node]], traits: Mapping[Node, Traits]) -> None:
        self.graph, self.traits = graph, traits
        self.groups = [set(nodes) for nodes in parts]
        self.home = {node: k for k, nodes in enumerate(parts) for node in nodes}
        self.members = {node: {k} for node, k in self.home.items()}  # the groups of a node
        self.producers, self.readers = graph.producers(), graph.readers()
        self.results = set(graph.results)
        self.notes: list[str] = []

    def consider(self, value: Value, node: Node) -> None:
        """Let the readers of a value compute it where that moves fewer bytes."""
        home = self.home[node]
        readers = self.takers(value)
        if not readers or value_bytes(value) < LEAST_BYTES:
            return
        way = self.way(value, home)
        if way is None:
            return
        gains = {k: value_bytes(value) - self.cost(way, k) for k in readers if self.may(k, value)}
        is_alone = value not in self.results and not any(value in n.inputs for n in self.groups[home])
        if is_alone and len(gains) == len(readers) and sum(gains.values()) + value_bytes(value) > 0:
            chosen = readers  # nothing writes the value then
        else:
            chosen = [k for k, gain in gains.items() if gain > 0]
        for k in chosen:
            self.groups[k] |= way.nodes
            for step in way.nodes:
                self.members[step].add(k)
        if chosen:
            again = f"computed again by {len(chosen)} of {len(readers)} kernels"
            self.notes.append(f"{value.name} ({value_bytes(value)} bytes) is {again}")
        if is_alone and len(chosen) == len(readers):
            self.leave(node, home)

    def takers(self, value: Value) -> list[int]:
        """The groups that take a value from memory."""
        found = {k for reader in self.readers.get(value, ()) for k in self.members[reader]}
        return sorted(found - self.members[self.producers[value]])

    def may(self, k: int, value: Value) -> bool:
        """Whether a group reads a value about once, so that it would compute it about once."""
        readers = [r for r in self.readers[value] if r in self.groups[k]]
        return all(self.traits[r].kind in ("injective", "reduce") and r.program is None for r in readers)

    def way(self, value: Value, home: int) -> _Again | None:
        """How a value is computed from what is in memory anyway; None if that takes many operators."""
        nodes: set[Node] = set()
        inputs: set[Value] = set()
        stack = [value]
        while stack:
            current = stack.pop()
            node = self.producers.get(current)
            is_step = node is not None and node in self.groups[home] and self.traits[node].kind == "injective"
            if node is None or not is_step or (current is not value and self.is_kept(current)):
                inputs.add(current)
                continue
            if node.program is not None or len(nodes) == MOST_STEPS:
                return None
            nodes.add(node)
            stack.extend(v for v in node.inputs if self.producers.get(v) not in nodes)
        if any(v in self.producers and not self.is_kept(v) for v in inputs):
            return None  # it would have to be written in its place
        return _Again(frozenset(nodes), frozenset(inputs))

    def is_kept(self, value: Value) -> bool:
        """Whether a computed value is written to memory."""
        return value in self.results or bool(self.takers(value))

    def cost(self, way: _Again, k: int) -> float:
        """Bytes that a group reads more, and those that it could move while it computes."""
        read = {v for n in self.groups[k] for v in n.inputs}
        more = sum(value_bytes(v) for v in way.inputs if v not in read and v not in self.graph.constants)
        return more + sum(self.traits[n].work_bytes for n in way.nodes)

    def leave(self, node: Node, home: int) -> None:
        """Take an operator, and what only it needed, out of its group."""
        self.groups[home].discard(node)
        self.members[node].discard(home)
        for value in node.inputs:
            source = self.producers.get(value)
            if source is None or source not in self.groups[home] or any(v in self.results for v in source.outputs):
                continue
            inside = any(r in self.groups[home] for v in source.outputs for r in self.readers.get(v, ()))
            if not inside and not any(self.takers(v) for v in source.outputs):
                self.leave(source, home)

    def parts(self) -> list[list[Node]]:
        """The groups as lists, those that nothing is left of apart."""
        found = [[n for n in self.graph.nodes if n in group] for group in self.groups]
        return [nodes for nodes in found if nodes]
