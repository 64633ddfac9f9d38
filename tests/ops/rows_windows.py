"""Rows of contractions, convolutions, pools and resampling."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.helpers import Array
from tests.ops.common import FLOATS
from tests.ops.coverage import Row, Sizes, defaults
from tests.ops.test_convolution import conv_reference, transpose_reference
from tests.ops.test_movement import sample_linear
from tests.ops.test_pooling import reference as pooled

PRODUCTS: tuple[Sizes, ...] = (
    (1, 1, 1), (1, 7, 5), (5, 3, 1), (13, 17, 11), (0, 3, 4), (4, 0, 3), (2, 64, 32), (31, 2, 129), (7, 257, 1),
    (65, 33, 67), (67, 130, 31),
)  # fmt: skip


def product(function: Any, *operands: str, **given: Any) -> Row:
    """A sum of products over k."""
    given = defaults(given, names="m k n", sets=PRODUCTS, terms=lambda s: s.k)
    return Row(operands, lambda x, s: function(*x), **given)


PAIRS = tuple((m, k) for m, k, _ in PRODUCTS[:-2]) + ((65, 33), (67, 130))
CONTRACTIONS: dict[str, Row] = {
    "matmul": product(np.matmul, "m k", "k n"),
    "einsum": product(lambda a, b: a @ b.T, "m k", "n k", call=lambda f, x, s: f("mk,nk->mn", *x)),
    "tensordot": product(
        np.tensordot, "m 2 k", "2 k n", call=lambda f, x, s: f(*x, axes=2),
        terms=lambda s: 2 * s.k,
    ),
    "triangular_matmul": product(
        lambda a, b: np.tril(a) @ b, "k k", "k n", names="k n", sets=tuple((k, n) for _, k, n in PRODUCTS)
    ),
    "matvec": product(np.matmul, "m k", "k", names="m k", sets=PAIRS),
    "vecmat": product(np.matmul, "m", "m k", names="m k", sets=PAIRS, terms=lambda s: s.m),
    "vecdot": product(lambda a, b: np.sum(a * b, axis=1, dtype=a.dtype), "m k", "m k", names="m k", sets=PAIRS),
}  # fmt: skip

# Batch, channels, places, filters, taps; stride, padding, dilation.
NAMES = {1: "b c l k r t p d", 2: "b c h l k r t p d", 3: "b c g h l k r t p d"}
SPACE = {1: "l", 2: "h l", 3: "g h l"}
WINDOWS: dict[int, tuple[Sizes, ...]] = {
    1: ((1, 1, 1, 1, 1, 1, 0, 1), (2, 3, 15, 5, 4, 2, 1, 1), (0, 3, 7, 2, 3, 1, 0, 1), (1, 2, 97, 3, 5, 1, 2, 1),
        (2, 4, 13, 6, 3, 1, 1, 2), (1, 5, 31, 7, 3, 2, 1, 1), (3, 1, 8, 1, 3, 1, 0, 1), (1, 8, 64, 16, 3, 1, 1, 1),
        (2, 7, 11, 3, 2, 3, 0, 2), (1, 16, 257, 16, 5, 1, 2, 1)),
    2: ((1, 1, 1, 1, 1, 1, 1, 0, 1), (1, 1, 5, 7, 1, 3, 1, 0, 1), (2, 4, 9, 11, 6, 3, 1, 1, 1),
        (2, 3, 9, 11, 5, 3, 2, 1, 1), (2, 7, 5, 6, 3, 1, 1, 0, 1), (0, 3, 5, 4, 2, 3, 1, 0, 1),
        (1, 3, 13, 8, 5, 2, 3, 0, 2), (1, 2, 17, 13, 3, 5, 1, 2, 1), (1, 8, 7, 7, 12, 3, 1, 0, 2),
        (1, 16, 17, 16, 16, 3, 1, 1, 1)),
    3: ((1, 1, 1, 1, 1, 1, 1, 1, 0, 1), (1, 2, 3, 5, 7, 3, 2, 1, 0, 1), (2, 2, 5, 6, 7, 4, 3, 1, 1, 1),
        (1, 1, 2, 2, 2, 1, 2, 1, 0, 1), (0, 2, 3, 4, 5, 2, 2, 1, 0, 1), (1, 3, 9, 5, 4, 2, 3, 2, 1, 1),
        (2, 1, 4, 4, 4, 5, 1, 1, 0, 1), (1, 2, 5, 7, 6, 3, 2, 1, 0, 2), (1, 5, 3, 3, 11, 2, 3, 1, 1, 1),
        (1, 8, 8, 8, 8, 8, 3, 1, 1, 1)),
}  # fmt: skip


def conv(rank: int, kind: str = "") -> Row:
    """A convolution: plain, depthwise or transposed."""
    taps = " ".join("r" * rank)
    weight = {"": "k c", "depthwise": "c 1", "transposed": "c k"}[kind] + " " + taps
    sets = WINDOWS[rank]

    def reference(x: Any, s: SimpleNamespace) -> Array:
        given = {"stride": s.t, "padding": s.p, "dilation": s.d, "groups": s.c if kind == "depthwise" else 1}
        return (transpose_reference if kind == "transposed" else conv_reference)(*x, **given)

    return Row(
        ("b c " + SPACE[rank], weight), reference,
        lambda f, x, s: f(*x, stride=s.t, padding=s.p, dilation=s.d), names=NAMES[rank], sets=sets,
        terms=lambda s: (1 if kind == "depthwise" else s.c) * s.r**rank, symbolic=False,
    )  # fmt: skip


# Windows; stride, padding.
POOLED: dict[int, tuple[Sizes, ...]] = {
    rank: tuple((*v[: 2 + rank], max(v[rank + 3], 1), v[rank + 4], min(v[rank + 5], v[rank + 3] // 2)) for v in sets)
    for rank, sets in WINDOWS.items()
}
POOL_NAMES = {rank: f"b c {space} r t p" for rank, space in SPACE.items()}
SIZES: dict[int, tuple[Sizes, ...]] = {
    rank: tuple((*v[: 2 + rank], 1 + k % 4) for k, v in enumerate(sets)) for rank, sets in WINDOWS.items()
}


def adapted(x: Array, size: int, average: bool) -> Array:
    """Boxes from the floor to the ceiling of even cuts: means of means are means of a box."""
    for d in range(2, x.ndim):
        n = x.shape[d]
        cuts = [x.take(range(i * n // size, -(-(i + 1) * n // size)), d) for i in range(size)]
        x = np.stack([c.mean(axis=d) if average else c.max(axis=d) for c in cuts], axis=d)
    return x


def pool(rank: int, average: bool) -> Row:
    return Row(
        ("b c " + SPACE[rank],), lambda x, s: pooled(x[0], s.r, s.t, s.p, average=average),
        lambda f, x, s: f(x[0], s.r, stride=s.t, padding=s.p), FLOATS if average else Row.types, POOL_NAMES[rank],
        POOLED[rank], lambda s: s.r**rank, symbolic=False,
    )  # fmt: skip


def adaptive(rank: int, average: bool) -> Row:
    return Row(
        ("b c " + SPACE[rank],), lambda x, s: adapted(x[0], s.o, average), lambda f, x, s: f(x[0], s.o),
        FLOATS if average else Row.types, f"b c {SPACE[rank]} o", SIZES[rank], lambda s: 64, symbolic=False,
    )  # fmt: skip


def everywhere(function: Any, types: Any) -> Row:
    return Row(
        ("b c h l",), lambda x, s: function(x[0], axis=(2, 3), keepdims=True), types=types, names="b c h l",
        sets=tuple(v[:4] for v in WINDOWS[2]), terms=lambda s: math.prod((s.h, s.l)), special="sparse",
    )  # fmt: skip


IMAGES = tuple((*v[:4], o, q) for v, (o, q) in zip(WINDOWS[2], ((1, 1), (7, 3), (18, 22), (4, 5), (5, 6), (3, 3),
               (26, 16), (5, 29), (14, 14), (33, 31)), strict=True))  # fmt: skip
SAMPLED: dict[str, Row] = {
    "global_avg_pool": everywhere(np.mean, FLOATS),
    "global_max_pool": everywhere(np.max, Row.types),
    "resize": Row(
        ("b c h l",), lambda x, s: sample_linear(x[0], (s.o, s.q), False),
        lambda f, x, s: f(x[0], (s.o, s.q), mode="bilinear"), FLOATS, "b c h l o q", IMAGES,
        lambda s: (s.h + s.l) ** 2,  # a place is rounded relative to the size
        symbolic=False,
    ),
}  # fmt: skip
WINDOWED: dict[str, Row] = {
    **{f"{kind}conv{rank}d": conv(rank, kind.rstrip("_")) for rank in WINDOWS for kind in ("", "depthwise_")},
    **{f"conv{rank}d_transpose": conv(rank, "transposed") for rank in WINDOWS},
    **{f"{kind}_pool{rank}d": pool(rank, kind == "avg") for rank in WINDOWS for kind in ("max", "avg")},
    **{f"adaptive_{kind}_pool{rank}d": adaptive(rank, kind == "avg") for rank in WINDOWS for kind in ("max", "avg")},
    **CONTRACTIONS,
    **SAMPLED,
}
