"""The notebooks run: their cells in order here, and in a Jupyter kernel where one is installed."""

import importlib.util
import json
import linecache
import os
import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent.parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NEEDED = ("nbclient", "nbformat", "ipykernel")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def text_of(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_there_are_four() -> None:
    titles = [text_of(cells(path)[0]).splitlines()[0] for path in NOTEBOOKS]
    assert titles == [
        "# Write a strategy", "# Read a schedule", "# Stencils: skew, wavefront, diamond",
        "# One kernel, five strategies, timed",
    ]  # fmt: skip


@each
def test_texts_teach_and_outputs_are_stripped(path: Path) -> None:
    own = cells(path)
    words = sum(len(text_of(c).split()) for c in own if c["cell_type"] == "markdown")
    assert words > 150
    for cell in own:
        assert cell["cell_type"] == "markdown" or (cell["outputs"] == [] and cell["execution_count"] is None)
    for target in re.findall(r"\]\(([^)]+)\)", "".join(map(text_of, own))):
        assert (FOLDER / target).is_file(), target


@pytest.mark.slow
@each
def test_cells_run(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, Any] = {"__name__": "notebook"}
    for number, cell in enumerate(cells(path)):
        if cell["cell_type"] == "code":
            name, text = f"<{path.stem} {number}>", text_of(cell)
            linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)  # scripts read their source
            exec(compile(text, name, "exec"), scope)


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}; pip install akg[notebooks]")
@each
def test_notebook_runs_in_jupyter(path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}})
    found = [str(FOLDER.parent), *filter(None, [os.environ.get("PYTHONPATH")])]  # this copy of the package
    client.execute(env={**os.environ, "PYTHONPATH": os.pathsep.join(found)})
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert outputs and not any(o.output_type == "error" for o in outputs)
    if path.stem[0] != "1":
        shown = "".join(o.get("data", {}).get("text/html", "") for o in outputs)
        assert "<iframe srcdoc=" in shown and "akg-data" in shown
