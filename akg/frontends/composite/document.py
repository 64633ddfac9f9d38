"""A composite document, read and checked: tensors, operators with their attributes, and what goes in and out.

Versions 0, 1 and 2 differ in where attributes stand: version 2 passes many of them as inputs with a value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from akg.base.errors import AkgError

VERSIONS = (0, 1, 2)
# Attributes that newer versions give as inputs with a value: operator -> position of the input -> attribute.
_WITH_AXIS = ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceAll", "ReduceAny", "Argmax", "Argmin",
              "CumSum", "CumProd", "ExpandDims")  # fmt: skip
ATTRIBUTE_INPUTS: dict[str, dict[int, str]] = {
    **{name: {1: "axis"} for name in _WITH_AXIS},
    "Reshape": {1: "shape"}, "BroadcastTo": {1: "shape"},
    "Transpose": {1: "perm"}, "Tile": {1: "multiples"}, "Gather": {2: "axis"}, "Cast": {1: "dst_type"},
    "StridedSlice": {1: "begin", 2: "end", 3: "strides"},
    "StridedSliceV2": {1: "begin", 2: "end", 3: "axes", 4: "strides"},
    "OneHot": {1: "depth"}, "UnsortedSegmentSum": {2: "num_segments"},
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class TensorDesc:
    """A tensor as the document describes it.

    Attributes:
        shape: () counts as (1,) among operators.
        value: of a constant input.
        is_scalar: whether the document says ().
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    value: Any = None
    format: str = ""
    is_scalar: bool = False

    @property
    def declared(self) -> tuple[int, ...]:
        """The shape as the document says it."""
        return () if self.is_scalar else self.shape


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """An operator as the document describes it; variadic inputs are in one list with the others."""

    position: int
    name: str
    attributes: Mapping[str, Any]
    inputs: tuple[TensorDesc, ...]
    outputs: tuple[TensorDesc, ...]

    @property
    def origin(self) -> str:
        """What messages call it."""
        return f"op_desc[{self.position}] {self.name}"

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or `default`."""
        return self.attributes.get(name, default)

    def require(self, name: str) -> Any:
        """An attribute.

        Raises:
            AkgError: AKG-E713 if there is none.
        """
        if name not in self.attributes:
            have = ", ".join(self.attributes) or "none"
            raise AkgError(
                "AKG-E713", f"{self.origin} has no attribute {name!r}", because=f"it has {have}",
                hint=f"add {name!r} to its attr, or an input with that value",
            )  # fmt: skip
        return self.attributes[name]

    def wrong(self, name: str, why: str) -> AkgError:
        """The error AKG-E713 for an attribute with a value that does not fit."""
        return AkgError(
            "AKG-E713", f"{self.origin}: attribute {name!r} is {self.attributes.get(name)!r}", because=why,
            hint="correct the attribute",
        )  # fmt: skip

    def integers(self, name: str, default: Any = None) -> list[int]:
        """A list attribute; one integer counts as a list of one.

        Raises:
            AkgError: AKG-E713 if it is missing without default, or has something else in it.
        """
        value = self.require(name) if default is None else self.get(name, default)
        listed = value if isinstance(value, list) else [value]
        if not all(isinstance(v, int) and not isinstance(v, bool) for v in listed):
            raise self.wrong(name, "it is an integer, or a list of integers")
        return list(listed)


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A composite document."""

    name: str
    inputs: tuple[TensorDesc, ...]
    outputs: tuple[TensorDesc, ...]
    operations: tuple[Operation, ...]
    process: str


def read_document(desc: Mapping[str, Any] | str | bytes) -> Document:
    """The document of a JSON text, or of a dict of the same content.

    Raises:
        AkgError: AKG-E710 for text that is no JSON object, AKG-E711 for a part that is missing or malformed.
    """
    if isinstance(desc, (str, bytes)):
        try:
            desc = json.loads(desc)
        except (ValueError, RecursionError) as error:
            raise AkgError(
                "AKG-E710", "the composite document is not JSON", because=str(error), hint="pass JSON text, or a dict"
            ) from None
    if not isinstance(desc, Mapping):
        raise AkgError(
            "AKG-E710", f"the composite document is a {type(desc).__name__}", because="it is an object with op_desc",
            hint="pass JSON text, or a dict",
        )  # fmt: skip
    version = desc.get("version") or 0
    if version not in VERSIONS:
        raise _malformed("version", f"{version!r} is none of {', '.join(map(str, VERSIONS))}")
    operations = _list(desc.get("op_desc"), "op_desc")
    if not operations:
        raise _malformed("op_desc", "it has no operator")
    return Document(
        _text(desc.get("op"), "op"),
        _groups(desc.get("input_desc"), "input_desc"),
        tuple([_tensor(t, f"output_desc[{k}]") for k, t in enumerate(_list(desc.get("output_desc"), "output_desc"))]),
        tuple([_operation(k, op) for k, op in enumerate(operations)]),
        str(desc.get("process", "")),
    )


