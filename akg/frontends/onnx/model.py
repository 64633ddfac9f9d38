"""Models: kernels for each combination of input shapes, and for the elements of inputs that decide shapes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from akg.base.dtype import DType, dtype_of
from akg.base.errors import AkgError, user_facing
from akg.base.target import Target
from akg.base.trace import logger
from akg.frontends.onnx.context import Known
from akg.frontends.onnx.importer import Imported, import_graph
from akg.frontends.onnx.package import inliner, onnx
from akg.frontends.onnx.protos import element_type, to_array
from akg.frontends.onnx.static import deciding_inputs
from akg.frontends.onnx.table import unsupported
from akg.fusion import CompiledGraph, compile_graph
from akg.poly.strategy import StrategyLike

_log = logger("onnx")
_KEPT = 64  # specialisations of one model


class OnnxModel:
    """A model. Called with its inputs, in order or by name, it returns its outputs: an array, or a tuple of several.

    Kernels are built at the first call with new input shapes. Inputs that decide shapes, such as that of Reshape, are
    known by their elements; new elements build again, which the log `onnx` says.

    Attributes:
        inputs: names of the inputs, without initializers.
        outputs: names of the outputs.
        static: the inputs whose elements decide shapes.
    """

    def __init__(self, proto: Any, target: str | Target | None, strategy: StrategyLike) -> None:
        if not len(proto.graph.output):
            raise AkgError("AKG-E722", "the model has no outputs", because="its graph is empty, or was cut off",
                           hint="check the model with onnx.checker.check_model")  # fmt: skip
        proto = inliner.inline_local_functions(proto) if len(proto.functions) else proto
        self._graph, self._target, self._strategy = proto.graph, target, strategy
        self._versions = {("" if s.domain == "ai.onnx" else s.domain): s.version for s in proto.opset_import}
        if len(self._graph.sparse_initializer):
            raise unsupported("sparse initializers", "akg's tensors are dense")
        self._constants: dict[str, Known] = {t.name: to_array(t) for t in self._graph.initializer}
        self.inputs = tuple(i.name for i in self._graph.input if i.name not in self._constants)
        self.outputs = tuple(o.name for o in self._graph.output)
        decisive = deciding_inputs(self._graph, self._versions)
        self.static = tuple(name for name in self.inputs if name in decisive)
        self._types = {i.name: self._type_of(i) for i in self._graph.input if i.name in self.inputs}
        self._built: dict[tuple[Any, ...], tuple[Imported, CompiledGraph]] = {}

    @staticmethod
    def _type_of(info: Any) -> DType:
        kind = info.type.WhichOneof("value")
        if kind != "tensor_type":
            raise unsupported(f"input {info.name!r}", f"it is a {(kind or 'value without type').removesuffix('_type')}")
        return element_type(info.type.tensor_type.elem_type, f"input {info.name!r}")

    def declared(self) -> list[tuple[tuple[int | str, ...], DType]]:
        """Shape and type of each input as the model declares them; unknown sizes are names."""
        found: list[tuple[tuple[int | str, ...], DType]] = []
        for info in self._graph.input:
            if info.name in self._types:
                dims = info.type.tensor_type.shape.dim
                sizes = [d.dim_value if d.HasField("dim_value") else d.dim_param or f"{info.name}_{k}"
                         for k, d in enumerate(dims)]  # fmt: skip
                found.append((tuple(sizes), self._types[info.name]))
        return found

    @user_facing
    def __call__(self, *args: Any, **named: Any) -> Any:
        """Run the model.

        Raises:
            AkgError: AKG-E723 for inputs that do not fit, AKG-E721 for operators that akg does not have.
        """
        results = self.run(args, named)
        return results[0] if len(results) == 1 else tuple(results)

    @user_facing
    def run(self, args: Sequence[Any] = (), named: Mapping[str, Any] | None = None) -> list[Any]:
        """As a call, with a list as result."""
        arrays = self._arrays(args, named or {})
        imported, compiled = self._specialised(arrays)
        computed = iter(compiled.run([arrays[n] for n in self.inputs if n not in self.static]))
        return [next(computed) if known is None else known.copy() for known in imported.outputs]

    @user_facing
    def compile(self, *args: Any, **named: Any) -> CompiledGraph:
        """The kernels for the shapes of these inputs."""
        return self._specialised(self._arrays(args, named))[1]

    def explain(self) -> str:
        """The fused kernels of each combination of shapes seen so far."""
        return "\n\n".join(compiled.explain() for _, compiled in self._built.values())

    def _arrays(self, args: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
        given = dict(zip(self.inputs, args, strict=False))
        twice = [n for n in named if n in given]
        if len(args) > len(self.inputs) or twice or set(given) | set(named) != set(self.inputs):
            raise AkgError(
                "AKG-E723",
                f"got {len(args)} inputs" + (f" and {', '.join(named)}" if named else ""),
                because=f"the model takes {', '.join(self.inputs) or 'none'}",
                hint="pass each input once",
            )
        given.update(named)
        return {name: self._array(name, value) for name, value in given.items()}

    def _array(self, name: str, value: Any) -> Any:
        array = value if hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray) else np.ascontiguousarray(
            value).reshape(np.shape(value))
        found, wanted = dtype_of(array.dtype), self._types[name]
        if found is not wanted:
            raise AkgError(
                "AKG-E723", f"input {name!r} has elements of type {found}", because=f"the model declares {wanted}",
                hint=f"convert it with .astype({wanted.name!r})",
            )  # fmt: skip
        return array

    def _specialised(self, arrays: Mapping[str, Any]) -> tuple[Imported, CompiledGraph]:
        known = {name: np.asarray(arrays[name]) for name in self.static}
        shapes = {n: (tuple(arrays[n].shape), self._types[n]) for n in self.inputs if n not in known}
        key = (
            tuple(shape for shape, _ in shapes.values()),
            tuple((a.shape, a.tobytes()) for a in known.values()),
        )
        found = self._built.get(key)
        if found is None:
            if self._built:
                _log.info("%s: built again for %s", self._graph.name, self._described(shapes, known))
            imported = import_graph(self._graph, self._versions, shapes, known, self._constants)
            found = imported, compile_graph(imported.graph, target=self._target, strategy=self._strategy)
            while len(self._built) >= _KEPT:
                del self._built[next(iter(self._built))]
            self._built[key] = found
        return found

    @staticmethod
    def _described(shapes: Mapping[str, Any], known: Mapping[str, Known]) -> str:
        parts = [f"{name} of shape {shape}" for name, (shape, _) in shapes.items()]
        return ", ".join(parts + [f"{name} = {array.tolist()}" for name, array in known.items()])


@user_facing
def load(
    model: Any, *, target: str | Target | None = None, strategy: StrategyLike = None
) -> OnnxModel:  # fmt: skip
    """A model that runs on akg's kernels.

    Args:
        model: a path, the bytes of a file, or an `onnx.ModelProto`.
        target: of the kernels; None: the option `target`.
        strategy: of the kernels; None: the option `strategy`.

    Raises:
        AkgError: AKG-E720 without the package onnx, AKG-E722 for something that is no model, AKG-E721 for what akg.onnx
            does not have.
    """
    return OnnxModel(_proto(model), target, strategy)


def _proto(model: Any) -> Any:
    if isinstance(model, onnx.ModelProto):
        return model
    try:
        if isinstance(model, (str, os.PathLike)):
            return onnx.load(os.fspath(model))
        if isinstance(model, (bytes, bytearray)):
            return onnx.load_model_from_string(bytes(model))
    except FileNotFoundError as error:
        raise AkgError("AKG-E722", f"cannot read {error.filename}", because="there is no such file") from None
    except Exception as error:  # protobuf's own errors have no common public class
        raise AkgError("AKG-E722", "this is no ONNX model", because=str(error) or type(error).__name__) from None
    raise AkgError(
        "AKG-E722", f"an object of type {type(model).__name__} is no ONNX model",
        because="a model is a path, bytes or an onnx.ModelProto",
    )  # fmt: skip
