"""Calling compiled graphs with torch's tensors: memory is shared, results are made by torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from akg.base.errors import AkgError
from akg.base.target import Target
from akg.base.trace import logger
from akg.frontends.torch.importer import Imported, Layout, Same, View, import_fx
from akg.frontends.torch.package import fake_tensor, fake_tensor_prop, fx, guards, torch
from akg.frontends.torch.symbols import hint_of, is_symbolic, plain_symbol, symbols_of, value_of
from akg.frontends.torch.table import unsupported
from akg.fusion import CompiledGraph, compile_graph
from akg.poly.strategy import StrategyLike
from akg.runtime.buffer import empty_aligned

_log = logger("torch")
_KEPT = 64
POOLED_BYTES = 1 << 17  # of results: the system makes smaller ones in pages that are there
_empty: Callable[[tuple[int, ...], tuple[int, ...], Any], Any] = guards._empty_strided_cpu
_reinterpret: Callable[[Any, tuple[int, ...], tuple[int, ...], int], Any] = guards._reinterpret_tensor


class TorchRunner:
    """An FX graph on akg's kernels: built once for symbolic sizes, else for the sizes of each call. Both are kept.

    Attributes:
        name: for messages.
        programs: what was built, in order.
    """

    def __init__(self, module: Any, name: str, target: str | Target | None, strategy: StrategyLike) -> None:
        self._module, self.name, self._target, self._strategy = module, name, target, strategy
        self.programs: list[_Program] = []
        self._calls: dict[tuple[Any, ...], _Call] = {}
        self._last: _Call | None = None

    @property
    def returns_one(self) -> bool:
        """Whether the graph returns a tensor, and not a tuple."""
        output = next(n for n in self._module.graph.nodes if n.op == "output")
        return not isinstance(output.args[0], (tuple, list))

    def prepare(self) -> None:
        """Build for the shapes that the graph's nodes carry: symbolic ones if that can be, else those of the example.

        Raises:
            AkgError: AKG-E741 for a node that akg does not compile.
        """
        fakes = [n.meta.get("val") for n in self._module.graph.nodes if n.op == "placeholder"]
        if all(_is_known(f) for f in fakes):
            self.programs.append(self._compiled(self._module))
            return
        try:
            self.programs.append(self._compiled(self._module))
        except AkgError as error:
            _log.info("%s: built for each shape: %s (%s)", self.name, error.message, error.because)
            self._specialise(fakes)

    def __call__(self, args: Sequence[Any]) -> list[Any]:
        """The results for tensors and numbers."""
        call = self._last
        if call is None or not call.fits(args):
            call = self._last = self._found(args)
        return call(args)

    def _found(self, args: Sequence[Any]) -> _Call:
        key = tuple([(a.shape, a.stride()) if isinstance(a, torch.Tensor) else a for a in args])
        call = self._calls.get(key)
        if call is None:
            fitting = (p.bound(args) for p in self.programs)
            call = next((c for c in fitting if c is not None), None) or self._specialise(args).bound(args)
            if call is None:
                raise unsupported(f"{self.name} on these arguments", "they are not what the graph was traced for")
            while len(self._calls) >= _KEPT:
                del self._calls[next(iter(self._calls))]
            self._calls[key] = call
        return call

    def _specialise(self, args: Sequence[Any]) -> _Program:
        """Build for the shapes of tensors, which may be fake and symbolic."""
        if self.programs:
            _log.info("%s: built again for %s", self.name, [tuple(a.shape) for a in args if hasattr(a, "shape")])
        module = fx.GraphModule(self._module, self._copied())
        with fake_tensor.FakeTensorMode(allow_non_fake_inputs=True) as mode:
            fakes = [_concrete(a) for a in args]
            fake_tensor_prop.FakeTensorProp(module, mode).propagate_dont_convert_inputs(*fakes)
        places = [n for n in module.graph.nodes if n.op == "placeholder"]
        for node, fake in zip(places, fakes, strict=True):
            node.meta["val"] = fake
        while len(self.programs) >= _KEPT:
            del self.programs[0]
        self.programs.append(self._compiled(module))
        return self.programs[-1]

    def _copied(self) -> Any:
        graph = fx.Graph()
        result = graph.graph_copy(self._module.graph, {})
        graph.output(result)
        return graph

    def _compiled(self, module: Any) -> _Program:
        imported = import_fx(module, self.name)
        compiled = None
        if imported.graph is not None:
            compiled = compile_graph(imported.graph, self._target, self._strategy, own_outputs=True)
        return _Program(imported, compiled, self.name)

    def explain(self) -> str:
        """The fused kernels of each combination of shapes that was built."""
        return "\n\n".join(p.compiled.explain() for p in self.programs if p.compiled is not None)


def _is_known(fake: Any) -> bool:
    if isinstance(fake, torch.Tensor):
        return not any(is_symbolic(n) for n in (*fake.shape, *fake.stride()))
    return not is_symbolic(fake)


def _concrete(arg: Any) -> Any:
    """A fake tensor of the sizes that a tensor has, or had in the example; numbers likewise."""
    if not isinstance(arg, torch.Tensor):
        return hint_of(arg) if isinstance(arg, torch.SymInt) else arg
    shape, strides = [hint_of(n) for n in arg.shape], [hint_of(n) for n in arg.stride()]
    return torch.empty_strided(shape, strides, dtype=arg.dtype)


class _Program:
    """An imported and compiled graph, whose sizes may be symbols."""

    def __init__(self, imported: Imported, compiled: CompiledGraph | None, name: str) -> None:
        self.imported, self.compiled = imported, compiled
        self._sources: dict[str, tuple[int, int | None]] = {}  # where a symbol's value is: argument, and axis
        for k, given in enumerate(imported.inputs):
            places = enumerate(given.shape) if isinstance(given, Layout) else [(None, given)]
            for axis, size in places:
                if plain_symbol(size):
                    self._sources.setdefault(plain_symbol(size), (k, axis))
        sizes = [n for given in imported.inputs for n in (given.shape if isinstance(given, Layout) else [given])]
        missing = symbols_of(sizes) - set(self._sources)
        if missing:
            raise unsupported(f"{name} over {', '.join(sorted(missing))}", "no argument's shape tells it")

    def bound(self, args: Sequence[Any]) -> _Call | None:
        """The program for arguments of these sizes; None if it is for others."""
        values = {name: int(args[k] if axis is None else args[k].shape[axis])
                  for name, (k, axis) in self._sources.items()}  # fmt: skip
        for arg, given in zip(args, self.imported.inputs, strict=True):
            if isinstance(given, Layout):
                if tuple(arg.shape) != given.extents(values):
                    return None
            elif isinstance(arg, (int, float)) and arg != (
                value_of(given, values) if isinstance(given, torch.SymInt) else given
            ):
                return None
        return _Call(self.imported, self.compiled, values, args)


class _Call:
    """A compiled graph with the shapes and strides of its arguments known: addresses in, results made by torch."""

    def __init__(
        self, imported: Imported, compiled: CompiledGraph | None, values: Mapping[str, int], args: Sequence[Any]
    ) -> None:
        self._numbers: list[tuple[int, Any]] = []
        self._tensors: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []
        self._copied: list[tuple[int, tuple[int, ...]]] = []
        for k, (arg, given) in enumerate(zip(args, imported.inputs, strict=True)):
            if isinstance(given, Layout):
                shape, strides = tuple(arg.shape), tuple(arg.stride())
                self._tensors.append((k, shape, strides))
                dense = given.strides(shape)
                if 0 not in shape and any(s != t and n > 1 for n, s, t in zip(shape, strides, dense, strict=True)):
                    self._copied.append((k, dense))
            else:
                self._numbers.append((k, arg))
        self._read = [k for k, _, _ in self._tensors]
        self._made: list[tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...], Any]] = []
        for layout in imported.layouts:
            shape = layout.extents(values)
            make = _pooled if prod(shape) * layout.dtype.itemsize >= POOLED_BYTES else _empty
            self._made.append((make, shape, layout.strides(shape), layout.dtype))
        self._run = None if compiled is None else compiled.bind(values)
        self._views = [(k, r.is_argument, r.base, *_placed(r, values))
                       for k, r in enumerate(imported.results) if isinstance(r, View)]  # fmt: skip
        self._same = [(k, r.position) for k, r in enumerate(imported.results) if isinstance(r, Same)]
        self._results = tuple([r if isinstance(r, int) else -1 for r in imported.results])
        self._is_direct = self._results == tuple(range(len(self._made)))

    def fits(self, args: Sequence[Any]) -> bool:
        """Whether arguments have the sizes and strides that the call is for."""
        for k, shape, strides in self._tensors:
            arg = args[k]
            if arg.shape != shape or arg.stride() != strides:
                return False
        return not self._numbers or all(args[k] == number for k, number in self._numbers)

    def __call__(self, args: Sequence[Any]) -> list[Any]:
        """Run."""
        made = [make(shape, strides, dtype) for make, shape, strides, dtype in self._made]
        if self._run is not None:
            held = args
            if self._copied:
                held = list(args)
                for k, strides in self._copied:
                    held[k] = _empty(tuple(args[k].shape), strides, args[k].dtype).copy_(args[k].detach())
            addresses = [held[k].data_ptr() for k in self._read]
            addresses += [t.data_ptr() for t in made]
            self._run(addresses)
        if self._is_direct:
            return made
        results = [made[p] if p >= 0 else None for p in self._results]
        for k, position in self._same:
            results[k] = args[position]
        for k, is_argument, base, shape, strides, offset in self._views:
            results[k] = _reinterpret(args[base] if is_argument else made[base], shape, strides, offset)
        return results


def _pooled(shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any) -> Any:
    """A dense tensor in memory that earlier results have left, whose pages are there already."""
    memory = empty_aligned((prod(shape) * dtype.itemsize,), np.dtype(np.uint8))
    return _reinterpret(torch.frombuffer(memory, dtype=dtype), shape, strides, 0)


def _placed(view: View, values: Mapping[str, int]) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    shape, strides = (tuple([value_of(n, values) for n in sizes]) for sizes in (view.shape, view.strides))
    return shape, strides, value_of(view.offset, values)
