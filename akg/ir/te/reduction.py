"""Reductions of tensor expressions: the built-in ones, and those that a user defines on values or tuples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from akg.base.dtype import DType, bool_, dtype_of, float32, index, int64, uint8
from akg.base.errors import AkgError, user_facing
from akg.ir.expr import (
    ARITHMETIC,
    Axis,
    Binary,
    Call,
    Cast,
    Combiner,
    Const,
    Expr,
    ExprLike,
    Load,
    Reduce,
    Select,
    Unary,
    Var,
    as_expr,
    binary,
    call,
    cast,
    select,
)
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import REDUCTIONS
from akg.ir.te.functions import extreme
from akg.ir.te.tensor import Size, fresh_var, plain_name, size_of

Axes: TypeAlias = "Var | Sequence[Var]"

_ranges: WeakKeyDictionary[Var, tuple[Expr, Expr]] = WeakKeyDictionary()


@user_facing
def reduce_axis(extent: Size | tuple[Size, Size], name: str | None = None) -> Var:
    """An axis to reduce over: 0 <= axis < extent, or begin <= axis < end.

    Raises:
        AkgError: AKG-E105 if a bound is not an integer over sizes.
    """
    if isinstance(extent, tuple) and len(extent) != 2:  # pyright: ignore[reportUnnecessaryComparison]
        raise AkgError(
            "AKG-E105", f"the range of the axis is {extent!r}", because="a range is (begin, end)",
            hint="reduce over a tuple of axes for more dimensions than one",
        )  # fmt: skip
    begin, end = extent if isinstance(extent, tuple) else (0, extent)
    variable = fresh_var(name or "k")
    first = as_expr(begin) if isinstance(begin, int) and begin < 0 else size_of(begin, "the begin of the axis")
    _ranges[variable] = (first, size_of(end, "the extent of the axis" if begin == 0 else "the end of the axis"))
    return variable


@user_facing
def sum(expr: ExprLike, axis: Axes, where: ExprLike | None = None) -> Expr:
    """The sum over `axis`, 0 if empty, of the elements where `where` holds.

    The 16-bit floats accumulate in float32; bool counts in int64.

    Raises:
        AkgError: AKG-E249 if `axis` is not made of reduction axes.
    """
    return _reduce_one("sum", expr, axis, where)


@user_facing
def prod(expr: ExprLike, axis: Axes, where: ExprLike | None = None) -> Expr:
    """The product over `axis`, 1 if empty; types as for `sum`.

    Raises:
        AkgError: AKG-E249 if `axis` is not made of reduction axes.
    """
    return _reduce_one("prod", expr, axis, where)


@user_facing
def max(expr: ExprLike, axis: Axes, where: ExprLike | None = None) -> Expr:
    """The greatest element over `axis`; minus infinity, or the least integer, if empty. NaN wins.

    Raises:
        AkgError: AKG-E249 if `axis` is not made of reduction axes.
    """
    return _reduce_one("max", expr, axis, where)


@user_facing
def min(expr: ExprLike, axis: Axes, where: ExprLike | None = None) -> Expr:
    """The least element over `axis`; infinity, or the greatest integer, if empty. NaN wins.

    Raises:
        AkgError: AKG-E249 if `axis` is not made of reduction axes.
    """
    return _reduce_one("min", expr, axis, where)


def _reduce_one(name: str, expr: ExprLike, axis: Axes, where: ExprLike | None) -> Expr:
    term = as_expr(expr)
    kind = term.dtype
    if kind is index or (kind is bool_ and name in ("sum", "prod")):
        term = cast(term, int64)
        kind = int64
    if kind is bool_:
        term = cast(term, uint8)
    elif kind.compute is not kind and name in ("sum", "prod"):
        term = widened(term, {})
    axes, condition = _axes_of(axis), _condition_of(where)
    return cast(Reduce(builtin_combiner(name, term.dtype), (term,), axes, condition), kind)


def widened(node: Expr, memo: dict[Expr, Expr]) -> Expr:
    """A 16-bit float expression with its arithmetic written out in float32: only leaves are converted."""
    if node.dtype.compute is node.dtype:
        return node
    done = memo.get(node)
    if done is None:
        if isinstance(node, Binary) and node.op in ARITHMETIC:
            done = Binary(node.op, widened(node.a, memo), widened(node.b, memo))
        elif isinstance(node, Unary):
            done = Unary(node.op, widened(node.a, memo))
        elif isinstance(node, Select):
            done = Select(node.cond, widened(node.a, memo), widened(node.b, memo))
        elif isinstance(node, Call):
            done = Call(node.fn, tuple([widened(a, memo) for a in node.args]), float32)
        elif isinstance(node, Const):
            done = Const(float(node.dtype.numpy.type(node.value)), float32)
        else:
            done = Cast(node, float32)
        memo[node] = done
    return done


@cache
def builtin_combiner(name: str, kind: DType) -> Combiner:
    """The sum, prod, max or min of values of a type."""
    identity = {
        "sum": lambda: Const(0, kind), "prod": lambda: Const(1, kind),
        "max": lambda: extreme(kind, -1), "min": lambda: extreme(kind, 1),
    }[name]()  # fmt: skip
    lhs, rhs = Var("lhs$", kind), Var("rhs$", kind)
    return Combiner(name, (lhs,), (rhs,), (Binary(REDUCTIONS[name], lhs, rhs),), (identity,))


def _axes_of(axis: Axes) -> tuple[Axis, ...]:
    variables: Sequence[Var] = axis if isinstance(axis, (tuple, list)) else (axis,)  # pyright: ignore
    axes: list[Axis] = []
    for v in variables:
        bounds = _ranges.get(v) if isinstance(v, Var) else None
        if bounds is None:
            raise AkgError(
                "AKG-E249",
                f"axis={v.name.partition('$')[0] if isinstance(v, Var) else repr(v)} is not a reduction axis",
                because="a reduction runs over axes that te.reduce_axis made",
                hint="write k = te.reduce_axis(extent), use k in the expression, and give axis=k",
            )
        if any(v is other.var for other in axes):
            raise AkgError("AKG-E249", f"axis {v.name.partition('$')[0]} is given twice", hint="give every axis once")
        axes.append(Axis(v, *bounds, is_reduce=True))
    if not axes:
        raise AkgError("AKG-E249", "a reduction over no axis", hint="give axis=k with k = te.reduce_axis(extent)")
    return tuple(axes)


def _condition_of(where: ExprLike | None) -> Expr | None:
    if where is None:
        return None
    condition = as_expr(where)
    return condition if condition.dtype is bool_ else binary("ne", condition, 0)


class Reducer:
    """A user's reduction: call it as ``reducer(value, axis=k)`` or ``reducer((a, b), axis=k)``."""

    def __init__(self, fcombine: Callable[..., Any], fidentity: Callable[..., Any], name: str) -> None:
        self.name, self._fcombine, self._fidentity = name, fcombine, fidentity
        self._combiners: dict[tuple[DType, ...], Combiner] = {}

    @user_facing
    def __call__(self, expr: Any, axis: Axes, where: ExprLike | None = None) -> Any:
        """The reduction of `expr` over `axis`: an expression, or a tuple of them if `expr` is a tuple.

        Raises:
            AkgError: AKG-E249 if `axis` is not made of reduction axes, AKG-E250 for a combiner that does not fit.
        """
        is_tuple = isinstance(expr, (tuple, list))
        terms = tuple([_value(as_expr(e)) for e in (expr if is_tuple else (expr,))])
        kinds = tuple([t.dtype for t in terms])
        combiner = self._combiners.get(kinds)
        if combiner is None:
            combiner = self._combiners[kinds] = self._build(kinds, is_tuple)
        axes, condition = _axes_of(axis), _condition_of(where)
        results = tuple([Reduce(combiner, terms, axes, condition, p) for p in range(len(terms))])
        return results if is_tuple else results[0]

    def _build(self, kinds: tuple[DType, ...], is_tuple: bool) -> Combiner:
        lhs = tuple([Var(f"lhs${p}", kind) for p, kind in enumerate(kinds)])
        rhs = tuple([Var(f"rhs${p}", kind) for p, kind in enumerate(kinds)])
        raw = self._fcombine(lhs, rhs) if is_tuple else (self._fcombine(lhs[0], rhs[0]),)
        start = self._fidentity(*[kind.name for kind in kinds])
        identity = tuple(start) if is_tuple else (start,)
        for what, values in (("combiner", raw), ("identity", identity)):
            if len(values) != len(kinds):
                raise AkgError(
                    "AKG-E250",
                    f"the {what} of {self.name} gives {len(values)} values for {len(kinds)}",
                    because="a reduction of tuples combines tuples of one length",
                    hint=f"return {len(kinds)} values",
                )
        result = tuple([self._fit("combiner", p, as_expr(r, k), k) for p, (r, k) in enumerate(zip(raw, kinds))])  # noqa: B905
        consts = tuple([self._fit("identity", p, as_expr(r, k), k) for p, (r, k) in enumerate(zip(identity, kinds))])  # noqa: B905
        known = {*lhs, *rhs}
        for leaf in (n for r in result for n in walk_expr(r)):
            if isinstance(leaf, Load) or (isinstance(leaf, Var) and leaf not in known):
                raise AkgError(
                    "AKG-E250",
                    f"the combiner of {self.name} depends on {plain_name(leaf) if isinstance(leaf, Var) else leaf}",
                    because="a combiner computes from its two operands alone",
                    hint="put it into the expression that is reduced",
                )
        if not all(isinstance(c, Const) for c in consts):
            raise AkgError("AKG-E250", f"the identity of {self.name} is not constant", hint="use te.const or a number")
        return _recognised(Combiner(self.name, lhs, rhs, result, consts))

    def _fit(self, what: str, position: int, value: Expr, kind: DType) -> Expr:
        if value.dtype is kind:
            return value
        if isinstance(value, Const):
            return cast(value, kind) if not isinstance(cast(value, kind), Cast) else Const(value.value, kind)
        raise AkgError(
            "AKG-E250",
            f"the {what} of {self.name} gives {value.dtype} for value {position}, which is {kind}",
            because="a reduction keeps its types",
            hint=f"return te.cast(x, {kind.name!r})",
        )


