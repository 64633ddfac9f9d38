"""From what one load takes to a definition: the sum over all iterations that read an element of the producer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from akg.base.dtype import index
from akg.ir import te
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Axis, Binary, Cast, Const, Expr, Load, Reduce, Unary, Var, as_expr, binary, cast
from akg.ir.rewrite import rewrite, substitute, variables_of, walk_expr
from akg.ir.simplify import simplify
from akg.ir.te.reduction import builtin_combiner
from akg.ir.te.tensor import Tensor, fresh_var, is_axis_var, plain_name
from akg.ops.gradient.arithmetic import complement, is_number, masked, negated, over, plus, times
from akg.ops.gradient.chain import Flow
from akg.ops.gradient.inverse import System

PIECES_LIMIT = 32  # cases of one subscript list with min, max or abs; beyond, places are compared


@dataclass(frozen=True, slots=True)
class Domain:
    """The iterations of a stage: its loops, and the condition under which a reduction takes a term."""

    axes: tuple[Axis, ...]
    condition: Expr | None


def contributions(flow: Flow, domain: Domain, place: tuple[Var, ...]) -> list[Expr]:
    """What `flow` adds to the adjoint of its producer at `place`, as terms of a sum."""
    found: list[Expr] = []
    known: dict[Expr, Expr] = {e: p for e, p in zip(flow.load.indices, place, strict=True) if not isinstance(e, Const)}
    for subscripts, cases in _pieces(flow.load.indices):
        system = System(place, flow.load.buffer.shape)
        for axis in domain.axes:
            system.add_axis(axis)
        for subscript, p in zip(subscripts, place, strict=True):
            system.equate(subscript, p)
        for condition in (*([] if domain.condition is None else [domain.condition]), *cases, *flow.guards):
            system.require(condition)
        system.solve()
        if system.loops and any(isinstance(n, Load) for e in flow.load.indices for n in walk_expr(e)):
            return [_scattered(flow, domain, place)]
        if not system.is_empty:
            value = _summed(system, rewrite(flow.value, lambda _: None, known))
            found.append(_at_pinned(system, flow.load.buffer, value))
    return found


def _scattered(flow: Flow, domain: Domain, place: tuple[Var, ...]) -> Expr:
    """What an access at places from data adds: every iteration adds to the element that it reads."""
    source, kind = flow.load.buffer, flow.value.dtype
    condition: Expr | None = None
    for part in (domain.condition, *flow.guards):
        condition = part if condition is None or part is None else binary("and", condition, part)
    axes = tuple([Axis(fresh_var(plain_name(p)), Const(0), s, False) for p, s in zip(place, source.shape, strict=True)])
    op = te.Scatter(
        f"{source.name}_share", axes, (Const(0.0, kind),), combiner=builtin_combiner("sum", kind), domain=domain.axes,
        place=flow.load.indices, term=flow.value, condition=condition,
    )  # fmt: skip
    return Load(Tensor(op.name, source.shape, kind, op), place)


def _pieces(subscripts: tuple[Expr, ...]) -> list[tuple[tuple[Expr, ...], list[Expr]]]:
    """Subscripts without min, max and abs, with the conditions under which they are the given ones."""
    nodes: list[Expr] = []
    for e in subscripts:
        for n in walk_expr(e):
            is_choice = (isinstance(n, Binary) and n.op in ("min", "max")) or (isinstance(n, Unary) and n.op == "abs")
            if is_choice and n.dtype is index and n not in nodes:
                nodes.append(n)
    if 2 ** len(nodes) > PIECES_LIMIT or any(isinstance(n, Load) for e in subscripts for n in walk_expr(e)):
        return [(subscripts, [])]
    result: list[tuple[tuple[Expr, ...], list[Expr]]] = []
    for choice in itertools.product((True, False), repeat=len(nodes)):
        takes_first = dict(zip(nodes, choice, strict=True))
        conditions: list[Expr] = []
        memo: dict[Expr, Expr] = {}
        for node in nodes:  # operands come first
            a, b, is_first = _alternatives(node, memo)
            conditions.append(is_first if takes_first[node] else complement(is_first))
            memo[node] = a if takes_first[node] else b
        result.append((tuple([simplify(rewrite(e, lambda _: None, memo)) for e in subscripts]), conditions))
    return result


def _alternatives(node: Expr, memo: dict[Expr, Expr]) -> tuple[Expr, Expr, Expr]:
    """The two values of a min, max or abs, and when it is the first one; choices in operands are made."""
    if isinstance(node, Unary):
        a = rewrite(node.a, lambda _: None, memo)
        return a, -a, binary("ge", a, 0)
    assert isinstance(node, Binary)
    a, b = [rewrite(e, lambda _: None, memo) for e in (node.a, node.b)]
    return a, b, binary("le" if node.op == "min" else "ge", a, b)


def _at_pinned(system: System, source: Buffer, value: Expr) -> Expr:
    """`value`, which counts at one position in some dimensions; a sum is not repeated for the others."""
    if not system.pinned:
        return value
    inside = [binary("eq", p, system.ranges.to_expr(at)) for p, at in system.pinned.items()]
    if any(isinstance(n, Reduce) for n in walk_expr(value)):
        kept = [(p, size) for p, size in zip(system.place, source.shape, strict=True) if p not in system.pinned]
        op = te.Compute(f"{source.name}_share", tuple([Axis(p, Const(0), s, False) for p, s in kept]), (value,))
        share = Tensor(op.name, tuple([s for _, s in kept]), value.dtype, op)
        value = Load(share, tuple([p for p, _ in kept]))
    return masked([te.all(*inside)], value)


def _summed(system: System, value: Expr) -> Expr:
    """`value` summed over the loops that remain, where the conditions hold."""
    conditions = system.open_conditions()
    if system.loops:
        value, covered = _padded(system, value, [c.owner for c in conditions if c.owner is not None])
        conditions = [c for c in conditions if c.owner not in covered]
    affine = system.condition_exprs(conditions)
    data = [e for e in map(system.resolve, system.checks) if not is_number(e, True)]
    value = system.resolve(value)
    if not system.loops:
        return masked([*([te.all(*affine)] if affine else []), *data], value)
    axes: list[Var] = []
    fresh: dict[Var, Expr] = {}
    for v in system.loops:
        low, high = system.ranges.bounds[v]
        assert low is not None and high is not None
        begin = low if system.ranges.is_never_negative(low) else Affine()  # others are shifted
        axes.append(
            te.reduce_axis(
                (system.ranges.to_expr(begin), system.ranges.to_expr(high - low + begin + 1)), name=plain_name(v)
            )
        )
        fresh[v] = axes[-1] + system.ranges.to_expr(low - begin)
    loops = set(system.loops)
    outer, inner = _hoisted(value, loops)
    where: Expr | None = None
    for condition in (*affine, *data):
        where = condition if where is None else binary("and", where, condition)
    if where is None and is_number(inner, 1.0):
        inner, count = Const(1.0, inner.dtype), _count(system)
        if count is not None:
            return outer(Const(float(count), inner.dtype))
    moved = None if where is None else simplify(substitute(where, fresh))
    return outer(te.sum(simplify(substitute(inner, fresh)), axis=tuple(axes), where=moved))


def _count(system: System) -> int | None:
    """The number of iterations of the remaining loops, if it is known."""
    count = 1
    for v in system.loops:
        low, high = system.ranges.bounds[v]
        if low is None or high is None or not (high - low).is_const:
            return None
        count *= max((high - low).const + 1, 0)
    return count


class _Factors:
    """Multiplies by factors that were taken out of a sum."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, Expr | None]] = []

    def __call__(self, value: Expr) -> Expr:
        for op, factor in reversed(self.steps):
            if op == "neg":
                value = negated(value)
            elif factor is not None:
                value = times(value, factor) if op == "mul" else over(value, factor)
        return value


