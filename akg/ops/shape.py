"""What all operators agree on: operands, broadcasting, axes, types, and the errors about them.

Operands are te tensors, scalar expressions (`te.scalar`, sizes) and Python numbers. Types follow NumPy 2: Python
numbers and sizes are weak, tensors promote by NumPy's table, integers become floats where a result is fractional.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index as as_index
from typing import Any, TypeAlias

import numpy as np

from akg.base.dtype import DType, bool_, dtype_of, float32, float64, index, int64, promote
from akg.base.errors import AkgError, suggest
from akg.ir import expr as ex
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Size, Tensor, shape_text, size_of

Operand: TypeAlias = "Tensor | Expr | int | float | bool"
AxisLike: TypeAlias = "int | Sequence[int] | None"
Sizes: TypeAlias = tuple[Expr, ...]

# --- operands -------------------------------------------------------------------------------------------


def check_tensor(value: object, what: str) -> Tensor:
    """`value`, which must be a tensor; `what` is the name of the parameter.

    Raises:
        AkgError: AKG-E271 for anything else.
    """
    if isinstance(value, Tensor):
        return value
    raise AkgError(
        "AKG-E271",
        f"{what} is a {type(value).__name__}",
        because="operators define tensors in terms of tensors",
        hint="declare the argument: te.placeholder(shape, dtype)",
    )


def check_operand(value: object, what: str) -> Operand:
    """`value`, which must be a tensor, a scalar expression or a number.

    Raises:
        AkgError: AKG-E271 for anything else.
    """
    if isinstance(value, (Tensor, Expr, int, float)) or is_numpy_scalar(value):
        return value  # type: ignore[return-value]  # pyright: ignore
    raise AkgError(
        "AKG-E271",
        f"{what} is a {type(value).__name__}",
        because="operands are te tensors, scalar expressions and numbers",
        hint="declare arrays as arguments: te.placeholder(shape, dtype)",
    )


def is_numpy_scalar(value: object) -> bool:
    """Whether `value` is a number with a type of NumPy's."""
    return isinstance(value, np.generic)


def shape_of(x: Operand) -> Sizes:
    """The sizes of an operand; none for a scalar."""
    return x.shape if isinstance(x, Tensor) else ()


def same_size(a: Expr, b: Expr) -> bool:
    """Whether two sizes are known to be equal."""
    return a is b or (isinstance(a, Const) and isinstance(b, Const) and int(a) == int(b))


def is_one(size: Expr) -> bool:
    """Whether a size is the constant 1."""
    return isinstance(size, Const) and int(size) == 1


def sizes_of(shape: Size | Sequence[Size]) -> Sizes:
    """A user's shape as sizes.

    Raises:
        AkgError: AKG-E105 for a size that is none.
    """
    values = shape if isinstance(shape, (tuple, list)) else (shape,)
    return tuple([size_of(s, f"size {d} of the shape") for d, s in enumerate(values)])


# --- broadcasting ---------------------------------------------------------------------------------------


def broadcast_shapes(*shapes: Sizes) -> Sizes:
    """The common shape: from the right, sizes are equal or one of them is 1. A symbol equals itself only.

    Raises:
        AkgError: AKG-E272 for shapes that do not broadcast.
    """
    rank = max([len(s) for s in shapes], default=0)
    result: list[Expr] = []
    for d in range(-rank, 0):
        size: Expr = Const(1)
        for shape in shapes:
            if len(shape) < -d or same_size(shape[d], size) or is_one(shape[d]):
                continue
            if not is_one(size):
                raise _no_broadcast(shapes, size, shape[d], rank + d)
            size = shape[d]
        result.append(size)
    return tuple(result)


def _no_broadcast(shapes: tuple[Sizes, ...], a: Expr, b: Expr, dimension: int) -> AkgError:
    texts = [shape_text(s) for s in shapes]
    listed = ", ".join(texts[:-1]) + f" and {texts[-1]}"
    is_symbolic = not (isinstance(a, Const) and isinstance(b, Const))
    left, right = shape_text((a,))[1:-2], shape_text((b,))[1:-2]
    return AkgError(
        "AKG-E272",
        f"shapes {listed} do not broadcast",
        because=f"dimension {dimension} of the result would be {left} and {right}",
        hint="give sizes that are equal the same symbol" if is_symbolic else "sizes must be equal, or 1",
    )


def read(x: Operand, place: Sequence[Expr], shape: Sizes) -> ex.ExprLike:
    """The element of `x`, broadcast to `shape`, at `place`; a scalar is itself."""
    if not isinstance(x, Tensor):
        return x
    skipped = len(shape) - len(x.shape)
    subscripts: list[Expr] = []
    for size, at, full in zip(x.shape, place[skipped:], shape[skipped:], strict=True):
        subscripts.append(Const(0) if is_one(size) and not is_one(full) else at)
    return x[tuple(subscripts)]


def compute_broadcast(name: str, operands: Sequence[Operand], body: Callable[..., ex.ExprLike]) -> Tensor:
    """The tensor of the common shape whose elements are `body` of the operands' elements.

    Raises:
        AkgError: AKG-E271 if no operand is a tensor, AKG-E272 for shapes that do not broadcast.
    """
    if not any(isinstance(x, Tensor) for x in operands):
        raise AkgError(
            "AKG-E271", "no operand is a tensor", because="operators define tensors in terms of tensors",
            hint="compute on numbers with Python or te",
        )  # fmt: skip
    shape = broadcast_shapes(*[x.shape for x in operands if isinstance(x, Tensor)])
    return te.compute(shape, lambda *i: body(*[read(x, i, shape) for x in operands]), name=name)


