"""The disk cache: what goes in comes out, or nothing does."""

import json
import logging
import multiprocessing
from pathlib import Path

import pytest

from akg.base.cache import DiskCache, digest
from akg.base.errors import InternalError

KEY = digest("a key")
FILES = {"kernel.o": b"\x7fELF" + bytes(5000), "meta.json": b"{}"}


def test_round_trip(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "deep" / "cache")
    assert cache.get(KEY) is None
    cache.put(KEY, FILES)
    assert cache.get(KEY) == FILES
    assert DiskCache(cache.root, "ro").get(KEY) == FILES
    (entry,) = cache.entries()
    assert (entry.key, entry.path.parent.name) == (KEY, KEY[:2])
    assert entry.size_bytes > 5000


def test_first_writer_stays(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    cache.put(KEY, FILES)
    cache.put(KEY, {"other": b"1"})
    assert cache.get(KEY) == FILES


def test_modes(tmp_path: Path) -> None:
    DiskCache(tmp_path, "ro").put(KEY, FILES)
    DiskCache(tmp_path, "off").put(KEY, FILES)
    assert not list(tmp_path.iterdir())
    DiskCache(tmp_path).put(KEY, FILES)
    assert DiskCache(tmp_path, "off").get(KEY) is None


def corrupt(entry: Path, how: str) -> None:
    if how == "flipped bit":
        data = bytearray((entry / "kernel.o").read_bytes())
        data[100] ^= 1
        (entry / "kernel.o").write_bytes(data)
    elif how == "truncated":
        (entry / "kernel.o").write_bytes(b"")
    elif how == "file missing":
        (entry / "kernel.o").unlink()
    elif how == "manifest missing":
        (entry / "entry.json").unlink()
    elif how == "manifest damaged":
        (entry / "entry.json").write_bytes(b'{"schema"')
    elif how == "manifest not a table":
        (entry / "entry.json").write_bytes(b"[]")
    elif how == "other schema":
        (entry / "entry.json").write_text(json.dumps({"schema": 99, "files": {}}))
    else:
        (entry / "entry.json").write_text(json.dumps({"schema": 1, "files": {"../../outside": "00"}}))


HOW = [
    "flipped bit", "truncated", "file missing", "manifest missing", "manifest damaged", "manifest not a table",
    "other schema", "path outside",
]  # fmt: skip


@pytest.mark.parametrize("how", HOW)
def test_corrupt_entry(tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str) -> None:
    cache = DiskCache(tmp_path)
    cache.put(KEY, FILES)
    corrupt(cache.entries()[0].path, how)
    assert list(cache.verify()) == [KEY]
    with caplog.at_level(logging.WARNING, "akg"):
        assert DiskCache(tmp_path, "ro").get(KEY) is None
        assert cache.entries(), "a read-only cache removes nothing"
        assert cache.get(KEY) is None
    assert f"cache entry {KEY} is corrupt" in caplog.text
    assert not cache.entries()
    cache.put(KEY, FILES)
    assert cache.get(KEY) == FILES
    assert not cache.verify()


def test_unwritable_is_a_warning_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a directory")
    cache = DiskCache(blocker / "cache")
    with caplog.at_level(logging.WARNING, "akg"):
        cache.put(KEY, FILES)
        cache.put(digest("another"), FILES)
        assert cache.get(KEY) is None
    assert len(caplog.records) == 1
    assert "kernels are built but not kept" in caplog.text
    assert not cache.entries()
    assert cache.clear() == 0


def test_clear_and_remove(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    keys = [digest(str(number)) for number in range(5)]
    for key in keys:
        cache.put(key, FILES)
    (tmp_path / "foreign.txt").write_text("not ours")
    (tmp_path / keys[0][:2] / ".stage-1-1-interrupted").mkdir()
    assert len(cache.entries()) == 5
    assert cache.remove(keys[0])
    assert cache.clear() == 4
    assert not cache.entries()
    assert not list(tmp_path.rglob(".stage-*"))
    assert (tmp_path / "foreign.txt").exists()


def test_nothing_staged_is_left(tmp_path: Path) -> None:
    DiskCache(tmp_path).put(KEY, FILES)
    assert not list(tmp_path.rglob(".stage-*"))


@pytest.mark.parametrize("key", ["../escape", "", "a/b", ".hidden"])
def test_keys_are_file_names(tmp_path: Path, key: str) -> None:
    with pytest.raises(InternalError):
        DiskCache(tmp_path).get(key)


def test_digest_separates_parts() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("ab") == digest(b"ab")


def write_often(root: Path, worker: int, barrier: "multiprocessing.synchronize.Barrier") -> None:
    cache = DiskCache(root)
    for number in range(60):
        barrier.wait(60)
        key = digest(str(number))
        cache.put(key, {"kernel.o": bytes([worker]) * 20_000, "meta.json": bytes([worker])})
        found = cache.get(key)
        assert found is not None
        # one writer's entry, whole: never a mixture
        assert found["kernel.o"] == found["meta.json"] * 20_000


def test_two_processes_write_one_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    workers = [context.Process(target=write_often, args=(tmp_path, number, barrier)) for number in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(DiskCache(tmp_path).entries()) == 60
    assert not list(tmp_path.rglob(".stage-*"))
