"""Expressions of a script: Python syntax in, typed values out."""

from __future__ import annotations

import ast
import builtins
import math
from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar, NoReturn

from akg.base.dtype import bool_, index
from akg.base.errors import AkgError, suggest
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, unary
from akg.ir.script.calls import NAMES, raise_power, rule_of
from akg.ir.script.names import MISSING, NameLowering
from akg.ir.script.scope import Array, Gone, Loop, Symbol
from akg.ir.script.values import (
    Value,
    both,
    choose,
    combine,
    either,
    is_affine,
    literal,
    negate,
    reads_memory,
    truth,
    weak,
)  # fmt: skip
from akg.ir.simplify import simplify
from akg.ir.text import to_text

_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor", ast.LShift: "shl", ast.RShift: "shr",
}  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
}  # fmt: skip
_REFUSED: dict[type[ast.expr], tuple[str, str]] = {
    ast.Lambda: ("a lambda", "write the expression where it is used"),
    ast.ListComp: ("a list comprehension", "write a loop that stores into a local array"),
    ast.GeneratorExp: ("a generator", "write a loop that stores into a local array"),
    ast.SetComp: ("a set comprehension", "write a loop"),
    ast.DictComp: ("a dict comprehension", "write a loop"),
    ast.List: ("a list", "make a local array with np.zeros or np.empty"),
    ast.Tuple: ("a tuple", "compute one number at a time"),
    ast.Dict: ("a dict", "pass the values as arguments"),
    ast.Set: ("a set", "pass the values as arguments"),
    ast.NamedExpr: ("an assignment expression", "assign in a statement of its own"),
    ast.JoinedStr: ("a string", "a script computes on numbers"),
    ast.Await: ("await", "a script computes on numbers"),
    ast.Yield: ("yield", "store the results in an array"),
    ast.YieldFrom: ("yield", "store the results in an array"),
    ast.Starred: ("a starred expression", "write the items one by one"),
}


