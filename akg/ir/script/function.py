"""A whole script: signature, passes to a fixed point, parameters and temporaries of the kernel."""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import FunctionType
from typing import Any

from akg.base.dtype import index
from akg.base.errors import AkgError, InternalError
from akg.ir.buffer import Buffer
from akg.ir.expr import Var
from akg.ir.rewrite import buffers_written, map_children, variables_of
from akg.ir.script.names import MISSING
from akg.ir.script.placement import initialise, place
from akg.ir.script.scope import Array, Facts, Gone, Symbol, assigned_names, count_names
from akg.ir.script.source import Source
from akg.ir.script.statements import StatementLowering
from akg.ir.script.types import PLAIN, In, Out, Scalar, ScalarType, Tensor, TensorType
from akg.ir.script.values import Value
from akg.ir.stmt import Alloc, Kernel, Param, Stmt, sub_statements

_ANNOTATION_HINT = 'annotate it, as in A: akg.Tensor["n", "m", "float32"], alpha: akg.Scalar["float32"] or n: akg.Size'


def lower_function(function: Callable[..., Any], source: Source) -> Kernel:
    """The loop IR of a script.

    Raises:
        AkgError: AKG-E22x and AKG-E23x for what a script cannot say, at its place in the source.
    """
    return lower_tree(source.parse(), source, captured_names(function), getattr(function, "__annotations__", {}))


def lower_tree(
    tree: ast.FunctionDef, source: Source, names: Mapping[str, Any], annotations: Mapping[str, Any]
) -> Kernel:
    """The loop IR of a script given as a syntax tree.

    Args:
        tree: the function.
        source: where it stands, for errors.
        names: what its free names stand for.
        annotations: by argument, what `akg.Tensor[...]` and its relatives give.

    Raises:
        AkgError: AKG-E22x and AKG-E23x for what a script cannot say, at its place in the source.
    """
    facts, mistake = Facts(), None
    for _ in range(8 * len(assigned_names(tree.body)) + 8):
        facts.changed = False
        lowering = _FunctionLowering(source, tree, facts, names, annotations)
        try:
            kernel = lowering.kernel(tree)
        except AkgError as error:
            if facts.changed:  # an assumption was wrong: what followed from it does not count
                mistake = error
                continue
            raise
        if not facts.changed:
            return kernel
        mistake = None
    if mistake is not None:  # a name that is used for what it cannot be stays without a type
        raise mistake
    if facts.awaited is not None:
        source.fail(
            facts.awaited, "AKG-E232", f"{facts.awaited.id!r} is read before it is assigned",
            "a loop gives it values later, and none after it", f"start with {facts.awaited.id} = 0.0",
        )  # fmt: skip
    raise InternalError(f"the types of the local names of {tree.name} do not settle")


def captured_names(function: Callable[..., Any]) -> Mapping[str, Any]:
    """What the free names of `function` stand for: its closure, then its module."""
    if not isinstance(function, FunctionType):
        return {}
    closure: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            closure[name] = cell.cell_contents
        except ValueError:  # not bound yet
            continue
    return ChainMap(closure, function.__globals__)


