"""Strategies: how a schedule is found, as a validated JSON document.

    strategy := {"name"?: str, "about"?: str, "schema_version"?: 1, "preset"?: name of a strategy,
                 "scheduler"?: "auto" | "original" | "isl" | "polytops" | ..., "isl"?: {option of isl: bool or int},
                 "fuse_outer"?: bool, "parallel"?: bool, "vectorize"?: bool, "tile"?: bool,
                 and for the scheduler "polytops":
                 "new_variables"?: [name...], "ILP_construction"?: [dimension...], "fusion"?: heuristic | [fusion...],
                 "directives"?: [directive...] | {statement: hints}, "soft constraints"?: [rows...],
                 "options"?: options, "callback"?: "package.module:function"
                 and for the scheduler "given": "schedule"?: a schedule tree (`akg.poly.tree_json`)}

`strategies/strategy.schema.json` is the whole grammar. A strategy is named (a JSON file of the package), a path to a
JSON file, or a dict. Keys that are absent take the value of the preset, else of `auto`; a document with keys for
the scheduler "polytops" need not name it. `schedulers` is the seat of further schedulers: a function from a scop, its
dependences and the strategy to a schedule tree; `note` reports what it could not do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from akg.base.errors import AkgError, suggest
from akg.base.registry import Registry
from akg.poly.dependence import Dependence
from akg.poly.hint_rows import rows_of
from akg.poly.legality import prove
from akg.poly.plan import Plan
from akg.poly.schedule.features import schedule_auto
from akg.poly.schedule.isl_scheduler import schedule_isl
from akg.poly.schedule.scheduler import schedule
from akg.poly.schema import Document, strategy_schema, validate
from akg.poly.scop import Scop
from akg.poly.strategy_plan import HEURISTICS, PLAN_KEYS, canonical, make_plan
from akg.poly.tiling import TILE_OPTIONS, Tiling, make_tiling
from akg.poly.tree import Domain
from akg.poly.tree_json import tree_from_json

SCHEMA_VERSION = 1
_NOT_IN_KEYS = ("name", "about", "plan", "tiles")
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
        scheduling: the part of the document that the scheduler "polytops" reads.
        plan: the same, as that scheduler reads it.
        schedule: the tree of the scheduler "given".
        tiles: the options of the document on tiles.
        tiling: the same, as the mapping reads them: in place of tiles that it would choose.
    """

    name: str = "auto"
    about: str = ""
    scheduler: str = "auto"
    fusion: str = "outer"
    isl: Mapping[str, int] = field(default_factory=dict[str, int])
    parallel: bool = True
    vectorize: bool = True
    tile: bool = True
    scheduling: Mapping[str, Any] = field(default_factory=dict[str, Any])
    plan: Plan = field(default_factory=Plan)
    schedule: Mapping[str, Any] | None = None
    tiles: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tiling: Tiling = field(default_factory=Tiling)

    def key(self) -> str:
        """What the schedule depends on, as text: part of cache keys."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NOT_IN_KEYS}
        values["isl"], values["scheduling"] = dict(self.isl), canonical(self.scheduling)
        values["tiling"] = asdict(self.tiling)
        values["schedule"] = None if self.schedule is None else dict(self.schedule)
        return json.dumps(values, sort_keys=True)

    @property
    def leaves_all_open(self) -> bool:
        """Whether nothing in it can be about single dimensions of an iteration domain."""
        return self.scheduler == "auto" and not self.tiles

    def document(self) -> dict[str, Any]:
        """A document that `resolve_strategy` reads as this strategy, without a preset."""
        plain = ("name", "about", "scheduler", "isl", "parallel", "vectorize", "tile", "schedule")
        values = {name: getattr(self, name) for name in plain}
        result = {name: v for name, v in values.items() if v or v is False}
        result |= {"fuse_outer": self.fusion == "outer", **self.scheduling}
        if self.tiles:
            result["options"] = {**self.scheduling.get("options", {}), **self.tiles}
        return result


StrategyLike: TypeAlias = "Strategy | str | Path | Mapping[str, Any] | None"
Scheduler: TypeAlias = Callable[[Scop, list[Dependence], Strategy], Domain]
schedulers: Registry[Scheduler] = Registry("scheduler", group="akg.schedulers", code="AKG-E303")
schedulers.register("original", lambda scop, dependences, strategy: scop.tree)
schedulers.register("isl", lambda scop, dependences, strategy: schedule_isl(scop, dependences, strategy.isl))

schedulers.register("auto", lambda scop, dependences, strategy: schedule_auto(scop, dependences, note))
schedulers.register("polytops", lambda scop, dependences, strategy: schedule(scop, dependences, strategy.plan, note))



def _given(scop: Scop, dependences: list[Dependence], strategy: Strategy) -> Domain:
    """The strategy's own tree, if it is legal."""
    tree = tree_from_json(strategy.schedule, scop)
    answer = prove(scop, tree)
    if answer.answer == "no":
        raise AkgError(
            "AKG-E308", f"the given schedule of {scop.kernel.name} breaks the order of the program",
            because=answer.text, hint="change the rows, or the marks that are too strong",
        )  # fmt: skip
    return tree


