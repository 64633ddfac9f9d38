"""Loop IR that a backend for plain machines can print: no 16-bit arithmetic, no bool arrays, no libm.

  * float16 and bfloat16 are storage: constants and loads become float32 at once, arithmetic is float32, and only
    a store or an explicit cast rounds (to nearest even);
  * bool arrays become uint8 arrays of 0 and 1;
  * mathematical functions become arithmetic, by `akg.codegen.math.expand`.

The result is loop IR over the same parameters in the same order, so the interpreter can run it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from akg.base.dtype import DType, bfloat16, bool_, float16, float32, uint8
from akg.codegen.gates import gate_products
from akg.codegen.math import expand
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Call, Cast, Const, Expr, Load, Select, Unary, Var
from akg.ir.rewrite import rewrite, rewrite_stmt
from akg.ir.stmt import Alloc, Kernel, Prefetch, Stmt, Store

NARROW = (float16, bfloat16)
# Functions that machines have as instructions.
PRIMITIVE = frozenset({
    "sqrt", "floor", "ceil", "round", "trunc", "copysign", "fma", "isnan", "isinf", "isfinite", "bitcast",
    "rarely",
})  # fmt: skip


def legalize(kernel: Kernel, native: frozenset[str] = frozenset()) -> Kernel:
    """The kernel with 16-bit floats widened, bool arrays as bytes and mathematical functions expanded.

    Args:
        kernel: any loop IR.
        native: those calls of `akg.codegen.math.NATIVE` that the machine has as instructions, all or none.
    """
    kernel = gate_products(kernel) if native else kernel
    bytes_of: dict[Buffer, Buffer] = {}
    memo: dict[Expr, Expr] = {}

    def buffer_of(buffer: Buffer) -> Buffer:
        if buffer.dtype is not bool_:
            return buffer
        found = bytes_of.get(buffer)
        if found is None:
            found = bytes_of[buffer] = Buffer(buffer.name, buffer.shape, uint8, buffer.scope)
        return found

    def rule(node: Expr) -> Expr | None:
        if isinstance(node, Load) and node.dtype is bool_:
            return Binary("ne", Load(buffer_of(node.buffer), node.indices), Const(0, uint8))
        return _rule(node, native)

    def on_expr(expr: Expr) -> Expr:
        return rewrite(expr, rule, memo)

    def on_stmt(stmt: Stmt) -> Stmt | None:
        if isinstance(stmt, Store):
            buffer = buffer_of(stmt.buffer)
            value = _narrowed(stmt.value, buffer.dtype)
            return stmt if value is stmt.value and buffer is stmt.buffer else replace(stmt, buffer=buffer, value=value)
        if isinstance(stmt, Alloc) and stmt.buffer.dtype is bool_:
            return replace(stmt, buffer=buffer_of(stmt.buffer))
        if isinstance(stmt, Prefetch) and stmt.buffer.dtype is bool_:
            return replace(stmt, buffer=buffer_of(stmt.buffer))
        return None

    params = tuple(
        replace(p, value=buffer_of(p.value)) if isinstance(p.value, Buffer) and p.value.dtype is bool_ else p
        for p in kernel.params
    )
    return replace(kernel, params=params, body=rewrite_stmt(kernel.body, on_stmt, on_expr))


def _narrowed(value: Expr, dtype: DType) -> Expr:
    """A value as an element of `dtype`; what was only moved never becomes wide."""
    if value.dtype is dtype:
        return value
    if dtype in NARROW and isinstance(value, Cast) and value.a.dtype is dtype:
        return value.a
    if dtype in NARROW and isinstance(value, Const):
        return Const(value.value, dtype)
    if dtype in NARROW and isinstance(value, Select):
        a, b = _narrowed(value.a, dtype), _narrowed(value.b, dtype)
        if not any(isinstance(part, Cast) for part in (a, b)):
            return Select(value.cond, a, b)
    return Cast(value, dtype)


def _rule(node: Expr, native: frozenset[str]) -> Expr | None:
    """Widen what is narrow. The operands are wide already, and operators take their type from them."""
    if isinstance(node, Const):
        return Const(node.value, float32) if node.dtype in NARROW else None
    if isinstance(node, (Var, Load)):
        return Cast(node, float32) if node.dtype in NARROW else None
    if isinstance(node, Cast):
        return _rounded(node) if node.dtype in NARROW else _cast(node)
    if isinstance(node, Call):
        return _call(node, native)
    return None


def _rounded(node: Cast) -> Expr:
    """A wide operand as what the narrow type holds, wide again."""
    if node.a.dtype is bool_:
        return Cast(node.a, float32)
    if node.a.dtype is float32 and _is_narrow(node.a, node.dtype):
        return node.a
    return Cast(Cast(node.a, node.dtype), float32)


def _is_narrow(node: Expr, dtype: DType) -> bool:
    """Whether a narrow type has every value of a float32 expression."""
    if isinstance(node, Cast):
        return node.a.dtype is dtype or node.a.dtype is bool_
    if isinstance(node, Const):
        with np.errstate(over="ignore"):
            return float(np.asarray(node.value, dtype.numpy)) == float(node.value)
    if isinstance(node, Select):
        return _is_narrow(node.a, dtype) and _is_narrow(node.b, dtype)
    if isinstance(node, Unary):
        return _is_narrow(node.a, dtype)
    if isinstance(node, Binary) and node.op in ("min", "max"):
        return _is_narrow(node.a, dtype) and _is_narrow(node.b, dtype)
    if isinstance(node, Binary) and node.op == "mul":  # by 0 or 1
        picks = [isinstance(x, Cast) and x.a.dtype is bool_ for x in (node.a, node.b)]
        return any(picks) and _is_narrow(node.a, dtype) and _is_narrow(node.b, dtype)
    return False


def _cast(node: Cast) -> Expr | None:
    return node.a if node.a.dtype is node.dtype else None


def _call(node: Call, native: frozenset[str]) -> Expr | None:
    wide = node
    if node.dtype in NARROW and node.fn != "bitcast":
        wide = Call(node.fn, node.args, float32)
    if wide.fn not in PRIMITIVE and wide.fn not in native:
        return expand(wide, native)
    return wide if wide is not node else None
