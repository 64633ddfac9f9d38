"""The fenced Python blocks of a page, run in order in one name space."""

import linecache
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[int, str]]:
    """(line, text) of each block of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [(text.count("\n", 0, m.start(1)), m.group(1)) for m in _BLOCK.finditer(text)]


def run_page(page: str) -> dict[str, Any]:
    """Run every block; lines count as in the page, and scripts find their source."""
    scope: dict[str, Any] = {"__name__": f"docs_{page.partition('.')[0]}"}
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines(keepends=True)
    name = f"<{page}>"
    linecache.cache[name] = (sum(map(len, lines)), None, lines, name)
    for line, text in blocks(page):
        exec(compile("\n" * line + text, name, "exec"), scope)
    return scope
