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

SAMPLE = 64  # elements whose mean stands in for that of a row, at least
MOST_RATIO = 16  # of a row to that sample
LONG_ROW = 4 * SAMPLE


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
    """Mean and variance with ``keepdims=True`` in the type of arithmetic, exact far from 0, too.

    They take two passes, but one where long rows are reduced (`_moments_of_rows`).
    """
    wide = mean_dtype(x.dtype).compute
    if axes == (x.ndim - 1,) and isinstance(x.shape[-1], Const) and int(x.shape[-1]) >= LONG_ROW:
        return _moments_of_rows(name, x, wide, correction)
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


def _moments_of_rows(name: str, x: Tensor, wide: DType, correction: float) -> tuple[Tensor, Tensor]:
    """Mean and variance of rows in one pass, of the differences from the mean of a sample.

    For d = x - k, the variance is ``mean(d*d) - mean(d)**2``, which cancels where k is far from the mean (Chan, Golub
    and LeVeque 1983). With k the mean of the first s of n elements, ``(k - mean)**2`` is at most n/s times the
    variance, whatever the elements, which bounds what is lost; in common rows that is nothing.
    """
    extent, last = x.shape[-1], x.ndim - 1
    assert isinstance(extent, Const)
    n = int(extent)
    size = max(SAMPLE, n // MOST_RATIO)

    def near_element(*place: Expr) -> Expr:
        k = te.reduce_axis(size, name="k")
        return te.sum(value(x[(*place[:-1], k)], wide), axis=k) / float(size)

    shape = reduced_shape(x, (last,), True)
    near = stop_gradient(te.compute(shape, near_element, name=f"{name}_near"))

    def total(term: Callable[[Expr], Expr], suffix: str) -> Tensor:
        def element(*place: Expr) -> Expr:
            (k,), subscripts = lines(x, (last,), place, True)
            return te.sum(term(value(x[subscripts], wide) - near[(*place[:-1], 0)]), axis=k)

        return te.compute(shape, element, name=f"{name}_{suffix}")

    sums, squares = total(lambda d: d, "sum"), total(lambda d: d * d, "squares")
    center = te.compute(shape, lambda *i: near[i] + sums[i] / float(n), name=f"{name}_mean")
    left = max(n - correction, 0.0)

    def variance(*i: Expr) -> Expr:
        return te.maximum(squares[i] - sums[i] * (sums[i] / float(n)), 0.0) / left

    return center, te.compute(shape, variance, name=f"{name}_var")


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
