"""Memory of temporaries: blocks that are used again, by several threads at once."""

from __future__ import annotations

import ctypes
import random
import threading
from collections.abc import Callable

import numpy as np
import pytest

import akg
from akg.ir.script import Tensor, script, zeros
from akg.runtime import workspace

# ruff: noqa: F821, UP037  (shapes and dtypes are strings inside annotations)

MIB = 1 << 20


@script
def through_another(A: Tensor["n", "float64"]):
    n = A.shape[0]
    B = zeros((n,), "float64")
    for i in range(n):
        B[i] = A[i] * 2.0
    for i in range(n):
        A[i] = B[n - 1 - i]


@pytest.fixture
def functions() -> tuple[Callable[[int], int], Callable[[int], None]]:
    found = workspace.symbols()
    take = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int64)(found["malloc"])
    give = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(found["free"])
    return lambda size: take(size) or 0, give


def test_a_large_block_is_used_again(functions: tuple[Callable[[int], int], Callable[[int], None]]) -> None:
    take, give = functions
    first = take(5 * MIB)
    second = take(5 * MIB)
    assert first and second and abs(first - second) >= 5 * MIB
    give(first)
    assert take(4 * MIB) == first, "a little smaller"
    give(first)
    give(second)
    give(0)


def test_what_cannot_be_had(functions: tuple[Callable[[int], int], Callable[[int], None]]) -> None:
    assert functions[0](1 << 60) == 0


def test_threads_never_share_a_block(functions: tuple[Callable[[int], int], Callable[[int], None]]) -> None:
    take, give = functions
    wrong: list[int] = []

    def work(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(300):
            blocks = [take(draw.randrange(1, 6 * MIB)) for _ in range(draw.randrange(1, 7))]
            for block in blocks:
                ctypes.c_int64.from_address(block).value = block ^ seed
            wrong.extend(b for b in blocks if ctypes.c_int64.from_address(b).value != b ^ seed)
            for block in blocks:
                give(block)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_kernels_with_large_temporaries() -> None:
    kernel = akg.build(through_another)
    for size in (1000, 1_000_000, 10, 700_000, 1_000_000):
        given = np.random.default_rng(3).random(size)
        found = given.copy()
        kernel(found)
        assert np.array_equal(found, given[::-1] * 2.0)


def test_which_kernels_need_it() -> None:
    assert workspace.is_needed(b"\0malloc\0akg_large_blocks\0")
    assert not workspace.is_needed(b"\0malloc\0")
