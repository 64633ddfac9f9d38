"""Expressions to instructions: one rule per node class, each value at the outermost level it can have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from akg.base.dtype import bool_, float32, index
from akg.base.errors import InternalError
from akg.codegen.llvm.arith import apply, choose, combine, compare, fused, intrinsic, is_signed, literal, narrow, rarely
from akg.codegen.llvm.builder import Function, Value
from akg.codegen.llvm.convert import convert
from akg.codegen.llvm.memory import load, load_or
from akg.codegen.llvm.scaling import emit_native
from akg.codegen.llvm.types import constant, llvm_type
from akg.codegen.math import NATIVE
from akg.ir.expr import Binary, Call, Cast, Const, Expr, Load, Select, Unary, Var
from akg.ir.rewrite import rewrite
from akg.ir.simplify import simplify


def _emit_const(f: Function, node: Const) -> Value:
    return Value(constant(node.value, node.dtype), node.dtype, 0, 0, True)


def _emit_var(f: Function, node: Var) -> Value:
    found = f.vars.get(node)
    if found is None:
        raise InternalError(f"variable {node.name} is not defined where it is used")
    return found


def _emit_binary(f: Function, node: Binary) -> Value:
    return combine(f, node.op, f.value(node.a), f.value(node.b))


def _emit_unary(f: Function, node: Unary) -> Value:
    a, dtype = f.value(node.a), node.dtype
    if node.op == "not":
        return apply(f, dtype, "xor {t} {0}, {1}", a, Value("true" if dtype is bool_ else "-1", dtype, 0, 0, True))
    if dtype.is_float:
        if node.op == "neg":
            return apply(f, dtype, "fneg {t} {0}", a)
        return intrinsic(f, "fabs", dtype, a)
    if node.op == "neg":
        return apply(f, dtype, "sub {t} {0}, {1}", literal(0, dtype), a)
    return intrinsic(f, "abs", dtype, a, extra="i1 false") if is_signed(dtype) else a


def _emit_cast(f: Function, node: Cast) -> Value:
    return _number_of_lane(f, node) or convert(f, f.value(node.a), node.dtype)


def _number_of_lane(f: Function, node: Cast) -> Value | None:
    """``int32((x + 16) + lane)`` as ``int32(x) + (lane + 16)``: several vectors share the first; None for others."""
    total = node.a
    is_short = node.dtype.kind in ("int", "uint") and node.dtype.bits <= SHORT_BITS and total.dtype is index
    if not is_short or f.lanes is None or not isinstance(total, Binary) or total.op != "add":
        return None
    if total.b is not f.lanes.var:
        return None
    first, lane = total.a, f.value(total.b)
    if isinstance(first, Binary) and first.op == "add" and isinstance(first.b, Const):
        first, lane = first.a, combine(f, "add", lane, f.value(first.b))
    return combine(f, "add", convert(f, f.value(first), node.dtype), convert(f, lane, node.dtype))


def _emit_select(f: Function, node: Select) -> Value:
    decided = simplify(node.cond)
    if isinstance(decided, Const):
        return f.value(node.a if decided.value else node.b)
    condition = f.value(node.cond)  # whose loads are the nodes of the branches, as `is_loaded` needs
    if isinstance(node.a, Load) and isinstance(node.b, Const) and not f.is_loaded(node.a):
        found = load_or(f, node.a, condition, node.b)
        if found is not None:
            return found
    a = _guarded(f, node.a, condition, node.cond, True)
    b = _guarded(f, node.b, condition, node.cond, False)
    return choose(f, condition, a, b)


def _guarded(f: Function, node: Expr, condition: Value, key_node: Expr, polarity: bool) -> Value:
    if f.is_loaded(node):
        return f.value(node)
    outer = f.guard
    f.guard = narrow(f, outer, condition, (key_node, polarity), polarity)
    try:
        return f.value(node)
    finally:
        f.guard = outer


# --- functions ----------------------------------------------------------------------------------------

_INTRINSICS = {
    "sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "round": "rint", "trunc": "trunc", "copysign": "copysign",
    "exp": "exp", "exp2": "exp2", "log": "log", "log2": "log2", "log10": "log10", "pow": "pow", "sin": "sin",
    "cos": "cos", "tan": "tan", "asin": "asin", "acos": "acos", "atan": "atan", "atan2": "atan2", "sinh": "sinh",
    "cosh": "cosh", "tanh": "tanh",
}  # fmt: skip
SHORT_BITS = 32  # of integers that fill registers better than subscripts do
_LIBM = frozenset({"expm1", "log1p", "erf", "asinh", "acosh", "atanh"})


def _emit_call(f: Function, node: Call) -> Value:
    if node.fn in NATIVE:
        return emit_native(f, node)
    if node.fn == "rarely":
        return _emit_rarely(f, node)
    args = [f.value(a) for a in node.args]
    dtype = node.args[0].dtype
    if node.fn == "fma":
        return fused(f, *args)
    if node.fn in _INTRINSICS:
        return intrinsic(f, _INTRINSICS[node.fn], dtype, *args)
    if node.fn == "bitcast":
        a = args[0]
        if llvm_type(a.dtype) == llvm_type(node.dtype):
            return Value(a.text, node.dtype, a.lanes, a.level, a.is_const)
        text = f.at(a.level, f"bitcast {a} to {llvm_type(node.dtype, a.lanes)}")
        return Value(text, node.dtype, a.lanes, a.level)
    if node.fn == "isnan":
        return compare(f, "fcmp uno", args[0], args[0])
    if node.fn in ("isinf", "isfinite"):
        size = intrinsic(f, "fabs", dtype, args[0])
        return compare(f, "fcmp oeq" if node.fn == "isinf" else "fcmp one", size, literal(float("inf"), dtype))
    if node.fn == "rsqrt":
        return combine(f, "div", literal(1.0, dtype), intrinsic(f, "sqrt", dtype, *args))
    if node.fn in _LIBM:
        return _library_call(f, node.fn, args[0])
    raise InternalError(f"{node.fn} reached the code generator: legalize expands it")


def _emit_rarely(f: Function, node: Call) -> Value:
    """The usual value; behind a branch that no lane mostly takes, the other one."""
    known = list(dict.fromkeys(node.args[3:]))

    def other(values: list[Value]) -> Value:
        here = {x: Var(f"rare{f.unit.unique()}", x.dtype) for x in known}
        f.vars.update(zip(here.values(), values, strict=True))
        return f.value(rewrite(node.args[2], here.get))

    return rarely(f, f.value(node.args[0]), f.value(node.args[1]), [f.value(x) for x in known], other)


def _library_call(f: Function, name: str, a: Value) -> Value:
    """A function of the C library, lane by lane."""
    scalar = llvm_type(a.dtype)
    name = name + ("f" if a.dtype is float32 else "")
    callee = f.unit.declare(name, f"declare {scalar} @{name}({scalar})")
    if not a.lanes:
        return Value(f.at(a.level, f"call {scalar} {callee}({a})"), a.dtype, 0, a.level)
    result = "poison"
    for lane in range(a.lanes):
        one = f.at(a.level, f"extractelement {a}, i64 {lane}")
        done = f.at(a.level, f"call {scalar} {callee}({scalar} {one})")
        result = f.at(a.level, f"insertelement {a.type} {result}, {scalar} {done}, i64 {lane}")
    return Value(result, a.dtype, a.lanes, a.level)


EXPRESSIONS: dict[type[Expr], Callable[[Function, Any], Value]] = {
    Const: _emit_const, Var: _emit_var, Binary: _emit_binary, Unary: _emit_unary, Cast: _emit_cast,
    Select: _emit_select, Call: _emit_call, Load: load,
}  # fmt: skip
