"""Long sums whose results are too few for the threads: each thread adds up a share of the terms.

    Before:  for j:                            After:  alloc y_share: [SHARES, n]
                 y[j] = 0                              for c in [0, SHARES):
                 for k in [0, K):                          for j:
                     y[j] = y[j] + ...                         y_share[c, j] = 0
                                                               for k in [c * size, min(K, c * size + size)):
                                                                   y_share[c, j] = y_share[c, j] + ...
                                                       for j:
                                                           y[j] = 0
                                                           for c: y[j] = y[j] + y_share[c, j]

The definition is rewritten before it is scheduled, so that the loop over shares is scheduled, tiled and proved legal
like any other (rfactor: Suriana, Adams and Kamil 2017). The number of shares is the target's number of cores, not that
of the threads of a call, so the result does not depend on the latter. Sums into one element are for
`akg.poly.loops.split_reduction`, which also knows symbolic lengths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

from akg.base.dtype import DType
from akg.base.target import Target
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Cast, Const, Expr, Load, Var, binary
from akg.ir.rewrite import loads_of, rewrite, substitute_stmt, variables_of
from akg.ir.stmt import REDUCTIONS, Alloc, Block, For, Kernel, Stmt, Store, block, walk
from akg.poly.loops.split_reduction import identity
from akg.poly.loops.stream_rows import LONG_ROW_BYTES

ENOUGH_TERMS = 1 << 17  # fewer do not pay for waking threads
TILE_RESULTS = 512  # of a product's tile in registers
MOST_SHARE = 64  # results may be at most one to so many terms of a share


@dataclass(frozen=True, slots=True)
class _Sum:
    """``for results: { start; for terms: update }``."""

    results: tuple[For, ...]
    start: Store
    terms: tuple[For, ...]
    update: Store


def share_sums(kernel: Kernel, target: Target, notes: list[str] | None = None) -> Kernel:
    """`kernel` with its long sums of few results in shares, one for each core; the same object if it has none.

    Args:
        kernel: as it was defined.
        target: the machine.
        notes: gets a line for each sum that is shared.
    """
    if target.cores < 2:
        return kernel
    taken = {p.name for p in kernel.params}
    for inner in walk(kernel.body):
        if isinstance(inner, For):
            taken.add(inner.var.name)
        elif isinstance(inner, Store):
            taken.add(inner.name)
        elif isinstance(inner, Alloc):
            taken.add(inner.buffer.name)
    body = _visit(kernel.body, target, taken, [] if notes is None else notes)
    return kernel if body is kernel.body else replace(kernel, body=body)


def _visit(stmt: Stmt, target: Target, taken: set[str], notes: list[str]) -> Stmt:
    if isinstance(stmt, Alloc):
        inner = _visit(stmt.body, target, taken, notes)
        return stmt if inner is stmt.body else replace(stmt, body=inner)
    if isinstance(stmt, Block):
        parts = tuple([_visit(s, target, taken, notes) for s in stmt.body])
        return stmt if all(a is b for a, b in zip(parts, stmt.body, strict=True)) else Block(parts)
    found = _sum_of(stmt) if isinstance(stmt, For) else None
    if found is None or not _is_starved(found, target):
        return stmt
    notes.append(f"{found.update.name}: terms over {found.terms[0].var} in {target.cores} shares, for few results")
    return _shared(found, target.cores, taken)


def _sum_of(nest: For) -> _Sum | None:
    """The parts of a nest that does nothing but add up terms in a box of loops."""
    results, stmt = _perfect(nest)
    if not isinstance(stmt, Block) or len(stmt.body) != 2:
        return None
    start, inner = stmt.body
    if not isinstance(start, Store) or not isinstance(inner, For):
        return None
    terms, update = _perfect(inner)
    if not isinstance(update, Store) or update.reduction is None or update.buffer is not start.buffer:
        return None
    if any(a is not b for a, b in zip(start.indices, update.indices, strict=True)) or loads_of(start.value):
        return None
    places = [v for i in update.indices for v in variables_of(i)]
    boxed = all(f.const_trips and isinstance(f.begin, Const) and f.step == 1 for f in (*results, *terms))
    value = update.value.a if isinstance(update.value, Cast) else update.value
    old = Load(update.buffer, update.indices)
    reads = [load for load in loads_of(update.value) if load.buffer is update.buffer]
    if not boxed or not isinstance(value, Binary) or len(places) != len(set(places)) or reads != [old]:
        return None
    plain = all(isinstance(i, (Var, Const)) for i in update.indices)
    several = [f.var for f in results if f.const_trips != 1]
    return _Sum(results, start, terms, update) if plain and set(several) <= set(places) else None


def _perfect(nest: For) -> tuple[tuple[For, ...], Stmt]:
    loops: list[For] = []
    stmt: Stmt = nest
    while isinstance(stmt, For):
        loops.append(stmt)
        stmt = stmt.body
    return tuple(loops), stmt


def _trips(loops: tuple[For, ...]) -> int:
    return prod(f.const_trips or 0 for f in loops)


def _is_starved(found: _Sum, target: Target) -> bool:
    """Whether the loops over results are too short for the threads.

    The one along which operands that pass by once lie in memory is not cut into pieces shorter than what streams well.
    """
    count, outer = _trips(found.results), found.terms[0]
    if count < 2 or count * _trips(found.terms) < ENOUGH_TERMS * target.cores or (outer.const_trips or 0) < 2:
        return False
    if count * MOST_SHARE * target.cores > count * _trips(found.terms):
        return False
    loads = [load for load in loads_of(found.update.value) if load.buffer is not found.update.buffer and load.indices]
    several, terms = {f.var for f in found.results if f.const_trips != 1}, {f.var for f in found.terms}
    moving = [(load, {v for i in load.indices for v in variables_of(i)}) for load in loads]
    passing = [load for load, variables in moving if several <= variables and not terms.isdisjoint(variables)]
    if not passing:  # every operand serves several results
        return count // TILE_RESULTS < target.cores
    along = {v for load in passing for v in variables_of(load.indices[-1])}
    pieces = 1
    for loop in found.results:
        trips = loop.const_trips or 1
        row_bytes = trips * min(load.dtype.itemsize_bytes for load in passing)
        pieces *= max(row_bytes // LONG_ROW_BYTES, 1) if loop.var in along else trips
    return pieces < target.cores


def _shared(found: _Sum, shares: int, taken: set[str]) -> Stmt:
    start, update, outer = found.start, found.update, found.terms[0]
    assert update.reduction is not None and outer.const_trips is not None

    def fresh(base: str) -> str:
        name, count = base, 0
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        return name

    value = update.value.a if isinstance(update.value, Cast) else update.value
    dtype = value.dtype
    size = -(-outer.const_trips // shares)
    shares = -(-outer.const_trips // size)
    share, again = Var(fresh("share")), Var(fresh("share"))
    shape = tuple([Const(f.const_trips or 0) for f in found.results])
    part = Buffer(fresh(f"{update.buffer.name}_share"), (Const(shares), *shape), dtype)
    places = tuple([f.var - f.begin for f in found.results])
    mine, old = Load(part, (share, *places)), Load(update.buffer, update.indices)

    def own(node: Expr) -> Expr | None:
        if node is old:
            return mine if dtype is update.buffer.dtype else Cast(mine, update.buffer.dtype)
        return mine if isinstance(node, Cast) and isinstance(node.a, Cast) and node.a.a is mine else None

    first = outer.begin + share * size
    last = first + size if outer.const_trips % shares == 0 else binary("min", outer.end, first + size)
    adding: Stmt = Store(part, (share, *places), rewrite(value, own), fresh(f"{update.name}_share"), update.reduction)
    for loop in reversed(found.terms[1:]):
        adding = replace(loop, body=adding)
    adding = replace(outer, begin=first, end=last, body=adding)
    begin = Store(part, (share, *places), identity(update.reduction, dtype), fresh(f"{update.name}_zero"))
    mapped = _over(found.results, block(begin, adding), fresh)
    total = binary(REDUCTIONS[update.reduction], _as(old, dtype), Load(part, (again, *places)))
    joined = For(again, Const(0), Const(shares), replace(update, value=_as(total, update.buffer.dtype)))
    finish: Stmt = block(start, joined)
    for loop in reversed(found.results):
        finish = replace(loop, body=finish)
    return Alloc(part, block(For(share, Const(0), Const(shares), mapped), finish))


def _as(value: Expr, dtype: DType) -> Expr:
    return value if value.dtype is dtype else Cast(value, dtype)


def _over(loops: tuple[For, ...], body: Stmt, fresh: Callable[[str], str]) -> Stmt:
    """`body` under loops of their own names."""
    names = {f.var: Var(fresh(f.var.name)) for f in loops}
    body = substitute_stmt(body, names)
    for loop in reversed(loops):
        body = For(names[loop.var], loop.begin, loop.end, body, loop.kind, span=loop.span)
    return body
