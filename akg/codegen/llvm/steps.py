"""Addresses that move by the same distance in each iteration of a loop.

Such an address is one value at the head of its loop, from which accesses are constant displacements. In a short loop it
is computed from the counter there, and LLVM finds cheaper ways to step it (loop strength reduction). In a long one that
search is a third of LLVM's time, as it grows with the square of the accesses, and what it would find is known before:
the address is a counter itself. It and the loop's own counter then go through an empty assembler text at the end of an
iteration, which is no instruction, but hides from LLVM how they move.
"""

from __future__ import annotations

from akg.codegen.llvm.address import Key, term
from akg.codegen.llvm.builder import Counter, Function, Step, Value, index_value
from akg.ir.expr import Var

LONG = 16  # accesses in a loop above which it steps its addresses itself
MAX_COUNTERS = 6  # addresses that do; more would take too many registers


def stepped(f: Function, base: str, gep: str, level: int, key: Key, coefficient: int) -> str | None:
    """The address that is a term behind `base`, where the term is a multiple of a counter of that level; else None.

    Args:
        f: the function.
        base: an address of an outer level.
        gep: the instruction that adds elements, up to its type.
        level: of the scope of the term.
        key: the factors of the term.
        coefficient: its constant factor.
    """
    own = [x for x in key if isinstance(x, Var) and x in f.counters and f.counters[x].level == level]
    if len(own) != 1:
        return None
    rest = tuple([x for x in key if x is not own[0]])
    factor = f.value(term(rest, coefficient)) if rest else index_value(coefficient)
    if factor.level >= level:
        return None
    memo = ("step", base, gep, own[0], factor.text)
    found = f.memo.get(memo)
    if found is None:
        found = "%" + f.fresh("at")
        f.counters[own[0]].steps.append(Step(found, gep, base, factor))
        f.remember(memo, found, level)
    return found


def close_steps(f: Function, counter: Counter, name: str, step: int, before: str, is_long: bool) -> list[str]:
    """The lines at the head of a loop that define the addresses that it moves, once its body is complete.

    Args:
        f: the function.
        counter: of the loop.
        name: the LLVM value of the counter.
        step: how far it moves in an iteration.
        before: the label of the block in front of the loop.
        is_long: whether addresses are counters themselves, if they are few.
    """
    lines: list[str] = []
    if is_long and len(counter.steps) <= MAX_COUNTERS:
        for one in counter.steps:
            first = f.at(f.level - 1, f"{one.gep}, ptr {one.base}, i64 {_product(f, counter.begin, one.factor)}")
            beyond = one.gep.replace("inbounds ", "")  # for the last one lies behind the array
            moved = f.here(f"{beyond}, ptr {one.pointer}, i64 {_product(f, index_value(step), one.factor)}")
            following = hidden(f, "ptr", moved)
            lines.append(f"  {one.pointer} = phi ptr [ {first}, %{before} ], [ {following}, %{f.label} ]")
        return lines
    for one in counter.steps:
        offset = name
        if one.factor.text != "1":
            offset = f"%{f.fresh('offset')}"
            lines.append(f"  {offset} = mul i64 {name}, {one.factor.text}")
        lines.append(f"  {one.pointer} = {one.gep}, ptr {one.base}, i64 {offset}")
    return lines


def hidden(f: Function, kind: str, value: str) -> str:
    """A value of which LLVM does not see what it is."""
    return f.here(f'call {kind} asm "", "=r,0"({kind} {value})')


def _product(f: Function, a: Value, b: Value) -> str:
    if a.is_const and b.is_const:
        return str(int(a.text) * int(b.text))
    if "1" in (a.text, b.text):
        return b.text if a.text == "1" else a.text
    return f.at(max(a.level, b.level), f"mul i64 {a.text}, {b.text}")
