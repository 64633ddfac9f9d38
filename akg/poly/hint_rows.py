"""AKG's rows of coefficients, its "soft constraints": one text for each loop of a statement.

    {"statement": "S_0", "meta": [iterators, parameters], "coefficients": ["[1, ?2] (/64)", "[0, 1, ?] (/8)",
                                                                           "[1, ?2] (%64)", "[0, 1, ?] (%8)"]}
    ?       any number; ?n  any n numbers
    (/n)    the loop over tiles of n iterations of the row; (%n) its points; (%m, /n) tiles inside of tiles

A row that occurs several times is one dimension of the schedule, in tiles. The last number of a row is its constant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from akg.poly.schema import Document, Path
from akg.poly.tiling import Loop, TilePlan

_ROW = re.compile(r"\s*\[(.*)\]\s*(?:\((.*)\)\s*)?")
_STRIP = re.compile(r"([%/])\s*([1-9]\d*)")
_Values = tuple["int | None", ...]


def rows_of(document: Document, k: int, entry: Mapping[str, Any]) -> tuple[list[list[str]], TilePlan | None]:
    """The constraints of each dimension, and the tiles; `k` is the entry's place in the document.

    Raises:
        AkgError: AKG-E302 with the place of the first mistake.
    """
    seen: dict[_Values, tuple[int, int]] = {}  # row -> its dimension, and the size that its next loop must be inside of
    loops: list[Loop] = []
    constraints: list[list[str]] = []
    for position, text in enumerate(entry["coefficients"]):
        path = ("soft constraints", k, "coefficients", position)
        match = _ROW.fullmatch(text)
        if match is None:
            raise document.error(path, f"{text!r} is no row", "a row is [c0, c1, ..., constant]",
                                 "write ? for any number")  # fmt: skip
        values = tuple(_numbers(document, path, match.group(1)))
        inside, size = _strip(document, path, match.group(2) or "")
        dimension, outer = seen.get(values, (len(seen), 0))
        if inside != outer:
            because = f"the loop before it has tiles of {outer}" if outer else "no loop before it has tiles of this row"
            hint = f"write (%{outer})" if outer else "leave (%n) away"
            raise document.error(path, f"{text!r} is no part of a tile", because, hint)
        if values not in seen:
            constraints.append(_texts(document, path, entry, values))
        seen[values] = dimension, size
        loops.append((dimension, size))
    if not any(size for _, size in loops):
        return constraints, None
    return constraints, TilePlan((entry["statement"],), loops=tuple(loops), min_band=1)


def _strip(document: Document, path: Path, text: str) -> tuple[int, int]:
    """The size of the tile that a loop is inside of, and of its own tiles; 0 for none."""
    found: dict[str, int] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        match = _STRIP.fullmatch(part)
        if match is None or match.group(1) in found:
            raise document.error(path, f"{part!r} is no strip", "a strip is /n, %n, or %m, /n",
                                 "write (/n) for tiles and (%n) for their points")  # fmt: skip
        found[match.group(1)] = int(match.group(2))
    return found.get("%", 0), found.get("/", 0)


def _texts(document: Document, path: Path, entry: Mapping[str, Any], values: _Values) -> list[str]:
    if "meta" in entry and len(values) != sum(entry["meta"]) + 1:
        raise document.error(path, f"{len(values)} coefficients",
                             f"meta {list(entry['meta'])} asks for {sum(entry['meta']) + 1}",
                             "one for each iterator and parameter, and the constant")  # fmt: skip
    iterators = entry["meta"][0] if "meta" in entry else len(values) - 1
    texts: list[str] = []
    for n, value in enumerate(values):
        if value is not None:
            name = f"it_{n}" if n < iterators else "cst" if n == len(values) - 1 else f"par_{n - iterators}"
            texts.append(f"{entry['statement']}_{name} = {value}")
    return texts


def _numbers(document: Document, path: Path, text: str) -> list[int | None]:
    values: list[int | None] = []
    for part in text.split(","):
        part = part.strip()
        if re.fullmatch(r"\?\d*", part):
            values.extend([None] * int(part[1:] or 1))
        elif re.fullmatch(r"-?\d+", part):
            values.append(int(part))
        else:
            raise document.error(path, f"{part!r} is no coefficient",
                                 "a coefficient is a number, ?, or ?n for n of them",
                                 "write ? for any number")  # fmt: skip
    return values
