"""`Custom` operators: loop nests in Python text, read as syntax and never executed.

    def add_one(a):
        b = output_tensor(a.shape, a.dtype)
        for i in range(a.shape[0]):
            b[i] = a[i] + float32(1)
        return b

The text is parsed, checked against what such a source may say, rewritten into the terms of `@akg.script`, and lowered
to loop IR with the shapes and types that the document declares.
"""

from __future__ import annotations

import ast
import math
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

import ml_dtypes
import numpy as np

from akg.base.dtype import dtype_of
from akg.base.errors import AkgError
from akg.frontends.composite.document import Operation, TensorDesc
from akg.frontends.composite.translate import Translation, rule
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Load, Var
from akg.ir.graph import Value
from akg.ir.rewrite import replace_buffer
from akg.ir.script.arrays import zeros
from akg.ir.script.function import lower_tree
from akg.ir.script.source import Source
from akg.ir.script.types import TensorType
from akg.ir.stmt import For, Kernel, Param, Stmt, Store, block

SOURCE_LIMIT = 1 << 16  # characters
LARGEST_NUMBER = 1 << 63
LARGEST_POWER = 64
_LOOPS = frozenset({"range", "parallel", "serial", "vectorize", "unroll", "reduce", "block_realize"})
_ARRAYS = frozenset({"output_tensor", "allocate"})
_FUNCTIONS: dict[str, Any] = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p, "sqrt": np.sqrt, "tanh": np.tanh, "sinh": np.sinh, "cosh": np.cosh, "sin": np.sin,
    "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "erf": math.erf, "abs": abs, "floor": np.floor,
    "ceil": np.ceil, "round": np.rint, "trunc": np.trunc, "power": np.power, "pow": np.power, "isnan": np.isnan,
    "isinf": np.isinf, "isfinite": np.isfinite, "min": min, "max": max, "maximum": np.maximum,
    "minimum": np.minimum, "select": np.where, "sign": np.sign, "reciprocal": np.reciprocal, "float16": np.float16,
    "float32": np.float32, "float64": np.float64, "int8": np.int8, "int16": np.int16, "int32": np.int32,
    "int64": np.int64, "uint8": np.uint8, "uint16": np.uint16, "uint32": np.uint32, "uint64": np.uint64,
    "bool": np.bool_,
}  # fmt: skip
_DERIVED = {"rsqrt": "reciprocal(sqrt(x))", "sigmoid": "reciprocal(1.0 + exp(-x))"}
_LIMITS = frozenset({"min_value", "max_value"})
_CALLS = frozenset({*_FUNCTIONS, *_DERIVED, *_LIMITS, *_LOOPS, *_ARRAYS, "grid", "len"})
_NAMES: dict[str, Any] = {**_FUNCTIONS, "range": range, "zeros": zeros, "len": len}
_ALLOWED = (
    ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.AugAssign, ast.For, ast.If, ast.Pass, ast.Expr,
    ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Attribute,
    ast.Subscript, ast.Tuple, ast.List, ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


@rule("Custom")
def _custom(t: Translation, op: Operation) -> list[Value]:
    kind = op.get("func_type", "hybrid")
    if kind != "hybrid":
        raise AkgError(
            "AKG-E714", f"{op.origin} has func_type {kind!r}", because="its source would have to be executed",
            hint="write it as a hybrid function, which is read as syntax",
        )  # fmt: skip
    args = [t.tensor(op, k) for k in range(len(op.inputs))]
    text = op.require("func_source_str")
    if not isinstance(text, str):
        raise op.wrong("func_source_str", "it is a text")
    kernel, changed = hybrid_kernel(text, str(op.get("func_name", "")), op)
    outputs = t.b.program(kernel, args, op="Custom", names=[d.name for d in op.outputs], origin=op.origin)
    results = outputs[: len(op.outputs)]
    for position, value in zip(changed, outputs[len(op.outputs) :], strict=True):
        t.assign(op, position, value)
    return list(results)


def hybrid_kernel(text: str, name: str, op: Operation) -> tuple[Kernel, list[int]]:
    """The loop IR of a hybrid function, and which inputs it writes: they come as results after its own.

    Raises:
        AkgError: AKG-E715 for a source that is none, or says what such a source may not say; AKG-E22x, AKG-E23x for
            loops that are no script's.
    """
    text = textwrap.dedent(text)
    source = Source(op.origin, 1, tuple(text.splitlines(keepends=True)))
    tree = _parsed(text, name, op)
    reader = _Reader(source, tree, op.inputs)
    tree = reader.rewritten()
    shapes = {
        a.arg: TensorType(tuple([Const(s) for s in d.declared]), dtype_of(d.dtype), "inout")
        for a, d in zip(tree.args.args, op.inputs, strict=True)
    }
    for a in tree.args.args:
        a.annotation = ast.copy_location(ast.Constant(None), a)
    kernel = lower_tree(tree, source, _NAMES, shapes)
    results = [p for p in kernel.params if p.role == "out"]
    if len(results) != len(op.outputs):
        raise _refused(op, f"it returns {len(results)} arrays", f"{len(op.outputs)} outputs are declared")
    return _with_copies(kernel)


def _parsed(text: str, name: str, op: Operation) -> ast.FunctionDef:
    if len(text) > SOURCE_LIMIT:
        raise _refused(op, f"it has {len(text)} characters", f"{SOURCE_LIMIT} is the limit")
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _refused(op, "it is not Python", str(error).partition("\n")[0]) from None
    functions = [s for s in body if isinstance(s, ast.FunctionDef) and (not name or s.name == name)]
    if len(functions) != 1 or len(body) != 1:
        what = f"the function {name!r}" if name else "one function"
        raise _refused(op, f"it is not {what} and nothing else", "a Custom operator is one def")
    return functions[0]


def _refused(op: Operation, what: str, because: str) -> AkgError:
    return AkgError(
        "AKG-E715", f"{op.origin}: its source is refused: {what}", because=because,
        hint="a hybrid function has loops over ranges, arithmetic on elements, output_tensor and allocate",
    )  # fmt: skip


class _Reader(ast.NodeTransformer):
    """Checks a function against what hybrid sources may say, and rewrites it into a script's terms."""

    def __init__(self, source: Source, tree: ast.FunctionDef, inputs: Sequence[TensorDesc]) -> None:
        self.source, self.tree = source, tree
        args = tree.args
        if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs or args.defaults:
            self.refuse(tree, "its arguments are not plain names")
        names = [a.arg for a in args.args]
        if len(names) != len(inputs):
            self.refuse(tree, f"it takes {len(names)} arguments, and {len(inputs)} inputs are declared")
        self.types = {n: d.dtype for n, d in zip(names, inputs, strict=True)}
        self.counter = 0

    def refuse(self, node: ast.AST, why: str) -> NoReturn:
        """Raise AKG-E715 at a node."""
        self.source.fail(
            node, "AKG-E715", f"Custom source: {why}", "the text is data, and only loops on arrays are read from it",
            "a hybrid function has loops over ranges, arithmetic on elements, output_tensor and allocate",
        )  # fmt: skip

    def rewritten(self) -> ast.FunctionDef:
        """The function as a script."""
        self.tree.decorator_list = []
        self.tree.returns = None
        for arg in self.tree.args.args:
            arg.annotation = None
        for node in ast.walk(self.tree):
            self.check(node)
        try:
            result = self.visit(self.tree)
        except RecursionError:
            self.refuse(self.tree, "it is nested too deeply")
        return ast.fix_missing_locations(result)

    def check(self, node: ast.AST) -> None:
        """Refuse what is not in the language."""
        if not isinstance(node, _ALLOWED) or (isinstance(node, ast.FunctionDef) and node is not self.tree):
            self.refuse(node, f"{type(node).__name__} is not part of it")
        if isinstance(node, ast.Attribute) and node.attr not in ("shape", "dtype"):
            self.refuse(node, f"attribute {node.attr!r} is not part of it")
        if isinstance(node, (ast.Name, ast.arg)) and str(getattr(node, "id", getattr(node, "arg", ""))).startswith("_"):
            self.refuse(node, "names do not begin with an underscore")
        if isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Name) or node.func.id not in _CALLS or node.keywords:
                self.refuse(node, f"`{ast.unparse(node.func)[:40]}` is no function of it, or has keywords")
        if isinstance(node, ast.Constant):
            self.check_constant(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Pow, ast.LShift)):
            small = isinstance(node.right, ast.Constant) and isinstance(node.right.value, (int, float))
            if isinstance(node.left, ast.Constant) and not (small and abs(node.right.value) <= LARGEST_POWER):  # type: ignore[attr-defined, arg-type]  # pyright: ignore
                self.refuse(node, "a power of constants beyond the range of numbers")

    def check_constant(self, node: ast.Constant) -> None:
        """Numbers and texts, of a reasonable size."""
        value = node.value
        if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
            self.refuse(node, "a number beyond 64 bits")
        if not isinstance(value, (int, float, str)):
            self.refuse(node, f"a constant of type {type(value).__name__}")

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """Texts on their own are comments."""
        if not isinstance(node.value, ast.Constant):
            self.refuse(node, "an expression that does nothing")
        return ast.copy_location(ast.Pass(), node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """The dtype of an argument is its name."""
        if node.attr == "dtype":
            if not isinstance(node.value, ast.Name) or node.value.id not in self.types:
                self.refuse(node, f"`{ast.unparse(node)[:40]}` is no type of an argument")
            return ast.copy_location(ast.Constant(self.types[node.value.id]), node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Arrays are zeros; loops of all kinds are ranges; some functions are made of others."""
        self.generic_visit(node)
        assert isinstance(node.func, ast.Name)
        if node.func.id in _LIMITS:
            return ast.copy_location(ast.Constant(self.limit(node, node.func.id == "max_value")), node)
        if node.func.id in _DERIVED:
            if len(node.args) != 1:
                self.refuse(node, f"{node.func.id} takes one argument")
            return ast.copy_location(_with_argument(_DERIVED[node.func.id], node.args[0]), node)
        if node.func.id in _ARRAYS:
            node.func.id, node.args = "zeros", node.args[:2]
        elif node.func.id in _LOOPS:
            node.func.id = "range"
        return node

    def limit(self, node: ast.Call, is_greatest: bool) -> float:
        """The least or the greatest finite number of the type that a call names."""
        given = node.args[0] if len(node.args) == 1 else None
        if not isinstance(given, ast.Constant) or not isinstance(given.value, str):
            self.refuse(node, "min_value and max_value take a type")
        kind = dtype_of(given.value)
        bounds: Any = ml_dtypes.finfo(kind.numpy) if kind.is_float else np.iinfo(kind.numpy)
        return (float if kind.is_float else int)(bounds.max if is_greatest else bounds.min)

    def visit_For(self, node: ast.For) -> ast.AST:
        """``for i, j in grid(shape)`` is two loops."""
        if node.orelse:
            self.refuse(node, "a loop with an else")
        call = node.iter
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "grid"):
            self.generic_visit(node)
            return node
        targets = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
        given = call.args[0] if len(call.args) == 1 else None
        if isinstance(given, (ast.Tuple, ast.List)):
            sizes: list[ast.expr] = list(given.elts)
        elif isinstance(given, ast.Name) or (isinstance(given, ast.Attribute) and given.attr == "shape"):
            sizes = [ast.Subscript(given, ast.Constant(d), ast.Load()) for d in range(len(targets))]
        else:
            self.refuse(call, "grid takes a shape")
        if len(sizes) != len(targets):
            self.refuse(node, f"grid gives {len(sizes)} indices for {len(targets)} names")
        body: list[ast.stmt] = node.body
        for target, size in reversed(list(zip(targets, sizes, strict=True))):
            loop = ast.Call(ast.Name("range", ast.Load()), [size], [])
            inner = ast.copy_location(ast.For(target, loop, body, []), node)
            wrapped: list[ast.stmt] = [ast.fix_missing_locations(inner)]
            body = wrapped
        return self.visit(body[0])


def _with_argument(text: str, argument: ast.expr) -> ast.expr:
    """An expression in `x` with an argument in the place of `x`."""
    found = ast.parse(text, mode="eval").body
    for call in ast.walk(found):
        for field, child in ast.iter_fields(call):
            if isinstance(child, ast.Name) and child.id == "x":
                setattr(call, field, argument)
            elif isinstance(child, list):
                setattr(call, field, [argument if isinstance(c, ast.Name) and c.id == "x" else c for c in child])
    return found


def _with_copies(kernel: Kernel) -> tuple[Kernel, list[int]]:
    """The kernel with arguments that it writes as results that begin as copies of them; which ones these are."""
    given = [p for p in kernel.params if p.role in ("in", "inout")]
    changed = [k for k, p in enumerate(given) if p.role == "inout"]
    copies: list[Stmt] = []
    body, params = kernel.body, list[Param]()
    own, more = list[Param](), list[Param]()
    for p in kernel.params:
        if p.role != "inout" or not isinstance(p.value, Buffer):
            (own if p.role == "out" else params).append(p)
            continue
        old = p.value
        new = Buffer(f"{old.name}_new", old.shape, old.dtype)
        body = replace_buffer(body, old, lambda at, new=new: (new, at))
        copies.append(_copy(old, new))
        params.append(replace(p, role="in"))
        more.append(Param(new, "out"))
    return replace(kernel, params=(*params, *own, *more), body=block(*copies, body)), changed


def _copy(old: Buffer, new: Buffer) -> Stmt:
    at = [Var(f"{new.name}_{d}") for d in range(len(old.shape))]
    stmt: Stmt = Store(new, tuple(at), Load(old, tuple(at)), f"{new.name}_copy")
    for v, size in reversed(list(zip(at, old.shape, strict=True))):
        stmt = For(v, Const(0), size, stmt)
    return stmt


