"""Running a kernel: the functions that generated source calls, arguments, and the entry point."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from akg.base.dtype import bfloat16
from akg.ir.buffer import Buffer
from akg.ir.interp import values
from akg.ir.interp.source import Source, generate
from akg.ir.stmt import Kernel

Order = Literal["forward", "reverse", "shuffle"]
Array = np.ndarray[Any, np.dtype[Any]]
Where = tuple[str, str]  # statement and buffer


def interpret(
    kernel: Kernel, *args: Any, order: Order = "forward", seed: int = 0, check_uninitialised: bool = False
) -> None:
    """Run `kernel` on its arguments, in the order of `kernel.params`, in place.

    Args:
        kernel: what to run.
        args: an ndarray of the declared dtype and shape for a buffer, an int for a size, a number for a scalar.
        order: of the iterations of loops that claim independence (parallel, vector, block, thread).
        seed: of the shuffle.
        check_uninitialised: raise on a read of an element of a temporary or of an "out" buffer before its first write.

    Raises:
        IndexError: an access is out of range; the message names the statement, the buffer and the subscripts.
        RuntimeError: an uninitialised element is read, or threads disagree about a barrier.
        TypeError, ValueError: an argument does not fit its parameter.
    """
    source = _source(kernel, check_uninitialised)
    if len(args) != len(kernel.params):
        raise TypeError(f"{kernel.name} takes {len(kernel.params)} arguments, not {len(args)}")
    bound = [_bind(p.value, a) for p, a in zip(kernel.params, args, strict=True)]
    rng = np.random.default_rng(seed)
    orders: dict[str, Callable[[range], Iterable[int]]] = {
        "forward": iter, "reverse": reversed, "shuffle": lambda r: [r[k] for k in rng.permutation(len(r))],
    }  # fmt: skip
    scope: dict[str, Any] = {**_RUNTIME, **source.constants, "any_order": orders[order]}
    exec(_compiled(source.text, kernel.name), scope)
    with np.errstate(all="ignore"):
        steps = scope["run"](*bound)
        if source.is_generator:
            for _ in steps:
                pass


def python_source(kernel: Kernel, check_uninitialised: bool = False) -> str:
    """The Python source that `interpret` runs for `kernel`."""
    return _source(kernel, check_uninitialised).text


@lru_cache(maxsize=128)
def _source(kernel: Kernel, check_uninitialised: bool) -> Source:
    return generate(kernel, check_uninitialised)


@lru_cache(maxsize=128)
def _compiled(text: str, name: str) -> Any:
    return compile(text, f"<interpreter of {name}>", "exec")


def _bind(value: object, given: Any) -> Any:
    if not isinstance(value, Buffer):
        return values.argument(given, value.dtype)  # type: ignore[attr-defined]  # pyright: ignore
    if not isinstance(given, np.ndarray):
        raise TypeError(f"{value.name}: expected an ndarray, not {type(given).__name__}")
    if given.dtype != value.dtype.numpy:
        raise TypeError(f"{value.name}: expected {value.dtype}, not {given.dtype}")
    return given


# --- what generated source calls -----------------------------------------------------------------------


def _check_shape(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, not {array.shape}")


def _allocate(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """A temporary full of values that a correct program never reads: NaN, or a pattern of bits."""
    if any(n < 0 for n in shape):
        raise ValueError(f"a temporary of shape {shape}")
    is_float = dtype.kind == "f" or dtype == bfloat16.numpy
    return np.full(shape, float("nan") if is_float else 85, dtype)


def _out_of_range(array: Array, where: Where, subscripts: Sequence[int]) -> IndexError:
    spelled = ", ".join(map(str, subscripts))
    return IndexError(f"{where[0]}: {where[1]}[{spelled}] is outside shape {array.shape}")


def _load(array: Array, where: Where, *subscripts: int) -> values.Value:
    for k, n in zip(subscripts, array.shape, strict=True):
        if not 0 <= k < n:
            raise _out_of_range(array, where, subscripts)
    return array[subscripts]


def _load1(array: Array, where: Where, i: int) -> values.Value:
    if 0 <= i < array.shape[0]:
        return array[i]
    raise _out_of_range(array, where, (i,))


def _load2(array: Array, where: Where, i: int, j: int) -> values.Value:
    n, m = array.shape
    if 0 <= i < n and 0 <= j < m:
        return array[i, j]
    raise _out_of_range(array, where, (i, j))


def _load_checked(array: Array, written: Array, where: Where, *subscripts: int) -> values.Value:
    value = _load(array, where, *subscripts)
    if not written[subscripts]:
        spelled = ", ".join(map(str, subscripts))
        raise RuntimeError(f"{where[0]}: reads {where[1]}[{spelled}], which nothing has written")
    return value


def _store(array: Array, where: Where, value: values.Value, *subscripts: int) -> None:
    for k, n in zip(subscripts, array.shape, strict=True):
        if not 0 <= k < n:
            raise _out_of_range(array, where, subscripts)
    array[subscripts] = value


def _store_checked(array: Array, written: Array, where: Where, value: values.Value, *subscripts: int) -> None:
    _store(array, where, value, *subscripts)
    written[subscripts] = True


def _lockstep(threads: list[Generator[str, None, None]], releases: str) -> Generator[str, None, None]:
    """Run `threads` from barrier to barrier; pass on the barriers that this loop does not release."""
    live = threads
    while live:
        still: list[Generator[str, None, None]] = []
        scopes: set[str] = set()
        for thread in live:
            scope = next(thread, None)
            if scope is not None:
                still.append(thread)
                scopes.add(scope)
        if still and (len(still) < len(live) or len(scopes) > 1):
            raise RuntimeError("not all threads arrive at the same barrier")
        live = still
        if scopes and releases not in scopes:
            yield scopes.pop()


_RUNTIME: dict[str, Any] = {
    "load": _load, "load1": _load1, "load2": _load2, "load_checked": _load_checked, "store": _store,
    "store_checked": _store_checked, "check_shape": _check_shape, "allocate": _allocate, "lockstep": _lockstep,
    "minimum": values.minimum, "maximum": values.maximum, "np": np, "f32": np.float32,
}  # fmt: skip
