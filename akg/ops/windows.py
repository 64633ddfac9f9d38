"""Sliding windows: strides, dilations and paddings of convolutions and pools, and the sizes that they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import index as as_index
from typing import TypeAlias

from akg.base.dtype import DType
from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Tensor, shape_text
from akg.ops.shape import Sizes

Ints: TypeAlias = "int | Sequence[int]"
Padding: TypeAlias = "int | str | Sequence[int] | Sequence[Sequence[int]]"

_COUNTS = ("no", "one", "two", "three")


@dataclass(frozen=True, slots=True)
class Window:
    """The windows along one dimension: `size` taps, `dilation` apart, every `stride` elements of the padded input."""

    size: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    @property
    def reach(self) -> int:
        """The number of elements from the first tap to the last."""
        return self.dilation * (self.size - 1) + 1 if self.size else 0


def check_rank(x: Tensor, rank: int, what: str, dimensions: str) -> None:
    """Raise AKG-E281 unless `x` has `rank` dimensions, which are called `dimensions`."""
    if x.ndim != rank:
        raise AkgError(
            "AKG-E281",
            f"{what} has {x.ndim} {'dimension' if x.ndim == 1 else 'dimensions'}",
            because=f"its shape is {shape_text(x.shape)}, it should be ({dimensions})",
            hint=f"give {what} of {rank} {'dimension' if rank == 1 else 'dimensions'}",
        )


def per_dimension(value: Ints, n: int, what: str, least: int = 1) -> tuple[int, ...]:
    """One integer for each of `n` spatial dimensions.

    Raises:
        AkgError: AKG-E285 if there are not as many, or one is no integer or below `least`.
    """
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
    if len(given) != n:
        raise AkgError(
            "AKG-E285",
            f"{what} has {len(given)} values for {n} spatial dimensions",
            because=f"{what}={value!r}",
            hint=f"give one integer, or one for each of the {n} dimensions",
        )
    return tuple([_integer(v, what, value, least) for v in given])


def _integer(v: object, what: str, whole: object, least: int) -> int:
    try:
        number = as_index(v)  # type: ignore[arg-type]  # pyright: ignore
    except TypeError:
        hint = f"as in {what}={max(least, 1)}"
        raise AkgError("AKG-E285", f"{what} is {whole!r}", because=f"{what} counts elements", hint=hint) from None
    if number < least:
        raise AkgError(
            "AKG-E285",
            f"{what} is {number}",
            because=f"{what}={whole!r}",
            hint=f"give {what} of at least {least}",
        )
    return number


def paddings(padding: Padding, extents: Sizes, windows: Sequence[Window]) -> tuple[tuple[int, int], ...]:
    """The elements added before and after each spatial dimension.

    `padding` is one integer, one for each dimension, one (before, after) pair for each dimension, "valid" (none), or
    "same": as many as give one output for every `stride` inputs, the odd one after.

    Raises:
        AkgError: AKG-E284 for anything else.
    """
    n = len(extents)
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise AkgError(
                "AKG-E284", f"padding is {padding!r}", because='padding is integers, pairs of them, "same" or "valid"',
                hint='did you mean "same"?' if padding.lower() == "same" else 'write padding="valid" for none',
            )  # fmt: skip
        return tuple([_same(e, w) if padding == "same" else (0, 0) for e, w in zip(extents, windows, strict=True)])
    given: Sequence[object] = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * n
    if len(given) != n:
        raise AkgError(
            "AKG-E284",
            f"padding has {len(given)} values for {n} spatial dimensions",
            because=f"padding={padding!r}",
            hint="give one integer, or one integer or (before, after) pair for each dimension",
        )
    return tuple([_pair(p, padding) for p in given])


def _pair(given: object, padding: object) -> tuple[int, int]:
    pair: Sequence[object] = given if isinstance(given, (tuple, list)) else (given, given)  # pyright: ignore
    try:
        numbers = [as_index(p) for p in pair]  # type: ignore[arg-type]  # pyright: ignore
    except TypeError:
        numbers = []
    if len(numbers) != 2 or min(numbers) < 0:
        is_negative = bool(numbers) and min(numbers) < 0
        raise AkgError(
            "AKG-E284",
            f"padding is {padding!r}",
            because="padding is not negative" if is_negative else "padding counts elements before and after",
            hint="cut with akg.ops.slice" if is_negative else "as in padding=1 or padding=((1, 2), (0, 0))",
        )
    return numbers[0], numbers[1]


def _same(extent: Expr, window: Window) -> tuple[int, int]:
    if isinstance(extent, Const):
        outputs = -(-int(extent) // window.stride)
        total = max((outputs - 1) * window.stride + window.reach - int(extent), 0) if outputs else 0
    elif window.stride == 1:
        total = window.reach - 1
    else:
        raise AkgError(
            "AKG-E284",
            'padding is "same" with a stride over a symbolic size',
            because="the padding would depend on the size",
            hint="give the padding as integers",
        )
    return total // 2, total - total // 2


def output_size(extent: Expr, window: Window, what: str) -> Expr:
    """The number of windows in a padded dimension.

    Raises:
        AkgError: AKG-E288 if not even one fits.
    """
    room = extent + (window.before + window.after - window.reach)
    if isinstance(room, Const) and int(room) < 0:
        raise AkgError(
            "AKG-E288",
            f"the window does not fit into {what}",
            because=f"it spans {window.reach} elements, and {what} has {int(extent)}"  # type: ignore[call-overload]  # pyright: ignore
            + (f" and {window.before + window.after} of padding" if window.before + window.after else ""),
            hint="use a smaller window or dilation, or pad more",
        )
    return room // window.stride + 1


def absent(dtype: DType) -> Expr:
    """What surrounds an operand of sums of products that need not meet it there: their neutral element, -0.0."""
    return te.const(-0.0 if dtype.is_float else 0, dtype)


def padded(x: Tensor, first: int, around: Sequence[tuple[int, int]], value: Expr) -> Tensor:
    """`x` with `value` around it, in dimensions `first`, `first + 1`, ...; itself where nothing is added."""
    if not any(before or after for before, after in around):
        return x
    shape = list(x.shape)
    for d, (before, after) in enumerate(around, first):
        shape[d] = x.shape[d] + (before + after)

    def element(*place: Expr) -> Expr:
        inside: list[Expr] = []
        at = list(place)
        for d, (before, after) in enumerate(around, first):
            at[d] = place[d] - before
            if before:
                inside.append(place[d] >= before)
            if after:
                inside.append(place[d] < x.shape[d] + before)
        return te.select(te.all(*inside), x[tuple(at)], value)

    return te.compute(tuple(shape), element, name=f"{x.name}_pad")


def over_window(sizes: Sequence[int], body: Callable[..., Expr], reduce: Callable[..., Expr]) -> Expr:
    """`reduce` of `body(taps)` over all taps of a window."""
    taps = [te.reduce_axis(size, name=f"k{d}") for d, size in enumerate(sizes)]
    return reduce(body(*taps), axis=taps)
