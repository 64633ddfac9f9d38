"""Every operator of the library at a typical shape: ``define(name)`` is its (outputs, inputs).

`define` of an operator without an entry here raises: a new operator needs one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from akg import ops, te

Definition = tuple[list[Any], list[Any]]
SQUARE = (1024, 1024)
IMAGE = (8, 64, 56, 56)
BITS = ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift")
SWITCHES = ("logical_and", "logical_or", "logical_xor")


class Inputs:
    """Makes placeholders and keeps them in order; `square` and `batch` are the sizes of matrices and of images."""

    def __init__(self, square: tuple[int, int] = SQUARE, batch: int = IMAGE[0]) -> None:
        self.made: list[Any] = []
        self.square, self.batch = square, batch

    @property
    def image(self) -> tuple[int, ...]:
        """The shape of images."""
        return (self.batch, *IMAGE[1:])

    def __call__(self, *shape: int, dtype: str = "float32") -> Any:
        self.made.append(te.placeholder(shape, dtype, name=f"x{len(self.made)}"))
        return self.made[-1]


Maker = Callable[[Inputs, Callable[..., Any]], Any]


def _unary(new: Inputs, f: Callable[..., Any]) -> Any:
    return f(new(*new.square))


def _binary(new: Inputs, f: Callable[..., Any]) -> Any:
    return f(new(*new.square), new(*new.square))


def _of_type(dtype: str, count: int = 2) -> Maker:
    return lambda new, f: f(*(new(*new.square, dtype=dtype) for _ in range(count)))


def _row(**keywords: Any) -> Maker:
    """Along the rows of a matrix."""
    return lambda new, f: f(new(*new.square), axis=1, **keywords)


def _images(new: Inputs, rank: int) -> tuple[int, ...]:
    return {1: (new.batch, 64, 1024), 2: new.image, 3: (new.batch // 4, 16, 16, 28, 28)}[rank]


def _conv(rank: int, transposed: bool = False) -> Maker:
    """64 to 64 channels, windows of 3, padded."""

    def make(new: Inputs, f: Callable[..., Any]) -> Any:
        shape = _images(new, rank)
        stride = {"stride": 2} if transposed else {}
        return f(new(*shape), new(shape[1], shape[1], *[3] * rank), padding=1, **stride)

    return make


def _depthwise(rank: int) -> Maker:
    return lambda new, f: f(new(*_images(new, rank)), new(_images(new, rank)[1], 1, *[3] * rank), padding=1)


def _pool(rank: int) -> Maker:
    return lambda new, f: f(new(*_images(new, rank)), 3, stride=2, padding=1)


def _adaptive(rank: int) -> Maker:
    return lambda new, f: f(new(*_images(new, rank)), 7)


def _labels(new: Inputs, f: Callable[..., Any]) -> Any:
    return f(new(4096, 1000), new(4096, dtype="int64"))


def _affine(new: Inputs, f: Callable[..., Any]) -> Any:
    return f(new(4096, 1024), new(1024), new(1024))


def _channels(new: Inputs, f: Callable[..., Any]) -> Any:
    return f(new(*new.image), new(64), new(64))


MAKERS: dict[str, Maker] = {
    **dict.fromkeys(BITS, _of_type("int32")),
    **dict.fromkeys(SWITCHES, _of_type("bool")),
    **dict.fromkeys(("bitwise_invert",), _of_type("int32", 1)),
    **dict.fromkeys(("logical_not",), _of_type("bool", 1)),
    **dict.fromkeys(("sum", "prod", "max", "min", "mean", "var", "std", "argmax", "argmin", "logsumexp", "vector_norm",
                     "count_nonzero", "sum_of_squares", "cumsum", "cumprod", "cummax", "cummin", "cumulative_sum",
                     "cumulative_prod", "flip", "l1_normalize", "l2_normalize", "normalize"), _row()),
    **dict.fromkeys(("all", "any"), lambda new, f: f(new(*new.square, dtype="bool"), axis=1)),
    **dict.fromkeys(("softmax", "log_softmax", "softmin"), lambda new, f: f(new(4096, 1024))),
    **dict.fromkeys(("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "hinge_loss", "kl_div",
                     "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_similarity"), _binary),
    **dict.fromkeys(("cross_entropy", "nll_loss"), _labels),
    **dict.fromkeys(("global_avg_pool", "global_max_pool"), lambda new, f: f(new(*new.image))),
    **dict.fromkeys(("zeros_like", "ones_like", "empty_like", "matrix_transpose", "tril", "triu", "transpose"), _unary),
    **dict.fromkeys(("zeros", "ones"), lambda new, f: f(new.square)),
    **dict.fromkeys(("gather", "take"), lambda new, f: f(new(*new.square), new(4096, dtype="int64"), axis=0)),
    **dict.fromkeys(("instance_norm", "batch_norm_train"), _channels),
    **{f"conv{d}d": _conv(d) for d in (1, 2, 3)},
    **{f"conv{d}d_transpose": _conv(d, transposed=True) for d in (1, 2, 3)},
    **{f"depthwise_conv{d}d": _depthwise(d) for d in (1, 2, 3)},
    **{f"{kind}_pool{d}d": _pool(d) for kind in ("max", "avg") for d in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{d}d": _adaptive(d) for kind in ("max", "avg") for d in (1, 2, 3)},
    "triplet_loss": lambda new, f: f(new(*new.square), new(*new.square), new(*new.square)),
    "where": lambda new, f: f(new(*new.square, dtype="bool"), new(*new.square), new(*new.square)),
    "clip": lambda new, f: f(new(*new.square), -1.0, 1.0),
    "astype": lambda new, f: f(new(*new.square), "float16"),
    "broadcast_to": lambda new, f: f(new(new.square[1]), new.square),
    "broadcast_arrays": lambda new, f: f(new(new.square[0], 1), new(new.square[1])),
    "meshgrid": lambda new, f: f(new(new.square[1]), new(new.square[0])),
    "outer": lambda new, f: f(new(new.square[0]), new(new.square[1])),
    "full": lambda new, f: f(new.square, 1.5),
    "full_like": lambda new, f: f(new(*new.square), 1.5),
    "eye": lambda new, f: f(*new.square),
    "arange": lambda new, f: f(math.prod(new.square)),
    "linspace": lambda new, f: f(0.0, 1.0, math.prod(new.square)),
    "one_hot": lambda new, f: f(new(4096, dtype="int64"), 1000),
    "layer_norm": _affine,
    "rms_norm": lambda new, f: f(new(4096, 1024), new(1024)),
    "group_norm": lambda new, f: f(new(*new.image), 8, new(64), new(64)),
    "batch_norm": lambda new, f: f(new(*new.image), new(64), new(64), new(64), new(64)),
    "matmul": lambda new, f: f(new(512, 512), new(512, 512)),
    "triangular_matmul": lambda new, f: f(new(512, 512), new(512, 512)),
    "scaled_dot_product_attention": lambda new, f: f(*[new(4, 8, 512, 64) for _ in range(3)]),
    "tensordot": lambda new, f: f(new(64, 32, 32), new(32, 32, 128)),
    "einsum": lambda new, f: f("bhqd,bhkd->bhqk", new(4, 8, 128, 64), new(4, 8, 128, 64)),
    "matvec": lambda new, f: f(new(*new.square), new(new.square[1])),
    "vecmat": lambda new, f: f(new(new.square[0]), new(*new.square)),
    "vecdot": _binary,
    "concat": lambda new, f: f([new(*new.square), new(*new.square)], axis=1),
    "stack": lambda new, f: f([new(*new.square), new(*new.square)], axis=1),
    "split": lambda new, f: f(new(*new.square), 4, axis=1),
    "unstack": lambda new, f: f(new(4, new.square[0] // 4, new.square[1])),
    "slice": lambda new, f: f(new(*new.square), [0, 1], list(new.square), [2, 3]),
    "pad": lambda new, f: f(new(*new.square), ((1, 1), (2, 2))),
    "tile": lambda new, f: f(new(*[n // 4 for n in new.square]), (4, 4)),
    "repeat": lambda new, f: f(new(new.square[0] // 4, new.square[1]), 4, axis=0),
    "roll": lambda new, f: f(new(*new.square), 5, axis=1),
    "expand_dims": lambda new, f: f(new(*new.square), 1),
    "squeeze": lambda new, f: f(new(new.square[0], 1, new.square[1]), 1),
    "reshape": lambda new, f: f(new(*new.square), (new.square[0] // 2, new.square[1] * 2)),
    "permute_dims": lambda new, f: f(new(new.square[0] // 16, 128, new.square[1] // 8), (2, 0, 1)),
    "swapaxes": lambda new, f: f(new(new.square[0] // 16, 128, new.square[1] // 8), 0, 2),
    "moveaxis": lambda new, f: f(new(new.square[0] // 16, 128, new.square[1] // 8), 0, 2),
    "pixel_shuffle": lambda new, f: f(new(*new.image), 2),
    "pixel_unshuffle": lambda new, f: f(new(*new.image), 2),
    "gather_nd": lambda new, f: f(new(*new.square), new(4096, 2, dtype="int64")),
    "take_along_axis": lambda new, f: f(new(*new.square), new(new.square[0], 64, dtype="int64"), axis=1),
    "scatter_add": lambda new, f: f(new(*new.square), new(4096, dtype="int64"), new(4096, new.square[1]), axis=0),
    "put_along_axis": lambda new, f: f(
        new(*new.square), new(new.square[0], 64, dtype="int64"), new(new.square[0], 64), axis=1),
    "scatter_nd": lambda new, f: f(new(*new.square), new(4096, 1, dtype="int64"), new(4096, new.square[1])),
    "scatter_nd_add": lambda new, f: f(new(*new.square), new(4096, 1, dtype="int64"), new(4096, new.square[1])),
    "resize": lambda new, f: f(new(*new.image), (112, 112), mode="bilinear"),
}  # fmt: skip
_BY_KIND: dict[str, Maker] = {"elementwise": _unary, "broadcast": _binary}


def define(name: str, new: Inputs | None = None) -> Definition:
    """Outputs and inputs of an operator at its typical shape, or at the sizes of `new`.

    Raises:
        KeyError: the operator is neither elementwise nor listed here.
    """
    entry = ops.get(name)
    make = MAKERS.get(name) or _BY_KIND[entry.kind]
    new = new or Inputs()
    result = make(new, entry.function)
    outputs = list(result) if isinstance(result, (list, tuple)) else [result]
    return outputs, [] if name.endswith("_like") else new.made  # of those, only the shape is used


def names() -> list[str]:
    """All operators of the library."""
    return [entry.name for entry in ops.table()]
