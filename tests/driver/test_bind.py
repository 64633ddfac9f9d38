"""`Kernel.bind`: inputs given for good, packed once."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import dtype_of, tolerance
from akg.base.errors import AkgError

Define = Callable[..., Any]


def arrays_of(inputs: list[te.Tensor], seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, t.const_shape).astype(np.float32).astype(t.dtype.numpy) for t in inputs]


def placeholders(shapes: tuple[tuple[int, ...], ...], dtype: str = "float32") -> list[te.Tensor]:
    return [te.placeholder(shape, dtype, name=f"x{k}") for k, shape in enumerate(shapes)]


def linear(x: Any, w: Any) -> Any:
    return ops.matmul(x, w, transpose_b=True)


CASES: list[tuple[str, Define, tuple[tuple[int, ...], ...], str, bool]] = [
    ("product", ops.matmul, ((32, 300), (300, 192)), "float32", True),
    ("odd", ops.matmul, ((33, 301), (301, 131)), "float32", True),
    ("one tile of rows", ops.matmul, ((3, 64), (64, 64)), "float32", True),
    ("long", ops.matmul, ((16, 3000), (3000, 64)), "float32", True),
    ("double", ops.matmul, ((16, 70), (70, 50)), "float64", True),
    ("pairs", ops.matmul, ((32, 130), (130, 64)), "bfloat16", True),
    ("linear", linear, ((32, 300), (192, 300)), "float32", True),
    ("odd linear", linear, ((7, 300), (101, 300)), "float32", True),
    ("linear in pairs", linear, ((32, 64), (96, 64)), "bfloat16", True),
    ("batched", ops.matmul, ((3, 32, 40), (3, 40, 64)), "float32", True),
    ("shared by a batch", ops.matmul, ((3, 32, 40), (40, 64)), "float32", True),
    ("vector", ops.matmul, ((1, 300), (300, 200)), "float32", False),
    ("convolution", lambda x, w: ops.conv2d(x, w, padding=1), ((1, 8, 9, 9), (16, 8, 3, 3)), "float32", False),
    ("sum", ops.add, ((40, 30), (40, 30)), "float32", False),
    ("epilogue", lambda x, w: ops.relu(ops.matmul(x, w)), ((32, 64), (64, 64)), "float32", True),
]  # fmt: skip


@pytest.mark.parametrize(("define", "shapes", "dtype", "packs"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
@pytest.mark.parametrize("threads", [1, 2])
def test_bound_is_the_same(define: Define, shapes: Any, dtype: str, packs: bool, threads: int) -> None:
    inputs = placeholders(shapes, dtype)
    kernel = akg.build([define(*inputs)], inputs=inputs)
    x, w = arrays_of(inputs, 1)
    bound = kernel.bind(x1=w)
    assert [p.name for p in bound.signature.arguments] == ["x0"]
    with akg.config.override(num_threads=threads):
        want, got = np.asarray(kernel(x, w)), np.asarray(bound(x))
        again = np.empty_like(got)
        assert bound(x, out=again) is again
    terms = int(np.prod(shapes[1]))
    bound_error = tolerance(dtype_of(dtype), terms)
    scale = float(np.abs(want.astype(np.float64)).max())
    wide = [array.astype(np.float64) for array in (got, want)]
    np.testing.assert_allclose(*wide, rtol=bound_error, atol=bound_error * scale)
    assert np.array_equal(np.asarray(again).view(np.uint8), got.view(np.uint8))
    assert any("x1: packed once" in note for note in bound.report.notes) or not packs


def test_positions_and_several() -> None:
    inputs = placeholders(((8, 20), (20, 16), (16,)))
    kernel = akg.build([ops.add(ops.matmul(inputs[0], inputs[1]), inputs[2])], inputs=inputs)
    x, w, b = arrays_of(inputs, 2)
    np.testing.assert_allclose(kernel.bind({1: w}, x2=b)(x), kernel(x, w, b), rtol=1e-5, atol=1e-5)
    everything = kernel.bind(x0=x, x1=w, x2=b)
    np.testing.assert_allclose(everything(), kernel(x, w, b), rtol=1e-5, atol=1e-5)


def test_kernels_of_one_code_keep_their_own_arrays() -> None:
    inputs = placeholders(((8, 20), (20, 16)))
    kernel = akg.build([ops.matmul(*inputs)], inputs=inputs)
    x, w = arrays_of(inputs, 3)
    one, two = kernel.bind(x1=w), kernel.bind(x1=2 * w)
    want = kernel(x, w)
    w[...] = 0  # the array was copied
    np.testing.assert_allclose(one(x), want, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(two(x), 2 * want, rtol=1e-5, atol=1e-5)


def test_a_bound_kernel_comes_from_the_disk(tmp_path: Path) -> None:
    inputs = placeholders(((8, 24), (24, 80)))
    x, w = arrays_of(inputs, 4)
    with akg.config.override(cache="rw", cache_dir=str(tmp_path)):
        kernel = akg.build([ops.matmul(*inputs)], inputs=inputs)
        first, second = kernel.bind(x1=w), kernel.bind(x1=w)
    assert (first.report.cache, second.report.cache) == ("miss", "hit")
    assert first.report.notes == second.report.notes
    np.testing.assert_array_equal(first(x), second(x))
    np.testing.assert_array_equal(np.asarray(second(x)), np.asarray(first(x)))


def test_what_it_says() -> None:
    inputs = placeholders(((32, 300), (300, 192)))
    kernel = akg.build([ops.matmul(*inputs)], inputs=inputs)
    bound = kernel.bind(x1=arrays_of(inputs, 5)[1])
    assert re.search(r"x1: packed once, x1_panel of \d+ x 300 x \d+", str(bound.explain()))
    assert re.search(r"x1_panel: fixed in float32\[\d+, 300, \d+\]", bound.source("loop"))
    assert "x1" not in str(bound.signature)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(AkgError) as caught:
        call()
    return str(caught.value)


def test_mistakes(tmp_path: Path) -> None:
    inputs = placeholders(((8, 20), (20, 16)))
    kernel = akg.build([ops.matmul(*inputs)], inputs=inputs)
    x, w = arrays_of(inputs, 6)
    for call, code, text in (
        (lambda: kernel.bind(x2=w), "AKG-E522", "it has no 'x2'"),
        (lambda: kernel.bind({2: w}), "AKG-E522", "it has no argument 2"),
        (lambda: kernel.bind({1: w}, x1=w), "AKG-E522", "is given twice"),
        (lambda: kernel.bind(matmul=w), "AKG-E522", "is an output"),
        (lambda: kernel.bind(), "AKG-E522", "no array is given"),
        (lambda: kernel.bind(x1=w[:, :8].copy()), "AKG-E503", "x1"),
        (lambda: kernel.bind(x1=w.astype(np.float64)), "AKG-E505", "float64"),
        (lambda: kernel.bind(x1=w).bind(x0=x), "AKG-E523", "bound already"),
        (lambda: kernel.bind(x1=w).save(tmp_path), "AKG-E411", "bound"),
        (lambda: kernel.bind(x1=w)(x, w), "AKG-E501", "takes 1 argument"),
    ):
        message = refused(call)
        assert message.startswith(code) and text in message, message
    kernel.save(tmp_path, kind="shared")
    assert refused(lambda: akg.load(tmp_path / f"{kernel.name}.json").bind(x1=w)).startswith("AKG-E523")


def test_sizes_that_are_symbolic() -> None:
    """An input of fixed shape can be bound; one whose shape a call tells cannot."""
    m, n = te.var("m"), te.var("n")
    X, W, Y = (te.placeholder(s, "float32", name=k) for s, k in (((m, 24), "X"), ((24, 48), "W"), ((24, n), "Y")))
    x, w = np.ones((5, 24), np.float32), np.full((24, 48), 2, np.float32)
    bound = akg.build([ops.matmul(X, W)], inputs=[X, W]).bind(W=w)
    np.testing.assert_array_equal(bound(x), np.full((5, 48), 48, np.float32))
    kernel = akg.build([ops.matmul(X, Y)], inputs=[X, Y])
    assert refused(lambda: kernel.bind(Y=w)).startswith("AKG-E522")


@akg.script
def scale(A: akg.Tensor[6, akg.float32], F: akg.Tensor[4, akg.float32], s: akg.Scalar[akg.float32]):
    for i in range(A.shape[0]):
        A[i] = A[i] * F[i % 4] * s


def test_scripts() -> None:
    kernel = akg.build(scale)
    f = np.array([1, 2, 3, 4], np.float32)
    a = np.ones(6, np.float32)
    kernel.bind(F=f)(a, 2.0)
    np.testing.assert_array_equal(a, [2, 4, 6, 8, 2, 4])
    assert "is written to" in refused(lambda: kernel.bind(A=np.ones(6, np.float32)))
    assert "passed by value" in refused(lambda: kernel.bind(s=2.0))
