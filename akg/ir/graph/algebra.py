"""Algebra on operators of `akg.ops`: nodes that give what is there already, and cheaper ones that give the same.

A rule looks at a node whose operands are simplified, and returns a value that the node's result equals, the node that
it becomes, of the same result, or None.
"""

from __future__ import annotations

from collections.abc import Sequence

from akg.ir.graph.arithmetic import EXACT, FAST
from akg.ir.graph.graph import Graph, Node, Value
from akg.ir.graph.known import Found, Known, Rule, is_like
from akg.ir.graph.places import PLACES
from akg.ir.graph.simplify import reading, with_results

_EXACT = {**EXACT, **PLACES}
_OPERANDS = frozenset({"x", "x1", "x2", "condition", "arrays"})  # rules expect them by place


def simplify_algebra(graph: Graph, *, fast_math: bool = False) -> Graph:
    """`graph` with operators that do nothing left out, and chains of casts, transposes and reshapes as one.

    Args:
        graph: any graph; nodes with a definition of their own, and programs, are left alone.
        fast_math: whether rules may hold that change rounding, or what becomes of NaN and infinities.
    """
    known = Known(graph.constants)
    replaced: dict[Value, Value] = {}
    nodes: list[Node] = []
    fixed = set(graph.results)
    is_changed = False
    for original in graph.nodes:
        node = reading(original, replaced) if replaced else original
        found = _simplified(node, known, fast_math)
        if isinstance(found, Value) and _may_stand_for(found, node.outputs[0], fixed, known):
            replaced[node.outputs[0]] = found
            if node.outputs[0] in fixed:
                fixed.add(found)
            is_changed = True
            continue
        node = found if isinstance(found, Node) else node
        is_changed = is_changed or node is not original
        nodes.append(node)
        known.producers.update(dict.fromkeys(node.outputs, node))
    if not is_changed:
        return graph
    return with_results(graph, nodes, replaced)


def _may_stand_for(found: Value, value: Value, fixed: set[Value], known: Known) -> bool:
    """Whether a value can take another's place: results of the graph are arrays of their own."""
    return value not in fixed or (found in known.producers and found not in fixed)


def _simplified(node: Node, known: Known, fast_math: bool) -> Found:
    """What becomes of a node when no rule applies any more; None if none does."""
    found: Found = None
    if not _OPERANDS.isdisjoint(node.attributes):
        return None
    while node.definition is None and node.program is None and len(node.outputs) == 1:
        step = next((s for rule in _rules(node.op, fast_math) if (s := rule(node, known)) is not None), None)
        if step is None:
            return found
        found = step
        if isinstance(step, Value):
            if not is_like(step, node.outputs[0]):
                return None
            return step
        node = step
    return found


def _rules(op: str, fast_math: bool) -> Sequence[Rule]:
    return (*_EXACT.get(op, ()), *FAST.get(op, ())) if fast_math else _EXACT.get(op, ())
