"""Loops run in the direction in which they read.

Before: ``for i in [0, 100): for j: T[i, j] = x[99 - i, j]``.
After:  ``for i in [0, 100): for j: T[99 - i, j] = x[i, j]``.

Processors ask for what follows what was read; nothing is asked for of what is written. An axis turns around if all
loads that move along it move backwards. The last one does not: its lanes are in the order of memory either way.
"""

from __future__ import annotations

from dataclasses import replace

from akg.ir.affine import Affine
from akg.ir.expr import Axis, Const, Expr, Var
from akg.ir.rewrite import substitute, uses
from akg.ir.simplify import simplify
from akg.ir.stage import Stage


def read_forwards(stage: Stage) -> Stage:
    """An elementwise stage with the axes turned around that it reads backwards."""
    if stage.scan is not None or stage.is_update or stage.reduce_axes or stage.target is not None:
        return stage
    turned: dict[Var, Expr] = {a.var: a.end - 1 - a.var for a in stage.axes[:-1] if _is_backwards(stage, a)}
    if not turned:
        return stage
    memo: dict[Expr, Expr] = {}

    def changed(e: Expr) -> Expr:
        return simplify(substitute(e, turned), memo)

    place = stage.place or tuple([a.var for a in stage.axes])
    new = replace(stage, place=tuple([changed(e) for e in place]))
    new.change(changed)
    return new


def _is_backwards(stage: Stage, axis: Axis) -> bool:
    """Whether some load moves backwards along an axis, and none moves otherwise."""
    if axis.begin is not Const(0):
        return False
    moving = [i for load in stage.loads for i in load.indices if uses(i, axis.var)]
    forms = [Affine.of(i) for i in moving]
    return bool(forms) and all(form is not None and form.coefficient(axis.var) < 0 for form in forms)
