"""Keep the element that a serial loop reduces into in a register while the loop runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from akg.codegen.llvm.builder import Function
from akg.codegen.llvm.reduction import split_update
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Expr, Load, Var, cast
from akg.ir.rewrite import buffers_written, loads_of, rewrite_stmt, walk_expr
from akg.ir.stmt import REDUCTIONS, Alloc, Block, For, Stmt, Store, block, expressions, walk


def promote_reductions(f: Function, loop: For) -> Stmt | None:
    """``load; loop over registers; store`` for each reduction whose element the loop does not change.

    Only updates that every iteration reaches are taken, from buffers that nothing else in the loop touches.
    Partial results of 16-bit floats stay in float32. None if there is nothing to promote.
    """
    chosen = [s for s in _always(loop.body) if _is_promotable(f, loop, s)]
    if not chosen:
        return None
    before: list[Stmt] = []
    after: list[Stmt] = []
    registers: list[Buffer] = []
    renamed: dict[str, Store] = {}
    for stmt in chosen:
        update = split_update(stmt)
        assert update is not None and stmt.reduction is not None
        register = Buffer(f"{stmt.buffer.name}.r{f.unit.unique()}", (), update.dtype, "register")
        old = Load(stmt.buffer, stmt.indices)
        before.append(Store(register, (), cast(old, update.dtype), f"{stmt.name}.in"))
        after.append(Store(stmt.buffer, stmt.indices, cast(Load(register, ()), stmt.buffer.dtype), f"{stmt.name}.out"))
        value = Binary(REDUCTIONS[stmt.reduction], Load(register, ()), update.term)
        renamed[stmt.name] = replace(stmt, buffer=register, indices=(), value=value)
        registers.append(register)
    inner = rewrite_stmt(loop, lambda s: renamed.get(s.name) if isinstance(s, Store) else None)
    result = block(*before, inner, *after)
    for register in registers:
        result = Alloc(register, result)
    return result


def _always(stmt: Stmt) -> Iterator[Store]:
    """The stores that every iteration reaches."""
    if isinstance(stmt, Store):
        yield stmt
    elif isinstance(stmt, Block):
        for part in stmt.body:
            yield from _always(part)
    elif isinstance(stmt, Alloc) or (isinstance(stmt, For) and stmt.const_trips and stmt.kind in ("serial", "unroll")):
        yield from _always(stmt.body)


def _is_promotable(f: Function, loop: For, stmt: Store) -> bool:
    place = f.places.get(stmt.buffer)
    if split_update(stmt) is None or place is None or place.is_private:
        return False
    inner: set[Expr] = {loop.var, *(s.var for s in walk(loop.body) if isinstance(s, For))}
    nodes = [node for i in stmt.indices for node in walk_expr(i)]
    written = buffers_written(loop.body)
    if any((isinstance(n, Var) and n in inner) or (isinstance(n, Load) and n.buffer in written) for n in nodes):
        return False
    return _touches(loop.body, stmt.buffer) == 2


def _touches(body: Stmt, buffer: Buffer) -> int:
    """How many stores to and distinct loads from `buffer` the statements have."""
    count = 0
    for stmt in walk(body):
        count += isinstance(stmt, Store) and stmt.buffer is buffer
        count += len({load for e in expressions(stmt) for load in loads_of(e) if load.buffer is buffer})
    return count
