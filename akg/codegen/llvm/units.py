"""Runs of narrow elements that are copied together, as one wide element each.

Before: ``for k (vector): for j (vector): for n (unrolled, 2): P[k, j, n] = B[j, 2 * k + n]``, elements of 16 bits.
After:  ``for k (vector): for j (vector): p[k, j] = b[j, k]``, elements of 32 bits.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from akg.base.dtype import DType, int16, int32, int64
from akg.codegen.llvm.address import Key, Polynomial, term
from akg.codegen.llvm.bounds import is_checked
from akg.codegen.llvm.builder import Function
from akg.codegen.llvm.memory import linear
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var, binary
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import For, Store

_UNITS: dict[int, DType] = {16: int16, 32: int32, 64: int64}


def copied_in_units(f: Function, loop: For) -> For | None:
    """A loop whose body copies runs of neighbours as a loop over wide elements; None if it is no such loop."""
    run = loop.body
    store = run.body if isinstance(run, For) and run.kind == "unroll" and run.begin is Const(0) else None
    if not isinstance(run, For) or not isinstance(store, Store) or store.reduction is not None:
        return None
    load, count = store.value, run.const_trips
    if not isinstance(load, Load) or load.dtype is not store.buffer.dtype or not count:
        return None
    unit = _UNITS.get(count * load.dtype.bits)
    if unit is None or is_checked(f, load.buffer, load.indices) or is_checked(f, store.buffer, store.indices):
        return None
    source = _in_units(f, load.buffer, load.indices, run.var, count, unit)
    target = _in_units(f, store.buffer, store.indices, run.var, count, unit)
    if source is None or target is None:
        return None
    return replace(loop, body=replace(store, buffer=target.buffer, indices=target.indices, value=source))


def _in_units(
    f: Function, buffer: Buffer, indices: tuple[Expr, ...], var: Var, count: int, unit: DType
) -> Load | None:
    """The wide element that holds `count` neighbours along `var`; None if they are not one of an array of such."""
    place = f.places.get(buffer)
    if place is None or place.is_private or place.lanes:
        return None
    form: Polynomial = dict(linear(f, place, indices))
    if form.pop((var,), 0) != 1:
        return None
    if any(_unit(f, key, c) % count for key, c in form.items()):
        return None
    if any(node is var for key in form for x in key for node in walk_expr(x)):
        return None
    wide = Buffer(f"{buffer.name}.units", (Const(1 << 62),), unit, "global")
    f.places[wide] = replace(place, strides=(Const(1),), has_slack=False)
    position: Expr = Const(0)
    for key, c in form.items():
        if not key or c % count == 0:
            position = position + (term(key, c // count) if key else Const(c // count))
        else:
            position = position + binary("floordiv", term(key, c), Const(count))
    return Load(wide, (position,))


def _unit(f: Function, key: Key, coefficient: int) -> int:
    """What a term is known to be a multiple of."""
    return coefficient * prod([f.multiples.get(factor, 1) for factor in key if isinstance(factor, Var)])
