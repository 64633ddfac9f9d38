"""The isl view of a scop: iteration domains, access relations, schedules; one `Model` per scop.

Parameters are the kernel's sizes and, where that keeps isl's problems small, its large constants: constants
from 16 on that occur in bounds and subscripts become parameters whose values are recorded (near ones share
a parameter, ``N`` and ``N - 1``). What then holds for all values holds for the recorded ones; an answer
"no" must be confirmed at the recorded values (`Model.concrete`). A kernel that multiplies or divides by a
large constant keeps its constants, as their values then matter (a flattened subscript ``1024*i + j``).

Quasi-affine bounds, guards and subscripts are exact: sums, products and floor divisions by constants,
remainders, min and max. What is not (data-dependent subscripts, guards on data) is over-approximated:
any index, any instance; `StatementModel.exact` tells.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from akg.base.dtype import bool_, index
from akg.ir.affine import Affine
from akg.ir.expr import Binary, Cast, Const, Expr, Select, Unary, Var
from akg.ir.rewrite import walk_expr
from akg.poly import isl
from akg.poly.scop import Access, Scop, Statement
from akg.poly.tree import Domain, Member, paths

SYMBOLIC_FROM = 16  # constants from here on become parameters
CLUSTER_WIDTH = 8  # constants this near share one
_COMPARE: dict[str, Callable[[isl.PwAff, isl.PwAff], isl.Set]] = {
    "eq": isl.PwAff.eq_set, "ne": isl.PwAff.ne_set, "lt": isl.PwAff.lt_set,
    "le": isl.PwAff.le_set, "gt": isl.PwAff.gt_set, "ge": isl.PwAff.ge_set,
}  # fmt: skip


@dataclass(slots=True, eq=False)
class StatementModel:
    """A statement's space and domain; `exact` is False where a bound or guard was left out."""

    statement: Statement
    space: isl.Space
    zero: isl.Aff
    positions: dict[Var, int]
    domain: isl.Set
    exact: bool = True
    opaque_guards: tuple[Expr, ...] = ()
    opaque_bounds: bool = False
    memo: dict[Expr, isl.Aff | isl.PwAff | None] = field(default_factory=dict)
    accesses: dict[tuple[object, ...], tuple[isl.Map, bool]] = field(default_factory=dict)


