"""Packing ahead of time: what a kernel copies from a constant operand moves to a kernel that runs once.

    Before:  for j_t: for k_t:                     After:  for j_t: for k_t:
                 alloc p: [512, 64]                            for i_t in rows: ... q[j_t / 64, k_t / 512, k, j] ...
                 for k: vector j: p[k, j] = B[k_t + k, j_t + j]
                 for i_t in rows: ... p[k, j] ...  Once:   for j_t: for k_t: for k: vector j:
                                                               q[j_t / 64, k_t / 512, k, j] = B[k_t + k, j_t + j]

A panel gets a place of its own in each iteration of the loops around that it depends on, so that panels lie in the
order in which they are used. A panel is copied anew only where rows use it often enough to pay for that; ahead of
time every panel pays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, binary
from akg.ir.rewrite import buffers_read, replace_buffer, variables_of
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, Block, For, If, Kernel, Param, Stmt, Store, block, expressions, walk
from akg.ir.text import to_text
from akg.poly.loops.contract import bounded_trips


@dataclass(frozen=True, slots=True)
class Panels:
    """All panels of a constant operand that one place of a kernel reads, and the loops that make them."""

    source: Buffer
    copy: Buffer
    fill: Stmt

    def kernel(self, name: str) -> Kernel:
        """``copy = name(source)``."""
        return Kernel(name, (Param(self.source, "in"), Param(self.copy, "out")), self.fill)

    @property
    def text(self) -> str:
        """The loop IR, the same whatever loops, statements and the copy are called."""
        names = [self.copy.name]
        names += [s.var.name if isinstance(s, For) else s.name for s in walk(self.fill) if isinstance(s, (For, Store))]
        numbers = {name: f"#{k}" for k, name in enumerate(names)}
        return re.sub(r"[A-Za-z_]\w*", lambda m: numbers.get(m[0], m[0]), to_text(self.kernel("pack")))


@dataclass(slots=True)
class Prepack:
    """Constant operands whose layout is free, and the panels that were made of them."""

    constants: frozenset[Buffer]
    made: list[Panels] = field(default_factory=list["Panels"])

    @property
    def copies(self) -> frozenset[Buffer]:
        """The panels, as the kernel reads them."""
        return frozenset(p.copy for p in self.made)

    def hoisted(self, packed: Stmt, source: Buffer, around: tuple[For | If, ...]) -> Stmt | None:
        """What uses a panel, without the loops that make it; None if the places of panels are not known.

        Args:
            packed: ``alloc panel: { fill; ...; use }``.
            source: what is packed.
            around: loops and conditions outside, outermost first.
        """
        if not isinstance(packed, Alloc) or not isinstance(packed.body, Block):
            return None
        panel, (*fills, use) = packed.buffer, packed.body.body
        fill = block(*fills)
        own = {s.var for s in walk(fill) if isinstance(s, For)}
        needed = {v for s in walk(fill) for e in expressions(s) for v in variables_of(e)} - own
        kept: list[For | If] = []
        for outer in reversed(around):  # a loop's bounds may need loops further out
            if isinstance(outer, If):
                if set(variables_of(outer.cond)) <= needed | {f.var for f in around if isinstance(f, For)}:
                    kept.append(outer)
                    needed |= set(variables_of(outer.cond))
            elif outer.var in needed:
                kept.append(outer)
                needed |= {v for e in (outer.begin, outer.end) for v in variables_of(e)}
        loops = [f for f in reversed(kept) if isinstance(f, For)]
        trips = [bound for f in loops if (bound := bounded_trips(f)) is not None]
        if len(trips) < len(loops) or not needed <= {f.var for f in loops}:
            return None
        shape = (*map(Const, trips), *panel.shape)
        copy = Buffer(panel.name, shape, panel.dtype)
        place = tuple([simplify(binary("floordiv", f.var - f.begin, Const(f.step))) for f in loops])

        def to_copy(indices: tuple[Expr, ...]) -> tuple[Buffer, tuple[Expr, ...]]:
            return copy, (*place, *indices)

        body = replace_buffer(fill, panel, to_copy)
        for outer in kept:
            if isinstance(outer, If):
                body = If(outer.cond, body)
            else:
                body = replace(outer, body=body, kind="serial")
        new = Panels(source, copy, body)
        same = next((p for p in self.made if p.source is source and p.text == new.text), None)
        if same is None:
            self.made.append(new)
        else:
            copy = same.copy  # another edge of the same tiles
        return replace_buffer(use, panel, to_copy)


def bound_params(params: tuple[Param, ...], body: Stmt, prepack: Prepack) -> tuple[Param, ...]:
    """Parameters of a kernel whose constant operands were packed: panels in place of what nothing reads any more."""
    read = buffers_read(body)
    result: list[Param] = []
    for param in params:
        panels = [p.copy for p in prepack.made if p.source is param.value]
        if not panels or param.value in read:
            result.append(replace(param, constant="fixed") if panels else param)
        result += [Param(copy, "in", constant="fixed") for copy in panels]
    return tuple(result)
