"""Statements and kernels as C.

`CPrinter` prints C99 with OpenMP pragmas. Printers for other C dialects derive from it and override the hooks:
how a loop of each kind begins, how a temporary is declared, the frame of the function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from akg.base.errors import AkgError, InternalError
from akg.codegen.c.expression import SUM, ExpressionPrinter, at_least
from akg.codegen.c.helpers import helper_text, with_dependences
from akg.codegen.c.names import c_names
from akg.codegen.subscripts import depends_on_data
from akg.ir.buffer import Buffer
from akg.ir.expr import Expr, Var
from akg.ir.rewrite import buffers_read, variables_of
from akg.ir.stmt import (
    Alloc,
    Barrier,
    Block,
    For,
    If,
    Kernel,
    Param,
    Prefetch,
    Stmt,
    Store,
    walk,
)  # fmt: skip

# A temporary of constant size up to this lives on the stack of its thread.
STACK_BYTES = 1 << 16
_OPENMP_REDUCTIONS = {"sum": "+", "prod": "*", "max": "max", "min": "min", "top": "max"}


class CPrinter(ExpressionPrinter):
    """Prints one kernel; make a new one for each."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(c_names(_names_of(kernel)))
        self.kernel = kernel
        self.depth = 1
        self.parallel_depth = self.vector_depth = 0

    # --- hooks ----------------------------------------------------------------------------------------

    def headers(self) -> list[str]:
        """What comes before the helpers."""
        return [f"#include <{name}.h>" for name in ("math", "stdint", "stdlib", "string")]

    def parameter(self, param: Param) -> str:
        """The declaration of one parameter."""
        value = param.value
        if isinstance(value, Buffer):
            const = "const " if param.role == "in" else ""
            return f"{const}{self.stored_types[value.dtype.name]} *{self.names[value.name]}"
        stored = self.stored_types[value.dtype.name]
        is_plain = stored == self.types[value.dtype.name]
        return f"{stored} {self.names[value.name] if is_plain else 'bits_of_' + value.name}"

    def signature(self) -> str:
        """The head of the function."""
        words = [self.parameter(p) for p in self.kernel.params]
        one_line = ", ".join(words) or "void"
        head = f"int32_t {self.names[self.kernel.name]}("
        if len(head) + len(one_line) <= 110:
            return f"{head}{one_line}) {{"
        return head + "\n    " + ",\n    ".join(words) + ") {"

    def loop_pragma(self, loop: For) -> str:
        """A pragma for the line before a loop, or an empty string."""
        if loop.kind == "parallel":
            return "" if self.vector_depth else "#pragma omp parallel for"  # OpenMP forbids it inside simd
        if loop.kind == "unroll" and loop.const_trips:
            return f"#pragma GCC unroll {min(loop.const_trips, 65534)}"
        return ""

    def barrier(self, node: Barrier) -> None:
        """A barrier, which only devices have."""
        raise _no_device("a barrier")

    def prefetch(self, node: Prefetch) -> None:
        """A prefetch, which compilers for processors know; lanes would each have one."""
        if self.vector_depth:
            return
        locality = 3 if node.level == 1 else 2
        self.put(f"__builtin_prefetch(&{self._place(node.buffer, node.indices)}, {int(node.writes)}, {locality});")

    def loop(self, node: For) -> None:
        """A loop and its body."""
        if node.kind in ("block", "thread"):
            raise _no_device(f"a {node.kind} loop")
        reductions = self._reductions(node) if node.kind == "vector" and not _is_block(node) else None
        if not reductions:
            self._counted(node, self.loop_pragma(node) if reductions is None else "#pragma omp simd")
            return
        # OpenMP reduces into variables: each element that the loop reduces into is one while it runs
        clauses = ""
        own: dict[str, str] = {}
        for s in reductions:
            element = (s.buffer, s.indices)
            if element not in self.replaced:
                place, name = self._place(*element), self.fresh()
                own[name] = place
                self.put(f"{self.types[s.buffer.dtype.name]} {name} = {place};")
                self.replaced[element] = name
            clauses += f" reduction({_OPENMP_REDUCTIONS[s.reduction or '']}: {self.replaced[element]})"
        self._counted(node, "#pragma omp simd" + clauses)
        for name, place in own.items():
            self.put(f"{place} = {name};")
        self.replaced = {e: name for e, name in self.replaced.items() if name not in own}

    def _counted(self, node: For, pragma: str) -> None:
        begin, end = self._texts(node.begin, node.end)
        if any(depends_on_data(e, self.from_data) for e in (node.begin, node.end)):
            self.from_data.add(node.var)
        if pragma:
            self.put(pragma)
        i = self.names[node.var.name]
        step = f"++{i}" if node.step == 1 else f"{i} += {node.step}"
        self.put(f"for (int64_t {i} = {begin[0]}; {i} < {at_least(end, SUM)}; {step}) {{")
        is_parallel, is_vector = node.kind == "parallel", node.kind == "vector" and not _is_block(node)
        self.parallel_depth += is_parallel
        self.vector_depth += is_vector
        self.indented(node.body)
        self.parallel_depth -= is_parallel
        self.vector_depth -= is_vector
        self.put("}")

    def allocate(self, node: Alloc) -> None:
        """A temporary and the statements that use it."""
        buffer = node.buffer
        name, kind = self.names[buffer.name], self.stored_types[buffer.dtype.name]
        sizes = buffer.const_shape
        elements = 1
        for size in sizes or ():
            elements *= size
        if sizes is None or elements * buffer.dtype.itemsize_bytes > STACK_BYTES:
            self._allocate_on_heap(node, name, kind)
            return
        if sizes == ():
            self.scalars.add(buffer)
            self.put(f"{kind} {name};")
        else:
            self.put(f"{kind} {name}[{' * '.join(map(str, sizes)) if elements else 1}];")
        if buffer not in buffers_read(node.body):
            self.put(f"(void){name};  // written, never read")
        self.statement(node.body)  # names are unique in a kernel: no braces

    # --- printing ---------------------------------------------------------------------------------------

    def text(self) -> str:
        """The whole translation unit."""
        body: list[str] = []
        self.lines = body
        for param in self.kernel.params:
            value = param.value
            if isinstance(value, Var) and self.stored_types[value.dtype.name] != self.types[value.dtype.name]:
                short = {"float16": "f16", "bfloat16": "bf16"}[value.dtype.name]
                word = self.helper(f"akg_f32_of_{short}", f"bits_of_{value.name}")
                self.put(f"const float {self.names[value.name]} = {word};")
        self.statement(self.kernel.body)
        head = ["  int32_t status = 0;"] if self.has_status else []
        result = "  return status;" if self.has_status else "  return 0;"
        helpers = "\n\n".join(helper_text(h) for h in with_dependences(self.helpers))
        parts = ["\n".join(self.headers()), helpers, "\n".join([self.signature(), *head, *body, result, "}"])]
        return "\n\n".join(p for p in parts if p) + "\n"

    def put(self, line: str) -> None:
        """Add a line at the current depth; pragmas are indented too."""
        self.lines.append("  " * self.depth + line)

    def statement(self, node: Stmt) -> None:
        """Print a statement."""
        self.current = next((s.name for s in walk(node) if isinstance(s, Store)), self.current)
        rule = _STATEMENTS.get(type(node))
        if rule is None:
            raise InternalError(f"{type(node).__name__} has no text in C")
        rule(self, node)

    def indented(self, node: Stmt) -> None:
        """Print a statement one level deeper."""
        self.depth += 1
        self.statement(node)
        self.depth -= 1

    def _texts(self, *roots: Expr) -> list[tuple[str, int]]:
        """The texts of the expressions of one statement; their temporaries come before it."""
        self.begin(roots)
        outer, self.lines = self.lines, []
        texts = [self.value(r) for r in roots]
        declared, self.lines = self.lines, outer
        for line in declared:
            self.put(line)
        return texts

    def block(self, node: Block) -> None:
        for inner in node.body:
            self.statement(inner)

    def conditional(self, node: If) -> None:
        (cond,) = self._texts(node.cond)
        self.put(f"if ({cond[0]}) {{")
        self.indented(node.then)
        if node.orelse is not None:
            self.put("} else {")
            self.indented(node.orelse)
        self.put("}")

    def store(self, node: Store) -> None:
        # the place shares temporaries with the value
        self.begin((*node.indices, *node.buffer.shape[1:], node.value))
        outer, self.lines = self.lines, []
        value = self.store_text(node.buffer, self.value(node.value))
        inside = self.inside(node.buffer, node.indices, True)
        place = self.element(node.buffer, node.indices)
        declared, self.lines = self.lines, outer
        for line in declared:
            self.put(line)
        guard = f"if ({inside}) " if inside else ""
        self.put(f"{guard}{place} = {value};  // {node.name}")

    def _allocate_on_heap(self, node: Alloc, name: str, kind: str) -> None:
        self.has_status = True
        texts = self._texts(*node.buffer.shape)
        count = " * ".join(at_least(t, SUM + 1) for t in texts)
        self.put(f"{kind} *{name} = malloc(sizeof({kind}) * (size_t)({count}) + 1);")
        self.put(f"if ({name} == NULL) {{")
        if self.parallel_depth:
            self.put("  #pragma omp atomic write")
        self.put("  status = 1;")
        self.put("} else {")
        self.indented(node.body)
        self.put(f"  free({name});")
        self.put("}")

    def _place(self, buffer: Buffer, indices: tuple[Expr, ...]) -> str:
        """The text of an element without temporaries."""
        self.begin(())
        return self.element(buffer, indices)

    def _reductions(self, loop: For) -> list[Store] | None:
        """One store for each element that a vector loop reduces into; None if OpenMP cannot say it."""
        found: dict[tuple[Buffer, tuple[Expr, ...]], Store] = {}
        inside = list(walk(loop.body))
        inner = {loop.var} | {s.var for s in inside if isinstance(s, For)}
        own = {s.buffer for s in inside if isinstance(s, Alloc)}
        stores = [s for s in inside if isinstance(s, Store) and s.buffer not in own]
        for s in stores:
            if s.reduction is None or loop.var in _variables(s.indices):
                continue
            stays = not inner & _variables(s.indices)
            loses_nan = s.reduction in ("max", "min") and s.buffer.dtype.is_float
            is_proved = not any(depends_on_data(i, self.from_data) for i in s.indices)
            is_plain = self.stored_types[s.buffer.dtype.name] == self.types[s.buffer.dtype.name]
            if not stays or not is_proved or loses_nan or not is_plain:
                return None
            found.setdefault((s.buffer, s.indices), s)
        reduced = {s.buffer: s.reduction for s in found.values()}
        if any(reduced.get(s.buffer, s.reduction) != s.reduction for s in stores):
            return None
        return list(found.values())


