"""Rows that all rows of an output share are read where its stores keep no loads waiting.

A load waits for earlier stores whose addresses have the same low 12 bits, until they have left the processor's queue of
stores. That is rare where addresses move against each other. But a bias is added to every row of an output, and where
rows are whole pages, it lies always as far from what is stored. If that is a few lines behind, no load of the bias
begins before the vectors of a few iterations ago are stored, and the processor can overlap these few only: gelu with a
bias and a residual of 4096 x 4096 floats on a Zen 4 core takes 7.0 ms, and 8 to 23 ms where the bias lies up to eight
lines behind in its page, which small arrays do by chance. Such a row is copied on entry, to half a page away.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from akg.codegen.llvm.builder import Function
from akg.codegen.llvm.types import in_memory
from akg.ir.buffer import Buffer
from akg.ir.stmt import Kernel

PAGE_BYTES = 4096  # addresses are told apart by their place in such blocks
NEAR_BYTES = 512  # stores that are further ahead have left the queue
MAX_ROW_BYTES = 32 * 1024  # longer ones leave the first cache anyway
LEAST_ROWS = 16  # of an output, for each row copied
NAME = "akg.apart"
_FUNCTION = f"""
define internal ptr @{NAME}(ptr %row, ptr %stores, ptr %room, i64 %bytes) noinline nounwind {{
entry:
  %from = ptrtoint ptr %row to i64
  %to = ptrtoint ptr %stores to i64
  %distance = sub i64 %to, %from
  %ahead = and i64 %distance, {PAGE_BYTES - 1}
  %beyond = sub i64 %ahead, 1
  %near = icmp ult i64 %beyond, {NEAR_BYTES - 1}
  br i1 %near, label %move, label %keep
move:
  %start = ptrtoint ptr %room to i64
  %wanted = sub i64 %to, {PAGE_BYTES // 2}
  %further = sub i64 %wanted, %start
  %gap = and i64 %further, {PAGE_BYTES - 1}
  %place = getelementptr i8, ptr %room, i64 %gap
  br label %copy
copy:
  %at = phi i64 [ 0, %move ], [ %next, %copy ]
  %old = getelementptr i8, ptr %row, i64 %at
  %new = getelementptr i8, ptr %place, i64 %at
  %part = load <2 x i64>, ptr %old, align 1
  store <2 x i64> %part, ptr %new, align 1
  %next = add i64 %at, 16
  %more = icmp ult i64 %next, %bytes
  br i1 %more, label %copy, label %done
done:
  ret ptr %place
keep:
  ret ptr %row
}}""".strip()


def move_apart(f: Function, kernel: Kernel) -> None:
    """Let rows that an output of whole pages shares be read from copies where they lie badly beside the output."""
    if f.unit.target.arch != "x86_64":
        return
    outputs = [p.value for p in kernel.params if isinstance(p.value, Buffer) and p.role != "in"]
    for row in [p.value for p in kernel.params if isinstance(p.value, Buffer) and p.role == "in"]:
        out = next((out for out in outputs if _is_shared(row, out)), None)
        if out is None:
            continue
        if _FUNCTION not in f.unit.functions:
            f.unit.functions.append(_FUNCTION)
        size, old = _size_bytes(row), f.places[row]
        room = f.alloca(f"[{size + PAGE_BYTES} x i8]")
        moved = f.here(f"call ptr @{NAME}(ptr {old.pointer}, ptr {f.places[out].pointer}, ptr {room}, i64 {size})")
        f.places[row] = replace(old, pointer=moved)


def _size_bytes(buffer: Buffer) -> int:
    return in_memory(buffer.dtype).itemsize_bytes * prod(buffer.const_shape or (0,))


def _is_shared(row: Buffer, out: Buffer) -> bool:
    """Whether an input is the same for many rows of an output, each of them some pages."""
    inner, outer = row.const_shape, out.const_shape
    if not inner or not outer or in_memory(row.dtype).itemsize_bytes != in_memory(out.dtype).itemsize_bytes:
        return False
    while len(inner) > 1 and inner[0] == 1:
        inner = inner[1:]
    size = _size_bytes(row)
    is_row = len(inner) < len(outer) and outer[-len(inner) :] == inner and size % PAGE_BYTES == 0
    return is_row and 0 < size <= MAX_ROW_BYTES and prod(outer) >= LEAST_ROWS * prod(inner)
