"""Temporaries on the heap: one block a call, laid out like a stack of the nested allocations."""

from __future__ import annotations

from collections.abc import Callable

from akg.base.dtype import bool_, index
from akg.codegen.llvm.arith import apply
from akg.codegen.llvm.builder import Function, Place, Value, index_value
from akg.codegen.llvm.subscript import row_major_strides
from akg.codegen.llvm.types import in_memory
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, binary
from akg.ir.stmt import Alloc, For, Stmt, sub_statements, walk

STACK_LIMIT_BYTES = 64 * 1024
ALIGN_BYTES = 64
LARGE_BYTES = 1 << 20  # blocks from here on gain from huge pages, and from the memory of the last call
MARK = "akg_large_blocks"  # a symbol of modules that may ask for such blocks: loaders can provide another malloc
# Behind a temporary that may be read: lanes that are off lie up to four vectors of stride 4 behind, phases one more,
# and a row may begin anywhere in its first line.
SLACK_BYTES = 1344


def is_on_stack(buffer: Buffer) -> bool:
    """Whether a temporary is small, of constant shape, and of one thread."""
    if buffer.scope not in ("local", "register"):
        return False
    size = size_bytes(buffer)
    return isinstance(size, Const) and int(size) <= STACK_LIMIT_BYTES


def size_bytes(buffer: Buffer) -> Expr:
    """The size of a buffer as an index expression."""
    size: Expr = Const(in_memory(buffer.dtype).itemsize_bytes)
    for extent in buffer.shape:
        size = extent * size
    return size


def uses_heap(body: Stmt) -> bool:
    """Whether a temporary of `body` is in the workspace of its function."""
    return any(isinstance(s, Alloc) and s.buffer.scope != "register" and not is_on_stack(s.buffer) for s in walk(body))


def heap_layout(f: Function, body: Stmt) -> tuple[Expr, dict[Buffer, Expr]]:
    """The bytes that the temporaries of `body` need at once, and the offset of each.

    Parallel loops are left out where they become functions of their own, which have their own workspaces.
    """
    offsets: dict[Buffer, Expr] = {}

    def visit(stmt: Stmt, base: Expr) -> Expr:
        if isinstance(stmt, For) and stmt.kind == "parallel" and not f.is_parallel:
            return base
        if isinstance(stmt, Alloc) and stmt.buffer.scope != "register" and not is_on_stack(stmt.buffer):
            offsets[stmt.buffer] = base
            lines = binary("floordiv", size_bytes(stmt.buffer) + (ALIGN_BYTES - 1), ALIGN_BYTES)
            base = base + lines * ALIGN_BYTES
        highest = base
        for inner in sub_statements(stmt):
            top = visit(inner, base)
            if top is not base and top is not highest:
                highest = top if highest is base else binary("max", highest, top)
        return highest

    return visit(body, Const(0)), offsets


def with_workspace(f: Function, body: Stmt, emit: Callable[[], None]) -> Value | None:
    """Run `emit` between the allocation and the release of the workspace of `body`.

    Returns:
        Whether the allocation succeeded, as a bool value; None if nothing is allocated.
    """
    size, offsets = heap_layout(f, body)
    if not offsets:
        emit()
        return None
    malloc = f.unit.declare("malloc", "declare noalias ptr @malloc(i64)")
    free = f.unit.declare("free", "declare void @free(ptr)")
    if not isinstance(size, Const) or int(size) >= LARGE_BYTES:
        f.unit.declare(MARK, f"@{MARK} = weak hidden constant i8 1")
    padded = apply(f, index, "add {t} {0}, {1}", f.value(size), index_value(ALIGN_BYTES + SLACK_BYTES))
    raw = f.here(f"call ptr {malloc}({padded})")
    got = Value(f.here(f"icmp ne ptr {raw}, null"), bool_, 0, f.level)
    with f.branch(got):
        number = f.here(f"ptrtoint ptr {raw} to i64")
        negative = f.here(f"sub i64 0, {number}")
        gap = f.here(f"and i64 {negative}, {ALIGN_BYTES - 1}")
        base = f.here(f"getelementptr i8, ptr {raw}, i64 {gap}")
        for buffer, offset in offsets.items():
            where = f.here(f"getelementptr i8, ptr {base}, {f.value(offset)}")
            f.workspace[buffer] = Place(where, row_major_strides(buffer.shape), level=f.level, has_slack=True)
        emit()
        f.line(f"call void {free}(ptr {raw})")
    return got
