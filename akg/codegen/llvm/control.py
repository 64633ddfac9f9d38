"""Counted loops as basic blocks."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

from akg.base.dtype import bool_
from akg.codegen.llvm.address import Polynomial, added, polynomial, scaled
from akg.codegen.llvm.arith import apply
from akg.codegen.llvm.builder import Counter, Function, Lines, Value
from akg.codegen.llvm.steps import LONG, close_steps, hidden
from akg.ir.expr import Const
from akg.ir.rewrite import buffers_written
from akg.ir.stmt import For


def trip_count(f: Function, loop: For) -> int | None:
    """The number of iterations if it is known now."""
    memo = f.unit.polynomials
    span: Polynomial = added(polynomial(loop.end, memo), scaled(polynomial(loop.begin, memo), -1))
    if any(span):
        return None
    return max(0, -(-span.get((), 0) // loop.step))


def counted_loop(f: Function, loop: For, begin: Value, end: Value, body: Callable[[], None], runs: bool) -> None:
    """A loop over `loop.var` from `begin` by `loop.step` below `end`; `runs` asserts at least one iteration."""
    if runs:
        _loop(f, loop, begin, end, body)
        return
    with f.branch(apply(f, bool_, "icmp slt {t} {0}, {1}", begin, end)):
        _loop(f, loop, begin, end, body)


def _loop(f: Function, loop: For, begin: Value, end: Value, body: Callable[[], None]) -> None:
    with f.scope("loop", frozenset(buffers_written(loop.body))) as scope:
        first = f.accesses
        label, before, counter = f.fresh("loop"), f.label, "%" + f.fresh(f"{loop.var.name}.")
        f.line(f"br label %{label}")
        f.start(label)
        head: Lines = []
        scope.target.append(head)
        f.vars[loop.var] = Value(counter, begin.dtype, 0, f.level)
        f.counters[loop.var] = own = Counter(begin, f.level)
        if isinstance(loop.begin, Const) and (unit := gcd(int(loop.begin), loop.step)) > 1:
            f.multiples[loop.var] = unit
        body()
        following = f.here(f"add nsw i64 {counter}, {loop.step}")
        is_long = f.accesses - first > LONG
        following = hidden(f, "i64", following) if is_long else following
        head.append(f"  {counter} = phi i64 [ {begin.text}, %{before} ], [ {following}, %{f.label} ]")
        head.extend(close_steps(f, own, counter, loop.step, before, is_long))
        del f.counters[loop.var]
        again = f.here(f"icmp slt i64 {following}, {end.text}")
        after = f.fresh("done")
        f.line(f"br i1 {again}, label %{label}, label %{after}")
        f.start(after)
