"""What a call raises where the compiled function returns something else than 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from akg.base.errors import AkgError, Span, user_facing

OUT_OF_MEMORY = 1
FIRST_STATUS = 2  # of the checks that a kernel makes while it runs


@dataclass(frozen=True, slots=True)
class Failure:
    """One check of a kernel at run time: what is wrong where it fails, why, and in which statement of the user's."""

    message: str
    because: str
    span: Span | None = None

    @staticmethod
    def of(table: Sequence[dict[str, str]], spans: dict[str, Span | None]) -> tuple[Failure, ...]:
        """The checks in a module's table ("failures" of `Module.meta`), with the places of statements by name."""
        return tuple([Failure(row["message"], row["because"], spans.get(row["statement"])) for row in table])


def raising(name: str, failures: Sequence[Failure]) -> Callable[[int], Any]:
    """A function of a status that is not 0; it raises.

    Args:
        name: of the kernel.
        failures: what the statuses from `FIRST_STATUS` on say.
    """

    def fail(status: int) -> Any:
        number = status - FIRST_STATUS
        if not 0 <= number < len(failures):
            raise MemoryError(f"kernel {name} cannot allocate its temporaries")
        failure = failures[number]
        raise AkgError(
            "AKG-E518",
            failure.message,
            span=failure.span,
            because=failure.because,
            hint="correct the data, or guard the access with a condition; what the call has written is unspecified",
        )

    return user_facing(fail)
