"""A graph as one shared object for a program that brings its own threads and memory (`akg.driver.launched`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from akg.base.errors import InternalError
from akg.base.target import Target
from akg.codegen.llvm.launcher import Operand
from akg.driver.launched import Launch, Linked, link_launched
from akg.fusion.cluster import whole
from akg.fusion.copies import with_copies
from akg.fusion.group import define
from akg.ir.expr import Var
from akg.ir.graph import Graph, Value, merge_equal, remove_dead, verify_graph
from akg.ir.te.tensor import Tensor
from akg.poly.strategy import Strategy


def link_graph(graph: Graph, symbol: str, name: str, strategy: Strategy, target: Target) -> Linked:
    """Compile a graph of constant shapes into ``int <symbol>(void **arguments)``: inputs, then outputs.

    Assigned inputs are updated in place. All operators become one kernel.

    Args:
        graph: its constants have one element each.
        symbol: of the function.
        name: of the shared object.
        strategy: of the kernel.
        target: a CPU.

    Raises:
        AkgError: AKG-E70x for a graph that is none, what `akg.build` raises, AKG-E412 and AKG-E413 of the linker.
    """
    verify_graph(graph)
    graph = with_copies(remove_dead(merge_equal(graph)), own_outputs=True)
    position = {value: k for k, value in enumerate((*graph.inputs, *graph.outputs))}
    launches: list[Launch] = []
    for group in whole(graph).groups:
        definition = define(group, graph)
        operands = [_operand(position, definition.values, item) for item in definition.inputs]
        operands += [Operand("argument", position[v]) for v in group.outputs]
        launches.append(Launch(replace(definition.kernel, name=f"{symbol}_body"), tuple(operands)))
    return link_launched(symbol, launches, 0, strategy, target, name)


def _operand(position: Mapping[Value, int], values: Mapping[Tensor, Value], item: Tensor | Var) -> Operand:
    if isinstance(item, Var) or values[item] not in position:
        raise InternalError("a kernel for a launcher takes something that is no argument of its graph")
    return Operand("argument", position[values[item]])
