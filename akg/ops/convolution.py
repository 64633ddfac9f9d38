"""Convolutions of one to three spatial dimensions, plain, grouped, depthwise and transposed.

A padded input is an array of its own, so that inner loops have no conditions; padding is -0.0, the neutral element of
sums, which tells the compiler that weights need not meet it (`akg.poly.loops.skip_padding`). A transposed convolution
with stride s is s plain ones, one for each remainder of the output's place modulo s, whose results interleave (Shi et
al. 2016, arXiv:1609.07009): sums run over exactly the taps that meet an input, and no subscript inside them has a
modulo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Tensor, shape_text
from akg.ops.contraction import Types, types_of
from akg.ops.registry import operator
from akg.ops.shape import bad_argument, check_tensor, same_size, value
from akg.ops.windows import Ints, Padding, Window, absent, check_rank, output_size, padded, paddings, per_dimension

__all__ = [
    "conv1d", "conv1d_transpose", "conv2d", "conv2d_transpose", "conv3d", "conv3d_transpose", "depthwise_conv1d",
    "depthwise_conv2d", "depthwise_conv3d",
]  # fmt: skip

_SPATIAL = {1: "w", 2: "h, w", 3: "d, h, w"}
_LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


def _conv(
    n: int, x: Tensor, w: Tensor, bias: Tensor | None, stride: Ints, padding: Padding, dilation: Ints, groups: int,
    data_layout: str | None, out_dtype: Any,
) -> Tensor:  # fmt: skip
    """The convolution over `n` spatial dimensions."""
    last = _channels_last(data_layout, n)
    channels_x = f"n, {_SPATIAL[n]}, c" if last else f"n, c, {_SPATIAL[n]}"
    channels_w = f"{_SPATIAL[n]}, c / groups, out" if last else f"out, c / groups, {_SPATIAL[n]}"
    check_rank(check_tensor(x, "x"), n + 2, "x", channels_x)
    check_rank(check_tensor(w, "w"), n + 2, "w", channels_w)
    extents = x.shape[1:-1] if last else x.shape[2:]
    kernel = w.shape[:n] if last else w.shape[2:]
    c_in, c_group, c_out = (x.shape[-1], w.shape[-2], w.shape[-1]) if last else (x.shape[1], w.shape[1], w.shape[0])
    per_group = _check_groups(x, w, c_in, c_group, c_out, groups)
    _check_bias(bias, c_out)
    windows = _windows(kernel, w, stride, dilation)
    around = paddings(padding, extents, windows)
    windows = [replace(v, before=b, after=a) for v, (b, a) in zip(windows, around, strict=True)]
    outputs = [output_size(e, v, f"dimension {d} of x") for d, (e, v) in enumerate(zip(extents, windows), 2 - last)]  # noqa: B905
    types = types_of((x, w), out_dtype)
    source = padded(x, 1 if last else 2, around, te.cast(0, x.dtype) if c_group is Const(1) else absent(x.dtype))

    def element(*place: Expr) -> Expr:
        batch, out = place[0], place[-1] if last else place[1]
        c = te.reduce_axis(c_group, name="c")
        taps = [te.reduce_axis(v.size, name=f"k{d}") for d, v in enumerate(windows)]
        at = [p * v.stride + k * v.dilation for p, v, k in zip(place[1:-1] if last else place[2:], windows, taps)]  # noqa: B905
        channel = c if groups == 1 else out // per_group * c_group + c
        left = source[(batch, *at, channel)] if last else source[(batch, channel, *at)]
        right = w[(*taps, c, out)] if last else w[(out, c, *taps)]
        return _sum(left, right, [c, *taps], types)

    shape = (x.shape[0], *outputs, c_out) if last else (x.shape[0], c_out, *outputs)
    result = te.compute(shape, element, name=f"conv{n}d")
    return result if bias is None else _with_bias(result, bias, n + 1 if last else 1, types)


def _sum(left: Expr, right: Expr, axes: Sequence[Any], types: Types) -> Expr:
    wide = types.product.compute
    return te.cast(te.sum(value(left, wide) * value(right, wide), axis=axes), types.result)


def _with_bias(x: Tensor, bias: Tensor, dimension: int, types: Types) -> Tensor:
    return te.compute(
        x.shape, lambda *i: te.cast(x[i] + bias[i[dimension]], types.result), name=f"{x.name}_bias"
    )  # fmt: skip


def _channels_last(data_layout: str | None, n: int) -> bool:
    if data_layout is None or data_layout in _LAYOUTS[n]:
        return data_layout == _LAYOUTS[n][1]
    first, last = _LAYOUTS[n]
    raise bad_argument(f"data_layout is {data_layout!r}", f"data_layout is {first!r} or {last!r}")


def _check_groups(x: Tensor, w: Tensor, c_in: Expr, c_group: Expr, c_out: Expr, groups: int) -> int:
    """The number of output channels in a group, 0 where there is but one group."""
    if not isinstance(groups, int) or groups < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise AkgError("AKG-E283", f"groups is {groups!r}", because="channels are split into groups",
                       hint="give groups of at least 1")  # fmt: skip
    if groups > 1:
        for size, what in ((c_in, "x"), (c_out, "w")):
            if not isinstance(size, Const) or int(size) % groups:
                raise AkgError(
                    "AKG-E283",
                    f"groups is {groups}, but {what} has {shape_text((size,))[1:-2]} "
                    f"{'input' if what == 'x' else 'output'} channels",
                    because=f"{what} has shape {shape_text((x if what == 'x' else w).shape)}",
                    hint="groups divides the numbers of input and of output channels",
                )
    expected = c_in if groups == 1 else Const(int(c_in) // groups)  # type: ignore[call-overload]  # pyright: ignore
    if not same_size(expected, c_group):
        found, wanted = shape_text((c_group,))[1:-2], shape_text((expected,))[1:-2]
        raise AkgError(
            "AKG-E280",
            f"shapes {shape_text(x.shape)} and {shape_text(w.shape)} do not contract",
            because=f"w takes {found} input channels a group, and x has {wanted}"
            + (f" in each of {groups} groups" if groups > 1 else ""),
            hint="give w as many input channels as x has, divided by groups",
        )
    return int(c_out) // groups if groups > 1 else 0  # type: ignore[call-overload]  # pyright: ignore


def _check_bias(bias: Tensor | None, c_out: Expr) -> None:
    if bias is None:
        return
    check_rank(check_tensor(bias, "bias"), 1, "bias", "out")
    if not same_size(bias.shape[0], c_out):
        raise AkgError(
            "AKG-E280",
            f"bias has shape {shape_text(bias.shape)}, and there are {shape_text((c_out,))[1:-2]} output channels",
            hint="give one bias for each output channel",
        )


def _windows(kernel: Sequence[Expr], w: Tensor, stride: Ints, dilation: Ints) -> list[Window]:
    n = len(kernel)
    strides, dilations = per_dimension(stride, n, "stride"), per_dimension(dilation, n, "dilation")
    for size in kernel:
        if not isinstance(size, Const) or int(size) < 1:
            raise AkgError(
                "AKG-E281",
                f"the window of w is {shape_text(tuple(kernel))}",
                because=f"w has shape {shape_text(w.shape)}, and a window has a fixed number of taps, at least one",
                hint="use integers for the spatial sizes of w",
            )
    return [Window(int(k), s, d) for k, s, d in zip(kernel, strides, dilations, strict=True)]  # type: ignore[call-overload]  # pyright: ignore


def _depthwise(
    n: int, x: Tensor, w: Tensor, bias: Tensor | None, stride: Ints, padding: Padding, dilation: Ints,
    data_layout: str | None, out_dtype: Any,
) -> Tensor:  # fmt: skip
    last = _channels_last(data_layout, n)
    check_rank(check_tensor(x, "x"), n + 2, "x", f"n, {_SPATIAL[n]}, c" if last else f"n, c, {_SPATIAL[n]}")
    channels = x.shape[-1] if last else x.shape[1]
    if not isinstance(channels, Const) or int(channels) < 1:
        raise AkgError(
            "AKG-E283",
            f"x has {shape_text((channels,))[1:-2]} channels",
            because=f"x has shape {shape_text(x.shape)}, and each channel is a group",
            hint="give a fixed number of channels, at least 1",
        )
    return _conv(n, x, w, bias, stride, padding, dilation, int(channels), data_layout, out_dtype)


# --- transposed -----------------------------------------------------------------------------------------


def _conv_transpose(
    n: int, x: Tensor, w: Tensor, bias: Tensor | None, stride: Ints, padding: Padding, output_padding: Ints,
    dilation: Ints, groups: int, out_dtype: Any,
) -> Tensor:  # fmt: skip
    """The gradient of `_conv` with respect to its input, as an operator: output[s*i + d*k - p] += x[i] * w[k]."""
    check_rank(check_tensor(x, "x"), n + 2, "x", f"n, c, {_SPATIAL[n]}")
    check_rank(check_tensor(w, "w"), n + 2, "w", f"c, out / groups, {_SPATIAL[n]}")
    windows = _windows(w.shape[2:], w, stride, dilation)
    if padding == "same":
        raise AkgError(
            "AKG-E284", 'padding is "same"', because="several output sizes have inputs of this size",
            hint="give the padding as integers",
        )  # fmt: skip
    around = paddings(padding, x.shape[2:], windows)
    extra = _output_padding(output_padding, windows)
    per_group = _check_transposed_groups(x, w, groups)
    c_out = w.shape[1] * groups
    _check_bias(bias, c_out)
    types = types_of((x, w), out_dtype)
    w, windows = _dilated(w, windows)
    windows = [replace(v, before=b, after=a) for v, (b, a) in zip(windows, around, strict=True)]
    outputs = [_transposed_size(e, v, o, d) for d, (e, v, o) in enumerate(zip(x.shape[2:], windows, extra), 2)]  # noqa: B905
    phases = _phases(n, x, w, windows, outputs, c_out, groups, per_group, types)

    def element(batch: Expr, out: Expr, *place: Expr) -> Expr:
        at = [p + v.before for p, v in zip(place, windows, strict=True)]
        split = [v for v in windows if v.stride > 1]
        remainders = [y % v.stride for y, v in zip(at, windows, strict=True) if v.stride > 1]
        quotients = [y // v.stride - v.before // v.stride for y, v in zip(at, windows, strict=True)]
        found = phases[(batch, out, *remainders, *quotients)]
        met = [r < v.size for r, v in zip(remainders, split, strict=True) if v.size < v.stride]  # others meet no tap
        found = te.select(te.all(*met), found, te.cast(0, types.result)) if met else found
        return found if bias is None else te.cast(found + bias[out], types.result)

    if all(v.stride == 1 for v in windows):
        return phases if bias is None else _with_bias(phases, bias, 1, types)
    return te.compute((x.shape[0], c_out, *outputs), element, name=f"conv{n}d_transpose")


def _phases(
    n: int, x: Tensor, w: Tensor, windows: Sequence[Window], outputs: Sequence[Expr], c_out: Expr, groups: int,
    per_group: int, types: Types,
) -> Tensor:  # fmt: skip
    """The plain convolutions: [batch, out, remainder of each strided dimension..., quotients from the first on...].

    Remainders that meet no tap, as a window of one has them, are left out.
    """
    taps = [-(-v.size // v.stride) if v.stride > 1 else v.size for v in windows]
    spans = [v.dilation * (t - 1) for v, t in zip(windows, taps, strict=True)]
    first = [v.before // v.stride for v in windows]
    quotients = [(o + (v.before - 1)) // v.stride + (1 - f) for o, v, f in zip(outputs, windows, first, strict=True)]
    # quotient q meets inputs q - dilation * tap; padding makes them all exist
    fill = absent(x.dtype) if groups == 1 else te.cast(0, x.dtype)
    source = _shifted(x, [s - f for s, f in zip(spans, first, strict=True)], spans, quotients, fill)
    strides = [min(v.stride, v.size) for v in windows if v.stride > 1]
    weights = _by_phase(w, windows, taps)
    c_group = x.shape[1] if groups == 1 else Const(int(x.shape[1]) // groups)  # type: ignore[call-overload]  # pyright: ignore

    def element(batch: Expr, out: Expr, *place: Expr) -> Expr:
        remainders, at = place[: len(strides)], place[len(strides) :]
        c = te.reduce_axis(c_group, name="c")
        axes = [te.reduce_axis(t, name=f"k{d}") for d, t in enumerate(taps)]
        read = [
            q + k if v.stride > 1 else q + span - k * v.dilation
            for q, span, k, v in zip(at, spans, axes, windows, strict=True)
        ]
        channel = c if groups == 1 else out // per_group * c_group + c
        own = out if groups == 1 else out % per_group
        return _sum(source[(batch, channel, *read)], weights[(channel, own, *remainders, *axes)], [c, *axes], types)

    shape = (x.shape[0], c_out, *[Const(s) for s in strides], *quotients)
    return te.compute(shape, element, name=f"conv{n}d_phases")


def _shifted(
    x: Tensor, shifts: Sequence[int], spans: Sequence[int], quotients: Sequence[Expr], fill: Expr
) -> Tensor:  # fmt: skip
    """`x` moved up by `shifts`, filled before and behind up to what all quotients and the taps' spans read."""
    shape = (*x.shape[:2], *[q + span for q, span in zip(quotients, spans, strict=True)])
    if not any(shifts) and all(same_size(a, b) for a, b in zip(shape, x.shape, strict=True)):
        return x

    def element(batch: Expr, c: Expr, *place: Expr) -> Expr:
        inside = [p >= shift for p, shift in zip(place, shifts, strict=True) if shift > 0]
        inside += [p < size + shift for p, size, shift in zip(place, x.shape[2:], shifts, strict=True)]
        at = [p - shift for p, shift in zip(place, shifts, strict=True)]
        return te.select(te.all(*inside), x[(batch, c, *at)], fill)

    return te.compute(shape, element, name=f"{x.name}_pad")


