"""Several reductions of one array in one pass over it: loops over lanes that only reduce, joined where that is legal.

    vector k: s = s + x[i, k]                  q = 0
    m = s / n                                  vector k: s = s + x[i, k]; q = q + x[i, k] * x[i, k]
    q = 0                                      m = s / n
    vector k: q = q + x[i, k] * x[i, k]

The scheduler keeps apart what nothing but a common operand connects; here each element is loaded once for all sums.
What lies between moves before or behind the joined loop, where no two statements that share an element change places.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from akg.ir.buffer import Buffer
from akg.ir.expr import Load
from akg.ir.rewrite import buffers_read, buffers_written, loads_of, map_children, substitute_stmt, variables_of
from akg.ir.stmt import Block, For, Stmt, Store, block, expressions, walk

MAX_SUMS = 8  # that keep partial results in registers


def join_reductions(body: Stmt) -> Stmt:
    """`body` with reductions over the same lanes of the same array in one loop, in every block."""
    body = map_children(body, join_reductions)
    if not isinstance(body, Block):
        return body
    parts, k, is_changed = flat(body), 0, False
    while k < len(parts):
        joined = next((new for first in range(k) if (new := _joined(parts, first, k)) is not None), None)
        if joined is None:
            k += 1
        else:
            parts, k, is_changed = joined, 0, True
    return block(*parts) if is_changed else body


def flat(stmt: Stmt) -> list[Stmt]:
    """The statements of a block, those of loops of one iteration among them."""
    if isinstance(stmt, Block):
        return [inner for part in stmt.body for inner in flat(part)]
    if isinstance(stmt, For) and stmt.kind == "serial" and stmt.const_trips == 1:
        return flat(substitute_stmt(stmt.body, {stmt.var: stmt.begin}))
    return [stmt]


@dataclass(frozen=True, slots=True)
class Effect:
    """Arrays that a statement reads and writes."""

    reads: frozenset[Buffer]
    writes: frozenset[Buffer]

    @staticmethod
    def of(stmt: Stmt) -> Effect:
        return Effect(frozenset(buffers_read(stmt)), frozenset(buffers_written(stmt)))

    def meets(self, other: Effect) -> bool:
        """Whether the two must keep their order."""
        return bool(self.writes & (other.reads | other.writes) or self.reads & other.writes)


def _joined(parts: list[Stmt], first: int, second: int) -> list[Stmt] | None:
    """The statements with the loop at `second` in the one at `first`; None where that is illegal or saves nothing."""
    a, b = parts[first], parts[second]
    if not (isinstance(a, For) and isinstance(b, For)) or a.begin is not b.begin or a.end is not b.end:
        return None
    if not (_only_reduces(a) and _only_reduces(b)):
        return None
    b = replace(b, var=a.var, body=substitute_stmt(b.body, {b.var: a.var}))
    if not _shares(a, b) or len(list(_stores(a))) + len(list(_stores(b))) > MAX_SUMS:
        return None
    target, own = Effect.of(a), Effect.of(b)
    before: list[Stmt] = []
    behind: list[Stmt] = []
    wanted = [own]
    for stmt in reversed(parts[first + 1 : second]):
        effect = Effect.of(stmt)
        if any(effect.meets(w) for w in wanted):
            if effect.meets(target):
                return None
            before.insert(0, stmt)
            wanted.append(effect)
        else:
            behind.insert(0, stmt)
    if own.meets(target):
        return None
    both = replace(a, body=block(a.body, b.body))
    return [*parts[:first], *before, both, *behind, *parts[second + 1 :]]


def _only_reduces(loop: For) -> bool:
    """Whether a loop over lanes does nothing but sum into elements that it does not move along."""
    if loop.kind != "vector" or loop.step != 1 or any(not isinstance(s, (Store, Block)) for s in walk(loop.body)):
        return False
    return all(
        s.reduction is not None and not any(loop.var in variables_of(i) for i in s.indices) for s in _stores(loop)
    )


def _stores(loop: For) -> list[Store]:
    return [s for s in walk(loop.body) if isinstance(s, Store)]


def _shares(a: For, b: For) -> bool:
    """Whether both loops load an element that moves along the lanes."""

    def moving(loop: For) -> set[Load]:
        found = {load for s in walk(loop.body) for e in expressions(s) for load in loads_of(e)}
        return {load for load in found if any(loop.var in variables_of(i) for i in load.indices)}

    return not moving(a).isdisjoint(moving(b))
