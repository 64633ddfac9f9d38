"""Reductions along axes: sums, extrema and where they are, moments, norms.

Axes may come in any order; ``axis=None`` reduces over all of them, ``axis=()`` over none. An empty reduction gives the
identity: 0 for a sum, minus infinity or the least integer for a maximum. The 16-bit floats accumulate in float32.
"""

from __future__ import annotations

import math
from typing import Any

from akg.base.dtype import int32, int64
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Tensor
from akg.ops.elementwise import truth
from akg.ops.fold import (
    Fold,
    Scalar,
    accumulator,
    average,
    finite_peak,
    fold,
    lines,
    mean_dtype,
    moments,
    norm_parts,
    peak,
    read_reduced,
    reduced_shape,
)
from akg.ops.registry import operator
from akg.ops.shape import (
    AxisLike,
    bad_argument,
    check_dtype,
    check_tensor,
    dtype_argument,
    normalize_axes,
    normalize_axis,
    value,
)

__all__ = [
    "all", "any", "argmax", "argmin", "count_nonzero", "logsumexp", "max", "mean", "min", "prod", "std", "sum",
    "sum_of_squares", "var", "vector_norm",
]  # fmt: skip

# --- sums and products ----------------------------------------------------------------------------------


def _accumulated(name: str, x: Tensor, axis: AxisLike, dtype: Any, keepdims: bool, reducer: Fold) -> Tensor:
    source = check_tensor(x, "x").dtype
    kind = dtype_argument(dtype, source if source.is_float else int64)
    check_dtype(kind, "a number", "dtype")
    axes = normalize_axes(axis, x.ndim)
    return fold(
        name, x, axes, keepdims, reducer, lambda a: value(a, accumulator(kind)), lambda total: te.cast(total, kind)
    )


