"""Operators that ONNX itself defines by others: their bodies, with attributes filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from akg.frontends.onnx.context import Operand, dtype_of_operand, shape_of
from akg.frontends.onnx.package import helper, onnx


def expansion(node: Any, version: int, operands: Sequence[Operand | None]) -> tuple[Any, dict[str, int]]:
    """The body of a node's operator for these operands, and the operator sets that it is written for.

    Returns:
        A FunctionProto without references to attributes, or None; and versions by domain.
    """
    try:
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError:
        return None, {}
    body = _body(schema, node, version, operands)
    if body is None:
        return None, {}
    given = {a.name: a for a in node.attribute}
    for name, attribute in schema.attributes.items():
        if name not in given and attribute.default_value.name:
            given[name] = attribute.default_value
    for inner in body.node:
        _fill(inner, given)
    return body, {s.domain: s.version for s in body.opset_import}


def _body(schema: Any, node: Any, version: int, operands: Sequence[Operand | None]) -> Any:
    text = b""
    if schema.has_context_dependent_function:
        types = [_type(o).SerializeToString() for o in operands]
        versions = [v for v in schema.context_dependent_function_opset_versions if v <= version]
        if versions:
            text = schema.get_context_dependent_function_with_opset_version(
                max(versions), node.SerializeToString(), types
            )
    elif schema.has_function:
        versions = [v for v in schema.function_opset_versions if v <= version]
        if versions:
            text = schema.get_function_with_opset_version(max(versions))
    if not text:
        return None
    body = onnx.FunctionProto()
    body.ParseFromString(text)
    return body


def _type(operand: Operand | None) -> Any:
    if operand is None:
        return onnx.TypeProto()
    kind = helper.np_dtype_to_tensor_dtype(dtype_of_operand(operand).numpy)
    return helper.make_tensor_type_proto(kind, shape_of(operand))


def _fill(node: Any, given: dict[str, Any]) -> None:
    """Put the values of the caller's attributes where the body refers to them; drop those without a value."""
    kept: list[Any] = []
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            value = given.get(attribute.ref_attr_name)
            if value is None:
                continue
            filled = onnx.AttributeProto()
            filled.CopyFrom(value)
            filled.name = attribute.name
            kept.append(filled)
            continue
        if attribute.HasField("g"):
            for inner in attribute.g.node:
                _fill(inner, given)
        kept.append(attribute)
    del node.attribute[:]
    node.attribute.extend(kept)
