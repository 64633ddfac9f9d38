"""Expressions as C: text with a binding strength, values used twice as local constants, branches that stay lazy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

from akg.base.dtype import DType, bool_, float32, index
from akg.base.errors import InternalError
from akg.codegen.c.names import Fresh
from akg.codegen.subscripts import Checks, needs_check
from akg.ir.buffer import Buffer
from akg.ir.expr import COMPARISONS, Binary, Call, Cast, Const, Expr, Load, Select, Unary, Var
from akg.ir.rewrite import walk_expr

# Text and how strongly its outermost operator binds.
Text = tuple[str, int]
ATOM, UNARY, PRODUCT, SUM, SHIFT, RELATION, EQUALITY, BIT_AND, BIT_XOR, BIT_OR, AND, OR, CHOICE = range(16, 3, -1)

_INFIX: dict[str, tuple[str, int]] = {
    "add": ("+", SUM), "sub": ("-", SUM), "mul": ("*", PRODUCT), "div": ("/", PRODUCT), "lt": ("<", RELATION),
    "le": ("<=", RELATION), "gt": (">", RELATION), "ge": (">=", RELATION), "eq": ("==", EQUALITY),
    "ne": ("!=", EQUALITY), "and": ("&", BIT_AND), "xor": ("^", BIT_XOR), "or": ("|", BIT_OR), "shl": ("<<", SHIFT),
    "shr": (">>", SHIFT),
}  # fmt: skip
_LOGICAL = {"and": ("&&", AND), "or": ("||", OR), "xor": ("!=", EQUALITY), "eq": ("==", EQUALITY)}
_SUFFIXES = {
    "float64": "f64", "float32": "f32", "float16": "f32", "bfloat16": "f32", "int64": "i64", "index": "i64",
    "int32": "i32", "int16": "i16", "int8": "i8", "uint8": "u8",
    "uint16": "u16", "uint32": "u32", "uint64": "u64",
}  # fmt: skip
_SHORT = {"float16": "f16", "bfloat16": "bf16"}
# Where the C library has another name than `akg.ir.expr`: round is to even.
_LIBRARY = {"exp_below": "exp", "round": "rint"}


def at_least(text: Text, strength: int) -> str:
    """The text, in parentheses if it binds more weakly than `strength`."""
    return text[0] if text[1] >= strength else f"({text[0]})"


class ExpressionPrinter:
    """Prints the expressions of one kernel. Subclasses for other C dialects override the hooks.

    Attributes:
        names: the C identifier of every variable and buffer.
        lines: where declarations of temporaries go; whoever prints a statement sets it.
        helpers: names of helper functions used so far.
    """

    # hooks: types of values in registers and in memory
    types: ClassVar[dict[str, str]] = {
        "float64": "double", "float32": "float", "float16": "float", "bfloat16": "float", "int64": "int64_t",
        "int32": "int32_t", "int16": "int16_t", "int8": "int8_t", "uint8": "uint8_t", "bool": "uint8_t",
        "uint16": "uint16_t", "uint32": "uint32_t", "uint64": "uint64_t",
        "index": "int64_t",
    }  # fmt: skip
    stored_types: ClassVar[dict[str, str]] = {**types, "float16": "uint16_t", "bfloat16": "uint16_t"}

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names
        self.fresh = Fresh(names.values())
        self.lines: list[str] = []
        self.helpers: set[str] = set()
        self.scalars: set[Buffer] = set()  # temporaries of rank 0 that are plain variables
        self.replaced: dict[tuple[Buffer, tuple[Expr, ...]], str] = {}  # elements that a variable stands for
        self.checks = Checks()
        self.current = ""  # the statement that is printed now
        self.from_data: set[Var] = set()  # variables of loops with bounds from data
        self.has_status = False  # whether the kernel may fail
        self._scopes: list[dict[Expr, str]] = []
        self._uses: Counter[Expr] = Counter()

    # --- hooks ----------------------------------------------------------------------------------------

    def load_text(self, buffer: Buffer, place: str) -> Text:
        """The value of the element at `place`."""
        short = _SHORT.get(buffer.dtype.name)
        return (place, ATOM) if short is None else (self.helper(f"akg_f32_of_{short}", place), ATOM)

    def store_text(self, buffer: Buffer, value: Text) -> str:
        """`value` in the form in which memory holds it."""
        short = _SHORT.get(buffer.dtype.name)
        return value[0] if short is None else self.helper(f"akg_{short}_of_f32", value[0])

    def library(self, fn: str, dtype: DType, args: list[str]) -> str:
        """A call of a mathematical function on floats."""
        if fn in ("sigmoid", "rsqrt", "ldexp"):
            return self.helper(f"akg_{fn}_{_SUFFIXES[dtype.name]}", *args)
        if fn in ("isnan", "isinf", "isfinite"):
            return f"({fn}({args[0]}) != 0)"
        name = _LIBRARY.get(fn, fn)
        return f"{name}{'f' if dtype.compute is float32 else ''}({', '.join(args)})"

    def check(self, subscript: Text, extent: Text, status: int) -> str:
        """Whether a subscript is in 0..extent-1; if not, the kernel returns `status`."""
        self.has_status = True
        return self.helper("akg_inside", subscript[0], extent[0], str(status), "&status")

    # --- entry points -----------------------------------------------------------------------------------

    def begin(self, roots: Iterable[Expr]) -> None:
        """Forget temporaries and count the uses of every node in the expressions of the next statement."""
        self._scopes = [{}]
        self._uses = Counter()
        seen: set[Expr] = set()
        for root in roots:
            self._uses[root] += 1
            for node in walk_expr(root):
                if node not in seen:
                    seen.add(node)
                    self._uses.update(node.children)

    def value(self, node: Expr) -> Text:
        """The text of `node`; a node used twice becomes a constant at its first use."""
        for scope in self._scopes:
            if node in scope:
                return scope[node], ATOM
        rule = _RULES.get(type(node))
        if rule is None:
            raise InternalError(f"{type(node).__name__} has no text in C")
        text = rule(self, node)
        if self._uses[node] < 2 or not node.children:
            return text
        if text[1] == ATOM and text[0].isidentifier():
            self._scopes[-1][node] = text[0]
            return text
        return self.keep(node, text), ATOM

    def keep(self, node: Expr, text: Text) -> str:
        """Declare a constant for `node` in the scope that is open."""
        name = self.fresh()
        self.lines.append(f"const {self.types[node.dtype.name]} {name} = {text[0]};")
        self._scopes[-1][node] = name
        return name

    def helper(self, name: str, *args: str) -> str:
        """A call of a helper function."""
        self.helpers.add(name)
        return f"{name}({', '.join(args)})"

    def element(self, buffer: Buffer, indices: tuple[Expr, ...]) -> str:
        """The place of an element: ``A[(i * n + j) * k + l]``."""
        variable = self.replaced.get((buffer, indices))
        if variable is not None:
            return variable
        name = self.names[buffer.name]
        if not indices:
            return name if buffer in self.scalars else f"{name}[0]"
        text = self.value(indices[0])
        for subscript, size in zip(indices[1:], buffer.shape[1:], strict=True):
            row = ("0", ATOM) if text[0] == "0" else (f"{at_least(text, PRODUCT)} * {self._size(size)}", PRODUCT)
            inner = self.value(subscript)
            if row[0] == "0":
                text = inner
            elif inner[0] == "0":
                text = row
            else:
                text = f"{row[0]} + {at_least(inner, SUM)}", SUM
        return f"{name}[{text[0]}]"

    def inside(self, buffer: Buffer, indices: tuple[Expr, ...], is_write: bool) -> str:
        """The condition under which an access stays inside its array; empty if it was proved to."""
        if (buffer, indices) in self.replaced:
            return ""
        words: list[str] = []
        for position, (subscript, extent) in enumerate(zip(indices, buffer.shape, strict=True)):
            if needs_check(subscript, extent, self.from_data):
                self._uses[subscript] += 1  # here and in the place
                status = self.checks.status(self.current, buffer, indices, position, is_write)
                words.append(self.check(self.value(subscript), self.value(extent), status))
        return " && ".join(words) if len(words) < 2 else f"({' && '.join(words)})"

    def _size(self, size: Expr) -> str:
        return at_least(self.value(size), UNARY)

    def branch(self, node: Expr) -> tuple[Text, list[str]]:
        """The text of `node` in a scope of its own, and the declarations it needs there."""
        outer, self.lines = self.lines, []
        self._scopes.append({})
        try:
            return self.value(node), self.lines
        finally:
            self.lines = outer
            self._scopes.pop()


# --- rules, one for each class of node ----------------------------------------------------------------


def literal(value: float | int | bool, dtype: DType) -> Text:
    """A constant of `dtype` in C."""
    if dtype is bool_:
        return ("1" if value else "0"), ATOM
    if dtype.is_float:
        return _float_literal(float(value), dtype.compute is float32)
    number = int(value)
    if dtype is not index:
        number &= (1 << dtype.bits) - 1
        if dtype.kind == "int" and number >> (dtype.bits - 1):
            number -= 1 << dtype.bits
    if number == -(2**63):
        return "INT64_MIN", ATOM
    text = f"INT64_C({number})" if not -(2**31) < number < 2**31 else str(number)
    return text, ATOM if number >= 0 else UNARY


def _float_literal(value: float, is_f32: bool) -> Text:
    if is_f32:
        with np.errstate(over="ignore"):
            value = np.float32(value)  # pyright: ignore[reportAssignmentType]
    if math.isnan(value):
        return "NAN", ATOM
    if math.isinf(value):
        return ("INFINITY", ATOM) if value > 0 else ("-INFINITY", UNARY)
    text = str(value)
    if "." not in text and "e" not in text:
        text += ".0"
    return text + ("f" if is_f32 else ""), UNARY if text[0] == "-" else ATOM


def _const(p: ExpressionPrinter, node: Const) -> Text:
    return literal(node.value, node.dtype)


def _var(p: ExpressionPrinter, node: Var) -> Text:
    return p.names[node.name], ATOM


def _load(p: ExpressionPrinter, node: Load) -> Text:
    inside = p.inside(node.buffer, node.indices, False)
    text = p.load_text(node.buffer, p.element(node.buffer, node.indices))
    return (f"({inside} ? {at_least(text, OR)} : 0)", ATOM) if inside else text


def _unary(p: ExpressionPrinter, node: Unary) -> Text:
    a, dtype = p.value(node.a), node.dtype
    if node.op == "not":
        if dtype is bool_:
            return f"!{at_least(a, UNARY)}", UNARY
        text = f"~{at_least(a, UNARY)}"
        return (f"({p.types[dtype.name]}){text}" if dtype.bits < 32 else text), UNARY
    if dtype.is_float:
        return (f"-{at_least(a, ATOM)}", UNARY) if node.op == "neg" else (p.library("fabs", dtype, [a[0]]), ATOM)
    if dtype is index and node.op == "neg":
        return f"-{at_least(a, ATOM)}", UNARY
    if node.op == "abs" and dtype.kind == "uint":
        return a
    return p.helper(f"akg_{node.op}_{_SUFFIXES[dtype.name]}", a[0]), ATOM


def _binary(p: ExpressionPrinter, node: Binary) -> Text:
    op, dtype = node.op, node.a.dtype
    if node.a is node.b and op in COMPARISONS:  # C compilers warn of x == x
        return _same(p, op, node.a)
    a, b = p.value(node.a), p.value(node.b)
    if dtype is bool_ and op in _LOGICAL:
        return _infix(*_LOGICAL[op], a, b, op)
    suffix = _SUFFIXES.get(dtype.name, "")
    if op in ("min", "max", "floordiv", "mod"):
        if op in ("floordiv", "mod") and dtype.kind == "uint":
            return _infix("/" if op == "floordiv" else "%", PRODUCT, a, b, op)
        return p.helper(f"akg_{op}_{suffix}", a[0], b[0]), ATOM
    if dtype.is_integer and dtype is not index and op in ("add", "sub", "mul", "shl"):
        return p.helper(f"akg_{op}_{suffix}", a[0], b[0]), ATOM  # wraps
    return _infix(*_INFIX[op], a, b, op)


def _same(p: ExpressionPrinter, op: str, a: Expr) -> Text:
    if not a.dtype.is_float or op in ("lt", "gt"):
        return ("1" if op in ("eq", "le", "ge") else "0"), ATOM
    text = p.library("isnan", a.dtype, [p.value(a)[0]])
    return (text, ATOM) if op == "ne" else (f"!{text}", UNARY)


def _infix(symbol: str, strength: int, a: Text, b: Text, op: str) -> Text:
    if strength in (SUM, PRODUCT):
        # operations on floats are not associative, so the right operand keeps its parentheses
        return f"{at_least(a, strength)} {symbol} {at_least(b, strength + 1)}", strength
    if symbol in ("&&", "||"):
        return f"{_joined(a, strength)} {symbol} {_joined(b, strength)}", strength
    inner = SUM if strength == RELATION else UNARY
    return f"{at_least(a, inner)} {symbol} {at_least(b, inner)}", strength


def _joined(text: Text, strength: int) -> str:
    return text[0] if text[1] >= EQUALITY or text[1] == strength else f"({text[0]})"


def _cast(p: ExpressionPrinter, node: Cast) -> Text:
    a, source, to = p.value(node.a), node.a.dtype, node.dtype
    if to is bool_:
        return f"{at_least(a, RELATION + 1)} != 0", EQUALITY
    short = _SHORT.get(to.name)
    if short is not None:
        if source is to:
            return a
        return p.helper(f"akg_round_{short}", a[0]), ATOM
    if p.types[source.name] == p.types[to.name] and source is not bool_:
        return a
    return f"({p.types[to.name]}){at_least(a, UNARY)}", UNARY


def _select(p: ExpressionPrinter, node: Select) -> Text:
    cond = p.value(node.cond)
    if not (_may_fault(node.a) or _may_fault(node.b)):
        a, b = p.value(node.a), p.value(node.b)
        return f"{at_least(cond, OR)} ? {at_least(a, OR)} : {at_least(b, CHOICE)}", CHOICE
    a, a_lines = p.branch(node.a)
    b, b_lines = p.branch(node.b)
    if not a_lines and not b_lines:
        return f"{at_least(cond, OR)} ? {at_least(a, OR)} : {at_least(b, CHOICE)}", CHOICE
    name = p.fresh()
    p.lines += [f"{p.types[node.dtype.name]} {name};", f"if ({cond[0]}) {{"]
    p.lines += [f"  {line}" for line in (*a_lines, f"{name} = {a[0]};")]
    p.lines.append("} else {")
    p.lines += [f"  {line}" for line in (*b_lines, f"{name} = {b[0]};")]
    p.lines.append("}")
    return name, ATOM


def _may_fault(node: Expr) -> bool:
    """Whether evaluating `node` where it is not asked for could read out of bounds or divide by zero."""
    return any(
        isinstance(n, Load) or (isinstance(n, Binary) and n.op in ("floordiv", "mod") and not isinstance(n.b, Const))
        for n in walk_expr(node)
    )


def _call(p: ExpressionPrinter, node: Call) -> Text:
    args = [p.value(a)[0] for a in node.args]
    source = node.args[0].dtype
    if node.fn == "bitcast":
        to, of = _SUFFIXES[node.dtype.name], _SUFFIXES[source.name]
        if node.dtype.bits != source.bits or node.dtype.compute is not node.dtype or source.compute is not source:
            raise InternalError(f"bitcast from {source} to {node.dtype} in C")
        return (args[0], CHOICE) if to == of else (p.helper(f"akg_bits_{to}_{of}", args[0]), ATOM)
    if node.fn == "rarely":
        usual, is_rare, other = (p.value(a) for a in node.args[:3])
        return f"{at_least(is_rare, OR)} ? {at_least(other, OR)} : {at_least(usual, CHOICE)}", CHOICE
    return p.library(node.fn, source, args), ATOM


_RULES: dict[type[Expr], Callable[[ExpressionPrinter, Any], Text]] = {
    Const: _const, Var: _var, Load: _load, Unary: _unary, Binary: _binary, Cast: _cast, Select: _select, Call: _call,
}  # fmt: skip
