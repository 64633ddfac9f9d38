"""Operators on arrays: build, run, compare with a reference in float64; the text of the errors of bad calls."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.base.config import config
from akg.base.dtype import dtype_of
from akg.base.errors import AkgError
from tests.helpers import Array, assert_close

Function = Callable[..., Any]


def draw(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> Array:
    """Elements of a type: floats from a normal distribution, integers from -9 to 9, or 0 to 9."""
    random = np.random.default_rng([seed, *shape])
    kind = dtype_of(dtype)
    if kind.is_float:
        return random.standard_normal(shape).astype(kind.numpy)
    if kind.kind == "bool":
        return random.integers(0, 2, shape).astype(bool)
    return random.integers(0 if kind.kind == "uint" else -9, 10, shape).astype(kind.numpy)


def placeholders(*arrays: Array) -> list[te.Tensor]:
    """One argument for each array."""
    return [te.placeholder(a.shape, dtype_of(a.dtype), name=f"x{k}") for k, a in enumerate(arrays)]


def evaluate(function: Function, *arrays: Array) -> Any:
    """The result, or list of results, of an operator on arrays."""
    inputs = placeholders(*arrays)
    outputs = function(*inputs)
    several = isinstance(outputs, (list, tuple))
    lowered = akg.lower(list(outputs) if several else [outputs])
    used = [int(p.name[1:]) for p in lowered.kernel.params if p.role == "in"]  # an empty result reads nothing
    with config.override(cache="off"):
        found = akg.build(lowered)(*[arrays[k] for k in used])
    return list(found) if several and len(outputs) > 1 else [found] if several else found


def wide(a: Array) -> Array:
    """Floats in float64, other types as they are."""
    return a.astype(np.float64) if dtype_of(a.dtype).is_float else a


def check(function: Function, reference: Function, *arrays: Array, terms: int = 1, dtype: str | None = None) -> None:
    """The operator on `arrays` agrees with `reference` on the same elements in float64."""
    found = evaluate(function, *arrays)
    wanted = reference(*[wide(a) for a in arrays])
    several = isinstance(found, list)
    for got, want in zip(found if several else [found], wanted if several else [wanted], strict=True):
        if dtype is not None:
            assert dtype_of(got.dtype) is dtype_of(dtype)
        assert_close(got, want, terms=terms)


def error_of(function: Function, *shapes: tuple[Any, ...], dtype: str = "float32") -> str:
    """What a bad call on placeholders says, without the place in the source."""
    inputs = [te.placeholder(shape, dtype, name=f"x{k}") for k, shape in enumerate(shapes)]
    with pytest.raises(AkgError) as caught:
        function(*inputs)
    error = caught.value
    assert error.span is not None
    lines = [f"{error.code}: {error.message}"]
    lines += [f"because: {error.because}"] * bool(error.because)
    return "\n".join(lines + [f"hint: {error.hint}"] * bool(error.hint))