schedulers.register("given", _given)
_notes: ContextVar[Callable[[str], None] | None] = ContextVar("notes", default=None)


def note(text: str) -> None:
    """Report, from inside a scheduler, what could not be done; it goes where `noting` says."""
    sink = _notes.get()
    if sink is not None:
        sink(text)


@contextmanager
def noting(sink: Callable[[str], None]) -> Generator[None]:
    """Collect the notes of schedulers in a block."""
    token = _notes.set(sink)
    try:
        yield
    finally:
        _notes.reset(token)


def strategy_names() -> list[str]:
    """The named strategies of the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.json") if not path.stem.endswith(".schema"))


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
        return _from_document(Document(given, "the strategy"), str(given.get("name", "custom")))
    if isinstance(given, Path) or str(given).endswith(".json"):
        path = Path(given)
        return _from_document(_read(path), path.stem)
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
    return _from_document(_read(path), name)


def _read(path: Path) -> Document:
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
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
    return Document(document, str(path), text)


def _from_document(document: Document, name: str) -> Strategy:
    if set(document.value) == {"scheduling_strategy"}:
        key = "scheduling_strategy"
        document = Document(document.value[key], document.where, document.text, (key,))
    validate(document, strategy_schema())
    given: Mapping[str, Any] = document.value
    base = _named(given["preset"]) if "preset" in given else Strategy()
    values = {k: given[k] for k in ("about", "scheduler", "isl", "parallel", "vectorize", "tile") if k in given}
    own = {k: given[k] for k in PLAN_KEYS if k in given and given[k] not in ("outer", "none")}
    tiles = {**base.tiles, **{k: v for k, v in given.get("options", {}).items() if k in TILE_OPTIONS}}
    if own.get("options") and set(own["options"]) <= set(TILE_OPTIONS):
        del own["options"]
    if own and "scheduler" not in given and base.scheduler != "polytops":
        values.update(scheduler="polytops", fusion="none")
    if own.get("fusion") in HEURISTICS or given.get("fusion") == "none":
        values["fusion"] = "none"
    if given.get("fusion") == "outer" or "fuse_outer" in given:
        values["fusion"] = "outer" if given.get("fuse_outer", True) else "none"
    if "schedule" in given:
        values = {"fusion": "none", "scheduler": "given", **values, "schedule": given["schedule"]}
    scheduler = values.get("scheduler", base.scheduler)
    schedulers.get(scheduler)
    inherited = base.scheduling if scheduler == "polytops" else {}
    merged = {**inherited, **own}
    if "options" in own:
        merged["options"] = {**inherited.get("options", {}), **own["options"]}
    _refuse_idle(document, given, own, scheduler)
    whole = Document(merged, document.where, document.text, document.prefix)
    rows = [rows_of(whole, k, entry)[1] for k, entry in enumerate(merged.get("soft constraints", ()))]
    tiling = make_tiling(tiles, [r for r in rows if r is not None])
    parts = {"scheduling": merged, "plan": make_plan(whole), "tiles": tiles, "tiling": tiling}
    strategy = replace(base, **{"name": name, **values, **parts})
    _refuse_contradictions(document, strategy)
    return strategy


def _refuse_contradictions(document: Document, strategy: Strategy) -> None:
    """Tiles or a directive for what the document forbids can have no effect."""
    if strategy.tiling.plans and not strategy.tile:
        raise document.error(("tile",), "nothing is tiled, so the sizes of tiles have no effect",
                             'the document says "tile": false', "leave one of them away")  # fmt: skip
    for key, kind in (("parallel", "parallel"), ("vectorize", "vectorize")):
        if not getattr(strategy, key) and any(d.kind == kind for d in strategy.plan.directives):
            raise document.error(("directives",), f"the directive {kind!r} has no effect",
                                 f"the document says {key!r}: false", "leave one of them away")  # fmt: skip


def _refuse_idle(document: Document, given: Mapping[str, Any], own: Mapping[str, Any], scheduler: str) -> None:
    """A key that nothing reads is a mistake, not a wish."""
    if "isl" in given and scheduler != "isl":
        raise document.error(("isl",), "these options have no effect", f"the scheduler is {scheduler!r}",
                             'add "scheduler": "isl", or leave them away')  # fmt: skip
    if ("schedule" in given) != (scheduler == "given"):
        raise document.error(("schedule",), "a schedule is for the scheduler 'given', and that one needs it",
                             f"the scheduler is {scheduler!r}", "leave \"scheduler\" away")  # fmt: skip
    if own and scheduler in ("auto", "original", "isl", "given"):
        key = next(iter(own))
        raise document.error((key,), "this key has no effect", f"the scheduler is {scheduler!r}",
                             'write "scheduler": "polytops", or leave the key away')  # fmt: skip
