"""Tensors out of nothing but their places: ranges, constants, grids, one-hot rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from akg.base.dtype import bool_, dtype_of, float64, int64
from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Size, Tensor, shape_text
from akg.ops.registry import operator
from akg.ops.reshaping import integer
from akg.ops.shape import check_dtype, check_tensor, dtype_argument, normalize_axis, sizes_of, value

__all__ = [
    "arange", "empty_like", "eye", "full", "full_like", "linspace", "meshgrid", "one_hot", "ones", "ones_like", "zeros",
    "zeros_like",
]  # fmt: skip

Number = int | float | bool


@operator("full", kind="reshape")
def full(shape: Size | Sequence[Size], fill_value: Number, *, dtype: Any = None) -> Tensor:
    """A tensor of one value; by default of type bool, int64 or float64, as the value is.

    Raises:
        AkgError: AKG-E105 for a shape that is none, AKG-E108 for a value that `dtype` does not hold.
    """
    default = bool_ if isinstance(fill_value, bool) else int64 if isinstance(fill_value, int) else float64
    kind = dtype_argument(dtype, default)
    return te.compute(sizes_of(shape), lambda *i: value(fill_value, kind), name="full")


@operator("zeros", kind="reshape")
def zeros(shape: Size | Sequence[Size], *, dtype: Any = "float32") -> Tensor:
    """A tensor of zeros."""
    return full(shape, 0, dtype=dtype)


@operator("ones", kind="reshape")
def ones(shape: Size | Sequence[Size], *, dtype: Any = "float32") -> Tensor:
    """A tensor of ones."""
    return full(shape, 1, dtype=dtype)


@operator("full_like", kind="reshape")
def full_like(x: Tensor, fill_value: Number, *, dtype: Any = None) -> Tensor:
    """A tensor of one value, in the shape and type of `x`."""
    return full(check_tensor(x, "x").shape, fill_value, dtype=dtype_argument(dtype, x.dtype))


@operator("zeros_like", kind="reshape")
def zeros_like(x: Tensor, *, dtype: Any = None) -> Tensor:
    """Zeros in the shape and type of `x`."""
    return full_like(x, 0, dtype=dtype)


@operator("ones_like", kind="reshape")
def ones_like(x: Tensor, *, dtype: Any = None) -> Tensor:
    """Ones in the shape and type of `x`."""
    return full_like(x, 1, dtype=dtype)


@operator("empty_like", kind="reshape")
def empty_like(x: Tensor, *, dtype: Any = None) -> Tensor:
    """A tensor in the shape and type of `x`; its elements are zeros, so that results do not depend on chance."""
    return full_like(x, 0, dtype=dtype)


@operator("eye", kind="reshape")
def eye(n_rows: Size, n_cols: Size | None = None, *, k: int = 0, dtype: Any = "float32") -> Tensor:
    """Ones on diagonal `k` (0 the main one, positive ones above it), zeros elsewhere."""
    kind, offset = dtype_of(dtype), integer(k, "k")
    shape = sizes_of((n_rows, n_rows if n_cols is None else n_cols))
    one, zero = value(1, kind), value(0, kind)
    return te.compute(shape, lambda i, j: te.select((j - i).__eq__(offset), one, zero), name="eye")


@operator("arange", kind="reshape")
def arange(start: Number, stop: Number | None = None, step: Number = 1, *, dtype: Any = None) -> Tensor:
    """The numbers ``start + k * step`` before `stop`; with one argument, from 0 up to it.

    Raises:
        AkgError: AKG-E287 for a step of 0, or bounds that are no finite numbers.
    """
    first, last = (0, start) if stop is None else (start, stop)
    _check_numbers(start=first, stop=last, step=step)
    if step == 0:
        raise AkgError("AKG-E287", "step is 0", because="the range would have no end", hint="give a step that is not 0")
    is_integer = all(isinstance(v, int) for v in (first, last, step))
    kind = dtype_argument(dtype, int64 if is_integer else float64)
    count = len(range(int(first), int(last), int(step))) if is_integer else max(math.ceil((last - first) / step), 0)

    def element(i: Expr) -> Expr:
        if is_integer:
            return te.cast(te.cast(i * int(step) + int(first), int64), kind)
        return te.cast(te.cast(i, float64) * float(step) + float(first), kind)

    return te.compute(count, element, name="arange")


def _check_numbers(**numbers: object) -> None:
    for name, v in numbers.items():
        if not isinstance(v, (int, float)) or not math.isfinite(v):
            raise AkgError("AKG-E287", f"{name} is {v!r}", because="ranges have finite bounds", hint="give a number")


@operator("linspace", kind="reshape")
def linspace(start: Number, stop: Number, num: int, *, endpoint: bool = True, dtype: Any = "float32") -> Tensor:
    """`num` evenly spaced floats from `start` to `stop`, which is the last one if `endpoint`.

    Raises:
        AkgError: AKG-E287 for a negative `num` or bounds that are no finite numbers, AKG-E274 for no float type.
    """
    _check_numbers(start=start, stop=stop)
    count = integer(num, "num", 0)
    kind = check_dtype(dtype_of(dtype), "a float", "dtype")
    steps = count - 1 if endpoint else count
    step = (float(stop) - float(start)) / steps if steps > 0 else 0.0

    def element(i: Expr) -> Expr:
        here = te.cast(i, float64) * step + float(start)
        if endpoint and count > 1:
            here = te.select(i < count - 1, here, float(stop))
        return te.cast(here, kind)

    return te.compute(count, element, name="linspace")


@operator("meshgrid", kind="broadcast")
def meshgrid(*arrays: Tensor, indexing: str = "xy") -> list[Tensor]:
    """The coordinates of every point of the grid over vectors; "xy" swaps the first two dimensions, "ij" does not.

    Raises:
        AkgError: AKG-E281 for an operand that is no vector, AKG-E287 for another `indexing`.
    """
    if indexing not in ("xy", "ij"):
        raise AkgError("AKG-E287", f"indexing is {indexing!r}", hint="give 'xy' or 'ij'")
    for k, x in enumerate(arrays):
        if check_tensor(x, f"array {k}").ndim != 1:
            raise AkgError(
                "AKG-E281", f"array {k} has {x.ndim} dimensions", because=f"its shape is {shape_text(x.shape)}",
                hint="give vectors",
            )  # fmt: skip
    order = list(range(len(arrays)))
    if indexing == "xy" and len(arrays) > 1:
        order[:2] = [1, 0]
    shape = tuple([arrays[k].shape[0] for k in order])

    def grid(k: int) -> Tensor:
        return te.compute(shape, lambda *i: arrays[k][i[order.index(k)]], name=f"meshgrid_{k}")

    return [grid(k) for k in range(len(arrays))]


@operator("one_hot", kind="broadcast")
def one_hot(
    indices: Tensor, depth: int, *, axis: int = -1, on_value: Number = 1, off_value: Number = 0, dtype: Any = "float32"
) -> Tensor:
    """`on_value` where the new dimension `axis`, of size `depth`, equals the index, `off_value` elsewhere.

    An index that is negative or not below `depth` has no `on_value`: negative ones do not count from the end.

    Raises:
        AkgError: AKG-E274 for indices that are no integers, AKG-E273 for a bad axis, AKG-E287 for a bad depth.
    """
    check_dtype(check_tensor(indices, "indices").dtype, "an integer", "indices", "indices are integers")
    kind, along = dtype_of(dtype), normalize_axis(axis, indices.ndim + 1)
    count = integer(depth, "depth", 0)
    shape = (*indices.shape[:along], Const(count), *indices.shape[along:])

    def element(*place: Expr) -> Expr:
        found = te.cast(indices[(*place[:along], *place[along + 1 :])], int64)
        hit = found.__eq__(te.cast(place[along], int64))
        return te.select(hit, value(on_value, kind), value(off_value, kind))  # type: ignore[arg-type]

    return te.compute(shape, element, name="one_hot")
