"""Empty arrays: the shared definitions and scripts with sizes of 0, constant and symbolic, give the oracle's result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.ir.interp import interpret
from bench.kernels import CASES, symbolic_matmul
from tests.helpers import assert_close, random_array
from tests.programs import SAMPLES

STRATEGIES = ("auto", "original", "isl")


def zeroed(sizes: Mapping[str, int], least: int = 0) -> list[dict[str, int]]:
    """Each size at its least by itself, then all."""
    return [{**sizes, name: least} for name in sizes] + [dict.fromkeys(sizes, least)]


DRAWN = [
    (name, sizes)
    for name, case in CASES.items()
    for sizes in zeroed(case.small, 6 if name == "stencil_chain" else 0)  # three stages take 2 of each size
    if name != "symbolic_matmul" and not (name == "layer_norm" and sizes["n"] == 0)  # it divides by n in Python
]


def oracle(lowered: Any, arrays: list[Any]) -> list[Any]:
    """What the interpreter makes of the kernel as it is defined."""
    outputs = [p.value for p in lowered.kernel.params if p.role == "out"]
    results = [np.zeros(tuple([int(s) for s in b.shape]), b.dtype.numpy) for b in outputs]
    interpret(lowered.kernel, *arrays, *results)
    return results


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("name", "sizes"), DRAWN, ids=[f"{n}-{'-'.join(map(str, s.values()))}" for n, s in DRAWN])
def test_definition(name: str, sizes: dict[str, int], strategy: str) -> None:
    outputs, inputs = CASES[name].define("float32", **sizes)
    rng = np.random.default_rng(0)
    arrays = [random_array(tuple([int(s) for s in t.shape]), t.dtype, rng) for t in inputs]
    lowered = akg.lower(outputs, inputs=inputs)
    got = akg.build(lowered, strategy=strategy)(*arrays)
    for result, want in zip(got if isinstance(got, tuple) else (got,), oracle(lowered, arrays), strict=True):
        assert_close(result, want, terms=2000, what=f"{name} {sizes}")


@pytest.mark.parametrize("shape", [(0, 5, 4), (3, 0, 4), (3, 5, 0), (0, 0, 0)])
def test_symbolic_sizes(shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    outputs, inputs = symbolic_matmul()
    kernel = akg.build(outputs, inputs=inputs)
    a, b = np.ones((m, k), np.float32), np.ones((k, n), np.float32)
    np.testing.assert_array_equal(kernel(a, b), a @ b)


@pytest.mark.parametrize("rows", [0, 3])
def test_identities_of_empty_reductions(rows: int) -> None:
    x, k = te.placeholder((rows, 0), name="X"), te.reduce_axis(0, name="k")
    for reduce, identity in ((te.sum, 0.0), (te.prod, 1.0), (te.max, -np.inf), (te.min, np.inf)):
        y = te.compute((rows,), lambda i, reduce=reduce: reduce(x[i, k], axis=k), name="Y")
        got = akg.build([y], inputs=[x])(np.zeros((rows, 0), np.float32))
        np.testing.assert_array_equal(got, np.full(rows, identity, np.float32))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", SAMPLES)
def test_script(name: str, strategy: str) -> None:
    """Every array keeps its contents, as it does when the script runs as Python."""
    sample = SAMPLES[name]
    kernel = akg.build(sample.script, strategy=strategy)
    got, want = sample.inputs(0), sample.inputs(0)
    sample.script(*want)
    names = sample.script.function.__code__.co_varnames
    by_name = dict(zip(names, got, strict=False))
    outputs = tuple([by_name[p.name] for p in kernel.signature.outputs])
    options = {"out": outputs[0] if len(outputs) == 1 else outputs} if outputs else {}
    kernel(*[by_name[p.name] for p in kernel.signature.arguments], **options)
    for g, w in zip(got, want, strict=True):
        if isinstance(g, np.ndarray):
            np.testing.assert_array_equal(g, w)
