"""Temporaries of kernels: large blocks wait for the next call, and lie in huge pages where the system has them.

Kernels ask the C library's ``malloc`` for one block a call and ``free`` it. A fresh block of many MiB costs a page
fault for every 4 KiB at first touch, and small pages cost translations after that: a stencil of 4000 x 4000 floats over
50 steps, whose second array is such a block, takes 1.4 times as long with both. So kernels in this process that may ask
for large blocks are linked with these two functions instead. Kernels that are saved keep the C library's.

A free block stands in one of a few slots, which any thread empties and fills by one atomic exchange; the size of a
block is in front of it.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache

from akg.base.config import config
from akg.runtime import jit

SLOTS = 4
HEADER_BYTES = 64  # with the size of the block, or 0 for one of the C library
# Half a page from where other large arrays begin: processors compare addresses of loads and stores by their last 12
# bits first, and a stencil from an array to one of the same offset takes 1.15 times as long.
FRONT_BYTES = HEADER_BYTES + 2048
HUGE_BYTES = 2 << 20
_MADV_HUGEPAGE = 14

# Slots hold the addresses that kernels have; a block that waits fits what needs at least a quarter of it.
_IR = f"""
@slots = internal global [{SLOTS} x ptr] zeroinitializer
@akg_kept_bytes = global i64 0
declare noalias ptr @malloc(i64)
declare noalias ptr @aligned_alloc(i64, i64)
declare void @free(ptr)
declare i32 @madvise(ptr, i64, i32)

define internal void @drop(ptr %it) {{
  %is_null = icmp eq ptr %it, null
  br i1 %is_null, label %done, label %given
given:
  %place = getelementptr i8, ptr %it, i64 -{HEADER_BYTES}
  %size = load i64, ptr %place
  %is_small = icmp eq i64 %size, 0
  %front = select i1 %is_small, i64 -{HEADER_BYTES}, i64 -{FRONT_BYTES}
  %block = getelementptr i8, ptr %it, i64 %front
  call void @free(ptr %block)
  br label %done
done:
  ret void
}}

define internal ptr @marked(ptr %block, i64 %front, i64 %size) {{
  %is_null = icmp eq ptr %block, null
  br i1 %is_null, label %none, label %some
none:
  ret ptr null
some:
  %it = getelementptr i8, ptr %block, i64 %front
  %place = getelementptr i8, ptr %it, i64 -{HEADER_BYTES}
  store i64 %size, ptr %place
  ret ptr %it
}}

define ptr @akg_malloc(i64 %bytes) {{
  %all = add i64 %bytes, {FRONT_BYTES}
  %is_small = icmp ult i64 %all, {HUGE_BYTES}
  br i1 %is_small, label %small, label %large
small:
  %plain = call ptr @malloc(i64 %all)
  %little = call ptr @marked(ptr %plain, i64 {HEADER_BYTES}, i64 0)
  ret ptr %little
large:
  %up = add i64 %all, {HUGE_BYTES - 1}
  %size = and i64 %up, -{HUGE_BYTES}
  br label %look
look:
  %k = phi i64 [ 0, %large ], [ %next, %again ]
  %slot = getelementptr ptr, ptr @slots, i64 %k
  %found = atomicrmw xchg ptr %slot, ptr null acq_rel
  %is_empty = icmp eq ptr %found, null
  br i1 %is_empty, label %again, label %check
check:
  %place = getelementptr i8, ptr %found, i64 -{HEADER_BYTES}
  %has = load i64, ptr %place
  %quarter = lshr i64 %has, 2
  %is_enough = icmp uge i64 %has, %size
  %is_close = icmp ule i64 %quarter, %size
  %fits = and i1 %is_enough, %is_close
  br i1 %fits, label %take, label %back
take:
  ret ptr %found
back:
  %old = atomicrmw xchg ptr %slot, ptr %found acq_rel
  call void @drop(ptr %old)
  br label %again
again:
  %next = add i64 %k, 1
  %more = icmp ult i64 %next, {SLOTS}
  br i1 %more, label %look, label %fresh
fresh:
  %block = call ptr @aligned_alloc(i64 {HUGE_BYTES}, i64 %size)
  %status = call i32 @madvise(ptr %block, i64 %size, i32 {_MADV_HUGEPAGE})
  %new = call ptr @marked(ptr %block, i64 {FRONT_BYTES}, i64 %size)
  ret ptr %new
}}

define void @akg_free(ptr %it) {{
  %is_null = icmp eq ptr %it, null
  br i1 %is_null, label %done, label %given
given:
  %place = getelementptr i8, ptr %it, i64 -{HEADER_BYTES}
  %size = load i64, ptr %place
  %limit = load i64, ptr @akg_kept_bytes
  %is_small = icmp eq i64 %size, 0
  %is_huge = icmp ugt i64 %size, %limit
  %drops = or i1 %is_small, %is_huge
  br i1 %drops, label %drop, label %look
look:
  %k = phi i64 [ 0, %given ], [ %next, %again ]
  %slot = getelementptr ptr, ptr @slots, i64 %k
  %pair = cmpxchg ptr %slot, ptr null, ptr %it acq_rel monotonic
  %is_kept = extractvalue {{ ptr, i1 }} %pair, 1
  br i1 %is_kept, label %done, label %again
again:
  %next = add i64 %k, 1
  %more = icmp ult i64 %next, {SLOTS}
  br i1 %more, label %look, label %replace
replace:
  %old = atomicrmw xchg ptr @slots, ptr %it acq_rel
  br label %drop
drop:
  %gone = phi ptr [ %it, %given ], [ %old, %replace ]
  call void @drop(ptr %gone)
  br label %done
done:
  ret void
}}
"""


def symbols() -> dict[str, int]:
    """Addresses of what kernels call as ``malloc`` and ``free``, for `jit.load_object`.

    All slots together keep at most `config.pool_bytes` as it is when the first kernel that needs them is linked.
    """
    loaded = _loaded()
    return {"malloc": loaded.address("akg_malloc"), "free": loaded.address("akg_free")}


def is_needed(code: bytes) -> bool:
    """Whether object code may ask for large blocks, as the backend has marked it."""
    return b"\0akg_large_blocks\0" in code


@lru_cache(maxsize=1)
def _loaded() -> jit.Loaded:
    loaded = jit.load_object(jit.compile_llvm(_IR, opt=0), ("akg_malloc", "akg_free", "akg_kept_bytes"))
    ctypes.c_int64.from_address(loaded.address("akg_kept_bytes")).value = config.pool_bytes // SLOTS
    return loaded
