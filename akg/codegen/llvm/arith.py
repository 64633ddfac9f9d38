"""Instructions on values: arithmetic, comparisons, division that rounds down, minimum and maximum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from akg.base.dtype import DType, bool_, float32, float64
from akg.base.errors import InternalError
from akg.codegen.llvm.builder import Function, Guard, Value
from akg.codegen.llvm.types import constant, llvm_type, mangled
from akg.ir.expr import COMPARISONS


def _unify(f: Function, *values: Value) -> tuple[int, int, list[Value]]:
    """The lanes and level of a result, and the operands brought to those lanes."""
    lanes = max(v.lanes for v in values)
    level = max(v.level for v in values)
    return lanes, level, [f.splat(v, lanes) if lanes else v for v in values]


def apply(f: Function, dtype: DType, template: str, *operands: Value) -> Value:
    """One instruction: ``{t}`` stands for the type of the operands, ``{0}``, ``{1}`` for their texts."""
    lanes, level, values = _unify(f, *operands)
    text = template.format(*[v.text for v in values], t=llvm_type(values[0].dtype, lanes))
    return Value(f.at(level, text), dtype, lanes, level)


def intrinsic(f: Function, name: str, dtype: DType, *operands: Value, extra: str = "") -> Value:
    """A call of ``llvm.name`` overloaded on the type of its operands, all alike."""
    lanes, level, values = _unify(f, *operands)
    kind = llvm_type(dtype, lanes)
    full = f"llvm.{name}.{mangled(dtype, lanes)}"
    tail = f", {extra}" if extra else ""
    types = ", ".join([kind] * len(values)) + (", " + extra.split()[0] if extra else "")
    callee = f.unit.declare(full, f"declare {kind} @{full}({types})")
    args = ", ".join(str(v) for v in values) + tail
    return Value(f.at(level, f"call {kind} {callee}({args})"), dtype, lanes, level)


def choose(f: Function, condition: Value, a: Value, b: Value) -> Value:
    """``a`` where the condition holds, else ``b``."""
    lanes = max(condition.lanes, a.lanes, b.lanes)
    level = max(condition.level, a.level, b.level)
    if lanes:
        a, b = f.splat(a, lanes), f.splat(b, lanes)
    return Value(f.at(level, f"select {condition}, {a}, {b}"), a.dtype, lanes, level)


def compare(f: Function, predicate: str, a: Value, b: Value) -> Value:
    """A comparison by an LLVM predicate such as ``icmp slt``."""
    return apply(f, bool_, predicate + " {t} {0}, {1}", a, b)


def literal(value: int | float, dtype: DType) -> Value:
    """A constant."""
    return Value(constant(value, dtype), dtype, 0, 0, True)


# --- operators ----------------------------------------------------------------------------------------

_FLOAT_OPS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_INT_OPS = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor", "shl": "shl"}
_FLOAT_PREDICATES = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}


def combine(f: Function, op: str, a: Value, b: Value, flags: str = "") -> Value:
    """``a op b`` on values of one type; "top" is a maximum that may lose NaN."""
    dtype = a.dtype
    if op in COMPARISONS:
        return compare(f, _predicate(op, dtype), a, b)
    if op in ("min", "max", "top"):
        return _extreme(f, op, a, b)
    if dtype.is_float:
        if op in _FLOAT_OPS:
            return apply(f, dtype, f"{_FLOAT_OPS[op]} {flags}{{t}} {{0}}, {{1}}", a, b)
        return _float_modulo(f, op, a, b)
    if op in _INT_OPS:
        return apply(f, dtype, _INT_OPS[op] + " {t} {0}, {1}", a, b)
    if op == "shr":
        return apply(f, dtype, ("ashr" if is_signed(dtype) else "lshr") + " {t} {0}, {1}", a, b)
    if op in ("floordiv", "mod"):
        return _integer_division(f, op, a, b)
    raise InternalError(f"no instruction for {op} on {dtype}")


def is_signed(dtype: DType) -> bool:
    """Whether integers of `dtype` have a sign."""
    return dtype.kind in ("int", "index")


def _predicate(op: str, dtype: DType) -> str:
    if dtype.is_float:
        return f"fcmp {_FLOAT_PREDICATES[op]}"
    if op in ("eq", "ne"):
        return f"icmp {op}"
    return f"icmp {'s' if is_signed(dtype) else 'u'}{op}"


def _extreme(f: Function, op: str, a: Value, b: Value) -> Value:
    """Minimum or maximum; of floats, NaN if either side is NaN."""
    dtype = a.dtype
    if not dtype.is_float:
        return choose(f, compare(f, _predicate("lt" if op == "min" else "gt", dtype), a, b), a, b)
    if b.is_const:
        a, b = b, a
    # An ordered comparison picks b if either side is NaN: right if b is the one.
    picked = choose(f, compare(f, "fcmp olt" if op == "min" else "fcmp ogt", a, b), a, b)
    if f.unit.is_finite or op == "top" or (a.is_const and "7FF8" not in a.text):
        return picked
    return choose(f, compare(f, "fcmp ord", a, a), picked, a)  # so that the choice is the mask of the instruction


def _integer_division(f: Function, op: str, a: Value, b: Value) -> Value:
    dtype = a.dtype
    if b.is_const and not b.lanes:
        divisor = int(b.text)
        if divisor > 0 and divisor & (divisor - 1) == 0:
            if op == "mod":
                return apply(f, dtype, "and {t} {0}, {1}", a, literal(divisor - 1, dtype))
            shift = "ashr" if is_signed(dtype) else "lshr"
            return apply(f, dtype, shift + " {t} {0}, {1}", a, literal(divisor.bit_length() - 1, dtype))
        if divisor > 0:
            return _divide_by_constant(f, op, a, b)
    # The processor traps on 0 and on min / -1, also in lanes that are off: those divide by 1.
    one = literal(1, dtype)
    unsafe = compare(f, "icmp eq", b, literal(0, dtype))
    if is_signed(dtype):
        negated = compare(f, "icmp eq", b, literal(-1, dtype))
        unsafe = apply(f, bool_, "or {t} {0}, {1}", unsafe, negated)
        safe = choose(f, unsafe, one, b)
        quotient, rest = _floor_divide(f, a, safe)
        if op == "mod":
            return choose(f, unsafe, literal(0, dtype), rest)
        return choose(f, negated, apply(f, dtype, "sub {t} {0}, {1}", literal(0, dtype), a), quotient)
    safe = choose(f, unsafe, one, b)
    return apply(f, dtype, ("udiv" if op == "floordiv" else "urem") + " {t} {0}, {1}", a, safe)


def _divide_by_constant(f: Function, op: str, a: Value, b: Value) -> Value:
    dtype = a.dtype
    if not is_signed(dtype):
        return apply(f, dtype, ("udiv" if op == "floordiv" else "urem") + " {t} {0}, {1}", a, b)
    rest = apply(f, dtype, "srem {t} {0}, {1}", a, b)
    sign = apply(f, dtype, "ashr {t} {0}, {1}", rest, literal(dtype.bits - 1, dtype))
    if op == "mod":
        return apply(f, dtype, "add {t} {0}, {1}", rest, apply(f, dtype, "and {t} {0}, {1}", sign, b))
    return apply(f, dtype, "add {t} {0}, {1}", apply(f, dtype, "sdiv {t} {0}, {1}", a, b), sign)


def _floor_divide(f: Function, a: Value, b: Value) -> tuple[Value, Value]:
    dtype, zero = a.dtype, literal(0, a.dtype)
    quotient = apply(f, dtype, "sdiv {t} {0}, {1}", a, b)
    rest = apply(f, dtype, "srem {t} {0}, {1}", a, b)
    differs = compare(f, "icmp slt", apply(f, dtype, "xor {t} {0}, {1}", rest, b), zero)
    off = apply(f, bool_, "and {t} {0}, {1}", differs, compare(f, "icmp ne", rest, zero))
    lower = apply(f, dtype, "sub {t} {0}, {1}", quotient, literal(1, dtype))
    moved = apply(f, dtype, "add {t} {0}, {1}", rest, b)
    return choose(f, off, lower, quotient), choose(f, off, moved, rest)


def _float_modulo(f: Function, op: str, a: Value, b: Value) -> Value:
    """NumPy's floor_divide and remainder: the remainder has the sign of the divisor."""
    dtype, zero = a.dtype, literal(0.0, a.dtype)
    rest = _rest_of_float32(f, a, b) if dtype is float32 else apply(f, dtype, "frem {t} {0}, {1}", a, b)
    nonzero = compare(f, "fcmp une", rest, zero)
    opposite = apply(
        f, bool_, "xor {t} {0}, {1}", compare(f, "fcmp olt", rest, zero), compare(f, "fcmp olt", b, zero)
    )
    off = apply(f, bool_, "and {t} {0}, {1}", nonzero, opposite)
    fixed = choose(f, off, apply(f, dtype, "fadd {t} {0}, {1}", rest, b), rest)
    if op == "mod":
        return choose(f, nonzero, fixed, intrinsic(f, "copysign", dtype, rest, b))
    # before the rest is fixed: the quotient by an infinity is 0 or -1
    exact = apply(f, dtype, "fdiv {t} {0}, {1}", apply(f, dtype, "fsub {t} {0}, {1}", a, rest), b)
    exact = choose(f, off, apply(f, dtype, "fsub {t} {0}, {1}", exact, literal(1.0, dtype)), exact)
    whole = intrinsic(f, "floor", dtype, exact)  # halves, which quotients near the last bit have, go down
    above = compare(f, "fcmp ogt", apply(f, dtype, "fsub {t} {0}, {1}", exact, whole), literal(0.5, dtype))
    whole = choose(f, above, apply(f, dtype, "fadd {t} {0}, {1}", whole, literal(1.0, dtype)), whole)
    plain = apply(f, dtype, "fdiv {t} {0}, {1}", a, b)
    is_zero = compare(f, "fcmp oeq", whole, zero)
    whole = choose(f, is_zero, intrinsic(f, "copysign", dtype, whole, plain), whole)
    by_zero = compare(f, "fcmp oeq", b, zero)
    return choose(f, by_zero, plain, whole)


