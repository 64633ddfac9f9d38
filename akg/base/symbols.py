"""Names that are taken: by C, by its library, by the OpenMP runtime and by akg's own symbols."""

from __future__ import annotations

import re

_KEYWORDS = """
auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Alignas _Alignof
_Atomic _Bool _Complex _Generic _Imaginary _Noreturn _Static_assert _Thread_local asm typeof bool true false
"""
_MATH = """
acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh drem erf erfc exp exp10 exp2 expm1 fabs fdim floor
fma fmax fmin fmod frexp gamma hypot ilogb isfinite isinf isnan isnormal j0 j1 jn ldexp lgamma llrint llround log
log10 log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow pow10 remainder remquo rint round scalb
scalbln scalbn signbit significand sin sinh sqrt tan tanh tgamma trunc y0 y1 yn
"""
_OTHERS = """
abort abs bcmp bzero calloc div exit free labs main malloc memcmp memcpy memmove memset realloc strlen INFINITY NAN NULL
int16_t int32_t int64_t int8_t linux size_t status uint16_t uint32_t uint64_t uint8_t unix
"""
RESERVED = frozenset(
    [*_KEYWORDS.split(), *_OTHERS.split(), *(name + tail for name in _MATH.split() for tail in ("", "f", "l"))]
)
# Of OpenMP runtimes, of compilers' support libraries, and our own.
_PREFIXES = ("akg_", "omp_", "GOMP_", "GOACC_", "kmp", "__")


def symbol_of(name: str) -> str:
    """The symbol in object code of a kernel of any name: the name itself where that is an identifier and not taken.

    Generated code calls the C library and an OpenMP runtime, and so does LLVM on its own account ("memset", "fma"): a
    kernel of such a name would be called instead. Two names may share a symbol; each kernel is linked by itself.
    """
    plain = re.sub(r"\W", "_", name, flags=re.ASCII) or "_"
    if plain[0].isdigit():
        plain = f"_{plain}"
    is_taken = plain in RESERVED or plain.startswith(_PREFIXES)
    return f"kernel_{plain}_" if is_taken else plain
