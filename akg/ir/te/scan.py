"""Running reductions of tensor expressions: each element combines with what came before it along one axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from akg.base.errors import AkgError, user_facing, user_span
from akg.ir.expr import Combiner, ExprLike, Reduce
from akg.ir.rewrite import walk_expr
from akg.ir.te.reduction import builtin_combiner
from akg.ir.te.tensor import Compute, Size, Tensor, compute


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scan(Compute):
    """The origin of a running reduction: ``bodies[0]`` is the term at an element.

    Attributes:
        combiner: how terms combine.
        axis: the dimension along which they do.
        is_reverse: from the last element to the first.
        is_exclusive: an element's own term does not count; the first is the identity.
    """

    combiner: Combiner
    axis: int
    is_reverse: bool
    is_exclusive: bool


SCANS = ("sum", "prod", "max", "min")


@user_facing
def scan(
    shape: Size | Sequence[Size],
    fn: Callable[..., ExprLike],
    axis: int,
    op: str = "sum",
    *,
    reverse: bool = False,
    exclusive: bool = False,
    name: str | None = None,
) -> Tensor:
    """The tensor of `shape` that combines ``fn(i, j, ...)`` over all places up to its own along `axis`.

    Each element takes one operation, in the type of `fn`: ``T[i] = T[i - 1] + fn(i)``.

    Args:
        shape: as for `compute`.
        fn: the term at a place.
        axis: the dimension to run along, from 0.
        op: "sum", "prod", "max" or "min".
        reverse: run from the last element to the first.
        exclusive: leave out the element's own term.
        name: of the tensor.

    Raises:
        AkgError: AKG-E105, AKG-E241 and AKG-E242 as for `compute`, AKG-E243 for a term that reduces, AKG-E249 for
            an `axis` that is no dimension of `shape` or an `op` that is none.
    """
    terms: Any = compute(shape, fn, name=name or "T")
    if not isinstance(terms, Tensor) or not isinstance(terms.op, Compute):
        raise AkgError(
            "AKG-E241", "the function returned several values", because="a scan has one term per element",
            hint="write one te.scan for each",
        )  # fmt: skip
    if not 0 <= axis < terms.ndim or op not in SCANS:
        raise AkgError(
            "AKG-E249",
            f"no scan with op={op!r} along axis {axis}",
            because=f"op is one of {', '.join(SCANS)}, and the shape has {terms.ndim} dimensions",
            hint="axes count from 0",
        )
    body = terms.op.bodies[0]
    if any(isinstance(node, Reduce) for node in walk_expr(body)):
        raise AkgError(
            "AKG-E243", "a reduction inside a scan", because="a definition reduces once",
            hint="give the reduction a te.compute of its own",
        )  # fmt: skip
    combiner = builtin_combiner(op, body.dtype)
    origin = Scan(
        terms.op.name, terms.op.axes, (body,), user_span(2),
        combiner=combiner, axis=axis, is_reverse=reverse, is_exclusive=exclusive,
    )  # fmt: skip
    return Tensor(terms.op.name, terms.shape, body.dtype, origin)
