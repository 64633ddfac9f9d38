"""`akg.jit`: a function of arrays, traced once for each combination of shapes, types and Python values."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from akg.base.dtype import DType, dtype_of
from akg.base.errors import AkgError, suggest, user_facing
from akg.base.target import Target
from akg.base.trace import logger
from akg.frontends.jit.array import TracedArray
from akg.fusion import Builder, CompiledGraph, compile_graph
from akg.ir.graph import Value
from akg.poly.strategy import StrategyLike

_log = logger("jit")
_KEPT = 64
_NOT_DENSE = "AKG-E506"  # of an array that is a view with gaps, or turned
ShapeSpec = Sequence[str | int | None]


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """What the kernels of a trace know of an argument: sizes (names for symbolic ones) and the element type."""

    shape: tuple[int | str, ...]
    dtype: DType

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True, slots=True)
class Trace:
    """A compiled trace, and how its results are put together.

    Attributes:
        compiled: the kernels.
        rebuild: from the results of the kernels to what the function returns.
        reason: why it was traced.
    """

    compiled: CompiledGraph
    rebuild: Callable[[list[Any]], Any]
    reason: str


class Jitted:
    """A function that runs on akg's kernels. Called as the function is, with arrays in tuples, lists and dicts."""

    def __init__(
        self, function: Callable[..., Any], shapes: Mapping[str, ShapeSpec], target: str | Target | None,
        strategy: StrategyLike,
    ) -> None:  # fmt: skip
        functools.update_wrapper(self, function)
        self._function, self._shapes, self._target, self._strategy = function, shapes, target, strategy
        self.traces: dict[tuple[Any, ...], Trace] = {}

    @user_facing
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function.

        Raises:
            AkgError: AKG-E75x for what cannot be traced, and what the operators raise.
        """
        arrays: list[Any] = []
        parts: list[Any] = []
        for k, arg in enumerate(args):
            _flatten(arg, self._name_of(k), self._shapes, arrays, parts)
        for name, arg in kwargs.items():
            parts.append(name)
            _flatten(arg, name, self._shapes, arrays, parts)
        key = tuple(parts)
        trace = self.traces.get(key)
        if trace is None:
            trace = self._traced(key, args, kwargs)
        try:
            return trace.rebuild(trace.compiled.run(arrays))
        except AkgError as error:
            if error.code != _NOT_DENSE:
                raise
        return trace.rebuild(trace.compiled.run([_dense(a) for a in arrays]))

    def _name_of(self, position: int) -> str:
        code = getattr(self._function, "__code__", None)
        names = code.co_varnames[: code.co_argcount] if code is not None else ()
        return names[position] if position < len(names) else f"argument {position}"

    def _traced(self, key: tuple[Any, ...], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Trace:
        reason = self._reason(key)
        if self.traces:
            _log.info("%s: traced again: %s", self._function.__name__, reason)
        builder = Builder(_identifier(self._function.__name__))
        specs = iter([p for p in key if isinstance(p, ArraySpec)])
        traced = [_replace(a, self._name_of(k), builder, specs) for k, a in enumerate(args)]
        named = {n: _replace(a, n, builder, specs) for n, a in kwargs.items()}
        result = self._function(*traced, **named)
        outputs: list[Value] = []
        rebuild = _results(result, builder, outputs)
        compiled = compile_graph(builder.finish(outputs), target=self._target, strategy=self._strategy,
                                 own_outputs=True)  # fmt: skip
        while len(self.traces) >= _KEPT:
            del self.traces[next(iter(self.traces))]
        trace = self.traces[key] = Trace(compiled, rebuild, reason)
        return trace

    def _reason(self, key: tuple[Any, ...]) -> str:
        """What differs from the nearest earlier trace."""
        if not self.traces:
            return "first call"
        nearest = min(self.traces, key=lambda k: sum(a != b for a, b in zip(k, key, strict=False)) + abs(
            len(k) - len(key)))  # fmt: skip
        if len(nearest) != len(key):
            return "another structure of arguments"
        changes = [(a, b) for a, b in zip(nearest, key, strict=True) if a != b]
        text = "; ".join(f"{a} became {b}" for a, b in changes)
        numbers = any(not isinstance(b, ArraySpec) for _, b in changes)
        return text + (" (a NumPy array in its place would not be compiled in)" if numbers else
                       " (shapes= makes a size symbolic)")  # fmt: skip

    def explain(self) -> str:
        """The traces: why each was made, and its fused kernels."""
        return "\n\n".join(f"{t.reason}\n{t.compiled.explain()}" for t in self.traces.values())


def _identifier(name: str) -> str:
    return name if name.isidentifier() else "traced"


def _dense(array: Any) -> Any:
    """The array in row-major order: a copy where it is a view that is not."""
    return np.asarray(array if isinstance(array, np.ndarray) else np.from_dlpack(array), order="C")


def _check_names(function: Callable[..., Any], shapes: Mapping[str, ShapeSpec]) -> None:
    """Refuse shapes of arguments that the function does not have: AKG-E756."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return  # a function without a signature, such as one written in C
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for name in shapes:
        if name not in parameters:
            raise AkgError(
                "AKG-E756", f"shapes= names {name!r}",
                because=f"the function takes {', '.join(parameters) or 'nothing'}",
                hint=suggest(name, parameters, "arguments") or "name an argument of the function",
            )  # fmt: skip


def _is_array(arg: Any) -> bool:
    return isinstance(arg, np.ndarray) or (hasattr(arg, "__dlpack__") and hasattr(arg, "shape"))


