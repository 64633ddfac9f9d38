"""What occurs twice is computed once.

Definitions that are made from other definitions repeat parts of them: gradients the reductions of what they derive,
two convolutions of one image its padding.
Before: ``S[i] = sum_k(exp(X[i, k])); R[i] = sum_j(exp(X[i, j]))``. After: only S, read twice.
"""

from __future__ import annotations

from typing import Any

from akg.ir.buffer import Buffer
from akg.ir.expr import Expr, Load, Var
from akg.ir.rewrite import rewrite
from akg.ir.stage import Stage


def merge_twins(stages: list[Stage], keep: frozenset[Buffer], *, elementwise: bool = False) -> list[Stage]:
    """`stages`, producers first, without reductions that an earlier one computes, too; those of `keep` stay.

    With `elementwise`, the same for other stages: for what is computed into temporaries anyway.
    """
    updated = {stage.buffer for stage in stages if stage.is_update}

    def starts_anew(stage: Stage) -> bool:
        """Whether a stage starts anew for each element, and none goes on from it."""
        fits = stage.combiner is not None or (elementwise and stage.target is None)
        return fits and stage.scan is None and updated.isdisjoint(stage.outputs)

    candidates: dict[tuple[int, ...], list[Stage]] = {}
    for stage in stages:
        if starts_anew(stage):
            candidates.setdefault(_outline(stage), []).append(stage)
    if not any(len(group) > 1 for group in candidates.values()):
        return stages
    replaced: dict[Buffer, Buffer] = {}
    first: dict[tuple[Any, ...], Stage] = {}

    def rule(node: Expr) -> Expr | None:
        return Load(replaced[node.buffer], node.indices) if isinstance(node, Load) and node.buffer in replaced else None

    result: list[Stage] = []
    for stage in stages:
        if replaced:
            stage.change(lambda e: rewrite(e, rule))
        if starts_anew(stage) and len(candidates[_outline(stage)]) > 1:
            twin = first.setdefault(_canonical(stage), stage)
            pairs = list(zip(stage.outputs, twin.outputs, strict=True))
            if twin is not stage and all(b is None or (a is not None and b not in keep) for b, a in pairs):
                replaced.update((b, a) for b, a in pairs if b is not None and a is not None)
                continue
        result.append(stage)
    return result


def _outline(stage: Stage) -> tuple[int, ...]:
    """What twins agree on, quickly."""
    ends = [id(axis.end) for axis in (*stage.axes, *stage.reduce_axes)]
    return (id(stage.combiner), len(stage.axes), len(stage.values), *ends)


def _canonical(stage: Stage) -> tuple[Any, ...]:
    """What a reduction computes, whatever its axes are called."""
    names: dict[Var, Expr] = {}
    for k, axis in enumerate((*stage.axes, *stage.reduce_axes)):
        names[axis.var] = Var(f"${k}", axis.var.dtype)

    def renamed(e: Expr) -> Expr:
        return rewrite(e, lambda node: names.get(node) if isinstance(node, Var) else None)

    bounds = [renamed(bound) for axis in (*stage.axes, *stage.reduce_axes) for bound in (axis.begin, axis.end)]
    condition = None if stage.condition is None else renamed(stage.condition)
    place = None if stage.place is None else tuple([renamed(subscript) for subscript in stage.place])
    kinds = [None if b is None else (b.dtype, b.shape) for b in stage.outputs]
    return (len(stage.axes), stage.combiner, *[renamed(v) for v in stage.values], condition, place, *kinds, *bounds)
