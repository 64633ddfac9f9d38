"""Text of a function under construction: names, blocks, and a stack of scopes into which code is hoisted.

A scope is a function body, the body of a loop, or a branch. Each has a *target*: the list of lines to which
code of that level goes. While an inner scope is open, the target of an outer one is a list just before it, so
that an instruction whose operands belong to an outer level is placed there. Values are remembered by the
expression they compute, until their scope ends or a store changes what they read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from akg.base.dtype import DType, bool_, index
from akg.base.target import Target
from akg.codegen.llvm.address import Polynomial
from akg.codegen.llvm.types import llvm_type
from akg.codegen.subscripts import Checks
from akg.ir.buffer import Buffer
from akg.ir.evaluate import Values
from akg.ir.expr import Const, Expr, Load, Var
from akg.ir.stmt import Stmt, Store, walk

Lines: TypeAlias = "list[str | Lines]"
ExprRules: TypeAlias = "Mapping[type[Expr], Callable[[Function, Any], Value]]"
StmtRules: TypeAlias = "Mapping[type[Stmt], Callable[[Function, Any], None]]"
ScopeKind = Literal["function", "loop", "branch"]


@dataclass(slots=True, eq=False)  # not frozen, which would make each of thousands three times as dear
class Value:
    """An LLVM value: its text, element type, lanes (0 for a scalar) and the level of the scope that holds it."""

    text: str
    dtype: DType
    lanes: int = 0
    level: int = 0
    is_const: bool = False

    @property
    def type(self) -> str:
        """The LLVM type."""
        return llvm_type(self.dtype, self.lanes)

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


@dataclass(frozen=True, slots=True, eq=False)
class Guard:
    """A condition under which memory may be read: `mask` is a bool value, one or per lane."""

    mask: Value


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a buffer lives.

    Attributes:
        pointer: LLVM text of the address of element 0.
        strides: elements between neighbours in each dimension, as index expressions.
        lanes: 0 for an ordinary array; N if each element is a vector with one copy per lane.
        is_private: only this iteration sees it, so lanes that are off may be written.
        level: the level of the scope that holds `pointer`.
        born: the level of the scope in which the buffer lives; its elements mean nothing further out.
        is_stack: a temporary on the stack, all of which may be read at any time.
        has_slack: a temporary behind which `workspace.SLACK_BYTES` may be read, so that lanes off need no mask to read.
    """

    pointer: str
    strides: tuple[Expr, ...]
    lanes: int = 0
    is_private: bool = False
    level: int = 0
    born: int = 0
    is_stack: bool = False
    has_slack: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Lanes:
    """The vector loop around the current statement.

    Attributes:
        var: stands for the number of the lane in expressions, 0 up to `count`.
        count: lanes of a vector.
        mask: the lanes that are iterations of the loop; None for all.
        accumulators: for each reduction that is kept in registers, the addresses of its partial results.
        slot: which partial result to use.
        is_end: lanes that are off have no element in any array, so that registers need no mask.
        is_double: the lanes are twice as many iterations, whose products are added in pairs.
    """

    var: Var
    count: int
    mask: Value | None = None
    accumulators: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    slot: int = 0
    is_end: bool = False
    is_double: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Seam:
    """What a row leaves of its last line: addresses of the vector, of where it belongs (0: nothing), of how many."""

    slot: str
    address: str
    count: str
    dtype: DType
    lanes: int


class Scope:
    """One level of nesting."""

    __slots__ = ("kind", "lines", "owned", "target", "writes")

    def __init__(self, kind: ScopeKind, writes: frozenset[Buffer]) -> None:
        self.kind, self.writes = kind, writes
        self.lines: Lines = []
        self.target: Lines = []
        self.lines.append(self.target)
        self.owned: list[Hashable] = []


