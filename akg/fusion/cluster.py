"""Which operators become one kernel: groups without cycles between them, by rules on what operators do.

A node joins a group of its producers, that which gives it most bytes first, or one that reads what it reads (siblings),
the latest first, where

  * no cycle between kernels comes of it;
  * the classes fit: an injective operator joins any group (an epilogue, or a step between passes). A reduction joins
    groups without a contraction. A contraction joins one with another contraction where the other operands together
    stay in a level-2 cache: its left side is then one tile of the result before, kept in cache. What runs in an order
    of its own begins a group;
  * a product of scores, their softmax and the product with values are one group (`akg.fusion.attention`);
  * the group does not grow beyond `MOST_NODES`.

What only arranges an array anew for contractions goes into the group of each of them (`akg.fusion.views`).

The polyhedral scheduler has the last word, see `akg.fusion.compile`: a group whose intermediates reach memory all the
same, or that loses its parallel outer loop, is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from akg.base.target import Target
from akg.fusion.attention import softmax_groups
from akg.fusion.group import Group, groups_of
from akg.fusion.recompute import recomputed
from akg.fusion.traits import Class, has_neighbours, has_windows, stages_of, traits_from, value_bytes
from akg.fusion.views import carried_views
from akg.ir.graph import Graph, Node, Value

MOST_NODES = 64
MOST_REDUCTIONS = 8  # of a group: dependences between passes cost time to analyse
SIBLING_BYTES = 1 << 15  # arrays from this size on are worth being read once for two operators


@dataclass
class Partition:
    """The groups of a graph, each after those that it reads from, why other edges were not fused, and other notes."""

    groups: tuple[Group, ...]
    reasons: list[tuple[Node, Node, str]] = field(default_factory=list[tuple[Node, Node, str]])
    notes: list[str] = field(default_factory=list[str])


def whole(graph: Graph) -> Partition:
    """All nodes as one group, apart from programs, which are kernels of their own."""
    level: dict[Value, int] = {}
    parts: dict[int, list[Node]] = {}
    for node in graph.nodes:
        own = max([level[v] for v in node.inputs if v in level], default=0)
        own += (own % 2 == 0) if node.program is not None else own % 2  # programs stand on odd levels
        level.update(dict.fromkeys(node.outputs, own + (node.program is not None)))
        parts.setdefault(own, []).append(node)
    lists: list[list[Node]] = []
    for own in sorted(parts):
        lists.extend([[node] for node in parts[own]] if own % 2 else [parts[own]])
    return Partition(groups_of(graph, lists))


def partition(graph: Graph, target: Target) -> Partition:
    """The groups of a graph by the rules of this module."""
    state = _Clusters(graph, target)
    for node in graph.nodes:
        state.place(node)
    parts, notes = recomputed(graph, state.in_order(), state.traits)
    return Partition(groups_of(graph, parts), state.reasons, notes)


class _Clusters:
    """Groups under construction: of each, its nodes and, as bits, the groups that it depends on."""

    def __init__(self, graph: Graph, target: Target) -> None:
        self.graph, self.target = graph, target
        self.producers, self.readers = graph.producers(), graph.readers()
        self.stages = {node: stages_of(node) for node in graph.nodes if node.program is None}
        self.traits = {node: traits_from(self.stages.get(node, ())) for node in graph.nodes}
        self.members: list[list[Node]] = []
        self.before: list[int] = []  # transitively
        self.where: dict[Node, int] = {}
        self.touched: dict[Value, list[int]] = {}  # groups that read a value, latest last
        self.reasons: list[tuple[Node, Node, str]] = []
        self.views = carried_views(graph, [n for n in graph.nodes if self.traits[n].kind == "contraction"], self.stages)
        self.carried = {view for views in self.views.values() for view in views}
        self.attention = {n: k for k, nodes in enumerate(softmax_groups(graph, self.kind, target)) for n in nodes}
        self.attention_at: dict[int, int] = {}  # the group of each softmax product, once it has begun

    def kind(self, node: Node) -> Class:
        """The class of a node."""
        return self.traits[node].kind

    def place(self, node: Node) -> None:
        """Put `node` into the first group that takes it, else into one of its own."""
        if node in self.carried:
            return
        views = self.views.get(node, ())
        sources = [self.producers[v] for n in (*views, node) for v in n.inputs
                   if v in self.producers and self.producers[v] not in self.carried]  # fmt: skip
        reads = dict.fromkeys(self.where[s] for s in sources)
        one = self.attention.get(node)
        chosen = self.attention_at.get(one) if one is not None else None
        for candidate in self.by_bytes(node, views) if one is None else ():
            why = self.obstacle(candidate, node, reads)
            if not why and chosen is None:
                chosen = candidate
                continue
            why = why or "another producer's group takes it"
            self.reasons.extend((s, node, why) for s in sources if self.where[s] == candidate)
        if chosen is None and one is None:
            chosen = self.sibling(node, reads)
        if chosen is None:
            chosen = len(self.members)
            self.members.append([])
            self.before.append(0)
            if one is not None:
                self.attention_at[one] = chosen
        for view in views:
            if view not in self.members[chosen]:
                self.join(view, chosen, ())
        self.join(node, chosen, reads)

    def by_bytes(self, node: Node, views: Iterable[Node]) -> list[int]:
        """The groups that a node reads from: those that give it most bytes first, the latest among equals."""
        given: dict[int, int] = {}
        for value in (v for n in (*views, node) for v in n.inputs):
            source = self.producers.get(value)
            if source is not None and source not in self.carried:
                at = self.where[source]
                given[at] = given.get(at, 0) + value_bytes(value)
        return sorted(given, key=lambda k: (given[k], k), reverse=True)

    def join(self, node: Node, chosen: int, reads: Iterable[int]) -> None:
        """Record that a node is in a group, and what that group now depends on."""
        self.members[chosen].append(node)
        self.where[node] = chosen
        for value in node.inputs:
            found = self.touched.setdefault(value, [])
            if chosen not in found:
                found.append(chosen)
        for other in reads:
            if other != chosen:
                self.before[chosen] |= self.before[other] | 1 << other
        for k, bits in enumerate(self.before):
            if bits >> chosen & 1:
                self.before[k] |= self.before[chosen]

    def sibling(self, node: Node, reads: Mapping[int, None]) -> int | None:
        """A group without edges to the node that reads one of its large operands, too."""
        if self.traits[node].kind not in ("injective", "reduce"):
            return None
        for value in node.inputs:
            if value_bytes(value) < SIBLING_BYTES:
                continue
            for candidate in reversed(self.touched.get(value, ())):
                if not self.obstacle(candidate, node, reads) and self.walks_alike(candidate, node, value):
                    return candidate
        return None

    def walks_alike(self, candidate: int, node: Node, value: Value) -> bool:
        """Whether some reader of a value in a group has as many iterations as the node: their loops may be one."""
        count = self.traits[node].operations
        return any(
            self.traits[other].operations == count and self.traits[other].kind != "contraction"
            for other in self.readers.get(value, ())
            if self.where.get(other) == candidate
        )

    def obstacle(self, candidate: int, node: Node, reads: Iterable[int]) -> str:
        """Why a node cannot join a group; empty if it can."""
        nodes, own = self.members[candidate], self.traits[node]
        if any(self.before[other] >> candidate & 1 for other in reads if other != candidate):
            return "it would make a cycle between kernels"
        if len(nodes) >= MOST_NODES:
            return f"the group has {MOST_NODES} operators"
        kinds = {self.traits[n].kind for n in nodes}
        if any(n.program is not None for n in nodes):
            return "a program is a kernel of its own"
        if own.kind == "sequential":
            return "it runs in an order of its own, and begins a kernel"
        if own.kind == "injective":
            is_apart = "contraction" in kinds and has_neighbours(self.stages[node])
            return "it reads neighbours, which lie in other tiles of the contraction" if is_apart else ""
        if own.kind == "reduce":
            if "contraction" in kinds:
                return "a reduction after a contraction would take its tiles apart"
            count = sum(self.traits[n].kind == "reduce" for n in nodes)
            return f"the group has {MOST_REDUCTIONS} reductions" if count >= MOST_REDUCTIONS else ""
        if "contraction" in kinds:
            inside = {v for n in nodes for v in n.outputs}
            if any(v in inside for view in self.views[node] for v in view.inputs):
                return "its operand would be arranged anew within the kernel"
            if has_windows(self.stages[node]):
                return "its windows overlap from tile to tile"
            held = own.operand_bytes + sum(self.traits[n].operand_bytes for n in nodes)
            half = self.target.l2_bytes // 2
            return "" if held <= half else f"the other operands have {held} bytes, and half a level-2 cache {half}"
        return "a contraction begins a kernel"

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
