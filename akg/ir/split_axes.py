"""Axes that subscripts take apart become two: rows of a reshaped or repeated array are read as rows.

Before: ``for j in [0, 512): T[j] = x[j // 64, s, j % 64]``.
After:  ``for j in [0, 8): for j_1 in [0, 64): T[j * 64 + j_1] = x[j, s, j_1]``.

All accesses are affine again, and those of the inner loop are contiguous. An axis is split only if the last subscript
of a load, the contiguous one, divides it, and only into rows that are worth a vector loop.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd

from akg.base.dtype import index
from akg.ir.affine import Affine
from akg.ir.expr import Axis, Binary, Const, Expr, Load, Var
from akg.ir.rewrite import substitute, walk_expr
from akg.ir.simplify import Ranges, simplify
from akg.ir.stage import Stage
from akg.ir.te.tensor import fresh_var, plain_name

LEAST_ROW = 16  # elements


def split_axes(stage: Stage) -> Stage:
    """`stage` with divided axes split; itself if there are none."""
    if stage.scan is not None or stage.is_update:
        return stage
    subscripts = [i for load in stage.loads for i in load.indices]
    if not any(_is_division(node) for i in subscripts for node in walk_expr(i)):
        return stage
    values: dict[Var, Expr] = {}
    axes = _split(stage, stage.axes, values)
    reduce_axes = _split(stage, stage.reduce_axes, values)
    ranges = ranges_of((*axes, *reduce_axes))
    memo: dict[Expr, Expr] = {}

    def moved(e: Expr) -> Expr:
        return simplify(substitute(e, values), memo, ranges)

    place = tuple([moved(axis.var) for axis in stage.axes]) if values else None
    condition = None if stage.condition is None else moved(stage.condition)
    return replace(
        stage, axes=axes, reduce_axes=reduce_axes, values=tuple([moved(v) for v in stage.values]),
        condition=condition, place=place,
    )  # fmt: skip


def ranges_of(axes: tuple[Axis, ...]) -> Ranges:
    """The least and greatest value of each axis with constant bounds."""
    result: dict[Var, tuple[int, int]] = {}
    for axis in axes:
        if isinstance(axis.begin, Const) and isinstance(axis.end, Const) and int(axis.begin) < int(axis.end):
            result[axis.var] = (int(axis.begin), int(axis.end) - 1)
    return result


def _split(stage: Stage, axes: tuple[Axis, ...], values: dict[Var, Expr]) -> tuple[Axis, ...]:
    result: list[Axis] = []
    for axis in axes:
        row = _row_of(stage, axis)
        if row is None:
            result.append(axis)
            continue
        outer, inner = fresh_var(plain_name(axis.var)), fresh_var(plain_name(axis.var))
        values[axis.var] = outer * row + inner
        result.append(Axis(outer, Const(0), simplify(axis.end // row), axis.is_reduce))
        result.append(Axis(inner, Const(0), Const(row), axis.is_reduce))
    return tuple(result)


def _row_of(stage: Stage, axis: Axis) -> int | None:
    """The length of the rows that the contiguous subscripts of loads cut an axis into."""
    extent = Affine.of(axis.end)
    bounds = [bound for other in stage.reduce_axes for bound in (other.begin, other.end)]
    is_bound = any(node is axis.var for bound in bounds for node in walk_expr(bound))
    if extent is None or axis.begin is not Const(0) or is_bound:
        return None
    rows: list[int] = []
    for load in stage.loads:
        for node in walk_expr(_contiguous(load)):
            if not _is_division(node):
                continue
            form = Affine.of(node.a)  # type: ignore[attr-defined]  # pyright: ignore
            if form is None or form.coefficient(axis.var) != 1:
                continue
            divisor = int(node.b)  # type: ignore[attr-defined]  # pyright: ignore
            row = gcd(divisor, form.const, *form.without([axis.var]).terms.values())
            fits = gcd(row, extent.const, *extent.terms.values()) == row
            if fits and row >= LEAST_ROW and not (extent.is_const and extent.const <= row):
                rows.append(row)
    return min(rows, default=None)


def _contiguous(load: Load) -> Expr:
    """The subscript along which memory is contiguous."""
    for subscript, size in zip(reversed(load.indices), reversed(load.buffer.shape), strict=True):
        if size is not Const(1):
            return subscript
    return Const(0)


def _is_division(node: Expr) -> bool:
    return (
        isinstance(node, Binary)
        and node.op in ("floordiv", "mod")
        and node.dtype is index
        and isinstance(node.b, Const)
        and int(node.b) > 0
    )
