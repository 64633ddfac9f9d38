"""Bounds of loops over convex domains, where iterators are scanned in any order and some of them in tiles.

The rows of a statement's domain are affine forms that must not be negative. While loops are opened from outside in,
each iterator is *known* (its loop is open), in a *strip* (its tile is chosen), or still *free*. The range of the
next iterator comes from the rows that mention it: free iterators and strips are projected out (Fourier and Motzkin)
for the *hull*, outside of which nothing runs; and strips are taken at their worst for the *full* range, inside of
which the rows hold for every point of the strips, so that nothing needs a guard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from akg.base.dtype import index
from akg.ir.affine import Affine
from akg.ir.expr import Binary, Const, Expr, Var, binary
from akg.ir.rewrite import rewrite
from akg.ir.simplify import simplify
from akg.poly.access import depends_on
from akg.poly.scop import Statement
from akg.poly.tile.lanes import is_accumulator


class NotRectangularError(Exception):
    """The schedule needs the general generator; the argument says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """``form >= 0``, a bound of the loop over `owner` that ties together the iterators `over`."""

    owner: Var
    form: Affine
    over: tuple[Var, ...]

    def at(self, values: Mapping[Var, Affine]) -> Row:
        """The row at some values."""
        form = self.form.substitute(values)
        return self if form is self.form else Row(self.owner, form, self.over)


