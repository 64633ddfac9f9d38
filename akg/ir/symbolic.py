"""What an expression refuses while a program is defined: to be a number, a condition or an array of Python's.

NumPy's operators on it are its own operators; everything else is an error that names the function of `akg.te`.
"""

from __future__ import annotations

import operator
import re
import threading
from collections.abc import Callable, Hashable, Iterator
from typing import Any, ClassVar, Generic, TypeVar
from weakref import ref

from akg.base.dtype import DType, index
from akg.base.errors import AkgError, user_facing

# What NumPy calls Python's operators.
UFUNC_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv,
    "floor_divide": operator.floordiv, "remainder": operator.mod, "power": operator.pow, "less": operator.lt,
    "less_equal": operator.le, "greater": operator.gt, "greater_equal": operator.ge, "equal": operator.eq,
    "not_equal": operator.ne, "bitwise_and": operator.and_, "bitwise_or": operator.or_, "bitwise_xor": operator.xor,
}  # fmt: skip

T = TypeVar("T")


class _Held(ref[T]):
    """A weak reference that knows its key."""

    __slots__ = ("key",)
    key: Hashable


class NodeTable(Generic[T]):
    """The one living object of each key; it holds none of them.

    What `weakref.WeakValueDictionary` is, at half the price of a new entry: thousands are made in a build.
    """

    def __init__(self) -> None:
        self._held: dict[Hashable, _Held[T]] = {}
        self._lock = threading.RLock()  # a collection of garbage may call `_forget` anywhere, also in `keep`

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Hashable) -> T | None:
        """The object of a key, None if there is none."""
        held = self._held.get(key)
        return None if held is None else held()

    def keep(self, key: Hashable, made: T) -> T:
        """`made`, or the object that another thread has made of the same key since it was looked for."""
        held = _Held(made, self._forget)
        held.key = key
        with self._lock:
            found = self.get(key)
            if found is None:
                self._held[key] = held
                return made
        return found

    def _forget(self, held: ref[T]) -> None:
        assert isinstance(held, _Held)
        with self._lock:
            if self._held.get(held.key) is held:
                del self._held[held.key]


class Symbolic:
    """The part of `Expr` that answers to Python's and NumPy's own protocols."""

    __slots__ = ()
    _functions: ClassVar[frozenset[str]] = frozenset()  # of expressions, by name

    @staticmethod
    def _operand(value: Any) -> Any:
        """`value` as an expression."""
        raise NotImplementedError

    @user_facing
    def __bool__(self) -> bool:
        raise AkgError(
            "AKG-E203",
            "a symbolic expression has no truth value while the program is being defined",
            because=f"the expression is {self._user_text()}",
            hint="use te.select(condition, a, b), te.all(...), te.any(...), te.maximum(...) or te.minimum(...) "
            "instead of `if`, `and`, `or`, `max`, `min`",
        )

    def _user_text(self) -> str:
        return re.sub(r"\$\d+", "", str(self))  # axes carry a number that makes them unique

    @user_facing
    def __iter__(self) -> Iterator[Any]:
        raise AkgError(
            "AKG-E103",
            "a scalar expression is not iterable",
            because=f"the expression is {self._user_text()}",
            hint="a definition describes one element at a time: reduce with te.sum(..., axis=te.reduce_axis(n))",
        )

    def _no_number(self, what: str) -> AkgError:
        return AkgError(
            "AKG-E203",
            f"a symbolic expression is no {what} while the program is being defined",
            because=f"the expression is {self._user_text()}",
            hint="compute with te functions, such as te.exp(x) or te.cast(x, 'int32'), and read from placeholders",
        )

    @user_facing
    def __index__(self) -> int:
        raise self._no_number("Python integer")

    @user_facing
    def __int__(self) -> int:
        raise self._no_number("Python integer")

    @user_facing
    def __float__(self) -> float:
        raise self._no_number("Python number")

    @user_facing
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        operation = UFUNC_OPERATORS.get(ufunc.__name__) if method == "__call__" and not options else None
        if operation is not None:  # a NumPy scalar on the left: np.float32(2) * x
            return operation(*[self._operand(value) for value in inputs])
        name = {"arctan": "atan", "arctan2": "atan2", "rint": "round"}.get(ufunc.__name__, ufunc.__name__)
        known = name in self._functions or name in ("maximum", "minimum", "abs")
        raise AkgError(
            "AKG-E103",
            f"np.{ufunc.__name__} on a symbolic expression",
            because="NumPy computes on numbers, and this one is known when the kernel runs",
            hint=f"write te.{name}(...)" if known else "write it with the functions of akg.te",
        )


def check_held(value: int, dtype: DType) -> None:
    """Refuse a Python integer beside an integer type that does not hold it, as NumPy does.

    Raises:
        AkgError: AKG-E108.
    """
    if dtype.is_float or dtype is index:
        return
    bits, is_signed = 8 * dtype.itemsize_bytes, dtype.kind == "int"
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if is_signed else (0, (1 << bits) - 1)
    if not low <= value <= high:
        raise AkgError(
            "AKG-E108",
            f"{value} is not a value of {dtype}",
            because=f"{dtype} holds the integers from {low} to {high}, and a Python number takes the type beside it",
            hint="use a wider type: cast the other operand, or give the array one",
        )
