"""Expansion: a temporary that each iteration declares anew becomes an array with an element per iteration.

    Before:  for i in [0, m):              After:  alloc s: [m]
                 alloc s: []                       for i in [0, m):
                 S0: s[] = 0                           S0: s[i] = 0
                 ...                                   ...

One piece of memory for all iterations would order them: iteration 1 may not write what iteration 0 still reads.
Expanded, the loops have only the dependences of the values (Feautrier 1988, in the case where the text shows the
life time). `akg.poly.loops.contract` takes the memory back after scheduling.
"""

from __future__ import annotations

from dataclasses import replace

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Var, binary
from akg.ir.rewrite import map_children, replace_buffer
from akg.ir.stmt import Alloc, For, Kernel, Stmt

_Range = tuple[Affine, Affine]  # least and greatest value, over the sizes


def expand_temporaries(kernel: Kernel) -> Kernel:
    """`kernel` with the temporaries inside loops expanded over these loops and declared outside of all of them.

    A temporary stays where it is if the bounds of a loop around it are not affine or, for a loop around that one,
    not known over the sizes. The same object if nothing changed.
    """
    expansion = _Expansion()
    body = expansion.visit(kernel.body, (), {})
    if not expansion.buffers:
        return kernel
    for buffer in reversed(expansion.buffers):
        body = Alloc(buffer, body)
    return replace(kernel, body=body)


class _Expansion:
    def __init__(self) -> None:
        self.buffers: list[Buffer] = []

    def visit(self, stmt: Stmt, loops: tuple[For, ...], ranges: dict[Var, _Range | None]) -> Stmt:
        if isinstance(stmt, For):
            inside = {**ranges, stmt.var: _range(stmt, ranges)}
            return map_children(stmt, lambda inner: self.visit(inner, (*loops, stmt), inside))
        result = map_children(stmt, lambda inner: self.visit(inner, loops, ranges))
        known = [r for loop in loops if (r := ranges[loop.var]) is not None]
        if not isinstance(result, Alloc) or not loops or len(known) < len(loops):
            return result
        extents = [_at_least_zero(high - low + 1) for low, high in known]
        places = [(Affine.var(loop.var) - low).to_expr() for loop, (low, _) in zip(loops, known, strict=True)]
        old = result.buffer
        new = Buffer(old.name, (*extents, *old.shape), old.dtype, "global")
        self.buffers.append(new)

        def access(indices: tuple[Expr, ...]) -> tuple[Buffer, tuple[Expr, ...]]:
            return new, (*places, *indices)

        return replace_buffer(result.body, old, access)


def _range(loop: For, ranges: dict[Var, _Range | None]) -> _Range | None:
    begin, end = Affine.of(loop.begin), Affine.of(loop.end)
    if begin is None or end is None:
        return None
    low, high = _extreme(begin, ranges, 0), _extreme(end + -1, ranges, 1)
    return None if low is None or high is None else (low, high)


def _extreme(form: Affine, ranges: dict[Var, _Range | None], side: int) -> Affine | None:
    """The least (0) or greatest (1) value of a form, None if a loop variable in it has no range."""
    result = Affine(None, form.const)
    for v, c in form.terms.items():
        if v not in ranges:  # a size
            result = result + Affine({v: c})
            continue
        known = ranges[v]
        if known is None:
            return None
        result = result + known[side if c > 0 else 1 - side] * c
    return result


def _at_least_zero(extent: Affine) -> Expr:
    plain = extent.const >= 0 and all(c > 0 for c in extent.terms.values())
    return extent.to_expr() if plain else binary("max", extent.to_expr(), Const(0))
