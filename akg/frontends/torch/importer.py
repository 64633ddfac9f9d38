"""From an FX graph of ATen operators to an operator graph; sizes are integers, or affine in torch's symbols."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from akg.base.errors import AkgError
from akg.frontends.torch.context import Call, dtype_or_refusal
from akg.frontends.torch.package import torch
from akg.frontends.torch.symbols import expr_of, hint_of, is_equal, size_of, sizes_of, value_of
from akg.frontends.torch.table import find, name_of, unsupported
from akg.fusion import Builder
from akg.ir.affine import Affine
from akg.ir.expr import Const, Expr
from akg.ir.graph import Graph, Value


@dataclass(frozen=True, slots=True)
class Layout:
    """A tensor of torch in memory: dense, its axes in some order.

    Attributes:
        shape: as torch has it: integers and SymInts.
        dtype: torch's.
        order: the axes from the outermost to the innermost in memory.
        is_exact: whether torch's tensor lies so; else it has gaps or overlaps, and is copied.
    """

    shape: tuple[Any, ...]
    dtype: Any
    order: tuple[int, ...]
    is_exact: bool

    @property
    def is_plain(self) -> bool:
        """Whether the axes lie in their own order."""
        return self.order == tuple(range(len(self.order)))

    def extents(self, values: Mapping[str, int]) -> tuple[int, ...]:
        """The shape, symbols replaced."""
        return tuple([value_of(n, values) for n in self.shape])

    def strides(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The strides, of elements, under an integer shape."""
        found, step = [0] * len(shape), 1
        for d in reversed(self.order):
            found[d] = step
            step *= max(1, shape[d])
        return tuple(found)


@dataclass(frozen=True, slots=True)
class View:
    """A result that lies in the memory of something else.

    Attributes:
        base: the position of an argument, or of an output of the graph.
        is_argument: which of the two.
        shape: of the view, with SymInts.
        strides: of the view, with SymInts.
        offset: of its first element from the base's, in elements.
    """

    base: int
    is_argument: bool
    shape: tuple[Any, ...]
    strides: tuple[Any, ...]
    offset: Any


@dataclass(frozen=True, slots=True)
class Same:
    """A result that is an argument.

    Attributes:
        position: of the argument.
    """

    position: int


@dataclass(frozen=True, slots=True)
class Imported:
    """An operator graph, and how torch's tensors lie in memory.

    Attributes:
        graph: its inputs and outputs are dense; axes are in the order of memory. None where nothing is computed.
        inputs: for each argument its layout, or the number that it is (an integer or a SymInt).
        results: for each result a position among the graph's outputs, a view, an argument, or None for None.
        layouts: of the graph's outputs.
    """

    graph: Graph | None
    inputs: tuple[Any, ...]
    results: tuple[int | View | Same | None, ...]
    layouts: tuple[Layout, ...]


class NodeError(AkgError):
    """Why a node of an FX graph is not compiled.

    Attributes:
        node: its name in the graph.
    """

    def __init__(self, error: AkgError, node: str) -> None:
        super().__init__(error.code, error.message, span=error.span, because=error.because, hint=error.hint)
        self.node = node


def layout_of(fake: Any) -> Layout:
    """The layout of a tensor; one that is not dense is taken as if it were, and copied by the caller."""
    shape, strides = tuple(fake.shape), tuple(fake.stride())
    hints = [hint_of(s) for s in strides]
    order = tuple(sorted(range(len(shape)), key=lambda d: (-hints[d], d)))
    expected: Any = 1
    for d in reversed(order):
        extent = expr_of(shape[d])
        if extent != 1 and not is_equal(expr_of(strides[d]), expected):
            return Layout(shape, fake.dtype, tuple(range(len(shape))), fake.numel() == 0)
        expected = expected * (extent if extent != 0 else 1)
    return Layout(shape, fake.dtype, order, True)


def import_fx(module: Any, name: str) -> Imported:
    """Convert an FX graph whose nodes carry fake tensors.

    Raises:
        NodeError: AKG-E741 for a node that akg does not compile, and the operators' own errors.
        AkgError: AKG-E741 for a graph that computes nothing.
    """
    builder = Builder(name)
    known: dict[Any, Any] = {}
    inputs: list[Any] = []
    for node in module.graph.nodes:
        if node.op == "placeholder":
            inputs.append(_input(builder, node, known))
        elif node.op == "get_attr":
            known[node] = _constant(builder, module, node)
        elif node.op == "call_function":
            try:
                known[node] = convert(builder, node, known)
            except AkgError as error:
                raise NodeError(error, node.name) from error
        elif node.op == "output":
            return _finished(builder, node, known, inputs)
        else:
            raise unsupported(f"node {node.name}", f"it is a {node.op}")
    raise unsupported("a graph without output", "nothing is computed")


def _input(builder: Builder, node: Any, known: dict[Any, Any]) -> Any:
    fake = node.meta.get("val")
    if not isinstance(fake, torch.Tensor):
        known[node] = size_of(fake, node.name) if isinstance(fake, torch.SymInt) else fake
        return fake
    layout = layout_of(fake)
    shape = sizes_of([layout.shape[d] for d in layout.order], node.name)
    value = builder.input(node.name, shape, dtype_or_refusal(fake.dtype, node.name))
    if not layout.is_plain:
        back = [layout.order.index(d) for d in range(len(layout.order))]
        value = builder.apply("permute_dims", value, back)
    known[node] = value
    return layout


