"""Options: precedence, parsing, messages."""

import os
import threading
import warnings
from pathlib import Path

import pytest

from akg.base.config import OPTIONS, check_environment, config, effective_threads, usable_cores
from akg.base.errors import AkgError


def test_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.num_threads == 0
    monkeypatch.setenv("AKG_NUM_THREADS", "3")
    assert config.num_threads == 3
    with config.override(num_threads=5, legality=False):
        assert (config.num_threads, config.legality) == (5, False)
        with config.override(num_threads=7):
            assert (config.num_threads, config.legality) == (7, False)
        assert config.num_threads == 5
    assert (config.num_threads, config.legality) == (3, True)


def test_origin_of_each_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKG_DEBUG", "2")
    with config.override(target="x86-64-v3"):
        origin = {row.name: row.origin for row in config.table()}
    assert (origin["debug"], origin["target"], origin["strategy"]) == ("env", "context", "default")
    assert all(row.help for row in config.table())


def test_override_ends_with_an_exception() -> None:
    with pytest.raises(KeyError), config.override(debug=4):
        raise KeyError
    assert config.debug == 0


def test_override_belongs_to_its_thread() -> None:
    seen: list[int] = []
    with config.override(num_threads=9):
        thread = threading.Thread(target=lambda: seen.append(config.num_threads))
        thread.start()
        thread.join()
    assert seen == [0]


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert effective_threads() == usable_cores() >= 1
    monkeypatch.setenv("OMP_NUM_THREADS", "6,2")
    assert effective_threads() == 6
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert effective_threads() == usable_cores()
    monkeypatch.setenv("AKG_NUM_THREADS", "4")
    assert effective_threads() == 4
    with config.override(num_threads=1):
        assert effective_threads() == 1


def test_cache_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKG_CACHE_DIR", "~/kernels")
    monkeypatch.setenv("HOME", "/home/someone")
    assert config.cache_dir == Path("/home/someone/kernels")
    monkeypatch.delenv("AKG_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert config.cache_dir == Path("/home/someone/.cache/akg")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/someone")
    assert config.cache_dir == Path("/var/cache/someone/akg")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert config.cache_dir == Path("/home/someone/.cache/akg")


def test_no_home_means_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AKG_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert config.cache_dir == Path("/dev/null/akg")


def test_bad_value_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKG_CACHE", "readonly")
    with pytest.raises(AkgError) as caught:
        _ = config.cache
    assert str(caught.value) == (
        "AKG-E110: AKG_CACHE='readonly' is not a value for option 'cache'\n"
        "because: expected rw | ro | off\n"
        "hint: kernel cache on disk: rw | ro | off"
    )


@pytest.mark.parametrize("value", [-1, 1.5, "two", None, True])
def test_bad_value_in_a_context(value: object) -> None:
    with pytest.raises(AkgError, match="AKG-E110|a whole number") as caught:
        config.override(num_threads=value)
    assert caught.value.code == "AKG-E110"


def test_unknown_option() -> None:
    with pytest.raises(AkgError) as caught:
        config.override(num_thread=1)
    caught.value.span = None
    assert str(caught.value) == (
        "AKG-E111: unknown option 'num_thread'\n"
        "because: the options are num_threads, cache, cache_dir, pool_bytes, dump, debug, debug_kernel, log, target, "
        "strategy, legality, fast_math\nhint: did you mean 'num_threads'?"
    )


def test_options_are_not_assigned() -> None:
    with pytest.raises(AttributeError, match="config.override"):
        config.num_threads = 2


def test_unknown_variable_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKG_NUM_THREAD", "2")
    with pytest.warns(RuntimeWarning) as caught:
        check_environment()
    (warning,) = caught
    text = "unknown environment variable AKG_NUM_THREAD: did you mean 'AKG_NUM_THREADS'?"
    assert str(warning.message) == text


def test_known_variables_do_not_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    for option in OPTIONS.values():
        monkeypatch.setenv(option.env, "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_environment()


def test_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKG_NUM_THREADS", "")
    assert config.num_threads == 0


def test_key_holds_what_changes_the_result() -> None:
    key = config.key()
    with config.override(num_threads=3, debug=1):
        assert config.key() == key
    with config.override(legality=False):
        assert config.key() != key
