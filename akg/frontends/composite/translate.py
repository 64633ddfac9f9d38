"""From a document to an operator graph: each operator by a rule, each result of the declared type and shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from akg.base.dtype import DType, dtype_of
from akg.base.errors import AkgError, suggest
from akg.frontends.composite.document import Document, Operation, TensorDesc
from akg.fusion import Builder
from akg.ir.graph import Graph, Value


@dataclass(frozen=True, slots=True, eq=False)
class Complex:
    """A complex tensor as two real ones of one shape."""

    real: Value
    imag: Value


Result: TypeAlias = "Value | Complex"
Rule: TypeAlias = "Callable[[Translation, Operation], Result | list[Value]]"
RULES: dict[str, Rule] = {}
PART = "float32"  # of complex64


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register the rule of operators."""

    def decorate(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return decorate


class Translation:
    """A document on its way to a graph.

    Attributes:
        b: the graph under construction.
        known: the tensors so far, by name; an assigned one stands for its new elements.
    """

    def __init__(self, document: Document) -> None:
        self.document, self.b = document, Builder(document.name)
        self.known: dict[str, Result] = {}
        self._defined: set[str] = set()
        self._inputs: dict[str, Value] = {}
        self.updates: dict[Value, Value] = {}

    def graph(self) -> Graph:
        """The graph of the document.

        Raises:
            AkgError: AKG-E70x, AKG-E71x for a document that is none.
        """
        for desc in self.document.inputs:
            self._input(desc)
        for op in self.document.operations:
            self._operation(op)
        outputs = [self._output(desc) for desc in self.document.outputs]
        return self.b.finish(outputs, self.updates)

    # --- reading --------------------------------------------------------------------------------------------

    def tensor(self, op: Operation, k: int) -> Value:
        """Input `k` as a real tensor.

        Raises:
            AkgError: AKG-E701 for a tensor that nothing defines, AKG-E713 if there is no such input.
        """
        found = self.result(op, k)
        if isinstance(found, Complex):
            raise self.no_complex(op)
        return found

    def operand(self, op: Operation, k: int) -> Value | np.generic:
        """Input `k` as a real tensor, or as a number if the document gives its value."""
        desc = self._input_desc(op, k)
        if desc.value is not None and not isinstance(desc.value, list):
            return self.number(desc)
        return self.tensor(op, k)

    def result(self, op: Operation, k: int) -> Result:
        """Input `k`, real or complex."""
        desc = self._input_desc(op, k)
        if desc.value is not None:
            return self.constant(desc)
        found = self.known.get(desc.name)
        if found is None:
            raise AkgError(
                "AKG-E701", f"{op.origin} reads {desc.name}, which nothing defines",
                because="a tensor is an input, or the output of an operator before",
                hint=suggest(desc.name, self.known),
            )  # fmt: skip
        value = found.real if isinstance(found, Complex) else found
        if np.prod(value.const_shape or (), dtype=np.int64) != np.prod(desc.shape, dtype=np.int64):
            raise AkgError(
                "AKG-E704", f"{op.origin}: input {desc.name} is declared as {list(desc.shape)}",
                because=f"it is {list(value.const_shape or ())}", hint="correct the shapes of this operator",
            )  # fmt: skip
        return found

    def number(self, desc: TensorDesc) -> np.generic:
        """The value of a constant input, of its type.

        Raises:
            AkgError: AKG-E713 if its type does not hold it.
        """
        return self._data(desc)[()]

    def constant(self, desc: TensorDesc) -> Value:
        """A constant input as a tensor of its declared shape."""
        data = self._data(desc)
        if data.size not in (1, int(np.prod(desc.shape))):
            raise AkgError(
                "AKG-E704", f"{desc.name} has {data.size} values for shape {list(desc.shape)}",
                hint="give one value, or one for each element",
            )  # fmt: skip
        shape = desc.shape if data.size == np.prod(desc.shape) else data.shape or (1,)
        return self.b.constant(data.reshape(shape), name=desc.name)

    def _data(self, desc: TensorDesc) -> Any:
        kind = _dtype(desc)
        try:
            data = np.asarray(desc.value)
            if kind.is_integer and data.dtype.kind == "f" and not np.all(np.isfinite(data)):
                raise OverflowError("it is not finite")
            return data.astype(kind.numpy) if data.dtype.kind != "O" else np.asarray(desc.value, kind.numpy)
        except (OverflowError, ValueError, TypeError) as error:
            raise AkgError(
                "AKG-E713", f"{desc.name} has the value {str(desc.value)[:40]}", because=f"no {kind}: {error}",
                hint="give a number of the declared type",
            ) from None  # fmt: skip

    def _input_desc(self, op: Operation, k: int) -> TensorDesc:
        if k >= len(op.inputs):
            raise AkgError(
                "AKG-E713", f"{op.origin} has {len(op.inputs)} inputs", because=f"it takes {k + 1} at least",
                hint="add the missing tensor to its input_desc",
            )  # fmt: skip
        return op.inputs[k]

    def no_complex(self, op: Operation) -> AkgError:
        """The error AKG-E714 for an operator that complex numbers do not have here."""
        return AkgError(
            "AKG-E714", f"{op.origin} on complex numbers", because="complex numbers are added, multiplied and moved",
            hint="take CReal or CImag first",
        )  # fmt: skip

    # --- writing --------------------------------------------------------------------------------------------

    def apply(self, op: Operation, name: str, *args: Any, **attributes: Any) -> Any:
        """One operator of `akg.ops`, on behalf of `op`."""
        return self.b.node(name, args, attributes, origin=op.origin)

    def define(self, op: Operation, definition: Callable[..., Any], *args: Any, kind: str, **attributes: Any) -> Any:
        """An operator that `akg.ops` does not have, by its definition on te tensors."""
        return self.b.node(op.name, args, attributes, origin=op.origin, definition=definition, kind=kind)

    def cast(self, op: Operation, x: Value, dtype: DType | str) -> Value:
        """`x` in another type; itself if it has it."""
        kind = dtype_of(dtype)
        return x if x.dtype is kind else self.apply(op, "astype", x, kind.name)

    def shaped(self, op: Operation, x: Value, shape: Sequence[int]) -> Value:
        """The elements of `x` in another shape; itself if it has it.

        Raises:
            AkgError: AKG-E704 for another number of elements.
        """
        have = x.const_shape or ()
        if have == tuple(shape):
            return x
        if np.prod(have, dtype=np.int64) != np.prod(shape, dtype=np.int64):
            raise AkgError(
                "AKG-E704", f"{op.origin}: its output is declared as {list(shape)}",
                because=f"the operator gives {list(have)}", hint="correct the shapes of this operator",
            )  # fmt: skip
        return self.apply(op, "reshape", x, tuple(shape))

    def assign(self, op: Operation, k: int, value: Result) -> None:
        """Let input `k` hold `value` from now on."""
        name, old = op.inputs[k].name, self.result(op, k)
        if isinstance(old, Complex) or isinstance(value, Complex):
            raise AkgError("AKG-E714", f"{op.origin} assigns complex numbers", hint="assign the parts")
        new = self.known[name] = self.shaped(op, self.cast(op, value, old.dtype), old.const_shape or ())
        if name in self._inputs:
            target = self._inputs[name]
            self.updates[target] = self.shaped(op, new, target.const_shape or ())

    # --- the parts of a document ----------------------------------------------------------------------------

    def _input(self, desc: TensorDesc) -> None:
        if desc.name in self._defined:
            raise AkgError(
                "AKG-E702", f"input {desc.name} is declared twice", because="a name stands for one tensor",
                hint="declare it once",
            )  # fmt: skip
        self._defined.add(desc.name)
        _check_format(desc, "input_desc")
        if desc.dtype == "complex64":
            both = self.b.input(desc.name, (*desc.shape, 2), PART)
            last = len(desc.shape)
            parts = [self.b.apply("slice", both, (k,), (k + 1,), axes=(last,)) for k in (0, 1)]
            real, imag = [self.b.apply("reshape", p, desc.shape) for p in parts]
            self.known[desc.name] = Complex(real, imag)
            return
        value = self._inputs[desc.name] = self.b.input(desc.name, desc.declared, _dtype(desc))
        self.known[desc.name] = self.b.apply("reshape", value, desc.shape) if desc.is_scalar else value

    def _operation(self, op: Operation) -> None:
        found = RULES.get(op.name)
        if found is None:
            raise AkgError("AKG-E712", f"unknown operator {op.name!r} in op_desc[{op.position}]",
                           because="composite documents have a fixed set of operators",
                           hint=suggest(op.name, RULES, "operators"))  # fmt: skip
        for desc in (*op.inputs, *op.outputs):
            _check_format(desc, op.origin)
        found_results = found(self, op)
        results = found_results if isinstance(found_results, list) else [found_results]
        for out, result in zip(op.outputs, results, strict=False):
            self._define(op, out, result)

    def _define(self, op: Operation, out: TensorDesc, result: Result) -> None:
        """Let a declared output be `result`, in the type and shape that it declares."""
        if isinstance(result, Complex):
            shape = out.shape
            result = Complex(self.shaped(op, result.real, shape), self.shaped(op, result.imag, shape))
        elif op.name != "InplaceAssign" or result.const_shape != out.shape:
            result = self.shaped(op, self.cast(op, result, _dtype(out)), out.shape)
        else:
            result = self.cast(op, result, _dtype(out))
        if out.name in self._defined:
            what = "an input" if out.name in self._inputs else "which another operator defines"
            raise AkgError(
                "AKG-E702", f"{op.origin} defines {out.name}, {what}", because="a name stands for one tensor",
                hint="assign inputs by Assign or InplaceAssign; give every output a name of its own",
            )  # fmt: skip
        self._defined.add(out.name)
        self.known[out.name] = result

    def _output(self, desc: TensorDesc) -> Value:
        found = self.known.get(desc.name)
        if found is None:
            raise AkgError(
                "AKG-E701", f"output_desc names {desc.name}, which nothing defines",
                because="an output is a tensor of some operator", hint=suggest(desc.name, self.known),
            )  # fmt: skip
        if isinstance(found, Complex):
            return self.b.apply("stack", [found.real, found.imag], axis=-1)
        if found.const_shape != desc.shape or found.dtype is not _dtype(desc):
            raise AkgError(
                "AKG-E704", f"output {desc.name} is declared as {desc.dtype} {list(desc.shape)}",
                because=f"it is {found.dtype} {list(found.const_shape or ())}", hint="correct output_desc",
            )  # fmt: skip
        return self.b.apply("reshape", found, ()) if desc.is_scalar else found


def _dtype(desc: TensorDesc) -> DType:
    return dtype_of(desc.dtype)


def _check_format(desc: TensorDesc, where: str) -> None:
    if desc.format == "FRACTAL_NZ":
        raise AkgError(
            "AKG-E714", f"{where}: {desc.name} has format FRACTAL_NZ", because="that layout is one of NPUs",
            hint="ask the framework for DefaultFormat",
        )  # fmt: skip
