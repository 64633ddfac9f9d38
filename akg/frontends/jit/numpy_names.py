"""NumPy's names: ufuncs, functions and methods of arrays, by operators of akg."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from akg.base.dtype import dtype_of
from akg.base.errors import AkgError

Handler = Callable[..., Any]

_SAME = """
    add subtract multiply divide floor_divide remainder negative positive sign exp exp2 expm1 log log2 log10 log1p
    sqrt square reciprocal sin cos tan sinh cosh tanh hypot floor ceil trunc isnan isinf isfinite signbit copysign
    nextafter logaddexp maximum minimum equal not_equal less less_equal greater greater_equal logical_and logical_or
    logical_xor logical_not bitwise_and bitwise_or bitwise_xor matmul matvec vecmat vecdot
"""
_RENAMED = {
    "power": "pow", "float_power": "pow", "absolute": "abs", "fabs": "abs", "arccos": "acos", "arccosh": "acosh",
    "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan", "arctanh": "atanh", "arctan2": "atan2", "rint": "round",
    "invert": "bitwise_invert", "left_shift": "bitwise_left_shift", "right_shift": "bitwise_right_shift",
    "conjugate": "positive",
}  # fmt: skip
REDUCTIONS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all",
              "logical_or": "any"}  # fmt: skip


def _op(name: str) -> Handler:
    return lambda x, *args: x.apply(name, *args)


UFUNCS: dict[str, Handler] = {name: _op(name) for name in _SAME.split()}
UFUNCS.update({name: _op(op) for name, op in _RENAMED.items()})


def _fmod(x: Any, a: Any, b: Any) -> Any:
    a, b = _traced(x, a), _magnitude(x, b)
    rest = x.apply("remainder", x.apply("abs", a), b)
    return x.apply("copysign", rest, a) if rest.dtype.kind == "f" else x.apply("multiply", rest, x.apply("sign", a))


def _magnitude(x: Any, b: Any) -> Any:
    return abs(b) if isinstance(b, (int, float)) else x.apply("abs", b)


UFUNCS["fmod"] = _fmod
METHODS: dict[str, Handler] = {}
FUNCTIONS: dict[str, Handler] = {}


def _method(*names: str) -> Callable[[Handler], Handler]:
    """Register a function of an array as a method, and as NumPy's function of the same name."""

    def register(handler: Handler) -> Handler:
        for name in names:
            METHODS[name] = handler
            FUNCTIONS[name] = lambda _self, a, *args, **kwargs: handler(_traced(_self, a), *args, **kwargs)
        return handler

    return register


