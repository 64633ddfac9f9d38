"""AVX-512's instructions on exponents: scale by a power of two, take a float apart, look up powers of two."""

from __future__ import annotations

from akg.base.dtype import float32, int32
from akg.base.target import Target
from akg.codegen.llvm.builder import Function, Value
from akg.codegen.llvm.types import constant, llvm_type
from akg.codegen.math import NATIVE
from akg.ir.expr import Call

_NAMES = {"ldexp": "scalef", "exponent": "getexp", "significand": "getmant", "fraction": "reduce"}
# The significand in [3/4, 3/2), NaN for negative numbers, 1 for both zeros; what the next integer below leaves.
_CONTROLS = {"significand": 0b1111, "fraction": 0b0001}
_SIXTEENTHS = [2.0 ** (k / 16) for k in range(16)]


def native_calls(target: Target) -> frozenset[str]:
    """Those of `NATIVE` that are instructions of the target."""
    return NATIVE if {"avx512f", "avx512vl", "avx512dq"} <= target.features else frozenset()


def emit_native(f: Function, node: Call) -> Value:
    """A call of `NATIVE`, in whole registers; lanes that do not fill one are padded."""
    values = [f.value(a) for a in node.args]
    lanes = max(v.lanes for v in values)
    level = max(v.level for v in values)
    if lanes:
        values = [f.splat(v, lanes) for v in values]
    bits = node.dtype.bits
    width = next((w for w in (128, 256, 512) if bits * max(lanes, 1) <= w), 512) // bits
    if node.fn == "sixteenth":
        width = len(_SIXTEENTHS)
    if lanes == width:
        return Value(_instruction(f, node, level, values, width), node.dtype, lanes, level)
    if not lanes:
        full = [_first_lane(f, v, width, level) for v in values]
        done = _instruction(f, node, level, full, width)
        text = f.at(level, f"extractelement {llvm_type(node.dtype, width)} {done}, i64 0")
        return Value(text, node.dtype, 0, level)

    def part(v: Value, begin: int) -> Value:
        return _shuffled(f, v, v, [begin + k if begin + k < lanes else -1 for k in range(width)], level)

    parts: list[Value] = []
    for begin in range(0, lanes, width):
        text = _instruction(f, node, level, [part(v, begin) for v in values], width)
        parts.append(Value(text, node.dtype, width, level))
    whole = parts[0]
    for piece in parts[1:]:
        grown = whole.lanes + width
        padded = _shuffled(f, piece, piece, [k if k < width else -1 for k in range(whole.lanes)], level)
        whole = _shuffled(f, whole, padded, list(range(grown)), level)
    if whole.lanes != lanes:
        whole = _shuffled(f, whole, whole, list(range(lanes)), level)
    return whole


def _first_lane(f: Function, v: Value, width: int, level: int) -> Value:
    text = f.at(level, f"insertelement {llvm_type(v.dtype, width)} poison, {v}, i64 0")
    return Value(text, v.dtype, width, level)


def _shuffled(f: Function, a: Value, b: Value, picks: list[int], level: int) -> Value:
    mask = ", ".join("i32 poison" if k < 0 else f"i32 {k}" for k in picks)
    text = f.at(level, f"shufflevector {a}, {b}, <{len(picks)} x i32> <{mask}>")
    return Value(text, a.dtype, len(picks), level)


def _instruction(f: Function, node: Call, level: int, args: list[Value], width: int) -> str:
    kind = llvm_type(node.dtype, width)
    if node.fn == "sixteenth":
        return _looked_up(f, args[0], level)
    register = width * node.dtype.bits
    mask = "i16 -1" if width == 16 else "i8 -1"
    operands = [str(v) for v in args]
    if node.fn in _CONTROLS:
        operands.append(f"i32 {_CONTROLS[node.fn]}")
    operands += [f"{kind} zeroinitializer", mask]
    if register == 512:
        operands.append("i32 4")  # the current rounding direction
    name = f"llvm.x86.avx512.mask.{_NAMES[node.fn]}.{'ps' if node.dtype is float32 else 'pd'}.{register}"
    types = ", ".join(kind if o.startswith(kind) else o.split()[0] for o in operands)
    callee = f.unit.declare(name, f"declare {kind} @{name}({types})")
    return f.at(level, f"call {kind} {callee}({', '.join(operands)})")


def _looked_up(f: Function, bits: Value, level: int) -> str:
    """The permutation takes the last four bits of each lane as the number of an element of a constant."""
    kind, numbers = llvm_type(float32, 16), llvm_type(int32, 16)
    values = ", ".join(f"float {constant(v, float32)}" for v in _SIXTEENTHS)
    name = "llvm.x86.avx512.permvar.sf.512"
    callee = f.unit.declare(name, f"declare {kind} @{name}({kind}, {numbers})")
    order = f.at(level, f"bitcast {bits} to {numbers}")
    return f.at(level, f"call {kind} {callee}({kind} <{values}>, {numbers} {order})")
