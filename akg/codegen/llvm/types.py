"""Element types and constants in the syntax of LLVM IR.

A bfloat16 is carried as its 16 bits: widening is a shift, and rounding is integer arithmetic that keeps
subnormal numbers, which the conversion instructions of some processors flush to zero.
"""

from __future__ import annotations

import struct

from akg.base.dtype import DType, bfloat16, bool_, float16, float32, index, uint8
from akg.ir.expr import Scalar

_NAMES: dict[str, str] = {
    "float64": "double", "float32": "float", "float16": "half", "bfloat16": "i16", "int64": "i64", "int32": "i32",
    "int16": "i16", "int8": "i8", "uint8": "i8", "uint16": "i16", "uint32": "i32",
    "uint64": "i64", "bool": "i1", "index": "i64",
}  # fmt: skip
_MANGLED: dict[str, str] = {"float64": "f64", "float32": "f32", "float16": "f16"}


def llvm_type(dtype: DType, lanes: int = 0) -> str:
    """The type of a value of `dtype`: a scalar for 0 lanes, a vector otherwise."""
    name = _NAMES[dtype.name]
    return f"<{lanes} x {name}>" if lanes else name


def mangled(dtype: DType, lanes: int = 0) -> str:
    """The suffix of an overloaded intrinsic for values of `dtype`, such as ``v16f32``."""
    name = _MANGLED.get(dtype.name) or _NAMES[dtype.name]
    return f"v{lanes}{name}" if lanes else name


def in_memory(dtype: DType) -> DType:
    """The type that holds an element in memory: bools are bytes."""
    return uint8 if dtype is bool_ else dtype


def argument_type(dtype: DType) -> str:
    """The type of a scalar argument: 16-bit floats travel as their bits, bools as a byte, sizes as i64."""
    return "i16" if dtype in (float16, bfloat16) else _NAMES[in_memory(dtype).name]


def constant(value: Scalar, dtype: DType) -> str:
    """A scalar literal of `dtype`, without its type."""
    if dtype is bool_:
        return "true" if value else "false"
    if dtype is float16:
        return f"0xH{int.from_bytes(_half(float(value)), 'big'):04X}"
    if dtype.name == "bfloat16":
        return str(round_bfloat16(float(value)))
    if dtype.is_float:
        number = float(value)
        if dtype is float32:  # a float literal is spelt as the double of the same value
            number = _single(number)
        return f"0x{int.from_bytes(struct.pack('>d', number), 'big'):016X}"
    whole = int(value)
    if dtype is not index and dtype.kind == "int":
        half = 1 << (dtype.bits - 1)
        whole = (whole + half) % (2 * half) - half
    return str(whole)


def _single(value: float) -> float:
    try:
        return struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _half(value: float) -> bytes:
    try:
        return struct.pack(">e", value)
    except OverflowError:
        return struct.pack(">e", float("inf") if value > 0 else float("-inf"))


def round_bfloat16(value: float) -> int:
    """The bits of `value` rounded to bfloat16, to nearest even."""
    bits = int.from_bytes(struct.pack(">f", _single(value)), "big")
    if value != value:
        return 0x7FC0
    return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