class Unit:
    """The module under construction: declarations, globals, and the functions that are done."""

    def __init__(self, target: Target, expressions: ExprRules, statements: StmtRules) -> None:
        self.target, self.expressions, self.statements = target, expressions, statements
        self.declarations: dict[str, str] = {}
        self.functions: list[str] = []
        self.reads: dict[Expr, frozenset[Buffer]] = {}
        self._loads: dict[Expr, frozenset[Load]] = {}
        self.polynomials: dict[Expr, Polynomial] = {}
        self.lane_values: dict[Var, dict[Expr, Values | None]] = {}  # of expressions, by lane
        self.checks = Checks()
        self.streamed: frozenset[Buffer] = frozenset()  # outputs that no cache will hold until they are read
        self.only_written: frozenset[Buffer] = frozenset()  # arrays whose rows may be joined where they share lines
        self.joined: dict[Buffer, set[str]] = {}  # the statements whose rows are
        self.notes: list[str] = []
        self.is_finite = False  # no value is NaN
        self._names = 0

    def note(self, text: str) -> None:
        """Say something about the code, once, for `explain`."""
        if text not in self.notes:
            self.notes.append(text)

    def declare(self, name: str, signature: str) -> str:
        """``@name`` after making sure that it is declared."""
        if name not in self.declarations:
            self.declarations[name] = signature
        return f"@{name}"

    def unique(self) -> int:
        """A number that no other call returns."""
        self._names += 1
        return self._names

    def buffers_read(self, node: Expr) -> frozenset[Buffer]:
        """Every buffer that evaluating `node` may read."""
        found = self.reads.get(node)
        if found is None:
            parts = [self.buffers_read(c) for c in node.children]
            found = frozenset[Buffer]().union(*parts) if parts else frozenset[Buffer]()
            if isinstance(node, Load):
                found |= {node.buffer}
            self.reads[node] = found
        return found

    def loads_of(self, node: Expr) -> frozenset[Load]:
        """Every load in `node`."""
        found = self._loads.get(node)
        if found is None:
            found = frozenset[Load]().union(*[self.loads_of(c) for c in node.children])
            if isinstance(node, Load):
                found |= {node}
            self._loads[node] = found
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """An address that a loop moves: `pointer` is `base` plus the counter times `factor` elements, by `gep`."""

    pointer: str
    gep: str
    base: str
    factor: Value


@dataclass(frozen=True, slots=True, eq=False)
class Counter:
    """A loop under construction: where its counter begins, the level of its body, and the addresses that it moves."""

    begin: Value
    level: int
    steps: list[Step] = field(default_factory=list[Step])


