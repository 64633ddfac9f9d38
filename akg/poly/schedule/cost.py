"""Cost functions of a scheduling dimension, by name; packages may add more (entry point group `akg.costs`).

A cost function adds variables and inequalities to the integer problem of a dimension, and linear objectives that are
minimised one after the other. Objectives have no negative coefficients.

    proximity      the distance of dependent instances: a bound u.N + w, first sum(u), then w (Bondhugula et al. 2008)
    feautrier      the number of dependences that the dimension does not carry (Feautrier 1992), all between
                   two statements counted as one
    feautrierPerDependence   the same, one by one: larger problems, and a row where the other finds none
    contiguity     iterators with stride-1 accesses stay inside (spatial locality)
    bigLoopsFirst  loops of many iterations go outside
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from akg.base.registry import Registry
from akg.poly.access import depends_on, stride
from akg.poly.domain import Model
from akg.poly.plan import CostSpec
from akg.poly.schedule.constraints import linear_rows, parse_form
from akg.poly.schedule.farkas import Edge, distinct
from akg.poly.schedule.ilp.rows import Matrix
from akg.poly.schedule.unknowns import Unknowns
from akg.poly.scop import Statement

_LIMIT = 4  # bound on coefficients that a user's objective subtracts, where "max_coefficient" gives none
_CONTIGUOUS, _INVARIANT, _STRIDED = 3, 2, 1


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One dimension that is being chosen: statements, what is open between them, the unknowns."""

    model: Model
    names: tuple[str, ...]
    edges: Sequence[Edge]
    unknowns: Unknowns


@dataclass(slots=True)
class Terms:
    """What a cost adds: objectives of [count], inequalities of [m, count + 1]."""

    objectives: list[Matrix] = field(default_factory=list[Matrix])
    rows: list[Matrix] = field(default_factory=list[Matrix])


@dataclass(frozen=True, slots=True)
class Cost:
    """A cost function: its variables for some edges, and its terms."""

    terms: Callable[[Stage], Terms]
    variables: Callable[[Sequence[Edge]], list[str]] = lambda edges: []


costs: Registry[Cost] = Registry("cost function", group="akg.costs", code="AKG-E304")


def variables_of(specs: Sequence[CostSpec], edges: Sequence[Edge], user: Sequence[str]) -> list[str]:
    """The extra columns that some costs need, and the user's."""
    found = list(user)
    for spec in specs:
        if isinstance(spec, str):
            if spec not in user:
                found.extend(costs.get(spec).variables(edges))
        elif "weighted" in spec:
            found.extend(variables_of([c for _, c in spec["weighted"]], edges, ()))
        else:
            found.append(_slack_name(str(spec["minimize"])))
    return list(dict.fromkeys(found))


def terms_of(spec: CostSpec, stage: Stage, user: Sequence[str]) -> Terms:
    """The terms of one entry of a cost list: a name, one of the user's variables, or an explicit objective."""
    if isinstance(spec, str):
        if spec in user:
            return Terms([stage.unknowns.vector({spec: 1})])
        return costs.get(spec).terms(stage)
    if "weighted" in spec:
        return _weighted(spec["weighted"], stage, user)
    return _explicit(str(spec["minimize"]), stage)


def _weighted(parts: Sequence[tuple[int, CostSpec]], stage: Stage, user: Sequence[str]) -> Terms:
    """The weighted sum, level by level."""
    result = Terms()
    for weight, spec in parts:
        terms = terms_of(spec, stage, user)
        result.rows.extend(terms.rows)
        for level, objective in enumerate(terms.objectives):
            if level == len(result.objectives):
                result.objectives.append(weight * objective)
            else:
                result.objectives[level] = result.objectives[level] + weight * objective
    return result


def _slack_name(text: str) -> str:
    return f"minimize {text}"


def _explicit(text: str, stage: Stage) -> Terms:
    """``z >= form + offset``, where bounds on what the form subtracts make that never negative."""
    slack = stage.unknowns.columns[_slack_name(text)]
    result = Terms([stage.unknowns.vector({_slack_name(text): 1})])
    limit = stage.unknowns.options.max_coefficient or _LIMIT
    for row in linear_rows(parse_form(text), stage.unknowns):
        low = np.minimum(row[:-1], 0)
        bounded = np.zeros((int((low < 0).sum()), stage.unknowns.count + 1), np.int64)
        bounded[np.arange(len(bounded)), np.flatnonzero(low)] = -1
        bounded[:, -1] = limit
        above = -row
        above[slack] += 1
        above[-1] = int(low.sum()) * limit
        result.rows.extend([bounded, above[None, :]])
    return result


