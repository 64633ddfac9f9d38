"""Constant folding: what depends on constants alone is computed once, by kernels of its own, when a graph is compiled.

Not so results that take more memory than what they are made of (masks, weights in a wider type): they are cheaper made
than read. Where all results have one element, the kernels that read them compute with numbers anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from akg.ir.graph import Graph, Node, Value, remove_dead

SMALL_BYTES = 1 << 12  # kept whatever they are made of


def fold_constants(graph: Graph, evaluate: Callable[[Graph], list[npt.NDArray[Any]]]) -> Graph:
    """`graph` with constants in place of the nodes whose operands are all known.

    Args:
        graph: simplified.
        evaluate: the outputs of a graph without inputs.

    Raises:
        AkgError: what the nodes' kernels raise, as for an index that is out of range.
    """
    known: dict[Value, int] = {value: data.nbytes for value, data in graph.constants.items()}
    folded: list[Node] = []
    for node in graph.nodes:
        if node.program is None and node.inputs and all(v in known for v in node.inputs):
            sizes = [_bytes(v) for v in node.outputs]
            read = sum(known[v] for v in node.inputs)
            if all(size is not None and size <= max(read, SMALL_BYTES) for size in sizes):
                known.update((v, size or 0) for v, size in zip(node.outputs, sizes, strict=True))
                folded.append(node)
    inside = set(folded)
    needed = {v for node in graph.nodes if node not in inside for v in node.inputs} | set(graph.results)
    wanted = [v for node in folded for v in node.outputs if v in needed]
    if all(prod(v.const_shape or ()) == 1 for v in wanted):
        return graph
    part = remove_dead(Graph(f"{graph.name}_constants", tuple(folded), (), tuple(wanted), graph.constants))
    values = dict(zip(wanted, evaluate(part), strict=True))
    nodes = tuple([node for node in graph.nodes if node not in inside])
    return remove_dead(replace(graph, nodes=nodes, constants={**graph.constants, **values}))


def _bytes(value: Value) -> int | None:
    shape = value.const_shape
    return None if shape is None else prod(shape) * np.dtype(value.dtype.numpy).itemsize