def _by_phase(w: Tensor, windows: Sequence[Window], taps: Sequence[int]) -> Tensor:
    """The weights as [c, out, remainders..., taps...]; zeros where a remainder has fewer taps than others.

    In strided dimensions the last taps come first, so that they meet inputs upwards.
    """
    strided = [d for d, v in enumerate(windows) if v.stride > 1]
    if not strided:
        return w
    met = [min(windows[d].stride, windows[d].size) for d in strided]
    shape = (*w.shape[:2], *[Const(m) for m in met], *[Const(t) for t in taps])

    def element(c: Expr, out: Expr, *place: Expr) -> Expr:
        remainders = dict(zip(strided, place, strict=False))
        at: list[Expr] = []
        inside: list[Expr] = []
        for d, (tap, v) in enumerate(zip(place[len(strided) :], windows, strict=True)):
            if d not in remainders:
                at.append(tap)
                continue
            at.append((taps[d] - 1 - tap) * v.stride + remainders[d])
            if v.size % v.stride and v.size > v.stride:
                inside.append(at[-1] < v.size)
        return te.select(te.all(*inside), w[(c, out, *at)], absent(w.dtype))

    return te.compute(shape, element, name=f"{w.name}_phases")


def _dilated(w: Tensor, windows: Sequence[Window]) -> tuple[Tensor, list[Window]]:
    """The same weights without dilation in strided dimensions: zeros between the taps."""
    both = [v.stride > 1 and v.dilation > 1 for v in windows]
    if not any(both):
        return w, list(windows)
    plain = [Window(v.reach, v.stride) if b else v for v, b in zip(windows, both, strict=True)]
    shape = (*w.shape[:2], *[Const(v.size) for v in plain])

    def element(c: Expr, out: Expr, *place: Expr) -> Expr:
        at = [p // v.dilation if b else p for p, v, b in zip(place, windows, both, strict=True)]
        inside = [(p % v.dilation).__eq__(0) for p, v, b in zip(place, windows, both, strict=True) if b]
        return te.select(te.all(*inside), w[(c, out, *at)], te.cast(0, w.dtype))

    return te.compute(shape, element, name=f"{w.name}_dilated"), plain


def _transposed_size(extent: Expr, window: Window, extra: int, dimension: int) -> Expr:
    size = (extent - 1) * window.stride + (window.reach + extra - window.before - window.after)
    if isinstance(size, Const) and int(size) < 1:
        raise AkgError(
            "AKG-E288",
            f"dimension {dimension} of the result would have size {int(size)}",
            because=f"x has size {shape_text((extent,))[1:-2]} there, the window reaches over {window.reach} elements "
            f"and {window.before + window.after} are cut off",
            hint="use less padding",
        )
    return size


def _output_padding(output_padding: Ints, windows: Sequence[Window]) -> tuple[int, ...]:
    extra = per_dimension(output_padding, len(windows), "output_padding", 0)
    for e, v in zip(extra, windows, strict=True):
        if e >= max(v.stride, v.dilation):
            raise AkgError(
                "AKG-E285",
                f"output_padding is {e}",
                because=f"the stride is {v.stride} and the dilation {v.dilation}",
                hint="it chooses among the sizes that a stride makes equal: give less than stride or dilation",
            )
    return extra


def _check_transposed_groups(x: Tensor, w: Tensor, groups: int) -> int:
    if not isinstance(groups, int) or groups < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise AkgError("AKG-E283", f"groups is {groups!r}", because="channels are split into groups",
                       hint="give groups of at least 1")  # fmt: skip
    if not same_size(x.shape[1], w.shape[0]):
        found, wanted = shape_text((w.shape[0],))[1:-2], shape_text((x.shape[1],))[1:-2]
        raise AkgError(
            "AKG-E280",
            f"shapes {shape_text(x.shape)} and {shape_text(w.shape)} do not contract",
            because=f"w takes {found} input channels, and x has {wanted}",
            hint="weights of a transposed convolution have shape (c, out / groups, ...)",
        )
    if groups > 1 and (not isinstance(x.shape[1], Const) or int(x.shape[1]) % groups):
        raise AkgError(
            "AKG-E283",
            f"groups is {groups}, but x has {shape_text((x.shape[1],))[1:-2]} input channels",
            because=f"x has shape {shape_text(x.shape)}",
            hint="groups divides the number of input channels",
        )
    if groups > 1 and not isinstance(w.shape[1], Const):
        raise AkgError("AKG-E283", "groups over a symbolic number of output channels", hint="give w a fixed shape")
    return int(w.shape[1]) if groups > 1 else 0  # type: ignore[call-overload]  # pyright: ignore


# --- by rank --------------------------------------------------------------------------------------------


def _define_conv(n: int) -> Callable[..., Tensor]:
    first, last = _LAYOUTS[n]

    def conv(
        x: Tensor, w: Tensor, bias: Tensor | None = None, *, stride: Ints = 1, padding: Padding = 0,
        dilation: Ints = 1, groups: int = 1, data_layout: str | None = None, out_dtype: Any = None,
    ) -> Tensor:  # fmt: skip
        return _conv(n, x, w, bias, stride, padding, dilation, groups, data_layout, out_dtype)

    conv.__doc__ = f"""The convolution (cross-correlation) over {n} spatial dimension{"s" * (n > 1)}.

    Args:
        x: numbers of shape (n, c, {_SPATIAL[n]}); (n, {_SPATIAL[n]}, c) in layout "{last}".
        w: weights of shape (out, c / groups, {_SPATIAL[n]}); ({_SPATIAL[n]}, c / groups, out) in layout "{last}".
        bias: one number for each output channel.
        stride, dilation: one integer, or one for each spatial dimension.
        padding: zeros around x: an integer, one or a (before, after) pair for each dimension, "same" or "valid".
        groups: output channels of a group read input channels of that group only.
        data_layout: "{first}" (default) or "{last}".
        out_dtype: the type of products and result; None: NumPy's.

    Raises:
        AkgError: AKG-E280, E281, E283 for shapes that do not fit, E284 for a bad padding, E285 for a bad stride or
            dilation, E288 if no window fits.
    """
    return operator(f"conv{n}d", kind="contraction")(conv)


def _define_depthwise(n: int) -> Callable[..., Tensor]:
    def depthwise(
        x: Tensor, w: Tensor, bias: Tensor | None = None, *, stride: Ints = 1, padding: Padding = 0,
        dilation: Ints = 1, data_layout: str | None = None, out_dtype: Any = None,
    ) -> Tensor:  # fmt: skip
        return _depthwise(n, x, w, bias, stride, padding, dilation, data_layout, out_dtype)

    depthwise.__doc__ = f"""The convolution of each channel by itself: ``conv{n}d`` with as many groups as channels.

    The weights have shape (c * multiplier, 1, {_SPATIAL[n]}); parameters and errors are those of ``conv{n}d``.
    """
    return operator(f"depthwise_conv{n}d", kind="contraction")(depthwise)


def _define_transpose(n: int) -> Callable[..., Tensor]:
    def transposed(
        x: Tensor, w: Tensor, bias: Tensor | None = None, *, stride: Ints = 1, padding: Padding = 0,
        output_padding: Ints = 0, dilation: Ints = 1, groups: int = 1, out_dtype: Any = None,
    ) -> Tensor:  # fmt: skip
        return _conv_transpose(n, x, w, bias, stride, padding, output_padding, dilation, groups, out_dtype)

    transposed.__doc__ = f"""The transposed convolution over {n} spatial dimension{"s" * (n > 1)}.

    Args:
        x: numbers of shape (n, c, {_SPATIAL[n]}).
        w: weights of shape (c, out / groups, {_SPATIAL[n]}).
        bias: one number for each output channel.
        stride, dilation: of the convolution that it transposes.
        padding: elements cut off around the result.
        output_padding: elements more at the end of each dimension, fewer than the stride.
        groups: as in ``conv{n}d``.
        out_dtype: the type of products and result; None: NumPy's.

    Raises:
        AkgError: AKG-E280, E281, E283 for shapes that do not fit, E284 for a bad padding, E285 for a bad stride or
            output padding, E288 if nothing is left.
    """
    return operator(f"conv{n}d_transpose", kind="contraction")(transposed)


conv1d, conv2d, conv3d = _define_conv(1), _define_conv(2), _define_conv(3)
depthwise_conv1d, depthwise_conv2d, depthwise_conv3d = _define_depthwise(1), _define_depthwise(2), _define_depthwise(3)
conv1d_transpose, conv2d_transpose, conv3d_transpose = _define_transpose(1), _define_transpose(2), _define_transpose(3)
