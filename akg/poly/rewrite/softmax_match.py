"""Softmax followed by a sum of products with the weights, recognised in a kernel's nests as they were written.

    s[r, j] = sum_d(q[r, d] * k[.., j, d])        scores: products of rows and keys
    t[r, j] = any expression of s[r, j]           scale, mask, bias; any number of nests or none
    m[r]    = max_j(t[r, j])
    e[r, j] = exp(t[r, j] - m[r])
    l[r]    = sum_j(e[r, j])
    p[r, j] = e[r, j] / l[r]                      or times a nest of 1 / l[r]
    c[r, d] = sum_j(p[r, j] * v[.., j, d])
    o[r, d] = any expression of c[r, d]           perhaps

Names and places do not count, nor do types: only what each nest computes from which other. All nests but the last are
temporaries that nothing else reads. `akg.poly.rewrite.softmax_tiles` says what becomes of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Call, Cast, Const, Expr, Load, Select, Unary, Var
from akg.ir.rewrite import buffers_read, buffers_written, loads_of, rewrite, substitute, variables_of, walk_expr
from akg.ir.stmt import Alloc, Block, For, Kernel, Stmt, Store, block

_DEEPEST = 16  # nests between scores and their exponential


@dataclass(frozen=True, slots=True, eq=False)
class Nest:
    """A perfect nest of constant extents from 0: one store, or one sum or maximum with its first value.

    Attributes:
        stmt: all of it.
        loops: over the elements of the result.
        store: the statement inside; for a reduction its update.
        inside: the loops of a reduction; none for a plain store.
        first: the store before them.
    """

    stmt: Stmt
    loops: tuple[For, ...]
    store: Store
    inside: tuple[For, ...] = ()
    first: Store | None = None

    @property
    def term(self) -> Expr:
        """What a reduction adds, or the value of a plain store."""
        value = self.store.value
        assert not self.inside or isinstance(value, Binary)
        return value.b if self.inside and isinstance(value, Binary) else value

    def at(self, indices: tuple[Expr, ...], inside: Iterable[Expr] = ()) -> Expr | None:
        """The term of the element at some subscripts, over iterations `inside`; None where places are no loops."""
        values: dict[Var, Expr] = dict(zip([f.var for f in self.inside], inside, strict=True))
        for own, given in zip(self.store.indices, indices, strict=True):
            if isinstance(own, Var) and own not in values:
                values[own] = given
            elif own is not given:
                return None
        return substitute(self.term, values) if all(f.var in values for f in self.loops) else None


@dataclass(frozen=True, slots=True, eq=False)
class SoftmaxProduct:
    """What was found, everything over the loops of `product`.

    Attributes:
        nests: all that belong to it, in order.
        product: the sum over keys.
        row: the loop over rows that neither keys nor values depend on.
        outer: the other loops of a row; those that keys or values depend on first.
        key: the loop over keys, inside `product`.
        column: the loop over the columns of the values.
        depth: the loop of the scores' sum.
        scores: the temporary of the scores, at `score`.
        score: as it occurs in `shifted`.
        terms: of the scores' sum: the operand that depends on the row, that on the key, and the term with both.
        shifted: t of the row and key, over `score`.
        weights: the temporary of p, at `weight` in the term of `product`.
        final: the nest of o, over its own loops, and its place of c; None where `product` stores the result.
    """

    nests: tuple[Nest, ...]
    product: Nest
    row: For
    outer: tuple[For, ...]
    shared: int
    key: For
    column: For
    depth: For
    score: Load
    left: Load
    right: Load
    score_term: Expr
    shifted: Expr
    weight: Load
    value_term: Expr
    values: Load
    final: Nest | None


def find_softmax_products(kernel: Kernel) -> list[SoftmaxProduct]:
    """Every softmax product among the nests of a kernel, none sharing a nest with another."""
    parts = statements(kernel.body)
    finder = _Finder(parts, set(_temporaries(kernel.body)))
    found: list[SoftmaxProduct] = []
    taken: set[Nest] = set()
    for part in parts:
        nest = finder.nests.get(part)
        one = finder.product(nest) if nest is not None else None
        if one is not None and taken.isdisjoint(one.nests):
            taken.update(one.nests)
            found.append(one)
    return found


def statements(body: Stmt) -> tuple[Stmt, ...]:
    """The statements of a kernel, without the declarations around them."""
    while isinstance(body, Alloc):
        body = body.body
    return body.body if isinstance(body, Block) else (body,)


def _temporaries(body: Stmt) -> list[Buffer]:
    found: list[Buffer] = []
    while isinstance(body, Alloc):
        found.append(body.buffer)
        body = body.body
    return found


def read_nest(stmt: Stmt) -> Nest | None:
    """A statement as a `Nest`; None if it is not of that form."""
    loops, body = _loops(stmt)
    if isinstance(body, Store):
        return Nest(stmt, loops, body) if body.reduction is None and _is_box(loops) else None
    if not isinstance(body, Block) or len(body.body) != 2:
        return None
    first, rest = body.body
    inside, update = _loops(rest)
    if not isinstance(first, Store) or not isinstance(update, Store) or not inside or not _is_box((*loops, *inside)):
        return None
    same = first.buffer is update.buffer and first.indices == update.indices
    if not same or update.reduction is None or first.reduction is not None or not isinstance(first.value, Const):
        return None
    value = update.value
    if not isinstance(value, Binary) or value.a is not Load(update.buffer, update.indices):
        return None
    if update.buffer in {load.buffer for load in loads_of(value.b)}:
        return None
    return Nest(stmt, loops, update, inside, first)


def _loops(stmt: Stmt) -> tuple[tuple[For, ...], Stmt]:
    found: list[For] = []
    while isinstance(stmt, For):
        found.append(stmt)
        stmt = stmt.body
    return tuple(found), stmt


def _is_box(loops: tuple[For, ...]) -> bool:
    return all(f.begin is Const(0) and f.const_trips is not None and f.step == 1 for f in loops)


class _Finder:
    def __init__(self, parts: tuple[Stmt, ...], temporaries: set[Buffer]) -> None:
        self.parts = parts
        self.nests = {p: n for p in parts if (n := read_nest(p)) is not None}
        self.writers: dict[Buffer, list[Stmt]] = {}
        self.readers: dict[Buffer, list[Stmt]] = {}
        for part in parts:
            for buffer in buffers_written(part):
                self.writers.setdefault(buffer, []).append(part)
            own = self.nests.get(part)
            for buffer in buffers_read(part):
                if own is None or buffer is not own.store.buffer:
                    self.readers.setdefault(buffer, []).append(part)
        self.temporaries = temporaries

    def source(self, expr: Expr, kind: str | None) -> Nest | None:
        """The nest that alone makes the temporary that `expr` loads from: a plain store, "sum" or "max"."""
        if not isinstance(expr, Load) or expr.buffer not in self.temporaries:
            return None
        writers = self.writers.get(expr.buffer, [])
        nest = self.nests.get(writers[0]) if len(writers) == 1 else None
        return nest if nest is not None and nest.store.reduction == kind else None

    def product(self, nest: Nest) -> SoftmaxProduct | None:
        """The softmax product that ends with `nest`, or with the nest behind it."""
        if nest.store.reduction != "sum" or len(nest.inside) != 1 or nest.store.buffer.dtype.compute is not (
            nest.store.buffer.dtype
        ) or nest.first is None or not _is_zero(nest.first.value):  # fmt: skip
            return None
        key, factors = nest.inside[0], _factors(nest.term)
        for weight, values in (factors, factors[::-1]) if factors is not None else ():
            made = self.source(weight, None)
            whole = made.at(weight.indices) if made is not None else None
            rows = [i for i in weight.indices if i is not Const(0)]
            if made is None or whole is None or key.var not in rows or len(set(rows)) < len(rows):
                continue
            if not all(isinstance(i, Var) for i in rows):
                continue
            found = self.weights(nest, key, made, whole, weight, values)
            if found is not None:
                return found
        return None

    def weights(
        self, nest: Nest, key: For, made: Nest, whole: Expr, weight: Load, values: Load
    ) -> SoftmaxProduct | None:
        """The softmax product whose weights are `whole`: an exponential over its sum along the keys."""
        split = _quotient(_without_casts(whole), key.var)
        if split is None:
            return None
        power, norm, is_inverse = split
        used = [made]
        if is_inverse:
            inverse = self.source(norm, None)
            quotient = inverse.at(norm.indices) if inverse is not None and isinstance(norm, Load) else None
            if inverse is None or not isinstance(quotient, Binary) or quotient.op != "div" or not _is_one(quotient.a):
                return None
            used.append(inverse)
            norm = quotient.b
        total, powers = self.source(norm, "sum"), self.source(power, None)
        if total is None or powers is None or len(total.inside) != 1 or not isinstance(norm, Load):
            return None
        assert isinstance(power, Load)
        shifted = powers.at(power.indices)
        if total.at(norm.indices, (key.var,)) is not power or not _covers(total.inside[0], key):
            return None
        if not isinstance(shifted, Call) or shifted.fn != "exp" or not _is_sub(shifted.args[0]):
            return None
        difference = shifted.args[0]
        assert isinstance(difference, Binary)
        top = self.source(difference.b, "max")
        if top is None or len(top.inside) != 1 or not isinstance(difference.b, Load):
            return None
        if top.at(difference.b.indices, (key.var,)) is not difference.a or not _covers(top.inside[0], key):
            return None
        return self.scores(nest, key, weight, values, power, difference.a, [*used, total, powers, top])

    def scores(
        self, nest: Nest, key: For, weight: Load, values: Load, power: Load, shifted: Expr, used: list[Nest]
    ) -> SoftmaxProduct | None:
        """The softmax product of exponentials of `shifted`, whose scores are sums of products."""
        expanded = self.expanded(shifted, used)
        if expanded is None:
            return None
        sums = [load for load in loads_of(expanded) if (n := self.source(load, "sum")) and len(n.inside) == 1]
        sums = [load for load in sums if key.var in load.indices]
        if len(sums) != 1:
            return None
        score, made = sums[0], self.source(sums[0], "sum")
        assert made is not None and made.first is not None
        depth = made.inside[0]
        term = made.at(score.indices, (depth.var,))
        factors = _factors(term) if term is not None else None
        if term is None or factors is None or not _is_zero(made.first.value):
            return None
        if score.buffer.dtype is not power.buffer.dtype:
            return None
        left, right = factors if key.var in variables_of(factors[1]) else factors[::-1]
        rows = [f for f in nest.loops if f.var in weight.indices]
        columns = [f for f in nest.loops if f.var not in weight.indices]
        if len(columns) != 1 or key.var in variables_of(left) or key.var not in variables_of(values):
            return None
        fixed = {*variables_of(right), *variables_of(values)}
        free = [f for f in rows if f.var not in fixed]
        if not free or columns[0].var not in variables_of(values):
            return None
        row = max(reversed(free), key=lambda f: f.const_trips or 0)
        shared = [f for f in rows if f.var in fixed]
        group = [made, *used, nest]
        final = self.final(nest)
        if final is not None:
            group.append(final)
        ordered = tuple(sorted(group, key=lambda n: self.parts.index(n.stmt)))
        if not self.is_closed(ordered):
            return None
        return SoftmaxProduct(
            ordered, nest, row, (*shared, *[f for f in free if f is not row]), len(shared), key, columns[0], depth,
            score, left, right, term, expanded, weight, nest.term, values, final,
        )  # fmt: skip

    def expanded(self, expr: Expr, used: list[Nest]) -> Expr | None:
        """`expr` with the temporaries of plain nests in place of their loads; the nests are added to `used`."""
        for _ in range(_DEEPEST):
            plain = [load for load in loads_of(expr) if self.leads_to_sum(load)]
            if not plain:
                return expr
            values: dict[Expr, Expr] = {}
            for load in plain:
                nest = self.source(load, None)
                assert nest is not None
                value = nest.at(load.indices)
                if value is None:
                    return None
                values[load] = value
                if nest not in used:
                    used.append(nest)
            expr = rewrite(expr, values.get)
        return None

    def leads_to_sum(self, load: Load, depth: int = 0) -> bool:
        """Whether a plain nest makes what is loaded, and some sum goes into it: no mask, no bias."""
        nest = self.source(load, None) if depth < _DEEPEST else None
        loads = loads_of(nest.term) if nest is not None else []
        return any(self.source(inner, "sum") or self.leads_to_sum(inner, depth + 1) for inner in loads)

    def final(self, nest: Nest) -> Nest | None:
        """The plain nest that alone reads what `nest` makes, each element at its own place; None if there is none."""
        buffer = nest.store.buffer
        readers = self.readers.get(buffer, [])
        if buffer not in self.temporaries or len(readers) != 1:
            return None
        after = self.nests.get(readers[0])
        loads = [load for load in loads_of(after.store.value) if load.buffer is buffer] if after is not None else []
        if after is None or after.inside or len(loads) != 1:
            return None
        own = [i for i in loads[0].indices if isinstance(i, Var)]
        theirs = [i for i in nest.store.indices if isinstance(i, Var)]
        trips = {f.var: f.const_trips for f in (*nest.loops, *after.loops)}
        fits = len(own) == len(set(own)) == len(theirs) == len(after.loops) == len(nest.loops)
        same = [trips.get(a) for a in own] == [trips.get(b) for b in theirs]
        return after if fits and same else None

    def is_closed(self, group: tuple[Nest, ...]) -> bool:
        """Whether nothing else reads the temporaries of a group, and none of its inputs changes before its end."""
        own = {n.stmt for n in group}
        if any(part not in own for n in group[:-1] for part in self.readers.get(n.store.buffer, ())):
            return False
        end = self.parts.index(group[-1].stmt)
        for nest in group:
            begin = self.parts.index(nest.stmt)
            for buffer in buffers_read(nest.stmt):
                changed = [self.parts.index(w) for w in self.writers.get(buffer, ()) if w not in own]
                if any(begin < at < end for at in changed):
                    return False
        return len({n.store.buffer for n in group}) == len(group)


def _covers(loop: For, key: For) -> bool:
    return loop.const_trips == key.const_trips


def _is_zero(expr: Expr) -> bool:
    return isinstance(expr, Const) and float(expr) == 0


def _is_one(expr: Expr) -> bool:
    return isinstance(expr, Const) and float(expr) == 1


def _is_sub(expr: Expr) -> bool:
    return isinstance(expr, Binary) and expr.op == "sub"


def _without_casts(expr: Expr) -> Expr:
    while isinstance(expr, Cast):
        expr = expr.a
    return expr


def _factors(term: Expr) -> tuple[Load, Load] | None:
    """The loads that a term multiplies, each perhaps converted."""
    if not isinstance(term, Binary) or term.op != "mul":
        return None
    a, b = _without_casts(term.a), _without_casts(term.b)
    return (a, b) if isinstance(a, Load) and isinstance(b, Load) and a is not b else None


def _quotient(weight: Expr, key: Var) -> tuple[Expr, Expr, bool] | None:
    """What is divided by what the key does not move: (e, l, False) of e / l, (e, 1 / l, True) of a product."""
    if not isinstance(weight, Binary) or weight.op not in ("mul", "div"):
        return None
    a, b = weight.a, weight.b
    if weight.op == "mul" and key not in variables_of(a):
        a, b = b, a
    if key in variables_of(b) or key not in variables_of(a):
        return None
    return a, b, weight.op == "mul"


# --- details of the scores ------------------------------------------------------------------------------


def scale_of(found: SoftmaxProduct) -> tuple[str, Const] | None:
    """The operation and constant that `shifted` applies to the score and to nothing else, if it is at most 1.

    Applied to the right operand instead, it costs next to nothing: the sum is linear in that.
    """
    user = _scaling(found)
    if user is None or found.right.buffer.dtype is not found.score.buffer.dtype:
        return None
    other = user.b if user.a is found.score else user.a
    if not isinstance(other, Const):
        return None
    if user.op == "mul" and abs(float(other)) <= 1:
        return "mul", other
    return ("div", other) if user.op == "div" and other is user.b and abs(float(other)) >= 1 else None


def _scaling(found: SoftmaxProduct) -> Binary | None:
    """The one operation that reads the score."""
    users = [n for n in walk_expr(found.shifted) if not isinstance(n, Load) and found.score in n.children]
    return users[0] if len(users) == 1 and isinstance(users[0], Binary) else None


def without_scale(found: SoftmaxProduct) -> Expr:
    """`shifted` where the score is scaled already."""
    if scale_of(found) is None:
        return found.shifted
    user = _scaling(found)
    return rewrite(found.shifted, lambda node: found.score if node is user else None)


def causal_of(found: SoftmaxProduct, shifted: Expr) -> tuple[int, Expr, Expr] | None:
    """Where the key may at most be the row plus a constant, and what is -inf elsewhere.

    Returns:
        (constant, condition, `shifted` where it holds), or None if there is no such condition.
    """
    if not isinstance(shifted, Select):
        return None
    cond, inner, other = shifted.cond, shifted.a, shifted.b
    if isinstance(inner, Const) and float(inner) == float("-inf"):
        cond, inner, other = Unary("not", cond), other, inner
    if not isinstance(other, Const) or float(other) != float("-inf"):
        return None
    slack = _slack(cond)
    row, key = found.row.var, found.key.var
    if slack is None or slack.terms != {row: 1, key: -1}:
        return None
    return slack.const, cond, inner


_NEGATED = {"lt": "ge", "ge": "lt", "le": "gt", "gt": "le"}


def _slack(cond: Expr) -> Affine | None:
    """A form that is not negative exactly where a comparison holds."""
    if isinstance(cond, Unary) and cond.op == "not" and isinstance(cond.a, Binary):
        op = _NEGATED.get(cond.a.op)
        return None if op is None else _slack(Binary(op, cond.a.a, cond.a.b))
    if not isinstance(cond, Binary) or cond.op not in _NEGATED:
        return None
    a, b = Affine.of(cond.a), Affine.of(cond.b)
    if a is None or b is None:
        return None
    forms: Mapping[str, Affine] = {"ge": a - b, "gt": a - b + -1, "le": b - a, "lt": b - a + -1}
    return forms[cond.op]


def rebuilt(kernel: Kernel, found: Mapping[SoftmaxProduct, Stmt]) -> Stmt:
    """The body of a kernel with other statements in place of softmax products, without their temporaries."""
    gone = {n.stmt: one for one in found for n in one.nests}
    ends = {one.nests[-1].stmt: new for one, new in found.items()}
    parts = [ends.get(part) if part in gone else part for part in statements(kernel.body)]
    dead = {n.store.buffer for one in found for n in one.nests[:-1]}
    body = block(*parts)
    for buffer in reversed(_temporaries(kernel.body)):
        body = body if buffer in dead else Alloc(buffer, body)
    return body
