"""Subscripts to addresses: the linearised subscript, and the instructions that add it up."""

from __future__ import annotations

from akg.codegen.llvm.address import Key, Polynomial, added, multiplied, polynomial, scaled, term
from akg.codegen.llvm.bounds import as_index
from akg.codegen.llvm.builder import Function, Place
from akg.codegen.llvm.steps import stepped
from akg.ir.expr import Const, Expr


def row_major_strides(shape: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Elements between neighbours in each dimension of a dense array."""
    strides: list[Expr] = []
    step: Expr = Const(1)
    for size in reversed(shape):
        strides.append(step)
        step = step * size
    return tuple(reversed(strides))


def linear(f: Function, place: Place, indices: tuple[Expr, ...]) -> Polynomial:
    """The linearised subscript."""
    memo = f.unit.polynomials
    form: Polynomial = {}
    for position, stride in zip(indices, place.strides, strict=True):
        part = polynomial(position, memo)
        if isinstance(stride, Const):
            part = scaled(part, int(stride))
        else:
            part = multiplied(part, polynomial(stride, memo))
        form = added(form, part) if form else part
    return form


def pointer_of(
    f: Function, place: Place, form: Polynomial, element: str, *, inside: bool = True
) -> tuple[str, int]:
    """The address of an element and its level: terms are added level by level, outermost first, then the constant."""
    step = f"getelementptr {'inbounds ' if inside else ''}{element}"
    pointer, level = place.pointer, place.level
    for level, terms in _by_level(f, place, form):
        moved = stepped(f, pointer, step, level, *terms[0]) if len(terms) == 1 else None
        pointer = moved or _moved(f, pointer, step, level, terms)
    offset = form.get((), 0)
    if offset:
        key = ("address", pointer, step, offset)
        found = f.memo.get(key)
        if found is None:
            found = f.at(level, f"{step}, ptr {pointer}, i64 {offset}")
            f.remember(key, found, level)
        pointer = found
    return pointer, level


def _by_level(f: Function, place: Place, form: Polynomial) -> list[tuple[int, list[tuple[Key, int]]]]:
    """The terms of each level, outermost first."""
    found: dict[int, list[tuple[Key, int]]] = {}
    for key, coefficient in form.items():
        if key:
            level = max([place.level, *[f.value(x).level for x in key]])
            found.setdefault(level, []).append((key, coefficient))
    return sorted(found.items())


def _moved(f: Function, pointer: str, step: str, level: int, terms: list[tuple[Key, int]]) -> str:
    """An address plus some terms of one level."""
    texts = sorted([as_index(f, f.value(term(*one))).text for one in terms])
    key = ("address", pointer, step, *texts)
    found = f.memo.get(key)
    if found is None:
        total = texts[0]
        for text in texts[1:]:
            total = f.at(level, f"add i64 {total}, {text}")
        found = f.at(level, f"{step}, ptr {pointer}, i64 {total}")
        f.remember(key, found, level)
    return found
