"""What commands share in their output: tables, times, and a progress line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = (), indent: str = "") -> str:
    """Rows as aligned columns, numbers to the right."""
    lines = [list(header), *map(list, rows)] if header else [list(r) for r in rows]
    if not lines:
        return ""
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    right = [all(_is_number(row[k]) for row in rows) and bool(rows) for k in range(len(lines[0]))]
    text: list[str] = []
    for line in lines:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)]
        text.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(text)


def _is_number(text: str) -> bool:
    return text[:1].isdigit() or text in ("", "-")


def duration(us: float) -> str:
    """A duration given in microseconds, to three digits."""
    if us < 1000:
        return f"{us:.3g} us"
    return f"{us / 1e3:.3g} ms" if us < 1e6 else f"{us / 1e6:.3g} s"


def rate(per_second: float, unit: str) -> str:
    """A rate in thousand millions of a unit: "12.3 GFLOP/s"."""
    return f"{per_second / 1e9:.3g} G{unit}/s"


def phases(passes: Sequence[tuple[str, float, str]], least_ms: float = 0.0) -> str:
    """Times of a build in one line; passes below `least_ms` are summed up as "rest"."""
    shown = [(name, ms) for name, ms, _ in passes if ms >= least_ms]
    rest = sum(ms for _, ms, _ in passes) - sum(ms for _, ms in shown)
    parts = [f"{name} {ms:.1f}" for name, ms in shown]
    if rest > 0:
        parts.append(f"rest {rest:.1f}")
    return f"{sum(ms for _, ms, _ in passes):.1f} ms: " + ", ".join(parts)


class Progress:
    """A line on stderr that says what is going on; nothing where stderr is no terminal."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self._is_live = sys.stderr.isatty()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.clear()

    def show(self, what: str) -> None:
        """Replace the line."""
        if self._is_live:
            filled = round(20 * self.done / max(self.total, 1))
            sys.stderr.write(f"\r\x1b[K[{'#' * filled}{'.' * (20 - filled)}] {what}")
            sys.stderr.flush()

    def step(self) -> None:
        """One more of the total is done."""
        self.done += 1

    def clear(self) -> None:
        """Remove the line."""
        if self._is_live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
