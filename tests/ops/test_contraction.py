"""Contractions against NumPy in float64, and their errors."""

from typing import Any

import numpy as np
import pytest

from akg import ops
from tests.ops.evaluation import check, draw, error_of, evaluate

MATMULS = [
    ((1, 1), (1, 1)), ((3, 5), (5, 7)), ((13, 17), (17, 11)), ((0, 4), (4, 3)), ((4, 0), (0, 3)), ((64, 96), (96, 80)),
    ((5,), (5,)), ((5,), (5, 3)), ((7, 5), (5,)), ((2, 3, 5), (5, 4)), ((3, 5), (2, 5, 4)), ((2, 1, 3, 5), (4, 5, 6)),
    ((5,), (2, 5, 3)), ((2, 7, 5), (5,)), ((1, 3, 129), (2, 129, 1)), ((127, 131), (131, 67)),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), MATMULS)
def test_matmul(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    check(ops.matmul, np.matmul, draw(left), draw(right, seed=1), terms=left[-1])


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8"])
def test_matmul_types(dtype: str) -> None:
    a, b = draw((9, 33), dtype), draw((33, 17), dtype, 1)
    check(ops.matmul, np.matmul, a, b, terms=33, dtype=dtype)


@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (5, 3, 7), (32, 33, 31), (4, 16, 64), (65, 2, 9)])
def test_matmul_reads_transposed_operands_in_place(m: int, k: int, n: int) -> None:
    a, b = draw((2, k, m)), draw((n, k), seed=1)
    check(lambda x, y: ops.matmul(x, y, transpose_a=True, transpose_b=True),
          lambda x, y: x.swapaxes(1, 2) @ y.T, a, b, terms=k)  # fmt: skip
    check(lambda x, y: ops.matmul(x, y, transpose_a=True), lambda x, y: x.swapaxes(1, 2) @ y, a, draw((k, n)), terms=k)


def test_narrow_operands_with_a_wide_result() -> None:
    a, b = draw((11, 300), "int8"), draw((300, 13), "int8", 1)
    a[:], b[:] = 127, -128
    check(lambda x, y: ops.matmul(x, y, out_dtype="int32"),
          lambda x, y: x.astype(np.int32) @ y.astype(np.int32), a, b, dtype="int32")  # fmt: skip
    a, b = draw((7, 500), "float16"), draw((500, 9), "float16", 1)
    check(lambda x, y: ops.matmul(x, y, out_dtype="float32"), np.matmul, a, b, terms=500, dtype="float32")
    check(ops.matmul, np.matmul, draw((3, 4), "float16"), draw((4, 5)), terms=4, dtype="float32")


def test_sums_of_half_precision_do_not_overflow_on_the_way() -> None:
    a = np.full((2, 64), 100.0, np.float16)
    b = np.concatenate([np.full((32, 3), 100.0), np.full((32, 3), -100.0)]).astype(np.float16)
    assert (evaluate(ops.matmul, a, b) == 0).all()


def test_nan_and_infinity_propagate() -> None:
    a, b = draw((3, 4)), draw((4, 5))
    a[0, 1], a[1, 2], b[0, 0] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        check(ops.matmul, np.matmul, a, b, terms=4)


EINSUMS: list[tuple[str, tuple[tuple[int, ...], ...]]] = [
    ("ij,jk->ik", ((3, 5), (5, 4))), ("ij,jk", ((3, 5), (5, 4))), ("ij->ji", ((3, 5),)), ("ij->", ((7, 5),)),
    ("ii->i", ((6, 6),)), ("ii", ((6, 6),)), ("ij,ij->", ((3, 5), (3, 5))), ("i,j->ij", ((3,), (5,))),
    ("bij,bjk->bik", ((2, 3, 5), (2, 5, 4))), ("...ij,...jk->...ik", ((2, 3, 4, 5), (3, 5, 6))),
    ("...i,...i", ((4, 1, 7), (3, 7))), ("bhqd,bhkd->bhqk", ((2, 3, 5, 8), (2, 3, 7, 8))),
    ("ij,kl->j", ((3, 5), (2, 4))), ("iij->j", ((4, 4, 3),)), ("iji,jk->k", ((4, 3, 4), (3, 5))),
    ("ij,jk,kl->il", ((3, 5), (5, 4), (4, 6))), ("a,ab,abc->abc", ((2,), (2, 3), (2, 3, 4))),
    ("i...->...", ((3, 4, 5),)), ("ijk,k->ij", ((1, 13, 17), (17,))), ("ij,jk->ik", ((3, 0), (0, 4))),
    ("ab,bc,cd,de->ae", ((3, 11), (11, 2), (2, 7), (7, 5))), ("A b, b -> A", ((3, 4), (4,))),
]  # fmt: skip


