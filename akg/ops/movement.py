"""Joining, cutting and repeating; parts of matrices; pixels and channels.

Every element of the result is one element of an operand or a constant.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Tensor, shape_text
from akg.ops.registry import operator
from akg.ops.reshaping import expand_dims, fixed_size, integer, replaced_at, reshape
from akg.ops.shape import check_tensor, normalize_axes, normalize_axis, result_dtype, same_size, value

__all__ = [
    "concat", "pixel_shuffle", "pixel_unshuffle", "repeat", "slice", "split", "stack", "tile", "tril", "triu",
    "unstack",
]  # fmt: skip


# --- joining and cutting --------------------------------------------------------------------------------


@operator("concat", kind="reshape")
def concat(arrays: Sequence[Tensor], *, axis: int | None = 0) -> Tensor:
    """The operands one after the other along `axis`; None: all their elements, in a vector.

    Raises:
        AkgError: AKG-E286 if sizes off the axis differ, AKG-E273 for a bad axis, AKG-E281 for different ranks.
    """
    tensors = _checked_list(arrays)
    if axis is None:
        return concat([reshape(x, -1) for x in tensors], axis=0)
    first = tensors[0]
    along = normalize_axis(axis, first.ndim)
    for k, x in enumerate(tensors[1:], 1):
        _check_joined(first, x, k, along)
    kind = result_dtype(*tensors)
    ends: list[Expr] = []
    total: Expr = Const(0)
    for x in tensors:
        total = total + x.shape[along]
        ends.append(total)

    def element(*place: Expr) -> Expr:
        begins = [Const(0), *ends[:-1]]
        parts = [(end, value(x[replaced_at(place, along, place[along] - begin)], kind))
                 for x, begin, end in zip(tensors, begins, ends, strict=True) if not _is_empty(x, along)]  # fmt: skip
        if not parts:
            return te.cast(0, kind)
        result = parts[-1][1]
        for end, part in reversed(parts[:-1]):
            result = te.select(place[along] < end, part, result)
        return result

    return te.compute(replaced_at(first.shape, along, total), element, name="concat")


def _is_empty(x: Tensor, axis: int) -> bool:
    size = x.shape[axis]
    return isinstance(size, Const) and int(size) == 0


def _checked_list(arrays: Sequence[Tensor]) -> list[Tensor]:
    tensors = [check_tensor(x, f"array {k}") for k, x in enumerate(arrays)]
    if not tensors:
        raise AkgError("AKG-E287", "no arrays", because="the list is empty", hint="give at least one")
    return tensors


def _check_joined(first: Tensor, x: Tensor, position: int, along: int | None) -> None:
    if x.ndim != first.ndim:
        raise AkgError(
            "AKG-E281",
            f"array {position} has {x.ndim} {'dimension' if x.ndim == 1 else 'dimensions'}",
            because=f"array 0 has {first.ndim}",
            hint="give arrays of one rank",
        )
    for d, (a, b) in enumerate(zip(first.shape, x.shape, strict=True)):
        if d != along and not same_size(a, b):
            raise AkgError(
                "AKG-E286",
                f"shapes {shape_text(first.shape)} and {shape_text(x.shape)} do not join",
                because=f"dimension {d} differs" + ("" if along is None else f", and the arrays join along {along}"),
                hint="sizes must be equal" + ("" if along is None else ", except along the axis"),
            )


@operator("stack", kind="reshape")
def stack(arrays: Sequence[Tensor], *, axis: int = 0) -> Tensor:
    """The operands, which have one shape, along a new dimension `axis`.

    Raises:
        AkgError: AKG-E286 for different shapes, AKG-E273 for a bad axis, AKG-E281 for different ranks.
    """
    tensors = _checked_list(arrays)
    along = normalize_axis(axis, tensors[0].ndim + 1)
    for k, x in enumerate(tensors[1:], 1):
        _check_joined(tensors[0], x, k, None)
    return concat([expand_dims(x, along) for x in tensors], axis=along)


@operator("unstack", kind="reshape")
def unstack(x: Tensor, *, axis: int = 0) -> list[Tensor]:
    """The parts of `x` at each place along `axis`, without that dimension.

    Raises:
        AkgError: AKG-E273 for a bad axis, AKG-E286 for a symbolic size.
    """
    along = normalize_axis(axis, check_tensor(x, "x").ndim)
    shape = (*x.shape[:along], *x.shape[along + 1 :])

    def part(k: int) -> Tensor:
        return te.compute(shape, lambda *i: x[(*i[:along], Const(k), *i[along:])], name=f"unstack_{k}")

    return [part(k) for k in range(fixed_size(x, along, "it tells how many parts there are"))]


@operator("split", kind="reshape")
def split(x: Tensor, sections: int | Sequence[int], *, axis: int = 0) -> list[Tensor]:
    """`x` cut along `axis` into `sections` parts of one size, or at the places listed, as NumPy's split.

    Raises:
        AkgError: AKG-E286 if the size does not divide, or is symbolic; AKG-E287 for bad sections, AKG-E273 for an axis.
    """
    along = normalize_axis(axis, check_tensor(x, "x").ndim)
    size = fixed_size(x, along, "it is cut into parts")
    if isinstance(sections, (tuple, list)):
        cuts = [builtins.slice(integer(c, "sections")).indices(size)[1] for c in sections]
    else:
        count = integer(sections, "sections", 1)  # type: ignore[arg-type]
        if size % count:
            raise AkgError(
                "AKG-E286", f"{size} does not divide into {count} parts",
                because=f"dimension {along} of x has size {size}", hint="list the places to cut at: sections=[2, 5]",
            )  # fmt: skip
        cuts = [size // count * k for k in range(1, count)]
    return [_cut(x, along, a, max(b, a), 1, "split") for a, b in zip([0, *cuts], [*cuts, size], strict=True)]


def _cut(x: Tensor, axis: int, begin: int, end: int, step: int, name: str) -> Tensor:
    count = len(range(begin, end, step))
    shape = replaced_at(x.shape, axis, Const(count))
    if count == 0:
        return te.compute(shape, lambda *i: te.cast(0, x.dtype), name=name)
    return te.compute(shape, lambda *i: x[replaced_at(i, axis, i[axis] * step + begin)], name=name)


@operator("slice", kind="reshape")
def slice(
    x: Tensor, starts: Sequence[int | None], stops: Sequence[int | None], steps: Sequence[int] | None = None, *,
    axes: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """``x[start:stop:step, ...]`` with Python's rules: negative places count from the end, all are clipped.

    Args:
        x: the elements.
        starts: one place for each of `axes`; None: the end that the step comes from.
        stops: one place for each of `axes`; None: beyond the end that the step goes to.
        steps: not 0, and negative to go backwards; None: 1.
        axes: the dimensions that are cut; None: the first ones.

    Raises:
        AkgError: AKG-E287 for lists of different lengths or a step of 0, AKG-E273 for a bad axis, AKG-E286 for a
            symbolic size that is cut.
    """
    check_tensor(x, "x")
    count = len(starts)
    along = normalize_axes(tuple(range(count)) if axes is None else tuple(axes), x.ndim, "axes")
    given = (1,) * count if steps is None else tuple(steps)
    if len({count, len(stops), len(given), len(along)}) > 1:
        raise AkgError(
            "AKG-E287",
            f"{count} starts, {len(stops)} stops, {len(given)} steps and {len(along)} axes",
            hint="give one of each for every dimension that is cut",
        )
    ranges: dict[int, tuple[Expr, int, Expr]] = {}
    for d, start, stop, step in zip(along, starts, stops, given, strict=True):
        if integer(step, "steps") == 0:
            raise AkgError("AKG-E287", "steps has a 0", because=f"steps={given!r}", hint="give steps that are not 0")
        if start is None and stop is None and step == 1:
            continue
        r = range(*builtins.slice(start, stop, step).indices(fixed_size(x, d, "it is cut")))
        ranges[d] = (Const(r.start), r.step, Const(len(r)))
    shape = tuple([ranges[d][2] if d in ranges else s for d, s in enumerate(x.shape)])
    if builtins.any(isinstance(s, Const) and int(s) == 0 for s in shape):
        return te.compute(shape, lambda *i: te.cast(0, x.dtype), name="slice")

    def element(*place: Expr) -> Expr:
        return x[tuple([p * ranges[d][1] + ranges[d][0] if d in ranges else p for d, p in enumerate(place)])]

    return te.compute(shape, element, name="slice")


# --- repetition -----------------------------------------------------------------------------


@operator("tile", kind="reshape")
def tile(x: Tensor, repetitions: int | Sequence[int]) -> Tensor:
    """`x` repeated as a whole, so many times along each dimension; missing numbers, or dimensions, count as 1.

    Raises:
        AkgError: AKG-E287 for a bad number, AKG-E286 for a symbolic size that is repeated.
    """
    check_tensor(x, "x")
    given = list(repetitions) if isinstance(repetitions, (tuple, list)) else [repetitions]
    counts = [integer(c, "repetitions", 0) for c in given]
    counts = [1] * (x.ndim - len(counts)) + counts
    sizes = (*[Const(1)] * (len(counts) - x.ndim), *x.shape)
    for d, c in enumerate(counts[len(counts) - x.ndim :]):
        if c != 1:
            fixed_size(x, d, "it is repeated")
    shape = tuple([s * c for s, c in zip(sizes, counts, strict=True)])
    if 0 in counts or builtins.any(isinstance(s, Const) and int(s) == 0 for s in shape):
        return te.compute(shape, lambda *i: te.cast(0, x.dtype), name="tile")

    def element(*place: Expr) -> Expr:
        at = [p if c == 1 else p % s for p, s, c in zip(place, sizes, counts, strict=True)]
        return x[tuple(at[len(counts) - x.ndim :])]

    return te.compute(shape, element, name="tile")


@operator("repeat", kind="reshape")
def repeat(x: Tensor, repeats: int, *, axis: int | None = None) -> Tensor:
    """`x` with each element `repeats` times in a row along `axis`; None: of all elements, in a vector.

    Raises:
        AkgError: AKG-E287 for a bad number, AKG-E273 for a bad axis.
    """
    count = integer(repeats, "repeats", 0)
    if axis is None:
        return repeat(reshape(x, -1), count, axis=0)
    along = normalize_axis(axis, check_tensor(x, "x").ndim)
    shape = replaced_at(x.shape, along, x.shape[along] * count)
    if count == 0:
        return te.compute(shape, lambda *i: te.cast(0, x.dtype), name="repeat")
    return te.compute(shape, lambda *i: x[replaced_at(i, along, i[along] // count)], name="repeat")


# --- parts ----------------------------------------------------------------------------------------------


@operator("tril", kind="reshape")
def tril(x: Tensor, *, k: int = 0) -> Tensor:
    """Matrices with zeros above diagonal `k`: 0 the main one, positive ones above it.

    Raises:
        AkgError: AKG-E281 for less than two dimensions.
    """
    _check_matrix(x)
    below = integer(k, "k")
    zero = te.cast(0, x.dtype)
    return te.compute(x.shape, lambda *i: te.select(i[-1] - i[-2] <= below, x[i], zero), name="tril")


@operator("triu", kind="reshape")
def triu(x: Tensor, *, k: int = 0) -> Tensor:
    """Matrices with zeros below diagonal `k`: 0 the main one, positive ones above it.

    Raises:
        AkgError: AKG-E281 for less than two dimensions.
    """
    _check_matrix(x)
    above = integer(k, "k")
    zero = te.cast(0, x.dtype)
    return te.compute(x.shape, lambda *i: te.select(i[-1] - i[-2] >= above, x[i], zero), name="triu")


def _check_matrix(x: Tensor) -> None:
    if check_tensor(x, "x").ndim < 2:
        raise AkgError(
            "AKG-E281",
            f"x has {x.ndim} {'dimension' if x.ndim == 1 else 'dimensions'}",
            because=f"its shape is {shape_text(x.shape)}, and a matrix has 2",
            hint="give a matrix or a stack of matrices",
        )


@operator("pixel_shuffle", kind="reshape")
def pixel_shuffle(x: Tensor, factor: int) -> Tensor:
    """Channels become pixels: (n, c * factor**2, h, w) gives (n, c, h * factor, w * factor).

    Raises:
        AkgError: AKG-E281 for a wrong rank, AKG-E283 if the channels do not divide.
    """
    r = _pixel_factor(x, factor)
    channels = fixed_size(x, 1, "its channels become pixels")
    if channels % (r * r):
        raise AkgError(
            "AKG-E283", f"{channels} channels do not divide into squares of {r} by {r}",
            because=f"x has shape {shape_text(x.shape)}", hint=f"give a multiple of {r * r} channels",
        )  # fmt: skip
    n, _, h, w = x.shape

    def element(n: Expr, c: Expr, i: Expr, j: Expr) -> Expr:
        return x[n, c * (r * r) + i % r * r + j % r, i // r, j // r]

    return te.compute((n, channels // (r * r), h * r, w * r), element, name="pixel_shuffle")


@operator("pixel_unshuffle", kind="reshape")
def pixel_unshuffle(x: Tensor, factor: int) -> Tensor:
    """Pixels become channels: (n, c, h * factor, w * factor) gives (n, c * factor**2, h, w).

    Raises:
        AkgError: AKG-E281 for a wrong rank, AKG-E286 if the spatial sizes do not divide.
    """
    r = _pixel_factor(x, factor)
    sizes = [fixed_size(x, d, "its pixels become channels") for d in (2, 3)]
    for d, size in enumerate(sizes, 2):
        if size % r:
            raise AkgError(
                "AKG-E286", f"{size} does not divide by {r}", because=f"dimension {d} of x has size {size}",
                hint=f"give a multiple of {r}",
            )  # fmt: skip

    def element(n: Expr, c: Expr, i: Expr, j: Expr) -> Expr:
        return x[n, c // (r * r), i * r + c // r % r, j * r + c % r]

    shape = (x.shape[0], x.shape[1] * (r * r), sizes[0] // r, sizes[1] // r)
    return te.compute(shape, element, name="pixel_unshuffle")


def _pixel_factor(x: Tensor, factor: int) -> int:
    if check_tensor(x, "x").ndim != 4:
        raise AkgError(
            "AKG-E281", f"x has {x.ndim} dimensions", because=f"its shape is {shape_text(x.shape)}",
            hint="give x of shape (n, c, h, w)",
        )  # fmt: skip
    return integer(factor, "factor", 1)
