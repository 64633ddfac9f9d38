"""What a traced function sees in place of arrays: NumPy's operators and functions record nodes of a graph."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from akg.base.errors import AkgError, suggest
from akg.frontends.jit.numpy_names import FUNCTIONS, METHODS, REDUCTIONS, UFUNCS
from akg.fusion import Builder
from akg.ir.expr import Const
from akg.ir.graph import Value


class TracedArray:
    """An array whose elements are not known yet. Immutable; `x += y` binds a new array to the name.

    NumPy's functions and ufuncs accept it, as do Python's operators; so do its methods, which are those of ndarray.
    """

    __slots__ = ("builder", "value")
    __hash__ = None  # type: ignore[assignment]  # == records a comparison

    def __init__(self, builder: Builder, value: Value) -> None:
        self.builder, self.value = builder, value

    # --- what is known ------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[Any, ...]:
        """Sizes: integers, and index expressions of symbolic ones."""
        return tuple([int(s.value) if isinstance(s, Const) else s for s in self.value.shape])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The element type, as NumPy has it."""
        return np.dtype(self.value.dtype.numpy)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.value.shape)

    @property
    def size(self) -> Any:
        """The number of elements."""
        total: Any = 1
        for extent in self.shape:
            total = total * extent
        return total

    def __len__(self) -> int:
        first = self.shape[0] if self.ndim else None
        if not isinstance(first, int):
            raise self._unknown("len()", "its first size is not known while tracing" if self.ndim else "it is a scalar")
        return first

    def __iter__(self) -> Iterator[TracedArray]:
        return iter([self[k] for k in range(len(self))])

    def __repr__(self) -> str:
        return f"TracedArray({self.value!r})"

    # --- what is not --------------------------------------------------------------------------------------------

    def _unknown(self, what: str, because: str = "elements are not known while tracing") -> AkgError:
        return AkgError(
            "AKG-E750", f"{what} of a traced array", because=because,
            hint="use np.where for choices between elements; conditions on shapes and Python numbers are fine",
        )  # fmt: skip

    def __bool__(self) -> bool:
        raise self._unknown("the truth value")

    def __float__(self) -> float:
        raise self._unknown("float()")

    def __int__(self) -> int:
        raise self._unknown("int()")

    def __index__(self) -> int:
        raise self._unknown("the use as an index")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise self._unknown("conversion to a NumPy array")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise AkgError(
            "AKG-E751", "assignment to elements of a traced array", because="traced arrays do not change",
            hint="make a new array, for instance with np.where or np.concatenate",
        )  # fmt: skip

    # --- operators ----------------------------------------------------------------------------------------------

    def apply(self, op: str, *args: Any, **attributes: Any) -> Any:
        """An operator of `akg.ops`; traced arrays and NumPy arrays are its tensors."""
        result = self.builder.apply(op, *[self._lowered(a) for a in args],
                                    **{k: self._lowered(v) for k, v in attributes.items()})  # fmt: skip
        if isinstance(result, tuple):
            return tuple([TracedArray(self.builder, v) for v in result])
        return TracedArray(self.builder, result)

    def _lowered(self, arg: Any) -> Any:
        if isinstance(arg, TracedArray):
            if arg.builder is not self.builder:
                raise AkgError(
                    "AKG-E752", "a traced array of another call", because="it was kept when its function had returned",
                    hint="return what you need, and pass it as an argument",
                )  # fmt: skip
            return arg.value
        if isinstance(arg, np.ndarray):
            return self.builder.constant(arg)
        if isinstance(arg, (list, tuple)):
            return [self._lowered(a) for a in arg]
        return arg

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        kwargs = {k: v for k, v in kwargs.items() if v is not None}
        if method == "reduce" and ufunc.__name__ in REDUCTIONS:
            return METHODS[REDUCTIONS[ufunc.__name__]](*inputs, **{"axis": 0, **kwargs})
        handler = UFUNCS.get(ufunc.__name__)
        if method != "__call__" or handler is None or set(kwargs) - {"dtype"}:
            what = f"np.{ufunc.__name__}" + (f".{method}" if method != "__call__" else "")
            raise _missing(what, [f"np.{n}" for n in UFUNCS], kwargs)
        result = handler(self, *[_weak(a) for a in inputs])
        return result if "dtype" not in kwargs else result.astype(kwargs["dtype"])

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
        handler = FUNCTIONS.get(name)
        if handler is None:
            raise _missing(f"np.{name}", [f"np.{n}" for n in FUNCTIONS])
        return handler(self, *args, **kwargs)

    def __getitem__(self, key: Any) -> TracedArray:
        return _indexed(self, key)

    def __getattr__(self, name: str) -> Any:
        method = METHODS.get(name)
        if method is None:
            if name.startswith("__"):
                raise AttributeError(name)  # protocols that are asked for and not there
            raise AttributeError(f"a traced array has no {name!r}; {suggest(name, METHODS)}")
        if name == "T":
            return method(self)
        return lambda *args, **kwargs: method(self, *args, **kwargs)


