"""The strategy `auto`: for each nest the original order or a new one, by what the dependences allow.

A nest keeps its order where threads have a parallel loop outside and lanes a contiguous loop inside, where each
element is used once, so that only memory counts, or where nothing better is found. Else it is scheduled anew, by the
objective of Pluto (steps in time as the strategy `stencil` does), and the better of both orders is taken, loops for the
threads before loops for the lanes:

    nest of lu:        i in order, j parallel only inside       -> i, j, k permutable: tiles, wavefronts
    nest of trmm:      j parallel, k inside strides over B      -> j, i, k of their own for the sum: lanes along j
    nest of trisolv:   L is read once                           -> as it is
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from akg.base.errors import AkgError
from akg.ir.affine import Affine
from akg.poly import isl
from akg.poly.access import access_rank, is_reused, stride
from akg.poly.dependence import Dependence, annotate
from akg.poly.fuse import single_iterator
from akg.poly.plan import FusionPlan, Plan
from akg.poly.schedule.isl_scheduler import NoScheduleError
from akg.poly.schedule.scheduler import schedule
from akg.poly.scop import Scop, Statement
from akg.poly.tree import Band, Domain, Filter, Member, Node, Sequence, paths

PLAN = Plan().with_options(fallback=("feautrier",), solver="own")  # isl's may take minutes over one problem
STENCIL = replace(PLAN.with_options(diamond=True), fusion={-1: FusionPlan("maxfuse")})
MOST_STATEMENTS = 10  # of a nest that is scheduled anew: what takes seconds for a hundred is no default
NO_LOOP, INSIDE, WAVEFRONT, OUTSIDE = range(4)  # where threads find their loop
_THREADS = {
    NO_LOOP: "no parallel loop", INSIDE: "a parallel loop inside", WAVEFRONT: "wavefronts of tiles",
    OUTSIDE: "a parallel loop outside",
}  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Grade:
    """What an order offers to the statement that it serves worst.

    Attributes:
        threads: where the loop for threads is, from `NO_LOOP` to `OUTSIDE`.
        lanes: whether every statement that can has a loop inside along which its accesses are contiguous.
    """

    threads: int
    lanes: bool

    def __str__(self) -> str:
        return f"{_THREADS[self.threads]}, lanes {'contiguous' if self.lanes else 'across rows'}"


def schedule_auto(
    scop: Scop, dependences: Iterable[Dependence], note: Callable[[str], None] = lambda text: None
) -> Domain:
    """The original order with the nests that gain scheduled anew; what was decided is told to `note`."""
    listed = list(dependences)
    original = annotate(scop, scop.tree, listed)
    if not isinstance(original.child, Sequence):
        node = _Chooser(scop, listed, note).nest(original.child, original.statements)
        return scop.tree if node is original.child else replace(scop.tree, child=node)
    chooser = _Chooser(scop, listed, note)
    parts: list[Filter] = []
    for part in original.child.children:
        node = chooser.nest(part.child, part.statements)
        parts.append(part if node is part.child else Filter(part.statements, node))
    if all(a is b for a, b in zip(parts, original.child.children, strict=True)):
        return scop.tree
    flat: list[Filter] = []
    for part in parts:
        flat.extend(part.child.children if isinstance(part.child, Sequence) else [part])
    return replace(scop.tree, child=Sequence(tuple(flat)))


class _Chooser:
    def __init__(self, scop: Scop, dependences: list[Dependence], note: Callable[[str], None]) -> None:
        self.scop, self.dependences, self.note = scop, dependences, note

    def nest(self, node: Node, names: tuple[str, ...]) -> Node:
        """The order of one nest."""
        hot = self.hot(names)
        if not hot:
            return node
        label = f"nest of {', '.join(s.name for s in hot)}"
        before = self.grade(Domain(names, node), hot)
        if before == Grade(OUTSIDE, True):
            return node
        if not any(is_reused(s) for s in hot):
            self.note(f"{label}: as written: each element is used once, memory alone counts")
            return node
        plan = PLAN
        if before.threads != NO_LOOP and all(is_repeated(s) for s in hot):
            if not self.is_stencil(Domain(names, node), hot):
                self.note(f"{label}: as written: steps in time with {before}")
                return node
            plan = STENCIL
        if len(names) > MOST_STATEMENTS:
            self.note(f"{label}: as written: {len(names)} statements are many")
            return node
        tree = self.scheduled(names, plan)
        after = None if tree is None else self.grade(tree, hot)
        if tree is None or after is None or after <= before:
            self.note(f"{label}: as written: {before}, and no order offers more")
            return node
        kind = "scheduled anew" if plan is PLAN else "steps in time, scheduled anew as a stencil"
        self.note(f"{label}: {kind}: {after}; as written: {before}")
        return tree.child

    def is_stencil(self, tree: Domain, hot: list[Statement]) -> bool:
        """Whether each step updates every element at once: only the outermost loop carries anything."""
        steps = paths(tree)
        return all(m.coincident for s in hot for m in [st.member for st in steps[s.name] if st.member][1:])

    def hot(self, names: Iterable[str]) -> list[Statement]:
        """The statements under the most loops, two at least."""
        statements = [self.scop.statements[n] for n in names]
        depth = max((len(s.loops) for s in statements), default=0)
        return [s for s in statements if len(s.loops) == depth] if depth > 1 else []

    def scheduled(self, names: tuple[str, ...], plan: Plan) -> Domain | None:
        """The nest by a plan, annotated; None if there is no such order."""
        kept = frozenset(names)
        inner = [d for d in self.dependences if d.source in kept and d.sink in kept]
        try:
            return annotate(self.scop, schedule(self.scop, inner, plan, names=names), inner)
        except (isl.Unknown, NoScheduleError, AkgError):
            return None

    def grade(self, tree: Domain, hot: list[Statement]) -> Grade:
        """What a tree offers."""
        steps = paths(tree)
        threads, lanes = OUTSIDE, True
        most = max(access_rank(a, s.iterators) for s in hot for a in s.accesses)
        for statement in hot:
            bands = list({id(b): b for s in steps[statement.name] if isinstance(b := s.node, Band)}.values())
            threads = min(threads, _threads(bands, statement))
            if any(access_rank(a, statement.iterators) == most for a in statement.accesses):  # others are in cache
                lanes = lanes and _has_lanes(bands, statement)
        return Grade(threads, lanes)


def _threads(bands: list[Band], statement: Statement) -> int:
    outer = bands[0]
    if any(m.coincident for m in outer.members):
        return OUTSIDE
    if outer.permutable and len(outer.members) > 1 and is_reused(statement):
        return WAVEFRONT
    return INSIDE if any(m.coincident for b in bands for m in b.members) else NO_LOOP


def _has_lanes(bands: list[Band], statement: Statement) -> bool:
    """Whether the innermost band has a free loop along which accesses are contiguous, or no band has one.

    A reduction of its own takes the loops around it inside, where all of these are free.
    """
    inside = list(bands[-1].members)
    if len(bands) > 1 and all(m.reduction for m in inside) and all(m.coincident for m in bands[-2].members):
        inside += bands[-2].members
    return _contiguous(inside, statement) or not _contiguous([m for b in bands for m in b.members], statement)


def _contiguous(members: Iterable[Member], statement: Statement) -> bool:
    free = [single_iterator(m.rows[statement.name]) for m in members if m.coincident or m.reduction]
    return any(v is not None and all(abs(stride(a, v)) <= 1 for a in statement.accesses) for v in free)


def is_repeated(statement: Statement) -> bool:
    """Whether the outermost loop only counts steps: no subscript has its variable."""
    first = statement.iterators[0]
    forms = [Affine.of(i) for a in statement.accesses for i in a.indices]
    return all(f is not None and not f.coefficient(first) for f in forms)
