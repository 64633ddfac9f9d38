"""Recurrent layers, unrolled over the steps of the sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from akg.frontends.onnx.context import Call, shape_of
from akg.frontends.onnx.table import converts, unsupported
from akg.ir.graph import Value

_DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_ACTIVATIONS = {"Tanh": "tanh", "Sigmoid": "sigmoid", "Relu": "relu", "Softplus": "softplus", "Softsign": "softsign"}


@dataclass(frozen=True, slots=True)
class Cell:
    """What one direction computes with: weights, biases by gate, peepholes, activations."""

    w: Value
    r: Value
    input_bias: Value | None
    hidden_bias: Value | None
    peepholes: Value | None
    activations: list[Callable[[Value], Value]]
    size: int


@converts("RNN", "GRU", "LSTM")
def recurrent(call: Call) -> Any:
    """One layer in one or both directions."""
    name, size = call.name, call.attribute("hidden_size") or call.shape(2)[-1]
    x = call.value(0)
    if call.attribute("layout", 0):
        x = call.apply("permute_dims", x, (1, 0, 2))
    steps, batch, width = shape_of(x)
    lengths = call.apply("reshape", call.value(4), (batch, 1)) if call.has(4) else None
    direction = call.attribute("direction", "forward")
    count = 2 if direction == "bidirectional" else 1
    everything: list[list[Value]] = []
    hidden: list[Value] = []
    states: list[Value] = []
    for d in range(count):
        cell = _cell(call, d, size)
        h, c = (_initial(call, p, d, batch, size, x) for p in (5, 6))
        order = range(steps)[::-1] if direction == "reverse" or d == 1 else range(steps)
        outputs: dict[int, Value] = {}
        projected = _projected(call, call.apply("reshape", x, (steps * batch, width)), cell.w, cell.input_bias)
        for t in order:
            step = call.apply("slice", projected, [t * batch], [(t + 1) * batch], axes=[0])
            new, state = _STEPS[name](call, cell, step, h, c)
            if lengths is None:
                h, c, outputs[t] = new, state, new
            else:  # beyond its end a sequence gives zeros, and its state stays
                inside = call.apply("greater", lengths, t)
                outputs[t] = call.apply("where", inside, new, call.scalar(0, new.dtype))
                h, c = call.apply("where", inside, new, h), call.apply("where", inside, state, c)
        everything.append([outputs[t] for t in range(steps)])
        hidden.append(h)
        states.append(c)
    return _results(call, everything, hidden, states)


def _results(call: Call, everything: list[list[Value]], hidden: list[Value], states: list[Value]) -> list[Any]:
    by_step = [call.apply("stack", list(pair), axis=0) for pair in zip(*everything, strict=True)]
    y = call.apply("stack", by_step, axis=0)  # steps, directions, batch, hidden
    last = [call.apply("stack", values, axis=0) for values in (hidden, states)]
    if call.attribute("layout", 0):
        y = call.apply("permute_dims", y, (2, 0, 1, 3))
        last = [call.apply("permute_dims", v, (1, 0, 2)) for v in last]
    return [y, last[0]] + ([last[1]] if call.name == "LSTM" else [])


def _cell(call: Call, direction: int, size: int) -> Cell:
    gates = _GATES[call.name]
    w, r = (_of_direction(call, call.value(p), direction) for p in (1, 2))
    biases: list[Value | None] = [None, None]
    if call.has(3):
        both = _of_direction(call, call.value(3), direction)
        half = gates * size
        biases = [call.apply("slice", both, [k * half], [(k + 1) * half]) for k in range(2)]
    peepholes = _of_direction(call, call.value(7), direction) if call.name == "LSTM" and call.has(7) else None
    return Cell(w, r, biases[0], biases[1], peepholes, _activations(call, direction), size)


def _of_direction(call: Call, value: Value, direction: int) -> Value:
    shape = shape_of(value)
    return call.apply("reshape", call.apply("slice", value, [direction], [direction + 1], axes=[0]), shape[1:])


def _initial(call: Call, position: int, direction: int, batch: int, size: int, x: Value) -> Value:
    if position < len(call.operands) and call.has(position) and (position == 5 or call.name == "LSTM"):
        value = call.value(position)
        if call.attribute("layout", 0):
            value = call.apply("permute_dims", value, (1, 0, 2))
        return _of_direction(call, value, direction)
    return call.builder.constant(np.zeros((batch, size), x.dtype.numpy))


def _activations(call: Call, direction: int) -> list[Callable[[Value], Value]]:
    each = len(_DEFAULTS[call.name])
    names = call.attribute("activations", _DEFAULTS[call.name] * 2)[direction * each : (direction + 1) * each]
    unknown = [n for n in names if n not in _ACTIVATIONS]
    if unknown:
        raise unsupported(f"{call.name} with {unknown[0]}", f"its activations are {', '.join(_ACTIVATIONS)}")
    limit = call.attribute("clip")

    def activation(name: str) -> Callable[[Value], Value]:
        def apply(v: Value) -> Value:
            bounded = v if limit is None else call.apply("clip", v, -limit, limit)
            return call.apply(_ACTIVATIONS[name], bounded)  # type: ignore[no-any-return]

        return apply

    return [activation(name) for name in names]


def _projected(call: Call, x: Value, w: Value, bias: Value | None) -> Value:
    product = call.apply("matmul", x, w, transpose_b=True)
    return product if bias is None else call.apply("add", product, bias)


def _parts(call: Call, value: Value, size: int) -> list[Value]:
    axis = len(value.shape) - 1
    count = shape_of(value)[axis] // size
    return [call.apply("slice", value, [k * size], [(k + 1) * size], axes=[axis]) for k in range(count)]


def _rnn(call: Call, cell: Cell, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
    total = call.apply("add", x, _projected(call, h, cell.r, cell.hidden_bias))
    return cell.activations[0](total), c


def _gru(call: Call, cell: Cell, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
    f, g = cell.activations
    zx, rx, hx = _parts(call, x, cell.size)
    if call.attribute("linear_before_reset", 0):
        zh, rh, hh = _parts(call, _projected(call, h, cell.r, cell.hidden_bias), cell.size)
        z, r = f(call.apply("add", zx, zh)), f(call.apply("add", rx, rh))
        candidate = g(call.apply("add", hx, call.apply("multiply", r, hh)))
    else:
        weights = _parts(call, call.apply("permute_dims", cell.r, (1, 0)), cell.size)
        biases = [None] * 3 if cell.hidden_bias is None else _parts(call, cell.hidden_bias, cell.size)

        def recurred(state: Value, k: int) -> Value:
            product = call.apply("matmul", state, weights[k])
            bias = biases[k]
            return product if bias is None else call.apply("add", product, bias)

        z, r = f(call.apply("add", zx, recurred(h, 0))), f(call.apply("add", rx, recurred(h, 1)))
        candidate = g(call.apply("add", hx, recurred(call.apply("multiply", r, h), 2)))
    kept = call.apply("multiply", z, h)
    return call.apply("add", call.apply("multiply", call.apply("subtract", 1.0, z), candidate), kept), c


def _lstm(call: Call, cell: Cell, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
    f, g, output = cell.activations
    total = call.apply("add", x, _projected(call, h, cell.r, cell.hidden_bias))
    i, o, forget, candidate = _parts(call, total, cell.size)
    peepholes = [] if cell.peepholes is None else _parts(call, cell.peepholes, cell.size)
    if peepholes:
        i = call.apply("add", i, call.apply("multiply", peepholes[0], c))
        forget = call.apply("add", forget, call.apply("multiply", peepholes[2], c))
    i, forget = f(i), f(forget)
    state = call.apply("add", call.apply("multiply", forget, c), call.apply("multiply", i, g(candidate)))
    if peepholes:
        o = call.apply("add", o, call.apply("multiply", peepholes[1], state))
    return call.apply("multiply", f(o), output(state)), state


# Each takes the projected input of a step.
_STEPS = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}
