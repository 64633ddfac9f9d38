"""Loops for schedules whose rows are single iterators, directly.

A schedule is in reach when every band row is one iterator plus a constant and the bounds of iterators are affine, or
depend only on iterators already scanned. Then each member is one loop, a tile member a strip of it, and the parts
of tiles in which some rows of the domain do not hold for every point separate from full ones (`bounds.py`).
isl's AST generator does everything else (`isl_ast.py`), at some hundred times the cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd, lcm

from akg.ir.affine import Affine
from akg.ir.expr import Binary, Const, Expr, Var, binary, select
from akg.ir.rewrite import Substitution
from akg.ir.simplify import simplify
from akg.ir.stmt import For, If, LoopKind, Stmt, Store, block
from akg.poly.astgen.bounds import NotRectangularError, Range, Row, State, Strip, initial_state, range_of
from akg.poly.scop import CopyNames, Scop
from akg.poly.tiling import FULL_TILES
from akg.poly.tree import Band, Domain, Filter, Mark, Member, Node, Sequence, bands

__all__ = ["NotRectangularError", "scan"]

REMAINDER_LANES = 16  # lanes at a time in the symbolic remainder of a vector tile
LEAST_ROWS = 6  # tiles of a symbolic number of rows that pay for whole tiles of their own, whose operands are packed
REGISTER_LANES = 128  # a vector loop of more lanes than this is no register tile: its extent may be anything

States = dict[str, State]
_Inner = Callable[[States], Stmt]
_Kinds = dict[str, set[LoopKind]]


@dataclass(frozen=True, slots=True)
class _Joint:
    """One loop for several statements: its range, in values of the member, relative to the strip if there is one."""

    iterators: dict[str, Var]
    ranges: dict[str, Range]
    begin: Expr
    end: Expr
    full_begin: Expr
    full_end: Expr

    @property
    def splits(self) -> bool:
        return self.full_begin is not self.begin or self.full_end is not self.end


def scan(scop: Scop, tree: Domain) -> tuple[Stmt, frozenset[Expr]]:
    """The loops of a schedule, without the declarations of temporaries, and its guards that only stores need.

    Such a guard keeps instances out that a statement does not have, whose operands may be read all the same.

    Raises:
        NotRectangularError: if the schedule needs the general generator.
    """
    taken = {p.name for p in scop.kernel.params} | {b.name for b in scop.temporaries}
    states = {name: initial_state(s) for name, s in scop.statements.items()}
    scanner = _Scanner(taken, CopyNames(scop.statements))
    return scanner.node(tree.child, states), frozenset(scanner.of_stores)


class _Scanner:
    def __init__(self, taken: set[str], names: CopyNames) -> None:
        self.taken, self.names = taken, names
        self.of_stores: set[Expr] = set()
        self.isolated = False  # full tiles run apart from partial ones, also where no register tile asks for it

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
            before, self.isolated = self.isolated, self.isolated or (isinstance(node, Mark) and node.name == FULL_TILES)
            inner = self.node(node.child, states)
            self.isolated = before
            return inner
        if len(states) > 1:
            raise NotRectangularError(f"statements {', '.join(states)} share a leaf")
        return block(*[self.store(s) for s in states.values()])

    def store(self, state: State) -> Stmt:
        statement = state.statement
        missing = [v.name for v in statement.iterators if v not in state.known]
        if missing:
            raise NotRectangularError(f"{statement.name} has no row for {', '.join(missing)}")
        values = Substitution(state.known)

        def visit(expr: Expr) -> Expr:
            return simplify(values.of(expr))

        store = statement.store
        result: Stmt = Store(
            store.buffer,
            tuple([visit(i) for i in store.indices]),
            visit(store.value),
            self.names.of(store.name),
            store.reduction,
            store.span,
        )
        for guard in reversed(statement.guards):
            result = If(visit(guard), result)
        return _guarded(list(state.guards()[0]), result)

    def members(self, band: Band, position: int, states: States) -> Stmt:
        if position == len(band.members):
            return self.node(band.child, states)
        member = band.members[position]

        def inner(new: States) -> Stmt:
            return self.members(band, position + 1, new)

        if member.skew:
            raise NotRectangularError("a wavefront of tiles")
        if member.tile:
            kinds = _register_kinds(band, position)
            return self.tile(member, states, inner, kinds, _inner_tiles(band, position), not _sums_in_lanes(band))
        return self.point(member, states, inner)

    # -- points -----------------------------------------------------------------------------------------

    def point(self, member: Member, states: States, inner: _Inner) -> Stmt:
        joint = _joint(member, states, {})
        if not joint.splits:
            return self.point_loop(member, states, inner, joint, joint.begin, joint.end, full=True)
        middle = joint.begin
        parts: list[Stmt] = []
        if joint.full_begin is not joint.begin:
            middle = _least(states, joint.full_begin, joint.end)
            parts.append(self.point_loop(member, states, inner, joint, joint.begin, middle, full=False))
        parts.append(self.point_loop(member, states, inner, joint, middle, joint.full_end, full=True))
        if joint.full_end is not joint.end:
            start = _greatest(states, joint.full_end, middle)
            parts.append(self.point_loop(member, states, inner, joint, start, joint.end, full=False))
        return block(*parts)

    def point_loop(
        self, member: Member, states: States, inner: _Inner, joint: _Joint, begin: Expr, end: Expr, *, full: bool
    ) -> Stmt:
        """One loop over a part of a member's range."""
        first = next(iter(states))
        var = self.fresh(joint.iterators[first].name)
        new: States = {}
        conditions: list[Expr] | None = None
        for name, state in states.items():
            iterator = joint.iterators[name]
            strip = state.strips.get(iterator)
            value = var - _shift(member, name) if strip is None else state.expr(strip.base) + var
            settled = joint.ranges[name].full_settled if full else joint.ranges[name].settled
            if _in_registers(member, strip):
                settled = frozenset()  # the loop runs over the whole strip
            bound = state.bind(iterator, simplify(value), settled)
            rows, free = bound.guards()
            found = list(rows)
            if strip is not None and strip.limit is not None:
                found.append(binary("or", binary("lt", var, Const(1)), binary("lt", var, strip.limit)))
            if len(states) == 1:
                self.of_stores.update(c for c, row in rows.items() if bound.may_read_outside(row))
            if conditions is None:
                conditions = found
            if len(conditions) == len(found) and all(a is b for a, b in zip(conditions, found, strict=True)):
                bound = free
            new[name] = bound
        span = states[first].statement.loops[0].span
        return For(var, begin, end, _guarded(conditions or [], inner(new)), member.kind, span=span)

    # -- tiles ------------------------------------------------------------------------------------------

    def tile(self, member: Member, states: States, inner: _Inner, kinds: _Kinds, inside: int, masked: bool) -> Stmt:
        """Loops over tiles; where register tiles of `inside` iterations cut them and one is partial, it runs apart.

        A symbolic number of rows, fewer than those of a register tile, may be one that is `masked`.
        """
        joint = _joint(member, states, kinds)
        size, begin, end = member.tile, joint.begin, joint.end
        name = joint.iterators[next(iter(states))].name + "_t"
        found: set[LoopKind] = {k for some in kinds.values() for k in some}
        is_masked = masked and "unroll" in found and member.coincident
        extent = simplify(end - begin)
        divisor = gcd(size, int(extent)) if isinstance(extent, Const) and not joint.splits else 1

        def body(base: Expr, extent: Expr, ends: list[Expr], *, full: bool, limit: Expr | None = None) -> Stmt:
            """What runs for one strip: a constant number of values from `base`, or up to the least of `ends`.

            Of a constant number, only as many as `limit` says may exist, one at least.
            """
            new = {key: _stripped(key, state, member, joint, kinds, base, extent, ends, limit, divisor, full=full)
                   for key, state in states.items()}  # fmt: skip
            return inner(new)

        def strip_at(at: Expr, step: int, stop: Expr, *, full: bool) -> Stmt:
            """The strip of at most `step` values that starts at `at`."""
            count = simplify(stop - at)
            if step == 1 or (isinstance(count, Const) and int(count) >= step):
                return body(at, Const(step), [], full=full)
            return body(at, binary("min", Const(step), count), [at + step, *_operands(stop)], full=full)

        def loop(start: Expr, stop: Expr, step: int, kind: LoopKind, *, whole: bool, full: bool) -> Stmt:
            var = self.fresh(name)
            strip = body(var, Const(step), [], full=full) if whole else strip_at(var, step, stop, full=full)
            return For(var, start, stop, strip, kind, step)

        def rest(start: Expr, stop: Expr, kind: LoopKind, *, full: bool) -> Stmt:
            """A partial tile. A register tile needs constant extents: a symbolic one runs in small pieces."""
            count = simplify(stop - start)
            if isinstance(count, Const) and int(count) <= size:
                return body(start, count, [], full=full) if int(count) > 0 else block()
            if full and is_masked:
                var = self.fresh(name)
                strip = body(var, Const(size), [], full=True, limit=simplify(stop - var))
                return For(var, start, stop, strip, kind, size)
            step = 1 if "unroll" in found else min(REMAINDER_LANES, size) if found else size
            return loop(start, stop, step, kind, whole=False, full=full)

        if not joint.splits:
            if isinstance(extent, Const) and int(extent) <= size:
                return body(begin, extent, [], full=True)
            remainder = simplify(binary("mod", extent, Const(size)))
            if remainder is Const(0) or all(_is_cut_evenly(s, joint.iterators[n], size) for n, s in states.items()):
                return loop(begin, end, size, member.kind, whole=True, full=True)
            is_uneven = inside > 0 and isinstance(extent, Const) and divisor % inside > 0
            if not found and not self.isolated and not is_uneven:
                return loop(begin, end, size, member.kind, whole=False, full=True)
        if member.kind == "parallel":  # one loop for the threads to share, each iteration with full or partial tiles
            var = self.fresh(name)
            after = simplify(binary("min", var + size, end))
            fits = binary("le", var + size, joint.full_end)
            if joint.full_begin is not begin:
                fits = binary("and", binary("ge", var, joint.full_begin), fits)
            if isinstance(extent, Const) and not joint.splits:  # only the last one is partial: its extent is known
                last = body(var, Const(int(extent) % size), [], full=True)
            else:
                last = rest(var, after, "serial", full=not joint.splits)
            either = If(fits, body(var, Const(size), [], full=True), last)
            return For(var, begin, end, either, member.kind, size)
        parts: list[Stmt] = []
        start = begin
        if joint.full_begin is not begin:
            start = _least(states, joint.full_begin, end)
            parts.append(rest(begin, start, member.kind, full=False))
        span = simplify(joint.full_end - start)
        if not _is_size(span) and not _implied(states, span):
            span = binary("max", span, Const(0))
        stop = _end_of_whole(start, span, size, is_masked and not joint.splits)
        parts.append(loop(start, stop, size, member.kind, whole=True, full=True))
        parts.append(rest(stop, end, member.kind, full=not joint.splits))
        return block(*parts)


