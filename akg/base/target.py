"""What a machine is: instruction set, vector registers, caches, cores.

`resolve_target("cpu")` describes the machine we run on. Other names describe machines to look at code for; a file of
JSON, or a dict, describes one that differs from a named one (`read_target`).
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from akg.base.config import config, usable_cores
from akg.base.core import Core, core_of
from akg.base.errors import AkgError, suggest
from akg.base.registry import Registry

KIB = 1024
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Target:
    """A machine to compile for.

    Attributes:
        name: what the user calls it.
        backend: the backend that emits code for it, a name in the registry `akg.backends`.
        arch: "x86_64", "aarch64", ...
        cpu: LLVM's name of an instruction set level that the machine has in full, such as "x86-64-v3".
        tune: LLVM's name of the processor to tune for, such as "znver4" (the attribute "tune-cpu"); may be empty.
        features: LLVM's names of instruction set extensions, such as "avx512f". They are what may be used.
        vector_bits: width of a vector register; of SVE the one length that code is made for.
        vector_registers: number of architectural vector registers.
        l1_bytes: level-1 data cache of a core.
        l2_bytes: level-2 cache of a core.
        l3_bytes: last-level cache that a core sees; 0 if there is none.
        cores: cores that the process may use.
        has_fma: whether there is a fused multiply-add on vectors.
        is_host: whether code for it runs in this process.
        core: what a core does in a cycle, for the cost model.
    """

    name: str
    backend: str
    arch: str
    cpu: str
    features: frozenset[str]
    vector_bits: int
    vector_registers: int
    l1_bytes: int = 32 * KIB
    l2_bytes: int = 512 * KIB
    l3_bytes: int = 0
    cores: int = 1
    has_fma: bool = True
    is_host: bool = False
    tune: str = ""
    core: Core = field(default_factory=Core)

    def lanes(self, bits: int) -> int:
        """How many elements of `bits` bits a vector register holds."""
        return max(self.vector_bits // bits, 1)

    @property
    def tile_registers(self) -> int:
        """Registers that tiles may count on: beside x86, which takes scalars from memory, several wait in registers."""
        return self.vector_registers - (self.arch != "x86_64")

    def document(self) -> dict[str, Any]:
        """All of it, as `read_target` takes it; features in order."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**values, "features": sorted(self.features), "core": dataclasses.asdict(self.core)}

    def key(self) -> str:
        """Everything about the target, as text that is the same in every process: for cache keys."""
        values = [getattr(self, f.name) for f in dataclasses.fields(self)]
        return "|".join(",".join(sorted(v)) if isinstance(v, frozenset) else str(v) for v in values)


TARGETS: Registry[Callable[[], Target]] = Registry("target", group="akg.targets", code="AKG-E401")


def resolve_target(target: str | Target | Mapping[str, Any] | None = None) -> Target:
    """The description of a target by name, by a file ``*.json`` or by a dict; None is the option `target`.

    Raises:
        AkgError: AKG-E401 for an unknown name, with a did-you-mean; AKG-E409 for a description that is none.
    """
    if isinstance(target, Target):
        return target
    name = config.target if target is None else target
    if isinstance(name, Mapping):
        return read_target(name)
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # users pass anything
        raise AkgError(
            "AKG-E401",
            f"a target is a name or a Target, not {type(name).__name__}",
            because=f"akg knows {', '.join(TARGETS.names())}",
            hint="leave target away for the machine that you are on",
        )
    return read_target(Path(name)) if name.endswith(".json") else TARGETS.get(name)()


