"""What a kernel takes and gives: names, roles, dtypes, shapes over sizes; and the packed calling convention.

Compiled kernels are C functions with a parameter each. Calls from Python go through a second function beside
it, ``int32 <symbol>_packed(slots)``, which takes all arguments in one array of 8-byte slots, so that one call
sequence serves every kernel. `packed_ir` is its text, to be compiled in one module with the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from akg.base.dtype import DType
from akg.base.errors import InternalError
from akg.base.symbols import symbol_of
from akg.ir import stmt
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Var
from akg.ir.rewrite import substitute
from akg.ir.simplify import simplify

Role = Literal["in", "out", "inout", "scalar"]

_LLVM_TYPES = {
    "float64": "double", "float32": "float", "float16": "i16", "bfloat16": "i16", "int64": "i64", "int32": "i32",
    "int16": "i16", "int8": "i8", "uint8": "i8", "uint16": "i16", "uint32": "i32",
    "uint64": "i64", "bool": "i8", "index": "i64",
}  # fmt: skip


class Dim:
    """One dimension of a shape: an index expression over the kernel's sizes.

    Attributes:
        terms: (size, coefficient) of the affine form, or None if the expression is not affine.
        const: constant of the affine form.
    """

    __slots__ = ("const", "expr", "is_const", "terms")

    def __init__(self, expr: Expr | int) -> None:
        self.expr: Expr = Const(expr) if isinstance(expr, int) else expr
        form = Affine.of(self.expr)
        self.const = form.const if form is not None else 0
        self.terms = tuple((v.name, c) for v, c in form.terms.items()) if form is not None else None
        self.is_const = self.terms == ()

    def evaluate(self, sizes: Mapping[str, int]) -> int:
        """The extent under given sizes.

        Raises:
            KeyError: a size is missing.
        """
        if self.terms is not None:
            total = self.const
            for name, c in self.terms:
                total += c * sizes[name]
            return total
        value = simplify(substitute(self.expr, {Var(name): Const(n) for name, n in sizes.items()}))
        if not isinstance(value, Const):
            raise KeyError(str(value))
        return int(value.value)

    def solve(self, extent: int, known: Mapping[str, int]) -> tuple[str, int] | None:
        """The one unknown size that makes the dimension `extent`; None where there is not exactly one."""
        unknown = None
        rest = extent - self.const
        for name, c in self.terms or ():
            if name in known:
                rest -= c * known[name]
            elif unknown is None:
                unknown = (name, c)
            else:
                return None
        if unknown is None or rest % unknown[1]:
            return None
        return unknown[0], rest // unknown[1]

    def __str__(self) -> str:
        if self.terms is None:
            return str(self.expr)
        text = ""
        for name, c in self.terms:
            factor = name if abs(c) == 1 else f"{abs(c)}*{name}"
            text += (f" {'-' if c < 0 else '+'} " if text else "-" if c < 0 else "") + factor
        if self.const or not text:
            text += f" {'-' if self.const < 0 else '+'} {abs(self.const)}" if text else str(self.const)
        return text


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One argument. `shape` is None for a scalar passed by value, () for a buffer of one element."""

    name: str
    role: Role
    dtype: DType
    shape: tuple[Dim, ...] | None

    @property
    def is_written(self) -> bool:
        """Whether the kernel writes to it."""
        return self.role in ("out", "inout")

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.name}: {self.dtype}"
        return f"{self.name}: {self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True, slots=True)
class Signature:
    """A kernel's parameters: first the user's arguments in order, then the outputs, then the sizes."""

    name: str
    arguments: tuple[ParamSpec, ...]
    outputs: tuple[ParamSpec, ...]
    sizes: tuple[str, ...]

    @staticmethod
    def of(kernel: stmt.Kernel) -> Signature:
        """The signature of a loop IR kernel; constant parameters are none of the caller's business.

        Raises:
            InternalError: parameters are not in the order arguments, outputs, sizes.
        """
        arguments: list[ParamSpec] = []
        outputs: list[ParamSpec] = []
        sizes: list[str] = []
        for param in kernel.params:
            value = param.value
            if param.constant:
                continue
            if param.role == "size":
                sizes.append(param.name)
                continue
            sizes_of = value.shape if isinstance(value, Buffer) and param.shape is None else param.shape
            shape = None if sizes_of is None else tuple(Dim(e) for e in sizes_of)
            spec = ParamSpec(param.name, param.role, value.dtype, shape)
            if sizes or (outputs and param.role != "out"):
                raise InternalError(f"kernel {kernel.name}: parameter {param.name} comes too late")
            (outputs if param.role == "out" else arguments).append(spec)
        return Signature(kernel.name, tuple(arguments), tuple(outputs), tuple(sizes))

    @property
    def params(self) -> tuple[ParamSpec, ...]:
        """Arguments and outputs."""
        return (*self.arguments, *self.outputs)

    @property
    def symbol(self) -> str:
        """The symbol of the kernel itself: its name, unless that is taken."""
        return symbol_of(self.name)

    @property
    def packed_symbol(self) -> str:
        """The symbol of the function that takes packed slots."""
        return f"{self.symbol}_packed"

    @property
    def table_symbol(self) -> str:
        """The symbol of the addresses of constant arrays, in the order of the kernel's parameters."""
        return f"{self.symbol}_constants"

    def __str__(self) -> str:
        result = ", ".join(str(p) for p in self.outputs) or "None"
        return f"{self.name}({', '.join(str(p) for p in self.arguments)}) -> {result}"


def packed_ir(signature: Signature, params: tuple[stmt.Param, ...] = ()) -> str:
    """LLVM IR of ``int32 <symbol>_packed(ptr slots)``: loads each argument from its slot and calls the kernel.

    Where some of the kernel's `params` are constant, their addresses come from the table `Signature.table_symbol`.
    """
    types = ["ptr" if p.shape is not None else _LLVM_TYPES[p.dtype.name] for p in signature.params]
    types += ["i64"] * len(signature.sizes)
    lines = [f"define i32 @{signature.packed_symbol}(ptr %slots) {{"]
    for k, kind in enumerate(types):
        lines.append(f"  %p{k} = getelementptr i64, ptr %slots, i64 {k}")
        lines.append(f"  %a{k} = load {kind}, ptr %p{k}, align 8")
    order = [f"{kind} %a{k}" for k, kind in enumerate(types)]
    constants = [k for k, p in enumerate(params) if p.constant]
    if constants:
        table = f"@{signature.table_symbol}"
        lines.insert(0, f"{table} = global [{len(constants)} x ptr] zeroinitializer, align 8")
        for number, k in enumerate(constants):
            lines.append(f"  %q{number} = getelementptr ptr, ptr {table}, i64 {number}")
            lines.append(f"  %c{number} = load ptr, ptr %q{number}, align 8")
            order.insert(k, f"ptr %c{number}")
    arguments = ", ".join(order)
    lines += [f"  %rc = call i32 @{signature.symbol}({arguments})", "  ret i32 %rc", "}"]
    return "\n".join(lines) + "\n"


def declare_ir(signature: Signature) -> str:
    """LLVM IR declaration of the kernel itself, for a module that holds only `packed_ir`."""
    types = ["ptr" if p.shape is not None else _LLVM_TYPES[p.dtype.name] for p in signature.params]
    return f"declare i32 @{signature.symbol}({', '.join(types + ['i64'] * len(signature.sizes))})\n"
