"""What occurs twice is computed once."""

import numpy as np

import akg
from akg import ops, te
from akg.ir.lower import lower_te
from akg.ir.stmt import Store, walk
from akg.ir.te.tensor import Tensor


def stores(*outputs: Tensor) -> list[str]:
    """The names of the statements of a kernel that reduce."""
    return [s.name for s in walk(lower_te(outputs).body) if isinstance(s, Store) and s.reduction is not None]


def row_sum(x: Tensor, name: str) -> Tensor:
    k = te.reduce_axis(x.shape[1], name=name)
    return te.compute(x.shape[0], lambda i: te.sum(te.exp(x[i, k]), axis=k) * 2.0, name=name)


def test_twins_are_merged() -> None:
    x = te.placeholder((4, 5), name="x")
    a, b = row_sum(x, "a"), row_sum(x, "b")
    assert stores(te.compute(4, lambda i: a[i] * b[i], name="c")) == ["a_sum"]


def test_what_differs_stays() -> None:
    x = te.placeholder((4, 4), name="x")
    k, j = te.reduce_axis(4), te.reduce_axis(4)
    rows = te.compute(4, lambda i: te.sum(x[i, k], axis=k), name="rows")
    columns = te.compute(4, lambda i: te.sum(x[k, i], axis=k), name="columns")
    all_of_it = te.compute((), lambda: te.sum(x[k, j], axis=(k, j)), name="all")
    total = te.compute(4, lambda i: rows[i] + columns[i] + all_of_it[()])
    assert len(stores(total)) == 3


def test_outputs_stay() -> None:
    x = te.placeholder((4, 5), name="x")
    k = te.reduce_axis(5)
    a = te.compute(4, lambda i: te.sum(x[i, k], axis=k), name="a")
    b = te.compute(4, lambda i: te.sum(x[i, k], axis=k), name="b")
    assert stores(a, b) == ["a", "b"]


def test_paddings_are_merged() -> None:
    x = te.placeholder((10,), name="x")

    def padded(name: str) -> Tensor:
        edge = te.compute(12, lambda i: te.if_then_else((i >= 1) & (i < 11), x[i - 1] * 2.0, 0.0), name=name)
        k = te.reduce_axis(3, name=f"k_{name}")
        return te.compute(10, lambda i: te.sum(edge[i + k] * float(len(name)), axis=k), name=f"sum_{name}")

    found = [s.name for s in walk(lower_te((padded("a"), padded("bb"))).body) if isinstance(s, Store)]
    assert [n for n in found if n in ("a", "bb")] == ["a"]


def test_scattered_sums_keep_their_places() -> None:
    x = te.placeholder((6,), name="x")
    i = te.placeholder((6,), "int32", name="i")
    j = te.placeholder((6,), "int32", name="j")
    zero = te.placeholder((4,), name="zero")
    a, b = ops.scatter_add(zero, i, x, axis=0), ops.scatter_add(zero, j, x, axis=0)
    kernel = akg.build([te.compute(4, lambda k: a[k] - b[k], name="c")], inputs=[zero, x, i, j])
    rows = np.array([0, 1, 2, 3, 0, 1], np.int32)
    got = kernel(np.zeros(4, "f"), np.arange(6, dtype="f"), rows, rows[::-1].copy())
    assert np.array_equal(got, np.bincount(rows, np.arange(6.0)) - np.bincount(rows[::-1], np.arange(6.0)))
