"""Signed by signed bytes on instructions that multiply unsigned by signed ones: sign bits change, sums are corrected.

    (a + 128) * b = a * b + 128 * b      makes signed elements of a row unsigned
    (a - 128) * b = a * b - 128 * b      makes unsigned ones signed

Changing the sign bit of each element of a row takes an instruction for a whole tile's width of products. What is too
much in the sum is 128 times the sum of the panel's column: the same for every row, and so added up once for a panel.
Everything is modulo 2**32, as the sums are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from akg.base.dot import Dot
from akg.base.dtype import int8, int32, uint8
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Cast, Const, Expr, Load, Var, cast
from akg.ir.rewrite import rewrite_stmt, substitute
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, For, Stmt, Store, block
from akg.poly.loops.panel import Panel, other_factor, renamed


class ColumnSums:
    """128 times the sum of each column of a panel, and its places in a kernel."""

    def __init__(self, panel: Panel, dot: Dot, fresh: Callable[[str], Var]) -> None:
        self.panel, self.dot, self.fresh = panel, dot, fresh
        self.flipped, self.excess = (uint8, 128) if dot.factors is int8 else (int8, -128)
        width = panel.lanes.max_trips
        assert width is not None
        self.buffer = Buffer(fresh(f"{panel.buffer.name}_sums").name, (Const(width),), int32, "local")

    def added_up(self, inner: Stmt, end: Expr, copy: Buffer | None) -> Stmt:
        """`inner` behind the loops that add up, over a panel of `end` groups of steps, or over the operand itself."""
        panel, fresh, lanes = self.panel, self.fresh, self.panel.lanes
        j, k, n = fresh(lanes.var.name), fresh(panel.steps.var.name), fresh(f"{panel.steps.var.name}_n")
        zeroed = fresh(lanes.var.name)
        zero = Store(self.buffer, (zeroed,), Const(0, int32), fresh(f"{self.buffer.name}_init").name)
        if copy is not None:
            value = Load(copy, (k, j, n))
        else:
            at = {panel.steps.var: panel.steps.begin + k * self.dot.steps + n, lanes.var: j}
            value = Load(panel.buffer, tuple([simplify(substitute(i, at)) for i in panel.indices]))
        term = Binary("mul", cast(value, int32), Const(self.excess, int32))
        name = fresh(self.buffer.name).name
        add = Store(self.buffer, (j,), Binary("add", Load(self.buffer, (j,)), term), name, "sum")
        column = For(j, lanes.begin, lanes.end, For(n, Const(0), Const(self.dot.steps), add, "unroll"), "vector")
        fill = For(zeroed, lanes.begin, lanes.end, zero, "vector")
        return Alloc(self.buffer, block(fill, For(k, Const(0), end, column), inner))

    def flip(self, stmt: Stmt) -> Stmt:
        """Updates with the other factor flipped."""

        def rule(inner: Stmt) -> Stmt | None:
            if not isinstance(inner, Store):
                return None
            other = other_factor(inner, self.panel.buffer)
            value = inner.value
            assert other is not None and isinstance(value, Binary) and isinstance(value.b, Binary)
            wide = cast(cast(other, self.flipped) + Const(self.excess, self.flipped), value.dtype)
            a, b = (wide if isinstance(f, Cast) and f.a is other else f for f in value.b.children)
            return replace(inner, value=Binary("add", value.a, Binary("mul", a, b)))

        return rewrite_stmt(stmt, rule)

    def taken_off(self) -> Stmt:
        """The loops that take the excess off what the steps have added up."""

        def rule(inner: Stmt) -> Stmt | None:
            if not isinstance(inner, Store):
                return None
            value = Load(inner.buffer, inner.indices) - Load(self.buffer, (self.panel.lanes.var,))
            return replace(inner, value=value, reduction=None)

        return renamed(rewrite_stmt(self.panel.steps.body, rule), self.fresh)
