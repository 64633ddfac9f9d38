"""akg: a polyhedral tensor compiler.

The names of the package are handed out on first use, so that ``import akg`` loads neither isl nor LLVM.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from akg.base.collection import uncollected as _uncollected
from akg.base.config import check_environment as _check_environment
from akg.base.errors import install_excepthook as _install_excepthook

if TYPE_CHECKING:
    from akg import ops as ops
    from akg.base.config import config as config
    from akg.base.dtype import bfloat16 as bfloat16
    from akg.base.dtype import bool_ as bool_
    from akg.base.dtype import float16 as float16
    from akg.base.dtype import float32 as float32
    from akg.base.dtype import float64 as float64
    from akg.base.dtype import int8 as int8
    from akg.base.dtype import int16 as int16
    from akg.base.dtype import int32 as int32
    from akg.base.dtype import int64 as int64
    from akg.base.dtype import uint8 as uint8
    from akg.base.dtype import uint16 as uint16
    from akg.base.dtype import uint32 as uint32
    from akg.base.dtype import uint64 as uint64
    from akg.base.errors import AkgError as AkgError
    from akg.base.target import Target as Target
    from akg.driver.build import build as build
    from akg.driver.build import lower as lower
    from akg.driver.save import load as load
    from akg.frontends import composite as composite
    from akg.frontends import ms as ms
    from akg.frontends import onnx as onnx
    from akg.frontends.jit import jit as jit
    from akg.ir import te as te
    from akg.ir.script import In as In
    from akg.ir.script import Out as Out
    from akg.ir.script import Scalar as Scalar
    from akg.ir.script import Script as Script
    from akg.ir.script import Size as Size
    from akg.ir.script import Tensor as Tensor
    from akg.ir.script import script as script
    from akg.ops.gradient import differentiate as differentiate
    from akg.runtime.kernel import Kernel as Kernel
    from akg.runtime.pool import set_allocator as set_allocator

__version__ = "0.1.0"

# Public name -> where it is: "module:attribute", or a module itself.
_PUBLIC: dict[str, str] = {
    "te": "akg.ir.te",
    "ops": "akg.ops",
    "script": "akg.ir.script:script",
    "Tensor": "akg.ir.script:Tensor",
    "Script": "akg.ir.script:Script",
    "In": "akg.ir.script:In",
    "Out": "akg.ir.script:Out",
    "Scalar": "akg.ir.script:Scalar",
    "Size": "akg.ir.script:Size",
    "composite": "akg.frontends.composite",
    "differentiate": "akg.ops.gradient:differentiate",
    "build": "akg.driver.build:build",
    "lower": "akg.driver.build:lower",
    "load": "akg.driver.save:load",
    "Kernel": "akg.runtime.kernel:Kernel",
    "onnx": "akg.frontends.onnx",
    "ms": "akg.frontends.ms",
    "jit": "akg.frontends.jit:jit",
    "set_allocator": "akg.runtime.pool:set_allocator",
    "Target": "akg.base.target:Target",
    "config": "akg.base.config:config",
    "AkgError": "akg.base.errors:AkgError",
}
_DTYPES = (
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8",
    "uint64", "uint32", "uint16", "uint8", "bool_",
)  # fmt: skip
_PUBLIC.update({name: f"akg.base.dtype:{name}" for name in _DTYPES})


def __getattr__(name: str) -> Any:
    place = _PUBLIC.get(name)
    if place is None:
        raise AttributeError(f"module 'akg' has no attribute {name!r}")
    module_name, _, attribute = place.partition(":")
    with _uncollected():  # what a module defines stays: collections on the way find nothing
        module = importlib.import_module(module_name)
    value = getattr(module, attribute) if attribute else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})


_check_environment()
_install_excepthook()
