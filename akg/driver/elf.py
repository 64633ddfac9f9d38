"""What an object file says of itself: its machine, and the names that a program must provide."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from akg.base.errors import InternalError

MACHINES = {62: "x86_64", 183: "aarch64", 243: "riscv64", 21: "ppc64le", 40: "arm"}
_SYMBOL_TABLE = 2
_LOCAL = 0


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """Facts of a relocatable ELF file.

    Attributes:
        machine: its architecture, as in `Target.arch`, or the number of an unknown one.
        flags: of the header; they tell the calling convention on some machines.
        defined: global and weak names that it defines.
        undefined: names that it needs.
    """

    machine: str
    flags: int
    defined: tuple[str, ...]
    undefined: tuple[str, ...]


def read_object(data: bytes) -> ObjectFacts:
    """The facts of a little-endian ELF object of 64 bits.

    Raises:
        InternalError: it is none.
    """
    if data[:6] != b"\x7fELF\x02\x01":
        raise InternalError("object code is no little-endian ELF file of 64 bits")
    number, flags = struct.unpack_from("<H", data, 18)[0], struct.unpack_from("<I", data, 48)[0]
    start = struct.unpack_from("<Q", data, 40)[0]
    size, count = struct.unpack_from("<HH", data, 58)
    # type, offset, size and link of each section
    sections = [struct.unpack_from("<4xI16xQQI", data, start + k * size) for k in range(count)]
    defined: list[str] = []
    undefined: list[str] = []
    for kind, offset, size_bytes, link in sections:
        if kind != _SYMBOL_TABLE:
            continue
        names = sections[link][1]
        for place in range(offset + 24, offset + size_bytes, 24):
            name, info, _, section = struct.unpack_from("<IBBH", data, place)
            if info >> 4 != _LOCAL:
                end = data.index(b"\0", names + name)
                (defined if section else undefined).append(data[names + name : end].decode())
    return ObjectFacts(MACHINES.get(number, str(number)), flags, tuple(sorted(defined)), tuple(sorted(undefined)))
