"""Losses: how far predictions are from targets, per element ("none"), summed ("sum") or averaged ("mean").

Losses are computed and accumulated in the type of arithmetic (float32 for the 16-bit floats) and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from akg.base.dtype import DType, index
from akg.ir import te
from akg.ir.expr import Const, Expr, Var
from akg.ir.te.tensor import Tensor, shape_text
from akg.ops.fold import norm_parts
from akg.ops.normalization import log_sum_parts
from akg.ops.pointwise import common_dtype
from akg.ops.registry import operator
from akg.ops.shape import (
    AxisLike,
    Sizes,
    bad_argument,
    bad_shape,
    broadcast_shapes,
    check_choice,
    check_dtype,
    check_tensor,
    normalize_axes,
    normalize_axis,
    read,
    result_dtype,
    same_size,
    value,
)

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_similarity", "cross_entropy", "hinge_loss",
    "huber_loss", "kl_div", "l1_loss", "mse_loss", "nll_loss", "smooth_l1_loss", "triplet_loss",
]  # fmt: skip

REDUCTIONS = ("mean", "sum", "none")


# --- how losses are made --------------------------------------------------------------------------------


def _reduced(
    name: str, shape: Sizes, element: Callable[..., Expr], reduction: str, kind: DType,
    weight: Callable[..., Expr] | None = None,
) -> Tensor:  # fmt: skip
    """``element`` at every place, summed, or averaged with weights (by default 1)."""
    if check_choice(reduction, "reduction", REDUCTIONS) == "none":
        return te.compute(shape, lambda *i: te.cast(element(*i), kind), name=name)
    axes = [te.reduce_axis(size, name=f"k{d}") for d, size in enumerate(shape)]

    def total(term: Callable[..., Expr]) -> Expr:
        return te.sum(term(*axes), axis=axes) if axes else term()

    def body() -> Expr:
        result = total(element)
        if reduction == "mean":
            result = result / (_number(shape, result.dtype) if weight is None else total(weight))
        return te.cast(result, kind)

    return te.compute((), body, name=name)


def _number(shape: Sizes, kind: DType) -> Expr:
    result: Expr = Const(1, kind)
    for size in shape:
        result = result * te.cast(size, kind)
    if all(isinstance(size, Const) for size in shape):
        return Const(math.prod(int(s) for s in shape), kind)  # type: ignore[call-overload]  # pyright: ignore
    return result


def _pair(
    name: str, x: Tensor, target: Tensor, reduction: str, loss: Callable[[Expr, Expr], Expr]
) -> Tensor:
    """A loss of two float tensors that broadcast, element by element."""
    shape, kind = _checked(x, "x", target, "target")
    wide = kind.compute

    def element(*place: Expr) -> Expr:
        return loss(value(read(x, place, shape), wide), value(read(target, place, shape), wide))

    return _reduced(name, shape, element, reduction, kind)


def _checked(a: Tensor, a_name: str, b: Tensor, b_name: str) -> tuple[Sizes, DType]:
    kind = common_dtype(check_tensor(a, a_name), check_tensor(b, b_name))
    check_dtype(kind, "a float", f"the common type of {a_name} and {b_name}")
    return broadcast_shapes(a.shape, b.shape), kind


# --- of differences -------------------------------------------------------------------------------------


@operator("mse_loss", kind="reduce")
def mse_loss(x: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The squared difference."""
    return _pair("mse_loss", x, target, reduction, lambda a, t: (a - t) * (a - t))


