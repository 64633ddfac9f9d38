"""Kernels for other machines: all of their texts, and no call."""

import dataclasses
import re

import numpy as np
import pytest

import akg
from akg import te
from akg.base import target as machines
from akg.base.dtype import float32, tolerance
from akg.base.target import Target, host, obstacle, resolve_target

X86 = pytest.mark.skipif(host().arch != "x86_64", reason="another architecture")
FOREIGN = "aarch64-neon" if host().arch == "x86_64" else "x86-64-v3"


def halved(target: str | Target, size: int = 37) -> akg.Kernel:
    x = te.placeholder((size,), "float32", name="x")
    return akg.build([te.compute((size,), lambda i: te.exp(x[i]) / 2.0, name="y")], inputs=[x], target=target)


@pytest.fixture
def plain_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine, without AVX-512."""
    here = host()
    poor = frozenset(f for f in here.features if not f.startswith("avx512"))
    described = dataclasses.replace(here, features=poor)
    monkeypatch.setattr(machines, "host", lambda: described)


@pytest.mark.parametrize("again", [False, True], ids=["built", "from memory"])
def test_code_of_another_architecture(again: bool) -> None:
    kernel = halved(FOREIGN)
    if again:
        kernel = halved(FOREIGN)
    for kind in ("definition", "loop", "schedule", "llvm", "asm", "c"):
        assert kernel.source(kind)
    assert kernel.report.target == FOREIGN and kernel.explain() and repr(kernel)
    a = np.ones(37, np.float32)
    for call in (lambda: kernel(a), lambda: kernel(a, out=a), lambda: kernel(), lambda: kernel.benchmark(a)):
        with pytest.raises(akg.AkgError, match="AKG-E410") as caught:
            call()
        assert f"this machine is {host().arch}" in str(caught.value) and "target='cpu'" in str(caught.value)


@X86
@pytest.mark.parametrize("name", ["x86-64-v2", "x86-64-v3", "x86-64-v4"])
def test_levels_that_this_machine_has(name: str) -> None:
    kernel = halved(name)
    a = np.linspace(-2, 2, 37, dtype=np.float32)
    if obstacle(resolve_target(name)):
        with pytest.raises(akg.AkgError, match="AKG-E410"):
            kernel(a)
    else:
        np.testing.assert_allclose(kernel(a), np.exp(a) / 2, rtol=tolerance(float32))


@X86
@pytest.mark.usefixtures("plain_host")
def test_instructions_that_this_machine_lacks() -> None:
    kernel = halved("x86-64-v4", 39)  # a size of its own: no other test has built it
    assert kernel.source("asm")
    with pytest.raises(akg.AkgError) as caught:
        kernel(np.ones(39, np.float32))
    lacking = "avx512bw, avx512cd, avx512dq, avx512f, avx512vl"
    assert f"target x86-64-v4 needs {lacking}, which this machine does not have" in str(caught.value)


@X86
def test_obstacles() -> None:
    here = host()
    mine = dataclasses.replace(here, name="mine", is_host=False, features=here.features | {"prefer-256-bit"})
    assert obstacle(here) == obstacle(mine) == ""
    assert obstacle(dataclasses.replace(mine, arch="riscv64", name="board")) == (
        "it is code for riscv64 (target board), and this machine is x86_64"
    )


def innermost(asm: str, instruction: str) -> list[str]:
    """The shortest loop of an AArch64 text that has an instruction several times."""
    lines, starts, bodies = asm.splitlines(), dict[str, int](), list[list[str]]()
    for number, line in enumerate(lines):
        label = re.match(r"(\.LBB\w+):", line)
        jump = re.match(r"\s+(?:b\.\w+|b|cbn?z|tbn?z)\s.*?(\.LBB\w+)$", line)
        if label:
            starts[label[1]] = number
        elif jump and jump[1] in starts:
            bodies.append(lines[starts[jump[1]] : number + 1])
    return min((body for body in bodies if sum(instruction in line for line in body) > 4), key=len)


@pytest.mark.parametrize("name", ["aarch64-neon", "aarch64-sve256", "aarch64-sve512"])
def test_products_keep_their_sums_in_registers(name: str) -> None:
    """One step of a tile: a multiply-add for each accumulator, none of which leaves its register."""
    a, b = te.placeholder((480, 480), name="A"), te.placeholder((480, 480), name="B")
    kernel = akg.build([akg.ops.matmul(a, b)], inputs=[a, b], target=name)
    target = resolve_target(name)
    found = re.search(r"register tile: (\d+) x (\d+) ", kernel.explain().text)
    assert found is not None
    body = innermost(kernel.source("asm"), "fmla")
    sums = {re.split(r"[\s,{}./]+", line.strip())[1] for line in body if "fmla" in line}
    assert len(sums) == int(found[1]) * -(-int(found[2]) // target.lanes(32)) > target.core.latency
    assert not [line for line in body if "[sp" in line or re.search(r"\bst[rp1]", line)], "sums or operands are spilled"
