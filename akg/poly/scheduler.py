"""The configurable scheduler: iterative, one integer problem per dimension, after PolyTOPS and Pluto.

Statements are scheduled together as far as they depend on one another. On the way from the root:

  1. what is not connected by dependences gets nests of its own;
  2. the fusion heuristic cuts the graph of dependences between strongly connected components;
  3. a band: row after row, each legal for every dependence that is open above the band, independent of the rows
     before, and best by the dimension's costs; until there is no more;
  4. where there is no first row, the graph is cut between all components; if there is only one, a row by
     Feautrier's algorithm carries as many dependences as can be;
  5. what the rows leave open goes on below.

The parts are those of Feautrier 1992, Bondhugula et al. 2008 (Pluto) and Consolaro et al. 2024 (PolyTOPS).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from akg.base.errors import AkgError
from akg.ir.affine import Affine
from akg.poly import isl
from akg.poly.components import Group, in_order, weakly_connected
from akg.poly.dependence import Dependence
from akg.poly.dimension import BandProblem, History, Rows, Wish
from akg.poly.domain import Model, model_of
from akg.poly.farkas import Edge, edges_of
from akg.poly.fusion import clusters, fusion_groups
from akg.poly.ilp.simplex import Work
from akg.poly.isl_scheduler import NoScheduleError, schedule_isl
from akg.poly.plan import DimensionPlan, Plan, SchedulerState
from akg.poly.plan_check import check_dimension, check_plan
from akg.poly.progression import rank
from akg.poly.scop import Scop
from akg.poly.tree import LEAF, Band, Domain, Filter, Member, Node
from akg.poly.tree import Sequence as Children
from akg.poly.wishes import directive_wishes

Note = Callable[[str], None]
UNROLLED = 64  # iterations of a loop that a directive may unroll
_FEAUTRIER = tuple([DimensionPlan(costs=(c,)) for c in ("feautrier", "feautrierPerDependence")])
WORK = 100_000_000  # of all integer problems of a kernel, some two seconds
FALLBACK_OPERATIONS = 4_000_000  # of isl's scheduler, where ours gave up: about a second


class _StuckError(Exception):
    """No row carries anything more."""


@dataclass(frozen=True, slots=True)
class _Place:
    """The way from the root: rows so far."""

    history: History
    dimension: int = 0
    parallel: bool | None = None

    def after(self, rows: Rows, model: Model, parallel: bool) -> _Place:
        history = dict(self.history)
        for name, row in rows.items():
            depth = len(model.scop.statements[name].loops)
            history[name] = (*history[name], tuple([int(v) for v in row[:depth]]))
        return _Place(history, self.dimension + 1, parallel)


@dataclass(slots=True, eq=False)
class _Found:
    """A member with its rows."""

    member: Member
    rows: Rows


def schedule(scop: Scop, dependences: Iterable[Dependence], plan: Plan, note: Note = lambda text: None) -> Domain:
    """A schedule tree by a plan; what had to be dropped of it is told to `note`.

    Raises:
        AkgError: AKG-E305 for a plan that does not fit the kernel, AKG-E306 for constraints that cannot hold.
        NoScheduleError: if nothing was found and the plan's fallback does not go on.
        isl.Unknown: if a budget ran out.
    """
    if any(model_of(scop).statement(name).opaque_bounds for name in scop.statements):
        raise NoScheduleError("bounds of loops depend on data")
    listed = list(dependences)
    try:
        return Domain(tuple(scop.statements), _Scheduler(scop, listed, plan, note).root())
    except _StuckError as stuck:
        for other in plan.options.fallback:
            if other == "isl":
                relax = plan.options.relax_reductions
                try:
                    tree = schedule_isl(scop, listed, relax_reductions=relax, operations=FALLBACK_OPERATIONS)
                except (isl.Unknown, NoScheduleError):
                    continue
                note(f"{stuck}: isl's scheduler is used")
                return tree
            if other == "original":
                note(f"{stuck}: the original order is used")
                return scop.tree
        raise AkgError("AKG-E306", f"no schedule of {scop.kernel.name}: {stuck}",
                       hint='allow "negative_coefficients", or a "fallback"') from None  # fmt: skip


class _Scheduler:
    def __init__(self, scop: Scop, dependences: Sequence[Dependence], plan: Plan, note: Note) -> None:
        self.scop, self.plan, self.note = scop, plan, note
        self.model = model_of(scop)
        self.work = Work(WORK)
        reduced = {n for d in plan.directives if d.kind == "reduce" for n in d.statements or scop.statements}
        self.edges = edges_of(self.model, dependences, plan.options.relax_reductions)
        for edge in self.edges:
            edge.relaxed = edge.relaxed or (edge.dependence.is_reduction and edge.source in reduced)
        self.depths = {n: len(s.loops) for n, s in scop.statements.items()}
        check_plan(plan, self.depths, len(self.model.params))

    def root(self) -> Node:
        """The tree below the domain."""
        names = tuple(self.scop.statements)
        return self.node(names, self.edges, _Place(dict.fromkeys(names, ())))

    # --- the tree --------------------------------------------------------------------------------------

    def node(self, names: Group, edges: Sequence[Edge], place: _Place) -> Node:
        """The subtree of some statements; `edges` may be of others too."""
        kept = frozenset(names)
        edges = [e for e in edges if e.source in kept and e.sink in kept]
        if not self.unfinished(names, place):
            return self.leaves(names, edges, place)
        together = any(set(g) == kept for g in self.plan.fusion_at(place.dimension).groups)
        if self.plan.options.split_components and not together:
            parts = weakly_connected(names, _arcs(edges))
            if len(parts) > 1:
                return self.children(parts, edges, place)
        groups = self.groups(names, edges, place)
        if len(groups) > 1:
            return self.children(groups, edges, place)
        return self.band(names, edges, place)

    def groups(self, names: Group, edges: Sequence[Edge], place: _Place) -> list[Group]:
        """The fusion heuristic: statements that go on together, in order."""
        plan = self.plan.fusion_at(place.dimension)
        arcs = _arcs([e for e in edges if not (e.relaxed and e.source == e.sink)])
        left = {n: self.depths[n] - rank(place.history[n]) for n in names}
        return fusion_groups(plan, names, arcs, left, lambda group: self.is_parallel(group, edges, place))

    def is_parallel(self, names: Group, edges: Sequence[Edge], place: _Place) -> bool:
        """Whether some statements have a next row together that carries nothing."""
        problem = self.problem(names, edges, place)
        plan = replace(self.plan.dimension(place.dimension), costs=())
        return problem.solve(plan, place.history, problem.wishes(plan, soft=False), parallel=True) is not None

    def children(self, groups: Sequence[Group], edges: Sequence[Edge], place: _Place) -> Node:
        """Groups one after the other; sequences inside sequences are taken apart."""
        flat: list[Filter] = []
        for group in groups:
            child = self.node(group, edges, place)
            flat.extend(child.children if isinstance(child, Children) else [Filter(group, child)])
        return Children(tuple(flat))

    def leaves(self, names: Group, edges: Sequence[Edge], place: _Place) -> Node:
        """Statements with all their rows, in an order that keeps what is still open."""
        if len(names) == 1:
            return LEAF
        groups = in_order(names, _arcs([e for e in edges if e.source != e.sink]))
        if all(len(g) == 1 for g in groups):
            return Children(tuple([Filter(g, LEAF) for g in groups]))
        if len(groups) > 1:
            return self.children(groups, edges, place)
        return self.carry(names, edges, self.problem(names, edges, place), place)

    def unfinished(self, names: Group, place: _Place) -> list[str]:
        """The statements that need more rows."""
        return [n for n in names if rank(place.history[n]) < self.depths[n]]

    # --- a band ----------------------------------------------------------------------------------------

    def problem(self, names: Group, edges: Sequence[Edge], place: _Place) -> BandProblem:
        """The integer problems of a band that starts here."""
        kept = frozenset(names)
        inside = [e for e in edges if e.source in kept and e.sink in kept]
        leaders: dict[str, str] = {}
        if self.plan.options.cluster_identity:
            leaders = clusters(self.model, names, inside, place.history, self.plan)
        return BandProblem(self.model, names, inside, leaders, self.plan, self.work)

    def band(self, names: Group, edges: Sequence[Edge], place: _Place, is_retry: bool = False) -> Node:
        """A band and what is below it; a cut, or a row by Feautrier's algorithm, where there is no band.

        `is_retry`: the first dimension could not be parallel, and need not be.
        """
        problem = self.problem(names, edges, place)
        found: list[_Found] = []
        here = place
        parts: list[Group] = []
        heuristic = self.plan.fusion_at(place.dimension).heuristic
        plan = self.plan.dimension(place.dimension)
        only_parallel = heuristic == "parallelfuse" and len(in_order(names, _arcs(edges))) > 1
        while not parts and self.unfinished(names, here):
            plan = self.dimension_plan(names, edges, here, len(found))
            if only_parallel:
                plan = replace(plan, require_parallel=True)
            if is_retry and not found:
                plan = replace(plan, require_parallel=False)
            rows = self.row(problem, plan, here, first=not found)
            if rows is None:
                break
            found.append(self.member(names, edges, rows))
            here = here.after(rows, self.model, found[-1].member.coincident)
            if _is_feautrier(plan) and not found[-1].member.coincident:
                break
            parts = self.separate(names, edges, found, here)
        if not found:
            return self.without_band(names, edges, problem, place, plan)
        is_short = len(found) < max(self.depths[n] - rank(place.history[n]) for n in names)
        if is_short and not parts and heuristic == "smartfuse" and not _is_feautrier(plan):
            groups = in_order(names, _arcs(edges))
            if len(groups) > 1:  # their fusion would cost a tilable dimension
                return self.children(groups, edges, place)
        below = _left_open(edges, found)
        members = tuple([f.member for f in found if not _is_trivial(f.member)])
        child = self.children(parts, below, here) if parts else self.node(names, below, here)
        return Band(members, True, child) if members else child

    def row(self, problem: BandProblem, plan: DimensionPlan, place: _Place, first: bool) -> Rows | None:
        """The next row of a band: with everything that is wished for, or as much of it as can be."""
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

    def any_row(self, problem: BandProblem, plan: DimensionPlan, place: _Place, hard: list[Wish]) -> Rows | None:
        """A legal row, where the best one is too much work to find."""
        simple = replace(plan, costs=())
        if not any(w.key in {c.text for c in plan.constraints} for w in hard) and not self.plan.variables:
            try:
                rows = problem.solve(simple, place.history, (), plan.require_parallel)
            except isl.Unknown:
                return None
            if rows is not None:
                self.note(f"dimension {place.dimension} of {', '.join(problem.names)}: costs dropped, out of budget")
            return rows
        return None

    def dropping(
        self, problem: BandProblem, plan: DimensionPlan, place: _Place, hard: list[Wish], soft: list[Wish]
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

    def member(self, names: Group, edges: Sequence[Edge], rows: Rows) -> _Found:
        """A row as a member of a band, marked with what it carries."""
        forms = {n: self.form(n, rows[n]) for n in names}
        carried = [e for e in edges if not e.is_zero(e.distance(rows))]
        reduction = bool(carried) and all(e.dependence.is_reduction for e in carried)
        kind = "unroll" if self.is_unrolled(forms) else "serial"
        return _Found(Member(forms, coincident=not carried, reduction=reduction, kind=kind), rows)

    def is_unrolled(self, forms: dict[str, Affine]) -> bool:
        """Whether directives ask to unroll the loop that a member becomes, and it is short."""
        asked = False
        for directive in self.plan.directives:
            if directive.kind != "unroll":
                continue
            for name, form in forms.items():
                if directive.statements is not None and name not in directive.statements:
                    continue
                loops = self.scop.statements[name].loops
                for k in directive.iterators:
                    if k >= len(loops) or form.terms != {loops[k].var: 1}:
                        continue
                    trips = loops[k].const_trips
                    if trips is None or trips > UNROLLED:
                        self.note(f'dropped the directive "unroll" of iterator {k} of {name}: a long or symbolic loop')
                    else:
                        asked = True
        return asked

    def form(self, name: str, row: Iterable[int]) -> Affine:
        """A row over iterators and sizes; symbolic constants become numbers again."""
        values = [int(v) for v in row]
        iterators = self.scop.statements[name].iterators
        terms = dict(zip(iterators, values, strict=False))
        params = values[len(iterators) : -1]
        for v, k in self.model.sizes.items():
            terms[v] = params[k]
        return Affine(terms, values[-1] + sum(params[k] * value for k, value in self.model.values.items()))

    def separate(self, names: Group, edges: Sequence[Edge], found: Sequence[_Found], place: _Place) -> list[Group]:
        """Where a parallel band can end so that finished statements need not ride in the loops of others: the parts."""
        left = set(self.unfinished(names, place))
        if not left or len(left) == len(names) or not all(f.member.coincident for f in found):
            return []
        below = _left_open(edges, found)
        groups = in_order(names, _arcs([e for e in below if e.source != e.sink]), left.issuperset)
        if any(not left.issuperset(g) and not left.isdisjoint(g) for g in groups):
            return []
        parts: list[Group] = []
        for group in groups:
            if parts and left.issuperset(group) == left.issuperset(parts[-1]):
                parts[-1] = (*parts[-1], *group)
            else:
                parts.append(group)
        return parts

    # --- where there is no band --------------------------------------------------------------------------

    def without_band(
        self, names: Group, edges: Sequence[Edge], problem: BandProblem, place: _Place, plan: DimensionPlan
    ) -> Node:
        """Cut between components; with one component only, relax the plan or carry something by Feautrier's way."""
        groups = in_order(names, _arcs(edges))
        if len(groups) > 1:
            return self.children(groups, edges, place)
        if plan.require_parallel and problem.solve(plan, place.history, problem.wishes(plan, soft=False)) is not None:
            self.note(f"dimension {place.dimension} of {', '.join(names)}: it cannot be parallel")
            return self.band(names, edges, place, is_retry=True)
        self.blame_constraints(problem, plan, place)
        return self.carry(names, edges, problem, place)

    def carry(self, names: Group, edges: Sequence[Edge], problem: BandProblem, place: _Place) -> Node:
        """A band of one row that carries as much as can be, by Feautrier's algorithm.

        Statements may need more rows than they have loops: two that wait for one another, in turns, in one
        iteration of all their loops.
        """
        rows = self.feautrier(problem, place) if "feautrier" in self.plan.options.fallback else None
        if rows is None:
            rows = self.original_loop(names, edges, place)
        if rows is None:
            raise _StuckError(f"no row for {', '.join(names)} at dimension {place.dimension}")
        found = [self.member(names, edges, rows)]
        below = _left_open(edges, found)
        here = place.after(rows, self.model, False)
        return Band((found[0].member,), True, self.node(names, below, here))

    def original_loop(self, names: Group, edges: Sequence[Edge], place: _Place) -> Rows | None:
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

    def grown(self, rows: Rows, place: _Place) -> list[bool]:
        """For each statement, whether its row is independent of those before."""
        after = place.after(rows, self.model, False).history
        return [rank(after[n]) > rank(place.history[n]) for n in rows]

    def feautrier(self, problem: BandProblem, place: _Place) -> Rows | None:
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

    def blame_constraints(self, problem: BandProblem, plan: DimensionPlan, place: _Place) -> None:
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

    def dimension_plan(self, names: Group, edges: Sequence[Edge], place: _Place, position: int) -> DimensionPlan:
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


def _arcs(edges: Iterable[Edge]) -> list[tuple[str, str]]:
    return list(dict.fromkeys([(e.source, e.sink) for e in edges]))


def _left_open(edges: Sequence[Edge], found: Sequence[_Found]) -> list[Edge]:
    below: list[Edge] = []
    for edge in edges:
        left = edge.open_below([(f.member, edge.distance(f.rows)) for f in found])
        if left is not None:
            below.append(left)
    return below


def _is_feautrier(plan: DimensionPlan) -> bool:
    return bool(plan.costs) and plan.costs[0] == "feautrier"


def _is_trivial(member: Member) -> bool:
    return all(r.is_const for r in member.rows.values()) and len({r.const for r in member.rows.values()}) == 1
