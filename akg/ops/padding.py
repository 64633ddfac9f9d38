"""Padding by constants and by elements of the operand."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as as_index
from typing import TypeAlias

from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Tensor
from akg.ops.registry import operator
from akg.ops.reshaping import fixed_size
from akg.ops.shape import check_choice, check_tensor, value

__all__ = ["pad"]

PadWidth: TypeAlias = "int | Sequence[int] | Sequence[Sequence[int]]"


@operator("pad", kind="reshape")
def pad(x: Tensor, pad_width: PadWidth, *, mode: str = "constant", constant_value: int | float | bool = 0) -> Tensor:
    """`x` with elements around it.

    Args:
        x: the elements.
        pad_width: how many: one integer, one (before, after) pair, or one pair for each dimension.
        mode: "constant", "edge" (the outermost element), "reflect" (mirrored at the outermost element), "symmetric"
            (mirrored behind it) or "wrap" (from the other end).
        constant_value: what is added in mode "constant".

    Raises:
        AkgError: AKG-E284 for negative widths, or more than the mode can give; AKG-E275 for an unknown mode.
    """
    check_choice(mode, "mode", ("constant", "edge", "reflect", "symmetric", "wrap"))
    around = _pad_widths(pad_width, check_tensor(x, "x").ndim)
    shape = tuple([s + (before + after) for s, (before, after) in zip(x.shape, around, strict=True)])
    if mode != "constant":
        _check_mirrors(x, around, mode)

    def element(*place: Expr) -> Expr:
        at = [p - before for p, (before, _) in zip(place, around, strict=True)]
        if mode == "constant":
            inside: list[Expr] = []
            for p, s, (before, after) in zip(place, x.shape, around, strict=True):
                if before:
                    inside.append(p >= before)
                if after:
                    inside.append(p < s + before)
            return te.select(te.all(*inside), x[tuple(at)], value(constant_value, x.dtype))
        return x[tuple([_source(p, s, w, mode) for p, s, w in zip(at, x.shape, around, strict=True)])]

    return te.compute(shape, element, name="pad")


def _source(place: Expr, size: Expr, width: tuple[int, int], mode: str) -> Expr:
    """The place that the padding at `place`, counted from the first element, copies."""
    before, after = width
    if mode == "wrap":
        return place if not before and not after else place % size
    edge = 0 if mode == "reflect" else 1
    if before:
        place = te.maximum(place, 0 if mode == "edge" else -edge - place)
    if after:
        place = te.minimum(place, size - 1 if mode == "edge" else size * 2 - (2 - edge) - place)
    return place


def _pad_widths(pad_width: PadWidth, ndim: int) -> list[tuple[int, int]]:
    def bad(hint: str) -> AkgError:
        return AkgError("AKG-E284", f"pad_width is {pad_width!r}", because=f"x has {ndim} dimensions", hint=hint)

    listed = isinstance(pad_width, (tuple, list))
    pairs: list[object] = list(pad_width) if listed else [pad_width]  # type: ignore[arg-type]
    if listed and len(pairs) == 2 and not any(isinstance(p, (tuple, list)) for p in pairs):
        pairs = [tuple(pairs)]
    if len(pairs) == 1:
        pairs *= ndim
    if len(pairs) != ndim:
        raise bad("give one integer, one (before, after) pair, or one pair for each dimension")
    result: list[tuple[int, int]] = []
    for pair in pairs:
        both = tuple(pair) if isinstance(pair, (tuple, list)) else (pair, pair)
        if len(both) != 2 or not all(hasattr(p, "__index__") for p in both):
            raise bad("give one integer, one (before, after) pair, or one pair for each dimension")
        before, after = as_index(both[0]), as_index(both[1])  # type: ignore[arg-type]
        if before < 0 or after < 0:
            raise bad("widths are not negative: cut with akg.ops.slice")
        result.append((before, after))
    return result


def _check_mirrors(x: Tensor, around: Sequence[tuple[int, int]], mode: str) -> None:
    for d, (size, widths) in enumerate(zip(x.shape, around, strict=True)):
        if not max(widths):
            continue
        if mode == "wrap":
            fixed_size(x, d, "the padding wraps around at its end")
        if not isinstance(size, Const):
            continue
        limit = {"edge": max(widths) if int(size) else 0, "reflect": int(size) - 1}.get(mode, int(size))
        if max(widths) > limit:
            raise AkgError(
                "AKG-E284",
                f"cannot pad dimension {d} by {max(widths)}",
                because=f"it has size {int(size)}, and mode {mode!r} gives {max(limit, 0)} elements at most",
                hint="pad by less, or by a constant",
            )
