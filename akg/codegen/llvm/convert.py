"""Conversions between element types, with NumPy's results."""

from __future__ import annotations

from akg.base.dtype import DType, bfloat16, bool_, float16, float32, float64, int32
from akg.codegen.llvm.arith import apply, choose, compare, literal
from akg.codegen.llvm.builder import Function, Value
from akg.codegen.llvm.half import has_half_conversions, round_to_half, widen_half
from akg.codegen.llvm.types import llvm_type


def convert(f: Function, a: Value, dtype: DType) -> Value:
    """`a` converted to `dtype`: floats round to nearest even, float to integer truncates."""
    source = a.dtype
    if source is dtype:
        return a
    if dtype is bool_:
        wide = convert(f, a, float32) if source.bits == 16 and source.is_float else a
        predicate = "fcmp une" if source.is_float else "icmp ne"
        return compare(f, predicate, wide, literal(0, wide.dtype))
    if source.is_float and dtype.is_float:
        return _float_to_float(f, a, dtype)
    if source.is_float:
        return _float_to_integer(f, a, dtype)
    if dtype.is_float:
        if source is bool_:
            return choose(f, a, literal(1, dtype), literal(0, dtype))
        if dtype.bits == 16:
            return convert(f, convert(f, a, float32), dtype)
        return _raw(f, "sitofp" if source.kind in ("int", "index") else "uitofp", a, dtype)
    if source.bits > dtype.bits and source is not bool_:
        return _raw(f, "trunc", a, dtype)
    if llvm_type(source) == llvm_type(dtype):
        return Value(a.text, dtype, a.lanes, a.level, a.is_const)
    return _raw(f, "sext" if source.kind in ("int", "index") else "zext", a, dtype)


def _raw(f: Function, operation: str, a: Value, dtype: DType) -> Value:
    return Value(f.at(a.level, f"{operation} {a} to {llvm_type(dtype, a.lanes)}"), dtype, a.lanes, a.level)


def _float_to_integer(f: Function, a: Value, dtype: DType) -> Value:
    if a.dtype.bits == 16:
        a = convert(f, a, float32)
    if dtype.bits < 32:  # out-of-range values wrap instead of being undefined
        return convert(f, _raw(f, "fptosi", a, int32), dtype)
    return _raw(f, "fptosi", a, dtype)


def _float_to_float(f: Function, a: Value, dtype: DType) -> Value:
    source = a.dtype
    if source is bfloat16:
        wide = _raw(f, "zext", a, int32)
        bits = apply(f, int32, "shl {t} {0}, {1}", wide, literal(16, int32))
        return convert(f, _raw(f, "bitcast", bits, float32), dtype)
    if dtype is bfloat16:
        return _round_to_bfloat16(f, convert(f, a, float32))
    if source is float64 and dtype is float16:
        return convert(f, _round_to_odd(f, a), float16)
    if not has_half_conversions(f.unit.target):
        if dtype is float16:
            return round_to_half(f, a)
        if source is float16:
            return convert(f, widen_half(f, a), dtype)
    if source.bits < dtype.bits:
        return _raw(f, "fpext", a, dtype)
    return _raw(f, "fptrunc", a, dtype)


def _round_to_bfloat16(f: Function, a: Value) -> Value:
    bits = _raw(f, "bitcast", a, int32)
    high = apply(f, int32, "lshr {t} {0}, {1}", bits, literal(16, int32))
    odd = apply(f, int32, "and {t} {0}, {1}", high, literal(1, int32))
    bias = apply(f, int32, "add {t} {0}, {1}", odd, literal(0x7FFF, int32))
    rounded = apply(f, int32, "add {t} {0}, {1}", bits, bias)
    shifted = apply(f, int32, "lshr {t} {0}, {1}", rounded, literal(16, int32))
    quiet = apply(f, int32, "or {t} {0}, {1}", high, literal(0x40, int32))
    chosen = choose(f, compare(f, "fcmp uno", a, a), quiet, shifted)
    return Value(_raw(f, "trunc", chosen, DType("int16", "int", 16)).text, bfloat16, a.lanes, a.level)


def _round_to_odd(f: Function, a: Value) -> Value:
    """float64 to float32 rounded to odd, so that rounding once more to float16 is exact (Boldo, Melquiond 2008)."""
    near = _raw(f, "fptrunc", a, float32)
    back = _raw(f, "fpext", near, float64)
    bits = _raw(f, "bitcast", near, int32)
    magnitude = [
        Value(f.at(v.level, f"call {v.type} {_fabs(f, v)}({v})"), float64, v.lanes, v.level) for v in (back, a)
    ]
    above = compare(f, "fcmp ogt", *magnitude)
    lower = apply(f, int32, "sub {t} {0}, {1}", bits, literal(1, int32))
    toward_zero = choose(f, above, lower, bits)
    odd = apply(f, int32, "or {t} {0}, {1}", toward_zero, literal(1, int32))
    inexact = compare(f, "fcmp one", back, a)
    return _raw(f, "bitcast", choose(f, inexact, odd, bits), float32)


def _fabs(f: Function, a: Value) -> str:
    name = f"llvm.fabs.v{a.lanes}f64" if a.lanes else "llvm.fabs.f64"
    return f.unit.declare(name, f"declare {a.type} @{name}({a.type})")