# --- axes -----------------------------------------------------------------------------------------------


def normalize_axis(axis: int, ndim: int, what: str = "axis") -> int:
    """`axis` counted from the front.

    Raises:
        AkgError: AKG-E273 if it is no integer or out of range.
    """
    try:
        value = as_index(axis)
    except TypeError:
        hint = f"as in {what}=-1"
        raise AkgError("AKG-E273", f"{what} is {axis!r}", because="axes are integers", hint=hint) from None
    if not -ndim <= value < ndim:
        plural = "dimension" if ndim == 1 else "dimensions"
        raise AkgError(
            "AKG-E273",
            f"{what} {value} is out of range",
            because=f"the tensor has {ndim} {plural}",
            hint=f"give {what} from {-ndim} to {ndim - 1}" if ndim else "a scalar has no axes",
        )
    return value % ndim


def normalize_axes(axis: AxisLike, ndim: int, what: str = "axis") -> tuple[int, ...]:
    """The axes of one axis, several or None (all), counted from the front, in the order given.

    Raises:
        AkgError: AKG-E273 for an axis that is no integer, out of range or given twice.
    """
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    result: list[int] = []
    for value in given:
        found = normalize_axis(value, ndim, what)  # type: ignore[arg-type]
        if found in result:
            raise AkgError(
                "AKG-E273",
                f"{what} {found} is given twice",
                because=f"{what}={axis!r} names dimension {found} more than once",
                hint="give every axis once",
            )
        result.append(found)
    return tuple(result)


# --- types ----------------------------------------------------------------------------------------------


def result_dtype(*operands: Operand) -> DType:
    """The type of arithmetic on the operands, as NumPy 2 has it: Python numbers and sizes are weak.

    Raises:
        AkgError: AKG-E102 for types without a common one.
    """
    strong: DType | None = None
    weak = 0  # the greatest kind of Python number: 1 bool, 2 int, 3 float
    for x in operands:
        if isinstance(x, (bool, int, float)) and not is_numpy_scalar(x):
            weak = max(weak, 1 if isinstance(x, bool) else 2 if isinstance(x, int) else 3)
            continue
        kind = dtype_of(x.dtype)  # pyright: ignore[reportAttributeAccessIssue]
        if kind is index:
            weak = max(weak, 2)
        else:
            strong = kind if strong is None else promote(strong, kind)
    if strong is None:
        return (bool_, bool_, int64, float64)[weak]
    if weak == 3 and not strong.is_float:
        return float64
    return int64 if weak == 2 and strong is bool_ else strong


def float_dtype(kind: DType) -> DType:
    """The type of a fractional function: floats stay, integers of up to 16 bits become float32, others float64."""
    if kind.is_float:
        return kind
    return float32 if kind.bits <= 16 else float64


def value(x: ex.ExprLike, kind: DType) -> Expr:
    """A scalar as an expression of type `kind`.

    Raises:
        AkgError: AKG-E108 for a Python integer that `kind` does not hold.
    """
    if isinstance(x, int) and not isinstance(x, bool) and kind.kind in ("int", "uint"):
        return te.const(x, kind)
    return ex.cast(ex.as_expr(x, kind), kind)


_FAMILIES: dict[str, tuple[str, ...]] = {
    "a bool": ("bool",), "an integer": ("int", "uint"), "an integer or bool": ("int", "uint", "bool"),
    "a number": ("int", "uint", "float"), "a float": ("float",), "a number or bool": ("int", "uint", "float", "bool"),
}  # fmt: skip


def check_dtype(kind: DType, family: str, what: str, hint: str = "") -> DType:
    """`kind`, which must be of one of the families above, as in "a number".

    Raises:
        AkgError: AKG-E274 for another type.
    """
    if kind.kind in _FAMILIES[family]:
        return kind
    raise AkgError(
        "AKG-E274",
        f"{what} is {kind}",
        because=f"it must be {family}",
        hint=hint or "convert it: akg.ops.astype(x, dtype)",
    )


def dtype_argument(dtype: Any, default: DType) -> DType:
    """The type that a ``dtype=`` names, or `default` for None.

    Raises:
        AkgError: AKG-E101 for a type that akg does not have.
    """
    return default if dtype is None else dtype_of(dtype)


# --- other arguments ------------------------------------------------------------------------------------


def bad_argument(message: str, because: str = "", hint: str = "") -> AkgError:
    """The error AKG-E275 for a keyword whose value the operator does not have."""
    return AkgError("AKG-E275", message, because=because, hint=hint)


def bad_shape(message: str, because: str = "", hint: str = "") -> AkgError:
    """The error AKG-E276 for shapes that do not fit the operator, broadcasting apart."""
    return AkgError("AKG-E276", message, because=because, hint=hint)


def check_choice(value: object, what: str, choices: Sequence[str]) -> str:
    """`value`, which must be one of `choices`.

    Raises:
        AkgError: AKG-E275 for another value.
    """
    if isinstance(value, str) and value in choices:
        return value
    listed = ", ".join(repr(c) for c in choices)
    because = f"{what} is one of {listed}"
    raise bad_argument(f"{what} is {value!r}", because, suggest(value, choices) if isinstance(value, str) else "")
