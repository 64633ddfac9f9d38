"""Resampling of images and volumes: nearest and linear interpolation with exact, quasi-affine places."""

from __future__ import annotations

from collections.abc import Sequence

from akg.base.dtype import DType
from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Tensor, shape_text
from akg.ops.registry import operator
from akg.ops.shape import check_choice, check_dtype, check_tensor, value
from akg.ops.windows import Ints, per_dimension

__all__ = ["resize"]


@operator("resize", kind="opaque")
def resize(x: Tensor, size: Ints, *, mode: str = "nearest", align_corners: bool = False) -> Tensor:
    """`x` sampled anew in its dimensions after the second.

    Args:
        x: numbers (n, c, ...) with up to three spatial dimensions; floats for "linear".
        size: the new spatial sizes.
        mode: "nearest": the element below ``place * old / new``; "linear" (or "bilinear", "trilinear"): interpolated
            between the two elements around in each dimension.
        align_corners: whether the first and last elements keep their places; otherwise pixels are areas.

    Raises:
        AkgError: AKG-E281 for a wrong rank or a symbolic or empty dimension, AKG-E285 for a bad size, AKG-E275 for an
            unknown mode, AKG-E274 for a type that cannot be interpolated.
    """
    check_choice(mode, "mode", ("nearest", "linear", "bilinear", "trilinear"))
    n = check_tensor(x, "x").ndim - 2
    if not 1 <= n <= 3 or not all(isinstance(s, Const) and int(s) > 0 for s in x.shape[2:]):
        raise AkgError(
            "AKG-E281",
            f"x has shape {shape_text(x.shape)}",
            because="it should be (n, c, ...) with one to three spatial dimensions of a fixed size that is not 0",
            hint="give the spatial sizes as integers",
        )
    old = [int(s) for s in x.shape[2:]]  # type: ignore[call-overload]  # pyright: ignore
    new = per_dimension(size, n, "size")
    if mode == "nearest":

        def nearest(batch: Expr, c: Expr, *place: Expr) -> Expr:
            at = [_nearest(p, o, m, align_corners) for p, o, m in zip(place, old, new, strict=True)]
            return x[(batch, c, *at)]

        return te.compute((*x.shape[:2], *new), nearest, name="resize")
    kind = check_dtype(x.dtype, "a float", "x")

    def element(batch: Expr, c: Expr, *place: Expr) -> Expr:
        samples = [_linear(p, o, m, align_corners, kind.compute) for p, o, m in zip(place, old, new, strict=True)]
        return te.cast(_interpolated(x, (batch, c), samples, kind.compute), kind)

    return te.compute((*x.shape[:2], *new), element, name="resize")


def _nearest(place: Expr, old: int, new: int, align_corners: bool) -> Expr:
    """The place of the nearest element."""
    if old == new:
        return place
    if align_corners and new > 1:  # rounded, halves up
        return (place * (2 * (old - 1)) + (new - 1)) // (2 * (new - 1))
    return place * old // new


Sample = tuple[Expr, Expr, Expr | None]


def _linear(place: Expr, old: int, new: int, align_corners: bool, kind: DType) -> Sample:
    """The places before and after, and the weight of the second; None: it does not count."""
    if old == new:
        return place, place, None
    if align_corners:
        number, divisor = place * (old - 1), max(new - 1, 1)
    else:  # centres of pixels: (place + 1/2) * old / new - 1/2, not below 0
        number, divisor = te.maximum((place * 2 + 1) * old - new, 0), 2 * new
    first = number // divisor
    weight = value(number % divisor, kind) * te.const(1.0 / divisor, kind)
    return first, te.minimum(first + 1, old - 1), weight


def _interpolated(x: Tensor, place: tuple[Expr, ...], samples: Sequence[Sample], kind: DType) -> Expr:
    if not samples:
        return value(x[place], kind)
    (first, second, weight), rest = samples[0], samples[1:]
    a = _interpolated(x, (*place, first), rest, kind)
    if weight is None:
        return a
    return a + (_interpolated(x, (*place, second), rest, kind) - a) * weight
