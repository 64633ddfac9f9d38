"""Rows of what runs along lines: reductions, scans, normalisations, losses."""

from typing import Any

import numpy as np
from scipy import special

from tests.helpers import Array
from tests.ops.common import FLOATS
from tests.ops.coverage import ANY, MATRICES, Row, defaults

LINE = ("m n",)
FULL = tuple(s for s in MATRICES if s[1])  # lines that are not empty


def along(f: Any, x: Any, s: Any) -> Any:
    """Lines are rows."""
    return f(*x, axis=1)


def reduction(function: Any, types: Any = Row.types, **more: Any) -> Row:
    """Of rows, in as many steps as they are long."""
    given: dict[str, Any] = {"terms": lambda s: s.n, "special": "sparse", **more}
    return Row(LINE, lambda x, s: function(x[0], axis=1), along, types, **given)


def log_sum(a: Array, axis: int) -> Array:
    top = np.max(a, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    return (np.log(np.sum(np.exp(a - top), axis=axis, keepdims=True)) + top).squeeze(axis)


def softmax(a: Array) -> Array:
    e = np.exp(a - np.max(a, axis=1, keepdims=True, initial=-np.inf))
    return e / e.sum(axis=1, keepdims=True)


def standardized(a: Array, axes: tuple[int, ...]) -> Array:
    return (a - a.mean(axis=axes, keepdims=True)) / np.sqrt(a.var(axis=axes, keepdims=True) + 1e-5)


def scaled(a: Array, order: int) -> Array:
    return a / np.maximum(np.linalg.vector_norm(a, axis=1, keepdims=True, ord=order), 1e-12)


def in_int64(function: Any) -> Any:
    """Integers add up in int64, unsigned ones, too."""
    return lambda a, axis: function(a if a.dtype == float else a.astype(np.int64), axis=axis)


REDUCTIONS: dict[str, Row] = {
    "sum": reduction(in_int64(np.sum), ANY),
    "prod": reduction(in_int64(np.prod), ANY, low=0.9, high=1.1),
    "mean": reduction(np.mean, ANY),
    "var": reduction(np.var),
    "std": reduction(np.std),
    "all": reduction(np.all, ANY, low=0.5),
    "any": reduction(np.any, ANY),
    "count_nonzero": reduction(np.count_nonzero, ANY),
    "sum_of_squares": reduction(in_int64(lambda a, axis: np.sum(a * a, axis=axis))),
    "max": reduction(np.max, sets=FULL),
    "min": reduction(np.min, sets=FULL),
    "argmax": reduction(np.argmax, sets=FULL),
    "argmin": reduction(np.argmin, sets=FULL),
    "logsumexp": reduction(log_sum, FLOATS),
    "vector_norm": reduction(np.linalg.vector_norm, FLOATS),
    "cumsum": reduction(in_int64(np.cumsum), ANY),
    "cumprod": reduction(in_int64(np.cumprod), ANY, low=0.9, high=1.1),
    "cumulative_sum": reduction(in_int64(np.cumsum), ANY),
    "cumulative_prod": reduction(in_int64(np.cumprod), ANY, low=0.9, high=1.1),
    "cummax": reduction(np.maximum.accumulate),
    "cummin": reduction(np.minimum.accumulate),
}


def line(function: Any, *more: str, **given: Any) -> Row:
    """An operator on the last dimension."""
    return Row((*LINE, *more), lambda x, s: function(*x), types=FLOATS, **defaults(given, terms=lambda s: s.n))


CHANNELS: dict[str, Any] = {
    "names": "b c p",
    "sets": ((1, 1, 1), (1, 7, 5), (3, 2, 13), (2, 31, 1), (0, 3, 4), (5, 4, 64), (2, 3, 257), (7, 5, 127), (1, 64, 9),
             (4, 17, 33), (3, 16, 130)),
    "terms": lambda s: s.b * s.p,
}  # fmt: skip


def channel(function: Any, *more: str, **given: Any) -> Row:
    """An operator on channels, scaled and shifted."""
    return Row(("b c p", *more), lambda x, s: function(*x), types=FLOATS, **defaults(given, **CHANNELS))


def by_channel(a: Array, weight: Array, bias: Array) -> Array:
    return a * weight[:, None] + bias[:, None]


def batch_norm_train(a: Array, weight: Array, bias: Array) -> list[Array]:
    return [by_channel(standardized(a, (0, 2)), weight, bias), a.mean(axis=(0, 2)), a.var(axis=(0, 2))]


def group_norm(a: Array) -> Array:
    return standardized(a.reshape(a.shape[0], 3, 2 * a.shape[2]), (2,)).reshape(a.shape)


GROUPS = (*((b, p) for b, _, p in CHANNELS["sets"]), (3, 1335))
NORMALIZATIONS: dict[str, Row] = {
    "softmax": line(softmax, sets=FULL),
    "softmin": line(lambda a: softmax(-a), sets=FULL),
    "log_softmax": line(lambda a: a - log_sum(a, 1)[:, None], sets=FULL),
    "layer_norm": line(lambda a, w, b: standardized(a, (1,)) * w + b, "n", "n", sets=FULL),
    "rms_norm": line(lambda a, w: a / np.sqrt((a * a).mean(axis=1, keepdims=True) + 1e-6) * w, "n", sets=FULL),
    "l1_normalize": line(lambda a: scaled(a, 1)),
    "l2_normalize": line(lambda a: scaled(a, 2)),
    "normalize": line(lambda a: scaled(a, 2)),
    "instance_norm": channel(lambda a, w, b: by_channel(standardized(a, (2,)), w, b), "c", "c"),
    "batch_norm": channel(
        lambda a, m, v, w, b: by_channel((a - m[:, None]) / np.sqrt(v[:, None] + 1e-5), w, b), "c", "c:+", "c", "c"
    ),
    "batch_norm_train": channel(batch_norm_train, "c", "c"),
    "group_norm": Row(
        ("b 6 p",), lambda x, s: group_norm(x[0]), lambda f, x, s: f(x[0], 3), FLOATS, "b p", GROUPS, lambda s: 2 * s.p
    ),
}  # fmt: skip


def attention(q: Array, k: Array, v: Array) -> Array:
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    power = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=-np.inf))
    return power / power.sum(axis=-1, keepdims=True) @ v


