"""Four steps of a sum of products of bytes by one instruction, over a panel that was packed for it.

    unroll n in [0, 4): S[i, j] += wide(A[i, 4 * k + n]) * wide(P[k, j, n])

``vpdpbusd`` multiplies unsigned by signed bytes and adds four neighbouring products to a sum of 32 bits. Where both
operands are of one type, one of them has its sign bit changed on the way, ``wide(uint8(A[...]) + 128)``, and what that
adds to the sum is taken off behind the loop (`akg.poly.loops.pack`).
"""

from __future__ import annotations

from dataclasses import dataclass

from akg.base.dot import Dot, packed_dot_of
from akg.base.dtype import DType, int8, int32, uint8
from akg.codegen.llvm.bounds import is_checked
from akg.codegen.llvm.builder import Function, Value
from akg.codegen.llvm.convert import convert
from akg.codegen.llvm.memory import store
from akg.codegen.llvm.pairs import all_steps, repeated
from akg.codegen.llvm.reduction import split_update
from akg.codegen.llvm.types import in_memory, llvm_type
from akg.ir.expr import Binary, Cast, Const, Expr, Load
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import For, Store

STEPS = 4
SIGN = 0x80  # the sign bit of a byte


@dataclass(frozen=True, slots=True)
class _Factor:
    """Bytes of a type: an operand's, perhaps with their sign bits changed, or a constant."""

    dtype: DType
    load: Load | None
    constant: int = 0


def emit_quad(f: Function, loop: For) -> bool:
    """Emit an unrolled loop around one update as one instruction; False, with nothing emitted, if there is none."""
    stmt = loop.body
    if f.lanes is None or f.guard is not None or f.lanes.is_double or not isinstance(stmt, Store):
        return False
    if loop.const_trips != STEPS or f.lanes.accumulators.get(stmt.name) is not None:
        return False
    update = split_update(stmt)
    if update is None or update.op != "add" or not isinstance(update.term, Binary) or update.term.op != "mul":
        return False
    factors = [_factor(e) for e in (update.term.a, update.term.b)] if update.dtype is int32 else []
    signed = next((x for x in factors if x is not None and x.dtype is int8), None)
    unsigned = next((x for x in factors if x is not None and x.dtype is uint8), None)
    if signed is None or unsigned is None or any(n is loop.var for i in stmt.indices for n in walk_expr(i)):
        return False
    dot = packed_dot_of(f.unit.target, uint8, int8, f.lanes.count)
    if dot is None or dot.steps != STEPS:
        return False
    if any(x.load is not None and is_checked(f, x.load.buffer, x.load.indices) for x in (signed, unsigned)):
        return False
    old = f.splat(f.value(update.old), f.lanes.count)
    result = _added(f, dot, old, _bytes(f, unsigned, loop, dot), _bytes(f, signed, loop, dot))
    store(f, stmt.buffer, stmt.indices, convert(f, result, in_memory(stmt.buffer.dtype)))
    return True


def _factor(expr: Expr) -> _Factor | None:
    """A factor of 32 bits that is a byte."""
    if isinstance(expr, Const):
        return _Factor(uint8 if int(expr) >= 0 else int8, None, int(expr)) if -128 <= int(expr) < 256 else None
    inner = expr.a if isinstance(expr, Cast) else None
    if isinstance(inner, Load) and inner.dtype in (int8, uint8):
        return _Factor(inner.dtype, inner)
    if not isinstance(inner, Binary) or inner.op != "add" or inner.dtype not in (int8, uint8):
        return None
    flipped, constant = inner.a, inner.b
    if not (isinstance(flipped, Cast) and isinstance(flipped.a, Load) and isinstance(constant, Const)):
        return None
    is_flip = flipped.a.dtype in (int8, uint8) and flipped.a.dtype is not inner.dtype and int(constant) & 0xFF == SIGN
    return _Factor(inner.dtype, flipped.a) if is_flip else None


def _bytes(f: Function, factor: _Factor, loop: For, dot: Dot) -> Value:
    """A factor for all steps and lanes."""
    assert f.lanes is not None
    count = STEPS * f.lanes.count
    if factor.load is None:
        each = int.from_bytes(bytes([factor.constant & 0xFF] * STEPS), "little", signed=True)
        return repeated(f, str(each), 8 * STEPS, factor.dtype, count, 0)
    found = all_steps(f, factor.load, loop, dot)
    if factor.load.dtype is factor.dtype:
        return found
    signs = ", ".join([f"i8 {SIGN - 0x100}"] * count)
    text = f.at(found.level, f"xor {llvm_type(found.dtype, count)} {found.text}, <{signs}>")
    return Value(text, factor.dtype, count, found.level)


def _added(f: Function, dot: Dot, old: Value, unsigned: Value, signed: Value) -> Value:
    """The sum of each lane of `old` and the products of four neighbours."""
    lanes, level = old.lanes, max(old.level, unsigned.level, signed.level)
    wide = llvm_type(int32, lanes)
    texts = [f"{wide} {f.at(v.level, f'bitcast {v} to {wide}')}" for v in (unsigned, signed)]
    callee = f.unit.declare(dot.intrinsic, f"declare {wide} @{dot.intrinsic}({wide}, {wide}, {wide})")
    return Value(f.at(level, f"call {wide} {callee}({old}, {', '.join(texts)})"), int32, lanes, level)
