"""The text of loop IR: a printer and a parser that round-trip exactly.

    kernel   := "kernel" name "(" [param ("," param)*] ")" suite
    param    := name ":" ["free" | "fixed"] role dtype "[" [expr ("," expr)*] "]" [scope]     role: in | out | inout
              | name ":" "size" [dtype] | name ":" "scalar" dtype
    suite    := ":" NEWLINE INDENT stmt+ DEDENT                            one statement, or several as a Block
    stmt     := (temp NEWLINE)* plain
    temp     := "$" number "=" expr                                        names a node of the statement that follows
    plain    := [kind] "for" name [":" dtype] "in" "[" expr "," expr ")" ["step" int] suite
              | "if" expr suite ["else" suite]
              | name ["(" reduction ")"] ":" name "[" exprs "]" "=" expr   a store: the first name is the statement's
              | "alloc" name ":" dtype "[" exprs "]" scope suite           a temporary of the suite
              | "alloc" name ":" dtype "[" exprs "]" scope NEWLINE stmt+   ... of the rest of the suite it stands in
              | "prefetch" ("l1" | "l2") ["write"] name "[" exprs "]"
              | "barrier" name | "pass" | "block" suite                    "pass": an empty block
    expr     := operators of Python with Python's precedence, where a comparison's operands are no comparisons
    atom     := literal | name | name "[" exprs "]" | "$" number | "(" expr ")"
              | fn "(" exprs ")" | fn "." dtype "(" exprs ")"              the latter where `fn` does not imply the type
    fn       := "min" | "max" | "abs" | "select" | a dtype (a cast) | a function of `akg.ir.functions.CALLS`
    literal  := 3 (index) | 3i32 | 3u8 | 0.5f32 | 0.5f64 | 0.5f16 | 0.5bf16 | inf_f32 | nan_f32 | True | False
    name     := identifier | JSON string (for a name that is no identifier, or a keyword where one could stand)

``&  |  ^  ~`` are the bitwise operations, logical on bool. ``-3`` is a literal, ``-(3)`` a negation. Temporaries
are notation, not evaluation: they keep the text of an expression that shares large parts linear in its nodes.
Spans are not printed. ``reduce.sum(...)``, which only definitions contain, prints but does not parse.
"""

from __future__ import annotations

from akg.ir import expr as _expr
from akg.ir.text.parser import parse_kernel
from akg.ir.text.printer import to_text

_expr._printer[0] = to_text  # nodes of floor-mate modules print through this one

__all__ = ["parse_kernel", "to_text"]
