"""Reductions that occur twice are computed once."""

from akg import te
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
