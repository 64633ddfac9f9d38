"""Registries: built-in names, entry points of installed packages, messages."""

import sys
from pathlib import Path

import pytest

from akg.base.errors import AkgError
from akg.base.registry import Registry


def install(root: Path, package: str, entry_points: str, source: str = "value = 7\n") -> None:
    """Lay out a package as an installer does."""
    info = root / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[akg.test_things]\n{entry_points}\n")
    (root / f"{package}.py").write_text(source)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_register_and_get() -> None:
    things: Registry[int] = Registry("thing")
    assert things.register("one", 1) == 1
    things.register("two", 2)
    things.register("two", 2)  # the same again is no conflict
    assert things.get("one") == 1
    assert things.names() == ("one", "two")
    assert things.origin("one") == "akg"


def test_unknown_name() -> None:
    things: Registry[int] = Registry("thing", code="AKG-E301")
    things.register("contiguity", 1)
    with pytest.raises(AkgError) as caught:
        things.get("contiguty")
    assert str(caught.value) == (
        "AKG-E301: unknown thing 'contiguty'\nbecause: akg knows contiguity\nhint: did you mean 'contiguity'?"
    )
    with pytest.raises(AkgError) as caught:
        things.get("xyz", "AKG-E499")
    assert str(caught.value) == (
        "AKG-E499: unknown thing 'xyz'\nbecause: akg knows contiguity\nhint: known things: contiguity"
    )


def test_entry_points_load_when_asked_for(site: Path) -> None:
    install(site, "akg_plugin_a", "seven = akg_plugin_a:value\nbroken = akg_plugin_a:missing")
    things: Registry[int] = Registry("thing", "akg.test_things")
    things.register("one", 1)
    assert things.get("one") == 1
    assert things.names() == ("broken", "one", "seven")
    assert "akg_plugin_a" not in sys.modules
    assert things.get("seven") == 7
    assert things.origin("seven") == "akg_plugin_a"
    with pytest.raises(AkgError) as caught:
        things.get("broken")
    assert caught.value.code == "AKG-E406"
    assert caught.value.message == "thing 'broken' of package 'akg_plugin_a' does not load"
    assert caught.value.because == "AttributeError: module 'akg_plugin_a' has no attribute 'missing'"


def test_two_packages_offer_one_name(site: Path) -> None:
    install(site, "akg_plugin_b", "same = akg_plugin_b:value")
    install(site, "akg_plugin_c", "same = akg_plugin_c:value")
    with pytest.raises(AkgError) as caught:
        Registry[int]("thing", "akg.test_things").names()
    assert caught.value.code == "AKG-E405"
    assert caught.value.message == "two packages offer thing 'same'"
    assert "akg_plugin_b" in caught.value.because
    assert "akg_plugin_c" in caught.value.because


def test_a_package_cannot_replace_a_built_in(site: Path) -> None:
    install(site, "akg_plugin_d", "one = akg_plugin_d:value")
    things: Registry[int] = Registry("thing", "akg.test_things")
    things.register("one", 1)
    assert things.get("one") == 1
    with pytest.raises(AkgError, match="two packages offer thing 'one'"):
        things.names()


def test_refresh_sees_a_package_installed_meanwhile(site: Path) -> None:
    things: Registry[int] = Registry("thing", "akg.test_things")
    assert things.names() == ()
    install(site, "akg_plugin_e", "late = akg_plugin_e:value")
    assert things.names() == ()
    things.refresh()
    assert things.get("late") == 7
