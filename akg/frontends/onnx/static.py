"""Which inputs of a model decide shapes: kernels are built for their elements, not only for their shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from akg.frontends.onnx.package import onnx
from akg.frontends.onnx.table import find, static_inputs

# Their results are known from shapes alone.
_OF_SHAPES = frozenset({"Shape", "Size"})
_CONTROL = {"If": 1, "Loop": 2}  # operators, and how many of their first inputs choose what is computed
_FLOATS = frozenset({onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16,
                     onnx.TensorProto.BFLOAT16})  # fmt: skip


def deciding_inputs(graph: Any, versions: Mapping[str, int]) -> frozenset[str]:
    """Names of inputs whose elements must be known to convert a graph.

    Conditions and numbers of trips make inputs of integers, bools and single numbers known; what is computed of
    tensors of floats stays computed.
    """
    shapes, control = (_before(graph, names) for names in _needed(graph.node, versions))
    small = {i.name for i in graph.input if _is_choice(i.type.tensor_type)}
    return frozenset(i.name for i in graph.input if i.name in shapes | (control & small))


def _is_choice(kind: Any) -> bool:
    return kind.elem_type not in _FLOATS or (kind.HasField("shape") and all(d.dim_value == 1 for d in kind.shape.dim))


def _before(graph: Any, names: Iterable[str]) -> set[str]:
    """Names that these are computed of, with themselves."""
    producers = {output: node for node in graph.node for output in node.output if output}
    pending, seen = list(names), set[str]()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        node = producers.get(name)
        if node is not None and node.op_type not in _OF_SHAPES:
            pending.extend(n for n in _reads(node) if n)
    return seen


def _reads(node: Any) -> Iterable[str]:
    yield from node.input
    for attribute in node.attribute:
        if attribute.HasField("g"):
            for inner in attribute.g.node:
                yield from _reads(inner)


def _needed(nodes: Iterable[Any], versions: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Names at positions that must be known, and those that decide between branches and the number of trips."""
    shapes: list[str] = []
    control: list[str] = []
    for node in nodes:
        name = f"{node.domain}:{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        positions = static_inputs(name)
        if name in _CONTROL:
            control += [n for n in node.input[: _CONTROL[name]] if n]
        elif find(name) is None and not positions:
            positions = tuple(_of_function(node, versions))
        shapes += [node.input[p] for p in positions if p < len(node.input) and node.input[p]]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                inner = _needed(attribute.g.node, versions)
                shapes, control = shapes + inner[0], control + inner[1]
    return shapes, control


def _of_function(node: Any, versions: Mapping[str, int]) -> Iterable[int]:
    """Positions of inputs that the body of an operator needs to know."""
    try:
        schema = onnx.defs.get_schema(node.op_type, versions.get(node.domain, 1), node.domain)
    except onnx.defs.SchemaError:
        return
    if not schema.has_function:
        return  # of functions that depend on the context: none that we know decides a shape
    body = schema.function_body
    inner = {s.domain: s.version for s in body.opset_import}
    needed = _needed(body.node, {**versions, **inner})
    seen = _before(body, [*needed[0], *needed[1]])
    yield from (position for position, name in enumerate(body.input) if name in seen)
