"""Blocks of vectors turned by shuffles of two: log2(N) of them for each of N vectors.

Neighbouring elements first, within 128 bits, where processors have interleaving instructions, then whole pieces of 128
bits.
"""

from __future__ import annotations

from akg.base.dtype import DType, float64, int8, int16, int32
from akg.codegen.llvm.builder import Function, Value
from akg.codegen.llvm.types import llvm_type, mangled

UNIT_BITS = 128  # within which interleaving is one instruction
_TYPES = {8: int8, 16: int16, 32: int32, 64: float64}  # of pieces of so many bits


def turn(f: Function, rows: list[Value]) -> list[Value]:
    """The columns of a block whose rows are given: M vectors of N lanes for N rows of M, where M divides N.

    Of rows that are shorter than the columns, those M apart are put side by side first.
    """
    n, m, dtype = len(rows), rows[0].lanes, rows[0].dtype
    bits = dtype.bits
    if m < n:
        rows = [_joined(f, rows[k::m]) for k in range(m)]
    unit = min(m, UNIT_BITS // bits)
    parts = [_turned_units(f, rows[p : p + unit], unit, bits) for p in range(0, m, unit)]
    # parts[p][c], unit q of each m elements: column q * unit + c of the rows from p * unit
    exchanged: list[list[Value]] = []
    for c in range(unit):
        across = [_fenced(f, part[c]) for part in parts]
        exchanged.append(_exchanged(f, across, unit * bits) if m == n else _turned_units(f, across, m, bits, unit))
    return [recast(f, across[q], dtype) for q in range(m // unit) for across in exchanged]


def interleave(f: Function, rows: list[Value]) -> list[Value]:
    """A power of two of rows, element by element: neighbours down the columns side by side.

    Vector v of n has part v of n of the columns of each unit.
    """
    bits = rows[0].dtype.bits
    return _turned_units(f, rows, UNIT_BITS // bits, bits)


def _joined(f: Function, parts: list[Value]) -> Value:
    """A power of two of vectors side by side."""
    while len(parts) > 1:
        parts = [_pair(f, a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def _pair(f: Function, a: Value, b: Value) -> Value:
    """Two vectors side by side."""
    wide = _TYPES[min(a.lanes * a.dtype.bits, 64)]
    return _shuffle(f, a, b, list(range(2 * a.lanes * a.dtype.bits // wide.bits)), wide)


def _turned_units(f: Function, rows: list[Value], unit: int, bits: int, size: int = 1) -> list[Value]:
    """As many rows as a unit has pieces of `size` elements, with each of their units turned: interleave 1, 2, 4, ...

    `bits` is the width of an element, `unit` how many of them a unit has.
    """
    groups = [[row] for row in rows]
    while len(groups) > 1:
        pairs = list(zip(groups[::2], groups[1::2], strict=True))
        groups = [
            [half for a, b in zip(x, y, strict=True) for half in _interleaved(f, a, b, size * bits, unit // size)]
            for x, y in pairs
        ]  # fmt: skip
        size *= 2
    return groups[0]


def _interleaved(f: Function, a: Value, b: Value, bits: int, pieces: int) -> list[Value]:
    """Pieces of so many bits of two vectors by turns: of the lower half of each unit of `pieces`, and of the upper."""
    count = a.lanes * a.dtype.bits // bits
    wide = _TYPES[min(bits, 64)]  # the widest element that shuffles have
    parts = bits // wide.bits
    halves: list[Value] = []
    for start in (0, pieces // 2):
        picks = [base + start + k + second for base in range(0, count, pieces) for k in range(pieces // 2)
                 for second in (0, count)]  # fmt: skip
        halves.append(_shuffle(f, a, b, [pick * parts + k for pick in picks for k in range(parts)], wide))
    return halves


def _exchanged(f: Function, vectors: list[Value], unit_bits: int) -> list[Value]:
    """Unit q of vector p becomes unit p of vector q: the even units of two vectors, and the odd ones, and so on."""
    count, parts = len(vectors), vectors
    wide = _TYPES[min(unit_bits, 64)]
    groups = [parts]
    for _ in range(count.bit_length() - 1):
        halves: list[list[Value]] = []
        for odd in (0, 1):
            picks = [u * (unit_bits // wide.bits) + k for u in range(odd, 2 * count, 2)
                     for k in range(unit_bits // wide.bits)]  # fmt: skip
            halves += [
                [_shuffle(f, a, b, picks, wide) for a, b in zip(g[::2], g[1::2], strict=True)] for g in groups
            ]  # fmt: skip
        groups = halves
    return [group[0] for group in groups]


def _shuffle(f: Function, a: Value, b: Value, picks: list[int], dtype: DType) -> Value:
    """Elements of a type picked from two vectors: wider than the vectors' own, they are less work for LLVM."""
    a, b = recast(f, a, dtype), recast(f, b, dtype)
    if a.text == b.text == "poison":  # of rows that are not there
        return Value("poison", dtype, len(picks), max(a.level, b.level))
    level, order = max(a.level, b.level), ", ".join(f"i32 {k}" for k in picks)
    text = f.at(level, f"shufflevector {a}, {b}, <{len(picks)} x i32> <{order}>")
    return Value(text, dtype, len(picks), level)


def _fenced(f: Function, value: Value) -> Value:
    """The same value, where 64 bits move together; LLVM does not look through it for shuffles that are one.

    There are none, and the search is half of its time for a block.
    """
    if value.dtype is not float64 or value.text == "poison":
        return value
    name = f"llvm.arithmetic.fence.{mangled(float64, value.lanes)}"
    callee = f.unit.declare(name, f"declare {value.type} @{name}({value.type})")
    return Value(f.at(value.level, f"call {value.type} {callee}({value})"), float64, value.lanes, value.level)


def recast(f: Function, value: Value, dtype: DType) -> Value:
    """The same bits as a vector of another type."""
    if value.dtype is dtype:
        return value
    lanes = value.lanes * value.dtype.bits // dtype.bits
    if value.text == "poison":
        return Value("poison", dtype, lanes, value.level)
    key = ("bits", value.text, dtype)
    found = f.memo.get(key)
    if found is None:
        text = f.at(value.level, f"bitcast {value} to {llvm_type(dtype, lanes)}")
        found = Value(text, dtype, lanes, value.level)
        f.remember(key, found, value.level)
    return found
