"""Calling compiled graphs with torch's tensors: memory is shared, results are made by torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from akg.base.target import Target
from akg.base.trace import logger
from akg.frontends.torch.importer import Imported, Layout, import_fx
from akg.frontends.torch.package import fake_tensor, fake_tensor_prop, fx, torch
from akg.fusion import CompiledGraph, compile_graph
from akg.poly.strategy import StrategyLike

_log = logger("torch")
_KEPT = 64


class TorchRunner:
    """An FX graph on akg's kernels. Kernels are built for the shapes of a call, and kept.

    Attributes:
        name: for messages.
        built: imported and compiled graphs by the shapes of their arguments.
    """

    def __init__(self, module: Any, name: str, target: str | Target | None, strategy: StrategyLike) -> None:
        self._module, self.name, self._target, self._strategy = module, name, target, strategy
        self.built: dict[tuple[Any, ...], _Call] = {}
        self._last: tuple[tuple[Any, ...] | None, _Call | None] = (None, None)

    @property
    def returns_one(self) -> bool:
        """Whether the graph returns a tensor, and not a tuple."""
        output = next(n for n in self._module.graph.nodes if n.op == "output")
        return not isinstance(output.args[0], (tuple, list))

    def prepare(self) -> None:
        """Build for the shapes that the graph's nodes carry, if they are known.

        Raises:
            AkgError: AKG-E741 for a node that akg does not compile.
        """
        fakes = [n.meta.get("val") for n in self._module.graph.nodes if n.op == "placeholder"]
        if all(_is_known(f) for f in fakes):
            self.built[_key(fakes)] = self._compiled(self._module)

    def __call__(self, *args: Any) -> tuple[Any, ...]:
        """The results for tensors and numbers."""
        key = _key(args)
        last, call = self._last
        if call is None or last != key:
            call = self.built.get(key)
            if call is None:
                call = self._specialised(args, key)
            self._last = key, call
        return call(args)

    def _specialised(self, args: Sequence[Any], key: tuple[Any, ...]) -> _Call:
        if self.built:
            _log.info("%s: built again for %s", self.name, [tuple(a.shape) for a in args if hasattr(a, "shape")])
        module = fx.GraphModule(self._module, self._copied())
        mode = fake_tensor.FakeTensorMode(allow_non_fake_inputs=True)
        fakes = [mode.from_tensor(a, static_shapes=True) if isinstance(a, torch.Tensor) else a for a in args]
        fake_tensor_prop.FakeTensorProp(module, mode).propagate_dont_convert_inputs(*fakes)
        places = [n for n in module.graph.nodes if n.op == "placeholder"]
        for node, fake in zip(places, fakes, strict=True):
            node.meta["val"] = fake
        while len(self.built) >= _KEPT:
            del self.built[next(iter(self.built))]
        call = self.built[key] = self._compiled(module)
        return call

    def _copied(self) -> Any:
        graph = fx.Graph()
        result = graph.graph_copy(self._module.graph, {})
        graph.output(result)
        return graph

    def _compiled(self, module: Any) -> _Call:
        imported = import_fx(module, self.name)
        return _Call(imported, compile_graph(imported.graph, target=self._target, strategy=self._strategy))

    def explain(self) -> str:
        """The fused kernels of each combination of shapes."""
        return "\n\n".join(call.compiled.explain() for call in self.built.values())


def _is_known(fake: Any) -> bool:
    if isinstance(fake, torch.Tensor):
        return all(isinstance(n, int) for n in (*fake.shape, *fake.stride()))
    return isinstance(fake, (int, float, bool)) and not isinstance(fake, torch.SymInt)


def _key(args: Sequence[Any]) -> tuple[Any, ...]:
    return tuple([(a.shape, a.stride()) if isinstance(a, torch.Tensor) else a for a in args])


class _Call:
    """One compiled graph: arrays over the arguments' memory, results allocated by torch."""

    def __init__(self, imported: Imported, compiled: CompiledGraph) -> None:
        self.imported, self.compiled = imported, compiled

    def __call__(self, args: Sequence[Any]) -> tuple[Any, ...]:
        imported = self.imported
        arrays = [_array(a, layout) for a, layout in zip(args, imported.inputs, strict=True) if layout is not None]
        results = [torch.empty_strided(y.shape, y.strides, dtype=y.dtype) for y in imported.layouts]
        if results:
            self.compiled.run(arrays, [_array(r, y) for r, y in zip(results, imported.layouts, strict=True)])
        return tuple([None if place is None else results[place] for place in imported.outputs])


def _array(tensor: Any, layout: Layout) -> Any:
    """A dense NumPy array over the memory of a tensor, its axes in the order of memory; a copy if it is not dense."""
    tensor = tensor.detach()
    if tensor.stride() != layout.strides and tensor.numel() > 0:
        dense = torch.empty_strided(layout.shape, layout.strides, dtype=tensor.dtype)
        dense.copy_(tensor)
        tensor = dense
    if not layout.is_plain:
        tensor = tensor.permute(layout.order)
    if tensor.dtype is torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    array: Any = tensor.numpy()
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)
