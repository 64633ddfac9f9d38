"""What the names of a script stand for while it is being lowered, and what was learned about them.

A script is lowered in passes. `Facts` outlives a pass: a local name starts out *symbolic* (its value is
substituted where it is used) and turns into a scalar in memory when a pass finds that this does not do.
The type of a scalar only grows. When a pass learned nothing new, its result is the kernel.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from akg.base.dtype import DType
from akg.ir.buffer import Buffer
from akg.ir.expr import Const
from akg.ir.script.values import Value, common_type

# What C, or the C library, would not let a variable be called.
_RESERVED = frozenset({
    "auto", "bool", "break", "case", "char", "complex", "const", "continue", "default", "do", "double", "else", "enum",
    "extern", "float", "for", "goto", "if", "imaginary", "inline", "int", "long", "main", "register", "restrict",
    "return", "short", "signed", "sizeof", "static", "struct", "switch", "true", "false", "typedef", "union",
    "unsigned", "void", "volatile", "while", "exp", "log", "pow", "sin", "cos", "tan", "tanh", "sqrt", "fabs", "floor",
    "ceil", "erf", "fma", "index",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name whose value is substituted: sizes, scalar arguments, local names for index arithmetic."""

    value: Value


@dataclass(frozen=True, slots=True)
class Loop:
    """The variable of an enclosing loop."""

    value: Value


@dataclass(frozen=True, slots=True)
class Array:
    """An array: an argument or a local one; `depth` counts the loops and branches around its creation."""

    buffer: Buffer
    access: Literal["in", "out", "inout", "local"]
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Gone:
    """A name whose binding ended with its block."""

    was: Symbol | Loop | Array


Binding = Symbol | Loop | Array | Gone


@dataclass(slots=True)
class Fact:
    """What is known about one local name."""

    in_memory: bool = False
    type: Value | None = None  # any value of the type: Const(0, dtype), weak or not
    declared: DType | None = None


@dataclass(slots=True)
class Facts:
    """What is known about the local names.

    Attributes:
        names: by name.
        changed: whether this pass learned something.
        awaited: where a name is read whose type no pass has found yet.
    """

    names: dict[str, Fact] = field(default_factory=dict)
    changed: bool = False
    awaited: ast.Name | None = None

    def of(self, name: str) -> Fact:
        """The fact about `name`."""
        return self.names.setdefault(name, Fact())

    def put_in_memory(self, name: str) -> None:
        """Stop substituting `name`."""
        fact = self.of(name)
        self.changed |= not fact.in_memory
        fact.in_memory = True

    def widen(self, name: str, value: Value) -> None:
        """Let the type of `name` hold `value`."""
        fact = self.of(name)
        if fact.declared is not None:
            return
        old = fact.type
        if old is None:
            new = Value(Const(0, value.dtype), value.is_weak)
        else:
            new = Value(Const(0, common_type(old, value)), old.is_weak and value.is_weak)
        if old is None or old.dtype is not new.dtype or old.is_weak != new.is_weak:
            fact.type, self.changed = new, True

    def declare(self, name: str, dtype: DType) -> None:
        """Fix the type of `name`."""
        fact = self.of(name)
        self.changed |= fact.declared is not dtype
        fact.declared, fact.type = dtype, Value(Const(0, dtype))


class Names:
    """Hands out identifiers that are unique in a kernel and valid in C."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def fresh(self, wanted: str) -> str:
        """`wanted`, or the first of ``wanted_1, wanted_2, ...`` that is free."""
        base = "".join(c if c.isascii() else f"_{ord(c):x}" for c in wanted)
        if base in _RESERVED or keyword.iskeyword(base):
            base += "_"
        name, k = base, 0
        while name in self._taken:
            k += 1
            name = f"{base}_{k}"
        self._taken.add(name)
        return name


def assigned_names(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that are bound anywhere in `nodes`."""
    return {
        n.id for root in nodes for n in ast.walk(root) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def written_names(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that are bound, or that an element is stored to, anywhere in `nodes`."""
    found = assigned_names(nodes)
    for root in nodes:
        for node in ast.walk(root):
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                found |= used_names([node.value])
    return found


def used_names(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that occur anywhere in `nodes`."""
    return {n.id for root in nodes for n in ast.walk(root) if isinstance(n, ast.Name)}


def count_names(nodes: Iterable[ast.AST]) -> dict[str, int]:
    """How often each name occurs in `nodes`."""
    counts: dict[str, int] = {}
    for root in nodes:
        for node in ast.walk(root):
            if isinstance(node, ast.Name):
                counts[node.id] = counts.get(node.id, 0) + 1
    return counts
