"""Tensors that gradients do not flow through."""

from __future__ import annotations

from weakref import WeakSet

from akg.ir.te.tensor import Tensor

_stopped: WeakSet[Tensor] = WeakSet()


def stop_gradient(tensor: Tensor) -> Tensor:
    """`tensor`, which `akg.differentiate` takes for a constant from now on.

    For what only shifts a computation without an influence on its result, such as the maximum in softmax.
    """
    _stopped.add(tensor)
    return tensor


def is_stopped(tensor: Tensor) -> bool:
    """Whether gradients stop at `tensor`."""
    return tensor in _stopped
