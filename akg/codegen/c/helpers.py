"""C helper functions that printed kernels call, emitted on demand.

A helper is found by name, ``akg_<function>_<type suffix>``. `helper_text` gives its definition and the helpers that
it needs in turn. All of them are ``static inline`` and portable C99.
"""

from __future__ import annotations

import re

from akg.base.errors import InternalError

_CALLEE = re.compile(r"akg_\w+(?=\()")

# suffix -> C type, and for signed integers the unsigned type that wraps
TYPES: dict[str, str] = {
    "f64": "double", "f32": "float", "i64": "int64_t", "i32": "int32_t", "i16": "int16_t", "i8": "int8_t",
    "u64": "uint64_t", "u32": "uint32_t", "u16": "uint16_t", "u8": "uint8_t",
}  # fmt: skip

_WRAPPING = {"add": "+", "sub": "-", "mul": "*"}

_TEMPLATES: dict[str, str] = {
    "shl": "T akg_shl_S(T a, T b) { return (T)((U)a << b); }",
    "abs": "T akg_abs_S(T a) { return a < 0 ? (T)(0 - (U)a) : a; }",
    "neg": "T akg_neg_S(T a) { return (T)(0 - (U)a); }",
    "floordiv": """T akg_floordiv_S(T a, T b) {
  if (b == (T)-1) return (T)(0 - (U)a);  /* the smallest value wraps */
  T q = (T)(a / b);
  return (T)(q - (q * b != a && (a < 0) != (b < 0)));
}""",
    "mod": """T akg_mod_S(T a, T b) {
  if (b == (T)-1) return 0;
  T r = (T)(a % b);
  return (T)(r != 0 && (r < 0) != (b < 0) ? r + b : r);
}""",
}
_INT_EXTREMES = {
    "min": "T akg_min_S(T a, T b) { return b < a ? b : a; }",
    "max": "T akg_max_S(T a, T b) { return b > a ? b : a; }",
}
_FLOAT_TEMPLATES: dict[str, str] = {
    "min": "T akg_min_S(T a, T b) { return b < a || isnan(b) ? b : a; }  /* NaN if either is */",
    "max": "T akg_max_S(T a, T b) { return b > a || isnan(b) ? b : a; }  /* NaN if either is */",
    "mod": """T akg_mod_S(T a, T b) {  /* the sign of the divisor */
  T r = fmodF(a, b);
  if (r == 0) return copysignF(r, b);
  return (r < 0) != (b < 0) ? r + b : r;
}""",
    "floordiv": """T akg_floordiv_S(T a, T b) {
  if (b == 0) return a / b;
  T r = fmodF(a, b), q = (a - r) / b;
  if (r != 0 && (r < 0) != (b < 0)) q -= 1;
  T w = floorF(q);  /* halves go down */
  if (q - w > (T)0.5) w += 1;
  return w == 0 ? copysignF(w, a / b) : w;
}""",
    "sigmoid": """T akg_sigmoid_S(T x) {
  T e = expF(-fabsF(x));  /* never overflows */
  return (x < 0 ? e : 1) / (1 + e);
}""",
    "ldexp": """T akg_ldexp_S(T x, T n) {
  if (isnan(n)) return n;
  if (isinf(n)) return n > 0 ? (isnan(x) ? n : x * n) : (isnan(x) ? 0 : x * 0);  /* overrides NaN */
  return ldexpF(x, (int)fmaxF(fminF(floorF(n), 5000), -5000));
}""",
    "rsqrt": "T akg_rsqrt_S(T x) { return 1 / sqrtF(x); }",
}

_SPECIAL: dict[str, str] = {
    "akg_f32_of_bf16": """float akg_f32_of_bf16(uint16_t h) {
  uint32_t bits = (uint32_t)h << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}""",
    "akg_bf16_of_f32": """uint16_t akg_bf16_of_f32(float x) {  /* to nearest, ties to even */
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if (isnan(x)) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}""",
    "akg_f32_of_f16": """float akg_f32_of_f16(uint16_t h) {
  uint32_t exponent = h >> 10 & 0x1F, mantissa = h & 0x3FF, bits;
  float x;
  if (exponent == 0) {
    x = ldexpf((float)mantissa, -24);
    return h & 0x8000 ? -x : x;
  }
  bits = (uint32_t)(h & 0x8000) << 16 | (exponent == 31 ? 255 : exponent + 112) << 23 | mantissa << 13;
  memcpy(&x, &bits, sizeof x);
  return x;
}""",
    "akg_f16_of_f32": """uint16_t akg_f16_of_f32(float x) {  /* to nearest, ties to even */
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  bits &= 0x7FFFFFFF;
  if (bits > 0x7F800000) return (uint16_t)(sign | 0x7E00);
  if (bits >= 0x477FF000) return (uint16_t)(sign | 0x7C00);
  if (bits < 0x38800000) return (uint16_t)(sign | (uint16_t)lrintf(ldexpf(fabsf(x), 24)));
  return (uint16_t)(sign | (bits - 0x38000000 + 0xFFF + (bits >> 13 & 1)) >> 13);
}""",
    "akg_inside": """int akg_inside(int64_t i, int64_t n, int32_t code, int32_t *status) {
  if (i >= 0 && i < n) return 1;
#pragma omp atomic write
  *status = code;
  return 0;
}""",
    "akg_round_f16": "float akg_round_f16(float x) { return akg_f32_of_f16(akg_f16_of_f32(x)); }",
    "akg_round_bf16": "float akg_round_bf16(float x) { return akg_f32_of_bf16(akg_bf16_of_f32(x)); }",
}


def helper_text(name: str) -> str:
    """The definition of a helper, without the helpers that it calls."""
    if name in _SPECIAL:
        return "static inline " + _SPECIAL[name]
    _, function, *suffixes = name.split("_")
    if function == "bits" and len(suffixes) == 2:
        to, of = (TYPES[s] for s in suffixes)
        return f"""static inline {to} {name}({of} x) {{
  {to} bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}}"""
    (suffix,) = suffixes
    kind = TYPES[suffix]
    if suffix[0] == "f":
        text = _FLOAT_TEMPLATES[function]
    elif function in _WRAPPING:
        text = f"T akg_{function}_S(T a, T b) {{ return (T)((U)a {_WRAPPING[function]} (U)b); }}"
    else:
        text = _INT_EXTREMES.get(function) or _TEMPLATES.get(function) or ""
    if not text:
        raise InternalError(f"no C helper {name}")
    return "static inline " + _instantiate(text, kind, suffix)


def _instantiate(text: str, kind: str, suffix: str) -> str:
    # arithmetic of the narrow types happens in int, which multiplies 16 bits by 16 without overflow if unsigned
    unsigned = "uint64_t" if suffix == "i64" else "uint32_t"
    words = {"T": kind, "U": unsigned}
    tail = "f" if suffix == "f32" else ""

    def replace(match: re.Match[str]) -> str:
        word = match[0]
        if word in words:
            return words[word]
        if word.endswith("_S"):
            return word[:-1] + suffix
        return word[:-1] + tail if word.endswith("F") and word[:-1].islower() else word

    return re.sub(r"\w+", replace, text)


def with_dependences(names: set[str]) -> list[str]:
    """`names` and every helper that they call, callees first."""
    done: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        for other in _CALLEE.findall(helper_text(name)):
            if other != name:
                visit(other)
        done.append(name)

    for name in sorted(names):
        visit(name)
    return done
