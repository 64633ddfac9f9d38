"""Loop IR: what frontends lower to, what the scheduler rewrites, and the only thing a backend reads.

    kernel := Kernel(name, param*, stmt)
    param  := Param(buffer | var, role, shape?, constant?)  role: in | out | inout | scalar | size
    stmt   := Block(stmt*) | For(var, begin, end, step, kind, stmt) | If(cond, stmt, stmt?)
            | Store(buffer, index*, value, reduction?, name) | Alloc(buffer, stmt) | Barrier(scope)
            | Prefetch(buffer, index*, level, writes)
    kind   := serial | parallel | vector | unroll | block | thread

Meaning:
  * ``For`` runs `var` over begin, begin+step, ... < end; `step` is a positive constant. Bounds are index
    expressions over enclosing loop variables and sizes.
  * kind *serial* runs in order. *parallel* asserts that iterations are independent: threads share them.
    *vector* asserts that iterations may run in lockstep lanes: independent, except for stores marked with a
    `reduction` whose address does not depend on the loop variable. A vector loop may be the whole body of another:
    lanes in two dimensions. *unroll* needs constant trip count; its
    iterations run in order. *block* and *thread* are a device's grid.
  * ``Store`` with `reduction` "sum" | "prod" | "max" | "min" | "top" is an update: its value has the form
    ``combine(old element, term)`` with the old element as first operand; the instances of one such
    statement may be reordered. "top" is a maximum whose users do not care whether it takes notice of NaN.
    Names of stores are unique in a kernel: they name the statements.
  * ``Alloc`` declares a temporary for its body. Its elements are uninitialised.
  * ``Prefetch`` asks for the line of a cache that an element lies in. It computes nothing, so that any place may leave
    it out, and the element need not exist. In a vector loop it is for the elements of all lanes.

Names of variables and of buffers are unique within a kernel. Nodes are frozen; identity tells "unchanged".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from akg.base.errors import Span
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Var

LoopKind = Literal["serial", "parallel", "vector", "unroll", "block", "thread"]
Role = Literal["in", "out", "inout", "scalar", "size"]
Constant = Literal["", "free", "fixed"]
# name -> Binary op
REDUCTIONS: dict[str, str] = {"sum": "add", "prod": "mul", "max": "max", "min": "min", "top": "max"}


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Statements in order."""

    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True, eq=False)
class For:
    """A counted loop over the half-open range [begin, end)."""

    var: Var
    begin: Expr
    end: Expr
    body: Stmt
    kind: LoopKind = "serial"
    step: int = 1
    span: Span | None = None

    @property
    def const_trips(self) -> int | None:
        """The number of iterations if the bounds are constant."""
        if isinstance(self.begin, Const) and isinstance(self.end, Const):
            return max(0, -(-(int(self.end) - int(self.begin)) // self.step))
        return None


    @property
    def max_trips(self) -> int | None:
        """A constant bound on the iterations, where `begin` is constant and `end` a minimum with a constant."""
        end = _upper(self.end)
        if end is None or not isinstance(self.begin, Const):
            return None
        return max(0, -(-(end - int(self.begin)) // self.step))


def _upper(expr: Expr) -> int | None:
    if isinstance(expr, Const):
        return int(expr)
    if isinstance(expr, Binary) and expr.op == "min":
        known = [u for u in (_upper(expr.a), _upper(expr.b)) if u is not None]
        return min(known) if known else None
    return None


@dataclass(frozen=True, slots=True, eq=False)
class If:
    """``then`` where `cond` holds, else `orelse`."""

    cond: Expr
    then: Stmt
    orelse: Stmt | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """``buffer[indices] = value``; the only statement with an effect."""

    buffer: Buffer
    indices: tuple[Expr, ...]
    value: Expr
    name: str
    reduction: str | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Alloc:
    """A temporary `buffer` that lives while `body` runs."""

    buffer: Buffer
    body: Stmt


@dataclass(frozen=True, slots=True, eq=False)
class Barrier:
    """All threads of `scope` ("block", "kernel") arrive before any leaves."""

    scope: str = "block"


@dataclass(frozen=True, slots=True, eq=False)
class Prefetch:
    """The line of ``buffer[indices]`` is wanted soon in the cache of a level, to be overwritten where `writes`."""

    buffer: Buffer
    indices: tuple[Expr, ...]
    level: int = 1
    writes: bool = False


Stmt: TypeAlias = "Block | For | If | Store | Alloc | Barrier | Prefetch"


@dataclass(frozen=True, slots=True, eq=False)
class Param:
    """An argument of a kernel, in calling order: buffers as pointers, sizes as int64, scalars by value.

    `shape` is that of the arrays that callers pass, where the buffer has another one of as many elements. `constant`
    is for inputs that are the same in every call: "free" where the kernel may ask for another layout, else "fixed".
    """

    value: Buffer | Var
    role: Role
    shape: tuple[Expr, ...] | None = None
    constant: Constant = ""

    @property
    def name(self) -> str:
        """The name of the buffer or variable."""
        return self.value.name


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """A complete kernel. Compiled, it is a C function ``int32 name(params...)`` that returns 0."""

    name: str
    params: tuple[Param, ...]
    body: Stmt

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """The buffers among the parameters, in order."""
        return tuple(p.value for p in self.params if isinstance(p.value, Buffer))


def block(*parts: Stmt | None) -> Stmt:
    """The statements in order, nested blocks flattened; one statement stays alone."""
    flat: list[Stmt] = []
    for part in parts:
        if isinstance(part, Block):
            flat.extend(part.body)
        elif part is not None:
            flat.append(part)
    return flat[0] if len(flat) == 1 else Block(tuple(flat))


def sub_statements(stmt: Stmt) -> tuple[Stmt, ...]:
    """The statements directly inside `stmt`."""
    inside = _INSIDE.get(type(stmt))
    return () if inside is None else inside(stmt)


_INSIDE: dict[type[Any], Callable[[Any], tuple[Stmt, ...]]] = {
    Block: lambda block: block.body,
    For: lambda loop: (loop.body,),
    Alloc: lambda alloc: (alloc.body,),
    If: lambda branch: (branch.then,) if branch.orelse is None else (branch.then, branch.orelse),
}


def expressions(stmt: Stmt) -> tuple[Expr, ...]:
    """The expressions directly in `stmt`, not in the statements inside it."""
    if isinstance(stmt, Store):
        return (*stmt.indices, stmt.value)
    if isinstance(stmt, Prefetch):
        return stmt.indices
    if isinstance(stmt, For):
        return (stmt.begin, stmt.end)
    if isinstance(stmt, If):
        return (stmt.cond,)
    if isinstance(stmt, Alloc):
        return stmt.buffer.shape
    return ()


def walk(stmt: Stmt) -> Iterator[Stmt]:
    """`stmt` and everything inside it, in program order, outer before inner."""
    stack = [stmt]
    while stack:
        node = stack.pop()
        yield node
        inside = _INSIDE.get(type(node))
        if inside is not None:
            stack.extend(reversed(inside(node)))
