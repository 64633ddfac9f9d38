"""The rules that every kernel keeps between passes, and the check of them.

A broken rule is a fault of the pass that ran last, so `verify` raises `InternalError` naming it. The meaning of the
rules is in `akg.ir.stmt` and `akg.ir.expr`; each name here has a test that breaks it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

from akg.base.dtype import BUFFER_DTYPES, bool_, index
from akg.base.errors import InternalError
from akg.ir.buffer import Buffer
from akg.ir.expr import (
    ARITHMETIC,
    BITWISE,
    COMPARISONS,
    Binary,
    Call,
    Cast,
    Const,
    Expr,
    Load,
    Reduce,
    Select,
    Unary,
    Var,
)
from akg.ir.functions import CALL_ARITY, FLOAT_CALLS, PREDICATE_CALLS
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import REDUCTIONS, Alloc, Block, For, If, Kernel, Param, Prefetch, Stmt, Store
from akg.ir.text import to_text
from akg.ir.text.syntax import KINDS

_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*\Z")
_TEXT_CHARS = 400
_NOT_IN_VECTOR = ("parallel", "vector", "block", "thread")


def verify(kernel: Kernel, after: str = "lowering") -> None:
    """Check every rule of loop IR on `kernel`, as the pass `after` left it.

    Raises:
        InternalError: the pass, the rule that is broken, and the node that breaks it.
    """
    _Verifier(kernel, after).run()


class _Verifier:
    """One check: what is in scope, and what has been seen."""

    def __init__(self, kernel: Kernel, after: str) -> None:
        self.kernel, self.after = kernel, after
        self.variables: set[Var] = set()
        self.sizes: set[Var] = set()
        self.buffers: set[Buffer] = set()
        self.read_only: set[Buffer] = set()
        self.names: set[str] = set()
        self.stores: set[str] = set()
        self.valid: set[Expr] = set()  # nodes known to be right in the present scope

    def fail(self, rule: str, node: Stmt | Expr | Param) -> NoReturn:
        text = f"parameter {node.name}" if isinstance(node, Param) else to_text(node).strip()
        text = text if len(text) <= _TEXT_CHARS else text[:_TEXT_CHARS] + " ..."
        separator = "\n" if "\n" in text else " "
        raise InternalError(f"{self.kernel.name} after {self.after!r}: {rule}:{separator}{text}")

    def run(self) -> None:
        for param in self.kernel.params:
            self.param(param)
        for param in self.kernel.params:
            if isinstance(param.value, Buffer):
                self.shape(param.value, param)
        self.statement(self.kernel.body, in_vector=False)

    # --- declarations -------------------------------------------------------------------------------

    def declare(self, name: str, node: Stmt | Param) -> None:
        if not _NAME.match(name):
            self.fail(f"the name {name!r} is not an identifier", node)
        if name in self.names:
            self.fail(f"the name {name!r} is declared twice", node)
        self.names.add(name)

    def param(self, param: Param) -> None:
        value = param.value
        self.declare(value.name, param)
        if isinstance(value, Buffer):
            if param.role not in ("in", "out", "inout"):
                self.fail(f"a buffer has the role {param.role!r}", param)
            self.buffers.add(value)
            if param.role == "in":
                self.read_only.add(value)
            return
        if param.role not in ("scalar", "size"):
            self.fail(f"a variable has the role {param.role!r}", param)
        if param.role == "size" and value.dtype is not index:
            self.fail(f"a size is {value.dtype}, not index", param)
        if value.dtype is index:  # a scalar of type index is a size that the caller gives
            self.sizes.add(value)
        self.variables.add(value)

    def shape(self, buffer: Buffer, node: Stmt | Param) -> None:
        if buffer.dtype not in BUFFER_DTYPES:
            self.fail(f"a buffer of {buffer.dtype}", node)
        for size in buffer.shape:
            if size.dtype is not index:
                self.fail(f"a dimension is {size.dtype}, not index", node)
            for leaf in walk_expr(size):
                if isinstance(leaf, Load) or (isinstance(leaf, Var) and leaf not in self.sizes):
                    self.fail(f"a shape depends on {leaf}, which is no size", node)
        if buffer.scope == "register" and buffer.const_shape is None:
            self.fail("a register buffer has a symbolic shape", node)

    # --- statements ---------------------------------------------------------------------------------

    def statement(self, stmt: Stmt, in_vector: bool) -> None:
        if isinstance(stmt, Block):
            for inner in stmt.body:
                self.statement(inner, in_vector)
        elif isinstance(stmt, For):
            self.loop(stmt, in_vector)
        elif isinstance(stmt, If):
            self.expr(stmt.cond, stmt)
            if stmt.cond.dtype is not bool_:
                self.fail(f"a condition is {stmt.cond.dtype}, not bool", stmt)
            self.statement(stmt.then, in_vector)
            if stmt.orelse is not None:
                self.statement(stmt.orelse, in_vector)
        elif isinstance(stmt, Store):
            self.store(stmt)
        elif isinstance(stmt, Prefetch):
            self.prefetch(stmt)
        elif isinstance(stmt, Alloc):
            self.declare(stmt.buffer.name, stmt)
            self.shape(stmt.buffer, stmt)
            self.buffers.add(stmt.buffer)
            self.statement(stmt.body, in_vector)
            self.buffers.discard(stmt.buffer)
            self.valid.clear()
        elif in_vector:
            self.fail("a barrier in a vector loop", stmt)
        elif stmt.scope not in ("block", "kernel"):
            self.fail(f"a barrier of unknown scope {stmt.scope!r}", stmt)

    def loop(self, stmt: For, in_vector: bool) -> None:
        for bound in (stmt.begin, stmt.end):
            self.expr(bound, stmt)
            if bound.dtype is not index:
                self.fail(f"a bound is {bound.dtype}, not index", stmt)
        if stmt.var.dtype is not index:
            self.fail(f"a loop variable is {stmt.var.dtype}, not index", stmt)
        if stmt.step <= 0:
            self.fail("a step is not positive", stmt)
        if stmt.kind not in KINDS:
            self.fail(f"unknown kind of loop {stmt.kind!r}", stmt)
        if stmt.kind == "unroll" and stmt.const_trips is None:
            self.fail("an unrolled loop has no constant trip count", stmt)
        if in_vector and stmt.kind in _NOT_IN_VECTOR:
            self.fail(f"a {stmt.kind} loop in a vector loop", stmt)
        is_outer = isinstance(stmt.body, For) and stmt.body.kind == "vector"
        self.declare(stmt.var.name, stmt)
        self.variables.add(stmt.var)
        self.statement(stmt.body, in_vector or (stmt.kind == "vector" and not is_outer))
        self.variables.discard(stmt.var)
        self.valid.clear()

    def prefetch(self, stmt: Prefetch) -> None:
        if stmt.buffer not in self.buffers:
            self.fail(f"a prefetch of {stmt.buffer.name}, which is not declared here", stmt)
        if len(stmt.indices) != len(stmt.buffer.shape):
            self.fail(f"{len(stmt.indices)} subscripts for rank {len(stmt.buffer.shape)}", stmt)
        if stmt.level not in (1, 2):
            self.fail(f"a prefetch to a cache of level {stmt.level}", stmt)
        for node in stmt.indices:
            self.expr(node, stmt)
            if node.dtype is not index:
                self.fail(f"a subscript is {node.dtype}, not index", stmt)

    def store(self, stmt: Store) -> None:
        if stmt.name in self.stores:
            self.fail(f"two stores are named {stmt.name!r}", stmt)
        self.stores.add(stmt.name)
        if stmt.buffer not in self.buffers:
            self.fail(f"a store to {stmt.buffer.name}, which is not declared here", stmt)
        if stmt.buffer in self.read_only:
            self.fail(f"a store to the input {stmt.buffer.name}", stmt)
        if len(stmt.indices) != len(stmt.buffer.shape):
            self.fail(f"{len(stmt.indices)} subscripts for rank {len(stmt.buffer.shape)}", stmt)
        for node in (*stmt.indices, stmt.value):
            self.expr(node, stmt)
        for node in stmt.indices:
            if node.dtype is not index:
                self.fail(f"a subscript is {node.dtype}, not index", stmt)
        if stmt.value.dtype is not stmt.buffer.dtype:
            self.fail(f"a value of {stmt.value.dtype} is stored to {stmt.buffer.dtype}", stmt)
        if stmt.reduction is not None and not is_update(stmt):
            self.fail(f"a reduction {stmt.reduction!r} is not of the form `{_form(stmt)}`", stmt)

    # --- expressions --------------------------------------------------------------------------------

    def expr(self, root: Expr, at: Stmt) -> None:
        stack = [root]
        while stack:
            node = stack.pop()
            if node in self.valid:
                continue
            self.valid.add(node)
            if isinstance(node, Var) and node not in self.variables:
                self.fail(f"the variable {node.name!r} is not defined here", at)
            if isinstance(node, Load) and node.buffer not in self.buffers:
                self.fail(f"a load of {node.buffer.name}, which is not declared here", at)
            problem = _CHECKS[type(node)](node)
            if problem is not None:
                self.fail(f"{problem} in {node}", at)
            stack.extend(node.children)


def is_update(stmt: Store) -> bool:
    """Whether the value of `stmt` is ``combine(old element, term)``, as its reduction declares.

    A 16-bit float may be widened and the result narrowed: ``cast(combine(cast(old), term))``.
    """
    value = stmt.value
    widened = isinstance(value, Cast) and value.a.dtype is stmt.buffer.dtype.compute
    if widened:
        assert isinstance(value, Cast)
        value = value.a
    if not isinstance(value, Binary) or value.op != REDUCTIONS.get(stmt.reduction or ""):
        return False
    old = value.a.a if widened and isinstance(value.a, Cast) else value.a
    return old is Load(stmt.buffer, stmt.indices)


def _form(stmt: Store) -> str:
    op = REDUCTIONS.get(stmt.reduction or "")
    return "unknown" if op is None else f"{op}({to_text(Load(stmt.buffer, stmt.indices))}, term)"


# --- one node: what is wrong with its types, or None ---------------------------------------------------


def _leaf(node: Expr) -> str | None:
    return None


def _load(node: Expr) -> str | None:
    assert isinstance(node, Load)
    if len(node.indices) != len(node.buffer.shape):
        return f"{len(node.indices)} subscripts for rank {len(node.buffer.shape)}"
    wrong = [i.dtype for i in node.indices if i.dtype is not index]
    return f"a subscript is {wrong[0]}, not index" if wrong else None


def _unary(node: Expr) -> str | None:
    assert isinstance(node, Unary)
    if node.op == "not" and node.dtype.is_float:
        return f"bitwise 'not' on {node.dtype}"
    return "'neg' on bool" if node.op == "neg" and node.dtype is bool_ else None


def _binary(node: Expr) -> str | None:
    assert isinstance(node, Binary)
    kind = node.a.dtype
    if kind is not node.b.dtype:
        return f"operands of {kind} and {node.b.dtype}"
    wrong = (
        (node.op in ARITHMETIC and kind is bool_)
        or (node.op in BITWISE and kind.is_float)
        or (node.op in ("shl", "shr") and kind is bool_)
        or (node.op == "div" and not kind.is_float)
    )
    if wrong:
        return f"{node.op!r} on {kind}"
    expected = bool_ if node.op in COMPARISONS else kind
    return None if node.dtype is expected else f"{node.op!r} on {kind} gives {node.dtype}"


def _select(node: Expr) -> str | None:
    assert isinstance(node, Select)
    if node.cond.dtype is not bool_:
        return f"a condition is {node.cond.dtype}, not bool"
    same = node.a.dtype is node.b.dtype is node.dtype
    return None if same else f"branches of {node.a.dtype} and {node.b.dtype}"


def _call(node: Expr) -> str | None:
    assert isinstance(node, Call)
    arity = CALL_ARITY.get(node.fn, 1)
    if len(node.args) != arity:
        return f"{len(node.args)} operands for {node.fn!r}, which takes {arity}"
    kinds = {a.dtype for a in node.args}
    if node.fn in FLOAT_CALLS and (kinds != {node.dtype} or not node.dtype.is_float):
        return f"{node.fn!r} on {', '.join(sorted(map(str, kinds)))} gives {node.dtype}"
    if node.fn in PREDICATE_CALLS and (node.dtype is not bool_ or not all(k.is_float for k in kinds)):
        return f"{node.fn!r} on {', '.join(sorted(map(str, kinds)))} gives {node.dtype}"
    if node.fn == "bitcast" and node.args[0].dtype.bits != node.dtype.bits:
        return f"'bitcast' from {node.args[0].dtype} to {node.dtype}"
    return None


def _reduce(node: Expr) -> str | None:
    return "a reduction of a definition"


_CHECKS: dict[type[Expr], Callable[[Expr], str | None]] = {
    Const: _leaf, Var: _leaf, Cast: _leaf, Load: _load, Unary: _unary, Binary: _binary, Select: _select,
    Call: _call, Reduce: _reduce,
}  # fmt: skip
