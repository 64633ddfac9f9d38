"""Which inputs of a model decide shapes: kernels are built for their elements, not only for their shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from akg.frontends.onnx.package import onnx
from akg.frontends.onnx.table import find, static_inputs

# Their results are known from shapes alone.
_OF_SHAPES = frozenset({"Shape", "Size"})


def deciding_inputs(graph: Any, versions: Mapping[str, int]) -> frozenset[str]:
    """Names of inputs whose elements must be known to convert a graph."""
    producers = {output: node for node in graph.node for output in node.output if output}
    pending = list(_needed(graph.node, versions))
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        node = producers.get(name)
        if node is not None and node.op_type not in _OF_SHAPES:
            pending.extend(n for n in _reads(node) if n)
    return frozenset(i.name for i in graph.input if i.name in seen)


def _reads(node: Any) -> Iterable[str]:
    yield from node.input
    for attribute in node.attribute:
        if attribute.HasField("g"):
            for inner in attribute.g.node:
                yield from _reads(inner)


def _needed(nodes: Iterable[Any], versions: Mapping[str, int]) -> Iterable[str]:
    """Names that stand at positions that must be known."""
    for node in nodes:
        name = f"{node.domain}:{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        positions = (0,) if name == "If" else static_inputs(name)
        if find(name) is None and not positions:
            positions = tuple(_of_function(node, versions))
        yield from (node.input[p] for p in positions if p < len(node.input) and node.input[p])
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _needed(attribute.g.node, versions)


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
    producers = {output: n for n in body.node for output in n.output}
    pending, seen = list(_needed(body.node, {**versions, **inner})), set[str]()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        maker = producers.get(name)
        if maker is not None and maker.op_type not in _OF_SHAPES:
            pending.extend(n for n in _reads(maker) if n)
    yield from (position for position, name in enumerate(body.input) if name in seen)
