"""Which statements share loops: the heuristics that cut the graph of dependences before a band, and clusters in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from akg.base.errors import AkgError
from akg.poly.components import Arc, Group, in_order, strongly_connected
from akg.poly.domain import Model
from akg.poly.plan import FusionPlan, Plan
from akg.poly.schedule.dimension import History
from akg.poly.schedule.farkas import Edge


def fusion_groups(
    plan: FusionPlan, names: Group, arcs: Sequence[Arc], left: Mapping[str, int], is_parallel: Callable[[Group], bool]
) -> list[Group]:
    """Groups of statements that are scheduled together, in an order of execution.

    Args:
        plan: heuristic or explicit groups.
        names: the statements.
        arcs: dependences between them.
        left: loops that each still needs.
        is_parallel: whether a group has a next row that carries no dependence.

    Raises:
        AkgError: AKG-E305 for explicit groups that dependences forbid.
    """
    if plan.groups:
        listed = [g for g in (tuple([n for n in names if n in group]) for group in plan.groups) if g]
        if listed:
            return explicit_groups(listed, names, arcs)
    place = {n: k for k, n in enumerate(names)}

    def needs(group: Group) -> int:
        return max(left[n] for n in group)

    components = in_order(names, arcs, needs if plan.heuristic == "smartfuse" else lambda group: None)
    if plan.total_distribution or plan.heuristic == "nofuse":
        return components
    if plan.heuristic == "maxfuse":
        return [names]
    runs: list[Group] = []
    parallel: dict[Group, bool] = {}

    def runs_parallel(group: Group) -> bool:
        if group not in parallel:
            parallel[group] = is_parallel(group)
        return parallel[group]

    for component in components:
        if runs:
            joined = tuple(sorted((*runs[-1], *component), key=place.__getitem__))
            if plan.heuristic == "smartfuse":
                fits = needs(runs[-1]) == needs(component)
            else:
                fits = runs_parallel(runs[-1]) and runs_parallel(component) and runs_parallel(joined)
            if fits:
                runs[-1] = joined
                continue
        runs.append(component)
    return runs


def explicit_groups(listed: Sequence[Group], names: Group, arcs: Sequence[Arc]) -> list[Group]:
    """The strategy's groups in their order, with whatever it does not name placed where dependences let it be."""
    head = {n: g[0] for g in listed for n in g}
    short = [n for n in names if head.get(n, n) == n]
    between = [(head.get(a, a), head.get(b, b)) for a, b in arcs]
    between = [(a, b) for a, b in between if a != b]
    between += [(a[0], b[0]) for a, b in pairwise(listed)]
    members = {g[0]: g for g in listed}
    result: list[Group] = []
    for component in in_order(short, between):
        if len(component) > 1 and any(n in members for n in component):
            groups = ", ".join("+".join(members.get(n, (n,))) for n in component)
            raise AkgError(
                "AKG-E305",
                f"the fusion groups {groups} cannot run in this order",
                because="dependences connect them in a cycle, or against the order",
                hint="put them into one group, or change the order of the groups",
            )
        result.append(tuple([m for n in component for m in members.get(n, (n,))]))
    return result


def clusters(
    model: Model, names: Group, edges: Sequence[Edge], history: History, plan: Plan
) -> dict[str, str]:
    """Statements that only pass elements on, instance to instance, to the statement whose unknowns they share.

    Two statements join if a dependence between them relates equal iterators, their histories are equal, and they are
    in different strongly connected components (inside one, a stencil's statements need shifts of their own).
    """
    owner = {n: k for k, g in enumerate(strongly_connected(names, [(e.source, e.sink) for e in edges])) for n in g}
    single = {k for k in owner.values() if sum(v == k for v in owner.values()) == 1}
    depths = {n: len(model.scop.statements[n].loops) for n in names}
    leaders = {n: n for n in names}

    def root(n: str) -> str:
        while leaders[n] != n:
            n = leaders[n]
        return n

    for edge in edges:
        a, b = edge.source, edge.sink
        if a == b or depths[a] != depths[b] or history[a] != history[b] or owner[a] == owner[b]:
            continue
        if owner[a] in single and owner[b] in single and _is_identity(edge, depths[a]):
            first, second = sorted((root(a), root(b)), key=names.index)
            leaders[second] = first
    return {n: root(n) for n in names}


def _is_identity(edge: Edge, depth: int) -> bool:
    params = edge.model.params
    for k in range(depth):
        distance = np.zeros(1 + len(params) + 2 * depth, np.int64)
        distance[1 + len(params) + k], distance[1 + len(params) + depth + k] = -1, 1
        if not edge.is_zero(distance):
            return False
    return True
