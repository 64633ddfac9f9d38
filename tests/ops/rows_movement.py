"""Rows of what moves elements, takes them by places, or makes them of nothing."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from akg.base.dtype import dtype_of
from tests.helpers import Array
from tests.ops.common import FLOATS
from tests.ops.coverage import ANY, Row, Sizes, defaults

CUBES: tuple[Sizes, ...] = (
    (1, 1, 1), (1, 7, 5), (5, 3, 2), (13, 1, 17), (0, 3, 4), (4, 0, 3), (3, 4, 0), (2, 64, 16), (31, 2, 3), (9, 33, 29),
    (17, 16, 31),
)  # fmt: skip


def moved(function: Any, call: Any, *operands: str, **given: Any) -> Row:
    """Elements of every type; `call` takes the operator and its operands."""
    return Row(
        operands or ("m n",), lambda x, s: function(*x), lambda f, x, s: call(f, *x),
        **defaults(given, types=ANY),
    )  # fmt: skip


def turned(function: Any, call: Any, **given: Any) -> Row:
    return moved(function, call, "m k n", names="m k n", sets=CUBES, **given)


def shuffled(x: Array, r: int) -> Array:
    b, c, h, w = x.shape
    return x.reshape(b, c // (r * r), r, r, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(b, c // (r * r), h * r, w * r)


def unshuffled(x: Array, r: int) -> Array:
    b, c, h, w = x.shape
    return x.reshape(b, c, h // r, r, w // r, r).transpose(0, 1, 3, 5, 2, 4).reshape(b, c * r * r, h // r, w // r)


PIXELS: tuple[Sizes, ...] = (
    (1, 1, 1), (1, 3, 5), (2, 7, 2), (3, 2, 13), (0, 3, 4), (2, 0, 3), (1, 17, 11), (5, 8, 1), (2, 9, 31), (3, 45, 47),
)  # fmt: skip
MOVEMENT: dict[str, Row] = {
    "reshape": moved(np.ravel, lambda f, x: f(x, (-1,)), symbolic=False),
    "flip": moved(lambda x: np.flip(x, 1), lambda f, x: f(x, axis=1)),
    "roll": moved(lambda x: np.roll(x, 5, 1), lambda f, x: f(x, 5, axis=1), symbolic=False),
    "tile": moved(lambda x: np.tile(x, (2, 3)), lambda f, x: f(x, (2, 3)), symbolic=False),
    "repeat": moved(lambda x: np.repeat(x, 3, 1), lambda f, x: f(x, 3, axis=1)),
    "pad": moved(lambda x: np.pad(x, ((1, 2), (0, 3))), lambda f, x: f(x, ((1, 2), (0, 3)))),
    "tril": moved(lambda x: np.tril(x, 1), lambda f, x: f(x, k=1)),
    "triu": moved(lambda x: np.triu(x, 1), lambda f, x: f(x, k=1)),
    "expand_dims": moved(lambda x: x[:, None], lambda f, x: f(x, 1)),
    "squeeze": moved(lambda x: x[:, 0], lambda f, x: f(x, 1), "m 1 n"),
    "concat": moved(lambda x, y: np.concatenate([x, y], 1), lambda f, x, y: f([x, y], axis=1), "m n", "m 3"),
    "stack": moved(lambda x, y: np.stack([x, y], 1), lambda f, x, y: f([x, y], axis=1), "m n", "m n"),
    "split": moved(lambda x: np.split(x, 3, 0), lambda f, x: f(x, 3), "6 m n"),
    "unstack": moved(lambda x: [x[0], x[1], x[2]], lambda f, x: f(x), "3 m n"),
    "slice": moved(lambda x: x[1::2, :-1], lambda f, x: f(x, [1, None], [None, -1], [2, 1]), symbolic=False),
    "transpose": turned(np.transpose, lambda f, x: f(x)),
    "matrix_transpose": turned(lambda x: x.swapaxes(1, 2), lambda f, x: f(x)),
    "permute_dims": turned(lambda x: x.transpose(2, 0, 1), lambda f, x: f(x, (2, 0, 1))),
    "swapaxes": turned(lambda x: x.swapaxes(0, 2), lambda f, x: f(x, 0, 2)),
    "moveaxis": turned(lambda x: np.moveaxis(x, 0, 2), lambda f, x: f(x, 0, 2)),
    "pixel_shuffle": moved(
        lambda x: shuffled(x, 2), lambda f, x: f(x, 2), "b 8 h w", names="b h w", sets=PIXELS
    ),
    "pixel_unshuffle": moved(
        lambda x: unshuffled(x, 3), lambda f, x: f(x, 3), "b 2 h w", names="b h w", symbolic=False,
        sets=tuple((b, 3 * h, 3 * w) for b, h, w in PIXELS),
    ),
}  # fmt: skip

# The sizes of x, and how many places; a dimension to take from is not empty.
PLACES: tuple[Sizes, ...] = (
    (1, 1, 1), (1, 7, 5), (5, 3, 2), (13, 17, 31), (4, 3, 0), (2, 64, 16), (31, 2, 3), (67, 33, 29), (7, 1, 64),
    (101, 130, 61),
)  # fmt: skip


def added(x: Array, indices: Array, updates: Array) -> Array:
    result = x.copy()
    np.add.at(result, indices, updates)
    return result


def put(x: Array, indices: Array, values: Array) -> Array:
    """Row by row, the last of several stays."""
    result = x.copy()
    np.put_along_axis(result, indices, values, 1)
    return result


def replaced(x: Array, indices: Array, updates: Array) -> Array:
    result = x.copy()
    for k, row in enumerate(indices):
        result[row] = updates[k]
    return result


def placed(function: Any, call: Any, *operands: str, **given: Any) -> Row:
    return moved(function, call, *operands, **defaults(given, names="m n k", sets=PLACES))


ADDED: dict[str, Any] = {"types": Row.types, "terms": lambda s: s.k}
INDEXED: dict[str, Row] = {
    "gather": placed(lambda x, i: x[i], lambda f, x, i: f(x, i), "m n", "k:int64<>m"),
    "take": placed(lambda x, i: x[:, i], lambda f, x, i: f(x, i, axis=1), "m n", "k:int64<>n"),
    "take_along_axis": placed(
        lambda x, i: np.take_along_axis(x, i, 1), lambda f, x, i: f(x, i, axis=1), "m n", "m k:int64<>n"
    ),
    "gather_nd": placed(lambda x, i: x[i[:, 0], i[:, 1]], lambda f, x, i: f(x, i), "m m n", "k 2:int64<>m"),
    "scatter_add": placed(added, lambda f, *x: f(*x), "m n", "k:int64<>m", "k n", **ADDED),
    "put_along_axis": placed(put, lambda f, *x: f(*x), "m n", "m k:int64<>n", "m k"),
    "scatter_nd": placed(
        lambda x, i, u: replaced(x, i[:, 0], u), lambda f, *x: f(*x), "m n", "k 1:int64<>m", "k n"
    ),
    "scatter_nd_add": placed(
        lambda x, i, u: added(x, i[:, 0], u), lambda f, *x: f(*x), "m n", "k 1:int64<>m", "k n", **ADDED
    ),
}


def created(function: Any, call: Any, types: Any = ANY, **given: Any) -> Row:
    """No operands: the sizes are constants."""
    return Row((), lambda x, s: function(s), lambda f, x, s: call(f, s), types, **given)


def like(value: float) -> Row:
    def call(f: Any, x: Any, s: SimpleNamespace) -> Any:
        return f(x[0], 1) if "full" in f.__name__ else f(x[0])

    return Row(("m n",), lambda x, s: np.full((s.m, s.n), value), call, ANY, symbolic=False)


COUNTS = tuple((n,) for n in (0, 1, 2, 3, 7, 13, 31, 64, 129, 1000, 4099))
CREATED: dict[str, Row] = {
    "zeros": created(lambda s: np.zeros((s.m, s.n)), lambda f, s: f((s.m, s.n), dtype=s.dtype)),
    "ones": created(lambda s: np.ones((s.m, s.n)), lambda f, s: f((s.m, s.n), dtype=s.dtype)),
    "full": created(lambda s: np.full((s.m, s.n), 1), lambda f, s: f((s.m, s.n), 1, dtype=s.dtype)),
    "eye": created(lambda s: np.eye(s.m, s.n, 1), lambda f, s: f(s.m, s.n, k=1, dtype=s.dtype)),
    "zeros_like": like(0),
    "empty_like": like(0),
    "ones_like": like(1),
    "full_like": like(1),
    "arange": created(
        lambda s: np.arange(s.n).astype(dtype_of(s.dtype).numpy), lambda f, s: f(s.n, dtype=s.dtype), names="n",
        sets=COUNTS,
    ),
    "linspace": created(
        lambda s: np.linspace(-1, 2, s.n), lambda f, s: f(-1, 2, s.n, dtype=s.dtype), FLOATS, names="n", sets=COUNTS
    ),
}  # fmt: skip
MOVED = {**MOVEMENT, **INDEXED, **CREATED}
