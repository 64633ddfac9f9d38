"""From an ONNX graph to an operator graph, for given shapes and given elements of the inputs that decide shapes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from akg.base.dtype import DType
from akg.base.errors import AkgError
from akg.frontends.onnx.context import Call, Known, Operand
from akg.frontends.onnx.control import CONTROL, Inside, Scope
from akg.frontends.onnx.functions import expansion
from akg.frontends.onnx.package import helper, onnx, reference
from akg.frontends.onnx.protos import attributes_of
from akg.frontends.onnx.table import find, unsupported
from akg.fusion import Builder
from akg.ir.graph import Graph, Value

DEPTH = 16  # of functions and branches inside each other


@dataclass(frozen=True, slots=True)
class Imported:
    """An operator graph, and where each output of the model comes from.

    Attributes:
        graph: its inputs are the model's inputs whose elements it does not know.
        outputs: for each output of the model, known elements, or None for the next output of the graph.
    """

    graph: Graph
    outputs: tuple[Known | None, ...]


def import_graph(
    proto: Any, versions: Mapping[str, int], shapes: Mapping[str, tuple[tuple[int, ...], DType]],
    known: Mapping[str, Known], constants: Mapping[str, Known],
) -> Imported:  # fmt: skip
    """Convert the nodes of a graph.

    Args:
        proto: the GraphProto.
        versions: of the operator sets, by domain.
        shapes: shape and type of each input whose elements are not known, in calling order.
        known: the elements of the other inputs.
        constants: the elements of initializers.

    Raises:
        AkgError: AKG-E721 for what akg.onnx does not have, AKG-E722 for a malformed model, and the operators' errors.
    """
    builder = Builder(_identifier(proto.name))
    scope = Scope(versions)
    scope.names.update(constants)
    scope.names.update(known)
    for name, (shape, dtype) in shapes.items():
        scope.names[name] = builder.input(_identifier(name), shape, dtype)
    _run(builder, scope, proto.node, 0)
    results = [scope.find(output.name) for output in proto.output]
    outputs: list[Value] = []
    fixed: list[Known | None] = []
    for output, result in zip(proto.output, results, strict=True):
        if result is None:
            raise unsupported(f"output {output.name!r} that is absent", "akg has no optional results")
        fixed.append(None if isinstance(result, Value) else result)
        if isinstance(result, Value):
            outputs.append(result)
    return Imported(builder.finish(outputs), tuple(fixed))


def _run(builder: Builder, scope: Scope, nodes: Sequence[Any], depth: int) -> None:
    for node in nodes:
        operands = [scope.find(name) for name in node.input]
        results = _convert(builder, scope, node, operands, depth)
        for name, result in zip(node.output, results, strict=False):
            if name:
                scope.names[name] = result


def _convert(
    builder: Builder, scope: Scope, node: Any, operands: list[Operand | None], depth: int
) -> Sequence[Operand | None]:
    name = f"{node.domain}:{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
    _check_node(node, scope.versions.get(node.domain, 1))
    if name in CONTROL:
        return CONTROL[name](Inside(builder, scope, depth, _run), node, operands)
    folded = _folded(scope, node, operands)
    if folded is not None:
        return folded
    converter = find(name)
    if converter is not None:
        wanted = tuple(bool(output) for output in node.output)
        version = scope.versions.get(node.domain, 1)
        call = Call(name, version, operands, attributes_of(node), builder, wanted)
        found = converter(call)
        return tuple(found) if isinstance(found, (tuple, list)) else (found,)
    if depth >= DEPTH:
        raise unsupported(f"functions nested {DEPTH} deep", f"{name} does not end")
    return _expand(builder, scope, node, operands, name, depth)


def _check_node(node: Any, version: int) -> None:
    """Refuse a node without what its operator requires: AKG-E722."""
    schema = _schema(node.op_type, version, node.domain)
    if schema is None:
        return
    required, least = schema
    missing = required - {a.name for a in node.attribute}
    if missing:
        raise AkgError(
            "AKG-E722", f"{node.op_type} without attribute {min(missing)!r}", because="the operator needs it",
            hint="check the model with onnx.checker.check_model",
        )  # fmt: skip
    if len(node.input) < least:
        raise AkgError(
            "AKG-E722", f"{node.op_type} with {len(node.input)} inputs", because=f"it takes {least} at least",
            hint="check the model with onnx.checker.check_model",
        )  # fmt: skip


@functools.cache
def _schema(operator: str, version: int, domain: str) -> tuple[frozenset[str], int] | None:
    """The attributes that an operator requires, and its least number of inputs; None for one that ONNX lacks."""
    try:
        schema = onnx.defs.get_schema(operator, version, domain)
    except onnx.defs.SchemaError:
        return None
    return frozenset(n for n, a in schema.attributes.items() if a.required), schema.min_input


def _expand(
    builder: Builder, scope: Scope, node: Any, operands: list[Operand | None], name: str, depth: int
) -> Sequence[Operand | None]:
    """The results of an operator that ONNX defines by a function of others."""
    body, versions = expansion(node, scope.versions.get(node.domain, 1), operands)
    if body is None:
        raise unsupported(f"operator {name}", "it is neither converted nor defined by others that are")
    inner = Scope({**scope.versions, **versions})
    inner.names.update(itertools.zip_longest(body.input, operands[: len(body.input)]))
    _run(builder, inner, body.node, depth + 1)
    return [inner.names.get(output) for output in body.output]  # bodies may leave optional results out


def _folded(scope: Scope, node: Any, operands: Sequence[Operand | None]) -> Sequence[Operand | None] | None:
    """The results of a node whose operands are all known: by ONNX's own definition, in NumPy."""
    known = [o for o in operands if o is not None]
    if any(isinstance(o, Value) for o in known) or node.op_type in _NOT_FOLDED:
        return None
    if any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute):
        return None
    sets = [helper.make_opsetid(domain, version) for domain, version in scope.versions.items()]
    names = dict.fromkeys(name for name, o in zip(node.input, operands, strict=True) if name and o is not None)
    inputs = [helper.make_tensor_value_info(n, onnx.TensorProto.UNDEFINED, None) for n in names]
    outputs = [helper.make_tensor_value_info(n, onnx.TensorProto.UNDEFINED, None) for n in node.output if n]
    try:
        model = helper.make_model(helper.make_graph([node], "fold", inputs, outputs), opset_imports=sets)
        fed = {n: o for n, o in zip(node.input, operands, strict=True) if n}
        found = iter(reference.ReferenceEvaluator(model).run(None, fed))
    except Exception:  # what ONNX's evaluator does not do, our own converter may
        return None
    results = [next(found) if name else None for name in node.output]
    lists = [name for name, r in zip(node.output, results, strict=True) if isinstance(r, list)]
    if lists:
        raise unsupported("sequences", f"{lists[0]!r} is one")
    return [None if r is None else np.asarray(r) for r in results]


_NOT_FOLDED = frozenset({"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli",
                         "Multinomial", "Dropout"})  # fmt: skip


def _identifier(name: str) -> str:
    text = "".join(c if c.isalnum() and c.isascii() else "_" for c in name) or "graph"
    return text if text[0].isalpha() else f"_{text}"