def _constant(builder: Builder, module: Any, node: Any) -> Value:
    found: Any = module
    for part in node.target.split("."):
        found = getattr(found, part)
    if not isinstance(found, torch.Tensor) or found.dtype is torch.bfloat16:
        raise unsupported(f"constant {node.target}", "it is no tensor that NumPy has")
    return builder.constant(found.detach().cpu().numpy(), name=node.name)


def convert(builder: Builder, node: Any, known: dict[Any, Any]) -> Any:
    """What a node gives, as values.

    Raises:
        AkgError: AKG-E741 where akg does not compile it.
    """
    if node.target is operator.getitem:
        return known[node.args[0]][node.args[1]]
    name = name_of(node.target)
    converter = find(name)
    if converter is None:
        raise unsupported(name, "there is no converter for it")
    fakes = [a.meta.get("val") if hasattr(a, "meta") else None for a in node.args]
    call = Call(name, [_resolved(a, known) for a in node.args],
                {k: _resolved(a, known) for k, a in node.kwargs.items()}, node.meta.get("val"),
                [f if isinstance(f, torch.Tensor) else None for f in fakes], builder, node.target)  # fmt: skip
    result = converter(call)
    _check(call, result)
    return result


def _resolved(arg: Any, known: dict[Any, Any]) -> Any:
    if isinstance(arg, (list, tuple)):
        return [_resolved(a, known) for a in arg]
    return known[arg] if hasattr(arg, "meta") and arg in known else arg


def _check(call: Call, result: Any) -> None:
    """Whether a converter gives what torch says."""
    results = result if isinstance(result, (list, tuple)) else [result]
    declared = call.result if isinstance(call.result, (list, tuple)) else [call.result]
    for value, fake in zip(results, declared, strict=False):
        if value is None or not isinstance(fake, torch.Tensor):
            continue
        wanted = dtype_or_refusal(fake.dtype, call.name)
        if not _is_of_shape(value, fake, call.name) or value.dtype is not wanted:
            raise AkgError(
                "AKG-E742", f"{call.name} gives {value.dtype}[{', '.join(map(str, value.shape))}]",
                because=f"torch declares {wanted}{list(fake.shape)}", hint="please report this",
            )  # fmt: skip


def _is_of_shape(value: Value, fake: Any, name: str) -> bool:
    if value.const_shape is not None and not any(isinstance(n, torch.SymInt) for n in fake.shape):
        return value.const_shape == tuple(fake.shape)
    wanted = [Affine.of(n) if isinstance(n, Expr) else Affine.of(Const(n)) for n in sizes_of(fake.shape, name)]
    return [Affine.of(n) for n in value.shape] == wanted


# Overloads whose results lie in the memory of their first argument, always.
_ALIASES = frozenset({
    "view.default", "_unsafe_view.default", "unsqueeze.default", "squeeze.dim", "squeeze.dims", "squeeze.default",
    "permute.default", "transpose.int", "t.default", "expand.default", "slice.Tensor", "select.int", "split.Tensor",
    "split_with_sizes.default", "unbind.int", "alias.default", "detach.default",
})  # fmt: skip


def _root(node: Any) -> Any:
    """The node whose memory a node's result lies in: itself, unless it is a view."""
    while node.op == "call_function":
        source = node.args[0] if node.args and hasattr(node.args[0], "meta") else None
        if source is None:
            break
        if name_of(source.target if node.target is operator.getitem else node.target) not in _ALIASES:
            break
        node = source
    return node


def _finished(builder: Builder, node: Any, known: dict[Any, Any], inputs: Sequence[Any]) -> Imported:
    returned = node.args[0] if isinstance(node.args[0], (list, tuple)) else [node.args[0]]
    arguments = {p: k for k, p in enumerate(n for n in node.graph.nodes if n.op == "placeholder")}
    outputs: list[Value] = []
    layouts: list[Layout] = []
    places: dict[Any, int] = {}

    def computed(result: Any) -> int:
        if result not in places:
            layout = layout_of(result.meta["val"])
            value = known[result]
            if not isinstance(value, Value):
                raise unsupported(f"result {result.name}", "it is no tensor that akg computes")
            if not layout.is_plain:
                value = builder.apply("permute_dims", value, layout.order)
            places[result] = len(outputs)
            outputs.append(value)
            layouts.append(layout)
        return places[result]

    results: list[int | View | Same | None] = []
    for result in returned:
        if result is None:
            results.append(None)
            continue
        root = _root(result)
        if result in arguments:
            results.append(Same(arguments[result]))
        elif root in arguments and isinstance(result.meta["val"], torch.Tensor):
            results.append(_view(result, root, arguments[root], is_argument=True))
        elif root is not result and layout_of(root.meta["val"]).is_exact:
            results.append(_view(result, root, computed(root), is_argument=False))
        else:
            results.append(computed(result))
    return Imported(builder.finish(outputs) if outputs else None, tuple(inputs), tuple(results), tuple(layouts))


def _view(result: Any, root: Any, base: int, *, is_argument: bool) -> View:
    fake, below = result.meta["val"], root.meta["val"]
    return View(base, is_argument, tuple(fake.shape), tuple(fake.stride()),
                fake.storage_offset() - below.storage_offset())  # fmt: skip
