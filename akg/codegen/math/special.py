"""erf: an odd polynomial up to 1, ``1 - erfc(x)`` beyond it, where erfc is small and needs few digits."""

from __future__ import annotations

from collections.abc import Callable

from akg.base.dtype import float32
from akg.codegen.math import coefficients as co
from akg.codegen.math.build import (
    absolute,
    at_most,
    bits_of,
    choose,
    copysign,
    fma,
    format_of,
    from_bits,
    horner,
    literal,
)  # fmt: skip
from akg.codegen.math.exponential import exp_clamped
from akg.codegen.math.exponents import exp_no_clamp as exp_native
from akg.codegen.math.exponents import ldexp
from akg.ir.expr import Binary, Call, Expr


def _erfc_f32(y: Expr) -> Expr:
    """erfc of `y` in [1, 3.95] as two to the power of a polynomial."""
    kind = format_of(y)
    exponent = horner(y, co.LOG2_ERFC_F32)
    magic = literal(kind.round_magic + kind.bias, y)
    t = exponent + magic
    r = exponent - (t - magic)
    return fma(r, horner(r, co.EXP2_SHORT_F32), 1.0) * from_bits(bits_of(t) << kind.mantissa)


def _erfc_f64(y: Expr) -> Expr:
    """erfc of `y` in [1, 6]."""
    return exp_clamped(-(y * y)) * horner((y - 2.0) / (y + 2.0), co.ERFCX_F64)


def _erfc_f32_native(y: Expr) -> Expr:
    exponent = horner(y, co.LOG2_ERFC_F32)
    n = Call("round", (exponent,), y.dtype)
    r = exponent - n
    return ldexp(fma(r, horner(r, co.EXP2_SHORT_F32), 1.0), n)


def _erfc_f64_native(y: Expr) -> Expr:
    return exp_native(-(y * y)) * horner((y - 2.0) / (y + 2.0), co.ERFCX_F64)


def erf_native(x: Expr) -> Expr:
    """The error function on a machine with `akg.codegen.math.exponents.NATIVE`."""
    return _erf(x, _erfc_f32_native if x.dtype is float32 else _erfc_f64_native)


def erf(x: Expr) -> Expr:
    """The error function."""
    return _erf(x, _erfc_f32 if x.dtype is float32 else _erfc_f64)


def _erf(x: Expr, erfc: Callable[[Expr], Expr]) -> Expr:
    is_f32 = x.dtype is float32
    y = at_most(absolute(x), 3.95 if is_f32 else 6.0)
    far = literal(1.0, x) - erfc(y)
    near = fma(x, horner(x * x, co.ERF_F32 if is_f32 else co.ERF_F64), x)
    return choose(Binary("lt", absolute(x), literal(1.0, x)), near, copysign(far, x), x)
