"""From an FX graph of ATen operators to an operator graph, shapes known."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from akg.base.errors import AkgError
from akg.frontends.torch.context import Call, dtype_or_refusal, ints
from akg.frontends.torch.package import torch
from akg.frontends.torch.table import find, name_of, unsupported
from akg.fusion import Builder
from akg.ir.graph import Graph, Value


@dataclass(frozen=True, slots=True)
class Layout:
    """A tensor of torch in memory: dense, its axes in some order.

    Attributes:
        shape: as torch has it.
        strides: of elements.
        dtype: torch's.
        order: the axes from the outermost to the innermost in memory.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: Any
    order: tuple[int, ...]

    @property
    def is_plain(self) -> bool:
        """Whether the axes lie in their own order."""
        return self.order == tuple(range(len(self.order)))


@dataclass(frozen=True, slots=True)
class Imported:
    """An operator graph, and how torch's tensors lie in memory.

    Attributes:
        graph: its inputs and outputs are dense; axes are in the order of memory.
        inputs: for each argument its layout, or None for an argument that is no tensor.
        outputs: for each result a position among the graph's outputs, or None for None.
        layouts: of the graph's outputs.
    """

    graph: Graph
    inputs: tuple[Layout | None, ...]
    outputs: tuple[int | None, ...]
    layouts: tuple[Layout, ...]


def layout_of(fake: Any, name: str) -> Layout:
    """The layout of a tensor; one that is not dense is taken as if it were, and copied by the caller.

    Raises:
        AkgError: AKG-E741 for unknown sizes.
    """
    shape = ints(fake.shape, name)
    strides = ints(fake.stride(), name)
    order = tuple(sorted(range(len(shape)), key=lambda d: (-strides[d], d)))
    expected, dense = 1, [0] * len(shape)
    for d in reversed(order):
        dense[d] = expected
        expected *= max(1, shape[d])
    plain = all(s == t or n <= 1 for s, t, n in zip(strides, dense, shape, strict=True))
    if not plain:
        order, dense = tuple(range(len(shape))), list(_row_major(shape))
    return Layout(shape, tuple(dense), fake.dtype, order)


def _row_major(shape: Sequence[int]) -> tuple[int, ...]:
    strides, step = [0] * len(shape), 1
    for d in range(len(shape) - 1, -1, -1):
        strides[d] = step
        step *= max(1, shape[d])
    return tuple(strides)


def import_fx(module: Any, name: str) -> Imported:
    """Convert an FX graph whose nodes carry fake tensors of known sizes.

    Raises:
        AkgError: AKG-E741 for a node that akg does not compile, and the operators' own errors.
    """
    builder = Builder(name)
    known: dict[Any, Any] = {}
    inputs: list[Layout | None] = []
    for node in module.graph.nodes:
        if node.op == "placeholder":
            inputs.append(_input(builder, node, known))
        elif node.op == "get_attr":
            known[node] = _constant(builder, module, node)
        elif node.op == "call_function":
            known[node] = convert(builder, node, known)
        elif node.op == "output":
            return _finished(builder, node, known, inputs)
        else:
            raise unsupported(f"node {node.name}", f"it is a {node.op}")
    raise unsupported("a graph without output", "nothing is computed")


def _input(builder: Builder, node: Any, known: dict[Any, Any]) -> Layout | None:
    fake = node.meta.get("val")
    if not isinstance(fake, torch.Tensor):
        known[node] = fake
        return None
    layout = layout_of(fake, node.name)
    value = builder.input(node.name, [layout.shape[d] for d in layout.order],
                          dtype_or_refusal(fake.dtype, node.name))  # fmt: skip
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
        if value.const_shape != tuple(fake.shape) or value.dtype is not wanted:
            raise AkgError(
                "AKG-E742", f"{call.name} gives {value.dtype}{list(value.const_shape or ())}",
                because=f"torch declares {wanted}{list(fake.shape)}", hint="please report this",
            )  # fmt: skip


def _finished(builder: Builder, node: Any, known: dict[Any, Any], inputs: list[Layout | None]) -> Imported:
    results = node.args[0] if isinstance(node.args[0], (list, tuple)) else [node.args[0]]
    outputs: list[Value] = []
    layouts: list[Layout] = []
    places: list[int | None] = []
    for result in results:
        if result is None:
            places.append(None)
            continue
        value, fake = known[result], result.meta["val"]
        if not isinstance(value, Value):
            raise unsupported(f"result {result.name}", "it is no tensor that akg computes")
        layout = layout_of(fake, result.name)
        if not layout.is_plain:
            value = builder.apply("permute_dims", value, layout.order)
        places.append(len(outputs))
        outputs.append(value)
        layouts.append(layout)
    return Imported(builder.finish(outputs), tuple(inputs), tuple(places), tuple(layouts))
