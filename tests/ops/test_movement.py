"""Movement, padding, creation and resampling against NumPy, and their errors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.dtype import dtype_of
from tests.helpers import Array, assert_close
from tests.ops.evaluation import check, draw, error_of, evaluate

SHAPES = [(1,), (7,), (0, 3), (1, 1), (3, 5), (13, 17), (2, 3, 4), (3, 1, 5), (2, 3, 5, 7), (64, 65), (4, 33, 31)]
TYPES = ["float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool"]

# name -> (operator, reference), for any shape of at least so many dimensions
GENERAL: dict[str, tuple[Callable[..., Any], Callable[..., Any], int]] = {
    "flatten": (lambda x: ops.reshape(x, -1), lambda x: x.reshape(x.size), 0),
    "transpose": (ops.transpose, np.transpose, 0),
    "matrix_transpose": (ops.matrix_transpose, lambda x: x.swapaxes(-1, -2), 2),
    "swapaxes": (lambda x: ops.swapaxes(x, 0, -1), lambda x: x.swapaxes(0, -1), 1),
    "moveaxis": (lambda x: ops.moveaxis(x, 0, -1), lambda x: np.moveaxis(x, 0, -1), 1),
    "moveaxis of two": (lambda x: ops.moveaxis(x, (0, 1), (-1, 0)), lambda x: np.moveaxis(x, (0, 1), (-1, 0)), 2),
    "expand_dims": (lambda x: ops.expand_dims(x, axis=(0, -1)), lambda x: np.expand_dims(x, (0, -1)), 0),
    "squeeze": (ops.squeeze, np.squeeze, 0),
    "flip": (ops.flip, np.flip, 0),
    "flip one": (lambda x: ops.flip(x, axis=-1), lambda x: np.flip(x, -1), 1),
    "roll": (lambda x: ops.roll(x, 5), lambda x: np.roll(x, 5), 0),
    "roll one": (lambda x: ops.roll(x, -2, axis=-1), lambda x: np.roll(x, -2, -1), 1),
    "roll two": (lambda x: ops.roll(x, (1, 3), axis=(0, 1)), lambda x: np.roll(x, (1, 3), (0, 1)), 2),
    "broadcast_to": (lambda x: ops.broadcast_to(x, (3, *x.shape)), lambda x: np.broadcast_to(x, (3, *x.shape)), 0),
    "concat": (lambda x: ops.concat([x, x, x], axis=0), lambda x: np.concatenate([x, x, x], 0), 1),
    "concat last": (lambda x: ops.concat([x, x], axis=-1), lambda x: np.concatenate([x, x], -1), 1),
    "concat flat": (lambda x: ops.concat([x, x], axis=None), lambda x: np.concatenate([x, x], None), 0),
    "stack": (lambda x: ops.stack([x, x, x]), lambda x: np.stack([x, x, x]), 0),
    "stack last": (lambda x: ops.stack([x, x], axis=-1), lambda x: np.stack([x, x], -1), 0),
    "split": (lambda x: ops.split(x, [2], axis=-1), lambda x: np.split(x, [2], -1), 1),
    "slice": (lambda x: ops.slice(x, [None], [None], [-2], axes=[-1]), lambda x: x[..., ::-2], 1),
    "slice two": (lambda x: ops.slice(x, [1, -4], [9, -1], [1, 2]), lambda x: x[1:9, -4:-1:2], 2),
    "pad": (lambda x: ops.pad(x, 1), lambda x: np.pad(x, 1), 1),
    "pad before": (lambda x: ops.pad(x, (2, 0)), lambda x: np.pad(x, (2, 0)), 1),
    "tile": (lambda x: ops.tile(x, (2, 3)), lambda x: np.tile(x, (2, 3)), 1),
    "tile none": (lambda x: ops.tile(x, 0), lambda x: np.tile(x, 0), 1),
    "repeat": (lambda x: ops.repeat(x, 3, axis=-1), lambda x: np.repeat(x, 3, -1), 1),
    "repeat flat": (lambda x: ops.repeat(x, 2), lambda x: np.repeat(x, 2), 0),
    "tril": (ops.tril, np.tril, 2),
    "tril above": (lambda x: ops.tril(x, k=2), lambda x: np.tril(x, 2), 2),
    "triu": (ops.triu, np.triu, 2),
    "triu below": (lambda x: ops.triu(x, k=-1), lambda x: np.triu(x, -1), 2),
    "zeros_like": (ops.zeros_like, np.zeros_like, 0),
    "ones_like": (ops.ones_like, np.ones_like, 0),
    "full_like": (lambda x: ops.full_like(x, 1), lambda x: np.full_like(x, 1), 0),
    "empty_like": (ops.empty_like, np.zeros_like, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", GENERAL)
def test_any_shape(name: str) -> None:
    function, reference, rank = GENERAL[name]
    for shape in [s for s in SHAPES if len(s) >= rank]:
        check(function, reference, draw(shape))


@pytest.mark.parametrize("dtype", TYPES)
def test_types(dtype: str) -> None:
    x = draw((5, 6), dtype)
    for name in ("transpose", "flatten", "concat", "slice two", "pad", "roll", "tile", "tril", "ones_like"):
        function, reference, _ = GENERAL[name]
        check(function, reference, x, dtype=dtype)


RESHAPES = [
    ((1,), ()), ((), (1, 1)), ((6,), (2, 3)), ((2, 3), (6,)), ((4, 6, 10), (6, 4, -1)), ((4, 6, 10), (4, 60)),
    ((4, 6, 10), (24, 10)), ((4, 6, 10), (4, 2, 3, 10)), ((3, 1, 5), (3, 5)), ((3, 5), (3, 1, 5)), ((0, 4), (2, 0, 3)),
    ((0, 4), (-1, 2)), ((13, 17), (17, 13)), ((2, 3, 4, 5), (5, 4, 3, 2)), ((128, 96), (96, -1)), ((12,), (2, -1, 2)),
    ((1, 1, 7), (7, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), RESHAPES)
def test_reshape(old: tuple[int, ...], new: tuple[int, ...]) -> None:
    check(lambda x: ops.reshape(x, new), lambda x: x.reshape(new), draw(old))


@pytest.mark.parametrize("n", [1, 5, 64])
def test_reshape_keeps_symbolic_sizes(n: int) -> None:
    size = te.var("n")
    x = te.placeholder((size, 4, 6), "float32", name="x")
    a = draw((n, 4, 6))
    for shape in ((size, 24), (-1, 24), (size, 3, 8), (size, -1)):
        y = ops.reshape(x, shape)
        assert_close(akg.build([y], inputs=[x])(a), a.reshape(n, *[int(s) for s in y.shape[1:]]))  # type: ignore[call-overload]


@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0), (-1, 0, 1)])
def test_permute_dims(axes: tuple[int, ...]) -> None:
    for shape in ((1, 1, 1), (2, 3, 5), (0, 3, 2), (33, 7, 65), (4, 64, 64)):
        check(lambda x: ops.permute_dims(x, axes), lambda x: x.transpose(axes), draw(shape))


@pytest.mark.parametrize(("shape", "target"), [
    ((1,), (5,)), ((3, 1), (3, 4)), ((1, 3), (2, 2, 3)), ((), (2, 3)), ((1, 1), (0, 3)), ((7,), (7,)), ((2, 1, 4), (2,
    5, 4)),
    ((13, 1), (13, 17)), ((1, 65), (64, 65)), ((1, 1, 1), (3, 5, 7)),
])  # fmt: skip
def test_broadcast(shape: tuple[int, ...], target: tuple[int, ...]) -> None:
    check(lambda x: ops.broadcast_to(x, target), lambda x: np.broadcast_to(x, target), draw(shape))
    check(ops.broadcast_arrays, lambda *x: list(np.broadcast_arrays(*x)), draw(shape), draw(target, seed=1))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat_of_different_sizes(axis: int) -> None:
    for sizes in ((1, 2, 3), (5, 0, 4), (0, 0), (7,), (16, 16, 16, 1)):
        arrays = [draw((s, 6, 3) if axis == 0 else (4, s, 3) if axis == 1 else (4, 6, s), seed=s) for s in sizes]
        check(lambda *x: ops.concat(x, axis=axis), lambda *x: np.concatenate(x, axis), *arrays)


def test_concat_promotes() -> None:
    check(
        lambda *x: ops.concat(x),
        lambda *x: np.concatenate(x),
        draw((3,), "int8"),
        draw((4,), "float32"),
        dtype="float32",
    )


@pytest.mark.parametrize(
    ("sections", "axis"), [(1, 0), (2, 0), (3, 1), (6, 1), ([1], 0), ([2, 5], 1), ([0, 3, 3], 1), ([-1], 0)]
)
def test_split(sections: Any, axis: int) -> None:
    check(lambda x: ops.split(x, sections, axis=axis), lambda x: np.split(x, sections, axis), draw((4, 6)))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_unstack(axis: int) -> None:
    check(lambda x: ops.unstack(x, axis=axis), lambda x: list(np.moveaxis(x, axis, 0)), draw((3, 4, 5)))


@pytest.mark.parametrize("cut", [
    slice(0, 5), slice(2, None), slice(None, -3), slice(-4, -1), slice(None, None, 2), slice(None, None, -1), slice(8,
        2, -3),
    slice(3, 3), slice(-100, 100), slice(9, None, -2), slice(1, 10, 3), slice(5, 2),
])  # fmt: skip
def test_slice(cut: slice) -> None:
    for shape in ((11,), (1,), (13,), (10,)):
        x = draw((2, *shape))
        check(lambda x: ops.slice(x, [cut.start], [cut.stop], [cut.step or 1], axes=[1]), lambda x: x[:, cut], x)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
def test_pad(mode: Any) -> None:
    for shape, widths in (
        ((5,), 2), ((4, 6), ((1, 2), (3, 0))), ((4, 6), (1, 2)), ((3, 5, 7), ((0, 0), (2, 2), (0, 4))), ((13, 17), 5),
        ((2, 64), ((0, 0), (1, 1))), ((7, 7), ((6, 6), (1, 5))), ((1, 4), ((0, 0), (1, 2))), ((9,), (0, 0)), ((31, 8),
        (3, 3)),
    ):  # fmt: skip
        options = {"constant_values": 2.5} if mode == "constant" else {}
        check(lambda x: ops.pad(x, widths, mode=mode, constant_value=2.5), lambda x: np.pad(x, widths, mode, **options),
              draw(shape))  # fmt: skip


def test_pad_by_infinity() -> None:
    check(
        lambda x: ops.pad(x, 1, constant_value=-np.inf), lambda x: np.pad(x, 1, constant_values=-np.inf), draw((3, 4))
    )


@pytest.mark.parametrize(("shape", "counts"), [
    ((3,), 2), ((3,), (2, 2)), ((2, 3), (1, 4)), ((2, 3), 3), ((1, 1), (5, 7)), ((13,), 1), ((2, 3, 5), (2, 1, 2)), ((4,
    8), (3, 1)),
    ((31,), 3), ((0, 2), (2, 2)),
])  # fmt: skip
def test_tile(shape: tuple[int, ...], counts: Any) -> None:
    check(lambda x: ops.tile(x, counts), lambda x: np.tile(x, counts), draw(shape))


@pytest.mark.parametrize(("shape", "factor"), [
    ((1, 1, 1, 1), 1), ((1, 4, 3, 5), 2), ((2, 9, 4, 4), 3), ((2, 8, 3, 5), 2), ((0, 4, 2, 2), 2), ((1, 16, 7, 5), 4),
    ((1, 4, 1, 1), 2), ((3, 12, 2, 13), 2), ((1, 18, 5, 3), 3), ((2, 4, 16, 16), 2),
])  # fmt: skip
def test_pixels(shape: tuple[int, ...], factor: int) -> None:
    n, c, h, w = shape
    k = c // factor**2

    def shuffled(x: Array) -> Array:
        parts = x.reshape(n, k, factor, factor, h, w)
        return parts.transpose(0, 1, 4, 2, 5, 3).reshape(n, k, h * factor, w * factor)

    x = draw(shape)
    check(lambda x: ops.pixel_shuffle(x, factor), shuffled, x)
    check(lambda x: ops.pixel_unshuffle(x, factor), lambda _: x, shuffled(x))


# --- creation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bounds", [
    (5,), (0,), (1,), (2, 9), (2, 9, 3), (9, 2, -2), (2, 9, -1), (-7, 8, 5), (13,), (0, 257, 2), (0.0, 1.0, 0.125),
    (1.5, -2.0, -0.5), (3.0,),
])  # fmt: skip
def test_arange(bounds: Any) -> None:
    check(lambda: ops.arange(*bounds), lambda: np.arange(*bounds))


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "float32", "float64", "float16"])
def test_arange_types(dtype: str) -> None:
    check(lambda: ops.arange(3, 40, 2, dtype=dtype), lambda: np.arange(3, 40, 2), dtype=dtype)


@pytest.mark.parametrize(("start", "stop", "num"), [
    (0, 1, 11), (0, 1, 1), (0, 1, 0), (3, -3, 7), (0, 1, 2), (2, 2, 5), (-1.5, 2.5, 17), (0, 100, 101), (1e-3, 1e3, 13),
    (5, 6, 64),
])  # fmt: skip
@pytest.mark.parametrize("endpoint", [False, True])
def test_linspace(start: float, stop: float, num: int, endpoint: bool) -> None:
    for dtype in ("float32", "float64"):
        check(lambda: ops.linspace(start, stop, num, endpoint=endpoint, dtype=dtype),
              lambda: np.linspace(start, stop, num, endpoint=endpoint), dtype=dtype)  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES)
def test_constants(dtype: str) -> None:
    kind = dtype_of(dtype).numpy
    for shape in ((1,), (3, 5), (0, 2), (2, 3, 4), (13, 17)):
        check(lambda: ops.zeros(shape, dtype=dtype), lambda: np.zeros(shape, kind), dtype=dtype)
        check(lambda: ops.ones(shape, dtype=dtype), lambda: np.ones(shape, kind), dtype=dtype)
        check(lambda: ops.full(shape, True, dtype=dtype), lambda: np.full(shape, True, kind), dtype=dtype)


def test_full_takes_the_type_of_its_value() -> None:
    check(lambda: ops.full((2, 3), 7), lambda: np.full((2, 3), 7), dtype="int64")
    check(lambda: ops.full(4, 0.5), lambda: np.full(4, 0.5), dtype="float64")
    check(lambda: ops.full((2,), False), lambda: np.full(2, False), dtype="bool")


@pytest.mark.parametrize(("rows", "columns", "k"), [
    (1, None, 0), (5, None, 0), (3, 7, 0), (7, 3, 1), (4, 4, -2), (4, 4, 9), (0, 3, 0), (13, 17, 3), (64, None, 0), (2,
    5, -1),
])  # fmt: skip
def test_eye(rows: int, columns: int | None, k: int) -> None:
    for dtype in ("float32", "int8", "bool"):
        check(lambda: ops.eye(rows, columns, k=k, dtype=dtype), lambda: np.eye(rows, columns, k), dtype=dtype)


@pytest.mark.parametrize(
    "sizes", [(1,), (3,), (1, 1), (3, 5), (0, 2), (13, 17), (2, 3, 4), (5, 1, 2), (2, 2, 2, 3), (64, 3)]
)
def test_meshgrid(sizes: tuple[int, ...]) -> None:
    arrays = [draw((s,), seed=k) for k, s in enumerate(sizes)]
    for indexing in ("xy", "ij"):
        check(
            lambda *x: ops.meshgrid(*x, indexing=indexing), lambda *x: list(np.meshgrid(*x, indexing=indexing)), *arrays
        )


@pytest.mark.parametrize("shape", [(1,), (5,), (0,), (3, 4), (2, 3, 5), (13,), (64,), (1, 1), (7, 2), (2, 17)])
@pytest.mark.parametrize("axis", [0, -1])
def test_one_hot(shape: tuple[int, ...], axis: int) -> None:
    x = draw(shape, "int64")

    def reference(x: Array) -> Array:
        return np.where(np.expand_dims(x, axis) == np.arange(6).reshape([6 if d == axis % (x.ndim + 1) else 1
                        for d in range(x.ndim + 1)]), 2.0, -1.0)  # fmt: skip

    check(lambda x: ops.one_hot(x, 6, axis=axis, on_value=2, off_value=-1), reference, x)


def test_one_hot_types() -> None:
    for dtype in ("int8", "uint8", "int32"):
        x = np.array([0, 3, 1], dtype)
        check(
            lambda x: ops.one_hot(x, 4, dtype="bool"), lambda x: np.eye(4, dtype=bool)[x.astype(int)], x, dtype="bool"
        )


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8"])
def test_one_hot_of_what_is_no_place(dtype: str) -> None:
    """Negative positions do not count from the end, and those beyond the depth are none: no `on_value` in the row."""
    limits = np.iinfo(dtype)
    x = np.array([limits.min, -1 % 256 if dtype == "uint8" else -1, 4, 5, limits.max, 0, 3], dtype)
    found = evaluate(lambda x: ops.one_hot(x, 4, on_value=2, off_value=1), x)
    want = np.ones((7, 4))
    want[5, 0] = want[6, 3] = 2
    want[0, 0] = 2 if dtype == "uint8" else 1
    np.testing.assert_array_equal(found, want)


# --- resampling -----------------------------------------------------------------------------------------

RESIZES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((1, 1, 1), (1,)), ((2, 3, 7), (13,)), ((1, 2, 9), (4,)), ((1, 1, 1, 1), (3, 5)), ((2, 3, 5, 7), (10, 14)),
    ((1, 2, 8, 8), (3, 5)), ((1, 2, 4, 6), (4, 9)), ((0, 2, 3, 3), (6, 6)), ((1, 2, 3, 4, 5), (6, 2, 7)), ((1, 3, 32,
    31), (64, 65)),
    ((1, 2, 5, 5), (1, 1)),
]  # fmt: skip


def sample_nearest(x: Array, size: tuple[int, ...], align_corners: bool) -> Array:
    for d, new in enumerate(size, 2):
        place = np.arange(new) * x.shape[d] // new
        if align_corners and new > 1:
            place = np.floor(np.arange(new) * (x.shape[d] - 1) / (new - 1) + 0.5).astype(int)
        x = x.take(place, d)
    return x


def sample_linear(x: Array, size: tuple[int, ...], align_corners: bool) -> Array:
    for d, new in enumerate(size, 2):
        old = x.shape[d]
        at = np.maximum((np.arange(new) + 0.5) * old / new - 0.5, 0)
        if align_corners:
            at = np.arange(new) * (old - 1) / max(new - 1, 1)
        first = np.floor(at + 1e-9).astype(int)
        second = np.minimum(first + 1, old - 1)
        weight = (at - first).reshape([-1 if k == d else 1 for k in range(x.ndim)])
        x = x.take(first, d) * (1 - weight) + x.take(second, d) * weight
    return x


@pytest.mark.parametrize(("shape", "size"), RESIZES)
@pytest.mark.parametrize("align_corners", [False, True])
def test_resize(shape: tuple[int, ...], size: tuple[int, ...], align_corners: bool) -> None:
    x = draw(shape)
    check(
        lambda x: ops.resize(x, size, align_corners=align_corners), lambda x: sample_nearest(x, size, align_corners), x
    )
    check(lambda x: ops.resize(x, size, mode="linear", align_corners=align_corners),
          lambda x: sample_linear(x, size, align_corners), x, terms=16)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_resize_types(dtype: str) -> None:
    x = draw((1, 2, 5, 6), dtype)
    check(
        lambda x: ops.resize(x, (9, 7), mode="bilinear"),
        lambda x: sample_linear(x, (9, 7), False),
        x,
        terms=16,
        dtype=dtype,
    )
    check(lambda x: ops.resize(x, 11), lambda x: sample_nearest(x, (11, 11), False), x, dtype=dtype)


def test_movements_of_results_are_not_stored_in_between() -> None:
    def function(x: te.Tensor) -> te.Tensor:
        return ops.reshape(ops.flip(ops.permute_dims(ops.pad(x, ((0, 0), (1, 1))), (1, 0)), axis=0), (2, -1))

    check(function, lambda x: np.flip(np.pad(x, ((0, 0), (1, 1))).T, 0).reshape(2, -1), draw((3, 6)))


# --- errors ---------------------------------------------------------------------------------------------

ERRORS: list[tuple[Callable[..., Any], tuple[tuple[int, ...], ...], str]] = [
    (lambda x: ops.reshape(x, (5, 3)), ((4, 6),),
     "AKG-E286: reshape: cannot reshape (4, 6) to (5, 3)\nbecause: the shapes have 24 and 15 elements\n"
     "hint: the numbers of elements must be equal, and a symbolic size stays one dimension"),
    (lambda x: ops.reshape(x, (5, -1)), ((4, 6),),
     "AKG-E286: reshape: cannot reshape (4, 6) to (5,)\nbecause: 24 elements do not divide into 5\n"
     "hint: the numbers of elements must be equal, and a symbolic size stays one dimension"),
    (lambda x: ops.reshape(x, (0, -1)), ((0, 4),),
     "AKG-E286: reshape: cannot reshape (0, 4) to (0,)\nbecause: 0 elements do not divide into 0\n"
     "hint: the numbers of elements must be equal, and a symbolic size stays one dimension"),
    (lambda x: ops.reshape(x, (-1, -1)), ((4, 6),),
     "AKG-E286: reshape: shape is (-1, -1)\nbecause: -1 stands for the one size that is left\n"
     "hint: give all sizes but one"),
    (lambda x: ops.squeeze(x, axis=0), ((4, 6),),
     "AKG-E286: squeeze: dimension 0 has size 4\n"
     "because: x has shape (4, 6), and only dimensions of size 1 can go\nhint: use akg.ops.reshape"),
    (lambda x: ops.broadcast_to(x, (4, 5)), ((4, 6),),
     "AKG-E286: broadcast_to: cannot broadcast (4, 6) to (4, 5)\n"
     "because: from the right, each size is 1 or the size that is asked for\n"
     "hint: add dimensions with akg.ops.expand_dims"),
    (lambda x: ops.permute_dims(x, (0,)), ((4, 6),),
     "AKG-E273: permute_dims: axes names 1 of 2 dimensions\nbecause: axes=(0,), and x has shape (4, 6)\n"
     "hint: name every dimension once"),
    (lambda x: ops.permute_dims(x, (0, 0)), ((4, 6),),
     "AKG-E273: permute_dims: axes 0 is given twice\nbecause: axes=(0, 0) names dimension 0 more than once\n"
     "hint: give every axis once"),
    (ops.matrix_transpose, ((4,),),
     "AKG-E281: matrix_transpose: x has 1 dimension\nbecause: its shape is (4,), and a matrix has 2\n"
     "hint: give a matrix or a stack of matrices"),
    (lambda x: ops.moveaxis(x, (0, 1), 0), ((4, 6),),
     "AKG-E273: moveaxis: 2 dimensions for 1 places\nbecause: source=(0, 1), destination=0\n"
     "hint: give as many places as dimensions"),
    (lambda x: ops.roll(x, (1, 2), axis=0), ((4, 6),),
     "AKG-E287: roll: 2 shifts for 1 axes\nbecause: shift=(1, 2), axis=0\nhint: give one shift, or one for each axis"),
    (lambda x: ops.roll(x, 1.5, axis=0), ((4, 6),),
     "AKG-E287: roll: shift is 1.5\nhint: give an integer, as in shift=1"),
    (lambda x, y: ops.concat([x, y]), ((4, 6), (4, 5)),
     "AKG-E286: concat: shapes (4, 6) and (4, 5) do not join\n"
     "because: dimension 1 differs, and the arrays join along 0\n"
     "hint: sizes must be equal, except along the axis"),
    (lambda x, y: ops.concat([x, y]), ((4, 6), (4,)),
     "AKG-E281: concat: array 1 has 1 dimension\nbecause: array 0 has 2\nhint: give arrays of one rank"),
    (lambda x: ops.concat([]), ((4,),),
    "AKG-E287: concat: no arrays\nbecause: the list is empty\nhint: give at least one"),
    (lambda x, y: ops.stack([x, y]), ((4, 6), (4, 5)),
     "AKG-E286: stack: shapes (4, 6) and (4, 5) do not join\nbecause: dimension 1 differs\nhint: sizes must be equal"),
    (lambda x: ops.split(x, 4, axis=1), ((4, 6),),
     "AKG-E286: split: 6 does not divide into 4 parts\nbecause: dimension 1 of x has size 6\n"
     "hint: list the places to cut at: sections=[2, 5]"),
    (lambda x: ops.split(x, 0), ((4, 6),), "AKG-E287: split: sections is 0\nhint: give sections of at least 1"),
    (lambda x: ops.slice(x, [0], [1], [0]), ((4, 6),),
     "AKG-E287: slice: steps has a 0\nbecause: steps=(0,)\nhint: give steps that are not 0"),
    (lambda x: ops.slice(x, [0, 1], [1]), ((4, 6),),
     "AKG-E287: slice: 2 starts, 1 stops, 2 steps and 2 axes\nhint: give one of each for every dimension that is cut"),
    (lambda x: ops.pad(x, -1), ((4, 6),),
     "AKG-E284: pad: pad_width is -1\nbecause: x has 2 dimensions\n"
     "hint: widths are not negative: cut with akg.ops.slice"),
    (lambda x: ops.pad(x, ((1, 1), (1, 1), (1, 1))), ((4, 6),),
     "AKG-E284: pad: pad_width is ((1, 1), (1, 1), (1, 1))\nbecause: x has 2 dimensions\n"
     "hint: give one integer, one (before, after) pair, or one pair for each dimension"),
    (lambda x: ops.pad(x, 4, mode="reflect"), ((4, 6),),
     "AKG-E284: pad: cannot pad dimension 0 by 4\n"
     "because: it has size 4, and mode 'reflect' gives 3 elements at most\nhint: pad by less, or by a constant"),
    (lambda x: ops.pad(x, 1, mode="mirror"), ((4, 6),),
     "AKG-E275: pad: mode is 'mirror'\nbecause: mode is one of 'constant', 'edge', 'reflect', 'symmetric', 'wrap'\n"
     "hint: known names: constant, edge, reflect, symmetric, wrap"),
    (lambda x: ops.tile(x, -1), ((4, 6),), "AKG-E287: tile: repetitions is -1\nhint: give repetitions of at least 0"),
    (lambda x: ops.repeat(x, -1), ((4, 6),), "AKG-E287: repeat: repeats is -1\nhint: give repeats of at least 0"),
    (ops.tril, ((4,),),
     "AKG-E281: tril: x has 1 dimension\nbecause: its shape is (4,), and a matrix has 2\n"
     "hint: give a matrix or a stack of matrices"),
    (lambda x: ops.pixel_shuffle(x, 2), ((1, 6, 4, 4),),
     "AKG-E283: pixel_shuffle: 6 channels do not divide into squares of 2 by 2\nbecause: x has shape (1, 6, 4, 4)\n"
     "hint: give a multiple of 4 channels"),
    (lambda x: ops.pixel_unshuffle(x, 2), ((1, 6, 5, 4),),
     "AKG-E286: pixel_unshuffle: 5 does not divide by 2\nbecause: dimension 2 of x has size 5\n"
     "hint: give a multiple of 2"),
    (lambda x: ops.pixel_shuffle(x, 2), ((6, 4, 4),),
     "AKG-E281: pixel_shuffle: x has 3 dimensions\nbecause: its shape is (6, 4, 4)\n"
     "hint: give x of shape (n, c, h, w)"),
    (lambda: ops.arange(1, 5, 0), (),
     "AKG-E287: arange: step is 0\nbecause: the range would have no end\nhint: give a step that is not 0"),
    (lambda: ops.linspace(0, 1, -1), (), "AKG-E287: linspace: num is -1\nhint: give num of at least 0"),
    (lambda: ops.linspace(0, float("inf"), 3), (),
     "AKG-E287: linspace: stop is inf\nbecause: ranges have finite bounds\nhint: give a number"),
    (lambda x: ops.meshgrid(x), ((4, 6),),
     "AKG-E281: meshgrid: array 0 has 2 dimensions\nbecause: its shape is (4, 6)\nhint: give vectors"),
    (lambda x: ops.meshgrid(x, indexing="ji"), ((4,),),
     "AKG-E287: meshgrid: indexing is 'ji'\nhint: give 'xy' or 'ij'"),
    (lambda x: ops.one_hot(x, 3), ((4,),),
     "AKG-E274: one_hot: indices is float32\nbecause: it must be an integer\nhint: indices are integers"),
    (lambda x: ops.resize(x, 3), ((4, 6),),
     "AKG-E281: resize: x has shape (4, 6)\n"
     "because: it should be (n, c, ...) with one to three spatial dimensions of a fixed size that is not 0\n"
     "hint: give the spatial sizes as integers"),
    (lambda x: ops.resize(x, 0), ((1, 1, 4, 6),),
     "AKG-E285: resize: size is 0\nbecause: size=0\nhint: give size of at least 1"),
    (lambda x: ops.resize(x, 3, mode="cubic"), ((1, 1, 4, 6),),
     "AKG-E275: resize: mode is 'cubic'\nbecause: mode is one of 'nearest', 'linear', 'bilinear', 'trilinear'\n"
     "hint: known names: bilinear, linear, nearest, trilinear"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "shapes", "text"), ERRORS)
def test_errors(function: Any, shapes: Any, text: str) -> None:
    assert error_of(function, *shapes) == text


@pytest.mark.parametrize(("function", "text"), [
    (lambda x: ops.reshape(x, -1),
     "AKG-E286: reshape: cannot reshape (n, m, 4) to ()\nbecause: -1 would stand for the product of symbolic sizes\n"
     "hint: the numbers of elements must be equal, and a symbolic size stays one dimension"),
    (lambda x: ops.reshape(x, (te.var("k"), 4)),
     "AKG-E286: reshape: cannot reshape (n, m, 4) to (k, 4)\nbecause: two symbolic sizes would become one dimension\n"
     "hint: the numbers of elements must be equal, and a symbolic size stays one dimension"),
    (lambda x: ops.roll(x, 1, axis=0),
     "AKG-E286: roll: dimension 0 of x is symbolic\n"
     "because: x has shape (n, m, 4), and elements turn round at its end\nhint: give the size as an integer"),
])  # fmt: skip
def test_errors_of_symbolic_sizes(function: Any, text: str) -> None:
    assert error_of(function, (te.var("n"), te.var("m"), 4)) == text


def test_rolling_is_symmetric() -> None:
    x = draw((9,))
    assert (evaluate(lambda x: ops.roll(ops.roll(x, 4, axis=0), -4, axis=0), x) == x).all()
