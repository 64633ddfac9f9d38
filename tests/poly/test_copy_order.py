"""Nests that only move data, more than the last cache holds, run in the order in which they read."""

from dataclasses import replace

import numpy as np
import pytest

import akg
from akg import ops, te
from akg.base.target import resolve_target


def moved(shape: tuple[int, ...], order: tuple[int, ...], l3_bytes: int) -> tuple[akg.Kernel, np.ndarray]:
    x = te.placeholder(shape, "float32", name="x")
    target = replace(resolve_target("cpu"), l3_bytes=l3_bytes)
    kernel = akg.build([ops.permute_dims(x, order)], inputs=[x], target=target)
    a = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    got = kernel(a)
    np.testing.assert_array_equal(got, a.transpose(order))
    return kernel, a


def positions(kernel: akg.Kernel) -> list[str]:
    """The loops by their names, outermost first."""
    return [line.split(" in ")[0].split()[-1] for line in kernel.source("loop").splitlines() if " for " in line]


@pytest.mark.parametrize("width", [64, 80, 50])
def test_heads_of_attention(width: int) -> None:
    near, _ = moved((4, 48, 12, width), (0, 2, 1, 3), 1 << 30)
    far, a = moved((4, 48, 12, width), (0, 2, 1, 3), 1 << 16)
    assert positions(near)[:3] == ["i0", "i1", "i2"]
    assert positions(far)[:3] == ["i0", "i2", "i1"]
    if resolve_target("cpu").arch == "x86_64" and resolve_target("cpu").vector_bits == 512:
        assert ("nontemporal" in far.source("llvm")) is (width % 16 == 0)
    out = np.zeros(4 * 12 * 48 * width + 64, np.float32)
    start = (-out.ctypes.data % 64) // 4 + 5  # not at a line: ordinary stores
    place = out[start : start + a.size].reshape(4, 12, 48, width)
    far(a, out=place)
    np.testing.assert_array_equal(place, a.transpose(0, 2, 1, 3))


@pytest.mark.parametrize("shape", [(4000, 20), (3000, 64), (2900, 70)])
def test_short_rows_are_turned_whole(shape: tuple[int, ...]) -> None:
    kernel, _ = moved(shape, (1, 0), 1 << 16)
    assert "turned in registers" in str(kernel.report)
