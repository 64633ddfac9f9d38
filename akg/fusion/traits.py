"""What an operator does to its data, read off its definition: the terms in which the rules of fusion are stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

from akg.fusion.builder import defined
from akg.ir import te
from akg.ir.expr import Axis, Binary, Call, Const, Select, Unary
from akg.ir.graph import Node, Value
from akg.ir.rewrite import loads_of, variables_of, walk_expr
from akg.ir.stage import Stage, build_stages
from akg.ir.te.tensor import Placeholder, Tensor

# injective    every element of the result is made of one element of each operand, wherever that is
# reduce       elements are combined, each is read about once
# contraction  elements are read again and again: the work is many times the data
# sequential   running sums, scatters: an order or places that only the data tell
Class = Literal["injective", "reduce", "contraction", "sequential"]
FUNCTION_BYTES, STEP_BYTES = 4.0, 0.25  # that a core streams while it computes exp of an element, or adds two
TYPICAL = 256  # of a size that is a symbol
REUSE = 4  # from so many iterations for each element of operands and result on, work outweighs traffic


@dataclass(frozen=True, slots=True)
class Traits:
    """What the rules know of a node.

    Attributes:
        kind: its class.
        operations: iterations of its largest loop nest; symbols count as `TYPICAL`.
        operand_bytes: of the operands that a contraction reads for every row of its result; 0 for other classes.
        work_bytes: that a core streams in the time of its arithmetic, roughly.
    """

    kind: Class
    operations: int
    operand_bytes: int = 0
    work_bytes: float = 0.0


def stages_of(node: Node) -> list[Stage]:
    """The stages of a node's definition on its own, over placeholders with the names of its inputs.

    Args:
        node: no program.
    """
    tensors = {v: te.placeholder(v.shape, v.dtype, name=v.name) for v in node.inputs}
    return build_stages([t for t in defined(node, tensors) if not isinstance(t.op, Placeholder)])


def traits_from(stages: Sequence[Stage]) -> Traits:
    """The traits of a node with these stages; without any it is a program, which runs in an order of its own."""
    if not stages:
        return Traits("sequential", 0)
    operations = max([_iterations(stage) for stage in stages], default=0)
    if any(stage.scan is not None or stage.is_update for stage in stages):
        return Traits("sequential", operations)
    if not any(stage.combiner is not None for stage in stages):
        return Traits("injective", operations, work_bytes=sum(map(_work_bytes, stages)))
    products = [stage for stage in stages if _is_contraction(stage)]
    if products:
        return Traits("contraction", operations, sum(map(_held_bytes, products)))
    return Traits("reduce", operations)


def has_windows(stages: Sequence[Stage]) -> bool:
    """Whether stages read an array in windows: at the sum of an axis of the result and one of a reduction."""
    for stage in stages:
        own, inner = ({axis.var for axis in axes if _extent(axis) > 1} for axes in (stage.axes, stage.reduce_axes))
        for load in stage.loads:
            if any(own & place and inner & place for place in map(set, map(variables_of, load.indices))):
                return True
    return False


def has_neighbours(stages: Sequence[Stage]) -> bool:
    """Whether an element of some stage is made of several elements of one array, as in pooling."""
    return any(len(stage.loads) > len({load.buffer for load in stage.loads}) for stage in stages)


def _is_contraction(stage: Stage) -> bool:
    """Whether a reduction reads two arrays, neither of them along all its axes, many times over."""
    if stage.combiner is None:
        return False
    axes = {axis.var for axis in (*stage.axes, *stage.reduce_axes) if _extent(axis) > 1}
    partial = 0
    elements = prod([_extent(axis) for axis in stage.axes])
    for load in stage.loads:
        used = {v for i in load.indices for v in variables_of(i) if not any(loads_of(j) for j in load.indices)}
        elements += prod([_size(s) for s in load.buffer.shape])
        partial += bool(axes - used) and bool(used & {axis.var for axis in stage.reduce_axes})
    return partial > 1 and _iterations(stage) >= REUSE * elements


def _held_bytes(stage: Stage) -> int:
    """Of the arrays that a stage reads whatever row of its result it is at."""
    rows = next((axis.var for axis in stage.axes if _extent(axis) > 1), None)
    held = {
        load.buffer for load in stage.loads if not any(v is rows for i in load.indices for v in variables_of(i))
    }  # fmt: skip
    return sum(prod([_size(s) for s in b.shape]) * b.dtype.itemsize_bytes for b in held)


def _work_bytes(stage: Stage) -> float:
    """What the arithmetic of a stage costs: a function such as exp as much as a few bytes, a sum next to nothing."""
    found = [node for body in stage.values for node in walk_expr(body)]
    functions = sum(isinstance(node, Call) for node in found)
    steps = sum(isinstance(node, (Unary, Binary, Select)) for node in found)
    return _iterations(stage) * (FUNCTION_BYTES * functions + STEP_BYTES * steps)


def _iterations(stage: Stage) -> int:
    return prod([_extent(axis) for axis in (*stage.axes, *stage.reduce_axes)])


def _extent(axis: Axis) -> int:
    return int(axis.end) if isinstance(axis.end, Const) else TYPICAL


def _size(size: object) -> int:
    return int(size) if isinstance(size, Const) else TYPICAL


def value_bytes(value: Value | Tensor) -> int:
    """The size of a value in memory; symbols count as `TYPICAL`."""
    return prod([_size(s) for s in value.shape]) * value.dtype.itemsize_bytes
