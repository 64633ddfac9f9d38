"""Components of the dependence graph: strongly and weakly connected ones, in an order of execution."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

Arc = tuple[str, str]
Group = tuple[str, ...]


def weakly_connected(names: Sequence[str], arcs: Iterable[Arc]) -> list[Group]:
    """The statements that are connected at all, each group and the groups in the order of `names`."""
    parent = {n: n for n in names}

    def root(n: str) -> str:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    for a, b in arcs:
        parent[root(a)] = root(b)
    groups: dict[str, list[str]] = {}
    for n in names:
        groups.setdefault(root(n), []).append(n)
    return [tuple(g) for g in groups.values()]


def strongly_connected(names: Sequence[str], arcs: Iterable[Arc]) -> list[Group]:
    """Tarjan's components (1972), each in the order of `names`; the components in no order of use."""
    followers: dict[str, list[str]] = {n: [] for n in names}
    for a, b in arcs:
        if b not in followers[a]:
            followers[a].append(b)
    place = {n: k for k, n in enumerate(names)}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    open_: set[str] = set()
    result: list[Group] = []

    def visit(n: str) -> None:
        index[n] = low[n] = len(index)
        stack.append(n)
        open_.add(n)
        for m in followers[n]:
            if m not in index:
                visit(m)
                low[n] = min(low[n], low[m])
            elif m in open_:
                low[n] = min(low[n], index[m])
        if low[n] == index[n]:
            cut = stack.index(n)
            members = stack[cut:]
            del stack[cut:]
            open_.difference_update(members)
            result.append(tuple(sorted(members, key=place.__getitem__)))

    for n in names:
        if n not in index:
            visit(n)
    return result


def in_order(
    names: Sequence[str], arcs: Iterable[Arc], like: Callable[[Group], object] = lambda group: None
) -> list[Group]:
    """The strongly connected components in an order that every arc agrees with.

    Of those that may come next, one that is `like` the last is taken first, then the first in the order of `names`.
    """
    arcs = list(arcs)
    groups = strongly_connected(names, arcs)
    place = {n: k for k, n in enumerate(names)}
    owner = {n: k for k, g in enumerate(groups) for n in g}
    before: dict[int, set[int]] = {k: set() for k in range(len(groups))}
    for a, b in arcs:
        if owner[a] != owner[b]:
            before[owner[b]].add(owner[a])
    waiting = sorted(range(len(groups)), key=lambda k: place[groups[k][0]])
    result: list[Group] = []
    done: set[int] = set()
    while waiting:
        ready = [k for k in waiting if before[k] <= done]
        last = like(result[-1]) if result else None
        chosen = next((k for k in ready if result and like(groups[k]) == last), ready[0])
        waiting.remove(chosen)
        done.add(chosen)
        result.append(groups[chosen])
    return result
