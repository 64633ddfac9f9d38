"""Operators in batches: one kernel of several outputs, over symbolic or given shapes, against NumPy in float64."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.base.dtype import dtype_of
from akg.base.errors import AkgError
from tests.helpers import Array, assert_close

FLOATS = ("float64", "float32", "float16", "bfloat16")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
LENGTHS = (0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 67, 130, 1001)
# One, odd, prime, even, empty, and a larger one; the last axis long, short, and between.
SHAPES = ((1,), (7,), (64,), (1, 1), (3, 5), (17, 31), (2, 3, 4), (5, 1, 9), (0, 3), (4, 0), (2, 3, 1, 5), (41, 130))
Reference = Callable[..., Any]


def placeholder(shape: Sequence[int | str], dtype: str, name: str = "x") -> te.Tensor:
    """An argument; a size that is a name is symbolic."""
    return te.placeholder([te.var(s) if isinstance(s, str) else s for s in shape], dtype, name=name)


def draw(shape: Sequence[int], dtype: str, seed: int = 0, low: float = -3.0, high: float = 3.0) -> Array:
    """Values between `low` and `high`, of a type."""
    rng = np.random.default_rng([seed, *shape])
    kind = dtype_of(dtype)
    if kind.is_float:
        return rng.uniform(low, high, shape).astype(kind.numpy)
    if kind.kind == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    first = max(int(low), 0) if kind.kind == "uint" else int(low)
    return rng.integers(first, int(high) + 1, shape).astype(kind.numpy)


def wide(a: Any) -> Any:
    """Floats in float64, anything else as it is."""
    return a.astype(np.float64) if isinstance(a, np.ndarray) and dtype_of(a.dtype).is_float else a


def run(outputs: Sequence[te.Tensor], inputs: Sequence[te.Tensor], *arrays: Array) -> list[Array]:
    """Build and call."""
    found = akg.build(list(outputs), inputs=list(inputs))(*arrays)
    return list(found) if isinstance(found, tuple) else [found]


def compare(
    names: Iterable[str], got: Iterable[Array], want: Iterable[Any], terms: int = 1, dtypes: Iterable[str] | None = None
) -> None:
    """Each result agrees with its reference; a reference beyond the range of the type is infinite in it."""
    names = list(names)
    for name, g, w in zip(names, got, want, strict=True):
        reference = np.asarray(w)
        with np.errstate(all="ignore"):
            reference = reference.astype(g.dtype) if dtype_of(g.dtype).bits == 16 else reference
        assert_close(g, wide(reference), g.dtype, terms, what=f"{name} {g.shape} {g.dtype}")
    if dtypes is not None:
        for name, g, dtype in zip(names, got, dtypes, strict=True):
            assert str(dtype_of(g.dtype)) == dtype, name


def chunks(names: Sequence[str], size: int = 8) -> list[list[str]]:
    """`names` in lists of at most `size`."""
    return [list(names[k : k + size]) for k in range(0, len(names), size)]


def message_of(call: Callable[[], Any]) -> str:
    """What a bad call says, the place in the source left out."""
    with pytest.raises(AkgError) as caught:
        call()
    error = caught.value
    assert error.span is not None
    lines = [f"{error.code}: {error.message}"]
    lines += [f"because: {error.because}"] if error.because else []
    return "\n".join([*lines, f"hint: {error.hint}"] if error.hint else lines)
