"""Windows over several rows: what they read is read row by row.

    Before:  vector j: Y[i, j] = f(X[i, j], X[i + 1, j])     After:  alloc y: [56] register
                                                                     vector j: y[j] = f1(X[i, j])
                                                                     vector j: Y[i, j] = f2(y[j], X[i + 1, j])

Columns that read a few elements of each of several rows are as many streams at once, each of which ends with its row:
too short for the processor to follow. Row by row, the same lines are one stream of consecutive addresses, which
comes from memory nearly as fast as a plain read. On a Zen 4 core a max pool of 26 MB that takes 1.25 ms with three
rows at a time, and 1.0 ms with prefetches for them, takes 0.82 ms so, without any.

The order of a sum's terms stays as it was: windows that begin with their first row are met in this order anyhow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from akg.base.target import Target
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Call, Const, Expr, Load, Var
from akg.ir.rewrite import buffers_read, buffers_written, loads_of, map_children, rewrite, substitute_stmt, uses
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, Block, For, Stmt, Store, block, expressions

MAX_VECTORS = 8  # of a row, so that it is straight-line code

Row = tuple[int, ...]  # subscripts but the last, relative to some row


@dataclass(frozen=True, slots=True)
class _Sweep:
    """A store whose value takes one row after the other.

    Attributes:
        store: the statement.
        parts: the row that each part adds, and the node of the value with all rows so far; the last one is the value.
    """

    store: Store
    parts: tuple[tuple[Row, Expr], ...]


def sweep_rows(stmt: Stmt, fresh: Callable[[str], Var], target: Target) -> Stmt:
    """`stmt` with vector loops over windows of short rows cut into one loop for each row.

    Args:
        stmt: loops with their lanes innermost.
        fresh: makes unused names.
        target: whose registers hold what is known of the results.
    """
    if not isinstance(stmt, For) or stmt.kind != "vector":
        return map_children(stmt, lambda inner: sweep_rows(inner, fresh, target))
    stores = stmt.body.body if isinstance(stmt.body, Block) else (stmt.body,)
    found = _sweeps(stmt, [s for s in stores if isinstance(s, Store) and s.reduction is None])
    if not found or len(found) < len(stores) or buffers_read(stmt) & buffers_written(stmt):
        return stmt
    if len({(s.store.buffer, *map(Affine.of, s.store.indices)) for s in found}) < len(found):
        return stmt  # the last one counts
    lanes = target.lanes(max(s.store.value.dtype.compute.bits for s in found))
    vectors = -(-(stmt.const_trips or 0) // lanes)
    if not 1 < vectors <= MAX_VECTORS or _live(found) * vectors > target.vector_registers * 5 // 8:
        return stmt
    return _swept(stmt, found, fresh)


def _live(sweeps: list[_Sweep]) -> int:
    """The most results that are begun and not finished between two rows."""
    rows = {row for s in sweeps for row, _ in s.parts}
    return max(sum(s.parts[0][0] <= row < s.parts[-1][0] for s in sweeps) for row in rows)


def _sweeps(lanes: For, stores: list[Store]) -> list[_Sweep]:
    """The stores whose values can be computed row by row, at rows that are relative to each other."""
    if lanes.const_trips is None:
        return []
    loads = {load for s in stores for e in expressions(s) for load in loads_of(e)}
    loads = {load for load in loads if load.indices and uses(load.indices[-1], lanes.var)}
    rows = _rows(lanes, loads)
    if len({*rows.values()}) < 2:
        return []
    found = [_Sweep(s, parts) for s in stores if (parts := _parts(s.value, rows)) is not None]
    return found if any(len(s.parts) > 1 for s in found) else []


def _rows(lanes: For, loads: set[Load]) -> dict[Load, Row]:
    """The row of each load along the lanes; none if they are not rows of one array at constant distances."""
    rows: dict[Load, Row] = {}
    base: tuple[Affine, ...] = ()
    for load in loads:
        forms = [Affine.of(i) for i in load.indices]
        known = tuple([f for f in forms if f is not None])
        if len(known) < len(forms) or len(known) < 2 or load.buffer.scope != "global":
            return {}
        if known[-1].coefficient(lanes.var) != 1 or any(f.coefficient(lanes.var) for f in known[:-1]):
            return {}
        base = base or known
        apart = [a - b for a, b in zip(known[:-1], base[:-1], strict=False)]
        if len(known) != len(base) or not all(f.is_const for f in apart):
            return {}
        rows[load] = tuple([f.const for f in apart])
    return rows if len({load.buffer for load in rows}) == 1 else {}


def _parts(value: Expr, rows: Mapping[Load, Row]) -> tuple[tuple[Row, Expr], ...] | None:
    """The nodes of a value at which a row is complete, in ascending order; None if it mixes them."""
    memo: dict[Expr, frozenset[Row]] = {}

    def met(node: Expr) -> frozenset[Row]:
        if node not in memo:
            memo[node] = frozenset(rows[load] for load in loads_of(node) if load in rows)
        return memo[node]

    parts: list[tuple[Row, Expr]] = []
    node = value
    while True:
        here = met(node)
        if not here or node.dtype is not value.dtype or node.dtype.compute is not node.dtype:
            return None
        last = max(here)
        if not parts or parts[-1][0] != last:
            if parts and parts[-1][0] < last:
                return None
            parts.append((last, node))
        if len(here) == 1:
            return tuple(reversed(parts))
        inner = [child for child in _operands(node) if met(child) - {last}]
        others = [child for child in node.children if child not in inner]
        if len(inner) != 1 or any(met(child) - {last} for child in others):
            return None
        node = inner[0]


def _operands(node: Expr) -> tuple[Expr, ...]:
    """The operands that may come from a register: those of plain arithmetic."""
    return node.children if isinstance(node, (Binary, Call)) else ()


def _swept(lanes: For, sweeps: list[_Sweep], fresh: Callable[[str], Var]) -> Stmt:
    begun = {
        s.store.name: Buffer(fresh(f"{s.store.name}_row").name, (Const(lanes.const_trips or 0),), s.store.value.dtype,
                             "register")
        for s in sweeps if len(s.parts) > 1
    }  # fmt: skip
    at = (simplify(lanes.var - lanes.begin),)
    loops: list[Stmt] = []
    for row in sorted({row for s in sweeps for row, _ in s.parts}):
        stores: list[Store] = []
        for s in sweeps:
            number = next((k for k, part in enumerate(s.parts) if part[0] == row), None)
            if number is None:
                continue
            value = s.parts[number][1]
            if number:
                so_far, known = s.parts[number - 1][1], Load(begun[s.store.name], at)
                value = rewrite(value, lambda e, so_far=so_far, known=known: known if e is so_far else None)
            if number == len(s.parts) - 1:
                stores.append(replace(s.store, value=value))
            else:
                stores.append(Store(begun[s.store.name], at, value, fresh(f"{s.store.name}_row").name))
        var = fresh(lanes.var.name)
        loops.append(replace(lanes, var=var, body=substitute_stmt(block(*stores), {lanes.var: var})))
    body: Stmt = block(*loops)
    for buffer in begun.values():
        body = Alloc(buffer, body)
    return body
