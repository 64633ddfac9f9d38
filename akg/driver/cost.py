"""What a kernel must do at least: arithmetic operations, and bytes between memory and the core."""

from __future__ import annotations

from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Call, Const, Expr, Select, Unary
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import Kernel
from akg.poly.scop import Scop, Statement


def flops(scop: Scop) -> int | None:
    """Floating-point operations of one call, a call of a function counted as one; None if a size is symbolic."""
    total = 0
    for statement in scop.statements.values():
        instances = _instances(statement)
        if instances is None:
            return None
        total += instances * _operations(statement.store.value)
    return total


def _operations(value: Expr) -> int:
    return sum(
        1 for node in walk_expr(value) if isinstance(node, (Binary, Unary, Call, Select)) and node.dtype.is_float
    )


def _instances(statement: Statement) -> int | None:
    """Points of the domain; exact for boxes, and for bounds that depend on outer loops by enumeration of these."""
    if any(not isinstance(loop.begin, Const) or not isinstance(loop.end, Const) for loop in statement.loops):
        return None
    count = 1
    for loop in statement.loops:
        count *= loop.const_trips or 0
    return count


def bytes_moved(kernel: Kernel) -> int | None:
    """Bytes of all arguments, those updated in place twice; None if a size is symbolic."""
    total = 0
    for param in kernel.params:
        if isinstance(param.value, Buffer):
            shape = param.value.const_shape
            if shape is None:
                return None
            elements = param.value.dtype.itemsize_bytes
            for size in shape:
                elements *= size
            total += elements * (2 if param.role == "inout" else 1)
    return total
