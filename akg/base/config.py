"""Options: one typed table. The only file that reads the environment.

Each option is a class attribute of `Config`; reading it gives a typed value. Precedence, highest first: an argument
of the call, `config.override(...)`, the environment, the default. Overrides belong to the current context
(`contextvars`): a new thread starts without them.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar, overload

from akg.base.errors import AkgError, suggest, user_facing

T = TypeVar("T")
CacheMode = Literal["rw", "ro", "off"]
Origin = Literal["default", "env", "context"]

_PREFIX = "AKG_"
_overrides: ContextVar[Mapping[str, Any] | None] = ContextVar("akg_config", default=None)


class Option(Generic[T]):
    """One option: its environment variable is ``AKG_`` and its name in capitals.

    Attributes:
        default: makes the value when nothing is set (read each time, so it may look at the machine).
        parse: the value from text; raises ValueError with the accepted form.
        help: one line for `akg config`.
        changes_code: whether generated code, or what is stored beside it, depends on the option.
    """

    name: str
    env: str

    def __init__(
        self, default: Callable[[], T], parse: Callable[[str], T], help: str, *, changes_code: bool = False
    ) -> None:
        self.default, self.parse, self.help, self.changes_code = default, parse, help, changes_code

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.env = name, _PREFIX + name.upper()

    @overload
    def __get__(self, instance: None, owner: type) -> Option[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Option[T] | T:
        return self if instance is None else self.resolve()[0]

    def __set__(self, instance: object, value: T) -> None:
        raise AttributeError(f"options are not assigned: use `with config.override({self.name}=...)` or set {self.env}")

    def resolve(self) -> tuple[T, Origin]:
        """The value and where it comes from.

        Raises:
            AkgError: AKG-E110 for an environment variable that does not parse.
        """
        overrides = _overrides.get()
        if overrides is not None and self.name in overrides:
            return overrides[self.name], "context"
        text = os.environ.get(self.env)
        if text is None or not text.strip():
            return self.default(), "default"
        return self.check(text, self.env), "env"

    def check(self, value: object, source: str) -> T:
        """`value` as the option's type: by its text, so that an override passes the same rules as a variable."""
        text = "" if value is None else str(value).strip()
        try:
            return self.parse(text)
        except ValueError as error:
            raise AkgError(
                "AKG-E110",
                f"{source}={text!r} is not a value for option {self.name!r}",
                because=f"expected {error}",
                hint=self.help,
            ) from None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("a whole number, 0 or more")
    return int(text)


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueError(" | ".join(sorted(_FLAGS)))
    return _FLAGS[text.lower()]


def _cache_mode(text: str) -> CacheMode:
    modes: dict[str, CacheMode] = {"rw": "rw", "ro": "ro", "off": "off", "0": "off", "1": "rw"}
    if text not in modes:
        raise ValueError("rw | ro | off")
    return modes[text]


def _path(text: str) -> Path:
    if not text:
        raise ValueError("a directory")
    return Path(text).expanduser()


_FLAGS = {"1": True, "true": True, "on": True, "yes": True, "0": False, "false": False, "off": False, "no": False}


