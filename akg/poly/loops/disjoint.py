"""Whether accesses under some loops can meet: a question on loop IR that isl answers."""

from __future__ import annotations

from collections.abc import Sequence

from akg.base.dtype import index
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Var, binary
from akg.ir.rewrite import substitute, variables_of
from akg.ir.stmt import Block, For, Kernel, Store
from akg.poly import isl
from akg.poly.domain import Model
from akg.poly.loops.contract import Site
from akg.poly.scop import Access, Scop, Statement

BUDGET = 200_000  # isl operations for one question, tens of milliseconds


def are_apart(around: Sequence[For], conditions: Sequence[Expr], a: Site, b: Site) -> bool:
    """Whether two accesses of one buffer touch different elements in each iteration of the loops around both.

    Args:
        around: the loops around both, outermost first; the loops of the sites are inside.
        conditions: what holds there, over the variables of `around`.
        a: one access, with the loops inside of `around`.
        b: the other; instances of its own loops may differ.
    """
    renamed = {loop.var: Var(f"{loop.var.name}'") for loop in b.loops}
    theirs = tuple([
        For(renamed[f.var], substitute(f.begin, renamed), substitute(f.end, renamed), Block(()), "serial", f.step)
        for f in b.loops
    ])  # fmt: skip
    equal = tuple([binary("eq", x, substitute(y, renamed)) for x, y in zip(a.indices, b.indices, strict=True)])
    loops = (*around, *a.loops, *theirs)
    known = {f.var for f in loops}
    roots = [*conditions, *equal, *[e for f in loops for e in (f.begin, f.end)]]
    sizes = tuple(dict.fromkeys([v for e in roots for v in variables_of(e) if v not in known and v.dtype is index]))
    buffer = Buffer("elements", (), index, "global")
    store = Store(buffer, (), Const(0), "meeting")
    statement = Statement("meeting", store, loops, (*conditions, *equal), (), Access(buffer, (), True))
    scop = Scop(Kernel("meeting", (), store), {"meeting": statement}, sizes)
    try:
        with isl.budget(BUDGET):
            return isl.is_empty(Model(scop, symbolic=False).statement("meeting").domain)
    except isl.Unknown:
        return False
