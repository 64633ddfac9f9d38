"""``@akg.script``: loop nests written as plain Python, compiled from their source.

    script    := def name(arg: annotation, ...): statement* [return name, ...]
    statement := A[i, j] = e | A[i, j] op= e | s = e | s op= e | s: "float32" = e
               | for i in range(begin, end, step): statement*
               | if condition: statement* [elif ...] [else: statement*] | pass
               | n = A.shape[0] | n, m = A.shape | B = np.zeros((n, m), np.float64)

Bounds, subscripts and sizes are affine in loop variables and sizes, with ``//`` and ``%`` by constants, min
and max; steps are constants. Conditions may also depend on data: then the stores under them keep the old
value where the condition fails. A local name for index arithmetic is substituted where it is used; every
other local scalar lives in memory, in a type that holds all values assigned to it. Numbers from outside the
function (globals and closures: ints and floats) are read once, when the script is first lowered.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, overload

from akg.base.errors import AkgError, user_facing
from akg.ir.script.arrays import empty, zeros
from akg.ir.script.function import lower_function
from akg.ir.script.source import Source, read_source
from akg.ir.script.types import In, Out, Scalar, Size, Tensor
from akg.ir.stmt import Kernel

__all__ = ["In", "Out", "Scalar", "Script", "Size", "Tensor", "empty", "script", "zeros"]


class Script:
    """A loop nest in Python. Called, it runs as plain Python; `lower` gives its loop IR.

    Attributes:
        function: the function as it was written.
        source: its text, remembered when it was decorated.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function) or isinstance(function, type):
            raise AkgError(
                "AKG-E220",
                f"{type(function).__name__} cannot be a script",
                because="a script is one function made by `def`",
                hint="write a def and decorate it with @akg.script",
            )
        self.function = function
        self.source: Source = read_source(function)
        self._kernel: Kernel | None = None
        functools.update_wrapper(self, function)

    @property
    def name(self) -> str:
        """The name of the function."""
        return str(getattr(self.function, "__name__", "script"))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the Python function on NumPy arrays, as it stands."""
        return self.function(*args, **kwargs)

    @user_facing
    def lower(self) -> Kernel:
        """The loop IR of the script; computed once.

        Raises:
            AkgError: AKG-E22x and AKG-E23x at the place in the source that cannot be compiled.
        """
        if self._kernel is None:
            self._kernel = lower_function(self.function, self.source)
        return self._kernel

    def __repr__(self) -> str:
        return f"<akg.script {self.name} of {self.source.filename}:{self.source.first_line}>"


@overload
def script(function: Callable[..., Any]) -> Script: ...
@overload
def script() -> Callable[[Callable[..., Any]], Script]: ...
@user_facing
def script(function: Callable[..., Any] | None = None) -> Script | Callable[[Callable[..., Any]], Script]:
    """Make a loop nest out of a Python function; use as ``@akg.script`` or ``@akg.script()``.

    Raises:
        AkgError: AKG-E220 if the source of the function is not available.
    """
    return Script if function is None else Script(function)