def read_target(document: Mapping[str, Any] | Path) -> Target:
    """A target from a description: ``{"base": "cpu", "l2_bytes": 2097152, "core": {"multiply_adds": 2}}``.

    `base` is the name of the target that all other fields are from, "cpu" if it is not given; fields of `core` are
    those of `akg.base.core.Core`.

    Args:
        document: the fields, or a file of JSON that has them.

    Raises:
        AkgError: AKG-E409 for a file that cannot be read, an unknown field, or a value of another type.
    """
    if isinstance(document, Path):
        try:
            document = json.loads(document.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _no_target(f"{document} cannot be read ({error})") from None
    fields = dict(_fields(document))
    base, core = TARGETS.get(str(fields.pop("base", "cpu")))(), fields.pop("core", {})
    if "features" in fields:
        fields["features"] = frozenset(fields["features"])
    return _changed(base, {**fields, "core": _changed(base.core, _fields(core))})


def _fields(document: Any) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise _no_target(f"{document!r} is {type(document).__name__}, not fields with values")
    return cast("Mapping[str, Any]", document)


def _changed(old: _T, values: Mapping[str, Any]) -> _T:
    """A dataclass with some fields changed to values of the types that they have."""
    known = {f.name: getattr(old, f.name) for f in dataclasses.fields(cast(Any, old))}
    for name, value in values.items():
        if name not in known:
            hint = suggest(name, known, "fields")
            raise _no_target(f"{type(old).__name__} has no field {name!r}", hint)
        wanted = type(known[name])
        is_number = wanted is float and isinstance(value, int) and not isinstance(value, bool)
        if not (isinstance(value, wanted) or is_number):
            raise _no_target(f"{name} is {value!r}, not {wanted.__name__}")
        if isinstance(value, (int, float)) and (value < 0 or (value == 0 and wanted is float)):
            raise _no_target(f"{name} is {value}")
    return dataclasses.replace(cast(Any, old), **values)


def _no_target(because: str, hint: str = "see akg.base.target for the fields; all may be left out") -> AkgError:
    return AkgError("AKG-E409", "this does not describe a target", because=because, hint=hint)


# What /proc/cpuinfo calls a feature, where LLVM has another name for it.
_LLVM_NAMES = {
    "pni": "sse3", "sse4_1": "sse4.1", "sse4_2": "sse4.2", "abm": "lzcnt", "bmi1": "bmi", "lahf_lm": "sahf",
    "sha_ni": "sha", "pclmulqdq": "pclmul", "rdrand": "rdrnd", "avx_vnni": "avxvnni", "avx512_bf16": "avx512bf16",
    "avx512_bitalg": "avx512bitalg", "avx512_fp16": "avx512fp16", "avx512_vbmi2": "avx512vbmi2",
    "avx512_vnni": "avx512vnni", "avx512_vpopcntdq": "avx512vpopcntdq", "amx_bf16": "amx-bf16",
    "amx_int8": "amx-int8", "amx_tile": "amx-tile",
    "asimd": "neon", "asimdhp": "fullfp16", "asimddp": "dotprod", "atomics": "lse",
}  # fmt: skip
# What may be in `Target.features`. Other flags (kernel and privilege features) change no code of ours.
_KNOWN_FEATURES = frozenset(_LLVM_NAMES.values()) | {
    "sse2", "ssse3", "avx", "avx2", "fma", "f16c", "bmi2", "movbe", "popcnt", "aes", "adx", "gfni", "vaes",
    "vpclmulqdq", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512ifma", "avx512vbmi",
    "bf16", "i8mm", "sve", "sve2", "m", "a", "f", "d", "c", "v",
}  # fmt: skip
_V2 = frozenset({"sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt"})
_V3 = _V2 | {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"}
_V4 = _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
_RV64 = frozenset("mafdc")  # rv64gc, what Linux on RISC-V asks for
_LEVELS = {"x86-64-v2": _V2, "x86-64-v3": _V3, "x86-64-v4": _V4}
# LLVM's names by vendor and family, then by ranges of models.
_MODELS: dict[tuple[str, int], tuple[tuple[int, int, str], ...]] = {
    ("AuthenticAMD", 23): ((0x00, 0x2F, "znver1"), (0x30, 0xFF, "znver2")),
    ("AuthenticAMD", 25): (
        (0x10, 0x1F, "znver4"), (0x60, 0x7F, "znver4"), (0xA0, 0xAF, "znver4"), (0x00, 0x5F, "znver3"),
    ),
    ("AuthenticAMD", 26): ((0x00, 0xFF, "znver5"),),
    ("GenuineIntel", 6): (
        (0x3C, 0x3C, "haswell"), (0x3F, 0x3F, "haswell"), (0x3D, 0x3D, "broadwell"), (0x4F, 0x4F, "broadwell"),
        (0x4E, 0x4E, "skylake"), (0x5E, 0x5E, "skylake"), (0x8E, 0x8E, "skylake"), (0x9E, 0x9E, "skylake"),
        (0x55, 0x55, "skylake-avx512"), (0x6A, 0x6C, "icelake-server"), (0x8C, 0x8D, "tigerlake"),
        (0x8F, 0x8F, "sapphirerapids"), (0xCF, 0xCF, "sapphirerapids"), (0xAD, 0xAE, "graniterapids"),
        (0x97, 0x9A, "alderlake"), (0xB7, 0xBF, "alderlake"),
    ),
}  # fmt: skip


def detect_host(
    cpuinfo: Path = Path("/proc/cpuinfo"),
    sysfs: Path = Path("/sys/devices/system/cpu/cpu0/cache"),
    machine: str | None = None,
    sve_length: Path = Path("/proc/sys/abi/sve_default_vector_length"),
) -> Target:
    """Describe the machine from Linux's files; what they do not say stays at a safe default.

    Args:
        cpuinfo: the list of processors.
        sysfs: the directory with one ``indexN`` per cache.
        machine: the architecture; None asks the system.
        sve_length: bytes of a vector of SVE.
    """
    arch = _normal_arch(os.uname().machine if machine is None else machine)
    fields = _read_cpuinfo(cpuinfo)
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    features = frozenset(_LLVM_NAMES.get(flag, flag) for flag in flags) & _KNOWN_FEATURES
    if arch == "aarch64":
        features |= {"neon"}  # part of the base architecture
    elif arch == "x86_64":
        features |= {"sse2"}
    elif arch == "riscv64":  # as in "rv64imafdcv_zicsr"
        features = frozenset(fields.get("isa", "rv64imafdc").partition("_")[0].removeprefix("rv64")) & (_RV64 | {"v"})
    caches = _read_caches(sysfs)
    bits, registers = _vectors(arch, features)
    if "sve" in features:
        bits = _sve_bits(sve_length)
    return Target(
        name="cpu", backend="llvm", arch=arch, cpu=_level(arch, features), tune=_model(fields), features=features,
        vector_bits=bits, vector_registers=registers,
        l1_bytes=caches.get(1, 32 * KIB), l2_bytes=caches.get(2, 512 * KIB), l3_bytes=caches.get(3, 0),
        cores=usable_cores(), has_fma=_has_fma(arch, features), is_host=True, core=core_of(arch, _model(fields), bits),
    )  # fmt: skip


def _sve_bits(path: Path) -> int:
    """Width of vectors as the system sets it for new processes; 128, which all have, if it does not say."""
    try:
        size = int(path.read_text())
    except (OSError, ValueError):
        return 128
    return 8 * size if size in (16, 32, 64, 128, 256) else 128


def _normal_arch(machine: str) -> str:
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(machine.lower(), machine.lower())


def _read_cpuinfo(path: Path) -> dict[str, str]:
    """The fields of the first processor."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = [line.partition(":") for line in text.split("\n\n")[0].splitlines()]
    return {name.strip(): value.strip() for name, _, value in lines}


def _read_caches(root: Path) -> dict[int, int]:
    """Bytes of the data or unified cache of each level."""
    sizes: dict[int, int] = {}
    try:
        for place in sorted(root.glob("index*")):
            if (place / "type").read_text().strip() in ("Data", "Unified"):
                size = (place / "size").read_text().strip()
                unit = {"K": KIB, "M": KIB * KIB}.get(size[-1:], 1)
                sizes[int((place / "level").read_text())] = int(size.rstrip("KM")) * unit
    except (OSError, ValueError):
        return sizes
    return sizes


def _vectors(arch: str, features: frozenset[str]) -> tuple[int, int]:
    """Width in bits and number of the vector registers."""
    if arch == "x86_64":
        if _V4 <= features:
            return 512, 32
        return (256, 16) if "avx2" in features else (128, 16)
    if arch == "riscv64":
        return (128, 32) if "v" in features else (64, 32)  # at least 128 bits; else the registers of floats
    return 128, 32 if arch == "aarch64" else 16


def _level(arch: str, features: frozenset[str]) -> str:
    for level, needed in (("x86-64-v4", _V4), ("x86-64-v3", _V3), ("x86-64-v2", _V2)):
        if needed <= features:
            return level
    return {"x86_64": "x86-64", "riscv64": "generic-rv64"}.get(arch, "generic")


def _model(fields: dict[str, str]) -> str:
    """LLVM's name of the processor, to tune for.

    Not to choose instructions by: a virtual machine may hide some that the processor has.
    """
    family, model = fields.get("cpu family", ""), fields.get("model", "")
    if family.isdecimal() and model.isdecimal():
        for first, last, name in _MODELS.get((fields.get("vendor_id", ""), int(family)), ()):
            if first <= int(model) <= last:
                return name
    return ""


@lru_cache(maxsize=1)
def host() -> Target:
    """The machine that we run on, described once per process."""
    return detect_host()


def obstacle(target: Target) -> str:
    """Why this machine does not run code for a target, as a clause; empty if it does."""
    here = host()
    if target.is_host:
        return ""
    if target.arch != here.arch:
        return f"it is code for {target.arch} (target {target.name}), and this machine is {here.arch}"
    # Other features are of LLVM's making, such as "prefer-256-bit", or too new for us to see that they are there.
    if "sve" in target.features and target.vector_bits > 128 and target.vector_bits != here.vector_bits:
        return (
            f"target {target.name} is for vectors of exactly {target.vector_bits} bits, and this machine's have "
            f"{here.vector_bits}"
        )
    missing = sorted((target.features | _LEVELS.get(target.cpu, frozenset())) & _KNOWN_FEATURES - here.features)
    return f"target {target.name} needs {', '.join(missing)}, which this machine does not have" if missing else ""


def _described(name: str, arch: str, cpu: str, features: frozenset[str]) -> Target:
    bits, registers = _vectors(arch, features)
    if "sve" in features:
        bits = int(name.rpartition("sve")[2])
    core = core_of(arch, "", bits)
    return Target(name, "llvm", arch, cpu, features, bits, registers, has_fma=_has_fma(arch, features), core=core)


def _has_fma(arch: str, features: frozenset[str]) -> bool:
    return arch == "aarch64" or not features.isdisjoint({"fma", "d"})


def _register_builtin() -> None:
    TARGETS.register("cpu", host)
    for name, arch, features in (
        ("x86-64-v2", "x86_64", _V2),
        ("x86-64-v3", "x86_64", _V3),
        ("x86-64-v4", "x86_64", _V4),
        ("aarch64", "aarch64", frozenset({"neon"})),
        ("aarch64-neon", "aarch64", frozenset({"neon"})),
        ("aarch64-sve256", "aarch64", frozenset({"neon", "sve"})),
        ("aarch64-sve512", "aarch64", frozenset({"neon", "sve"})),
        ("riscv64", "riscv64", _RV64),
        ("riscv64-v", "riscv64", _RV64 | {"v"}),
    ):
        target = _described(name, arch, name if arch == "x86_64" else _level(arch, features), features)
        TARGETS.register(name, lambda target=target: target)


_register_builtin()
