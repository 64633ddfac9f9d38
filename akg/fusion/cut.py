"""The scheduler's verdict on a group, and groups cut where it asks for it.

A group is cut at a value that reaches memory although its kernel both writes and reads it, and within a loop nest that
fusion has made sequential.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from akg.base.target import Target
from akg.fusion.traits import value_bytes
from akg.ir import stmt
from akg.ir.graph import Node, Value

LONG_NEST = 1 << 15  # iterations from which on threads pay


@dataclass
class Verdict:
    """What the loops of a group show.

    Attributes:
        names: the values that the group computes, by the names of their arrays.
        target: whose caches count.
        spilled: the intermediates that reach memory.
        sequential: the values that are computed in nests without a parallel loop, together with others.
    """

    names: Mapping[str, Value]
    target: Target
    spilled: list[Value] = field(default_factory=list[Value])
    sequential: list[Value] = field(default_factory=list[Value])

    def accept(self, kernel: stmt.Kernel) -> bool:
        """Look at the loops; whether nothing speaks against the group."""
        for inner in stmt.walk(kernel.body):
            if isinstance(inner, stmt.Alloc) and inner.buffer.scope == "global" and inner.buffer.name in self.names:
                value = self.names[inner.buffer.name]
                if value_bytes(value) > self.target.l1_bytes:
                    self.spilled.append(value)
        for nest in _outermost(kernel.body):
            stored = dict.fromkeys(s.buffer.name for s in stmt.walk(nest) if isinstance(s, stmt.Store))
            values = [self.names[name] for name in stored if name in self.names]
            if len(values) > 1 and _iterations(nest) >= LONG_NEST and not _has_parallel(nest):
                self.sequential.extend(values)
        return not self.spilled and not self.sequential

    @property
    def cuts(self) -> set[Value]:
        """Where to cut."""
        return {*self.spilled, *self.sequential}

    def reason(self, value: Value) -> str:
        """Why the edges from a value are not fused."""
        if value in self.spilled:
            return f"{value.name} would reach memory all the same ({value_bytes(value)} bytes)"
        return "it would cost the parallel outer loop"


def _outermost(body: stmt.Stmt) -> Iterable[stmt.For]:
    if isinstance(body, stmt.For):
        yield body
        return
    for inner in stmt.sub_statements(body):
        yield from _outermost(inner)


def _has_parallel(nest: stmt.For) -> bool:
    return any(isinstance(s, stmt.For) and s.kind == "parallel" for s in stmt.walk(nest))


def _iterations(nest: stmt.For) -> int:
    """Iterations of the longest path of loops; a symbolic extent counts as long."""
    own = LONG_NEST if nest.const_trips is None else max(nest.const_trips, 1)
    return own * max([_iterations(inner) for inner in _outermost(nest.body)], default=1)


def cut_at(nodes: Sequence[Node], cuts: set[Value]) -> list[list[Node]]:
    """The nodes in levels: what reads a value to cut at is a level above what computes it.

    A node whose readers are all above moves up to them if it reads no more than it writes.
    """
    producer = {v: n for n in nodes for v in n.outputs}
    level: dict[Node, int] = {}
    for node in nodes:
        below = [level[producer[v]] + (v in cuts) for v in node.inputs if v in producer]
        level[node] = max(below, default=0)
    readers: dict[Node, list[Node]] = {}
    for node in nodes:
        for v in node.inputs:
            if v in producer:
                readers.setdefault(producer[v], []).append(node)
    for node in reversed(nodes):
        above = [level[r] for r in readers.get(node, ())]
        if above and min(above) > level[node] and not any(v in cuts for v in node.outputs):
            moved = sum(value_bytes(v) for v in node.inputs if v in producer)
            if moved <= sum(value_bytes(v) for v in node.outputs):
                level[node] = min(above)
    return [[n for n in nodes if level[n] == k] for k in sorted(set(level.values()))]
