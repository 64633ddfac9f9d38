"""Names in C: keywords and library functions are not available to buffers, variables and kernels."""

from __future__ import annotations

from collections.abc import Iterable

from akg.base.symbols import RESERVED


def c_names(names: Iterable[str]) -> dict[str, str]:
    """A C identifier for each of the names of a kernel, unique and the name itself where it can be."""
    given = list(dict.fromkeys(names))
    taken = set(given) | RESERVED
    out: dict[str, str] = {}
    for name in given:
        free = name
        if name in RESERVED or name.startswith(("akg_", "INT", "UINT")):
            free = f"{name}_"
            while free in taken:
                free += "_"
            taken.add(free)
        out[name] = free
    return out


class Fresh:
    """Names for temporaries: t0, t1, ... that nothing else has."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._count = 0

    def __call__(self) -> str:
        while True:
            name = f"t{self._count}"
            self._count += 1
            if name not in self._taken:
                self._taken.add(name)
                return name
