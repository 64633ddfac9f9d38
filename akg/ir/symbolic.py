"""What an expression refuses while a program is defined: to be a number, a condition or an array of Python's.

NumPy's operators on it are its own operators; everything else is an error that names the function of `akg.te`.
"""

from __future__ import annotations

import operator
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar
from weakref import WeakValueDictionary

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
_lock = threading.Lock()


def interned(table: WeakValueDictionary[Any, T], key: object, made: T) -> T:
    """The one object of a key: another thread may have made it since it was looked for."""
    with _lock:
        return table.setdefault(key, made)


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
