"""Random numbers: each element is a function of its place and of the seeds, so that loops may run in any order."""

from __future__ import annotations

import math

from akg.base.dtype import float32, uint32, uint64
from akg.frontends.composite.document import Operation
from akg.frontends.composite.translate import Result, Translation, rule
from akg.ir import te
from akg.ir.expr import Expr
from akg.ir.te.tensor import Tensor

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def key_of(seed: int, seed2: int) -> int:
    """An odd key of mixed bits for two seeds (the finalizer of SplitMix64, Steele et al., OOPSLA 2014)."""
    z = (seed * GOLDEN + seed2 + GOLDEN) & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return (z ^ z >> 31) | 1


def _bits(counter: Expr, key: int) -> Expr:
    """32 random bits of a counter, by four rounds of middle squares (Widynski, "Squares", arXiv 2004.06278)."""
    half = te.const(32, uint64)

    def turned(x: Expr) -> Expr:
        return (x >> half) | (x << half)

    y = counter * te.const(key, uint64)
    z = y + te.const(key, uint64)
    x = turned(y * y + y)
    x = turned(x * x + z)
    x = turned(x * x + y)
    return te.cast((x * x + z) >> half, uint32)


def _uniform(bits: Expr) -> Expr:
    """Between 0, which it never is, and 1."""
    return (te.cast(bits, float32) + 0.5) * 2.0**-32


def normal(shape: tuple[int, ...], key: int) -> Tensor:
    """Independent float32 numbers of the standard normal distribution, by Box and Muller's transform."""

    def element(*at: Expr) -> Expr:
        place: Expr = te.const(0, uint64)
        for i, size in zip(at, shape, strict=True):
            place = place * te.const(size, uint64) + te.cast(i, uint64)
        pair = place * te.const(2, uint64)
        radius = te.sqrt(te.log(_uniform(_bits(pair, key))) * -2.0)
        return radius * te.cos(_uniform(_bits(pair + te.const(1, uint64), key)) * (2 * math.pi))

    return te.compute(shape, element, name="normal")


@rule("StandardNormal")
def _standard_normal(t: Translation, op: Operation) -> Result:
    """Numbers of a seed; its input, if any, is the shape, which the output declares."""
    seeds = [op.integers(name, 0)[0] for name in ("seed", "seed2")]
    return t.define(op, normal, op.outputs[0].shape, key_of(*seeds), kind="reshape")
