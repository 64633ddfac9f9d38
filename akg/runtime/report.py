"""What is known of a kernel beside its code: how it was built and why it is correct."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Report(Mapping[str, Any]):
    """Facts of one build; reads like an object or like a dict.

    Attributes:
        passes: (pass, milliseconds, note) in the order they ran.
        legality: the answer of the legality check and what it rests on; "" if it was off.
        flops: arithmetic operations of one call, or a formula over the sizes; None if not counted.
        bytes: bytes that one call must move between memory and the core; None if not counted.
        threads: threads that parallel loops ask for, as text where it depends on the configuration.
        cache: "hit", "miss" or "off".
        strategy: name or description of the scheduling strategy.
        target: name of the target.
        compiler: versions of what made the machine code.
        notes: what else the passes found worth telling.
    """

    passes: list[tuple[str, float, str]] = field(default_factory=list)
    legality: str = ""
    flops: int | str | None = None
    bytes: int | str | None = None
    threads: int | str = 1
    cache: str = "off"
    strategy: str = ""
    target: str = ""
    compiler: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def build_ms(self) -> float:
        """Wall time of all passes together, in milliseconds."""
        return sum(ms for _, ms, _ in self.passes)

    def __getitem__(self, key: str) -> Any:
        if key not in _FIELDS:
            raise KeyError(key)
        return getattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(_FIELDS)

    def __len__(self) -> int:
        return len(_FIELDS)

    def __str__(self) -> str:
        return "\n".join(f"{name:<10}{value}" for name, value in self.rows())

    def rows(self) -> list[tuple[str, str]]:
        """Name and text of each fact that is there, passes summed up at the end."""
        rows = [
            (name, str(self[name]))
            for name in _FIELDS
            if name not in ("passes", "notes") and self[name] not in ("", None)
        ]
        rows += [("note", note) for note in self.notes]
        for name, ms, note in self.passes:
            rows.append(("pass", f"{ms:9.3f} ms  {name}{'  (' + note + ')' if note else ''}"))
        if self.passes:
            rows.append(("build", f"{self.build_ms:9.3f} ms"))
        return rows


_FIELDS: tuple[str, ...] = tuple(f.name for f in dataclasses.fields(Report))
