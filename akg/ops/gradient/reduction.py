"""What a term of a reduction takes of the adjoint of the result."""

from __future__ import annotations

from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Binary, Combiner, Const, Expr, Load, Var, binary, select
from akg.ir.rewrite import substitute
from akg.ir.stage import Stage
from akg.ir.stmt import REDUCTIONS
from akg.ir.te.tensor import Compute, Tensor, plain_name
from akg.ops.gradient.arithmetic import over, times


def _kind_of(combiner: Combiner, position: int) -> str | None:
    """Which built-in reduction a component is by itself, if it is one."""
    result = combiner.result[position]
    if isinstance(result, Binary) and {result.a, result.b} == {combiner.lhs[position], combiner.rhs[position]}:
        return next((name for name, op in REDUCTIONS.items() if op == result.op), None)
    return None


def reduction_seed(stage: Stage, position: int, adjoint: Expr) -> Expr:
    """The adjoint of one term of a reduction, from that of the result.

    Raises:
        AkgError: AKG-E293 for a reduction that is none of the built-in ones.
    """
    combiner, value = stage.combiner, stage.values[position]
    assert combiner is not None
    buffer = stage.outputs[position]
    assert isinstance(buffer, Tensor)
    place = tuple([axis.var for axis in stage.axes])
    kind = _kind_of(combiner, position)
    if kind == "sum":
        return adjoint
    if kind in ("max", "min") and not stage.is_update:
        is_best = binary("eq", value, Load(buffer, place))
        ties = _reduced(stage, f"{buffer.name}_ties", "sum", select(is_best, *_one_zero(value)))
        return select(is_best, over(adjoint, Load(ties, place)), Const(0.0, adjoint.dtype))
    if kind == "prod" and not stage.is_update:
        # the product of the other terms, without a division by zero
        one, zero = _one_zero(value)
        is_zero = binary("eq", value, zero)
        zeros = Load(_reduced(stage, f"{buffer.name}_zeros", "sum", select(is_zero, one, zero)), place)
        product = Load(_reduced(stage, f"{buffer.name}_nonzero", "prod", select(is_zero, one, value)), place)
        alone = select(binary("eq", zeros, 1.0), product, zero)
        rest = select(is_zero, alone, select(binary("eq", zeros, 0.0), over(product, value), zero))
        return times(adjoint, rest)
    raise AkgError(
        "AKG-E293",
        f"the derivative of {'a scatter with' if stage.is_update else 'reduction'} {combiner.name} is not known",
        span=stage.span,
        because="gradients go through scatters of sums" if stage.is_update
        else "gradients go through sum, prod, max and min, alone or as components of a tuple",
        hint="write the definition with te.sum, te.prod, te.max or te.min, or stop there: "
        "akg.ops.gradient.stop_gradient(tensor)",
    )


def _one_zero(value: Expr) -> tuple[Expr, Expr]:
    return Const(1.0, value.dtype), Const(0.0, value.dtype)


def _reduced(stage: Stage, name: str, kind: str, term: Expr) -> Tensor:
    """Another reduction over the iterations of `stage`."""
    function = te.sum if kind == "sum" else te.prod
    axes: dict[Var, Expr] = {}
    for axis in stage.reduce_axes:
        axes[axis.var] = te.reduce_axis((axis.begin, axis.end), name=plain_name(axis.var))
    moved = [v for v in axes.values() if isinstance(v, Var)]
    where = None if stage.condition is None else substitute(stage.condition, axes)
    body = function(substitute(term, axes), axis=tuple(moved), where=where)
    sizes = tuple([axis.end for axis in stage.axes])
    op = Compute(name, stage.axes, (body,))
    return Tensor(name, sizes, body.dtype, op)