# --- the built-in ones ----------------------------------------------------------------------------------


def _proximity(stage: Stage) -> Terms:
    unknowns = stage.unknowns
    bound = unknowns.bound()
    result = Terms([unknowns.vector({f"u{k}": 1 for k in range(unknowns.params)}), unknowns.vector({"w": 1})])
    for edge in distinct(stage.edges):
        distance = edge.distance(unknowns.forms)
        above = -distance
        above[: len(bound)] += bound
        result.rows.append(without_constant(edge.facets @ above))
        if edge.relaxed:  # its distance may be negative: both sides are bounded
            distance[: len(bound)] += bound
            result.rows.append(without_constant(edge.facets @ distance))
    return result


def without_constant(rows: Matrix) -> Matrix:
    """Rows over the unknowns alone as inequalities."""
    return np.concatenate([rows, np.zeros((len(rows), 1), rows.dtype)], axis=1)


def _pair_name(edge: Edge) -> str:
    return f"open {edge.source} {edge.sink}"


def _feautrier(stage: Stage, name_of: Callable[[Edge], str]) -> Terms:
    """One variable per pair of statements (or per dependence): 0 if all of it is carried, else 1."""
    unknowns = stage.unknowns
    total = np.zeros(unknowns.count, np.int64)
    result = Terms([total])
    for edge in stage.edges:
        if edge.relaxed:
            continue
        column = unknowns.columns[name_of(edge)]
        if not total[column]:
            limit = np.zeros((1, unknowns.count + 1), np.int64)
            limit[0, column], limit[0, -1] = -1, 1
            result.rows.append(limit)
        total[column] += 1
        rows = without_constant(edge.facets @ edge.distance(unknowns.forms))
        rows[:, column] += edge.facets[:, 0]
        rows[:, -1] -= edge.facets[:, 0]
        result.rows.append(rows)
    return result


def _feautrier_cost(name_of: Callable[[Edge], str]) -> Cost:
    return Cost(
        lambda stage: _feautrier(stage, name_of),
        lambda edges: list(dict.fromkeys([name_of(e) for e in edges if not e.relaxed])),
    )


def _per_iterator(stage: Stage, weigh: Callable[[Statement], Sequence[int]]) -> Terms:
    total = np.zeros(stage.unknowns.count, np.int64)
    for name in stage.names:
        form = stage.unknowns.forms[name]
        for k, weight in enumerate(weigh(stage.model.scop.statements[name])):
            total += weight * np.abs(form[k])
    return Terms([total])


def contiguity_weights(statement: Statement) -> list[int]:
    """Per iterator, what its place outside would cost: stride-1 accesses most, then invariant ones, then others."""
    weights: list[int] = []
    for iterator in statement.iterators:
        weight = 1
        for access in statement.accesses:
            if not depends_on(access, iterator):
                weight += _INVARIANT
            else:
                weight += _CONTIGUOUS if abs(stride(access, iterator)) == 1 else _STRIDED
        weights.append(weight)
    least = min(weights, default=0)
    return [w - least for w in weights]


def extent_ranks(statement: Statement) -> list[int]:
    """Per iterator, the number of loops with more iterations; symbolic extents count as large."""
    trips = [loop.const_trips for loop in statement.loops]
    sizes = [1 << 40 if t is None else t for t in trips]
    return [sum(other > own for other in sizes) for own in sizes]


def named_costs() -> Mapping[str, Cost]:
    """The cost functions of this file."""
    return {
        "proximity": Cost(_proximity),
        "feautrier": _feautrier_cost(_pair_name),
        "feautrierPerDependence": _feautrier_cost(lambda edge: f"open {id(edge.dependence)}"),
        "contiguity": Cost(lambda stage: _per_iterator(stage, contiguity_weights)),
        "bigLoopsFirst": Cost(lambda stage: _per_iterator(stage, extent_ranks)),
    }


for _name, _cost in named_costs().items():
    costs.register(_name, _cost)
