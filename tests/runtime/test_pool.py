"""Memory of large outputs: used again when nothing refers to it any more, and never before."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.runtime import buffer, pool
from akg.runtime.pool import HUGE_BYTES, STARTS_BYTES, Pool

FLOAT = np.dtype(np.float32)
SHAPE = (1 << 9, 1 << 10)  # 2 MiB of float32
SIZE = 2 << 20


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    own = Pool()
    monkeypatch.setattr(pool, "POOL", own)
    yield own
    akg.set_allocator(None)


def address(array: Any) -> int:
    return int(array.ctypes.data)


def test_a_block_is_used_again() -> None:
    first = buffer.empty_aligned(SHAPE, FLOAT)
    where = address(first)
    assert first.shape == SHAPE and first.dtype == FLOAT and where % HUGE_BYTES in STARTS_BYTES
    assert first.flags.c_contiguous and first.flags.writeable and first.flags.aligned
    assert address(buffer.empty_aligned(SHAPE, FLOAT)) != where
    del first
    again = buffer.empty_aligned((SIZE // 8,), np.dtype(np.float64))
    assert address(again) == where


def views(array: Any) -> list[Any]:
    found = [array[3:5, ::2], array.T, array.reshape(-1), array.view(np.int32), memoryview(array), array[0, 0:1]]
    found += [array[1:][2:].view(np.uint8), np.asarray(array), np.lib.stride_tricks.as_strided(array, (2, 2))]
    if hasattr(array, "__dlpack__"):
        found += [np.from_dlpack(array), array.__dlpack__()]
    return found


@pytest.mark.parametrize("number", range(len(views(np.zeros((16, 16), np.float32)))))
def test_no_block_is_used_while_a_view_lives(number: int) -> None:
    array = buffer.empty_aligned(SHAPE, FLOAT)
    array[...] = 7.0
    where = address(array)
    kept = views(array)[number]
    del array
    gc.collect()
    other = buffer.empty_aligned(SHAPE, FLOAT)
    other[...] = 1.0
    assert address(other) != where
    if type(kept).__name__ != "PyCapsule":
        assert np.asarray(kept).tobytes()[:4] == np.float32(7).tobytes()
    del kept
    gc.collect()
    assert address(buffer.empty_aligned(SHAPE, FLOAT)) == where


def test_blocks_in_cycles_come_back(fresh: Pool) -> None:
    array = buffer.empty_aligned(SHAPE, FLOAT)
    ring: list[Any] = [array]
    ring.append(ring)
    del array, ring
    gc.collect()
    assert fresh.free_bytes() == SIZE


def test_limit(fresh: Pool) -> None:
    with akg.config.override(pool_bytes=3 * SIZE):
        arrays = [buffer.empty_aligned(SHAPE, FLOAT) for _ in range(5)]
        large = buffer.empty_aligned((SIZE,), FLOAT)  # 4 of SIZE: more than the limit
        arrays.clear()
        assert fresh.free_bytes() == 3 * SIZE
        del large
        assert fresh.free_bytes() == 3 * SIZE
        middle = buffer.empty_aligned((SIZE // 2,), FLOAT)  # 2 of SIZE: those not used for longest give way
        del middle
        assert fresh.free_bytes() == 3 * SIZE
    with akg.config.override(pool_bytes=0):
        held = buffer.empty_aligned(SHAPE, FLOAT)
        waiting = fresh.free_bytes()
        del held
        assert fresh.free_bytes() == waiting
    fresh.trim()
    assert fresh.free_bytes() == 0


def test_threads_never_share_a_block() -> None:
    failures: list[str] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        held: list[tuple[Any, int]] = []
        for turn in range(150):
            array = buffer.empty_aligned((int(rng.integers(1, 4)) * 1000,), FLOAT)
            mark = seed * 1000 + turn
            array[:] = mark
            held.append((array, mark))
            if len(held) > 3:
                old, expected = held.pop(int(rng.integers(0, 3)))
                if not (old == expected).all():
                    failures.append(f"thread {seed}, turn {turn}")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failures


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork() -> None:
    kept = buffer.empty_aligned(SHAPE, FLOAT)
    kept[...] = 5.0
    free = buffer.empty_aligned(SHAPE, FLOAT)
    where = address(free)
    del free
    child = os.fork()
    if child == 0:
        mine = buffer.empty_aligned(SHAPE, FLOAT)
        mine[...] = 6.0
        is_right = address(mine) == where and bool((kept == 5.0).all())
        kept[...] = 8.0
        os._exit(0 if is_right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (kept == 5.0).all()


def doubled(n: int) -> akg.Kernel:
    X = te.placeholder((n,), "float32", name="X")
    return akg.build([te.compute((n,), lambda i: X[i] * 2.0, name="Y")], inputs=[X])


def test_kernels_take_and_give_back() -> None:
    kernel, x = doubled(1 << 19), np.arange(1 << 19, dtype=np.float32)
    first = kernel(x)
    where = address(first)
    np.testing.assert_array_equal(first, 2 * x)
    second = kernel(x + 1)
    np.testing.assert_array_equal(first, 2 * x)
    assert address(second) != where
    del first
    assert address(kernel(x)) == where


def test_allocator_of_the_user() -> None:
    made: list[Any] = []

    def allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        made.append(np.zeros(shape, dtype))
        return made[-1]

    assert akg.set_allocator(allocate) is None
    kernel, x = doubled(1 << 19), np.ones(1 << 19, np.float32)
    assert kernel(x) is made[0] and (made[0] == 2.0).all()
    doubled(8)(np.ones(8, np.float32))  # small outputs are NumPy's
    assert len(made) == 1
    assert akg.set_allocator(None) is allocate
    kernel(x)
    assert len(made) == 1


@pytest.mark.parametrize("wrong", [
    lambda shape, dtype: np.zeros((2, 2), dtype), lambda shape, dtype: np.zeros(shape, np.float64),
    lambda shape, dtype: [1], lambda shape, dtype: np.broadcast_to(np.zeros((), dtype), shape),
])  # fmt: skip
def test_what_an_allocator_must_not_return(wrong: Any) -> None:
    akg.set_allocator(wrong)
    with pytest.raises(akg.AkgError, match="AKG-E519"):
        doubled(1 << 19)(np.ones(1 << 19, np.float32))


def test_an_allocator_is_a_function() -> None:
    with pytest.raises(akg.AkgError, match="AKG-E519"):
        akg.set_allocator(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_errors_of_an_allocator_reach_the_caller() -> None:
    def none_left(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        raise MemoryError("none left")

    akg.set_allocator(none_left)
    with pytest.raises(MemoryError, match="none left"):
        doubled(1 << 19)(np.ones(1 << 19, np.float32))
