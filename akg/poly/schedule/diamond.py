"""Diamond tiling: hyperplanes whose tiles can all start at once (Bandishti et al. 2012; Bondhugula et al. 2016).

    Pluto's band:            t, 2t + i            tiles start one after the other along i: a pipeline that fills
    with concurrent start:   2t - i, 2t + i       every tile of a wavefront is there from the beginning

A face of the iteration space, such as ``t = 0``, allows concurrent start where its normal f lies in the interior of
the cone of the tiling hyperplanes. For a band (f, h, ...) it is enough to put h' in the place of f, with

    h' = a f - b h,    a >= 1, b >= 1        so that f = (h' + b h) / a

and h' legal for every dependence. Tiles are then bounded by h' and h on all sides, the other rows of the band
tile what is left in order: concurrent start along one dimension, which is as much as threads need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from akg.poly.schedule.cost import contiguity_weights, without_constant
from akg.poly.schedule.dimension import BandProblem, Rows
from akg.poly.schedule.farkas import Edge, distinct
from akg.poly.schedule.ilp.rows import Matrix, simplify, stack
from akg.poly.schedule.ilp.solve import Problem, solve

_LIMIT = 32  # of the factors a and b: steeper diamonds are none


def with_concurrent_start(problem: BandProblem, rows: Sequence[Rows]) -> list[Rows] | None:
    """The rows of a tilable band with a pair whose tiles start at once; None if there is no such pair.

    Args:
        problem: the band's statements and what is open above it.
        rows: its rows, none of which is parallel, the one along the face's normal first.

    Returns:
        h', h, and the other rows with contiguous dimensions last.

    Raises:
        isl.Unknown: if the budget of the integer problem ran out.
    """
    face, *others = rows
    others.sort(key=lambda row: _contiguity(problem, face, row))
    for k, other in enumerate(others):
        found = complement(problem, face, other)
        if found is not None:
            return [found, other, *others[:k], *others[k + 1 :]]
    return None


def _contiguity(problem: BandProblem, face: Rows, row: Rows) -> int:
    """How much of its memory a statement walks through in order along a row, beyond the face's normal."""
    total = 0
    for name in problem.names:
        weights = contiguity_weights(problem.model.scop.statements[name])
        total += sum(w for k, w in enumerate(weights) if row[name][k] and not face[name][k])
    return total


def complement(problem: BandProblem, face: Rows, other: Rows) -> Rows | None:
    """The legal row ``a face - b other`` with short dependences, shifted for each statement; None if there is none."""
    params = len(problem.model.params)
    names = problem.names
    first = params + 3  # columns: u_1 .. u_p, w, a, b, then for each statement a shift up and one down
    count = first + 2 * len(names)
    forms: dict[str, Matrix] = {}
    for k, name in enumerate(names):
        form = np.zeros((len(face[name]), count), np.int64)
        form[:, params + 1], form[:, params + 2] = face[name], -other[name]
        form[-1, first + 2 * k], form[-1, first + 2 * k + 1] = 1, -1
        forms[name] = form
    limits = np.zeros((4, count + 1), np.int64)
    for k, column in enumerate((params + 1, params + 2)):
        limits[2 * k, [column, -1]] = 1, -1
        limits[2 * k + 1, [column, -1]] = -1, _LIMIT
    kept = [_legal_and_bounded(e, forms, params) for e in distinct(problem.edges)]
    rows = simplify(stack([limits, *kept], count + 1))
    objectives = np.zeros((4, count), np.int64)
    objectives[0, :params] = 1
    objectives[1, params] = 1
    objectives[2, params + 1 : first] = 1
    objectives[3, first:] = 1
    wanted = objectives[objectives.any(axis=1)]
    point = solve(Problem(count, wanted, rows), problem.plan.options.solver, problem.work)
    if point is None:
        return None
    return {name: form @ np.array(point, np.int64) for name, form in forms.items()}


def _legal_and_bounded(edge: Edge, forms: Mapping[str, Matrix], params: int) -> Matrix:
    """``0 <= distance <= u.N + w`` for every instance of a dependence."""
    distance = edge.distance(forms)
    above = -distance
    above[0, params] += 1
    for k in range(params):
        above[1 + k, k] += 1
    parts = [edge.facets @ above]
    if not edge.relaxed:
        parts.append(edge.facets @ distance)
    return simplify(without_constant(np.concatenate(parts)))
