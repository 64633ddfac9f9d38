"""The rows of the scheduler: the best one for a dimension, or what can be had where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from akg.base.errors import AkgError
from akg.ir.affine import Affine
from akg.poly import isl
from akg.poly.components import Group
from akg.poly.dependence import Dependence
from akg.poly.domain import Model, model_of
from akg.poly.plan import DimensionPlan, Directive, Plan, SchedulerState
from akg.poly.progression import rank
from akg.poly.schedule.dimension import BandProblem, History, Rows, Wish
from akg.poly.schedule.farkas import Edge, edges_of
from akg.poly.schedule.fusion import clusters
from akg.poly.schedule.ilp.simplex import Work
from akg.poly.schedule.plan_check import check_dimension, fitted
from akg.poly.schedule.wishes import asked_of, directive_wishes
from akg.poly.scop import Scop
from akg.poly.tree import Member

Note = Callable[[str], None]
UNROLLED = 64  # iterations of a loop that a directive may unroll
WORK = 100_000_000  # of all integer problems of a kernel, some two seconds
_FEAUTRIER = tuple([DimensionPlan(costs=(c,)) for c in ("feautrier", "feautrierPerDependence")])


@dataclass(frozen=True, slots=True)
class Place:
    """The way from the root: rows so far."""

    history: History
    dimension: int = 0
    parallel: bool | None = None

    def after(self, rows: Rows, model: Model, parallel: bool) -> Place:
        history = dict(self.history)
        for name, row in rows.items():
            depth = len(model.scop.statements[name].loops)
            history[name] = (*history[name], tuple([int(v) for v in row[:depth]]))
        return Place(history, self.dimension + 1, parallel)


@dataclass(slots=True, eq=False)
class Found:
    """A member with its rows."""

    member: Member
    rows: Rows


class RowSearch:
    """Finds rows for the statements of a kernel by a plan."""

    def __init__(self, scop: Scop, dependences: Sequence[Dependence], plan: Plan, note: Note) -> None:
        self.scop, self.note = scop, note
        self.model = model_of(scop, plan.options.constant_to_parameter, plan.options.context_min)
        self.work = Work(WORK)
        self.depths = {n: len(s.loops) for n, s in scop.statements.items()}
        self.plan = plan = fitted(plan, self.depths, len(self.model.params))
        self.placed: set[tuple[str, int]] = set()
        reduced = {n for d in plan.directives if d.kind == "reduce" for n in d.statements or scop.statements}
        self.edges = edges_of(self.model, dependences, plan.options.relax_reductions)
        for edge in self.edges:
            edge.relaxed = edge.relaxed or (edge.dependence.is_reduction and edge.source in reduced)

    def unfinished(self, names: Group, place: Place) -> list[str]:
        """The statements that need more rows."""
        return [n for n in names if rank(place.history[n]) < self.depths[n]]

    def problem(self, names: Group, edges: Sequence[Edge], place: Place) -> BandProblem:
        """The integer problems of a band that starts here."""
        kept = frozenset(names)
        inside = [e for e in edges if e.source in kept and e.sink in kept]
        leaders: dict[str, str] = {}
        if self.plan.options.cluster_identity:
            leaders = clusters(self.model, names, inside, place.history, self.plan)
        return BandProblem(self.model, names, inside, leaders, self.plan, self.work)

    def dimension_plan(self, names: Group, edges: Sequence[Edge], place: Place, position: int) -> DimensionPlan:
        """The plan of a dimension, by the call-back if there is one and it has an answer."""
        if self.plan.callback is not None:
            state = SchedulerState(
                place.dimension, position, names, {n: rank(place.history[n]) for n in names},
                {n: self.depths[n] for n in names},
                tuple([(e.dependence.kind, e.source, e.sink, e.dependence.buffer.name) for e in edges]), place.parallel,
            )  # fmt: skip
            answer = self.plan.callback(state)
            if answer is not None:
                where = f"the call-back's answer for dimension {place.dimension}"
                check_dimension(answer, self.plan, self.depths, len(self.model.params), where)
                return answer
        return self.plan.dimension(place.dimension)

    def row(self, problem: BandProblem, plan: DimensionPlan, place: Place) -> Rows | None:
        """The next row of a band: with everything that is wished for, or as much of it as can be."""
        if plan.prefer_parallel:
            plan = replace(plan, prefer_parallel=False)
            rows = self.row(problem, replace(plan, require_parallel=True), place)
            if rows is not None:
                return rows
        hard = problem.wishes(plan, soft=False)
        soft = problem.wishes(plan, soft=True)
        directed = directive_wishes(self.plan.directives, problem, plan, place.history)
        hard += [w for w in directed if w.strict]
        soft = [w for w in directed if not w.strict] + soft
        history = place.history
        try:
            rows = problem.solve(plan, history, [*hard, *soft], plan.require_parallel)
        except isl.Unknown:
            return self.any_row(problem, plan, place, hard)
        if rows is not None:
            return rows
        base = problem.solve(plan, history, hard, plan.require_parallel) if soft else None
        if base is None:
            if problem.has_mirror(history):
                return problem.solve(plan, history, hard, plan.require_parallel, "mirror")
            return None
        return self.dropping(problem, plan, place, hard, soft)

    def any_row(self, problem: BandProblem, plan: DimensionPlan, place: Place, hard: list[Wish]) -> Rows | None:
        """A legal row, where the best one is too much work to find."""
        simple = replace(plan, costs=())
        if not any(w.key in {c.text for c in plan.constraints} for w in hard) and not self.plan.variables:
            try:
                rows = problem.solve(simple, place.history, (), plan.require_parallel)
            except isl.Unknown:
                problem.is_too_large = True
                return None
            if rows is not None:
                self.note(f"dimension {place.dimension} of {', '.join(problem.names)}: costs dropped, out of budget")
            return rows
        return None

    def dropping(
        self, problem: BandProblem, plan: DimensionPlan, place: Place, hard: list[Wish], soft: list[Wish]
    ) -> Rows | None:
        """Take the wishes in order and keep those that can hold with the ones before; report the others."""
        kept: list[Wish] = []
        best: Rows | None = None
        for wish in soft:
            rows = problem.solve(plan, place.history, [*hard, *kept, wish], plan.require_parallel)
            if rows is None:
                self.note(f"dimension {place.dimension} of {', '.join(problem.names)}: dropped {wish.key}")
            else:
                kept.append(wish)
                best = rows
        return best or problem.solve(plan, place.history, hard, plan.require_parallel)

    def feautrier(self, problem: BandProblem, place: Place) -> Rows | None:
        """A row that carries something, with negative coefficients if need be."""
        for negative in (False, True):
            plan = self.plan.with_options(negative_coefficients=negative, parameter_shifting=negative)
            attempt = replace(problem, plan=plan, _prepared={})
            for progress, way in (("each", 0), ("none", 0), ("none", 1)):
                try:
                    rows = attempt.solve(_FEAUTRIER[way], place.history, (), progress=progress)
                except isl.Unknown:
                    continue
                if rows is None:
                    continue
                if any(self.grown(rows, place)) or any(e.is_satisfied(e.distance(rows)) for e in problem.edges):
                    return rows
        return None

    def original_loop(self, names: Group, edges: Sequence[Edge], place: Place) -> Rows | None:
        """The next loop of the program that all statements are in, where it carries nothing backwards."""
        loops = [self.scop.statements[n].loops for n in names]
        for k in range(min(map(len, loops))):
            if any(own[k] is not loops[0][k] for own in loops):
                return None
            rows: Rows = {}
            for n, own in zip(names, loops, strict=True):
                rows[n] = np.zeros(len(own) + len(self.model.params) + 1, np.int64)
                rows[n][k] = 1
            grows = all(self.grown(rows, place))
            if grows and all(e.relaxed or e.is_legal(e.distance(rows)) for e in edges):
                own_loop = f"the program's own loop {loops[0][k].var}"
                self.note(f"dimension {place.dimension} of {', '.join(names)}: {own_loop}")
                return rows
        return None

    def grown(self, rows: Rows, place: Place) -> list[bool]:
        """For each statement, whether its row is independent of those before."""
        after = place.after(rows, self.model, False).history
        return [rank(after[n]) > rank(place.history[n]) for n in rows]

    def blame_constraints(self, problem: BandProblem, plan: DimensionPlan, place: Place) -> None:
        """Say so where a hard constraint is what leaves no row.

        Raises:
            AkgError: AKG-E306 naming the dimension and the constraint.
        """
        wishes = problem.wishes(plan, soft=False)
        wishes += [w for w in directive_wishes(self.plan.directives, problem, plan, place.history) if w.strict]
        if not wishes or problem.solve(plan, place.history, ()) is None:
            return
        for k, wish in enumerate(wishes):
            if problem.solve(plan, place.history, wishes[: k + 1]) is None:
                others = [w.key for w in wishes[:k]]
                raise AkgError(
                    "AKG-E306",
                    f"dimension {place.dimension} of {', '.join(problem.names)} cannot have {wish.key}",
                    because=f"together with {', '.join(others)} no row is left" if others else
                    "every row with it breaks a dependence or repeats an outer loop",
                    hint='make it a soft constraint: {"constraint": ..., "soft": true}',
                )  # fmt: skip

    def member(self, names: Group, edges: Sequence[Edge], rows: Rows) -> Found:
        """A row as a member of a band, marked with what it carries."""
        forms = {n: self.form(n, rows[n]) for n in names}
        carried = [e for e in edges if not e.is_zero(e.distance(rows))]
        reduction = bool(carried) and all(e.dependence.is_reduction for e in carried)
        kind = "unroll" if self.is_unrolled(forms) else "serial"
        asked = asked_of(self.plan.directives, rows, self.depths)
        return Found(Member(forms, coincident=not carried, reduction=reduction, kind=kind, directive=asked), rows)

    def is_unrolled(self, forms: dict[str, Affine]) -> bool:
        """Whether directives ask to unroll the loop that a member becomes, and it is short."""
        asked = False
        for directive, name, k in self.unrolls():
            if name in forms and forms[name].terms == {self.scop.statements[name].iterators[k]: 1}:
                self.placed.add((name, k))
                trips = self.scop.statements[name].loops[k].const_trips
                if trips is None or trips > UNROLLED:
                    self.drop(directive, name, k, f"its loop is longer than {UNROLLED}, or of symbolic length")
                else:
                    asked = True
        return asked

    def unrolls(self) -> Iterator[tuple[Directive, str, int]]:
        """The loops that directives ask to unroll."""
        for directive in self.plan.directives:
            if directive.kind == "unroll":
                for name in directive.statements or self.depths:
                    yield from [(directive, name, k) for k in directive.iterators if k < self.depths[name]]

    def note_unplaced(self) -> None:
        """Report the loops that were to be unrolled and have become none."""
        for directive, name, k in self.unrolls():
            if (name, k) not in self.placed:
                self.drop(directive, name, k, "no loop of the schedule runs over that iterator alone")

    def drop(self, directive: Directive, name: str, iterator: int, why: str) -> None:
        """Report a directive that cannot be followed.

        Raises:
            AkgError: AKG-E306 if it is strict.
        """
        text = f'the directive "{directive.kind}" of iterator {iterator} of {name}'
        if directive.strict:
            raise AkgError("AKG-E306", f"{text} cannot hold", because=why,
                           hint='leave "strict" away, or ask for another loop')  # fmt: skip
        self.note(f"dropped {text}: {why}")

    def form(self, name: str, row: Iterable[int]) -> Affine:
        """A row over iterators and sizes; symbolic constants become numbers again."""
        values = [int(v) for v in row]
        iterators = self.scop.statements[name].iterators
        terms = dict(zip(iterators, values, strict=False))
        params = values[len(iterators) : -1]
        for v, k in self.model.sizes.items():
            terms[v] = params[k]
        return Affine(terms, values[-1] + sum(params[k] * value for k, value in self.model.values.items()))
