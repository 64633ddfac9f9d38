"""ONNX models on akg's kernels: ``akg.onnx.load(path)``.

Nodes become operators of `akg.ops`; what ONNX defines by other operators is expanded; constants are folded. Operators
without a converter are refused by name, before anything runs.
"""

from __future__ import annotations

from akg.frontends.onnx.backend import AkgBackend as Backend
from akg.frontends.onnx.backend import AkgBackendRep as BackendRep
from akg.frontends.onnx.model import OnnxModel, load
from akg.frontends.onnx.table import known_only, load_converters, supported

load_converters(
    "elementwise", "neural", "ordering", "recurrent", "reductions", "resize", "sampling", "shapes", "spectral",
)
known_only({
    "MelWeightMatrix": range(5), "HannWindow": (0,), "HammingWindow": (0,), "BlackmanWindow": (0,),
    "CenterCropPad": (1,),
})  # fmt: skip

__all__ = ["Backend", "BackendRep", "OnnxModel", "load", "supported"]
