"""Functions of floats as expressions over arithmetic, comparisons, `Select`, casts and bit patterns.

`expand` is what a backend calls. One definition serves scalars, vectors of any width, C-like text and the
interpreter; there are no tables in memory (a register may hold one), and no branches but around what is rare.
``docs/math.md`` lists the errors measured.
"""

from __future__ import annotations

from collections.abc import Callable

from akg.base.errors import InternalError
from akg.codegen.math import exponential, exponents, inverse, logarithm, power, scaling, special, trigonometric
from akg.codegen.math.build import is_finite, is_infinite, is_nan, literal, sqrt
from akg.codegen.math.exponents import NATIVE as NATIVE
from akg.ir.expr import Call, Expr

# What `expand` leaves alone: every backend has these as instructions or one-liners.
PRIMITIVES = frozenset({"floor", "ceil", "round", "trunc", "fma", "copysign", "sqrt", "bitcast", "rarely"})


def _rsqrt(x: Expr) -> Expr:
    return literal(1.0, x) / sqrt(x)


_RULES: dict[str, Callable[..., Expr]] = {
    "exp": exponential.exp, "exp2": exponential.exp2, "expm1": exponential.expm1, "log": logarithm.log,
    "exp_below": exponential.exp_below,
    "log2": logarithm.log2, "log10": logarithm.log10, "log1p": logarithm.log1p, "tanh": exponential.tanh,
    "sinh": exponential.sinh, "cosh": exponential.cosh, "erf": special.erf, "sigmoid": exponential.sigmoid,
    "sin": trigonometric.sin, "cos": trigonometric.cos, "tan": trigonometric.tan, "asin": inverse.asin,
    "acos": inverse.acos, "atan": inverse.atan, "atan2": inverse.atan2, "asinh": inverse.asinh,
    "acosh": inverse.acosh, "atanh": inverse.atanh,
    "pow": power.pow_, "rsqrt": _rsqrt, "isnan": is_nan, "isinf": is_infinite, "isfinite": is_finite,
    "ldexp": scaling.ldexp, "muladd": lambda a, b, c: a * b + c,
}  # fmt: skip


# The better expansions of machines that have the calls of `NATIVE`.
_NATIVE_RULES: dict[str, Callable[..., Expr]] = {
    "exp": exponents.exp, "exp_below": exponents.exp_below, "exp2": exponents.exp2, "sigmoid": exponents.sigmoid,
    "gated": exponents.gated, "sinh": exponents.sinh,
    "cosh": exponents.cosh, "log": exponents.log, "log2": exponents.log2, "log10": exponents.log10,
    "erf": special.erf_native, "pow": power.pow_native, "log1p": exponents.log1p,
    "asinh": exponents.asinh, "acosh": exponents.acosh, "atanh": exponents.atanh,
}  # fmt: skip


def expand(node: Call, native: frozenset[str] = frozenset()) -> Expr:
    """`node` over primitives; a primitive call is returned as it is.

    Args:
        node: a call whose arguments are float32 or float64; the result has the dtype of the node.
        native: `NATIVE` if the machine has its calls as instructions, so that they count as primitives.

    Raises:
        InternalError: for other argument types (legalization widens the 16-bit floats first).
    """
    if node.fn in PRIMITIVES or node.fn in native:
        return node
    rule = (_NATIVE_RULES.get(node.fn) if native else None) or _RULES.get(node.fn)
    if rule is None:
        raise InternalError(f"no expansion of {node.fn} on {node.args[0].dtype}")
    return rule(*node.args)