def _rest_of_float32(f: Function, a: Value, b: Value) -> Value:
    """C's fmod in lanes; LLVM would call the library for each element.

    The rounded quotient is too large by one at most, so that the rest of a quotient below 2**23 is exact in one step.
    """
    x, y = [intrinsic(f, "fabs", float32, v) for v in (a, b)]
    quotient = intrinsic(f, "floor", float32, apply(f, float32, "fdiv {t} {0}, {1}", x, y))
    rest = fused(f, apply(f, float32, "fneg {t} {0}", quotient), y, x)
    more = apply(f, float32, "fadd {t} {0}, {1}", rest, y)
    rest = choose(f, compare(f, "fcmp olt", rest, literal(0.0, float32)), more, rest)
    rest = choose(f, compare(f, "fcmp olt", x, y), x, rest)  # also for an infinite b
    is_far = compare(f, "fcmp uge", quotient, literal(2.0**23, float32))
    rest = rarely(f, rest, is_far, [x, y], lambda known: _rest_in_steps(f, *known))
    return intrinsic(f, "copysign", float32, rest, a)


def _rest_in_steps(f: Function, a: Value, b: Value) -> Value:
    """The same for any quotient of magnitudes.

    Quotients are below 2**277. Six steps in float64 take off multiples of b, 48 bits of the quotient in each; every
    rest is a multiple of the last bit of what it is less than, and so exact. A quotient may be off by one.
    """
    def widened(v: Value) -> Value:
        return Value(f.at(v.level, f"fpext {v} to {llvm_type(float64, v.lanes)}"), float64, v.lanes, v.level)

    x, y = widened(a), widened(b)
    inverse = apply(f, float64, "fdiv {t} {0}, {1}", literal(1.0, float64), y)
    rest = x
    for step in range(5, -1, -1):
        unit = literal(2.0 ** (48 * step), float64)
        share = apply(f, float64, "fmul {t} {0}, {1}", inverse, literal(2.0 ** (-48 * step), float64))
        quotient = intrinsic(f, "floor", float64, apply(f, float64, "fmul {t} {0}, {1}", rest, share))
        taken = apply(f, float64, "fmul {t} {0}, {1}", y, unit)
        rest = fused(f, apply(f, float64, "fneg {t} {0}", quotient), taken, rest)
    more = apply(f, float64, "fadd {t} {0}, {1}", rest, y)
    rest = choose(f, compare(f, "fcmp olt", rest, literal(0.0, float64)), more, rest)
    less = apply(f, float64, "fsub {t} {0}, {1}", rest, y)
    rest = choose(f, compare(f, "fcmp oge", rest, y), less, rest)
    rest = choose(f, compare(f, "fcmp olt", x, y), x, rest)
    near = f.at(rest.level, f"fptrunc {rest} to {llvm_type(float32, rest.lanes)}")
    return Value(near, float32, rest.lanes, rest.level)


