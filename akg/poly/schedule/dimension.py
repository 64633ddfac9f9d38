"""One scheduling dimension of some statements: its integer problem and the solution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from akg.poly import isl
from akg.poly.domain import Model
from akg.poly.plan import CostSpec, DimensionPlan, Plan
from akg.poly.progression import Row, complement
from akg.poly.schedule.constraints import constraint_rows
from akg.poly.schedule.cost import Stage, Terms, terms_of, variables_of, without_constant
from akg.poly.schedule.farkas import Edge, distinct
from akg.poly.schedule.ilp.rows import Matrix, simplify, stack
from akg.poly.schedule.ilp.simplex import Work
from akg.poly.schedule.ilp.solve import Problem, solve
from akg.poly.schedule.unknowns import Unknowns

BRANCHES = 64  # problems for one row with negative coefficients
History = Mapping[str, tuple[Row, ...]]  # statement -> the iterator parts of its rows so far
Rows = dict[str, Matrix]  # statement -> its row over (iterators, parameters, constant)


@dataclass(frozen=True, slots=True)
class Wish:
    """A constraint of one dimension, as inequalities; `key` names it in reports and errors."""

    key: str
    strict: bool
    rows: Matrix


@dataclass(slots=True)
class _Prepared:
    """What stays the same for all dimensions of a band with one list of costs."""

    unknowns: Unknowns
    objectives: list[Matrix]
    rows: Matrix
    zero: Matrix | None = None


@dataclass(slots=True)
class BandProblem:
    """The dimensions of one band: statements, what is open above it, and what they share."""

    model: Model
    names: tuple[str, ...]
    edges: Sequence[Edge]
    leaders: Mapping[str, str]
    plan: Plan
    work: Work | None = None
    is_too_large: bool = False  # no solver finds any row within its budget
    _prepared: dict[str, _Prepared] = field(default_factory=dict[str, _Prepared])

    def prepared(self, costs: tuple[CostSpec, ...]) -> _Prepared:
        """Legality and the terms of some costs."""
        key = repr(costs)
        found = self._prepared.get(key)
        if found is None:
            found = self._prepared[key] = self._prepare(costs)
        return found

    def _prepare(self, costs: tuple[CostSpec, ...]) -> _Prepared:
        options, user = self.plan.options, self.plan.variables
        extra = variables_of(costs, self.edges, user)
        unknowns = Unknowns(self.model, self.names, self.leaders, extra, options)
        stage = Stage(self.model, self.names, self.edges, unknowns)
        terms = Terms()
        for spec in costs:
            added = terms_of(spec, stage, user)
            terms.objectives.extend(added.objectives)
            terms.rows.extend(added.rows)
        terms.objectives.extend([unknowns.total(k) for k in ("iterators", "parameters", "constants")])
        terms.rows.extend(
            without_constant(e.facets @ e.distance(unknowns.forms)) for e in distinct(self.edges) if not e.relaxed
        )
        limit = options.coefficient_limit
        if limit:
            terms.rows.append(unknowns.at_most("iterators", limit))
        rows = stack([simplify(r) for r in terms.rows], unknowns.count + 1)
        return _Prepared(unknowns, [o for o in terms.objectives if o.any()], simplify(rows))

    def zero_rows(self, prepared: _Prepared, edges: Sequence[Edge] | None = None) -> Matrix:
        """Inequalities that make the distance of some (None: all) edges at most zero."""
        if edges is None and prepared.zero is not None:
            return prepared.zero
        forms, parts = prepared.unknowns.forms, list[Matrix]()
        for e in distinct(self.edges if edges is None else edges):
            rows = without_constant(e.facets @ e.distance(forms))
            parts.append(simplify(-rows))
            if e.relaxed:
                parts.append(simplify(rows))
        found = simplify(stack(parts, prepared.unknowns.count + 1))
        if edges is None:
            prepared.zero = found
        return found

    def wishes(self, plan: DimensionPlan, soft: bool) -> list[Wish]:
        """The strategy's constraints of a dimension, hard or soft ones."""
        unknowns = self.prepared(plan.costs).unknowns
        found: list[Wish] = []
        for c in plan.constraints:
            if c.soft == soft:
                rows = constraint_rows(c.text, unknowns)
                if rows:
                    found.append(Wish(c.text, not soft, np.array(rows)))
        return found

    def solve(
        self, plan: DimensionPlan, history: History, wishes: Sequence[Wish], parallel: bool = False,
        progress: str = "each",
    ) -> Rows | None:  # fmt: skip
        """The best row for every statement, None if there is none.

        Args:
            plan: costs of the dimension.
            history: rows so far.
            wishes: further inequalities.
            parallel: whether the dimension may carry nothing.
            progress: "each": every statement that is not done gets an independent row; "mirror": the same, on the
                other side of what was found; "none": no such thing.
        """
        prepared = self.prepared(plan.costs)
        unknowns = prepared.unknowns
        parts = [prepared.rows, *[w.rows for w in wishes]]
        if parallel:
            parts.append(self.zero_rows(prepared))
        if progress == "each" and self.plan.options.negative_coefficients:
            return self.signed(prepared, parts, history)
        if progress != "none":
            parts.append(_progress(unknowns, history, -1 if progress == "mirror" else 1))
        point = self.least(prepared, parts)
        return None if point is None else unknowns.rows_of(point)

    def least(self, prepared: _Prepared, parts: Sequence[Matrix]) -> list[int] | None:
        """The least point of some inequalities."""
        width = prepared.unknowns.count
        objectives = np.array(prepared.objectives, np.int64).reshape(len(prepared.objectives), width)
        return solve(Problem(width, objectives, stack(parts, width + 1)), self.plan.options.solver, self.work)

    def signed(self, prepared: _Prepared, parts: Sequence[Matrix], history: History) -> Rows | None:
        """The best rows where coefficients may be negative: branch and bound over the sides on which rows lie.

        The linear independence that Acharya and Bondhugula (2015) put into one problem with large constants is left
        to a few problems without: one that only asks for coefficients, and two more for each statement whose row then
        depends on its history.
        """
        unknowns = prepared.unknowns
        leaders = [n for n, leader in unknowns.leaders.items() if n == leader]
        free = {n: rows for n in leaders if (rows := complement(history[n], unknowns.depth(n)))}
        best: tuple[list[int], Rows] | None = None
        waiting: list[dict[str, int]] = [{}]
        for _ in range(BRANCHES):
            if not waiting:
                break
            signs = waiting.pop()
            point = self.least(prepared, [*parts, _signed(unknowns, free, signs)])
            if point is None:
                continue
            value = [*[int(np.dot(o, point)) for o in prepared.objectives], *point]
            if best is not None and value >= best[0]:
                continue
            rows = unknowns.rows_of(point)
            same = next((n for n in free if not (np.array(free[n]) @ rows[n][: unknowns.depth(n)]).any()), None)
            if same is None:
                best = value, rows
            else:
                waiting += [{**signs, same: -1}, {**signs, same: 1}]
        if best is None and waiting:
            raise isl.Unknown(f"no independent rows in {BRANCHES} problems")
        return None if best is None else best[1]

    def has_mirror(self, history: History) -> bool:
        """Whether a row may be independent of the history on its other side."""
        if self.plan.options.negative_coefficients:
            return False  # both sides are in the problem
        return any(
            min(r) < 0 < max(r) for n in self.names for r in complement(history[n], self.prepared_depth(n))
        )

    def prepared_depth(self, name: str) -> int:
        """The number of iterators of a statement."""
        return len(self.model.scop.statements[name].loops)


