"""The fast way to call a kernel: a builtin function that checks and calls in native code.

`make` writes the table that `entry_checks` describes and wraps it in a CPython function object. The entry itself
is compiled once per machine and kept in the disk cache. Interpreters other than CPython with a global lock,
and signatures beyond the table's limits, use the careful call only.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from akg.base.cache import DiskCache, digest
from akg.base.config import config
from akg.base.trace import logger
from akg.runtime import buffer, entry_checks, entry_ir, jit, openmp
from akg.runtime.signature import Dim, ParamSpec, Signature

_log = logger("runtime.entry")
_METH_FASTCALL_KEYWORDS = 0x82
_SCALAR_KINDS = {
    "float64": 1,
    "float32": 2,
    "int64": 3,
    "int32": 3,
    "int16": 3,
    "int8": 3,
    "uint8": 3,
    "uint16": 3,
    "uint32": 3,
    "index": 3,
    "bool": 4,
}


class _MethodDef(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)
    )  # fmt: skip


class _Unsupported(Exception):
    """The signature does not fit the table."""


def make(
    signature: Signature,
    address: int,
    careful: Callable[..., Any],
    fail: Callable[[int], Any],
    *,
    threaded: bool = False,
    keep: object = None,
) -> Callable[..., Any] | None:
    """A builtin function that calls the packed function at `address`.

    Args:
        signature: what the kernel takes.
        address: of ``int32 packed(slots)``.
        careful: gets every call that does not fit, with the same arguments.
        fail: raises, for what the packed function returns if that is not 0.
        threaded: set the number of threads before each call of the kernel.
        keep: what must live as long as the function, such as the code.

    Returns:
        None where this interpreter or the signature is not supported.
    """
    entry = _entry_address()
    if entry is None:
        return None
    try:
        table, objects = _table(signature, address, careful, fail, threaded)
    except _Unsupported:
        return None
    definition = _MethodDef(signature.name.encode(), entry, _METH_FASTCALL_KEYWORDS, str(signature).encode())
    # CPython reads the definition through the function's self, and drops self last (gh-bpo-32780 pattern).
    owner = (ctypes.addressof(table), table, definition, objects, careful, keep)
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    return new(ctypes.addressof(definition), owner, None)


def _table(
    signature: Signature, address: int, careful: object, fail: object, threaded: bool
) -> tuple[ctypes.Array[ctypes.c_int64], list[object]]:
    params = signature.params
    if len(params) > entry_checks.MAX_PARAMS or len(signature.sizes) > entry_checks.MAX_SIZES:
        raise _Unsupported
    out = sys.intern("out")
    objects: list[object] = [fail, out, buffer.empty_aligned, np.empty, np.ndarray]
    slots = [
        address, id(careful), len(signature.arguments), len(signature.outputs), len(signature.sizes), id(np.ndarray),
        id(out), id(np.empty), id(buffer.empty_aligned), int(any(p.is_written for p in signature.arguments)),
        id(fail), *(_threads() if threaded else (0, 0, 0, 0)),
    ]  # fmt: skip
    numbers = {name: k for k, name in enumerate(signature.sizes)}
    bound: set[str] = set()
    for param in params:
        record = _record(param, numbers, bound, objects)
        slots += record + [0] * (entry_checks.RECORD - len(record))
    if len(bound) != len(numbers):
        raise _Unsupported  # a size that no argument tells
    return (ctypes.c_int64 * len(slots))(*slots), objects


def _threads() -> tuple[int, int, int, int]:
    quick = openmp.quick_threads()  # module-level objects all of them: they live on
    return id(openmp.refresh_threads), id(quick.overrides), quick.count_address, quick.key


def _record(param: ParamSpec, numbers: dict[str, int], bound: set[str], objects: list[object]) -> list[int]:
    dtype = param.dtype
    if param.shape is None:
        kind = _SCALAR_KINDS.get(dtype.name)
        if kind is None:
            raise _Unsupported
        info = np.iinfo(dtype.numpy) if kind == 3 else None
        return [kind, int(info.min) if info else 0, int(info.max) if info else 0, 0, 0, 0]
    if len(param.shape) > entry_checks.MAX_RANK:
        raise _Unsupported
    flags = entry_checks.C_CONTIGUOUS | entry_checks.ALIGNED | (entry_checks.WRITEABLE if param.is_written else 0)
    shape = tuple(dim.const for dim in param.shape) if all(dim.is_const for dim in param.shape) else None
    objects += [dtype.numpy, shape]
    record = [0, id(dtype.numpy), len(param.shape), flags, dtype.itemsize_bytes, 0 if shape is None else id(shape)]
    for dim in param.shape:
        record += _dim(dim, numbers, bound, param.role == "out")
    return record


def _dim(dim: Dim, numbers: dict[str, int], bound: set[str], is_output: bool) -> list[int]:
    if dim.terms is None or len(dim.terms) > 2:
        raise _Unsupported
    terms = sorted(dim.terms, key=lambda term: term[0] in bound)
    new = [term for term in terms if term[0] not in bound]
    if new and (is_output or len(new) > 1 or new[0][1] != 1):
        raise _Unsupported
    bound.update(name for name, _ in new)
    padded = [(numbers[name], coefficient) for name, coefficient in terms] + [(0, 0), (0, 0)]
    return [int(bool(new)), dim.const, *padded[0], *padded[1]]


@lru_cache(maxsize=1)
def _entry_address() -> int | None:
    """The entry's address, or None where objects are not laid out as it expects."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED") or not _layout_fits():
        _log.info("calls go through Python: the native entry does not know this interpreter")
        return None
    symbols = {name: _address_of(name) for name in entry_ir.FUNCTIONS}
    symbols |= {name: id(value) for name, value in entry_ir.OBJECTS.items()}
    text = entry_ir.text(buffer.LARGE_BYTES)
    cache = DiskCache(config.cache_dir, config.cache)
    key = digest("entry", text, jit.compiler_version(), *jit.llvm_target(None))
    files = cache.get(key)
    if files is None:
        files = {"entry.o": jit.compile_llvm(text)}
        cache.put(key, files)
    _loaded.append(jit.load_object(files["entry.o"], (entry_ir.SYMBOL,), symbols))
    return _loaded[-1].address(entry_ir.SYMBOL)


_loaded: list[jit.Loaded] = []  # never dropped: functions that enter this code may outlive any kernel


def _address_of(name: str) -> int:
    address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert address is not None
    return address


def _layout_fits() -> bool:
    """Whether the fields of an ndarray are where NumPy's C macros, and so the entry, read them."""
    if (
        sys.byteorder != "little"
        or ctypes.sizeof(ctypes.c_void_p) != 8
        or np.ndarray.__basicsize__ < entry_checks.FLAGS + 4
    ):
        return False
    probe = np.zeros((3, 5, 7), np.float32)
    probe.flags.writeable = False

    def word(offset: int) -> int:
        return ctypes.c_uint64.from_address(id(probe) + offset).value

    flags = ctypes.c_uint32.from_address(id(probe) + entry_checks.FLAGS).value
    if word(entry_checks.TYPE) != id(np.ndarray) or word(entry_checks.DATA) != int(probe.ctypes.data):
        return False
    if ctypes.c_int32.from_address(id(probe) + entry_checks.RANK).value != 3 or word(entry_checks.DTYPE) != id(
        probe.dtype
    ):
        return False
    if flags != entry_checks.C_CONTIGUOUS | entry_checks.ALIGNED | 0x4:  # 0x4: it owns its memory
        return False
    return tuple((ctypes.c_int64 * 3).from_address(word(entry_checks.DIMENSIONS))) == (3, 5, 7)
