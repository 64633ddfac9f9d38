"""The C header of a saved kernel: its prototype, and all that a caller must keep to."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from akg import __version__
from akg.base.target import Target
from akg.codegen.c.names import c_names
from akg.codegen.llvm.standalone import VARIABLE
from akg.runtime.signature import ParamSpec, Signature

_TYPES = {
    "float64": "double", "float32": "float", "float16": "uint16_t", "bfloat16": "uint16_t", "int64": "int64_t",
    "int32": "int32_t", "int16": "int16_t", "int8": "int8_t", "uint8": "uint8_t", "bool": "uint8_t",
    "uint16": "uint16_t", "uint32": "uint32_t", "uint64": "uint64_t",
}  # fmt: skip
_STORED = {
    "float16": "uint16_t holds the bits of an IEEE half-precision number (float16)",
    "bfloat16": "uint16_t holds the upper half of the bits of a float (bfloat16)",
    "bool": "uint8_t is 0 or 1 (bool)",
}
_ROLES = {"in": "read", "out": "written", "inout": "read and written", "scalar": "by value"}
WIDTH = 100


def c_type(param: ParamSpec) -> str:
    """The type of a parameter in C, such as "const float *"."""
    stored = _TYPES[param.dtype.name]
    if param.shape is None:
        return stored
    return f"{'' if param.is_written else 'const '}{stored} *"


def prototype(signature: Signature) -> str:
    """The declaration of the kernel in C, a parameter to a line."""
    names = c_names([p.name for p in signature.params] + list(signature.sizes))
    words: list[tuple[str, str]] = []
    for p in signature.params:
        kind = c_type(p)
        space = "" if kind.endswith("*") else " "
        words.append((f"{kind}{space}{names[p.name]}", f"{_ROLES[p.role]}, {_described(p)}"))
    words += [(f"int64_t {names[size]}", "a size") for size in signature.sizes]
    lines = [f"int32_t {signature.symbol}("]
    for k, (word, comment) in enumerate(words):
        lines.append(f"    {word}{',' if k < len(words) - 1 else ''}  /* {comment} */")
    return "\n".join(lines if words else [f"int32_t {signature.symbol}(void"]) + ");"


def _described(param: ParamSpec) -> str:
    if param.shape is None:
        return str(param.dtype)
    return f"{param.dtype} [{', '.join(map(str, param.shape))}]"


def header(
    signature: Signature, target: Target, *, is_threaded: bool, libraries: Sequence[str], failures: Sequence[str] = ()
) -> str:
    """The text of the header.

    Args:
        signature: of the kernel.
        target: what the object was compiled for.
        is_threaded: whether the object starts threads.
        libraries: that a program must be linked with, such as "-lgomp".
        failures: what the results from 2 on say.
    """
    guard = f"AKG_{signature.symbol.upper()}_H"
    parts = [
        _comment([f"{signature.name}: made by akg {__version__} for {_machine(target)}.", *_rules(signature, failures),
                  _threads(is_threaded), _linking(libraries)]),
        f"#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {{\n#endif",
    ]  # fmt: skip
    if is_threaded:
        parts.append(f"extern int32_t {VARIABLE};  /* threads of a call; 1 at first */")
    parts += [prototype(signature), "#ifdef __cplusplus\n}\n#endif\n\n#endif"]
    return "\n\n".join(parts) + "\n"


def _machine(target: Target) -> str:
    return f"{target.arch} ({target.name}: {target.cpu})"


def _rules(signature: Signature, failures: Sequence[str]) -> list[str]:
    results = "".join(f"; {k}: {text}" for k, text in enumerate(failures, 2))
    rules = [
        f"Returns 0, or 1 where a temporary could not be allocated{results}. The outputs are undefined then.",
        "Arrays are dense and row-major, the last dimension contiguous; their shapes stand beside the parameters."
        + (" Sizes may be 0 and must not be negative." if signature.sizes else "")
        + (" Nothing else is checked." if failures else " Nothing is checked."),
        "Each array is aligned to its elements at least; 64 bytes are fastest.",
        "An array that is written must not overlap any other argument. Arrays that are only read may overlap.",
    ]
    used = {p.dtype.name for p in signature.params}
    rules += [f"{text}." for name, text in _STORED.items() if name in used]
    return rules


def _threads(is_threaded: bool) -> str:
    if not is_threaded:
        return "Runs on the calling thread. Several threads may call it at once, on outputs of their own."
    return (
        f"Runs on at most {VARIABLE} threads, those of the OpenMP runtime, and on the calling thread alone where the"
        f" work is small. Set {VARIABLE} before a call; all kernels of a program share it. Several threads may call"
        " the kernel at once, on outputs of their own."
    )


def _linking(libraries: Sequence[str]) -> str:
    if not libraries:
        return "The object needs no library."
    return f"Link with: {' '.join(libraries)}"


def _comment(paragraphs: Sequence[str]) -> str:
    lines: list[str] = []
    for text in paragraphs:
        filled = textwrap.wrap(text.replace("*/", "* /"), WIDTH - 5)
        lines += [f" * {filled[0]}", *(f" *   {line}" for line in filled[1:])]
    return "/*" + "\n".join(lines)[2:] + "\n */"
