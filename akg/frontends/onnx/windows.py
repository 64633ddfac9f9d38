"""Sizes, strides and padding of convolutions and pools, as ONNX gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from akg.frontends.onnx.context import Call


@dataclass(frozen=True, slots=True)
class Window:
    """How a window moves over the spatial axes.

    Attributes:
        size: of the window.
        stride: between its places.
        dilation: between its elements.
        before: padding at the beginning of each axis.
        after: padding at the end.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def pads(self) -> list[tuple[int, int]]:
        """Padding as pairs, one for each axis."""
        return list(zip(self.before, self.after, strict=True))

    @property
    def extents(self) -> tuple[int, ...]:
        """What a window covers."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.size, self.dilation, strict=True))

    def places(self, sizes: Sequence[int], *, is_ceiled: bool = False) -> tuple[int, ...]:
        """How many places there are on each axis."""
        found: list[int] = []
        for n, low, high, reach, step in zip(sizes, self.before, self.after, self.extents, self.stride, strict=True):
            room = n + low + high - reach
            count = (-(-room // step) if is_ceiled else room // step) + 1
            if is_ceiled and (count - 1) * step >= n + low:
                count -= 1  # a window must not begin in the padding at the end
            found.append(count)
        return tuple(found)


def window_of(call: Call, size: Sequence[int], sizes: Sequence[int]) -> Window:
    """The window of a node.

    Args:
        call: the node, with its attributes strides, dilations, pads and auto_pad.
        size: of the window.
        sizes: of the spatial axes.
    """
    rank = len(size)
    stride = tuple(call.attribute("strides", [1] * rank))
    dilation = tuple(call.attribute("dilations", [1] * rank))
    auto = call.attribute("auto_pad", "NOTSET")
    pads = call.attribute("pads", [0] * (2 * rank)) if auto == "NOTSET" else [0] * (2 * rank)
    before, after = list(pads[:rank]), list(pads[rank:])
    if auto.startswith("SAME"):
        for k, (n, s, d, w) in enumerate(zip(sizes, stride, dilation, size, strict=True)):
            total = max(0, (-(-n // s) - 1) * s + d * (w - 1) + 1 - n)
            small = total // 2
            before[k], after[k] = (small, total - small) if auto == "SAME_UPPER" else (total - small, small)
    return Window(tuple(size), stride, dilation, tuple(before), tuple(after))