def _hoisted(value: Expr, loops: set[Var]) -> tuple[_Factors, Expr]:
    """`value` as factors that do not change in `loops`, times the rest."""
    outer = _Factors()

    def is_fixed(e: Expr) -> bool:
        return not any(v in loops for v in variables_of(e))

    while True:
        if isinstance(value, Unary) and value.op == "neg":
            outer.steps.append(("neg", None))
            value = value.a
        elif isinstance(value, Binary) and value.op == "mul" and (is_fixed(value.a) or is_fixed(value.b)):
            factor, rest = (value.a, value.b) if is_fixed(value.a) else (value.b, value.a)
            outer.steps.append(("mul", factor))
            value = rest
        elif isinstance(value, Binary) and value.op == "div" and is_fixed(value.b):
            outer.steps.append(("div", value.b))
            value = value.a
        elif is_fixed(value) and not is_number(value, 1.0):
            outer.steps.append(("mul", value))
            value = Const(1.0, value.dtype)
        else:
            return outer, value


# --- padding --------------------------------------------------------------------------------------------


def _factors_of(value: Expr) -> list[Expr]:
    """The loads that `value` is a multiple of."""
    if isinstance(value, Load):
        return [value]
    if isinstance(value, Binary) and value.op == "mul":
        return [*_factors_of(value.a), *_factors_of(value.b)]
    if isinstance(value, Binary) and value.op == "div":
        return _factors_of(value.a)
    if isinstance(value, (Unary, Cast)) and (isinstance(value, Cast) or value.op == "neg"):
        return _factors_of(value.a) if value.a.dtype.is_float else []
    return []


