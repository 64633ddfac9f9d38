"""Take, gather and scatter against NumPy, whatever the indices are; and their errors."""

import functools
from typing import Any

import numpy as np
import pytest

import akg
from akg import ops
from tests.helpers import Array, assert_close
from tests.ops.evaluation import check, draw, error_of, evaluate, placeholders, wide


def places(indices: Array, size: int, mode: str = "clip") -> Array:
    """Indices as the operators read them."""
    found = indices.astype(np.int64)
    return found % size if mode == "wrap" else np.clip(np.where(found < 0, found + size, found), 0, size - 1)


TAKES = [
    ((1,), (1,), 0), ((7,), (5,), 0), ((4, 6), (3,), 0), ((4, 6), (3,), 1), ((4, 6), (2, 3), -1), ((3, 5, 7), (4,), 1),
    ((13, 17), (0,), 0), ((5, 0), (3,), 0), ((64, 33), (65,), 0), ((2, 3, 4), (), 1), ((97,), (2, 2, 2), 0),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "count", "axis"), TAKES)
@pytest.mark.parametrize("mode", ["clip", "wrap"])
def test_take(shape: tuple[int, ...], count: tuple[int, ...], axis: int, mode: str) -> None:
    indices = draw(count, "int64") * 3
    check(lambda x, i: ops.take(x, i, axis=axis, mode=mode), lambda x, i: x.take(places(i, shape[axis], mode), axis),
          draw(shape), indices)  # fmt: skip


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int8", "bool"])
def test_types(kind: str, dtype: str) -> None:
    x, i = draw((11, 5), dtype), draw((6,), kind)
    check(lambda x, i: ops.gather(x, i, mode="clip"), lambda x, i: x[places(i, 11)], x, i, dtype=dtype)


def test_take_without_an_axis() -> None:
    x, i = draw((4, 6)), draw((5,), "int64") * 4
    check(lambda x, i: ops.take(x, i, mode="clip"), lambda x, i: x.reshape(-1)[places(i, 24)], x, i)


def test_indices_far_out_of_range_are_harmless() -> None:
    i = np.array([2**62, -(2**62), 2**31, -(2**31), 0])
    x = draw((7, 3))
    assert (evaluate(functools.partial(ops.gather, mode="clip"), x, i) == x[[6, 0, 6, 0, 0]]).all()
    assert (evaluate(lambda x, i: ops.take(x, i, axis=0, mode="wrap"), x, i) == x[i % 7]).all()
    added = evaluate(functools.partial(ops.scatter_add, mode="drop"), x, i, np.ones((5, 3), np.float32))
    assert (added[1:] == x[1:]).all()


def test_lookup_of_rows_by_words() -> None:
    table, words = draw((50, 32)), np.random.default_rng(0).integers(0, 50, (4, 9))
    check(lambda t, w: ops.gather(t, w), lambda t, w: t[w], table, words)


@pytest.mark.parametrize(("shape", "index_shape", "axis"), [
    ((1,), (1,), 0), ((7,), (4,), 0), ((4, 6), (4, 3), 1), ((4, 6), (2, 6), 0), ((4, 1), (4, 3), 1), ((4, 6), (1, 3),
    -1),
    ((3, 5, 7), (3, 2, 7), 1), ((0, 5), (0, 2), 1), ((13, 17), (13, 17), 1), ((2, 64), (2, 65), -1), ((1, 5), (4, 3),
    1),
])  # fmt: skip
def test_take_along_axis(shape: tuple[int, ...], index_shape: tuple[int, ...], axis: int) -> None:
    check(lambda x, i: ops.take_along_axis(x, i, axis=axis, mode="clip"),
          lambda x, i: np.take_along_axis(x, places(i, shape[axis]), axis), draw(shape), draw(index_shape,
              "int64"))  # fmt: skip


@pytest.mark.parametrize(("shape", "index_shape"), [
    ((5,), (3, 1)), ((4, 6), (3, 2)), ((4, 6), (3, 1)), ((4, 6), (2, 3, 2)), ((3, 5, 7), (4, 2)), ((3, 5, 7), (2,)),
    ((3, 5), (4, 0)),
    ((13, 17), (0, 2)), ((1, 1), (5, 2)), ((8, 64), (9, 1)), ((2, 3, 4, 5), (6, 3)),
])  # fmt: skip
def test_gather_nd(shape: tuple[int, ...], index_shape: tuple[int, ...]) -> None:
    def reference(x: Array, i: Array) -> Array:
        return x[tuple([places(i[..., d], x.shape[d]) for d in range(i.shape[-1])])] if i.shape[-1] else (
            np.broadcast_to(x, (*i.shape[:-1], *x.shape)))  # fmt: skip

    check(functools.partial(ops.gather_nd, mode="clip"), reference, draw(shape), draw(index_shape, "int64"))


