"""Directives as constraints on the rows of a dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from akg.poly.plan import DimensionPlan, Directive
from akg.poly.progression import rank
from akg.poly.schedule.dimension import BandProblem, History, Rows, Wish
from akg.poly.schedule.ilp.rows import Matrix
from akg.poly.schedule.unknowns import Unknowns
from akg.poly.tree import Asked


def directive_wishes(
    directives: Sequence[Directive], problem: BandProblem, plan: DimensionPlan, history: History
) -> list[Wish]:
    """The constraints that directives put on the next row of a band's statements.

    The outermost rows of a statement are its `parallel` iterators, then its `sequential` ones; the innermost its
    `reduce` iterators, then the `vectorize` ones.
    """
    found: list[Wish] = []
    if not directives:
        return found
    prepared = problem.prepared(plan.costs)
    for name in problem.names:
        mine = [d for d in directives if d.statements is None or name in d.statements]
        depth, done = problem.prepared_depth(name), rank(history[name])
        if done == depth:
            continue
        outer = _asked(mine, depth, "parallel", "sequential")
        inner = _asked(mine, depth, "reduce", "vectorize")
        if done < len(outer):
            directive, iterator = outer[done]
            rows = _exactly(prepared.unknowns, name, depth, iterator)
            if directive.kind == "parallel":
                touching = [e for e in problem.edges if name in (e.source, e.sink)]
                rows = np.concatenate([rows, problem.zero_rows(prepared, touching)])
            found.append(Wish(_text(directive, name, iterator), directive.strict, rows))
        for place, (directive, iterator) in enumerate(inner):
            if done < depth - len(inner) + place:
                row = np.append(-np.abs(prepared.unknowns.forms[name][iterator]), 0)
                found.append(Wish(_text(directive, name, iterator), directive.strict, row[None, :]))
    return found


def asked_of(directives: Sequence[Directive], rows: Rows, depths: Mapping[str, int]) -> Asked:
    """What directives ask of the loop that some rows make; the strongest wish counts.

    A row with any part of a sequential iterator is sequential: its values at once would be iterations at once.
    """
    asked: set[Asked] = set()
    for directive in directives:
        kind = directive.kind
        if kind != "sequential" and kind != "parallel" and kind != "vectorize":
            continue
        for name, row in rows.items():
            if directive.statements is not None and name not in directive.statements:
                continue
            moving = [k for k in range(depths[name]) if row[k]]
            for k in directive.iterators:
                if moving == [k] or (kind == "sequential" and k in moving):
                    asked.add(kind)
    order: tuple[Asked, ...] = ("sequential", "parallel", "vectorize")
    for kind in order:
        if kind in asked:
            return kind
    return ""


def _asked(mine: Sequence[Directive], depth: int, *kinds: str) -> list[tuple[Directive, int]]:
    """Directives of some kinds with their iterators, in order."""
    return [(d, k) for kind in kinds for d in mine if d.kind == kind for k in d.iterators if k < depth]


def _text(directive: Directive, name: str, iterator: int) -> str:
    return f'the directive "{directive.kind}" of iterator {iterator} of {name}'


def _exactly(unknowns: Unknowns, name: str, depth: int, iterator: int) -> Matrix:
    """The row is the iterator plus a constant."""
    rows = [np.append(unknowns.forms[name][iterator], -1), np.append(-unknowns.forms[name][iterator], 1)]
    rows += [np.append(-np.abs(unknowns.forms[name][k]), 0) for k in range(depth) if k != iterator]
    return np.array(rows, np.int64)