@operator("sum", kind="reduce")
def sum(x: Tensor, *, axis: AxisLike = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over `axis`; integers and bools sum in int64."""
    return _accumulated("sum", x, axis, dtype, keepdims, te.sum)


@operator("prod", kind="reduce")
def prod(x: Tensor, *, axis: AxisLike = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The product over `axis`; integers and bools multiply in int64."""
    return _accumulated("prod", x, axis, dtype, keepdims, te.prod)


@operator("mean", kind="reduce")
def mean(x: Tensor, *, axis: AxisLike = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The average over `axis`, in float64 for integers and bools; NaN over nothing."""
    kind = check_dtype(dtype_argument(dtype, mean_dtype(check_tensor(x, "x").dtype)), "a float", "dtype")
    axes = normalize_axes(axis, x.ndim)
    return average("mean", x, axes, keepdims, lambda a: a, kind)


@operator("count_nonzero", kind="reduce")
def count_nonzero(x: Tensor, *, axis: AxisLike = None, keepdims: bool = False) -> Tensor:
    """How many elements over `axis` are not zero, in int64."""
    axes = normalize_axes(axis, check_tensor(x, "x").ndim)
    return fold("count_nonzero", x, axes, keepdims, te.sum, lambda a: te.cast(truth(a), int64))


# --- extrema, and logic ---------------------------------------------------------------------------------


@operator("max", kind="reduce")
def max(x: Tensor, *, axis: AxisLike = None, keepdims: bool = False) -> Tensor:
    """The greatest element over `axis`; NaN if there is one."""
    check_dtype(check_tensor(x, "x").dtype, "a number", "x")
    return fold("max", x, normalize_axes(axis, x.ndim), keepdims, te.max, lambda a: a)


@operator("min", kind="reduce")
def min(x: Tensor, *, axis: AxisLike = None, keepdims: bool = False) -> Tensor:
    """The least element over `axis`; NaN if there is one."""
    check_dtype(check_tensor(x, "x").dtype, "a number", "x")
    return fold("min", x, normalize_axes(axis, x.ndim), keepdims, te.min, lambda a: a)


@operator("all", kind="reduce")
def all(x: Tensor, *, axis: AxisLike = None, keepdims: bool = False) -> Tensor:
    """Whether every element over `axis` is not zero, as a bool."""
    return fold("all", x, normalize_axes(axis, check_tensor(x, "x").ndim), keepdims, te.min, truth)


@operator("any", kind="reduce")
def any(x: Tensor, *, axis: AxisLike = None, keepdims: bool = False) -> Tensor:
    """Whether some element over `axis` is not zero, as a bool."""
    return fold("any", x, normalize_axes(axis, check_tensor(x, "x").ndim), keepdims, te.max, truth)


@operator("argmax", kind="reduce")
def argmax(x: Tensor, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the greatest element along `axis` is, in int64: the first among equals, or the first NaN."""
    return _arg("argmax", x, axis, keepdims, te.max)


@operator("argmin", kind="reduce")
def argmin(x: Tensor, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the least element along `axis` is, in int64: the first among equals, or the first NaN."""
    return _arg("argmin", x, axis, keepdims, te.min)


def _arg(name: str, x: Tensor, axis: int | None, keepdims: bool, reducer: Fold) -> Tensor:
    """In two passes over each line, both of which fill vector lanes: the extremum, then the first place of it."""
    check_dtype(check_tensor(x, "x").dtype, "a number", "x")
    axes = tuple(range(x.ndim)) if axis is None else (normalize_axis(axis, x.ndim),)
    sizes = [x.shape[d] for d in axes]
    known = [int(s) for s in sizes if isinstance(s, Const)]
    if 0 in known:
        raise bad_argument("the place of an extremum among no elements", "the axis has size 0", "check for empty input")

    wide = x.dtype.compute  # both passes compute x alike, and compare before it is rounded
    top = fold(f"{name}_value", x, axes, True, reducer, lambda a: value(a, wide))
    kind = int32 if len(known) == len(sizes) and math.prod(known) < 2**31 else int64

    def element(*place: Expr) -> Expr:
        """The least place of the extremum; where there is NaN, the extremum is NaN, and equal to nothing."""
        variables, subscripts = lines(x, axes, place, keepdims)
        at: Expr = Const(0)
        for variable, size in zip(variables, sizes, strict=True):  # row-major number among the axes
            at = at * size + variable
        own = value(x[subscripts], wide)
        is_there = own == read_reduced(top, subscripts, axes)
        if x.dtype.is_float:
            is_there = is_there | te.isnan(own)
        found = te.select(is_there, te.cast(at, kind), te.max_value(kind))
        return te.cast(te.min(found, axis=variables) if variables else found, int64)

    return te.compute(reduced_shape(x, axes, keepdims), element, name=name)


# --- moments --------------------------------------------------------------------------------------------


def _spread(name: str, x: Tensor, axis: AxisLike, correction: float, keepdims: bool, final: Scalar) -> Tensor:
    source = check_dtype(check_tensor(x, "x").dtype, "a number", "x")
    axes, kind = normalize_axes(axis, x.ndim), mean_dtype(source)
    _, variance = moments(name, x, axes, correction)

    def element(*place: Expr) -> Expr:
        kept = iter(place)
        full = [next(kept) if keepdims or d not in axes else Const(0) for d in range(x.ndim)]
        return te.cast(final(variance[tuple(full)]), kind)

    return te.compute(reduced_shape(x, axes, keepdims), element, name=name)


@operator("var", kind="reduce")
def var(x: Tensor, *, axis: AxisLike = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance over `axis`: squared deviations from the mean, divided by their number less `correction`."""
    return _spread("var", x, axis, correction, keepdims, lambda a: a)


@operator("std", kind="reduce")
def std(x: Tensor, *, axis: AxisLike = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation over `axis`, the root of `var`."""
    return _spread("std", x, axis, correction, keepdims, te.sqrt)


# --- logarithms and norms -------------------------------------------------------------------------------


@operator("logsumexp", kind="reduce")
def logsumexp(x: Tensor, *, axis: AxisLike = None, keepdims: bool = False) -> Tensor:
    """The logarithm of the sum of exponentials over `axis`, without overflow in between."""
    kind = check_dtype(check_tensor(x, "x").dtype, "a float", "x")
    axes, wide = normalize_axes(axis, x.ndim), kind.compute
    top = peak(x, axes, "logsumexp_max")

    def element(*place: Expr) -> Expr:
        variables, subscripts = lines(x, axes, place, keepdims)
        kept = read_reduced(top, subscripts, axes)
        term = te.exp(value(x[subscripts], wide) - finite_peak(kept))
        total = te.sum(term, axis=variables) if variables else term
        return te.cast(te.log(total) + finite_peak(kept), kind)

    return te.compute(reduced_shape(x, axes, keepdims), element, name="logsumexp")


@operator("sum_of_squares", kind="reduce")
def sum_of_squares(x: Tensor, *, axis: AxisLike = None, keepdims: bool = False) -> Tensor:
    """The sum of the squares over `axis`."""
    kind = check_dtype(check_tensor(x, "x").dtype, "a number", "x")
    kind = kind if kind.is_float else int64

    def square(a: Expr) -> Expr:
        wide = value(a, accumulator(kind))
        return wide * wide

    axes = normalize_axes(axis, x.ndim)
    return fold("sum_of_squares", x, axes, keepdims, te.sum, square, lambda total: te.cast(total, kind))


@operator("vector_norm", kind="reduce")
def vector_norm(x: Tensor, *, axis: AxisLike = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """The norm of order `ord` over `axis`: 2, 1, 0 (how many are not zero), infinities, or any other power."""
    kind = check_dtype(check_tensor(x, "x").dtype, "a float", "x")
    reducer, term, final = norm_parts(ord)
    axes, wide = normalize_axes(axis, x.ndim), kind.compute
    return fold(
        "vector_norm", x, axes, keepdims, reducer, lambda a: term(value(a, wide)), lambda r: te.cast(final(r), kind)
    )
