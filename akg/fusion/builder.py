"""How frontends make graphs: values in, operators applied, shapes and types by the operators' own definitions.

    b = Builder("mlp")
    x = b.input("x", ("n", 512), "float32")        # a name stands for a symbolic size
    w = b.constant(weights, name="w")
    y = b.apply("gelu", b.apply("matmul", x, w))
    graph = b.finish([y])

The contract for frontends is in `docs/fusion.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from akg import ops
from akg.base.dtype import DType, dtype_of
from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.buffer import Buffer
from akg.ir.graph import Graph, Node, Value, verify_graph
from akg.ir.graph.simplify import substituted
from akg.ir.stmt import Kernel
from akg.ir.te.tensor import Size, Tensor, shape_text, size_of


class Builder:
    """A graph under construction. Its methods return values; `finish` returns the graph."""

    def __init__(self, name: str = "graph") -> None:
        self.name = name
        self._nodes: list[Node] = []
        self._inputs: list[Value] = []
        self._constants: dict[Value, npt.NDArray[Any]] = {}
        self._names: dict[str, int] = {}
        self._stand_ins: dict[Value, Tensor] = {}

    def input(self, name: str, shape: Sequence[Size | str], dtype: DType | str) -> Value:
        """The next argument of the graph: a dense row-major array. A text in `shape` is a symbolic size of that name.

        Raises:
            AkgError: AKG-E101 for an unknown type, AKG-E105 for a size that is none.
        """
        value = Value(self._unique(name), _sizes(shape), dtype_of(dtype))
        self._inputs.append(value)
        return value

    def constant(self, data: Any, name: str = "constant", dtype: DType | str | None = None) -> Value:
        """A tensor whose elements are known: a NumPy array, or what `np.asarray` takes.

        Raises:
            AkgError: AKG-E101 for a type that akg does not have.
        """
        array = np.ascontiguousarray(np.asarray(data, None if dtype is None else dtype_of(dtype).numpy))
        array = array.reshape(np.shape(data))  # NumPy makes vectors of scalars
        value = Value(self._unique(name), _sizes(array.shape), dtype_of(array.dtype))
        self._constants[value] = array
        return value

    def apply(self, op: str, *args: Any, **attributes: Any) -> Any:
        """One operator of `akg.ops` on values and numbers, with its own parameters.

        Returns:
            A value, or a tuple of them for an operator of several results.

        Raises:
            AkgError: AKG-E270 for an unknown operator, and what the operator raises for operands that do not fit.
        """
        return self.node(op, args, attributes)

    def node(
        self,
        op: str,
        args: Sequence[Any],
        attributes: Mapping[str, Any] | None = None,
        *,
        names: Sequence[str] = (),
        origin: str = "",
        definition: Callable[..., Any] | None = None,
        kind: str = "opaque",
    ) -> Any:
        """As `apply`, with names for the results, what the user calls the node, or a definition of one's own.

        Args:
            op: an operator of `akg.ops`, or any name where `definition` is given.
            args: the positional arguments; lists become tuples.
            attributes: the keyword arguments.
            names: of the results; missing ones are made from `op`.
            origin: what the user calls the node; messages begin with it.
            definition: a function on te tensors that gives a te tensor or several.
            kind: the class of `definition`, as in `akg.ops.registry.Kind`.

        Raises:
            AkgError: as `apply`; AKG-E701 for a value of another graph.
        """
        entry = ops.get(op) if definition is None else None
        node = Node(op, _frozen(tuple(args)), {k: _frozen(v) for k, v in (attributes or {}).items()}, (),
                    kind if entry is None else entry.kind, definition, origin)  # fmt: skip
        results = defined(node, {value: self._stand_in(value, node) for value in node.inputs})
        outputs: list[Value] = []
        for position, tensor in enumerate(results):
            wish = names[position] if position < len(names) else op
            outputs.append(Value(self._unique(wish), tensor.shape, tensor.dtype))
        self._nodes.append(Node(op, node.args, node.attributes, tuple(outputs), node.kind, definition, origin))
        self._stand_ins.update((v, te.placeholder(v.shape, v.dtype, name=v.name)) for v in outputs)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def program(
        self, kernel: Kernel, args: Sequence[Value], *, op: str = "program", names: Sequence[str] = (), origin: str = ""
    ) -> tuple[Value, ...]:
        """A node that is loop IR: a kernel of its own, whose "in" parameters are `args`; one value for each "out".

        Raises:
            AkgError: AKG-E704 for arguments whose shapes or types are not those of the parameters.
        """
        given = [p.value for p in kernel.params if p.role == "in" and isinstance(p.value, Buffer)]
        for value, buffer in zip(args, given, strict=True):
            check_declared(value, buffer.shape, buffer.dtype, origin or op)
        results = [p.value for p in kernel.params if p.role == "out" and isinstance(p.value, Buffer)]
        outputs = [
            Value(self._unique(names[k] if k < len(names) else op), b.shape, b.dtype) for k, b in enumerate(results)
        ]
        self._nodes.append(Node(op, tuple(args), {}, tuple(outputs), "opaque", None, origin, kernel))
        self._stand_ins.update((v, te.placeholder(v.shape, v.dtype, name=v.name)) for v in outputs)
        return tuple(outputs)

    def finish(self, outputs: Sequence[Value], updates: Mapping[Value, Value] | None = None) -> Graph:
        """The graph that returns `outputs`, and leaves in each input of `updates` the value given for it.

        Raises:
            AkgError: AKG-E701 for a value that nothing defines, AKG-E705 for an assignment that does not fit.
        """
        graph = Graph(self.name, tuple(self._nodes), tuple(self._inputs), tuple(outputs), dict(self._constants),
                      dict(updates or {}))  # fmt: skip
        verify_graph(graph)
        return graph

    def _stand_in(self, value: Value, node: Node) -> Tensor:
        found = self._stand_ins.get(value)
        if found is None:
            if value not in self._inputs and value not in self._constants:
                raise AkgError(
                    "AKG-E701", f"{node.op} reads {value.name}, which nothing defines",
                    because="it is not a value of this graph", hint="make it with input, constant or apply",
                )  # fmt: skip
            found = self._stand_ins[value] = te.placeholder(value.shape, value.dtype, name=value.name)
        return found

    def _unique(self, wish: str) -> str:
        count = self._names.get(wish)
        if count is None:
            self._names[wish] = 1
            return wish
        name = wish
        while name in self._names:
            name, count = f"{wish}_{count}", count + 1
        self._names[wish], self._names[name] = count, 1
        return name


def defined(node: Node, tensors: Mapping[Value, Tensor]) -> tuple[Tensor, ...]:
    """The te tensors that a node gives for those that stand for its inputs.

    Raises:
        AkgError: what the definition raises; its message begins with what the user calls the node.
    """
    function = node.definition or ops.get(node.op).function
    try:
        found = function(
            *[_thawed(substituted(a, tensors.get)) for a in node.args],
            **{name: _thawed(substituted(a, tensors.get)) for name, a in node.attributes.items()},
        )
    except AkgError as error:
        if node.origin and not error.message.startswith(node.origin):
            error.message = f"{node.origin}: {error.message}"
        raise
    return (found,) if isinstance(found, Tensor) else tuple(found)


def check_declared(value: Value, shape: Sequence[Size | str], dtype: DType | str, origin: str) -> None:
    """Compare what a frontend's document declares of a value with what the definition gives.

    Raises:
        AkgError: AKG-E704 where they differ.
    """
    sizes, kind = _sizes(shape), dtype_of(dtype)
    if sizes != value.shape or kind is not value.dtype:
        raise AkgError(
            "AKG-E704", f"{origin}: declared as {kind}{shape_text(sizes)}",
            because=f"the operator gives {value.dtype}{shape_text(value.shape)}",
            hint="correct the shapes or types of this node",
        )  # fmt: skip


def _sizes(shape: Sequence[Size | str]) -> tuple[Any, ...]:
    return tuple([te.var(s) if isinstance(s, str) else size_of(s, f"size {d} of the shape")
                  for d, s in enumerate(shape)])  # fmt: skip


def _frozen(arg: Any) -> Any:
    return tuple([_frozen(a) for a in arg]) if isinstance(arg, (list, tuple)) else arg


def _thawed(arg: Any) -> Any:
    """Lists of tensors as lists: some definitions tell them from tuples."""
    return list(arg) if isinstance(arg, tuple) and any(isinstance(a, Tensor) for a in arg) else arg
