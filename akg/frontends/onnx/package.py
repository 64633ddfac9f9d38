"""The package `onnx`, or an error that says how to get it."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from akg.base.errors import AkgError


def _package() -> Any:
    if importlib.util.find_spec("onnx") is None:
        raise AkgError(
            "AKG-E720",
            "akg.onnx needs the package onnx",
            because="it is not installed",
            hint="pip install akg[onnx]",
        )
    return importlib.import_module("onnx")


# Untyped here: the generated protobuf classes have no annotations that a checker could follow.
onnx: Any = _package()
helper: Any = importlib.import_module("onnx.helper")
numpy_helper: Any = importlib.import_module("onnx.numpy_helper")
inliner: Any = importlib.import_module("onnx.inliner")
reference: Any = importlib.import_module("onnx.reference")
backend_base: Any = importlib.import_module("onnx.backend.base")
backend_runner: Any = importlib.import_module("onnx.backend.test.runner")
