"""Axes that subscripts take apart become two: rows of a reshaped or repeated array are read as rows.

Before: ``for j in [0, 512): T[j] = x[j // 64, s, j % 64]``.
After:  ``for j in [0, 8): for j_1 in [0, 64): T[j * 64 + j_1] = x[j, s, j_1]``.

All accesses are affine again, and those of the inner loop are contiguous. An axis is split if the last subscript of a
load, the contiguous one, divides it, into rows that are worth a vector loop. One of a sum of products is also split
where its quotient picks what is summed, as the group of an output channel does: ``x[n, j // 4 * 8 + c] * w[j, c]``.
Which operands serve several iterations shows only in affine subscripts. What reads such sums walks through them in
the same two loops, so that both fuse.

Rows of a few elements are worth it where arrays are interleaved, ``T[j] = x[j % 2, j // 2]``: lanes then go along the
quotient, around the remainders, and read and write neighbours in memory.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd

from akg.base.dtype import index
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Axis, Binary, Const, Expr, Load, Var, binary
from akg.ir.rewrite import substitute, variables_of, walk_expr
from akg.ir.simplify import Ranges, simplify
from akg.ir.stage import Stage
from akg.ir.te.tensor import fresh_var, plain_name

LEAST_ROW = 16  # elements
MOST_INTERLEAVED = 8  # arrays


def split_axes(stages: list[Stage]) -> list[Stage]:
    """Stages with divided axes split, and those that walk through the results of sums along with them."""
    cut: dict[tuple[Buffer, int], int] = {}  # dimensions of sums in rows
    result: list[Stage] = []
    for stage in stages:
        rows = _rows_of(stage, cut)
        if stage.reduce_axes and stage.place is None:
            found = [(d, rows[axis.var]) for d, axis in enumerate(stage.axes) if axis.var in rows]
            cut.update({(b, d): row for b in stage.outputs if b is not None for d, row in found})
        result.append(_split(stage, rows) if rows or _divides(stage) else stage)
    return result


def _divides(stage: Stage) -> bool:
    """Whether a subscript of a load has a quotient or a remainder."""
    if stage.scan is not None or stage.is_update:
        return False
    return any(_is_division(node) for load in stage.loads for i in load.indices for node in walk_expr(i))


def _rows_of(stage: Stage, cut: dict[tuple[Buffer, int], int]) -> dict[Var, int]:
    """The length of the rows of each axis that is to be split."""
    if stage.scan is not None or stage.is_update:
        return {}
    rows = {load.indices[d]: row for load in stage.loads for (b, d), row in cut.items() if load.buffer is b}
    is_divided = _divides(stage)
    found: dict[Var, int] = {}
    for axis in (*stage.axes, *stage.reduce_axes):
        row = _row_of(stage, axis) if is_divided else None
        if row is None and axis.begin is Const(0) and isinstance(axis.end, Const) and axis in stage.axes:
            row = rows.get(axis.var)
            row = None if row is None or int(axis.end) % row else row
        if row is not None:
            found[axis.var] = row
    return found


def _split(stage: Stage, rows: dict[Var, int]) -> Stage:
    values: dict[Var, Expr] = {}
    axes = _in_rows(stage.axes, rows, values)
    reduce_axes = _in_rows(stage.reduce_axes, rows, values)
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


def _in_rows(axes: tuple[Axis, ...], rows: dict[Var, int], values: dict[Var, Expr]) -> tuple[Axis, ...]:
    result: list[Axis] = []
    for axis in axes:
        row = rows.get(axis.var)
        if row is None:
            result.append(axis)
            continue
        outer, inner = fresh_var(plain_name(axis.var)), fresh_var(plain_name(axis.var))
        values[axis.var] = outer * row + inner
        result.append(Axis(outer, Const(0), simplify(axis.end // row), axis.is_reduce))
        result.append(Axis(inner, Const(0), Const(row), axis.is_reduce))
    return tuple(result)


def _row_of(stage: Stage, axis: Axis) -> int | None:
    """The length of the rows that the subscripts of loads cut an axis into."""
    is_product = bool(stage.reduce_axes) and len(stage.loads) > 1
    summed = frozenset([a.var for a in stage.reduce_axes])
    extent = Affine.of(axis.end)
    bounds = [bound for other in stage.reduce_axes for bound in (other.begin, other.end)]
    is_bound = any(node is axis.var for bound in bounds for node in walk_expr(bound))
    if extent is None or axis.begin is not Const(0) or is_bound:
        return None
    rows: list[int] = []
    for load in stage.loads:
        for place, node in [(i, n) for i in load.indices for n in walk_expr(i)]:
            shared = is_product and not axis.is_reduce and (summed & frozenset(variables_of(place)))
            if not _is_division(node) or not (shared or place is _contiguous(load)):
                continue
            form = Affine.of(node.a)  # type: ignore[attr-defined]  # pyright: ignore
            if form is None or form.coefficient(axis.var) != 1:
                continue
            divisor = int(node.b)  # type: ignore[attr-defined]  # pyright: ignore
            row = gcd(divisor, form.const, *form.without([axis.var]).terms.values())
            fits = gcd(row, extent.const, *extent.terms.values()) == row
            least = 2 if shared or _interleaves(stage, axis, load, row) else LEAST_ROW
            if fits and row >= least and not (extent.is_const and extent.const <= row):
                rows.append(row)
    return min(rows, default=None)


def _interleaves(stage: Stage, axis: Axis, load: Load, row: int) -> bool:
    """Whether a load has neighbours along the quotient of the last axis, and parts that the remainder picks.

    Or it has neighbours along a remainder, which picks what the parts of the result are.
    """
    if stage.reduce_axes or row > MOST_INTERLEAVED:
        return False
    last, place, rest = stage.axes[-1].var, _contiguous(load), axis.var % row
    others = [node for i in load.indices if i is not place for node in walk_expr(i)]
    if axis.var is last:
        return place is binary("floordiv", last, row) and any(node is rest for node in others)
    return place is simplify(last * row + rest)


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
