"""Named things that packages may add: built-in ones register in code, others by an entry point.

Entry points are listed only when a name is not built in, and loaded only when asked for by name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Generic, TypeVar

from akg.base.errors import AkgError, suggest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")


class Registry(Generic[T]):
    """Values by name.

    Args:
        what: what a value is, for messages: "backend".
        group: the entry point group in which other packages offer more, or None.
        code: the code of the error for an unknown name.
    """

    def __init__(self, what: str, group: str | None = None, code: str = "AKG-E401") -> None:
        self.what, self.group, self.code = what, group, code
        self._values: dict[str, T] = {}
        self._origins: dict[str, str] = {}
        self._offered: dict[str, EntryPoint] | None = None

    def register(self, name: str, value: T, origin: str = "akg") -> T:
        """Add a value; gives it back.

        Args:
            name: unique in the registry.
            value: what `get` returns.
            origin: the package that adds it.

        Raises:
            AkgError: AKG-E405 if the name is taken by something else.
        """
        if name in self._values and self._values[name] is not value:
            raise self._duplicate(name, self._origins[name], origin)
        self._values[name] = value
        self._origins[name] = origin
        return value

    def get(self, name: str, code: str = "") -> T:
        """The value of that name.

        Raises:
            AkgError: `code` for an unknown name, with a did-you-mean; AKG-E405 if two packages offer it;
                AKG-E406 if its package does not load.
        """
        found = self._values.get(name)
        if found is not None:
            return found
        offered = self._entry_points().get(name)
        if offered is None:
            raise AkgError(
                code or self.code,
                f"unknown {self.what} {name!r}",
                because=f"akg knows {', '.join(self.names()) or 'none'}",
                hint=suggest(name, self.names(), f"{self.what}s"),
            )
        return self.register(name, self._load(offered), _package(offered))

    def names(self) -> tuple[str, ...]:
        """Every name, sorted, offered by entry points or registered."""
        return tuple(sorted({*self._values, *self._entry_points()}))

    def origin(self, name: str) -> str:
        """The package that a name comes from, or an empty string."""
        if name in self._origins:
            return self._origins[name]
        offered = self._entry_points().get(name)
        return "" if offered is None else _package(offered)

    def refresh(self) -> None:
        """Forget the list of entry points, so that a package installed meanwhile is seen."""
        self._offered = None

    def _entry_points(self) -> dict[str, EntryPoint]:
        if self._offered is None:
            offered: dict[str, EntryPoint] = {}
            if self.group is not None:
                # By name: importlib.metadata costs some 25 ms, and built-in names never need it.
                metadata = importlib.import_module("importlib.metadata")
                for point in metadata.entry_points(group=self.group):
                    self._offer(offered, point)
            self._offered = offered
        return self._offered

    def _offer(self, offered: dict[str, EntryPoint], point: EntryPoint) -> None:
        package = _package(point)
        known = self._origins.get(point.name)
        if known is not None and known != package:
            raise self._duplicate(point.name, known, package)
        other = offered.setdefault(point.name, point)
        # A package found twice on the path (an editable install) offers the same thing twice.
        if other.value != point.value or _package(other) != package:
            raise self._duplicate(point.name, _package(other), package)

    def _load(self, point: EntryPoint) -> T:
        try:
            return point.load()
        except Exception as error:
            raise AkgError(
                "AKG-E406",
                f"{self.what} {point.name!r} of package {_package(point)!r} does not load",
                because=f"{type(error).__name__}: {error}",
                hint=f"repair or uninstall {_package(point)!r}; the entry point is {point.value!r}",
            ) from error

    def _duplicate(self, name: str, first: str, second: str) -> AkgError:
        return AkgError(
            "AKG-E405",
            f"two packages offer {self.what} {name!r}",
            because=f"{first!r} and {second!r} both register it",
            hint="uninstall one of them, or ask its author for another name",
        )


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value.partition(":")[0]
