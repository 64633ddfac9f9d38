"""Assignments of a script: elements, local scalars and arrays, and the names of index arithmetic."""

from __future__ import annotations

import ast
from typing import Any

from akg.base.errors import AkgError
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Load, Var, binary
from akg.ir.rewrite import loads_of
from akg.ir.script.arrays import Creation, array_creation
from akg.ir.script.expressions import ExpressionLowering
from akg.ir.script.scope import Array, Loop, Symbol
from akg.ir.script.values import Value, choose, convert, negate, reads_memory, weak
from akg.ir.simplify import simplify
from akg.ir.stmt import REDUCTIONS, Alloc, Block, For, Stmt, Store


class AssignmentLowering(ExpressionLowering):
    """Lowers assignments to stores and bindings."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.depth = 0  # loops and branches around this point
        self.predicate: Expr | None = None  # the data-dependent condition under which this point runs
        self.private: list[set[str]] = []  # per predicated branch: names whose old values nobody reads
        self.stored: list[set[str]] = []  # per predicated branch: names assigned in it so far
        self.count = 0  # stores so far
        self.total_names: dict[str, int] = {}

    def assign(self, node: ast.Assign) -> Stmt:
        """``A[i, j] = e``, ``s = e`` or ``n, m = A.shape``."""
        if len(node.targets) > 1:
            self.source.fail(
                node, "AKG-E221", "several targets in one assignment", "each statement stores one element",
                "write one assignment per target",
            )  # fmt: skip
        target = node.targets[0]
        if isinstance(target, (ast.Tuple, ast.List)):
            return self._unpack(node, target)
        if isinstance(target, ast.Name):
            return self._assign_name(node, target, node.value)
        if isinstance(target, ast.Subscript):
            buffer, indices = self._target(target)
            value = self.value(node.value)
            return self.store(node, buffer, indices, value, self._as_update(buffer, indices, value))
        self.source.fail(
            target, "AKG-E221", f"cannot assign to `{ast.unparse(target)}`",
            "a script assigns elements and local names", "assign to A[i, j] or to a name",
        )  # fmt: skip

    def annotated(self, node: ast.AnnAssign) -> Stmt:
        """``s: "float32" = e``."""
        if not isinstance(node.target, ast.Name) or node.value is None:
            self.source.fail(
                node, "AKG-E221", f"`{ast.unparse(node)}` cannot be compiled",
                "an annotation gives the type of a local scalar with its first value", 'write s: "float32" = 0',
            )  # fmt: skip
        self._check_rebinding(node.target)
        name = node.target.id
        if self.object_of(node.annotation) not in (float, int):  # these say no more than the value
            self.facts.put_in_memory(name)
            self.facts.declare(name, self.dtype(node.annotation))
        return self._assign_name(node, node.target, node.value)

    def augmented(self, node: ast.AugAssign) -> Stmt:
        """``A[i, j] += e`` or ``s += e``."""
        if isinstance(node.target, ast.Name):
            self._check_rebinding(node.target)
            read = ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target)
            value = ast.copy_location(ast.BinOp(read, node.op, node.value), node)
            return self._assign_name(node, node.target, value)
        if isinstance(node.target, ast.Subscript):
            buffer, indices = self._target(node.target)
            old, term = Value(Load(buffer, indices)), self.value(node.value)
            value = self.operate(node, node.op, old, term)
            return self.store(node, buffer, indices, value, self._as_update(buffer, indices, value))
        self.source.fail(node, "AKG-E221", f"cannot assign to `{ast.unparse(node.target)}`",
                         "a script assigns elements and local names", "assign to A[i, j] or to a name")  # fmt: skip

    def _unpack(self, node: ast.Assign, target: ast.Tuple | ast.List) -> Stmt:
        shape = self.shape_of(node.value)
        names = [t for t in target.elts if isinstance(t, ast.Name)]
        if shape is None or len(names) != len(target.elts):
            self.source.fail(
                node, "AKG-E221", f"`{ast.unparse(node)}` cannot be compiled", "only a shape is unpacked into names",
                "write one assignment per target",
            )  # fmt: skip
        if len(shape) != len(names):
            self.source.fail(
                node, "AKG-E229", f"{len(names)} names for {len(shape)} dimensions",
                f"`{ast.unparse(node.value)}` has {len(shape)} items", "give one name per dimension",
            )  # fmt: skip
        for name, size in zip(names, shape, strict=True):
            self._check_rebinding(name)
            if name.id != "_":
                self._bind(name, weak(size))
        return Block(())

    def _check_rebinding(self, target: ast.Name) -> None:
        binding = self.env.get(target.id)
        if isinstance(binding, Loop):
            self.source.fail(
                target, "AKG-E227", f"loop variable {target.id!r} is assigned",
                "a loop variable takes the values of its range", "use another name",
            )  # fmt: skip
        if isinstance(binding, Symbol) and target.id in self.arguments:
            self.source.fail(
                target, "AKG-E231", f"argument {target.id!r} is assigned", "scalar arguments are read-only",
                "copy it to a local name first",
            )  # fmt: skip
        if isinstance(binding, Array) and target.id in self.arguments:
            subscripts = ", ".join(["i", "j", "k", "l"][: len(binding.buffer.shape)]) or "()"
            self.source.fail(
                target, "AKG-E231", f"argument {target.id!r} is assigned as a whole",
                "the name would mean another array, and the caller's would stay as it is",
                f"store elements: {target.id}[{subscripts}] = ...",
            )  # fmt: skip

    def _assign_name(self, node: ast.stmt, target: ast.Name, source: ast.expr) -> Stmt:
        self._check_rebinding(target)
        alias = self.array_of(source)
        if alias is not None and alias.buffer.shape:
            self.env[target.id] = alias
            return Block(())
        creation = array_creation(self, source)
        if creation is not None:
            return self._create(node, target, creation)
        value = self.value(source)
        fact = self.facts.of(target.id)
        if not fact.in_memory and not reads_memory(value.expr):
            self._bind(target, value)
            return Block(())
        self.facts.put_in_memory(target.id)
        self.facts.widen(target.id, value)
        buffer = self.scalar_buffer(target.id)
        self.env.pop(target.id, None)
        update = self._as_update(buffer, (), value)
        return self.store(node, buffer, (), value, update, name=target.id)

    def _bind(self, target: ast.Name, value: Value) -> None:
        if self.facts.of(target.id).in_memory:
            self.source.fail(
                target, "AKG-E232", f"{target.id!r} is both a dimension and a number that changes",
                "it is assigned several times", "use two names",
            )  # fmt: skip
        self.env[target.id] = Symbol(Value(simplify(value.expr), value.is_weak))

    def _create(self, node: ast.stmt, target: ast.Name, creation: Creation) -> Stmt:
        if self.predicate is not None:
            self.source.fail(
                node, "AKG-E235", "a local array is created under a condition on data",
                "whether it exists would be known only at run time", "create it before the `if`",
            )  # fmt: skip
        buffer = Buffer(self.names.fresh(target.id), creation.shape, creation.dtype)
        self.env[target.id] = Array(buffer, "local", self.depth)
        elements = 1
        for size in buffer.const_shape or (1 << 20,):
            elements *= size
        if self.recurring and elements <= 1024:
            buffer.scope = "local"
        return Alloc(buffer, self._fill(node, buffer, creation))

    def _target(self, node: ast.Subscript) -> tuple[Buffer, tuple[Expr, ...]]:
        buffer, indices, array = self.element(node)
        if array.access == "in":
            self.source.fail(
                node, "AKG-E231", f"write to input {buffer.name!r}",
                "its annotation is akg.In[...], which is read-only",
                "annotate it as akg.Tensor[...] to update it in place",
            )  # fmt: skip
        return buffer, indices

    # --- Stores ---

    def store(
        self, node: ast.AST, buffer: Buffer, indices: tuple[Expr, ...], value: Value,
        update: tuple[Value, str] | None = None, *, name: str = "", predicated: bool = True,
    ) -> Store:  # fmt: skip
        """``buffer[indices] = value``, under the predicate of this point, as the next statement."""
        reduction: str | None = None
        if update is not None and update[0].dtype is buffer.dtype:
            value, reduction = update
        try:
            result = convert(value.expr, buffer.dtype)
        except AkgError as error:
            error.span = self.source.span(node)
            raise
        if self.predicate is not None and predicated:
            old = Const(0, buffer.dtype) if name in self.private[-1] else Load(buffer, indices)
            result = choose(self.predicate, Value(result), Value(old)).expr
            reduction = None
        for names in self.stored:
            names.add(name)
        self.count += 1
        return Store(buffer, indices, result, f"S{self.count - 1}", reduction, self.source.span(node))

    def _as_update(self, buffer: Buffer, indices: tuple[Expr, ...], value: Value) -> tuple[Value, str] | None:
        """`value` as an update of the element, with the element first, and the name of the reduction."""
        expr = value.expr
        if not isinstance(expr, Binary) or expr.dtype is not buffer.dtype:
            return None
        old = Load(buffer, indices)
        a, b = expr.a, expr.b
        if b is old and expr.op in ("add", "mul", "max", "min"):
            a, b = b, a
        if a is not old or any(load is old for load in loads_of(b)):
            return None
        if expr.op == "sub":
            return Value(binary("add", a, negate(Value(b)).expr)), "sum"
        tag = next((t for t, op in REDUCTIONS.items() if op == expr.op), None)
        return None if tag is None else (Value(binary(expr.op, a, b)), tag)

    def _fill(self, node: ast.stmt, buffer: Buffer, creation: Creation) -> Stmt:
        """The nest that sets the initial values of a local array."""
        if creation.element is None:
            return Block(())
        at = tuple([Var(self.names.fresh("d")) for _ in buffer.shape])
        result: Stmt = self.store(node, buffer, at, creation.element(at))
        for var, size in zip(reversed(at), reversed(buffer.shape), strict=True):
            result = For(var, Const(0), size, result, span=self.source.span(node))
        return result
