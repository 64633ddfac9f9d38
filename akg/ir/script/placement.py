"""Where the temporary of a local scalar lives: the innermost block that no value of it crosses."""

from __future__ import annotations

from dataclasses import replace

from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Load, Select
from akg.ir.rewrite import buffers_read, buffers_written, loads_of
from akg.ir.stmt import Alloc, Block, For, If, Stmt, Store, block, expressions, sub_statements


def place(body: Stmt, buffer: Buffer) -> Stmt:
    """`body` with an `Alloc` of the rank-0 `buffer` as far inside as its values allow.

    That is the innermost block that holds all its accesses and in which each read follows a write.

    Before: ``for i { s = 0; for j { s = s + A[i, j] }; B[i] = s }``
    After: ``for i { alloc s { s = 0; for j { s = s + A[i, j] }; B[i] = s } }``
    """
    placed = _try(body, buffer, False)
    return Alloc(buffer, initialise(body, buffer)) if placed is None else placed


def initialise(body: Stmt, buffer: Buffer) -> Stmt:
    """`body`, after a store of zero if it may read `buffer` before it writes it.

    Python would not read an unassigned name, so such a read is of a value that nobody uses: the old value that a
    store under a condition keeps.
    """
    if _writes_first(body, buffer, False, lenient=False)[0]:
        return body
    return block(Store(buffer, (), Const(0, buffer.dtype), f"init_{buffer.name}"), body)


def _try(stmt: Stmt, buffer: Buffer, in_loop: bool) -> Stmt | None:
    inside = [s for s in sub_statements(stmt) if _touches(s, buffer)]
    if len(inside) == 1 and not any(load.buffer is buffer for e in expressions(stmt) for load in loads_of(e)):
        placed = _try(inside[0], buffer, in_loop or isinstance(stmt, For))
        if placed is not None:
            return _exchange(stmt, inside[0], placed)
    if not _writes_first(stmt, buffer, False, lenient=True)[0]:
        return None
    if in_loop:
        buffer.scope = "local"
    if isinstance(stmt, Block) and inside:
        first = next(k for k, s in enumerate(stmt.body) if s is inside[0])
        return block(*stmt.body[:first], Alloc(buffer, initialise(block(*stmt.body[first:]), buffer)))
    return Alloc(buffer, initialise(stmt, buffer))


def _exchange(stmt: Stmt, old: Stmt, new: Stmt) -> Stmt:
    if isinstance(stmt, Block):
        return block(*[new if s is old else s for s in stmt.body])
    if isinstance(stmt, If):
        return replace(stmt, then=new) if stmt.then is old else replace(stmt, orelse=new)
    assert isinstance(stmt, (For, Alloc))
    return replace(stmt, body=new)


def _touches(stmt: Stmt, buffer: Buffer) -> bool:
    return buffer in buffers_written(stmt) or buffer in buffers_read(stmt)


def _writes_first(stmt: Stmt, buffer: Buffer, written: bool, lenient: bool) -> tuple[bool, bool]:
    """Whether each read of `buffer` in `stmt` follows a write, and whether `stmt` is sure to leave it written.

    `lenient` does not count the read of ``s = select(p, new, s)``, which is no use of the value, only a write that
    may not happen.
    """
    if isinstance(stmt, Store) and stmt.buffer is buffer and lenient and _keeps_old(stmt):
        assert isinstance(stmt.value, Select)
        reads = any(load.buffer is buffer for e in stmt.value.children[:2] for load in loads_of(e))
        return written or not reads, written
    if any(load.buffer is buffer for e in expressions(stmt) for load in loads_of(e)) and not written:
        return False, written
    if isinstance(stmt, Store):
        return True, written or stmt.buffer is buffer
    if isinstance(stmt, For):
        ok, after = _writes_first(stmt.body, buffer, written, lenient)
        return ok, written or (after and (stmt.const_trips or 0) > 0)
    if isinstance(stmt, If):
        ok, after = _writes_first(stmt.then, buffer, written, lenient)
        if stmt.orelse is None:
            return ok, written
        ok_else, after_else = _writes_first(stmt.orelse, buffer, written, lenient)
        return ok and ok_else, after and after_else
    for inner in sub_statements(stmt):
        ok, written = _writes_first(inner, buffer, written, lenient)
        if not ok:
            return False, written
    return True, written


def _keeps_old(store: Store) -> bool:
    value = store.value
    return isinstance(value, Select) and isinstance(value.b, Load) and value.b.buffer is store.buffer
