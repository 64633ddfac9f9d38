"""Reductions over sliding windows: one dimension at a time where that is possible, written out where they are short.

Separation. A reduction of the elements of a box is one along each of its sides in turn:

    T[i, j] = max over a, b of P[s*i + a, t*j + b]
 => R[i, x] = max over a of P[s*i + a, x];   T[i, j] = max over b of R[i, t*j + b]

Each element of R serves all windows that overlap it, so that an element of T takes a + b terms in place of a * b, and
the strided subscripts along the contiguous dimension are met b times in place of a * b. It pays if a * b > a + b + 2:
R is stored once and loaded again. The operation must be associative and commutative, as those of reductions are.

Writing out. A reduction over a window of a few taps becomes one expression over all of them, an elementwise stage:

    T[i, j] = P[i, j] * W[0] + P[i, j + 1] * W[1] + P[i, j + 2] * W[2]

Sums that start anew for each element need no accumulator in memory and no loop; loads that neighbouring elements share
are seen as such; and a padding is read where it is, since only a few lanes at the edges differ from the others.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import prod

from akg.base.dtype import index
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Axis, Binary, Call, Cast, Const, Expr, Load, Var, binary
from akg.ir.rewrite import loads_of, substitute, variables_of
from akg.ir.simplify import simplify
from akg.ir.split_axes import ranges_of
from akg.ir.stage import Stage
from akg.ir.stmt import REDUCTIONS
from akg.ir.te.tensor import fresh_var

MAX_TAPS = 16  # of a window that is written out
LEAST_ROW = 8  # elements of a row of products
STORED = 2  # what a result between two reductions costs, in terms


def over_windows(stages: list[Stage]) -> list[Stage]:
    """`stages` with separable reductions over windows in parts, and short ones written out."""
    result: list[Stage] = []
    for stage in stages:
        result += [_written_out(part) for part in _separated(stage)]
    return result


def _separated(stage: Stage) -> list[Stage]:
    """The stages that reduce one dimension after the other, the contiguous one last."""
    source = _source(stage)
    taps = _taps(stage)
    if source is None or taps is None or len(taps) < 2:
        return [stage]
    sides = _sides(stage, source)
    if sides is None:
        return [stage]
    last = max(sides, key=lambda v: sides[v])
    rest = [axis for axis in stage.reduce_axes if axis.var is not last]
    others, own = prod(taps[a.var] for a in rest), taps[last]
    if others * own <= others + own + STORED:
        return [stage]
    return _in_two(stage, source, sides[last], last, rest)


def _in_two(stage: Stage, source: Load, side: int, last: Var, rest: list[Axis]) -> list[Stage]:
    """A stage that reduces all but `last`, over the elements along that side, and one that reduces those."""
    form = Affine.of(source.indices[side])
    assert form is not None
    along = next(a for a in stage.axes if form.coefficient(a.var))
    reach = next(a for a in stage.reduce_axes if a.var is last)
    top = form.substitute({along.var: Affine.of(along.end) or Affine(), last: Affine.of(reach.end) or Affine()})
    extent = top - form.coefficient(along.var) - form.coefficient(last) + 1
    x = Axis(fresh_var("x"), Const(0), simplify(extent.to_expr()), False)
    place = stage.axes.index(along)
    axes = (*stage.axes[:place], x, *stage.axes[place + 1 :])
    old = stage.buffer
    lines = Buffer(f"{old.name}_lines", tuple([a.end for a in axes]), old.dtype)
    at = tuple([x.var if d == side else i for d, i in enumerate(source.indices)])
    moved = Load(source.buffer, at)
    value = Cast(moved, old.dtype) if isinstance(stage.values[0], Cast) else moved
    first = Stage(axes, (lines,), (value,), stage.combiner, tuple(rest), span=stage.span)
    found = Load(lines, tuple([source.indices[side] if a is x else a.var for a in axes]))
    second = replace(stage, values=(found,), reduce_axes=(reach,))
    return [*_separated(first), second]


def _source(stage: Stage) -> Load | None:
    """The one load that a stage reduces, as it is or converted."""
    value = stage.values[0]
    load = value.a if isinstance(value, Cast) else value
    return load if isinstance(load, Load) else None


def _taps(stage: Stage) -> dict[Var, int] | None:
    """The extent of each axis of a reduction over windows; None for any other stage."""
    combiner = stage.combiner
    if combiner is None or stage.is_update or stage.scan is not None or stage.condition is not None:
        return None
    if len(stage.values) != 1 or stage.place is not None or not stage.reduce_axes:
        return None
    value, kind = stage.values[0], stage.buffer.dtype
    op = REDUCTIONS.get(combiner.name)
    if op is None or not isinstance(combiner.result[0], Binary) or combiner.result[0].op != op:
        return None
    if value.dtype is not kind or (kind.compute is not kind and op not in ("max", "min")):
        return None
    taps: dict[Var, int] = {}
    for axis in stage.reduce_axes:
        if axis.begin is not Const(0) or not isinstance(axis.end, Const) or int(axis.end) < 1:
            return None
        if axis.end is not Const(1) and not any(_slides(stage, load, axis.var) for load in loads_of(value)):
            return None
        taps[axis.var] = int(axis.end)
    return taps


def _slides(stage: Stage, load: Load, tap: Var) -> bool:
    """Whether a load has windows along an axis: a subscript moves with the tap and with an element of the output."""
    spatial = {axis.var for axis in stage.axes}
    for subscript in load.indices:
        form = Affine.of(subscript)
        if form is not None and form.coefficient(tap) and any(v in spatial for v in form.terms):
            return True
    return False


def _sides(stage: Stage, source: Load) -> dict[Var, int] | None:
    """The dimension along which each axis of the reduction runs, if it is one that nothing else runs along.

    Subscripts are ``stride * i + dilation * k + offset`` with an axis `i` of the output that is in no other.
    """
    sides: dict[Var, int] = {}
    reduced = {axis.var for axis in stage.reduce_axes}
    seen: list[Var] = []
    for d, subscript in enumerate(source.indices):
        form = Affine.of(subscript)
        if form is None:
            return None
        taps = [v for v in form.terms if v in reduced]
        seen.extend(v for v in form.terms if v not in reduced)
        if not taps:
            continue
        others = [v for v in form.terms if v not in reduced]
        is_box = len(taps) == 1 and len(others) == 1 and min(form.terms.values()) > 0 and form.const >= 0
        axis = next((a for a in stage.axes if a.var in others), None)
        if not is_box or taps[0] in sides or axis is None or axis.begin is not Const(0) or Affine.of(axis.end) is None:
            return None
        sides[taps[0]] = d
    moved = [v for d in sides.values() for v in variables_of(source.indices[d]) if v not in reduced]
    return sides if len(sides) == len(reduced) and all(seen.count(v) == 1 for v in moved) else None


def _written_out(stage: Stage) -> Stage:
    """A stage without its reduction, if that is over the taps of a short window."""
    taps = _taps(stage)
    if taps is None or prod(taps.values()) > MAX_TAPS or (_source(stage) is None and not _pays_in_products(stage)):
        return stage
    combiner = stage.combiner
    assert combiner is not None
    op, value = REDUCTIONS[combiner.name], stage.values[0]
    total: Expr | None = None
    for numbers in product(*[range(n) for n in taps.values()]):
        places: dict[Var, Expr] = {v: Const(k, index) for v, k in zip(taps, numbers, strict=True)}
        term = simplify(substitute(value, places))
        total = term if total is None else _joined(op, total, term)
    assert total is not None
    return replace(stage, values=(total,), combiner=None, reduce_axes=(), is_window=True)


def _pays_in_products(stage: Stage) -> bool:
    """Whether products of windows are best written out: neighbours read neighbours, no other output the same window.

    A window that several outputs share, as the channels of a convolution, is an operand of a contraction, and strided
    or short ones leave lanes to the rows of a register tile.
    """
    reduced = [axis.var for axis in stage.reduce_axes]
    windows = [load for load in loads_of(stage.values[0]) if any(_slides(stage, load, v) for v in reduced)]
    for load in windows:
        row, form = stage.axes[-1], Affine.of(load.indices[-1])
        used = {v for i in load.indices for v in variables_of(i)}
        is_long = not isinstance(row.end, Const) or int(row.end) >= LEAST_ROW
        if form is None or form.coefficient(row.var) != 1 or not is_long:
            return False
        if not all(axis.var in used for axis in stage.axes):
            return False
    return True


def _joined(op: str, total: Expr, term: Expr) -> Expr:
    """The sum with one more term; a product in it is not rounded where the machine can do so, as in any reduction."""
    if op == "add" and isinstance(term, Binary) and term.op == "mul" and term.dtype.is_float:
        return Call("muladd", (term.a, term.b, total), term.dtype)
    return binary(op, total, term)


def within_ranges(stage: Stage) -> Stage:
    """A written-out window without the conditions of a padding that its taps do not reach."""
    if stage.is_window:
        memo: dict[Expr, Expr] = {}
        ranges = ranges_of(stage.axes)
        stage.change(lambda e: simplify(e, memo, ranges))
    return stage
