"""Memory of large outputs: blocks that are used again, with huge pages where the system has them.

A fresh large array costs a page fault for every 4 KiB at first touch, which takes longer than most kernels that fill
it. So a block that its last array has left waits here for the next output of its size. Arrays are NumPy arrays over a
*lease*, the object at the end of the chain of their bases: the block comes back when no array, view, memoryview, DLPack
capsule or tensor refers to it any more, and never before.

Blocks begin at half or three quarters of a page. Loads wait for earlier stores whose addresses have the same
low 12 bits, until these have left the processor's queue: an array that is written up to ten lines further on in its
pages than others are read is written two to three times as slowly (gelu with a bias and a residual of 16 M floats on a
Zen 4 core: 7.0 ms at half a page, 7.6 at the same place, 13 at one line further on). Large arrays of NumPy and of torch
begin in the first lines of a page, and arrays of the pool are at the same place or a quarter of a page apart.

Everything shared between threads is a deque or a dict that is touched by single operations, which the interpreter lock
makes atomic: a lease may end anywhere, even in the middle of another call of this file, so there must be no lock to
wait for. After a fork, parent and child have a copy of every block each.

`set_allocator` replaces all of this by a function of the user's.
"""

from __future__ import annotations

import ctypes
import itertools
import mmap
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from akg.base.config import config
from akg.base.errors import AkgError

Array: TypeAlias = "npt.NDArray[Any]"
Allocator: TypeAlias = "Callable[[tuple[int, ...], np.dtype[Any]], Array]"
HUGE_BYTES = 2 << 20
SMALL_STEP_BYTES = 1 << 16  # sizes below a huge page are multiples of this
PAGE_BYTES = 4096  # that addresses are told apart by in the queue of stores, whatever the size of a page
STARTS_BYTES = (PAGE_BYTES // 2, 3 * PAGE_BYTES // 4)  # of blocks in turn, in a page


class _Block:
    """Memory of its own; unmapped when nothing refers to it."""

    __slots__ = ("address", "memory", "size_bytes")
    _starts = itertools.cycle(STARTS_BYTES)

    def __init__(self, size_bytes: int) -> None:
        align = HUGE_BYTES if size_bytes >= HUGE_BYTES else mmap.PAGESIZE
        self.size_bytes = size_bytes
        try:  # private, or a fork would share what it should copy
            self.memory = mmap.mmap(-1, size_bytes + align + PAGE_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except (OSError, OverflowError) as error:
            raise MemoryError(f"no memory for an output of {size_bytes} bytes") from error
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        offset = -start % align
        self.address = start + offset + next(self._starts)
        if align == HUGE_BYTES and hasattr(mmap, "MADV_HUGEPAGE"):
            try:
                self.memory.madvise(mmap.MADV_HUGEPAGE, offset, size_bytes + PAGE_BYTES)
            except OSError:  # a kernel without them: ordinary pages do
                return


class Pool:
    """Free blocks by size."""

    def __init__(self) -> None:
        self._free: dict[int, deque[_Block]] = {}
        self._leases: dict[int, Any] = {}

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any], size_bytes: int) -> Array:
        """An uninitialised array of at least one byte, at the start of a line."""
        step = HUGE_BYTES if size_bytes >= HUGE_BYTES else SMALL_STEP_BYTES
        size = -(-size_bytes // step) * step
        waiting = self._free.get(size)
        try:
            block = waiting.pop() if waiting else _Block(size)
        except IndexError:  # another thread was faster
            block = _Block(size)
        kind = self._leases.get(size) or self._lease_type(size)
        lease = kind.from_address(block.address)
        lease.block = block
        return np.ndarray(shape, dtype, lease)

    def free_bytes(self) -> int:
        """What waits for its next use."""
        return sum(size * len(blocks) for size, blocks in list(self._free.items()))

    def trim(self, keep_bytes: int = 0) -> None:
        """Give free blocks back to the system until at most `keep_bytes` wait; sizes not used for longest first."""
        for size, blocks in list(self._free.items()):
            while self.free_bytes() > keep_bytes:
                try:
                    blocks.popleft()
                except IndexError:
                    self._free.pop(size, None)
                    break

    def _lease_type(self, size: int) -> Any:
        def give_back(lease: Any, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
            if not is_finalizing():
                self._give_back(lease.block)

        kind = type("Lease", (ctypes.c_char * size,), {"__del__": give_back})
        return self._leases.setdefault(size, kind)

    def _give_back(self, block: _Block) -> None:
        limit, size = config.pool_bytes, block.size_bytes
        if size > limit:
            return
        blocks = self._free.pop(size, None)  # to the end: used last
        blocks = self._free.setdefault(size, deque() if blocks is None else blocks)
        if self.free_bytes() + size > limit:
            self.trim(limit - size)
        blocks.append(block)


POOL = Pool()
_allocator: Allocator | None = None


def allocate(shape: tuple[int, ...], dtype: np.dtype[Any], size_bytes: int) -> Array:
    """An uninitialised array for a large output.

    Raises:
        AkgError: AKG-E519 if the user's allocator returned something else.
    """
    if _allocator is None:
        return POOL.take(shape, dtype, max(size_bytes, 1))
    array: object = _allocator(shape, dtype)
    problem = _problem(array, shape, dtype)
    if problem:
        raise AkgError(
            "AKG-E519",
            f"the allocator returned {problem}",
            because=f"an output is a writable, aligned, row-major array of shape {shape} and dtype {dtype}",
            hint="return np.empty(shape, dtype) over your memory, or akg.set_allocator(None)",
        )
    return array  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


def _problem(array: object, shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    if type(array) is not np.ndarray:
        return f"a {type(array).__name__}"
    if array.shape != shape or array.dtype != dtype:
        return f"an array of shape {array.shape} and dtype {array.dtype}"
    if not (array.flags.c_contiguous and array.flags.writeable and array.flags.aligned):
        return "an array that is not writable, aligned and row-major"
    return ""


def set_allocator(allocator: Allocator | None) -> Allocator | None:
    """Use a function for the memory of large outputs, of a mebibyte and more, from now on and in all threads.

    Args:
        allocator: (shape, NumPy dtype) -> an uninitialised array that no other output shares memory with, called with
            the interpreter lock held; None: the pool. To place one output, pass ``out=`` to the call instead.

    Returns:
        The allocator before.

    Raises:
        AkgError: AKG-E519 if it is no function.
    """
    global _allocator
    if allocator is not None and not callable(allocator):
        raise AkgError(
            "AKG-E519",
            f"an allocator is a function, not {type(allocator).__name__}",
            because="it is called as allocator(shape, dtype)",
            hint="pass a function, or None for akg's own pool",
        )
    before, _allocator = _allocator, allocator
    return before
