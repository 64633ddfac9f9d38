"""Loops for tiles of any shape, by projection.

Below tiles of skewed rows the points run in an order whose rows give the iterators one by one. Then every statement
is a polyhedron over the loops' variables, and the bounds of a loop are the constraints of its projection onto the loops
outside and itself (Ancourt and Irigoin 1991); loops that several statements share scan a hull, and what that lets in
too much is guarded inside. isl's AST generator (`isl_ast.py`) does the rest at some ten times the cost; it separates
statements instead of guarding them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from akg.base.errors import InternalError
from akg.ir.affine import Affine
from akg.ir.expr import Binary, Const, Expr, Var, binary
from akg.ir.rewrite import substitute_stmt
from akg.ir.simplify import simplify_stmt
from akg.ir.stmt import For, If, Stmt, block
from akg.poly import isl
from akg.poly.astgen.scan import NotRectangularError
from akg.poly.domain import conjuncts
from akg.poly.scop import Scop, Statement
from akg.poly.tree import Band, Domain, Filter, Mark, Member, Node, Sequence, Step, paths

BUDGET = 20_000_000  # isl operations
_LOOPS = "loops"  # the name of isl's tuples of the loops' variables


@dataclass(slots=True)
class _Shape:
    """A statement over the loops around it.

    Attributes:
        loops: their variables, outermost first.
        values: the iterators over these.
        shadows: for each number of outer loops, what they run through.
    """

    statement: Statement
    loops: list[Var]
    values: dict[Var, Affine]
    shadows: list[isl.BasicSet]


def scan_tiles(scop: Scop, tree: Domain) -> Stmt:
    """The loops of a schedule with tiles of skewed rows, without the declarations of temporaries.

    Raises:
        NotRectangularError: if points are in no order of iterators, or a bound is not affine.
        isl.Unknown: if the budget ran out.
    """
    with isl.budget(BUDGET):
        return simplify_stmt(_Scanner(scop, tree).body())


class _Scanner:
    def __init__(self, scop: Scop, tree: Domain) -> None:
        self.scop, self.tree = scop, tree
        self.params = tuple([v.name for v in scop.sizes])
        self.taken = {p.name for p in scop.kernel.params} | {b.name for b in scop.temporaries}
        self.vars: dict[tuple[int, int], Var] = {}
        self.stores: dict[str, int] = {}
        self.shapes = {name: self.shape(scop.statements[name], steps) for name, steps in paths(tree).items()}

    def body(self) -> Stmt:
        """All loops."""
        space = isl.set_space(_LOOPS, (), self.params)
        context = isl.universe(space)
        zero = isl.zero_aff(space)
        for k in range(len(self.params)):
            context = context.intersect(isl.linear(zero, (), ((k, 1),), 0).ge_basic_set(zero))
        return self.node(self.tree.child, self.tree.statements, 0, context)

    # --- statements over loops -----------------------------------------------------------------------------

    def shape(self, statement: Statement, steps: Iterable[Step]) -> _Shape:
        """The polyhedron of a statement and its shadows."""
        loops: list[Var] = []
        values: dict[Var, Affine] = {}
        tiles: list[tuple[Member, Var]] = []
        for step in steps:
            member = step.member
            if member is None:
                continue
            var = self.var(step, member, statement)
            loops.append(var)
            if member.tile:
                tiles.append((member, var))
            else:
                iterator, value = _solved(member.rows[statement.name], values, statement, var)
                values[iterator] = value
        missing = [v.name for v in statement.iterators if v not in values]
        if missing:
            raise NotRectangularError(f"{statement.name} has no row for {', '.join(missing)}")
        rows = [f.substitute(values) for f in _domain(statement)]
        for member, var in tiles:
            number = _number(member, var, statement.name, tiles)
            rest = member.rows[statement.name].substitute(values) - number * member.tile
            rows.extend((rest, rest * -1 + (member.tile - 1)))
        return _Shape(statement, loops, values, self.shadows(loops, rows))

    def var(self, step: Step, member: Member, statement: Statement) -> Var:
        """The variable of a member's loop, named after what its row is of."""
        key = (id(step.node), step.position)
        found = self.vars.get(key)
        if found is None:
            row = member.rows[statement.name]
            inner = [v for v in reversed(statement.iterators) if row.coefficient(v)]
            base = (inner[0].name if inner else "c") + ("_w" if member.skew else "_t" if member.tile else "")
            name, count = base, 0
            while name in self.taken:
                count += 1
                name = f"{base}_{count}"
            self.taken.add(name)
            found = self.vars[key] = Var(name)
        return found

    def shadows(self, loops: list[Var], rows: Iterable[Affine]) -> list[isl.BasicSet]:
        """The constraints ``row >= 0`` as a set over all loops, then without the innermost one, and so on; reversed."""
        space = isl.set_space(_LOOPS, [f"z{k}" for k in range(len(loops))], self.params)
        zero = isl.zero_aff(space)
        positions = {v: k for k, v in enumerate(loops)}
        sizes = {v: k for k, v in enumerate(self.scop.sizes)}
        current = isl.universe(space).simple_hull()
        for row in rows:
            dims = [(positions[v], c) for v, c in row.terms.items() if v in positions]
            params = [(sizes[v], c) for v, c in row.terms.items() if v in sizes]
            if len(dims) + len(params) != len(row.terms):
                raise NotRectangularError(f"a bound {row} is over foreign variables")
            current = current.intersect(isl.linear(zero, dims, params, row.const).ge_basic_set(zero))
        result = [current.remove_redundancies()]
        for k in range(len(loops) - 1, 0, -1):
            shadow = result[-1].project_out(isl.SET, k, 1).remove_divs().remove_redundancies()
            result.append(shadow.set_tuple_name(_LOOPS))
        return result[::-1]

    # --- the tree -------------------------------------------------------------------------------------------

    def node(self, node: Node, names: tuple[str, ...], depth: int, context: isl.Set) -> Stmt:
        """A subtree inside `depth` loops that run through `context`."""
        if isinstance(node, Band):
            return self.loop(node, 0, names, depth, context)
        if isinstance(node, Sequence):
            return block(*[self.node(f.child, f.statements, depth, context) for f in node.children])
        if isinstance(node, (Filter, Mark)):
            return self.node(node.child, names, depth, context)
        if len(names) != 1:
            raise NotRectangularError(f"statements {', '.join(names)} share a leaf")
        return self.instance(self.shapes[names[0]], context)

    def loop(self, band: Band, position: int, names: tuple[str, ...], depth: int, context: isl.Set) -> Stmt:
        """One member of a band and what is inside."""
        if position == len(band.members):
            return self.node(band.child, names, depth, context)
        member = band.members[position]
        union = self.shapes[names[0]].shadows[depth].to_set()
        for name in names[1:]:
            union = union.union(self.shapes[name].shadows[depth].to_set())
        hull = union.simple_hull()
        outside = context.add_dims(isl.SET, 1).set_tuple_name(_LOOPS)
        var = self.shapes[names[0]].loops[depth]
        inner = self.loop(band, position + 1, names, depth + 1, outside.intersect(hull.to_set()))
        lower, upper, conditions = self.bounds(hull, outside, names, depth)
        if not lower or not upper:  # statements that have no constraint in common: from the first to the last
            own = [self.bounds(self.shapes[n].shadows[depth], outside, (n,), depth) for n in names]
            if not all(low and up for low, up, _ in own):
                raise NotRectangularError(f"the loop over {member.rows[names[0]]} has no bound")
            lower = lower or [_joined("min", [_joined("max", low) for low, _, _ in own])]
            upper = upper or [_joined("max", [_joined("min", up) for _, up, _ in own])]
        loop = For(var, _joined("max", lower), _joined("min", upper), inner, member.kind)
        return _guarded(loop, conditions)

    def bounds(
        self, reach: isl.BasicSet, outside: isl.Set, names: tuple[str, ...], depth: int
    ) -> tuple[list[Expr], list[Expr], list[Expr]]:
        """Lower and upper bounds (begin and end) of the last loop of `reach`, and what must hold for any iteration."""
        lower: list[Expr] = []
        upper: list[Expr] = []
        conditions: list[Expr] = []
        for row in isl.inequalities(reach.to_set().gist(outside).simple_hull()):
            c, rest = row[depth], self.affine(row, self.shapes[names[0]].loops[:depth])
            if c > 0:
                lower.append(_divided(rest * -1 + (c - 1), c))
            elif c < 0:
                upper.append(_divided(rest - c, -c))
            else:
                conditions.append(binary("ge", rest.to_expr(), Const(0)))
        return lower, upper, conditions

    def affine(self, row: list[int], loops: list[Var]) -> Affine:
        """A row over (loops and one more, sizes, constant) without that one more."""
        terms = dict(zip(loops, row, strict=False))
        return Affine({**terms, **dict(zip(self.scop.sizes, row[-len(self.params) - 1 :], strict=False))}, row[-1])

    def instance(self, shape: _Shape, context: isl.Set) -> Stmt:
        """A store, under what the loops do not guarantee."""
        own = shape.shadows[-1].to_set().gist(context).simple_hull()
        rest = isl.inequalities(own)
        conditions = [binary("ge", self.affine(row, shape.loops).to_expr(), Const(0)) for row in rest]
        store = shape.statement.store
        count = self.stores.get(store.name, 0)
        self.stores[store.name] = count + 1
        if count:
            raise InternalError(f"statement {store.name} is reached twice")
        values = {v: a.to_expr() for v, a in shape.values.items()}
        return _guarded(substitute_stmt(store, values), conditions)


