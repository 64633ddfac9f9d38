"""The kernel cache as users meet it: not writable, damaged, or filled by several processes at once."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.base.cache import DiskCache
from akg.driver import build as build_module

ROOT = Path(__file__).resolve().parents[2]
LOGGER = "akg.base.cache"
PROCESSES = 8
_PROGRAM = """
import sys
import numpy as np
import akg
from akg import te

X = te.placeholder((20, 30), "float32", name="X")
k = te.reduce_axis(30, name="k")
S = te.compute((20,), lambda i: te.sum(te.exp(X[i, k]), axis=k), name="S")
print("ready", flush=True)
sys.stdin.readline()  # all start together
kernel = akg.build([S], inputs=[X])
x = np.random.default_rng(0).uniform(-1, 1, (20, 30)).astype("float32")
np.testing.assert_allclose(kernel(x), np.exp(x.astype("float64")).sum(1), rtol=1e-5)
print(kernel.report.cache)
"""


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel is found in memory."""
    monkeypatch.setattr(build_module, "memory", type(build_module.memory)())


def build() -> str:
    """Build, check the result; where the kernel came from."""
    x = te.placeholder((9,), name="X")
    kernel = akg.build([te.compute((9,), lambda i: x[i] * 3.0, name="tripled")], inputs=[x])
    np.testing.assert_array_equal(kernel(np.ones(9, np.float32)), np.full(9, 3.0))
    build_module.memory.clear()
    return str(kernel.report.cache)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert all(record.levelno == logging.WARNING for record in caplog.records if record.name == LOGGER)
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


def test_a_directory_that_cannot_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "cache"
    with akg.config.override(cache_dir=place), caplog.at_level(logging.WARNING, "akg"):
        assert build() == "miss"
    said = f"cannot write the cache {place}: Not a directory; kernels are built but not kept"
    assert said in warnings(caplog)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_directory_without_permission(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmp_path.chmod(0o500)
    with akg.config.override(cache_dir=tmp_path / "cache"), caplog.at_level(logging.WARNING, "akg"):
        assert build() == "miss"
    tmp_path.chmod(0o700)
    assert warnings(caplog) == [
        f"cannot write the cache {tmp_path / 'cache'}: Permission denied; kernels are built but not kept"
    ]


def test_a_damaged_entry(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with akg.config.override(cache_dir=tmp_path), caplog.at_level(logging.WARNING, "akg"):
        assert [build(), build()] == ["miss", "hit"]
        code = next(tmp_path.rglob("code.o"))
        code.write_bytes(code.read_bytes()[:-1] + b"?")
        assert [build(), build()] == ["miss", "hit"]
    assert warnings(caplog) == [f"cache entry {code.parent.name} is corrupt (code.o has changed); it is built again"]


def test_an_entry_of_an_older_layout(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whole files with other facts than this version writes: built again too."""
    with akg.config.override(cache_dir=tmp_path), caplog.at_level(logging.WARNING, "akg"):
        build()
        (entry,) = [e for e in DiskCache(tmp_path).entries() if (e.path / "facts.json").exists()]
        for facts in (b'{"speed": 3}', b"[]", b"{"):
            cache = DiskCache(tmp_path)
            code = (entry.path / "code.o").read_bytes()
            assert cache.remove(entry.key)
            cache.put(entry.key, {"code.o": code, "facts.json": facts})
            assert [build(), build()] == ["miss", "hit"]


def finish(process: subprocess.Popen[str]) -> Any:
    output, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    return output.split()[-1]


def test_processes_at_once(tmp_path: Path) -> None:
    """All results are right, no process warns, one entry is left, and it is whole."""
    environment = {
        **os.environ,
        "AKG_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
        "AKG_LOG": "warning",
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=environment,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    for process in running:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert set(map(finish, running)) <= {"hit", "miss"}
    cache = DiskCache(tmp_path / "cache")
    assert cache.verify() == {}
    assert sum((entry.path / "code.o").exists() for entry in cache.entries()) == 1
    assert list((tmp_path / "cache").rglob(".stage-*")) == []
