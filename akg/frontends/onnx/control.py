"""If, Scan and Loop: branches that are chosen or both computed, bodies once for each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from akg.base.errors import AkgError
from akg.frontends.onnx.context import Operand, dtype_of_operand, shape_of
from akg.frontends.onnx.protos import attributes_of, to_array
from akg.frontends.onnx.table import unsupported
from akg.fusion import Builder
from akg.ir.graph import Value

STEPS = 1024  # of a loop, that are written out

Results: TypeAlias = "Sequence[Operand | None]"
Run: TypeAlias = "Callable[[Builder, Scope, Sequence[Any], int], None]"


@dataclass(slots=True)
class Scope:
    """Names of one graph or function, and the versions of the operator sets that it is written for."""

    versions: Mapping[str, int]
    names: dict[str, Operand | None] = field(default_factory=dict[str, "Operand | None"])
    outer: Scope | None = None

    def find(self, name: str) -> Operand | None:
        """What a name stands for; None for an operand that is left out.

        Raises:
            AkgError: AKG-E722 for a name that nothing defines.
        """
        if not name:
            return None
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        raise AkgError(
            "AKG-E722", f"nothing defines {name!r}", because="a node reads it before any node or input gives it",
            hint="check the model with onnx.checker.check_model",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Inside:
    """Where a node with bodies stands, and what converts their nodes.

    Attributes:
        builder: of the graph.
        scope: the names around the node.
        depth: of bodies and functions inside each other.
        run: converts nodes in a scope.
    """

    builder: Builder
    scope: Scope
    depth: int
    run: Run

    def body(self, graph: Any, given: Sequence[Operand | None]) -> list[Operand | None]:
        """The results of a body for its inputs; it sees the names around it, too."""
        inner = Scope(self.scope.versions, outer=self.scope)
        inner.names.update({tensor.name: to_array(tensor) for tensor in graph.initializer})
        inner.names.update(zip([i.name for i in graph.input], given, strict=True))
        self.run(self.builder, inner, graph.node, self.depth + 1)
        return [inner.find(output.name) for output in graph.output]

    def value(self, operand: Operand) -> Value:
        """An operand as a value of the graph."""
        return self.builder.constant(operand) if isinstance(operand, np.ndarray) else operand


def _branch(at: Inside, node: Any, operands: Sequence[Operand | None]) -> Results:
    """The branch that a known condition chooses; for a computed one both, and a choice between their results."""
    condition = operands[0]
    branches = {a.name: a.g for a in node.attribute}
    if isinstance(condition, np.ndarray):
        return at.body(branches["then_branch" if condition.reshape(-1)[0] else "else_branch"], ())
    if condition is None:
        raise AkgError("AKG-E722", "If without a condition", because="the operator needs it")
    flag = at.builder.apply("reshape", condition, ())
    pairs = zip(*[at.body(branches[name], ()) for name in ("then_branch", "else_branch")], strict=True)
    return [_chosen(at, flag, a, b) for a, b in pairs]


def _chosen(at: Inside, flag: Value, a: Operand | None, b: Operand | None) -> Value:
    if a is None or b is None:
        raise unsupported("If with a computed condition and absent results", "both branches are computed")
    if shape_of(a) != shape_of(b) or dtype_of_operand(a) is not dtype_of_operand(b):
        raise unsupported("If with a computed condition", f"a result is {_kind(a)} or {_kind(b)}: both are computed")
    return at.builder.apply("where", flag, at.value(a), at.value(b))  # type: ignore[no-any-return]


def _kind(operand: Operand) -> str:
    return f"{dtype_of_operand(operand)}{list(shape_of(operand))}"


def _loop(at: Inside, node: Any, operands: Sequence[Operand | None]) -> Results:
    """The body of a Loop once for each trip; how many there are is known before."""
    body = attributes_of(node)["body"]
    limit, going = operands[0], operands[1] if len(operands) > 1 else None
    if isinstance(limit, Value) or isinstance(going, Value):
        raise unsupported("Loop with a computed number of trips", "akg writes its trips out")
    state: list[Operand | None] = list(operands[2:])
    collected: list[list[Operand | None]] = []
    trips = None if limit is None else int(limit.reshape(-1)[0])
    count, go = 0, going is None or bool(going.reshape(-1)[0])
    while go and (trips is None or count < trips):
        if count >= STEPS:
            raise unsupported(f"Loop of more than {STEPS} trips", "akg writes its trips out")
        results = at.body(body, [np.asarray(count), np.asarray(True), *state])
        condition = results[0]
        if isinstance(condition, Value):
            raise unsupported("Loop with a computed condition", "akg writes its trips out")
        go = condition is None or bool(condition.reshape(-1)[0])
        state = results[1 : 1 + len(state)]
        collected.append(results[1 + len(state) :])
        count += 1
    columns = len(body.output) - 1 - len(state)
    if columns and not collected:
        raise unsupported("Loop without trips that collects results", "their shape is not known")
    return [*state, *[_stacked(at, [row[k] for row in collected], 0) for k in range(columns)]]


def _stacked(at: Inside, parts: Sequence[Operand | None], axis: int) -> Operand:
    given = [p for p in parts if p is not None]
    known = [p for p in given if isinstance(p, np.ndarray)]
    if len(known) == len(given):
        return np.stack(known, axis=axis)
    return at.builder.apply("stack", [at.value(p) for p in given], axis=axis)  # type: ignore[no-any-return]


def _scan(at: Inside, node: Any, operands: Sequence[Operand | None]) -> Results:
    """The body of a Scan once for each step."""
    attributes = attributes_of(node)
    body, count = attributes["body"], attributes["num_scan_inputs"]
    if at.scope.versions.get("", 1) < 9:
        raise unsupported("Scan before version 9", "it had batches of sequences of different lengths")
    given = [o for o in operands if o is not None]
    state: list[Operand | None] = list(given[: len(given) - count])
    sequences = given[len(given) - count :]
    axes = attributes.get("scan_input_axes") or [0] * count
    backwards = attributes.get("scan_input_directions") or [0] * count
    axes = [a % len(shape_of(s)) for a, s in zip(axes, sequences, strict=True)]
    steps = shape_of(sequences[0])[axes[0]]
    collected: list[list[Operand | None]] = []
    for step in range(steps):
        pieces = [_slice(at.builder, s, a, steps - 1 - step if b else step)
                  for s, a, b in zip(sequences, axes, backwards, strict=True)]  # fmt: skip
        results = at.body(body, [*state, *pieces])
        state = list(results[: len(state)])
        collected.append(results[len(state) :])
    outputs: list[Operand | None] = list(state)
    reversals = attributes.get("scan_output_directions") or [0] * len(collected[0])
    places = attributes.get("scan_output_axes") or [0] * len(collected[0])
    for k, column in enumerate(zip(*collected, strict=True)):
        outputs.append(_stacked(at, column[::-1] if reversals[k] else column, places[k]))
    return outputs


def _slice(builder: Builder, whole: Operand, axis: int, at: int) -> Operand:
    if isinstance(whole, np.ndarray):
        return np.take(whole, at, axis=axis)
    shape = shape_of(whole)
    piece = builder.apply("slice", whole, [at], [at + 1], axes=[axis])
    return builder.apply("reshape", piece, shape[:axis] + shape[axis + 1 :])  # type: ignore[no-any-return]


CONTROL: Mapping[str, Callable[[Inside, Any, Sequence[Operand | None]], Results]] = {
    "If": _branch, "Loop": _loop, "Scan": _scan,
}  # fmt: skip
