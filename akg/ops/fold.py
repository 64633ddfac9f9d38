"""What reductions, normalisations and losses are made of: folds over axes, averages, moments, norms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from akg.base.dtype import DType, float64, int64
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Tensor
from akg.ops.shape import Sizes, bad_argument, value
from akg.ops.stopping import stop_gradient

Scalar: TypeAlias = Callable[[Expr], Expr]
Axes: TypeAlias = tuple[int, ...]  # counted from the front
Fold: TypeAlias = Callable[..., Expr]


def fold(
    name: str, x: Tensor, axes: Axes, keepdims: bool, reducer: Fold, term: Scalar, final: Scalar | None = None
) -> Tensor:
    """``final(reducer(term(x[...])))`` over `axes`; without axes, ``final(term(x[...]))``."""

    def element(*place: Expr) -> Expr:
        variables, subscripts = lines(x, axes, place, keepdims)
        result = reducer(term(x[subscripts]), axis=variables) if variables else term(x[subscripts])
        return final(result) if final is not None else result

    return te.compute(reduced_shape(x, axes, keepdims), element, name=name)


def reduced_shape(x: Tensor, axes: Axes, keepdims: bool) -> Sizes:
    """The shape without `axes`, or with 1 in their place."""
    if keepdims:
        return tuple([Const(1) if d in axes else s for d, s in enumerate(x.shape)])
    return tuple([s for d, s in enumerate(x.shape) if d not in axes])


def lines(
    x: Tensor, axes: Axes, place: Sequence[Expr], keepdims: bool
) -> tuple[tuple[Any, ...], tuple[Expr, ...]]:
    """Fresh reduction axes, outermost first, and the subscripts of `x` for an element at `place` of the result."""
    variables = {d: te.reduce_axis(x.shape[d], name=f"k{d}") for d in sorted(axes)}
    kept = iter(place if not keepdims else [p for d, p in enumerate(place) if d not in axes])
    return tuple(variables.values()), tuple([variables[d] if d in variables else next(kept) for d in range(x.ndim)])


def read_reduced(r: Tensor, place: Sequence[Expr], axes: Axes) -> Expr:
    """The element of a reduction with ``keepdims=True`` that belongs to `place` of its input."""
    return r[tuple([Const(0) if d in axes else p for d, p in enumerate(place)])]


def count(x: Tensor, axes: Axes, kind: DType) -> Expr:
    """How many elements a reduction over `axes` takes in, as a number of `kind`."""
    result: Expr = Const(1, kind)
    sizes = [x.shape[d] for d in axes]
    if all(isinstance(s, Const) for s in sizes):
        return Const(math.prod(int(s) for s in sizes), kind)  # type: ignore[call-overload]  # pyright: ignore
    for size in sizes:
        result = result * te.cast(size, kind)
    return result


def accumulator(kind: DType) -> DType:
    """The type that sums of `kind` accumulate in: 64 bits for integers and bool, the type of arithmetic for floats."""
    return kind.compute if kind.is_float else int64


def mean_dtype(kind: DType) -> DType:
    """The type of an average: floats stay, the others give float64."""
    return kind if kind.is_float else float64


def average(name: str, x: Tensor, axes: Axes, keepdims: bool, term: Scalar, kind: DType) -> Tensor:
    """The average of ``term(x[...])`` over `axes`, accumulated in the type of arithmetic and rounded to `kind`."""
    wide = kind.compute
    return fold(
        name, x, axes, keepdims, te.sum, lambda a: term(value(a, wide)),
        lambda total: te.cast(total / count(x, axes, wide), kind),
    )  # fmt: skip


def moments(name: str, x: Tensor, axes: Axes, correction: float = 0.0) -> tuple[Tensor, Tensor]:
    """Mean and variance with ``keepdims=True`` in the type of arithmetic, in two passes: exact far from 0, too."""
    wide = mean_dtype(x.dtype).compute
    center = average(f"{name}_mean", x, axes, True, lambda a: a, wide)

    def element(*place: Expr) -> Expr:
        variables, subscripts = lines(x, axes, place, True)
        difference = value(x[subscripts], wide) - read_reduced(center, subscripts, axes)
        square = difference * difference
        n = count(x, axes, wide)
        if correction:
            n = te.maximum(n - correction, 0.0)
        return (te.sum(square, axis=variables) if variables else square) / n

    return center, te.compute(reduced_shape(x, axes, True), element, name=f"{name}_var")


def peak(x: Tensor, axes: Axes, name: str) -> Tensor:
    """The maximum over `axes` in the type of arithmetic with ``keepdims=True``, to subtract before exponentials."""
    wide = x.dtype.compute
    return stop_gradient(fold(name, x, axes, True, te.max, lambda a: value(a, wide)))


def finite_peak(m: Expr) -> Expr:
    """`m`, or 0 where it is infinite or NaN: the difference from an infinity would be NaN."""
    return te.select(te.isfinite(m), m, 0.0)


def norm_parts(order: float) -> tuple[Fold, Scalar, Scalar]:
    """What a norm reduces with, its term, and what makes the norm of the reduced value.

    Raises:
        AkgError: AKG-E275 for an order that is no number.
    """
    if not isinstance(order, (int, float)) or math.isnan(order):
        raise bad_argument(f"ord is {order!r}", "the order of a norm is a number", "as in ord=2 or ord=math.inf")
    if math.isinf(order):
        return (te.max if order > 0 else te.min), te.abs, lambda r: r
    if order == 0:
        return te.sum, lambda a: te.cast(a != 0, a.dtype), lambda r: r
    if order == 1:
        return te.sum, te.abs, lambda r: r
    if order == 2:
        return te.sum, lambda a: a * a, te.sqrt
    return te.sum, lambda a: te.power(te.abs(a), float(order)), lambda r: te.power(r, 1.0 / order)