def _default_cache_dir() -> Path:
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(xdg):  # the standard says to ignore a relative one
        return Path(xdg) / "akg"
    home = os.path.expanduser("~/.cache/akg")
    # Without a home there is no safe place: a shared one could feed us another user's machine code.
    return Path(home) if os.path.isabs(home) else Path(os.devnull) / "akg"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of `Config.table`: an option as it stands now."""

    name: str
    value: object
    origin: Origin
    env: str
    help: str


class Override:
    """Options that hold within a ``with`` block; made by `Config.override`."""

    __slots__ = ("_token", "_values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._token: Token[Mapping[str, Any] | None] | None = None

    def __enter__(self) -> None:
        self._token = _overrides.set({**(_overrides.get() or {}), **self._values})

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._token is not None:
            _overrides.reset(self._token)
            self._token = None


class Config:
    """The options. Use the one instance, `config`."""

    __slots__ = ()

    num_threads = Option(lambda: 0, _count, "threads of a parallel loop; 0: OMP_NUM_THREADS, else the cores we may use")
    cache = Option[CacheMode](lambda: "rw", _cache_mode, "kernel cache on disk: rw | ro | off")
    cache_dir = Option(_default_cache_dir, _path, "directory of the kernel cache")
    pool_bytes = Option(lambda: 1 << 29, _count, "memory of outputs that are gone, kept for new ones; 0: none")
    dump = Option(lambda: "", str, "directory for the program after each pass, NN_pass_kernel.txt; empty: none")
    debug = Option(lambda: 0, _count, "1 cache and timing, 2 passes that changed something, 3 schedules, 5 everything")
    debug_kernel = Option(lambda: "*", str, "kernels that dump and debug apply to, a glob pattern")
    log = Option(lambda: "", str, "loggers shown on stderr, as in 'info' or 'poly.scheduler=debug,driver=info'")
    target = Option(lambda: "cpu", str, "target where the call names none")
    strategy = Option(lambda: "auto", str, "scheduling strategy where the call names none")
    legality = Option(lambda: True, _flag, "prove each schedule against the dependences", changes_code=True)

    fast_math = Option(
        lambda: False, _flag, "round as is quickest: sums in any order, reciprocals, no NaN", changes_code=True
    )

    @user_facing
    def override(self, **values: object) -> Override:
        """Set options within a ``with`` block.

        Raises:
            AkgError: AKG-E111 for an unknown option, AKG-E110 for a value that it does not take.
        """
        return Override({name: self.option(name).check(value, name) for name, value in values.items()})

    def option(self, name: str) -> Option[Any]:
        """The option of that name.

        Raises:
            AkgError: AKG-E111 for an unknown name, with a did-you-mean.
        """
        found = OPTIONS.get(name)
        if found is None:
            raise AkgError(
                "AKG-E111",
                f"unknown option {name!r}",
                because=f"the options are {', '.join(OPTIONS)}",
                hint=suggest(name, OPTIONS, "options"),
            )
        return found

    def key(self) -> tuple[object, ...]:
        """Values of the options that change what a build stores: part of every cache key.

        Target and strategy are not here: they enter a key as what they resolve to.
        """
        return tuple([option.resolve()[0] for option in OPTIONS.values() if option.changes_code])

    def table(self) -> list[Setting]:
        """Every option with its value, its origin and its help."""
        return [Setting(o.name, *o.resolve(), o.env, o.help) for o in OPTIONS.values()]


OPTIONS: dict[str, Option[Any]] = {name: value for name, value in vars(Config).items() if isinstance(value, Option)}
config = Config()


def overridden(name: str) -> Any:
    """The value that `config.override` gives an option in this context, else None; 20 times faster than the option."""
    overrides = _overrides.get()
    return None if overrides is None else overrides.get(name)


def overrides_variable() -> ContextVar[Mapping[str, Any] | None]:
    """The context variable behind `config.override`: None where it overrides nothing. For native code."""
    return _overrides


def effective_threads() -> int:
    """How many threads a parallel loop gets now: `num_threads`, else OMP_NUM_THREADS, else the usable cores."""
    wanted = config.num_threads
    if wanted > 0:
        return wanted
    openmp = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # "8,2": one number per nesting level
    if openmp.isdecimal() and int(openmp) > 0:
        return int(openmp)
    return usable_cores()


def kernel_meta_dir() -> Path:
    """Where MindSpore looks for compiled graph kernels; it sets the variables, so they are read anew each time."""
    parent = os.environ.get("MS_COMPILER_CACHE_PATH", "") or "."
    return Path(os.path.realpath(parent)) / (os.environ.get("KERNEL_META_DIR", "") or "akg_kernel_meta")


def usable_cores() -> int:
    """The cores that the process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return max(len(os.sched_getaffinity(0)), 1)
    return os.cpu_count() or 1


def check_environment() -> None:
    """Warn of each ``AKG_*`` variable that is no option, with the nearest name."""
    known = {option.env for option in OPTIONS.values()}
    for name in sorted(os.environ):
        if name.startswith(_PREFIX) and name not in known:
            hint = suggest(name, known, "variables")
            warnings.warn(f"unknown environment variable {name}: {hint}", RuntimeWarning, stacklevel=2)
