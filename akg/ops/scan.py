"""Running sums and products along an axis, by one operation per element."""

from __future__ import annotations

from typing import Any

from akg.base.dtype import int64
from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Tensor
from akg.ops.registry import operator
from akg.ops.shape import (
    Operand,
    broadcast_shapes,
    check_dtype,
    check_operand,
    check_tensor,
    dtype_argument,
    normalize_axis,
    read,
    result_dtype,
    same_size,
    value,
)

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "cumulative_prod", "cumulative_sum"]


def _running(
    name: str, op: str, x: Tensor, axis: int, dtype: Any, exclusive: bool, reverse: bool, where: Operand | None
) -> Tensor:
    source = check_tensor(x, "x").dtype
    keeps = source.is_float or op in ("max", "min")
    kind = check_dtype(dtype_argument(dtype, source if keeps else int64), "a number", "dtype")
    along = normalize_axis(axis, x.ndim)
    mask = _mask(x, where)
    neutral = {"sum": lambda: Const(0, wide), "prod": lambda: Const(1, wide)}
    wide = kind if op in ("max", "min") else kind.compute

    def term(*place: Expr) -> Expr:
        own = value(x[place], wide)
        return own if mask is None else te.select(read(mask, place, x.shape), own, neutral[op]())

    total = te.scan(x.shape, term, along, op, reverse=reverse, exclusive=exclusive, name=name)
    return total if kind is wide else te.compute(x.shape, lambda *i: te.cast(total[i], kind), name=name)


def _mask(x: Tensor, where: Operand | None) -> Operand | None:
    """The mask, which must be a bool and broadcast to `x`."""
    if where is None:
        return None
    hint = "compare first, as in akg.ops.not_equal(x, 0)"
    check_dtype(result_dtype(check_operand(where, "where")), "a bool", "where", hint)
    if isinstance(where, Tensor):
        common = broadcast_shapes(x.shape, where.shape)
        if len(common) != x.ndim or not all(same_size(a, b) for a, b in zip(common, x.shape, strict=True)):
            raise AkgError(
                "AKG-E272", "where has more elements than x", because="the mask broadcasts to the shape of x",
                hint="broadcast x first",
            )  # fmt: skip
    return where


@operator("cumsum", kind="opaque")
def cumsum(
    x: Tensor, axis: int, *, dtype: Any = None, exclusive: bool = False, reverse: bool = False,
    where: Operand | None = None,
) -> Tensor:  # fmt: skip
    """The sum of all elements up to each one along `axis`; integers and bools sum in int64.

    `exclusive` leaves out the element itself, `reverse` runs from the end, `where` is a mask of what counts.
    """
    return _running("cumsum", "sum", x, axis, dtype, exclusive, reverse, where)


@operator("cumprod", kind="opaque")
def cumprod(
    x: Tensor, axis: int, *, dtype: Any = None, exclusive: bool = False, reverse: bool = False,
    where: Operand | None = None,
) -> Tensor:  # fmt: skip
    """The product of all elements up to each one along `axis`; keywords as for `cumsum`."""
    return _running("cumprod", "prod", x, axis, dtype, exclusive, reverse, where)


@operator("cummax", kind="opaque")
def cummax(x: Tensor, axis: int, *, reverse: bool = False) -> Tensor:
    """The greatest element up to each one along `axis`; NaN from the first NaN on."""
    return _running("cummax", "max", x, axis, None, False, reverse, None)


@operator("cummin", kind="opaque")
def cummin(x: Tensor, axis: int, *, reverse: bool = False) -> Tensor:
    """The least element up to each one along `axis`; NaN from the first NaN on."""
    return _running("cummin", "min", x, axis, None, False, reverse, None)


@operator("cumulative_sum", kind="opaque")
def cumulative_sum(
    x: Tensor, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """`cumsum` by its array-API name; `include_initial` puts a 0 in front, and the result is longer by one."""
    return _cumulative("cumulative_sum", "sum", x, axis, dtype, include_initial)


@operator("cumulative_prod", kind="opaque")
def cumulative_prod(
    x: Tensor, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """`cumprod` by its array-API name; `include_initial` puts a 1 in front, and the result is longer by one."""
    return _cumulative("cumulative_prod", "prod", x, axis, dtype, include_initial)


def _cumulative(name: str, op: str, x: Tensor, axis: int | None, dtype: Any, include_initial: bool) -> Tensor:
    if axis is None and check_tensor(x, "x").ndim != 1:
        raise AkgError(
            "AKG-E273", "axis is missing", because=f"x has {x.ndim} dimensions", hint="give axis, as in axis=-1"
        )
    along = normalize_axis(axis or 0, check_tensor(x, "x").ndim)
    total = _running(name, op, x, along, dtype, False, False, None)
    if not include_initial:
        return total
    shape = tuple([size + 1 if d == along else size for d, size in enumerate(x.shape)])
    first = Const(0 if op == "sum" else 1, total.dtype)

    def element(*place: Expr) -> Expr:
        before = tuple([p - 1 if d == along else p for d, p in enumerate(place)])
        return te.select(place[along] > 0, total[before], first)

    return te.compute(shape, element, name=name)
