"""The rules of composite operators that are elementwise, reduce, or assign; complex numbers are pairs of real ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from akg.frontends.composite.document import Operation
from akg.frontends.composite.translate import PART, Complex, Result, Translation, rule
from akg.ir.graph import Value

UNARY = {
    "Abs": "abs", "Asinh": "asinh", "Acosh": "acosh", "ACos": "acos", "Acos": "acos", "Asin": "asin", "Atan": "atan",
    "Sin": "sin", "Cos": "cos", "Tanh": "tanh", "Erf": "erf", "Exp": "exp", "Expm1": "expm1", "Log": "log",
    "Neg": "negative", "Sqrt": "sqrt", "Rsqrt": "rsqrt", "Reciprocal": "reciprocal", "Round": "round",
    "Floor": "floor", "Sign": "sign", "IsNan": "isnan", "IsInf": "isinf", "IsFinite": "isfinite",
    "LogicalNot": "logical_not", "ZerosLike": "zeros_like", "Ceil": "ceil", "Trunc": "trunc",
}  # fmt: skip
BINARY = {
    "Add": "add", "TensorAdd": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide", "RealDiv": "divide",
    "FloorDiv": "floor_divide", "FloorMod": "remainder", "Minimum": "minimum", "Maximum": "maximum", "Pow": "pow",
    "Atan2": "atan2", "LogicalAnd": "logical_and", "LogicalOr": "logical_or", "Equal": "equal",
    "NotEqual": "not_equal", "Greater": "greater", "GreaterEqual": "greater_equal", "Less": "less",
    "LessEqual": "less_equal",
}  # fmt: skip
ON_BOOLS = {"LogicalAnd", "LogicalOr", "Equal", "NotEqual"}
SELECT = {"SelectGE": "greater_equal", "SelectLE": "less_equal", "SelectGT": "greater", "SelectLT": "less"}
REDUCE = {
    "ReduceSum": "sum", "ReduceProd": "prod", "ReduceMax": "max", "ReduceMin": "min", "ReduceAll": "all",
    "ReduceAny": "any", "Argmax": "argmax", "Argmin": "argmin",
}  # fmt: skip

# --- elementwise ----------------------------------------------------------------------------------------


@rule("Cast", "Reshape", "ExpandDims", "Squeeze", "EquivFormat")
def _same(t: Translation, op: Operation) -> Result:
    """The elements as they are: type and shape are those that the output declares."""
    return t.result(op, 0)


@rule(*UNARY)
def _unary(t: Translation, op: Operation) -> Result:
    x = t.result(op, 0)
    if not isinstance(x, Complex):
        return t.apply(op, UNARY[op.name], x)
    if op.name == "Abs":
        return t.apply(op, "hypot", x.real, x.imag)
    if op.name in ("Neg", "ZerosLike"):
        return Complex(t.apply(op, UNARY[op.name], x.real), t.apply(op, UNARY[op.name], x.imag))
    raise t.no_complex(op)


@rule(*BINARY)
def _binary(t: Translation, op: Operation) -> Result:
    if any(isinstance(t.result(op, k), Complex) for k in (0, 1)):
        return _complex_binary(t, op)
    a, b = t.operand(op, 0), t.operand(op, 1)
    if not isinstance(a, Value) and not isinstance(b, Value):
        a = t.tensor(op, 0)
    if op.name not in ON_BOOLS:
        a, b = _numbers(t, op, a, b)
    return t.apply(op, BINARY[op.name], a, b)


def _numbers(t: Translation, op: Operation, *operands: Any) -> list[Any]:
    """The operands, where all of them are bools as the integers 0 and 1."""
    if any((x.dtype.name if isinstance(x, Value) else x.dtype) != "bool" for x in operands):
        return list(operands)
    return [t.cast(op, x, "uint8") if isinstance(x, Value) else np.uint8(x) for x in operands]


def _complex_binary(t: Translation, op: Operation) -> Complex:
    a, b = (_as_complex(t, op, t.result(op, k)) for k in (0, 1))

    def of(name: str, x: Value, y: Value) -> Value:
        return t.apply(op, name, x, y)

    if op.name in ("Add", "TensorAdd", "Sub"):
        name = BINARY[op.name]
        return Complex(of(name, a.real, b.real), of(name, a.imag, b.imag))
    if op.name in ("Div", "RealDiv"):
        size = of("add", of("multiply", b.real, b.real), of("multiply", b.imag, b.imag))
        b = Complex(of("divide", b.real, size), t.apply(op, "negative", of("divide", b.imag, size)))
    elif op.name != "Mul":
        raise t.no_complex(op)
    real = of("subtract", of("multiply", a.real, b.real), of("multiply", a.imag, b.imag))
    return Complex(real, of("add", of("multiply", a.real, b.imag), of("multiply", a.imag, b.real)))


def _as_complex(t: Translation, op: Operation, x: Result) -> Complex:
    return x if isinstance(x, Complex) else Complex(x, t.apply(op, "zeros_like", x))


@rule("Mod")
def _mod(t: Translation, op: Operation) -> Result:
    """The rest with the sign of the dividend, as C's fmod."""
    a, b = t.tensor(op, 0), t.tensor(op, 1)
    rest = t.apply(op, "remainder", t.apply(op, "abs", a), t.apply(op, "abs", b))
    return t.apply(op, "where", t.apply(op, "less", a, 0), t.apply(op, "negative", rest), rest)


