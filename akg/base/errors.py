"""Errors are part of the product: what was wrong, where, why, and what to do.

A *user error* is an `AkgError` with a stable code, the user's own source line under a caret, the reason
and a hint. Its traceback never shows a frame of ours. Anything else that escapes is an *internal error*.
"""

from __future__ import annotations

import difflib
import functools
import linecache
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_PACKAGE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


@dataclass(frozen=True, slots=True)
class Span:
    """A place in the user's source. Lines count from 1, columns from 0; `end_column` is exclusive."""

    filename: str
    line: int
    column: int = -1
    end_column: int = -1
    text: str = ""

    def render(self) -> str:
        """``file:line`` and, where the text is known, the source line with a caret under the place."""
        text = (self.text or linecache.getline(self.filename, self.line)).rstrip("\n")
        head = f"  --> {self.filename}:{self.line}"
        if not text.strip():
            return head
        number = str(self.line)
        pad = " " * len(number)
        indent = len(text) - len(text.lstrip())
        start = self.column if self.column >= 0 else indent
        stop = self.end_column if self.end_column > start else (start + 1 if self.column >= 0 else len(text))
        return f"{head}\n{pad} |\n{number} | {text}\n{pad} | {' ' * start}{'^' * max(stop - start, 1)}"


class AkgError(Exception):
    """A mistake in what the user gave us.

    Attributes:
        code: stable identifier, ``AKG-E312``. The hundreds give the room: 1 types and values, 2 scripts and
            definitions, 3 schedules and strategies, 4 targets and code generation, 5 calls, 6 caches and files.
        message: one line, what is wrong.
        span: where in the user's source, if known.
        because: why it is wrong (the fact that was violated).
        hint: what to do about it.
    """

    def __init__(
        self, code: str, message: str, *, span: Span | None = None, because: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.span, self.because, self.hint = code, message, span, because, hint

    def __str__(self) -> str:
        lines = [f"{self.code}: {self.message}"]
        if self.span is not None:
            lines.append(self.span.render())
        if self.because:
            lines.append(f"because: {self.because}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.code, self.message, self.span, self.because, self.hint))

    def _render_traceback_(self) -> list[str]:
        """What IPython and Jupyter show in place of a stack."""
        return [str(self)]


def _rebuild(code: str, message: str, span: Span | None, because: str, hint: str) -> AkgError:
    return AkgError(code, message, span=span, because=because, hint=hint)


class InternalError(Exception):
    """A broken invariant of akg itself: never the user's fault."""


def suggest(name: str, known: Iterable[str], what: str = "") -> str:
    """A did-you-mean hint, or the list of what is known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known {what or 'names'}: {', '.join(names)}" if names else ""


def user_span(depth: int = 1) -> Span | None:
    """The innermost frame on the stack that is not akg's: where the user called us."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None and is_own_file(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:
        return None
    positions = None
    code, lasti = frame.f_code, frame.f_lasti
    for k, position in enumerate(code.co_positions()):
        if k == lasti // 2:
            positions = position
            break
    if positions is not None and positions[0] is not None and positions[0] == positions[1]:
        return Span(code.co_filename, positions[0], _column(positions[2]), _column(positions[3]))
    return Span(code.co_filename, frame.f_lineno)


def _column(value: int | None) -> int:
    return -1 if value is None else value


def is_own_file(filename: str) -> bool:
    """Whether a source file belongs to the package."""
    return filename.startswith(_PACKAGE_DIR)


def user_facing(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a public entry point: an `AkgError` leaves it without the frames below it."""

    @functools.wraps(function)
    def entry(*args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True  # pytest
        try:
            return function(*args, **kwargs)
        except AkgError as error:
            if error.span is None:
                error.span = user_span(2)
            raise error.with_traceback(None) from None

    return entry


def _without_own_frames(trace: TracebackType | None) -> TracebackType | None:
    frames: list[TracebackType] = []
    while trace is not None:
        if not is_own_file(trace.tb_frame.f_code.co_filename):
            frames.append(trace)
        trace = trace.tb_next
    result: TracebackType | None = None
    for frame in reversed(frames):
        result = TracebackType(result, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return result


def install_excepthook() -> None:
    """Show uncaught user errors without frames of ours; every other exception goes to the hook in place."""
    previous = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, AkgError):
            trace = _without_own_frames(trace)
            error.__traceback__ = trace
        previous(kind, error, trace)

    sys.excepthook = hook
