"""What a backend is, and where backends are found.

A backend turns loop IR into the text of a module. It is chosen by `Target.backend`, a name in `backends`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from akg.base.registry import Registry
from akg.base.target import Target
from akg.ir.stmt import Kernel


@dataclass(frozen=True, slots=True)
class Module:
    """What a backend emits for one kernel.

    Attributes:
        text: the source of the module.
        kind: the language of `text`: "llvm", "c", "cuda", ...
        symbol: the name of the entry point in the module.
        target: what the module was emitted for.
        meta: facts for the runtime that loads it; each backend documents its own keys.
    """

    text: str
    kind: str
    symbol: str
    target: Target
    meta: dict[str, Any] = field(default_factory=dict[str, Any])


class Backend(Protocol):
    """A code generator for a family of targets."""

    @property
    def name(self) -> str:
        """The name in `Target.backend`."""
        ...

    def emit(self, kernel: Kernel, target: Target) -> Module:
        """The module of a kernel for a target.

        Raises:
            AkgError: AKG-E4xx if the target cannot run the kernel.
        """
        ...


class Linked(Protocol):
    """Code in this process. Addresses stay valid while this object lives."""

    def address(self, symbol: str) -> int:
        """The address of ``int32 symbol(slots)``, for the symbol ``<kernel>_packed``: one array of 8-byte slots."""
        ...


@runtime_checkable
class Loader(Protocol):
    """What a backend is beside, whose modules are not LLVM IR: it brings their text into the process itself.

    A backend may also have ``passes``: names of `akg.driver.pipeline.MAP`, the passes that fit a schedule to its
    machine, in order; without it, all of them run.
    """

    def load(self, module: Module) -> Linked:
        """The module, ready to call; it may come from the disk cache of another process."""
        ...


backends: Registry[Backend] = Registry("backend", group="akg.backends", code="AKG-E402")
