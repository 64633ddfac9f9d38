"""Errors are part of the product: what was wrong, where, why, and what to do.

A *user error* is an `AkgError` with a stable code, the user's own source line under a caret, the reason
and a hint. Its traceback never shows a frame of ours. Anything else that escapes is an *internal error*.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import linecache
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from types import FrameType, TracebackType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_PACKAGE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STDLIB_DIR = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


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
            definitions, 3 schedules and strategies, 4 targets and code generation, 5 calls, 6 caches and files,
            7 graphs and frontends.
        message: one line, what is wrong.
        span: where in the user's source, if known.
        because: why it is wrong (the fact that was violated).
        hint: what to do about it.
    """

    __module__ = "akg"  # the name that users know, and that Python prints

    def __init__(self, code: str, message: str, *, span: Span | None = None, because: str = "", hint: str = "") -> None:
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
    return None if frame is None else _span_of_frame(frame, frame.f_lasti, frame.f_lineno)


def _span_below(trace: TracebackType | None) -> Span | None:
    """The innermost frame of the user's in a trace: a function of theirs that we called, such as a te body."""
    kept = _without_own_frames(trace)
    while kept is not None and kept.tb_next is not None:
        kept = kept.tb_next
    return None if kept is None else _span_of_frame(kept.tb_frame, kept.tb_lasti, kept.tb_lineno)


def _span_of_frame(frame: FrameType, lasti: int, line_number: int) -> Span:
    code = frame.f_code
    positions = next(islice(code.co_positions(), lasti // 2, None), None)
    if positions is not None and positions[0] is not None and positions[0] == positions[1]:
        line = linecache.getline(code.co_filename, positions[0])
        begin, end = _column(line, positions[2]), _column(line, positions[3])
        return Span(code.co_filename, positions[0], begin, end)
    return Span(code.co_filename, line_number)


def _column(line: str, offset: int | None) -> int:
    """The column, in characters, of an offset that Python counts in bytes of UTF-8."""
    if offset is None:
        return -1
    return offset if line.isascii() else len(line.encode()[:offset].decode(errors="ignore"))


def is_own_file(filename: str) -> bool:
    """Whether a source file belongs to the package."""
    return filename.startswith(_PACKAGE_DIR)


def user_facing(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a public entry point: an `AkgError` leaves it without the frames below it, and knows its place.

    A call that does not fit the function's parameters is an `AkgError` too, AKG-E109.

    Python adds the wrapper's own frame while the error leaves; `install_excepthook` drops that one.
    """

    @functools.wraps(function)
    def entry(*args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True  # pytest
        try:
            return function(*args, **kwargs)
        except AkgError as error:
            if error.span is None:
                error.span = _span_below(error.__traceback__) or user_span(2)
            _hide(error)
            error.__traceback__ = None
            raise
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # from inside the function: not about its parameters
            mistake = _bad_call(function, str(error))
            mistake.span = user_span(2)
        except RecursionError:
            mistake = _too_deep()
            mistake.span = user_span(2)
        try:
            raise mistake
        except AkgError as error:  # a bare raise adds no frame
            error.__traceback__ = None
            raise

    return entry


def _too_deep() -> AkgError:
    return AkgError(
        "AKG-E202",
        "the computation is nested too deeply",
        because=f"an expression takes more than {sys.getrecursionlimit()} nested calls, Python's limit",
        hint="give parts of it a te.compute or a loop of their own, or raise sys.setrecursionlimit",
    )


def _bad_call(function: Callable[..., object], reason: str) -> AkgError:
    """The error for arguments that do not fit the parameters of a function."""
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    unknown = re.search(r"keyword argument '(\w+)'", reason)
    return AkgError(
        "AKG-E109",
        f"wrong call of {function.__name__}",
        because=reason,
        hint=suggest(unknown[1], names, "parameters") if unknown else f"it takes {', '.join(names)}",
    )


def _hide(error: BaseException) -> None:
    """Drop frames of ours from a user error and from what caused it; what it merely followed is dropped whole."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = _without_own_frames(link.__traceback__)
        link.__suppress_context__ = True
        link = link.__cause__


def _without_own_frames(trace: TracebackType | None) -> TracebackType | None:
    """The frames of the user's: not ours, nor those of the standard library that run below ours."""
    kept: list[TracebackType] = []
    is_below = False
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if is_own_file(filename):
            is_below = True
        elif not (is_below and _is_stdlib(filename)):
            kept.append(trace)
        trace = trace.tb_next
    result: TracebackType | None = None
    for frame in reversed(kept):
        result = TracebackType(result, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return result


def _is_stdlib(filename: str) -> bool:
    if filename.startswith("<frozen "):
        return True
    return filename.startswith(_STDLIB_DIR) and "site-packages" not in filename


def install_excepthook() -> None:
    """Show uncaught user errors without frames of ours; every other exception goes to the hooks in place."""
    previous, previous_thread = sys.excepthook, threading.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, AkgError):
            error.__traceback__ = trace
            _hide(error)
            trace = error.__traceback__
        previous(kind, error, trace)

    def thread_hook(args: threading.ExceptHookArgs) -> None:
        error = args.exc_value
        if isinstance(error, AkgError):
            _hide(error)
            args = threading.ExceptHookArgs((args.exc_type, error, error.__traceback__, args.thread))
        previous_thread(args)

    sys.excepthook, threading.excepthook = hook, thread_hook
