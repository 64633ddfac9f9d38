"""Gradients of definitions: `differentiate` gives definitions of vector-Jacobian products."""

from akg.ops.gradient.differentiate import differentiate, stop_gradient

__all__ = ["differentiate", "stop_gradient"]
