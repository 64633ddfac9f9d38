"""Loop IR to Python source that runs on NumPy scalars; see `akg.ir.interp.run` for what it calls."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from akg.base.dtype import DType, bfloat16, bool_, float16, index
from akg.base.errors import InternalError
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Call, Cast, Const, Expr, Load, Select, Unary, Var
from akg.ir.interp import values
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import Alloc, Barrier, Block, For, If, Kernel, Prefetch, Stmt, Store, walk
from akg.ir.text.syntax import INFIX

_ANY_ORDER = ("parallel", "vector", "block", "thread")
_CONCURRENT = ("parallel", "block", "thread")  # each iteration is a thread that may wait at a barrier
_MAX_NESTING = 12  # CPython compiles at most 20 nested loops in one function
# A part becomes a local function that remembers its value if it is used twice and long, or nested deeply: that keeps
# the source linear in the nodes (and CPython's parser within its limits), and evaluation lazy as `Select` asks.
_SHARE, _DEEP = 200, 40


@dataclass
class Source:
    """Generated source with a function `run`, and the constants that it names."""

    text: str
    constants: dict[str, Any]
    is_generator: bool


def generate(kernel: Kernel, check_uninitialised: bool) -> Source:
    """Python source whose ``run(*arguments)`` does what `kernel` does; a generator if the kernel has barriers."""
    emitter = _Emitter(check_uninitialised)
    arguments = [emitter.array(p.value) if isinstance(p.value, Buffer) else emitter.var(p.value) for p in kernel.params]
    emitter.line(f"def run({', '.join(arguments)}):")
    emitter.depth += 1
    for param in kernel.params:
        if isinstance(param.value, Buffer):
            shape = emitter.tuple(param.value.shape, f"shape of {param.name}")
            array = emitter.array(param.value)
            if param.shape is None:
                emitter.line(f"check_shape({param.name!r}, {array}, {shape})")
            else:
                given = emitter.tuple(param.shape, f"shape of {param.name}")
                emitter.line(f"check_shape({param.name!r}, {array}, {given})")
                emitter.line(f"{array} = {array}.reshape({shape}, copy=False)")
            if check_uninitialised and param.role == "out":
                emitter.track(param.value, shape)
    emitter.statement(kernel.body, _Context())
    emitter.line("return")
    is_generator = any(isinstance(s, Barrier) for s in walk(kernel.body))
    return Source("\n".join(emitter.lines) + "\n", emitter.constants, is_generator)


@dataclass(frozen=True)
class _Context:
    """Where a statement stands: loops and ifs around it in its function, and whether a thread loop encloses it."""

    nesting: int = 0
    in_thread: bool = False

    def inside(self) -> _Context:
        return _Context(self.nesting + 1, self.in_thread)


@dataclass
class _Emitter:
    check: bool
    depth: int = 0
    lines: list[str] = field(default_factory=list[str])
    constants: dict[str, Any] = field(default_factory=dict[str, Any])
    names: dict[Any, str] = field(default_factory=dict[Any, str])
    tracked: dict[Buffer, str] = field(default_factory=dict[Buffer, str])
    waits: dict[Stmt, bool] = field(default_factory=dict[Stmt, bool])

    def line(self, text: str) -> None:
        self.lines.append(" " * self.depth + text)

    # --- names --------------------------------------------------------------------------------------

    def named(self, key: Any, prefix: str, name: str) -> str:
        if key not in self.names:
            self.names[key] = f"{prefix}{len(self.names)}_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"
        return self.names[key]

    def var(self, var: Var) -> str:
        return self.named(var, "v", var.name)

    def array(self, buffer: Buffer) -> str:
        return self.named(buffer, "b", buffer.name)

    def constant(self, key: Any, name: str, value: Any) -> str:
        found = self.named(key, "k", name)
        self.constants.setdefault(found, value)
        return found

    def track(self, buffer: Buffer, shape: str) -> None:
        self.tracked[buffer] = self.named(("written", buffer), "w", buffer.name)
        self.line(f"{self.tracked[buffer]} = np.zeros({shape}, bool)")

    # --- statements ---------------------------------------------------------------------------------

    def has_barrier(self, stmt: Stmt) -> bool:
        if stmt not in self.waits:
            self.waits[stmt] = any(isinstance(s, Barrier) for s in walk(stmt))
        return self.waits[stmt]

    def statement(self, stmt: Stmt, context: _Context) -> None:
        if isinstance(stmt, Block):
            for inner in stmt.body:
                self.statement(inner, context)
        elif isinstance(stmt, Store):
            self.store(stmt)
        elif isinstance(stmt, Prefetch):
            self.line("pass")
        elif isinstance(stmt, Barrier):
            self.line(f"yield {stmt.scope!r}")
        elif isinstance(stmt, Alloc):
            shape = self.tuple(stmt.buffer.shape, f"shape of {stmt.buffer.name}")
            dtype = self.constant(("dtype", stmt.buffer.dtype), stmt.buffer.dtype.name, stmt.buffer.dtype.numpy)
            self.line(f"{self.array(stmt.buffer)} = allocate({dtype}, {shape})")
            if self.check:
                self.track(stmt.buffer, shape)
            self.statement(stmt.body, context)
        elif context.nesting == _MAX_NESTING:
            self.outline(stmt, context)
        elif isinstance(stmt, If):
            self.branch(stmt, context)
        else:
            self.loop(stmt, context)

    def outline(self, stmt: Stmt, context: _Context) -> None:
        name = self.named(("part", stmt), "p", "part")
        self.line(f"def {name}():")
        self.depth += 1
        self.statement(stmt, _Context(0, context.in_thread))
        self.line("return")
        self.depth -= 1
        self.line(f"yield from {name}()" if self.has_barrier(stmt) else f"{name}()")

    def store(self, stmt: Store) -> None:
        *subscripts, value = self.expressions((*stmt.indices, stmt.value), stmt.name)
        dtype = stmt.buffer.dtype
        if dtype in (float16, bfloat16):
            value = f"{self.constant(('type', dtype), dtype.name, dtype.numpy.type)}({value})"
        access = self.access("store", stmt.buffer, stmt.name)
        self.line(f"{access}, {', '.join([value, *subscripts])})")

    def access(self, verb: str, buffer: Buffer, at: str, rank: int | str = "") -> str:
        """The call of an access up to its first arguments: array, mask where there is one, place."""
        where = self.constant(("where", at, buffer.name), "at", (at, buffer.name))
        written = self.tracked.get(buffer)
        if written is None:
            return f"{verb}{rank}({self.array(buffer)}, {where}"
        return f"{verb}_checked({self.array(buffer)}, {written}, {where}"

    def branch(self, stmt: If, context: _Context) -> None:
        (cond,) = self.expressions((stmt.cond,), "if")
        self.line(f"if {cond}:")
        self.body(stmt.then, context.inside())
        if stmt.orelse is not None:
            self.line("else:")
            self.body(stmt.orelse, context.inside())

    def body(self, stmt: Stmt, context: _Context) -> None:
        self.depth += 1
        self.statement(stmt, context)
        self.line("pass")
        self.depth -= 1

    def loop(self, stmt: For, context: _Context) -> None:
        begin, end = self.expressions((stmt.begin, stmt.end), f"bounds of {stmt.var.name}")
        values_of = f"range({begin}, {end}, {stmt.step})"
        if stmt.kind in _ANY_ORDER:
            values_of = f"any_order({values_of})"
        var = self.var(stmt.var)
        if stmt.kind not in _CONCURRENT or not self.has_barrier(stmt.body):
            self.line(f"for {var} in {values_of}:")
            self.body(stmt.body, context.inside())
            return
        thread = self.named(("thread", stmt), "t", "thread")
        self.line(f"def {thread}({var}):")
        self.body(stmt.body, _Context(0, context.in_thread or stmt.kind == "thread"))
        releases = "block" if stmt.kind == "thread" and not context.in_thread else ""
        self.line(f"yield from lockstep([{thread}(v) for v in {values_of}], {releases!r})")

    # --- expressions --------------------------------------------------------------------------------

    def tuple(self, nodes: tuple[Expr, ...], at: str) -> str:
        return "(" + "".join(text + ", " for text in self.expressions(nodes, at)) + ")"

    def expressions(self, roots: tuple[Expr, ...], at: str) -> list[str]:
        """The texts of `roots`, after the lines that define what they share."""
        uses: dict[Expr, int] = {}
        for root in roots:
            for node in walk_expr(root):
                if node not in uses:
                    uses[node] = 0
                    for child in node.children:
                        uses[child] += 1
            uses[root] += 1
        texts: dict[Expr, str] = {}
        levels: dict[Expr, int] = {}
        for node, count in uses.items():
            text = self.node(node, [texts[c] for c in node.children], at)
            level = 1 + max([levels[c] for c in node.children], default=0)
            if level > _DEEP or (count > 1 and len(text) > _SHARE):
                text, level = self.shared(text), 1
            texts[node], levels[node] = text, level
        return [texts[root] for root in roots]

    def shared(self, text: str) -> str:
        memo, name = f"m{len(self.lines)}", f"f{len(self.lines)}"
        self.line(f"{memo} = []")
        self.line(f"def {name}():")
        self.line(f" if not {memo}: {memo}.append({text})")
        self.line(f" return {memo}[0]")
        return f"{name}()"

    def node(self, node: Expr, operands: list[str], at: str) -> str:
        if isinstance(node, Const):
            return self.literal(node)
        if isinstance(node, Var):
            return self.var(node)
        if isinstance(node, Load):
            return self.load(node, operands, at)
        if isinstance(node, Binary):
            return _binary(node, *operands)
        if isinstance(node, Unary):
            return _unary(node, *operands)
        if isinstance(node, Select):
            return f"({operands[1]} if {operands[0]} else {operands[2]})"
        if isinstance(node, Cast):
            key = ("cast", node.a.dtype, node.dtype)
            return f"{self.constant(key, f'to_{node.dtype}', values.conversion(*key[1:]))}({operands[0]})"
        if isinstance(node, Call):
            return f"{self.function(node)}({', '.join(operands)})"
        raise InternalError(f"{type(node).__name__} in a kernel")

    def literal(self, node: Const) -> str:
        if node.dtype is index or node.dtype is bool_:
            return f"({node.value})"
        return self.constant(node, node.dtype.name, values.literal(node.value, node.dtype))

    def load(self, node: Load, operands: list[str], at: str) -> str:
        buffer = node.buffer
        rank = len(operands) if len(operands) in (1, 2) and len(buffer.shape) == len(operands) else ""
        text = f"{', '.join([self.access('load', buffer, at, rank), *operands])})"
        return f"f32({text})" if buffer.dtype in (float16, bfloat16) else text

    def function(self, node: Call) -> str:
        source: DType = node.args[0].dtype
        key = ("call", node.fn, source, node.dtype)
        made = values.bitcast(source, node.dtype) if node.fn == "bitcast" else values.function(node.fn, source)
        return self.constant(key, node.fn, made)


def _binary(node: Binary, a: str, b: str) -> str:
    if node.op in ("min", "max"):
        return f"{node.op}imum({a}, {b})"
    spelling = INFIX[node.op][0]
    return f"({a} {spelling} {b})"


def _unary(node: Unary, a: str) -> str:
    if node.op == "abs":
        return f"abs({a})"
    if node.op == "neg":
        return f"(-{a})"
    return f"(not {a})" if node.dtype is bool_ else f"(~{a})"
