"""Sizes of torch, integers or SymInts, as akg's: affine expressions of symbols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from akg.frontends.torch.package import sympy, torch
from akg.frontends.torch.table import unsupported
from akg.ir import te
from akg.ir.expr import Expr


def is_symbolic(size: Any) -> bool:
    """Whether a size is known at calls only."""
    return isinstance(size, torch.SymInt) and not size.node.expr.is_number


def size_of(size: Any, name: str) -> int | Expr:
    """A size for akg's graphs.

    Raises:
        AkgError: AKG-E741 for one that is not affine in the symbols.
    """
    if not isinstance(size, torch.SymInt):
        return int(size)
    return _affine(size.node.expr, name)


def _affine(expr: Any, name: str) -> int | Expr:
    if expr.is_Integer:
        return int(expr)
    if expr.is_Symbol:
        return te.var(expr.name)
    if expr.is_Add:
        first, *rest = [_affine(a, name) for a in expr.args]
        for other in rest:
            first = first + other
        return first
    if expr.is_Mul and len(expr.args) == 2 and expr.args[0].is_Integer:
        return _affine(expr.args[1], name) * int(expr.args[0])
    raise unsupported(f"{name} of size {expr}", "it is not affine in the symbols")


def sizes_of(sizes: Sequence[Any], name: str) -> tuple[int | Expr, ...]:
    """As `size_of`, for a shape."""
    return tuple([size_of(s, name) for s in sizes])


def symbols_of(sizes: Sequence[Any]) -> set[str]:
    """The names of the symbols in sizes."""
    found = [s.node.expr.free_symbols for s in sizes if isinstance(s, torch.SymInt)]
    return {symbol.name for symbols in found for symbol in symbols}


def plain_symbol(size: Any) -> str:
    """The name of a size that is one symbol; else empty."""
    if not isinstance(size, torch.SymInt):
        return ""
    expr = size.node.expr
    return expr.name if expr.is_Symbol else ""


def value_of(size: Any, values: Mapping[str, int]) -> int:
    """A size as a number, symbols replaced."""
    if not isinstance(size, torch.SymInt):
        return int(size)
    expr = size.node.expr
    return int(expr.xreplace({s: sympy.Integer(values[s.name]) for s in expr.free_symbols}))


def hint_of(size: Any) -> int:
    """A size as it was when torch traced."""
    return int(size.node.hint) if isinstance(size, torch.SymInt) else int(size)


def expr_of(size: Any) -> Any:
    """A size as a number or a sympy expression, which asks no guard of torch."""
    return size.node.expr if isinstance(size, torch.SymInt) else size


def is_equal(a: Any, b: Any) -> bool:
    """Whether two sizes from `expr_of` are the same expression."""
    return bool(sympy.expand(a - b) == 0)
