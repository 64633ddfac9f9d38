"""Local arrays of a script: ``np.zeros((n, m), np.float32)`` and its relatives."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from akg.base.dtype import DType, dtype_of, float64
from akg.base.errors import suggest
from akg.ir.expr import Const, Expr, Load
from akg.ir.rewrite import variables_of
from akg.ir.script.expressions import ExpressionLowering
from akg.ir.script.values import Value, literal, strong_type


def zeros(shape: int | tuple[int, ...], dtype: DType | str = "float64") -> npt.NDArray[Any]:
    """A local array of zeros; outside of a script, the NumPy array itself."""
    return np.zeros(shape, dtype_of(dtype).numpy)


def empty(shape: int | tuple[int, ...], dtype: DType | str = "float64") -> npt.NDArray[Any]:
    """A local array whose elements are not set; outside of a script, the NumPy array itself."""
    return np.empty(shape, dtype_of(dtype).numpy)


@dataclass(frozen=True, slots=True)
class Creation:
    """What a call creates: `element` gives the initial value at a subscript, None leaves it open."""

    shape: tuple[Expr, ...]
    dtype: DType
    element: Callable[[tuple[Expr, ...]], Value] | None


# function -> the position of its dtype, and the initial value
_BY_SHAPE: dict[Any, tuple[int, float | None]] = {
    np.zeros: (1, 0.0), np.ones: (1, 1.0), np.empty: (1, None), np.full: (2, None), zeros: (1, 0.0), empty: (1, None),
}  # fmt: skip
_BY_ARRAY: dict[Any, float | None] = {np.zeros_like: 0.0, np.ones_like: 1.0, np.empty_like: None}


def array_creation(lowering: ExpressionLowering, node: ast.expr) -> Creation | None:
    """The creation that `node` is a call of, or None."""
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute) and node.func.attr == "copy" and not node.args:
        array = lowering.array_of(node.func.value)
        if array is not None:
            old = array.buffer
            return Creation(old.shape, old.dtype, lambda at: Value(Load(old, at)))
    function = lowering.object_of(node.func)
    by_shape = next((v for k, v in _BY_SHAPE.items() if k is function), None)
    by_array = next((k for k in _BY_ARRAY if k is function), None)
    if by_shape is None and by_array is None:
        return None
    given: dict[str, ast.expr] = {}
    for keyword in node.keywords:
        if keyword.arg not in ("shape", "dtype", "fill_value"):
            lowering.source.fail(
                keyword, "AKG-E235", f"unknown argument {keyword.arg!r}",
                "a local array has a shape, a dtype and, for np.full, a fill_value",
                suggest(str(keyword.arg), ("shape", "dtype", "fill_value")),
            )  # fmt: skip
        given[str(keyword.arg)] = keyword.value
    names = ["shape", "fill_value", "dtype"] if function is np.full else ["shape", "dtype"]
    given.update(zip(names, node.args, strict=False))
    if "shape" not in given or len(node.args) > len(names):
        lowering.source.fail(
            node, "AKG-E235", f"`{ast.unparse(node)}` is not a local array", "a local array has a shape and a dtype",
            "write np.zeros((n, m), np.float64)",
        )  # fmt: skip
    if by_array is not None:
        return _like(lowering, node, given, _BY_ARRAY[by_array])
    assert by_shape is not None
    if function is np.full:
        return _full(lowering, node, given)
    dtype = lowering.dtype(given["dtype"]) if "dtype" in given else float64
    return Creation(_shape(lowering, given["shape"]), dtype, _constant(by_shape[1]))


def _constant(value: float | None) -> Callable[[tuple[Expr, ...]], Value] | None:
    return None if value is None else lambda _: literal(value)


def _like(lowering: ExpressionLowering, node: ast.Call, given: dict[str, ast.expr], value: float | None) -> Creation:
    array = lowering.array_of(given["shape"])
    if array is None:
        lowering.source.fail(
            given["shape"], "AKG-E235", f"`{ast.unparse(given['shape'])}` is not an array",
            f"`{ast.unparse(node.func)}` takes the shape and the dtype from an array", "use np.zeros((n, m), dtype)",
        )  # fmt: skip
    dtype = lowering.dtype(given["dtype"]) if "dtype" in given else array.buffer.dtype
    return Creation(array.buffer.shape, dtype, _constant(value))


def _full(lowering: ExpressionLowering, node: ast.Call, given: dict[str, ast.expr]) -> Creation:
    if "fill_value" not in given:
        lowering.source.fail(node, "AKG-E235", "np.full has no fill value", "", "write np.full((n, m), 1.0)")
    value = lowering.value(given["fill_value"])
    dtype = lowering.dtype(given["dtype"]) if "dtype" in given else strong_type(value)
    return Creation(_shape(lowering, given["shape"]), dtype, lambda _: value)


def _shape(lowering: ExpressionLowering, node: ast.expr) -> tuple[Expr, ...]:
    known = lowering.shape_of(node)
    if known is not None:
        return known
    items = node.elts if isinstance(node, (ast.Tuple, ast.List)) else [node]
    shape = tuple([lowering.affine(item, "dimension") for item in items])
    for item, size in zip(items, shape, strict=True):
        if any(v in lowering.iterators for v in variables_of(size)):
            lowering.source.fail(
                item, "AKG-E235", f"dimension `{ast.unparse(item)}` changes from iteration to iteration",
                "the size of a local array depends only on sizes of the kernel", "allocate for the largest iteration",
            )  # fmt: skip
        if isinstance(size, Const) and int(size) < 0:
            lowering.source.fail(item, "AKG-E235", f"dimension `{ast.unparse(item)}` is negative", "", "")
    return shape
