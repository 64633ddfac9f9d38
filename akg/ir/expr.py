"""Interned scalar expressions: the leaves of every program akg compiles.

    expr   := Const(value) | Var(name) | Load(buffer, expr*) | Unary(op, expr) | Binary(op, expr, expr)
            | Cast(expr) | Select(expr, expr, expr) | Call(fn, expr*) | Reduce(combiner, expr*, axis*, position)

Nodes are immutable and interned: structurally equal nodes are the same object, so ``is`` compares and
dictionaries keyed by nodes are cheap. An expression is therefore a DAG; walk it with a memo table.

Python operators build nodes through the functions of this file, which convert Python numbers, promote
types and fold *integer* arithmetic on constants. Floating-point operands are never rearranged here.
``a == b`` builds a comparison; its truth value is identity, so nodes work as dictionary keys.

Semantics, which every backend and the interpreter share:
  * integers wrap; ``floordiv`` and ``mod`` round towards minus infinity; division by zero is undefined;
  * float16 and bfloat16 operands are widened to float32, and only a `Cast` or a store rounds;
  * ``min``/``max`` return NaN if either side is NaN, as NumPy's minimum and maximum do;
  * `Select` evaluates lazily: the branch that is not taken does not read memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from akg.base.dtype import DType, bool_, dtype_of, float32, float64, index, int64, promote
from akg.base.errors import AkgError
from akg.ir.functions import CALLS, PREDICATE_CALLS
from akg.ir.symbolic import NodeTable, Symbolic, check_held

if TYPE_CHECKING:
    from akg.ir.buffer import Buffer

Scalar: TypeAlias = "int | float | bool"
ExprLike: TypeAlias = "Expr | int | float | bool"

ARITHMETIC = frozenset({"add", "sub", "mul", "div", "floordiv", "mod", "min", "max"})
BITWISE = frozenset({"and", "or", "xor", "shl", "shr"})  # on bool: the logical operations
COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
BINARY_OPS = ARITHMETIC | BITWISE | COMPARISONS
UNARY_OPS = frozenset({"neg", "not", "abs"})  # "not": logical on bool, bitwise on integers


class Expr(Symbolic):
    """Base of all expressions. Do not construct; use the node classes or the operators."""

    __slots__ = ("__weakref__", "affine_form", "dtype", "loads_inside", "simple_form", "variables_inside")
    dtype: DType
    loads_inside: tuple[Load, ...]  # of the operands, once `akg.ir.rewrite.loads_of` has looked
    variables_inside: tuple[Var, ...]
    affine_form: Any  # once `akg.ir.affine.Affine.of` has looked; None if there is none
    simple_form: Expr | None  # once `akg.ir.simplify.simplify` has looked; None if that is the node itself
    _functions = CALLS
    _operand = staticmethod(lambda value: as_expr(value))  # defined below
    _table: ClassVar[NodeTable[Expr]] = NodeTable()

    @property
    def children(self) -> tuple[Expr, ...]:
        """The operands, in order."""
        return ()

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        """The same node over other operands (no folding, no promotion)."""
        assert not children
        return self

    __hash__ = object.__hash__  # by identity, and no Python function: most of a build's look-ups are of nodes

    def __str__(self) -> str:
        from_text = _printer[0]
        return from_text(self) if from_text is not None else object.__repr__(self)

    def __repr__(self) -> str:
        return str(self)

    def __add__(self, other: ExprLike) -> Expr: return binary("add", self, other)
    def __radd__(self, other: ExprLike) -> Expr: return binary("add", other, self)
    def __sub__(self, other: ExprLike) -> Expr: return binary("sub", self, other)
    def __rsub__(self, other: ExprLike) -> Expr: return binary("sub", other, self)
    def __mul__(self, other: ExprLike) -> Expr: return binary("mul", self, other)
    def __rmul__(self, other: ExprLike) -> Expr: return binary("mul", other, self)
    def __truediv__(self, other: ExprLike) -> Expr: return divide(self, other)
    def __rtruediv__(self, other: ExprLike) -> Expr: return divide(other, self)
    def __floordiv__(self, other: ExprLike) -> Expr: return binary("floordiv", self, other)
    def __rfloordiv__(self, other: ExprLike) -> Expr: return binary("floordiv", other, self)
    def __mod__(self, other: ExprLike) -> Expr: return binary("mod", self, other)
    def __rmod__(self, other: ExprLike) -> Expr: return binary("mod", other, self)
    def __pow__(self, other: ExprLike) -> Expr: return power(self, other)
    def __rpow__(self, other: ExprLike) -> Expr: return power(other, self)
    def __and__(self, other: ExprLike) -> Expr: return binary("and", self, other)
    def __rand__(self, other: ExprLike) -> Expr: return binary("and", other, self)
    def __or__(self, other: ExprLike) -> Expr: return binary("or", self, other)
    def __ror__(self, other: ExprLike) -> Expr: return binary("or", other, self)
    def __xor__(self, other: ExprLike) -> Expr: return binary("xor", self, other)
    def __rxor__(self, other: ExprLike) -> Expr: return binary("xor", other, self)
    def __lshift__(self, other: ExprLike) -> Expr: return binary("shl", self, other)
    def __rlshift__(self, other: ExprLike) -> Expr: return binary("shl", other, self)
    def __rshift__(self, other: ExprLike) -> Expr: return binary("shr", self, other)
    def __rrshift__(self, other: ExprLike) -> Expr: return binary("shr", other, self)
    def __lt__(self, other: ExprLike) -> Expr: return binary("lt", self, other)
    def __le__(self, other: ExprLike) -> Expr: return binary("le", self, other)
    def __gt__(self, other: ExprLike) -> Expr: return binary("gt", self, other)
    def __ge__(self, other: ExprLike) -> Expr: return binary("ge", self, other)
    def __eq__(self, other: object) -> Expr: return _equality("eq", self, other)  # type: ignore[override]  # pyright: ignore
    def __ne__(self, other: object) -> Expr: return _equality("ne", self, other)  # type: ignore[override]  # pyright: ignore
    def __neg__(self) -> Expr: return unary("neg", self)
    def __pos__(self) -> Expr: return self
    def __invert__(self) -> Expr: return unary("not", self)
    def __abs__(self) -> Expr: return unary("abs", self)


# The text printer (akg/ir/text.py) registers itself here, so that nodes print without an upward import.
_printer: list[Callable[[Expr], str] | None] = [None]


class Const(Expr):
    """A literal. Float constants are Python floats (NaN and infinities too), bools are Python bools."""

    __slots__ = ("value",)
    value: Scalar

    def __new__(cls, value: Scalar, dtype: DType = index) -> Const:
        value = _literal(value, dtype)
        # repr tells -0.0 from 0.0 and makes NaN equal to itself
        key = (cls, repr(value) if isinstance(value, float) else value, dtype)
        found = Expr._table.get(key)
        if found is None:
            found = object.__new__(cls)
            found.value, found.dtype = value, dtype
            found = Expr._table.keep(key, found)
        return found  # type: ignore[return-value]  # pyright: ignore

    def __bool__(self) -> bool:
        return bool(self.value)

    def __index__(self) -> int:
        if isinstance(self.value, float):
            raise TypeError(f"{self} is not an integer")
        return int(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __float__(self) -> float:
        return float(self.value)


def _literal(value: Scalar, dtype: DType) -> Scalar:
    if dtype.kind == "bool":
        return bool(value)
    if dtype.kind == "float":
        return float(value)
    return int(value)


class Var(Expr):
    """A named scalar: a loop variable or symbolic size (dtype index), or a scalar argument."""

    __slots__ = ("name",)
    name: str

    def __new__(cls, name: str, dtype: DType = index) -> Var:
        key = (cls, name, dtype)
        found = Expr._table.get(key)
        if found is None:
            found = object.__new__(cls)
            found.name, found.dtype = name, dtype
            found = Expr._table.keep(key, found)
        return found  # type: ignore[return-value]  # pyright: ignore


class Load(Expr):
    """``buffer[indices]``; a rank-0 buffer has no indices."""

    __slots__ = ("buffer", "indices")
    buffer: Buffer
    indices: tuple[Expr, ...]

    def __new__(cls, buffer: Buffer, indices: tuple[Expr, ...]) -> Load:
        key = (cls, id(buffer), *map(id, indices))
        found = Expr._table.get(key)
        if found is None:
            found = object.__new__(cls)
            found.buffer, found.indices, found.dtype = buffer, indices, buffer.dtype
            found = Expr._table.keep(key, found)
        return found  # type: ignore[return-value]  # pyright: ignore

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.indices

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        return Load(self.buffer, children)


class Unary(Expr):
    """``op a`` with op of `UNARY_OPS`; the result has the type of the operand."""

    __slots__ = ("a", "op")
    op: str
    a: Expr

    def __new__(cls, op: str, a: Expr) -> Unary:
        key = (cls, op, id(a))
        found = Expr._table.get(key)
        if found is None:
            assert op in UNARY_OPS, op
            found = object.__new__(cls)
            found.op, found.a, found.dtype = op, a, a.dtype
            found = Expr._table.keep(key, found)
        return found  # type: ignore[return-value]  # pyright: ignore

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.a,)

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        return Unary(self.op, children[0])


class Binary(Expr):
    """``a op b`` over operands of one type; comparisons give bool."""

    __slots__ = ("a", "b", "op")
    op: str
    a: Expr
    b: Expr

    def __new__(cls, op: str, a: Expr, b: Expr) -> Binary:
        key = (cls, op, id(a), id(b))
        found = Expr._table.get(key)
        if found is None:
            assert op in BINARY_OPS and a.dtype is b.dtype, (op, a.dtype, b.dtype)
            found = object.__new__(cls)
            found.op, found.a, found.b = op, a, b
            found.dtype = bool_ if op in COMPARISONS else a.dtype
            found = Expr._table.keep(key, found)
        return found  # type: ignore[return-value]  # pyright: ignore

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.a, self.b)

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        return Binary(self.op, *children)

    def __bool__(self) -> bool:
        if self.op == "eq":
            return self.a is self.b
        if self.op == "ne":
            return self.a is not self.b
        return Expr.__bool__(self)


class Cast(Expr):
    """The value of `a` converted to `dtype`; float to integer truncates, anything to bool is ``!= 0``."""

    __slots__ = ("a",)
    a: Expr

    def __new__(cls, a: Expr, dtype: DType) -> Cast:
        key = (cls, id(a), dtype)
        found = Expr._table.get(key)
        if found is None:
            found = object.__new__(cls)
            found.a, found.dtype = a, dtype
            found = Expr._table.keep(key, found)
        return found  # type: ignore[return-value]  # pyright: ignore

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.a,)

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        return Cast(children[0], self.dtype)


class Select(Expr):
    """``a if cond else b``; lazy: memory is read only on the branch that is taken."""

    __slots__ = ("a", "b", "cond")
    cond: Expr
    a: Expr
    b: Expr

    def __new__(cls, cond: Expr, a: Expr, b: Expr) -> Select:
        key = (cls, id(cond), id(a), id(b))
        found = Expr._table.get(key)
        if found is None:
            assert cond.dtype is bool_ and a.dtype is b.dtype, (cond.dtype, a.dtype, b.dtype)
            found = object.__new__(cls)
            found.cond, found.a, found.b, found.dtype = cond, a, b, a.dtype
            found = Expr._table.keep(key, found)
        return found  # type: ignore[return-value]  # pyright: ignore

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.cond, self.a, self.b)

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        return Select(*children)


class Call(Expr):
    """A mathematical function of `CALLS`; `dtype` is the type of the result."""

    __slots__ = ("args", "fn")
    fn: str
    args: tuple[Expr, ...]

    def __new__(cls, fn: str, args: tuple[Expr, ...], dtype: DType) -> Call:
        key = (cls, fn, dtype, *map(id, args))
        found = Expr._table.get(key)
        if found is None:
            assert fn in CALLS, fn
            found = object.__new__(cls)
            found.fn, found.args, found.dtype = fn, args, dtype
            found = Expr._table.keep(key, found)
        return found  # type: ignore[return-value]  # pyright: ignore

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        return Call(self.fn, children, self.dtype)


class Axis:
    """A loop axis of a definition: variable, half-open range, and whether it is reduced over."""

    __slots__ = ("begin", "end", "is_reduce", "var")

    def __init__(self, var: Var, begin: Expr, end: Expr, is_reduce: bool) -> None:
        self.var, self.begin, self.end, self.is_reduce = var, begin, end, is_reduce

    def __repr__(self) -> str:
        return f"{self.var} in [{self.begin}, {self.end})"


class Combiner:
    """An associative, commutative operation on one value or on a tuple of values.

    Attributes:
        name: "sum", "max", "min", "prod", or the name of a user's reduction.
        lhs, rhs: variables that stand for the two operands.
        result: one expression per value, over `lhs` and `rhs`.
        identity: one constant per value.
    """

    __slots__ = ("identity", "lhs", "name", "result", "rhs")

    def __init__(
        self,
        name: str,
        lhs: tuple[Var, ...],
        rhs: tuple[Var, ...],
        result: tuple[Expr, ...],
        identity: tuple[Expr, ...],
    ) -> None:
        self.name, self.lhs, self.rhs, self.result, self.identity = name, lhs, rhs, result, identity


class Reduce(Expr):
    """Component `position` of a reduction of `args` over `axes` where `condition` holds.

    Only definitions (`te`) contain it; lowering replaces it by an init and an update statement.
    """

    __slots__ = ("args", "axes", "combiner", "condition", "position")
    combiner: Combiner
    args: tuple[Expr, ...]
    axes: tuple[Axis, ...]
    condition: Expr | None
    position: int

    def __new__(
        cls,
        combiner: Combiner,
        args: tuple[Expr, ...],
        axes: tuple[Axis, ...],
        condition: Expr | None = None,
        position: int = 0,
    ) -> Reduce:
        node = object.__new__(cls)  # rare and short-lived: not interned
        node.combiner, node.args, node.axes = combiner, args, axes
        node.condition, node.position = condition, position
        node.dtype = args[position].dtype
        return node

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args if self.condition is None else (*self.args, self.condition)

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        n = len(self.args)
        condition = children[n] if len(children) > n else None
        return Reduce(self.combiner, children[:n], self.axes, condition, self.position)


# --- Builders: conversion, promotion and integer folding ---------------------------------------------


def as_expr(value: ExprLike, like: DType | None = None) -> Expr:
    """`value` as an expression; a Python number takes the type `like` where that can hold it.

    Raises:
        AkgError: AKG-E103 if `value` is neither an expression nor a number.
    """
    if isinstance(value, Expr):
        return value
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a NumPy scalar keeps its type
        return Const(value.item(), dtype_of(value.dtype))  # pyright: ignore
    if hasattr(value, "__as_expr__"):  # a rank-0 te tensor
        return value.__as_expr__()  # pyright: ignore
    if isinstance(value, bool):
        return Const(value, bool_)
    if isinstance(value, int):
        if like is None or like is bool_:
            return Const(value)
        check_held(value, like)
        return Const(value, like)
    if isinstance(value, float):  # pyright: ignore[reportUnnecessaryIsInstance]
        return Const(value, like if like is not None and like.is_float else float64)
    raise AkgError(
        "AKG-E103",
        f"{type(value).__name__} is not a scalar",
        because=f"got {value!r}",
        hint="index a tensor down to one element, as in A[i, j]",
    )


def unify(a: ExprLike, b: ExprLike) -> tuple[Expr, Expr]:
    """Both operands, converted to their common type."""
    if isinstance(a, Expr) and isinstance(b, Expr) and a.dtype is b.dtype:
        return a, b
    x = as_expr(a, b.dtype if isinstance(b, Expr) else None)
    y = as_expr(b, x.dtype)
    if not isinstance(a, Expr):
        x = as_expr(a, y.dtype)
    if x.dtype is y.dtype:
        return x, y
    common = promote(x.dtype, y.dtype)
    return cast(x, common), cast(y, common)


def cast(a: ExprLike, dtype: DType | str) -> Expr:
    """`a` converted to `dtype`; constants convert now."""
    kind = dtype_of(dtype)
    node = as_expr(a)
    if node.dtype is kind:
        return node
    if isinstance(node, Const) and (kind.is_float or kind is index or not isinstance(node.value, float)):
        if kind.name in ("float64", "float32", "index", "int64", "bool"):
            return Const(node.value if kind is not bool_ else node.value != 0, kind)
    return Cast(node, kind)


_INT_FOLD: dict[str, Callable[[int, int], int | bool]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "min": min, "max": max,
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}  # fmt: skip


def binary(op: str, a: ExprLike, b: ExprLike) -> Expr:
    """``a op b`` after promotion; index arithmetic folds constants and the neutral elements 0 and 1."""
    x, y = unify(a, b)
    if x.dtype is bool_ and (op in ARITHMETIC or op in ("shl", "shr")):
        x, y = cast(x, int64), cast(y, int64)
    if x.dtype is index:
        return _index_binary(op, x, y)
    if x.dtype is bool_ and op in ("and", "or"):
        folded = _bool_binary(op, x, y)
        if folded is not None:
            return folded
    if op in BITWISE and x.dtype.is_float:
        raise AkgError(
            "AKG-E104",
            f"bitwise {op!r} on {x.dtype}",
            because="bit operations need integers or bools",
            hint="compare first, as in (a > 0) & (b > 0)",
        )
    return Binary(op, x, y)


def _bool_binary(op: str, x: Expr, y: Expr) -> Expr | None:
    neutral = op == "and"
    for one, other in ((x, y), (y, x)):
        if isinstance(one, Const):
            return other if one.value is neutral else one
    return x if x is y else None


def _index_binary(op: str, x: Expr, y: Expr) -> Expr:
    xv = x.value if isinstance(x, Const) else None
    yv = y.value if isinstance(y, Const) else None
    if xv is not None and yv is not None and op in _INT_FOLD and not (op in ("floordiv", "mod") and yv == 0):
        value = _INT_FOLD[op](int(xv), int(yv))
        return Const(value, bool_) if op in COMPARISONS else Const(value, index)
    if x is y:
        same = _SAME.get(op)
        if same is not None:
            return same(x)
    if yv == 0 and op in ("add", "sub", "xor", "or", "shl", "shr"):
        return x
    if xv == 0 and op in ("add", "or", "xor"):
        return y
    if (yv == 0 or xv == 0) and op == "mul":
        return Const(0)
    if yv == 1 and op in ("mul", "floordiv"):
        return x
    if xv == 1 and op == "mul":
        return y
    if yv == 1 and op == "mod":
        return Const(0)
    if op == "div":
        return Binary("div", cast(x, float64), cast(y, float64))
    return Binary(op, x, y)


_SAME: dict[str, Callable[[Expr], Expr]] = {
    "sub": lambda x: Const(0), "min": lambda x: x, "max": lambda x: x,
    "eq": lambda x: Const(True, bool_), "le": lambda x: Const(True, bool_), "ge": lambda x: Const(True, bool_),
    "ne": lambda x: Const(False, bool_), "lt": lambda x: Const(False, bool_), "gt": lambda x: Const(False, bool_),
}  # fmt: skip


def _equality(op: str, a: Expr, b: object) -> Expr:
    if isinstance(a, Var) and isinstance(b, Var) and a is not b and a.dtype is b.dtype is index:
        return Binary(op, a, b)  # what a search in a list of variables asks for
    if isinstance(b, (Expr, int, float, bool)) or hasattr(b, "__as_expr__"):
        return binary(op, a, b)  # pyright: ignore
    return Const(op == "ne", bool_)


def divide(a: ExprLike, b: ExprLike) -> Expr:
    """True division; integers divide in float64, as NumPy's ``/`` does."""
    x, y = unify(a, b)
    if not x.dtype.is_float:
        x, y = cast(x, float64), cast(y, float64)
    return Binary("div", x, y)


