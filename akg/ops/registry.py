"""The table of operators: what each is called, how it relates its input to its output, and its definition.

A definition is registered by ``@operator("add", kind="broadcast")`` above its function on te tensors.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeVar

from akg.base.errors import AkgError, InternalError, suggest, user_facing

P = ParamSpec("P")
R = TypeVar("R")

# How elements of the output depend on elements of the inputs; rules of fusion are stated in these terms.
#   elementwise  one element of one input of the same shape
#   broadcast    one element of each input, whose shapes broadcast
#   reduce       elements along some axes are combined
#   reshape      every output element is one input element, elsewhere, or a constant
#   contraction  sums of products of two inputs
#   opaque       anything else: several passes, data-dependent places
Kind = Literal["elementwise", "broadcast", "reduce", "reshape", "contraction", "opaque"]


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of the library.

    Attributes:
        name: as in ``akg.ops.<name>``.
        kind: its class, see `Kind`.
        signature: its parameters, as in the documentation.
        doc: its docstring.
        function: its definition on te tensors.
    """

    name: str
    kind: Kind
    signature: str
    doc: str
    function: Callable[..., Any]


_table: dict[str, Operator] = {}


def operator(name: str, *, kind: Kind) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a definition under `name`; its errors name the operator that the user called.

    Raises:
        InternalError: for a name that is taken.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if name in _table:
            raise InternalError(f"operator {name} is defined twice")

        @functools.wraps(function)
        def named(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except AkgError as error:
                error.message = _renamed(error.message, name)
                raise

        entry = user_facing(named)
        parameters = str(inspect.signature(function))
        _table[name] = Operator(name, kind, parameters, inspect.getdoc(function) or "", entry)
        return entry

    return decorate


def _renamed(message: str, name: str) -> str:
    """The message with the name of the outermost operator in front: definitions call each other."""
    head, _, rest = message.partition(": ")
    return f"{name}: {rest if head in _table else message}"


def table() -> tuple[Operator, ...]:
    """All operators, ordered by name."""
    return tuple([_table[name] for name in sorted(_table)])


@user_facing
def get(name: str) -> Operator:
    """The operator of a name.

    Raises:
        AkgError: AKG-E270 if there is none.
    """
    found = _table.get(name)
    if found is None:
        raise AkgError("AKG-E270", f"unknown operator {name!r}", hint=suggest(name, _table, "operators"))
    return found
