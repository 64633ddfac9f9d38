"""What happened and how long it took: pass events, logging, dumps.

    with Recorder() as recorder:
        with phase("schedule") as event:
            ...
            event.note = "unchanged"
    recorder.events

Loggers hang under "akg" and stay silent unless the application, `AKG_LOG` or `AKG_DEBUG` asks for them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextvars import ContextVar, Token
from fnmatch import fnmatchcase
from pathlib import Path
from time import perf_counter
from types import TracebackType

from akg.base.config import config
from akg.base.errors import AkgError

_active: ContextVar[tuple[Recorder, ...]] = ContextVar("akg_recorders", default=())


class Event:
    """One finished or running phase: wall time in milliseconds, and a short note."""

    __slots__ = ("depth", "ms", "name", "note")

    def __init__(self, name: str, ms: float = 0.0, note: str = "", depth: int = 0) -> None:
        self.name, self.ms, self.note, self.depth = name, ms, note, depth

    def __repr__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        return f"{'  ' * self.depth}{self.name} {self.ms:.3f} ms{note}"


class Recorder:
    """Collects the events of the phases that run while it is active, in order of their start."""

    __slots__ = ("_depth", "_token", "events")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._depth = 0
        self._token: Token[tuple[Recorder, ...]] | None = None

    def __enter__(self) -> Recorder:
        self._token = _active.set((*_active.get(), self))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._token is not None:
            _active.reset(self._token)
            self._token = None

    def start(self, event: Event) -> None:
        """Note that a phase has begun."""
        event.depth = self._depth
        self._depth += 1
        self.events.append(event)

    def stop(self) -> None:
        """Note that the innermost running phase has ended."""
        self._depth -= 1

    @property
    def total_ms(self) -> float:
        """The wall time of the outermost phases together, in milliseconds."""
        return sum(event.ms for event in self.events if event.depth == 0)


class phase:  # noqa: N801  # reads as a statement: `with phase("schedule"):`
    """Times a ``with`` block into every active `Recorder`; yields its `Event`, whose note may be set."""

    __slots__ = ("_begin", "_recorders", "event")

    def __init__(self, name: str, note: str = "") -> None:
        self.event = Event(name, note=note)
        self._recorders = _active.get()
        self._begin = 0.0

    def __enter__(self) -> Event:
        for recorder in self._recorders:
            recorder.start(self.event)
        self._begin = perf_counter()
        return self.event

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.event.ms = (perf_counter() - self._begin) * 1e3
        for recorder in self._recorders:
            recorder.stop()


def logger(name: str) -> logging.Logger:
    """The logger of a room: ``logger("poly.scheduler")`` is "akg.poly.scheduler"."""
    return logging.getLogger("akg." + name)


def configure_logging() -> None:
    """Set levels and a handler on stderr from `AKG_LOG` and `AKG_DEBUG`; called once, when this module loads.

    Raises:
        AkgError: AKG-E112 for a level that `logging` does not have.
    """
    root = logging.getLogger("akg")
    root.addHandler(logging.NullHandler())
    levels = _parse_log(config.log)
    if config.debug > 0:
        levels.setdefault("akg", logging.INFO if config.debug == 1 else logging.DEBUG)
    if not levels:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    root.addHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def _parse_log(text: str) -> dict[str, int]:
    levels: dict[str, int] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, level = item.rpartition("=")
        number = logging.getLevelNamesMapping().get(level.strip().upper())
        if number is None:
            raise AkgError(
                "AKG-E112",
                f"unknown log level {level!r} in AKG_LOG",
                because="each item is LEVEL or LOGGER=LEVEL",
                hint="for example AKG_LOG=poly.scheduler=debug,driver=info",
            )
        name = name.strip().removeprefix("akg.")
        levels["akg" if name in ("", "akg") else "akg." + name] = number
    return levels


def debug_level(kernel: str) -> int:
    """The debug level that applies to a kernel: `AKG_DEBUG` where `AKG_DEBUG_KERNEL` matches its name, else 0."""
    return config.debug if fnmatchcase(kernel, config.debug_kernel) else 0


def is_dumped(kernel: str) -> bool:
    """Whether passes over this kernel write dump files; such a build must not be answered from the cache."""
    return bool(config.dump) and fnmatchcase(kernel, config.debug_kernel)


def dump(number: int, name: str, kernel: str, text: Callable[[], str]) -> Path | None:
    """Write ``NN_pass_kernel.txt`` into the dump directory, if dumping is on for the kernel.

    Args:
        number: position of the pass in its pipeline.
        name: the pass.
        kernel: the kernel's name.
        text: makes the contents; not called when nothing is dumped.

    Raises:
        AkgError: AKG-E610 where the directory cannot be written.
    """
    if not is_dumped(kernel):
        return None
    safe = re.sub(r"[^A-Za-z0-9.-]+", "-", name)
    path = Path(config.dump) / f"{number:02d}_{safe}_{kernel}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(), encoding="utf-8")
    except OSError as error:
        raise AkgError(
            "AKG-E610",
            f"cannot write the dump {path}",
            because=error.strerror or str(error),
            hint="point AKG_DUMP at a directory that can be written, or unset it",
        ) from None
    return path


configure_logging()