def rarely(
    f: Function, usual: Value, is_rare: Value, known: list[Value], other: Callable[[list[Value]], Value]
) -> Value:
    """`usual`; behind a branch that is taken where some lane is rare, `other` of what is known for these lanes."""
    lanes = max(usual.lanes, is_rare.lanes)
    slot = f.alloca(llvm_type(usual.dtype, lanes))
    f.line(f"store {f.splat(usual, lanes)}, ptr {slot}")
    taken = is_rare
    if is_rare.lanes:
        bits = f.here(f"bitcast {is_rare} to i{is_rare.lanes}")
        taken = Value(f.here(f"icmp ne i{is_rare.lanes} {bits}, 0"), bool_, 0, f.level)
    with f.branch(taken):  # values of this scope, so that nothing moves out of it
        value = other([replace(v, level=f.level) for v in known])
        f.line(f"store {choose(f, is_rare, value, f.splat(usual, lanes))}, ptr {slot}")
    return Value(f.here(f"load {llvm_type(usual.dtype, lanes)}, ptr {slot}"), usual.dtype, lanes, f.level)


def fused(f: Function, a: Value, b: Value, c: Value) -> Value:
    """``a * b + c`` with one rounding."""
    return intrinsic(f, "fma", a.dtype, a, b, c)


def narrow(f: Function, outer: Guard | None, condition: Value, key: object, polarity: bool) -> Guard:
    """The guard that holds where `outer` and the condition (or its negation) hold."""
    memo_key = ("guard", outer, key, condition.text)
    found = f.memo.get(memo_key)
    if found is not None:
        return found
    mask = condition
    if not polarity:
        mask = apply(f, bool_, "xor {t} {0}, {1}", mask, Value("true", bool_, 0, 0, True))
    if outer is not None:
        mask = apply(f, bool_, "and {t} {0}, {1}", outer.mask, mask)
    guard = Guard(mask)
    f.remember(memo_key, guard, mask.level)
    return guard
