"""A module that needs no akg in its process: the number of threads is a variable of the object itself."""

from __future__ import annotations

from akg.codegen.llvm.parallel import THREADS

VARIABLE = "akg_num_threads"  # of C programs that call the kernel

# Weak, so that several kernels in one program share the variable; hidden, so that only the variable is seen outside.
_THREADS = f"""
@{VARIABLE} = weak global i32 1, align 4
define weak hidden i32 @{THREADS}() {{
  %count = load i32, ptr @{VARIABLE}
  ret i32 %count
}}
"""
_SERIAL = {
    f"declare i32 @{THREADS}()": f"define internal i32 @{THREADS}() {{\n  ret i32 1\n}}",
    "declare i32 @omp_get_thread_num()": "define internal i32 @omp_get_thread_num() {\n  ret i32 0\n}",
    "declare i32 @omp_get_num_threads()": "define internal i32 @omp_get_num_threads() {\n  ret i32 1\n}",
    "declare void @GOMP_parallel(ptr, ptr, i32, i32)": (
        "define internal void @GOMP_parallel(ptr %run, ptr %data, i32 %threads, i32 %flags) {\n"
        "  call void %run(ptr %data)\n  ret void\n}"
    ),
}


def standalone(text: str, *, is_serial: bool = False) -> str:
    """A module whose parallel loops ask ``akg_num_threads``, an int32 that it defines, weak and 1 at first.

    Args:
        text: what the backend emitted.
        is_serial: run parallel loops on the calling thread; nothing of OpenMP is left then.
    """
    if is_serial:
        for declaration, definition in _SERIAL.items():
            text = text.replace(declaration, definition)
        return text
    declaration = f"declare i32 @{THREADS}()"
    return text.replace(declaration, "") + _THREADS if declaration in text else text
