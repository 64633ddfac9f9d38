"""Phases, logging, dumps."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from akg.base.config import config
from akg.base.errors import AkgError
from akg.base.trace import Recorder, debug_level, dump, is_dumped, logger, phase


def test_phases_nest_and_carry_notes() -> None:
    with Recorder() as recorder:
        with phase("build"):
            with phase("schedule") as event:
                event.note = "unchanged"
            with phase("emit"):
                pass
        with phase("load"):
            pass
    assert [(e.name, e.depth, e.note) for e in recorder.events] == [
        ("build", 0, ""), ("schedule", 1, "unchanged"), ("emit", 1, ""), ("load", 0, ""),
    ]  # fmt: skip
    build, schedule, emit, load = recorder.events
    assert build.ms >= schedule.ms + emit.ms
    assert recorder.total_ms == build.ms + load.ms


def test_recorders_nest() -> None:
    with Recorder() as outer, phase("a"):
        with Recorder() as inner, phase("b"):
            pass
        with phase("c"):
            pass
    assert [e.name for e in outer.events] == ["a", "b", "c"]
    assert [e.name for e in inner.events] == ["b"]


def test_a_phase_that_fails_is_recorded() -> None:
    with Recorder() as recorder:
        with pytest.raises(KeyError), phase("a"):
            raise KeyError
        with phase("b"):
            pass
    assert [(e.name, e.depth) for e in recorder.events] == [("a", 0), ("b", 0)]


def test_no_recorder_no_record() -> None:
    with phase("alone") as event:
        pass
    assert event.name == "alone"


def test_dump(tmp_path: Path) -> None:
    assert dump(1, "tile", "mm", lambda: pytest.fail("must not be asked")) is None
    with config.override(dump=tmp_path / "out", debug_kernel="mm*"):
        assert is_dumped("mm_512")
        assert not is_dumped("softmax")
        path = dump(3, "tile bands", "mm_512", lambda: "text\n")
        assert dump(3, "tile bands", "softmax", lambda: "text\n") is None
    assert path == tmp_path / "out" / "03_tile-bands_mm_512.txt"
    assert path.read_text() == "text\n"


def test_dump_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with config.override(dump=tmp_path / "file" / "out"), pytest.raises(AkgError) as caught:
        dump(0, "a", "k", lambda: "")
    assert caught.value.code == "AKG-E610"
    assert caught.value.because == "Not a directory"


def test_debug_level_by_kernel() -> None:
    with config.override(debug=3, debug_kernel="lu"):
        assert (debug_level("lu"), debug_level("mm")) == (3, 0)


def test_logger_names() -> None:
    assert logger("poly.scheduler").name == "akg.poly.scheduler"
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("akg").handlers)


SCRIPT = """
from akg.base.trace import logger
logger("poly.scheduler").debug("one")
logger("poly.scheduler").info("two")
logger("driver").info("three")
logger("driver").warning("four")
"""


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"AKG_LOG": "info"}, ["two", "three", "four"]),
        ({"AKG_LOG": "poly.scheduler=debug,akg.driver=warning"}, ["one", "two", "four"]),
        ({"AKG_DEBUG": "1"}, ["two", "three", "four"]),
        ({"AKG_DEBUG": "2"}, ["one", "two", "three", "four"]),
    ],
)
def test_what_the_environment_shows(variables: dict[str, str], expected: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=os.environ | variables, check=True
    )
    assert [line.rpartition(": ")[2] for line in done.stderr.splitlines()] == expected


def test_unknown_level() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import akg.base.trace"],
        capture_output=True, text=True, env=os.environ | {"AKG_LOG": "driver=loud"},
    )  # fmt: skip
    assert "AKG-E112: unknown log level 'loud' in AKG_LOG" in done.stderr
    assert "base/trace.py" not in done.stderr