def _missing(what: str, known: list[str], kwargs: Any = ()) -> AkgError:
    options = f" with {', '.join(kwargs)}" if kwargs else ""
    return AkgError(
        "AKG-E753", f"{what}{options} on a traced array", because="akg.jit does not trace it",
        hint=suggest(what, known, "functions"),
    )  # fmt: skip


def _weak(arg: Any) -> Any:
    """NumPy passes Python numbers through ufuncs as they are; 0-d arrays are strong."""
    return arg[()] if isinstance(arg, np.ndarray) and arg.ndim == 0 else arg


def _operator(ufunc: Any, *, is_reflected: bool = False) -> Callable[[TracedArray, Any], Any]:
    def method(self: TracedArray, other: Any) -> Any:
        pair = (other, self) if is_reflected else (self, other)
        return self.__array_ufunc__(ufunc, "__call__", *pair)

    return method


for _name, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
    "mod": np.remainder, "pow": np.power, "matmul": np.matmul, "and": np.bitwise_and, "or": np.bitwise_or,
    "xor": np.bitwise_xor, "lshift": np.left_shift, "rshift": np.right_shift,
}.items():  # fmt: skip
    setattr(TracedArray, f"__{_name}__", _operator(_ufunc))
    setattr(TracedArray, f"__r{_name}__", _operator(_ufunc, is_reflected=True))
for _name in ("lt", "le", "eq", "ne", "gt", "ge"):
    _full = {"lt": "less", "le": "less_equal", "eq": "equal", "ne": "not_equal", "gt": "greater",
             "ge": "greater_equal"}[_name]  # fmt: skip
    setattr(TracedArray, f"__{_name}__", _operator(getattr(np, _full)))
for _name, _ufunc in {"neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert}.items():
    setattr(TracedArray, f"__{_name}__", lambda self, u=_ufunc: self.__array_ufunc__(u, "__call__", self))


def _indexed(x: TracedArray, key: Any) -> TracedArray:
    """Integers, slices, None, an ellipsis, and one array of integers."""
    items = list(key) if isinstance(key, tuple) else [key]
    used = sum(1 for i in items if i is not None and i is not Ellipsis)
    if used > x.ndim:
        raise AkgError("AKG-E754", f"{used} subscripts of an array of {x.ndim} dimensions")
    places = [k for k, i in enumerate(items) if i is Ellipsis]
    fill: list[Any] = [slice(None)] * (x.ndim - used)
    if places:
        items[places[0] : places[0] + 1] = fill
    else:
        items += fill
    arrays = [i for i in items if isinstance(i, (TracedArray, np.ndarray, list))]
    if arrays:
        return _gathered(x, items, arrays)
    starts: list[int | None] = []
    stops: list[int | None] = []
    steps: list[int] = []
    axes: list[int] = []
    shape: list[Any] = []
    axis = 0
    for item in items:
        if item is None:
            shape.append(1)
            continue
        extent = x.shape[axis]
        if isinstance(item, slice):
            if item != slice(None):
                starts.append(item.start)
                stops.append(item.stop)
                steps.append(1 if item.step is None else item.step)
                axes.append(axis)
            shape.append((item, extent))
        else:
            at = _position(item, extent, axis)
            starts.append(at)
            stops.append(at + 1)
            steps.append(1)
            axes.append(axis)
        axis += 1
    cut = x.apply("slice", x, starts, stops, steps, axes=axes) if axes else x
    if all(isinstance(i, slice) for i in items):
        return cut
    sizes = iter([n for n, i in zip(cut.shape, [i for i in items if i is not None], strict=True)
                  if isinstance(i, slice)])  # fmt: skip
    return cut.apply("reshape", cut, [1 if s == 1 and not isinstance(s, tuple) else next(sizes) for s in shape])


def _position(item: Any, extent: Any, axis: int) -> int:
    at = operator.index(item)
    if isinstance(extent, int) and not -extent <= at < extent:
        raise AkgError("AKG-E754", f"index {at} of axis {axis} with size {extent}", because="it is out of bounds")
    if at < 0:
        if not isinstance(extent, int):
            raise AkgError(
                "AKG-E754", f"index {at} of axis {axis}", because="the size is symbolic",
                hint="use a slice such as x[-1:], or count from the beginning",
            )  # fmt: skip
        at += extent
    return at


def _gathered(x: TracedArray, items: list[Any], arrays: list[Any]) -> TracedArray:
    others = [i for i in items if not isinstance(i, (TracedArray, np.ndarray, list)) and i != slice(None)]
    index = np.asarray(arrays[0]) if isinstance(arrays[0], list) else arrays[0]
    if len(arrays) > 1 or others or np.dtype(index.dtype).kind not in "iu":
        raise AkgError(
            "AKG-E754", "subscripts with several arrays, masks, or arrays and other things",
            because="akg.jit takes one array of integers along one axis", hint="use np.where for masks",
        )  # fmt: skip
    axis = next(k for k, i in enumerate(items) if isinstance(i, (TracedArray, np.ndarray, list)))
    return x.apply("take", x, index, axis=axis)
