"""Strategies: how a schedule is found, as a validated JSON document.

    strategy := {"name"?: str, "about"?: str, "schema_version"?: 1, "preset"?: name of a strategy,
                 "scheduler"?: "original" | "isl", "fusion"?: "outer" | "none", "isl"?: {option of isl: bool or int},
                 "parallel"?: bool, "vectorize"?: bool, "tile"?: bool}

A strategy is named (a JSON file of the package), a path to a JSON file, or a dict. Keys that are absent take the
value of the preset, else of `auto`. `schedulers` is the seat of further schedulers: a function from a scop, its
dependences and the strategy to a schedule tree.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from akg.base.errors import AkgError, suggest
from akg.base.registry import Registry
from akg.poly.dependence import Dependence
from akg.poly.isl_scheduler import schedule_isl
from akg.poly.scop import Scop
from akg.poly.tree import Domain

SCHEMA_VERSION = 1
_FOLDER = Path(__file__).parent / "strategies"


@dataclass(frozen=True, slots=True)
class Strategy:
    """How to schedule.

    Attributes:
        name: for reports.
        scheduler: a name in `schedulers`.
        fusion: "outer" joins neighbouring nests at their outer parallel loops after scheduling; "none" does not.
        isl: options of isl's scheduler.
        parallel: whether a loop is shared among threads.
        vectorize: whether loops fill vector lanes.
        tile: whether loops are tiled for registers and caches.
    """

    name: str = "auto"
    about: str = ""
    scheduler: str = "original"
    fusion: str = "outer"
    isl: Mapping[str, int] = field(default_factory=dict[str, int])
    parallel: bool = True
    vectorize: bool = True
    tile: bool = True

    def key(self) -> str:
        """What the schedule depends on, as text: part of cache keys."""
        return json.dumps(
            {f.name: dict(v) if isinstance(v := getattr(self, f.name), Mapping) else v for f in fields(self)
             if f.name not in ("name", "about")},
            sort_keys=True,
        )  # fmt: skip


StrategyLike: TypeAlias = "Strategy | str | Path | Mapping[str, Any] | None"
Scheduler: TypeAlias = Callable[[Scop, list[Dependence], Strategy], Domain]
schedulers: Registry[Scheduler] = Registry("scheduler", group="akg.schedulers", code="AKG-E303")
schedulers.register("original", lambda scop, dependences, strategy: scop.tree)
schedulers.register("isl", lambda scop, dependences, strategy: schedule_isl(scop, dependences, strategy.isl))

_TYPES: dict[str, type | tuple[type, ...]] = {
    "name": str, "about": str, "scheduler": str, "fusion": str, "isl": Mapping, "parallel": bool, "vectorize": bool,
    "tile": bool, "preset": str, "schema_version": int,
}  # fmt: skip
_CHOICES = {"fusion": ("outer", "none")}


def strategy_names() -> list[str]:
    """The named strategies of the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def resolve_strategy(given: StrategyLike, default: str = "auto") -> Strategy:
    """The strategy for a name, a path to a JSON file, a dict, or None (the default).

    Raises:
        AkgError: AKG-E301 for an unknown name, AKG-E302 for a document that is not valid.
    """
    if isinstance(given, Strategy):
        return given
    if given is None:
        given = default
    if isinstance(given, Mapping):
        return _from_document(given, "the strategy", str(given.get("name", "custom")))
    if isinstance(given, Path) or str(given).endswith(".json"):
        path = Path(given)
        return _from_document(_read(path), str(path), path.stem)
    if not isinstance(given, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise AkgError(
            "AKG-E301",
            f"a strategy is a name, a path or a dict, not {type(given).__name__}",
            because=f"akg ships {', '.join(strategy_names())}",
            hint="leave strategy away for 'auto'",
        )
    return _named(given)


@lru_cache(maxsize=64)
def _named(name: str) -> Strategy:
    path = _FOLDER / f"{name}.json"
    if name not in strategy_names():
        raise AkgError(
            "AKG-E301",
            f"unknown strategy {name!r}",
            because=f"akg ships {', '.join(strategy_names())}; a path must end in .json",
            hint=suggest(name, strategy_names(), "strategies"),
        )
    return _from_document(_read(path), name, name)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AkgError("AKG-E302", f"cannot read strategy {path}", because=error.strerror or str(error),
                       hint="give the path of a JSON file, or a name such as 'auto'") from None  # fmt: skip
    except json.JSONDecodeError as error:
        raise AkgError(
            "AKG-E302",
            f"strategy {path} is not JSON",
            because=f"line {error.lineno}, column {error.colno}: {error.msg}",
            hint="write an object such as {\"scheduler\": \"isl\", \"tile\": false}",
        ) from None
    if not isinstance(document, dict):
        raise AkgError("AKG-E302", f"strategy {path} is not a JSON object", because=f"it is {type(document).__name__}",
                       hint="write an object such as {\"scheduler\": \"isl\"}")  # fmt: skip
    return document  # pyright: ignore[reportUnknownVariableType]


def _from_document(document: Mapping[str, Any], where: str, name: str) -> Strategy:
    values: dict[str, Any] = {}
    for key, value in document.items():
        if key not in _TYPES:
            raise AkgError(
                "AKG-E302", f"unknown key {key!r} in {where}", because=f"its keys are {', '.join(_TYPES)}",
                hint=suggest(str(key), _TYPES, "keys"),
            )  # fmt: skip
        expected = _TYPES[key]
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            kind = "object" if expected is Mapping else getattr(expected, "__name__", str(expected))
            raise AkgError(
                "AKG-E302", f"{key!r} in {where} is not a {kind}", because=f"it is {value!r}",
                hint="write true or false (True or False in a dict)" if expected is bool else f"give a {kind}",
            )  # fmt: skip
        if key in _CHOICES and value not in _CHOICES[key]:
            raise AkgError(
                "AKG-E302", f"{key!r} in {where} cannot be {value!r}",
                because=f"it is one of {', '.join(_CHOICES[key])}", hint=suggest(value, _CHOICES[key], "values")
            )
        values[key] = value
    if values.pop("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
        raise AkgError("AKG-E302", f"{where} has a schema_version that this akg does not read",
                       because="it reads 1", hint="leave schema_version away")  # fmt: skip
    base = _named(values.pop("preset")) if "preset" in values else Strategy()
    strategy = replace(base, **{"name": name, **values})
    schedulers.get(strategy.scheduler)
    return strategy
