"""The package `torch`, or an error that says how to get it. Untyped here: akg's types do not depend on it."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from akg.base.dtype import DType, bfloat16, bool_, float16, float32, float64, int8, int16, int32, int64, uint8
from akg.base.errors import AkgError


def _package() -> Any:
    if importlib.util.find_spec("torch") is None:
        raise AkgError(
            "AKG-E740", "akg's backend of torch.compile needs the package torch", because="it is not installed",
            hint="pip install akg[torch]",
        )  # fmt: skip
    return importlib.import_module("torch")


torch: Any = _package()
sympy: Any = importlib.import_module("sympy")
guards: Any = importlib.import_module("torch._C._dynamo.guards")
fx: Any = importlib.import_module("torch.fx")
aot: Any = importlib.import_module("torch._dynamo.backends.common")
functorch: Any = importlib.import_module("functorch.compile")
decompositions: Any = importlib.import_module("torch._decomp")
partitioner: Any = importlib.import_module("torch.fx.passes.infra.partitioner")
operator_support: Any = importlib.import_module("torch.fx.passes.operator_support")
fake_tensor: Any = importlib.import_module("torch._subclasses.fake_tensor")
fake_tensor_prop: Any = importlib.import_module("torch.fx.passes.fake_tensor_prop")

_DTYPES: dict[Any, DType] = {
    torch.float64: float64, torch.float32: float32, torch.float16: float16, torch.bfloat16: bfloat16,
    torch.int64: int64, torch.int32: int32, torch.int16: int16, torch.int8: int8, torch.uint8: uint8,
    torch.bool: bool_,
}  # fmt: skip


def akg_dtype(dtype: Any) -> DType | None:
    """The element type of a torch dtype, or None if akg does not have it."""
    return _DTYPES.get(dtype)