class Function:
    """One LLVM function under construction."""

    def __init__(self, unit: Unit, name: str, is_parallel: bool = False) -> None:
        self.unit, self.name, self.is_parallel = unit, name, is_parallel
        self.scopes: list[Scope] = [Scope("function", frozenset())]
        self.allocas: Lines = []
        self.label = "entry"
        self.memo: dict[Hashable, Any] = {}
        self.vars: dict[Var, Value] = {}
        self.multiples: dict[Var, int] = {}  # counters that are multiples of more than 1
        self.counters: dict[Var, Counter] = {}  # of the loops around
        self.places: dict[Buffer, Place] = {}
        self.guard: Guard | None = None
        self.lanes: Lanes | None = None
        self.workspace: dict[Buffer, Place] = {}
        self.failure = ""  # the address of the status, once something may fail
        self.statement = ""  # the one that code is made for now
        self.from_data: set[Var] = set()  # variables of loops with bounds from data
        self.streaming: Buffer | None = None  # the buffer whose vector stores are aligned and bypass the caches now
        self.has_streamed = False
        self.seams: dict[Buffer, Seam] = {}
        # a buffer of which masked vectors are stored by this function now: of (value, pointer, mask)
        self.edge: tuple[Buffer, Callable[[Value, str, Value], None]] | None = None
        self.waiting: dict[Hashable, Any] = {}  # columns of rows that are not stored yet (`rows.py`)
        self.rows_level = -1  # the level whose stores may wait
        self.columns: dict[Buffer, Value | None] = {}  # stores to these buffers wait here, to be turned
        self._readers: dict[Buffer, list[Hashable]] = {}
        self.accesses = 0  # to memory, so far
        self._count = 0

    def value(self, node: Expr) -> Value:
        """The value of an expression, computed now or before."""
        found = self.memo.get(node)
        if found is not None:
            return found
        rule = self.unit.expressions[type(node)]
        if isinstance(node, (Const, Var)):
            return rule(self, node)
        key: Hashable = node
        if self.guard is not None and self.unit.buffers_read(node):
            key = (node, self.guard)
            found = self.memo.get(key)
            if found is not None:
                return found
        value = rule(self, node)
        self.remember(key, value, value.level, node)
        return value

    def is_loaded(self, node: Expr) -> bool:
        """Whether all that `node` reads was read before under the guard in force, so that it reads nothing now."""
        return all(
            load in self.memo or (self.guard is not None and (load, self.guard) in self.memo)
            for load in self.unit.loads_of(node)
        )

    def statement_of(self, stmt: Stmt) -> str:
        """The name of the first statement in `stmt`."""
        return next((s.name for s in walk(stmt) if isinstance(s, Store)), self.statement)

    def emit(self, stmt: Stmt) -> None:
        """Emit a statement into the innermost scope."""
        self.statement = self.statement_of(stmt)
        self.unit.statements[type(stmt)](self, stmt)

    # --- text -----------------------------------------------------------------------------------------

    @property
    def level(self) -> int:
        """The level of the innermost scope."""
        return len(self.scopes) - 1

    def fresh(self, stem: str = "v") -> str:
        """A new local name without its sigil."""
        self._count += 1
        return f"{stem}{self._count}"

    def line(self, text: str) -> None:
        """Append an instruction without a result to the innermost scope."""
        self.scopes[-1].target.append("  " + text)

    def at(self, level: int, text: str) -> str:
        """Append an instruction to the scope of a level; the name of its result."""
        self._count += 1
        name = f"%v{self._count}"
        self.scopes[level].target.append(f"  {name} = {text}")
        return name

    def here(self, text: str) -> str:
        """Append an instruction to the innermost scope; the name of its result."""
        return self.at(len(self.scopes) - 1, text)

    def alloca(self, type_text: str, align: int = 64) -> str:
        """Stack memory for the whole call; its address."""
        name = f"%{self.fresh('stack')}"
        self.allocas.append(f"  {name} = alloca {type_text}, align {align}")
        return name

    def fail(self, level: int, status: str) -> None:
        """Raise the status of this call to an i32, at the scope of a level."""
        if not self.failure:
            self.failure = self.alloca("i32", 4)
            self.allocas.append(f"  store i32 0, ptr {self.failure}")
        name = "llvm.umax.i32"
        callee = self.unit.declare(name, f"declare i32 @{name}(i32, i32)")
        old = self.at(level, f"load i32, ptr {self.failure}")
        new = self.at(level, f"call i32 {callee}(i32 {old}, i32 {status})")
        self.scopes[level].target.append(f"  store i32 {new}, ptr {self.failure}")

    def start(self, label: str) -> None:
        """Begin a basic block."""
        self.scopes[-1].target.append(f"{label}:")
        self.label = label

    # --- scopes ---------------------------------------------------------------------------------------

    @contextmanager
    def scope(self, kind: ScopeKind, writes: frozenset[Buffer] = frozenset()) -> Generator[Scope]:
        """Open a scope: outer levels now hoist to the lines before it."""
        outer = self.scopes[-1]
        inner = Scope(kind, writes)
        outer.lines.append(inner.lines)
        for buffer in writes:
            self.invalidate(buffer)
        self.scopes.append(inner)
        try:
            yield inner
        finally:
            self.scopes.pop()
            for key in inner.owned:
                self.memo.pop(key, None)
            outer.target = []
            outer.lines.append(outer.target)

    @contextmanager
    def branch(self, condition: Value) -> Generator[None]:
        """Code that runs where a scalar condition holds."""
        with self.scope("branch"):
            inside, after = self.fresh("then"), self.fresh("end")
            self.line(f"br {condition}, label %{inside}, label %{after}")
            self.start(inside)
            yield
            self.line(f"br label %{after}")
            self.start(after)

    # --- memory of values -----------------------------------------------------------------------------

    def remember(self, key: Hashable, value: Any, level: int, node: Expr | None = None) -> None:
        """Keep a value until the scope of `level` ends or a buffer that `node` reads changes."""
        self.memo[key] = value
        self.scopes[level].owned.append(key)
        if node is not None:
            for buffer in self.unit.buffers_read(node):
                self._readers.setdefault(buffer, []).append(key)

    def invalidate(self, buffer: Buffer) -> None:
        """Forget what was read from a buffer."""
        for key in self._readers.pop(buffer, ()):
            self.memo.pop(key, None)

    def barrier_level(self, buffer: Buffer) -> int:
        """The innermost level out of which a read of `buffer` must not move."""
        born = self.places[buffer].born
        for level in range(len(self.scopes) - 1, born, -1):
            scope = self.scopes[level]
            if scope.kind == "branch" or buffer in scope.writes:
                return level
        return born

    def splat(self, value: Value, lanes: int) -> Value:
        """A scalar in every lane."""
        if value.lanes == lanes:
            return value
        if value.is_const:
            text = f"splat ({value})" if value.text != "poison" else "poison"
            return Value(text, value.dtype, lanes, 0, True)
        key = ("splat", value.text, lanes)
        found = self.memo.get(key)
        if found is None:
            kind = llvm_type(value.dtype, lanes)
            one = self.at(value.level, f"insertelement {kind} poison, {value}, i64 0")
            text = self.at(value.level, f"shufflevector {kind} {one}, {kind} poison, <{lanes} x i32> zeroinitializer")
            found = Value(text, value.dtype, lanes, value.level)
            self.remember(key, found, value.level)
        return found

    def text(self, signature: str, attributes: str) -> str:
        """The finished definition."""
        out: list[str] = [f"define {signature} {attributes} {{", "entry:"]
        _flatten(self.allocas, out)
        _flatten(self.scopes[0].lines, out)
        out.append("}")
        return "\n".join(out)


def _flatten(lines: Lines, out: list[str]) -> None:
    for line in lines:
        if isinstance(line, str):
            out.append(line)
        else:
            _flatten(line, out)


def index_value(value: int) -> Value:
    """A constant index."""
    return Value(str(value), index, 0, 0, True)


TRUE = Value("true", bool_, 0, 0, True)
