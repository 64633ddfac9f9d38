"""Builds and the disk cache: damaged, unwritable, read-only, shared by processes."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import akg
from akg.driver import build as build_module
from akg.driver import store
from bench.kernels import softmax

ROOT = Path(__file__).resolve().parent.parent
_PROGRAM = """
import sys, numpy as np, akg
from bench.kernels import softmax
sys.stdin.readline()  # all start together
for m in (11, 12, 13):
    outputs, inputs = softmax(m=m, n=40)
    kernel = akg.build(outputs, inputs=inputs)
    x = np.random.default_rng(0).standard_normal((m, 40)).astype("float32")
    e = np.exp(x - x.max(1, keepdims=True))
    assert np.allclose(kernel(x), e / e.sum(1, keepdims=True), atol=1e-6)
    print(kernel.report.cache)
"""


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel is found in memory."""
    monkeypatch.setattr(build_module, "memory", type(build_module.memory)())


def build(m: int = 7) -> akg.Kernel:
    outputs, inputs = softmax(m=m, n=30)
    kernel = akg.build(outputs, inputs=inputs)
    x = np.random.default_rng(m).standard_normal((m, 30)).astype(np.float32)
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    assert np.allclose(kernel(x), e / e.sum(1, keepdims=True), atol=1e-6)
    build_module.memory.clear()
    return kernel


def test_second_build_comes_from_the_disk(tmp_path: Path) -> None:
    with akg.config.override(cache_dir=tmp_path):
        assert build().report.cache == "miss"
        again = build()
    assert again.report.cache == "hit"
    assert again.report.legality.startswith("legal: yes")
    assert again.report.notes == build().report.notes
    assert "parallel for" in again.source("loop")  # texts are made anew


@pytest.mark.parametrize("victim", ["code.o", "facts.json", "entry.json"])
@pytest.mark.parametrize("damage", ["garbage", "truncated", "missing"])
def test_a_damaged_entry_is_built_again(
    victim: str, damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with akg.config.override(cache_dir=tmp_path):
        build()
        path = next(tmp_path.rglob(victim))
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(b"garbage" if damage == "garbage" else path.read_bytes()[:10])
        with caplog.at_level(logging.WARNING, "akg"):
            assert build().report.cache == "miss"
        assert "is corrupt" in caplog.text and "it is built again" in caplog.text
        assert build().report.cache == "hit"


def test_a_cache_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    with akg.config.override(cache_dir=tmp_path / "file"), caplog.at_level(logging.WARNING, "akg"):
        assert build().report.cache == "miss"
    assert "cannot write the cache" in caplog.text and "kernels are built but not kept" in caplog.text


def test_modes(tmp_path: Path) -> None:
    with akg.config.override(cache_dir=tmp_path, cache="ro"):
        assert build().report.cache == "miss"
    assert list(tmp_path.rglob("code.o")) == []
    with akg.config.override(cache_dir=tmp_path, cache="off"):
        assert build().report.cache == "off"
    assert list(tmp_path.rglob("code.o")) == []
    with akg.config.override(cache_dir=tmp_path):
        build()
    with akg.config.override(cache_dir=tmp_path, cache="ro"):
        assert build().report.cache == "hit"


def test_the_key_tells_builds_apart(tmp_path: Path) -> None:
    outputs, inputs = softmax(m=7, n=30)
    with akg.config.override(cache_dir=tmp_path):
        for options in ({}, {"strategy": "isl"}, {"strategy": {"vectorize": False}}):
            assert akg.build(outputs, inputs=inputs, **options).report.cache == "miss", options
        assert build(8).report.cache == "miss"


def test_the_key_knows_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an edit of akg itself, nothing that was built before it is served."""
    package = tmp_path / "akg"
    for room in store.ROOMS:
        (package / room / "deeper").mkdir(parents=True)
        (package / room / "deeper" / "module.py").write_text("one = 1\n")
    edited = package / "codegen" / "deeper" / "module.py"
    os.utime(edited, ns=(0, 0))
    seen = [store.digest_of_sources(str(package))]
    assert seen[0] == store.digest_of_sources(str(package))
    edited.write_text("one = 2\n")  # of the same size
    seen.append(store.digest_of_sources(str(package)))
    (package / "poly" / "table.json").write_text("{}")
    seen.append(store.digest_of_sources(str(package)))
    assert len(set(seen)) == 3 and "" not in seen
    assert store.digest_of_sources(str(tmp_path / "akg.zip")) == ""
    with akg.config.override(cache_dir=tmp_path / "cache"):
        assert build().report.cache == "miss"
        assert build().report.cache == "hit"
        monkeypatch.setattr(store, "_sources", lambda: seen[1])
        assert build().report.cache == "miss"


def test_two_processes_build_the_same_at_once(tmp_path: Path) -> None:
    environment = {**os.environ, "AKG_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _PROGRAM]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         env=environment)
        for _ in range(3)
    ]  # fmt: skip
    results = [process.communicate("go\n", timeout=120) for process in running]
    for process, (output, errors) in zip(running, results, strict=True):
        assert process.returncode == 0, errors
        assert errors == ""
        assert set(output.split()) <= {"hit", "miss"} and len(output.split()) == 3
    assert len(list(tmp_path.rglob("code.o"))) == 3
    assert not list(tmp_path.rglob(".stage-*"))
