"""Tensors of a definition: placeholders, computed tensors, and their subscripts.

A `Tensor` is a `Buffer` that knows how its elements are defined; lowering replaces it by a plain buffer of the
kernel. Axis variables get a name that no other expression has (``i$17``), because variables of one name are one
variable; lowering gives them readable names back.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, NoReturn, TypeAlias, overload

from akg.base.dtype import DType, dtype_of, index, int64
from akg.base.errors import AkgError, Span, user_facing, user_span
from akg.base.place import is_name, narrowed
from akg.ir.affine import is_quasi_affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Axis, Binary, Call, Cast, Const, Expr, ExprLike, Load, Reduce, Select, Var, as_expr, cast
from akg.ir.rewrite import variables_of, walk_expr

Size: TypeAlias = "int | Expr"

MAX_SIZE = 1 << 47  # what today's processors address
_fresh = itertools.count()


@dataclass(frozen=True, slots=True, eq=False)
class Placeholder:
    """The origin of an argument."""

    name: str
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Compute:
    """The origin of computed tensors: ``tensor[axes] = body`` for each of the bodies."""

    name: str
    axes: tuple[Axis, ...]
    bodies: tuple[Expr, ...]
    span: Span | None = None

    def read_by(self, position: int) -> tuple[Expr, ...]:
        """Every expression that the elements of one tensor are made of."""
        return (self.bodies[position],)


class Tensor(Buffer):
    """An argument or a computed tensor.

    Attributes:
        op: where its elements come from.
        position: which body of `op` it is.
    """

    __slots__ = ("op", "position")

    def __init__(
        self, name: str, shape: tuple[Expr, ...], dtype: DType, op: Placeholder | Compute, position: int = 0
    ) -> None:
        super().__init__(name, shape, dtype)
        self.op, self.position = op, position

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @user_facing
    def __getitem__(self, key: Any) -> Expr:
        """The element at `key`: one integer expression per dimension; ``T[()]`` for rank 0.

        Raises:
            AkgError: AKG-E240 for a wrong number of subscripts, AKG-E106 for one that is not an integer,
                AKG-E245 for one that is not affine, AKG-E246 for a constant that is out of bounds.
        """
        keys: tuple[object, ...] = key if isinstance(key, tuple) else (key,)
        if len(keys) != len(self.shape):
            raise AkgError(
                "AKG-E240",
                f"{self.name} has {_count(self.ndim, 'dimension')} but got {_count(len(keys), 'subscript')}",
                because=f"{self.name} is a {self.dtype} tensor of shape {shape_text(self.shape)}",
                hint=f"write {self.name}[{', '.join('ijklmnpq'[: self.ndim]) or '()'}]",
            )
        return Load(self, tuple([self._subscript(d, k) for d, k in enumerate(keys)]))

    def _subscript(self, dimension: int, value: Any) -> Expr:
        where = f"subscript {dimension} of {self.name}"
        if value is None or value is Ellipsis or isinstance(value, slice):
            raise AkgError(
                "AKG-E106",
                f"{where} is {_KIND_OF_KEY[type(value)]}",
                because="a definition reads one element at a time",
                hint="write te.compute over the part that you need",
            )
        node = as_expr(value)
        if not node.dtype.is_integer:
            raise AkgError(
                "AKG-E106",
                f"{where} is a {node.dtype}",
                because="subscripts are integers",
                hint="use // for the integer quotient, or te.cast(x, 'int64')",
            )
        if node.dtype is not index:
            node = cast(node, index)
        size = self.shape[dimension]
        if isinstance(node, Const):
            if int(node) < 0 or (isinstance(size, Const) and int(node) >= int(size)):
                raise AkgError(
                    "AKG-E246",
                    f"{where} is {int(node)}, out of bounds",
                    because=f"dimension {dimension} of {self.name} has size {shape_text((size,))[1:-2]}",
                    hint="subscripts count from 0 and do not wrap around",
                )
        elif not isinstance(node, Var) and not is_quasi_affine(node) and not _is_data_dependent(node):
            raise AkgError(
                "AKG-E245",
                f"{where} is not affine",
                because="it divides by zero"
                if _divides_by_zero(node)
                else "it multiplies or divides variables by one another",
                hint="subscripts may add axes and sizes, multiply by constants, and use // and % by constants",
            )
        return node

    def __as_expr__(self) -> Expr:
        """The value of a rank-0 tensor, so that it can stand in an expression."""
        if self.shape:
            raise AkgError(
                "AKG-E103",
                f"tensor {self.name} is not a scalar",
                because=f"its shape is {shape_text(self.shape)}",
                hint=f"index it down to one element, as in {self.name}[{', '.join('ijklmnpq'[: self.ndim])}]",
            )
        return Load(self, ())

    @user_facing
    def __iter__(self) -> NoReturn:
        raise self._not_an_array("is not iterable")

    @user_facing
    def __setitem__(self, key: object, value: object) -> NoReturn:
        raise self._not_an_array("cannot be assigned to")

    def _not_an_array(self, what: str) -> AkgError:
        return AkgError(
            "AKG-E103",
            f"tensor {self.name} {what}",
            because="it stands for values that are known when the kernel runs",
            hint=f"define its elements with te.compute; to pass one tensor where a list is taken, write [{self.name}]",
        )

    @user_facing
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Expr:
        return self.__as_expr__().__array_ufunc__(ufunc, method, *inputs, **options)


def _operator(name: str) -> Callable[..., Expr]:
    """Arithmetic on a tensor: of the value of a rank-0 one, an error for any other."""

    @user_facing
    def apply(self: Tensor, *others: ExprLike) -> Expr:
        return getattr(self.__as_expr__(), name)(*others)

    apply.__name__ = name
    return apply


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    for _side in ("", "r"):
        setattr(Tensor, f"__{_side}{_name}__", _operator(f"__{_side}{_name}__"))
for _name in ("lt", "le", "gt", "ge", "neg", "abs", "matmul"):
    setattr(Tensor, f"__{_name}__", _operator(f"__{_name}__"))

_KIND_OF_KEY: dict[type, str] = {slice: "a slice", type(None): "None", type(Ellipsis): "an ellipsis"}


def _divides_by_zero(node: Expr) -> bool:
    divisors = [n.b for n in walk_expr(node) if isinstance(n, Binary) and n.op in ("floordiv", "mod")]
    return any(isinstance(b, Const) and int(b) == 0 for b in divisors)


def _is_data_dependent(node: Expr) -> bool:
    return any(isinstance(n, (Load, Cast, Reduce, Select, Call)) for n in walk_expr(node))


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def shape_text(shape: tuple[Expr, ...]) -> str:
    """A shape as the user would write it: ``(128, n)``."""
    sizes = [str(int(s)) if isinstance(s, Const) else s.name if isinstance(s, Var) else str(s) for s in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def fresh_var(name: str) -> Var:
    """An axis variable that is no other variable."""
    return Var(f"{name}${next(_fresh)}")


def is_axis_var(v: Var) -> bool:
    """Whether a variable is an axis, not a size or scalar argument."""
    return "$" in v.name


def plain_name(v: Var) -> str:
    """The name that the user gave an axis."""
    return v.name.partition("$")[0]


def size_of(value: object, what: str) -> Expr:
    """A size as an index expression.

    Raises:
        AkgError: AKG-E105 if it is negative or not an integer over sizes.
    """
    if isinstance(value, Expr):
        node = value
    elif isinstance(value, int) and not isinstance(value, bool):
        node = Const(value)
    elif hasattr(value, "__index__") and not isinstance(value, bool) and getattr(value, "shape", ()) == ():
        node = Const(int(value))  # type: ignore[call-overload]  # a NumPy integer  # pyright: ignore
    else:
        raise AkgError(
            "AKG-E105",
            f"{what} is {value!r}",
            because="sizes are integers, or symbols from te.var",
            hint="write n = te.var('n') for a size that is known when the kernel is called",
        )
    if node.dtype is not index or not is_quasi_affine(node):
        raise AkgError(
            "AKG-E105",
            f"{what} is not an affine expression of sizes",
            because="loop bounds are sums of sizes with constant coefficients",
            hint="give the product of two sizes a name of its own with te.var",
        )
    if isinstance(node, Const) and int(node) < 0:
        raise AkgError("AKG-E105", f"{what} is {int(node)}", because="sizes are not negative", hint="use 0 or more")
    if isinstance(node, Const) and int(node) > MAX_SIZE:
        raise AkgError(
            "AKG-E105", f"{what} is {int(node)}", because=f"no memory holds more than {MAX_SIZE} elements",
            hint="split the computation into parts",
        )  # fmt: skip
    return node


def _title(name: object, default: str) -> str:
    """The name that a tensor shows; what C allows in one is for lowering to see to."""
    if name is None:
        return default
    if not isinstance(name, str) or not name:
        raise AkgError("AKG-E107", f"{name!r} is not a name", because="names are text", hint="as in name='A'")
    return name


def _shape_of(shape: Size | Sequence[Size]) -> tuple[Expr, ...]:
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    result = tuple([size_of(s, f"size {d} of the shape") for d, s in enumerate(sizes)])
    for d, size in enumerate(result):
        if any(is_axis_var(v) for v in variables_of(size)):
            raise AkgError(
                "AKG-E105",
                f"size {d} of the shape depends on an axis",
                because="an array has one shape for all its elements",
                hint="use an integer, or te.var for a size that is known when the kernel is called",
            )
    return result


@user_facing
def var(name: str, dtype: DType | str = "index") -> Var:
    """A symbolic size (dtype index) or scalar argument; one name is one variable.

    Raises:
        AkgError: AKG-E107 if `name` is not an identifier.
    """
    if not isinstance(name, str) or not name.isidentifier():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise AkgError("AKG-E107", f"{name!r} is not a name", because="names are identifiers", hint="as in te.var('n')")
    return Var(name, dtype_of(dtype))


@user_facing
def scalar(name: str, dtype: DType | str = "float32") -> Var:
    """A scalar argument of the kernel, passed by value.

    Raises:
        AkgError: AKG-E107 if `name` is not an identifier.
    """
    return var(name, dtype)


@user_facing
def placeholder(shape: Size | Sequence[Size], dtype: DType | str = "float32", name: str | None = None) -> Tensor:
    """An argument: a dense row-major array of `shape`.

    Raises:
        AkgError: AKG-E101 for an unknown type, AKG-E105 for a shape that is none.
    """
    kind = dtype_of(dtype)
    if kind is index:
        raise AkgError(
            "AKG-E101", "index is not the type of an array", because="it is the type of sizes and axes",
            hint="use 'int64'",
        )  # fmt: skip
    title = _title(name, "arg")
    return Tensor(title, _shape_of(shape), kind, Placeholder(title, user_span(2)))


@overload
def compute(shape: Size | Sequence[Size], fn: Callable[..., ExprLike], name: str | None = None) -> Tensor: ...
@overload
def compute(
    shape: Size | Sequence[Size], fn: Callable[..., tuple[ExprLike, ...]], name: str | None = None
) -> tuple[Tensor, ...]: ...
@user_facing
def compute(
    shape: Size | Sequence[Size], fn: Callable[..., Any], name: str | None = None
) -> Tensor | tuple[Tensor, ...]:
    """The tensor of `shape` whose element at (i, j, ...) is ``fn(i, j, ...)``.

    A function that returns a tuple defines several tensors of one shape, ``name_0``, ``name_1``, ...; so does a
    reduction of tuples. Parameter names of `fn` become loop names.

    Raises:
        AkgError: AKG-E105 for a shape that is none, AKG-E241 if `fn` does not take one argument per dimension,
            AKG-E242 and AKG-E243 for axes and reductions that are out of place, AKG-E103 for a body that is no scalar.
    """
    sizes = _shape_of(shape)
    variables = [fresh_var(n) for n in _parameter_names(fn, len(sizes))]
    axes = tuple([Axis(v, Const(0), size, False) for v, size in zip(variables, sizes, strict=True)])
    result = fn(*variables)
    is_tuple = isinstance(result, (tuple, list))
    bodies: list[Expr] = []
    for value in result if is_tuple else (result,):
        body = as_expr(value)
        bodies.append(cast(body, int64) if body.dtype is index else body)
        _check_scope(body, frozenset(variables))
    if not bodies:
        raise AkgError(
            "AKG-E241", "the function returned no value", because="it returned an empty tuple",
            hint="return one expression, or a tuple of them",
        )  # fmt: skip
    title = _title(name, "T")
    op = Compute(title, axes, tuple(bodies), user_span(2))
    if not is_tuple:
        return Tensor(title, sizes, bodies[0].dtype, op)
    return tuple([Tensor(f"{title}_{p}", sizes, body.dtype, op, p) for p, body in enumerate(bodies)])


def _parameter_names(fn: Callable[..., Any], rank: int) -> list[str]:
    """One name per dimension, from the parameters of `fn`."""
    if not callable(fn):
        raise AkgError(
            "AKG-E241",
            f"{type(fn).__name__} is not a function of the axes",
            because="te.compute calls it once, with one axis per dimension, to learn what an element is",
            hint=f"write lambda {', '.join('ijklmnpq'[:rank])}: ..." if rank else "write lambda: ...",
        )
    if isinstance(fn, FunctionType):
        code = fn.__code__
        names = list(code.co_varnames[: code.co_argcount])
        required = len(names) - len(fn.__defaults__ or ())
        is_variadic = bool(code.co_flags & inspect.CO_VARARGS)
    else:
        parameters = list(inspect.signature(fn).parameters.values())
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        names = [p.name for p in positional]
        required = sum(p.default is p.empty for p in positional)
        is_variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if required > rank or (len(names) < rank and not is_variadic):
        raise AkgError(
            "AKG-E241",
            f"the function takes {_count(len(names), 'argument')} but the shape has {_count(rank, 'dimension')}",
            because="it is called with one axis per dimension",
            hint=f"write lambda {', '.join('ijklmnpq'[:rank])}: ..." if rank else "write lambda: ...",
        )
    return names[:rank] + [f"i{d}" for d in range(len(names), rank)]


def _check_scope(body: Expr, spatial: frozenset[Var]) -> None:
    """Every axis in `body` is one of its own, or is bound by the reduction around it; reductions do not nest."""
    stack: list[tuple[Expr, Reduce | None]] = [(body, None)]
    seen: set[tuple[int, int]] = set()
    while stack:
        node, inside = stack.pop()
        if (id(node), id(inside)) in seen:
            continue
        seen.add((id(node), id(inside)))
        if isinstance(node, Var):
            if is_axis_var(node) and node not in spatial:
                _check_bound(node, inside)
        elif isinstance(node, Reduce):
            if inside is not None:
                raise AkgError(
                    "AKG-E243",
                    f"a {node.combiner.name} reduction inside a {inside.combiner.name} reduction",
                    because="a definition reduces once, over all its reduction axes",
                    hint="give the inner reduction a te.compute of its own, or reduce over a tuple of axes",
                )
            stack.extend((c, node) for c in node.children)
            stack.extend((bound, None) for axis in node.axes for bound in (axis.begin, axis.end))
        else:
            stack.extend((c, inside) for c in node.children)


def _check_bound(v: Var, inside: Reduce | None) -> None:
    if inside is not None and any(axis.var is v for axis in inside.axes):
        return
    raise AkgError(
        "AKG-E242",
        f"axis {plain_name(v)} is used outside of its range",
        span=narrowed(user_span(), is_name(plain_name(v))),
        because=f"{plain_name(v)} is neither an axis of this tensor nor of a reduction around the place",
        hint=f"reduce over it: te.sum(..., axis={plain_name(v)})",
    )
