"""Statement instances at small sizes, in their original order, and the conflicts between them: for pictures.

Large programs are drawn by their corner: the first iterations of each loop. A pair of conflicting instances is kept
where nothing between them writes the element, which is what a person would draw; the dependences of the scheduler are
all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Cast, Const, Expr, Select, Unary, Var
from akg.poly.dependence import is_accumulation
from akg.poly.scop import Access, Scop, Statement
from akg.poly.tree import Domain, Member, Step, paths

WINDOWS = {0: 1, 1: 10, 2: 10, 3: 6, 4: 5, 5: 4, 6: 3}  # iterations of each loop, by the depth of the deepest nest
MOST_INSTANCES = 1500
Env = dict[Var, int]
Time = tuple[int, ...]
_Element = tuple[Buffer, tuple[int, ...]]


class OpaqueError(Exception):
    """An expression depends on data."""


@dataclass(slots=True, eq=False)
class Instance:
    """One execution of a statement.

    Attributes:
        values: of its iterators.
        env: iterators and sizes.
    """

    statement: Statement
    values: tuple[int, ...]
    env: Env = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Conflict:
    """Two instances that touch one element in this order; `kind` may also be "reduction"."""

    kind: str
    buffer: Buffer
    source: Instance
    sink: Instance


@dataclass(frozen=True, slots=True, eq=False)
class Instances:
    """Instances in original order.

    Attributes:
        sizes: the symbolic sizes that they are for.
        window: iterations of each loop that are listed at most.
        is_cut: whether some loops have more.
    """

    all: list[Instance]
    sizes: dict[Var, int]
    window: int
    is_cut: bool


def small_instances(scop: Scop) -> Instances:
    """The instances at sizes of a few iterations: as many as a picture can show."""
    depth = max((len(s.loops) for s in scop.statements.values()), default=0)
    window = WINDOWS.get(depth, 2)
    while True:
        found = instances(scop, dict.fromkeys(scop.sizes, window), window)
        if len(found.all) <= MOST_INSTANCES or window <= 2:
            break
        window -= 1
    for extra in range(1, 9):  # sizes at which every statement runs, for kernels with wide borders
        if len({i.statement.name for i in found.all}) == len(scop.statements):
            break
        found = instances(scop, dict.fromkeys(scop.sizes, window + extra), window)
    return found


def instances(scop: Scop, sizes: dict[Var, int], window: int) -> Instances:
    """The instances at given sizes, the first `window` iterations of each loop."""
    cut = [False]
    steps = paths(scop.tree)
    timed: list[tuple[Time, int, Instance]] = []
    for position, statement in enumerate(scop.statements.values()):
        for values, env in _points(statement, 0, (), dict(sizes), window, cut):
            timed.append(
                (time_of(steps[statement.name], statement.name, env), position, Instance(statement, values, env))
            )
    timed.sort(key=lambda entry: entry[:2])
    return Instances([entry[2] for entry in timed], sizes, window, cut[0])


def _points(
    statement: Statement, k: int, values: tuple[int, ...], env: Env, window: int, cut: list[bool]
) -> Iterator[tuple[tuple[int, ...], Env]]:
    if k == len(statement.loops):
        if all(_holds(guard, env) for guard in statement.guards):
            yield values, dict(env)
        return
    loop = statement.loops[k]
    begin = _bound(loop.begin, env, 0)
    end = _bound(loop.end, env, begin + window)
    cut[0] = cut[0] or end > begin + window
    for value in range(begin, min(end, begin + window)):
        env[loop.var] = value
        yield from _points(statement, k + 1, (*values, value), env, window, cut)
    env.pop(loop.var, None)


def _bound(expr: Expr, env: Env, otherwise: int) -> int:
    try:
        return evaluate(expr, env)
    except OpaqueError:
        return otherwise


def _holds(guard: Expr, env: Env) -> bool:
    """Whether a condition may hold."""
    try:
        return bool(evaluate(guard, env))
    except OpaqueError:
        return True


_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b, "min": min, "max": max, "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
    "and": lambda a, b: a & b, "or": lambda a, b: a | b,
}  # fmt: skip


def evaluate(expr: Expr, env: Mapping[Var, int]) -> int:
    """The value of an index expression or condition.

    Raises:
        OpaqueError: if it depends on data or on floating-point numbers.
    """
    if isinstance(expr, Var):
        if expr not in env:
            raise OpaqueError
        return env[expr]
    if isinstance(expr, Const):
        if isinstance(expr.value, float):
            raise OpaqueError
        return int(expr.value)
    if isinstance(expr, Binary) and expr.op in _OPERATIONS:
        a, b = evaluate(expr.a, env), evaluate(expr.b, env)
        if expr.op in ("floordiv", "mod") and b == 0:
            raise OpaqueError
        return _OPERATIONS[expr.op](a, b)
    if isinstance(expr, Unary) and expr.op in ("neg", "not"):
        value = evaluate(expr.a, env)
        return -value if expr.op == "neg" else int(not value)
    if isinstance(expr, Select):
        return evaluate(expr.a if evaluate(expr.cond, env) else expr.b, env)
    if isinstance(expr, Cast):
        return evaluate(expr.a, env)
    raise OpaqueError


# --- time ------------------------------------------------------------------------------------------------------


def time_of(steps: Sequence[Step], name: str, env: Env, tiles: Mapping[int, int] | None = None) -> Time:
    """The time vector of an instance on its path; `tiles` has other sizes for tiles."""
    return tuple([s.position if s.member is None else value_of(s.member, name, env, tiles) for s in steps])


def value_of(member: Member, name: str, env: Env, tiles: Mapping[int, int] | None = None) -> int:
    """The value of a member for an instance: its row, or the number of its tile."""
    total = 0
    for form in (member.rows[name], *[rows[name] for rows in member.skew]):
        value = form.const + sum(c * env[v] for v, c in form.terms.items())
        total += value // (tiles or {}).get(member.tile, member.tile) if member.tile else value
    return total


def small_tiles(tree: Domain, window: int) -> dict[int, int]:
    """Sizes of tiles for a picture, by the sizes of the schedule: 2 or 3, the next larger ones twice that.

    Tiles of skewed rows are wider by their largest coefficient, so that they keep their shape.
    """
    widths: dict[int, int] = {}
    for path in paths(tree).values():
        for member in [s.member for s in path if s.member is not None and s.member.tile]:
            coefficients = [abs(c) for row in member.rows.values() for c in row.terms.values()]
            widths[member.tile] = max(widths.get(member.tile, 1), *coefficients, 1)
    result: dict[int, int] = {}
    drawn = 3 if window >= 6 else 2
    for size, width in sorted(widths.items()):
        result[size] = min(size, drawn * width)
        drawn *= 2
    return result


# --- conflicts -------------------------------------------------------------------------------------------------


def conflicts(scop: Scop, ordered: Sequence[Instance]) -> list[Conflict]:
    """The conflicts of instances in original order with no write of the element between them."""
    written = {s.write.buffer for s in scop.statements.values()}
    writer: dict[_Element, Instance] = {}
    readers: dict[_Element, list[tuple[Instance, Access]]] = {}
    found: dict[tuple[int, int, str, str], Conflict] = {}

    def add(kind: str, source: Instance, sink: Instance, a: Access, b: Access) -> None:
        if source is sink:
            return
        same = source.statement is sink.statement and a.indices == b.indices
        kind = "reduction" if same and is_accumulation(source.statement.store) else kind
        found.setdefault((id(source), id(sink), kind, a.buffer.name), Conflict(kind, a.buffer, source, sink))

    for instance in ordered:
        write = instance.statement.write
        for access in instance.statement.reads:
            element = _element(access, instance.env) if access.buffer in written else None
            if element is not None:
                if element in writer:
                    add("flow", writer[element], instance, writer[element].statement.write, access)
                readers.setdefault(element, []).append((instance, access))
        element = _element(write, instance.env)
        if element is not None:
            for reader, access in readers.pop(element, ()):
                add("anti", reader, instance, access, write)
            if element in writer:
                add("output", writer[element], instance, writer[element].statement.write, write)
            writer[element] = instance
    return list(found.values())


def _element(access: Access, env: Env) -> _Element | None:
    """The element that is touched; None if that is unknown, or if nothing is."""
    try:
        if not all(evaluate(c, env) for c in access.conditions):
            return None
        return access.buffer, tuple([evaluate(e, env) for e in access.indices])
    except OpaqueError:
        return None
