"""What a core does in a cycle: its ports, the paths between its caches, and the wait for a result.

These are the constants of the cost model (`akg.poly.price`). They come from the vendors' optimisation guides (AMD
57647 for Zen 4 and 58455 for Zen 5, Intel 248966, Arm's guides to the Neoverse cores, Fujitsu's A64FX
microarchitecture manual) and from measured tables (A. Fog, "Instruction tables"; Abel and Reineke 2019, uops.info);
the paths between caches of Zen 4 were measured with `akg.runtime.measure`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Core:
    """Rates of one core, for vectors as wide as the target's.

    Attributes:
        multiply_adds: fused multiply-adds of floats in a cycle; where there are none, pairs of a product and a sum.
        operations: vector operations of any kind in a cycle, multiply-adds among them.
        loads: vectors that are loaded in a cycle.
        broadcasts: scalars that are loaded into all lanes in a cycle.
        stores: vectors that are stored in a cycle.
        conversions: vectors that are converted between types in a cycle.
        latency: cycles from the operands of a multiply-add to its result.
        l1_ways: lines of a set of the first-level cache.
        l2_cycle_bytes: bytes in a cycle from the second-level cache.
        l3_cycle_bytes: bytes in a cycle from the last one.
        memory_cycle_bytes: bytes in a cycle from memory, for one core.
        memory_cores: cores that ask for as much as memory gives.
        clock_ghz: cycles in a nanosecond, under load.
        wake_us: microseconds until the other threads work and have been waited for.
    """

    multiply_adds: float = 2.0
    operations: float = 2.0
    loads: float = 2.0
    broadcasts: float = 2.0
    stores: float = 1.0
    conversions: float = 1.0
    latency: float = 4.0
    l1_ways: int = 8
    l2_cycle_bytes: float = 32.0
    l3_cycle_bytes: float = 16.0
    memory_cycle_bytes: float = 6.0
    memory_cores: float = 2.0
    clock_ghz: float = 3.0
    wake_us: float = 4.0

    @property
    def broadcast(self) -> float:
        """What the load of a scalar into all lanes costs of a vector load."""
        return self.loads / self.broadcasts


@dataclass(frozen=True, slots=True)
class _Pipes:
    """How often an instruction starts: `count` in a cycle, and together at most `bits` of results."""

    count: float
    bits: int

    def rate(self, vector_bits: int) -> float:
        return min(float(self.count), self.bits / vector_bits)


@dataclass(frozen=True, slots=True)
class _Design:
    """A core whatever the width of its vectors; what is not said is as in `Core`."""

    multiply_adds: _Pipes
    operations: _Pipes
    loads: _Pipes
    stores: _Pipes
    conversions: _Pipes
    latency: float = 4.0
    l1_ways: int = 8
    l2_cycle_bytes: float = 32.0
    l3_cycle_bytes: float = 16.0
    memory_cycle_bytes: float = 6.0
    memory_cores: float = 2.0
    clock_ghz: float = 3.0

    def core(self, vector_bits: int) -> Core:
        return Core(
            self.multiply_adds.rate(vector_bits), self.operations.rate(vector_bits), self.loads.rate(vector_bits),
            float(self.loads.count), self.stores.rate(vector_bits), self.conversions.rate(vector_bits), self.latency,
            self.l1_ways, self.l2_cycle_bytes, self.l3_cycle_bytes, self.memory_cycle_bytes, self.memory_cores,
            self.clock_ghz,
        )  # fmt: skip


_FOUR_512, _FOUR_256, _FOUR_128 = _Pipes(4, 2048), _Pipes(4, 1024), _Pipes(4, 512)
_THREE_256 = _Pipes(3, 768)
_TWO_512, _TWO_256, _TWO_128 = _Pipes(2, 1024), _Pipes(2, 512), _Pipes(2, 256)
_ONE_512, _ONE_256, _ONE_128, _ONE_64 = _Pipes(1, 512), _Pipes(1, 256), _Pipes(1, 128), _Pipes(1, 64)

# By LLVM's names of processors, as in `Target.tune`: multiply-adds, all operations, loads, stores, conversions.
_HASWELL = _Design(_TWO_256, _THREE_256, _TWO_256, _ONE_256, _ONE_256, 5.0)
_SKYLAKE = _Design(_TWO_256, _THREE_256, _TWO_256, _ONE_256, _TWO_256)
_ICELAKE = _Design(_TWO_512, _TWO_512, _TWO_512, _ONE_512, _ONE_512, 4.0, 12, 48.0, 10.0, 4.0, 8.0)
_DESIGNS: dict[str, _Design] = {
    "znver1": _Design(_TWO_128, _FOUR_128, _TWO_128, _ONE_128, _ONE_128, 5.0),
    "znver2": _Design(_TWO_256, _FOUR_256, _TWO_256, _ONE_256, _ONE_256, 5.0, l3_cycle_bytes=24.0),
    "znver3": _Design(_TWO_256, _FOUR_256, _TWO_256, _ONE_256, _TWO_256, l3_cycle_bytes=24.0),
    # pipes of 256 bits: an operation on 512 takes one of them twice
    "znver4": _Design(_TWO_256, _FOUR_256, _TWO_256, _ONE_256, _TWO_256, 4.0, 8, 25.0, 26.0, 10.0, 1.2, 3.65),
    "znver5": _Design(_TWO_512, _FOUR_512, _TWO_512, _ONE_512, _TWO_512, 4.0, 12, 48.0, 26.0, 10.0, 1.5, 4.0),
    "haswell": _HASWELL,
    "broadwell": _HASWELL,
    "skylake": _SKYLAKE,
    "skylake-avx512": _Design(_TWO_512, _TWO_512, _TWO_512, _ONE_512, _ONE_512, 4.0, 8, 48.0, 10.0, 4.0, 8.0),
    "icelake-server": _ICELAKE,
    "sapphirerapids": _ICELAKE,
    "graniterapids": _ICELAKE,
    "tigerlake": _Design(_TWO_256, _TWO_512, _TWO_512, _ONE_512, _ONE_512, 4.0, 12, 48.0),
    "alderlake": _Design(_TWO_256, _THREE_256, _THREE_256, _TWO_256, _TWO_256, 4.0, 12, 48.0),
}
# Where the processor is not known: by architecture and the width of vectors.
_TYPICAL: dict[tuple[str, int], _Design] = {
    ("x86_64", 128): _Design(_ONE_128, _TWO_128, _ONE_128, _ONE_128, _ONE_128, 8.0),  # a product, a sum (Nehalem)
    ("x86_64", 256): _SKYLAKE,
    ("x86_64", 512): _ICELAKE,
    ("aarch64", 128): _Design(_TWO_128, _TWO_128, _TWO_128, _ONE_128, _ONE_128, 4.0, 4),  # Neoverse N1
    ("aarch64", 256): _Design(_TWO_256, _TWO_256, _TWO_256, _ONE_256, _ONE_256, 4.0, 4),  # Neoverse V1
    ("aarch64", 512): _Design(_TWO_512, _TWO_512, _TWO_512, _ONE_512, _ONE_512, 9.0, 4, 64.0, clock_ghz=2.2),  # A64FX
    ("riscv64", 128): _Design(_ONE_128, _ONE_128, _ONE_128, _ONE_128, _ONE_128, 5.0, clock_ghz=2.0),
    ("riscv64", 64): _Design(_ONE_64, _ONE_64, _ONE_64, _ONE_64, _ONE_64, 5.0, clock_ghz=2.0),
}


def core_of(arch: str, tune: str, vector_bits: int) -> Core:
    """The core of a processor by LLVM's name of it, or a typical one of its architecture.

    Args:
        arch: "x86_64", "aarch64", ...
        tune: LLVM's name of the processor; may be empty or unknown.
        vector_bits: width of the vectors that code is made of.
    """
    design = _DESIGNS.get(tune) or _TYPICAL.get((arch, vector_bits))
    return design.core(vector_bits) if design is not None else Core()
