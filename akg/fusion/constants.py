"""Weights of a graph: constants that products read are bound to their kernels, packed once (`Kernel.bind`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from akg.fusion.group import Definition
from akg.fusion.run import Plan, Step
from akg.ir import stmt
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary
from akg.ir.rewrite import loads_of, walk_expr

LEAST_ELEMENTS = 1 << 12  # of a constant that pays for compiling its kernel again


def bind_constants(plan: Plan, definitions: Sequence[Definition]) -> Plan:
    """`plan` with the large constant factors of products bound to their kernels, where these pack them.

    Args:
        plan: of a graph that runs in this process.
        definitions: of its kernels, in the order of their steps.
    """
    first, last = len(plan.inputs), len(plan.inputs) + len(plan.constants)
    steps: list[Step] = []
    for step, definition in zip(plan.steps, definitions, strict=True):
        factors = _factors(definition.kernel)
        chosen = {
            k: plan.constants[place - first] for k, place in enumerate(step.inputs)
            if isinstance(place, int) and first <= place < last
            and step.kernel.signature.arguments[k].name in factors
            and plan.constants[place - first].size >= LEAST_ELEMENTS
        }  # fmt: skip
        steps.append(_bound(step, chosen) if chosen else step)
    return replace(plan, steps=tuple(steps))


def _bound(step: Step, arrays: Mapping[int, object]) -> Step:
    """The call without the constants that its kernel packs."""
    bound = step.kernel.bind(arrays)
    packed = [k for k in arrays if step.kernel.signature.arguments[k].name in bound.packed]
    if not packed:
        return step
    if len(packed) < len(arrays):
        bound = step.kernel.bind({k: arrays[k] for k in packed})
    return Step(bound, tuple([p for k, p in enumerate(step.inputs) if k not in packed]), step.outputs)


def _factors(kernel: stmt.Kernel) -> set[str]:
    """The parameters that sums of products read."""
    found: set[Buffer] = set()
    for store in stmt.walk(kernel.body):
        if isinstance(store, stmt.Store) and store.reduction == "sum":
            products = [n for n in walk_expr(store.value) if isinstance(n, Binary) and n.op == "mul"]
            for product in products:
                sides = [{load.buffer for load in loads_of(side)} for side in (product.a, product.b)]
                if all(sides):
                    found |= sides[0] | sides[1]
    return {b.name for b in kernel.buffers if b in found}
