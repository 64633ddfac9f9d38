"""What an access does along a loop: its stride, and whether it stays put."""

from __future__ import annotations

from collections.abc import Iterable

from akg.ir.affine import Affine
from akg.ir.expr import Binary, Const, Expr, Var
from akg.ir.rewrite import uses
from akg.poly.progression import rank
from akg.poly.scop import Access, Statement

GATHER = 1 << 40  # the stride of a subscript that is not affine, or of a symbolic row length


def stride(access: Access, var: Var) -> int:
    """Elements between the accesses of consecutive iterations of `var`; `GATHER` if not a constant."""
    found = access.strides.get(var)
    if found is None:
        found = access.strides[var] = _stride(access, var)
    return found


def _stride(access: Access, var: Var) -> int:
    total, row = 0, 1
    for position in range(len(access.indices) - 1, -1, -1):
        coefficient = _coefficient(access.indices[position], var)
        if coefficient is None or (coefficient and row < 0):
            return GATHER
        total += coefficient * row
        size = access.buffer.shape[position]
        row = row * int(size) if isinstance(size, Const) and row > 0 else -1
    return total


def _coefficient(index: Expr, var: Var) -> int | None:
    """What a step of `var` adds to a subscript, whatever other terms there are; None if that is no constant."""
    form = Affine.of(index)
    if form is not None:
        return form.coefficient(var)
    if not uses(index, var):
        return 0
    if not isinstance(index, Binary) or index.op not in ("add", "sub"):
        return None
    left, right = _coefficient(index.a, var), _coefficient(index.b, var)
    if left is None or right is None:
        return None
    return left + right if index.op == "add" else left - right


def depends_on(access: Access, var: Var) -> bool:
    """Whether the address changes with `var`."""
    return any(uses(i, var) for i in access.indices)


def separates(access: Access, var: Var, iterators: Iterable[Var]) -> bool:
    """Whether iterations with different values of `var` touch different elements: a subscript has no other iterator."""
    others = [v for v in iterators if v is not var]
    forms = [Affine.of(i) for i in access.indices]
    return any(f is not None and f.coefficient(var) and not any(f.coefficient(v) for v in others) for f in forms)


def is_alone(access: Access, var: Var, iterators: Iterable[Var]) -> bool:
    """Whether one subscript steps with `var` by one, without other iterators, and no other subscript has it."""
    found = [Affine.of(i) for i in access.indices if uses(i, var)]
    if len(found) != 1 or found[0] is None:
        return False
    return found[0].coefficient(var) == 1 and not any(found[0].coefficient(v) for v in iterators if v is not var)


def access_rank(access: Access, iterators: Iterable[Var]) -> int:
    """How many independent directions of the iterations an access tells apart."""
    listed = tuple(iterators)
    forms = [Affine.of(i) for i in access.indices]
    return rank(tuple([tuple([f.coefficient(v) if f is not None else 0 for v in listed]) for f in forms]))


def is_reused(statement: Statement) -> bool:
    """Whether each access comes back to its elements in other iterations."""
    return all(access_rank(a, statement.iterators) < len(statement.loops) for a in statement.accesses)
