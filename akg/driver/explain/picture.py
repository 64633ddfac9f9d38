"""What the page draws: instances with their place in the schedule, tiles, and arrows, as JSON."""

from __future__ import annotations

from typing import Any

from akg.driver.pipeline import Compilation
from akg.poly.explain import CONCURRENT, member_title
from akg.poly.instances import (
    Conflict,
    Instance,
    Instances,
    Time,
    conflicts,
    small_instances,
    small_tiles,
    time_of,
    value_of,
)
from akg.poly.scop import Scop
from akg.poly.tree import Band, Domain, Node, Sequence, Step, paths

Json = dict[str, Any]
MOST_ARROWS = 4000


def picture(state: Compilation) -> Json:
    """Points, tiles and arrows of a compilation at small sizes.

    "statements" have points as [iterators, dimensions of the schedule, order, step, tile]; instances of one step may
    run at once. "arrows" are [kind, statement, point, statement, point, loop that carries it or 0, array].
    """
    scop, tree = state.scop, state.tree
    small = small_instances(scop)
    tiles = small_tiles(tree, small.window)
    place = _Places(scop, tree, state.schedule or scop.tree, small, tiles)
    arrows = conflicts(scop, small.all)
    sizes = ", ".join(f"{k} = {v}" for k, v in small.sizes.items())
    notes = [f"drawn with {sizes}"] if sizes else []
    if small.is_cut:
        notes.append(f"the first {small.window} iterations of each loop are drawn")
    notes += [f"tiles of {size} are drawn as tiles of {drawn}" for size, drawn in tiles.items() if size != drawn]
    if len(arrows) > MOST_ARROWS:
        notes.append(f"{MOST_ARROWS} of {len(arrows)} dependences are drawn")
    numbers = _numbers(tree)
    return {
        "notes": notes,
        "steps": place.steps,
        "waves": place.waves,
        "dimensions": place.dimensions(),
        "statements": [place.statement(name) for name in tree.statements],
        "arrows": [_arrow(c, place, numbers) for c in arrows[:MOST_ARROWS]],
    }


class _Places:
    """Where instances stand: order, step and tile."""

    def __init__(self, scop: Scop, tree: Domain, schedule: Domain, small: Instances, tiles: dict[int, int]) -> None:
        self.scop, self.tree, self.tiles = scop, tree, tiles
        self.paths = paths(tree)
        self.linear = {n: [s for s in path if s.member is not None] for n, path in paths(schedule).items()}
        self.order = list(tree.statements)
        self.points: dict[str, list[Instance]] = {n: [] for n in tree.statements}
        self.index: dict[int, tuple[int, int]] = {}  # instance -> (statement, point)
        for instance in small.all:
            name = instance.statement.name
            self.index[id(instance)] = self.order.index(name), len(self.points[name])
            self.points[name].append(instance)
        self.times = {id(i): time_of(self.paths[i.statement.name], i.statement.name, i.env, tiles) for i in small.all}
        self.rank = _ranks(list(self.times.values()))
        self.masked = {key: self._without_parallel(key) for key in self.times}
        step = _ranks(list(self.masked.values()))
        self.step_of = {key: step[value] for key, value in self.masked.items()}
        self.steps = len(step)
        self.tile_of, self.waves = self._tiles()

    def _without_parallel(self, key: int) -> Time:
        """The time of an instance without the loops that run in parallel."""
        path = self.paths[self.order[self.index[key][0]]]
        return tuple([0 if _is_parallel(s) else t for s, t in zip(path, self.times[key], strict=True)])

    def _tiles(self) -> tuple[dict[int, int], list[int]]:
        """The tile of each instance, over all statements, and the wave of each tile: tiles of one wave run at once."""
        keys: dict[int, Time] = {}
        waves: dict[Time, Time] = {}
        for key, time in self.times.items():
            path = self.paths[self.order[self.index[key][0]]]
            last = max([k for k, s in enumerate(path) if s.member is not None and s.member.tile], default=-1)
            if last >= 0:
                keys[key] = time[: last + 1]
                waves[keys[key]] = self.masked[key][: last + 1]
        number = {key: n for n, key in enumerate(sorted(waves, key=lambda key: (waves[key], key)))}
        order = _ranks(list(waves.values()))
        return {key: number[tile] for key, tile in keys.items()}, [order[waves[tile]] for tile in number]

    def dimensions(self) -> list[str]:
        """What the dimensions of the schedule are called."""
        depth = max((len(steps) for steps in self.linear.values()), default=0)
        titles: list[str] = []
        for k in range(depth):
            rows = [
                member_title(m, [n])
                for n, steps in self.linear.items() if k < len(steps) and (m := steps[k].member) is not None
            ]  # fmt: skip
            titles.append(" | ".join(dict.fromkeys(rows)))
        return titles

    def statement(self, name: str) -> Json:
        statement = self.scop.statements[name]
        instances = self.points[name]
        return {
            "name": name,
            "iterators": [v.name for v in statement.iterators],
            "points": [
                [
                    list(i.values),
                    [value_of(s.member, name, i.env) for s in self.linear[name] if s.member is not None],
                    self.rank[self.times[id(i)]],
                    self.step_of[id(i)],
                    self.tile_of.get(id(i), -1),
                ]
                for i in instances
            ],
        }


def _is_parallel(step: Step) -> bool:
    return step.member is not None and (step.member.kind in CONCURRENT or step.member.coincident)


def _ranks(times: list[Time]) -> dict[Time, int]:
    return {time: k for k, time in enumerate(sorted(set(times)))}


def _numbers(tree: Domain) -> dict[tuple[int, int], int]:
    """The number of each loop, as in `akg.poly.explain`, by band and position."""
    result: dict[tuple[int, int], int] = {}

    def visit(node: Node) -> None:
        if isinstance(node, Sequence):
            for child in node.children:
                visit(child)
            return
        if isinstance(node, Band):
            for k in range(len(node.members)):
                result[id(node), k] = len(result) + 1
        child = getattr(node, "child", None)
        if child is not None:
            visit(child)

    visit(tree.child)
    return result


def _arrow(conflict: Conflict, place: _Places, numbers: dict[tuple[int, int], int]) -> list[Any]:
    source, sink = conflict.source, conflict.sink
    steps = zip(place.paths[source.statement.name], place.paths[sink.statement.name], strict=False)
    times = zip(place.times[id(source)], place.times[id(sink)], strict=False)
    loop = 0
    for (step, other), (before, after) in zip(steps, times, strict=False):
        if before != after or step.node is not other.node:
            loop = 0 if step.member is None else numbers[id(step.node), step.position]
            break
    return [conflict.kind, *place.index[id(source)], *place.index[id(sink)], loop, conflict.buffer.name]
