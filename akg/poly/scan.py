"""Loops for rectangular schedules, directly.

A schedule is *rectangular* when every band row is one iterator plus a constant, and the bounds of that iterator
depend only on iterators already scanned. Then each member is one loop, a tile member a strip of it, and full
tiles separate from partial ones by arithmetic on constants. isl's AST generator does everything else
(`isl_ast.py`), at some hundred times the cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from akg.ir.affine import Affine
from akg.ir.expr import Const, Expr, Var, binary
from akg.ir.rewrite import rewrite
from akg.ir.simplify import simplify
from akg.ir.stmt import For, If, LoopKind, Stmt, Store, block
from akg.poly.scop import Scop, Statement
from akg.poly.tree import Band, Domain, Filter, Mark, Member, Node, Sequence, bands

REMAINDER_LANES = 16  # lanes at a time in the symbolic remainder of a vector tile
REGISTER_LANES = 128  # a vector loop of more lanes than this is no register tile: its extent may be anything


class NotRectangularError(Exception):
    """The schedule needs the general generator; the argument says why."""


@dataclass(frozen=True, slots=True)
class _Strip:
    """An iterator whose tile is chosen: ``iterator = base + point`` with ``0 <= point < extent``."""

    base: Expr
    extent: Expr


@dataclass(frozen=True, slots=True)
class _State:
    """What is known of a statement's iterators at a place in the tree."""

    statement: Statement
    known: dict[Var, Expr]
    strips: dict[Var, _Strip]

    def bind(self, iterator: Var, value: Expr) -> _State:
        return replace(self, known={**self.known, iterator: value})

    def strip(self, iterator: Var, strip: _Strip) -> _State:
        return replace(self, strips={**self.strips, iterator: strip})


States = dict[str, _State]
_Inner = Callable[[States], Stmt]


def scan(scop: Scop, tree: Domain) -> Stmt:
    """The loops of a rectangular schedule, without the declarations of temporaries.

    Raises:
        NotRectangularError: if the schedule is not rectangular.
    """
    taken = {p.name for p in scop.kernel.params} | {b.name for b in scop.temporaries}
    states = {name: _State(s, {}, {}) for name, s in scop.statements.items()}
    return _Scanner(taken).node(tree.child, states)


class _Scanner:
    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        self.stores: dict[str, int] = {}

    def fresh(self, base: str) -> Var:
        name, count = base, 0
        while name in self.taken:
            count += 1
            name = f"{base}_{count}"
        self.taken.add(name)
        return Var(name)

    def node(self, node: Node, states: States) -> Stmt:
        if isinstance(node, Band):
            return self.members(node, 0, states)
        if isinstance(node, Sequence):
            return block(*[self.node(f.child, {n: states[n] for n in f.statements}) for f in node.children])
        if isinstance(node, (Filter, Mark)):
            return self.node(node.child, states)
        if len(states) > 1:
            raise NotRectangularError(f"statements {', '.join(states)} share a leaf")
        return block(*[self.store(s) for s in states.values()])

    def store(self, state: _State) -> Stmt:
        statement = state.statement
        missing = [v.name for v in statement.iterators if v not in state.known]
        if missing:
            raise NotRectangularError(f"{statement.name} has no row for {', '.join(missing)}")
        memo: dict[Expr, Expr] = {}
        done: dict[Expr, Expr] = {}

        def visit(expr: Expr) -> Expr:
            new = rewrite(expr, lambda e: state.known.get(e) if isinstance(e, Var) else None, memo)
            return simplify(new, done)

        count = self.stores.get(statement.name, 0)
        self.stores[statement.name] = count + 1
        store = statement.store
        result: Stmt = Store(
            store.buffer,
            tuple([visit(i) for i in store.indices]),
            visit(store.value),
            store.name if count == 0 else f"{store.name}_{count}",
            store.reduction,
            store.span,
        )
        for guard in reversed(statement.guards):
            result = If(visit(guard), result)
        return result

    def members(self, band: Band, position: int, states: States) -> Stmt:
        if position == len(band.members):
            return self.node(band.child, states)
        member = band.members[position]

        def inner(new: States) -> Stmt:
            return self.members(band, position + 1, new)

        if member.skew:
            raise NotRectangularError("a wavefront of tiles")
        if member.tile:
            return self.tile(member, states, inner, _register_kinds(band, position))
        return self.point(member, states, inner)

    def point(self, member: Member, states: States, inner: _Inner) -> Stmt:
        iterators, begin, extent = _common_range(member, states)
        first = next(iter(states))
        var = self.fresh(iterators[first].name)
        new: States = {}
        for name, state in states.items():
            base = state.strips[iterators[name]].base if iterators[name] in state.strips else None
            shift = _shift(member, name)
            value = var - shift if base is None else base + var
            new[name] = state.bind(iterators[name], simplify(value))
        end = simplify(begin + extent)
        return For(var, begin, end, inner(new), member.kind, span=states[first].statement.loops[0].span)

    def tile(self, member: Member, states: States, inner: _Inner, kinds: set[LoopKind]) -> Stmt:
        iterators, begin, extent = _common_range(member, states)
        size = Const(member.tile)
        first = next(iter(states))
        name = iterators[first].name + "_t"

        def body(at: Expr, rest: Expr) -> Stmt:
            new: States = {}
            for key, state in states.items():
                strip = state.strips.get(iterators[key])
                # Tiles start where the loop starts. That shifts them against multiples of the size by a number that
                # is fixed for each iteration of the outer loops, which no dependence inside a tile can notice.
                base = begin + at - _shift(member, key) if strip is None else strip.base + at
                new[key] = state.strip(iterators[key], _Strip(simplify(base), simplify(rest)))
            return inner(new)

        def loop(start: Expr, stop: Expr, rest: Expr | None, kind: LoopKind) -> Stmt:
            var = self.fresh(name)
            count = rest if rest is not None else binary("min", size, stop - var)
            return For(var, start, stop, body(var, count), kind, member.tile)

        if isinstance(extent, Const) and int(extent) <= member.tile:
            return body(Const(0), extent)
        remainder = simplify(binary("mod", extent, size))
        if remainder is Const(0):
            return loop(Const(0), extent, size, member.kind)
        if not kinds:
            return loop(Const(0), extent, None, member.kind)
        full = simplify(extent - remainder)
        if member.kind == "parallel":  # one loop for the threads to share, the partial tile its last iteration
            var = self.fresh(name)
            whole = body(var, size)
            rest = self.remainder(body, full, extent, remainder, name, kinds, "serial")
            return For(var, Const(0), extent, If(binary("lt", var, full), whole, rest), member.kind, member.tile)
        return block(
            loop(Const(0), full, size, member.kind),
            self.remainder(body, full, extent, remainder, name, kinds, member.kind),
        )

    def remainder(
        self,
        body: Callable[[Expr, Expr], Stmt],
        full: Expr,
        extent: Expr,
        remainder: Expr,
        name: str,
        kinds: set[LoopKind],
        kind: LoopKind,
    ) -> Stmt:
        """The partial tile. A register tile needs constant extents: a symbolic remainder runs in small pieces."""
        if isinstance(remainder, Const):
            return body(full, remainder)
        step = 1 if "unroll" in kinds else REMAINDER_LANES
        var = self.fresh(name)
        count = Const(1) if step == 1 else binary("min", Const(step), extent - var)
        return For(var, full, extent, body(var, count), kind, step)


