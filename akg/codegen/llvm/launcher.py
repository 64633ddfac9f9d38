"""A kernel behind another program's launcher: threads and memory come from call-backs instead of OpenMP and libc.

Frameworks that run kernels on threads of their own pass an array of call-backs with every call. The layout is the one
of MindSpore's CPU graph kernels, ``int <symbol>(void **arguments)``:

    arguments[0]   -> {parallel_launch, malloc, free, extern_arg}
    arguments[1..] inputs, then outputs

    int parallel_launch(int (*task)(int id, int tasks, void *data), void *data, int tasks)

runs ``task`` for ids 0 <= id < tasks, and may lower the number of tasks. Object code of kernels stays as it is: the
module defines, hidden, the symbols that kernels import otherwise (GOMP_parallel, malloc and their kin), and passes
each call on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from akg.codegen.llvm.parallel import THREADS
from akg.codegen.llvm.workspace import ALIGN_BYTES

TASKS = 256  # asked of the launcher at most, which runs as many as it has threads
PROVIDED = frozenset({"GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads", THREADS, "malloc", "free"})

_RUNTIME = f"""
@akg.callbacks = internal thread_local global ptr null
@akg.task = internal thread_local global i32 0
@akg.tasks = internal thread_local global i32 1
@akg.failed = internal thread_local global i32 0

declare ptr @llvm.threadlocal.address.p0(ptr)

define internal ptr @akg.callback(i64 %number) {{
  %home = call ptr @llvm.threadlocal.address.p0(ptr @akg.callbacks)
  %table = load ptr, ptr %home
  %slot = getelementptr ptr, ptr %table, i64 %number
  %function = load ptr, ptr %slot
  ret ptr %function
}}

define hidden noalias ptr @malloc(i64 %bytes) {{
  %function = call ptr @akg.callback(i64 1)
  %block = call ptr %function(i64 %bytes)
  ret ptr %block
}}

define hidden void @free(ptr %block) {{
  %function = call ptr @akg.callback(i64 2)
  %status = call i32 %function(ptr %block)
  ret void
}}

define hidden i32 @{THREADS}() {{
  ret i32 {TASKS}
}}

define hidden i32 @omp_get_thread_num() {{
  %home = call ptr @llvm.threadlocal.address.p0(ptr @akg.task)
  %id = load i32, ptr %home
  ret i32 %id
}}

define hidden i32 @omp_get_num_threads() {{
  %home = call ptr @llvm.threadlocal.address.p0(ptr @akg.tasks)
  %count = load i32, ptr %home
  ret i32 %count
}}

define hidden void @GOMP_parallel(ptr %run, ptr %data, i32 %threads, i32 %flags) {{
  %frame = alloca [3 x ptr], align 8
  %home = call ptr @llvm.threadlocal.address.p0(ptr @akg.callbacks)
  %table = load ptr, ptr %home
  %second = getelementptr ptr, ptr %frame, i64 1
  %third = getelementptr ptr, ptr %frame, i64 2
  store ptr %run, ptr %frame
  store ptr %data, ptr %second
  store ptr %table, ptr %third
  %launch = call ptr @akg.callback(i64 0)
  %status = call i32 %launch(ptr @akg.run, ptr %frame, i32 %threads)
  %flag = call ptr @llvm.threadlocal.address.p0(ptr @akg.failed)
  %before = load i32, ptr %flag
  %after = or i32 %before, %status
  store i32 %after, ptr %flag
  ret void
}}

define internal i32 @akg.run(i32 %id, i32 %count, ptr %frame) {{
  %second = getelementptr ptr, ptr %frame, i64 1
  %third = getelementptr ptr, ptr %frame, i64 2
  %run = load ptr, ptr %frame
  %data = load ptr, ptr %second
  %table = load ptr, ptr %third
  %table_home = call ptr @llvm.threadlocal.address.p0(ptr @akg.callbacks)
  %id_home = call ptr @llvm.threadlocal.address.p0(ptr @akg.task)
  %count_home = call ptr @llvm.threadlocal.address.p0(ptr @akg.tasks)
  %old_table = load ptr, ptr %table_home
  %old_id = load i32, ptr %id_home
  %old_count = load i32, ptr %count_home
  store ptr %table, ptr %table_home
  store i32 %id, ptr %id_home
  store i32 %count, ptr %count_home
  call void %run(ptr %data)
  store ptr %old_table, ptr %table_home
  store i32 %old_id, ptr %id_home
  store i32 %old_count, ptr %count_home
  ret i32 0
}}
"""


@dataclass(frozen=True, slots=True)
class Operand:
    """What a step passes for one parameter of its kernel.

    Attributes:
        kind: "argument" (number `value`, from 0, after the call-backs), "scratch" (at byte `value` of the scratch
            memory) or "size" (the number `value` itself).
        value: see `kind`.
    """

    kind: str
    value: int


@dataclass(frozen=True, slots=True)
class Step:
    """A call of a kernel: its symbol, and its operands in the kernel's order."""

    symbol: str
    operands: tuple[Operand, ...]


