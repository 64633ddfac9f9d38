"""Views that go into the kernels of the contractions that read them.

A contraction lays its operands out anyway, so that an array that was only arranged anew for it need not be written. It
must find its way through the old array with constant steps, though: a reduction that runs over axes which do not lie
behind one another computes a quotient for each element, and lanes along a row that is none any more gather.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from akg.fusion.traits import value_bytes
from akg.ir.affine import Affine
from akg.ir.expr import Axis, Const, Expr, Load, Var
from akg.ir.graph import Graph, Node, Value
from akg.ir.rewrite import substitute, variables_of
from akg.ir.simplify import simplify
from akg.ir.stage import Stage

Stages = Mapping[Node, Sequence[Stage]]


def carried_views(graph: Graph, contractions: Sequence[Node], stages: Stages) -> Mapping[Node, list[Node]]:
    """For each contraction the views that it takes along, in order. What takes a view along is all that reads it.

    Args:
        graph: of the nodes.
        contractions: of its nodes, those that read operands again and again.
        stages: of each node, as `akg.fusion.traits.stages_of` gives them.
    """
    producers, readers = graph.producers(), graph.readers()
    allowed = {node: _allowed(node, graph, producers, stages) for node in contractions}
    takers: dict[Node, set[Node]] = {}
    for node in reversed(graph.nodes):
        if not any(node in views for views in allowed.values()) or node.outputs[0] in graph.results:
            continue
        own: set[Node] = set()
        for reader in readers.get(node.outputs[0], ()):
            found = takers.get(reader, set[Node]()) if reader not in allowed else {reader}
            if not found or any(node not in allowed[c] for c in found):
                break
            own |= found
        else:
            takers[node] = own
    return {c: [n for n in graph.nodes if c in takers.get(n, ())] for c in contractions}


def _allowed(node: Node, graph: Graph, producers: Mapping[Value, Node], stages: Stages) -> set[Node]:
    """The views that a contraction could read through."""
    values = {value.name: value for value in node.inputs}
    taken: dict[Value, list[Node]] = {}
    for stage in stages[node]:
        for load in stage.loads:
            value = values.get(load.buffer.name)
            if value is None or value.shape != load.buffer.shape:
                continue
            chain = _chain(value, load.indices, stage, graph, producers, stages)
            known = taken.get(value)
            taken[value] = chain if known is None or len(chain) < len(known) else known
    return {view for chain in taken.values() for view in chain}


def _chain(
    value: Value, indices: tuple[Expr, ...], stage: Stage, graph: Graph, producers: Mapping[Value, Node],
    stages: Stages,
) -> list[Node]:  # fmt: skip
    """The views behind an operand that a loop over its elements reads with constant steps."""
    chain: list[Node] = []
    best = 0
    operand, place = value, indices
    while True:
        view = producers.get(value)
        step = None if view is None else _arrangement(view, stages)
        if view is None or step is None or view.inputs[0] in graph.constants:
            return chain[:best]
        axes, load = step
        at = {axis.var: index for axis, index in zip(axes, indices, strict=True)}
        value, indices = view.inputs[0], tuple([simplify(substitute(i, at)) for i in load.indices])
        chain.append(view)
        if all(_is_steady(value, indices, axis) for axis in stage.reduce_axes) and not _takes_rows(
            operand, place, value, indices, stage
        ):
            best = len(chain)


def _takes_rows(
    operand: Value, place: Sequence[Expr], value: Value, indices: Sequence[Expr], stage: Stage
) -> bool:  # fmt: skip
    """Whether a view takes the rows of a large operand apart, and a sum over several axes runs along them.

    Only panels of a sum over one axis are turned on the way (`akg.poly.loops.pack`), and what is smaller than the
    result.
    """
    if sum(axis.end is not Const(1) for axis in stage.reduce_axes) < 2 or not stage.axes:
        return False
    result, sizes, source = stage.buffer.const_shape, operand.const_shape, value.const_shape
    if result is None or sizes is None or source is None or prod(sizes) <= prod(result):
        return False
    for axis in (stage.axes[-1], stage.reduce_axes[-1]):
        before, after = (
            _address(i, s, axis.var, 1) - _address(i, s, axis.var, 0) for i, s in ((place, sizes), (indices, source))
        )
        if before == 1 and after > 1:
            return True
    return False


def _arrangement(node: Node, known: Stages) -> tuple[tuple[Axis, ...], Load] | None:
    """The axes of a node that only arranges one array anew, no more elements than that has, and what it reads there."""
    if node.kind != "reshape" or len(node.inputs) != 1 or len(node.outputs) != 1:
        return None
    if value_bytes(node.outputs[0]) > value_bytes(node.inputs[0]):
        return None
    stages = known[node]
    if len(stages) != 1 or stages[0].combiner is not None or stages[0].scan is not None or stages[0].is_update:
        return None
    body = stages[0].values[0]
    return (stages[0].axes, body) if isinstance(body, Load) else None


def _is_steady(value: Value, indices: Sequence[Expr], axis: Axis) -> bool:
    """Whether a step along an axis is the same distance in memory everywhere."""
    if all(Affine.of(i) is not None for i in indices):
        return True
    sizes = value.const_shape
    if sizes is None or not isinstance(axis.end, Const):
        return False
    last = int(axis.end) - 1
    powers = [2**k for k in range(1, last.bit_length() + 1)]
    probes = {0, 1, last, *[n for p in powers for n in (p - 1, p, 3 * p) if n <= last]}
    first, *rest = [(n, _address(indices, sizes, axis.var, n)) for n in sorted(probes)]
    return all(at - first[1] == n * (rest[0][1] - first[1]) for n, at in rest)


def _address(indices: Sequence[Expr], sizes: Sequence[int], var: Var, at: int) -> int:
    """Where in memory indices lead at a place of one axis, others at 0."""
    total = 0
    for index, size in zip(indices, sizes, strict=True):
        number = simplify(_at_zero(substitute(index, {var: Const(at)})))
        total = total * size + int(number) if isinstance(number, Const) else -1
    return total


def _at_zero(index: Expr) -> Expr:
    return substitute(index, {v: Const(0) for v in variables_of(index)})
