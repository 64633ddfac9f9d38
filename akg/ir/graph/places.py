"""Rules of algebra on operators that only move elements: chains of transposes and reshapes are one, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from akg.ir.expr import Const, Expr
from akg.ir.graph.graph import Node, Value
from akg.ir.graph.known import Found, Known, Rule, argument, becomes, same


def _permutation(node: Node) -> tuple[int, ...] | None:
    """Of the transposing operators, the operand's dimension that each dimension of the result is."""
    source = node.args[0]
    if not isinstance(source, Value):
        return None
    rank = len(source.shape)
    order = list(range(rank))
    if node.op == "matrix_transpose":
        order[-2:] = order[:-3:-1]
    elif node.op == "swapaxes":
        a, b = argument(node, 1, "axis1"), argument(node, 2, "axis2")
        order[a], order[b] = order[b], order[a]
    else:
        axes = argument(node, 1, "axes")
        order = order[::-1] if axes is None else [a % rank for a in axes]
    return tuple(order)


_TRANSPOSES = ("transpose", "permute_dims", "matrix_transpose", "swapaxes")
_RESHAPES = ("reshape", "squeeze", "expand_dims")


def _transpose(node: Node, known: Known) -> Found:
    """Several transposes are one, or none; one that only moves dimensions of one element is a reshape."""
    order = _permutation(node)
    if order is None:
        return None
    inner = known.maker(node.args[0], *_TRANSPOSES)
    before = None if inner is None else _permutation(inner)
    if inner is not None and before is not None:
        return becomes(node, "permute_dims", inner.args[0], tuple([before[k] for k in order]))
    if order == tuple(range(len(order))):
        return same(node.args[0], node)
    source = node.args[0]
    moved = [k for k in order if not (isinstance(source, Value) and _is_one(source.shape[k]))]
    if moved != sorted(moved) or node.outputs[0].const_shape is None:
        return None
    return becomes(node, "reshape", source, node.outputs[0].shape)


def _is_one(size: Expr) -> bool:
    return isinstance(size, Const) and size.value == 1


def _reshape(node: Node, known: Known) -> Found:
    """Several reshapes are one, or none. Of symbolic sizes, one may be harder to find than several."""
    whole = same(node.args[0], node)
    inner = None if whole else known.maker(node.args[0], *_RESHAPES)
    if inner is None:
        return whole
    source = inner.args[0]
    if not isinstance(source, Value) or source.const_shape is None or node.outputs[0].const_shape is None:
        return same(source, node)
    return becomes(node, "reshape", source, node.outputs[0].shape)


def _broadcast_to(node: Node, known: Known) -> Found:
    whole = same(node.args[0], node)
    inner = None if whole else known.maker(node.args[0], "broadcast_to")
    return whole if inner is None else replace(node, args=(inner.args[0], *node.args[1:]))


def _slice(node: Node, known: Known) -> Found:
    """As many elements forwards as there are: all of them."""
    del known
    steps = argument(node, 3, "steps")
    return None if steps is not None and any(step < 0 for step in steps) else same(node.args[0], node)


def _whole(node: Node, known: Known) -> Found:
    del known
    return same(node.args[0], node)


def _one_part(node: Node, known: Known) -> Found:
    """A concatenation of one array."""
    del known
    parts = node.args[0]
    return same(parts[0], node) if isinstance(parts, tuple) and len(parts) == 1 else None


PLACES: Mapping[str, tuple[Rule, ...]] = {
    **dict.fromkeys(_TRANSPOSES, (_transpose,)), **dict.fromkeys(_RESHAPES, (_reshape,)),
    "broadcast_to": (_broadcast_to,), "tile": (_whole,), "slice": (_slice,), "concat": (_one_part,),
}  # fmt: skip
