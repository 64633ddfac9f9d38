"""The entry point of a kernel: ``i32 name(params...)``, and the module around it."""

from __future__ import annotations

from akg.base.config import config
from akg.base.dtype import bool_, float16, uint8
from akg.base.target import Target
from akg.codegen.llvm.apart import move_apart
from akg.codegen.llvm.arith import apply
from akg.codegen.llvm.builder import Function, Place, Unit, Value
from akg.codegen.llvm.expr import EXPRESSIONS
from akg.codegen.llvm.loops import STATEMENTS
from akg.codegen.llvm.seam import only_written, partly_joined
from akg.codegen.llvm.streaming import fence, streamed_buffers
from akg.codegen.llvm.subscript import row_major_strides
from akg.codegen.llvm.types import argument_type
from akg.codegen.llvm.workspace import with_workspace
from akg.codegen.subscripts import OUT_OF_MEMORY
from akg.ir.buffer import Buffer
from akg.ir.stmt import Kernel


def emit_module(kernel: Kernel, target: Target) -> tuple[str, Unit]:
    """The text of the LLVM module of a legalized kernel, and the unit that made it."""
    may_join = only_written(kernel)
    unit = _emit_unit(kernel, target, may_join)
    if partly := partly_joined(kernel, unit.joined):
        unit = _emit_unit(kernel, target, may_join - partly)
    width = f'"prefer-vector-width"="{target.vector_bits}"'
    if "sve" in target.features and target.vector_bits > 128:  # vectors of this size are registers of SVE
        width += f" vscale_range({target.vector_bits // 128},{target.vector_bits // 128})"
    text = "\n\n".join([
        "\n".join(unit.declarations.values()),
        *unit.functions,
        f"attributes #0 = {{ nounwind {width} }}",
        "",
    ]).lstrip()  # fmt: skip
    return text, unit


def _emit_unit(kernel: Kernel, target: Target, may_join: frozenset[Buffer]) -> Unit:
    unit = Unit(target, EXPRESSIONS, STATEMENTS)
    unit.is_finite = config.fast_math
    unit.streamed = streamed_buffers(kernel, target)
    unit.only_written = may_join
    _emit_entry(unit, kernel)
    return unit


def _emit_entry(unit: Unit, kernel: Kernel) -> None:
    f = Function(unit, kernel.name)
    arguments: list[str] = []
    for param in kernel.params:
        value = param.value
        if isinstance(value, Buffer):
            f.places[value] = Place(f"%b.{value.name}", row_major_strides(value.shape))
            arguments.append(f"ptr noalias %b.{value.name}")
        else:
            text = f"%s.{value.name}"
            arguments.append(f"{argument_type(value.dtype)} {text}")
            f.vars[value] = _scalar(f, Value(text, value.dtype))
    move_apart(f, kernel)
    got = with_workspace(f, kernel.body, lambda: f.emit(kernel.body))
    fence(f)
    status = f.here(f"load i32, ptr {f.failure}") if f.failure else "0"
    if got is not None:
        status = f.here(f"select {got}, i32 {status}, i32 {OUT_OF_MEMORY}")
    f.line(f"ret i32 {status}")
    unit.functions.append(f.text(f"i32 @{kernel.name}({', '.join(arguments)})", "#0"))


def _scalar(f: Function, argument: Value) -> Value:
    """A scalar argument as a value of its type: bools arrive as bytes, 16-bit floats as their bits."""
    dtype = argument.dtype
    if dtype is bool_:
        byte = Value(argument.text, uint8)
        return apply(f, bool_, "icmp ne {t} {0}, {1}", byte, Value("0", uint8, 0, 0, True))
    if dtype is float16:
        return Value(f.at(0, f"bitcast i16 {argument.text} to half"), float16)
    return argument