def _solved(row: Affine, values: dict[Var, Affine], statement: Statement, var: Var) -> tuple[Var, Affine]:
    """The iterator that a point loop over `row` gives, and its value: ``row = var`` solved for it."""
    unknown = [v for v in row.terms if v in statement.iterators and v not in values]
    if len(unknown) != 1 or abs(row.terms[unknown[0]]) != 1:
        raise NotRectangularError(f"row {row} of {statement.name} gives no iterator")
    rest = row.without(unknown).substitute(values)
    return unknown[0], (Affine.var(var) - rest) * row.terms[unknown[0]]


def _number(member: Member, var: Var, name: str, tiles: list[tuple[Member, Var]]) -> Affine:
    """The number of a statement's tile in a member, from the variables of loops: a wavefront less its other tiles."""
    result = Affine.var(var)
    for rows in member.skew:
        other = next((v for m, v in tiles if not m.skew and m.tile == member.tile and m.rows[name] == rows[name]), None)
        if other is None:
            raise NotRectangularError("a wavefront of tiles without a loop over them")
        result = result - Affine.var(other)
    return result


def _domain(statement: Statement) -> list[Affine]:
    """The constraints ``form >= 0`` on the iterators."""
    rows: list[Affine] = []
    for loop in statement.loops:
        if loop.step != 1:
            raise NotRectangularError(f"the loop over {loop.var} has a step")
        rows.extend(Affine.var(loop.var) - bound for bound in _bounds("max", loop.begin))
        rows.extend(bound - Affine.var(loop.var) - 1 for bound in _bounds("min", loop.end))
    for guard in conjuncts(statement.guards):
        rows.extend(_inequalities(guard))
    return rows


