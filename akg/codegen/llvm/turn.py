"""Blocks of vectors turned by shuffles of two: log2(N) of them for each of N vectors.

Neighbouring elements first, within 128 bits, where processors have interleaving instructions, then whole pieces of 128
bits.
"""

from __future__ import annotations

from akg.codegen.llvm.builder import Function, Value
from akg.codegen.llvm.types import llvm_type

UNIT_BITS = 128  # within which interleaving is one instruction


def turn(f: Function, rows: list[Value]) -> list[Value]:
    """The columns of a block whose rows are given: M vectors of N lanes for N rows of M, where M divides N.

    Of rows that are shorter than the columns, those M apart are put side by side first.
    """
    n, m, bits = len(rows), rows[0].lanes, rows[0].dtype.bits
    if m < n:
        rows = [_joined(f, rows[k::m]) for k in range(m)]
    unit = min(m, UNIT_BITS // bits)
    parts = [_turned_units(f, rows[p : p + unit], unit) for p in range(0, m, unit)]
    # parts[p][c], unit q of each m elements: column q * unit + c of the rows from p * unit
    exchanged: list[list[Value]] = []
    for c in range(unit):
        across = [part[c] for part in parts]
        exchanged.append(_exchanged(f, across, unit * bits) if m == n else _turned_units(f, across, m, unit))
    columns: list[Value] = []
    for q in range(m // unit):
        columns += [across[q] for across in exchanged]
    return columns


def _joined(f: Function, parts: list[Value]) -> Value:
    """A power of two of vectors side by side."""
    while len(parts) > 1:
        parts = [_pair(f, a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def _pair(f: Function, a: Value, b: Value) -> Value:
    """Two vectors side by side."""
    bits = min(a.lanes * a.dtype.bits, 64)
    count, level = a.lanes * a.dtype.bits // bits, max(a.level, b.level)
    x, y = (f"<{count} x i{bits}> {f.at(v.level, f'bitcast {v} to <{count} x i{bits}>')}" for v in (a, b))
    order = ", ".join(f"i32 {k}" for k in range(2 * count))
    both = f.at(level, f"shufflevector {x}, {y}, <{2 * count} x i32> <{order}>")
    result = llvm_type(a.dtype, 2 * a.lanes)
    return Value(f.at(level, f"bitcast <{2 * count} x i{bits}> {both} to {result}"), a.dtype, 2 * a.lanes, level)


def _turned_units(f: Function, rows: list[Value], unit: int, size: int = 1) -> list[Value]:
    """As many rows as a unit has pieces of `size` elements, with each of their units turned: interleave 1, 2, 4, ..."""
    groups = [[row] for row in rows]
    while size < unit:
        pairs = list(zip(groups[::2], groups[1::2], strict=True))
        groups = [[h for a, b in zip(x, y, strict=True) for h in _interleaved(f, a, b, size, unit)] for x, y in pairs]
        size *= 2
    return groups[0]


def _interleaved(f: Function, a: Value, b: Value, size: int, unit: int) -> list[Value]:
    """Pieces of `size` elements of two vectors by turns: of the lower half of each unit, and of the upper."""
    count, pieces = a.lanes // size, unit // size
    halves: list[Value] = []
    for start in (0, pieces // 2):
        picks = [base + start + k + second for base in range(0, count, pieces) for k in range(pieces // 2)
                 for second in (0, count)]  # fmt: skip
        bits = min(size * a.dtype.bits, 64)  # the widest element that shuffles have
        parts = size * a.dtype.bits // bits
        halves.append(_shuffle(f, a, b, [pick * parts + k for pick in picks for k in range(parts)], bits))
    return halves


def _exchanged(f: Function, vectors: list[Value], unit_bits: int) -> list[Value]:
    """Unit q of vector p becomes unit p of vector q: the even units of two vectors, and the odd ones, and so on."""
    count, parts = len(vectors), vectors
    wide = min(unit_bits, 64)  # the widest element that shuffles have
    groups = [parts]
    for _ in range(count.bit_length() - 1):
        halves: list[list[Value]] = []
        for odd in (0, 1):
            picks = [u * (unit_bits // wide) + k for u in range(odd, 2 * count, 2) for k in range(unit_bits // wide)]
            halves += [
                [_shuffle(f, a, b, picks, wide) for a, b in zip(g[::2], g[1::2], strict=True)] for g in groups
            ]  # fmt: skip
        groups = halves
    return [group[0] for group in groups]


def _shuffle(f: Function, a: Value, b: Value, picks: list[int], bits: int) -> Value:
    """Elements of `bits` bits picked from two vectors: wider than the vectors' own, they are less work for LLVM."""
    level = max(a.level, b.level)
    order = ", ".join(f"i32 {k}" for k in picks)
    x, y, kind = str(a), str(b), f"<{len(picks)} x i{bits}>"
    is_cast = bits != a.dtype.bits or a.dtype.is_float
    if is_cast:
        x = f"{kind} {f.at(a.level, f'bitcast {a} to {kind}')}"
        y = f"{kind} {f.at(b.level, f'bitcast {b} to {kind}')}"
    text = f.at(level, f"shufflevector {x}, {y}, <{len(picks)} x i32> <{order}>")
    if is_cast:
        text = f.at(level, f"bitcast {kind} {text} to {a.type}")
    return Value(text, a.dtype, a.lanes, level)
