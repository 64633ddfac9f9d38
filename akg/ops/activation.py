"""Activation functions of neural networks, in forms that neither overflow nor cancel at large magnitudes.

They are functions of floats; what the definitions cost is one exponential, or one error function, per element.
"""

from __future__ import annotations

import math

from akg.ir import te
from akg.ir.expr import Expr
from akg.ir.te.tensor import Tensor
from akg.ops.pointwise import float_map, float_unary, unary
from akg.ops.registry import operator
from akg.ops.shape import bad_argument, check_choice, check_tensor

__all__ = [
    "celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log_sigmoid", "mish", "relu", "relu6",
    "selu", "sigmoid", "silu", "softplus", "softsign", "tanhshrink",
]  # fmt: skip

# Klambauer et al. 2017, "Self-Normalizing Neural Networks", appendix A1.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

relu = unary("relu", "``max(x, 0)``; NaN for NaN.", "a number", lambda a: te.maximum(a, 0))
relu6 = unary("relu6", "`x` limited to [0, 6].", "a number", lambda a: te.clip(a, 0, 6))
sigmoid = float_unary("sigmoid", "The logistic function ``1 / (1 + exp(-x))``.", te.sigmoid)
silu = float_unary("silu", "``x * sigmoid(x)``.", lambda a: a * te.sigmoid(a))
softsign = float_unary("softsign", "``x / (1 + |x|)``.", lambda a: a / (1.0 + te.abs(a)))
hardsigmoid = float_unary(
    "hardsigmoid", "``x / 6 + 1/2`` limited to [0, 1].", lambda a: te.clip(a * (1.0 / 6.0) + 0.5, 0.0, 1.0)
)
hardswish = float_unary("hardswish", "``x * hardsigmoid(x)``.", lambda a: a * te.clip(a * (1.0 / 6.0) + 0.5, 0.0, 1.0))
tanhshrink = float_unary("tanhshrink", "``x - tanh(x)``.", lambda a: a - te.tanh(a))


def _elu(a: Expr, alpha: float, scale: float = 1.0) -> Expr:
    return te.select(a > 0.0, a * scale if scale != 1.0 else a, (alpha * scale) * te.expm1(te.minimum(a, 0.0)))


def _mish(a: Expr) -> Expr:
    """``tanh(log(1 + e))`` with ``e = exp(x)`` is ``e (e + 2) / (e (e + 2) + 2)``, and 1 in double from x = 20 on."""
    e = te.exp(te.minimum(a, 20.0))
    w = e * (e + 2.0)
    return a * (w / (w + 2.0))


def _log1p_exp(a: Expr) -> Expr:
    """``log(1 + exp(-|a|))``, in (0, log 2]."""
    return te.log1p(te.exp(-te.abs(a)))


selu = float_unary(
    "selu", "`elu` with the constants that keep mean and variance.", lambda a: _elu(a, SELU_ALPHA, SELU_SCALE)
)
mish = float_unary("mish", "``x * tanh(softplus(x))``.", _mish)
log_sigmoid = float_unary("log_sigmoid", "``log(sigmoid(x))``.", lambda a: te.minimum(a, 0.0) - _log1p_exp(a))


@operator("leaky_relu", kind="elementwise")
def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`x` where it is positive, ``negative_slope * x`` elsewhere."""
    return float_map("leaky_relu", check_tensor(x, "x"), lambda a: te.select(a > 0.0, a, a * negative_slope))


@operator("elu", kind="elementwise")
def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """`x` where it is positive, ``alpha * (exp(x) - 1)`` elsewhere."""
    return float_map("elu", check_tensor(x, "x"), lambda a: _elu(a, alpha))


@operator("celu", kind="elementwise")
def celu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """``max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))``, whose slope is continuous."""
    if not alpha > 0:
        raise bad_argument(f"alpha is {alpha}", "the function is defined for alpha > 0", "as in alpha=1.0")

    def body(a: Expr) -> Expr:
        return te.select(a > 0.0, a, alpha * te.expm1(te.minimum(a, 0.0) * (1.0 / alpha)))

    return float_map("celu", check_tensor(x, "x"), body)


@operator("gelu", kind="elementwise")
def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """``x`` times the normal distribution's cumulative probability at x.

    `approximate` is "none" (with erf) or "tanh" (Hendrycks and Gimpel 2016, "Gaussian Error Linear Units").
    """
    if check_choice(approximate, "approximate", ("none", "tanh")) == "none":
        return float_map("gelu", check_tensor(x, "x"), lambda a: a * (0.5 * te.erf(a * math.sqrt(0.5)) + 0.5))

    def body(a: Expr) -> Expr:
        # (1 + tanh(u)) / 2 = sigmoid(2 u)
        slope = 2.0 * math.sqrt(2.0 / math.pi)
        return a * te.sigmoid(a * te.fma(a * a, 0.044715 * slope, slope))

    return float_map("gelu", check_tensor(x, "x"), body)


@operator("softplus", kind="elementwise")
def softplus(x: Tensor, beta: float = 1.0) -> Tensor:
    """``log(1 + exp(beta * x)) / beta``, which tends to max(x, 0)."""
    if not beta > 0:
        raise bad_argument(f"beta is {beta}", "the function is defined for beta > 0", "as in beta=1.0")

    def body(a: Expr) -> Expr:
        return te.maximum(a, 0.0) + (_log1p_exp(a) if beta == 1 else _log1p_exp(a * beta) * (1.0 / beta))

    return float_map("softplus", check_tensor(x, "x"), body)


@operator("hardtanh", kind="elementwise")
def hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`x` limited to [min_val, max_val]."""
    if not min_val <= max_val:
        raise bad_argument(f"min_val is {min_val} and max_val is {max_val}", "the range is empty", "exchange them")
    return float_map("hardtanh", check_tensor(x, "x"), lambda a: te.clip(a, min_val, max_val))