class Model:
    """Polyhedral objects of a scop, built on demand.

    Attributes:
        params: parameter names, sizes first.
        values: recorded value of each symbolic constant, by parameter position.
        least: constants from here on may be symbolic.
        symbols: constant -> the base of its cluster.
        symbol_bases: base -> parameter position.
    """

    def __init__(self, scop: Scop, symbolic: bool = True, least: int = SYMBOLIC_FROM) -> None:
        self.scop, self.least = scop, least
        self.sizes: dict[Var, int] = {v: k for k, v in enumerate(scop.sizes)}
        self.symbols = _symbols(scop, least) if symbolic else {}
        names = [v.name for v in scop.sizes]
        self.values: dict[int, int] = {}
        self.symbol_bases: dict[int, int] = {}
        for base in sorted(set(self.symbols.values())):
            self.symbol_bases[base] = len(names)
            self.values[len(names)] = base
            names.append(f"const{base}" if f"const{base}" not in names else f"const{base}_")
        self.params = tuple(names)
        self.context = self._context()
        self._statements: dict[str, StatementModel] = {}
        self._pairs: dict[tuple[str, str], Pair] = {}

    def _context(self) -> isl.Set:
        """Sizes are not negative; symbolic constants are ordered as their values are."""
        space = isl.params_space(self.params)
        zero = isl.zero_aff(space)
        result = isl.universe(space)
        for k in range(len(self.sizes)):
            result = result.intersect(isl.linear(zero, (), ((k, 1),), 0).ge_basic_set(zero))
        previous: tuple[int, int] | None = None
        for base, k in self.symbol_bases.items():
            terms = [(k, 1)] if previous is None else [(k, 1), (previous[1], -1)]
            least = self.least if previous is None else CLUSTER_WIDTH + 1
            result = result.intersect(isl.linear(zero, (), terms, -least).ge_basic_set(zero))
            previous = (base, k)
        return result

    def statement(self, name: str) -> StatementModel:
        """Space and domain of a statement."""
        found = self._statements.get(name)
        if found is None:
            found = self._statements[name] = self._build(self.scop.statements[name])
        return found

    def pair(self, source: str, sink: str) -> Pair:
        """The product space of two statements."""
        found = self._pairs.get((source, sink))
        if found is None:
            found = self._pairs[source, sink] = Pair(self, self.statement(source), self.statement(sink))
        return found

    def concrete(self, a: isl.Set) -> isl.Set:
        """`a` with the symbolic constants at their recorded values."""
        return isl.fix_params(a, self.values) if self.values else a

    def _build(self, statement: Statement) -> StatementModel:
        iterators = statement.iterators
        space = isl.set_space(statement.name, [v.name for v in iterators], self.params)
        zero = isl.zero_aff(space)
        positions = {v: k for k, v in enumerate(iterators)}
        result = StatementModel(statement, space, zero, positions, isl.universe(space))
        domain = result.domain.intersect_params(self.context)
        for k, loop in enumerate(statement.loops):
            iterator = isl.linear(zero, ((k, 1),), (), 0)
            for bound, is_begin in ((loop.begin, True), (loop.end, False)):
                value = self.affine(result, bound)
                if value is None:
                    result.opaque_bounds, result.exact = True, False
                elif isinstance(value, isl.Aff):
                    part = iterator.ge_basic_set(value) if is_begin else iterator.lt_basic_set(value)
                    domain = domain.intersect(part)
                else:
                    one = isl.pw(iterator)
                    domain = domain.intersect(one.ge_set(value) if is_begin else one.lt_set(value))
        opaque: list[Expr] = []
        for guard in conjuncts(statement.guards):
            holds = self.condition(result, guard)
            if holds is None:
                opaque.append(guard)
            else:
                domain = domain.intersect(holds)
        result.domain, result.opaque_guards = domain, tuple(opaque)
        result.exact = result.exact and not opaque
        return result

    # --- expressions ---------------------------------------------------------------------------------

    def linear(self, zero: isl.Aff, form: Affine, positions: dict[Var, int], offset: int = 0) -> isl.Aff | None:
        """An affine form over iterators (at `offset` in the space of `zero`) and sizes, None if it has others."""
        dims: list[tuple[int, int]] = []
        params: list[tuple[int, int]] = []
        for v, c in form.terms.items():
            k = positions.get(v)
            if k is not None:
                dims.append((k + offset, c))
                continue
            k = self.sizes.get(v)
            if k is None:
                return None
            params.append((k, c))
        const = form.const
        if self.symbols and abs(const) >= self.least:
            base = self.symbols.get(abs(const))
            if base is not None:
                sign = 1 if const > 0 else -1
                params.append((self.symbol_bases[base], sign))
                const -= sign * base
        return isl.linear(zero, dims, params, const)

    def affine(self, where: StatementModel, expr: Expr) -> isl.Aff | isl.PwAff | None:
        """A quasi-affine index expression over a statement's iterators, None if it is not one."""
        if expr in where.memo:
            return where.memo[expr]
        form = Affine.of(expr)
        result: isl.Aff | isl.PwAff | None
        if form is not None:
            result = self.linear(where.zero, form, where.positions)
        else:
            result = self._quasi_affine(where, expr)
        where.memo[expr] = result
        return result

    def _quasi_affine(self, where: StatementModel, expr: Expr) -> isl.Aff | isl.PwAff | None:
        if isinstance(expr, Unary) and expr.op == "neg":
            a = self.affine(where, expr.a)
            return None if a is None else a.neg()
        if isinstance(expr, Cast) and expr.dtype.name in ("index", "int64") and expr.a.dtype.name in ("index", "int64"):
            return self.affine(where, expr.a)
        if not isinstance(expr, Binary) or expr.dtype.name not in ("index", "int64"):
            return None
        a, b = self.affine(where, expr.a), self.affine(where, expr.b)
        if a is None or b is None:
            return None
        if expr.op in ("floordiv", "mod"):
            return _divide(expr, a)
        if expr.op == "mul":
            factor = expr.b if isinstance(expr.b, Const) else expr.a
            return (a if factor is expr.b else b).scale_val(isl.val(int(factor))) if isinstance(factor, Const) else None
        if isinstance(a, isl.Aff) and isinstance(b, isl.Aff) and expr.op in ("add", "sub"):
            return a.add(b) if expr.op == "add" else a.sub(b)
        x, y = isl.pw(a), isl.pw(b)
        if expr.op == "add":
            return x.add(y)
        if expr.op == "sub":
            return x.sub(y)
        if expr.op == "min":
            return x.min(y)
        return x.max(y) if expr.op == "max" else None

    def condition(self, where: StatementModel, expr: Expr) -> isl.Set | None:
        """The instances where a condition holds, None if it is not quasi-affine."""
        if isinstance(expr, Const):
            whole = isl.universe(where.space)
            return whole if expr.value else isl.subtract(whole, whole)
        if isinstance(expr, Unary) and expr.op == "not" and expr.dtype is bool_:
            inner = self.condition(where, expr.a)
            return None if inner is None else inner.complement()
        if isinstance(expr, Select):
            cond, a, b = (self.condition(where, e) for e in (expr.cond, expr.a, expr.b))
            if cond is None or a is None or b is None:
                return None
            return cond.intersect(a).union(isl.subtract(b, cond))
        if not isinstance(expr, Binary):
            return None
        if expr.op in ("and", "or") and expr.dtype is bool_:
            left, right = self.condition(where, expr.a), self.condition(where, expr.b)
            if left is None or right is None:
                return None
            return left.intersect(right) if expr.op == "and" else left.union(right)
        if expr.op not in _COMPARE or expr.a.dtype is not index:
            return None
        x, y = self.affine(where, expr.a), self.affine(where, expr.b)
        if x is None or y is None:
            return None
        return _COMPARE[expr.op](isl.pw(x), isl.pw(y))

    # --- accesses ------------------------------------------------------------------------------------

    def access(self, name: str, access: Access) -> isl.Map:
        """The relation from instances to elements, over-approximated where it is not quasi-affine."""
        return self._access(name, access)[0]

    def is_exact(self, name: str, access: Access) -> bool:
        """Whether `access` is the exact relation."""
        return self._access(name, access)[1] and self.statement(name).exact

    def _access(self, name: str, access: Access) -> tuple[isl.Map, bool]:
        where = self.statement(name)
        key = (access.buffer, access.indices, access.conditions)
        found = where.accesses.get(key)
        if found is None:
            values = [self.affine(where, e) for e in access.indices]
            exact = all(v is not None for v in values)
            relation = isl.access_map(where.space, access.buffer.name, values).intersect_domain(where.domain)
            for condition in conjuncts(access.conditions):
                holds = self.condition(where, condition)
                if holds is None:
                    exact = False
                else:
                    relation = relation.intersect_domain(holds)
            found = where.accesses[key] = (relation, exact)
        return found