def power(a: ExprLike, b: ExprLike) -> Expr:
    """``a ** b``: a product for small constant integer exponents, `pow` otherwise."""
    if isinstance(b, int) and not isinstance(b, bool) and 1 <= b <= 4:
        x = as_expr(a)
        square = binary("mul", x, x) if b > 1 else x
        return {1: x, 2: square, 3: square * x, 4: square * square}[b]
    x, y = unify(a, b)
    if not x.dtype.is_float:
        x, y = cast(x, float64), cast(y, float64)
    return Call("pow", (x, y), x.dtype)


def unary(op: str, a: ExprLike) -> Expr:
    """``op a``; a constant index folds."""
    x = as_expr(a)
    if x.dtype is index and isinstance(x, Const) and op != "not":
        return Const(-int(x.value) if op == "neg" else abs(int(x.value)), index)
    if x.dtype is bool_ and op == "not" and isinstance(x, Const):
        return Const(not x.value, bool_)
    if op == "not" and x.dtype.is_float:
        raise AkgError("AKG-E104", f"bitwise 'not' on {x.dtype}", hint="compare first, as in ~(a > 0)")
    if op == "neg" and x.dtype is bool_:
        raise AkgError("AKG-E104", "'neg' on bool", hint="use ~a for the logical not, or cast to an integer first")
    return Unary(op, x)


def select(cond: ExprLike, a: ExprLike, b: ExprLike) -> Expr:
    """``a if cond else b``, with `a` and `b` promoted to one type."""
    c = as_expr(cond)
    if c.dtype is not bool_:
        c = binary("ne", c, 0)
    x, y = unify(a, b)
    if isinstance(c, Const):
        return x if c.value else y
    return x if x is y else Select(c, x, y)


def call(fn: str, *args: ExprLike) -> Expr:
    """A function of `FLOAT_CALLS` or `PREDICATE_CALLS`; integer arguments become float32 (8, 16 bit) or float64."""
    nodes = [as_expr(a) for a in args]
    common = nodes[0].dtype
    for node, given in zip(nodes[1:], args[1:], strict=True):
        if isinstance(given, Expr):
            common = promote(common, node.dtype)
    if not common.is_float:
        common = float32 if common.bits <= 16 else float64
    operands = tuple(cast(as_expr(a, common), common) for a in args)
    return Call(fn, operands, bool_ if fn in PREDICATE_CALLS else common)
