"""Names in C: keywords and library functions are not available to buffers, variables and kernels."""

from __future__ import annotations

from collections.abc import Iterable

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
abort abs calloc div exit free labs main malloc memcpy memmove memset realloc INFINITY NAN NULL int16_t int32_t
int64_t int8_t linux size_t status uint16_t uint32_t uint64_t uint8_t unix
"""
RESERVED = frozenset(
    [*_KEYWORDS.split(), *_OTHERS.split(), *(name + tail for name in _MATH.split() for tail in ("", "f", "l"))]
)


def c_names(names: Iterable[str]) -> dict[str, str]:
    """A C identifier for each of the names of a kernel, unique and the name itself where it can be."""
    given = list(dict.fromkeys(names))
    taken = set(given) | RESERVED
    out: dict[str, str] = {}
    for name in given:
        free = name
        if name in RESERVED or name.startswith(("akg_", "INT", "UINT")):
            free = f"{name}_"
            while free in taken:
                free += "_"
            taken.add(free)
        out[name] = free
    return out


class Fresh:
    """Names for temporaries: t0, t1, ... that nothing else has."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._count = 0

    def __call__(self) -> str:
        while True:
            name = f"t{self._count}"
            self._count += 1
            if name not in self._taken:
                self._taken.add(name)
                return name
