"""Which ONNX operators akg converts: a table of functions, one for each operator."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from akg.base.errors import AkgError, InternalError

if TYPE_CHECKING:
    from akg.frontends.onnx.context import Call

# From a call of the operator to its results: values, known arrays, or None for results that nobody asked for.
Converter: TypeAlias = "Callable[[Call], Any]"

_TABLE: dict[str, Converter] = {}
# Inputs whose elements must be known when the kernels are built: shapes, axes and the like.
_STATIC: dict[str, tuple[int, ...]] = {}


def converts(*names: str, static: Sequence[int] = ()) -> Callable[[Converter], Converter]:
    """Register a converter for operators, given as ``Name`` or ``domain:Name``.

    Args:
        names: of the operators.
        static: the positions of inputs whose elements decide shapes or the kind of computation.
    """

    def register(function: Converter) -> Converter:
        for name in names:
            if name in _TABLE:
                raise InternalError(f"two converters for {name}")
            _TABLE[name] = function
            if static:
                _STATIC[name] = tuple(static)
        return function

    return register


def known_only(positions: Mapping[str, Sequence[int]]) -> None:
    """Say that operators without a converter are evaluated when these inputs are known, as all of theirs must be."""
    _STATIC.update({name: tuple(where) for name, where in positions.items()})


def load_converters(*modules: str) -> None:
    """Import the modules of this package that fill the table."""
    for module in modules:
        importlib.import_module(f"akg.frontends.onnx.{module}")


def find(name: str) -> Converter | None:
    """The converter of an operator, or None."""
    return _TABLE.get(name)


def static_inputs(name: str) -> tuple[int, ...]:
    """Positions of inputs whose elements must be known."""
    return _STATIC.get(name, ())


def supported() -> list[str]:
    """Names of the operators that have a converter; others may be expanded into them."""
    return sorted(_TABLE)


def unsupported(what: str, because: str) -> AkgError:
    """The error for something that akg.onnx does not do."""
    return AkgError(
        "AKG-E721", f"akg.onnx does not have {what}", because=because, hint="run this model elsewhere, or split it"
    )
