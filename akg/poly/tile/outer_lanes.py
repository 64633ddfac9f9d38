"""Lanes along a parallel loop around recurrences: whether several of them side by side pay for gathers.

One recurrence waits for the latency of its operations; eight, one in each lane, wait as long together. Where the
arrays lie the other way, each access of a vector is a gather or a scatter.

    for i parallel:                                   vector for i:
        for j: p[i, j] = -a / (b * p[i, j-1] + c)         for j: p[i, j] = -a / (b * p[i, j-1] + c)
"""

from __future__ import annotations

from collections.abc import Mapping

from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Call, Expr, Load, Var
from akg.ir.rewrite import walk_expr
from akg.poly.access import stride
from akg.poly.fuse import single_iterator
from akg.poly.scop import Scop, Statement
from akg.poly.tile.lanes import LaneModel
from akg.poly.tree import Band, Leaf, Member, Node, Sequence

LATENCY = 4.0  # cycles of an addition, multiplication or both
DIVISION = 13.0
LEAST_GAIN = 1.4


def outer_lanes_pay(scop: Scop, lanes: LaneModel, member: Member, child: Node) -> bool:
    """Whether the iterations of a parallel member around nests should fill lanes: its inner loops are recurrences."""
    innermost = _sequential_leaves(child)
    if not innermost:
        return False
    scalar = vector = 0.0
    for names in innermost:
        statements = [scop.statements[n] for n in names]
        written = {s.write.buffer for s in statements}
        variables = {s.name: single_iterator(member.rows[s.name]) for s in statements}
        if any(v is None for v in variables.values()):
            return False
        count = min(lanes.lanes_of(s) for s in statements)
        wait = max(_chain(s.store.value, written, {}) for s in statements)
        scalar += count * max(wait, sum(_work(s) for s in statements))
        vector += sum(_vector_work(s, variables, count) for s in statements)
    return scalar >= LEAST_GAIN * vector


def _sequential_leaves(node: Node) -> list[tuple[str, ...]] | None:
    """The statements of each innermost loop; None if some inner loop is free to run in lanes itself, or is no loop."""
    if isinstance(node, Sequence):
        parts = [_sequential_leaves(f.child) for f in node.children if not isinstance(f.child, Leaf)]
        return None if any(p is None for p in parts) else [n for p in parts if p is not None for n in p]
    if not isinstance(node, Band) or any(m.coincident or m.reduction for m in node.members):
        return None
    inner = node.child
    parts = inner.children if isinstance(inner, Sequence) else ()
    if isinstance(inner, Leaf) or (parts and all(isinstance(f.child, Leaf) for f in parts)):
        return [tuple(node.members[0].rows)]
    return _sequential_leaves(inner)


def _chain(node: Expr, written: set[Buffer], memo: dict[Expr, float]) -> float:
    """Cycles from an element that the loop writes to the value; 0 if it reads none."""
    found = memo.get(node)
    if found is None:
        found = max((_chain(c, written, memo) for c in node.children), default=0.0)
        if isinstance(node, Load) and node.buffer in written:
            found = 0.1
        elif found and isinstance(node, (Binary, Call)):
            is_product = isinstance(node, Binary) and node.op == "mul"  # contracted with the sum around it
            found += DIVISION if isinstance(node, Binary) and node.op == "div" else 0.0 if is_product else LATENCY
        memo[node] = found
    return found


def _operations(statement: Statement) -> tuple[int, int]:
    """Divisions, and other operations."""
    nodes = [n for n in walk_expr(statement.store.value) if isinstance(n, (Binary, Call)) and n.dtype.is_float]
    divisions = sum(isinstance(n, Binary) and n.op == "div" for n in nodes)
    return divisions, len(nodes) - divisions


def _work(statement: Statement) -> float:
    """Cycles of one iteration that waits for nothing."""
    divisions, others = _operations(statement)
    return 0.5 * (others + len(statement.accesses)) + 5.0 * divisions


def _vector_work(statement: Statement, variables: Mapping[str, Var | None], count: int) -> float:
    """Cycles of one vector of iterations."""
    var = variables[statement.name]
    assert var is not None
    divisions, others = _operations(statement)
    total = 2.0 * count * divisions + others
    for access in statement.accesses:
        step = stride(access, var)
        total += 1.0 if abs(step) <= 1 else float(2 * count if access.is_write else count)
    return total
