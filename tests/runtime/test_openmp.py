"""Threads: the OpenMP runtime, their number, and forks."""

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from akg.base.config import config
from akg.runtime import openmp
from tests.runtime.handmade import kernel, param, signature

# Each thread of the team marks its element; one marks the number of threads that were asked for.
TEAM = """
declare i32 @akg_threads()
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
  %n = call i32 @akg_threads()
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


@pytest.mark.skipif(openmp.find().is_serial, reason="no OpenMP runtime")
def test_threads_with_different_overrides() -> None:
    team = kernel(TEAM, SIGNATURE)
    wrong: list[tuple[int, int]] = []

    def work(count: int) -> None:
        with config.override(num_threads=count):
            wrong.extend((count, got) for got in (run(team)[7] for _ in range(400)) if got != count)

    workers = [threading.Thread(target=work, args=(count,)) for count in (1, 2, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AKG_NUM_THREADS": "3", "OMP_NUM_THREADS": "2"}, "3 3 5 2 3"),
        ({"OMP_NUM_THREADS": "2,4"}, "2 2 5 2 2"),
    ],
)
def test_threads_of_the_environment(variables: dict[str, str], expected: str) -> None:
    script = """
        from akg.base.config import config
        from tests.runtime.test_openmp import SIGNATURE, TEAM, kernel, run
        team = kernel(TEAM, SIGNATURE)
        counts = [run(team)[7], run(team)[7]]
        for count in (5, 0):
            with config.override(num_threads=count):
                counts.append(run(team)[7])
        with config.override(legality=False):
            counts.append(run(team)[7])
        print(*counts)
    """
    root = Path(__file__).resolve().parent.parent.parent
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment = {**kept, **variables, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, check=True, timeout=60, cwd=root, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == expected.split()


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
