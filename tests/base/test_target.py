"""Targets: names, detection from the files that Linux offers."""

from pathlib import Path

import pytest

from akg.base.config import config
from akg.base.core import Core, core_of
from akg.base.errors import AkgError
from akg.base.target import TARGETS, Target, detect_host, resolve_target

ZEN4 = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
flags\t\t: fpu sse2 pni ssse3 fma sse4_1 sse4_2 movbe popcnt avx f16c lahf_lm abm bmi1 avx2 bmi2 {more}

processor\t: 1
vendor_id\t: Other
"""
AVX512 = "avx512f avx512dq avx512cd avx512bw avx512vl avx512_vnni avx512_bf16"
ARM = "processor\t: 0\nFeatures\t: fp asimd asimdhp asimddp atomics\n"


def machine(root: Path, cpuinfo: str, caches: tuple[tuple[int, str, str], ...], arch: str) -> Target:
    (root / "cpuinfo").write_text(cpuinfo)
    for number, (level, kind, size) in enumerate(caches):
        place = root / "cache" / f"index{number}"
        place.mkdir(parents=True)
        for name, value in (("level", str(level)), ("type", kind), ("size", size)):
            (place / name).write_text(value + "\n")
    return detect_host(root / "cpuinfo", root / "cache", arch)


def test_avx512_machine(tmp_path: Path) -> None:
    caches = ((1, "Data", "32K"), (1, "Instruction", "64K"), (2, "Unified", "1024K"), (3, "Unified", "32M"))
    target = machine(tmp_path, ZEN4.format(more=AVX512), caches, "x86_64")
    assert (target.arch, target.cpu, target.tune) == ("x86_64", "x86-64-v4", "znver4")
    assert (target.vector_bits, target.vector_registers) == (512, 32)
    assert (target.l1_bytes, target.l2_bytes, target.l3_bytes) == (32 * 1024, 1024 * 1024, 32 * 1024 * 1024)
    assert {"avx512vnni", "avx512bf16", "sse4.1", "lzcnt", "bmi", "sahf"} <= target.features
    assert target.has_fma
    assert target.is_host
    assert (target.lanes(32), target.lanes(64)) == (16, 8)


def test_a_virtual_machine_that_hides_avx512(tmp_path: Path) -> None:
    target = machine(tmp_path, ZEN4.format(more=""), (), "AMD64")
    assert (target.cpu, target.tune) == ("x86-64-v3", "znver4")
    assert (target.vector_bits, target.vector_registers) == (256, 16)


def test_aarch64(tmp_path: Path) -> None:
    target = machine(tmp_path, ARM, ((1, "Data", "64K"),), "aarch64")
    assert (target.arch, target.cpu, target.vector_bits, target.vector_registers) == ("aarch64", "generic", 128, 32)
    assert target.features == {"neon", "fullfp16", "dotprod", "lse"}
    assert target.has_fma


def test_sve(tmp_path: Path) -> None:
    """The system says how long vectors are; code for another length does not run."""
    machine(tmp_path, ARM.replace("asimd ", "asimd sve "), (), "aarch64")
    places = (tmp_path / "cpuinfo", tmp_path / "cache", "aarch64", tmp_path / "length")
    for text, bits in (("32\n", 256), ("64", 512), ("nonsense", 128), ("24", 128)):
        (tmp_path / "length").write_text(text)
        target = detect_host(*places)
        assert "sve" in target.features
        assert target.vector_bits == bits


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "riscv64"])
def test_a_machine_that_says_nothing(tmp_path: Path, arch: str) -> None:
    target = detect_host(tmp_path / "none", tmp_path / "none", arch)
    assert target.vector_bits == (64 if arch == "riscv64" else 128)
    assert (target.l1_bytes, target.l2_bytes, target.l3_bytes) == (32 * 1024, 512 * 1024, 0)


def test_damaged_files(tmp_path: Path) -> None:
    target = machine(tmp_path, "flags\n:::\n\x00", ((1, "Data", "many"),), "x86_64")
    assert (target.cpu, target.tune) == ("x86-64", "")
    assert target.l1_bytes == 32 * 1024


def test_resolve() -> None:
    cpu = resolve_target()
    assert cpu is resolve_target("cpu")
    assert resolve_target(cpu) is cpu
    assert cpu.name == "cpu"
    assert cpu.cores >= 1
    with config.override(target="x86-64-v4"):
        assert resolve_target().vector_bits == 512
    assert [resolve_target(name).name for name in TARGETS.names()] == list(TARGETS.names())
    assert not resolve_target("x86-64-v3").is_host


def test_unknown_target() -> None:
    with pytest.raises(AkgError) as caught:
        resolve_target("x86_64-v3")
    assert str(caught.value) == (
        "AKG-E401: unknown target 'x86_64-v3'\n"
        "because: akg knows aarch64, aarch64-neon, aarch64-sve256, aarch64-sve512, cpu, "
        "riscv64, riscv64-v, x86-64-v2, x86-64-v3, x86-64-v4\n"
        "hint: did you mean 'x86-64-v3'?"
    )
    with pytest.raises(AkgError, match="a target is a name or a Target, not int"):
        resolve_target(512)  # type: ignore[arg-type]


def test_key_tells_targets_apart() -> None:
    keys = {resolve_target(name).key() for name in TARGETS.names()}
    assert len(keys) == len(TARGETS.names())
    assert resolve_target("cpu").key() == detect_host().key()


def test_ports_follow_the_processor(tmp_path: Path) -> None:
    """Zen 4 takes a 512-bit operation in two halves; with AVX-512 hidden, its two pipes take one of 256 bits each."""
    wide = machine(tmp_path, ZEN4.format(more=AVX512), (), "x86_64").core
    assert (wide.multiply_adds, wide.loads, wide.stores) == (1.0, 1.0, 0.5)
    (tmp_path / "narrow").mkdir()
    narrow = machine(tmp_path / "narrow", ZEN4.format(more=""), (), "x86_64").core
    assert (narrow.multiply_adds, narrow.loads, narrow.stores) == (2.0, 2.0, 1.0)
    assert core_of("x86_64", "znver5", 512).multiply_adds == core_of("x86_64", "sapphirerapids", 512).multiply_adds == 2
    assert core_of("aarch64", "", 512).latency == 9.0
    assert core_of("arch64", "", 640) == Core()


def test_a_description_changes_a_named_target(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"base": "x86-64-v3", "name": "mine", "l2_bytes": 2097152, "core": {"loads": 3}}')
    mine, base = resolve_target(str(path)), resolve_target("x86-64-v3")
    assert (mine.name, mine.l2_bytes, mine.core.loads) == ("mine", 1 << 21, 3)
    assert (mine.vector_bits, mine.features, mine.core.stores) == (256, base.features, base.core.stores)
    assert resolve_target(mine.document()) == mine and mine.key() != base.key()


@pytest.mark.parametrize(
    "document",
    [{"core": {"load": 2}}, {"l2": 1}, {"core": {"loads": 0}}, {"l1_bytes": "32K"}, {"l1_bytes": -1}, {"core": 3}],
)
def test_descriptions_that_are_none(document: dict[str, object]) -> None:
    with pytest.raises(AkgError, match="AKG-E409"):
        resolve_target(document)


def test_a_description_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    for name in ("none.json", "list.json"):
        with pytest.raises(AkgError, match="AKG-E409"):
            resolve_target(str(tmp_path / name))