@operator("l1_loss", kind="reduce")
def l1_loss(x: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The magnitude of the difference."""
    return _pair("l1_loss", x, target, reduction, lambda a, t: te.abs(a - t))


@operator("huber_loss", kind="reduce")
def huber_loss(x: Tensor, target: Tensor, *, delta: float = 1.0, reduction: str = "mean") -> Tensor:
    """Half the squared difference up to `delta`, linear beyond. Huber 1964."""
    if not delta > 0:
        raise bad_argument(f"delta is {delta}", "the loss is quadratic up to delta > 0", "as in delta=1.0")

    def loss(a: Expr, t: Expr) -> Expr:
        distance = te.abs(a - t)
        return te.select(distance <= delta, 0.5 * distance * distance, delta * (distance - 0.5 * delta))

    return _pair("huber_loss", x, target, reduction, loss)


@operator("smooth_l1_loss", kind="reduce")
def smooth_l1_loss(x: Tensor, target: Tensor, *, beta: float = 1.0, reduction: str = "mean") -> Tensor:
    """`huber_loss` divided by its threshold `beta`; `l1_loss` for ``beta=0``."""
    if not beta >= 0:
        raise bad_argument(f"beta is {beta}", "the loss is quadratic up to beta >= 0", "as in beta=1.0")

    def loss(a: Expr, t: Expr) -> Expr:
        distance = te.abs(a - t)
        if beta == 0:
            return distance
        return te.select(distance < beta, (0.5 / beta) * distance * distance, distance - 0.5 * beta)

    return _pair("smooth_l1_loss", x, target, reduction, loss)


@operator("hinge_loss", kind="reduce")
def hinge_loss(x: Tensor, target: Tensor, *, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """``max(0, margin - target * x)`` for targets -1 and 1."""
    return _pair("hinge_loss", x, target, reduction, lambda a, t: te.maximum(margin - t * a, 0.0))


# --- of probabilities -----------------------------------------------------------------------------------


@operator("kl_div", kind="reduce")
def kl_div(x: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean") -> Tensor:
    """``target * (log(target) - x)`` for log-probabilities `x`; the target is a probability or, too, its logarithm.

    `reduction` may be "batchmean" as well: the sum, divided by the first size.
    """

    def loss(a: Expr, t: Expr) -> Expr:
        if log_target:
            return te.exp(t) * (t - a)
        return te.select(t > 0.0, t * (te.log(te.select(t > 0.0, t, 1.0)) - a), te.select(t == 0.0, 0.0, math.nan))

    if reduction != "batchmean":
        return _pair("kl_div", x, target, reduction, loss)
    shape, _ = _checked(x, "x", target, "target")
    if not shape:
        raise bad_shape("x and target are scalars", "batchmean divides by the first size", "use reduction='sum'")
    total = _pair("kl_div", x, target, "sum", loss)
    return te.compute((), lambda: total[()] / te.cast(shape[0], total.dtype.compute), name="kl_div")


@operator("binary_cross_entropy", kind="reduce")
def binary_cross_entropy(x: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """``-(target * log(x) + (1 - target) * log(1 - x))`` for probabilities `x`; logarithms end at -100."""

    def loss(a: Expr, t: Expr) -> Expr:
        yes, no = te.maximum(te.log(a), -100.0), te.maximum(te.log1p(-a), -100.0)
        return -(t * yes + (1.0 - t) * no)

    return _pair("binary_cross_entropy", x, target, reduction, loss)


@operator("binary_cross_entropy_with_logits", kind="reduce")
def binary_cross_entropy_with_logits(x: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """`binary_cross_entropy` of ``sigmoid(x)``, without overflow in between."""

    def loss(a: Expr, t: Expr) -> Expr:
        return te.maximum(a, 0.0) - a * t + te.log1p(te.exp(-te.abs(a)))

    return _pair("binary_cross_entropy_with_logits", x, target, reduction, loss)


# --- of labels ------------------------------------------------------------------------------------------


class _Labels:
    """Integer labels beside the scores of classes along one axis, with optional weights of the classes."""

    def __init__(self, x: Tensor, labels: Tensor, weight: Tensor | None, ignore: int | None, axis: int) -> None:
        self.kind = check_dtype(check_tensor(x, "x").dtype, "a float", "x")
        check_dtype(check_tensor(labels, "labels").dtype, "an integer", "labels")
        self.x, self.labels, self.weight, self.ignore = x, labels, weight, ignore
        self.axis, self.wide = normalize_axis(axis, x.ndim), self.kind.compute
        self.shape: Sizes = tuple([s for d, s in enumerate(x.shape) if d != self.axis])
        self.classes = x.shape[self.axis]
        _check_shape(labels, "labels", self.shape, f"x without its axis {self.axis}")
        if weight is not None:
            check_dtype(check_tensor(weight, "weight").dtype, "a float", "weight")
            _check_shape(weight, "weight", (self.classes,), "one weight for each class")

    def at(self, place: Sequence[Expr], label: Expr) -> tuple[Expr, ...]:
        """The subscripts of x for a place of the labels and a class."""
        return (*place[: self.axis], label, *place[self.axis :])

    def of(self, place: Sequence[Expr], score: Callable[[Expr], Expr], weighted: bool = True) -> Expr:
        """``score(label)``, weighted; 0 where the label is ignored."""
        label = te.cast(self.labels[tuple(place)], index)
        result = score(label)
        if weighted and self.weight is not None:
            result = result * value(self.weight[label], self.wide)
        if self.ignore is None:
            return result
        return te.select(label == self.ignore, Const(0.0, self.wide), result)

    def share(self, *place: Expr) -> Expr:
        """What a place counts in an average."""
        return self.of(place, lambda _: Const(1.0, self.wide))

    def reduced(self, name: str, element: Callable[..., Expr], reduction: str) -> Tensor:
        """The loss ``element`` of each place, reduced."""
        plain = self.weight is None and self.ignore is None
        return _reduced(name, self.shape, element, reduction, self.kind, None if plain else self.share)


def _check_shape(p: Tensor, what: str, shape: Sizes, reason: str) -> None:
    if len(p.shape) != len(shape) or not all(same_size(a, b) for a, b in zip(p.shape, shape, strict=True)):
        raise bad_shape(
            f"{what} has shape {shape_text(p.shape)}", f"it must be {shape_text(shape)}: {reason}", f"reshape {what}"
        )


@operator("nll_loss", kind="opaque")
def nll_loss(
    x: Tensor, labels: Tensor, weight: Tensor | None = None, *, axis: int = 1, ignore_index: int | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """``-x`` at the label of each place, for log-probabilities `x` of classes along `axis`.

    Places labelled `ignore_index` do not count; any other label that is no class raises AKG-E518 when the kernel runs.
    `weight` is one for each class;
    averages are weighted by it.
    """
    about = _Labels(x, labels, weight, ignore_index, axis)

    def element(*place: Expr) -> Expr:
        return about.of(place, lambda label: -value(x[about.at(place, label)], about.wide))

    return about.reduced("nll_loss", element, reduction)


@operator("cross_entropy", kind="opaque")
def cross_entropy(
    x: Tensor, labels: Tensor, weight: Tensor | None = None, *, axis: int = 1, ignore_index: int | None = None,
    label_smoothing: float = 0.0, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """``-log_softmax(x)`` at the label of each place, for scores `x` of classes along `axis`.

    With `label_smoothing` s, a label counts 1 - s and every class s divided by the number of classes. The other
    keywords are those of `nll_loss`.
    """
    if not 0 <= label_smoothing <= 1:
        raise bad_argument(f"label_smoothing is {label_smoothing}", "it is a share", "give a value from 0 to 1")
    about = _Labels(x, labels, weight, ignore_index, axis)
    top, total = log_sum_parts("cross_entropy", x, (about.axis,))
    smooth = _mean_score("cross_entropy_all", about, top, total) if label_smoothing else None

    def element(*place: Expr) -> Expr:
        line = about.at(place, Const(0))

        def own(label: Expr) -> Expr:
            return total[line] - (value(x[about.at(place, label)], about.wide) - top[line])

        hit = about.of(place, own)
        if smooth is None:
            return hit
        rest = smooth[tuple(place)]
        return (1.0 - label_smoothing) * hit + label_smoothing * about.of(place, lambda _: rest, weighted=False)

    return about.reduced("cross_entropy", element, reduction)


def _mean_score(name: str, about: _Labels, top: Tensor, total: Tensor) -> Tensor:
    """The (weighted) average over all classes of ``-log_softmax``."""

    def element(*place: Expr) -> Expr:
        k, line = te.reduce_axis(about.classes, name="k"), about.at(place, Const(0))
        score = total[line] - (value(about.x[about.at(place, k)], about.wide) - top[line])
        if about.weight is not None:
            score = score * value(about.weight[k], about.wide)
        return te.sum(score, axis=k) / te.cast(about.classes, about.wide)

    return te.compute(about.shape, element, name=name)


# --- of lines -------------------------------------------------------------------------------------------


@operator("cosine_similarity", kind="opaque")
def cosine_similarity(x1: Tensor, x2: Tensor, *, axis: AxisLike = -1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between lines along `axis`; lengths below `eps` count as `eps`."""
    shape, kind = _checked(x1, "x1", x2, "x2")
    axes, wide = normalize_axes(axis, len(shape)), kind.compute

    def body(*place: Expr) -> Expr:
        ks, at = _line(shape, axes, place)
        a, b = value(read(x1, at, shape), wide), value(read(x2, at, shape), wide)
        parts = [te.sum(term, axis=ks) if ks else term for term in (a * b, a * a, b * b)]
        lengths = te.maximum(te.sqrt(parts[1]), eps) * te.maximum(te.sqrt(parts[2]), eps)
        return te.cast(parts[0] / lengths, kind)

    return te.compute(tuple([s for d, s in enumerate(shape) if d not in axes]), body, name="cosine_similarity")


@operator("triplet_loss", kind="opaque")
def triplet_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *, margin: float = 1.0, p: float = 2.0, axis: int = -1,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """``max(0, |anchor - positive| - |anchor - negative| + margin)`` for lines along `axis`, in the norm of order p."""
    given = [check_tensor(x, w) for x, w in ((anchor, "anchor"), (positive, "positive"), (negative, "negative"))]
    kind = check_dtype(result_dtype(*given), "a float", "the common type of anchor, positive and negative")
    shape, wide = broadcast_shapes(*[x.shape for x in given]), kind.compute
    axes = (normalize_axis(axis, len(shape)),)
    reducer, term, final = norm_parts(p)
    rest: Sizes = tuple([s for d, s in enumerate(shape) if d not in axes])

    def distances(*place: Expr) -> tuple[Expr, ...]:
        ks, at = _line(shape, axes, place)
        a = value(read(anchor, at, shape), wide)
        others = [value(read(other, at, shape), wide) for other in (positive, negative)]
        return tuple([final(reducer(term(a - other), axis=ks)) for other in others])

    near, far = te.compute(rest, distances, name="triplet_distance")
    return _reduced(
        "triplet_loss", rest, lambda *i: te.maximum(near[i] - far[i] + margin, 0.0), reduction, kind
    )


def _line(shape: Sizes, axes: tuple[int, ...], place: Sequence[Expr]) -> tuple[list[Var], tuple[Expr, ...]]:
    """Fresh reduction axes for `axes`, and the subscripts for an element at `place` of what is left."""
    ks = {d: te.reduce_axis(shape[d], name=f"k{d}") for d in sorted(axes)}
    kept = iter(place)
    return list(ks.values()), tuple([ks[d] if d in ks else next(kept) for d in range(len(shape))])