class Pair:
    """The product space of two statements, for relations from one to the other as sets."""

    def __init__(self, model: Model, source: StatementModel, sink: StatementModel) -> None:
        self.model, self.source, self.sink = model, source, sink
        self.space = source.space.map_from_domain_and_range(sink.space).wrap()
        self.zero = isl.zero_aff(self.space)
        self._offset = len(source.positions)
        self._memo: dict[tuple[object, ...], isl.Aff] = {}

    def distance(self, before: Affine, after: Affine, tile: int = 0) -> isl.Aff:
        """The sink's row minus the source's, of a tile dimension if `tile` is positive."""
        key = (before, after, tile)
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = self._distance(before, after, tile)
        return found

    def of_member(self, member: Member) -> isl.Aff:
        """The distance in a member, in units of tiles for a tile member."""
        source, sink = self.source.statement.name, self.sink.statement.name
        total = self.distance(member.rows[source], member.rows[sink], member.tile)
        for rows in member.skew:
            total = total.add(self.distance(rows[source], rows[sink], member.tile))
        return total

    def _distance(self, before: Affine, after: Affine, tile: int) -> isl.Aff:
        a = self.model.linear(self.zero, before, self.source.positions)
        b = self.model.linear(self.zero, after, self.sink.positions, self._offset)
        if a is None or b is None:
            raise ValueError(f"a row is not over the statement's iterators: {before} or {after}")
        if tile:
            a, b = isl.floor_div(a, tile), isl.floor_div(b, tile)
        return b.sub(a)


def model_of(scop: Scop, symbolic: bool = True, least: int = SYMBOLIC_FROM) -> Model:
    """The model of a scop, with constants from `least` on as parameters if `symbolic`; the latest few are kept."""
    return _model(scop, symbolic, least)


