"""Gradients of definitions: `differentiate` gives definitions of vector-Jacobian products."""

from akg.ops.gradient.differentiate import differentiate
from akg.ops.stopping import stop_gradient

__all__ = ["differentiate", "stop_gradient"]
