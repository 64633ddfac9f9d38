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

from collections.abc import Iterable, Sequence
from dataclasses import replace

from akg.base.errors import AkgError
from akg.poly import isl
from akg.poly.components import Group, in_order, weakly_connected
from akg.poly.dependence import Dependence
from akg.poly.dependence import dependences as dependences_of
from akg.poly.direct import direct_dependences
from akg.poly.domain import model_of
from akg.poly.legality import prove
from akg.poly.plan import DimensionPlan, Plan, SchedulerOptions
from akg.poly.progression import rank
from akg.poly.schedule.diamond import with_concurrent_start
from akg.poly.schedule.dimension import BandProblem
from akg.poly.schedule.farkas import Edge
from akg.poly.schedule.fusion import fusion_groups
from akg.poly.schedule.isl_scheduler import NoScheduleError, schedule_isl
from akg.poly.schedule.row_search import Found, Note, Place, RowSearch
from akg.poly.scop import Scop
from akg.poly.tree import LEAF, Band, Domain, Filter, Member, Node
from akg.poly.tree import Sequence as Children

FALLBACK_OPERATIONS = 4_000_000  # of isl's scheduler, where ours gave up: about a second


class _StuckError(Exception):
    """No row carries anything more."""


def schedule(
    scop: Scop,
    dependences: Iterable[Dependence],
    plan: Plan,
    note: Note = lambda text: None,
    names: tuple[str, ...] | None = None,
) -> Domain:
    """A schedule tree by a plan; what had to be dropped of it is told to `note`.

    Args:
        scop: the statements.
        dependences: what must keep its order.
        plan: how to choose.
        note: told what was dropped.
        names: of statements to schedule, for a part of a tree; None: all.

    Raises:
        AkgError: AKG-E305 for a plan that does not fit the kernel, AKG-E306 for constraints that cannot hold.
        NoScheduleError: if nothing was found and the plan's fallback does not go on.
        isl.Unknown: if a budget ran out.
    """
    if any(model_of(scop).statement(name).opaque_bounds for name in scop.statements):
        raise NoScheduleError("bounds of loops depend on data")
    listed = list(dependences)
    try:
        chosen = tuple(scop.statements) if names is None else names
        finder = _Scheduler(scop, _wanted(scop, listed, plan.options), plan, note)
        tree = Domain(chosen, finder.root(chosen))
        answer = prove(scop, tree) if plan.options.check_schedule and names is None else None
        if answer is not None and answer.answer == "no":
            raise _StuckError(answer.text)
        return tree
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
            if other == "original" and names is None:
                note(f"{stuck}: the original order is used")
                return scop.tree
        raise AkgError("AKG-E306", f"no schedule of {scop.kernel.name}: {stuck}",
                       hint='allow "negative_coefficients", or a "fallback"') from None  # fmt: skip


def _wanted(scop: Scop, given: list[Dependence], options: SchedulerOptions) -> list[Dependence]:
    """The dependences that a strategy asks for, over its parameters."""
    model = model_of(scop, options.constant_to_parameter, options.context_min)
    if options.dependences == "flow":
        return direct_dependences(model)
    return given if model is model_of(scop) else dependences_of(scop, model=model)


