"""Single changes of a strategy, the smallest first: one key of its document, then another shipped strategy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from akg.poly.schema import strategy_schema
from akg.poly.strategy import Strategy, resolve_strategy, strategy_names
from akg.poly.strategy_plan import HEURISTICS

Json = dict[str, Any]
_COSTS = (["feautrier", "proximity"], ["contiguity", "proximity"], ["bigLoopsFirst", "proximity"])
_PLAIN = ("isl", "original", "pluto")  # the others vary these


def candidates(strategy: Strategy, depth: int) -> Iterator[Json]:
    """Strategy documents one change away, the smallest changes first; some may be invalid for a scheduler.

    A document names the strategy as its "preset" where it is a shipped one, so that what follows is the change.

    Args:
        strategy: where to start.
        depth: scheduling dimensions of the kernel.
    """
    base = document_of(strategy)
    for key in ("parallel", "vectorize"):
        if not getattr(strategy, key):
            yield {**base, key: True}
    if strategy.scheduler == "polytops":
        yield from _keys(strategy, base, depth)
    for name in sorted(strategy_names(), key=lambda n: (n not in _PLAIN, n)):
        if {"preset": name} != base:
            yield {"preset": name}


def document_of(strategy: Strategy) -> Json:
    """A document of a strategy: the name of a shipped one, or all of it."""
    if strategy.name in strategy_names() and resolve_strategy(strategy.name).key() == strategy.key():
        return {"preset": strategy.name}
    return {k: v for k, v in strategy.document().items() if k not in ("name", "about")}


def _keys(strategy: Strategy, base: Json, depth: int) -> Iterator[Json]:
    """Changes of one key of a document for the scheduler "polytops"."""
    scheduling = strategy.scheduling
    for heuristic in HEURISTICS:
        if heuristic != scheduling.get("fusion", "smartfuse"):
            yield {**base, "fusion": heuristic}
    given = {**scheduling.get("options", {}), **strategy.tiles}
    for change in _switches(strategy_schema()["$defs"]["options"], given, _options(strategy)):
        # a preset's other options stay; a document without one has them all itself
        yield {**base, "options": change if "preset" in base else {**given, **change}}
    dimensions: Sequence[Mapping[str, Any]] = scheduling.get("ILP_construction", ())
    plans = [_with_default(dimensions, constraint="no-skewing")]
    plans += [_with_parallel(dimensions, k) for k in range(depth)]
    plans += [_with_default(dimensions, costs=costs) for costs in _COSTS]
    yield from [{**base, "ILP_construction": plan} for plan in plans if plan != list(dimensions)]


def _options(strategy: Strategy) -> Mapping[str, Any]:
    """The options of the scheduler "polytops" with their values."""
    options = strategy.plan.options
    return {f.name: getattr(options, f.name) for f in fields(options)}


def _switches(node: Mapping[str, Any], given: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[Json]:
    """Every boolean of a schema's object, the other way round."""
    for key, kind in node.get("properties", {}).items():
        if kind.get("type") == "boolean":
            yield {key: not given.get(key, values.get(key, False))}
        elif kind.get("type") == "object":
            inner = given.get(key, {})
            for change in _switches(kind, inner, {}):
                yield {key: {**inner, **change}}


def _with_default(
    dimensions: Sequence[Mapping[str, Any]], constraint: str = "", costs: Sequence[str] = ()
) -> list[Json]:
    """The dimensions with a constraint, or with other costs, everywhere."""
    result: list[Json] = [dict(d) for d in dimensions]
    if not any(d.get("scheduling_dimension", "default") == "default" for d in result):
        result.append({"scheduling_dimension": "default"})
    for entry in result:
        if constraint and constraint not in entry.get("constraints", ()):
            entry["constraints"] = [*entry.get("constraints", ()), constraint]
        elif costs:
            entry["cost_functions"] = list(costs)
    return result


def _with_parallel(dimensions: Sequence[Mapping[str, Any]], k: int) -> list[Json]:
    """The dimensions with a parallel one asked for at `k`."""
    result: list[Json] = []
    found: Json = {}
    for entry in map(dict, dimensions):
        where = entry.get("scheduling_dimension", "default")
        places = [where] if isinstance(where, int) else where
        if where == "default":
            found = found or dict(entry)
        elif k in places:
            found = dict(entry)
            rest = [p for p in places if p != k]
            if not rest:
                continue
            entry["scheduling_dimension"] = rest
        result.append(entry)
    return [*result, {**found, "scheduling_dimension": k, "require_parallel": True}]
