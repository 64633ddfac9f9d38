"""Which operators become one kernel: groups without cycles between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from akg.fusion.group import Group, group_of
from akg.ir.graph import Graph, Node, Value

MOST_NODES = 24


@dataclass
class Partition:
    """The groups of a graph, each after those that it reads from, and why other edges were not fused."""

    groups: tuple[Group, ...]
    reasons: list[tuple[Node, Node, str]] = field(default_factory=list[tuple[Node, Node, str]])


def partition(graph: Graph) -> Partition:
    """Join each node with a group of one of its producers where the rules allow it."""
    state = _Clusters(graph)
    for node in graph.nodes:
        state.place(node)
    groups = state.in_order()
    assigned = assigned_in(graph, groups)
    return Partition(
        tuple([group_of(graph, nodes, updates) for nodes, updates in zip(groups, assigned, strict=True)]),
        state.reasons,
    )


def whole(graph: Graph) -> Partition:
    """All nodes as one group."""
    return Partition((group_of(graph, graph.nodes, graph.updates),) if graph.nodes else ())


def assigned_in(graph: Graph, groups: Sequence[Sequence[Node]]) -> list[dict[Value, Value]]:
    """The assignments that each kernel can do itself: no later kernel reads the old elements."""
    last = {value: k for k, nodes in enumerate(groups) for node in nodes for value in node.inputs}
    made = {value: k for k, nodes in enumerate(groups) for node in nodes for value in node.outputs}
    result: list[dict[Value, Value]] = [{} for _ in groups]
    for target, value in graph.updates.items():
        k = made.get(value)
        if k is not None and last.get(target, k) <= k and target not in graph.outputs:
            result[k][target] = value
    return result


class _Clusters:
    """Groups under construction: of each, its nodes and the groups that it depends on, as bits."""

    def __init__(self, graph: Graph) -> None:
        self.producers = graph.producers()
        self.members: list[list[Node]] = []
        self.before: list[int] = []  # transitively
        self.where: dict[Node, int] = {}
        self.reasons: list[tuple[Node, Node, str]] = []

    def place(self, node: Node) -> None:
        """Put `node` into the latest group among its producers' that takes it, else into one of its own."""
        sources = [self.producers[v] for v in node.inputs if v in self.producers]
        reads = dict.fromkeys(self.where[s] for s in sources)
        chosen: int | None = None
        for candidate in sorted(reads, reverse=True):
            why = self.obstacle(candidate, node, [r for r in reads if r != candidate])
            if not why and chosen is None:
                chosen = candidate
                continue
            why = why or "another producer's group takes it"
            self.reasons.extend((s, node, why) for s in sources if self.where[s] == candidate)
        if chosen is None:
            chosen = len(self.members)
            self.members.append([])
            self.before.append(0)
        self.members[chosen].append(node)
        self.where[node] = chosen
        for other in reads:
            if other != chosen:
                self.before[chosen] |= self.before[other] | 1 << other
        self.spread(chosen)

    def spread(self, changed: int) -> None:
        """What comes before a group comes before all that come after it."""
        for k, bits in enumerate(self.before):
            if bits >> changed & 1:
                self.before[k] |= self.before[changed]

    def obstacle(self, candidate: int, node: Node, others: Sequence[int]) -> str:
        """Why a node cannot join a group; empty if it can."""
        nodes = self.members[candidate]
        if any(self.before[other] >> candidate & 1 for other in others):
            return "it would make a cycle between kernels"
        if len(nodes) >= MOST_NODES:
            return f"the group has {MOST_NODES} operators"
        if node.kind == "contraction":
            return "a contraction begins a kernel"
        heavy = any(n.kind in ("contraction", "opaque") for n in nodes)
        if heavy and node.kind not in ("elementwise", "broadcast"):
            return f"a {node.kind} operator after a contraction or an opaque one"
        if node.kind == "opaque" and any(n.kind != "elementwise" for n in nodes):
            return "an opaque operator after others"
        return ""

    def in_order(self) -> list[list[Node]]:
        """The groups in topological order."""
        done, order = 0, list[list[Node]]()
        pending = list(range(len(self.members)))
        while pending:
            ready = next(k for k in pending if not self.before[k] & ~done)
            pending.remove(ready)
            done |= 1 << ready
            order.append(self.members[ready])
        return order


def value_bytes(value: Value) -> int | None:
    """The size of a value in memory; None for a symbolic one."""
    shape = value.const_shape
    if shape is None:
        return None
    total = value.dtype.itemsize_bytes
    for extent in shape:
        total *= extent
    return total
