"""Sums into places that are computed: the transpose of reading at computed places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from akg.base.dtype import DType
from akg.base.errors import AkgError, user_facing, user_span
from akg.ir.expr import Axis, Combiner, Const, Expr, ExprLike, Reduce, Var, cast
from akg.ir.rewrite import substitute, walk_expr
from akg.ir.te.reduction import builtin_combiner
from akg.ir.te.scan import SCANS
from akg.ir.te.tensor import Compute, Size, Tensor, compute


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scatter(Compute):
    """The origin of a scatter: ``bodies[0]`` is what an element starts with.

    Attributes:
        combiner: how what is there and a term combine.
        domain: the axes of the terms.
        place: the subscripts of the element that a term goes to, over `domain`.
        term: over `domain`.
        condition: over `domain`; where it does not hold, nothing is read or written.
    """

    combiner: Combiner
    domain: tuple[Axis, ...]
    place: tuple[Expr, ...]
    term: Expr
    condition: Expr | None

    def read_by(self, position: int) -> tuple[Expr, ...]:
        """Everything that the elements are made of."""
        more = () if self.condition is None else (self.condition,)
        return (self.bodies[position], self.term, *self.place, *more)


@user_facing
def scatter(
    shape: Size | Sequence[Size],
    initial: Callable[..., ExprLike],
    domain: Size | Sequence[Size],
    place: Callable[..., Any],
    term: Callable[..., ExprLike],
    op: str = "sum",
    *,
    where: Callable[..., ExprLike] | None = None,
    name: str | None = None,
) -> Tensor:
    """The tensor of `shape` that starts as `initial` and takes in a term at each place of `domain`.

    ``for u in domain: T[place(u)] = T[place(u)] op term(u)``, in any order; with ``op="last"`` the term itself, in the
    order of the domain. A place may depend on data; one that lies outside the shape is an error when the kernel runs.

    Args:
        shape: as for `compute`.
        initial: the first value of an element, a function of its subscripts.
        domain: the shape of the terms.
        place: the subscripts of an element, as a tuple; it, `term` and `where` are functions of a place of `domain`.
        term: what the element takes in.
        op: "sum", "prod", "max", "min", or "last", by which a term takes the place of what is there.
        where: which terms count.
        name: of the tensor.

    Raises:
        AkgError: AKG-E105, AKG-E241 and AKG-E242 as for `compute`, AKG-E243 for a part that reduces, AKG-E249 for an
            `op` that is none or a place that has not one subscript for each dimension.
    """
    start: Any = compute(shape, initial, name=name or "T")
    terms: Any = compute(domain, term)
    conditions: Any = None if where is None else compute(domain, where)
    given = [start, terms] if conditions is None else [start, terms, conditions]
    if not all(isinstance(t, Tensor) for t in given):
        raise AkgError(
            "AKG-E241", "the function returned several values", because="a scatter has one term per place",
            hint="write one te.scatter for each",
        )  # fmt: skip
    parts = [t.op.bodies[0] for t in given]
    if any(isinstance(node, Reduce) for part in parts for node in walk_expr(part)):
        raise AkgError(
            "AKG-E243", "a reduction inside a scatter", because="a scatter reduces by itself",
            hint="give the reduction a te.compute of its own",
        )  # fmt: skip
    axes: tuple[Axis, ...] = terms.op.axes
    found = place(*[axis.var for axis in axes])
    if op not in (*SCANS, "last") or not isinstance(found, (tuple, list)) or len(found) != start.ndim:
        count = len(found) if isinstance(found, (tuple, list)) else "no tuple of"
        raise AkgError(
            "AKG-E249",
            f"no scatter with op={op!r} to {count} subscripts",
            because=f"op is one of {', '.join(SCANS)}, last, and the shape has {start.ndim} dimensions",
            hint="write place as in lambda k, j: (I[k], j)",
        )
    condition: Expr | None = None
    if conditions is not None:
        memo = {old.var: new.var for old, new in zip(conditions.op.axes, axes, strict=True)}
        condition = substitute(conditions.op.bodies[0], memo)
    body = parts[0]
    origin = Scatter(
        start.op.name, start.op.axes, (body,), user_span(2), combiner=_combiner(op, body.dtype), domain=axes,
        place=start[tuple(found)].indices,
        term=cast(parts[1], body.dtype), condition=condition,
    )  # fmt: skip
    return Tensor(start.op.name, start.shape, body.dtype, origin)


def _combiner(op: str, kind: DType) -> Combiner:
    if op != "last":
        return builtin_combiner(op, kind)
    lhs, rhs = Var("lhs$", kind), Var("rhs$", kind)
    return Combiner(op, (lhs,), (rhs,), (rhs,), (Const(0, kind),))