@functools.lru_cache(maxsize=8)
def _model(scop: Scop, symbolic: bool, least: int) -> Model:
    return Model(scop, symbolic, least)


def member_value(model: Model, name: str, member: Member) -> isl.Aff | None:
    """The time of a statement's instances in a member: its row, or the numbers of its tiles; None for a bad row."""
    where = model.statement(name)
    total: isl.Aff | None = None
    for form in (member.rows[name], *[rows[name] for rows in member.skew]):
        row = model.linear(where.zero, form, where.positions)
        if row is None:
            return None
        if member.tile:
            row = isl.floor_div(row, member.tile)
        total = row if total is None else total.add(row)
    return total


def schedule_maps(model: Model, tree: Domain) -> list[isl.Map]:
    """A schedule tree as one map per statement, in the tree's order, to time vectors of one length."""
    steps = paths(tree)
    length = max(map(len, steps.values()), default=0)
    result: list[isl.Map] = []
    for name in tree.statements:
        where = model.statement(name)
        values: list[isl.Aff | isl.PwAff | None] = []
        for step in steps[name]:
            member = step.member
            if member is None:
                values.append(model.linear(where.zero, Affine(None, step.position), where.positions))
            else:
                values.append(member_value(model, name, member))
        values.extend([where.zero] * (length - len(values)))
        result.append(isl.access_map(where.space, "time", values).intersect_domain(where.domain))
    return result


def conjuncts(conditions: Iterable[Expr]) -> list[Expr]:
    """Conditions with ``and``, also in its lazy form ``select(a, b, False)``, taken apart."""
    result: list[Expr] = []
    for condition in conditions:
        if isinstance(condition, Binary) and condition.op == "and" and condition.dtype is bool_:
            result.extend(conjuncts((condition.a, condition.b)))
        elif isinstance(condition, Select) and isinstance(condition.b, Const) and not condition.b.value:
            result.extend(conjuncts((condition.cond, condition.a)))
        else:
            result.append(condition)
    return result


def _divide(expr: Binary, a: isl.Aff | isl.PwAff) -> isl.Aff | isl.PwAff | None:
    if not isinstance(expr.b, Const) or int(expr.b) <= 0:
        return None
    divisor = isl.val(int(expr.b))
    quotient = a.scale_down_val(divisor).floor()
    if expr.op == "floordiv":
        return quotient
    whole = quotient.scale_val(divisor)
    if isinstance(a, isl.Aff) and isinstance(whole, isl.Aff):
        return a.sub(whole)
    return isl.pw(a).sub(isl.pw(whole))


def _symbols(scop: Scop, least: int) -> dict[int, int]:
    """Large additive constants of bounds, guards and subscripts -> the base of their cluster; {} to keep all."""
    seen: set[Expr] = set()
    constants: set[int] = set()
    for statement in scop.statements.values():
        roots: list[Expr] = [e for loop in statement.loops for e in (loop.begin, loop.end)]
        roots.extend(statement.guards)
        for access in statement.accesses:
            roots.extend(access.indices)
            roots.extend(access.conditions)
        for root in roots:
            if root in seen:
                continue
            seen.add(root)
            if not _collect_constants(root, constants, least):
                return {}
    clusters: dict[int, int] = {}
    base = 0
    for value in sorted(constants):
        if not clusters or value - base > CLUSTER_WIDTH:
            base = value
        clusters[value] = base
    for base in sorted(set(clusters.values())):
        for near in range(base - 1, base + CLUSTER_WIDTH + 1):  # N - 1 arises by folding where only N is written
            if near >= least:
                clusters.setdefault(near, base)
    return clusters


def _collect_constants(root: Expr, constants: set[int], least: int) -> bool:
    """Collect large constants; False if one multiplies or divides."""
    if isinstance(root, Var):
        return True
    for node in walk_expr(root):
        if isinstance(node, Const) and node.dtype is index and abs(int(node.value)) >= least:
            constants.add(abs(int(node.value)))
        elif isinstance(node, Binary) and node.op in ("mul", "floordiv", "mod"):
            for operand in (node.a, node.b):
                if isinstance(operand, Const) and abs(int(operand.value)) >= least:
                    return False
    return True
