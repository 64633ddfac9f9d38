"""Tables that the printer and the parser share."""

from __future__ import annotations

import re

from akg.base.dtype import BUFFER_DTYPES, DType, float32

# operator -> (spelling, precedence); larger binds tighter, all are left-associative except comparisons
INFIX: dict[str, tuple[str, int]] = {
    "eq": ("==", 1), "ne": ("!=", 1), "lt": ("<", 1), "le": ("<=", 1), "gt": (">", 1), "ge": (">=", 1),
    "or": ("|", 2), "xor": ("^", 3), "and": ("&", 4), "shl": ("<<", 5), "shr": (">>", 5),
    "add": ("+", 6), "sub": ("-", 6), "mul": ("*", 7), "div": ("/", 7), "floordiv": ("//", 7), "mod": ("%", 7),
}  # fmt: skip
OF_SPELLING: dict[str, tuple[str, int]] = {spelling: (op, prec) for op, (spelling, prec) in INFIX.items()}
COMPARISON, PREFIX, ATOM = 1, 8, 9  # precedences
PREFIX_OPS: dict[str, str] = {"neg": "-", "not": "~"}

LITERAL_SUFFIX: dict[DType, str] = {
    d: ("bf16" if d.name == "bfloat16" else f"{d.name[0]}{d.bits}") for d in BUFFER_DTYPES if d.kind != "bool"
}  # fmt: skip
OF_SUFFIX: dict[str, DType] = {suffix: d for d, suffix in LITERAL_SUFFIX.items()}

KINDS = ("serial", "parallel", "vector", "unroll", "block", "thread")
STATEMENT_WORDS = frozenset({*KINDS, "for", "if", "else", "alloc", "barrier", "prefetch", "pass", "kernel"})
LITERAL_WORDS = frozenset(
    {"True", "False", *(f"{w}_{s}" for d, s in LITERAL_SUFFIX.items() if d.is_float for w in ("inf", "nan"))}
)
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z_0-9$]*\Z")  # axes of definitions are called i$3
assert LITERAL_SUFFIX[float32] == "f32"