def _inequalities(guard: Expr) -> list[Affine]:
    """A condition as forms that are not negative where it holds."""
    if not isinstance(guard, Binary) or guard.op not in ("lt", "le", "gt", "ge", "eq"):
        raise NotRectangularError(f"the guard {guard} is no inequality")
    less = _form(guard.b) - _form(guard.a)
    more = less * -1
    strict = 1 if guard.op in ("lt", "gt") else 0
    return [less, more] if guard.op == "eq" else [(less if guard.op in ("lt", "le") else more) - strict]


def _bounds(op: str, expr: Expr) -> list[Affine]:
    if isinstance(expr, Binary) and expr.op == op:
        return [*_bounds(op, expr.a), *_bounds(op, expr.b)]
    return [_form(expr)]


def _form(expr: Expr) -> Affine:
    form = Affine.of(expr)
    if form is None:
        raise NotRectangularError(f"the bound {expr} is not affine")
    return form


def _divided(form: Affine, by: int) -> Expr:
    return form.to_expr() if by == 1 else binary("floordiv", form.to_expr(), Const(by))


def _joined(op: str, parts: list[Expr]) -> Expr:
    result = parts[0]
    for part in parts[1:]:
        result = binary(op, result, part)
    return result


def _guarded(stmt: Stmt, conditions: list[Expr]) -> Stmt:
    for condition in reversed(conditions):
        stmt = If(condition, stmt)
    return stmt