class ExpressionLowering(NameLowering):
    """Lowers expressions."""

    # --- Values ---

    def value(self, node: ast.expr) -> Value:
        """The value of an expression."""
        handler = self._handlers.get(type(node))
        if handler is not None:
            try:
                return handler(self, node)
            except AkgError as error:  # of types and values: about this expression
                error.span = error.span or self.source.span(node)
                raise
        what, hint = _REFUSED.get(type(node), (f"`{ast.unparse(node)}`", ""))
        self.source.fail(node, "AKG-E234", f"{what} cannot be compiled", "a script computes on single numbers", hint)

    def condition(self, node: ast.expr) -> Expr:
        """A condition, simplified."""
        return simplify(self._truth(node))

    def _constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, (bool, int, float)):
            return literal(node.value)
        self.source.fail(
            node, "AKG-E234", f"{node.value!r} is not a number",
            "a script computes on floats, integers and bools", "use a number",
        )  # fmt: skip

    def _name(self, node: ast.Name) -> Value:
        binding = self.env.get(node.id)
        if isinstance(binding, (Symbol, Loop)):
            return binding.value
        if isinstance(binding, Array):
            return self._whole_array(node, binding)
        if isinstance(binding, Gone):
            return self.gone(node, binding)
        if node.id in self.local_names:
            return self.scalar(node)
        found = self.object_of(node)
        if found is MISSING:
            self.unknown_name(node)
        return self.captured_value(node, found)

    def _whole_array(self, node: ast.expr, array: Array) -> Value:
        if not array.buffer.shape:
            return Value(Load(array.buffer, ()))
        subscripts = ", ".join(["i", "j", "k", "l"][: len(array.buffer.shape)])
        self.source.fail(
            node, "AKG-E234", f"{ast.unparse(node)!r} is a whole array",
            "a script computes on single elements; array expressions are for te and akg.ops",
            f"write it as a loop over elements such as {ast.unparse(node)}[{subscripts}]",
        )  # fmt: skip

    def _attribute(self, node: ast.Attribute) -> Value:
        array = self.array_of(node.value)
        if array is not None:
            if node.attr == "ndim":
                return literal(len(array.buffer.shape))
            if node.attr == "size":
                result = literal(1)
                for size in array.buffer.shape:
                    result = combine("mul", result, weak(size))
                return result
            self.source.fail(
                node, "AKG-E225", f"{ast.unparse(node)!r} cannot be compiled",
                "of an array, a script knows .shape, .ndim, .size, .dtype and its elements",
                suggest(node.attr, ("shape", "ndim", "size", "dtype")),
            )  # fmt: skip
        found = self.object_of(node)
        if found is MISSING:
            self.source.fail(
                node, "AKG-E224", f"unknown name {ast.unparse(node)!r}",
                "a dotted name is an attribute of a module or the shape of an array", suggest(node.attr, NAMES),
            )  # fmt: skip
        return self.captured_value(node, found)

    # --- Operators ---

    def _binary(self, node: ast.BinOp) -> Value:
        a, b = self.value(node.left), self.value(node.right)
        return self.operate(node, node.op, a, b)

    def operate(self, node: ast.AST, op: ast.operator, a: Value, b: Value) -> Value:
        """``a op b`` with a Python operator."""
        name = _OPERATORS.get(type(op))
        if isinstance(op, ast.Pow):
            return self._power(node, a, b)
        if name is None:
            self.source.fail(node, "AKG-E234", "`@` cannot be compiled", "a script computes on single numbers",
                             "write the three loops of the product")  # fmt: skip
        if name in ("div", "floordiv", "mod") and isinstance(b.expr, Const) and b.dtype is index and not int(b.expr):
            self.source.fail(node, "AKG-E234", "division by zero", "the divisor is the constant 0",
                             "divide by another number")  # fmt: skip
        return self._spanned(node, lambda: combine(name, a, b))

    def _power(self, node: ast.AST, a: Value, b: Value) -> Value:
        exponent = b.expr.value if isinstance(b.expr, Const) else None
        is_product = exponent is not None and (0 <= exponent <= 4 or isinstance(a.expr, Const))
        if a.dtype.is_integer and b.dtype.is_integer and not is_product:
            self.source.fail(
                node, "AKG-E234", "an integer power with this exponent cannot be compiled",
                "integer powers are products, with a constant exponent from 0 to 4",
                "compute in floating point: float(x) ** y",
            )  # fmt: skip
        if exponent == 0:
            return self._spanned(node, lambda: combine("add", combine("mul", a, literal(0)), literal(1)))
        return self._spanned(node, lambda: raise_power(a, b))

    def _spanned(self, node: ast.AST, make: Callable[[], Value]) -> Value:
        """What `make` returns; a type error in it is reported at `node`."""
        try:
            return make()
        except AkgError as error:
            error.span = error.span or self.source.span(node)
            error.hint = error.hint.replace("te.cast(x, 'float32')", "np.float32(x)")
            raise

    def _unary(self, node: ast.UnaryOp) -> Value:
        a = self.value(node.operand)
        if isinstance(node.op, ast.USub):
            return negate(a)
        if isinstance(node.op, ast.UAdd):
            return a
        if isinstance(node.op, ast.Not):
            return Value(unary("not", self._truth(node.operand)))
        return self._spanned(node, lambda: Value(unary("not", a.expr), a.is_weak))

    def _bool_op(self, node: ast.BoolOp) -> Value:
        for item in node.values:
            if self.value(item).dtype is not bool_:
                self.source.fail(
                    item, "AKG-E234", f"`{ast.unparse(item)}` is a number in `{'and' if _is_and(node) else 'or'}`",
                    "outside a condition, Python's `and` and `or` give one of their operands",
                    f"compare it: {ast.unparse(item)} != 0",
                )  # fmt: skip
        return Value(self._truth(node))

    def _truth(self, node: ast.expr) -> Expr:
        if isinstance(node, ast.BoolOp):
            join = both if _is_and(node) else either
            result = self._truth(node.values[-1])
            for item in reversed(node.values[:-1]):
                result = join(self._truth(item), result)
            return result
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return unary("not", self._truth(node.operand))
        return truth(self.value(node))

    def _compare(self, node: ast.Compare) -> Value:
        items = [node.left, *node.comparators]
        values = [self.value(item) for item in items]
        result: Expr = Const(True, bool_)
        for op, a, b in zip(reversed(node.ops), reversed(values[:-1]), reversed(values[1:]), strict=True):
            name = _COMPARISONS.get(type(op))
            if name is None:
                self.source.fail(
                    node, "AKG-E234", f"`{ast.unparse(node)}` cannot be compiled",
                    "a script compares numbers with == != < <= > >=", "compare with one of these",
                )  # fmt: skip
            result = both(self._spanned(node, lambda a=a, b=b, name=name: combine(name, a, b)).expr, result)
        return Value(result)

    def _if_exp(self, node: ast.IfExp) -> Value:
        cond, a, b = self.condition(node.test), self.value(node.body), self.value(node.orelse)
        return self._spanned(node, lambda: choose(cond, a, b))

    # --- Elements ---

    def _subscript(self, node: ast.Subscript) -> Value:
        shape = self.shape_of(node.value)
        if shape is not None:
            at = simplify(self.value(node.slice).expr) if not isinstance(node.slice, ast.Slice) else None
            if isinstance(at, Const) and at.dtype is index and -len(shape) <= int(at) < len(shape):
                return weak(shape[int(at)])
            self.source.fail(
                node, "AKG-E229", f"`{ast.unparse(node)}` is not a dimension",
                f"the array has {len(shape)} dimension{'s' * (len(shape) != 1)}", "use a constant in range",
            )  # fmt: skip
        buffer, indices, _ = self.element(node)
        return Value(Load(buffer, indices))

    def element(self, node: ast.Subscript) -> tuple[Buffer, tuple[Expr, ...], Array]:
        """The buffer and the subscripts of ``A[i, j]`` (or ``A[i][j]``), checked for rank and form."""
        items: list[ast.expr] = []
        base: ast.expr = node
        while isinstance(base, ast.Subscript):
            part = base.slice
            items[:0] = part.elts if isinstance(part, ast.Tuple) else [part]
            base = base.value
        array = self.array_of(base)
        if array is None:
            self._not_an_array(base)
        rank = len(array.buffer.shape)
        for item in items:
            if isinstance(item, ast.Slice):
                self.source.fail(
                    node, "AKG-E230", f"slice in `{ast.unparse(node)}`", "a statement computes one element",
                    "write a loop over the slice",
                )  # fmt: skip
        if len(items) != rank:
            self.source.fail(
                node, "AKG-E229",
                f"{ast.unparse(base)!r} has {rank} dimension{'s' * (rank != 1)}, got {len(items)} "
                f"subscript{'s' * (len(items) != 1)}",
                f"it is {array.buffer.dtype}[{', '.join(map(to_text, array.buffer.shape))}]",
                "give one subscript per dimension",
            )  # fmt: skip
        indices = tuple([self._subscript_item(i, s) for i, s in zip(items, array.buffer.shape, strict=True)])
        return array.buffer, indices, array

    def _not_an_array(self, base: ast.expr) -> NoReturn:
        if isinstance(base, ast.Name) and base.id not in self.env and base.id not in self.local_names:
            if self.object_of(base) is MISSING:
                known = [k for k, v in self.env.items() if isinstance(v, Array)]
                self.source.fail(
                    base, "AKG-E224", f"unknown name {base.id!r}", "it is not an argument, a local name or a global",
                    suggest(base.id, known),
                )  # fmt: skip
            self.captured_value(base, self.object_of(base))
        self.source.fail(
            base, "AKG-E229", f"`{ast.unparse(base)}` is not an array", "only arrays have elements",
            "annotate the argument as akg.Tensor[...], or make a local array with np.zeros",
        )  # fmt: skip

    def _subscript_item(self, item: ast.expr, size: Expr) -> Expr:
        expr = self.affine(item, "subscript")
        return simplify(size + expr) if isinstance(expr, Const) and int(expr) < 0 else expr

    def affine(self, node: ast.expr, what: str) -> Expr:
        """An index expression that is affine in loop variables and sizes; `what` names its role in errors."""
        value = self.value(node)
        if value.dtype.is_float or value.dtype is bool_:
            self.source.fail(
                node, "AKG-E230", f"{what} `{ast.unparse(node)}` is {value.dtype}", f"a {what} is an integer",
                "use // for integer division" if "/" in ast.unparse(node) else "",
            )  # fmt: skip
        expr = simplify(value.expr)
        if is_affine(expr):
            return expr
        self.source.fail(node, "AKG-E228", f"{what} `{ast.unparse(node)}` is not affine", *self._why(node, expr))

    def _why(self, node: ast.expr, expr: Expr) -> tuple[str, str]:
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id in self.local_names and self.facts.of(part.id).in_memory:
                return f"{part.id!r} takes several values", "use the loop variables themselves"
        if reads_memory(expr):
            return "it depends on data that is read at run time", "subscripts and bounds are fixed by loops and sizes"
        if expr.dtype is not index:
            return f"it is {expr.dtype}, a number that is not known to be a size", "declare the argument as akg.Size"
        return (
            "it may only add loop variables and sizes, multiply, divide (//) and reduce (%) them by constants",
            "give a product of sizes a name of its own: an argument annotated akg.Size",
        )

    # --- Calls ---

    def _call(self, node: ast.Call) -> Value:
        function = self.object_of(node.func)
        if function is builtins.len and len(node.args) == 1:
            array = self.array_of(node.args[0])
            if array is not None and array.buffer.shape:
                return weak(array.buffer.shape[0])
        self._check_function(node, function)
        found = rule_of(function)
        if found is None:
            self.source.fail(
                node.func, "AKG-E225", f"unknown function `{ast.unparse(node.func)}`",
                "a script calls builtins, math and NumPy functions of numbers", _advice(node.func, function),
            )  # fmt: skip
        rule, least, most = found
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args) or not least <= len(node.args) <= most:
            wanted = str(least) if least == most else f"{least} or more"
            self.source.fail(
                node, "AKG-E225", f"`{ast.unparse(node.func)}` takes {wanted} positional argument{'s' * (most > 1)}",
                f"got {len(node.args)} positional and {len(node.keywords)} keyword arguments",
                "pass numbers, one by one",
            )  # fmt: skip
        args = [self.value(a) for a in node.args]
        return self._spanned(node, lambda: rule(*args))

    def _check_function(self, node: ast.Call, function: Any) -> None:
        if isinstance(node.func, ast.Name) and node.func.id == self.name:
            self.source.fail(
                node, "AKG-E236", f"{self.name!r} calls itself",
                "a kernel is a nest of loops with bounds known before they start", "write the recursion as a loop",
            )  # fmt: skip
        if function is math.pow or function is builtins.pow:
            return
        if getattr(function, "lower", None) is not None and hasattr(function, "source"):
            self.source.fail(
                node, "AKG-E225", f"`{ast.unparse(node.func)}` is another script",
                "a script is compiled on its own", "put the loops of both into one script, or build and call both",
            )  # fmt: skip

    _handlers: ClassVar[dict[type[ast.expr], Callable[..., Value]]] = {
        ast.Constant: _constant, ast.Name: _name, ast.Attribute: _attribute, ast.BinOp: _binary,
        ast.UnaryOp: _unary, ast.BoolOp: _bool_op, ast.Compare: _compare, ast.IfExp: _if_exp,
        ast.Subscript: _subscript, ast.Call: _call,
    }  # fmt: skip


def _is_and(node: ast.BoolOp) -> bool:
    return isinstance(node.op, ast.And)


def _advice(node: ast.expr, function: object) -> str:
    """What to do about a function that a script cannot call."""
    if isinstance(function, FunctionType) and (function.__module__ or "").partition(".")[0] not in ("numpy", "math"):
        return "write its body here"
    hint = suggest(node.attr if isinstance(node, ast.Attribute) else ast.unparse(node), NAMES)
    return hint if hint.startswith("did you mean") else "write it out, as loops over elements"
