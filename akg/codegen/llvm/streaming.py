"""Non-temporal stores: outputs too large to be found in a cache later are written around the caches.

An ordinary store first reads the line that it will overwrite; a non-temporal store of whole lines does not, which
saves a third of the traffic of a copy. It needs aligned vectors, so a loop over lanes starts with a masked vector up
to the first aligned element (arrays from NumPy are rarely aligned to more than 16 bytes).
"""

from __future__ import annotations

from akg.base.dtype import index
from akg.base.target import Target
from akg.codegen.llvm.arith import apply
from akg.codegen.llvm.builder import Function, Value
from akg.codegen.llvm.memory import access
from akg.ir.buffer import Buffer
from akg.ir.expr import Expr
from akg.ir.rewrite import buffers_read, substitute, walk_expr
from akg.ir.stmt import For, If, Kernel, Stmt, Store, walk

LAST_CACHE_SHARE = 4  # an output of more than this part of the last cache will not be found there
DEFAULT_BYTES = 8 << 20  # where the size of the last cache is not known


def streamed_buffers(kernel: Kernel, target: Target) -> frozenset[Buffer]:
    """The outputs that a kernel should write around the caches."""
    if target.arch != "x86_64":
        return frozenset()
    least = target.l3_bytes // LAST_CACHE_SHARE or DEFAULT_BYTES
    read = buffers_read(kernel.body)
    found: set[Buffer] = set()
    for param in kernel.params:
        buffer = param.value
        if param.role != "out" or not isinstance(buffer, Buffer) or buffer in read or buffer.const_shape is None:
            continue
        size_bytes = buffer.dtype.itemsize_bytes
        for extent in buffer.const_shape:
            size_bytes *= extent
        if size_bytes > least:
            found.add(buffer)
    return frozenset(found)


def streaming_store(f: Function, loop: For, lanes: int) -> Store | None:
    """The store of a vector loop that should bypass the caches: full vectors, once for each iteration."""
    if not f.unit.streamed or f.guard is not None:
        return None
    parts: list[Stmt] = [loop.body]
    for stmt in parts:
        if isinstance(stmt, (For, If)):
            return None
        parts.extend(s for s in walk(stmt) if s is not stmt and isinstance(s, (For, If)))
    for stmt in walk(loop.body):
        if isinstance(stmt, Store) and stmt.buffer in f.unit.streamed and stmt.reduction is None:
            whole = stmt.buffer.dtype.itemsize_bytes * lanes * 8 == f.unit.target.vector_bits
            if whole and any(node is loop.var for node in walk_expr(stmt.indices[-1])):
                return stmt
    return None


def unaligned_head(f: Function, loop: For, store: Store, lanes: int, begin: Value, end: Value) -> Value:
    """Iterations before the first whose element of `store` is aligned to a vector; at most what there are."""
    first: dict[Expr, Expr] = {loop.var: loop.begin}
    indices = tuple([substitute(i, first) for i in store.indices])  # pyright: ignore[reportArgumentType]
    pointer = access(f, store.buffer, indices).pointer
    size_bytes = store.buffer.dtype.itemsize_bytes
    address = f.here(f"ptrtoint ptr {pointer} to i64")
    missing = f.here(f"and i64 {f.here(f'sub i64 0, {address}')}, {lanes * size_bytes - 1}")
    count = f.here(f"lshr i64 {missing}, {size_bytes.bit_length() - 1}")
    left = apply(f, index, "sub {t} {0}, {1}", end, begin)
    fewer = f.here(f"icmp slt i64 {count}, {left.text}")
    return Value(f.here(f"select i1 {fewer}, i64 {count}, i64 {left.text}"), index, 0, f.level)


def fence(f: Function) -> None:
    """Make the stores visible in order; called once at the end of a function that has some."""
    if f.has_streamed:
        name = "llvm.x86.sse.sfence"
        f.line(f"call void {f.unit.declare(name, f'declare void @{name}()')}()")
