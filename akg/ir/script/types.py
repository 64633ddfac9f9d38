"""Annotations of a script's arguments: what is an array, of which shape and type, and who may write it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from akg.base.dtype import DType, dtype_of, float64, index, int64
from akg.base.errors import AkgError, user_facing
from akg.ir.expr import Const, Expr, Var

Access = Literal["inout", "in", "out"]


@dataclass(frozen=True, slots=True)
class TensorType:
    """An array argument: one index expression per dimension, the element type, and how it is used."""

    shape: tuple[Expr, ...]
    dtype: DType
    access: Access


@dataclass(frozen=True, slots=True)
class ScalarType:
    """A number passed by value; `is_weak` for Python's own numbers, which take the type of their partner."""

    dtype: DType
    is_weak: bool = False


if TYPE_CHECKING:  # what the arguments are while the script runs as plain Python, for type checkers
    _Array = np.ndarray[Any, np.dtype[Any]]
    _Number = float
    _Whole = int
else:
    _Array = _Number = _Whole = object


class Tensor(_Array):
    """``akg.Tensor["n", "m", "float32"]``: an array that the script may read and write.

    The last item is the dtype. Each item before it is a dimension: a name (a size, inferred from the
    arrays of a call), an integer, or an affine string such as ``"n+1"``. No dimension: an array of rank 0.
    """

    @user_facing
    def __class_getitem__(cls, items: Any) -> Any:
        return _tensor_type("Tensor", items, "inout")


class In(_Array):
    """``akg.In[...]``: like `Tensor`, but the script must not write it."""

    @user_facing
    def __class_getitem__(cls, items: Any) -> Any:
        return _tensor_type("In", items, "in")


class Out(_Array):
    """``akg.Out[...]``: like `Tensor`, but its contents before the call do not matter."""

    @user_facing
    def __class_getitem__(cls, items: Any) -> Any:
        return _tensor_type("Out", items, "out")


class Scalar(_Number):
    """``akg.Scalar["float32"]``: a number of a fixed type. Plain ``float`` and ``int`` stay weak in arithmetic."""

    @user_facing
    def __class_getitem__(cls, item: Any) -> ScalarType:
        return ScalarType(dtype_of(item))


class Size(_Whole):
    """``n: akg.Size``: an integer argument for bounds and subscripts, such as a number of time steps."""


PLAIN: dict[object, ScalarType] = {
    float: ScalarType(float64, True),
    int: ScalarType(int64, True),
    Size: ScalarType(index, True),
    "float": ScalarType(float64, True),
    "int": ScalarType(int64, True),
}


def _tensor_type(face: str, items: Any, access: Access) -> TensorType:
    parts = items if isinstance(items, tuple) else (items,)
    if not parts or isinstance(parts[-1], int):
        raise AkgError(
            "AKG-E223",
            f"akg.{face}[...] has no dtype",
            because="the last item is the dtype, the items before it are the dimensions",
            hint=f'write akg.{face}[{", ".join(map(repr, parts))}, "float32"]',
        )
    return TensorType(tuple([_dimension(face, d) for d in parts[:-1]]), dtype_of(parts[-1]), access)


def _dimension(face: str, item: Any) -> Expr:
    if isinstance(item, int) and item >= 0:
        return Const(int(item))
    if isinstance(item, str):
        try:
            return _affine(ast.parse(item.strip(), mode="eval").body)
        except (SyntaxError, ValueError):
            pass
    raise AkgError(
        "AKG-E223",
        f"akg.{face}[...] has a dimension {item!r}",
        because="a dimension is a name, an integer that is not negative, or an affine string",
        hint='write a dimension as "n", 16 or "2*n + 1"',
    )


def _affine(node: ast.expr) -> Expr:
    """The expression of a dimension; ValueError if it is not affine."""
    if isinstance(node, ast.Name):
        return Var(node.id)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return Const(node.value)
    if isinstance(node, ast.BinOp):
        a, b = _affine(node.left), _affine(node.right)
        if isinstance(node.op, ast.Add):
            return a + b
        if isinstance(node.op, ast.Sub):
            return a - b
        if isinstance(node.op, ast.Mult) and (isinstance(a, Const) or isinstance(b, Const)):
            return a * b
        if isinstance(node.op, ast.FloorDiv) and isinstance(b, Const) and int(b) > 0:
            return a // b
    raise ValueError(ast.unparse(node))