def _shift(member: Member, name: str) -> int:
    return member.rows[name].const


def _iterator(row: Affine) -> Var:
    if len(row.terms) != 1:
        raise NotRectangularError(f"row {row} is not one iterator")
    (var, coefficient), *_ = row.terms.items()
    if coefficient != 1:
        raise NotRectangularError(f"row {row} has a coefficient other than 1")
    return var


def _common_range(member: Member, states: States) -> tuple[dict[str, Var], Expr, Expr]:
    """Each statement's iterator, and the range (begin, extent) that they share."""
    iterators: dict[str, Var] = {}
    shared: tuple[Expr, Expr] | None = None
    for name, state in states.items():
        row = member.rows[name]
        iterator = iterators[name] = _iterator(row)
        if iterator in state.known:
            raise NotRectangularError(f"{iterator} of {name} is scanned twice")
        strip = state.strips.get(iterator)
        if strip is not None:
            own = (Const(0), strip.extent)
        else:
            loop = next((f for f in state.statement.loops if f.var is iterator), None)
            if loop is None:
                raise NotRectangularError(f"row {row} of {name} is not an iterator")
            begin, end = _bound(loop.begin, state), _bound(loop.end, state)
            own = (simplify(begin + row.const), simplify(end - begin))
        if shared is None:
            shared = own
        elif shared[0] is not own[0] or shared[1] is not own[1]:
            raise NotRectangularError(f"ranges differ: {shared[0]}+{shared[1]} and {own[0]}+{own[1]} of {name}")
    assert shared is not None
    return iterators, shared[0], shared[1]


def _bound(expr: Expr, state: _State) -> Expr:
    inner = set(state.statement.iterators)

    def rule(node: Expr) -> Expr | None:
        if isinstance(node, Var) and node in inner:
            if node not in state.known:
                raise NotRectangularError(f"a bound of {state.statement.name} depends on {node}, scanned later")
            return state.known[node]
        return None

    return rewrite(expr, rule)


def _register_kinds(band: Band, position: int) -> set[LoopKind]:
    """The kinds among unroll and vector of the point loops, somewhere below, of the tile member at `position`."""
    rows = {name: next(iter(row.terms), None) for name, row in band.members[position].rows.items()}
    found: set[LoopKind] = set()
    size = band.members[position].tile

    def note(members: tuple[Member, ...]) -> None:
        for member in members:
            if member.kind == "unroll" or (member.kind == "vector" and size <= REGISTER_LANES):
                if not member.tile and any(rows.get(name) in row.terms for name, row in member.rows.items()):
                    found.add(member.kind)

    note(band.members[position + 1 :])
    for inner in bands(band.child):
        note(inner.members)
    return found
