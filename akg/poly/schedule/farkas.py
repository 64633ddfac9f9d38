"""Dependences as cones of affine functions: what legality, distance bounds and satisfaction are computed with.

By the affine form of Farkas's lemma, the affine functions that are nowhere negative on a polyhedron form a cone
with finitely many facets. One cone for each convex piece of a dependence answers every question the scheduler asks,
by a product of matrices: is the distance of a row ever negative, ever positive, ever less than one; and,
with unknown coefficients in place of the row, which inequalities make it so (Feautrier 1992; Bondhugula et al. 2008).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np

from akg.poly import isl
from akg.poly.boxes import NoBoxError
from akg.poly.dependence import Dependence, Open
from akg.poly.domain import Model
from akg.poly.schedule.ilp.rows import Matrix, matrix, stack
from akg.poly.tree import Member

BUDGET = 8_000_000  # isl operations for the cones of one dependence
_PIECES = 12  # a relation of more convex pieces is replaced by its hull


class Edge:
    """What is open of a dependence, between the two statements of a pair.

    Attributes:
        open: the open instances.
        relaxed: the order is free (a reduction's own updates); only nearness counts.
        cones: facets of boxes, shared by edges: a stencil's flow and anti dependences are often of the same pairs.
    """

    def __init__(self, model: Model, part: Open, relaxed: bool, cones: dict[object, Matrix]) -> None:
        self.model, self.open, self.relaxed, self.cones = model, part, relaxed, cones
        self.dependence, self.source, self.sink = part.dependence, part.source, part.sink

    @cached_property
    def facets(self) -> Matrix:
        """Rows of all cones, over what `distance` is over."""
        is_own = self.source == self.sink
        pairs = self.open.symbolic
        if pairs is not None:
            key = self.source, self.sink, pairs.key
            try:
                if key not in self.cones:
                    spanned = list(dict.fromkeys(map(tuple, pairs.vertices(is_own))))
                    self.cones[key] = matrix(spanned, len(spanned[0]))
                return self.cones[key]
            except NoBoxError:
                pass
        with isl.budget(BUDGET):
            part = isl.deltas(self.open.part) if is_own else self.open.part
            columns = 1 + part.dim(isl.PARAM) + part.dim(isl.SET)
            pieces = isl.basic_sets(part)
            if len(pieces) > _PIECES:
                pieces = [part.remove_divs().simple_hull()]
            rows = stack([cone(p) for p in pieces], columns)
        return rows[np.any(rows != 0, axis=1)]

    def distance(self, rows: Mapping[str, Matrix]) -> Matrix:
        """Sink's row minus source's over (constant, parameters, source iterators, sink iterators).

        Between instances of one statement: over (constant, parameters, differences of iterators), as the rest cancels.
        A row is over (iterators, parameters, constant): a vector of numbers, or a matrix of functions of unknowns.
        """
        before, after = rows[self.source], rows[self.sink]
        params = len(self.model.params)
        ns, nd = len(before) - params - 1, len(after) - params - 1
        if self.source == self.sink:
            return np.concatenate([np.zeros_like(before[: params + 1]), before[:ns]])
        shift = after[-1:] - before[-1:]
        return np.concatenate([shift, after[nd:-1] - before[ns:-1], -before[:ns], after[:nd]])

    def is_legal(self, distance: Matrix) -> bool:
        """Whether a distance is nowhere negative."""
        return bool((self.facets @ distance >= 0).all())

    def is_zero(self, distance: Matrix) -> bool:
        """Whether a distance is zero everywhere."""
        return not (self.facets @ distance).any()

    def is_satisfied(self, distance: Matrix) -> bool:
        """Whether a distance is at least one everywhere."""
        return bool((self.facets @ distance >= self.facets[:, 0]).all())

    def open_below(self, members: Iterable[tuple[Member, Matrix]]) -> Edge | None:
        """What some rows leave open; None if they carry everything. Members come with their distances."""
        kept = [(m, d) for m, d in members if not self.is_zero(d)]
        if not kept:
            return self
        if any(self.is_satisfied(d) for _, d in kept):
            return None
        left: Open | None = self.open
        with isl.budget(BUDGET):
            for member, _ in kept:
                left = None if left is None else left.below(member)
            if left is None or left.is_void():
                return None
        return Edge(self.model, left, self.relaxed, self.cones)


def cone(piece: isl.BasicSet) -> Matrix:
    """The facets of the cone of functions that are nowhere negative on a set, over (constant, parameters, dimensions).

    Equalities of the set are used to eliminate dimensions first: ``x = e`` turns the coefficient of x into a
    multiple of the coefficients in e, and what is left is smaller.
    """
    params, dims = piece.dim(isl.PARAM), piece.dim(isl.SET)
    solved = _solved([[r[-1], *r[dims:-1], *r[:dims]] for r in isl.equalities(piece)], 1 + params, dims)
    kept = [k for k in range(1 + params + dims) if k not in solved]
    small = isl.project_out(piece, [k - 1 - params for k in solved])
    facets = matrix(isl.valid_constraints(small), len(kept))
    rows = np.zeros((len(facets), 1 + params + dims), np.int64)
    rows[:, kept] = facets
    for column, expression in solved.items():
        rows[:, column] = facets @ np.array([expression[k] for k in kept], np.int64)
    return rows


def _solved(equalities: list[list[int]], first: int, count: int) -> dict[int, list[int]]:
    """Dimensions (columns from `first`) that equalities give as integral expressions of the rest."""
    solved: dict[int, list[int]] = {}
    for given in equalities:
        row = list(given)
        for column, expression in solved.items():
            factor, row[column] = row[column], 0
            row = [a + factor * b for a, b in zip(row, expression, strict=True)]
        pivot = next((k for k in range(first + count - 1, first - 1, -1) if abs(row[k]) == 1), None)
        if pivot is None:
            continue
        sign, row[pivot] = -row[pivot], 0
        new = [sign * v for v in row]
        for column, expression in solved.items():
            factor, expression[pivot] = expression[pivot], 0
            solved[column] = [a + factor * b for a, b in zip(expression, new, strict=True)]
        solved[pivot] = new
    return solved


def edges_of(model: Model, dependences: Iterable[Dependence], relax_reductions: bool) -> list[Edge]:
    """Every dependence, wholly open."""
    cones: dict[object, Matrix] = {}
    return [Edge(model, d.open(model), d.is_reduction and relax_reductions, cones) for d in dependences]


def distinct(edges: Iterable[Edge]) -> list[Edge]:
    """The edges whose inequalities differ: one for each cone between two statements."""
    return list({(e.source, e.sink, e.relaxed, id(e.facets)): e for e in edges}.values())