def _function(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        FUNCTIONS.update(dict.fromkeys(names, handler))
        return handler

    return register


def _traced(x: Any, a: Any) -> Any:
    """An argument as a traced array of the same graph as `x`."""
    return a if isinstance(a, type(x)) else type(x)(x.builder, x.builder.constant(np.asarray(a)))


def _refuse(**options: Any) -> None:
    """No option that has an effect which akg does not have."""
    given = [name for name, value in options.items() if value is not None and value is not np._NoValue]  # pyright: ignore
    if given:
        raise AkgError("AKG-E753", f"the argument {given[0]!r} on a traced array", because="akg.jit does not trace it")


def _reduction(op: str) -> Handler:
    def handler(
        x: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **more: Any
    ) -> Any:  # fmt: skip
        _refuse(out=out, **more)
        keep = bool(keepdims) if keepdims is not np._NoValue else False  # pyright: ignore
        typed = {} if dtype is None else {"dtype": dtype_of(np.dtype(dtype))}
        return x.apply(op, x, axis=_axis(axis), keepdims=keep, **typed)

    return handler


def _axis(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


for _name in ("sum", "prod", "mean", "max", "min", "any", "all"):
    _method(_name)(_reduction(_name))
_method("amax")(_reduction("max"))
_method("amin")(_reduction("min"))


def _extreme_place(op: str) -> Handler:
    def handler(x: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        _refuse(out=out)
        return x.apply(op, x, axis=axis, keepdims=keepdims is True)

    return handler


_method("argmax")(_extreme_place("argmax"))
_method("argmin")(_extreme_place("argmin"))


def _spread(op: str) -> Handler:
    def handler(x: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: Any = False,
                **more: Any) -> Any:  # fmt: skip
        _refuse(dtype=dtype, out=out, **more)
        return x.apply(op, x, axis=_axis(axis), correction=float(ddof), keepdims=keepdims is True)

    return handler


_method("var")(_spread("var"))
_method("std")(_spread("std"))


def _scan(op: str) -> Handler:
    def handler(x: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
        _refuse(out=out)
        if axis is None:
            x, axis = x.ravel(), 0
        return x.apply(op, x, axis % x.ndim, dtype=None if dtype is None else dtype_of(np.dtype(dtype)))

    return handler


_method("cumsum")(_scan("cumsum"))
_method("cumprod")(_scan("cumprod"))


@_method("reshape")
def _reshape(x: Any, *shape: Any, **more: Any) -> Any:
    shape = shape or (more.pop("shape", None) or more.pop("newshape"),)
    _refuse(**{k: v for k, v in more.items() if v != "C"})
    sizes = list(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else list(shape)
    if -1 in [s for s in sizes if isinstance(s, int)]:
        rest = 1
        for s in sizes:
            rest *= 1 if isinstance(s, int) and s == -1 else s
        sizes = [x.size // rest if isinstance(s, int) and s == -1 else s for s in sizes]
    return x.apply("reshape", x, sizes)


@_method("ravel", "flatten")
def _ravel(x: Any, order: str = "C") -> Any:
    _refuse(order=None if order == "C" else order)
    return x.apply("reshape", x, [x.size])


@_method("transpose")
def _transpose(x: Any, *axes: Any) -> Any:
    order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return x.apply("permute_dims", x, list(order) if order else list(range(x.ndim))[::-1])


METHODS["T"] = lambda x: _transpose(x)


@_method("swapaxes")
def _swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    return x.apply("swapaxes", x, axis1, axis2)


@_method("astype")
def _astype(x: Any, dtype: Any, *_: Any, **__: Any) -> Any:
    return x.apply("astype", x, dtype_of(np.dtype(dtype)))


@_method("clip")
def _clip(x: Any, min: Any = None, max: Any = None, out: Any = None, **more: Any) -> Any:
    _refuse(out=out)
    low, high = more.pop("a_min", min), more.pop("a_max", max)
    return x.apply("clip", x, low, high)


@_method("squeeze")
def _squeeze(x: Any, axis: Any = None) -> Any:
    return x.apply("squeeze", x, axis=axis)


@_method("dot")
def _dot(x: Any, b: Any, out: Any = None) -> Any:
    _refuse(out=out)
    if x.ndim <= 2 and getattr(b, "ndim", 0) <= 2 and x.ndim and getattr(b, "ndim", 0):
        return x.apply("matmul", x, b)
    return x.apply("multiply", x, b) if not x.ndim or not getattr(b, "ndim", 0) else x.apply(
        "tensordot", x, b, axes=((x.ndim - 1,), (b.ndim - 2,)))  # fmt: skip


@_method("take")
def _take(x: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
    _refuse(out=out)
    return x.apply("take", x, np.asarray(indices) if isinstance(indices, list) else indices, axis=axis, mode=mode)


@_method("repeat")
def _repeat(x: Any, repeats: int, axis: int | None = None) -> Any:
    return x.apply("repeat", x, repeats, axis=axis)


@_method("round", "around")
def _round(x: Any, decimals: int = 0, out: Any = None) -> Any:
    _refuse(out=out)
    if decimals == 0:
        return x.apply("round", x)
    scale = 10.0**decimals
    return x.apply("divide", x.apply("round", x.apply("multiply", x, scale)), scale)


def _plain(op: str) -> Handler:
    return lambda x, *args, **kwargs: x.apply(op, *args, **kwargs)


for _name in ("expand_dims", "flip", "tile", "moveaxis", "outer", "matrix_transpose", "unstack"):
    _function(_name)(_plain(_name))
FUNCTIONS["tril"] = lambda x, m, k=0: x.apply("tril", m, k=k)
FUNCTIONS["triu"] = lambda x, m, k=0: x.apply("triu", m, k=k)


@_function("where")
def _where(x: Any, condition: Any, *choices: Any) -> Any:
    if len(choices) != 2:
        raise AkgError(
            "AKG-E753", "np.where with a condition alone", because="the number of results depends on elements",
            hint="give both choices",
        )  # fmt: skip
    return x.apply("where", _traced(x, condition), *choices)


@_function("concatenate", "concat")
def _concatenate(x: Any, arrays: Any, axis: int | None = 0, out: Any = None, **more: Any) -> Any:
    _refuse(out=out, **more)
    return x.apply("concat", [_traced(x, a) for a in arrays], axis=axis)


@_function("stack")
def _stack(x: Any, arrays: Any, axis: int = 0, out: Any = None) -> Any:
    _refuse(out=out)
    return x.apply("stack", [_traced(x, a) for a in arrays], axis=axis)


FUNCTIONS["vstack"] = lambda x, arrays: _concatenate(x, [_two(x, a) for a in arrays], 0)
FUNCTIONS["hstack"] = lambda x, arrays: _concatenate(x, arrays, 0 if getattr(arrays[0], "ndim", 1) == 1 else 1)


def _two(x: Any, a: Any) -> Any:
    a = _traced(x, a)
    return a if a.ndim > 1 else a.reshape(1, -1)


@_function("split", "array_split")
def _split(x: Any, a: Any, sections: Any, axis: int = 0) -> Any:
    return list(x.apply("split", a, sections, axis=axis))


@_function("broadcast_to")
def _broadcast_to(x: Any, a: Any, shape: Any, **_: Any) -> Any:
    return x.apply("broadcast_to", a, shape)


@_function("roll")
def _roll(x: Any, a: Any, shift: Any, axis: Any = None) -> Any:
    return x.apply("roll", a, shift, axis)


@_function("pad")
def _pad(x: Any, a: Any, pad_width: Any, mode: str = "constant", **more: Any) -> Any:
    value = more.pop("constant_values", 0)
    _refuse(**more)
    return x.apply("pad", a, pad_width, mode=mode, constant_value=value)


@_function("take_along_axis")
def _take_along_axis(x: Any, a: Any, indices: Any, axis: int = -1) -> Any:
    return x.apply("take_along_axis", _traced(x, a), indices, axis=axis)


@_function("einsum")
def _einsum(x: Any, subscripts: str, *operands: Any, **more: Any) -> Any:
    more.pop("optimize", None)
    _refuse(**more)
    return x.apply("einsum", subscripts.replace(" ", ""), *[_traced(x, o) for o in operands])


@_function("tensordot")
def _tensordot(x: Any, a: Any, b: Any, axes: Any = 2) -> Any:
    if not isinstance(axes, int):
        axes = tuple([(p,) if isinstance(p, int) else tuple(p) for p in axes])
    return x.apply("tensordot", _traced(x, a), _traced(x, b), axes=axes)


def _like(op: str) -> Handler:
    def handler(x: Any, a: Any, *number: Any, dtype: Any = None, **more: Any) -> Any:
        number = number or ((more.pop("fill_value"),) if "fill_value" in more else ())
        _refuse(**{k: v for k, v in more.items() if k not in ("order", "subok", "device")})
        return x.apply(op, a, *number, dtype=None if dtype is None else dtype_of(np.dtype(dtype)))

    return handler


for _name in ("zeros_like", "ones_like", "full_like", "empty_like"):
    _function(_name)(_like(_name))


@_function("linalg.norm")
def _norm(x: Any, a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if ord not in (None, 1, 2, np.inf) or (ord is not None and isinstance(axis, tuple)):
        raise AkgError("AKG-E753", f"np.linalg.norm of order {ord!r}", because="akg.jit traces norms of vectors")
    return x.apply("vector_norm", a, axis=axis, keepdims=keepdims, ord=2 if ord is None else ord)


@_function("count_nonzero")
def _count_nonzero(x: Any, a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return x.apply("count_nonzero", a, axis=axis, keepdims=keepdims)


FUNCTIONS["linalg.matmul"] = lambda x, a, b: x.apply("matmul", a, b)
FUNCTIONS["shape"] = lambda x, a: a.shape
FUNCTIONS["ndim"] = lambda x, a: a.ndim
FUNCTIONS["copy"] = lambda x, a, *_, **__: a
METHODS["copy"] = lambda x, *_: x
