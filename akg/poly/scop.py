"""The polyhedral view of a kernel: statements with their loops, guards and accesses, and the original schedule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from akg.base.dtype import index
from akg.base.errors import InternalError
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Expr, Load, Select, Var, unary
from akg.ir.stmt import Alloc, Block, For, If, Kernel, Stmt, Store
from akg.poly.tree import LEAF, Band, Domain, Filter, Member, Node, Sequence


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """One array reference of a statement.

    Attributes:
        conditions: the lazy selects that guard it.
        strides: along variables, as far as `akg.poly.access.stride` was asked.
    """

    buffer: Buffer
    indices: tuple[Expr, ...]
    is_write: bool
    conditions: tuple[Expr, ...] = ()
    strides: dict[Var, int] = field(default_factory=dict[Var, int], init=False, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """A store with the loops and conditions around it.

    The iteration domain is ``begin <= iterator < end`` for every loop, where each `guards` condition holds.
    Loops have step 1 (frontends normalise).

    Attributes:
        iterators: the loop variables, outermost first.
        accesses: the reads, then the write.
    """

    name: str
    store: Store
    loops: tuple[For, ...]
    guards: tuple[Expr, ...]
    reads: tuple[Access, ...]
    write: Access
    iterators: tuple[Var, ...] = field(init=False)
    accesses: tuple[Access, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "iterators", tuple([loop.var for loop in self.loops]))
        object.__setattr__(self, "accesses", (*self.reads, self.write))


@dataclass(frozen=True, slots=True, eq=False)
class Scop:
    """A kernel as statements.

    Attributes:
        kernel: the loop IR that it was read from.
        statements: by name, in textual order.
        sizes: the symbolic sizes (index variables) of the kernel.
        temporaries: buffers that the kernel allocates, with the number of statement loops around each.
        tree: the original schedule.
    """

    kernel: Kernel
    statements: dict[str, Statement]
    sizes: tuple[Var, ...]
    temporaries: dict[Buffer, int] = field(default_factory=dict)
    tree: Domain = field(default_factory=lambda: Domain((), LEAF))


def extract_scop(kernel: Kernel) -> Scop:
    """Read the statements and the original schedule off a kernel's loop IR.

    Loops that directly enclose one another form one band; `permutable` and `coincident` are left unset.
    """
    reader = _Reader()
    node = reader.visit(kernel.body, (), ())
    sizes = tuple([p.value for p in kernel.params if isinstance(p.value, Var) and p.value.dtype is index])
    tree = Domain(tuple(reader.statements), node)
    return Scop(kernel, reader.statements, sizes, reader.temporaries, tree)


class _Reader:
    def __init__(self) -> None:
        self.statements: dict[str, Statement] = {}
        self.temporaries: dict[Buffer, int] = {}

    def visit(self, stmt: Stmt, loops: tuple[For, ...], guards: tuple[Expr, ...]) -> Node:
        if isinstance(stmt, Store):
            self.statements[stmt.name] = _statement(stmt, loops, guards)
            return LEAF
        if isinstance(stmt, Alloc):
            self.temporaries[stmt.buffer] = len(loops)
            return self.visit(stmt.body, loops, guards)
        if isinstance(stmt, For):
            first = len(self.statements)
            child = self.visit(stmt.body, (*loops, stmt), guards)
            names = list(self.statements)[first:]
            row = Affine.var(stmt.var)
            member = Member(dict.fromkeys(names, row), kind=stmt.kind)
            if isinstance(child, Band):
                return Band((member, *child.members), False, child.child)
            return Band((member,), False, child)
        if isinstance(stmt, If):
            parts = [(stmt.then, (*guards, stmt.cond))]
            if stmt.orelse is not None:
                parts.append((stmt.orelse, (*guards, unary("not", stmt.cond))))
            return self._sequence([(s, loops, g) for s, g in parts])
        if isinstance(stmt, Block):
            return self._sequence([(s, loops, guards) for s in stmt.body])
        raise InternalError(f"{type(stmt).__name__} in a kernel that is to be scheduled")

    def _sequence(self, parts: list[tuple[Stmt, tuple[For, ...], tuple[Expr, ...]]]) -> Node:
        filters: list[Filter] = []
        for stmt, loops, guards in parts:
            first = len(self.statements)
            child = self.visit(stmt, loops, guards)
            names = tuple(list(self.statements)[first:])
            if not names:
                continue
            if isinstance(child, Sequence):
                filters.extend(child.children)
            else:
                filters.append(Filter(names, child))
        if len(filters) == 1:
            return filters[0].child
        return Sequence(tuple(filters)) if filters else LEAF


def _statement(store: Store, loops: tuple[For, ...], guards: tuple[Expr, ...]) -> Statement:
    reads: dict[tuple[int, ...], Access] = {}
    seen: set[tuple[int, ...]] = set()
    for expr in (*store.indices, store.value, *guards):
        _collect(expr, (), reads, seen)
    write = Access(store.buffer, store.indices, True)
    return Statement(store.name, store, loops, guards, tuple(reads.values()), write)


def _collect(
    expr: Expr, conditions: tuple[Expr, ...], reads: dict[tuple[int, ...], Access], seen: set[tuple[int, ...]]
) -> None:
    """Every load in `expr`, once under each set of conditions; an expression is a DAG, so each node counts once."""
    key = (id(expr), *map(id, conditions))
    if key in seen:
        return
    seen.add(key)
    if isinstance(expr, Load):
        reads[key] = Access(expr.buffer, expr.indices, False, conditions)
        for inner in expr.indices:
            _collect(inner, conditions, reads, seen)
    elif isinstance(expr, Select):
        _collect(expr.cond, conditions, reads, seen)
        _collect(expr.a, (*conditions, expr.cond), reads, seen)
        _collect(expr.b, (*conditions, unary("not", expr.cond)), reads, seen)
    else:
        for child in expr.children:
            _collect(child, conditions, reads, seen)


class CopyNames:
    """Names of stores where statements are written out several times: names are unique in a kernel."""

    def __init__(self, statements: Iterable[str]) -> None:
        self._taken = set(statements)
        self._copies: dict[str, int] = {}

    def of(self, statement: str) -> str:
        """The statement's own name for its first copy, another one for each further."""
        count = self._copies.get(statement, 0)
        name = statement
        while count and name in self._taken:
            name = f"{statement}_{count}"
            count += 1
        self._copies[statement] = max(count, 1)
        self._taken.add(name)
        return name
