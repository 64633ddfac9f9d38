"""What an access does along a loop: its stride, and whether it stays put."""

from __future__ import annotations

from akg.ir.affine import Affine
from akg.ir.expr import Const, Var
from akg.ir.rewrite import variables_of
from akg.poly.scop import Access

GATHER = 1 << 40  # the stride of a subscript that is not affine, or of a symbolic row length


def stride(access: Access, var: Var) -> int:
    """Elements between the accesses of consecutive iterations of `var`; `GATHER` if not a constant."""
    total, row = 0, 1
    for position in range(len(access.indices) - 1, -1, -1):
        form = Affine.of(access.indices[position])
        if form is None:
            if var in variables_of(access.indices[position]):
                return GATHER
        else:
            coefficient = form.coefficient(var)
            if coefficient:
                if row < 0:
                    return GATHER
                total += coefficient * row
        size = access.buffer.shape[position]
        row = row * int(size) if isinstance(size, Const) and row > 0 else -1
    return total


def depends_on(access: Access, var: Var) -> bool:
    """Whether the address changes with `var`."""
    return any(var in variables_of(i) for i in access.indices)