@pytest.mark.parametrize(("subscripts", "shapes"), EINSUMS)
def test_einsum(subscripts: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    arrays = [draw(shape, seed=k) for k, shape in enumerate(shapes)]
    terms = int(np.prod([max(s, 1) for shape in shapes for s in shape]))
    check(lambda *x: ops.einsum(subscripts, *x), lambda *x: np.einsum(subscripts.replace(" ", ""), *x), *arrays,
          terms=terms)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int32"])
def test_einsum_of_three_rounds_once(dtype: str) -> None:
    arrays = [draw((5, 40), dtype), draw((40, 6), dtype, 1), draw((6, 3), dtype, 2)]
    check(lambda *x: ops.einsum("ij,jk,kl->il", *x), lambda *x: np.einsum("ij,jk,kl->il", *x), *arrays,
          terms=240, dtype=dtype)  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 16, 31, 64, 97])
@pytest.mark.parametrize("upper", [False, True])
def test_triangular_matmul(size: int, upper: bool) -> None:
    half = np.triu if upper else np.tril
    a, b = draw((size, size)), draw((size, 7), seed=1)
    hidden = half(np.ones_like(a)) == 0
    a[hidden] = np.nan
    check(lambda x, y: ops.triangular_matmul(x, y, upper=upper),
          lambda x, y: np.where(hidden, 0, x) @ y, a, b, terms=size)  # fmt: skip


def test_triangular_matmul_of_stacks() -> None:
    check(ops.triangular_matmul, lambda a, b: np.tril(a) @ b, draw((3, 1, 5, 5)), draw((2, 5, 4)), terms=5)
    check(
        ops.triangular_matmul, lambda a, b: np.tril(a) @ b, draw((6, 6), "float16"), draw((2, 6, 4), "float16"), terms=6
    )


@pytest.mark.parametrize(("left", "right"), [
    ((1,), (1,)), ((3,), (5,)), ((13,), (1,)), ((0,), (4,)), ((4,), (0,)), ((64,), (64,)), ((127,), (3,)), ((2,), (97,
    )),
    ((17,), (19,)), ((256,), (130,)),
])  # fmt: skip
def test_outer(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    check(ops.outer, np.outer, draw(left), draw(right, seed=1))


TENSORDOTS: list[tuple[tuple[int, ...], tuple[int, ...], Any]] = [
    ((3, 5), (5, 4), 1), ((3, 5), (3, 5), 2), ((3,), (4,), 0), ((2, 3, 4), (3, 4, 5), 2), ((2, 3, 4), (4, 3, 5), ([2,
    1], [0, 1])),
    ((2, 3, 4), (5, 3), ([1], [1])), ((1, 7), (7, 1), 1), ((0, 3), (3, 2), 1), ((3, 0), (0, 2), 1), ((13, 17), (17, 11),
    1),
    ((3, 4, 5), (4, 3, 2), ([0, 1], [1, 0])), ((2, 3), (4, 5), 0),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "axes"), TENSORDOTS)
def test_tensordot(left: tuple[int, ...], right: tuple[int, ...], axes: Any) -> None:
    check(lambda x, y: ops.tensordot(x, y, axes=axes), lambda x, y: np.tensordot(x, y, axes), draw(left),
          draw(right, seed=1), terms=100)  # fmt: skip


