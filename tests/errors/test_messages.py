"""What a newcomer gets wrong, through the public API: one message each, its place marked, and no frame of ours.

The message of a case is all of it: code and what, the source line with its caret, the reason, the hint. The line
``--> file:number`` is checked apart.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import akg
from akg.base.errors import is_own_file
from akg.poly.strategy import strategy_names
from tests.errors.mistakes import bodies, builds, calls, options, scripts, shapes, subscripts  # noqa: F401  (they fill CASES)
from tests.errors.mistakes.base import CASES, OTHER

ROOT = Path(__file__).resolve().parents[2]
MISTAKES = Path(__file__).resolve().parent / "mistakes"


def plain(error: akg.AkgError) -> str:
    """The message without the gutter of line numbers, its place checked."""
    lines = str(error).split("\n")
    assert error.span is not None
    assert Path(error.span.filename).parent == MISTAKES
    assert lines[1] == f"  --> {error.span.filename}:{error.span.line}"
    assert lines[2].endswith(" |")
    marked = [line.partition("| ")[2] for line in lines[3:5]]
    text = "\n".join([lines[0], *marked, *lines[5:]]).replace(", ".join(strategy_names()), "STRATEGIES")
    text = text.replace(f"compiled for {OTHER}", "compiled for OTHER")
    text = text.replace(f"more than {sys.getrecursionlimit()} nested", "more than LIMIT nested")
    return re.sub("because: the keys here are .*", "because: the keys here are KEYS", text)  # that list grows


def caught(name: str) -> akg.AkgError:
    with pytest.raises(akg.AkgError) as info:
        CASES[name][0]()
    return info.value


@pytest.mark.parametrize("name", CASES)
def test_message(name: str) -> None:
    assert plain(caught(name)) == CASES[name][1].strip("\n")


@pytest.mark.parametrize("name", CASES)
def test_it_says_why_and_what_to_do(name: str) -> None:
    error = caught(name)
    assert error.because and error.hint and "\n" not in error.message


@pytest.mark.parametrize("name", CASES)
def test_no_frame_of_ours(name: str) -> None:
    trace = caught(name).__traceback__
    while trace is not None:
        assert not is_own_file(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next


_UNCAUGHT = """
import sys
sys.path[:0] = [{root!r}]
import akg
from tests.errors.test_messages import CASES
for name, (mistake, _) in CASES.items():
    try:
        mistake()
    except akg.AkgError:
        sys.excepthook(*sys.exc_info())
{last}
"""


def test_no_frame_of_ours_on_stderr(tmp_path: Path) -> None:
    """Every mistake as Python shows it when nothing catches it, and the last one for real."""
    script = tmp_path / "mistakes.py"
    script.write_text(_UNCAUGHT.format(root=str(ROOT), last="akg.build(None)"), encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 1
    frames = [line for line in done.stderr.splitlines() if line.lstrip().startswith('File "')]
    assert len(frames) > len(CASES)
    package = str(Path(akg.__file__).parent)
    assert [line for line in frames if package in line] == []
    assert done.stderr.count("akg.AkgError: AKG-E") == len(CASES) + 1
