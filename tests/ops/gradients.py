"""Comparison of gradients with central finite differences, in float64, through compiled kernels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import akg
from akg import te
from akg.ir.expr import Const
from akg.ir.stage import build_stages
from akg.ir.te.tensor import Placeholder, Tensor
from tests.helpers import Array, assert_close, shape_of

STEP = 1e-5  # balances truncation (1e-10 relative) and cancellation (1e-11); good to single precision by far


def weights(tensor: Tensor, sizes: Mapping[str, int], seed: int = 1) -> Array:
    """A head for `tensor`."""
    return np.random.default_rng(seed).uniform(0.5, 1.5, shape_of(tensor, sizes))


def check_gradient(
    output: Tensor,
    inputs: Sequence[Tensor],
    arrays: Mapping[Tensor, Array],
    sizes: Mapping[str, int] | None = None,
    with_head: bool = True,
) -> Any:
    """Differentiate `output` and compare with differences; `arrays` has a value for every placeholder.

    Returns the kernel of the gradients.
    """
    head = te.placeholder(output.shape, output.dtype, name="head") if with_head else None
    gradients = akg.differentiate(output, inputs, head)
    values = dict(arrays)
    scale = weights(output, sizes or {}) if with_head else np.ones(shape_of(output, sizes or {}))
    if head is not None:
        values[head] = scale
    used = used_placeholders(gradients)
    kernel = akg.build(gradients, inputs=used)
    results = kernel(*[values[t] for t in used])
    results = results if isinstance(results, tuple) else (results,)

    forward_inputs = used_placeholders([output])
    forward = akg.build([output], inputs=forward_inputs)

    def loss() -> float:
        return float(np.sum(scale * forward(*[values[t] for t in forward_inputs])))

    for tensor, got in zip(inputs, results, strict=True):
        array = values[tensor]
        want = np.zeros(array.shape)
        for place in np.ndindex(array.shape):
            before = array[place]
            array[place] = before + STEP
            above = loss()
            array[place] = before - STEP
            below = loss()
            array[place] = before
            want[place] = (above - below) / (2 * STEP)
        assert_close(got, want, "float32", what=f"gradient with respect to {tensor.name}")
    return kernel


def used_placeholders(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The placeholders that the outputs depend on, in order of first use."""
    found: dict[Tensor, None] = {}
    for stage in build_stages(outputs):
        found.update((b, None) for b in (load.buffer for load in stage.loads) if isinstance(b, Tensor))
    return [t for t in found if isinstance(t.op, Placeholder)]


def placeholder(shape: Any, name: str) -> Tensor:
    """A float64 argument."""
    return te.placeholder(shape, "float64", name=name)


def uniform(tensor: Tensor, low: float = -1.0, high: float = 1.0, seed: int = 0) -> Array:
    """Random values for a placeholder of constant shape; different ones for different names."""
    rng = np.random.default_rng([seed, *tensor.name.encode()])
    return rng.uniform(low, high, tuple(int(s.value) for s in tensor.shape if isinstance(s, Const)))
