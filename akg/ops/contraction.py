"""Contractions: sums of products of tensors, by subscripts or by the names that the array API has for them.

Types follow NumPy; the 16-bit floats accumulate in float32. ``out_dtype`` asks for another type of result, in which
the operands are multiplied: int8 operands with ``out_dtype="int32"`` give exact sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

from akg.base.dtype import DType, promote
from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Tensor, shape_text
from akg.ops.registry import operator
from akg.ops.shape import check_dtype, check_tensor, dtype_argument, is_one, normalize_axes, same_size, value

__all__ = ["einsum", "matmul", "matvec", "outer", "tensordot", "triangular_matmul", "vecdot", "vecmat"]

Labels: TypeAlias = tuple[str, ...]
TYPICAL = 64  # elements that a symbolic size counts for when contractions are ordered


@dataclass(frozen=True, slots=True)
class Term:
    """An operand with a label for each dimension; equal labels are one index. Labels "..n" broadcast over size 1."""

    tensor: Tensor
    labels: Labels


@dataclass(frozen=True, slots=True)
class Types:
    """The types of a contraction: of the products, and of the result."""

    product: DType
    result: DType


def types_of(tensors: Sequence[Tensor], out_dtype: Any) -> Types:
    """The types for operands and an ``out_dtype``.

    Raises:
        AkgError: AKG-E274 for operands that are no numbers, AKG-E101 for an unknown `out_dtype`.
    """
    common = tensors[0].dtype
    for t in tensors[1:]:
        common = promote(common, t.dtype)
    check_dtype(common, "a number", "the common type of the operands")
    result = dtype_argument(out_dtype, common)
    return Types(promote(common, result), result)


def contract(name: str, terms: Sequence[Term], output: Labels, types: Types) -> Tensor:
    """The sum of products of `terms` over all labels that are not in `output`, two operands at a time.

    Raises:
        AkgError: AKG-E280 for a label with different sizes.
    """
    sizes = _label_sizes(terms)
    pending = [_reduced_alone(t, terms, output, types, sizes, name) for t in terms]
    while len(pending) > 2:
        first, second = _cheapest_pair(pending, sizes)
        rest = [t for t in pending if t is not first and t is not second]
        needed = {label for t in rest for label in t.labels} | set(output)
        kept = tuple(dict.fromkeys(label for t in (first, second) for label in t.labels if label in needed))
        wide = Types(types.product, types.product.compute)
        pending = [*rest, Term(_product(name, (first, second), kept, wide, sizes), kept)]
    return _product(name, pending, output, types, sizes)


def _label_sizes(terms: Sequence[Term]) -> dict[str, Expr]:
    sizes: dict[str, Expr] = {}
    for term in terms:
        for label, size in zip(term.labels, term.tensor.shape, strict=True):
            known = sizes.setdefault(label, size)
            broadcasts = label.startswith("..")
            if same_size(known, size) or (broadcasts and is_one(size)):
                continue
            if not (broadcasts and is_one(known)):
                raise _mismatch(terms, label, known, size)
            sizes[label] = size
    return sizes


def _mismatch(terms: Sequence[Term], label: str, a: Expr, b: Expr) -> AkgError:
    shapes = " and ".join(shape_text(t.tensor.shape) for t in terms)
    left, right = shape_text((a,))[1:-2], shape_text((b,))[1:-2]
    what = "a leading dimension" if label.startswith("..") else f"index {label!r}"
    return AkgError(
        "AKG-E280",
        f"shapes {shapes} do not contract",
        because=f"{what} has size {left} in one place and {right} in another",
        hint="sizes that meet must be equal" if isinstance(a, Const) and isinstance(b, Const)
        else "give sizes that are equal the same symbol",
    )  # fmt: skip


def _reduced_alone(
    term: Term, terms: Sequence[Term], output: Labels, types: Types, sizes: dict[str, Expr], name: str
) -> Term:
    """`term` summed over labels that only it has, where that saves a loop over other operands."""
    elsewhere = {label for other in terms if other is not term for label in other.labels} | set(output)
    kept = tuple(dict.fromkeys(label for label in term.labels if label in elsewhere))
    if len(terms) == 1 or set(kept) == set(term.labels):
        return term
    return Term(_product(name, (term,), kept, Types(types.product, types.product.compute), sizes), kept)


def _cheapest_pair(terms: Sequence[Term], sizes: dict[str, Expr]) -> tuple[Term, Term]:
    def operations(pair: tuple[Term, Term]) -> int:
        labels = {*pair[0].labels, *pair[1].labels}
        return prod([int(s) if isinstance(s, Const) else TYPICAL for s in map(sizes.__getitem__, labels)])

    return min([(a, b) for k, a in enumerate(terms) for b in terms[k + 1 :]], key=operations)


def _product(name: str, terms: Sequence[Term], output: Labels, types: Types, sizes: dict[str, Expr]) -> Tensor:
    summed = [x for x in dict.fromkeys(label for t in terms for label in t.labels) if x not in output]

    def element(*place: Expr) -> Expr:
        axes = [te.reduce_axis(sizes[label], name="k") for label in summed]
        at = dict(zip([*output, *summed], [*place, *axes], strict=True))
        result: Expr | None = None
        for t in terms:
            subscripts = [
                Const(0) if is_one(size) and not is_one(sizes[label]) else at[label]
                for label, size in zip(t.labels, t.tensor.shape, strict=True)
            ]
            factor = value(t.tensor[tuple(subscripts)], types.product.compute)
            result = factor if result is None else result * factor
        assert result is not None
        return te.cast(te.sum(result, axis=axes) if axes else result, types.result)

    return te.compute(tuple([sizes[label] for label in output]), element, name=name)


# --- matrices -------------------------------------------------------------------------------------------


@operator("matmul", kind="contraction")
def matmul(
    x1: Tensor, x2: Tensor, *, transpose_a: bool = False, transpose_b: bool = False, out_dtype: Any = None
) -> Tensor:
    """The matrix product of the last two dimensions; the others broadcast. A vector on either side is summed away.

    Args:
        x1: numbers of shape (..., m, k) or (k,).
        x2: numbers of shape (..., k, n) or (k,).
        transpose_a: whether `x1` is given as (..., k, m).
        transpose_b: whether `x2` is given as (..., n, k).
        out_dtype: the type of products and result; None: NumPy's.

    Raises:
        AkgError: AKG-E280 if the extents that meet differ, AKG-E272 if the others do not broadcast, AKG-E281 for a
            scalar, or a vector to transpose.
    """
    for x, what, flag in ((x1, "x1", transpose_a), (x2, "x2", transpose_b)):
        if check_tensor(x, what).ndim < 1 + bool(flag):
            raise AkgError(
                "AKG-E281",
                f"{what} has {x.ndim} {'dimension' if x.ndim == 1 else 'dimensions'}",
                because=f"its shape is {shape_text(x.shape)}" + (", and a matrix is transposed" if flag else ""),
                hint="give a matrix or a stack of matrices" if flag else "use akg.ops.multiply for scalars",
            )
    rows = ("m", "k") if not transpose_a else ("k", "m")
    columns = ("k", "n") if not transpose_b else ("n", "k")
    left = (*_batch(x1.ndim - 2), *rows) if x1.ndim > 1 else ("k",)
    right = (*_batch(x2.ndim - 2), *columns) if x2.ndim > 1 else ("k",)
    stack = _batch(max(x1.ndim, x2.ndim) - 2)
    output = (*stack, *("m",) * (x1.ndim > 1), *("n",) * (x2.ndim > 1))
    return contract("matmul", (Term(x1, left), Term(x2, right)), output, types_of((x1, x2), out_dtype))


def _batch(count: int) -> Labels:
    """Labels of dimensions that broadcast, aligned at the right."""
    return tuple([f"..{d}" for d in range(count, 0, -1)])


@operator("matvec", kind="contraction")
def matvec(x1: Tensor, x2: Tensor, *, out_dtype: Any = None) -> Tensor:
    """The product of matrices (..., m, k) and vectors (..., k).

    Raises:
        AkgError: AKG-E280 if the extents that meet differ, AKG-E281 for an operand of too few dimensions.
    """
    _at_least(x1, 2, "x1")
    _at_least(x2, 1, "x2")
    a, b = _batch(x1.ndim - 2), _batch(x2.ndim - 1)
    terms = (Term(x1, (*a, "m", "k")), Term(x2, (*b, "k")))
    return contract("matvec", terms, (*max(a, b, key=len), "m"), types_of((x1, x2), out_dtype))


@operator("vecmat", kind="contraction")
def vecmat(x1: Tensor, x2: Tensor, *, out_dtype: Any = None) -> Tensor:
    """The product of vectors (..., k) and matrices (..., k, n).

    Raises:
        AkgError: AKG-E280 if the extents that meet differ, AKG-E281 for an operand of too few dimensions.
    """
    _at_least(x1, 1, "x1")
    _at_least(x2, 2, "x2")
    a, b = _batch(x1.ndim - 1), _batch(x2.ndim - 2)
    terms = (Term(x1, (*a, "k")), Term(x2, (*b, "k", "n")))
    return contract("vecmat", terms, (*max(a, b, key=len), "n"), types_of((x1, x2), out_dtype))


def _at_least(x: Tensor, rank: int, what: str) -> None:
    if check_tensor(x, what).ndim < rank:
        raise AkgError(
            "AKG-E281",
            f"{what} has {x.ndim} {'dimension' if x.ndim == 1 else 'dimensions'}",
            because=f"its shape is {shape_text(x.shape)}",
            hint=f"give {what} of at least {rank}",
        )


@operator("vecdot", kind="contraction")
def vecdot(x1: Tensor, x2: Tensor, *, axis: int = -1, out_dtype: Any = None) -> Tensor:
    """The inner products along `axis`, a negative number; the other dimensions broadcast.

    Raises:
        AkgError: AKG-E280 if the extents along `axis` differ, AKG-E273 for an axis that is out of range.
    """
    least = min(check_tensor(x1, "x1").ndim, check_tensor(x2, "x2").ndim)
    _at_least(x1, 1, "x1")
    _at_least(x2, 1, "x2")
    if not isinstance(axis, int) or not -least <= axis < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise AkgError(
            "AKG-E273",
            f"axis {axis} is out of range",
            because="operands of different ranks are aligned at the right, so axes count from there",
            hint=f"give axis from {-least} to -1",
        )

    def labels(x: Tensor) -> Labels:
        return tuple(["k" if d == -axis else f"..{d}" for d in range(x.ndim, 0, -1)])

    wider = max((x1, x2), key=lambda x: x.ndim)
    output = tuple([label for label in labels(wider) if label != "k"])
    return contract("vecdot", (Term(x1, labels(x1)), Term(x2, labels(x2))), output, types_of((x1, x2), out_dtype))


@operator("outer", kind="broadcast")
def outer(x1: Tensor, x2: Tensor) -> Tensor:
    """All products of an element of vector `x1` and one of vector `x2`.

    Raises:
        AkgError: AKG-E281 for operands that are no vectors.
    """
    for x, what in ((x1, "x1"), (x2, "x2")):
        if check_tensor(x, what).ndim != 1:
            raise AkgError(
                "AKG-E281",
                f"{what} has {x.ndim} dimensions",
                because=f"its shape is {shape_text(x.shape)}, and outer multiplies vectors",
                hint="use akg.ops.tensordot(x1, x2, axes=0)",
            )
    return contract("outer", (Term(x1, ("m",)), Term(x2, ("n",))), ("m", "n"), types_of((x1, x2), None))


@operator("tensordot", kind="contraction")
def tensordot(
    x1: Tensor, x2: Tensor, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2, out_dtype: Any = None
) -> Tensor:
    """The sum of products over pairs of dimensions: the last `axes` of `x1` with the first of `x2`, or those listed.

    Raises:
        AkgError: AKG-E280 if extents that meet differ, or the numbers of dimensions do; AKG-E273 for a bad axis.
    """
    rank1, rank2 = check_tensor(x1, "x1").ndim, check_tensor(x2, "x2").ndim
    if isinstance(axes, int):
        if not 0 <= axes <= min(rank1, rank2):
            raise AkgError(
                "AKG-E273",
                f"axes is {axes}",
                because=f"the operands have {rank1} and {rank2} dimensions",
                hint=f"give axes from 0 to {min(rank1, rank2)}",
            )
        first, second = tuple(range(rank1 - axes, rank1)), tuple(range(axes))
    else:
        first, second = normalize_axes(axes[0], rank1, "axes[0]"), normalize_axes(axes[1], rank2, "axes[1]")
    if len(first) != len(second):
        raise AkgError(
            "AKG-E280",
            f"axes pairs {len(first)} dimensions with {len(second)}",
            because=f"axes={axes!r}",
            hint="list as many dimensions of x1 as of x2",
        )
    left = [f"k{first.index(d)}" if d in first else f"m{d}" for d in range(rank1)]
    right = [f"k{second.index(d)}" if d in second else f"n{d}" for d in range(rank2)]
    output = tuple([label for label in (*left, *right) if label[0] != "k"])
    return contract("tensordot", (Term(x1, tuple(left)), Term(x2, tuple(right))), output, types_of((x1, x2), out_dtype))


@operator("triangular_matmul", kind="contraction")
def triangular_matmul(x1: Tensor, x2: Tensor, *, upper: bool = False, out_dtype: Any = None) -> Tensor:
    """The matrix product of a triangular `x1`, whose other half is not read, and `x2`.

    Args:
        x1: numbers of shape (..., n, n), lower triangular unless `upper`.
        x2: numbers of shape (..., n, p); leading dimensions broadcast.
        upper: whether the half above the diagonal counts.
        out_dtype: the type of products and result; None: NumPy's.

    Raises:
        AkgError: AKG-E280 if the extents that meet differ, AKG-E281 for an operand that is no matrix.
    """
    _at_least(x1, 2, "x1")
    _at_least(x2, 2, "x2")
    n = x1.shape[-1]
    a, b = _batch(x1.ndim - 2), _batch(x2.ndim - 2)
    terms = (Term(x1, (*a, "n", "n")), Term(x2, (*b, "n", "p")))
    sizes, types = _label_sizes(terms), types_of((x1, x2), out_dtype)
    stack = max(a, b, key=len)

    def element(*place: Expr) -> Expr:
        i, j = place[-2:]
        k = te.reduce_axis((i, n) if upper else (0, i + 1), name="k")
        at = dict(zip(stack, place))  # noqa: B905

        def batch(t: Term, labels: Labels) -> list[Expr]:
            return [Const(0) if is_one(s) else at[x] for x, s in zip(labels, t.tensor.shape)]  # noqa: B905

        left = value(x1[(*batch(terms[0], a), i, k)], types.product.compute)
        right = value(x2[(*batch(terms[1], b), k, j)], types.product.compute)
        return te.cast(te.sum(left * right, axis=k), types.result)

    shape = [sizes[label] for label in (*stack, "n", "p")]
    return te.compute(tuple(shape), element, name="triangular_matmul")


# --- subscripts -----------------------------------------------------------------------------------------


@operator("einsum", kind="contraction")
def einsum(subscripts: str, *operands: Tensor, out_dtype: Any = None) -> Tensor:
    """The sum of products that `subscripts` describes, as in ``einsum("...ik,...kj->...ij", a, b)``.

    An index that is repeated within an operand takes its diagonal. Without ``->`` the result has the indices that occur
    once, in alphabetical order. More than two operands are contracted in pairs, the cheapest first.

    Raises:
        AkgError: AKG-E282 for subscripts that do not fit the operands, AKG-E280 for an index with different sizes.
    """
    if not isinstance(subscripts, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        kind = type(subscripts).__name__
        raise AkgError("AKG-E282", f"subscripts are a {kind}", hint='as in einsum("ij,jk->ik", a, b)')
    tensors = [check_tensor(x, f"operand {k}") for k, x in enumerate(operands)]
    text = subscripts.replace(" ", "")
    source, arrow, target = text.partition("->")
    parts = source.split(",")
    if len(parts) != len(tensors) or not tensors:
        raise _bad_subscripts(
            subscripts, f"they describe {len(parts)} operands, and {len(tensors)} are given", "one term per operand"
        )
    terms = [Term(t, _labels(subscripts, part, t, k)) for k, (part, t) in enumerate(zip(parts, tensors, strict=True))]
    output = _output(subscripts, target, terms) if arrow else _implicit_output(terms)
    return contract("einsum", terms, output, types_of(tensors, out_dtype))


def _bad_subscripts(text: str, because: str, hint: str) -> AkgError:
    return AkgError("AKG-E282", f"bad subscripts {text!r}", because=because, hint=hint)


def _letters(text: str, part: str) -> list[str]:
    """The letters of one term, "..." as one of them."""
    head, dots, tail = part.partition("...")
    letters = [*head, *["..."] * bool(dots), *tail]
    for letter in letters:
        if letter != "..." and not (letter.isascii() and letter.isalpha()):
            raise _bad_subscripts(text, f"{letter!r} is no index", 'indices are letters; "..." stands for the rest')
    return letters


def _labels(text: str, part: str, tensor: Tensor, position: int) -> Labels:
    letters = _letters(text, part)
    named = len(letters) - letters.count("...")
    rest = tensor.ndim - named
    if rest < 0 or (rest > 0 and "..." not in letters):
        raise _bad_subscripts(
            text,
            f"{part!r} names {named} dimensions, and operand {position} has {tensor.ndim}",
            f"its shape is {shape_text(tensor.shape)}",
        )
    labels: list[str] = []
    for letter in letters:
        labels.extend(_batch(rest) if letter == "..." else (letter,))
    return tuple(labels)


def _rest_labels(terms: Sequence[Term]) -> Labels:
    """The labels that "..." stands for in the result."""
    return max([tuple([x for x in t.labels if x.startswith("..")]) for t in terms], key=len)


def _output(text: str, target: str, terms: Sequence[Term]) -> Labels:
    known = {label for t in terms for label in t.labels}
    result: list[str] = []
    for letter in _letters(text, target):
        if letter == "...":
            result.extend(_rest_labels(terms))
        elif letter in result:
            raise _bad_subscripts(text, f"index {letter!r} is twice in the result", "name each index once")
        elif letter not in known:
            raise _bad_subscripts(text, f"index {letter!r} of the result is in no operand", "name indices of operands")
        else:
            result.append(letter)
    if "..." not in target and _rest_labels(terms):
        raise _bad_subscripts(text, "the result has no place for the dimensions of '...'", "write '...' after '->'")
    return tuple(result)


def _implicit_output(terms: Sequence[Term]) -> Labels:
    counts: dict[str, int] = {}
    for t in terms:
        for label in t.labels:
            counts[label] = counts.get(label, 0) + 1
    once = sorted(label for label, count in counts.items() if count == 1 and not label.startswith(".."))
    return (*_rest_labels(terms), *once)