class _FunctionLowering(StatementLowering):
    """One pass over a script."""

    def __init__(
        self, source: Source, tree: ast.FunctionDef, facts: Facts, names: Mapping[str, Any],
        annotations: Mapping[str, Any],
    ) -> None:  # fmt: skip
        super().__init__(tree.name, source, names, assigned_names(tree.body), facts)
        self.annotations = annotations
        self.total_names = count_names(tree.body)
        self.sizes: dict[Var, None] = {}

    def kernel(self, tree: ast.FunctionDef) -> Kernel:
        """The kernel of the function."""
        name = self.names.fresh(tree.name)
        given, outputs = self._signature(tree)
        body = list(tree.body)
        result = body.pop() if isinstance(body[-1], ast.Return) else None
        root = self.sequence(body)
        returned = self._results(result) if isinstance(result, ast.Return) else []
        root = _without_allocs(root, returned)
        for buffer in self.scalars.values():
            root = initialise(root, buffer) if buffer in returned else place(root, buffer)
        written = buffers_written(root)
        given = [replace(p, role="in") if p.role == "inout" and p.value not in written else p for p in given]
        outputs.extend(Param(buffer, "out") for buffer in returned)
        passed = {p.value for p in given}
        sizes = [Param(v, "size") for v in self.sizes if v not in passed]
        return Kernel(name, (*given, *outputs, *sizes), root)

    # --- Arguments ---

    def _signature(self, tree: ast.FunctionDef) -> tuple[list[Param], list[Param]]:
        self._check_signature(tree.args)
        types = {a.arg: self._annotation(a) for a in tree.args.args}
        self.arguments = set(types)
        given: list[Param] = []
        outputs: list[Param] = []
        renamed = self._argument_names(types)
        for name, kind in types.items():
            if isinstance(kind, ScalarType):
                var = Var(renamed[name], kind.dtype)
                self.env[name] = Symbol(Value(var, kind.is_weak))
                given.append(Param(var, "scalar"))
                continue
            buffer = Buffer(renamed[name], kind.shape, kind.dtype)
            self.env[name] = Array(buffer, kind.access)
            for size in kind.shape:
                self.sizes.update(dict.fromkeys(variables_of(size)))
            if kind.access == "out":
                outputs.append(Param(buffer, "out"))
            else:
                given.append(Param(buffer, kind.access))
        return given, outputs

    def _argument_names(self, types: dict[str, TensorType | ScalarType]) -> dict[str, str]:
        """Identifiers for the arguments; the sizes in shapes keep their own names."""
        sizes = {v.name for t in types.values() if isinstance(t, TensorType) for s in t.shape for v in variables_of(s)}
        explicit = {n for n, t in types.items() if isinstance(t, ScalarType) and t.dtype is index}
        for name in sizes - explicit:
            self.names.fresh(name)
        return {name: name if name in sizes & explicit else self.names.fresh(name) for name in types}

    def _check_signature(self, args: ast.arguments) -> None:
        for star in (args.vararg, args.kwarg):
            if star is not None:
                self.source.fail(
                    star, "AKG-E222", f"{star.arg!r} takes any number of arguments",
                    "the arguments of a kernel are fixed", "name each argument",
                )  # fmt: skip
        for arg in (*args.posonlyargs, *args.kwonlyargs):
            self.source.fail(
                arg, "AKG-E222", f"argument {arg.arg!r} is positional-only or keyword-only",
                "a kernel takes its arguments by position or by name", "leave out `/` and `*`",
            )  # fmt: skip
        for default in args.defaults:
            self.source.fail(
                default, "AKG-E222", f"default value `{ast.unparse(default)}`",
                "a kernel is always given all its arguments", "leave the default out, and pass the value",
            )  # fmt: skip

    def _annotation(self, arg: ast.arg) -> TensorType | ScalarType:
        node = arg.annotation
        if node is None:
            self.source.fail(arg, "AKG-E222", f"argument {arg.arg!r} has no annotation",
                             "a kernel must know the shapes and types of its arguments", _ANNOTATION_HINT)  # fmt: skip
        found = self.annotations.get(arg.arg, MISSING)
        if isinstance(found, str) and found not in PLAIN:  # from __future__ import annotations
            found = self._resolve(ast.parse(found.strip(), mode="eval").body, node)
        if isinstance(found, (TensorType, ScalarType)):
            return found
        if found in (Tensor, In, Out, Scalar):
            self.source.fail(node, "AKG-E222", f"annotation `{ast.unparse(node)}` of {arg.arg!r} has no type",
                             "a kernel must know the shapes and types of its arguments", _ANNOTATION_HINT)  # fmt: skip
        plain = next((t for k, t in PLAIN.items() if k is found or (isinstance(found, str) and k == found)), None)
        if plain is not None:
            return plain
        self.source.fail(node, "AKG-E222", f"annotation `{ast.unparse(node)}` of {arg.arg!r} is not one of akg's",
                         "a kernel must know the shapes and types of its arguments", _ANNOTATION_HINT)  # fmt: skip

    def _resolve(self, node: ast.expr, place: ast.expr) -> Any:
        """The object that the text of an annotation stands for, without evaluating it."""
        if isinstance(node, ast.Subscript):
            face = self.object_of(node.value)
            items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if face in (Tensor, In, Out, Scalar):
                values = [i.value if isinstance(i, ast.Constant) else self.object_of(i) for i in items]
                try:
                    return face[values[0] if len(values) == 1 else tuple(values)]
                except AkgError as error:
                    error.span = self.source.span(place)
                    raise
        return self.object_of(node)

    # --- Results ---

    def _results(self, node: ast.Return) -> list[Buffer]:
        if node.value is None:
            return []
        items = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        found: list[Buffer] = []
        for item in items:
            buffer = self._result(item)
            if buffer in found:
                self.source.fail(item, "AKG-E233", f"`{ast.unparse(item)}` is returned twice",
                                 "each result is an array of its own", "return it once")  # fmt: skip
            found.append(buffer)
        return found

    def _result(self, item: ast.expr) -> Buffer:
        if not isinstance(item, ast.Name):
            self.source.fail(item, "AKG-E233", f"`{ast.unparse(item)}` cannot be returned",
                             "a script returns local arrays and local scalars by name",
                             "assign it to a name, and return that")  # fmt: skip
        binding = self.env.get(item.id)
        if isinstance(binding, Array) and (binding.access != "local" or binding.depth):
            self.source.fail(item, "AKG-E233", f"argument {item.id!r} is returned",
                             "it is the caller's array, updated in place", "leave it out of the return")  # fmt: skip
        if isinstance(binding, Array):
            return binding.buffer
        if isinstance(binding, Symbol) and item.id not in self.arguments:
            self.facts.put_in_memory(item.id)  # the next pass stores it
            self.facts.widen(item.id, binding.value)
            return self.scalar_buffer(item.id)
        self.value(item)
        buffer = self.scalars.get(item.id)
        if buffer is None:
            if isinstance(binding, Gone):
                return self.scalar_buffer(item.id)
            self.source.fail(item, "AKG-E233", f"argument {item.id!r} is returned",
                             "its value is the caller's already", "leave it out of the return")  # fmt: skip
        return buffer


def _without_allocs(root: Stmt, returned: list[Buffer]) -> Stmt:
    """`root` with the `Alloc` of each returned array taken off: it is an argument."""
    if not returned or not sub_statements(root):
        return root
    if isinstance(root, Alloc) and root.buffer in returned:
        return _without_allocs(root.body, returned)
    return map_children(root, lambda inner: _without_allocs(inner, returned))
