"""Threads: the OpenMP runtime, their number, and forks."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from akg.base.config import config
from akg.runtime import openmp
from tests.runtime.handmade import kernel, param, signature

# Each thread of the team marks its element; one marks the number of threads that were asked for.
TEAM = """
@akg_num_threads = external global i32
declare void @GOMP_parallel(ptr, ptr, i32, i32)
declare i32 @omp_get_thread_num()
declare i32 @omp_get_num_threads()
define void @team_body(ptr %data) {
  %t = call i32 @omp_get_thread_num()
  %n = call i32 @omp_get_num_threads()
  %p = getelementptr i32, ptr %data, i32 %t
  store i32 %n, ptr %p
  ret void
}
define i32 @team(ptr %out) {
  %n = load i32, ptr @akg_num_threads
  %last = getelementptr i32, ptr %out, i64 7
  store i32 %n, ptr %last
  call void @GOMP_parallel(ptr @team_body, ptr %out, i32 %n, i32 0)
  ret i32 0
}
"""
SIGNATURE = signature("team", [param("R", "inout", "int32", [8])])


def run(team: Any, wrap: Any = lambda x: x) -> list[int]:
    marks = np.zeros(8, np.int32)
    team(wrap(marks))
    return marks.tolist()


@pytest.mark.parametrize("wrap", [lambda x: x, memoryview], ids=["native", "careful"])
@pytest.mark.skipif(openmp.find().is_serial, reason="no OpenMP runtime")
def test_threads_of_the_configuration(wrap: Any) -> None:
    team = kernel(TEAM, SIGNATURE)
    for count in (1, 2, 3):
        with config.override(num_threads=count):
            assert run(team, wrap) == [count] * count + [0] * (7 - count) + [count]


def test_refresh_threads() -> None:
    with config.override(num_threads=5):
        assert openmp.refresh_threads() == 5
    assert openmp.refresh_threads() >= 1


def test_takes_what_is_loaded_first() -> None:
    found = openmp.find()
    assert set(found.addresses) == {"GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads"}
    openmp.find.cache_clear()
    again = openmp.find()
    if not found.is_serial:
        assert again.origin == "loaded" and again.addresses == found.addresses


def test_serial_substitute(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    openmp.find.cache_clear()
    monkeypatch.setattr(openmp, "_candidates", lambda: iter([("system", "libno-such-openmp.so")]))
    try:
        with caplog.at_level("WARNING", logger="akg.runtime.openmp"), config.override(num_threads=2):
            assert openmp.find().is_serial
            assert run(kernel(TEAM, SIGNATURE)) == [1, 0, 0, 0, 0, 0, 0, 2]
        assert [r.getMessage() for r in caplog.records] == [
            "no OpenMP runtime found: parallel kernels run on one thread (install libgomp or intel-openmp)"
        ]
    finally:
        openmp.find.cache_clear()


def test_runtimes_of_wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python" / "site-packages"
    for place in (packages / "torch" / "lib" / "libgomp-a34b3233.so.1", tmp_path / "lib" / "libiomp5.so"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    monkeypatch.setattr(sys, "path", [str(packages)])
    assert [Path(p).name for p in openmp._wheel_libraries()] == ["libgomp-a34b3233.so.1", "libiomp5.so"]
    assert openmp._open(str(tmp_path / "lib" / "libiomp5.so"), "wheel") is None  # an empty file


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forked_children_do_not_hang() -> None:
    script = """
        import os
        from akg.base.config import config
        from tests.runtime.test_openmp import SIGNATURE, TEAM, kernel, run
        team = kernel(TEAM, SIGNATURE)
        with config.override(num_threads=2):
            run(team)
            child = os.fork()
            if child == 0:
                os._exit(0 if run(team) == [1, 0, 0, 0, 0, 0, 0, 1] else 3)
            assert os.waitpid(child, 0)[1] == 0
            run(team)
    """
    root = Path(__file__).resolve().parent.parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=60, cwd=root, env=environment)
