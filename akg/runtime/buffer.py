"""Arrays of any library as address, shape, strides and dtype, without a copy.

Understood are NumPy arrays, objects with DLPack (``__dlpack__``), ``__array_interface__``, and the buffer
protocol. DLPack is read here rather than by NumPy, which has no bfloat16 and marks older exports read-only.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from akg.base.dtype import BUFFER_DTYPES, DType, bfloat16
from akg.base.errors import AkgError
from akg.runtime import pool

ALIGN_BYTES = 64  # a cache line, and the widest vector
LARGE_BYTES = 1 << 20  # from here on outputs are the pool's
_CPU_DEVICES = (1, 3, 11, 13)  # DLPack: CPU, and host memory pinned for or managed by CUDA and ROCm
_DEVICE_NAMES = {2: "CUDA", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 12: "an extension device", 14: "oneAPI"}
_DLPACK_DTYPES = {
    (0, 8): "int8", (0, 16): "int16", (0, 32): "int32", (0, 64): "int64", (1, 8): "uint8",
    (1, 16): "uint16", (1, 32): "uint32", (1, 64): "uint64", (2, 16): "float16",
    (2, 32): "float32", (2, 64): "float64", (4, 16): "bfloat16", (6, 8): "bool",
}  # fmt: skip
_EXPORT_ERRORS = (BufferError, RuntimeError, TypeError, ValueError)  # what libraries raise for what they cannot export
_BY_NUMPY: dict[Any, DType] = {d.numpy: d for d in BUFFER_DTYPES}
_BY_NAME: dict[str, DType] = {d.name: d for d in BUFFER_DTYPES}


@dataclass(frozen=True, slots=True)
class View:
    """Where the elements of an array are.

    Attributes:
        address: of the first element.
        strides: in bytes, one per dimension.
        dtype: None if akg has no such type; `dtype_name` says what it is.
        keep: what must stay alive while the address is used.
    """

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: DType | None
    dtype_name: str
    itemsize_bytes: int
    readonly: bool
    keep: object

    @property
    def is_contiguous(self) -> bool:
        """Whether elements are dense and row-major; strides of dimensions of extent 1 do not matter."""
        step = self.itemsize_bytes
        if 0 in self.shape:
            return True
        for extent, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if extent != 1 and stride != step:
                return False
            step *= extent
        return True

    @property
    def size_bytes(self) -> int:
        """Bytes of a contiguous view."""
        total = self.itemsize_bytes
        for extent in self.shape:
            total *= extent
        return total


class _DLTensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )  # fmt: skip


class _DLManagedTensorVersioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", _DLTensor),
    )  # fmt: skip


_capsule_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_capsule_is_valid.restype, _capsule_is_valid.argtypes = ctypes.c_int, (ctypes.py_object, ctypes.c_char_p)
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype, _capsule_pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)


def view_of(value: Any, label: str) -> View:
    """The view of any array-like.

    Args:
        value: the array.
        label: what to call it in errors, as in "argument 'A'".

    Raises:
        AkgError: AKG-E510 for memory that is not the host's, AKG-E511 for what is no array.
    """
    if isinstance(value, np.ndarray):
        return _view_of_numpy(value)
    if hasattr(value, "__dlpack__") and hasattr(value, "__dlpack_device__"):
        return _view_of_dlpack(value, label)
    if hasattr(value, "__array_interface__"):
        return _view_of_numpy(np.asarray(value))
    try:
        return _view_of_numpy(np.asarray(memoryview(value)))
    except (TypeError, ValueError, BufferError):
        raise AkgError(
            "AKG-E511",
            f"{label} is no array: {type(value).__name__}",
            because="arrays are NumPy arrays and objects with DLPack, __array_interface__ or the buffer protocol",
            hint="pass np.asarray(value, dtype)"
            if isinstance(value, (list, tuple, int, float))
            else "pass a NumPy array, or a tensor with __dlpack__",
        ) from None


def _view_of_numpy(array: npt.NDArray[Any]) -> View:
    dtype = array.dtype
    found = _BY_NUMPY.get(dtype)
    name = found.name if found else dtype.name if dtype.isnative else f"byte-swapped {dtype.name}"
    address = int(array.ctypes.data)
    return View(address, array.shape, array.strides, found, name, dtype.itemsize, not array.flags.writeable, array)


def _view_of_dlpack(value: Any, label: str) -> View:
    device = _dlpack_device(value, label)
    if device not in _CPU_DEVICES:
        where = _DEVICE_NAMES.get(device, f"device type {device}")
        raise AkgError(
            "AKG-E510",
            f"{label} is not in host memory",
            because=f"the array is on {where}, and the kernel runs on the CPU",
            hint="copy it to the CPU first, for example with x.cpu()",
        )
    try:
        try:
            capsule = value.__dlpack__(max_version=(1, 0))
        except TypeError:  # exporters from before DLPack 1.0
            capsule = value.__dlpack__()
    except _EXPORT_ERRORS as error:
        raise _not_exported(label, error) from None
    # The capsule is borrowed, not consumed: it keeps its name, and frees the export when it is collected.
    readonly = False
    if _capsule_is_valid(capsule, b"dltensor_versioned"):
        managed = _DLManagedTensorVersioned.from_address(_capsule_pointer(capsule, b"dltensor_versioned"))
        tensor, readonly = managed.tensor, bool(managed.flags & 1)
    else:
        tensor = _DLTensor.from_address(_capsule_pointer(capsule, b"dltensor"))
    return _view_of_tensor(tensor, readonly, (value, capsule))


def _dlpack_device(value: Any, label: str) -> int:
    try:
        return int(value.__dlpack_device__()[0])
    except _EXPORT_ERRORS as error:
        raise _not_exported(label, error) from None


def _not_exported(label: str, error: Exception) -> AkgError:
    hint = "detach it first: x.detach()" if "grad" in str(error) else "pass an array in host memory"
    return AkgError("AKG-E511", f"{label} cannot be exported through DLPack", because=str(error), hint=hint)


def _view_of_tensor(tensor: _DLTensor, readonly: bool, keep: object) -> View:
    rank = int(tensor.ndim)
    itemsize = max(int(tensor.bits) * int(tensor.lanes) // 8, 1)
    shape = tuple(int(tensor.shape[d]) for d in range(rank))
    if tensor.strides:
        strides = tuple(int(tensor.strides[d]) * itemsize for d in range(rank))
    else:
        strides = dense_strides(shape, itemsize)
    name = _DLPACK_DTYPES.get((int(tensor.code), int(tensor.bits))) if tensor.lanes == 1 else None
    described = name or f"DLPack type code {tensor.code} of {tensor.bits} bits and {tensor.lanes} lanes"
    address = int(tensor.data or 0) + int(tensor.byte_offset)
    return View(address, shape, strides, _BY_NAME.get(described), described, itemsize, readonly, keep)


def dense_strides(shape: tuple[int, ...], itemsize_bytes: int) -> tuple[int, ...]:
    """Row-major strides in bytes."""
    strides: list[int] = []
    step = itemsize_bytes
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """An uninitialised array; from `LARGE_BYTES` on it begins at a cache line."""
    size = dtype.itemsize
    for extent in shape:
        size *= extent
    return np.empty(shape, dtype) if size < LARGE_BYTES else empty_aligned(shape, dtype)


def empty_aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """An uninitialised array that begins at a line, from the pool or the user's allocator.

    The pool's arrays begin where their stores keep no loads of other large arrays waiting: see `akg.runtime.pool`.
    """
    size = dtype.itemsize
    for extent in shape:
        size *= extent
    return pool.allocate(shape, dtype, size)


def to_library_of(example: Any, array: npt.NDArray[Any]) -> Any:
    """`array` as an array of the library that `example` belongs to, sharing memory; itself where that is impossible."""
    if example is None or isinstance(example, np.ndarray):
        return array
    if hasattr(example, "__array_namespace__"):
        module = example.__array_namespace__()
    else:
        module = sys.modules.get(type(example).__module__.partition(".")[0])
    convert = getattr(module, "from_dlpack", None)
    if convert is None:
        return array
    try:
        return convert(_Bfloat16Export(array) if array.dtype == bfloat16.numpy else array)
    except _EXPORT_ERRORS:  # a dtype that the library does not have
        return array


class _Bfloat16Export:
    """DLPack export of a bfloat16 array, which NumPy itself refuses: its bits, with the type put right."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self._bits = array.view(np.int16)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def __dlpack__(self, **_: Any) -> object:
        capsule = self._bits.__dlpack__()
        _DLTensor.from_address(_capsule_pointer(capsule, b"dltensor")).code = 4
        return capsule


def quick_numpy(value: Any) -> npt.NDArray[Any] | None:
    """An ndarray itself, or one that shares the memory of a PyTorch tensor, by the shortest way; None for the rest.

    None also for tensors that are not on the CPU or that NumPy cannot hold: `view_of` takes them or says why not.
    """
    if type(value) is np.ndarray:
        return value
    if type(value).__module__ != "torch":
        return None
    try:
        return value.numpy()
    except _EXPORT_ERRORS:
        return None