@pytest.mark.parametrize(
    ("shape", "index_shape"), [((3, 5), (3, 4, 1)), ((2, 5, 6), (2, 3, 2)), ((2, 5, 6), (2, 3, 1)), ((4, 2), (4, 1))]
)
def test_gather_nd_of_batches(shape: tuple[int, ...], index_shape: tuple[int, ...]) -> None:
    def reference(x: Array, i: Array) -> Array:
        return np.stack(
            [a[tuple([places(b[..., d], a.shape[d]) for d in range(b.shape[-1])])] for a, b in zip(x, i, strict=True)]
        )

    x, i = draw(shape), draw(index_shape, "int64")
    check(lambda x, i: ops.gather_nd(x, i, batch_dims=1, mode="clip"), reference, x, i)


def added(x: Array, places_: tuple[Array, ...], updates: Array) -> Array:
    """Updates added where all indices are in range."""
    out = x.copy()
    for at in np.ndindex(places_[0].shape):
        place = tuple(int(p[at]) + (s if p[at] < 0 else 0) for p, s in zip(places_, x.shape, strict=False))
        if all(0 <= k < s for k, s in zip(place, x.shape, strict=False)):
            out[place] += updates[at]
    return out


@pytest.mark.parametrize(("shape", "count", "axis"), [
    ((1,), 1, 0), ((7,), 20, 0), ((4, 6), 3, 0), ((4, 6), 5, 1), ((3, 5, 7), 4, 1), ((13, 17), 0, 0), ((5, 0), 3, 0),
    ((64, 33), 10, 0),
    ((2, 3, 4), 9, -1), ((97,), 2, 0),
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_scatter_add(shape: tuple[int, ...], count: int, axis: int, dtype: str) -> None:
    def reference(x: Array, i: Array, u: Array) -> Array:
        return np.moveaxis(added(np.moveaxis(x, axis, 0), (i,), np.moveaxis(u, axis, 0)), 0, axis)

    updates = list(shape)
    updates[axis] = count
    x, i, u = draw(shape, dtype), draw((count,), "int64"), draw(tuple(updates), dtype, 1)
    check(lambda x, i, u: ops.scatter_add(x, i, u, axis=axis, mode="drop"), reference, x, i, u, terms=count)


@pytest.mark.parametrize(("shape", "index_shape"), [
    ((5,), (3, 1)), ((4, 6), (9, 2)), ((4, 6), (3, 1)), ((4, 6), (2, 3, 2)), ((3, 5, 7), (4, 2)), ((3, 5, 7), (2,)),
    ((13, 17), (0, 2)),
    ((1, 1), (5, 2)), ((8, 64), (9, 1)), ((2, 3, 4, 5), (6, 3)),
])  # fmt: skip
def test_scatter_nd_add(shape: tuple[int, ...], index_shape: tuple[int, ...]) -> None:
    updates = (*index_shape[:-1], *shape[index_shape[-1] :])
    x, i, u = draw(shape), draw(index_shape, "int64") // 2, draw(updates, seed=1)
    reference = lambda x, i, u: added(x, tuple(np.moveaxis(i, -1, 0)), u)  # noqa: E731
    check(functools.partial(ops.scatter_nd_add, mode="drop"), reference, x, i, u, terms=20)


COMBINE = {"last": lambda _, b: b, "sum": np.add, "prod": np.multiply, "min": np.minimum, "max": np.maximum}


def combined(x: Array, places: Any, u: Array, op: str) -> Array:
    """Update by update, in order; those outside are left out."""
    out = x.copy()
    for at in np.ndindex(*u.shape):
        place = places(at)
        if all(-n <= p < n for p, n in zip(place, x.shape, strict=True)):
            out[place] = COMBINE[op](out[place], u[at])
    return out


@pytest.mark.parametrize("op", COMBINE)
@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize(("shape", "indices", "axis"), [
    ((7,), (20,), 0), ((4, 6), (4, 9), 1), ((4, 6), (3, 2), 0), ((3, 5, 7), (2, 9, 4), 1), ((5, 0), (3, 0), 0),
    ((64, 33), (64, 40), -1), ((13, 17), (13, 0), 1),
])  # fmt: skip
def test_put_along_axis(op: str, dtype: str, shape: Any, indices: Any, axis: int) -> None:
    def reference(x: Array, i: Array, u: Array) -> Array:
        along = axis % x.ndim
        return combined(x, lambda at: (*at[:along], int(i[at]), *at[along + 1 :]), u, op)

    x, i, u = draw(shape, dtype), draw(indices, "int64"), draw(indices, dtype, 1)
    check(functools.partial(ops.put_along_axis, axis=axis, combine=op, mode="drop"), reference, x, i, u, terms=40)


@pytest.mark.parametrize("op", COMBINE)
@pytest.mark.parametrize(("shape", "index_shape"), [
    ((5,), (9, 1)), ((4, 6), (9, 2)), ((4, 6), (3, 1)), ((3, 5, 7), (2, 4, 2)), ((13, 17), (0, 2)), ((8, 64), (9, 1)),
])  # fmt: skip
def test_scatter_nd(op: str, shape: Any, index_shape: Any) -> None:
    updates, depth = (*index_shape[:-1], *shape[index_shape[-1] :]), len(index_shape) - 1

    def reference(x: Array, i: Array, u: Array) -> Array:
        return combined(x, lambda at: (*[int(k) for k in i[at[:depth]]], *at[depth:]), u, op)

    x, i, u = draw(shape), draw(index_shape, "int64"), draw(updates, seed=1)
    check(functools.partial(ops.scatter_nd, combine=op, mode="drop"), reference, x, i, u, terms=20)


RAISING: dict[str, tuple[Any, tuple[int, ...], tuple[int, ...], tuple[int, ...] | None]] = {
    "take": (lambda x, i, m: ops.take(x, i, axis=1, mode=m), (3, 7), (5,), None),
    "take of all": (lambda x, i, m: ops.take(x, i, mode=m), (7,), (5,), None),
    "gather": (lambda x, i, m: ops.gather(x, i, mode=m), (7, 40), (5,), None),
    "take_along_axis": (lambda x, i, m: ops.take_along_axis(x, i, mode=m), (3, 7), (3, 5), None),
    "gather_nd": (lambda x, i, m: ops.gather_nd(x, i, mode=m), (7, 7), (5, 2), None),
    "scatter_add": (lambda x, i, u, m: ops.scatter_add(x, i, u, mode=m), (7, 40), (5,), (5, 40)),
    "scatter_nd_add": (lambda x, i, u, m: ops.scatter_nd_add(x, i, u, mode=m), (7, 7), (5, 2), (5,)),
}


@pytest.mark.parametrize("name", RAISING)
@pytest.mark.parametrize("kind", ["int64", "int32", "int8", "uint8"])
def test_indices_out_of_range_raise(name: str, kind: str) -> None:
    """By default; from minus the size on they count from the end."""
    function, shape, count, updates = RAISING[name]
    x, i, *u = [draw(shape), draw(count, kind) % 7, *([draw(updates, seed=1)] if updates else [])]
    inputs = placeholders(x, i, *u)
    kernel = akg.build([function(*inputs, "raise")], inputs=inputs)
    clipped = akg.build([function(*inputs, "clip")], inputs=inputs)
    assert np.array_equal(kernel(x, i, *u), clipped(x, i, *u))
    if kind != "uint8":
        i.flat[-1] = -7
        assert np.array_equal(kernel(x, i, *u), clipped(x, i, *u))
    limits = np.iinfo(kind)
    for bad in {7, 100, int(limits.max), *([-8, int(limits.min)] if limits.min else [])}:
        for at in (0, i.size - 1):
            wrong = i.copy()
            wrong.flat[at] = bad
            with pytest.raises(akg.AkgError, match="AKG-E518: a subscript is out of range") as caught:
                kernel(x, wrong, *u)
            assert " x1 lies outside 0..6" in str(caught.value)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int8", "uint8"])
def test_scatters_of_types(dtype: str) -> None:
    x, u, i = draw((7, 19), dtype), draw((30, 19), dtype, 1), draw((30,), "int32")
    want = added(wide(x), (i,), wide(u))
    if np.dtype(x.dtype).kind in "iu":
        want = want.astype(x.dtype)
    found = evaluate(lambda x, i, u: ops.scatter_add(x, i, u, mode="drop"), x, i, u)
    assert_close(found, want, terms=30)


def test_half_precision_adds_in_single() -> None:
    x, i = np.zeros((2, 3), np.float16), np.zeros(4096, np.int64)
    u = np.full((4096, 3), 0.25, np.float16)
    assert (evaluate(ops.scatter_add, x, i, u)[0] == 1024).all()


def test_explanations_name_accesses_that_depend_on_data() -> None:
    x, i = placeholders(draw((7, 3)), draw((4,), "int64"))
    text = akg.build([ops.take(x, i, axis=0)], inputs=[x, i]).explain()
    assert "not proved to stay inside its shape, as it depends on data" in text


@pytest.mark.parametrize(("function", "shapes", "text"), [
    (lambda x, i: ops.take(x, i, axis=2), ((4, 6), (3,)),
     "AKG-E273: take: axis 2 is out of range\nbecause: the tensor has 2 dimensions\nhint: give axis from -2 to 1"),
    (lambda x, i: ops.take(x, i, axis=0, mode="rais"), ((4, 6), (3,)),
     "AKG-E275: take: mode is 'rais'\nbecause: mode is one of 'raise', 'clip', 'wrap'\n"
     "hint: did you mean 'raise'?"),
    (ops.gather, ((0, 6), (3,)),
     "AKG-E287: gather: dimension 0 of x is empty\nbecause: x has shape (0, 6), and the indices have shape (3,)\n"
     "hint: there is no element to take"),
    (ops.take_along_axis, ((4, 6), (3,)),
     "AKG-E281: take_along_axis: indices has 1 dimension\nbecause: x has shape (4, 6), and indices (3,)\n"
     "hint: give indices of 2 dimensions, or use akg.ops.take"),
    (ops.take_along_axis, ((4, 6), (3, 2)),
     "AKG-E286: take_along_axis: shapes (4, 6) and (3, 2) do not fit\n"
     "because: dimension 0 differs, and the indices run along 1\n"
     "hint: sizes must be equal, or 1, except along the axis"),
    (ops.gather_nd, ((4, 6), (3, 3)),
     "AKG-E281: gather_nd: indices of shape (3, 3) do not index x\nbecause: x has shape (4, 6), and indices (3, 3)\n"
     "hint: the last dimension of indices holds one index for each of the dimensions of x that are indexed"),
    (lambda x, i: ops.gather_nd(x, i, batch_dims=1), ((4, 6), (3, 1)),
     "AKG-E286: gather_nd: shapes (4, 6) and (3, 1) do not fit\nbecause: dimension 0 is one of 1 in common\n"
     "hint: sizes in common must be equal"),
    (lambda x, i: ops.scatter_add(x, i, x), ((4, 6), (3,)),
     "AKG-E286: scatter_add: updates has shape (4, 6)\nbecause: x and the indices ask for (3, 6)\n"
     "hint: give one update for each element that is indexed"),
    (lambda x, i: ops.scatter_add(x, i, x), ((4, 6), (3, 1)),
     "AKG-E281: scatter_add: indices has 2 dimensions\nbecause: its shape is (3, 1)\n"
     "hint: give a vector of indices, or use akg.ops.scatter_nd_add"),
    (lambda x, i: ops.scatter_nd(x, i, x, combine="add"), ((4, 6), (4, 1)),
     "AKG-E275: scatter_nd: combine is 'add'\nbecause: combine is one of 'last', 'sum', 'prod', 'min', 'max'\n"
     "hint: known names: last, max, min, prod, sum"),
    (lambda x, i: ops.put_along_axis(x, i, i), ((4, 6), (3,)),
     "AKG-E281: put_along_axis: indices has 1 dimensions\nbecause: x has shape (4, 6)\n"
     "hint: give indices with as many dimensions, or use akg.ops.scatter_nd"),
    (lambda x, i: ops.put_along_axis(x, i, i), ((4, 6), (5, 6)),
     "AKG-E286: put_along_axis: indices of shape (5, 6) leave x\n"
     "because: x has shape (4, 6), and dimension 0 is not the one that is indexed\n"
     "hint: sizes must not exceed those of x, and symbolic sizes must be the same"),
    (lambda x, i: ops.scatter_nd_add(x, i, x), ((4, 6), (3, 1)),
     "AKG-E286: scatter_nd_add: updates has shape (4, 6)\nbecause: x and the indices ask for (3, 6)\n"
     "hint: give one update for each element that is indexed"),
])  # fmt: skip
def test_errors(function: Any, shapes: Any, text: str) -> None:
    assert error_of(function, *shapes, dtype="int32") == text


def test_indices_are_integers() -> None:
    assert error_of(ops.gather, (4, 6), (3,)) == (
        "AKG-E274: gather: indices is float32\nbecause: it must be an integer\nhint: indices are integers"
    )
