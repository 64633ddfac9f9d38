"""float16 to float32 and back in integer arithmetic, for processors without instructions for it.

Without them LLVM calls a compiler's support library (``__truncsfhf2``), which a process need not have. The method is
Giesen's (F. Giesen, "Float->half variants", 2012): move the exponent field, and let one float addition round or
normalise the subnormal numbers.
"""

from __future__ import annotations

from akg.base.dtype import DType, float16, float32, int16, int32
from akg.base.target import Target
from akg.codegen.llvm.arith import apply, choose, compare, literal
from akg.codegen.llvm.builder import Function, Value
from akg.codegen.llvm.types import llvm_type

_BIAS = 127 - 15  # between the exponents of the two formats
_SHIFT = 23 - 10  # between their mantissas
_INFINITY, _HALF_INFINITY, _HALF_QUIET = 0x7F80_0000, 0x7C00, 0x0200
_ABS, _HALF_ABS, _HALF_SIGN = 0x7FFF_FFFF, 0x7FFF, 0x8000
_TOO_LARGE = (127 + 16) << 23  # 2**16, beyond which halves are infinite
_SMALLEST_NORMAL = (_BIAS + 1) << 23  # 2**-14
# Adding 2**-1 leaves a multiple of 2**-24, the unit of subnormal halves, in the low bits.
_ROUNDER = (127 - 1) << 23


def has_half_conversions(target: Target) -> bool:
    """Whether the target converts between float16 and float32 by instructions."""
    return "f16c" in target.features or "avx512f" in target.features or target.arch == "aarch64"


def widen_half(f: Function, a: Value) -> Value:
    """float16 to float32, exactly."""
    bits = _cast(f, "zext", _cast(f, "bitcast", a, int16), int32)
    magnitude = _bits(f, "and", bits, _HALF_ABS)
    sign = _bits(f, "shl", _bits(f, "and", bits, _HALF_SIGN), 16)
    moved = _bits(f, "add", _bits(f, "shl", magnitude, _SHIFT), _BIAS << 23)
    special = _bits(f, "add", moved, (128 - 16) << 23)  # infinity and NaN have the largest exponent in both
    is_special = compare(f, "icmp sge", magnitude, literal(_HALF_INFINITY, int32))
    is_subnormal = compare(f, "icmp slt", magnitude, literal(1 << 10, int32))
    # Of a subnormal the mantissa has no leading one: give it one as 2**-14, and take that away again.
    with_one = _cast(f, "bitcast", _bits(f, "add", moved, 1 << 23), float32)
    small = _cast(f, "bitcast", apply(f, float32, "fsub {t} {0}, {1}", with_one, literal(2.0**-14, float32)), int32)
    result = choose(f, is_special, special, choose(f, is_subnormal, small, moved))
    return _cast(f, "bitcast", apply(f, int32, "or {t} {0}, {1}", result, sign), float32)


def round_to_half(f: Function, a: Value) -> Value:
    """float32 to float16, to nearest even; NaN stays NaN."""
    bits = _cast(f, "bitcast", a, int32)
    magnitude = _bits(f, "and", bits, _ABS)
    sign = _bits(f, "and", _bits(f, "lshr", bits, 16), _HALF_SIGN)
    odd = _bits(f, "and", _bits(f, "lshr", magnitude, _SHIFT), 1)
    biased = _bits(f, "add", magnitude, (1 << (_SHIFT - 1)) - 1 - (_BIAS << 23))
    normal = _bits(f, "lshr", apply(f, int32, "add {t} {0}, {1}", biased, odd), _SHIFT)
    rounded = apply(f, float32, "fadd {t} {0}, {1}", _cast(f, "bitcast", magnitude, float32), literal(0.5, float32))
    small = _bits(f, "sub", _cast(f, "bitcast", rounded, int32), _ROUNDER)
    payload = _bits(f, "and", _bits(f, "lshr", magnitude, _SHIFT), _HALF_QUIET - 1)
    nan = _bits(f, "or", payload, _HALF_INFINITY | _HALF_QUIET)
    is_nan = compare(f, "icmp sgt", magnitude, literal(_INFINITY, int32))
    is_large = compare(f, "icmp sge", magnitude, literal(_TOO_LARGE, int32))
    is_small = compare(f, "icmp slt", magnitude, literal(_SMALLEST_NORMAL, int32))
    finite = choose(f, is_small, small, normal)
    result = choose(f, is_nan, nan, choose(f, is_large, literal(_HALF_INFINITY, int32), finite))
    signed = apply(f, int32, "or {t} {0}, {1}", result, sign)
    return _cast(f, "bitcast", _cast(f, "trunc", signed, int16), float16)


def _bits(f: Function, operation: str, a: Value, constant: int) -> Value:
    return apply(f, int32, operation + " {t} {0}, {1}", a, literal(constant, int32))


def _cast(f: Function, operation: str, a: Value, dtype: DType) -> Value:
    return Value(f.at(a.level, f"{operation} {a} to {llvm_type(dtype, a.lanes)}"), dtype, a.lanes, a.level)
