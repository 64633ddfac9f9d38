"""Elements by indices that are data: take, gather and scatter.

An index counts from the end if it is negative. What is out of range even so never touches other memory: the call
raises AKG-E518 (``mode="raise"``), takes the nearest element (``mode="clip"``) or goes round (``mode="wrap"``);
operators that put elements may leave it out, too (``mode="drop"``). The places that such an access touches are not
known when a kernel is compiled: it is modelled as touching anything, and the kernel's explanation says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from akg.base.dtype import DType, index, int64, promote
from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Tensor, shape_text
from akg.ops.registry import operator
from akg.ops.reshaping import integer, reshape
from akg.ops.shape import check_choice, check_dtype, check_tensor, is_one, normalize_axis, same_size, value

__all__ = [
    "gather", "gather_nd", "put_along_axis", "scatter_add", "scatter_nd", "scatter_nd_add", "take", "take_along_axis",
]  # fmt: skip

_MODES = ("raise", "clip", "wrap")
_COMBINING = ("last", "sum", "prod", "min", "max")
_ADDING_MODES = (*_MODES, "drop")


def _check_indices(indices: Tensor) -> Tensor:
    check_dtype(check_tensor(indices, "indices").dtype, "an integer", "indices", "indices are integers")
    return indices


def _in_range(found: Expr, size: Expr, mode: str) -> Expr:
    """An index as a subscript of a dimension that is not empty."""
    wide = te.cast(found, int64)
    extent = te.cast(size, int64)
    if mode in ("raise", "drop"):
        return te.cast(te.select(wide < 0, wide + extent, wide) if found.dtype.kind == "int" else found, index)
    if mode == "wrap":
        return te.cast(te.floormod(wide, te.maximum(extent, 1)), index)
    if found.dtype.kind == "int":
        wide = te.maximum(te.select(wide < 0, wide + extent, wide), 0)
    return te.cast(te.minimum(wide, extent - 1), index)


def _check_not_empty(x: Tensor, axis: int, indices: Tensor) -> None:
    if _is_empty(x.shape[axis : axis + 1]) and not _is_empty(indices.shape):
        raise AkgError(
            "AKG-E287",
            f"dimension {axis} of x is empty",
            because=f"x has shape {shape_text(x.shape)}, and the indices have shape {shape_text(indices.shape)}",
            hint="there is no element to take",
        )


@operator("take", kind="opaque")
def take(x: Tensor, indices: Tensor, *, axis: int | None = None, mode: str = "raise") -> Tensor:
    """The elements of `x` at `indices` along `axis`, whose dimension gives way to those of `indices`.

    Args:
        x: the elements; without an axis, in row-major order.
        indices: integers; negative ones count from the end.
        axis: the dimension.
        mode: what an index that is out of range means: "raise" an error when the kernel runs, "clip" the nearest
            element, "wrap" the one that it comes to by going round.

    Raises:
        AkgError: AKG-E274 for indices that are no integers, AKG-E273 for a bad axis, AKG-E275 for an unknown mode,
            AKG-E287 for an empty dimension.
    """
    check_choice(mode, "mode", _MODES)
    _check_indices(indices)
    if axis is None:
        return take(reshape(x, -1), indices, axis=0, mode=mode)
    along = normalize_axis(axis, check_tensor(x, "x").ndim)
    _check_not_empty(x, along, indices)
    rank = indices.ndim
    shape = (*x.shape[:along], *indices.shape, *x.shape[along + 1 :])
    if _is_empty(shape):
        return te.compute(shape, lambda *i: te.cast(0, x.dtype), name="take")

    def element(*place: Expr) -> Expr:
        at = _in_range(indices[place[along : along + rank]], x.shape[along], mode)
        return x[(*place[:along], at, *place[along + rank :])]

    return te.compute(shape, element, name="take")


def _is_empty(shape: Sequence[Expr]) -> bool:
    return any(isinstance(s, Const) and int(s) == 0 for s in shape)


@operator("gather", kind="opaque")
def gather(x: Tensor, indices: Tensor, *, axis: int = 0, mode: str = "raise") -> Tensor:
    """The slices of `x` at `indices` along `axis`: `take` with a default axis."""
    return take(x, indices, axis=axis, mode=mode)


@operator("take_along_axis", kind="opaque")
def take_along_axis(x: Tensor, indices: Tensor, *, axis: int = -1, mode: str = "raise") -> Tensor:
    """For each place, the element of `x` at ``indices[place]`` along `axis` and at the place itself elsewhere.

    Args:
        x: the elements.
        indices: integers, of the rank of `x`; off the axis sizes are equal, or 1.
        axis: the dimension.
        mode: as in `take`.

    Raises:
        AkgError: AKG-E274 for indices that are no integers, AKG-E273 for a bad axis, AKG-E281 for different ranks,
            AKG-E286 for sizes that do not fit, AKG-E275 for an unknown mode, AKG-E287 for an empty dimension.
    """
    check_choice(mode, "mode", _MODES)
    along = normalize_axis(axis, check_tensor(x, "x").ndim)
    if _check_indices(indices).ndim != x.ndim:
        raise AkgError(
            "AKG-E281",
            f"indices has {indices.ndim} {'dimension' if indices.ndim == 1 else 'dimensions'}",
            because=f"x has shape {shape_text(x.shape)}, and indices {shape_text(indices.shape)}",
            hint=f"give indices of {x.ndim} dimensions, or use akg.ops.take",
        )
    _check_not_empty(x, along, indices)
    shape: list[Expr] = []
    for d, (a, b) in enumerate(zip(x.shape, indices.shape, strict=True)):
        if d != along and not same_size(a, b) and not is_one(a) and not is_one(b):
            raise AkgError(
                "AKG-E286",
                f"shapes {shape_text(x.shape)} and {shape_text(indices.shape)} do not fit",
                because=f"dimension {d} differs, and the indices run along {along}",
                hint="sizes must be equal, or 1, except along the axis",
            )
        shape.append(b if d == along or is_one(a) else a)
    if _is_empty(shape):
        return te.compute(tuple(shape), lambda *i: te.cast(0, x.dtype), name="take_along_axis")

    def element(*place: Expr) -> Expr:
        found = indices[tuple([Const(0) if is_one(s) else p for p, s in zip(place, indices.shape, strict=True)])]
        at = [Const(0) if is_one(s) else p for p, s in zip(place, x.shape, strict=True)]
        at[along] = _in_range(found, x.shape[along], mode)
        return x[tuple(at)]

    return te.compute(tuple(shape), element, name="take_along_axis")


@operator("gather_nd", kind="opaque")
def gather_nd(x: Tensor, indices: Tensor, *, batch_dims: int = 0, mode: str = "raise") -> Tensor:
    """The slices of `x` at the vectors in the last dimension of `indices`, which index leading dimensions of `x`.

    Args:
        x: the elements.
        indices: integers of shape (batch..., ..., depth).
        batch_dims: how many leading dimensions both have in common.
        mode: as in `take`.

    Raises:
        AkgError: AKG-E274 for indices that are no integers, AKG-E281 for ranks that do not fit, AKG-E286 for sizes,
            AKG-E275 for an unknown mode, AKG-E287 for an empty dimension.
    """
    check_choice(mode, "mode", _MODES)
    depth = _depth_of(x, indices, batch_dims)
    lead = indices.shape[:-1]
    shape = (*lead, *x.shape[batch_dims + depth :])
    if _is_empty(shape):
        return te.compute(shape, lambda *i: te.cast(0, x.dtype), name="gather_nd")
    for d in range(batch_dims, batch_dims + depth):
        _check_not_empty(x, d, indices)

    def element(*place: Expr) -> Expr:
        own = place[: len(lead)]
        at = [_in_range(indices[(*own, Const(k))], x.shape[batch_dims + k], mode) for k in range(depth)]
        return x[(*place[:batch_dims], *at, *place[len(lead) :])]

    return te.compute(shape, element, name="gather_nd")


def _depth_of(x: Tensor, indices: Tensor, batch_dims: int) -> int:
    """The number of dimensions that a vector of indices addresses."""
    check_tensor(x, "x")
    batches = integer(batch_dims, "batch_dims", 0)
    size = _check_indices(indices).shape[-1] if indices.ndim else Const(0)
    shapes = f"x has shape {shape_text(x.shape)}, and indices {shape_text(indices.shape)}"
    if indices.ndim <= batches or not isinstance(size, Const) or int(size) + batches > x.ndim:
        raise AkgError(
            "AKG-E281",
            f"indices of shape {shape_text(indices.shape)} do not index x",
            because=shapes + (f", with {batches} in common" if batches else ""),
            hint="the last dimension of indices holds one index for each of the dimensions of x that are indexed",
        )
    for d in range(batches):
        if not same_size(x.shape[d], indices.shape[d]):
            raise AkgError(
                "AKG-E286",
                f"shapes {shape_text(x.shape)} and {shape_text(indices.shape)} do not fit",
                because=f"dimension {d} is one of {batches} in common",
                hint="sizes in common must be equal",
            )
    return int(size)


# --- adding ---------------------------------------------------------------------------------------------


@operator("scatter_add", kind="opaque")
def scatter_add(
    x: Tensor, indices: Tensor, updates: Tensor, *, axis: int = 0, mode: str = "raise"
) -> Tensor:
    """`x` with ``updates[..., k, ...]`` added at ``indices[k]`` along `axis`, all of them where indices repeat.

    It is the transpose of `take` along an axis. Updates are added one after the other; dimensions without indices
    run in lanes and in parallel.

    Args:
        x: numbers.
        indices: a vector of integers; negative ones count from the end.
        updates: of the shape of `x`, with the number of indices along `axis`.
        axis: the dimension.
        mode: as in `take`, or "drop" to leave out what is out of range.

    Raises:
        AkgError: AKG-E274 for indices that are no integers, AKG-E281 for wrong ranks, AKG-E286 for sizes that do not
            fit, AKG-E273 for a bad axis, AKG-E275 for an unknown mode.
    """
    check_choice(mode, "mode", _ADDING_MODES)
    along = normalize_axis(axis, check_tensor(x, "x").ndim)
    if _check_indices(indices).ndim != 1:
        raise AkgError(
            "AKG-E281", f"indices has {indices.ndim} dimensions", because=f"its shape is {shape_text(indices.shape)}",
            hint="give a vector of indices, or use akg.ops.scatter_nd_add",
        )  # fmt: skip
    _check_updates(updates, (*x.shape[:along], indices.shape[0], *x.shape[along + 1 :]))


    def at(*place: Expr) -> tuple[Expr, ...]:
        found = _in_range(indices[place[along]], x.shape[along], mode)
        return (*place[:along], found, *place[along + 1 :])

    return _combined(x, updates, at, mode, "scatter_add")


def _type_of(x: Tensor, updates: Tensor, op: str) -> DType:
    if op == "last":
        check_tensor(updates, "updates")
        return x.dtype
    return promote(check_dtype(x.dtype, "a number", "x"), check_dtype(updates.dtype, "a number", "updates")).compute


def _combined(
    x: Tensor, updates: Tensor, at: Callable[..., tuple[Expr, ...]], mode: str, name: str, op: str = "sum"
) -> Tensor:
    """`x` with updates taken in at places, in the type of arithmetic and rounded once."""
    kind = _type_of(x, updates, op)

    def term(*place: Expr) -> Expr:
        return value(updates[place], kind)

    def is_inside(*place: Expr) -> Expr:
        return te.all(*[(e >= 0) & (e < size) for e, size in zip(at(*place), x.shape, strict=True)])

    where = is_inside if mode == "drop" and x.shape else None
    total = te.scatter(x.shape, lambda *i: value(x[i], kind), updates.shape, at, term, op, where=where, name=name)
    return total if kind is x.dtype else te.compute(x.shape, lambda *i: te.cast(total[i], x.dtype), name=name)


def _check_updates(updates: Tensor, wanted: Sequence[Expr]) -> None:
    check_tensor(updates, "updates")
    if len(wanted) != updates.ndim or not all(same_size(a, b) for a, b in zip(updates.shape, wanted, strict=True)):
        raise AkgError(
            "AKG-E286",
            f"updates has shape {shape_text(updates.shape)}",
            because=f"x and the indices ask for {shape_text(tuple(wanted))}",
            hint="give one update for each element that is indexed",
        )


@operator("scatter_nd_add", kind="opaque")
def scatter_nd_add(x: Tensor, indices: Tensor, updates: Tensor, *, mode: str = "raise") -> Tensor:
    """`x` with updates added at the vectors in the last dimension of `indices`: the transpose of `gather_nd`.

    Indices, modes and order are as in `scatter_add`.

    Raises:
        AkgError: AKG-E274 for indices that are no integers, AKG-E281 for wrong ranks, AKG-E286 for sizes that do
            not fit, AKG-E275 for an unknown mode.
    """
    return _scattered(x, indices, updates, "sum", mode, "scatter_nd_add")


@operator("scatter_nd", kind="opaque")
def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor, *, combine: str = "last", mode: str = "raise") -> Tensor:
    """`x` with updates put at the vectors in the last dimension of `indices`.

    Args:
        x: the elements.
        indices: integers, as in `gather_nd`.
        updates: one for each element that is indexed.
        combine: "last", the last of several updates of an element stays; "sum", "prod", "min" or "max" take in all.
        mode: as in `scatter_add`.

    Raises:
        AkgError: as `scatter_nd_add`; AKG-E275 for an unknown `combine`.
    """
    check_choice(combine, "combine", _COMBINING)
    return _scattered(x, indices, updates, combine, mode, "scatter_nd")


def _scattered(x: Tensor, indices: Tensor, updates: Tensor, op: str, mode: str, name: str) -> Tensor:
    check_choice(mode, "mode", _ADDING_MODES)
    depth = _depth_of(x, indices, 0)
    lead = indices.shape[:-1]
    _check_updates(updates, (*lead, *x.shape[depth:]))

    def at(*place: Expr) -> tuple[Expr, ...]:
        own = place[: len(lead)]
        found = [_in_range(indices[(*own, Const(d))], x.shape[d], mode) for d in range(depth)]
        return (*found, *place[len(lead) :])

    return _combined(x, updates, at, mode, name, op)


@operator("put_along_axis", kind="opaque")
def put_along_axis(
    x: Tensor, indices: Tensor, values: Tensor, *, axis: int = -1, combine: str = "last", mode: str = "raise"
) -> Tensor:
    """`x` with ``values[..., k, ...]`` put at ``indices[..., k, ...]`` along `axis`, line by line.

    Args:
        x: the elements.
        indices: integers, of as many dimensions; in the others than `axis` not longer than `x`.
        values: of the shape of `indices`.
        axis: the dimension.
        combine: as in `scatter_nd`.
        mode: as in `scatter_add`.

    Raises:
        AkgError: AKG-E274 for indices that are no integers, AKG-E281 for wrong ranks, AKG-E286 for sizes that do not
            fit, AKG-E273 for a bad axis, AKG-E275 for an unknown `combine` or mode.
    """
    check_choice(mode, "mode", _ADDING_MODES)
    check_choice(combine, "combine", _COMBINING)
    along = normalize_axis(axis, check_tensor(x, "x").ndim)
    if _check_indices(indices).ndim != x.ndim:
        raise AkgError(
            "AKG-E281", f"indices has {indices.ndim} dimensions", because=f"x has shape {shape_text(x.shape)}",
            hint="give indices with as many dimensions, or use akg.ops.scatter_nd",
        )  # fmt: skip
    for d, (size, whole) in enumerate(zip(indices.shape, x.shape, strict=True)):
        if d != along and not same_size(size, whole) and not _is_shorter(size, whole):
            raise AkgError(
                "AKG-E286", f"indices of shape {shape_text(indices.shape)} leave x",
                because=f"x has shape {shape_text(x.shape)}, and dimension {d} is not the one that is indexed",
                hint="sizes must not exceed those of x, and symbolic sizes must be the same",
            )  # fmt: skip
    _check_updates(values, indices.shape)

    def at(*place: Expr) -> tuple[Expr, ...]:
        found = _in_range(indices[place], x.shape[along], mode)
        return (*place[:along], found, *place[along + 1 :])

    return _combined(x, values, at, mode, "put_along_axis", combine)


def _is_shorter(size: Expr, whole: Expr) -> bool:
    return isinstance(size, Const) and isinstance(whole, Const) and int(size) <= int(whole)
