"""Element types: one immutable object per type, found by name or by anything NumPy understands.

`index` is the type of loop variables and sizes. It is a 64-bit integer in generated code, never the
type of a buffer, and *weak* in arithmetic: like a Python ``int`` it takes the type of its partner.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import ml_dtypes
import numpy as np

from akg.base.errors import AkgError, suggest

Kind = Literal["float", "int", "uint", "bool", "index"]


@dataclass(frozen=True, slots=True, eq=False)
class DType:
    """An element type. Compare with ``is``: there is one object per type."""

    name: str
    kind: Kind
    bits: int

    @property
    def itemsize_bytes(self) -> int:
        """Bytes of one element in memory."""
        return max(self.bits // 8, 1)

    @property
    def is_float(self) -> bool:
        """Whether values are floating point."""
        return self.kind == "float"

    @property
    def is_integer(self) -> bool:
        """Whether values are integers (signed, unsigned or index; not bool)."""
        return self.kind in ("int", "uint", "index")

    @property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy dtype that stores this type."""
        return _numpy_dtype(self.name)

    @property
    def compute(self) -> DType:
        """The type in which arithmetic happens: float32 for the 16-bit floats, itself otherwise."""
        return float32 if self.name in ("float16", "bfloat16") else self

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"akg.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (dtype_of, (self.name,))


float64 = DType("float64", "float", 64)
float32 = DType("float32", "float", 32)
float16 = DType("float16", "float", 16)
bfloat16 = DType("bfloat16", "float", 16)
int64 = DType("int64", "int", 64)
int32 = DType("int32", "int", 32)
int16 = DType("int16", "int", 16)
int8 = DType("int8", "int", 8)
uint64 = DType("uint64", "uint", 64)
uint32 = DType("uint32", "uint", 32)
uint16 = DType("uint16", "uint", 16)
uint8 = DType("uint8", "uint", 8)
bool_ = DType("bool", "bool", 8)
index = DType("index", "index", 64)

BUFFER_DTYPES: tuple[DType, ...] = (
    float64, float32, float16, bfloat16, int64, int32, int16, int8, uint64, uint32, uint16, uint8,
    bool_,
)  # fmt: skip
_BY_NAME: dict[str, DType] = {d.name: d for d in (*BUFFER_DTYPES, index)}


@cache
def _numpy_dtype(name: str) -> np.dtype[Any]:
    if name == "bfloat16":
        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype("int64" if name == "index" else name)


def dtype_of(value: object) -> DType:
    """The `DType` for a name, a NumPy dtype or scalar type, or a `DType`.

    Raises:
        AkgError: AKG-E101 for a type that akg does not have.
    """
    if isinstance(value, DType):
        return value
    name = value if isinstance(value, str) else None
    if name is None and value is not None:  # NumPy takes None for float64
        try:
            name = np.dtype(value).name  # type: ignore[call-overload]  # anything NumPy takes
        except TypeError:
            name = repr(value)
    found = None if name is None else _BY_NAME.get(name)
    if found is None:
        raise AkgError(
            "AKG-E101",
            f"unknown dtype {name!r}",
            because=f"akg computes on {', '.join(d.name for d in BUFFER_DTYPES)}",
            hint=suggest(str(name), [d.name for d in BUFFER_DTYPES]),
        )
    return found


@cache
def promote(a: DType, b: DType) -> DType:
    """The result type of arithmetic on `a` and `b`: NumPy's table, with `index` weak on either side."""
    if a is b:
        return a
    if a is index or b is index:
        other = b if a is index else a
        return int64 if other is bool_ else other
    try:
        return _BY_NAME[np.result_type(a.numpy, b.numpy).name]
    except (TypeError, KeyError):
        raise AkgError(
            "AKG-E102",
            f"no common type for {a} and {b}",
            because="neither type holds the values of the other",
            hint="cast one operand: te.cast(x, 'float32')",
        ) from None


# One place for the error that a result of a type may show against a float64 reference, relative to
# the magnitude of the reference; `terms` grows it for sums (see `tolerance`).
_EPS: dict[str, float] = {
    "float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7,
}  # fmt: skip


def tolerance(dtype: DType, terms: int = 1) -> float:
    """Relative tolerance for a result of `dtype` that sums `terms` products; 0 for exact types.

    The bound is the usual random-walk growth of rounding error, ``eps * (8 + 2 * sqrt(terms))``. The
    16-bit floats accumulate in float32, so only their final rounding counts.
    """
    eps = _EPS.get(dtype.name, 0.0)
    if dtype.compute is not dtype:
        return 4 * eps
    return eps * (8.0 + 2.0 * terms**0.5)