def _operation(position: int, op: Any) -> Operation:
    where = f"op_desc[{position}]"
    if not isinstance(op, Mapping):
        raise _malformed(where, "it is no object")
    name = _text(op.get("name"), f"{where}.name")
    attributes: dict[str, Any] = {}
    for k, attr in enumerate(_list(op.get("attr") or [], f"{where}.attr")):
        if not isinstance(attr, Mapping):
            raise _malformed(f"{where}.attr[{k}]", "it is no object")
        attributes[_text(attr.get("name"), f"{where}.attr[{k}].name")] = attr.get("value")
    inputs = list(_groups(op.get("input_desc"), f"{where}.input_desc"))
    at = dict(ATTRIBUTE_INPUTS.get(name, {}))
    if name == "OneHot" and len(inputs) < 4:
        at = {}  # its inputs are the indices and the two values; depth is an attribute
    for k in sorted(at, reverse=True):
        if k < len(inputs):
            given = inputs.pop(k).value
            if at[k] not in attributes and given is not None:
                attributes[at[k]] = given
    outputs = _list(op.get("output_desc"), f"{where}.output_desc")
    if not outputs:
        raise _malformed(f"{where}.output_desc", "it has no output")
    return Operation(
        position, name, attributes, tuple(inputs),
        tuple([_tensor(t, f"{where}.output_desc[{k}]") for k, t in enumerate(outputs)]),
    )  # fmt: skip


def _groups(groups: Any, where: str) -> tuple[TensorDesc, ...]:
    """The tensors of a list of lists."""
    found: list[TensorDesc] = []
    for k, group in enumerate(_list(groups or [], where)):
        for j, tensor in enumerate(_list(group, f"{where}[{k}]")):
            found.append(_tensor(tensor, f"{where}[{k}][{j}]"))
    return tuple(found)


def _tensor(tensor: Any, where: str) -> TensorDesc:
    if not isinstance(tensor, Mapping):
        raise _malformed(where, "it is no object")
    shape = _list(tensor.get("shape"), f"{where}.shape")
    if not all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in shape):
        raise _malformed(f"{where}.shape", f"{shape!r} is not made of integers that are not negative")
    if math.prod(shape) > 1 << 47:
        raise _malformed(f"{where}.shape", f"no memory holds {shape!r}")
    value = tensor.get("value")
    if value is not None and not isinstance(value, str) and not _is_number(value):
        raise _malformed(f"{where}.value", f"{value!r} is no number, no list of numbers and no name of a type")
    name = _text(tensor.get("tensor_name"), f"{where}.tensor_name")
    dtype = _text(tensor.get("data_type"), f"{where}.data_type")
    return TensorDesc(name, tuple(shape) or (1,), dtype, value, str(tensor.get("format") or ""), not shape)


def _is_number(value: Any) -> bool:
    return all(map(_is_number, value)) if isinstance(value, list) else isinstance(value, (int, float, bool))


def _list(value: Any, where: str) -> Sequence[Any]:
    return value if isinstance(value, list) else _refuse(where, value, "a list")


def _text(value: Any, where: str) -> str:
    return value if isinstance(value, str) and value else _refuse(where, value, "a text")


def _refuse(where: str, value: Any, wanted: str) -> NoReturn:
    raise _malformed(where, "it is missing" if value is None else f"it is a {type(value).__name__}, not {wanted}")


def _malformed(where: str, why: str) -> AkgError:
    return AkgError(
        "AKG-E711", f"malformed composite document: {where}", because=why,
        hint="the format is described in docs/composite.md",
    )  # fmt: skip
