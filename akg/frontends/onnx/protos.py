"""Tensors, element types and attributes of ONNX's messages as Python's and NumPy's."""

from __future__ import annotations

from typing import Any

from akg.base.dtype import DType, dtype_of
from akg.base.errors import AkgError
from akg.frontends.onnx.context import Known
from akg.frontends.onnx.package import helper, numpy_helper, onnx
from akg.frontends.onnx.table import unsupported


def to_array(tensor: Any) -> Known:
    """The elements of a TensorProto.

    Raises:
        AkgError: AKG-E721 for an element type that akg does not have.
    """
    try:
        array = numpy_helper.to_array(tensor)
    except (TypeError, ValueError) as error:
        raise AkgError("AKG-E722", f"tensor {tensor.name!r} cannot be read", because=str(error)) from None
    if array.dtype.kind in "US" or array.dtype == object:
        raise unsupported("strings", f"tensor {tensor.name!r} holds them")
    return array


def element_type(number: int, what: str) -> DType:
    """The dtype of an ONNX element type.

    Raises:
        AkgError: AKG-E721 for one that akg does not have.
    """
    try:
        return dtype_of(helper.tensor_dtype_to_np_dtype(number))
    except (AkgError, KeyError, TypeError):
        kind = onnx.TensorProto.DataType.Name(number) if number in onnx.TensorProto.DataType.values() else str(number)
        raise unsupported(f"elements of type {kind}", f"{what} has them") from None


def attributes_of(node: Any) -> dict[str, Any]:
    """The attributes of a node as Python values; tensors as arrays."""
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        found[attribute.name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return to_array(value)
    if isinstance(value, (list, tuple)) or type(value).__name__.startswith("Repeated"):
        return [_plain(v) for v in value]
    return value
