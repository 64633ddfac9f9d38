"""What a user sees of a mistake."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import akg
from akg.base.errors import AkgError, Span, suggest, user_facing, user_span

PACKAGE = Path(akg.__file__).parent


def run(tmp_path: Path, source: str) -> str:
    """What a script of the user's writes to stderr."""
    script = tmp_path / "user.py"
    script.write_text(source, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, encoding="utf-8", env=environment)
    assert done.returncode == 1
    return done.stderr


def test_whole_message() -> None:
    span = Span("model.py", 12, 4, 11, "    A[i, j] = B[i]\n")
    error = AkgError("AKG-E312", "cannot tile S1", span=span, because="flow S0[i] -> S1[i+1]", hint="skew it")
    assert str(error) == (
        "AKG-E312: cannot tile S1\n"
        "  --> model.py:12\n"
        "   |\n"
        "12 |     A[i, j] = B[i]\n"
        "   |     ^^^^^^^\n"
        "because: flow S0[i] -> S1[i+1]\n"
        "hint: skew it"
    )
    assert error._render_traceback_() == [str(error)]


@pytest.mark.parametrize(
    ("span", "caret"),
    [
        (Span("f", 1, 2, 4, "ab cd"), "  | " + "  ^^"),
        (Span("f", 1, 3, -1, "ab cd"), "  | " + "   ^"),
        (Span("f", 1, -1, -1, "  ab cd"), "  | " + "  ^^^^^"),
    ],
)
def test_caret(span: Span, caret: str) -> None:
    assert span.render().splitlines()[-1] == caret


def test_place_without_source() -> None:
    assert Span("gone.py", 3).render() == "  --> gone.py:3"


def test_pickle() -> None:
    error = AkgError("AKG-E101", "m", span=Span("f", 1), because="b", hint="h")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), type(again)) == (str(error), AkgError)


def test_suggest() -> None:
    assert suggest("pluot", ["pluto", "isl"]) == "did you mean 'pluto'?"
    assert suggest("zzz", ["pluto", "isl"], "strategies") == "known strategies: isl, pluto"
    assert suggest("zzz", []) == ""


def test_user_span_is_the_place_of_the_call() -> None:
    span = user_span()
    assert span is not None
    assert span.filename == __file__
    assert "user_span()" in span.render()


def test_user_facing_gives_the_place_and_drops_frames() -> None:
    @user_facing
    def inner() -> None:
        raise AkgError("AKG-E100", "no")

    @user_facing
    def outer() -> None:
        inner()

    with pytest.raises(AkgError) as caught:
        outer()
    span = caught.value.span
    assert span is not None
    assert "raise AkgError" in span.render()  # the innermost place of the user's
    assert outer.__name__ == "outer"


CALL = """
import akg
from akg.base.target import resolve_target

def mine():
    resolve_target("cpux")

mine()
"""


def test_uncaught_error_shows_no_frame_of_ours(tmp_path: Path) -> None:
    text = run(tmp_path, CALL)
    assert str(PACKAGE) not in text
    assert "in mine" in text
    assert "akg.AkgError: AKG-E401: unknown target 'cpux'\nbecause: akg knows " in text
    assert text.endswith("\nhint: did you mean 'cpu'?\n")


NESTED = """
import akg
from akg.base import target
from akg.base.errors import AkgError, user_facing

def callback(inner):
    inner("cpux")

inner = user_facing(target.resolve_target)
outer = user_facing(callback)
try:
    {}["key"]
except KeyError:
    résultat = outer(inner)
"""


def test_nested_entry_points_and_errors_under_way(tmp_path: Path) -> None:
    text = run(tmp_path, NESTED)
    assert str(PACKAGE) not in text
    assert "KeyError" not in text
    assert text.count("Traceback") == 1
    # the innermost call of the user's, and the caret at its place
    assert '7 |     inner("cpux")\n  |     ^^^^^^^^^^^^^\n' in text


def test_caret_counts_characters(tmp_path: Path) -> None:
    source = NESTED.replace('    inner("cpux")', '    été = "é"; inner("cpux")')
    text = run(tmp_path, source)
    assert f'7 |     été = "é"; inner("cpux")\n  | {" " * 15}^^^^^^^^^^^^^\n' in text


THREAD = """
import sys, threading
import akg
codes = []
def work():
    akg.config.override(num_thread=1)
thread = threading.Thread(target=work)
thread.start()
thread.join()
sys.exit(1)
"""


def test_errors_in_threads(tmp_path: Path) -> None:
    text = run(tmp_path, THREAD)
    assert str(PACKAGE) not in text
    assert "AKG-E111: unknown option 'num_thread'" in text


OTHER = """
import akg
from akg.base import cache
cache.DiskCache("x").get("../y")
"""


def test_internal_errors_keep_their_frames(tmp_path: Path) -> None:
    text = run(tmp_path, OTHER)
    assert "InternalError" in text
    assert str(PACKAGE) in text