@dataclass(frozen=True, slots=True)
class Strip:
    """The part of an iterator's range that a tile takes: ``base <= iterator`` and ``iterator < end`` for every end.

    Attributes:
        base: the first value.
        ends: where it ends: the least of them.
        size: the number of values if it is constant and full, else 0.
        extent: the number of values.
        in_registers: whether the points of the tile are unrolled or lanes of a register tile.
        limit: the values that exist, one at least; None if all do.
        divisor: of the number of values, whatever that is.
    """

    base: Affine
    ends: tuple[Affine, ...]
    size: int
    extent: Expr
    in_registers: bool = False
    limit: Expr | None = None
    divisor: int = 1

    @property
    def last(self) -> Affine:
        """No value of the strip is greater."""
        return self.base + (self.size - 1) if self.size else self.ends[0] + -1


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a statement's iterators at a place in the tree.

    Attributes:
        rows: the bounds that still have to be taken care of, over free and stripped iterators, the variables of
            loops, and sizes.
        known: the values of iterators.
        strips: the tiles of iterators.
        opaque: bounds over iterators that are not affine, by the variable that stands for each in rows.
        values: expressions over loops that are not affine, in the same way.
        facts: forms over loops and sizes that are not negative.
    """

    statement: Statement
    rows: tuple[Row, ...]
    known: dict[Var, Expr] = field(default_factory=dict[Var, Expr])
    strips: dict[Var, Strip] = field(default_factory=dict[Var, Strip])
    opaque: dict[Var, Expr] = field(default_factory=dict[Var, Expr])
    values: dict[Var, Expr] = field(default_factory=dict[Var, Expr])
    facts: tuple[Affine, ...] = ()

    def bind(self, iterator: Var, value: Expr, settled: frozenset[Row]) -> State:
        """With the value of an iterator; rows that its loop takes care of become facts."""
        state, form = self.form(value)
        at = {_atom(iterator.name): form}
        rows = tuple([r.at(at) for r in self.rows if r not in settled])
        facts = state._learnt([r.form.substitute(at) for r in settled])
        strips = {v: s for v, s in self.strips.items() if v is not iterator}
        return replace(state, rows=rows, known={**self.known, iterator: value}, strips=strips, facts=facts)

    def strip(self, iterator: Var, strip: Strip, settled: frozenset[Row]) -> State:
        """With a tile of an iterator; rows that hold in all of it become facts."""
        rows = tuple([r for r in self.rows if r not in settled])
        state = replace(self, rows=rows, strips={**self.strips, iterator: strip})
        atom = _atom(iterator.name)  # the last value of a partial strip is not known
        is_full = strip.size and strip.limit is None
        sure = [r.form for r in settled if is_full or r.form.coefficient(atom) > 0]
        return replace(state, facts=state._learnt([_worst(state, f, [iterator]) for f in sure]))

    def _learnt(self, forms: list[Affine]) -> tuple[Affine, ...]:
        """The facts and those among the forms that are over loops and sizes only."""
        atoms = {_atom(v.name) for v in self.statement.iterators}
        return (*self.facts, *[f for f in forms if f.terms and not any(v in atoms for v in f.terms)])

    def implies(self, form: Affine) -> bool:
        """Whether a form is known not to be negative."""
        if form.is_const:
            return form.const >= 0
        return any((rest := form - fact).is_const and rest.const >= 0 for fact in self.facts)

    def form(self, value: Expr) -> tuple[State, Affine]:
        """An expression as a form; one that is not affine becomes an atom."""
        form = Affine.of(value)
        if form is not None:
            return self, form
        atom = Var(f"#value{len(self.values)}", index)
        return replace(self, values={**self.values, atom: value}), Affine.var(atom)

    def guards(self) -> tuple[dict[Expr, Row], State]:
        """Conditions for the rows whose iterators are all known, and the state without these rows."""
        ready = [r for r in self.rows if not self.waiting(r)]
        if not ready:
            return {}, self
        conditions = {simplify(binary("ge", self.expr(r.form), Const(0))): r for r in ready}
        kept = {c: r for c, r in conditions.items() if not (isinstance(c, Const) and c.value)}
        return kept, replace(self, rows=tuple([r for r in self.rows if r not in ready]))

    def may_read_outside(self, row: Row) -> bool:
        """Whether the statement may read its operands where only this row fails, in the hull of all rows.

        So it is if no operand depends on two of the iterators that the row ties together: then each operand is
        one that some instance in the domain reads. Other rows must not tie these iterators to further ones.
        """
        statement = self.statement
        tied = [r for r in initial_state(statement).rows if len(r.over) > 1]
        if statement.guards or any(not set(r.over) <= set(row.over) for r in tied):
            return False
        reads = [a for a in statement.reads if not is_accumulator(a, statement)]
        return all(not a.conditions and sum(depends_on(a, v) for v in row.over) < 2 for a in reads)

    def waiting(self, row: Row) -> list[Var]:
        """The iterators in a row that are not known yet."""
        return [v for v in self.statement.iterators if v not in self.known and row.form.coefficient(_atom(v.name))]

    def expr(self, form: Affine) -> Expr:
        """A form over loops and sizes as an expression."""
        expr = form.to_expr()
        if not any(v in self.opaque or v in self.values for v in form.terms):
            return expr

        def rule(node: Expr) -> Expr | None:
            if not isinstance(node, Var):
                return None
            if node in self.opaque:
                return rewrite(self.opaque[node], self._iterator)
            return self.values.get(node)

        return rewrite(expr, rule)

    def _iterator(self, node: Expr) -> Expr | None:
        if not any(v is node for v in self.statement.iterators):
            return None
        assert isinstance(node, Var)
        if node not in self.known:
            raise NotRectangularError(f"a bound of {self.statement.name} depends on {node}, scanned later")
        return self.known[node]


@dataclass(frozen=True, slots=True)
class Range:
    """The values of an iterator: the least is the greatest of the lowers, and every upper is greater.

    Attributes:
        lowers: of the hull.
        uppers: of the hull.
        full_lowers: of the full range; the same as `lowers` where no strip matters.
        full_uppers: of the full range.
        settled: rows that hold in the hull.
        full_settled: rows that hold in the full range.
        splits: whether a register tile has a part in which rows do not hold for all its points.
    """

    lowers: tuple[Affine, ...]
    uppers: tuple[Affine, ...]
    full_lowers: tuple[Affine, ...]
    full_uppers: tuple[Affine, ...]
    settled: frozenset[Row]
    full_settled: frozenset[Row]
    splits: bool


def initial_state(statement: Statement) -> State:
    """Nothing known yet."""
    rows: list[Row] = []
    opaque: dict[Var, Expr] = {}
    atoms = {v: Affine.var(_atom(v.name)) for v in statement.iterators}

    def form(bound: Expr) -> Affine:
        known = Affine.of(bound)
        if known is None:
            atom = Var(f"#bound{len(opaque)}", index)
            opaque[atom] = bound
            return Affine.var(atom)
        return known.substitute(atoms) if known.terms else known

    def row(owner: Var, bound: Affine) -> Row:
        over = tuple([v for v in statement.iterators if _atom(v.name) in bound.terms])
        return Row(owner, bound, over)

    for loop in statement.loops:
        own = atoms[loop.var]
        rows += [row(loop.var, own - form(b)) for b in _operands(loop.begin, "max")]
        rows += [row(loop.var, form(e) - own + -1) for e in _operands(loop.end, "min")]
    return State(statement, tuple(rows), opaque=opaque)


def range_of(state: State, iterator: Var, in_registers: bool) -> Range:
    """The range of an iterator.

    Args:
        state: what is known.
        iterator: the one whose loop comes next.
        in_registers: whether points of its own tile will be in registers.

    Raises:
        NotRectangularError: if a bound needs a division.
    """
    atom = _atom(iterator.name)
    own = [r for r in state.rows if r.form.coefficient(atom) and not _comes_later(state, r.owner, iterator)]
    others = {r: [v for v in state.waiting(r) if v is not iterator] for r in own}
    plain = frozenset(r for r in own if not others[r])
    tiled = [r for r in own if others[r] and all(v in state.strips for v in others[r])]
    splits = any(in_registers or any(state.strips[v].in_registers for v in others[r]) for r in tiled)
    within: list[Affine] = []
    if iterator in state.strips:
        within = _strip_rows(atom, state.strips[iterator])
    exact = [r.form for r in own if r in plain] + within
    if len(plain) == len(own):
        lowers, uppers = _bounds(state, exact, atom)
        return Range(lowers, uppers, lowers, uppers, plain, plain, False)
    rest = [r.form for r in own if r not in plain]
    lowers, uppers = _bounds(state, exact + _projected(state, rest, iterator), atom)
    if not splits:
        return Range(lowers, uppers, lowers, uppers, plain, plain, False)
    worst = [_worst(state, r.form, others[r]) for r in tiled]
    free = [r.form for r in own if r not in plain and r not in tiled]
    full = _bounds(state, exact + worst + _projected(state, free, iterator), atom)
    return Range(lowers, uppers, *full, plain, plain | frozenset(tiled), True)


def _comes_later(state: State, owner: Var, iterator: Var) -> bool:
    """Whether the loop that a row bounds is still to be opened, and will respect the row then."""
    return owner is not iterator and owner not in state.known and owner not in state.strips


@lru_cache(maxsize=4096)
def _atom(name: str) -> Var:
    return Var(f"@{name}", index)


def _operands(bound: Expr, op: str) -> list[Expr]:
    if isinstance(bound, Binary) and bound.op == op:
        return [*_operands(bound.a, op), *_operands(bound.b, op)]
    return [bound]


def _strip_rows(atom: Var, strip: Strip) -> list[Affine]:
    value = Affine.var(atom)
    return [value - strip.base, *[end - value + -1 for end in strip.ends]]


def _worst(state: State, form: Affine, strips: list[Var]) -> Affine:
    """A form that is not negative only if `form` is not for every point of the strips."""
    at: dict[Var, Affine] = {}
    for v in strips:
        atom = _atom(v.name)
        at[atom] = state.strips[v].base if form.coefficient(atom) > 0 else state.strips[v].last
    return form.substitute(at)


def _projected(state: State, forms: list[Affine], iterator: Var) -> list[Affine]:
    """What forms say of an iterator once free iterators and strips are projected out."""
    atoms = {_atom(v.name): v for v in state.statement.iterators if v is not iterator and v not in state.known}
    result, done = list(forms), set[Var]()
    while True:
        found = next((v for f in result for v in f.terms if v in atoms and v not in done), None)
        if found is None:
            return result
        done.add(found)
        strip = state.strips.get(atoms[found])
        if strip is None:
            result += [r.form for r in state.rows if r.owner is atoms[found] and r.form not in result]
        else:
            result += _strip_rows(found, strip)
        result = _eliminate(result, found)


def _eliminate(forms: Iterable[Affine], atom: Var) -> list[Affine]:
    """Fourier and Motzkin: each lower bound with each upper one."""
    lower: list[Affine] = []
    upper: list[Affine] = []
    result: list[Affine] = []
    for form in forms:
        c = form.coefficient(atom)
        (lower if c > 0 else upper if c < 0 else result).append(form)
    for a in lower:
        for b in upper:
            combined = a * -b.coefficient(atom) + b * a.coefficient(atom)
            if combined.terms and combined not in result:
                result.append(combined)
    return result


def _bounds(state: State, forms: list[Affine], atom: Var) -> tuple[tuple[Affine, ...], tuple[Affine, ...]]:
    """Lower bounds, and upper ones that are exclusive; those that others of them imply are left out."""
    lowers: list[Affine] = []
    uppers: list[Affine] = []
    for form in forms:
        c = form.coefficient(atom)
        if c == 0:
            continue
        if abs(c) != 1:
            raise NotRectangularError(f"a bound with the coefficient {c}")
        rest = form.without([atom])
        if c > 0:
            _tighten(state, lowers, rest * -1, 1)
        else:
            _tighten(state, uppers, rest + 1, -1)
    if not lowers or not uppers:
        raise NotRectangularError("a range without a bound")
    return tuple(lowers), tuple(uppers)


def _tighten(state: State, bounds: list[Affine], new: Affine, sign: int) -> None:
    """Add a bound, unless one that is there implies it; drop those that it implies."""
    if any(state.implies((old - new) * sign) for old in bounds):
        return
    bounds[:] = [*[old for old in bounds if not state.implies((new - old) * sign)], new]
