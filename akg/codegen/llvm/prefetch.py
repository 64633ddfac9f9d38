"""Prefetches: one for each cache line that the lanes touch."""

from __future__ import annotations

from akg.codegen.llvm.builder import Function
from akg.codegen.llvm.memory import access
from akg.ir.stmt import Prefetch

LINE_BYTES = 64


def emit_prefetch(f: Function, stmt: Prefetch) -> None:
    """An instruction for the line of an element, or for the lines of all lanes where these are neighbours.

    Compilers leave it out for machines that have none.
    """
    where = access(f, stmt.buffer, stmt.indices, inside=False)
    if where.stride not in (0, 1):
        return  # lanes that gather: a hint for each would cost more than it brings
    name = "llvm.prefetch.p0"
    callee = f.unit.declare(name, f"declare void @{name}(ptr, i32, i32, i32)")
    count = 1
    if f.lanes is not None and where.stride:
        count = f.lanes.count * (2 if f.lanes.is_double else 1)
    span = count * stmt.buffer.dtype.itemsize_bytes
    for offset in range(0, span, LINE_BYTES):
        pointer = where.pointer if not offset else f.here(f"getelementptr i8, ptr {where.pointer}, i64 {offset}")
        f.line(f"call void {callee}(ptr {pointer}, i32 {int(stmt.writes)}, i32 {4 - stmt.level}, i32 1)")
