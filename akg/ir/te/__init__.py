"""Tensor expressions: what a tensor is, element by element.

    A = te.placeholder((M, K), "float32", name="A")
    B = te.placeholder((K, N), "float32", name="B")
    k = te.reduce_axis(K, name="k")
    C = te.compute((M, N), lambda i, j: te.sum(A[i, k] * B[k, j], axis=k), name="C")

`akg.ir.lower` turns a definition into loop IR.
"""

from akg.ir.te.functions import (
    abs,
    acos,
    acosh,
    all,
    any,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cast,
    ceil,
    clip,
    const,
    copysign,
    cos,
    cosh,
    erf,
    exp,
    exp2,
    expm1,
    floor,
    floordiv,
    floormod,
    fma,
    if_then_else,
    infinity,
    isfinite,
    isinf,
    isnan,
    ldexp,
    log,
    log1p,
    log2,
    log10,
    max_value,
    maximum,
    min_value,
    minimum,
    pow,
    power,
    round,
    rsqrt,
    select,
    sigmoid,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
    trunc,
    where,
)
from akg.ir.te.reduction import Reducer, argmax, argmin, comm_reducer, max, min, prod, reduce_axis, sum
from akg.ir.te.scan import Scan, scan
from akg.ir.te.scatter import Scatter, scatter
from akg.ir.te.tensor import Compute, Placeholder, Tensor, compute, placeholder, scalar, var

__all__ = [
    "Compute", "Placeholder", "Reducer", "Scan", "Scatter", "Tensor", "abs", "acos", "acosh", "all", "any", "argmax",
    "argmin", "asin", "asinh", "atan", "atan2", "atanh", "cast", "ceil", "clip", "comm_reducer", "compute",
    "const", "copysign", "cos", "cosh", "erf", "exp", "exp2", "expm1", "floor", "floordiv", "floormod", "fma",
    "if_then_else", "infinity", "isfinite", "isinf", "isnan", "ldexp", "log", "log10", "log1p", "log2", "max",
    "max_value", "maximum", "min", "min_value", "minimum", "placeholder", "pow", "power", "prod", "reduce_axis",
    "round", "rsqrt", "scalar", "scan", "scatter", "select", "sigmoid", "sin", "sinh", "sqrt", "sum", "tan", "tanh",
    "trunc", "var", "where",
]  # fmt: skip
