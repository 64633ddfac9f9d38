"""Instructions that multiply narrow elements and add neighbouring products to wider sums."""

from __future__ import annotations

from dataclasses import dataclass

from akg.base.dtype import DType, bfloat16, float32, int16, int32
from akg.base.target import Target


@dataclass(frozen=True, slots=True)
class Dot:
    """One such instruction.

    Attributes:
        name: of the instruction, for people.
        intrinsic: LLVM's name of it for full vectors.
        factors: the type of factors in registers; narrower integers are widened to it.
        sums: the type of the sums.
        steps: neighbours whose products one lane adds.
        flips: whether the factor that is not packed has to change its sign bit: the instruction multiplies unsigned
            by signed elements, and both are of one type.
    """

    name: str
    intrinsic: str
    factors: DType
    sums: DType
    steps: int
    flips: bool = False


def dot_of(target: Target, dtype: DType, lanes: int) -> Dot | None:
    """The instruction for products of elements of `dtype` with `lanes` sums; None if the machine has none.

    ``vdpbf16ps`` multiplies bfloat16; ``vpmaddwd`` integers of 16 bits.
    """
    if target.arch != "x86_64":
        return None
    if dtype is bfloat16:
        name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * lanes}"
        has = "avx512bf16" in target.features and lanes in (4, 8, 16)
        return Dot("vdpbf16ps", name, bfloat16, float32, 2) if has else None
    if not dtype.is_integer or not (dtype.bits == 8 or dtype is int16):
        return None
    names = {4: ("sse2", "sse2.pmadd.wd"), 8: ("avx2", "avx2.pmadd.wd"), 16: ("avx512bw", "avx512.pmaddw.d.512")}
    feature, name = names.get(lanes, ("none", ""))
    return Dot("vpmaddwd", f"llvm.x86.{name}", int16, int32, 2) if feature in target.features else None


def packed_dot_of(target: Target, dtype: DType, other: DType, lanes: int) -> Dot | None:
    """The instruction for products of elements of `dtype` that were packed for it and of neighbours of type `other`.

    ``vpdpbusd`` multiplies four unsigned by four signed bytes. The product of two signed ones is
    ``(a + 128) * b - 128 * b``, where adding 128 makes `a` unsigned; all modulo 2**32, as every sum of integers is.
    """
    if not (dtype.is_integer and other.is_integer and dtype.bits == other.bits == 8):
        dot = dot_of(target, dtype, lanes)
        return dot if dot == dot_of(target, other, lanes) else None
    wide = lanes == 16 and "avx512vnni" in target.features
    short = lanes in (4, 8) and {"avx512vnni", "avx512vl"} <= target.features
    if target.arch != "x86_64" or not (wide or short):
        return dot_of(target, dtype, lanes)
    return Dot("vpdpbusd", f"llvm.x86.avx512.vpdpbusd.{32 * lanes}", dtype, int32, 4, dtype is other)