def _variables(indices: tuple[Expr, ...]) -> set[Var]:
    return {v for i in indices for v in variables_of(i)}


def _names_of(kernel: Kernel) -> list[str]:
    names = [kernel.name, *(p.name for p in kernel.params)]
    for s in walk(kernel.body):
        if isinstance(s, For):
            names.append(s.var.name)
        elif isinstance(s, Alloc):
            names.append(s.buffer.name)
    return names


def _is_block(loop: For) -> bool:
    """Whether a vector loop is the outer one of lanes in two dimensions: the inner one is for the compiler."""
    return loop.kind == "vector" and isinstance(loop.body, For) and loop.body.kind == "vector"


def _no_device(what: str) -> AkgError:
    return AkgError(
        "AKG-E407",
        f"{what} has no meaning in C for a processor",
        because="the kernel is mapped to the grid of a device",
        hint="schedule the kernel for a CPU target, or print it with the backend of the device",
    )


_STATEMENTS: dict[type[Any], Callable[[Any, Any], None]] = {
    Block: lambda p, s: p.block(s), For: lambda p, s: p.loop(s), If: lambda p, s: p.conditional(s),
    Store: lambda p, s: p.store(s), Alloc: lambda p, s: p.allocate(s), Barrier: lambda p, s: p.barrier(s),
    Prefetch: lambda p, s: p.prefetch(s),
}  # fmt: skip