def _value(term: Expr) -> Expr:
    return cast(term, int64) if term.dtype is index else term


def _recognised(combiner: Combiner) -> Combiner:
    """The built-in combiner that a user's one is equal to, or itself."""
    body = combiner.result[0]
    if len(combiner.result) > 1 or not isinstance(body, Binary):
        return combiner
    if {body.a, body.b} == {combiner.lhs[0], combiner.rhs[0]}:
        for name, op in REDUCTIONS.items():
            if body.op == op and builtin_combiner(name, body.dtype).identity[0] is combiner.identity[0]:
                return builtin_combiner(name, body.dtype)
    return combiner


@user_facing
def comm_reducer(fcombine: Callable[..., Any], fidentity: Callable[..., Any], name: str = "reduce") -> Reducer:
    """A reduction from an associative, commutative combiner and its identity.

    `fcombine` takes two values, or two tuples, and returns one; `fidentity` takes the type name of each value.
    """
    if not callable(fcombine) or not callable(fidentity):
        raise AkgError(
            "AKG-E250", f"the combiner and the identity of {name} are functions",
            because=f"got {type(fcombine).__name__} and {type(fidentity).__name__}",
            hint="write te.comm_reducer(lambda x, y: x + y, lambda dtype: te.const(0, dtype))",
        )  # fmt: skip
    return Reducer(fcombine, fidentity, name)