def launcher(symbol: str, steps: Sequence[Step], scratch_bytes: int) -> str:
    """LLVM IR of ``int32 <symbol>(ptr arguments)``, which runs steps in order until one does not return 0.

    Args:
        symbol: of the function.
        steps: kernels to call.
        scratch_bytes: memory that the steps share, aligned to a cache line; 0: none.
    """
    head = [
        f"define i32 @{symbol}(ptr %arguments) {{",
        "entry:",
        "  %table = load ptr, ptr %arguments",
        "  %home = call ptr @llvm.threadlocal.address.p0(ptr @akg.callbacks)",
        "  %old = load ptr, ptr %home",
        "  store ptr %table, ptr %home",
        "  %flag = call ptr @llvm.threadlocal.address.p0(ptr @akg.failed)",
        "  store i32 0, ptr %flag",
    ]
    if scratch_bytes:
        head += [
            f"  %raw = call ptr @malloc(i64 {scratch_bytes + ALIGN_BYTES})",
            "  %missing = icmp eq ptr %raw, null",
            "  br i1 %missing, label %nothing, label %got",
            "nothing:",
            "  store ptr %old, ptr %home",
            "  ret i32 1",
            "got:",
            "  %number = ptrtoint ptr %raw to i64",
            "  %negative = sub i64 0, %number",
            f"  %gap = and i64 %negative, {ALIGN_BYTES - 1}",
            "  %scratch = getelementptr i8, ptr %raw, i64 %gap",
        ]
    body: list[str] = []
    for k, step in enumerate(steps):
        operands = [_operand(body, k, n, operand) for n, operand in enumerate(step.operands)]
        body += [
            f"  %status{k} = call i32 @{step.symbol}({', '.join(operands)})",
            f"  %launched{k} = load i32, ptr %flag",
            f"  %both{k} = or i32 %status{k}, %launched{k}",
            f"  %fine{k} = icmp eq i32 %both{k}, 0",
            f"  br i1 %fine{k}, label %after{k}, label %end",
            f"after{k}:",
        ]
    last = len(steps) - 1
    arrivals = [f"[ %both{k}, %{_block(k, scratch_bytes)} ]" for k in range(len(steps))] + [f"[ 0, %after{last} ]"]
    tail = ["  br label %end", "end:", f"  %result = phi i32 {', '.join(arrivals)}"]
    if scratch_bytes:
        tail.append("  call void @free(ptr %raw)")
    tail += ["  store ptr %old, ptr %home", "  ret i32 %result", "}"]
    declarations = {
        step.symbol: f"declare i32 @{step.symbol}("
        + ", ".join("i64" if o.kind == "size" else "ptr" for o in step.operands)
        + ")"
        for step in steps
    }
    return "\n".join([_RUNTIME, *declarations.values(), "", *head, *body, *tail, ""])


def _block(step: int, scratch_bytes: int) -> str:
    """The label of the block that a step's call stands in."""
    if step:
        return f"after{step - 1}"
    return "got" if scratch_bytes else "entry"


def _operand(body: list[str], step: int, number: int, operand: Operand) -> str:
    name = f"%p{step}.{number}"
    if operand.kind == "size":
        return f"i64 {operand.value}"
    if operand.kind == "scratch":
        body.append(f"  {name} = getelementptr i8, ptr %scratch, i64 {operand.value}")
        return f"ptr {name}"
    body.append(f"  {name}.slot = getelementptr ptr, ptr %arguments, i64 {operand.value + 1}")
    body.append(f"  {name} = load ptr, ptr {name}.slot")
    return f"ptr {name}"