def _signed(unknowns: Unknowns, free: Mapping[str, tuple[Row, ...]], signs: Mapping[str, int]) -> Matrix:
    """For every statement: some product with a row of the complement is not zero; with a sign, where that is chosen.

    With a sign it is exact: a sum of the products is positive (or negative), with weights that nothing cancels, as
    coefficients are bounded. Without, some iterator that the complement speaks of has a coefficient.
    """
    rows: list[Matrix] = []
    for name, independent in free.items():
        form = unknowns.forms[name]
        if name not in signs:
            used = np.any(np.array(independent) != 0, axis=0)
            rows.append(np.append(np.abs(form[: len(used)][used]).sum(axis=0), -1))
            continue
        weights, largest = [], 0
        for row in independent:
            weights.append(largest + 1)
            largest += weights[-1] * sum(map(abs, row)) * unknowns.options.coefficient_limit
        total = np.array(weights, np.int64) @ np.array(independent, np.int64)
        rows.append(np.append(signs[name] * total @ form[: len(total)], -1))
    return np.array(rows, np.int64).reshape(len(rows), unknowns.count + 1)


def _progress(unknowns: Unknowns, history: History, sign: int) -> Matrix:
    """For every unfinished statement: no product with a row of the complement is negative, their sum is positive."""
    rows: list[Matrix] = []
    for name, leader in unknowns.leaders.items():
        if name != leader:
            continue
        depth = unknowns.depth(name)
        free = complement(history[name], depth)
        if not free:
            continue
        products = sign * np.array(free, np.int64) @ unknowns.forms[name][:depth]
        rows.extend(np.append(p, 0) for p in products)
        rows.append(np.append(products.sum(axis=0), -1))
    return np.array(rows, np.int64).reshape(len(rows), unknowns.count + 1)
