"""The source of a script: its lines, its syntax tree, and the place of each node in the user's file."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from akg.base.errors import AkgError, Span


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one function as it was when the function was decorated.

    Attributes:
        filename: the file, or the name that linecache knows a notebook cell by.
        first_line: the line of the file on which `lines` begin, counted from 1.
        lines: the lines, with their indentation.
    """

    filename: str
    first_line: int
    lines: tuple[str, ...]
    is_lambda: bool = False

    @property
    def text(self) -> str:
        """The lines in one string."""
        return "".join(self.lines)

    def parse(self) -> ast.FunctionDef:
        """The syntax tree of the function; its columns are those of the file.

        Raises:
            AkgError: AKG-E220 if the source is not one ``def``.
        """
        # An indented function is wrapped instead of dedented: strings stay as they are, and columns hold.
        wrapped = self.lines[0][:1].isspace()
        try:
            tree = ast.parse("if 1:\n" + self.text if wrapped else self.text)
            if wrapped:
                ast.increment_lineno(tree, -1)
            body = tree.body[0].body if wrapped and isinstance(tree.body[0], ast.If) else tree.body
        except SyntaxError:
            body = []
        if len(body) == 1 and isinstance(body[0], ast.FunctionDef) and not self.is_lambda:
            return body[0]
        raise AkgError(
            "AKG-E220",
            "a script is one function made by `def`",
            span=Span(self.filename, self.first_line, text=self.lines[0]),
            because="lambdas, coroutines and classes have no loop nest to compile",
            hint="write a def and decorate it with @akg.script",
        )

    def span(self, node: ast.AST) -> Span:
        """The place of `node`; of its first line if it has several."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        end_line, end = getattr(node, "end_lineno", line), getattr(node, "end_col_offset", -1)
        text = self.lines[line - 1].rstrip("\n") if line <= len(self.lines) else ""
        raw = text.encode()  # offsets of `ast` count bytes
        start = len(raw[:column].decode(errors="ignore"))
        stop = len(raw[:end].decode(errors="ignore")) if end_line == line else len(text)
        return Span(self.filename, self.first_line + line - 1, start, stop, text)

    def fail(self, node: ast.AST, code: str, message: str, because: str = "", hint: str = "") -> NoReturn:
        """Raise the error of a mistake at `node`."""
        raise AkgError(code, message, span=self.span(node), because=because, hint=hint)


def read_source(function: Callable[..., Any]) -> Source:
    """The source of `function`.

    Raises:
        AkgError: AKG-E220 if Python does not have it.
    """
    try:
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError):
        raise AkgError(
            "AKG-E220",
            f"the source of {getattr(function, '__name__', 'the function')!r} is not available",
            because="a script is compiled from its source, and Python has none for this function",
            hint="define the function in a file or a notebook cell, not in exec(), `python -c` or a plain prompt",
        ) from None
    is_lambda = getattr(function, "__name__", "") == "<lambda>"
    return Source(inspect.getsourcefile(function) or "<unknown>", first, tuple(lines), is_lambda)