ATTENTION = Row(
    ("b m d", "b n d", "b n e"), lambda x, s: attention(*x), types=FLOATS, names="b m n d e", terms=lambda s: s.d,
    sets=((1, 1, 1, 1, 1), (1, 7, 5, 3, 9), (2, 16, 17, 8, 16), (3, 33, 45, 32, 7), (0, 5, 5, 4, 4), (2, 0, 9, 4, 4),
          (2, 64, 64, 16, 16), (1, 31, 127, 20, 24), (1, 100, 33, 64, 64), (2, 65, 129, 9, 5), (4, 40, 96, 24, 8)),
)  # fmt: skip


def loss(function: Any, count: int = 2, **given: Any) -> Row:
    """Probabilities and targets, element by element."""
    return Row(
        ("m n",) * count, lambda x, s: function(*x), lambda f, x, s: f(*x, reduction="none"), FLOATS,
        **defaults(given, low=0.05, high=0.95),
    )  # fmt: skip


def huber(d: Array) -> Array:
    return np.where(np.abs(d) <= 1, d * d / 2, np.abs(d) - 0.5)


def cosine(a: Array, b: Array) -> Array:
    lengths = np.maximum(np.linalg.norm(a, axis=1), 1e-8) * np.maximum(np.linalg.norm(b, axis=1), 1e-8)
    return np.sum(a * b, axis=1) / lengths


def triplet(a: Array, p: Array, n: Array) -> Array:
    far, near = (np.sqrt(np.sum((a - o) ** 2, axis=1)) for o in (n, p))
    return np.maximum(near - far + 1, 0)


def picked(scores: Array, labels: Array) -> Array:
    return -np.take_along_axis(scores, labels[:, None], 1)[:, 0]


LABELS = ("m n", "m:int64<n")
LOSSES: dict[str, Row] = {
    "mse_loss": loss(lambda a, t: (a - t) ** 2),
    "l1_loss": loss(lambda a, t: np.abs(a - t)),
    "huber_loss": loss(lambda a, t: huber(a - t), high=5),
    "smooth_l1_loss": loss(lambda a, t: huber(a - t), high=5),
    "hinge_loss": loss(lambda a, t: np.maximum(1 - a * t, 0), low=-2),
    "kl_div": loss(lambda a, t: special.xlogy(t, t) - t * a),
    "binary_cross_entropy": loss(lambda a, t: -(t * np.log(a) + (1 - t) * np.log1p(-a))),
    "binary_cross_entropy_with_logits": loss(lambda a, t: np.logaddexp(a, 0) - a * t, low=-3, high=3),
    "triplet_loss": loss(triplet, 3, terms=lambda s: s.n, sets=FULL),
    "cosine_similarity": line(cosine, "m n", sets=FULL),
    "nll_loss": Row(LABELS, lambda x, s: picked(*x), lambda f, x, s: f(*x, reduction="none"), FLOATS, sets=FULL),
    "cross_entropy": Row(
        LABELS, lambda x, s: picked(x[0] - log_sum(x[0], 1)[:, None], x[1]), lambda f, x, s: f(*x, reduction="none"),
        FLOATS, sets=FULL, terms=lambda s: s.n,
    ),
}  # fmt: skip
LINES = {**REDUCTIONS, **NORMALIZATIONS, **LOSSES, "scaled_dot_product_attention": ATTENTION}
