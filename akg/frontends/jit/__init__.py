"""``@akg.jit``: functions on NumPy arrays as fused kernels."""

from akg.frontends.jit.array import TracedArray as TracedArray
from akg.frontends.jit.call import Jitted as Jitted
from akg.frontends.jit.call import jit as jit
