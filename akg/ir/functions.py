"""The functions that a `Call` may have: of floats, tests of floats, and what only later passes use."""

from __future__ import annotations

# Functions of float arguments with a float result of the same type ("fma" takes three).
FLOAT_CALLS = frozenset({
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "tanh", "sinh", "cosh", "sin", "cos",
    "tan", "asin", "acos", "atan", "atan2", "asinh", "acosh", "atanh", "erf", "sigmoid", "pow", "floor", "ceil",
    "round", "trunc", "fma", "copysign", "ldexp",
})  # fmt: skip
PREDICATE_CALLS = frozenset({"isnan", "isinf", "isfinite"})  # float -> bool
# What only later passes use: bits as another type of one width; a float taken apart as ``significand * 2**k`` with the
# significand in [3/4, 3/2), 1 for 0 and inf, NaN for negative numbers; ``floor(log2(|x|))`` as a float, -inf for 0;
# ``2**(k / 16)`` for k the last four bits of a float32; ``x - floor(x)``, 0 for infinities; ``a * b + c`` with the
# product rounded or not; ``exp`` of a rounded difference that is never positive; ``gated(a, x) = a * sigmoid(x)``; and
# ``rarely(a, c, b, x, y)``: b(x, y) where c holds, else a.
INTERNAL_CALLS = frozenset({
    "bitcast", "significand", "exponent", "sixteenth", "fraction", "muladd", "exp_below", "gated", "rarely",
})  # fmt: skip
CALLS = FLOAT_CALLS | PREDICATE_CALLS | INTERNAL_CALLS
CALL_ARITY: dict[str, int] = {
    "atan2": 2, "pow": 2, "copysign": 2, "ldexp": 2, "fma": 3, "muladd": 3, "gated": 2, "rarely": 5,
}  # fmt: skip
