"""The interface by which ONNX's own tests drive a backend."""

from __future__ import annotations

from typing import Any

from akg.base.errors import AkgError
from akg.frontends.onnx.model import OnnxModel, load
from akg.frontends.onnx.package import backend_base, backend_runner


class AkgBackendRep(backend_base.BackendRep):
    """A model that is ready to run."""

    def __init__(self, model: OnnxModel) -> None:
        super().__init__()
        self.model = model

    def run(self, inputs: Any, **_: Any) -> tuple[Any, ...]:
        """The outputs for inputs in order.

        Raises:
            BackendIsNotSupposedToImplementIt: for operators that akg does not have.
        """
        try:
            return tuple(self.model.run(list(inputs)))
        except AkgError as error:
            raise refused(error) from error


class AkgBackend(backend_base.Backend):
    """akg as a backend of ONNX models, on the CPU."""

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **_: Any) -> AkgBackendRep:
        """Read a model; kernels are built at the first run.

        Raises:
            BackendIsNotSupposedToImplementIt: for what akg.onnx does not have.
        """
        super().prepare(model, device)
        try:
            return AkgBackendRep(load(model))
        except AkgError as error:
            raise refused(error) from error

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether a device is the CPU."""
        return device == "CPU"


def refused(error: AkgError) -> Exception:
    """The exception by which ONNX tells what a backend leaves out from what it does wrong."""
    if error.code in ("AKG-E721", "AKG-E101"):
        return backend_runner.BackendIsNotSupposedToImplementIt(str(error))  # type: ignore[no-any-return]
    return error


prepare = AkgBackend.prepare
run_model = AkgBackend.run_model
supports_device = AkgBackend.supports_device