def _end_of_whole(start: Expr, span: Expr, size: int, masked: bool) -> Expr:
    """Where whole tiles end; a symbolic number of rows that is small is left to tiles that are `masked`."""
    stop = simplify(start + span - binary("mod", span, Const(size)))
    if not masked or isinstance(span, Const):
        return stop
    return select(binary("ge", span, Const(LEAST_ROWS * size)), stop, start)


def _stripped(
    key: str, state: State, member: Member, joint: _Joint, kinds: _Kinds, base: Expr, extent: Expr, ends: list[Expr],
    limit: Expr | None, divisor: int, *, full: bool,
) -> State:  # fmt: skip
    """The state of a statement inside of one strip of a tiled member."""
    iterator = joint.iterators[key]
    outer, shift = state.strips.get(iterator), _shift(member, key)
    origin = Const(-shift) if outer is None else state.expr(outer.base)
    state, start = state.form(simplify(base + origin))
    forms: list[Affine] = []
    for stop in ends:
        state, form = state.form(simplify(stop + origin))
        forms.append(form)
    count = int(extent) if isinstance(extent, Const) else 0
    last = tuple(forms) or (start + count,)
    strip = Strip(start, last, count, simplify(extent), bool(kinds.get(key)), limit, divisor)
    range_ = joint.ranges[key]
    return state.strip(iterator, strip, range_.full_settled if full else range_.settled)


