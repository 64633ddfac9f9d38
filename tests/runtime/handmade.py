"""Kernels from hand-written LLVM IR, so that the runtime is tested without a code generator."""

from collections.abc import Sequence
from typing import Any

from akg.base.dtype import DType, dtype_of
from akg.ir.expr import Expr
from akg.runtime import jit
from akg.runtime.kernel import Kernel, is_threaded, link
from akg.runtime.signature import Dim, ParamSpec, Role, Signature, packed_ir

ADD = """
define i32 @add(ptr %a, ptr %b, ptr %c, i64 %n) {
entry:
  %none = icmp sle i64 %n, 0
  br i1 %none, label %done, label %loop
loop:
  %i = phi i64 [0, %entry], [%i1, %loop]
  %pa = getelementptr float, ptr %a, i64 %i
  %pb = getelementptr float, ptr %b, i64 %i
  %pc = getelementptr float, ptr %c, i64 %i
  %x = load float, ptr %pa
  %y = load float, ptr %pb
  %s = fadd float %x, %y
  store float %s, ptr %pc
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %n
  br i1 %more, label %loop, label %done
done:
  ret i32 0
}
"""


def param(name: str, role: Role, dtype: DType | str, shape: Sequence[Expr | int] | None = None) -> ParamSpec:
    """One parameter; no shape is a scalar."""
    return ParamSpec(name, role, dtype_of(dtype), None if shape is None else tuple(Dim(e) for e in shape))


def signature(name: str, params: Sequence[ParamSpec], sizes: Sequence[str] = ()) -> Signature:
    """A signature from parameters in order, the outputs last."""
    arguments = tuple(p for p in params if p.role != "out")
    return Signature(name, arguments, tuple(p for p in params if p.role == "out"), tuple(sizes))


def kernel(text: str, sig: Signature, **keywords: Any) -> Kernel:
    """Compile `text`, which defines ``@name`` of the signature."""
    code = jit.compile_llvm(text + packed_ir(sig))
    return Kernel(sig, link(sig, code), threaded=is_threaded(code), **keywords)


def stub(name: str, params: Sequence[ParamSpec], sizes: Sequence[str] = (), *, rc: int = 0, body: str = "") -> Kernel:
    """A kernel that runs `body` (with parameters %0, %1, ...) and returns `rc`."""
    sig = signature(name, params, sizes)
    types = {
        "float64": "double",
        "float32": "float",
        "int64": "i64",
        "int32": "i32",
        "float16": "i16",
        "bfloat16": "i16",
    }
    kinds = ["ptr" if p.shape is not None else types.get(p.dtype.name, "i8") for p in sig.params] + ["i64"] * len(sizes)
    arguments = ", ".join(f"{kind} %p{k}" for k, kind in enumerate(kinds))
    return kernel(f"define i32 @{name}({arguments}) {{\n{body}\n  ret i32 {rc}\n}}\n", sig)
