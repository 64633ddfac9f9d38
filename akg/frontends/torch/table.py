"""Which ATen operators akg converts: a table of functions, one for each overload."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from akg.base.errors import AkgError, InternalError

if TYPE_CHECKING:
    from akg.frontends.torch.context import Call

Converter: TypeAlias = "Callable[[Call], Any]"

_TABLE: dict[str, Converter] = {}
# Converters that only move or rename what is there: alone they are not worth a kernel.
_VIEWS: set[str] = set()


def converts(*names: str, is_view: bool = False) -> Callable[[Converter], Converter]:
    """Register a converter for overloads of ATen, as in ``add.Tensor``."""

    def register(function: Converter) -> Converter:
        for name in names:
            if name in _TABLE:
                raise InternalError(f"two converters for {name}")
            _TABLE[name] = function
            if is_view:
                _VIEWS.add(name)
        return function

    return register


def load_converters(*modules: str) -> None:
    """Import the modules of this package that fill the table."""
    for module in modules:
        importlib.import_module(f"akg.frontends.torch.{module}")


def find(name: str) -> Converter | None:
    """The converter of an overload, or None."""
    return _TABLE.get(name)


def is_view(name: str) -> bool:
    """Whether an overload computes nothing."""
    return name in _VIEWS


def supported() -> list[str]:
    """The overloads that have a converter."""
    return sorted(_TABLE)


def name_of(target: Any) -> str:
    """The name of an overload without its name space, such as ``add.Tensor``; others keep theirs."""
    text = str(target)
    return text.removeprefix("aten.")


def unsupported(what: str, because: str) -> AkgError:
    """The error for a node that akg leaves to torch."""
    return AkgError("AKG-E741", f"akg does not compile {what}", because=because, hint="it runs in eager mode")