def _joint(member: Member, states: States, kinds: _Kinds) -> _Joint:
    """Each statement's iterator, and the range that they share."""
    iterators: dict[str, Var] = {}
    ranges: dict[str, Range] = {}
    hull: tuple[Expr, Expr] | None = None
    full: tuple[Expr, Expr] | None = None
    for name, state in states.items():
        row = member.rows[name]
        iterator = iterators[name] = _iterator(row)
        if iterator in state.known:
            raise NotRectangularError(f"{iterator} of {name} is scanned twice")
        if not any(v is iterator for v in state.statement.iterators):
            raise NotRectangularError(f"row {row} of {name} is not an iterator")
        strip = state.strips.get(iterator)
        if _in_registers(member, strip):
            assert strip is not None
            ends, nothing = ((strip.base,), strip.ends), frozenset[Row]()
            ranges[name], own = Range(*ends, *ends, nothing, nothing, False), (Const(0), strip.extent)
        else:
            found = ranges[name] = range_of(state, iterator, bool(kinds.get(name)))
            offset = Affine(None, row.const) if strip is None else strip.base * -1
            own = _ends(state, found.lowers, found.uppers, offset)
            if found.splits:
                whole = _ends(state, found.full_lowers, found.full_uppers, offset)
                if full is not None and (full[0] is not whole[0] or full[1] is not whole[1]):
                    raise NotRectangularError(f"full tiles differ: {full[0]}..{full[1]} and {whole[0]}..{whole[1]}")
                full = whole
        if hull is None:
            hull = own
        elif hull[0] is not own[0] or hull[1] is not own[1]:
            raise NotRectangularError(f"ranges differ: {hull[0]}..{hull[1]} and {own[0]}..{own[1]} of {name}")
    assert hull is not None
    return _Joint(iterators, ranges, *hull, *(full or hull))