def _flatten(arg: Any, name: str, shapes: Mapping[str, ShapeSpec], arrays: list[Any], parts: list[Any]) -> None:
    """Collect arrays in order, and in `parts` all that the kernels depend on."""
    if _is_array(arg):
        arrays.append(arg)
        parts.append(_spec_of(arg, name, shapes))
    elif isinstance(arg, (tuple, list)):
        items = cast("Sequence[Any]", arg)
        parts.append((type(items), len(items)))
        for item in items:
            _flatten(item, name, shapes, arrays, parts)
    elif isinstance(arg, dict):
        table = cast("dict[Any, Any]", arg)
        parts.append((dict, tuple(table)))
        for item in table.values():
            _flatten(item, name, shapes, arrays, parts)
    elif isinstance(arg, (int, float, bool, str, np.generic, type(None), type, np.dtype)):
        parts.append(_Static(name, arg))
    else:
        raise AkgError(
            "AKG-E755", f"{name} of type {type(arg).__name__}", because="akg.jit takes arrays, numbers, strings, None, "
            "and tuples, lists and dicts of them", hint="close over other objects instead of passing them",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Static:
    """A Python value that is compiled in; 1, 1.0 and True are three."""

    name: str
    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Static) and type(self.value) is type(other.value) and repr(self.value) == repr(
            other.value)  # fmt: skip

    def __hash__(self) -> int:
        return hash((self.name, repr(self.value)))

    def __str__(self) -> str:
        return f"{self.name} = {self.value!r}"


def _spec_of(arg: Any, name: str, shapes: Mapping[str, ShapeSpec]) -> ArraySpec:
    sizes: tuple[int | str, ...] = tuple(arg.shape)
    wanted = shapes.get(name)
    if wanted is not None:
        if len(wanted) != len(sizes):
            raise AkgError(
                "AKG-E756", f"{name} has {len(sizes)} dimensions", because=f"shapes= gives it {len(wanted)}",
                hint="give one entry for each: a name, a size or None",
            )  # fmt: skip
        for given, size in zip(wanted, sizes, strict=True):
            if isinstance(given, int) and given != size:
                raise AkgError("AKG-E756", f"{name} has shape {sizes}", because=f"shapes= says {tuple(wanted)}")
        sizes = tuple([g if isinstance(g, str) else n for g, n in zip(wanted, sizes, strict=True)])
    return ArraySpec(sizes, dtype_of(_numpy_dtype(arg)))


def _numpy_dtype(arg: Any) -> Any:
    dtype = arg.dtype
    return dtype if isinstance(dtype, np.dtype) else str(dtype).rpartition(".")[2]


def _replace(arg: Any, name: str, builder: Builder, specs: Any) -> Any:
    if _is_array(arg):
        spec = next(specs)
        return TracedArray(builder, builder.input(_identifier(name), spec.shape, spec.dtype))
    if isinstance(arg, (tuple, list)):
        items = cast("Sequence[Any]", arg)
        found = [_replace(item, name, builder, specs) for item in items]
        return tuple(found) if isinstance(arg, tuple) else found
    if isinstance(arg, dict):
        return {k: _replace(v, name, builder, specs) for k, v in cast("dict[Any, Any]", arg).items()}
    return arg


def _results(result: Any, builder: Builder, outputs: list[Value]) -> Callable[[list[Any]], Any]:
    """Collect what the function returns; a function from arrays to the same structure."""
    if isinstance(result, TracedArray):
        place = len(outputs)
        outputs.append(result.value)
        return lambda arrays: arrays[place]
    if isinstance(result, (np.ndarray, np.generic)) or (isinstance(result, (int, float)) and result is not None):
        constant = np.asarray(result)
        return lambda _: constant.copy()
    if isinstance(result, (tuple, list)):
        kind, items = type(cast("Sequence[Any]", result)), cast("Sequence[Any]", result)
        makers = [_results(item, builder, outputs) for item in items]
        return lambda arrays: kind([make(arrays) for make in makers])  # type: ignore[call-arg]  # tuple or list
    if isinstance(result, dict):
        table = {k: _results(v, builder, outputs) for k, v in cast("dict[Any, Any]", result).items()}
        return lambda arrays: {k: make(arrays) for k, make in table.items()}
    if result is None:
        return lambda _: None
    raise AkgError(
        "AKG-E755", f"a result of type {type(result).__name__}",
        because="a traced function returns arrays, numbers, None, and tuples, lists and dicts of them",
    )  # fmt: skip


@user_facing
def jit(
    function: Callable[..., Any] | None = None,
    *,
    shapes: Mapping[str, ShapeSpec] | None = None,
    target: str | Target | None = None,
    strategy: StrategyLike = None,
) -> Any:
    """Compile a function on NumPy arrays: ``@akg.jit``, or ``akg.jit(f, shapes={"x": ("n", None)})``.

    The function runs once on traced arrays for each new combination of shapes, element types and Python values; the
    operators that it applies become a graph, which is fused and compiled. Later calls run the kernels alone.

    Args:
        function: of arrays, numbers, and structures of them.
        shapes: by the names of arguments, which sizes are symbolic (a text, the same for equal sizes), fixed (a number)
            or taken from each call (None). One set of kernels serves all values of the symbolic ones.
        target: as for `akg.build`.
        strategy: as for `akg.build`.

    Raises:
        AkgError: AKG-E75x.
    """
    if function is None:
        return lambda f: jit(f, shapes=shapes, target=target, strategy=strategy)
    if not callable(function):
        raise AkgError("AKG-E755", f"akg.jit of {type(function).__name__}", because="it takes a function")
    _check_names(function, shapes or {})
    return Jitted(function, dict(shapes or {}), target, strategy)