class _Scheduler(RowSearch):
    """Builds the tree."""

    def root(self, names: Group) -> Node:
        """The tree below the domain."""
        node = self.node(names, self.edges, Place(dict.fromkeys(names, ())))
        self.note_unplaced()
        return node

    # --- the tree --------------------------------------------------------------------------------------

    def node(self, names: Group, edges: Sequence[Edge], place: Place) -> Node:
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

    def groups(self, names: Group, edges: Sequence[Edge], place: Place) -> list[Group]:
        """The fusion heuristic: statements that go on together, in order."""
        plan = self.plan.fusion_at(place.dimension)
        arcs = _arcs([e for e in edges if not (e.relaxed and e.source == e.sink)])
        left = {n: self.depths[n] - rank(place.history[n]) for n in names}
        return fusion_groups(plan, names, arcs, left, lambda group: self.is_parallel(group, edges, place))

    def is_parallel(self, names: Group, edges: Sequence[Edge], place: Place) -> bool:
        """Whether some statements have a next row together that carries nothing."""
        problem = self.problem(names, edges, place)
        plan = replace(self.plan.dimension(place.dimension), costs=())
        return problem.solve(plan, place.history, problem.wishes(plan, soft=False), parallel=True) is not None

    def children(self, groups: Sequence[Group], edges: Sequence[Edge], place: Place) -> Node:
        """Groups one after the other; sequences inside sequences are taken apart."""
        flat: list[Filter] = []
        for group in groups:
            child = self.node(group, edges, place)
            flat.extend(child.children if isinstance(child, Children) else [Filter(group, child)])
        return Children(tuple(flat))

    def leaves(self, names: Group, edges: Sequence[Edge], place: Place) -> Node:
        """Statements with all their rows, in an order that keeps what is still open."""
        if len(names) == 1:
            return LEAF
        groups = in_order(names, _arcs([e for e in edges if e.source != e.sink]))
        if all(len(g) == 1 for g in groups):
            return Children(tuple([Filter(g, LEAF) for g in groups]))
        if len(groups) > 1:
            return self.children(groups, edges, place)
        return self.carry(names, edges, self.problem(names, edges, place), place)

    # --- a band ----------------------------------------------------------------------------------------

    def band(self, names: Group, edges: Sequence[Edge], place: Place, is_retry: bool = False) -> Node:
        """A band and what is below it; a cut, or a row by Feautrier's algorithm, where there is no band.

        `is_retry`: the first dimension could not be parallel, and need not be.
        """
        problem = self.problem(names, edges, place)
        found: list[Found] = []
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
            rows = self.row(problem, plan, here)
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
        if self.plan.options.diamond:
            found = self.diamond(names, edges, problem, found)
        below = _left_open(edges, found)
        members = tuple([f.member for f in found if not _is_trivial(f.member)])
        child = self.children(parts, below, here) if parts else self.node(names, below, here)
        return Band(members, True, child) if members else child

    def diamond(self, names: Group, edges: Sequence[Edge], problem: BandProblem, found: list[Found]) -> list[Found]:
        """The band with rows whose tiles start at once, where it has no parallel row and there are such rows."""
        if len(found) < 2 or any(f.member.coincident for f in found):
            return found
        try:
            rows = with_concurrent_start(problem, [f.rows for f in found])
        except isl.Unknown:
            rows = None
        if rows is None:
            self.note(f"{', '.join(names)}: no hyperplanes with concurrent start")
            return found
        return [self.member(names, edges, r) for r in rows]

    def separate(self, names: Group, edges: Sequence[Edge], found: Sequence[Found], place: Place) -> list[Group]:
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
        self, names: Group, edges: Sequence[Edge], problem: BandProblem, place: Place, plan: DimensionPlan
    ) -> Node:
        """Cut between components; with one component only, relax the plan or carry something by Feautrier's way."""
        groups = in_order(names, _arcs(edges))
        if len(groups) > 1:
            return self.children(groups, edges, place)
        if problem.is_too_large:
            return self.carry(names, edges, problem, place)
        if plan.require_parallel and self.has_row(problem, plan, place):
            self.note(f"dimension {place.dimension} of {', '.join(names)}: it cannot be parallel")
            return self.band(names, edges, place, is_retry=True)
        self.blame_constraints(problem, plan, place)
        return self.carry(names, edges, problem, place)

    def has_row(self, problem: BandProblem, plan: DimensionPlan, place: Place) -> bool:
        """Whether there is a row that need not be parallel; no, where the budget does not tell."""
        try:
            return problem.solve(plan, place.history, problem.wishes(plan, soft=False)) is not None
        except isl.Unknown:
            return False

    def carry(self, names: Group, edges: Sequence[Edge], problem: BandProblem, place: Place) -> Node:
        """A band of one row that carries as much as can be, by Feautrier's algorithm, whose problems are larger still.

        Statements may need more rows than they have loops: two that wait for one another, in turns, in one
        iteration of all their loops.
        """
        rows = self.original_loop(names, edges, place) if problem.is_too_large else None
        if rows is None and "feautrier" in self.plan.options.fallback:
            rows = self.feautrier(problem, place)
        if rows is None:
            rows = self.original_loop(names, edges, place)
        if rows is None:
            raise _StuckError(f"no row for {', '.join(names)} at dimension {place.dimension}")
        found = [self.member(names, edges, rows)]
        below = _left_open(edges, found)
        here = place.after(rows, self.model, False)
        return Band((found[0].member,), True, self.node(names, below, here))


def _arcs(edges: Iterable[Edge]) -> list[tuple[str, str]]:
    return list(dict.fromkeys([(e.source, e.sink) for e in edges]))


def _left_open(edges: Sequence[Edge], found: Sequence[Found]) -> list[Edge]:
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
