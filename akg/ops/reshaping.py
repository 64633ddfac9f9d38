"""Other shapes and orders of the same elements.

Places are affine or quasi-affine expressions of the result's axes, so that these operators are inlined into whatever
reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from operator import index as as_index

from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Size, Tensor, shape_text
from akg.ops.registry import operator
from akg.ops.shape import (
    AxisLike,
    Sizes,
    broadcast_shapes,
    check_tensor,
    is_one,
    normalize_axes,
    normalize_axis,
    read,
    same_size,
    sizes_of,
)

__all__ = [
    "broadcast_arrays", "broadcast_to", "expand_dims", "flip", "matrix_transpose", "moveaxis", "permute_dims",
    "reshape", "roll", "squeeze", "swapaxes", "transpose",
]  # fmt: skip


def integer(given: object, what: str, least: int | None = None) -> int:
    """A user's integer.

    Raises:
        AkgError: AKG-E287 if it is none, or below `least`.
    """
    try:
        number = as_index(given)  # type: ignore[arg-type]  # pyright: ignore
    except TypeError:
        raise AkgError("AKG-E287", f"{what} is {given!r}", hint=f"give an integer, as in {what}=1") from None
    if least is not None and number < least:
        raise AkgError("AKG-E287", f"{what} is {number}", hint=f"give {what} of at least {least}")
    return number


def fixed_size(x: Tensor, axis: int, why: str) -> int:
    """The size of a dimension that has to be an integer.

    Raises:
        AkgError: AKG-E286 for a symbolic one.
    """
    size = x.shape[axis]
    if isinstance(size, Const):
        return int(size)
    raise AkgError(
        "AKG-E286",
        f"dimension {axis} of x is symbolic",
        because=f"x has shape {shape_text(x.shape)}, and {why}",
        hint="give the size as an integer",
    )


# --- shape ----------------------------------------------------------------------------------------------


@operator("reshape", kind="reshape")
def reshape(x: Tensor, shape: Size | Sequence[Size]) -> Tensor:
    """The elements of `x` in row-major order, in another shape; one size may be -1: what is left.

    Raises:
        AkgError: AKG-E286 if the numbers of elements differ, or symbolic sizes are taken apart.
    """
    check_tensor(x, "x")
    target = _target_shape(x, shape)
    groups = _size_groups(x, target)
    if any(isinstance(s, Const) and int(s) == 0 for s in x.shape):  # nothing to subscript
        return te.compute(target, lambda *i: te.cast(0, x.dtype), name="reshape")

    def element(*place: Expr) -> Expr:
        at: list[Expr] = []
        for old, new in groups:
            sizes = [target[d] for d in new]
            at.extend(_replaced([place[d] for d in new], sizes, [x.shape[d] for d in old]))
        return x[tuple(at)]

    return te.compute(target, element, name="reshape")


def _target_shape(x: Tensor, shape: Size | Sequence[Size]) -> Sizes:
    given = list(shape) if isinstance(shape, (tuple, list)) else [shape]
    holes = [d for d, s in enumerate(given) if isinstance(s, int) and s == -1]
    if len(holes) > 1:
        raise AkgError("AKG-E286", f"shape is {tuple(given)!r}", because="-1 stands for the one size that is left",
                       hint="give all sizes but one")  # fmt: skip
    known = sizes_of([s for d, s in enumerate(given) if d not in holes])  # type: ignore[misc]  # pyright: ignore
    if not holes:
        return known
    rest = _quotient(x, known)
    return (*known[: holes[0]], rest, *known[holes[0] :])


def _quotient(x: Tensor, known: Sizes) -> Expr:
    """What is left of the sizes of `x` without `known`: symbols cancel, integers divide."""
    symbols = [s for s in x.shape if not isinstance(s, Const)]
    for s in known:
        if not isinstance(s, Const):
            match = next((k for k, o in enumerate(symbols) if o is s), None)
            if match is None:
                raise _no_reshape(x, known, "a symbol of the new shape is not in the old one")
            del symbols[match]
    old = prod([int(s) for s in x.shape if isinstance(s, Const)])
    new = prod([int(s) for s in known if isinstance(s, Const)])
    if len(symbols) > 1 or new == 0 or old % new:
        reason = "-1 would stand for the product of symbolic sizes" if len(symbols) > 1 else (
            f"{old} elements do not divide into {new}")  # fmt: skip
        raise _no_reshape(x, known, reason)
    return symbols[0] * (old // new) if symbols else Const(old // new)


def _no_reshape(x: Tensor, target: Sizes, because: str) -> AkgError:
    return AkgError(
        "AKG-E286",
        f"cannot reshape {shape_text(x.shape)} to {shape_text(target)}",
        because=because,
        hint="the numbers of elements must be equal, and a symbolic size stays one dimension",
    )


def _size_groups(x: Tensor, target: Sizes) -> list[tuple[list[int], list[int]]]:
    """Runs of old and new dimensions with equal products, as short as can be."""
    old, new = list(range(x.ndim)), list(range(len(target)))
    constant = [isinstance(s, Const) for s in (*x.shape, *target)]
    if all(constant):
        before, after = prod([int(s) for s in x.shape]), prod([int(s) for s in target])  # type: ignore[call-overload]  # pyright: ignore
        if before != after:
            raise _no_reshape(x, target, f"the shapes have {before} and {after} elements")
        if before == 0:
            return [(old, new)]
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and j < len(new) and same_size(x.shape[i], target[j]):
            groups.append(([i], [j]))
            i, j = i + 1, j + 1
            continue
        left: list[int] = []
        right: list[int] = []
        a, b = Const(1), Const(1)
        while (not left and not right) or not same_size(a, b):
            if j >= len(new) or (i < len(old) and isinstance(a, Const) and isinstance(b, Const) and int(a) <= int(b)):
                if i >= len(old):
                    raise _no_reshape(x, target, "symbolic sizes do not come together")
                a, i = _times(x, target, a, x.shape[i]), _taken(left, i)
            else:
                b, j = _times(x, target, b, target[j]), _taken(right, j)
        groups.append((left, right))
    return groups


def _taken(group: list[int], d: int) -> int:
    group.append(d)
    return d + 1


def _times(x: Tensor, target: Sizes, a: Expr, b: Expr) -> Expr:
    if not isinstance(a, Const) and not isinstance(b, Const):
        raise _no_reshape(x, target, "two symbolic sizes would become one dimension")
    return a * b


def _replaced(place: Sequence[Expr], sizes: Sequence[Expr], old: Sequence[Expr]) -> list[Expr]:
    """The subscripts over `old` of the element at `place` over `sizes`, in row-major order."""
    flat: Expr = Const(0)
    for p, s in zip(place, sizes, strict=True):
        flat = flat * s + p
    result: list[Expr] = []
    for k, size in enumerate(reversed(old)):
        if is_one(size):
            result.append(Const(0))
        elif all(is_one(s) for s in old[: len(old) - 1 - k]):
            result.append(flat)
            flat = Const(0)
        else:
            extent = max(int(size), 1)  # type: ignore[call-overload]  # pyright: ignore
            result.append(flat % extent)
            flat = flat // extent
    return result[::-1]


@operator("expand_dims", kind="reshape")
def expand_dims(x: Tensor, axis: AxisLike = 0) -> Tensor:
    """`x` with a dimension of size 1 at each `axis` of the result.

    Raises:
        AkgError: AKG-E273 for a bad axis.
    """
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    added = normalize_axes(0 if axis is None else axis, check_tensor(x, "x").ndim + count)
    sizes = iter(x.shape)
    shape = tuple([Const(1) if d in added else next(sizes) for d in range(x.ndim + count)])
    return te.compute(shape, lambda *i: x[tuple([p for d, p in enumerate(i) if d not in added])], name="expand_dims")


@operator("squeeze", kind="reshape")
def squeeze(x: Tensor, axis: AxisLike = None) -> Tensor:
    """`x` without the dimensions `axis`, which have size 1; None: all such.

    Raises:
        AkgError: AKG-E286 for a dimension of another size, AKG-E273 for a bad axis.
    """
    check_tensor(x, "x")
    if axis is None:
        gone: tuple[int, ...] = tuple([d for d, s in enumerate(x.shape) if is_one(s)])
    else:
        gone = normalize_axes(axis, x.ndim)
    for d in gone:
        if not is_one(x.shape[d]):
            raise AkgError(
                "AKG-E286",
                f"dimension {d} has size {shape_text((x.shape[d],))[1:-2]}",
                because=f"x has shape {shape_text(x.shape)}, and only dimensions of size 1 can go",
                hint="use akg.ops.reshape",
            )
    kept = [d for d in range(x.ndim) if d not in gone]

    def element(*place: Expr) -> Expr:
        at = dict(zip(kept, place, strict=True))
        return x[tuple([at.get(d, Const(0)) for d in range(x.ndim)])]

    return te.compute(tuple([x.shape[d] for d in kept]), element, name="squeeze")


@operator("broadcast_to", kind="broadcast")
def broadcast_to(x: Tensor, shape: Size | Sequence[Size]) -> Tensor:
    """`x` repeated to `shape` along dimensions that it lacks or that have size 1.

    Raises:
        AkgError: AKG-E286 if `x` does not broadcast to `shape`.
    """
    target = sizes_of(shape)
    is_fit = check_tensor(x, "x").ndim <= len(target) and all(
        is_one(a) or same_size(a, b) for a, b in zip(x.shape[::-1], target[::-1], strict=False)
    )
    if not is_fit:
        raise AkgError(
            "AKG-E286",
            f"cannot broadcast {shape_text(x.shape)} to {shape_text(target)}",
            because="from the right, each size is 1 or the size that is asked for",
            hint="add dimensions with akg.ops.expand_dims",
        )
    return te.compute(target, lambda *i: read(x, i, target), name="broadcast_to")  # type: ignore[arg-type, return-value]


@operator("broadcast_arrays", kind="broadcast")
def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """All operands in their common shape.

    Raises:
        AkgError: AKG-E272 if they have none.
    """
    shape = broadcast_shapes(*[check_tensor(x, f"operand {k}").shape for k, x in enumerate(arrays)])
    return [broadcast_to(x, shape) for x in arrays]


# --- order ----------------------------------------------------------------------------------------------


@operator("permute_dims", kind="reshape")
def permute_dims(x: Tensor, axes: Sequence[int]) -> Tensor:
    """`x` with its dimensions in the order `axes`.

    Raises:
        AkgError: AKG-E273 if `axes` does not name each dimension once.
    """
    check_tensor(x, "x")
    order = normalize_axes(tuple(axes), x.ndim, "axes")
    if len(order) != x.ndim:
        raise AkgError(
            "AKG-E273",
            f"axes names {len(order)} of {x.ndim} dimensions",
            because=f"axes={tuple(axes)!r}, and x has shape {shape_text(x.shape)}",
            hint="name every dimension once",
        )
    return _permuted(x, order, "permute_dims")


def _permuted(x: Tensor, order: Sequence[int], name: str) -> Tensor:
    place = [list(order).index(d) for d in range(x.ndim)]
    return te.compute(tuple([x.shape[d] for d in order]), lambda *i: x[tuple([i[p] for p in place])], name=name)


@operator("transpose", kind="reshape")
def transpose(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """`x` with its dimensions in the order `axes`; None: reversed.

    Raises:
        AkgError: AKG-E273 if `axes` does not name each dimension once.
    """
    return permute_dims(x, tuple(range(check_tensor(x, "x").ndim))[::-1] if axes is None else axes)


@operator("matrix_transpose", kind="reshape")
def matrix_transpose(x: Tensor) -> Tensor:
    """`x` with its last two dimensions swapped.

    Raises:
        AkgError: AKG-E281 for less than two dimensions.
    """
    if check_tensor(x, "x").ndim < 2:
        raise AkgError(
            "AKG-E281",
            f"x has {x.ndim} {'dimension' if x.ndim == 1 else 'dimensions'}",
            because=f"its shape is {shape_text(x.shape)}, and a matrix has 2",
            hint="give a matrix or a stack of matrices",
        )
    return _permuted(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2), "matrix_transpose")


@operator("swapaxes", kind="reshape")
def swapaxes(x: Tensor, axis1: int, axis2: int) -> Tensor:
    """`x` with two dimensions swapped.

    Raises:
        AkgError: AKG-E273 for a bad axis.
    """
    ndim = check_tensor(x, "x").ndim
    a, b = normalize_axis(axis1, ndim, "axis1"), normalize_axis(axis2, ndim, "axis2")
    order = list(range(ndim))
    order[a], order[b] = b, a
    return _permuted(x, order, "swapaxes")


@operator("moveaxis", kind="reshape")
def moveaxis(x: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """`x` with the dimensions `source` at the places `destination`; the others keep their order.

    Raises:
        AkgError: AKG-E273 for a bad axis, or if not as many places as dimensions are given.
    """
    ndim = check_tensor(x, "x").ndim
    first, second = normalize_axes(source, ndim, "source"), normalize_axes(destination, ndim, "destination")
    if len(first) != len(second):
        raise AkgError(
            "AKG-E273", f"{len(first)} dimensions for {len(second)} places",
            because=f"source={source!r}, destination={destination!r}", hint="give as many places as dimensions",
        )  # fmt: skip
    rest = iter([d for d in range(ndim) if d not in first])
    places = dict(zip(second, first, strict=True))
    return _permuted(x, [places[d] if d in places else next(rest) for d in range(ndim)], "moveaxis")


@operator("flip", kind="reshape")
def flip(x: Tensor, axis: AxisLike = None) -> Tensor:
    """`x` with the elements along `axis` in reverse order; None: along every one.

    Raises:
        AkgError: AKG-E273 for a bad axis.
    """
    axes = normalize_axes(axis, check_tensor(x, "x").ndim)

    def element(*place: Expr) -> Expr:
        return x[tuple([x.shape[d] - 1 - p if d in axes else p for d, p in enumerate(place)])]

    return te.compute(x.shape, element, name="flip")


@operator("roll", kind="reshape")
def roll(x: Tensor, shift: int | Sequence[int], axis: AxisLike = None) -> Tensor:
    """`x` with its elements moved on by `shift` along `axis`; those that leave at the end enter at the begin.

    Without an axis, elements move in row-major order.

    Raises:
        AkgError: AKG-E273 for a bad axis, AKG-E287 for a bad shift, AKG-E286 for a symbolic size.
    """
    check_tensor(x, "x")
    if axis is None:
        return reshape(roll(reshape(x, -1), shift, 0), x.shape)
    axes = normalize_axes(axis, x.ndim)
    shifts = tuple(shift) if isinstance(shift, (tuple, list)) else (shift,) * len(axes)
    if len(shifts) != len(axes):
        raise AkgError(
            "AKG-E287",
            f"{len(shifts)} shifts for {len(axes)} axes",
            because=f"shift={shift!r}, axis={axis!r}",
            hint="give one shift, or one for each axis",
        )
    for d, s in zip(axes, shifts, strict=True):
        size = fixed_size(x, d, "elements turn round at its end")
        by = integer(s, "shift") % size if size else 0
        if by:
            x = _rolled(x, d, size, by)
    return te.compute(x.shape, lambda *i: x[i], name="roll")


def _rolled(x: Tensor, axis: int, size: int, by: int) -> Tensor:
    def element(*place: Expr) -> Expr:
        back = replaced_at(place, axis, place[axis] - by)
        return te.select(place[axis] >= by, x[back], x[replaced_at(place, axis, place[axis] + (size - by))])

    return te.compute(x.shape, element, name="roll")


def replaced_at(place: Sequence[Expr], axis: int, value: Expr) -> tuple[Expr, ...]:
    """`place` with another value at `axis`."""
    return (*place[:axis], value, *place[axis + 1 :])
