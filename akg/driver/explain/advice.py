"""The smallest change of the strategy that lets a loop run in parallel, found by trying and proved before it is told.

Each candidate is scheduled and mapped by the real passes; the legality oracle proves the result, with its parallel and
vector loops, from dependences that it derives itself. What is not proved is not told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import thread_time
from typing import Any

from akg.base.errors import AkgError, InternalError
from akg.base.trace import logger
from akg.codegen.backend import backends
from akg.driver import pipeline
from akg.driver.explain.candidates import candidates
from akg.driver.pipeline import Compilation
from akg.poly.explain import CONCURRENT, Loop, member_title
from akg.poly.isl import Unknown
from akg.poly.legality import prove
from akg.poly.progression import Row, rank
from akg.poly.strategy import resolve_strategy
from akg.poly.tree import Domain, Member, paths, tree_text

BUDGET_S = 2.0
DEEPEST = 7  # loops around a statement: isl's scheduler looks for more than a minute at tiles of tiles
_log = logger("driver.explain")


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the strategy that was tried and proved.

    Attributes:
        document: a strategy document: the present strategy as preset, and the change; or another preset. None where
            the present strategy does it already, once it is mapped to the machine.
        effect: the loops that then run in parallel in the loop's direction.
        is_full: whether all iterations of the loop run in parallel; else some of them do, inside other loops.
    """

    document: Mapping[str, Any] | None
    effect: str
    is_full: bool

    @property
    def text(self) -> str:
        """Two lines: what to give as strategy, and what then happens."""
        if self.document is None:
            return f"change: none needed\n  mapped to the machine, {self.effect}"
        return f"change: {json.dumps(dict(self.document))}\n  then {self.effect}; proved legal"


@dataclass(frozen=True, slots=True)
class Advice:
    """What a search found.

    Attributes:
        changes: by number of the loop.
        open: numbers of the loops for which none was found.
        same: loops that run in the direction of an earlier one, with the number of that.
        tried: changes that were tried.
        left: changes that were not, as the time was up.
    """

    changes: Mapping[int, Change]
    open: tuple[int, ...]
    same: Mapping[int, int]
    tried: int
    left: int

    def of(self, loop: Loop) -> str:
        """Lines about a loop, "" if there is nothing to say."""
        number = self.same.get(loop.number, loop.number)
        if number in self.changes:
            return self.changes[number].text
        if number not in self.open or not (self.tried or self.left):
            return ""
        stopped = f"; {self.left} were not tried, as the time was up" if self.left else ""
        return f"change: none found among {self.tried} single changes of the strategy{stopped}"


def advise(state: Compilation, loops: list[Loop], budget_s: float = BUDGET_S) -> Advice:
    """The smallest single change for every loop that runs in order because it must; stops after `budget_s` seconds.

    A change that lets all iterations of a loop run in parallel is preferred to one that does so inside other loops.
    """
    wanted, same = _open_loops(state, loops)
    is_deep = max((len(s.loops) for s in state.scop.statements.values()), default=0) > DEEPEST
    if not wanted or budget_s <= 0 or is_deep:
        return Advice({}, tuple(wanted), same, 0, 0)
    changes: dict[int, Change] = {}
    documents = list(candidates(state.strategy, max(len(s) for s in paths(_schedule(state)).values())))
    end = thread_time() + budget_s
    seen = {tree_text(_schedule(state)), tree_text(state.tree)}
    if state.mapped is None:
        present = _mapped(replace(state, decisions=state.decisions.copy()))
        _collect(wanted, present.tree, None, changes)
    tried = 0
    for document in documents:
        if thread_time() > end or all(n in changes and changes[n].is_full for n in wanted):
            break
        tried += 1
        tree = _proved(state, document, seen)
        if tree is not None:
            _collect(wanted, tree, document, changes)
    none = tuple([n for n in wanted if n not in changes])
    return Advice(changes, none, same, tried, len(documents) - tried)


def _schedule(state: Compilation) -> Domain:
    return state.schedule or state.scop.tree


def _mapped(state: Compilation) -> Compilation:
    """`state` after the pass that fits it to the machine, without dumps and times."""
    for name, _, function in pipeline.passes_of(backends.get(state.target.backend)):
        if name.startswith("map"):
            function(state)
    return state


def _proved(state: Compilation, document: Mapping[str, Any], seen: set[str]) -> Domain | None:
    """The mapped tree of another strategy, if that is valid, gives a new tree, and the oracle says yes."""
    try:
        other = pipeline.start(state.kernel, resolve_strategy(document), state.target)
        for _, _, function in pipeline.SCHEDULE:
            function(other)
        if tree_text(other.tree) in seen:
            return None
        seen.add(tree_text(other.tree))
        _mapped(other)
    except (AkgError, Unknown):  # a document that does not fit this scheduler or kernel
        return None
    except InternalError as error:
        _log.warning("kernel %s: strategy %s: %s", state.kernel.name, dict(document), error)
        return None
    return other.tree if prove(other.scop, other.tree) else None


