"""Rows of operators on single elements, and of what broadcasts."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.ops.coverage import ANY, BITS, INTEGERS, MATRICES, Row
from tests.ops.references import BINARY, BITWISE, FLOAT_BINARY, FLOAT_UNARY, UNARY, Reference

ONE, TWO = ("m n",), ("m n", "n")


def exact(function: Reference) -> Any:
    """A reference that leaves integers as they are."""
    return lambda x, s: function(*x)


def floating(function: Reference) -> Any:
    """A reference on floats, whatever the type."""

    def reference(x: Sequence[Any], s: SimpleNamespace) -> Any:
        return function(*[a.astype(np.float64) for a in x])

    return reference


LOGICAL = ("logical_not", "logical_and", "logical_or", "logical_xor", "equal", "not_equal")
POINTWISE: dict[str, Row] = {
    **{n: Row(ONE, floating(f), special="dense") for n, f in FLOAT_UNARY.items()},
    **{n: Row(ONE, exact(f), types=ANY if n in LOGICAL else Row.types, special="dense") for n, f in UNARY.items()},
    **{n: Row(TWO, exact(f), types=ANY if n in LOGICAL else Row.types, special="dense") for n, f in BINARY.items()},
    **{n: Row(TWO, floating(f), special="dense") for n, f in FLOAT_BINARY.items()},
    **{n: Row(TWO, exact(f), types=BITS) for n, f in BITWISE.items()},
    "bitwise_invert": Row(ONE, exact(np.invert), types=BITS),
    "bitwise_left_shift": Row(TWO, exact(np.left_shift), types=INTEGERS, low=0, high=9),
    "bitwise_right_shift": Row(TWO, exact(np.right_shift), types=INTEGERS, low=0, high=9),
    "pow": Row(TWO, exact(np.power), low=0.2),
    "nextafter": Row(
        TWO, lambda x, s: np.nextafter(*[a.astype(s.dtype) for a in x]), types=("float64", "float32"), special="dense"
    ),
    "where": Row(("m n:bool", "m n", "n"), exact(np.where), types=ANY, special="dense"),
    "clip": Row(ONE, lambda x, s: np.clip(x[0], 0, 2), lambda f, x, s: f(x[0], 0, 2), special="dense"),
    "astype": Row(
        ONE, lambda x, s: x[0].astype(np.float32), lambda f, x, s: f(x[0], "float32"), types=ANY, special="dense"
    ),
    "outer": Row(("m", "n"), exact(np.outer), special="dense"),
    "broadcast_arrays": Row(("m 1", "n"), lambda x, s: list(np.broadcast_arrays(*x)), types=ANY),
    "broadcast_to": Row(
        ("1 n",), lambda x, s: np.broadcast_to(x[0], (s.m, s.n)), lambda f, x, s: f(x[0], (s.m, s.n)), types=ANY,
        symbolic=False, sets=(*MATRICES, (3, 4099)),
    ),
    "meshgrid": Row(("m", "n"), lambda x, s: list(np.meshgrid(*x)), types=ANY),
    "one_hot": Row(
        ("m n:int64<9",), lambda x, s: (x[0][..., None] == np.arange(7)).astype(np.float64),
        lambda f, x, s: f(x[0], 7, dtype=s.dtype), types=ANY,
    ),
}  # fmt: skip
