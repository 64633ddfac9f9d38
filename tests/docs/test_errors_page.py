"""The index of error codes lists the codes of the source: all of them, and no others."""

import ast
import re
from pathlib import Path

from tests.docs.pages import DOCS

CODE = re.compile(r"AKG-E\d{3}")


def codes_in_source() -> dict[str, list[str]]:
    """The files that use each code; a code is a string of its own, not a mention in a text."""
    found: dict[str, list[str]] = {}
    root = DOCS.parent / "akg"
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                found.setdefault(node.value, []).append(str(path.relative_to(root)))
    return found


def test_every_code_is_listed() -> None:
    listed = CODE.findall((DOCS / "errors.md").read_text(encoding="utf-8"))
    used = codes_in_source()
    missing = {code: files for code, files in used.items() if code not in listed}
    assert not missing, f"add to docs/errors.md: {missing}"
    assert sorted(set(listed) - set(used)) == [], "docs/errors.md lists codes that nothing raises"
    assert len(listed) == len(set(listed)), "a code is listed twice"
    assert listed == sorted(listed)


def test_links_between_pages() -> None:
    for page in [*DOCS.glob("*.md"), DOCS.parent / "README.md"]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
    assert Path(DOCS / "tutorial.md").exists()