@rule("Select")
def _select(t: Translation, op: Operation) -> Result:
    condition = t.cast(op, t.tensor(op, 0), "bool")
    return t.apply(op, "where", condition, t.operand(op, 1), t.operand(op, 2))


@rule(*SELECT)
def _select_compared(t: Translation, op: Operation) -> Result:
    condition = t.apply(op, SELECT[op.name], *_numbers(t, op, t.tensor(op, 0), t.operand(op, 1)))
    return t.apply(op, "where", condition, t.operand(op, 2), t.operand(op, 3))


@rule("AddN")
def _add_n(t: Translation, op: Operation) -> Result:
    """By pairs: the error of the sum, and the depth of the expression, grow with the logarithm of the number.

    16-bit floats are added in float32, and rounded once.
    """
    terms = [t.tensor(op, k) for k in range(max(len(op.inputs), 1))]
    terms = [t.cast(op, x, x.dtype.compute) for x in terms]
    while len(terms) > 1:
        pairs = [t.apply(op, "add", a, b) for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = [*pairs, *terms[len(pairs) * 2 :]]
    return terms[0]


@rule("FastGeLU", "FastGelu")
def _fast_gelu(t: Translation, op: Operation) -> Result:
    """``x * exp(0.851 (x - |x|)) / (1 + exp(-1.702 |x|))``."""
    x = t.tensor(op, 0)
    size = t.apply(op, "abs", x)
    power = t.apply(op, "exp", t.apply(op, "multiply", t.apply(op, "subtract", x, size), 0.851))
    below = t.apply(op, "add", t.apply(op, "exp", t.apply(op, "multiply", size, -1.702)), 1.0)
    return t.apply(op, "divide", t.apply(op, "multiply", x, power), below)


@rule("AddMinValue")
def _add_min_value(t: Translation, op: Operation) -> Result:
    """``x`` plus the least positive normal number of its type, so that a divisor is not 0."""
    x = t.tensor(op, 0)
    return t.apply(op, "add", x, 2.0**-24 if x.dtype.name == "float16" else 2.0**-126)


@rule("Complex")
def _complex(t: Translation, op: Operation) -> Result:
    return Complex(t.cast(op, t.tensor(op, 0), PART), t.cast(op, t.tensor(op, 1), PART))


@rule("CReal", "CImag")
def _part(t: Translation, op: Operation) -> Result:
    x = _as_complex(t, op, t.result(op, 0))
    return x.real if op.name == "CReal" else x.imag


# --- reductions -----------------------------------------------------------------------------------------


@rule(*REDUCE)
def _reduce(t: Translation, op: Operation) -> Result:
    x, name = t.tensor(op, 0), REDUCE[op.name]
    axes = op.integers("axis", [])
    keywords: dict[str, Any] = {"axis": tuple(axes) or None, "keepdims": bool(op.get("keep_dims"))}
    if name in ("argmax", "argmin"):
        keywords = {"axis": axes[0] if axes else None}
    elif name in ("max", "min"):
        [x] = _numbers(t, op, x)
    elif name in ("sum", "prod") and not x.dtype.is_float:
        out = op.outputs[0].dtype
        keywords["dtype"] = "int32" if out == "bool" else out
    return t.apply(op, name, x, **keywords)


@rule("ElemAny", "ElemAll")
def _elem_any(t: Translation, op: Operation) -> Result:
    """Whether any element, or every one, is greater than 0."""
    x = t.tensor(op, 0)
    positive = x if x.dtype.name == "bool" else t.apply(op, "greater", x, 0)
    return t.apply(op, "any" if op.name == "ElemAny" else "all", positive)


@rule("CumSum", "CumProd")
def _cumulative(t: Translation, op: Operation) -> Result:
    name = "cumsum" if op.name == "CumSum" else "cumprod"
    flags = {key: bool(op.get(key)) for key in ("exclusive", "reverse")}
    return t.apply(op, name, t.tensor(op, 0), op.integers("axis")[0], dtype=op.outputs[0].dtype, **flags)


# --- state ----------------------------------------------------------------------------------------------


@rule("Assign")
def _assign(t: Translation, op: Operation) -> Result:
    """The input takes over the elements; the result is these, or a token of one element where that is declared."""
    value = t.result(op, 1)
    t.assign(op, 0, value)
    if isinstance(value, Value) and op.outputs[0].shape == (1,) and math.prod(value.const_shape or ()) > 1:
        rank = len(value.shape)
        return t.apply(op, "slice", value, (0,) * rank, (1,) * rank)
    return value


@rule("InplaceAssign")
def _inplace_assign(t: Translation, op: Operation) -> Result:
    """The first input takes over the second one's elements; the result is the third."""
    value = t.result(op, 2)
    t.assign(op, 0, t.result(op, 1))
    return value