@pytest.mark.parametrize(("left", "right"), [
    ((1,), (1,)), ((5,), (5,)), ((3, 5), (5,)), ((3, 5), (3, 5)), ((2, 1, 7), (4, 7)), ((0, 3), (3,)), ((4, 0), (4, 0)),
    ((13, 17), (13, 17)), ((129,), (2, 129)), ((1, 64), (33, 64)),
])  # fmt: skip
def test_vecdot(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    check(ops.vecdot, lambda a, b: (a * b).sum(-1), draw(left), draw(right, seed=1), terms=left[-1])
    check(ops.vecdot, lambda a, b: (a * b).sum(-1), draw(left, "int64"), draw(right, "int64", 1))


def test_vecdot_along_another_axis() -> None:
    check(lambda a, b: ops.vecdot(a, b, axis=-2), lambda a, b: (a * b).sum(-2), draw((3, 7, 5)), draw((7, 5)), terms=7)


@pytest.mark.parametrize(
    ("m", "k"), [(1, 1), (3, 5), (13, 17), (0, 4), (4, 0), (64, 64), (127, 3), (2, 97), (5, 1), (1, 9)]
)
def test_products_of_matrices_and_vectors(m: int, k: int) -> None:
    a, x, y = draw((2, m, k)), draw((k,), seed=1), draw((3, 1, m), seed=2)
    check(ops.matvec, lambda a, x: a @ x, a, x, terms=k)
    check(ops.vecmat, lambda y, a: (y[..., None, :] @ a)[..., 0, :], y, a, terms=m)


@pytest.mark.parametrize(("function", "shapes", "text"), [
    (ops.matmul, ((3, 4), (5, 6)),
     "AKG-E280: matmul: shapes (3, 4) and (5, 6) do not contract\n"
     "because: index 'k' has size 4 in one place and 5 in another\nhint: sizes that meet must be equal"),
    (ops.matmul, ((2, 3, 4), (5, 4, 6)),
     "AKG-E280: matmul: shapes (2, 3, 4) and (5, 4, 6) do not contract\n"
     "because: a leading dimension has size 2 in one place and 5 in another\nhint: sizes that meet must be equal"),
    (ops.matmul, ((), (5, 6)),
     "AKG-E281: matmul: x1 has 0 dimensions\nbecause: its shape is ()\nhint: use akg.ops.multiply for scalars"),
    (lambda a, b: ops.matmul(a, b, transpose_b=True), ((3, 4), (4,)),
     "AKG-E281: matmul: x2 has 1 dimension\nbecause: its shape is (4,), and a matrix is transposed\n"
     "hint: give a matrix or a stack of matrices"),
    (ops.vecdot, ((3, 4), (3, 5)),
     "AKG-E280: vecdot: shapes (3, 4) and (3, 5) do not contract\n"
     "because: index 'k' has size 4 in one place and 5 in another\nhint: sizes that meet must be equal"),
    (lambda a, b: ops.vecdot(a, b, axis=0), ((3, 4), (4,)),
     "AKG-E273: vecdot: axis 0 is out of range\n"
     "because: operands of different ranks are aligned at the right, so axes count from there\n"
     "hint: give axis from -1 to -1"),
    (ops.outer, ((3, 4), (4,)),
     "AKG-E281: outer: x1 has 2 dimensions\nbecause: its shape is (3, 4), and outer multiplies vectors\n"
     "hint: use akg.ops.tensordot(x1, x2, axes=0)"),
    (lambda a, b: ops.tensordot(a, b, axes=3), ((3, 4), (4,)),
     "AKG-E273: tensordot: axes is 3\nbecause: the operands have 2 and 1 dimensions\nhint: give axes from 0 to 1"),
    (lambda a, b: ops.tensordot(a, b, axes=([0, 1], [0])), ((3, 4), (4,)),
     "AKG-E280: tensordot: axes pairs 2 dimensions with 1\nbecause: axes=([0, 1], [0])\n"
     "hint: list as many dimensions of x1 as of x2"),
    (ops.triangular_matmul, ((3, 4), (4, 2)),
     "AKG-E280: triangular_matmul: shapes (3, 4) and (4, 2) do not contract\n"
     "because: index 'n' has size 3 in one place and 4 in another\nhint: sizes that meet must be equal"),
    (ops.matvec, ((3,), (3,)),
     "AKG-E281: matvec: x1 has 1 dimension\nbecause: its shape is (3,)\nhint: give x1 of at least 2"),
    (lambda a, b: ops.einsum("ij,jk->ik", a), ((3, 4), (4, 5)),
     "AKG-E282: einsum: bad subscripts 'ij,jk->ik'\nbecause: they describe 2 operands, and 1 are given\n"
     "hint: one term per operand"),
    (lambda a: ops.einsum("ijk->i", a), ((3, 4),),
     "AKG-E282: einsum: bad subscripts 'ijk->i'\nbecause: 'ijk' names 3 dimensions, and operand 0 has 2\n"
     "hint: its shape is (3, 4)"),
    (lambda a: ops.einsum("ij->ii", a), ((3, 4),),
     "AKG-E282: einsum: bad subscripts 'ij->ii'\nbecause: index 'i' is twice in the result\n"
     "hint: name each index once"),
    (lambda a: ops.einsum("ij->k", a), ((3, 4),),
     "AKG-E282: einsum: bad subscripts 'ij->k'\nbecause: index 'k' of the result is in no operand\n"
     "hint: name indices of operands"),
    (lambda a: ops.einsum("i1->i", a), ((3, 4),),
     "AKG-E282: einsum: bad subscripts 'i1->i'\nbecause: '1' is no index\n"
     "hint: indices are letters; \"...\" stands for the rest"),
    (lambda a: ops.einsum("...j->j", a), ((3, 4),),
     "AKG-E282: einsum: bad subscripts '...j->j'\nbecause: the result has no place for the dimensions of '...'\n"
     "hint: write '...' after '->'"),
    (lambda a: ops.einsum(a, a), ((3, 4),),
     "AKG-E282: einsum: subscripts are a Tensor\nhint: as in einsum(\"ij,jk->ik\", a, b)"),
    (lambda a: ops.einsum("ii", a), ((3, 4),),
     "AKG-E280: einsum: shapes (3, 4) do not contract\n"
     "because: index 'i' has size 3 in one place and 4 in another\nhint: sizes that meet must be equal"),
])  # fmt: skip
def test_errors(function: Any, shapes: tuple[Any, ...], text: str) -> None:
    assert error_of(function, *shapes) == text
