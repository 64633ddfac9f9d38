"""What the names of a script mean: bindings at this point, memory of scalars, objects from outside."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NoReturn

import numpy as np

from akg.base.dtype import BUFFER_DTYPES, DType, bool_, dtype_of, float64, index, int64
from akg.base.errors import AkgError, suggest
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var
from akg.ir.script.scope import Array, Binding, Facts, Gone, Loop, Names, Symbol
from akg.ir.script.source import Source
from akg.ir.script.values import Value, literal

MISSING = object()


class NameLowering:
    """Resolves names. `env` says what they stand for at this point of the source."""

    def __init__(
        self, name: str, source: Source, captured: Mapping[str, Any], local_names: set[str], facts: Facts
    ) -> None:
        self.name, self.source, self.captured, self.local_names, self.facts = name, source, captured, local_names, facts
        self.env: dict[str, Binding] = {}
        self.names = Names()
        self.scalars: dict[str, Buffer] = {}
        self.arguments: set[str] = set()
        self.iterators: list[Var] = []  # of the enclosing loops
        self.recurring: list[set[str]] = []  # per enclosing loop, the names that its body assigns

    # --- Local names ---

    def gone(self, node: ast.Name, gone: Gone) -> Value:
        if isinstance(gone.was, Loop):
            self.source.fail(
                node, "AKG-E227", f"loop variable {node.id!r} is used after its loop",
                "after the loop it has a value only if the loop ran at least once",
                "write the value in terms of the loop's bounds",
            )  # fmt: skip
        if isinstance(gone.was, Array):
            self.source.fail(
                node, "AKG-E235", f"array {node.id!r} is used outside the block that creates it",
                "it exists only if that block ran", "create the array before the loop or branch",
            )  # fmt: skip
        self.facts.put_in_memory(node.id)  # it may have one of several values: the next pass stores it
        self.facts.widen(node.id, gone.was.value)
        return gone.was.value

    def scalar(self, node: ast.Name) -> Value:
        assigned = node.id in self.scalars or any(node.id in names for names in self.recurring)
        fact = self.facts.of(node.id)
        if not assigned:
            self.source.fail(
                node, "AKG-E232", f"{node.id!r} is read before it is assigned",
                "no statement before this one gives it a value", f"start with {node.id} = 0.0",
            )  # fmt: skip
        self.facts.put_in_memory(node.id)
        if fact.type is None:  # assigned later in a loop: the type comes with the next pass
            self.facts.changed, self.facts.awaited = True, node
            return literal(0)
        return Value(Load(self.scalar_buffer(node.id), ()), fact.type.is_weak)

    def scalar_buffer(self, name: str) -> Buffer:
        """The memory of a local scalar, in the type known so far."""
        known = self.facts.of(name).type
        dtype = int64 if known is None or known.dtype is index else known.dtype
        buffer = self.scalars.get(name)
        if buffer is None:
            buffer = self.scalars[name] = Buffer(self.names.fresh(name), (), dtype)
        buffer.dtype = dtype
        return buffer

    def array_of(self, node: ast.expr) -> Array | None:
        """The array that a name stands for here, or None."""
        binding = self.env.get(node.id) if isinstance(node, ast.Name) else None
        if isinstance(binding, Gone) and isinstance(binding.was, Array) and isinstance(node, ast.Name):
            self.gone(node, binding)
        return binding if isinstance(binding, Array) else None

    def shape_of(self, node: ast.expr) -> tuple[Expr, ...] | None:
        """The shape if `node` is ``A.shape``, else None."""
        if isinstance(node, ast.Attribute) and node.attr == "shape":
            array = self.array_of(node.value)
            return None if array is None else array.buffer.shape
        return None

    # --- Names from outside the function ---

    def object_of(self, node: ast.expr) -> Any:
        """The Python object that a name or a dotted name of a module stands for, or `MISSING`."""
        if isinstance(node, ast.Name) and node.id not in self.local_names and node.id not in self.env:
            return self.captured.get(node.id, getattr(builtins, node.id, MISSING))
        if isinstance(node, ast.Attribute):
            owner = self.object_of(node.value)
            if isinstance(owner, ModuleType):
                return getattr(owner, node.attr, MISSING)
        return MISSING

    def unknown_name(self, node: ast.Name) -> NoReturn:
        sizes = [s.value.expr for s in self.env.values() if isinstance(s, Symbol)]
        for name, binding in self.env.items():
            shape = binding.buffer.shape if isinstance(binding, Array) else ()
            for k, size in enumerate(shape):
                if str(getattr(size, "name", "")) == node.id and size not in sizes:
                    self.source.fail(
                        node, "AKG-E224", f"unknown name {node.id!r}",
                        "a name in an annotation's shape is not a Python variable",
                        f"write {node.id} = {name}.shape[{k}] first",
                    )  # fmt: skip
        known = {*self.env, *self.local_names, *[k for k, v in self.captured.items() if isinstance(v, (int, float))]}
        self.source.fail(
            node, "AKG-E224", f"unknown name {node.id!r}",
            "it is not an argument, a local name or a global", suggest(node.id, known),
        )  # fmt: skip

    def captured_value(self, node: ast.expr, found: Any) -> Value:
        if type(found) in (bool, int, float):
            return literal(found)
        if isinstance(found, np.generic):
            return Value(Const(found.item(), dtype_of(found.dtype)))
        self.source.fail(
            node, "AKG-E224", f"{ast.unparse(node)!r} is a {type(found).__name__} from outside the script",
            "a script takes only numbers from outside", "pass it as an argument",
        )  # fmt: skip

    def dtype(self, node: ast.expr) -> DType:
        """A dtype as it is written: ``np.float32``, ``"float32"``, ``float``, ``akg.float32``, ``A.dtype``."""
        if isinstance(node, ast.Attribute) and node.attr == "dtype":
            array = self.array_of(node.value)
            if array is not None:
                return array.buffer.dtype
        found = node.value if isinstance(node, ast.Constant) else self.object_of(node)
        plain: dict[Any, DType] = {float: float64, int: int64, bool: bool_}
        if isinstance(found, (str, DType, type, np.dtype)):
            if isinstance(found, type) and found in plain:
                return plain[found]
            try:
                return dtype_of(found)
            except AkgError as error:
                error.span = self.source.span(node)
                raise
        self.source.fail(
            node, "AKG-E101", f"unknown dtype `{ast.unparse(node)}`",
            f"akg computes on {', '.join(d.name for d in BUFFER_DTYPES)}", "write a dtype such as np.float32",
        )  # fmt: skip
