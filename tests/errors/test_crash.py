"""An internal error leaves a bundle that reproduces it; a user's mistake never does."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.base.errors import InternalError
from akg.driver import pipeline
from akg.poly.strategy import resolve_strategy, strategy_names

ROOT = Path(__file__).resolve().parents[2]
FILES = {"facts.json", "kernel.txt", "repro.py", "traceback.txt"}


def definition(n: int = 12) -> tuple[te.Tensor, te.Tensor]:
    x = te.placeholder((n,), name="X")
    return te.compute((n,), lambda i: x[i] * 2.0, name="doubled"), x


def broken(state: Any) -> None:
    raise KeyError("lost")


@pytest.fixture
def broken_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass `contract` fails as a defect of ours would."""
    entries = [(name, why, broken if name == "contract" else run) for name, why, run in pipeline.MAP]
    monkeypatch.setattr(pipeline, "MAP", tuple(entries))


def bundles(root: Path) -> list[Path]:
    return sorted(path for path in (root / "crashes").glob("*")) if (root / "crashes").exists() else []


def fails(cache_dir: Path, strategy: str = "isl", **options: Any) -> str:
    y, x = definition()
    with akg.config.override(cache_dir=cache_dir, **options), pytest.raises(InternalError) as caught:
        akg.build([y], inputs=[x], strategy=strategy)
    assert isinstance(caught.value.__cause__, KeyError)
    return str(caught.value)


@pytest.mark.usefixtures("broken_pass")
def test_the_message_names_the_bundle(tmp_path: Path) -> None:
    message = fails(tmp_path)
    (place,) = bundles(tmp_path)
    assert message == (
        "akg failed to build kernel doubled: KeyError: 'lost'\n"
        "this is a defect of akg, not of your program: please report it; "
        f"all that is needed to reproduce it is in {place}"
    )
    assert {path.name for path in place.iterdir()} == FILES
    assert "kernel doubled" in (place / "kernel.txt").read_text()
    trace = (place / "traceback.txt").read_text()
    assert trace.startswith("Traceback") and trace.rstrip().endswith("KeyError: 'lost'")
    facts = (place / "facts.json").read_text()
    for part in ("KeyError", "akg ", "llvmlite", "islpy", '"isl"', '"vector_bits"', '"platform"'):
        assert part in facts
    fails(tmp_path)
    assert bundles(tmp_path) == [place]  # the same error again


@pytest.mark.parametrize("name", strategy_names())
def test_a_strategy_is_its_document(name: str) -> None:
    strategy = resolve_strategy(name)
    assert resolve_strategy(json.loads(json.dumps(strategy.document(), default=dict))) == strategy


@pytest.mark.usefixtures("broken_pass")
@pytest.mark.parametrize("strategy", ["isl", "pluto"])
def test_the_bundle_reproduces_the_kernel(strategy: str, tmp_path: Path) -> None:
    """In a process whose passes are whole, the script of the bundle builds the kernel."""
    fails(tmp_path, strategy)
    (place,) = bundles(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, str(place / "repro.py")], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "built: <akg.Kernel doubled(X: float32[12]) -> doubled: float32[12]>\n"


@pytest.mark.usefixtures("broken_pass")
@pytest.mark.parametrize("options", [{}, {"cache": "off"}])
def test_where_the_cache_takes_nothing(
    options: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "file").write_text("")
    place = Path(fails(tmp_path / "file", **options).rpartition(" is in ")[2])
    assert place.is_relative_to(tmp_path / "temporary")
    assert {path.name for path in place.iterdir()} == FILES


@pytest.mark.usefixtures("broken_pass")
def test_where_nothing_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    (tmp_path / "file").write_text("")
    assert fails(tmp_path / "file").endswith("please report it; no directory takes a report")


@pytest.mark.usefixtures("broken_pass")
def test_stages_report_too(tmp_path: Path) -> None:
    y, x = definition(13)
    with akg.config.override(cache_dir=tmp_path):
        scheduled = akg.lower([y], inputs=[x]).schedule("original")
        with pytest.raises(InternalError, match="akg failed to build kernel doubled"):
            scheduled.compile()
    assert len(bundles(tmp_path)) == 1


def test_a_mistake_of_the_user_leaves_nothing(tmp_path: Path) -> None:
    x = te.placeholder((4,), name="X")
    y = te.compute((5,), lambda i: x[i], name="Y")
    with akg.config.override(cache_dir=tmp_path), pytest.raises(akg.AkgError):
        akg.build([y], inputs=[x])
    assert bundles(tmp_path) == []


def test_the_cache_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundles are no entries: a build beside them is kept and found again."""
    with akg.config.override(cache_dir=tmp_path):
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "MAP", tuple((name, why, broken) for name, why, _ in pipeline.MAP))
            fails(tmp_path)
        y, x = definition()
        assert np.array_equal(akg.build([y], inputs=[x], strategy="isl")(np.ones(12, np.float32)), np.full(12, 2.0))
