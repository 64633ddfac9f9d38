"""erf in float32: an odd rational function, whose relative error holds down to zero."""

from __future__ import annotations

from akg.codegen.math import coefficients as co
from akg.codegen.math.build import absolute, at_most, copysign, horner
from akg.ir.expr import Expr


def erf(x: Expr) -> Expr:
    """The error function (float32)."""
    y = at_most(absolute(x), 3.93)
    u = y * y
    return copysign(at_most((y * horner(u, co.ERF_P_F32)) / horner(u, co.ERF_Q_F32), 1.0), x)
