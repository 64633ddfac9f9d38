"""Where in a statement of the user's: the one expression that an error is about."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable

from akg.base.errors import Span


def narrowed(span: Span | None, *tests: Callable[[ast.AST], bool]) -> Span | None:
    """The place of the one expression under `span` that passes a test, of the first test that one passes.

    The file is read and parsed: for errors only. Where no test tells exactly one expression, `span` stays.
    """
    if span is None:
        return None
    lines = linecache.getlines(span.filename)
    if span.line > len(lines) or (span.text and span.text.rstrip("\n") != lines[span.line - 1].rstrip("\n")):
        return span  # the file has changed since
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        return span
    nodes = [node for node in ast.walk(_statement(tree, span)) if isinstance(node, ast.expr)]
    inside = [(node, place) for node in nodes if _within(place := _place(node, span.filename, lines), span)]
    for test in tests:
        found = [place for node, place in inside if test(node)]
        if len(found) == 1:
            return found[0]
    return span


def is_subscript(name: str, subscript: str, is_write: bool = False) -> Callable[[ast.AST], bool]:
    """Whether a node is ``name[subscript]``; any name, or any subscript, where that one is empty."""

    def test(node: ast.AST) -> bool:
        if not isinstance(node, ast.Subscript) or is_write != isinstance(node.ctx, ast.Store):
            return False
        if name and not (isinstance(node.value, ast.Name) and node.value.id == name):
            return False
        return not subscript or ast.unparse(node.slice).strip("()") == subscript

    return test


def is_name(name: str) -> Callable[[ast.AST], bool]:
    """Whether a node is a use of that name."""
    return lambda node: isinstance(node, ast.Name) and node.id == name


def _statement(tree: ast.Module, span: Span) -> ast.AST:
    """The innermost statement that begins at or before the span and reaches its line."""
    best: ast.AST = tree
    for node in ast.walk(tree):  # outside in
        if isinstance(node, ast.stmt) and node.lineno <= span.line <= (node.end_lineno or node.lineno):
            begins_later = node.lineno == span.line and 0 <= span.column < node.col_offset
            best = best if begins_later else node
    return best


def _place(node: ast.expr, filename: str, lines: list[str]) -> Span:
    text = lines[node.lineno - 1].rstrip("\n")
    raw = text.encode()  # offsets of `ast` count bytes
    start = len(raw[: node.col_offset].decode(errors="ignore"))
    is_one_line = node.end_lineno == node.lineno
    stop = len(raw[: node.end_col_offset].decode(errors="ignore")) if is_one_line else len(text)
    return Span(filename, node.lineno, start, stop, text)


def _within(inner: Span, outer: Span) -> bool:
    if inner.line != outer.line or outer.column < 0:
        return inner.line >= outer.line
    return inner.column >= outer.column and (outer.end_column < 0 or inner.end_column <= outer.end_column)
