"""Discrete Fourier transforms as products with matrices of sines and cosines, for lengths known beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np

from akg.frontends.onnx.context import Call, shape_of
from akg.frontends.onnx.table import converts
from akg.ir.graph import Value


def _waves(rows: int, columns: int, length: int, sign: int) -> tuple[Any, Any]:
    """Cosines and sines of 2 pi i j / length, whose product is reduced as an integer, so that none is far."""
    angles = np.outer(np.arange(rows), np.arange(columns)) % length * (2 * np.pi / length)
    return np.cos(angles), sign * np.sin(angles)


@converts("DFT", static=(1, 2))
def dft(call: Call) -> Value:
    """Along one axis; the last one holds the real parts, and the imaginary ones."""
    x, own = call.value(0), call.shape(0)
    given = call.integers(2) if call.version >= 20 else None
    axis = (given[0] if given else call.attribute("axis", 1 if call.version < 20 else -2)) % len(own)
    inverse, onesided = bool(call.attribute("inverse", 0)), bool(call.attribute("onesided", 0))
    half = inverse and onesided
    lengths = call.integers(1)
    length = lengths[0] if lengths else 2 * (own[axis] - 1) if half else own[axis]
    return transformed(call, x, axis, length, inverse=inverse, onesided=onesided)


def transformed(call: Call, x: Value, axis: int, length: int, *, inverse: bool, onesided: bool) -> Value:
    """The transform of the first `length` elements along `axis`, with zeros behind where there are fewer."""
    own, half = shape_of(x), inverse and onesided
    used = min(own[axis], length // 2 + 1 if half else length)
    if used < own[axis]:
        x = call.apply("slice", x, [0], [used], axes=[axis])
    order = [d for d in range(len(own) - 1) if d != axis] + [axis, len(own) - 1]
    moved = call.apply("permute_dims", x, order)
    parts = [call.apply("reshape", call.apply("slice", moved, [k], [k + 1], axes=[len(own) - 1]),
                        shape_of(moved)[:-1]) for k in range(own[-1])]  # fmt: skip
    count = length // 2 + 1 if onesided and not inverse else length
    cosines, sines = _waves(used, count, length, 1 if inverse else -1)
    if inverse:
        cosines, sines = cosines / length, sines / length
    if half:  # the other half of the spectrum is the conjugate of this one
        twice = np.where((np.arange(used) == 0) | (2 * np.arange(used) == length), 1.0, 2.0)[:, None]
        cosines, sines = cosines * twice, sines * twice
    kind = x.dtype.numpy
    real = _product(call, parts, cosines.astype(kind), -sines.astype(kind))
    results = [real] if half else [real, _product(call, parts, sines.astype(kind), cosines.astype(kind))]
    stacked = call.apply("stack", results, axis=-1)
    return call.apply("permute_dims", stacked, [order.index(d) for d in range(len(own))])  # type: ignore[no-any-return]


def _product(call: Call, parts: list[Value], of_real: Any, of_imaginary: Any) -> Value:
    found: Value = call.apply("matmul", parts[0], of_real)
    return found if len(parts) == 1 else call.apply("add", found, call.apply("matmul", parts[1], of_imaginary))  # type: ignore[no-any-return]


@converts("STFT", static=(1, 3))
def stft(call: Call) -> Value:
    """Transforms of windows of a signal, one beside the other."""
    x, own = call.value(0), call.shape(0)
    if len(own) == 2:
        x, own = call.apply("reshape", x, (*own, 1)), (*own, 1)
    step = (call.integers(1) or (1,))[0]
    given = call.integers(3)
    window = call.operand(2) if call.has(2) else None
    length = given[0] if given else shape_of(window)[0] if window is not None else own[1]
    frames = (own[1] - length) // step + 1
    at = np.arange(frames)[:, None] * step + np.arange(length)[None, :]
    cut = call.apply("take", x, at, axis=1)
    if window is not None:
        cut = call.apply("multiply", cut, call.apply("reshape", window, (length, 1)))
    return transformed(call, cut, 2, length, inverse=False, onesided=bool(call.attribute("onesided", 1)))
