"""From a JSON text to the files that MindSpore loads.

The shared object exports ``int <op>_kernel(void **arguments)``; the layout of the arguments is that of
`akg.codegen.llvm.launcher`: call-backs, then inputs, then outputs. The metadata names the function and the SHA-256 of
the shared object and of the object file that it was linked from.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from akg.base.config import config, kernel_meta_dir
from akg.base.errors import AkgError, user_facing
from akg.base.target import resolve_target
from akg.base.trace import logger, phase
from akg.driver.files import write_file
from akg.frontends.composite import read_document
from akg.frontends.composite.translate import Translation
from akg.fusion.launch import link_graph
from akg.poly.strategy import resolve_strategy

_log = logger("mindspore")


@user_facing
def compilewithjson(json_str: str | bytes, attrs: Mapping[str, Any] | str | None = None) -> bool:
    """Compile a composite document into the kernel-meta directory.

    The directory is ``$MS_COMPILER_CACHE_PATH/akg_kernel_meta``, where MindSpore looks for it; ``KERNEL_META_DIR``
    changes its last part. Files are there in whole or not at all, the metadata last.

    Args:
        json_str: the document; one operator without ``op_desc`` is taken for a graph of it alone.
        attrs: build attributes as JSON or a dict; "strategy" names a strategy of akg, others are hints for other
            compilers and have no effect.

    Returns:
        True.

    Raises:
        AkgError: AKG-E71x for a document that is wrong, AKG-E730 for attributes that are none, AKG-E412 without a
            linker, AKG-E624 where files cannot be written.
    """
    options = _options(attrs)
    desc = _graph_of(json_str)
    with phase("read-document"):
        document = read_document(desc)
        graph = Translation(document).graph()
    strategy = resolve_strategy(options.get("strategy"), config.strategy)
    symbol = f"{document.name}_kernel"
    linked = link_graph(graph, symbol, f"{document.name}.so", strategy, resolve_target("cpu"))
    folder = Path(kernel_meta_dir())
    facts = {
        "kernelName": symbol,
        "objSha256": hashlib.sha256(linked.object).hexdigest(),
        "sha256": hashlib.sha256(linked.shared).hexdigest(),
        "threadNumber": "null",
    }
    write_file(folder, f"{document.name}.o", linked.object)
    write_file(folder, f"{document.name}.so", linked.shared, is_executable=True)
    write_file(folder, f"{document.name}.json", json.dumps(facts, indent=4).encode() + b"\n")
    _log.info("%s: in %s", document.name, folder)
    return True


@user_facing
def compilewithjsonname(json_file: str | os.PathLike[str], attrs: Mapping[str, Any] | str | None = None) -> bool:
    """As `compilewithjson`, for a document in a file.

    Raises:
        AkgError: AKG-E626 for a file that cannot be read, and as `compilewithjson`.
    """
    try:
        text = Path(json_file).read_bytes()
    except OSError as error:
        raise AkgError(
            "AKG-E626", f"cannot load {os.fspath(json_file)}", because=error.strerror or str(error),
            hint="give the path of a composite document",
        ) from None  # fmt: skip
    return compilewithjson(text, attrs)


def _options(attrs: Mapping[str, Any] | str | None) -> Mapping[str, Any]:
    found: Any = attrs or {}
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError as error:
            raise AkgError("AKG-E730", "the attributes are no JSON", because=str(error)) from None
    if not isinstance(found, Mapping):
        raise AkgError(
            "AKG-E730", f"attributes of type {type(found).__name__}", because="they are a dict, or a JSON object"
        )
    return cast("Mapping[str, Any]", found)


def _graph_of(json_str: str | bytes) -> Any:
    """The document, with a graph around an operator that stands alone."""
    try:
        desc = json.loads(json_str)
    except (ValueError, TypeError):
        return json_str  # read_document says what is wrong
    if not isinstance(desc, dict) or "op_desc" in desc or "name" not in desc:
        return cast("Any", desc)
    alone = cast("dict[str, Any]", desc)
    operation = {key: alone.get(key) for key in ("name", "attr", "input_desc", "output_desc")}
    outputs = alone.get("output_desc") or []
    return {**alone, "composite": True, "op_desc": [operation], "output_desc": outputs}
