"""Validation of JSON documents against a JSON schema, with the place of each mistake.

The part of JSON Schema that the package's own schemas use: type, enum, properties, additionalProperties, required,
items, prefixItems, minItems, maxItems, minimum, pattern, anyOf, $ref. Messages name the key by its path and,
where the text is known, by line and column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path as FileName
from typing import Any

from akg.base.errors import AkgError, suggest

Path = tuple["str | int", ...]
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "boolean": (bool,), "array": (list, tuple), "object": (Mapping,), "number": (int, float),
    "null": (type(None),),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """A document, where it comes from, and its text if it was read."""

    value: Any
    where: str
    text: str = ""
    prefix: Path = ()  # of the value in the text

    def error(self, path: Path, message: str, because: str, hint: str) -> AkgError:
        """The error for a mistake at a path."""
        return AkgError("AKG-E302", f"{self.place(path)}: {message}", because=because, hint=hint)

    def place(self, path: Path) -> str:
        """``fusion[0].heuristic of mine.json (line 4, column 9)``."""
        text = path_text(path)
        at = f"{text} of {self.where}" if text else self.where
        spot = locate(self.text, (*self.prefix, *path)) if self.text else None
        return at if spot is None else f"{at} (line {spot[0]}, column {spot[1]})"

    @contextmanager
    def at(self, path: Path) -> Generator[None]:
        """Say of mistakes inside the block where they stand."""
        try:
            yield
        except AkgError as error:
            message = f"{self.place(path)}: {error.message}"
            raise AkgError(error.code, message, because=error.because, hint=error.hint) from None


def path_text(path: Path) -> str:
    """``ILP_construction[0].cost_functions``."""
    result = ""
    for part in path:
        result += f"[{part}]" if isinstance(part, int) else f".{part}" if result else part
    return result


@lru_cache(maxsize=1)
def strategy_schema() -> Mapping[str, Any]:
    """The JSON schema of strategy documents."""
    return json.loads((FileName(__file__).parent / "strategies" / "strategy.schema.json").read_text(encoding="utf-8"))


def validate(document: Document, schema: Mapping[str, Any], part: str = "") -> None:
    """Check a document, or a part of one that has a name in the schema.

    Raises:
        AkgError: AKG-E302 for the first mistake, with its place.
    """
    start = schema["$defs"][part] if part else schema
    mistake = _Validator(document, schema).check(document.value, start, ())
    if mistake is not None:
        raise mistake


class _Validator:
    def __init__(self, document: Document, schema: Mapping[str, Any]) -> None:
        self.document, self.schema = document, schema

    def check(self, value: Any, schema: Mapping[str, Any], path: Path) -> AkgError | None:
        """The first mistake in a value."""
        while "$ref" in schema:
            schema = self.schema["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        if "anyOf" in schema:
            return self._any_of(value, schema["anyOf"], path)
        if "enum" in schema and not any(value is v or (value == v and type(value) is type(v)) for v in schema["enum"]):
            return self._wrong(value, schema, path)
        if "type" in schema and not _has_type(value, schema["type"]):
            return self._wrong(value, schema, path)
        if isinstance(value, Mapping):
            return self._object(value, schema, path)
        if isinstance(value, (list, tuple)):
            return self._array(value, schema, path)
        if isinstance(value, int) and value < schema.get("minimum", value):
            return self.document.error(path, f"{value} is too small", f"the least is {schema['minimum']}",
                                       f"write {schema['minimum']} or more")  # fmt: skip
        if isinstance(value, str) and "pattern" in schema and not re.fullmatch(schema["pattern"], value):
            return self.document.error(path, f"{value!r} is no name", "names are letters, digits and _",
                                       "begin with a letter")  # fmt: skip
        return None

    def _any_of(self, value: Any, choices: list[Mapping[str, Any]], path: Path) -> AkgError | None:
        deepest: AkgError | None = None
        for choice in choices:
            mistake = self.check(value, choice, path)
            if mistake is None:
                return None
            fits = "type" in choice and _has_type(value, choice["type"])
            if fits and (deepest is None or all(key in value for key in choice.get("required", ("",)))):
                deepest = mistake  # the right kind of value, wrong inside: its mistake says most
        strings = [v for c in choices for v in c.get("enum", ())]
        if deepest is not None:
            return deepest
        titles = " or ".join(str(c["title"]) for c in choices)
        hint = suggest(value, strings, "values") if isinstance(value, str) and strings else f"give {titles}"
        return self.document.error(path, f"{_short(value)} is not {titles}", f"it is {_kind(value)}", hint)

    def _wrong(self, value: Any, schema: Mapping[str, Any], path: Path) -> AkgError:
        if "enum" in schema:
            names = [str(v) for v in schema["enum"]]
            hint = suggest(str(value), names, "values")
            return self.document.error(path, f"it cannot be {_short(value)}", f"it is one of {', '.join(names)}", hint)
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        what = " or ".join(kinds)
        hint = "write true or false (True or False in a dict)" if "boolean" in kinds else f"give a value of type {what}"
        return self.document.error(path, f"{_short(value)} is not of type {what}", f"it is {_kind(value)}", hint)

    def _object(self, value: Mapping[Any, Any], schema: Mapping[str, Any], path: Path) -> AkgError | None:
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties", True)
        for key, inner in value.items():
            if key in known:
                mistake = self.check(inner, known[key], (*path, str(key)))
            elif isinstance(rest, Mapping):
                mistake = self.check(inner, rest, (*path, str(key)))
            elif rest:
                continue
            else:
                names = [k for k in known if k != "$schema"]
                because, hint = f"the keys here are {', '.join(names)}", suggest(str(key), names, "keys")
                mistake = self.document.error((*path, str(key)), f"unknown key {key!r}", because, hint)
            if mistake is not None:
                return mistake
        for key in schema.get("required", ()):
            if key not in value:
                there = ", ".join(map(str, value)) or "nothing"
                return self.document.error(path, f"the key {key!r} is missing", f"there is {there}", f"add {key!r}")
        return None

    def _array(self, value: list[Any] | tuple[Any, ...], schema: Mapping[str, Any], path: Path) -> AkgError | None:
        least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
        if not least <= len(value) <= most:
            return self.document.error(path, f"{len(value)} elements", f"there must be {least}", "add or remove some")
        first = schema.get("prefixItems", [])
        for k, inner in enumerate(value):
            part = first[k] if k < len(first) else schema.get("items")
            mistake = None if part is None else self.check(inner, part, (*path, k))
            if mistake is not None:
                return mistake
        return None


def _has_type(value: Any, kind: str | list[str]) -> bool:
    if isinstance(kind, list):
        return any(_has_type(value, k) for k in kind)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "callable":
        return callable(value)
    return isinstance(value, _TYPES[kind])


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = ("boolean", "integer", "string", "array", "object")
    return next((k for k in kinds if _has_type(value, k)), type(value).__name__)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# --- places in a text -----------------------------------------------------------------------------------

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def locate(text: str, path: Path) -> tuple[int, int] | None:
    """Line and column, from 1, of the value (of the key, for the last key) at a path of a JSON text."""
    offset = _space(text, 0)
    for depth, part in enumerate(path, 1):
        found = _member(text, offset, part)
        if found is None:
            return None
        offset = found[0] if depth == len(path) and isinstance(part, str) else found[1]
    line = text.count("\n", 0, offset) + 1
    return line, offset - (text.rfind("\n", 0, offset) + 1) + 1


def _space(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return match.end() if match else offset


def _member(text: str, offset: int, part: str | int) -> tuple[int, int] | None:
    """Offsets of the key (or element) and of the value, of one member of the object or array at an offset."""
    if offset >= len(text) or text[offset] not in "{[":
        return None
    is_object = text[offset] == "{"
    position, count = _space(text, offset + 1), 0
    while position < len(text) and text[position] not in "}]":
        start = position
        key: str | int = count
        if is_object:
            key, end = _DECODER.raw_decode(text, position)
            position = _space(text, _space(text, end) + 1)
        if key == part:
            return start, position
        _, end = _DECODER.raw_decode(text, position)
        position = _space(text, end)
        if position < len(text) and text[position] == ",":
            position = _space(text, position + 1)
        count += 1
    return None