def _ends(
    state: State, lowers: tuple[Affine, ...], uppers: tuple[Affine, ...], offset: Affine
) -> tuple[Expr, Expr]:
    """The greatest lower and the least upper bound, moved by an offset."""
    result: list[Expr] = []
    for op, forms in (("max", lowers), ("min", uppers)):
        value = state.expr(forms[0] + offset)
        for form in forms[1:]:
            value = binary(op, value, state.expr(form + offset))
        result.append(simplify(value))
    return result[0], result[1]


def _in_registers(member: Member, strip: Strip | None) -> bool:
    """Whether a point loop runs over a whole strip, since its iterations are places in registers."""
    return strip is not None and strip.in_registers and not member.tile and member.kind in ("unroll", "vector")


def _sums_in_lanes(band: Band) -> bool:
    """Whether lanes run along a sum in a band or below it."""
    nests = [band, *bands(band.child)]
    return any(m.kind == "vector" and not m.coincident for nest in nests for m in nest.members)


def _guarded(conditions: list[Expr], body: Stmt) -> Stmt:
    for condition in reversed(conditions):
        body = If(condition, body)
    return body


def _operands(stop: Expr) -> list[Expr]:
    """The operands of nested minima."""
    if isinstance(stop, Binary) and stop.op == "min":
        return [*_operands(stop.a), *_operands(stop.b)]
    return [stop]


def _is_size(extent: Expr) -> bool:
    """Whether an extent is a sum of sizes, and so cannot be negative. Only sizes are variables outside of loops."""
    form = Affine.of(extent)
    return form is not None and form.const >= 0 and all(c > 0 for c in form.terms.values())


def _implied(states: States, extent: Expr) -> bool:
    """Whether all statements know that an extent is not negative."""
    form = Affine.of(extent)
    return form is not None and all(s.implies(form) for s in states.values())


def _least(states: States, a: Expr, b: Expr) -> Expr:
    """The lesser one, where that is known."""
    return a if _implied(states, b - a) else simplify(binary("min", a, b))


def _greatest(states: States, a: Expr, b: Expr) -> Expr:
    return a if _implied(states, a - b) else simplify(binary("max", a, b))


def _shift(member: Member, name: str) -> int:
    return member.rows[name].const


def _iterator(row: Affine) -> Var:
    if len(row.terms) != 1:
        raise NotRectangularError(f"row {row} is not one iterator")
    (var, coefficient), *_ = row.terms.items()
    if coefficient != 1:
        raise NotRectangularError(f"row {row} has a coefficient other than 1")
    return var


def _inner_tiles(band: Band, position: int) -> int:
    """The iterations of register tiles, in the band or below, that cut a parallel tile member; 0 if none do."""
    member = band.members[position]
    if member.kind != "parallel":
        return 0
    below = [(band, p) for p in range(position + 1, len(band.members))]
    below += [(inner, p) for inner in bands(band.child) for p in range(len(inner.members))]
    return lcm(*[
        inner.members[p].tile for inner, p in below
        if inner.members[p].tile and inner.members[p].rows.items() <= member.rows.items() and _register_kinds(inner, p)
    ] or [0])  # fmt: skip


def _is_cut_evenly(state: State, iterator: Var, size: int) -> bool:
    """Whether the strip of an iterator, however long, is whole tiles of a size."""
    strip = state.strips.get(iterator)
    return strip is not None and strip.divisor % size == 0


def _register_kinds(band: Band, position: int) -> _Kinds:
    """For each statement, the kinds among unroll and vector of the points of a tile member in bands below.

    Lanes in the same band have no loop around them that would re-use registers.
    """
    rows = {name: next(iter(row.terms), None) for name, row in band.members[position].rows.items()}
    found: _Kinds = {}
    cut: set[str] = set()  # statements for which a tile below cuts this one: points are of that one
    size = band.members[position].tile

    def note(members: tuple[Member, ...], lanes: bool) -> None:
        for member in members:
            of_registers = member.kind == "unroll" or (member.kind == "vector" and lanes and size <= REGISTER_LANES)
            for name, row in member.rows.items():
                if rows.get(name) not in row.terms or name in cut:
                    continue
                if member.tile:
                    cut.add(name)
                elif of_registers:
                    found.setdefault(name, set()).add(member.kind)

    note(band.members[position + 1 :], False)
    for inner in bands(band.child):
        note(inner.members, True)
    return found
