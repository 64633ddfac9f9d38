"""Every operator against float64: what a row of the table is, and how one is run.

A row holds the operands of an operator, by the names of their sizes, at least ten sets of sizes, the types that it
takes, and a reference on arrays. ``"m n"`` is an operand of the type under test, ``"m n:bool"`` of another,
``"c:+"`` has positive elements only, ``"k:int64<n"`` holds places in a dimension of size n, and ``"k:int64<>n"`` ones
that count from the end, too.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

import akg
from akg import ops, te
from akg.base.dtype import BUFFER_DTYPES, dtype_of
from tests.helpers import Array
from tests.ops.common import FLOATS, compare, draw, placeholder, wide

INTEGERS = tuple(dtype.name for dtype in BUFFER_DTYPES if dtype.is_integer)
NUMBERS = (*FLOATS, *INTEGERS)
ANY = (*NUMBERS, "bool")
BITS = (*INTEGERS, "bool")
LARGE = 4000  # elements of the largest set
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5)
Sizes = tuple[int, ...]
# One, odd, prime, empty, powers of two, and large.
MATRICES: tuple[Sizes, ...] = (
    (1, 1), (1, 7), (5, 3), (13, 17), (0, 3), (4, 0), (2, 64), (31, 2), (33, 129), (67, 130), (101, 331),
)  # fmt: skip


def of_operands(function: Callable[..., Any], x: Sequence[Any], s: SimpleNamespace) -> Any:
    """The operator on its operands, without keywords."""
    return function(*x)


def defaults(given: dict[str, Any], **known: Any) -> dict[str, Any]:
    """Keywords of a row that are known, unless others are given."""
    return {**known, **given}


@dataclass(frozen=True)
class Row:
    """One operator: see the module.

    Attributes:
        reference: the result, or list of results, of the operands (floats in float64) and the sizes.
        call: the operator applied to tensors, given the sizes and the type under test.
        terms: how many products a result sums, for the tolerance.
        symbolic: whether sizes of operands are left to the call of the kernel.
        special: "dense" or "sparse" to draw NaN, infinities and zeros of both signs, too; sparse is one in a line.
    """

    operands: tuple[str, ...]
    reference: Callable[[Sequence[Any], SimpleNamespace], Any]
    call: Callable[[Callable[..., Any], Sequence[Any], SimpleNamespace], Any] = of_operands
    types: tuple[str, ...] = NUMBERS
    names: str = "m n"
    sets: tuple[Sizes, ...] = MATRICES
    terms: Callable[[SimpleNamespace], int] = lambda s: 1
    low: float = -3.0
    high: float = 3.0
    symbolic: bool = True
    special: str = ""

    @property
    def known(self) -> frozenset[str]:
        """The sizes that operands tell."""
        found = {n for operand in self.operands for n in operand.partition(":")[0].split()}
        return frozenset(found & set(self.names.split()))

    def shapes(self, values: Sizes) -> list[tuple[int, ...]]:
        """Those of the operands; of what is made of no operand, the sizes themselves."""
        s = self.sizes(values, "float32")
        return [_shape(operand, s) for operand in self.operands] or [values]

    def sizes(self, values: Sizes, dtype: str) -> SimpleNamespace:
        """A set by the names of its sizes, and the type."""
        return SimpleNamespace(dtype=dtype, **dict(zip(self.names.split(), values, strict=True)))


def _shape(operand: str, s: SimpleNamespace) -> tuple[int, ...]:
    return tuple([int(name) if name.isdigit() else getattr(s, name) for name in operand.partition(":")[0].split()])


def _dtype(operand: str, s: SimpleNamespace) -> str:
    kind = operand.partition(":")[2].partition("<")[0]
    return s.dtype if kind in ("", "+") else kind


def elements(row: Row, values: Sizes) -> int:
    """Combinations of the sizes of operands: elements of what is broadcast, products of what is summed."""
    sizes = vars(row.sizes(values, ""))
    return math.prod(sizes[n] for n in row.known or row.names.split())


def arrays_of(row: Row, s: SimpleNamespace, special: str = "") -> list[Array]:
    """Operands for a set of sizes."""
    made: list[Array] = []
    for k, operand in enumerate(row.operands):
        shape, kind = _shape(operand, s), operand.partition(":")[2]
        if "<" in kind:
            size = int(_shape(kind.partition("<")[2].removeprefix(">"), s)[0])
            low = -size if "<>" in kind else 0
            made.append(np.random.default_rng([k, *shape]).integers(low, max(size, low + 1), shape).astype("int64"))
            continue
        values = draw(shape, _dtype(operand, s), k, 0.5 if kind == "+" else row.low, row.high)
        if special and values.size and values.ndim and dtype_of(values.dtype).is_float and not kind:
            rng = np.random.default_rng([7, k, *shape])
            drawn = rng.choice(np.array(SPECIAL), shape).astype(values.dtype)
            chosen = rng.random(shape) < (0.5 if special == "dense" else 1.0 / shape[-1])
            values = np.where(chosen, drawn, values)
        made.append(values)
    return made


def define(name: str, row: Row, values: Sizes, dtype: str, symbolic: bool = False) -> list[te.Tensor]:
    """The outputs of an operator on arguments x0, x1 and so on of some sizes, or of symbolic ones."""
    s = row.sizes(values, dtype)
    names = row.known if symbolic else frozenset()
    for n in names:
        setattr(s, n, n)
    inputs = [placeholder(_shape(o, s), _dtype(o, s), f"x{k}") for k, o in enumerate(row.operands)]
    for n in names:
        setattr(s, n, te.var(n))
    found = row.call(ops.get(name).function, inputs, s)
    return list(found) if isinstance(found, (list, tuple)) else [found]


def _kernels(row: Row, name: str, dtype: str, sets: Sequence[Sizes]) -> Iterator[tuple[Any, list[int], list[Sizes]]]:
    """Kernels, the operands that each reads, and the sets that each serves."""
    groups: dict[Sizes, list[Sizes]] = {}
    for values in sets:
        fixed = tuple([v for n, v in zip(row.names.split(), values, strict=True) if n not in row.known])
        groups.setdefault(fixed if row.symbolic else values, []).append(values)
    for served in groups.values():
        lowered = akg.lower(define(name, row, served[0], dtype, row.symbolic and len(sets) > 1))
        read = [int(p.name[1:]) for p in lowered.kernel.params if p.role == "in"]
        yield akg.build(lowered), read, served


def check(name: str, row: Row, dtype: str, sets: Sequence[Sizes]) -> None:
    """The operator of one type over sets of sizes, and over special values in the last of them."""
    for kernel, read, served in _kernels(row, name, dtype, sets):
        special = row.special if dtype in FLOATS else ""
        for values, drawn in [*((v, "") for v in served), *([(served[-1], special)] if special else [])]:
            s = row.sizes(values, dtype)
            arrays = arrays_of(row, s, drawn)
            found = kernel(*[arrays[k] for k in read])
            with np.errstate(all="ignore"):
                wanted = row.reference([wide(a) for a in arrays], s)
            several = isinstance(found, (list, tuple))
            results = list(found) if several else [found]
            wanted = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
            titles = [f"{name} of {dtype}, {vars(s)} {drawn}, result {k}" for k in range(len(results))]
            compare(titles, results, wanted, max(row.terms(s), 1))