def _arg_combine(is_max: bool) -> Callable[..., tuple[Expr, Expr]]:
    def combine(lhs: tuple[Expr, Expr], rhs: tuple[Expr, Expr]) -> tuple[Expr, Expr]:
        (value, at), (other, other_at) = lhs, rhs
        if value.dtype.is_float:  # the first NaN wins, as in NumPy
            worse = ~(value >= other if is_max else value <= other)
            better = worse & ~call("isnan", value)
        else:
            better = other > value if is_max else other < value
        better = better | (binary("eq", value, other) & (other_at < at))
        return binary("max" if is_max else "min", value, other), select(better, other_at, at)

    return combine


_argmax = Reducer(_arg_combine(True), lambda v, i: (extreme(dtype_of(v), -1), extreme(dtype_of(i), 1)), "argmax")
_argmin = Reducer(_arg_combine(False), lambda v, i: (extreme(dtype_of(v), 1), extreme(dtype_of(i), 1)), "argmin")


@user_facing
def argmax(pair: tuple[ExprLike, ExprLike], axis: Axes, where: ExprLike | None = None) -> tuple[Expr, Expr]:
    """The greatest value and its index from ``(value, index)`` pairs; the least index among equals, NaN wins.

    Raises:
        AkgError: AKG-E249 if `axis` is not made of reduction axes.
    """
    return _argmax(pair, axis, where)


@user_facing
def argmin(pair: tuple[ExprLike, ExprLike], axis: Axes, where: ExprLike | None = None) -> tuple[Expr, Expr]:
    """The least value and its index from ``(value, index)`` pairs; the least index among equals, NaN wins.

    Raises:
        AkgError: AKG-E249 if `axis` is not made of reduction axes.
    """
    return _argmin(pair, axis, where)