def _padded(system: System, value: Expr, owners: Sequence[Var]) -> tuple[Expr, set[Var]]:
    """`value` with zeros around those factors that alone depend on a variable, and the variables so covered.

    A sum over a window then runs over a box. Before: ``sum_k(G[p - k] * W[k])`` where ``0 <= p - k < n``. After:
    the same over `G` with zeros around it, without the condition.
    """
    checked = {v for e in system.checks for v in variables_of(e)}
    loads = [n for n in walk_expr(value) if isinstance(n, Load)]
    factors = _factors_of(value)
    wanted: dict[Load, dict[int, Var]] = {}
    for v in dict.fromkeys(owners):
        readers = [load for load in loads if v in variables_of(load)]
        others = [n for n in walk_expr(value) if not isinstance(n, Load) and v in n.children]
        form = system.values[v]
        if len(readers) != 1 or v in checked or others or readers[0] not in factors:
            continue
        load = readers[0]
        places = [d for d, e in enumerate(load.indices) if e is v]
        ends = system.ranges.least(form), system.ranges.greatest(form)
        if len(places) == 1 and not any(e is None or any(is_axis_var(u) for u in e.terms) for e in ends):
            wanted.setdefault(load, {})[places[0]] = v
    if not wanted:
        return value, set()
    memo: dict[Expr, Expr] = {}
    for load, dims in wanted.items():
        memo[load] = _padded_load(system, load, dims)
    return rewrite(value, lambda _: None, memo), {v for dims in wanted.values() for v in dims.values()}


def _padded_load(system: System, load: Load, dims: dict[int, Var]) -> Expr:
    """`load` from a copy of its tensor that has zeros wherever the subscripts of `dims` may go."""
    source = load.buffer
    assert isinstance(source, Tensor)
    begins: dict[int, Affine] = {}
    ends: dict[int, Affine] = {}
    shape = list(source.shape)
    for d, v in dims.items():
        low, high = system.ranges.least(system.values[v]), system.ranges.greatest(system.values[v])
        assert low is not None and high is not None
        begins[d], ends[d] = low, high
        shape[d] = system.ranges.to_expr(high - low + 1)

    def element(*place: Expr) -> Expr:
        at = [e + system.ranges.to_expr(begins[d]) if d in begins else e for d, e in enumerate(place)]
        inside: list[Expr] = []
        for d, begin in begins.items():
            if not system.ranges.is_never_negative(begin):
                inside.append(binary("ge", at[d], 0))
            if not system.ranges.is_never_negative(system.ranges.size(source.shape[d]) - 1 - ends[d]):
                inside.append(binary("lt", at[d], source.shape[d]))
        return te.select(te.all(*inside), source[tuple(at)], as_expr(0.0, source.dtype))

    padded = te.compute(tuple(shape), element, name=f"{source.name}_padded")
    moved = [e + system.ranges.to_expr(begins[d] * -1) if d in begins else e for d, e in enumerate(load.indices)]
    return Load(padded, tuple(moved))


# --- sums of contributions ------------------------------------------------------------------------------


class Adjoint:
    """The adjoint of a tensor while it is collected: a sum of terms over the variables of a place."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        names = [plain_name(a.var) for a in tensor.op.axes] if isinstance(tensor.op, te.Compute) else []
        self.place = tuple([fresh_var(names[d] if d < len(names) else f"i{d}") for d in range(tensor.ndim)])
        self.terms: list[Expr] = []

    def body(self) -> Expr:
        """The sum, in the type of the tensor."""
        kind = self.tensor.dtype
        if not self.terms:
            return Const(0.0, kind)
        total = self.terms[0]
        for term in self.terms[1:]:
            total = plus(total, term)
        return cast(total, kind)

    def define(self) -> Tensor:
        """The adjoint as a tensor of the same shape."""
        body = self.body()
        sizes = self.tensor.shape
        axes = tuple([Axis(v, Const(0), size, False) for v, size in zip(self.place, sizes, strict=True)])
        op = te.Compute(f"{self.tensor.name}_grad", axes, (body,))
        return Tensor(op.name, sizes, self.tensor.dtype, op)


def is_free(body: Expr) -> bool:
    """Whether reading `body` costs no more than reading a stored copy of it."""
    return isinstance(body, (Const, Load)) and not any(isinstance(n, Reduce) for n in walk_expr(body))
