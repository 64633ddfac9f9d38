"""From an ONNX graph to an operator graph, for given shapes and given elements of the inputs that decide shapes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from akg.base.dtype import DType, dtype_of
from akg.base.errors import AkgError
from akg.frontends.onnx.context import Call, Known, Operand, shape_of
from akg.frontends.onnx.functions import expansion
from akg.frontends.onnx.package import helper, numpy_helper, onnx, reference
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


@dataclass(slots=True)
class Scope:
    """Names of one graph or function, and the versions of the operator sets that it is written for."""

    versions: Mapping[str, int]
    names: dict[str, Operand | None] = field(default_factory=dict[str, "Operand | None"])
    outer: Scope | None = None

    def find(self, name: str) -> Operand | None:
        """What a name stands for; None for an operand that is left out.

        Raises:
            AkgError: AKG-E722 for a name that nothing defines.
        """
        if not name:
            return None
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        raise AkgError(
            "AKG-E722", f"nothing defines {name!r}", because="a node reads it before any node or input gives it",
            hint="check the model with onnx.checker.check_model",
        )  # fmt: skip


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
    if name in _CONTROL:
        return _CONTROL[name](builder, scope, node, operands, depth)
    folded = _folded(scope, node, operands)
    if folded is not None:
        return folded
    converter = find(name)
    if converter is not None:
        wanted = tuple(bool(output) for output in node.output)
        version = scope.versions.get(node.domain, 1)
        call = Call(name, version, operands, _attributes(node), builder, wanted)
        found = converter(call)
        return tuple(found) if isinstance(found, (tuple, list)) else (found,)
    if depth >= DEPTH:
        raise unsupported(f"functions nested {DEPTH} deep", f"{name} does not end")
    return _expand(builder, scope, node, operands, name, depth)


def _branch(
    builder: Builder, scope: Scope, node: Any, operands: list[Operand | None], depth: int
) -> Sequence[Operand | None]:
    condition = operands[0]
    if not isinstance(condition, np.ndarray):
        raise unsupported("If with a computed condition", "akg compiles one branch")
    attributes = {a.name: a.g for a in node.attribute}
    chosen = attributes["then_branch" if condition.reshape(-1)[0] else "else_branch"]
    inner = Scope(scope.versions, outer=scope)
    inner.names.update({tensor.name: to_array(tensor) for tensor in chosen.initializer})
    _run(builder, inner, chosen.node, depth + 1)
    return [inner.find(output.name) for output in chosen.output]


def _scan(
    builder: Builder, scope: Scope, node: Any, operands: list[Operand | None], depth: int
) -> Sequence[Operand | None]:
    """The body of a Scan once for each step."""
    attributes = _attributes(node)
    body, count = attributes["body"], attributes["num_scan_inputs"]
    if scope.versions.get("", 1) < 9:
        raise unsupported("Scan before version 9", "it had batches of sequences of different lengths")
    given = [o for o in operands if o is not None]
    state, sequences = given[: len(given) - count], given[len(given) - count :]
    axes = attributes.get("scan_input_axes") or [0] * count
    backwards = attributes.get("scan_input_directions") or [0] * count
    axes = [a % len(shape_of(s)) for a, s in zip(axes, sequences, strict=True)]
    steps = shape_of(sequences[0])[axes[0]]
    collected: list[list[Operand | None]] = []
    for step in range(steps):
        inner = Scope(scope.versions, outer=scope)
        inner.names.update({tensor.name: to_array(tensor) for tensor in body.initializer})
        pieces = [_slice(builder, s, a, steps - 1 - step if b else step)
                  for s, a, b in zip(sequences, axes, backwards, strict=True)]  # fmt: skip
        inner.names.update(zip([i.name for i in body.input], [*state, *pieces], strict=True))
        _run(builder, inner, body.node, depth + 1)
        results = [inner.find(output.name) for output in body.output]
        state = [r for r in results[: len(state)] if r is not None]
        collected.append(results[len(state) :])
    outputs: list[Operand | None] = list(state)
    reversals = attributes.get("scan_output_directions") or [0] * len(collected[0])
    places = attributes.get("scan_output_axes") or [0] * len(collected[0])
    for k, column in enumerate(zip(*collected, strict=True)):
        parts = [builder.constant(v) if isinstance(v, np.ndarray) else v for v in column]
        outputs.append(builder.apply("stack", parts[::-1] if reversals[k] else parts, axis=places[k]))
    return outputs


def _slice(builder: Builder, whole: Operand, axis: int, at: int) -> Operand:
    if isinstance(whole, np.ndarray):
        return np.take(whole, at, axis=axis)
    shape = shape_of(whole)
    piece = builder.apply("slice", whole, [at], [at + 1], axes=[axis])
    return builder.apply("reshape", piece, shape[:axis] + shape[axis + 1 :])  # type: ignore[no-any-return]


_CONTROL = {"If": _branch, "Scan": _scan}


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


def _attributes(node: Any) -> dict[str, Any]:
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


def _identifier(name: str) -> str:
    text = "".join(c if c.isalnum() and c.isascii() else "_" for c in name) or "graph"
    return text if text[0].isalpha() else f"_{text}"