def _collect(
    wanted: Mapping[int, _Wanted], tree: Domain, document: Mapping[str, Any] | None, changes: dict[int, Change]
) -> None:
    """Keep what a tree does for the loops: the first change that is full, else the first."""
    for number, one in wanted.items():
        if number in changes and (changes[number].is_full or changes[number].document is None):
            continue
        found = _effect(tree, one.directions)
        if found is None or (one.is_reduction and not found[1]):
            continue
        if number not in changes or found[1]:
            changes[number] = Change(document, *found)


# --- loops of two schedules that run in one direction ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Direction:
    """A statement's iterators, its outer rows, and the row of the loop, over the iterators."""

    iterators: tuple[str, ...]
    outer: tuple[Row, ...]
    row: Row

    def has(self, other: Row) -> bool:
        """Whether `other` moves as the row does where the outer rows stand still (in the span of both)."""
        inside = rank((*self.outer, self.row))
        return (
            rank((*self.outer, other)) == inside > rank(self.outer) and rank((*self.outer, self.row, other)) == inside
        )

    def holds(self, other: Row) -> bool:
        """Whether `other` stands still where the outer rows do."""
        return rank((*self.outer, other)) == rank(self.outer)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A loop that is to run in parallel; one that carries only a reduction does not, in wavefronts."""

    directions: Mapping[str, _Direction]
    is_reduction: bool


def _open_loops(state: Compilation, loops: list[Loop]) -> tuple[dict[int, _Wanted], dict[int, int]]:
    """The loops that are sequential at every level of tiles, and which of the others run in the direction of one."""
    wanted: dict[int, _Wanted] = {}
    same: dict[int, int] = {}
    for loop in loops:
        if not loop.is_forbidden or loop.member.kind == "unroll":
            continue
        found = {name: _direction(state, loop.member, name) for name in loop.statements}
        directions = {name: d for name, d in found.items() if d is not None}
        if not directions or _effect(state.tree, directions) is not None:
            continue
        earlier = next((n for n, w in wanted.items() if w.directions == directions), None)
        if earlier is None:
            wanted[loop.number] = _Wanted(directions, not (loop.witnesses or loop.more))
        else:
            same[loop.number] = earlier
    return wanted, same


def _direction(state: Compilation, member: Member, name: str) -> _Direction | None:
    """The direction of a loop for a statement; None if the loop does not move over its instances."""
    iterators = tuple([v.name for v in state.scop.statements[name].iterators])
    steps = [step.member for step in paths(_schedule(state))[name] if step.member is not None]
    position = next((k for k, m in enumerate(steps) if m.rows[name] == member.rows[name]), len(steps))
    outer = tuple([_row(m, name, iterators) for m in steps[:position]])
    row = _row(replace(member, skew=()), name, iterators)
    return _Direction(iterators, outer, row) if rank((*outer, row)) > rank(outer) else None


def _row(member: Member, name: str, iterators: tuple[str, ...]) -> Row:
    """The coefficients of the iterators in a member, of a wavefront in the sum of its rows."""
    values = dict.fromkeys(iterators, 0)
    for form in (member.rows[name], *[rows[name] for rows in member.skew]):
        for v, c in form.terms.items():
            if v.name in values:
                values[v.name] += c
    return tuple(values.values())


def _effect(tree: Domain, directions: Mapping[str, _Direction]) -> tuple[str, bool] | None:
    """The parallel loops of a tree in the direction, and whether that is all of it; None if a statement has none."""
    steps = paths(tree)
    found: dict[tuple[Member, ...], list[str]] = {}  # a parallel loop and those around it -> statements
    for name, direction in directions.items():
        members = _parallel([s.member for s in steps[name] if s.member is not None], name, direction)
        if not members:
            return None
        found.setdefault(members, []).append(name)
    texts = dict.fromkeys(_effect_text(members, names) for members, names in found.items())
    return ", ".join(texts), all(len(members) == 1 for members in found)


def _effect_text(members: tuple[Member, ...], names: list[str]) -> str:
    member, *around = members
    kind = member.kind if member.kind in CONCURRENT else "free of dependences"
    inside = ", ".join(dict.fromkeys(member_title(m, names) for m in around))
    return f"loop {member_title(member, names)} is {kind}" + (f" inside loop {inside}" if around else "")


def _parallel(members: Sequence[Member], name: str, direction: _Direction) -> tuple[Member, ...]:
    """The best parallel loop of a statement in a direction, and the loops around it that move with it; () if none."""
    best: tuple[Member, ...] = ()
    for position, member in enumerate(members):
        is_parallel = member.kind in CONCURRENT or member.coincident
        if is_parallel and direction.has(_row(member, name, direction.iterators)):
            rows = [_row(m, name, direction.iterators) for m in members[:position]]
            moving = [m for m, row in zip(members, rows, strict=False) if not direction.holds(row)]
            if not moving:
                return (member,)
            best = best or (member, *moving)
    return best
